//! What a call draws on its grants: units before anything is priced, money when the price is known.

use alloc::{string::String, vec::Vec};

use crate::{
    account::{Given, Rated},
    amount::{Exact, Rounding},
    error::Result,
    meter::ReservedUnits,
    plan::{Aggregate, Credit, Grant, Plan},
    receipt::Item,
    time::Timestamp,
};

/// What a hold reserves of grants in units, taken off what its charges will count. `own` is what the
/// call's own hold reserved: it is the call's to use again.
pub(crate) fn draw_units(
    plan: &Plan,
    usable: &[Given],
    own: &[ReservedUnits],
    units: &mut Vec<(usize, u64)>,
) -> Result<Vec<Drawn>> {
    let mut drawn = Vec::new();
    for given in usable {
        let Credit::Units { meter, .. } = &given.terms.credit else { continue };
        let counts = |charge: usize| {
            let found = plan.charges().get(charge);
            found.is_some_and(|c| c.meter == *meter && c.aggregate == Aggregate::Sum)
        };
        let Some(wanted) = units.iter().find(|(charge, _)| counts(*charge)).map(|(_, n)| *n) else {
            continue;
        };
        let held = own
            .iter()
            .find(|part| part.grant == given.terms.id && part.given_at == given.given_at)
            .map_or(0, |part| part.units);
        let taken = wanted.min(given.free().saturating_add(held));
        if taken == 0 {
            continue;
        }
        for (_, left) in units.iter_mut().filter(|(charge, _)| counts(*charge)) {
            *left = left.saturating_sub(taken);
        }
        units.retain(|(charge, left)| *left > 0 || !counts(*charge));
        let balance = if given.voided {
            given.reserved.saturating_sub(held)
        } else {
            given.units().saturating_sub(taken)
        };
        drawn.push(Drawn {
            grant: given.terms.id.clone(),
            given_at: given.given_at,
            meter: meter.clone(),
            units: taken,
            balance,
        });
    }
    Ok(drawn)
}

/// Units that one grant pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) grant: String,
    pub(crate) given_at: Timestamp,
    pub(crate) meter: String,
    pub(crate) units: u64,
    pub(crate) balance: u64,
}

/// What grants in money pay of a call's charges, and what is left to bill. `price` is what the call
/// costs as the plan's rounding compares it; where receipts are rounded, grants pay whole units.
pub(crate) fn draw_money(
    rounding: Rounding,
    usable: &[Given],
    rated: &[Rated],
    price: Exact,
) -> Result<(Vec<Item>, Exact)> {
    let (mut rest, mut drawn) = (price, Vec::new());
    let mut lines: Vec<(usize, Exact)> =
        rated.iter().map(|line| (line.charge, line.amount)).filter(|(_, a)| !a.is_zero()).collect();
    for given in usable {
        if rest.is_zero() {
            break;
        }
        if given.terms.credit.meter().is_some() {
            continue;
        }
        let covered = |line: &(usize, Exact)| line.1.is_zero() || given.terms.pays(line.0);
        let most = if lines.iter().all(covered) {
            rest
        } else {
            let in_scope = lines.iter().filter(|line| given.terms.pays(line.0));
            let sum = in_scope.map(|line| line.1).try_fold(Exact::ZERO, Exact::checked_add)?;
            rest.min(sum)
        };
        let amount = payable(rounding, given.balance.min(most));
        if amount.is_zero() {
            continue;
        }
        rest = rest.checked_sub(amount)?;
        pay_lines(&given.terms, &mut lines, amount)?;
        drawn.push(Item::Draw {
            grant: given.terms.id.clone(),
            given_at: given.given_at,
            amount,
            balance: given.balance.checked_sub(amount)?,
        });
    }
    Ok((drawn, rest))
}

/// Takes what a grant pays off the lines that it may pay: (charge, what is left of its amount).
pub(crate) fn pay_lines(terms: &Grant, lines: &mut [(usize, Exact)], amount: Exact) -> Result<()> {
    let mut paid = amount;
    for (charge, left) in lines {
        if terms.pays(*charge) {
            let part = paid.min(*left);
            paid = paid.checked_sub(part)?;
            *left = left.checked_sub(part)?;
        }
    }
    Ok(())
}

/// What grants can pay of an amount: all of it under `carry`, else whole units.
pub(crate) fn payable(rounding: Rounding, amount: Exact) -> Exact {
    match rounding {
        Rounding::Carry => amount,
        _ => Exact::from_amount(amount.floor()),
    }
}
