//! The checker's books of a payer whose calls two meters charge: what each said, added up from outcomes
//! alone.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use super::{
    replicas::{HOLDER, LENDER, Replicas, World},
    scenarios::{GRACE, key},
    watch::{add, atomic},
};
use crate::{
    amount::Exact,
    crypto::{Digest, Signature},
    entry::ReceiptEntry,
    lease::{Lease, Statement},
    meter::{Command, Outcome},
    receipt::{Item, Kind, Receipt},
    time::Timestamp,
};

#[derive(Clone)]
pub(super) struct Payer {
    pub(super) subscription: Digest,
    /// By meter and request id: the subject, the units, and whether they are still held.
    promised: BTreeMap<(usize, String), (Digest, u64, bool)>,
    /// The receipts that charged something, of both meters.
    pub(super) charged: Vec<Charged>,
    pub(super) leases: Vec<Lent>,
    pub(super) statements: Vec<Said>,
    /// What the close of the window and what credits gave back.
    trued_up: Exact,
    credited: Exact,
    /// By meter: whether some call used more than it held, or was late. What the others then lack is
    /// nobody's promise.
    loosened: [bool; 2],
    /// Whether something was used and not charged.
    uncollected: bool,
    /// Whether the holder has said its last word.
    closed: bool,
    /// Whether a lease came back: then units are counted again.
    came_back: bool,
    /// The units that a price was made for, from each up to the next: the lender's lines and leases.
    priced: Vec<(u64, u64)>,
}

/// A receipt of a call or a period.
#[derive(Clone)]
pub(super) struct Charged {
    pub(super) meter: usize,
    pub(super) receipt: Receipt,
    money: Exact,
    units: u64,
    back: Option<Exact>,
}

/// A lease, and the last of it that was absorbed.
#[derive(Clone)]
pub(super) struct Lent {
    pub(super) id: Digest,
    pub(super) lease: Arc<Lease>,
    pub(super) signature: Signature,
    pub(super) out: bool,
    absorbed: Option<Statement>,
}

#[derive(Clone)]
pub(super) struct Said {
    pub(super) statement: Statement,
    pub(super) signature: Signature,
}

/// The name of a receipt: of which meter, and of which call or period.
pub(super) fn name_of(meter: usize, receipt: &Receipt) -> String {
    format!("{meter}/{:?}/{}", receipt.head.kind, receipt.head.subject)
}

impl Payer {
    pub(super) fn new(subscription: Digest) -> Payer {
        Payer {
            subscription,
            promised: BTreeMap::new(),
            charged: Vec::new(),
            leases: Vec::new(),
            statements: Vec::new(),
            trued_up: Exact::ZERO,
            credited: Exact::ZERO,
            loosened: [false; 2],
            uncollected: false,
            closed: false,
            came_back: false,
            priced: Vec::new(),
        }
    }

    /// What tells two of these books apart.
    pub(super) fn key(&self) -> String {
        let charged = self.charged.iter().map(|charged| {
            let Charged { meter, receipt, money, units, back } = charged;
            let (subject, sequence) = (receipt.head.subject, receipt.head.sequence);
            format!("{meter} {subject} {sequence} {money:?} {units} {back:?}")
        });
        let charged: BTreeSet<String> = charged.collect();
        let plain = |statement: &Statement| Statement { head: Digest::ZERO, ..statement.clone() };
        let statements = self.statements.iter().map(|said| plain(&said.statement));
        let leases = self.leases.iter();
        let leases = leases.map(|lent| (lent.id, lent.out, lent.absorbed.as_ref().map(plain)));
        format!(
            "{:?} {charged:?} {:?} {:?} {:?} {:?} {:?} {} {} {}",
            self.promised,
            statements.collect::<Vec<_>>(),
            leases.collect::<Vec<_>>(),
            self.trued_up,
            self.credited,
            self.loosened,
            self.uncollected,
            self.closed,
            self.came_back,
        )
    }

