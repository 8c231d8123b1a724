//! What refuses a call, each rule on its own.

use alloc::{collections::BTreeMap, format, string::String};

use crate::{
    account::{Room, closes_at},
    amount::Exact,
    crypto::Digest,
    entry::{Denial, DenialCode},
    error::{Code, Error, Result},
    meter::{State, Subscription},
    plan::{LimitRule, Plan},
    time::Timestamp,
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

pub(super) fn limit_denial(plan: &Plan, room: &Room, needed: Exact) -> Result<Denial> {
    let limit = plan.limits().get(room.limit).ok_or(Code::EntryMisplaced)?;
    let ends = closes_at(room.window, plan).map(|_| room.window.end);
    Ok(Denial {
        code: DenialCode::LimitReached,
        rule: format!("limits/{}", limit.id),
        needed: Some(needed),
        available: Some(room.available),
        retry_at: ends,
    })
}

pub(super) fn deny_by_rate(plan: &Plan, rates: &[u128], at: Timestamp) -> Result<Option<Denial>> {
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
