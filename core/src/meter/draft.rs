//! Making receipts: from facts and the state before to head and body.
//!
//! The meter drafts what it records, and an auditor drafts the same receipt again from the recorded
//! facts: both use the functions here, so a recorded receipt either is this result or is wrong.

mod credit;
mod part;
mod period;

pub(crate) use credit::{CreditFacts, draft_credit};
pub(crate) use period::draft_period;

use self::part::{Due, counts_parts, part_item, surplus, take_granted};

use alloc::{borrow::Cow, collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    account::{
        Books, Caller, Given, Rated, Room, admit, backing, closes_at, credit_room, draw_money,
        draw_units, room, tighter,
    },
    amount::{Amount, Billed, Exact, Rounding},
    crypto::Digest,
    entry::{ImportMark, ReceiptEntry},
    error::{Code, Error, Result},
    lease::Lease,
    meter::{Hold, Lane, State, Subscription},
    plan::{Call, Late, Plan},
    receipt::{Body, Head, Item, Kind, Receipt, window_subject},
    time::{Timestamp, Window},
    usage::Usage,
};

/// What a call's receipt is made from.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub(crate) subscription: Digest,
    pub(crate) subject: Digest,
    pub(crate) usage: &'a Usage,
    pub(crate) attributes: &'a BTreeMap<String, String>,
    pub(crate) content: Digest,
    pub(crate) authorized_at: Timestamp,
    pub(crate) issued_at: Timestamp,
    pub(crate) import: Option<&'a ImportMark>,
    /// Whether the call goes on.
    pub(crate) part: bool,
}

impl Facts<'_> {
    /// What decides which charges price it.
    pub(crate) fn call(&self) -> Call<'_> {
        Call { usage: self.usage, attributes: self.attributes, at: self.authorized_at }
    }
}

/// A receipt as it would be recorded, before anything is hashed. An auditor compares it with one whose
/// hashes are checked already.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The head; its `body` is zero.
    pub(crate) head: Head,
    pub(crate) items: Vec<Item>,
    pub(crate) import: Option<ImportMark>,
    pub(crate) corrects: Option<Arc<Receipt>>,
}

/// The draft of a call, and the limit that cut it short, if one did.
#[derive(Debug, Clone)]
pub(crate) struct CallDraft {
    pub(crate) draft: Draft,
    pub(crate) needed: Exact,
    pub(crate) short: Option<Room>,
}

impl Draft {
    /// Hashes body and head.
    pub(crate) fn seal(self, salt: Digest) -> ReceiptEntry {
        let Draft { head, items, import, corrects } = self;
        let body = Body { salt, items };
        let head = Head { body: body.root(), ..head };
        ReceiptEntry { digest: head.digest(), head, body, import, corrects }
    }
}

/// Drafts the receipt of a call.
pub(crate) fn draft_call(state: &State, facts: &Facts<'_>) -> Result<CallDraft> {
    let (subscription, _) = state.current(&facts.subscription)?;
    subscription.need_open()?;
    if facts.part {
        subscription.need_whole()?;
    }
    check_windows(state, subscription, facts.authorized_at, facts.issued_at)?;
    let hold = subscription.holds.get(&facts.subject);
    if let Some(parts) = hold.and_then(|hold| hold.parts.as_ref()) {
        parts.check_reading(|meter| facts.usage.get(meter))?;
    }
    draft_units(state, facts, subscription.plan.charged_units(&facts.call())?)
}

