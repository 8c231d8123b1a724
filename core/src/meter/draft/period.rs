//! The receipt of a window that is billed without a call.

use alloc::collections::BTreeMap;

use super::{Asked, Draft, Due, HeadParts, Priced, draft, room_for};
use crate::{
    account::{Edge, Rated},
    crypto::Digest,
    error::{Code, Error, Result},
    meter::State,
    receipt::{Kind, period_subject},
    time::Timestamp,
};

/// Drafts the receipt of the next window that a charge or a commitment is billed for at an edge.
pub(crate) fn draft_period(
    state: &State,
    subscription_id: &Digest,
    line: usize,
    edge: Edge,
    issued_at: Timestamp,
) -> Result<Draft> {
    let (subscription, lane) = state.current(subscription_id)?;
    let (plan, account) = (&*subscription.plan, &subscription.account);
    let misplaced = |why| Error::new(Code::EntryMisplaced).because(why);
    let id = plan.line_id(line).ok_or_else(|| misplaced("no such charge"))?;
    let period = account
        .period(plan, line, edge)
        .filter(|period| period.due <= issued_at)
        .ok_or_else(|| misplaced("no window is due"))?;
    let (units_before, billed_before) = account.billed(plan, line, period.window);
    let line = Rated {
        charge: line,
        window: period.window,
        units_before,
        units: 0,
        billed_before,
        amount: period.total.minus_or_zero(billed_before),
    };
    // What no call is billed for has no attributes.
    let attributes = BTreeMap::new();
    let at = period.at.min(issued_at);
    let usable = account.grants.usable(plan, &attributes, at, issued_at)?;
    let rated = core::slice::from_ref(&line);
    let due = Due::whole(rated)?;
    let asked = Asked {
        hold: None,
        attributes: &attributes,
        at,
        units: &[],
        rated,
        needed: plan.rounding().compared(line.amount)?,
        usable: &usable,
        called: false,
        imported: false,
        part: false,
    };
    let short = room_for(state, subscription, &asked, state.owed(subscription)?)?;
    let room = short.map(|room| room.available);
    let priced = Priced::new(plan, lane, &due, room, &usable)?;
    let mut items = alloc::vec![line.item(plan)?, priced.item(lane, false)];
    items.extend(priced.draws);
    draft(
        lane,
        subscription.lane,
        items,
        HeadParts {
            kind: Kind::Period,
            subject: period_subject(edge.number(), id, period.window.start, units_before),
            authorized_at: at,
            issued_at,
            charge: priced.billed.amount,
            cumulative: lane.cumulative.checked_add(priced.billed.amount)?,
            credited: lane.credited,
            import: None,
        },
    )
}