    /// The calls that a meter charged.
    pub(super) fn charged_calls(&self, meter: usize) -> BTreeSet<Digest> {
        let of = self.charged.iter().filter(|charged| charged.meter == meter);
        let calls = of.filter(|charged| charged.receipt.head.kind == Kind::Call);
        calls.map(|charged| charged.receipt.head.subject).collect()
    }

    /// Whether nothing is left of a receipt; `None` if nobody made it.
    pub(super) fn is_given_back(&self, digest: &Digest) -> Option<bool> {
        let charged = self.charged.iter().find(|made| made.receipt.head.digest() == *digest)?;
        Some(charged.back.is_some() || charged.money.is_zero())
    }

    /// Whether a statement falls behind what was absorbed.
    pub(super) fn is_behind(&self, statement: &[u8]) -> bool {
        let absorbed = self.leases[0].absorbed.as_ref();
        let statement = Statement::from_bytes(statement).expect("a statement");
        absorbed.is_some_and(|last| falls_behind(&statement, last))
    }

    /// Adds what a command did, and checks what was promised before.
    pub(super) fn note(
        &mut self,
        of: &Replicas,
        before: &World,
        meter: usize,
        command: &Command,
        outcome: &Outcome,
    ) -> Result<(), String> {
        let now = before.now(of);
        match (command, outcome) {
            (Command::Authorize(request), Outcome::Authorized { hold, .. }) => {
                if meter == HOLDER && now >= self.leases[0].lease.until {
                    return Err("a call under a lease that is over".into());
                }
                let units = request.most.iter().map(|(_, units)| units).sum();
                self.promised.insert((meter, request.id.clone()), (hold.subject, units, true));
            }
            (Command::Settle(settle), Outcome::Receipt { receipt, .. }) => {
                let promise = self.promised.get_mut(&(meter, settle.id.clone()));
                let (_, held, open) = promise.ok_or("settled without a promise")?;
                let held = *held;
                *open = false;
                self.settled(meter, receipt, held)?;
            }
            (_, Outcome::Released { subject }) => {
                let promises = self.promised.iter_mut().filter(|((of, _), _)| *of == meter);
                for (_, (_, _, open)) in promises.filter(|(_, (held, ..))| held == subject) {
                    *open = false;
                }
            }
            (Command::Due, Outcome::Receipt { receipt, .. }) if meter == LENDER => {
                match receipt.body.items.first() {
                    Some(Item::Correction { exact, .. }) => add(&mut self.trued_up, *exact),
                    _ => self.receipt(meter, receipt),
                }
            }
            (Command::Due, Outcome::Receipt { .. }) => {
                return Err("a lease was billed without a call".into());
            }
            (Command::Lease(_), Outcome::Leased { lease, .. }) => {
                let id = lease.digest();
                let signature = key().sign(&id);
                let lease = Arc::clone(lease);
                self.priced(lease.charges[0].from, lease.charges[0].units)?;
                self.leases.push(Lent { id, lease, signature, out: true, absorbed: None });
            }
            (Command::Statement { closing, .. }, Outcome::Stated { statement, .. }) => {
                self.closed |= closing;
                if self.statements.iter().all(|said| said.statement != *statement) {
                    let signature = key().sign(&statement.digest());
                    self.statements.push(Said { statement: statement.clone(), signature });
                }
            }
            (Command::Absorb { statement, .. }, Outcome::Done) => {
                let statement = Statement::from_bytes(statement).expect("a statement");
                let lent = &mut self.leases[0];
                if lent.absorbed.as_ref() == Some(&statement) {
                    return Ok(());
                }
                if !lent.out || lent.absorbed.as_ref().is_some_and(|a| falls_behind(&statement, a))
                {
                    return Err("a statement counts after a later one".into());
                }
                lent.out = !statement.closed;
                self.came_back |= statement.closed;
                lent.absorbed = Some(statement);
            }
            (Command::Due, Outcome::Reclaimed { lease }) => {
                let lent = self.leases.iter_mut().find(|lent| lent.id == *lease && lent.out);
                let lent = lent.ok_or("a lease came back twice")?;
                if now < over(&lent.lease) {
                    return Err("a lease was taken back while its calls may be charged".into());
                }
                (lent.out, self.came_back) = (false, true);
            }
            (Command::Credit(credit), Outcome::Receipt { receipt, .. }) => {
                let digest = credit.receipt.head.digest();
                let stated = self.stated(credit.receipt.head.sequence);
                let made = self.charged.iter_mut();
                let made = made.filter(|made| made.receipt.head.digest() == digest);
                let corrected = made.last().ok_or("a credit of nothing")?;
                if corrected.meter == HOLDER && !stated {
                    return Err("given back, and never charged".into());
                }
                let Some(Item::Credit { exact, .. }) = receipt.body.items.first() else {
                    return Err("a credit of nothing".into());
                };
                if corrected.back.is_some() || *exact > corrected.money {
                    return Err("more than the receipt cost".into());
                }
                corrected.back = Some(*exact);
                add(&mut self.credited, *exact);
            }
            _ => {}
        }
        // What comes back may make a call dearer, and a limit that does not cover all cut it.
        self.loosened[LENDER] |= of.apart && self.came_back;
        Ok(())
    }

