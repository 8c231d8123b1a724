//! Receipts: calls that are settled, windows that are billed or trued up.

use alloc::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use super::{Hashed, charge_index, hold::forget_ended, line_index, misplaced};
use crate::{
    account::{Caller, Counted, Grants, Rated, closes_at, pay_lines},
    amount::Exact,
    crypto::{Digest, sha256},
    entry::ReceiptEntry,
    error::{Code, Error, Result},
    meter::{Hold, Parts, ReservedUnits, State, Subscription},
    plan::{Plan, Signing, whole},
    receipt::{Item, Kind, import_subject, period_subject},
    time::{Timestamp, Window},
};

impl State {
    pub(super) fn apply_receipt(&mut self, e: &ReceiptEntry, hashed: &Hashed) -> Result<()> {
        self.check_chain(e)?;
        match e.head.kind {
            Kind::Call => self.apply_call(e, hashed)?,
            Kind::Part => self.apply_part(e, hashed)?,
            Kind::Period => self.apply_period(e)?,
            Kind::TrueUp => self.apply_true_up(e)?,
            Kind::Credit => self.apply_credit(e)?,
        }
        let head = &e.head;
        self.log.append_hash(hashed.leaf)?;
        self.latest = self.latest.max(head.issued_at);
        let checkpoints = self.checkpoints;
        let lane =
            self.lanes.get_mut(&head.lane).ok_or_else(|| misplaced("a receipt in no lane"))?;
        lane.sequence = head.sequence;
        lane.head = e.digest;
        lane.cumulative = head.cumulative;
        lane.credited = head.credited;
        lane.issued_at = head.issued_at;
        for item in &e.body.items {
            match item {
                Item::Price { remainder_after, .. } => lane.cumulative_remainder = *remainder_after,
                Item::Correction { remainder_after, .. }
                | Item::Credit { remainder_after, .. }
                | Item::Surplus { remainder_after, .. } => {
                    lane.credited_remainder = *remainder_after;
                }
                _ => {}
            }
        }
        let plan = self.plans.get(&lane.open.plan).ok_or(Code::PlanUnknown)?;
        if let Signing::Checkpoint { receipts, value, ms } = plan.signing() {
            if lane.unproven_since != checkpoints {
                lane.unproven_since = checkpoints;
                lane.unproven_receipts = 0;
                lane.unproven_value = Exact::ZERO;
            }
            lane.unproven_receipts = lane.unproven_receipts.saturating_add(1);
            lane.unproven_value =
                lane.unproven_value.checked_add(Exact::from_amount(head.charge))?;
            if lane.unproven_receipts >= *receipts || lane.unproven_value >= *value {
                self.prove_now = true;
            }
            let by = head.issued_at.checked_add(*ms).unwrap_or(Timestamp::MAX);
            self.prove_by = Some(self.prove_by.map_or(by, |earlier| earlier.min(by)));
        }
        if let Some(mark) = &e.import {
            self.mark(mark)?;
        }
        Ok(())
    }

