//! What open holds may still cost, and whether a limit has room.
//!
//! Holds reserve in aggregate: R is the sum over charges of the highest F that the outstanding units
//! can reach, less what is billed, so bounds need not add up call by call. For a limit that covers
//! only some of the holds the reserve is the smaller of R and the sum of those holds' own worst
//! cases. Where each receipt is rounded on its own, it is the sum of the worst cases, each rounded.

use alloc::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
};

use crate::{
    account::{Account, Counter, Held, Tally, counters::price_left},
    amount::{Exact, Rounding},
    crypto::Digest,
    error::Result,
    meter::{Hold, PartLine, State, Subscription},
    plan::Plan,
    time::{Timestamp, Window},
};

/// What admission looks at.
#[derive(Clone, Copy)]
pub(crate) struct Books<'a> {
    pub(crate) plan: &'a Plan,
    /// What reserves, and what the subscription's own limits have counted.
    pub(crate) account: &'a Account,
    /// The counters: the account's, or as a call would leave them.
    pub(crate) counters: &'a Account,
    /// The subscription's holds.
    pub(crate) holds: &'a BTreeMap<Digest, Hold>,
    /// A hold that reserves no longer, because it is being settled.
    pub(crate) without: Option<&'a Hold>,
    /// Where the payer's other subscriptions are found, and what limits have counted that they share.
    pub(crate) state: &'a State,
    pub(crate) subscription: &'a Subscription,
}

impl<'a> Books<'a> {
    /// A subscription as it stands.
    pub(crate) fn of(state: &'a State, subscription: &'a Subscription) -> Books<'a> {
        let Subscription { plan, account, holds, .. } = subscription;
        Books { plan, account, counters: account, holds, without: None, state, subscription }
    }

    /// What a limit has counted: in the subscription alone, or in all that share it.
    fn tally(self, index: usize) -> Option<&'a Tally> {
        self.state.tally(self.subscription, index)
    }
}

/// A spend limit that has too little room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    /// The limit's index in the plan.
    pub(crate) limit: usize,
    /// The limit's window.
    pub(crate) window: Window,
    /// The limit's value of `per`, or "".
    pub(crate) value: String,
    /// The limit.
    pub(crate) most: Exact,
    /// What was billed in it.
    pub(crate) spent: Exact,
    /// What may still be billed in it beside what is reserved; zero when it is overdrawn.
    pub(crate) available: Exact,
    /// What was billed in it, is reserved, and was asked for.
    pub(crate) committed: Exact,
}

/// One value of a spend limit in one window.
#[derive(Clone, Copy)]
struct Place<'a> {
    limit: usize,
    tally: &'a Tally,
    window: Window,
    value: &'a str,
    most: Exact,
}

/// Whether every spend limit that covers a call at `at` with these attributes has room for `more`
/// beside what was billed and what holds reserve. `None` when all have; otherwise the one that leaves
/// the least.
pub(crate) fn room(
    books: Books<'_>,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
    more: Exact,
) -> Result<Option<Room>> {
    let mut least: Option<Room> = None;
    for (index, limit) in books.plan.limits().iter().enumerate() {
        if let Some(most) = limit.most_spend()
            && let Some(value) = limit.value(attributes)
            && let Some(tally) = books.tally(index)
            && let Some(window) = books.account.limit_window(books.plan, limit, tally, at)
        {
            for window in tally.windows(limit, window, value) {
                let place = Place { limit: index, tally, window, value, most };
                if let Some(room) = one_limit(books, place, more)?
                    && least.as_ref().is_none_or(|least| room.available < least.available)
                {
                    least = Some(room);
                }
            }
        }
    }
    Ok(least)
}

