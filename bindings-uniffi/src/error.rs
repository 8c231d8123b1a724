//! The one error.

use std::fmt;

/// Every failure: a code that never changes its meaning and is the same in every language, the
/// place, and the offending input.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Error)]
pub enum CounterfoilError {
    /// The only kind; tell failures apart by their code.
    Failed {
        /// The stable code: `json_unknown_field`, `meter_stalled` …
        code: String,
        /// The whole failure in words.
        reason: String,
        /// Where: a JSON Pointer, a lane and receipt …
        place: Option<String>,
        /// The offending value, at most 80 characters of it.
        offending: Option<String>,
    },
}

impl fmt::Display for CounterfoilError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CounterfoilError::Failed { reason, .. } = self;
        f.write_str(reason)
    }
}

impl std::error::Error for CounterfoilError {}

impl From<counterfoil::Error> for CounterfoilError {
    fn from(e: counterfoil::Error) -> Self {
        CounterfoilError::Failed {
            code: e.code().as_str().into(),
            reason: e.to_string(),
            place: e.place().map(Into::into),
            offending: e.offending().map(Into::into),
        }
    }
}
