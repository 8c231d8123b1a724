//! A refused call: why, and what would change the answer.

use alloc::string::String;
use core::fmt;

use crate::{
    amount::Exact,
    time::{Timestamp, Window},
};

/// Why a call was refused. A denial is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialCode {
    /// A limit on money or units has no room for the call. HTTP 402.
    LimitReached,
    /// The plan's condition does not hold for the call. HTTP 403.
    ConditionFailed,
    /// Calls come faster than a rate limit allows. HTTP 429.
    RateExceeded,
    /// The subscription has ended. HTTP 402.
    TermEnded,
    /// As many calls are open as a limit allows at one time. HTTP 429.
    ConcurrencyReached,
    /// A limit that applies per value of an attribute keeps as many values as it may, and the call's is
    /// a new one. HTTP 429.
    ValuesReached,
    /// The lease that the call is metered under has no room for it, or is over. HTTP 429: another
    /// lane may have room.
    LeaseExhausted,
}

impl DenialCode {
    /// Every code.
    pub const ALL: &'static [DenialCode] = &[
        DenialCode::LimitReached,
        DenialCode::ConditionFailed,
        DenialCode::RateExceeded,
        DenialCode::TermEnded,
        DenialCode::ConcurrencyReached,
        DenialCode::ValuesReached,
        DenialCode::LeaseExhausted,
    ];

    /// The stable code, the same in every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DenialCode::LimitReached => "limit_reached",
            DenialCode::ConditionFailed => "condition_failed",
            DenialCode::RateExceeded => "rate_exceeded",
            DenialCode::TermEnded => "term_ended",
            DenialCode::ConcurrencyReached => "concurrency_reached",
            DenialCode::ValuesReached => "values_reached",
            DenialCode::LeaseExhausted => "lease_exhausted",
        }
    }

    /// The HTTP status that a seller answers with.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            DenialCode::LimitReached | DenialCode::TermEnded => 402,
            DenialCode::ConditionFailed => 403,
            DenialCode::RateExceeded
            | DenialCode::ConcurrencyReached
            | DenialCode::ValuesReached
            | DenialCode::LeaseExhausted => 429,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            DenialCode::LimitReached => 1,
            DenialCode::ConditionFailed => 2,
            DenialCode::RateExceeded => 3,
            DenialCode::TermEnded => 4,
            DenialCode::ConcurrencyReached => 5,
            DenialCode::ValuesReached => 6,
            DenialCode::LeaseExhausted => 7,
        }
    }
}

/// Which rule refused a call, by how much, and when it would be allowed.
///
/// `most`, `spent`, `needed` and `available` are in what the rule counts: money in atomic units; whole
/// units of `meter`, where there is one; calls, for `concurrency_reached`; values, for
/// `values_reached`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub code: DenialCode,
    /// The rule in the plan that decided: `limits/monthly_spend`, `condition/all/1`, `term`. Of a limit
    /// that a payer's subscriptions share: `limits/monthly_spend/across`. Of a
    /// lease: `lease/until`, `lease/attributes/region`, `lease/charges/input`.
    pub rule: String,
    /// For a limit with `per`: the value that it refused, "" for a call without the attribute. For a
    /// condition: the call's value of the attribute that decided, if it carries it.
    pub value: Option<String>,
    /// The window in which there is no room.
    pub window: Option<Window>,
    /// For a limit on units, or a charge of a lease: the meter.
    pub meter: Option<String>,
    /// The limit.
    pub most: Option<Exact>,
    /// What is counted already, without what open calls reserve.
    pub spent: Option<Exact>,
    /// What the call needs at most.
    pub needed: Option<Exact>,
    /// What is left beside what open calls reserve.
    pub available: Option<Exact>,
    /// The earliest instant at which the same call would pass this rule, if time alone changes it. For a
    /// condition: at which the clause that decided is otherwise.
    pub retry_at: Option<Timestamp>,
}

impl Denial {
    /// A denial that a rule alone explains.
    pub(crate) fn new(code: DenialCode, rule: String) -> Denial {
        Denial {
            code,
            rule,
            value: None,
            window: None,
            meter: None,
            most: None,
            spent: None,
            needed: None,
            available: None,
            retry_at: None,
        }
    }
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
