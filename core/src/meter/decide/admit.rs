//! What refuses a call, each rule on its own.

use alloc::{collections::BTreeMap, format, string::String};

use crate::{
    account::{Account, Caller, Refusal, Room, Tally, closes_at},
    amount::Exact,
    crypto::Digest,
    entry::{Denial, DenialCode},
    error::{Code, Error, Result},
    meter::{Hold, State, Subscription},
    plan::{Aggregate, Call, Limit, LimitRule, Plan, whole},
    rules::Facts,
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
        if let Some(denial) = deny_by_values(self, subscription, attributes, at) {
            return Ok(Some(denial));
        }
        let units = plan.charged_units(&Call { usage, attributes, at })?;
        if let Some(denial) = deny_by_unique(plan, account, &units, Caller { attributes, at }) {
            return Ok(Some(denial));
        }
        let limited = plan.limited_units(attributes, usage, &units);
        deny_by_units(self, subscription, attributes, &limited, at)
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
        let facts = Facts {
            attributes,
            at,
            zone: plan.zone(),
            payer: &subscription.payer,
            evidence: &subscription.evidence,
        };
        if !condition.holds(&facts) {
            let decided = condition.decided(&facts);
            let rule = format!("condition{}", decided.path);
            return Ok(Some(Denial {
                value: decided.value,
                retry_at: decided.changes_at,
                ..Denial::new(DenialCode::ConditionFailed, rule)
            }));
        }
    }
    Ok(None)
}

/// A value that is new to a limit which keeps as many as it may.
pub(super) fn deny_by_values(
    state: &State,
    subscription: &Subscription,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
) -> Option<Denial> {
    let (plan, account) = (&subscription.plan, &subscription.account);
    for (_, limit, tally) in state.tallies(subscription) {
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
                retry_at: tally
                    .leaving(plan, limit, window, None)
                    .find(|(_, rest)| tally.values(*rest) < limit.values)
                    .map(|(at, _)| at),
                ..by_limit(DenialCode::ValuesReached, limit, value)
            });
        }
    }
    None
}

/// A value that is new to a charge which tells as many apart as it may.
pub(super) fn deny_by_unique(
    plan: &Plan,
    account: &Account,
    units: &[(usize, u64)],
    caller: Caller<'_>,
) -> Option<Denial> {
    for (index, _) in units {
        let (charge, windows) = (plan.charges().get(*index)?, account.counters.get(*index)?);
        let Aggregate::Unique(unique) = &charge.aggregate else { continue };
        let window = account.window_of(plan, charge, windows, caller.at);
        let Some(counter) = windows.get(window) else { continue };
        let value = caller.value(unique);
        let known = counter.units.saturating_add(counter.seen.new);
        if counter.seen.is_new(value)
            && !counter.seen.names.contains_key(value)
            && known >= unique.values
        {
            return Some(Denial {
                value: Some(String::from(value)),
                window: Some(window),
                most: Some(whole(unique.values)),
                spent: Some(whole(known)),
                needed: Some(whole(1)),
                available: Some(Exact::ZERO),
                retry_at: closes_at(window, plan).map(|_| window.end),
                ..Denial::new(DenialCode::ValuesReached, format!("charges/{}", charge.id))
            });
        }
    }
    None
}

pub(super) fn deny_by_money(
    state: &State,
    subscription: &Subscription,
    room: &Room,
    needed: Exact,
) -> Result<Denial> {
    let (plan, account) = (&subscription.plan, &subscription.account);
    let by = match (plan.limits().get(room.limit), state.tally(subscription, room.limit)) {
        (Some(limit), Some(tally)) => {
            let missing = room.committed.minus_or_zero(room.most);
            Denial {
                retry_at: retry(plan, limit, tally, (room.window, &room.value), missing)?,
                ..by_limit(DenialCode::LimitReached, limit, &room.value)
            }
        }
        // The one that a trial adds, and its end takes away.
        _ => Denial {
            retry_at: Some(account.paid_from).filter(|end| *end != Timestamp::MAX),
            ..Denial::new(DenialCode::LimitReached, String::from("term/trial"))
        },
    };
    Ok(Denial {
        window: Some(room.window),
        most: Some(room.most),
        spent: Some(room.spent),
        needed: Some(needed),
        available: Some(room.available),
        ..by
    })
}

/// A limit on units that has no room for the units of a call, beside what holds hold.
pub(super) fn deny_by_units(
    state: &State,
    subscription: &Subscription,
    attributes: &BTreeMap<String, String>,
    limited: &[(usize, u64)],
    at: Timestamp,
) -> Result<Option<Denial>> {
    let (plan, account) = (&subscription.plan, &subscription.account);
    for (index, units) in limited {
        let (Some(limit), Some(tally)) =
            (plan.limits().get(*index), state.tally(subscription, *index))
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
        for window in tally.windows(limit, window, value) {
            let spent = tally.counted(window, value)?;
            let held = Exact::new(tally.held(window, value).units, 0)?;
            let sum = spent.checked_add(held)?.checked_add(needed)?;
            if sum <= most {
                continue;
            }
            let missing = sum.minus_or_zero(most);
            return Ok(Some(Denial {
                window: Some(window),
                meter: Some(meter.clone()),
                most: Some(most),
                spent: Some(spent),
                needed: Some(needed),
                available: Some(most.minus_or_zero(spent).minus_or_zero(held)),
                // A call that is larger than the limit fits into no window.
                retry_at: retry(plan, limit, tally, (window, value), missing)?
                    .filter(|_| needed <= most),
                ..by_limit(DenialCode::LimitReached, limit, value)
            }));
        }
    }
    Ok(None)
}

/// A limit under which as many holds reserve as may.
pub(super) fn deny_by_concurrency(
    state: &State,
    subscription: &Subscription,
    hold: &Hold,
) -> Option<Denial> {
    for (index, limit, tally) in state.tallies(subscription) {
        let LimitRule::Concurrency { most } = limit.rule else { continue };
        let Some(value) = limit.value(&hold.attributes) else { continue };
        let open = tally.held(Window::ALWAYS, value).count;
        if open >= most {
            let others = state.sharing_with(subscription, index).map(|(other, _)| other);
            let holds = core::iter::once(subscription).chain(others).flat_map(|s| s.holds.values());
            let same = holds.filter(|other| {
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
    state: &State,
    subscription: &Subscription,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
) -> Result<Option<Denial>> {
    for (limit, pace) in state.paces(subscription) {
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
    let shared = if limit.across.is_some() { "/across" } else { "" };
    Denial {
        value: limit.per.as_ref().map(|_| String::from(value)),
        ..Denial::new(code, format!("limits/{}{shared}", limit.id))
    }
}

/// When what is `missing` has left a limit's window, or else all that the value has there.
fn retry(
    plan: &Plan,
    limit: &Limit,
    tally: &Tally,
    (window, value): (Window, &str),
    missing: Exact,
) -> Result<Option<Timestamp>> {
    let counted = tally.counted(window, value)?;
    let mut last = None;
    for (at, rest) in tally.leaving(plan, limit, window, Some(value)) {
        last = Some(at);
        if counted.minus_or_zero(tally.counted(rest, value)?) >= missing {
            break;
        }
    }
    Ok(last)
}
