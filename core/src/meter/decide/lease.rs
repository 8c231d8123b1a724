//! Lending a share of a subscription, taking one, and settling what it was used for.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use super::{
    Decision,
    admit::{deny_by_money, deny_by_units, deny_by_values},
    open::check_origin,
};
use crate::{
    account::Caller,
    amount::Rounding,
    crypto::{Digest, Signature, check},
    entry::{Absorbed, Denial, DenialCode, Entry, Opening, Reclaimed, SignedLease},
    error::{Code, Error, Result},
    lease::{Interval, Lease, Statement, UnitShare},
    meter::{
        LeaseRequest, Outcome, Signed, State, Subscription,
        draft::{check_windows, room_to_lend},
    },
    plan::{Late, LimitRule, Plan, whole},
    receipt::LaneOpen,
    time::Timestamp,
};

impl State {
    pub(super) fn decide_lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<Decision> {
        match self.draft_lease(request, now)? {
            Ok(lease) => {
                let lease = Arc::new(lease);
                let sign = self.sign_request(lease.digest(), Signed::Lease(Arc::clone(&lease)))?;
                let outcome = Outcome::Leased { lease: Arc::clone(&lease), sign };
                Ok((Some(Entry::Leased(lease)), outcome))
            }
            Err(denial) => Ok((None, Outcome::Denied(denial))),
        }
    }

    /// The lease that a request makes at an instant, or why there is none. An auditor asks again.
    pub(crate) fn draft_lease(
        &self,
        request: &LeaseRequest,
        now: Timestamp,
    ) -> Result<core::result::Result<Lease, Denial>> {
        let LeaseRequest { subscription: id, until, attributes, .. } = request;
        let (subscription, lane) = self.current(id)?;
        let (plan, account) = (&*subscription.plan, &subscription.account);
        subscription.need_whole()?;
        check_origin(&request.holder)?;
        let refused = |why| Error::new(Code::LeaseRefused).because(why);
        if self.instance()?.origin == request.holder {
            return Err(refused("a meter lends nothing to itself").value(&request.holder));
        }
        check_lendable(plan, request)?;
        if now < subscription.started_at {
            return Err(Error::new(Code::ClockSkew).value(now));
        }
        check_windows(self, subscription, now, lane.issued_at)?;
        if account.ended(now) {
            return Ok(Err(Denial::new(DenialCode::TermEnded, String::from("term"))));
        }
        if account.in_trial(now) {
            return Err(refused("in a trial nothing is lent").value(now));
        }
        let closes = until.checked_add(plan.times().grace)?;
        if *until <= now || closes == Timestamp::MAX {
            return Err(Error::new(Code::TimeInvalid).value(until).because("a lease ends later"));
        }
        let units: Vec<(usize, u64)> = plan
            .charges()
            .iter()
            .enumerate()
            .filter_map(|(index, charge)| Some((index, *request.units.get(&charge.id)?)))
            .collect();
        let rated = account.rate(plan, &units, Caller { attributes, at: now }, &[])?;
        let limits = plan.limits().iter().zip(&account.tallies);
        let counting = limits.filter(|(limit, _)| limit.value(attributes).is_some());
        let windows = counting.filter_map(|(l, tally)| account.limit_window(plan, l, tally, now));
        let ends = rated.iter().map(|line| line.window).chain(windows).map(|window| window.end);
        if ends.chain([account.until]).any(|end| end < *until) {
            return Err(refused("a lease lies within the windows of its calls").value(until));
        }
        let mut charges = Vec::new();
        for line in &rated {
            let charge = plan.charges().get(line.charge).ok_or(Code::EntryMisplaced)?;
            if line.billed_before < charge.tariff.due_at_start() {
                let why = "the start of a window is still to be billed";
                return Err(refused(why).value(&charge.id));
            }
            charges.push(Interval {
                charge: charge.id.clone(),
                window: line.window,
                from: line.units_before,
                units: line.units,
                billed: line.billed_before,
            });
        }
        let lease = Lease {
            plan: plan.id(),
            subscription: *id,
            payer: subscription.payer,
            started_at: subscription.started_at,
            parent: subscription.lane,
            number: subscription.leased.checked_add(1).ok_or(Code::AmountOverflow)?,
            holder: request.holder.clone(),
            at: now,
            until: *until,
            charges,
            limits: shares(plan, request),
            attributes: attributes.clone(),
        };
        let needed = crate::account::total(&rated)?;
        if let Some(denial) = deny_by_values(self, subscription, attributes, now) {
            return Ok(Err(denial));
        }
        if let Some(room) = room_to_lend(self, subscription, attributes, now, &rated, needed)? {
            return Ok(Err(deny_by_money(self, subscription, &room, needed)?));
        }
        let shares = lease.shares(plan).collect::<Result<Vec<_>>>()?;
        let limited = shares.into_iter().filter(|(_, most, _)| *most != 0);
        let limited: Vec<_> = limited.map(|(index, most, _)| (index, most)).collect();
        if let Some(denial) = deny_by_units(self, subscription, attributes, &limited, now)? {
            return Ok(Err(denial));
        }
        Ok(Ok(lease))
    }

