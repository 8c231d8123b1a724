//! What a counter must know of its calls beyond a number, where a charge does not add up their units.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use crate::{
    plan::{Aggregate, Unique},
    time::Timestamp,
};

/// When a call was authorised, and with which attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) attributes: &'a BTreeMap<String, String>,
    pub(crate) at: Timestamp,
}

impl<'a> Caller<'a> {
    /// The value by which a charge tells the call apart.
    pub(crate) fn value(&self, unique: &Unique) -> &'a str {
        self.attributes.get(&unique.of).map_or("", String::as_str)
    }
}

/// What a counter has seen. Empty where units are summed or calls are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Under `latest`: when the call was authorised whose quantity the counter is.
    pub(crate) at: Timestamp,
    /// Under `unique`: the values that were counted.
    pub(crate) values: BTreeSet<String>,
    /// Under `max` and `latest`: how many open holds hold so many units, by when they were authorised.
    pub(crate) sizes: BTreeMap<(u64, Timestamp), u64>,
    /// Under `unique`: how many open holds have a value.
    pub(crate) names: BTreeMap<String, u64>,
}

impl Seen {
    /// The units of a call's line: what the call counts from a counter that stands at `counter`.
    pub(crate) fn units(
        &self,
        aggregate: &Aggregate,
        counter: u64,
        quantity: u64,
        caller: Caller<'_>,
    ) -> u64 {
        match aggregate {
            Aggregate::Sum | Aggregate::Count | Aggregate::Max => quantity,
            // A call that was made earlier does not change what a later one has said.
            Aggregate::Latest if caller.at < self.at => counter,
            Aggregate::Latest => quantity,
            Aggregate::Unique(unique) => u64::from(!self.values.contains(caller.value(unique))),
        }
    }

    /// Takes note of a call that was counted.
    pub(crate) fn note(&mut self, aggregate: &Aggregate, caller: Caller<'_>) {
        match aggregate {
            Aggregate::Sum | Aggregate::Count | Aggregate::Max => {}
            Aggregate::Latest => self.at = self.at.max(caller.at),
            Aggregate::Unique(unique) => {
                let value = caller.value(unique);
                if !self.values.contains(value) {
                    self.values.insert(String::from(value));
                }
            }
        }
    }

    /// A hold of so many units reserves from now on.
    pub(crate) fn enter(&mut self, aggregate: &Aggregate, units: u64, caller: Caller<'_>) {
        let holds = match aggregate {
            Aggregate::Sum | Aggregate::Count => return,
            Aggregate::Max | Aggregate::Latest => self.sizes.entry((units, caller.at)).or_default(),
            Aggregate::Unique(unique) => {
                self.names.entry(String::from(caller.value(unique))).or_default()
            }
        };
        *holds = holds.saturating_add(1);
    }

    /// A hold of so many units no longer reserves.
    pub(crate) fn leave(&mut self, aggregate: &Aggregate, units: u64, caller: Caller<'_>) {
        match aggregate {
            Aggregate::Sum | Aggregate::Count => {}
            Aggregate::Max | Aggregate::Latest => less(&mut self.sizes, &(units, caller.at)),
            Aggregate::Unique(unique) => {
                less(&mut self.names, &String::from(caller.value(unique)));
            }
        }
    }

    /// Whether no hold reserves.
    pub(crate) fn is_idle(&self) -> bool {
        self.sizes.is_empty() && self.names.is_empty()
    }

    /// The largest quantity that an open hold may still bring to the counter; `None` where none may.
    pub(crate) fn largest(&self) -> Option<u64> {
        // Under `max` no call was noted: `at` is before every hold.
        let mut sizes = self.sizes.keys().rev();
        sizes.find(|(_, at)| *at >= self.at).map(|(units, _)| *units)
    }

    /// How many values open holds may still add, other than this one.
    pub(crate) fn new_values(&self, but: Option<&str>) -> u64 {
        let new = |value: &&String| {
            !self.values.contains(*value) && but.is_none_or(|but| but != value.as_str())
        };
        u64::try_from(self.names.keys().filter(new).count()).unwrap_or(u64::MAX)
    }
}

/// Takes one of a number of equal things away.
fn less<K: Ord>(numbers: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(number) = numbers.get_mut(key) {
        *number = number.saturating_sub(1);
        if *number == 0 {
            numbers.remove(key);
        }
    }
}