/// Drafts the receipt of a call whose windows are open and whose charged units are these.
pub(crate) fn draft_units(
    state: &State,
    facts: &Facts<'_>,
    mut units: Vec<(usize, u64)>,
) -> Result<CallDraft> {
    let (subscription, lane) = state.current(&facts.subscription)?;
    let plan = &*subscription.plan;
    let hold = subscription.holds.get(&facts.subject);
    let parts = hold.and_then(|hold| hold.parts.as_deref());
    if let Some(parts) = parts {
        take_granted(plan, &parts.granted, &mut units);
    }
    let (at, issued_at) = (facts.authorized_at, facts.issued_at);
    subscription.account.skip_fees(plan, &mut units, at);
    let late = hold.is_some_and(|hold| !hold.is_reserved());
    let free = late && plan.times().late == Late::Mark;
    let usable = match free {
        true => Vec::new(),
        false => subscription.account.grants.usable(plan, facts.attributes, at, issued_at)?,
    };
    let own = hold.filter(|hold| hold.is_reserved()).map_or(&[][..], |hold| &*hold.reserved);
    let granted = draw_units(plan, &usable, own, &mut units)?;
    if facts.part {
        units.retain(|(charge, _)| counts_parts(plan, *charge));
    }
    let attributes = hold.map_or(facts.attributes, |hold| &hold.attributes);
    let earlier = parts.map_or(&[][..], |parts| &parts.lines);
    if let Some(parts) = parts {
        parts.add_left(&mut units);
    }
    let caller = Caller { attributes, at };
    let mut rated = subscription.account.rate(plan, &units, caller, earlier)?;
    if let Some(parts) = parts.filter(|_| facts.part) {
        parts.keep_billed(&mut rated)?;
    }
    let due = match (parts, facts.part) {
        (None, false) => Due::whole(&rated)?,
        _ => Due::of_part(plan, parts, &rated)?,
    };
    let needed = plan.rounding().compared(due.price)?;
    let asked = Asked {
        hold,
        attributes,
        at,
        units: &units,
        rated: &rated,
        needed,
        usable: &usable,
        called: true,
        imported: facts.import.is_some(),
        part: facts.part,
    };
    let (short, room) = match &subscription.lease {
        // The lender's limits have room for all of it.
        Some(lease) => (None, Some(left_of_lease(plan, lease, &rated, at)?)),
        None => {
            let short = room_for(state, subscription, &asked, state.owed(subscription)?)?;
            let room = short.as_ref().map(|room| room.available);
            (short, room)
        }
    };
    let priced = match free {
        true => Priced::marked(plan, lane, &due)?,
        false => Priced::new(plan, lane, &due, room, &usable)?,
    };
    let surplus = match facts.part {
        true => None,
        false => surplus(plan, lane, parts, &rated)?,
    };

    let mut items =
        Vec::with_capacity(rated.len().saturating_add(facts.attributes.len()).saturating_add(8));
    for (meter, quantity) in facts.usage.iter() {
        items.push(Item::Quantity { meter: String::from(meter), quantity });
    }
    for drawn in granted {
        items.push(Item::DrawUnits {
            grant: drawn.grant,
            given_at: drawn.given_at,
            meter: drawn.meter,
            units: drawn.units,
            balance: drawn.balance,
        });
    }
    for line in rated {
        items.push(line.item(plan)?);
    }
    if facts.part || parts.is_some() {
        items.push(part_item(parts)?);
    }
    items.push(priced.item(lane, late));
    items.extend(priced.draws);
    let mut credited = lane.credited;
    if let Some((exact, billed)) = surplus {
        credited = credited.checked_add(billed.amount)?;
        items.push(Item::Surplus {
            exact,
            remainder_before: lane.credited_remainder,
            remainder_after: billed.remainder,
        });
    }
    for (name, value) in facts.attributes {
        items.push(Item::Attribute { name: name.clone(), value: value.clone() });
    }
    items.push(Item::Source {
        surface: facts.usage.surface(),
        basis: facts.usage.basis(),
        content: facts.content,
    });
    let cumulative = lane.cumulative.checked_add(priced.billed.amount)?;
    let draft = draft(
        lane,
        subscription.lane,
        items,
        HeadParts {
            kind: if facts.part { Kind::Part } else { Kind::Call },
            subject: facts.subject,
            authorized_at: facts.authorized_at,
            issued_at: facts.issued_at,
            charge: priced.billed.amount,
            cumulative,
            credited,
            import: facts.import.cloned(),
        },
    )?;
    Ok(CallDraft { draft, needed, short })
}

/// Drafts the true-up of a window that was billed more than it costs.
pub(crate) fn draft_true_up(
    state: &State,
    subscription_id: &Digest,
    charge_index: usize,
    window: Window,
    issued_at: Timestamp,
) -> Result<Draft> {
    let (subscription, lane) = state.current(subscription_id)?;
    let plan = &*subscription.plan;
    let misplaced = |why| Error::new(Code::EntryMisplaced).because(why);
    let charge = plan.charges().get(charge_index).ok_or_else(|| misplaced("no such charge"))?;
    let counter = subscription
        .account
        .counters
        .get(charge_index)
        .and_then(|windows| windows.get(window))
        .ok_or_else(|| misplaced("no such window"))?;
    let trued_up_at = subscription.account.trued_up_at(plan, charge, window);
    if trued_up_at.is_none_or(|at| at > issued_at) {
        return Err(misplaced("the window is still open"));
    }
    // What a window was billed is forgotten with its true-up.
    if subscription.account.awaits(charge_index, window) {
        return Err(misplaced("a window before it is still to be billed"));
    }
    if counter.leases != 0 {
        return Err(misplaced("a lease of the window is still out"));
    }
    let charge = &*subscription.account.charge_in(charge, window)?;
    let due = charge.tariff.due_at_close(counter.units, counter.billed)?;
    // Never more is given back than was charged: uncollected parts were billed to the counter only,
    // what grants paid was given, and what credits gave back is back. What the lanes of returned leases
    // charged, this one gives back.
    // As a limit compares it: rounded where receipts are, so that shares reverse what is credited.
    let exact = plan
        .rounding()
        .compared(counter.billed.minus_or_zero(due))?
        .min(plan.rounding().compared(counter.billed.minus_or_zero(counter.granted))?)
        .min(lane.uncredited_beside(subscription.returned)?);
    let billed = plan.rounding().bill(exact, lane.credited_remainder)?;
    let item = Item::Correction {
        charge: charge.id.clone(),
        window,
        units: counter.units,
        billed: counter.billed,
        due,
        exact,
        remainder_before: lane.credited_remainder,
        remainder_after: billed.remainder,
    };
    let credited = lane.credited.checked_add(billed.amount)?;
    draft(
        lane,
        subscription.lane,
        alloc::vec![item],
        HeadParts {
            kind: Kind::TrueUp,
            subject: window_subject(&charge.id, window.start),
            authorized_at: issued_at,
            issued_at,
            charge: Amount::ZERO,
            cumulative: lane.cumulative,
            credited,
            import: None,
        },
    )
}

