//! What a call brings to a charge's counter.

use alloc::string::String;

use crate::{
    amount::overflow,
    error::{Code, Result},
    json::Fields,
    plan::charge::{read_name, read_positive},
};

/// The most values that a charge tells apart in a window.
const MOST_VALUES: u64 = 10_000;

/// How the calls of a window make a charge's counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Aggregate {
    /// The sum of the meter's quantities.
    #[default]
    Sum,
    /// How many calls have any of the meter.
    Count,
    /// The largest quantity of a call.
    Max,
    /// The quantity of the call that was authorised last: a gauge, which may fall. A call that says 0
    /// counts.
    Latest,
    /// How many values an attribute has in the calls that have any of the meter.
    Unique(Unique),
}

/// What is told apart, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unique {
    /// The attribute. Calls without it share the value "".
    pub of: String,
    /// How many values there may be in a window, 1 to 10,000; a call with one more is denied.
    pub values: u64,
}

impl Aggregate {
    /// The name as a plan has it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
            Aggregate::Max => "max",
            Aggregate::Latest => "latest",
            Aggregate::Unique(_) => "unique",
        }
    }

    /// Whether each call adds to the counter on its own, whatever the others are: then several meters
    /// may count parts of one window.
    #[must_use]
    pub const fn adds(&self) -> bool {
        matches!(self, Aggregate::Sum | Aggregate::Count)
    }

    /// The counter after a line of a call that has this many units, from the counter before it. The
    /// units of a line are what the call counts, under `latest` the counter after it, under `unique` 1
    /// for a value that is new.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn after(&self, counter: u64, units: u64) -> Result<u64> {
        match self {
            Aggregate::Sum | Aggregate::Count | Aggregate::Unique(_) => {
                counter.checked_add(units).ok_or_else(overflow)
            }
            Aggregate::Max => Ok(counter.max(units)),
            Aggregate::Latest => Ok(units),
        }
    }

    /// The units of a call that has this much of the meter, or none but says so (`given`); `None` where
    /// the call does not count.
    pub(crate) fn units(&self, quantity: u64, given: &dyn Fn() -> bool) -> Option<u64> {
        match self {
            Aggregate::Latest => given().then_some(quantity),
            _ if quantity == 0 => None,
            Aggregate::Sum | Aggregate::Max => Some(quantity),
            Aggregate::Count | Aggregate::Unique(_) => Some(1),
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Aggregate> {
        let Some(node) = fields.optional("aggregate") else { return Ok(Aggregate::Sum) };
        Ok(match node.text()? {
            "sum" => Aggregate::Sum,
            "count" => Aggregate::Count,
            "max" => Aggregate::Max,
            "latest" => Aggregate::Latest,
            "unique" => {
                let of = read_name(&fields.required("of")?)?;
                let most = fields.required("values")?;
                let values = read_positive(&most)?;
                if values > MOST_VALUES {
                    return Err(most.error(Code::PlanInvalid).because("at most 10000 values"));
                }
                Aggregate::Unique(Unique { of, values })
            }
            _ => {
                return Err(node
                    .error(Code::PlanInvalid)
                    .because("an aggregate is sum, count, max, latest or unique"));
            }
        })
    }
}
