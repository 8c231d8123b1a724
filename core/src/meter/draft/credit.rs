//! The receipt of a credit: what a receipt cost goes back, last paid first.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{Draft, HeadParts, draft};
use crate::{
    account::{Corrected, Returned, draws, payable},
    amount::{Amount, Exact},
    crypto::Digest,
    error::{Code, Error, Result},
    meter::State,
    receipt::{Item, Kind, Receipt},
    time::Timestamp,
};

/// What a credit's receipt is made from.
#[derive(Debug, Clone)]
pub(crate) struct CreditFacts<'a> {
    pub(crate) subscription: Digest,
    pub(crate) id: &'a str,
    pub(crate) reason: &'a str,
    /// `None` is all that is left.
    pub(crate) amount: Option<Exact>,
    pub(crate) corrects: &'a Arc<Receipt>,
    pub(crate) issued_at: Timestamp,
}

/// Drafts the receipt of a credit. What the lane charged goes back first, then what grants paid, the
/// last draw first: a refund reaches the purse that was opened last.
pub(crate) fn draft_credit(state: &State, facts: &CreditFacts<'_>) -> Result<Draft> {
    check_texts(facts)?;
    let (subscription, lane) = state.current(&facts.subscription)?;
    let plan = &*subscription.plan;
    let corrected = corrected(state, facts)?;
    let Corrected { digest, items, .. } = corrected;
    let given_back = &subscription.given_back;
    let none = Returned::default();
    let returned = given_back.receipts.get(&digest).unwrap_or(&none);
    let uncredited = lane.uncredited_beside(subscription.returned)?;
    let money = given_back.left_of(&corrected).min(uncredited);
    // (draw, the grant as it stands, what can go back to it), the last draw first.
    let paid: Vec<_> = draws(items).enumerate().collect();
    let mut back = Vec::new();
    let mut most = money;
    let grants = &subscription.account.grants;
    for (index, draw) in paid.into_iter().rev() {
        let given = grants.returnable(draw.grant, draw.given_at, facts.issued_at);
        let left = draw.amount.minus_or_zero(returned.of_draw(index));
        let Some(given) = given.filter(|_| !left.is_zero()) else { continue };
        if draw.meter.is_none() {
            most = most.checked_add(left)?;
        }
        back.push((draw, given, left));
    }
    let units = back.iter().any(|(draw, ..)| draw.meter.is_some());
    let mut rest = match facts.amount {
        None if most.is_zero() && !units => return Err(exceeded(Exact::ZERO)),
        None => most,
        Some(amount) if amount.is_zero() || payable(plan.rounding(), amount) != amount => {
            return Err(Error::new(Code::CreditInvalid)
                .value(amount)
                .because("more than nothing, and whole where receipts are rounded"));
        }
        Some(amount) if amount > most => return Err(exceeded(amount)),
        Some(amount) => amount,
    };
    let money = money.min(rest);
    rest = rest.checked_sub(money)?;
    let billed = plan.rounding().bill(money, lane.credited_remainder)?;
    let mut made = alloc::vec![Item::Credit {
        id: String::from(facts.id),
        reason: String::from(facts.reason),
        amount: facts.amount,
        exact: money,
        remainder_before: lane.credited_remainder,
        remainder_after: billed.remainder,
    }];
    for (draw, given, left) in back {
        let (grant, given_at) = (String::from(draw.grant), draw.given_at);
        match draw.meter {
            // Units have no price: they go back with everything else or not at all.
            Some(_) if facts.amount.is_some() => {}
            Some(meter) => {
                let units = u64::try_from(left.whole()).map_err(|_| Code::AmountOverflow)?;
                let balance = given.units().checked_add(units).ok_or(Code::AmountOverflow)?;
                let meter = String::from(meter);
                made.push(Item::ReturnedUnits { grant, given_at, meter, units, balance });
            }
            None => {
                let amount = left.min(rest);
                rest = rest.checked_sub(amount)?;
                if !amount.is_zero() {
                    let balance = given.balance.checked_add(amount)?;
                    made.push(Item::Returned { grant, given_at, amount, balance });
                }
            }
        }
    }
    let parts = HeadParts {
        kind: Kind::Credit,
        subject: digest,
        authorized_at: facts.issued_at,
        issued_at: facts.issued_at,
        charge: Amount::ZERO,
        cumulative: lane.cumulative,
        credited: lane.credited.checked_add(billed.amount)?,
        import: None,
    };
    let made = draft(lane, subscription.lane, made, parts)?;
    Ok(Draft { corrects: Some(Arc::clone(facts.corrects)), ..made })
}

fn check_texts(facts: &CreditFacts<'_>) -> Result<()> {
    for text in [facts.id, facts.reason] {
        if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
            return Err(Error::new(Code::TextInvalid)
                .value(text)
                .because("id and reason are 1 to 256 bytes without control characters"));
        }
    }
    Ok(())
}

/// The digest and the items of the receipt that is corrected: signed by this meter, with its body, of a
/// call, a part of one that has ended, or a period, of this subscription.
fn corrected<'a>(state: &State, facts: &CreditFacts<'a>) -> Result<Corrected<'a>> {
    let receipt = &**facts.corrects;
    let signer = state.instance()?.signer;
    let digest = receipt.clone().verify(signer)?.digest();
    let head = &receipt.head;
    let invalid = |why| {
        let place = alloc::format!("lane {} receipt {}", head.lane, head.sequence);
        Error::new(Code::CreditInvalid).because(why).at(place)
    };
    let body = receipt.body.as_ref().ok_or_else(|| invalid("its body is needed"))?;
    if !matches!(head.kind, Kind::Call | Kind::Part | Kind::Period) {
        return Err(invalid("only what charged something can be given back"));
    }
    if !state.has_receipt(&facts.subscription, &head.lane, head.sequence) {
        return Err(invalid("not a receipt of this subscription"));
    }
    // What a running call was charged may still come back as its surplus.
    if state.subscription(&facts.subscription)?.is_running(head) {
        return Err(invalid("its call goes on: settle or release it first"));
    }
    Corrected::of(digest, head, &body.items)
}

fn exceeded(amount: Exact) -> Error {
    Error::new(Code::CreditExceeded).value(amount)
}