/// What of a price is charged, what grants pay of it, and what is billed.
struct Priced {
    exact: Exact,
    uncollected: Exact,
    draws: Vec<Item>,
    billed: Billed,
}

impl Priced {
    /// What is due, cut to what a limit that is short or a lease leaves, less what grants pay.
    fn new(
        plan: &Plan,
        lane: &Lane,
        due: &Due<'_>,
        room: Option<Exact>,
        usable: &[Given],
    ) -> Result<Priced> {
        let price = due.price;
        let exact = match room {
            None => price,
            Some(room) => match plan.rounding() {
                Rounding::Carry => price.min(room),
                _ => price.min(Exact::from_amount(room.floor())),
            },
        };
        let compared = plan.rounding().compared(exact)?;
        let (draws, net) = draw_money(plan.rounding(), usable, &due.lines, compared)?;
        let billed = plan.rounding().bill(net, lane.cumulative_remainder)?;
        Ok(Priced { exact, uncollected: price.checked_sub(exact)?, draws, billed })
    }

    /// A late settle under a plan that marks it: nothing is charged.
    fn marked(plan: &Plan, lane: &Lane, due: &Due<'_>) -> Result<Priced> {
        let billed = plan.rounding().bill(Exact::ZERO, lane.cumulative_remainder)?;
        Ok(Priced { exact: Exact::ZERO, uncollected: due.price, draws: Vec::new(), billed })
    }

    fn item(&self, lane: &Lane, late: bool) -> Item {
        Item::Price {
            exact: self.exact,
            remainder_before: lane.cumulative_remainder,
            remainder_after: self.billed.remainder,
            uncollected: self.uncollected,
            late,
        }
    }
}

impl Rated {
    fn item(&self, plan: &Plan) -> Result<Item> {
        let id = plan.line_id(self.charge).ok_or(Code::EntryMisplaced)?;
        Ok(Item::Line {
            charge: String::from(id),
            window: self.window,
            units_before: self.units_before,
            units: self.units,
            billed_before: self.billed_before,
            amount: self.amount,
        })
    }
}

struct HeadParts {
    kind: Kind,
    subject: Digest,
    authorized_at: Timestamp,
    issued_at: Timestamp,
    charge: Amount,
    cumulative: Amount,
    credited: Amount,
    import: Option<ImportMark>,
}

fn draft(lane: &Lane, id: Digest, items: Vec<Item>, parts: HeadParts) -> Result<Draft> {
    let head = Head {
        lane: id,
        sequence: lane.sequence.checked_add(1).ok_or(Code::AmountOverflow)?,
        previous: lane.head,
        kind: parts.kind,
        subject: parts.subject,
        authorized_at: parts.authorized_at,
        issued_at: parts.issued_at,
        body: Digest::ZERO,
        charge: parts.charge,
        cumulative: parts.cumulative,
        credited: parts.credited,
    };
    Ok(Draft { head, items, import: parts.import, corrects: None })
}

/// The attributes of a hold and of what settles it. The hold's stand where both name one.
pub(crate) fn joined<'a>(
    hold: &'a BTreeMap<String, String>,
    settle: impl Iterator<Item = (&'a String, &'a String)>,
) -> Cow<'a, BTreeMap<String, String>> {
    let mut joined = Cow::Borrowed(hold);
    for (name, value) in settle {
        if !hold.contains_key(name) {
            joined.to_mut().insert(name.clone(), value.clone());
        }
    }
    joined
}

/// Every window that a call at `at` counts in must still be open at `now`, its lease too.
pub(crate) fn check_windows(
    state: &State,
    subscription: &Subscription,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let plan = &*subscription.plan;
    let lease = subscription.lease.iter().map(|lease| Window { start: lease.at, end: lease.until });
    for window in subscription.account.windows(plan, at).chain(lease) {
        if closes_at(window, plan).is_some_and(|closes| closes <= now) {
            return Err(Error::new(Code::WindowClosed).value(at));
        }
    }
    state.check_shared_windows(subscription, at)
}

