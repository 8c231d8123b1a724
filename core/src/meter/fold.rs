//! Applying an entry to the state. Nothing is decided and nothing is priced here; what cannot follow
//! is refused, before anything changes wherever that can be told.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{
    account::{Account, Rated, closes_at},
    amount::{Exact, Rounding},
    crypto::{Address, Digest, sha256},
    entry::{
        Collected, Denied, Entry, HoldEntry, ImportMark, Instance, Opening, ReceiptEntry, Release,
        ReleaseReason,
    },
    error::{Code, Error, Result},
    log::{Checkpoint, Frontier},
    meter::{Hold, HoldState, Lane, Remembered, State, Subscription, subscription_id},
    plan::{LimitRule, Plan, Signing},
    receipt::{Item, Kind, import_subject},
    time::{Timestamp, Window},
};

impl State {
    /// Folds one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::Instance(e) => self.apply_instance(e)?,
            Entry::Plan(document) => self.apply_plan(document)?,
            Entry::Open(e) => self.apply_open(e)?,
            Entry::Hold(e) => self.apply_hold(e)?,
            Entry::Denied(e) => self.apply_denied(e)?,
            Entry::Receipt(e) => self.apply_receipt(e)?,
            Entry::Release(e) => self.apply_release(e)?,
            Entry::Checkpoint(e) => self.apply_checkpoint(e)?,
            Entry::Collected(e) => self.apply_collected(e)?,
        }
        self.entries = self.entries.checked_add(1).ok_or(Code::AmountOverflow)?;
        Ok(())
    }

    fn apply_instance(&mut self, e: &Instance) -> Result<()> {
        if self.knows_origin(&e.origin) {
            return Err(misplaced("a log that begins anew needs an origin of its own"));
        }
        self.base = self.next_slot();
        self.log = Frontier::new();
        self.checkpointed = 0;
        self.latest = self.latest.max(e.at);
        self.prove_by = None;
        self.prove_now = false;
        self.instance = Some(e.clone());
        Ok(())
    }

    fn apply_plan(&mut self, document: &[u8]) -> Result<()> {
        let plan = Plan::from_json(document)?;
        self.plans.entry(plan.id()).or_insert_with(|| Arc::new(plan));
        Ok(())
    }

    fn apply_open(&mut self, e: &Opening) -> Result<()> {
        let id = e.lane.digest();
        let plan = self.plan(&e.lane.plan)?.clone();
        if self.lanes.contains_key(&id) {
            return Err(misplaced("the lane is open already"));
        }
        self.check_opening(e)?;
        match self.subscriptions.get_mut(&e.lane.subscription) {
            Some(subscription) => {
                subscription.lane = id;
            }
            None => {
                let account = Account::new(&plan);
                self.subscriptions.insert(
                    e.lane.subscription,
                    Subscription {
                        plan,
                        payer: e.lane.payer,
                        payer_salt: e.payer_salt,
                        name: e.account.clone(),
                        started_at: e.started_at,
                        account,
                        lane: id,
                        holds: BTreeMap::new(),
                        remembered: BTreeMap::new(),
                        forgetting: BTreeSet::new(),
                        denied: 0,
                    },
                );
            }
        }
        self.log.append(&id)?;
        self.latest = self.latest.max(e.lane.opened_at);
        self.lanes.insert(id, Lane::new(id, e.lane.clone()));
        Ok(())
    }

    /// Payer, subscription and baselines follow from what the opening names, and from the lane that it
    /// continues.
    fn check_opening(&self, e: &Opening) -> Result<()> {
        let open = &e.lane;
        if open.origin != self.instance()?.origin {
            return Err(misplaced("the lane names another log"));
        }
        // Beside an address the name is the seller's own label, which no signature covers.
        let named = match &e.account {
            _ if e.payer_salt.is_zero() => Address::from_word(open.payer.bytes()).is_some(),
            Some(account) => sha256(&[e.payer_salt.bytes(), account.as_bytes()]) == open.payer,
            None => false,
        };
        if !named {
            return Err(misplaced("the payer is neither an address nor the account's hash"));
        }
        if subscription_id(&open.plan, &open.payer, e.started_at) != open.subscription {
            return Err(misplaced("the subscription is not that of plan, payer and start"));
        }
        let parent = self.subscriptions.get(&open.subscription).map(|s| s.lane);
        if open.parent != parent.unwrap_or(Digest::ZERO) {
            return Err(misplaced("the lane does not continue the subscription's last"));
        }
        let from = parent.map(|parent| self.lane(&parent)).transpose()?;
        let follows = match from {
            Some(last) => {
                open.number.checked_sub(1) == Some(last.open.number)
                    && open.opened_at >= last.issued_at
                    && (open.cumulative, open.cumulative_remainder)
                        == (last.cumulative, last.cumulative_remainder)
                    && (open.credited, open.credited_remainder)
                        == (last.credited, last.credited_remainder)
            }
            None => {
                open.number == 0
                    && (open.cumulative.is_zero() && open.cumulative_remainder == 0)
                    && (open.credited.is_zero() && open.credited_remainder == 0)
            }
        };
        if !follows || !open.lease.is_zero() {
            return Err(misplaced("the lane does not start where the last one stands"));
        }
        Ok(())
    }

    fn apply_hold(&mut self, e: &HoldEntry) -> Result<()> {
        let subscription_id = self.lane(&e.lane)?.open.subscription;
        let subscription = self.subscription_mut(&subscription_id)?;
        if subscription.holds.contains_key(&e.subject) {
            return Err(misplaced("the request is held already"));
        }
        let plan = Arc::clone(&subscription.plan);
        subscription.account.reserve(&plan, &e.units, e.authorized_at)?;
        advance_rates(&plan, &mut subscription.account, e.authorized_at)?;
        forget_requests(subscription, e.authorized_at);
        subscription.forgetting.insert((forgotten_at(&plan, e.authorized_at), e.subject));
        subscription.remembered.insert(
            e.subject,
            Remembered { input: e.input, receipt: Digest::ZERO, used: Digest::ZERO },
        );
        subscription.holds.insert(
            e.subject,
            Hold {
                subject: e.subject,
                lane: e.lane,
                authorized_at: e.authorized_at,
                deadline: e.deadline,
                units: Arc::clone(&e.units),
                attributes: Arc::clone(&e.attributes),
                state: HoldState::Open,
            },
        );
        self.expiries.insert((e.deadline, subscription_id, e.subject));
        Ok(())
    }

    fn apply_denied(&mut self, e: &Denied) -> Result<()> {
        let id = self.lane(&e.lane)?.open.subscription;
        if import_subject(&e.import) != e.subject {
            return Err(misplaced("a refused record whose subject is not its own"));
        }
        let subscription = self.subscription_mut(&id)?;
        subscription.denied = subscription.denied.saturating_add(1);
        self.mark(&e.import)
    }

    fn apply_release(&mut self, e: &Release) -> Result<()> {
        let id = self.lane(&e.lane)?.open.subscription;
        let subscription = self.subscription_mut(&id)?;
        let plan = Arc::clone(&subscription.plan);
        let hold = subscription
            .holds
            .get_mut(&e.subject)
            .ok_or_else(|| misplaced("no such hold to release"))?;
        let (reserved, deadline) = (hold.is_reserved(), hold.deadline);
        match e.reason {
            ReleaseReason::Unknown | ReleaseReason::Expired if !reserved => {
                return Err(misplaced("the hold has expired already"));
            }
            ReleaseReason::Expired if e.at < deadline => {
                return Err(misplaced("the hold has not expired yet"));
            }
            ReleaseReason::Unknown => {
                hold.state = HoldState::Unknown;
                return Ok(());
            }
            ReleaseReason::Expired => hold.state = HoldState::Expired,
            ReleaseReason::Released => {}
        }
        let (units, at) = (hold.units.clone(), hold.authorized_at);
        if reserved {
            subscription.account.free(&plan, &units, at)?;
        }
        if e.reason == ReleaseReason::Released {
            subscription.holds.remove(&e.subject);
            if let Some(remembered) = subscription.remembered.get_mut(&e.subject) {
                remembered.receipt = Remembered::RELEASED;
            }
        }
        forget_ended(subscription, &e.subject, at);
        self.expiries.remove(&(deadline, id, e.subject));
        Ok(())
    }

    fn apply_receipt(&mut self, e: &ReceiptEntry) -> Result<()> {
        self.check_chain(e)?;
        match e.head.kind {
            Kind::Call => self.apply_call(e)?,
            Kind::TrueUp => self.apply_true_up(e)?,
        }
        let head = &e.head;
        self.log.append(&e.digest)?;
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
                Item::Correction { remainder_after, .. } => {
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
        let (subscription, _) = self.current(&lane.open.subscription)?;
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

    fn apply_call(&mut self, e: &ReceiptEntry) -> Result<()> {
        let head = &e.head;
        let id = self.lane(&head.lane)?.open.subscription;
        let subscription = self
            .subscriptions
            .get_mut(&id)
            .ok_or_else(|| misplaced("a receipt of no subscription"))?;
        let plan = Arc::clone(&subscription.plan);
        let mut rated = Vec::with_capacity(e.body.items.len());
        let mut exact = Exact::ZERO;
        for item in &e.body.items {
            match item {
                Item::Line { charge, window, units_before, units, billed_before, amount } => {
                    rated.push(Rated {
                        charge: charge_index(&plan, charge)?,
                        window: *window,
                        units_before: *units_before,
                        units: *units,
                        billed_before: *billed_before,
                        amount: *amount,
                    });
                }
                Item::Price { exact: price, .. } => exact = *price,
                _ => {}
            }
        }
        match (subscription.holds.remove(&head.subject), &e.import) {
            (Some(hold), None) => {
                if hold.is_reserved() {
                    subscription.account.free(&plan, &hold.units, hold.authorized_at)?;
                    self.expiries.remove(&(hold.deadline, id, head.subject));
                }
                if let Some(remembered) = subscription.remembered.get_mut(&head.subject) {
                    remembered.receipt = e.digest;
                    remembered.used = used_digest(&e.body.items);
                }
                forget_ended(subscription, &head.subject, hold.authorized_at);
            }
            (None, Some(mark)) if import_subject(mark) == head.subject => {}
            (None, None) => return Err(misplaced("a call that was not authorised")),
            _ => return Err(misplaced("an imported call whose subject is not its record's")),
        }
        let compared = match plan.rounding() {
            Rounding::Carry => exact,
            _ => Exact::from_amount(head.charge),
        };
        subscription.account.advance(&plan, &rated, compared, head.authorized_at)?;
        if e.import.is_some() {
            advance_rates(&plan, &mut subscription.account, head.authorized_at)?;
        }
        for line in &rated {
            note_closing(&mut self.closings, subscription, &plan, id, line.charge, line.window);
        }
        subscription.account.forget_closed(&plan, head.issued_at);
        Ok(())
    }

    fn apply_true_up(&mut self, e: &ReceiptEntry) -> Result<()> {
        let id = self.lane(&e.head.lane)?.open.subscription;
        let subscription = self
            .subscriptions
            .get_mut(&id)
            .ok_or_else(|| misplaced("a receipt of no subscription"))?;
        let plan = Arc::clone(&subscription.plan);
        for item in &e.body.items {
            let Item::Correction { charge, window, .. } = item else { continue };
            let index = charge_index(&plan, charge)?;
            if let Some(closes) = closes_at(*window, &plan) {
                self.closings.remove(&(closes, id, index, window.start));
            }
            if let Some(windows) = subscription.account.counters.get_mut(index) {
                windows.drop_where(|w, _| w == *window);
            }
        }
        Ok(())
    }

    fn apply_checkpoint(&mut self, e: &Checkpoint) -> Result<()> {
        let misfit = |field: &'static str| {
            Error::new(Code::AuditMismatch)
                .at(alloc::format!("checkpoint {} {field}", self.checkpoints))
        };
        if e.origin != self.instance()?.origin {
            return Err(misfit("origin"));
        }
        if e.size != self.log.size() {
            return Err(misfit("size"));
        }
        if e.root != self.log.root() {
            return Err(misfit("root"));
        }
        if e.lanes != self.lanes_root()? {
            return Err(misfit("lanes"));
        }
        if e.time != self.latest {
            return Err(misfit("time"));
        }
        self.checkpoints = self.checkpoints.checked_add(1).ok_or(Code::AmountOverflow)?;
        self.checkpointed = e.size;
        self.prove_by = None;
        self.prove_now = false;
        Ok(())
    }

    fn apply_collected(&mut self, e: &Collected) -> Result<()> {
        let lane = self
            .lanes
            .get_mut(&e.lane)
            .ok_or_else(|| Error::new(Code::CollectedInvalid).value(e.lane).because("no lane"))?;
        let refused = |why| Error::new(Code::CollectedInvalid).value(e.amount).because(why);
        if e.amount < lane.collected {
            return Err(refused("a collected amount is cumulative and never falls"));
        }
        if e.fee > e.amount || e.fee < lane.fee {
            return Err(refused("a fee is cumulative and part of its amount"));
        }
        lane.collected = e.amount;
        lane.fee = e.fee;
        Ok(())
    }

    fn mark(&mut self, mark: &ImportMark) -> Result<()> {
        if let Some(before) = self.imports.get(&mark.input)
            && (mark.ordinal <= before.ordinal || mark.offset <= before.offset)
        {
            return Err(misplaced("an imported record twice"));
        }
        self.imports.insert(mark.input, mark.clone());
        Ok(())
    }
}

