//! What refuses a call, each rule on its own.

use alloc::{collections::BTreeMap, format, string::String};

use crate::{
    account::{Account, Refusal, Room, closes_at},
    amount::Exact,
    crypto::Digest,
    entry::{Denial, DenialCode},
    error::{Code, Error, Result},
    meter::{Hold, State, Subscription},
    plan::{Limit, LimitRule, Plan, whole},
    time::{Timestamp, Window},
    usage::Usage,
};

impl State {
    /// Whether term or condition refuse a call, for who checks a recorded one.
    pub(crate) fn deny_by_terms(
        &self,
        subscription: &Digest,
        attributes: &BTreeMap<String, String>,
        at: Timestamp,
    ) -> Result<Option<Denial>> {
        let subscription = self.subscription(subscription)?;
        deny_before_money(&subscription.plan, subscription, attributes, at)
    }

    /// Whether a limit's values or units refuse an imported call, for who checks a recorded one.
    pub(crate) fn deny_by_counts(
        &self,
        subscription: &Digest,
        usage: &Usage,
        attributes: &BTreeMap<String, String>,
        at: Timestamp,
    ) -> Result<Option<Denial>> {
        let subscription = self.subscription(subscription)?;
        let (plan, account) = (&subscription.plan, &subscription.account);
        if let Some(denial) = deny_by_values(plan, account, attributes, at) {
            return Ok(Some(denial));
        }
        let limited = plan.limited_units(attributes, |meter| usage.get(meter));
        deny_by_units(plan, account, attributes, &limited, at)
    }
}

/// Term and condition: what refuses a call before any money is looked at.
pub(super) fn deny_before_money(
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
    if subscription.account.ended(at) {
        return Ok(Some(Denial::new(DenialCode::TermEnded, String::from("term"))));
    }
    if let Some(condition) = plan.condition() {
        let verdict = condition.evaluate(attributes);
        if !verdict.holds {
            let rule = format!("condition{}", verdict.clause);
            return Ok(Some(Denial::new(DenialCode::ConditionFailed, rule)));
        }
    }
    Ok(None)
}

/// A value that is new to a limit which keeps as many as it may.
pub(super) fn deny_by_values(
    plan: &Plan,
    account: &Account,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
) -> Option<Denial> {
    for (limit, tally) in plan.limits().iter().zip(&account.tallies) {
        if limit.per.is_none() || matches!(limit.rule, LimitRule::Concurrency { .. }) {
            continue;
        }
        if let Some(value) = limit.value(attributes)
            && let Some(window) = account.limit_window(plan, limit, tally, at)
            && let Some(known) = tally.values_without(window, value)
            && known >= limit.values
        {
            return Some(Denial {
                window: Some(window),
                most: Some(whole(limit.values)),
                spent: Some(whole(known)),
                needed: Some(whole(1)),
                available: Some(Exact::ZERO),
                retry_at: ends(plan, window),
                ..by_limit(DenialCode::ValuesReached, limit, value)
            });
        }
    }
    None
}

pub(super) fn deny_by_money(subscription: &Subscription, room: &Room, needed: Exact) -> Denial {
    let plan = &*subscription.plan;
    let by = match plan.limits().get(room.limit) {
        Some(limit) => Denial {
            retry_at: ends(plan, room.window),
            ..by_limit(DenialCode::LimitReached, limit, &room.value)
        },
        // The one that a trial adds, and its end takes away.
        None => Denial {
            retry_at: Some(subscription.account.paid_from).filter(|end| *end != Timestamp::MAX),
            ..Denial::new(DenialCode::LimitReached, String::from("term/trial"))
        },
    };
    Denial {
        window: Some(room.window),
        most: Some(room.most),
        spent: Some(room.spent),
        needed: Some(needed),
        available: Some(room.available),
        ..by
    }
}

