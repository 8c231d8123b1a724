//! Deciding whether a call may be made.

use alloc::sync::Arc;

use crate::{
    account::{Room, admit, aggregate, without_hold},
    amount::Exact,
    codec::Writer,
    crypto::{Digest, sha256},
    entry::{Denial, Entry, HoldEntry, write_attributes},
    error::{Code, Error, Result},
    meter::{
        Hold, HoldState, Outcome, Remembered, Replay, Request, State, Subscription,
        decide::{
            Decision,
            admit::{deny_before_money, deny_by_rate, limit_denial},
        },
        draft::check_windows,
    },
    plan::{Call, Plan},
    receipt::request_subject,
    time::Timestamp,
};

impl State {
    pub(super) fn decide_authorize(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Decision> {
        check_request_id(&request.id)?;
        let (subscription, _) = self.current(&request.subscription)?;
        let plan = Arc::clone(&subscription.plan);
        let lane_id = subscription.lane;
        check_created(request, &plan, now)?;
        let subject = request_subject(&request.id);
        let input = request_digest(request);
        if let Some(known) = subscription.remembered.get(&subject) {
            return replay(subscription, known, &subject, input);
        }
        let most = &request.most;
        let units =
            plan.charged_units(&Call { usage: most, attributes: most.attributes(), at: now })?;
        let entry = HoldEntry {
            lane: lane_id,
            subject,
            input,
            authorized_at: now,
            deadline: now.checked_add(plan.times().hold)?,
            units: units.into(),
            attributes: request.most.shared_attributes(),
        };
        match self.admit_hold(&request.subscription, &entry)? {
            Ok(reserved) => {
                let outcome = Outcome::Authorized { hold: hold_of(&entry), reserved };
                Ok((Some(Entry::Hold(entry)), outcome))
            }
            Err(denial) => Ok((None, Outcome::Denied(denial))),
        }
    }

    /// Whether the hold may be made: what it adds to the reserve, or why not. Changes nothing.
    pub(crate) fn admit_hold(
        &mut self,
        id: &Digest,
        entry: &HoldEntry,
    ) -> Result<core::result::Result<Exact, Denial>> {
        let (subscription, lane) = self.current(id)?;
        let plan = Arc::clone(&subscription.plan);
        let at = entry.authorized_at;
        check_windows(subscription, at, lane.issued_at)?;
        if let Some(denial) = deny_before_money(&plan, subscription, &entry.attributes, at)? {
            return Ok(Err(denial));
        }
        let before = aggregate(&subscription.account)?;
        // The hold is tried on the account and taken out again: entries alone change the state.
        let subscription = self.subscription_mut(id)?;
        let opened = subscription.account.reserve(&plan, &entry.units, at)?;
        let tried = try_hold(subscription, &plan, entry);
        subscription.account.free(&plan, &entry.units, at)?;
        subscription.account.close(&opened);
        let (after, short) = tried?;
        let reserved = after.minus_or_zero(before);
        if let Some(room) = short {
            let holds = subscription.holds.values();
            let (room, needed) = without_hold(&plan, &subscription.account, holds, &room)?;
            return Ok(Err(limit_denial(&plan, &room, needed)?));
        }
        Ok(match deny_by_rate(&plan, &subscription.account.rates, at)? {
            Some(denial) => Err(denial),
            None => Ok(reserved),
        })
    }
}

fn try_hold(
    subscription: &Subscription,
    plan: &Plan,
    entry: &HoldEntry,
) -> Result<(Exact, Option<Room>)> {
    let after = aggregate(&subscription.account)?;
    let candidate = hold_of(entry);
    let holds = subscription.holds.values().chain(core::iter::once(&candidate));
    let short = admit(plan, &subscription.account, holds, entry.authorized_at, Exact::ZERO)?;
    Ok((after, short))
}

pub(super) fn check_request_id(id: &str) -> Result<()> {
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
    let mut w = Writer::with_capacity(256);
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

fn hold_of(entry: &HoldEntry) -> Hold {
    Hold {
        subject: entry.subject,
        lane: entry.lane,
        authorized_at: entry.authorized_at,
        deadline: entry.deadline,
        units: Arc::clone(&entry.units),
        attributes: Arc::clone(&entry.attributes),
        state: HoldState::Open,
    }
}