    pub(super) fn decide_accept(
        &self,
        lease: &[u8],
        signature: Signature,
        rail: Digest,
        now: Timestamp,
    ) -> Result<Decision> {
        let origin = &self.instance()?.origin;
        let lease = Arc::new(Lease::from_bytes(lease)?);
        let id = lease.digest();
        let plan = self.plan(&lease.plan)?;
        check(&id, &signature, plan.authority())?;
        if let Some(known) = self.subscriptions.get(&id) {
            let outcome = Outcome::Opened { subscription: id, lane: known.lane, sign: None };
            return Ok((None, outcome));
        }
        if lease.holder != *origin {
            return Err(Error::new(Code::LeaseInvalid)
                .value(&lease.holder)
                .because("it was made for another log"));
        }
        if lease.until <= now {
            return Err(Error::new(Code::LeaseClosed).value(lease.until));
        }
        let started_at = lease.started_at;
        self.opening(Opening {
            lane: LaneOpen::under(&lease, id, rail, now),
            account: None,
            payer_salt: Digest::ZERO,
            started_at,
            switched_from: None,
            lease: Some(SignedLease { lease, signature }),
        })
    }

    pub(super) fn decide_statement(
        &self,
        id: &Digest,
        closing: bool,
        now: Timestamp,
    ) -> Result<Decision> {
        // A clock that was set back makes no statement fall behind an earlier one.
        let statement = self.statement(id, closing, now.max(self.latest))?;
        let signed = Signed::Statement(statement.clone());
        let sign = self.sign_request(statement.digest(), signed)?;
        let outcome = Outcome::Stated { statement: statement.clone(), sign };
        Ok((Some(Entry::Stated(statement)), outcome))
    }

    pub(super) fn decide_absorb(
        &self,
        statement: &[u8],
        signature: Signature,
        at: Timestamp,
    ) -> Result<Decision> {
        let statement = Statement::from_bytes(statement)?;
        let came_back = self.came_back.get(&statement.lane);
        if came_back.is_some_and(|lane| lane.statement == statement.digest()) {
            return Ok((None, Outcome::Done));
        }
        let leased = self.leased(&statement.lease)?;
        check(&statement.digest(), &signature, self.plan(&leased.lease.plan)?.authority())?;
        self.check_statement(&statement)?;
        if leased.stated.as_ref() == Some(&statement) {
            return Ok((None, Outcome::Done));
        }
        Ok((Some(Entry::Absorbed(Absorbed { statement, signature, at })), Outcome::Done))
    }

    /// The first lease that is over at `now`.
    pub(super) fn decide_reclaim(&self, now: Timestamp) -> Option<Decision> {
        let (since, lease) = self.reclaims.first()?;
        let entry = Entry::Reclaimed(Reclaimed { lease: *lease, at: now });
        (*since <= now).then_some((Some(entry), Outcome::Reclaimed { lease: *lease }))
    }
}

