//! What one limit has counted, and what open holds may still add to it: by window and value.

use alloc::{borrow::Cow, collections::BTreeSet};

use crate::{
    account::{ByValue, Ceiling, Windows, closes_at},
    amount::{Exact, Rounding},
    crypto::Digest,
    error::Result,
    meter::Hold,
    plan::{Limit, Plan},
    time::{Timestamp, Window},
};

/// One limit's counts, by *part*: a window, or a bucket of rolling windows, which have several. A limit
/// without `per` has the one value "".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(Windows<Values>);

/// A limit's counts in one part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// What calls have added: money, or units.
    counted: ByValue<Exact>,
    /// What reserves. It follows from the holds and is in no snapshot.
    held: ByValue<Held>,
}

/// The holds that reserve under one value in one part, or in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many.
    pub(crate) count: u64,
    /// The units that they hold, for a limit on units.
    pub(crate) units: u128,
    /// Their subjects, where the limit covers only some holds of the window.
    pub(crate) subjects: BTreeSet<Digest>,
    /// What they may cost at most, where the limit's reserve may be the sum of their worst cases.
    pub(crate) ceiling: Option<Ceiling>,
}

/// Whether the limit's reserve may be the sum of its holds' worst cases.
fn sums_holds(plan: &Plan, limit: &Limit) -> bool {
    limit.most_spend().is_some() && (limit.is_partial() || plan.rounding() != Rounding::Carry)
}

impl Values {
    fn has(&self, value: &str) -> bool {
        self.counted.contains(value) || self.held.contains(value)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.counted.names().chain(self.held.names())
    }

    fn len(&self) -> usize {
        let only_held = self.held.names().filter(|held| !self.counted.contains(held));
        self.counted.len().saturating_add(only_held.count())
    }
}

impl Tally {
    /// The limit's part that the instant lies in: one that is there already, or else a new one.
    fn part(
        &self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        at: Timestamp,
    ) -> Option<Window> {
        self.0.containing(at).or_else(|| limit.part(plan, started_at, at))
    }

    /// The limit's window of a call at this instant.
    pub(crate) fn window(
        &self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        at: Timestamp,
    ) -> Option<Window> {
        self.part(plan, limit, started_at, at).map(|part| limit.window(part))
    }