    /// Sequence, previous digest, times and both running totals follow from the lane.
    fn check_chain(&self, e: &ReceiptEntry) -> Result<()> {
        let head = &e.head;
        let lane = self.lane(&head.lane)?;
        let broken = |field: &'static str| {
            Error::new(Code::AuditChain).at(alloc::format!(
                "lane {} receipt {} {field}",
                head.lane,
                head.sequence
            ))
        };
        if lane.sequence.checked_add(1) != Some(head.sequence) {
            return Err(broken("sequence"));
        }
        let (subscription, _) = self.current(&lane.open.root())?;
        if subscription.lane != head.lane {
            return Err(broken("lane"));
        }
        if head.previous != lane.head {
            return Err(broken("previous"));
        }
        if head.issued_at < lane.issued_at.max(head.authorized_at) {
            return Err(broken("issuedAt"));
        }
        if lane.cumulative.checked_add(head.charge)? != head.cumulative {
            return Err(broken("cumulative"));
        }
        if head.credited < lane.credited {
            return Err(broken("credited"));
        }
        Ok(())
    }

    fn apply_call(&mut self, e: &ReceiptEntry, hashed: &Hashed) -> Result<()> {
        let head = &e.head;
        let id = self.lane(&head.lane)?.open.root();
        let (subscription, shared) = self.with_shared(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let rated = lines(&plan, &e.body.items, charge_index)?;
        let hold = subscription.holds.remove(&head.subject);
        let parts = hold.as_ref().and_then(|hold| hold.parts.as_deref());
        // Before the hold gives back what it reserved: of a voided grant nothing else is left.
        let grants = &mut subscription.account.grants;
        let unpaid = take_draws(grants, &plan, e, &increases(parts, &rated))?;
        if let (Some(parts), Some(surplus)) = (parts, surplus(&e.body.items)) {
            let left = parts.charged.checked_sub(parts.drawn)?.checked_sub(surplus)?;
            let call = (head.subject, head.authorized_at);
            subscription.given_back.calls.insert(call, left);
        }
        let periods = subscription.account.periods(&plan);
        match (&hold, &e.import) {
            (Some(hold), None) => {
                if hold.is_reserved() {
                    subscription.end_hold(shared, hold)?;
                    subscription.account.grants.free(&hold.reserved)?;
                }
                if let Some(remembered) = subscription.remembered.get_mut(&head.subject) {
                    remembered.receipt = e.digest;
                    remembered.used = hashed.used;
                }
                forget_ended(subscription, &head.subject, hold.authorized_at);
                self.expiries.remove(&(hold.deadline, id, head.subject));
            }
            (None, Some(mark)) if import_subject(mark) == head.subject => {}
            (None, None) => return Err(misplaced("a call that was not authorised")),
            _ => return Err(misplaced("an imported call whose subject is not its record's")),
        }
        // Limits count a call by the attributes that it was authorised with.
        let own = match &hold {
            Some(hold) => Arc::clone(&hold.attributes),
            None => Arc::new(attributes(&e.body.items)),
        };
        let counted = Recorded { rated: &rated, unpaid: &unpaid, attributes: &own, earlier: parts };
        self.record(&id, e, &counted)?;
        self.note_periods(&id, &periods)
    }

    fn apply_part(&mut self, e: &ReceiptEntry, hashed: &Hashed) -> Result<()> {
        let head = &e.head;
        let id = self.lane(&head.lane)?.open.root();
        let (subscription, shared) = self.with_shared(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let rated = lines(&plan, &e.body.items, charge_index)?;
        let Some(was) =
            subscription.holds.get(&head.subject).filter(|_| e.import.is_none()).cloned()
        else {
            return Err(misplaced("a part of a call that is not held"));
        };
        let earlier = was.parts.as_deref();
        let parts = Parts::with(earlier, e, hashed.used, &rated)?;
        let grants = &mut subscription.account.grants;
        let unpaid = take_draws(grants, &plan, e, &increases(earlier, &rated))?;
        let periods = subscription.account.periods(&plan);
        let mut hold = Hold { parts: Some(Arc::new(parts)), ..was.clone() };
        if was.is_reserved() {
            let (drawn, left) = drawn_reserve(&was.reserved, &e.body.items);
            subscription.account.grants.free(&drawn)?;
            hold.reserved = left.into();
            subscription.end_hold(shared, &was)?;
        }
        subscription.holds.insert(head.subject, hold.clone());
        let counted =
            Recorded { rated: &rated, unpaid: &unpaid, attributes: &was.attributes, earlier };
        self.record(&id, e, &counted)?;
        if hold.is_reserved() {
            let (subscription, shared) = self.with_shared(&id)?;
            subscription.open_hold(shared, &hold)?;
        }
        self.note_periods(&id, &periods)
    }

    fn apply_period(&mut self, e: &ReceiptEntry) -> Result<()> {
        let head = &e.head;
        let id = self.lane(&head.lane)?.open.root();
        let subscription = self.subscription_mut(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let rated = lines(&plan, &e.body.items, line_index)?;
        let unpaid = take_draws(&mut subscription.account.grants, &plan, e, &rated)?;
        let periods = subscription.account.periods(&plan);
        let next = |line: &Rated| {
            periods.iter().any(|period| {
                let id = plan.line_id(line.charge).unwrap_or_default();
                (period.charge, period.window) == (line.charge, line.window)
                    && period_subject(
                        period.edge.number(),
                        id,
                        line.window.start,
                        line.units_before,
                    ) == head.subject
            })
        };
        let [line] = rated.as_slice() else { return Err(misplaced("a period has one line")) };
        if line.units != 0 || !next(line) || e.import.is_some() {
            return Err(misplaced("not the next window that is billed without a call"));
        }
        let none = BTreeMap::new();
        let counted = Recorded { rated: &rated, unpaid: &unpaid, attributes: &none, earlier: None };
        self.record(&id, e, &counted)?;
        self.note_periods(&id, &periods)
    }

    /// Counters and limits after a call or a period, and the windows that it leaves or closes.
    fn record(&mut self, id: &Digest, e: &ReceiptEntry, recorded: &Recorded<'_>) -> Result<()> {
        let Recorded { rated, unpaid, attributes, earlier } = *recorded;
        let subscription = self
            .subscriptions
            .get_mut(id)
            .ok_or_else(|| misplaced("a receipt of no subscription"))?;
        let plan = Arc::clone(&subscription.plan);
        let account = &mut subscription.account;
        if let Some(parts) = earlier {
            account.rewind(&plan, &parts.lines, e.head.authorized_at)?;
        }
        let called = e.head.kind != Kind::Period;
        let caller = Caller { attributes, at: e.head.authorized_at };
        account.advance(&plan, rated, caller, called)?;
        account.note_granted(&increases(earlier, rated), unpaid)?;
        let counted = Counted::of(&plan, e, attributes, earlier)?;
        account.count(&plan, &counted)?;
        self.shared.count(subscription, &counted)?;
        if e.import.is_some() {
            subscription.advance_rates(&mut self.shared, attributes, e.head.authorized_at)?;
        }
        for line in rated {
            note_closing(&mut self.closings, subscription, &plan, *id, line.charge, line.window);
        }
        subscription.account.forget_closed(&plan, e.head.issued_at);
        self.forget_shared(id, e.head.issued_at);
        Ok(())
    }

    fn apply_true_up(&mut self, e: &ReceiptEntry) -> Result<()> {
        let id = self.lane(&e.head.lane)?.open.root();
        let subscription = self
            .subscriptions
            .get_mut(&id)
            .ok_or_else(|| misplaced("a receipt of no subscription"))?;
        let plan = Arc::clone(&subscription.plan);
        for item in &e.body.items {
            let Item::Correction { charge, window, .. } = item else { continue };
            let index = charge_index(&plan, charge)?;
            if subscription.account.awaits(index, *window) {
                return Err(misplaced("a window before it is still to be billed"));
            }
            let account = &mut subscription.account;
            if let Some(at) =
                plan.charges().get(index).and_then(|c| account.trued_up_at(&plan, c, *window))
            {
                self.closings.remove(&(at, id, index, window.start));
            }
            if closes_at(*window, &plan).is_some_and(|closes| closes <= e.head.issued_at) {
                account.close(&[(index, *window)]);
            } else {
                account.settle_up(&plan, index, *window)?;
            }
        }
        Ok(())
    }
}

/// What the receipt of a call, a part or a period moves.
struct Recorded<'a> {
    rated: &'a [Rated],
    /// What grants leave of each line: (charge, amount).
    unpaid: &'a [(usize, Exact)],
    /// The attributes that limits go by.
    attributes: &'a BTreeMap<String, String>,
    /// The parts before of the same call.
    earlier: Option<&'a Parts>,
}

/// What each line adds to what earlier parts of the call were billed.
fn increases<'a>(parts: Option<&Parts>, rated: &'a [Rated]) -> Cow<'a, [Rated]> {
    parts.map_or(Cow::Borrowed(rated), |parts| Cow::Owned(parts.increases(rated)))
}

