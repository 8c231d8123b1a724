//! A denial in words: which rule, what is counted, what the call needs, and until when.

use alloc::{format, string::String};

use crate::{
    amount::{Exact, grouped},
    entry::{Denial, DenialCode},
    plan::{Limit, LimitRule, Plan},
};

impl Denial {
    /// The denial in words, for people: `limit_reached by limits/daily: 0.4 of 1 USD spent, the call needs
    /// up to 0.31, 0.3 left; retry at 2026-11-03T00:00:00.000Z`. The plan is the one that refused
    /// the call: it has the currency, and the clause of a condition.
    ///
    /// The words may change; programs look at the fields.
    #[must_use]
    pub fn explain(&self, plan: &Plan) -> String {
        let mut text = format!("{} by {}", self.code.as_str(), self.rule);
        let limit = self.rule.strip_prefix("limits/");
        let limit = limit.map(|id| id.strip_suffix("/across").unwrap_or(id));
        let limit = limit.and_then(|id| plan.limits().iter().find(|limit| limit.id == id));
        if let Some(value) =
            self.value.as_ref().filter(|_| self.code != DenialCode::ConditionFailed)
        {
            let per = limit.and_then(|limit| limit.per.as_ref());
            let per = per.map(|per| format!("{per} ")).unwrap_or_default();
            text.push_str(&format!(" for {per}\"{value}\""));
        }
        let why = match (self.code, limit) {
            (DenialCode::TermEnded, _) => String::from("the subscription has ended"),
            (DenialCode::ConditionFailed, _) => self.failed_clause(plan),
            (DenialCode::ValuesReached, _) => {
                let most = self.most.unwrap_or_default().to_decimal(0);
                format!("{most} values are known, as many as may be, and this is another")
            }
            (_, Some(limit)) => self.reached(limit, plan),
            _ => String::new(),
        };
        if !why.is_empty() {
            text.push_str(": ");
            text.push_str(&why);
        }
        if let Some(at) = self.retry_at {
            text.push_str(&format!("; retry at {at}"));
        }
        text
    }

    /// What a limit counts.
    fn reached(&self, limit: &Limit, plan: &Plan) -> String {
        let decimals = plan.currency().decimals();
        let counted = |part: Option<Exact>| part.unwrap_or_default().to_decimal(0);
        let shared = match limit.across {
            Some(_) => " in all of the payer's subscriptions",
            None => "",
        };
        match &limit.rule {
            LimitRule::Concurrency { .. } => {
                format!("{} of {} calls are open{shared}", counted(self.spent), counted(self.most))
            }
            LimitRule::Rate(rate) => {
                format!(
                    "calls come{shared} faster than {} in {}",
                    grouped(rate.limit()),
                    period(rate.period_ms())
                )
            }
            rule => {
                let (decimals, unit, verb) = match rule {
                    LimitRule::Units { meter, .. } => (0, meter.clone(), "used"),
                    LimitRule::Credit { .. } => (decimals, plan.currency().label(), "owed"),
                    _ => (decimals, plan.currency().label(), "spent"),
                };
                let told = |part: Option<Exact>| part.unwrap_or_default().to_decimal(decimals);
                format!(
                    "{} of {} {unit} {verb}{shared}, the call needs up to {}, {} left",
                    told(self.spent),
                    told(self.most),
                    told(self.needed),
                    told(self.available)
                )
            }
        }
    }

    /// The clause that decided.
    fn failed_clause(&self, plan: &Plan) -> String {
        let path = self.rule.strip_prefix("condition").unwrap_or_default();
        let Some((clause, barred)) = plan.condition().and_then(|condition| condition.at(path))
        else {
            return String::new();
        };
        let verb = if barred { "forbids" } else { "requires" };
        let has = match (clause.attribute(), &self.value) {
            (Some(name), Some(value)) => format!(", and the call has {name} \"{value}\""),
            (Some(name), None) => format!(", and the call has no {name}"),
            (None, _) => String::new(),
        };
        format!("the plan {verb} that {clause}{has}")
    }
}

/// `a minute`; `5,000 ms` of what no plan says.
fn period(ms: u64) -> String {
    match ms {
        1_000 => String::from("a second"),
        60_000 => String::from("a minute"),
        3_600_000 => String::from("an hour"),
        86_400_000 => String::from("a day"),
        ms => format!("{} ms", grouped(ms)),
    }
}
