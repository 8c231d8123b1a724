//! Deciding commands: from the state and a command to an entry and an outcome. Changes nothing.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String};

use crate::{
    account::{admit, aggregate, closes_at},
    amount::Exact,
    codec::Writer,
    crypto::{Address, Digest, sha256},
    entry::{
        Denial, DenialCode, Denied, Entry, HoldEntry, Instance, Opening, ReceiptEntry, Release,
        ReleaseReason, write_attributes,
    },
    error::{Code, Error, Result},
    log::Checkpoint,
    meter::{
        Command, Hold, HoldState, Import, Outcome, Remembered, Replay, Request, Settle,
        SignRequest, Signed, State, Subscribe, Subscription,
        draft::{Facts, check_windows, draft_call, draft_true_up},
    },
    plan::{LimitRule, Plan, Signing},
    receipt::{LaneOpen, receipt_salt, request_subject},
    time::Timestamp,
    usage::Usage,
};

/// An entry to record, if any, and what it means.
pub(crate) type Decision = (Option<Entry>, Outcome);

impl State {
    /// Decides a command at `now`. `key` is the salt key.
    pub(crate) fn decide(
        &mut self,
        command: &Command,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        match command {
            Command::Begin { origin, signer } => self.decide_begin(origin, *signer, now),
            Command::AddPlan(plan) => self.decide_plan(plan),
            Command::Subscribe(subscribe) => self.decide_subscribe(subscribe, now, key),
            Command::Authorize(request) => self.decide_authorize(request, now),
            Command::Settle(settle) => self.decide_settle(settle, now, key),
            Command::Release { subscription, id, reason } => {
                self.decide_release(subscription, id, *reason, now)
            }
            Command::Import(import) => self.decide_import(import, key),
            Command::Due => self.decide_due(now, key),
            Command::Checkpoint => self.decide_checkpoint(),
            Command::Collect(collected) => {
                self.lane(&collected.lane).map_err(|_| {
                    Error::new(Code::CollectedInvalid).value(collected.lane).because("no lane")
                })?;
                Ok((Some(Entry::Collected(collected.clone())), Outcome::Done))
            }
        }
    }

    fn decide_begin(&self, origin: &str, signer: Address, at: Timestamp) -> Result<Decision> {
        let clean = origin.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if origin.is_empty() || origin.chars().count() > 100 || !clean {
            return Err(Error::new(Code::TextInvalid)
                .value(origin)
                .because("an origin is 1 to 100 characters without spaces"));
        }
        if self.instance.as_ref().is_some_and(|instance| instance.origin == origin) {
            return Err(Error::new(Code::EntryMisplaced)
                .value(origin)
                .because("a log that begins anew needs an origin of its own"));
        }
        let instance = Instance { origin: String::from(origin), signer, at };
        Ok((Some(Entry::Instance(instance)), Outcome::Done))
    }

    fn decide_plan(&self, plan: &Plan) -> Result<Decision> {
        let signer = self.instance()?.signer;
        if plan.authority() != signer {
            return Err(Error::new(Code::SignatureWrongKey)
                .value(signer)
                .because("the plan names another authority"));
        }
        if self.plans.contains_key(&plan.id()) {
            return Ok((None, Outcome::Done));
        }
        Ok((Some(Entry::Plan(plan.canonical().to_vec())), Outcome::Done))
    }

    fn decide_subscribe(&self, s: &Subscribe, now: Timestamp, key: &Digest) -> Result<Decision> {
        let origin = &self.instance()?.origin;
        let plan = self.plan(&s.plan)?;
        let (payer, payer_salt) = match (&s.payer, &s.account) {
            (Some(address), _) => (Digest::new(address.word()), Digest::ZERO),
            (None, Some(account)) => {
                let salt = sha256(&[key.bytes(), b"payer", account.as_bytes()]);
                (sha256(&[salt.bytes(), account.as_bytes()]), salt)
            }
            _ => {
                return Err(Error::new(Code::SubscriptionConflict)
                    .because("a payer is an address or an account"));
            }
        };
        let id = subscription_id(&plan.id(), &payer, s.started_at);
        let mut open = LaneOpen {
            plan: plan.id(),
            subscription: id,
            payer,
            number: 0,
            parent: Digest::ZERO,
            rail: s.rail,
            lease: Digest::ZERO,
            origin: origin.clone(),
            opened_at: now,
            cumulative: crate::amount::Amount::ZERO,
            cumulative_remainder: 0,
            credited: crate::amount::Amount::ZERO,
            credited_remainder: 0,
        };
        if let Some(found) = self.subscriptions.get(&id) {
            let last = self.lane(&found.lane)?;
            if last.open.origin == *origin {
                let outcome = Outcome::Opened { subscription: id, lane: found.lane, sign: None };
                return Ok((None, outcome));
            }
            open.number = last.open.number.checked_add(1).ok_or(Code::AmountOverflow)?;
            open.parent = found.lane;
            open.opened_at = now.max(last.issued_at);
            open.cumulative = last.cumulative;
            open.cumulative_remainder = last.cumulative_remainder;
            open.credited = last.credited;
            open.credited_remainder = last.credited_remainder;
        }
        self.opening(open, s.account.clone(), payer_salt, s.started_at)
    }