/// Of what a hold reserves of grants, what a part drew of it, and what is left.
fn drawn_reserve(
    reserved: &[ReservedUnits],
    items: &[Item],
) -> (Vec<ReservedUnits>, Vec<ReservedUnits>) {
    let (mut drawn, mut left) = (Vec::new(), Vec::new());
    for part in reserved {
        let taken = items.iter().find_map(|item| match item {
            Item::DrawUnits { grant, given_at, units, .. }
                if (grant, given_at) == (&part.grant, &part.given_at) =>
            {
                Some(*units)
            }
            _ => None,
        });
        let taken = taken.unwrap_or(0).min(part.units);
        let rest = part.units.saturating_sub(taken);
        for (units, list) in [(taken, &mut drawn), (rest, &mut left)] {
            if units > 0 {
                list.push(ReservedUnits { units, ..part.clone() });
            }
        }
    }
    (drawn, left)
}

/// The lines of a receipt; `number` finds what they name.
pub(super) fn lines(
    plan: &Plan,
    items: &[Item],
    number: impl Fn(&Plan, &str) -> Result<usize>,
) -> Result<Vec<Rated>> {
    let mut rated = Vec::with_capacity(plan.charges().len());
    for item in items {
        let Item::Line { charge, window, units_before, units, billed_before, amount } = item else {
            continue;
        };
        rated.push(Rated {
            charge: number(plan, charge)?,
            window: *window,
            units_before: *units_before,
            units: *units,
            billed_before: *billed_before,
            amount: *amount,
        });
    }
    Ok(rated)
}

