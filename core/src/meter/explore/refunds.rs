//! The checker's books of what calls were charged, receipt by receipt, and what of it went back.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
};

use super::watch::{add, atomic};
use crate::{
    amount::Exact,
    crypto::Digest,
    entry::ReceiptEntry,
    receipt::{Head, Item, Kind},
};

/// By the names of receipts, what each cost and what credits gave back of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refunds {
    paid: BTreeMap<String, Paid>,
    returned: BTreeMap<String, Paid>,
    /// By call: what its end gave back.
    surplus: BTreeMap<Digest, Exact>,
    /// Calls with parts that may still be settled.
    running: BTreeSet<Digest>,
}

/// Money, and by grant what grants paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Paid {
    money: Exact,
    grants: BTreeMap<String, Exact>,
}

/// The name of a receipt of a call: its subject, and the number of the part.
pub(super) fn name_of(head: &Head, items: &[Item]) -> String {
    let part = items.iter().find_map(|item| match item {
        Item::Part { number, .. } if head.kind == Kind::Part => Some(*number),
        _ => None,
    });
    format!("{}/{}", head.subject, part.unwrap_or(0))
}

impl Refunds {
    /// Adds what a receipt charged.
    pub(super) fn charged(&mut self, receipt: &ReceiptEntry) {
        let mut paid = Paid::default();
        for item in &receipt.body.items {
            match item {
                Item::Price { exact, .. } => paid.money = *exact,
                Item::Surplus { exact, .. } => {
                    self.surplus.insert(receipt.head.subject, *exact);
                }
                Item::Draw { grant, amount, .. } => {
                    paid.money = paid.money.minus_or_zero(*amount);
                    paid.grants.insert(grant.clone(), *amount);
                }
                Item::DrawUnits { grant, units, .. } => {
                    paid.grants.insert(grant.clone(), atomic((*units).into()));
                }
                _ => {}
            }
        }
        self.paid.insert(name_of(&receipt.head, &receipt.body.items), paid);
        if receipt.head.kind == Kind::Part {
            self.running.insert(receipt.head.subject);
        } else {
            self.running.remove(&receipt.head.subject);
        }
    }

    /// A call that will not be settled.
    pub(super) fn ended(&mut self, subject: Digest) {
        self.running.remove(&subject);
    }

    /// Adds a credit: of no call that goes on, and never more than a receipt or its call cost.
    pub(super) fn give_back(&mut self, credit: &ReceiptEntry) -> Result<(), String> {
        let corrected = credit.corrects.as_ref().ok_or("a credit of nothing")?;
        let body = corrected.body.as_ref().ok_or("a credit of a head")?;
        let (subject, name) = (corrected.head.subject, name_of(&corrected.head, &body.items));
        if self.running.contains(&subject) {
            return Err("given back while it goes on".into());
        }
        let back = self.returned.entry(name.clone()).or_default();
        for item in &credit.body.items {
            match item {
                Item::Credit { exact, .. } => add(&mut back.money, *exact),
                Item::Returned { grant, amount, .. } => {
                    add(back.grants.entry(grant.clone()).or_default(), *amount);
                }
                Item::ReturnedUnits { grant, units, .. } => {
                    let units = atomic((*units).into());
                    add(back.grants.entry(grant.clone()).or_default(), units);
                }
                _ => {}
            }
        }
        let cost = self.paid.get(&name).ok_or("a receipt that nobody made")?;
        let above = |(grant, back)| cost.grants.get(grant).is_none_or(|paid| back > paid);
        if back.money > cost.money || back.grants.iter().any(above) {
            return Err("more than the receipt cost".into());
        }
        let mut back = of_call(&self.returned, subject);
        add(&mut back, self.surplus.get(&subject).copied().unwrap_or_default());
        if back > of_call(&self.paid, subject) {
            return Err("more than the call cost".into());
        }
        Ok(())
    }
}

/// The money of all receipts of a call.
fn of_call(receipts: &BTreeMap<String, Paid>, subject: Digest) -> Exact {
    let mut sum = Exact::ZERO;
    for (name, paid) in receipts {
        if name.starts_with(&format!("{subject}")) {
            add(&mut sum, paid.money);
        }
    }
    sum
}