    fn opening(
        &self,
        lane: LaneOpen,
        account: Option<String>,
        payer_salt: Digest,
        started_at: Timestamp,
    ) -> Result<Decision> {
        let id = lane.digest();
        let sign = self.sign_request(id, Signed::Lane(lane.clone()))?;
        let subscription = lane.subscription;
        let entry = Entry::Open(Opening { lane, account, payer_salt, started_at });
        Ok((Some(entry), Outcome::Opened { subscription, lane: id, sign: Some(sign) }))
    }

    /// The signature that an entry wants before it is folded, if any.
    pub(crate) fn wanted(&self, entry: &Entry) -> Result<Option<SignRequest>> {
        Ok(match entry {
            Entry::Open(e) => {
                Some(self.sign_request(e.lane.digest(), Signed::Lane(e.lane.clone()))?)
            }
            Entry::Receipt(e) => {
                let plan = self.plan(&self.lane(&e.head.lane)?.open.plan)?;
                match plan.signing() {
                    Signing::Each => {
                        Some(self.sign_request(e.digest, Signed::Head(e.head.clone()))?)
                    }
                    Signing::Checkpoint { .. } => None,
                }
            }
            Entry::Checkpoint(e) => Some(self.sign_checkpoint(e)?),
            _ => None,
        })
    }

    fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<SignRequest> {
        Ok(SignRequest {
            slot: self.checkpoints,
            signer: self.instance()?.signer,
            digest: checkpoint.digest(),
            signed: Signed::Checkpoint(checkpoint.clone()),
        })
    }

    fn sign_request(&self, digest: Digest, signed: Signed) -> Result<SignRequest> {
        Ok(SignRequest { slot: self.next_slot(), signer: self.instance()?.signer, digest, signed })
    }

    fn decide_authorize(&mut self, request: &Request, now: Timestamp) -> Result<Decision> {
        check_request_id(&request.id)?;
        let (subscription, lane) = self.current(&request.subscription)?;
        let plan = alloc::sync::Arc::clone(&subscription.plan);
        let lane_id = subscription.lane;
        check_created(request, &plan, now)?;
        let subject = request_subject(&request.id);
        let input = request_digest(request);
        if let Some(known) = subscription.remembered.get(&subject) {
            return replay(subscription, known, &subject, input);
        }
        check_windows(&plan, now, lane.issued_at)?;
        let units = plan.charged_units(&request.most)?;
        if let Some(denial) =
            deny_before_money(&plan, subscription, request.most.attributes(), now)?
        {
            return Ok((None, Outcome::Denied(denial)));
        }
        let before = aggregate(&subscription.account)?;
        // The hold is tried on the account and taken out again: entries alone change the state.
        let subscription = self.subscription_mut(&request.subscription)?;
        let opened = subscription.account.reserve(&plan, &units, now)?;
        let tried = try_hold(subscription, &plan, &units, &subject, &lane_id, now);
        subscription.account.free(&plan, &units, now)?;
        for (charge, window) in opened {
            if let Some(windows) = subscription.account.counters.get_mut(charge) {
                windows.drop_where(|w, _| w == window);
            }
        }
        let (after, short) = tried?;
        let reserved = after.minus_or_zero(before);
        if let Some(room) = short {
            let denial = limit_denial(&plan, room.limit, reserved, room.available, &room)?;
            return Ok((None, Outcome::Denied(denial)));
        }
        if let Some(denial) = deny_by_rate(&plan, &subscription.account.rates, now)? {
            return Ok((None, Outcome::Denied(denial)));
        }
        let entry = HoldEntry {
            lane: lane_id,
            subject,
            input,
            authorized_at: now,
            deadline: now.checked_add(plan.times().hold)?,
            units,
            attributes: request.most.attributes().clone(),
        };
        let hold = hold_of(&entry);
        Ok((Some(Entry::Hold(entry)), Outcome::Authorized { hold, reserved }))
    }