/// As [`room`], and whether the windows and values that the call does not fall under still have room
/// for the holds that do: a call moves the counters, which may raise what those can cost.
pub(crate) fn admit(
    books: Books<'_>,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
    more: Exact,
) -> Result<Option<Room>> {
    let own = room(books, attributes, at, more)?;
    if own.is_some() {
        return Ok(own);
    }
    for (index, limit) in books.plan.limits().iter().enumerate() {
        let (Some(most), Some(tally), Some(held)) =
            (limit.most_spend(), books.tally(index), books.account.tallies.get(index))
        else {
            continue;
        };
        let own =
            books.account.limit_window(books.plan, limit, tally, at).zip(limit.value(attributes));
        for (window, value) in held.busy(limit, tally) {
            let asked = own.is_some_and(|(own, of)| {
                of == value && tally.windows(limit, own, of).any(|asked| asked == window)
            });
            if asked {
                continue;
            }
            let place = Place { limit: index, tally, window, value, most };
            if let Some(short) = one_limit(books, place, Exact::ZERO)? {
                return Ok(Some(short));
            }
        }
    }
    Ok(None)
}

/// The room as it is without the hold that found too little: what is left, and what the hold asked
/// for.
pub(crate) fn without_hold(books: Books<'_>, short: &Room) -> Result<(Room, Exact)> {
    let own = reserve_of(books, short.limit, short.window, &short.value)?;
    let others = reserve_of_others(books, short.limit, short.window, &short.value)?;
    left_by(own.checked_add(others)?, short)
}

/// What a limit leaves beside this reserve, and what was asked for beyond it.
pub(crate) fn left_by(reserved: Exact, short: &Room) -> Result<(Room, Exact)> {
    let before = short.spent.checked_add(reserved)?;
    let available = short.most.minus_or_zero(before);
    let needed = short.committed.minus_or_zero(before);
    Ok((Room { available, ..short.clone() }, needed))
}

fn one_limit(books: Books<'_>, place: Place<'_>, more: Exact) -> Result<Option<Room>> {
    let Place { limit, tally, window, value, most } = place;
    let spent = tally.counted(window, value)?;
    let others = reserve_of_others(books, limit, window, value)?;
    let taken = spent.checked_add(others)?;
    // R is never below the reserve: what has room beside it needs no look at the holds.
    if books.plan.rounding() == Rounding::Carry {
        let all = aggregate(books.counters)?;
        let sum = taken.checked_add(all).and_then(|sum| sum.checked_add(more));
        if sum.is_ok_and(|sum| sum <= most) {
            return Ok(None);
        }
    }
    let own = books.account.tallies.get(limit);
    let held = own.map_or_else(Cow::default, |own| own.held(window, value));
    // Nor is what the holds may cost wherever the counters stand, and what leases left unbilled.
    if let Some(most_held) = held.ceiling.and_then(|ceiling| ceiling.most()) {
        let most_held = most_held.checked_add(books.counters.short()?);
        let sum = most_held.and_then(|held| taken.checked_add(held)?.checked_add(more));
        if sum.is_ok_and(|sum| sum <= most) {
            return Ok(None);
        }
    }
    let reserved = reserve(books, &held, window)?.checked_add(others)?;
    let committed = spent.checked_add(reserved)?.checked_add(more)?;
    let available = most.minus_or_zero(spent).minus_or_zero(reserved);
    let value = value.to_string();
    Ok((committed > most).then_some(Room {
        limit,
        window,
        value,
        most,
        spent,
        available,
        committed,
    }))
}

/// What the subscription's holds of one value in one window of a limit may still cost together.
fn reserve_of(books: Books<'_>, limit: usize, window: Window, value: &str) -> Result<Exact> {
    match books.account.tallies.get(limit) {
        Some(tally) => reserve(books, &tally.held(window, value), window),
        None => Ok(Exact::ZERO),
    }
}

/// What the holds of the other subscriptions that share a limit may still cost there.
fn reserve_of_others(books: Books<'_>, limit: usize, window: Window, value: &str) -> Result<Exact> {
    let Books { state, subscription, .. } = books;
    let mut others = state.sharing_with(subscription, limit);
    others.try_fold(Exact::ZERO, |sum, (other, index)| {
        sum.checked_add(reserve_of(Books::of(state, other), index, window, value)?)
    })
}

/// What the holds of one value in one window may still cost together.
fn reserve(books: Books<'_>, held: &Held, window: Window) -> Result<Exact> {
    let without = books.without.filter(|hold| hold.is_reserved());
    // What returned leases left unbilled, any call may have to pay.
    let short = books.counters.short()?;
    let carry = books.plan.rounding() == Rounding::Carry;
    let reserving = books.account.holds.saturating_sub(u64::from(without.is_some()));
    let own = without.is_some_and(|hold| is_inside(hold, held, window));
    let inside = held.count.saturating_sub(u64::from(own));
    if inside == 0 {
        return Ok(short);
    }
    if !carry {
        return worst_cases(books, held, window);
    }
    let all = aggregate(books.counters)?;
    if all.is_zero() || inside == reserving {
        return Ok(all);
    }
    Ok(all.min(worst_cases(books, held, window)?.checked_add(short)?))
}