/// Whether plan and request allow a lease, whatever was used so far.
fn check_lendable(plan: &Plan, request: &LeaseRequest) -> Result<()> {
    let refused = |why| Error::new(Code::LeaseRefused).because(why);
    if plan.rounding() != Rounding::Carry {
        return Err(refused("receipts that are rounded one by one do not add up over lanes"));
    }
    if plan.times().late == Late::Mark {
        return Err(refused("what is used late and not charged cannot be told from the units"));
    }
    if request.units.is_empty() {
        return Err(refused("a lease has units of a charge"));
    }
    for (id, units) in &request.units {
        let charge = plan.charges().iter().enumerate().find(|(_, charge)| charge.id == *id);
        let (index, charge) = charge.ok_or_else(|| Error::new(Code::PlanReference).value(id))?;
        if !charge.is_divisible() {
            return Err(refused("the price of this charge cannot be divided").value(id));
        }
        if plan.commitments().iter().any(|c| c.charges.contains(&index)) {
            return Err(refused("a commitment counts what this charge is billed").value(id));
        }
        if *units == 0 {
            return Err(refused("a lease has units of each of its charges").value(id));
        }
    }
    for id in request.limits.keys() {
        let limit = plan.limits().iter().find(|limit| limit.id == *id);
        let limit = limit.ok_or_else(|| Error::new(Code::PlanReference).value(id))?;
        let counts = matches!(limit.rule, LimitRule::Units { .. }) && !limit.soft;
        if !counts || limit.value(&request.attributes).is_none() {
            return Err(refused("not a hard limit on units that covers its calls").value(id));
        }
    }
    for limit in plan.limits() {
        let whole = matches!(
            limit.rule,
            LimitRule::Rate(_) | LimitRule::Concurrency { .. } | LimitRule::Credit { .. }
        );
        let elsewhere = limit.rolling().is_some() || limit.across.is_some();
        if (whole || elsewhere) && limit.value(&request.attributes).is_some() {
            return Err(refused("this limit cannot be divided").value(&limit.id));
        }
    }
    Ok(())
}

/// What a lease may count under each limit on units that covers its calls.
fn shares(plan: &Plan, request: &LeaseRequest) -> Vec<UnitShare> {
    let limits = plan.limits().iter().filter(|limit| {
        matches!(limit.rule, LimitRule::Units { .. }) && limit.value(&request.attributes).is_some()
    });
    limits
        .map(|limit| UnitShare {
            limit: limit.id.clone(),
            most: request.limits.get(&limit.id).copied().unwrap_or(0),
        })
        .collect()
}

/// What a lease refuses that its plan would allow.
pub(super) fn deny_by_lease(
    subscription: &Subscription,
    units: &[(usize, u64)],
    caller: Caller<'_>,
) -> Option<Denial> {
    let lease = subscription.lease.as_ref()?;
    let (plan, at) = (&*subscription.plan, caller.at);
    let denied = |rule| Denial::new(DenialCode::LeaseExhausted, rule);
    if at >= lease.until {
        return Some(denied(String::from("lease/until")));
    }
    let names = plan.limits().iter().flat_map(|limit| limit.matches.keys().chain(&limit.per));
    if let Some(name) = differing(names, caller.attributes, &lease.attributes) {
        return Some(denied(alloc::format!("lease/attributes/{name}")));
    }
    for &(index, units) in units {
        let Some(charge) = plan.charges().get(index) else { continue };
        let interval = lease.interval(&charge.id, at);
        let counter = interval
            .zip(subscription.account.counters.get(index))
            .and_then(|(interval, windows)| windows.get(interval.window));
        let (window, most, used, held) = match interval.zip(counter) {
            Some((interval, counter)) => {
                let used = counter.units.saturating_sub(interval.from);
                (Some(interval.window), interval.units, used, counter.outstanding)
            }
            None => (None, 0, 0, 0),
        };
        let left = most.saturating_sub(used).saturating_sub(held);
        if units > left {
            return Some(Denial {
                window,
                meter: Some(charge.meter.clone()),
                most: Some(whole(most)),
                spent: Some(whole(used)),
                needed: Some(whole(units)),
                available: Some(whole(left)),
                ..denied(alloc::format!("lease/charges/{}", charge.id))
            });
        }
    }
    None
}

/// The first of these names whose values differ.
fn differing<'a>(
    mut names: impl Iterator<Item = &'a String>,
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
) -> Option<&'a String> {
    names.find(|name| a.get(*name) != b.get(*name))
}
