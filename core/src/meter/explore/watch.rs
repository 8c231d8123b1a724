//! The checker's own books: what was promised, charged and given, added up from outcomes alone.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    sync::Arc,
    vec::Vec,
};

use super::{
    Node,
    refunds::Refunds,
    scenarios::{GRACE, Scenario},
    short,
};
use crate::{
    amount::{Amount, Exact, Rounding},
    crypto::Digest,
    entry::{ReceiptEntry, ReleaseReason},
    meter::{Command, Outcome, Settle},
    receipt::{Item, Kind},
};

const HOUR: u64 = 3_600_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Books {
    /// The subscriptions and their lanes.
    opened: Vec<(Digest, Digest)>,
    /// By request id: the units that were asked for, and those that were promised.
    promised: BTreeMap<String, (u64, u64)>,
    settled: BTreeSet<String>,
    /// Some call used more than it held, or the seller took back money that backed holds: what the
    /// others then lack is nobody's promise.
    loosened: bool,
    refunds: Refunds,
    /// By call: the units and the price of its last lines. Those of a part are of the call so far.
    lines: BTreeMap<Digest, (u64, Exact)>,
    /// By hour: what calls were charged before grants, what they were priced, units, corrections.
    hours: BTreeMap<u64, Hour>,
    /// What grants paid, by grant.
    drawn: BTreeMap<String, Exact>,
    /// Grants that were taken back.
    voided: BTreeSet<String>,
    /// What the lane was billed and credited, exact.
    billed: Exact,
    credited: Exact,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hour {
    charged: Exact,
    priced: Exact,
    units: u64,
    trued_up: Option<Exact>,
    /// What the lane was charged and was not given back.
    net: Exact,
}

/// Adds to a sum.
pub(super) fn add(sum: &mut Exact, more: Exact) {
    *sum = sum.checked_add(more).expect("a sum");
}

impl Books {
    pub(super) fn open(&mut self, subscription: Digest, lane: Digest) {
        self.opened.push((subscription, lane));
    }

    /// The subscriptions that are explored.
    pub(super) fn subscriptions(&self) -> Vec<Digest> {
        self.opened.iter().map(|(subscription, _)| *subscription).collect()
    }

    /// Adds what a command did, and checks what was promised before.
    pub(super) fn note(
        &mut self,
        scenario: &Scenario,
        before: &Node,
        command: &Command,
        outcome: &Outcome,
    ) {
        let fail = |why: &str| panic!("{why}: {} after\n  {}", short(command), before.trace());
        match (command, outcome) {
            (Command::Authorize(request), Outcome::Authorized { .. }) => {
                let units = request.most.iter().map(|(_, units)| units).sum();
                self.promised.insert(request.id.clone(), (units, units));
            }
            (Command::Extend { id, most: Some(most), .. }, Outcome::Extended { .. }) => {
                let units: u64 = most.iter().map(|(_, units)| units).sum();
                let (_, held) = self.promised.get_mut(id).expect("a promise");
                *held = units.max(*held);
            }
            (Command::Authorize(request), Outcome::Replayed(_)) => {
                let units: u64 = request.most.iter().map(|(_, units)| units).sum();
                if self.promised.get(&request.id).is_none_or(|(held, _)| *held != units) {
                    fail("another request was taken for a replay");
                }
            }
            (Command::Void { grant, .. }, _) => {
                self.voided.insert(grant.clone());
                self.loosened = true;
            }
            (
                Command::Settle(Settle { id, .. })
                | Command::SettlePart(Settle { id, .. })
                | Command::SettleUnfinished { id, .. },
                Outcome::Receipt { receipt, .. },
            ) => {
                let used: u64 = receipt.body.items.iter().map(quantity).sum();
                let head = &receipt.head;
                let closes = (head.authorized_at.millis() / HOUR + 1) * HOUR + GRACE;
                if head.issued_at.millis() >= closes {
                    fail("charged in a window that is closed");
                }
                if self.settled.contains(id) {
                    fail("charged after it was settled");
                }
                if head.kind == Kind::Call {
                    self.settled.insert(id.clone());
                }
                self.refunds.charged(receipt);
                let Some(&(_, held)) = self.promised.get(id) else {
                    return fail("settled without a promise");
                };
                if matches!(command, Command::SettleUnfinished { .. })
                    && used > held
                    && !self.loosened
                {
                    fail("what nobody knows was more than was held");
                }
                if let Some(grant) = self.undue(scenario, receipt) {
                    fail(&format!("{grant} paid after it was void or expired"));
                }
                let (uncollected, late) = self.receipt(receipt);
                self.loosened |= used > held;
                if !(self.loosened || late || uncollected.is_zero()) {
                    fail("a hold promised what a settle within it did not get");
                }
            }
            (Command::Release { id, reason, .. }, Outcome::Released { subject }) => {
                if self.settled.contains(id) {
                    fail("released after it was settled");
                }
                if *reason == ReleaseReason::Released {
                    self.refunds.ended(*subject);
                }
            }
            (Command::Credit(_), Outcome::Receipt { receipt, .. }) => {
                let back = self.refunds.give_back(receipt);
                if let Err(why) = back.and_then(|()| self.give_back(scenario, receipt)) {
                    fail(&why);
                }
            }
            (Command::Due, Outcome::Receipt { receipt, .. }) => {
                self.receipt(receipt);
                if receipt.head.kind == Kind::TrueUp && !self.closed_exactly(scenario, receipt) {
                    fail("a window's close does not come to F");
                }
            }
            _ => {}
        }
    }

    /// A grant that pays this receipt and may not.
    fn undue<'a>(&self, scenario: &Scenario, receipt: &'a ReceiptEntry) -> Option<&'a str> {
        receipt.body.items.iter().find_map(|item| match item {
            Item::Draw { grant, .. } | Item::DrawUnits { grant, .. } => {
                let expired = grant == "units"
                    && scenario.expires.is_some_and(|at| receipt.head.authorized_at >= at);
                (expired || self.voided.contains(grant)).then_some(grant.as_str())
            }
            _ => None,
        })
    }

    /// Adds a receipt; what of it was uncollected, and whether it was late.
    fn receipt(&mut self, receipt: &Arc<ReceiptEntry>) -> (Exact, bool) {
        let hour = self.hours.entry(receipt.head.authorized_at.millis() / HOUR).or_default();
        let mut said = (Exact::ZERO, false);
        let (units, price) = self.lines.remove(&receipt.head.subject).unwrap_or_default();
        hour.units -= units;
        hour.priced = hour.priced.minus_or_zero(price);
        let mut lines = (0, Exact::ZERO);
        for item in &receipt.body.items {
            match item {
                Item::Line { units, amount, .. } => {
                    lines.0 += units;
                    add(&mut lines.1, *amount);
                }
                Item::Price { exact, uncollected, late, .. } => {
                    add(&mut hour.charged, *exact);
                    add(&mut self.billed, *exact);
                    add(&mut hour.net, *exact);
                    said = (*uncollected, *late);
                }
                Item::Surplus { exact, .. } => {
                    add(&mut self.credited, *exact);
                    hour.charged = hour.charged.minus_or_zero(*exact);
                    hour.net = hour.net.checked_sub(*exact).expect("less than was charged");
                }
                Item::Draw { grant, amount, .. } => {
                    add(self.drawn.entry(grant.clone()).or_default(), *amount);
                    self.billed = self.billed.minus_or_zero(*amount);
                    hour.net = hour.net.minus_or_zero(*amount);
                }
                Item::DrawUnits { grant, units, .. } => {
                    let units = atomic(u128::from(*units));
                    add(self.drawn.entry(grant.clone()).or_default(), units);
                }
                Item::Correction { window, exact, .. } => {
                    add(&mut self.credited, *exact);
                    let closed = self.hours.entry(window.start.millis() / HOUR).or_default();
                    closed.trued_up = Some(*exact);
                    closed.net = closed.net.checked_sub(*exact).expect("less than was charged");
                    return said;
                }
                _ => {}
            }
        }
        hour.units += lines.0;
        add(&mut hour.priced, lines.1);
        if receipt.head.kind == Kind::Part {
            self.lines.insert(receipt.head.subject, lines);
        }
        said
    }

    /// Adds a credit: to no grant that has ended, and of an hour no more than it was charged. What the
    /// close of an hour gave back is not looked at again.
    fn give_back(&mut self, scenario: &Scenario, credit: &ReceiptEntry) -> Result<(), String> {
        let corrected = credit.corrects.as_ref().ok_or("a credit of nothing")?;
        let hour = corrected.head.authorized_at.millis() / HOUR;
        let hour = self.hours.entry(hour).or_default();
        for item in &credit.body.items {
            let (grant, amount) = match item {
                Item::Credit { exact, .. } => {
                    if hour.trued_up.is_none() && *exact > hour.net {
                        return Err("more than the hour was charged".into());
                    }
                    hour.net = hour.net.minus_or_zero(*exact);
                    add(&mut self.credited, *exact);
                    continue;
                }
                Item::Returned { grant, amount, .. } => (grant, *amount),
                Item::ReturnedUnits { grant, units, .. } => (grant, atomic((*units).into())),
                _ => continue,
            };
            let expired =
                grant == "units" && scenario.expires.is_some_and(|at| credit.head.issued_at >= at);
            if expired || self.voided.contains(grant) {
                return Err(format!("{grant} came back after it was void or expired"));
            }
            let drawn = self.drawn.entry(grant.clone()).or_default();
            *drawn = drawn.checked_sub(amount).map_err(|_| "more than the grant paid")?;
        }
        Ok(())
    }

    /// After a true-up the window was billed F of its units, no more and no less, but for what grants
    /// paid and credits gave back before.
    fn closed_exactly(&self, scenario: &Scenario, receipt: &ReceiptEntry) -> bool {
        receipt.body.items.iter().all(|item| match item {
            Item::Correction { window, .. } => {
                let hour = &self.hours[&(window.start.millis() / HOUR)];
                let due = atomic((scenario.price)(hour.units));
                let back = hour.trued_up.expect("a correction");
                let left = hour.net.checked_add(back).expect("a sum");
                back == hour.priced.minus_or_zero(due).min(left) && hour.priced >= due
            }
            _ => true,
        })
    }

    /// What must hold of every state.
    pub(super) fn check(&self, scenario: &Scenario, node: &Node) -> Result<(), String> {
        for (hour, sums) in &self.hours {
            if scenario.hourly.is_some_and(|most| sums.charged > atomic(most)) {
                return Err(format!("hour {hour} was charged {:?}", sums.charged));
            }
            // A call pays F after it less what was billed: the sum never lies below F.
            if sums.trued_up.is_none() && sums.priced < atomic((scenario.price)(sums.units)) {
                return Err(format!("{} units were priced {:?}", sums.units, sums.priced));
            }
        }
        for (grant, drawn) in &self.drawn {
            if *drawn > atomic(2) {
                return Err(format!("grant {grant} of 2 paid {drawn:?}"));
            }
        }
        let owed = self.billed.minus_or_zero(self.credited);
        if scenario.credit.is_some_and(|most| owed > atomic(most)) {
            return Err(format!("{owed:?} is owed"));
        }
        let (mut open, mut billed, mut credited) = (0, Exact::ZERO, Exact::ZERO);
        for (subscription, lane) in &self.opened {
            let subscription = &node.state.subscriptions[subscription];
            for given in subscription.account.grants.iter().filter(|given| !given.voided) {
                let (id, balance) = (&given.terms.id, given.balance);
                let drawn = self.drawn.get(id).copied().unwrap_or_default();
                if balance.checked_add(drawn) != Ok(given.terms.credit.amount()) {
                    return Err(format!("{id} has {balance:?} after {drawn:?}"));
                }
            }
            let holds = subscription.holds.values();
            open += holds.filter(|hold| hold.is_reserved()).count() as u64;
            let lane = &node.state.lanes[lane];
            let add = |sum: Exact, amount: Amount, rest| {
                let more = Exact::new(amount.atomic(), rest).map_err(|e| format!("{e:?}"))?;
                sum.checked_add(more).map_err(|e| format!("{e:?}"))
            };
            billed = add(billed, lane.cumulative, lane.cumulative_remainder)?;
            credited = add(credited, lane.credited, lane.credited_remainder)?;
        }
        if scenario.concurrency.is_some_and(|most| open > most) {
            return Err(format!("{open} calls are open at once"));
        }
        let rounded = scenario.plan.rounding() != Rounding::Carry;
        if !rounded && billed != self.billed || credited != self.credited {
            return Err(format!("the lanes say {billed:?} less {credited:?}"));
        }
        Ok(())
    }
}

fn quantity(item: &Item) -> u64 {
    match item {
        Item::Quantity { quantity, .. } => *quantity,
        _ => 0,
    }
}

pub(super) fn atomic(units: u128) -> Exact {
    Exact::from_amount(Amount::from_atomic(units))
}
