//! What credits gave back of receipts: kept for ever, but only of receipts that have credits.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    amount::Exact,
    codec::Writer,
    crypto::{Digest, sha256},
    error::{Code, Error, Result},
    plan::whole,
    receipt::Item,
    time::Timestamp,
};

/// The credits of one subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GivenBack {
    /// By the digest of the receipt that is corrected.
    pub(crate) receipts: BTreeMap<Digest, Returned>,
    /// By the hash of the credit's id.
    pub(crate) credits: BTreeMap<Digest, Made>,
}

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

impl GivenBack {
    /// Records a credit by its digest and that of the receipt that it corrects: `items` are its own,
    /// `corrected` those of that receipt, which charged `cost`. Returns what had been given back of
    /// that before, and what is now.
    pub(crate) fn record(
        &mut self,
        (credit, receipt): (Digest, Digest),
        items: &[Item],
        corrected: &[Item],
        cost: Exact,
    ) -> Result<(Exact, Exact)> {
        let misplaced = |why| Error::new(Code::EntryMisplaced).because(why);
        let mut returned = self.receipts.get(&receipt).cloned().unwrap_or_default();
        let before = returned.money;
        let Some(Item::Credit { id, reason, amount, exact, .. }) = items.first() else {
            return Err(misplaced("a credit that does not say what it is"));
        };
        returned.money = returned.money.checked_add(*exact)?;
        let paid: Vec<Draw<'_>> = draws(corrected).collect();
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
        if returned.money > cost {
            return Err(misplaced("more than the receipt charged"));
        }
        let made = Made { input: credit_input(&receipt, *amount, reason), receipt: credit };
        let id = credit_subject(id);
        if self.credits.contains_key(&id) {
            return Err(misplaced("a credit twice"));
        }
        self.credits.insert(id, made);
        self.receipts.insert(receipt, returned);
        Ok((before, *exact))
    }
}