/// Takes off grants what a receipt drew. Returns what they leave of each line: (charge, amount).
fn take_draws(
    grants: &mut Grants,
    plan: &Plan,
    e: &ReceiptEntry,
    rated: &[Rated],
) -> Result<Vec<(usize, Exact)>> {
    let mut unpaid: Vec<_> = rated.iter().map(|line| (line.charge, line.amount)).collect();
    for item in &e.body.items {
        let (grant, amount) = match item {
            Item::DrawUnits { grant, given_at, units, .. } => {
                ((grant.as_str(), *given_at), whole(*units))
            }
            Item::Draw { grant, given_at, amount, .. } => ((grant.as_str(), *given_at), *amount),
            _ => continue,
        };
        let terms = grants.take(plan, grant, amount, e.head.authorized_at, e.head.issued_at)?;
        if matches!(item, Item::Draw { .. }) {
            pay_lines(&terms, &mut unpaid, amount)?;
        }
    }
    Ok(unpaid)
}

/// What the end of a call gives back of its parts.
fn surplus(items: &[Item]) -> Option<Exact> {
    items.iter().find_map(|item| match item {
        Item::Surplus { exact, .. } => Some(*exact),
        _ => None,
    })
}

/// The attributes in a body.
fn attributes(items: &[Item]) -> BTreeMap<String, String> {
    let named = items.iter().filter_map(|item| match item {
        Item::Attribute { name, value } => Some((name.clone(), value.clone())),
        _ => None,
    });
    named.collect()
}

/// Keeps the list of windows that owe a true-up.
pub(super) fn note_closing(
    closings: &mut BTreeSet<(Timestamp, Digest, usize, Timestamp)>,
    subscription: &Subscription,
    plan: &Plan,
    id: Digest,
    charge: usize,
    window: Window,
) {
    let owes = subscription
        .account
        .counters
        .get(charge)
        .and_then(|windows| windows.get(window))
        // What a lease cost too much, its lender gives back.
        .is_some_and(|counter| counter.owes && subscription.lease.is_none());
    let found = plan.charges().get(charge);
    if let Some(at) = found.and_then(|c| subscription.account.trued_up_at(plan, c, window)) {
        let key = (at, id, charge, window.start);
        if owes {
            closings.insert(key);
        } else {
            closings.remove(&key);
        }
    }
}

/// The hash of what a receipt says was used: equal to `usage_digest` of the settle that made it.
pub(super) fn used_digest(items: &[Item]) -> Digest {
    let mut w = crate::codec::Writer::with_capacity(256);
    for item in items {
        if let Item::Source { surface, basis, content } = item {
            w.text(surface.as_str()).u8(basis.number()).raw(content.bytes());
        }
    }
    for item in items {
        if let Item::Quantity { meter, quantity } = item {
            w.text(meter).u64(*quantity);
        }
    }
    sha256(&[&w.0])
}