    fn decide_settle(&self, settle: &Settle, now: Timestamp, key: &Digest) -> Result<Decision> {
        check_request_id(&settle.id)?;
        let (subscription, lane) = self.current(&settle.subscription)?;
        let subject = request_subject(&settle.id);
        let unknown = || Error::new(Code::HoldUnknown).value(&settle.id);
        let Some(hold) = subscription.holds.get(&subject) else {
            let known = subscription.remembered.get(&subject).ok_or_else(unknown)?;
            if known.receipt.is_zero() || known.receipt == Remembered::RELEASED {
                return Err(unknown());
            }
            return match used_of(self, settle, known)? {
                true => Ok((None, Outcome::Replayed(Replay::Settled { receipt: known.receipt }))),
                false => Err(Error::new(Code::RequestConflict).value(&settle.id)),
            };
        };
        let mut attributes = settle.usage.attributes().clone();
        attributes.extend(hold.attributes.iter().map(|(k, v)| (k.clone(), v.clone())));
        let facts = Facts {
            subscription: settle.subscription,
            subject,
            usage: &settle.usage,
            attributes: &attributes,
            content: settle.content,
            authorized_at: hold.authorized_at,
            issued_at: now.max(lane.issued_at),
            import: None,
        };
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let draft = draft_call(self, &facts, salt)?;
        self.receipt_decision(draft.entry)
    }

    fn receipt_decision(&self, receipt: ReceiptEntry) -> Result<Decision> {
        let entry = Entry::Receipt(receipt.clone());
        let outcome = Outcome::Receipt {
            receipt: Box::new(receipt),
            position: self.next_slot(),
            sign: self.wanted(&entry)?,
        };
        Ok((Some(entry), outcome))
    }

    fn decide_release(
        &self,
        subscription: &Digest,
        id: &str,
        reason: ReleaseReason,
        now: Timestamp,
    ) -> Result<Decision> {
        let found = self.subscription(subscription)?;
        let subject = request_subject(id);
        let hold =
            found.holds.get(&subject).ok_or_else(|| Error::new(Code::HoldUnknown).value(id))?;
        if reason == ReleaseReason::Expired
            || (reason == ReleaseReason::Unknown && !hold.is_reserved())
        {
            return Err(Error::new(Code::HoldUnknown).value(id).because("the hold has expired"));
        }
        let release = Release { lane: hold.lane, subject, at: now, reason };
        Ok((Some(Entry::Release(release)), Outcome::Released { subject }))
    }

    fn decide_import(&self, import: &Import, key: &Digest) -> Result<Decision> {
        let (subscription, lane) = self.current(&import.subscription)?;
        if self.imports.get(&import.mark.input).is_some_and(|m| import.mark.ordinal <= m.ordinal) {
            return Ok((None, Outcome::Nothing));
        }
        let plan = &*subscription.plan;
        let mark = &import.mark;
        let subject =
            sha256(&[b"counterfoil/import/0\n", mark.input.bytes(), &mark.ordinal.to_be_bytes()]);
        let issued_at = import.at.max(lane.issued_at);
        check_windows(plan, import.at, issued_at)?;
        let deny = |denial: Denial| {
            let entry = Denied {
                lane: subscription.lane,
                subject,
                at: import.at,
                denial: denial.clone(),
                import: mark.clone(),
            };
            (Some(Entry::Denied(entry)), Outcome::Denied(denial))
        };
        let attributes = import.usage.attributes();
        // An unpriced meter or a contradiction is the record's error, not the subscriber's.
        plan.charged_units(&import.usage)?;
        if let Some(denial) = deny_before_money(plan, subscription, attributes, import.at)? {
            return Ok(deny(denial));
        }
        let facts = Facts {
            subscription: import.subscription,
            subject,
            usage: &import.usage,
            attributes,
            content: import.content,
            authorized_at: import.at,
            issued_at,
            import: Some(mark),
        };
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let draft = draft_call(self, &facts, salt)?;
        if let Some(room) = draft.short {
            return Ok(deny(limit_denial(plan, room.limit, draft.needed, room.available, &room)?));
        }
        if let Some(denial) = deny_by_rate(plan, &subscription.account.rates, import.at)? {
            return Ok(deny(denial));
        }
        self.receipt_decision(draft.entry)
    }

