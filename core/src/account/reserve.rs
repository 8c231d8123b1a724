//! What open holds may still cost, and whether a limit has room.
//!
//! Holds reserve in aggregate: R is the sum over charges of the highest F that the outstanding units
//! can reach, less what is billed, so bounds need not add up call by call. For a limit that covers
//! only some of the holds the reserve is the smaller of R and the sum of those holds' own worst
//! cases. Where each receipt is rounded on its own, it is the sum of the worst cases, each rounded.

use crate::{
    account::Account,
    amount::{Exact, Rounding},
    error::Result,
    meter::Hold,
    plan::{LimitRule, Plan},
    time::{Timestamp, Window},
};

/// The limit with the least room, where there is too little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    /// The limit's index in the plan.
    pub(crate) limit: usize,
    /// The limit's window.
    pub(crate) window: Window,
    /// What may still be billed in it beside what is reserved; zero when it is overdrawn.
    pub(crate) available: Exact,
    /// What was billed in it, is reserved, and was asked for.
    pub(crate) committed: Exact,
}

/// Whether every spend limit that a call at `at` falls under has room for `more` beside what was
/// billed and what `holds` reserve. `None` when all have; otherwise the one that leaves the least.
pub(crate) fn room<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    at: Timestamp,
    more: Exact,
) -> Result<Option<Room>> {
    let mut least: Option<Room> = None;
    for (index, limit) in plan.limits().iter().enumerate() {
        let LimitRule::Spend { most, period } = limit.rule else { continue };
        let spent = account.spent.get(index).and_then(|windows| windows.containing(at));
        let window = spent.unwrap_or_else(|| account.window(plan, period, at));
        let found = one_limit(plan, account, holds.clone(), (index, most, window), more)?;
        if let Some(room) = found
            && least.as_ref().is_none_or(|least| room.available < least.available)
        {
            least = Some(room);
        }
    }
    Ok(least)
}

/// As [`room`], and whether the limits that the call does not fall under still have room for the
/// holds that do: a call moves the counters, which may raise what those can cost.
pub(crate) fn admit<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    at: Timestamp,
    more: Exact,
) -> Result<Option<Room>> {
    let own = room(plan, account, holds.clone(), at, more)?;
    if own.is_some() {
        return Ok(own);
    }
    for (index, limit) in plan.limits().iter().enumerate() {
        let LimitRule::Spend { most, period } = limit.rule else { continue };
        let mut last = account.window(plan, period, at);
        for hold in holds.clone().filter(|hold| hold.is_reserved()) {
            let window = account.window(plan, period, hold.authorized_at);
            if window == last || window == account.window(plan, period, at) {
                continue;
            }
            last = window;
            let limit = (index, most, window);
            if let Some(short) = one_limit(plan, account, holds.clone(), limit, Exact::ZERO)? {
                return Ok(Some(short));
            }
        }
    }
    Ok(None)
}

/// The room as it is without the hold that found too little: what is left, and what the hold asked
/// for.
pub(crate) fn without_hold<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    short: &Room,
) -> Result<(Room, Exact)> {
    let most = match plan.limits().get(short.limit).map(|limit| &limit.rule) {
        Some(LimitRule::Spend { most, .. }) => *most,
        _ => Exact::ZERO,
    };
    let (spent, reserved) = committed(plan, account, holds, short.limit, short.window)?;
    let before = spent.checked_add(reserved)?;
    let available = most.minus_or_zero(before);
    let needed = short.committed.minus_or_zero(before);
    Ok((Room { available, ..short.clone() }, needed))
}

/// What was billed in a limit's window, and what the holds in it reserve.
fn committed<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    index: usize,
    window: Window,
) -> Result<(Exact, Exact)> {
    let spent = account
        .spent
        .get(index)
        .and_then(|windows| windows.get(window).copied())
        .unwrap_or(Exact::ZERO);
    Ok((spent, reserve(plan, account, holds, window)?))
}

fn one_limit<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    (index, most, window): (usize, Exact, Window),
    more: Exact,
) -> Result<Option<Room>> {
    let (spent, reserved) = committed(plan, account, holds, index, window)?;
    let committed = spent.checked_add(reserved)?.checked_add(more)?;
    let available = most.minus_or_zero(spent).minus_or_zero(reserved);
    Ok((committed > most).then_some(Room { limit: index, window, available, committed }))
}

/// What the holds authorised in `window` may still cost together.
fn reserve<'a>(
    plan: &Plan,
    account: &Account,
    holds: impl Iterator<Item = &'a Hold> + Clone,
    window: Window,
) -> Result<Exact> {
    let mut open = holds.filter(|hold| hold.is_reserved());
    let carry = plan.rounding() == Rounding::Carry;
    if carry {
        let aggregate = aggregate(account)?;
        if aggregate == Exact::ZERO || open.clone().all(|h| window.contains(h.authorized_at)) {
            return Ok(aggregate);
        }
        let single = singly(plan, account, &mut open, window)?;
        return Ok(aggregate.min(single));
    }
    singly(plan, account, &mut open, window)
}

/// R: the sum of all counters' reserves.
pub(crate) fn aggregate(account: &Account) -> Result<Exact> {
    account
        .counters
        .iter()
        .flat_map(|windows| windows.iter())
        .try_fold(Exact::ZERO, |sum, (_, counter)| sum.checked_add(counter.reserve))
}

/// The sum of the worst cases of the holds authorised in `window`, each as a limit compares it.
fn singly(
    plan: &Plan,
    account: &Account,
    holds: &mut dyn Iterator<Item = &Hold>,
    window: Window,
) -> Result<Exact> {
    let mut sum = Exact::ZERO;
    for hold in holds {
        if !window.contains(hold.authorized_at) {
            continue;
        }
        let worst = worst_of(plan, account, hold)?;
        sum = sum.checked_add(plan.rounding().compared(worst)?)?;
    }
    Ok(sum)
}

/// The most that one hold can add to what is billed, wherever the others leave the counters.
fn worst_of(plan: &Plan, account: &Account, hold: &Hold) -> Result<Exact> {
    let mut worst = Exact::ZERO;
    for &(index, units) in &*hold.units {
        let (Some(charge), Some(windows)) =
            (plan.charges().get(index), account.counters.get(index))
        else {
            continue;
        };
        let window = account.window_of(plan, charge, windows, hold.authorized_at);
        let (counter, outstanding) =
            windows.get(window).map_or((0, 0), |c| (c.units, c.outstanding));
        let others = outstanding.saturating_sub(units);
        worst = worst.checked_add(charge.tariff.worst_increase(counter, others, units)?)?;
    }
    Ok(worst)
}
