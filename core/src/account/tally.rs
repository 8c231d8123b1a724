//! What one limit has counted, and what open holds may still add to it: by window and value.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use crate::{
    account::{Windows, closes_at},
    amount::Exact,
    crypto::Digest,
    error::Result,
    meter::Hold,
    plan::{Limit, Plan},
    time::{Timestamp, Window},
};

/// One limit's counts, by window. A limit without `per` has the one value "".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(Windows<Values>);

/// A limit's counts in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// What calls have added: money, or units.
    counted: BTreeMap<String, Exact>,
    /// What reserves. It follows from the holds and is in no snapshot.
    held: BTreeMap<String, Held>,
}

/// The holds that reserve under one value in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many.
    pub(crate) count: u64,
    /// The units that they hold, for a limit on units.
    pub(crate) units: u128,
    /// Their subjects, where the limit covers only some holds of the window.
    pub(crate) subjects: BTreeSet<Digest>,
}

impl Tally {
    /// The limit's window that the instant lies in: one that is open already, or else the calendar's.
    pub(crate) fn window(
        &self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        at: Timestamp,
    ) -> Option<Window> {
        self.0.containing(at).or_else(|| limit.window(plan, started_at, at))
    }

    pub(crate) fn counted(&self, window: Window, value: &str) -> Exact {
        let values = self.0.get(window);
        values.and_then(|values| values.counted.get(value)).copied().unwrap_or(Exact::ZERO)
    }

    pub(crate) fn held(&self, window: Window, value: &str) -> Option<&Held> {
        self.0.get(window)?.held.get(value)
    }

    /// Every window and value under which something reserves.
    pub(crate) fn busy(&self) -> impl Iterator<Item = (Window, &str, &Held)> {
        self.0.iter().flat_map(|(window, values)| {
            values.held.iter().map(|(value, held)| (*window, value.as_str(), held))
        })
    }

    /// How many values the window has, if this one is new to it.
    pub(crate) fn values_without(&self, window: Window, value: &str) -> Option<u64> {
        let Some(values) = self.0.get(window) else { return Some(0) };
        if values.counted.contains_key(value) || values.held.contains_key(value) {
            return None;
        }
        let only_held = values.held.keys().filter(|held| !values.counted.contains_key(*held));
        u64::try_from(values.counted.len().saturating_add(only_held.count())).ok()
    }

    /// Adds what a call counts.
    pub(crate) fn count(&mut self, window: Window, value: &str, more: Exact) -> Result<()> {
        self.change(window, value, |sum| sum.checked_add(more))
    }

    /// Changes what was counted.
    pub(crate) fn change(
        &mut self,
        window: Window,
        value: &str,
        change: impl Fn(Exact) -> Result<Exact>,
    ) -> Result<()> {
        if let (Some(values), _) = self.0.open(window) {
            match values.counted.get_mut(value) {
                Some(sum) => *sum = change(*sum)?,
                None => {
                    values.counted.insert(String::from(value), change(Exact::ZERO)?);
                }
            }
        }
        Ok(())
    }

    /// A hold reserves from now on.
    pub(crate) fn enter(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        hold: &Hold,
        index: usize,
    ) {
        let Some(value) = limit.value(&hold.attributes) else { return };
        let Some(window) = self.window(plan, limit, started_at, hold.authorized_at) else { return };
        let (Some(values), _) = self.0.open(window) else { return };
        if !values.held.contains_key(value) {
            values.held.insert(String::from(value), Held::default());
        }
        if let Some(held) = values.held.get_mut(value) {
            held.count = held.count.saturating_add(1);
            held.units = held.units.saturating_add(units_of(hold, index));
            if limit.is_partial() {
                held.subjects.insert(hold.subject);
            }
        }
    }

    /// A hold no longer reserves.
    pub(crate) fn leave(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        hold: &Hold,
        index: usize,
    ) {
        let Some(value) = limit.value(&hold.attributes) else { return };
        let Some(window) = self.window(plan, limit, started_at, hold.authorized_at) else { return };
        let Some(values) = self.0.get_mut(window) else { return };
        if let Some(held) = values.held.get_mut(value) {
            held.count = held.count.saturating_sub(1);
            held.units = held.units.saturating_sub(units_of(hold, index));
            held.subjects.remove(&hold.subject);
            if held.count == 0 {
                values.held.remove(value);
            }
        }
        if values.counted.is_empty() && values.held.is_empty() {
            self.0.drop_where(|w, _| w == window);
        }
    }

    /// Forgets windows that are closed at `now` and in which nothing reserves; not those after
    /// `earliest`, the start of the first window that is still to be billed without a call.
    pub(crate) fn forget_closed(
        &mut self,
        plan: &Plan,
        now: Timestamp,
        earliest: Option<Timestamp>,
    ) {
        self.0.drop_where(|window, values| {
            values.held.is_empty()
                && closes_at(window, plan).is_some_and(|closes| closes <= now)
                && earliest.is_none_or(|earliest| window.end <= earliest)
        });
    }

    /// What was counted, by window, for a snapshot.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (Window, &BTreeMap<String, Exact>)> {
        let windows = self.0.iter().map(|(window, values)| (*window, &values.counted));
        windows.filter(|(_, counted)| !counted.is_empty())
    }

    /// Restores a window from a snapshot; they come in order, before any hold.
    pub(crate) fn restore(&mut self, window: Window, counted: BTreeMap<String, Exact>) {
        self.0.push(window, Values { counted, held: BTreeMap::new() });
    }
}

/// The units that a hold holds under the limit of this index.
fn units_of(hold: &Hold, index: usize) -> u128 {
    hold.limited
        .iter()
        .find(|(limit, _)| *limit == index)
        .map_or(0, |(_, units)| u128::from(*units))
}
