//! Credit limits: how much may be owed beyond what grants will pay.
//!
//! What is owed is what was billed and not credited or collected. A call is admitted if owed, and all
//! that open holds can still cost, is at most the limit and the money in grants that *back every open
//! hold and the call*: each of them may pay every charge of each. Then, as each hold settles within
//! what it reserved, its cost leaves the reserve; what grants pay of it leaves their balances, and only
//! the rest is owed: both sides fall alike, or the left one more. And if a call owes anything, then
//! every backing grant is empty, since a call draws on all it can use: so what is owed stays within the
//! limit alone. A grant that backs only some holds is not counted, for another call might empty it
//! first. The sum is a bound: it may refuse what in the end would have been paid, never the reverse.

use alloc::string::String;

use crate::{
    account::{Books, Given, Room, aggregate_of, payable},
    amount::Exact,
    error::Result,
    meter::Hold,
    plan::{LimitRule, Plan},
    time::{Timestamp, Window},
};

/// The credit limit that leaves the least, where one has no room for `more` of a call at `at`. `backing`
/// is the sum of [`backing`], `owed` what the subscription owes. In the trial there is one more limit,
/// of nothing, after those of the plan.
pub(crate) fn credit_room(
    books: Books<'_>,
    at: Timestamp,
    (owed, backing): (Exact, Exact),
    more: Exact,
) -> Result<Option<Room>> {
    let mut least: Option<Room> = None;
    let limits = books.plan.limits();
    let credits = limits.iter().enumerate().filter_map(|(index, limit)| match limit.rule {
        LimitRule::Credit { most } => Some((index, most)),
        _ => None,
    });
    let trial = books.account.in_trial(at).then_some((limits.len(), Exact::ZERO));
    for (index, most) in credits.chain(trial) {
        let most = most.checked_add(backing)?;
        let reserved = aggregate_of(books)?;
        let committed = owed.checked_add(reserved)?.checked_add(more)?;
        let available = most.minus_or_zero(owed).minus_or_zero(reserved);
        if committed > most && least.as_ref().is_none_or(|room| available < room.available) {
            least = Some(Room {
                limit: index,
                window: Window::ALWAYS,
                value: String::new(),
                most,
                spent: owed,
                available,
                committed,
            });
        }
    }
    Ok(least)
}

/// The money that grants will pay of whatever the holds come to: what every one of them may use for
/// all its charges. `usable` are the grants of the call, which covers `charges`.
pub(crate) fn backing<'a>(
    plan: &Plan,
    usable: &[Given],
    charges: impl Iterator<Item = usize> + Clone,
    holds: impl Iterator<Item = &'a Hold> + Clone,
) -> Result<Exact> {
    let mut sum = Exact::ZERO;
    for given in usable.iter().filter(|given| given.terms.credit.meter().is_none()) {
        let backs_call = charges.clone().all(|charge| given.terms.pays(charge));
        let backs_hold = |hold: &Hold| {
            let charges = hold.units.iter().map(|(charge, _)| *charge);
            let costs = hold.is_reserved() && !hold.units.is_empty();
            !costs || given.backs(hold.authorized_at, &hold.attributes, charges)
        };
        if backs_call && holds.clone().all(backs_hold) {
            sum = sum.checked_add(payable(plan.rounding(), given.balance))?;
        }
    }
    Ok(sum)
}

/// Of two limits that are short, the one that leaves less; of equals the first in the plan.
pub(crate) fn tighter(a: Option<Room>, b: Option<Room>) -> Option<Room> {
    match (a, b) {
        (Some(a), Some(b)) if (b.available, b.limit) < (a.available, a.limit) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}