/// A limit on units that has no room for the units of a call, beside what holds hold.
pub(super) fn deny_by_units(
    plan: &Plan,
    account: &Account,
    attributes: &BTreeMap<String, String>,
    limited: &[(usize, u64)],
    at: Timestamp,
) -> Result<Option<Denial>> {
    for (index, units) in limited {
        let (Some(limit), Some(tally)) = (plan.limits().get(*index), account.tallies.get(*index))
        else {
            continue;
        };
        let LimitRule::Units { meter, most, .. } = &limit.rule else { continue };
        let (Some(value), Some(window)) =
            (limit.value(attributes), account.limit_window(plan, limit, tally, at))
        else {
            continue;
        };
        if limit.soft {
            continue;
        }
        let (most, needed) = (whole(*most), whole(*units));
        let spent = tally.counted(window, value);
        let held = tally.held(window, value).map_or(0, |held| held.units);
        let held = Exact::new(held, 0)?;
        if spent.checked_add(held)?.checked_add(needed)? > most {
            return Ok(Some(Denial {
                window: Some(window),
                meter: Some(meter.clone()),
                most: Some(most),
                spent: Some(spent),
                needed: Some(needed),
                available: Some(most.minus_or_zero(spent).minus_or_zero(held)),
                // A call that is larger than the limit fits into no window.
                retry_at: ends(plan, window).filter(|_| needed <= most),
                ..by_limit(DenialCode::LimitReached, limit, value)
            }));
        }
    }
    Ok(None)
}

/// A limit under which as many holds reserve as may.
pub(super) fn deny_by_concurrency(
    plan: &Plan,
    subscription: &Subscription,
    hold: &Hold,
) -> Option<Denial> {
    for (limit, tally) in plan.limits().iter().zip(&subscription.account.tallies) {
        let LimitRule::Concurrency { most } = limit.rule else { continue };
        let Some(value) = limit.value(&hold.attributes) else { continue };
        let open = tally.held(Window::ALWAYS, value).map_or(0, |held| held.count);
        if open >= most {
            let same = subscription.holds.values().filter(|other| {
                other.is_reserved() && limit.value(&other.attributes) == Some(value)
            });
            return Some(Denial {
                most: Some(whole(most)),
                spent: Some(whole(open)),
                needed: Some(whole(1)),
                available: Some(Exact::ZERO),
                retry_at: same.map(|other| other.deadline).min(),
                ..by_limit(DenialCode::ConcurrencyReached, limit, value)
            });
        }
    }
    None
}

pub(super) fn deny_by_rate(
    plan: &Plan,
    account: &Account,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
) -> Result<Option<Denial>> {
    for (limit, pace) in plan.limits().iter().zip(&account.rates) {
        let LimitRule::Rate(rate) = limit.rule else { continue };
        let Some(value) = limit.value(attributes) else { continue };
        let (code, retry) = match pace.decide(rate, limit.values, value, at.millis()) {
            Ok(_) => continue,
            Err(Refusal::Early(retry)) => (DenialCode::RateExceeded, retry),
            Err(Refusal::Values(retry)) => (DenialCode::ValuesReached, retry),
        };
        let mut denial = by_limit(code, limit, value);
        denial.retry_at = Some(Timestamp::from_millis(retry)?);
        if code == DenialCode::ValuesReached {
            denial.most = Some(whole(limit.values));
            denial.spent = denial.most;
            denial.needed = Some(whole(1));
            denial.available = Some(Exact::ZERO);
        }
        return Ok(Some(denial));
    }
    Ok(None)
}

/// A denial by a limit, and by which of its values.
fn by_limit(code: DenialCode, limit: &Limit, value: &str) -> Denial {
    Denial {
        value: limit.per.as_ref().map(|_| String::from(value)),
        ..Denial::new(code, format!("limits/{}", limit.id))
    }
}

/// When a window ends, if it ever closes.
fn ends(plan: &Plan, window: Window) -> Option<Timestamp> {
    closes_at(window, plan).map(|_| window.end)
}