/// Whether the hold, which reserves, is one of these.
fn is_inside(hold: &Hold, held: &Held, window: Window) -> bool {
    match held.subjects.is_empty() {
        true => window.contains(hold.authorized_at),
        false => held.subjects.contains(&hold.subject),
    }
}

/// What all holds may still cost together, as a limit compares it.
pub(crate) fn aggregate_of(books: Books<'_>) -> Result<Exact> {
    if books.plan.rounding() == Rounding::Carry {
        return aggregate(books.counters);
    }
    singly(books, &BTreeSet::new(), Window::ALWAYS)
}

/// R: the sum of all counters' reserves.
pub(crate) fn aggregate(account: &Account) -> Result<Exact> {
    account
        .counters
        .iter()
        .flat_map(|windows| windows.iter())
        .try_fold(Exact::ZERO, |sum, (_, counter)| sum.checked_add(counter.reserve))
}

/// The sum of the holds' worst cases, from their ceiling where no price depends on a counter.
fn worst_cases(books: Books<'_>, held: &Held, window: Window) -> Result<Exact> {
    if let Some(mut ceiling) = held.ceiling {
        if let Some(without) = books.without.filter(|hold| is_inside(hold, held, window)) {
            ceiling.remove(books.plan, without);
        }
        if let Some(sum) = ceiling.exactly() {
            return Ok(sum);
        }
    }
    singly(books, &held.subjects, window)
}

/// The sum of the holds' worst cases, each as a limit compares it: of these holds, or of all in the
/// window.
fn singly(books: Books<'_>, subjects: &BTreeSet<Digest>, window: Window) -> Result<Exact> {
    let mut sum = Exact::ZERO;
    let mut add = |hold: &Hold| -> Result<()> {
        if books.without.is_none_or(|without| without.subject != hold.subject) {
            sum = sum.checked_add(worst_case(books, hold)?)?;
        }
        Ok(())
    };
    if subjects.is_empty() {
        let reserving = books.holds.values().filter(|hold| hold.is_reserved());
        for hold in reserving.filter(|hold| window.contains(hold.authorized_at)) {
            add(hold)?;
        }
    } else {
        for hold in subjects.iter().filter_map(|subject| books.holds.get(subject)) {
            add(hold)?;
        }
    }
    Ok(sum)
}

/// The most that one hold can still be charged, as a limit compares it: beside what its parts were.
fn worst_case(books: Books<'_>, hold: &Hold) -> Result<Exact> {
    let worst = worst_of(books, hold)?;
    let Some(parts) = &hold.parts else { return books.plan.rounding().compared(worst) };
    let so_far = parts.lines.iter().map(|line| line.amount);
    let price = so_far.into_iter().try_fold(worst, Exact::checked_add)?;
    Ok(books.plan.rounding().compared(price)?.minus_or_zero(parts.priced()?))
}

/// The most that one hold can add to what is billed, wherever the others leave the counters.
fn worst_of(books: Books<'_>, hold: &Hold) -> Result<Exact> {
    let mut worst = Exact::ZERO;
    for &(index, most) in &*hold.units {
        let (Some(charge), Some(windows)) =
            (books.plan.charges().get(index), books.counters.counters.get(index))
        else {
            continue;
        };
        let window = books.counters.window_of(books.plan, charge, windows, hold.authorized_at);
        let charge = books.counters.charge_in(charge, window)?;
        let none = Counter::default();
        let counter = windows.get(window).unwrap_or(&none);
        let used = PartLine::used(hold.lines(), index);
        let more = match charge.tariff.is_per_call() {
            true => price_left(&charge.tariff, most, used)?,
            false => counter.worst(&charge, most.saturating_sub(used), hold.caller())?,
        };
        worst = worst.checked_add(more)?;
    }
    Ok(worst)
}