    /// Whether the holder's lane came back with this receipt.
    fn stated(&self, sequence: u64) -> bool {
        let came_back = self.leases.first().filter(|lent| !lent.out);
        let last = came_back.and_then(|lent| lent.absorbed.as_ref());
        last.is_some_and(|last| sequence <= last.sequence)
    }

    fn settled(&mut self, meter: usize, receipt: &ReceiptEntry, held: u64) -> Result<(), String> {
        if self.charged_calls(meter).contains(&receipt.head.subject) {
            return Err("charged after it was settled".into());
        }
        if meter == HOLDER {
            if self.closed {
                return Err("charged after the holder's last word".into());
            }
            if receipt.head.issued_at >= over(&self.leases[0].lease) {
                return Err("charged after the lease was over".into());
            }
        }
        self.receipt(meter, receipt);
        for item in &receipt.body.items {
            match item {
                Item::Line { units_before, units, .. } => {
                    self.loosened[meter] |= *units > held;
                    if meter == LENDER {
                        self.priced(*units_before, *units)?;
                    } else if !self.loosened[meter] {
                        let interval = &self.leases[0].lease.charges[0];
                        let inside = *units_before >= interval.from
                            && units_before + units <= interval.from + interval.units;
                        inside.then_some(()).ok_or("units beyond the lease")?;
                    }
                }
                Item::Price { uncollected, late, .. } => {
                    self.loosened[meter] |= late;
                    if !uncollected.is_zero() {
                        self.uncollected = true;
                        let loosened = self.loosened[meter];
                        loosened.then_some(()).ok_or("a hold did not get what it promised")?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps a receipt that charged something.
    fn receipt(&mut self, meter: usize, entry: &ReceiptEntry) {
        let (mut money, mut units) = (Exact::ZERO, 0);
        for item in &entry.body.items {
            match item {
                Item::Line { units: more, .. } => units += more,
                Item::Price { exact, .. } => add(&mut money, *exact),
                _ => {}
            }
        }
        let signature = Some(key().sign(&entry.digest));
        let receipt =
            Receipt { head: entry.head.clone(), signature, body: Some(entry.body.clone()) };
        self.charged.push(Charged { meter, receipt, money, units, back: None });
    }

    /// Until a lease comes back, every unit has one price.
    fn priced(&mut self, from: u64, units: u64) -> Result<(), String> {
        let to = from + units;
        if !self.came_back && self.priced.iter().any(|(start, end)| from < *end && *start < to) {
            return Err("units were lent or charged twice".into());
        }
        self.priced.push((from, to));
        Ok(())
    }

    /// What must hold of every state.
    pub(super) fn check(&self, of: &Replicas, world: &World) -> Result<(), String> {
        let price = |units| atomic((of.scenario.price)(units));
        let (mut billed, mut units) = self.charged_by(LENDER);
        let (mut paid, mut used) = (billed, units);
        let mut counted = units;
        for lent in &self.leases {
            let absorbed = lent.absorbed.as_ref();
            let stated = absorbed.map_or(Exact::ZERO, |a| atomic(a.cumulative.atomic()));
            let stated_units = absorbed.map_or(0, |absorbed| absorbed.units[0]);
            add(&mut paid, stated);
            used += stated_units;
            let interval = &lent.lease.charges[0];
            if lent.out {
                let all = price(interval.from + interval.units).minus_or_zero(interval.billed);
                if stated > all {
                    return Err(format!("{stated:?} of {all:?} that were lent"));
                }
                add(&mut billed, all);
                units += interval.units;
                counted += lent.lease.limits.first().map_or(0, |share| share.most);
            } else {
                add(&mut billed, stated);
                units += stated_units;
                counted += absorbed.and_then(|a| a.counted.first()).map_or(0, |units| *units);
            }
        }
        let open =
            self.promised.iter().filter(|((meter, _), (_, _, open))| *meter == LENDER && *open);
        let held: u64 = open.map(|(_, (_, units, _))| units).sum();
        let strict = !self.loosened[LENDER];
        let committed = match strict {
            _ if of.apart => self.own_calls(),
            true => billed.max(price(units + held)),
            false => billed,
        };
        if of.scenario.hourly.is_some_and(|most| committed > atomic(most)) {
            return Err(format!("{committed:?} may be charged in all"));
        }
        if strict && of.units.is_some_and(|most| counted + held > most) {
            return Err(format!("{} units may be used in all", counted + held));
        }
        self.check_lanes(world)?;
        // The window is closed, and nothing is left to do.
        let lender = &world.meters[LENDER];
        let done = lender.clock + 1 == of.scenario.instants.len()
            && matches!(lender.take(&of.scenario, &Command::Due), Ok((_, Outcome::Nothing)));
        if done {
            if self.leases.iter().any(|lent| lent.out) {
                return Err("a lease is still out".into());
            }
            let back = self.trued_up.checked_add(self.credited).map_err(|e| e.to_string())?;
            let total = paid.checked_sub(back).map_err(|_| "more came back than was paid")?;
            let due = price(used);
            let least = due.minus_or_zero(self.credited);
            if total > due || !self.uncollected && total < least {
                return Err(format!("{used} units cost {total:?} in all"));
            }
        }
        Ok(())
    }

    /// What a meter charged, and for how many units.
    fn charged_by(&self, meter: usize) -> (Exact, u64) {
        let mut sum = (Exact::ZERO, 0);
        for charged in self.charged.iter().filter(|charged| charged.meter == meter) {
            add(&mut sum.0, charged.money);
            sum.1 += charged.units;
        }
        sum
    }

    /// What the lender's own calls were charged.
    fn own_calls(&self) -> Exact {
        let mut sum = Exact::ZERO;
        for charged in self.charged.iter().filter(|charged| charged.meter == LENDER) {
            if charged.receipt.head.kind == Kind::Call {
                add(&mut sum, charged.money);
            }
        }
        sum
    }

    /// The lanes say what their receipts do.
    fn check_lanes(&self, world: &World) -> Result<(), String> {
        let back = self.trued_up.checked_add(self.credited).map_err(|e| e.to_string())?;
        for (meter, back) in [(LENDER, back), (HOLDER, Exact::ZERO)] {
            let Some(lane) = world.meters[meter].state.lanes.values().next() else { continue };
            let said = (atomic(lane.cumulative.atomic()), atomic(lane.credited.atomic()));
            if said != (self.charged_by(meter).0, back) {
                return Err(format!("a lane says {said:?}"));
            }
        }
        Ok(())
    }
}

/// From when on nothing can be charged under a lease.
fn over(lease: &Lease) -> Timestamp {
    Timestamp::from_millis(lease.until.millis() + GRACE).expect("an instant")
}

/// Whether a statement says less than another, or something else of the same moment.
fn falls_behind(statement: &Statement, last: &Statement) -> bool {
    statement.at < last.at
        || statement.sequence < last.sequence
        || statement.cumulative < last.cumulative
        || statement.units < last.units
        || statement.counted < last.counted
}
