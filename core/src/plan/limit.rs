//! Limits: how much may be spent in a window, how fast calls may come.

use alloc::string::String;

use crate::{
    amount::Exact,
    error::{Code, Result},
    json::Node,
    plan::charge::{read_money, read_name, read_positive},
    plan::window::read_window,
    rating::Rate,
    time::Cycle,
};

/// A limit of a plan. Every limit must have room for a call to be authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The limit's name in denials, unique in the plan.
    pub id: String,
    /// What it bounds.
    pub rule: LimitRule,
}

/// What a limit bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitRule {
    /// Money per window: what was billed and what open holds may still cost stay at or below it.
    Spend {
        /// The bound, exact.
        most: Exact,
        /// The window; `None` is the whole subscription.
        period: Option<Cycle>,
    },
    /// Calls per time, by GCRA.
    Rate(Rate),
}

impl Limit {
    pub(super) fn read(node: &Node<'_>, decimals: u8) -> Result<Limit> {
        let mut fields = node.fields()?;
        let id = read_name(&fields.required("id")?)?;
        let rule = if let Some(most) = fields.optional("spend") {
            LimitRule::Spend {
                most: read_money(&most, decimals)?,
                period: read_window(&mut fields)?,
            }
        } else if let Some(rate) = fields.optional("rate") {
            LimitRule::Rate(read_rate(&rate)?)
        } else {
            return Err(node.error(Code::PlanInvalid).because("a limit has `spend` or `rate`"));
        };
        fields.finish()?;
        Ok(Limit { id, rule })
    }
}

fn read_rate(node: &Node<'_>) -> Result<Rate> {
    let mut fields = node.fields()?;
    let limit = read_positive(&fields.required("calls")?)?;
    let every = fields.required("every")?;
    let period_ms = match every.text()? {
        "second" => 1_000,
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => 86_400_000,
        _ => {
            return Err(every
                .error(Code::PlanInvalid)
                .because("a rate is per second, minute, hour or day"));
        }
    };
    let burst = match fields.optional("burst") {
        Some(burst) => read_positive(&burst)?,
        None => 1,
    };
    fields.finish()?;
    Rate::new(limit, period_ms, burst).map_err(|e| e.within(node.pointer()))
}
