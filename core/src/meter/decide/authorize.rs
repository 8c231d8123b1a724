//! Deciding whether a call may be made.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    account::{
        Books, Caller, Given, Room, admit, aggregate, aggregate_of, backing, credit_room,
        draw_units, left_by, tighter, without_hold,
    },
    amount::Exact,
    codec::Writer,
    crypto::{Digest, sha256},
    entry::{Denial, Entry, HoldEntry, write_attributes},
    error::{Code, Error, Result},
    meter::{
        HeldUnits, Hold, Outcome, Remembered, Replay, Request, ReservedUnits, State, Subscription,
        decide::{
            Decision,
            admit::{
                deny_before_money, deny_by_concurrency, deny_by_money, deny_by_rate,
                deny_by_unique, deny_by_units, deny_by_values,
            },
            lease::deny_by_lease,
        },
        draft::{check_windows, take_granted},
    },
    plan::{Call, LimitRule, Plan},
    receipt::request_subject,
    time::Timestamp,
    usage::Usage,
};

impl State {
    pub(super) fn decide_authorize(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Decision> {
        check_request_id(&request.id)?;
        let (subscription, lane) = self.current(&request.subscription)?;
        let issued_at = lane.issued_at;
        let plan = Arc::clone(&subscription.plan);
        let lane_id = subscription.lane;
        check_created(request, &plan, now)?;
        let subject = request_subject(&request.id);
        let input = request_digest(request);
        if let Some(known) = subscription.remembered.get(&subject) {
            return replay(subscription, known, &subject, input);
        }
        if request.retry
            && !request.content.is_zero()
            && let Some(original) = subscription.joined(input, now)
            && let Some(known) = subscription.remembered.get(&original)
        {
            return replay(subscription, known, &original, input);
        }
        let (held, usable) = held_units(subscription, &request.most, (now, issued_at), None)?;
        let HeldUnits { most, units, limited, reserved } = held;
        let entry = HoldEntry {
            lane: lane_id,
            subject,
            input,
            authorized_at: now,
            deadline: now.checked_add(plan.times().hold)?,
            units,
            limited,
            reserved,
            most,
            attributes: request.most.shared_attributes(),
        };
        match self.admit_hold(&request.subscription, &entry, &usable)? {
            Ok(reserved) => {
                let outcome = Outcome::Authorized { hold: Hold::of(&entry), reserved };
                Ok((Some(Entry::Hold(entry)), outcome))
            }
            Err(denial) => Ok((None, Outcome::Denied(denial))),
        }
    }

    /// Whether the hold may be made: what it adds to the reserve, or why not. Changes nothing. `usable`
    /// are the grants that the call may draw on.
    pub(crate) fn admit_hold(
        &mut self,
        id: &Digest,
        entry: &HoldEntry,
        usable: &[Given],
    ) -> Result<core::result::Result<Exact, Denial>> {
        let (subscription, lane) = self.current(id)?;
        let plan = Arc::clone(&subscription.plan);
        let (at, attributes) = (entry.authorized_at, &entry.attributes);
        subscription.need_open()?;
        check_windows(self, subscription, at, lane.issued_at)?;
        if let Some(denial) = deny_before_money(&plan, subscription, attributes, at)? {
            return Ok(Err(denial));
        }
        let caller = Caller { attributes, at };
        if let Some(denial) = deny_by_lease(subscription, &entry.units, caller) {
            return Ok(Err(denial));
        }
        if let Some(denial) = deny_by_values(self, subscription, attributes, at) {
            return Ok(Err(denial));
        }
        if let Some(denial) = deny_by_unique(&plan, &subscription.account, &entry.units, caller) {
            return Ok(Err(denial));
        }
        let owed = self.owed(subscription)?;
        let before = aggregate(&subscription.account)?;
        // The hold is tried on the account and taken out again: entries alone change the state.
        let subscription = self.subscription_mut(id)?;
        let hold = Hold::of(entry);
        let opened = subscription.account.open_hold(&plan, &hold)?;
        let known = subscription.holds.insert(hold.subject, hold.clone());
        let tried = self.try_hold(id, &hold, owed, usable);
        let subscription = self.subscription_mut(id)?;
        match known {
            Some(known) => subscription.holds.insert(hold.subject, known),
            None => subscription.holds.remove(&hold.subject),
        };
        subscription.account.end_hold(&plan, &hold)?;
        subscription.account.close(&opened);
        let (after, short) = tried?;
        let subscription = self.subscription(id)?;
        if let Some(room) = short {
            return Ok(Err(self.deny_by_room(subscription, &room)?));
        }
        if let Some(denial) = deny_by_units(self, subscription, attributes, &entry.limited, at)? {
            return Ok(Err(denial));
        }
        if let Some(denial) = deny_by_concurrency(self, subscription, &hold) {
            return Ok(Err(denial));
        }
        Ok(match deny_by_rate(self, subscription, attributes, at)? {
            Some(denial) => Err(denial),
            None => Ok(after.minus_or_zero(before)),
        })
    }

    /// The reserve with a hold that stands in the account, and the limit that has too little room.
    pub(super) fn try_hold(
        &self,
        id: &Digest,
        hold: &Hold,
        owed: Exact,
        usable: &[Given],
    ) -> Result<(Exact, Option<Room>)> {
        let subscription = self.subscription(id)?;
        let after = aggregate(&subscription.account)?;
        let books = Books::of(self, subscription);
        let short = admit(books, &hold.attributes, hold.authorized_at, Exact::ZERO)?;
        let charges = hold.units.iter().map(|(charge, _)| *charge);
        let backing = backing(&subscription.plan, usable, charges, subscription.holds.values())?;
        let credit = credit_room(books, hold.authorized_at, (owed, backing), Exact::ZERO)?;
        Ok((after, tighter(short, credit)))
    }

    /// A limit that has no room for a hold that was tried: what is left and what is missing as the
    /// subscription stands.
    pub(super) fn deny_by_room(&self, subscription: &Subscription, room: &Room) -> Result<Denial> {
        let books = Books::of(self, subscription);
        let rule = subscription.plan.limits().get(room.limit).map(|limit| &limit.rule);
        let (room, needed) = match rule {
            Some(LimitRule::Credit { .. }) | None => left_by(aggregate_of(books)?, room)?,
            _ => without_hold(books, room)?,
        };
        deny_by_money(self, subscription, &room, needed)
    }
}

/// What a hold says of a call that may use this much, and the grants that the call may draw on. `hold`
/// is the one that it is to take the place of, authorised `at` as the call is.
pub(crate) fn held_units(
    subscription: &Subscription,
    most: &Usage,
    (at, issued_at): (Timestamp, Timestamp),
    hold: Option<&Hold>,
) -> Result<(HeldUnits, Vec<Given>)> {
    let (plan, account) = (&subscription.plan, &subscription.account);
    let usable = account.grants.usable(plan, most.attributes(), at, issued_at)?;
    let granted = |meter: &str| usable.iter().any(|g| g.terms.credit.meter() == Some(meter));
    let call = Call { usage: most, attributes: most.attributes(), at };
    let mut units = plan.held_units(&call, &granted)?;
    account.skip_fees(plan, &mut units, at);
    let limited = plan.limited_units(most.attributes(), most, &units);
    if let Some(parts) = hold.and_then(|hold| hold.parts.as_ref()) {
        take_granted(plan, &parts.granted, &mut units);
    }
    let own = hold.map_or(&[][..], |hold| &*hold.reserved);
    let drawn = draw_units(plan, &usable, own, &mut units)?;
    let reserved = drawn
        .into_iter()
        .map(|d| ReservedUnits { grant: d.grant, given_at: d.given_at, units: d.units })
        .collect();
    let held = HeldUnits {
        most: most.shared_quantities(),
        units: units.into(),
        limited: limited.into(),
        reserved,
    };
    Ok((held, usable))
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
    w.count(request.most.iter().count());
    for (meter, quantity) in request.most.iter() {
        w.text(meter).u64(quantity);
    }
    write_attributes(&mut w, request.most.attributes());
    w.raw(request.content.bytes());
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