    fn decide_due(&self, now: Timestamp, key: &Digest) -> Result<Decision> {
        if let Some((deadline, id, subject)) = self.expiries.first()
            && *deadline <= now
        {
            let hold = self.subscription(id)?.holds.get(subject);
            let lane = hold.map(|hold| hold.lane).ok_or(Code::HoldUnknown)?;
            let release =
                Release { lane, subject: *subject, at: now, reason: ReleaseReason::Expired };
            let outcome = Outcome::Released { subject: *subject };
            return Ok((Some(Entry::Release(release)), outcome));
        }
        if let Some((closes, id, charge, start)) = self.closings.first()
            && *closes <= now
        {
            return self.decide_closing(id, *charge, *start, now, key);
        }
        if self.prove_now || self.prove_by.is_some_and(|by| by <= now) {
            return self.decide_checkpoint();
        }
        Ok((None, Outcome::Nothing))
    }

    fn decide_closing(
        &self,
        id: &Digest,
        charge: usize,
        start: Timestamp,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        let lane = self.lane(&subscription.lane)?;
        if lane.open.origin != self.instance()?.origin {
            let payer = (subscription.payer_salt.is_zero())
                .then(|| Address::from_word(subscription.payer.bytes()))
                .flatten();
            let subscribe = Subscribe {
                plan: subscription.plan.id(),
                account: if payer.is_none() { subscription.name.clone() } else { None },
                payer,
                started_at: subscription.started_at,
                rail: lane.open.rail,
            };
            return self.decide_subscribe(&subscribe, now, key);
        }
        let window = subscription
            .account
            .counters
            .get(charge)
            .and_then(|windows| windows.starts_at(start))
            .map(|(window, _)| *window)
            .ok_or(Code::EntryMisplaced)?;
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let issued_at = now.max(lane.issued_at);
        let entry = draft_true_up(self, id, charge, window, issued_at, salt)?;
        self.receipt_decision(entry)
    }

    fn decide_checkpoint(&self) -> Result<Decision> {
        let instance = self.instance()?;
        if self.log.size() == self.checkpointed {
            return Ok((None, Outcome::Nothing));
        }
        let checkpoint = Checkpoint {
            origin: instance.origin.clone(),
            size: self.log.size(),
            root: self.log.root(),
            lanes: self.lanes_root()?,
            time: self.latest,
        };
        let sign = self.sign_checkpoint(&checkpoint)?;
        let outcome = Outcome::Checkpointed { checkpoint: checkpoint.clone(), sign };
        Ok((Some(Entry::Checkpoint(checkpoint)), outcome))
    }
}

fn try_hold(
    subscription: &Subscription,
    plan: &Plan,
    units: &[(usize, u64)],
    subject: &Digest,
    lane: &Digest,
    now: Timestamp,
) -> Result<(Exact, Option<crate::account::Room>)> {
    let after = aggregate(&subscription.account)?;
    let candidate = Hold {
        subject: *subject,
        lane: *lane,
        authorized_at: now,
        deadline: now,
        units: units.to_vec(),
        attributes: BTreeMap::new(),
        state: HoldState::Open,
    };
    let holds = subscription.holds.values().chain(core::iter::once(&candidate));
    Ok((after, admit(plan, &subscription.account, holds, now, Exact::ZERO)?))
}

/// The subscription's identity: SHA-256 over `counterfoil/subscription/0`, a line feed, plan, payer
/// and start (u64, big-endian).
pub(crate) fn subscription_id(plan: &Digest, payer: &Digest, start: Timestamp) -> Digest {
    sha256(&[
        b"counterfoil/subscription/0\n",
        plan.bytes(),
        payer.bytes(),
        &start.millis().to_be_bytes(),
    ])
}

fn check_request_id(id: &str) -> Result<()> {
    if id.is_empty() || id.len() > 256 {
        return Err(Error::new(Code::TextInvalid)
            .value(id)
            .because("a request id is 1 to 256 bytes"));
    }
    Ok(())
}

