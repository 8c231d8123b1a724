//! Letting a hold reserve for longer, and for more.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    account::{Given, units_of},
    crypto::Digest,
    entry::{Denial, Entry, Extended},
    error::{Code, Error, Result},
    meter::{
        HeldUnits, Hold, Outcome, State, Subscription,
        decide::{
            Decision,
            admit::{deny_by_unique, deny_by_units},
            authorize::held_units,
            lease::deny_by_lease,
        },
        draft::check_windows,
    },
    receipt::request_subject,
    time::{Timestamp, Window},
    usage::Usage,
};

impl State {
    pub(super) fn decide_extend(
        &mut self,
        id: &Digest,
        request: &str,
        most: Option<&Usage>,
        now: Timestamp,
    ) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        let subject = request_subject(request);
        let hold = subscription.holds.get(&subject);
        let hold = hold.filter(|hold| hold.is_reserved() && now < hold.deadline).cloned();
        let hold = &hold.ok_or_else(|| {
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
        &mut self,
        id: &Digest,
        hold: &Hold,
        held: &HeldUnits,
        usable: &[Given],
    ) -> Result<Option<Denial>> {
        let (subscription, lane) = self.current(id)?;
        subscription.need_open()?;
        check_windows(self, subscription, hold.authorized_at, lane.issued_at)?;
        let denial = self.deny_more(id, hold, held, usable)?;
        // The call stays in its windows: no time alone makes room in them.
        Ok(denial.map(|denial| Denial { retry_at: None, ..denial }))
    }

    fn deny_more(
        &mut self,
        id: &Digest,
        hold: &Hold,
        held: &HeldUnits,
        usable: &[Given],
    ) -> Result<Option<Denial>> {
        let subscription = self.subscription(id)?;
        let (plan, owed) = (Arc::clone(&subscription.plan), self.owed(subscription)?);
        let (caller, wider) = (hold.caller(), hold.holding(held.clone()));
        let added = held.units.iter().map(|&(charge, _)| {
            (charge, wider.units_left(charge).saturating_sub(hold.units_left(charge)))
        });
        let added: Vec<_> = added.filter(|(_, units)| *units > 0).collect();
        if let Some(denial) = deny_by_lease(subscription, &added, caller) {
            return Ok(Some(denial));
        }
        if let Some(denial) = deny_by_unique(&plan, &subscription.account, &held.units, caller) {
            return Ok(Some(denial));
        }
        // It is tried on the account and taken out again: entries alone change the state.
        let opened = self.subscription_mut(id)?.put_in_place_of(hold, &wider)?;
        let tried = self.try_hold(id, &wider, owed, usable);
        let subscription = self.subscription_mut(id)?;
        subscription.put_in_place_of(&wider, hold)?;
        subscription.account.close(&opened);
        let subscription = self.subscription(id)?;
        if let (_, Some(room)) = tried? {
            return self.deny_by_room(subscription, &room).map(Some);
        }
        let mut more = Vec::with_capacity(held.limited.len());
        for (index, _) in &*held.limited {
            let Some(limit) = plan.limits().get(*index) else { continue };
            let units = |hold: &Hold| units_of(&plan, limit, hold, *index);
            more.push((*index, units(&wider).saturating_sub(units(hold))));
        }
        more.retain(|(_, units)| *units > 0);
        deny_by_units(self, subscription, &hold.attributes, &more, hold.authorized_at)
    }
}

impl Subscription {
    /// Reserves for one hold in place of another. Returns the windows that are new, by charge.
    ///
    /// # Errors
    /// `amount_overflow`; nothing has changed then.
    fn put_in_place_of(&mut self, was: &Hold, hold: &Hold) -> Result<Vec<(usize, Window)>> {
        self.account.end_hold(&self.plan, was)?;
        match self.account.open_hold(&self.plan, hold) {
            Ok(opened) => {
                self.holds.insert(hold.subject, hold.clone());
                Ok(opened)
            }
            Err(error) => {
                self.account.open_hold(&self.plan, was)?;
                Err(error)
            }
        }
    }
}
