//! What credits gave back of receipts: kept for ever, but only of receipts that have credits.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    amount::Exact,
    codec::Writer,
    crypto::{Digest, sha256},
    error::{Code, Error, Result},
    plan::whole,
    receipt::{Head, Item, charged_part},
    time::Timestamp,
};

/// The credits of one subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GivenBack {
    /// By the digest of the receipt that is corrected.
    pub(crate) receipts: BTreeMap<Digest, Returned>,
    /// By the hash of the credit's id.
    pub(crate) credits: BTreeMap<Digest, Made>,
    /// Of the calls that returned a surplus: what may still be given back of what their parts charged.
    pub(crate) calls: BTreeMap<CallKey, Exact>,
}

/// A call: its subject, and when it was authorised. An id may be used again once it is forgotten.
pub(crate) type CallKey = (Digest, Timestamp);

/// What was given back of one receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Returned {
    /// Of what it charged.
    pub(crate) money: Exact,
    /// Of each of its draws, in the order of its body; of units, their whole number.
    pub(crate) draws: Vec<Exact>,
}

/// A credit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// The hash of what was asked for.
    pub(crate) input: Digest,
    /// The digest of the credit's receipt.
    pub(crate) receipt: Digest,
}

/// What a grant paid of a receipt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw<'a> {
    pub(crate) grant: &'a str,
    pub(crate) given_at: Timestamp,
    /// The meter whose units it paid; `None` for money.
    pub(crate) meter: Option<&'a str>,
    /// Of units, their whole number.
    pub(crate) amount: Exact,
}

/// The draws of a body, in order: units before money.
pub(crate) fn draws(items: &[Item]) -> impl DoubleEndedIterator<Item = Draw<'_>> {
    items.iter().filter_map(|item| match item {
        Item::DrawUnits { grant, given_at, meter, units, .. } => {
            Some(Draw { grant, given_at: *given_at, meter: Some(meter), amount: whole(*units) })
        }
        Item::Draw { grant, given_at, amount, .. } => {
            Some(Draw { grant, given_at: *given_at, meter: None, amount: *amount })
        }
        _ => None,
    })
}

/// What a receipt of a credit gives back to a grant: id, instant of giving, amount.
pub(crate) fn returns(items: &[Item]) -> impl Iterator<Item = (&str, Timestamp, Exact)> {
    items.iter().filter_map(|item| match item {
        Item::ReturnedUnits { grant, given_at, units, .. } => {
            Some((grant.as_str(), *given_at, whole(*units)))
        }
        Item::Returned { grant, given_at, amount, .. } => {
            Some((grant.as_str(), *given_at, *amount))
        }
        _ => None,
    })
}

/// The hash of a credit's id.
pub(crate) fn credit_subject(id: &str) -> Digest {
    sha256(&[b"counterfoil/credit/0\n", id.as_bytes()])
}

/// The hash of what a credit asks for, by which a replay is told from a conflict.
pub(crate) fn credit_input(receipt: &Digest, amount: Option<Exact>, reason: &str) -> Digest {
    let mut w = Writer::new();
    w.raw(receipt.bytes()).flag(amount.is_some());
    if let Some(amount) = amount {
        w.raw(&amount.to_bytes());
    }
    w.text(reason);
    sha256(&[&w.0])
}

impl Returned {
    /// What was given back of the draw at this place.
    pub(crate) fn of_draw(&self, index: usize) -> Exact {
        self.draws.get(index).copied().unwrap_or(Exact::ZERO)
    }
}

/// A receipt that is corrected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Corrected<'a> {
    pub(crate) digest: Digest,
    pub(crate) call: CallKey,
    pub(crate) items: &'a [Item],
    /// What it charged.
    pub(crate) cost: Exact,
}

impl<'a> Corrected<'a> {
    pub(crate) fn of(digest: Digest, head: &Head, items: &'a [Item]) -> Result<Corrected<'a>> {
        let (before, after) = charged_part(head, items)?;
        let cost = after.checked_sub(before)?;
        Ok(Corrected { digest, call: (head.subject, head.authorized_at), items, cost })
    }
}

impl GivenBack {
    /// What may still be given back of the money of a receipt of this call that charged `cost`.
    pub(crate) fn left_of(&self, receipt: &Corrected<'_>) -> Exact {
        let returned = self.receipts.get(&receipt.digest).map_or(Exact::ZERO, |r| r.money);
        let left = receipt.cost.minus_or_zero(returned);
        self.calls.get(&receipt.call).map_or(left, |of_call| left.min(*of_call))
    }

    /// Records a credit by its digest and its items. Returns what had been given back of the receipt
    /// before, and what is now.
    pub(crate) fn record(
        &mut self,
        credit: Digest,
        items: &[Item],
        corrected: &Corrected<'_>,
    ) -> Result<(Exact, Exact)> {
        let misplaced = |why| Error::new(Code::EntryMisplaced).because(why);
        let receipt = corrected.digest;
        let left = self.left_of(corrected);
        let mut returned = self.receipts.get(&receipt).cloned().unwrap_or_default();
        let before = returned.money;
        let Some(Item::Credit { id, reason, amount, exact, .. }) = items.first() else {
            return Err(misplaced("a credit that does not say what it is"));
        };
        if *exact > left {
            return Err(misplaced("more than is left of what was charged"));
        }
        returned.money = returned.money.checked_add(*exact)?;
        let paid: Vec<Draw<'_>> = draws(corrected.items).collect();
        returned.draws.resize(paid.len(), Exact::ZERO);
        for (grant, given_at, amount) in returns(items) {
            let found = paid
                .iter()
                .zip(returned.draws.iter_mut())
                .find(|(draw, _)| draw.grant == grant && draw.given_at == given_at);
            let (draw, back) = found.ok_or_else(|| misplaced("a grant that paid nothing of it"))?;
            *back = back.checked_add(amount)?;
            if *back > draw.amount {
                return Err(misplaced("more than the grant paid"));
            }
        }
        let made = Made { input: credit_input(&receipt, *amount, reason), receipt: credit };
        let id = credit_subject(id);
        if self.credits.contains_key(&id) {
            return Err(misplaced("a credit twice"));
        }
        self.credits.insert(id, made);
        if let Some(of_call) = self.calls.get_mut(&corrected.call) {
            *of_call = of_call.checked_sub(*exact)?;
        }
        self.receipts.insert(receipt, returned);
        Ok((before, *exact))
    }
}