fn check_created(request: &Request, plan: &Plan, now: Timestamp) -> Result<()> {
    let Some(created) = request.created_at else { return Ok(()) };
    if created.checked_add(plan.times().replay)? < now {
        return Err(Error::new(Code::RequestTooOld).value(created));
    }
    if now.checked_add(plan.times().skew)? < created {
        return Err(Error::new(Code::ClockSkew).value(created));
    }
    Ok(())
}

fn request_digest(request: &Request) -> Digest {
    let mut w = Writer::new();
    for (meter, quantity) in request.most.iter() {
        w.text(meter).u64(quantity);
    }
    write_attributes(&mut w, request.most.attributes());
    sha256(&[&w.0])
}

fn replay(
    subscription: &Subscription,
    known: &Remembered,
    subject: &Digest,
    input: Digest,
) -> Result<Decision> {
    if known.input != input {
        return Err(Error::new(Code::RequestConflict));
    }
    let replay = match subscription.holds.get(subject) {
        Some(hold) => Replay::Held(hold.clone()),
        None if known.receipt == Remembered::RELEASED => Replay::Released,
        None => Replay::Settled { receipt: known.receipt },
    };
    Ok((None, Outcome::Replayed(replay)))
}

/// Whether a settle repeats the one that made the known receipt.
fn used_of(state: &State, settle: &Settle, known: &Remembered) -> Result<bool> {
    state.subscription(&settle.subscription)?;
    Ok(known.used == usage_digest(&settle.usage, settle.content))
}

/// The hash of what a settle says was used.
pub(crate) fn usage_digest(usage: &Usage, content: Digest) -> Digest {
    let mut w = Writer::new();
    w.text(usage.surface().as_str()).u8(usage.basis().number()).raw(content.bytes());
    for (meter, quantity) in usage.iter() {
        w.text(meter).u64(quantity);
    }
    sha256(&[&w.0])
}

/// Term and condition: what refuses a call before any money is looked at.
fn deny_before_money(
    plan: &Plan,
    subscription: &Subscription,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
) -> Result<Option<Denial>> {
    if at < subscription.started_at {
        return Err(Error::new(Code::ClockSkew)
            .value(at)
            .because("before the subscription starts"));
    }
    let simple = |code, rule| Denial { code, rule, needed: None, available: None, retry_at: None };
    if plan.ends(subscription.started_at)?.is_some_and(|end| end <= at) {
        return Ok(Some(simple(DenialCode::TermEnded, String::from("duration"))));
    }
    if let Some(condition) = plan.condition() {
        let verdict = condition.evaluate(attributes);
        if !verdict.holds {
            let rule = format!("condition{}", verdict.clause);
            return Ok(Some(simple(DenialCode::ConditionFailed, rule)));
        }
    }
    Ok(None)
}

fn limit_denial(
    plan: &Plan,
    limit: usize,
    needed: Exact,
    available: Exact,
    room: &crate::account::Room,
) -> Result<Denial> {
    let limit = plan.limits().get(limit).ok_or(Code::EntryMisplaced)?;
    let ends = closes_at(room.window, plan).map(|_| room.window.end);
    Ok(Denial {
        code: DenialCode::LimitReached,
        rule: format!("limits/{}", limit.id),
        needed: Some(needed),
        available: Some(available),
        retry_at: ends,
    })
}

fn deny_by_rate(plan: &Plan, rates: &[u128], at: Timestamp) -> Result<Option<Denial>> {
    for (limit, state) in plan.limits().iter().zip(rates) {
        let LimitRule::Rate(rate) = &limit.rule else { continue };
        if let Err(retry) = rate.decide(*state, at.millis()) {
            return Ok(Some(Denial {
                code: DenialCode::RateExceeded,
                rule: format!("limits/{}", limit.id),
                needed: None,
                available: None,
                retry_at: Some(Timestamp::from_millis(retry)?),
            }));
        }
    }
    Ok(None)
}

fn hold_of(entry: &HoldEntry) -> Hold {
    Hold {
        subject: entry.subject,
        lane: entry.lane,
        authorized_at: entry.authorized_at,
        deadline: entry.deadline,
        units: entry.units.clone(),
        attributes: entry.attributes.clone(),
        state: HoldState::Open,
    }
}
