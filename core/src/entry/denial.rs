//! A refused call: why, and what would change the answer.

use alloc::{format, string::String};
use core::fmt;

use crate::{amount::Exact, time::Timestamp};

/// Why a call was refused. A denial is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenialCode {
    /// A spend limit has no room for the call. HTTP 402.
    LimitReached,
    /// The plan's condition does not hold for the call. HTTP 403.
    ConditionFailed,
    /// Calls come faster than a rate limit allows. HTTP 429.
    RateExceeded,
    /// The subscription has ended. HTTP 402.
    TermEnded,
}

impl DenialCode {
    /// Every code.
    pub const ALL: &'static [DenialCode] = &[
        DenialCode::LimitReached,
        DenialCode::ConditionFailed,
        DenialCode::RateExceeded,
        DenialCode::TermEnded,
    ];

    /// The stable code, the same in every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DenialCode::LimitReached => "limit_reached",
            DenialCode::ConditionFailed => "condition_failed",
            DenialCode::RateExceeded => "rate_exceeded",
            DenialCode::TermEnded => "term_ended",
        }
    }

    /// The HTTP status that a seller answers with.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            DenialCode::LimitReached | DenialCode::TermEnded => 402,
            DenialCode::ConditionFailed => 403,
            DenialCode::RateExceeded => 429,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            DenialCode::LimitReached => 1,
            DenialCode::ConditionFailed => 2,
            DenialCode::RateExceeded => 3,
            DenialCode::TermEnded => 4,
        }
    }
}

/// Which rule refused a call, by how much, and when it would be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub code: DenialCode,
    /// The rule in the plan that decided: `limits/monthly_spend`, `condition/all/1`, `duration`.
    pub rule: String,
    /// For a spend limit: what the call may cost at most, exact.
    pub needed: Option<Exact>,
    /// For a spend limit: what it leaves, exact.
    pub available: Option<Exact>,
    /// The earliest instant at which the same call would pass this rule, if time alone changes it.
    pub retry_at: Option<Timestamp>,
}

impl Denial {
    /// The denial in words, with amounts in major units of a currency with these decimals.
    #[must_use]
    pub fn explain(&self, decimals: u8) -> String {
        let mut text = format!("{} by {}", self.code.as_str(), self.rule);
        if let (Some(needed), Some(available)) = (self.needed, self.available) {
            text.push_str(&format!(
                ": needs up to {}, {} left",
                needed.to_decimal(decimals),
                available.to_decimal(decimals)
            ));
        }
        if let Some(at) = self.retry_at {
            text.push_str(&format!("; retry at {at}"));
        }
        text
    }
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