    /// The windows that a call in `own` adds to, as far as something may lie in them that does not lie in
    /// an earlier one: `own`, and of a rolling limit those that end with a later part that has the value.
    pub(crate) fn windows<'a>(
        &'a self,
        limit: &'a Limit,
        own: Window,
        value: &'a str,
    ) -> impl Iterator<Item = Window> + 'a {
        let later = self.0.iter().filter(move |(part, values)| {
            limit.rolling().is_some()
                && part.start >= own.end
                && limit.window(*part).start < own.end
                && values.has(value)
        });
        core::iter::once(own).chain(later.map(|(part, _)| limit.window(*part)))
    }

    /// The parts that lie in a window.
    fn inside(&self, window: Window) -> impl Iterator<Item = &(Window, Values)> {
        self.0.iter().filter(move |(part, _)| window.start <= part.start && part.end <= window.end)
    }

    pub(crate) fn counted(&self, window: Window, value: &str) -> Result<Exact> {
        let sums = self.inside(window).filter_map(|(_, values)| values.counted.get(value));
        sums.copied().try_fold(Exact::ZERO, Exact::checked_add)
    }

    pub(crate) fn held(&self, window: Window, value: &str) -> Cow<'_, Held> {
        let mut parts = self.inside(window).filter_map(|(_, values)| values.held.get(value));
        let mut held = parts.next().map_or_else(Cow::default, Cow::Borrowed);
        for part in parts {
            let sum = held.to_mut();
            sum.count = sum.count.saturating_add(part.count);
            sum.units = sum.units.saturating_add(part.units);
            sum.subjects.extend(&part.subjects);
            sum.ceiling = sum.ceiling.zip(part.ceiling).map(|(a, b)| a.plus(b));
        }
        held
    }

    /// Every window and value under which something reserves; of a rolling limit those that end with a
    /// part that has the value in `counted`, for the others have no more than one of these.
    pub(crate) fn busy<'a>(
        &'a self,
        limit: &'a Limit,
        counted: &'a Tally,
    ) -> impl Iterator<Item = (Window, &'a str)> + 'a {
        let held = move |rolls: bool| {
            let parts = self.0.iter().filter(move |_| limit.rolling().is_some() == rolls);
            parts.flat_map(|(part, values)| values.held.names().map(|value| (*part, value)))
        };
        let later = move |(part, value): (Window, &'a str)| {
            let windows = counted.windows(limit, limit.window(part), value);
            windows.map(move |window| (window, value))
        };
        let rolled: BTreeSet<(Window, &str)> = held(true).flat_map(later).collect();
        held(false).chain(rolled)
    }

    /// How many values the window has, if this one is new to it.
    pub(crate) fn values_without(&self, window: Window, value: &str) -> Option<u64> {
        if self.inside(window).any(|(_, values)| values.has(value)) {
            return None;
        }
        Some(self.values(window))
    }

    /// How many values a window has.
    pub(crate) fn values(&self, window: Window) -> u64 {
        let mut parts = self.inside(window).map(|(_, values)| values);
        let known = match (parts.next(), parts.next()) {
            (None, _) => 0,
            (Some(one), None) => one.len(),
            (Some(one), Some(two)) => {
                let all = [one, two].into_iter().chain(parts);
                all.flat_map(Values::names).collect::<BTreeSet<&str>>().len()
            }
        };
        u64::try_from(known).unwrap_or(u64::MAX)
    }

    /// When the parts of a limit's window that have the value leave it, one after the other, and the window
    /// of what is left: once, all together, where it does not roll. Not where that never comes.
    pub(crate) fn leaving<'a>(
        &'a self,
        plan: &'a Plan,
        limit: &'a Limit,
        window: Window,
        value: Option<&'a str>,
    ) -> impl Iterator<Item = (Timestamp, Window)> + 'a {
        let ends = limit.rolling().is_none().then_some((window, window.end));
        let rolled = self.inside(window).filter(move |(_, values)| {
            limit.rolling().is_some() && value.is_none_or(|value| values.has(value))
        });
        let rolled = rolled.map(move |(part, _)| (limit.reach(*part), part.end));
        let all = ends.into_iter().chain(rolled);
        all.filter(move |(reach, _)| closes_at(*reach, plan).is_some())
            .map(move |(reach, end)| (reach.end, Window { start: end, end: window.end }))
    }

    /// Adds what a call at this instant counts, less what its parts were counted too much.
    pub(crate) fn count(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        at: Timestamp,
        (value, more): (&str, Exact),
        over: Exact,
    ) -> Result<()> {
        self.change(plan, limit, (started_at, at), value, |sum| match sum {
            Some(sum) => sum.checked_add(more)?.checked_sub(over),
            None => Ok(more),
        })
    }

    /// Changes what calls at this instant counted.
    pub(crate) fn change(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        (started_at, at): (Timestamp, Timestamp),
        value: &str,
        change: impl Fn(Option<Exact>) -> Result<Exact>,
    ) -> Result<()> {
        let Some(part) = self.part(plan, limit, started_at, at) else { return Ok(()) };
        if let (Some(values), _) = self.0.open(part) {
            match values.counted.get_mut(value) {
                Some(sum) => *sum = change(Some(*sum))?,
                None => {
                    let new = change(None)?;
                    values.counted.open(value, || new);
                }
            }
        }
        Ok(())
    }

    /// A hold reserves from now on. Which ones do, and what they may cost, only a subscription's `own` tally
    /// knows.
    pub(crate) fn enter(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        started_at: Timestamp,
        hold: &Hold,
        index: usize,
        own: bool,
    ) {
        let Some(value) = limit.value(&hold.attributes) else { return };
        let Some(part) = self.part(plan, limit, started_at, hold.authorized_at) else { return };
        let (Some(values), _) = self.0.open(part) else { return };
        let new = || {
            let ceiling = (own && sums_holds(plan, limit)).then(Ceiling::default);
            Held { ceiling, ..Held::default() }
        };
        if let Some(held) = values.held.open(value, new) {
            held.count = held.count.saturating_add(1);
            held.units = held.units.saturating_add(units_of(plan, limit, hold, index));
            if own && limit.is_partial() {
                held.subjects.insert(hold.subject);
            }
            if let Some(ceiling) = &mut held.ceiling {
                ceiling.add(plan, hold);
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
        let Some(part) = self.part(plan, limit, started_at, hold.authorized_at) else { return };
        let Some(values) = self.0.get_mut(part) else { return };
        if let Some(held) = values.held.get_mut(value) {
            held.count = held.count.saturating_sub(1);
            held.units = held.units.saturating_sub(units_of(plan, limit, hold, index));
            held.subjects.remove(&hold.subject);
            if let Some(ceiling) = &mut held.ceiling {
                ceiling.remove(plan, hold);
            }
            if held.count == 0 {
                values.held.remove(value);
            }
        }
        if values.counted.is_empty() && values.held.is_empty() {
            self.0.drop_where(|other, _| other == part);
        }
    }

    /// Forgets parts of which every window is closed at `now` and in which nothing reserves; not those
    /// that have `earliest`, the first instant at which a window is still to be billed without a call.
    /// It is asked for only where something may be forgotten.
    pub(crate) fn forget_closed(
        &mut self,
        plan: &Plan,
        limit: &Limit,
        now: Timestamp,
        earliest: &dyn Fn() -> Option<Timestamp>,
    ) {
        self.0.drop_where(|part, values| {
            let reach = limit.reach(part);
            values.held.is_empty()
                && closes_at(reach, plan).is_some_and(|closes| closes <= now)
                && earliest().is_none_or(|earliest| reach.end <= earliest)
        });
    }

    /// What was counted, by part, for a snapshot.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (Window, &ByValue<Exact>)> {
        let parts = self.0.iter().map(|(part, values)| (*part, &values.counted));
        parts.filter(|(_, counted)| !counted.is_empty())
    }

    /// Restores a part from a snapshot; they come in order, before any hold.
    pub(crate) fn restore(&mut self, part: Window, counted: ByValue<Exact>) {
        self.0.push(part, Values { counted, held: ByValue::default() });
    }
}

/// The units that a hold holds under the limit of this index, beside those that its parts used.
fn units_of(plan: &Plan, limit: &Limit, hold: &Hold, index: usize) -> u128 {
    let held = hold.limited.iter().find(|(limit, _)| *limit == index).map_or(0, |held| held.1);
    let parts = hold.parts.as_ref();
    let used =
        parts.and_then(|parts| limit.units(|meter| parts.quantity(plan, meter))).unwrap_or(0);
    u128::from(held.saturating_sub(used))
}
