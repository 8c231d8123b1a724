//! Letting a hold reserve for longer, and for more.

use alloc::vec::Vec;

use crate::{
    account::{Books, Given, units_of},
    crypto::Digest,
    entry::{Denial, Entry, Extended},
    error::{Code, Error, Result},
    meter::{
        HeldUnits, Hold, Outcome, State, Subscription,
        decide::{
            Decision,
            admit::{deny_by_unique, deny_by_units},
            authorize::{deny_by_room, held_units, try_hold},
        },
        draft::check_windows,
    },
    receipt::request_subject,
    time::Timestamp,
    usage::Usage,
};

impl State {
    pub(super) fn decide_extend(
        &self,
        id: &Digest,
        request: &str,
        most: Option<&Usage>,
        now: Timestamp,
    ) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        let subject = request_subject(request);
        let hold = subscription.holds.get(&subject);
        let hold =
            hold.filter(|hold| hold.is_reserved() && now < hold.deadline).ok_or_else(|| {
                Error::new(Code::HoldUnknown).value(request).because("no hold that still reserves")
            })?;
        let deadline = hold.extended(&subscription.plan, now)?;
        let mut units = None;
        if let Some(most) = most.map(|most| hold.wider(most)).transpose()?.flatten() {
            let (_, lane) = self.current(id)?;
            let instants = (hold.authorized_at, lane.issued_at);
            let (held, usable) = held_units(subscription, &most, instants, Some(hold))?;
            if let Some(denial) = self.deny_wider(id, hold, &held, &usable)? {
                return Ok((None, Outcome::Denied(denial)));
            }
            units = Some(held);
        }
        let outcome = Outcome::Extended { subject, deadline };
        if units.is_none() && deadline == hold.deadline {
            return Ok((None, outcome));
        }
        let extended = Extended { lane: hold.lane, subject, at: now, deadline, units };
        Ok((Some(Entry::Extended(extended)), outcome))
    }

    /// Why a hold that reserves may not hold more, if so. `usable` are the grants that the call may draw
    /// on.
    pub(crate) fn deny_wider(
        &self,
        id: &Digest,
        hold: &Hold,
        held: &HeldUnits,
        usable: &[Given],
    ) -> Result<Option<Denial>> {
        let (subscription, lane) = self.current(id)?;
        check_windows(subscription, hold.authorized_at, lane.issued_at)?;
        let denial = self.deny_more(subscription, hold, held, usable)?;
        // The call stays in its windows: no time alone makes room in them.
        Ok(denial.map(|denial| Denial { retry_at: None, ..denial }))
    }

    fn deny_more(
        &self,
        subscription: &Subscription,
        hold: &Hold,
        held: &HeldUnits,
        usable: &[Given],
    ) -> Result<Option<Denial>> {
        let (plan, account) = (&*subscription.plan, &subscription.account);
        if let Some(denial) = deny_by_unique(plan, account, &held.units, hold.caller()) {
            return Ok(Some(denial));
        }
        let wider = hold.holding(held.clone());
        // It is seldom that a hold is made wider, and it is tried on copies.
        let (mut tried, mut holds) = (account.clone(), subscription.holds.clone());
        tried.end_hold(plan, hold)?;
        tried.open_hold(plan, &wider)?;
        holds.insert(hold.subject, wider.clone());
        let books = Books { plan, account: &tried, counters: &tried, holds: &holds, without: None };
        let (_, short) = try_hold(books, &wider, self.owed(subscription)?, usable)?;
        if let Some(room) = short {
            return deny_by_room(subscription, &room).map(Some);
        }
        let mut more = Vec::with_capacity(held.limited.len());
        for (index, _) in &*held.limited {
            let Some(limit) = plan.limits().get(*index) else { continue };
            let units = |hold: &Hold| units_of(plan, limit, hold, *index);
            more.push((*index, units(&wider).saturating_sub(units(hold))));
        }
        more.retain(|(_, units)| *units > 0);
        deny_by_units(plan, account, &hold.attributes, &more, hold.authorized_at)
    }
}