fn misplaced(why: &'static str) -> Error {
    Error::new(Code::EntryMisplaced).because(why)
}

pub(crate) fn charge_index(plan: &Plan, id: &str) -> Result<usize> {
    plan.charges()
        .iter()
        .position(|charge| charge.id == id)
        .ok_or_else(|| Error::new(Code::PlanReference).value(id).because("no such charge"))
}

fn advance_rates(plan: &Plan, account: &mut Account, at: Timestamp) -> Result<()> {
    for (limit, state) in plan.limits().iter().zip(account.rates.iter_mut()) {
        if let LimitRule::Rate(rate) = &limit.rule {
            match rate.decide(*state, at.millis()) {
                Ok(next) => *state = next,
                Err(_) => return Err(misplaced("a call faster than the rate allows")),
            }
        }
    }
    Ok(())
}

/// When a request id may be forgotten: after the replay horizon, and not while its call may settle.
fn forgotten_at(plan: &Plan, authorized_at: Timestamp) -> Timestamp {
    let times = plan.times();
    let kept = times.replay.max(times.hold.saturating_add(times.grace));
    authorized_at.checked_add(kept).unwrap_or(Timestamp::MAX)
}

/// Forgets what is past its time. A hold that still reserves is forgotten when it ends.
fn forget_requests(subscription: &mut Subscription, now: Timestamp) {
    while let Some((until, subject)) = subscription.forgetting.first().copied()
        && until <= now
    {
        subscription.forgetting.remove(&(until, subject));
        if !subscription.holds.get(&subject).is_some_and(Hold::is_reserved) {
            subscription.remembered.remove(&subject);
            subscription.holds.remove(&subject);
        }
    }
}

/// Forgets a hold that has ended after its time.
fn forget_ended(subscription: &mut Subscription, subject: &Digest, authorized_at: Timestamp) {
    let until = forgotten_at(&subscription.plan, authorized_at);
    if !subscription.forgetting.contains(&(until, *subject)) {
        subscription.remembered.remove(subject);
        subscription.holds.remove(subject);
    }
}

/// Keeps the list of windows that owe a true-up.
fn note_closing(
    closings: &mut alloc::collections::BTreeSet<(Timestamp, Digest, usize, Timestamp)>,
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
        .is_some_and(|counter| counter.owes);
    if let Some(closes) = closes_at(window, plan) {
        let key = (closes, id, charge, window.start);
        if owes {
            closings.insert(key);
        } else {
            closings.remove(&key);
        }
    }
}

/// The hash of what a receipt says was used: equal to `usage_digest` of the settle that made it.
fn used_digest(items: &[Item]) -> Digest {
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