/// Whether a reserved hold has room for the units in every charge.
fn covers(hold: &Hold, units: &[(usize, u64)]) -> bool {
    hold.is_reserved()
        && units.iter().all(|(charge, used)| {
            hold.units.iter().any(|(held, most)| held == charge && used <= most)
        })
}

/// What of a call's lines the lease pays for: those parts that lie in its intervals.
fn left_of_lease(plan: &Plan, lease: &Lease, rated: &[Rated], at: Timestamp) -> Result<Exact> {
    let mut sum = Exact::ZERO;
    for line in rated {
        let charge = plan.charges().get(line.charge).ok_or(Code::EntryMisplaced)?;
        let Some(interval) = lease.interval(&charge.id, at) else { continue };
        let spent = line.billed_before.checked_sub(interval.billed)?;
        let left = interval.cost(charge, interval.units)?.minus_or_zero(spent);
        sum = sum.checked_add(line.amount.min(left))?;
    }
    Ok(sum)
}

/// Whether the limits have no room for a lease that costs so much at most: it counts as a call would
/// that used all of it.
pub(crate) fn room_to_lend(
    state: &State,
    subscription: &Subscription,
    attributes: &BTreeMap<String, String>,
    at: Timestamp,
    rated: &[Rated],
    needed: Exact,
) -> Result<Option<Room>> {
    let (hold, units, usable) = (None, &[][..], &[][..]);
    let (called, imported, part) = (true, true, false);
    let asked =
        Asked { hold, attributes, at, units, rated, needed, usable, called, imported, part };
    room_for(state, subscription, &asked, Exact::ZERO)
}

/// What is asked of the limits: a call, or a window that is billed without one.
struct Asked<'a> {
    /// The hold that it settles, if any.
    hold: Option<&'a Hold>,
    /// Those by which limits cover it.
    attributes: &'a BTreeMap<String, String>,
    at: Timestamp,
    units: &'a [(usize, u64)],
    rated: &'a [Rated],
    /// What is due, as limits compare it.
    needed: Exact,
    /// The grants that may pay.
    usable: &'a [Given],
    /// Whether it is a call, and not a window that is billed without one.
    called: bool,
    /// Whether it was not authorised before: then every limit must have room, not its own alone.
    imported: bool,
    /// Whether the call goes on under its hold.
    part: bool,
}

/// Whether the limits have room for this beside every *other* hold.
fn room_for(
    state: &State,
    subscription: &Subscription,
    asked: &Asked<'_>,
    owed: Exact,
) -> Result<Option<Room>> {
    let plan = &*subscription.plan;
    let Asked { hold, attributes, at, units, rated, needed, usable, called, imported, part } =
        *asked;
    let (account, holds) = (&subscription.account, &subscription.holds);
    let charges = || rated.iter().map(|line| line.charge);
    let books = Books::of(state, subscription);
    if account.holds == 0 && account.short()?.is_zero() {
        let spend = room(books, attributes, at, needed)?;
        let backing = backing(plan, usable, charges(), core::iter::empty())?;
        return Ok(tighter(spend, credit_room(books, at, (owed, backing), needed)?));
    }
    let reserved = hold.filter(|hold| hold.is_reserved());
    // A call within its hold has room if all holds together have. They may not: a call that used more
    // than it held moves the counters under the others.
    let whole = !part && hold.is_none_or(|hold| hold.parts.is_none());
    if whole && reserved.is_some_and(|hold| covers(hold, units)) {
        let backing = backing(plan, usable, charges(), holds.values())?;
        if room(books, attributes, at, Exact::ZERO)?.is_none()
            && credit_room(books, at, (owed, backing), Exact::ZERO)?.is_none()
        {
            return Ok(None);
        }
    }
    let mut counters = account.counters_only();
    if let Some(hold) = reserved {
        counters.free(plan, &hold.units, hold.caller(), hold.lines())?;
    }
    if let Some(hold) = hold {
        counters.rewind(plan, hold.lines(), at)?;
    }
    counters.advance(plan, rated, Caller { attributes, at }, called)?;
    let books = Books { counters: &counters, without: reserved, ..books };
    let others =
        holds.values().filter(|other| hold.is_none_or(|hold| other.subject != hold.subject));
    let backing = backing(plan, usable, charges(), others)?;
    let credit = credit_room(books, at, (owed, backing), needed)?;
    let spend = match imported {
        true => admit(books, attributes, at, needed)?,
        false => room(books, attributes, at, needed)?,
    };
    Ok(tighter(spend, credit))
}
