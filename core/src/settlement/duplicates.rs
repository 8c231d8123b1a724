//! Calls that two lanes charged: a retry that went to another meter, or a log that was imported twice.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    account::draws,
    amount::Exact,
    crypto::Digest,
    entry::{Entry, ReceiptEntry},
    error::{Code, Error, Result},
    plan::whole,
    receipt::{Item, Kind, charged_part},
    time::Timestamp,
};

/// Finds request ids that several lanes of one subscription charged, over the ledgers of all its
/// meters. It remembers every call, so it needs memory for each; a [`Batch`](super::Batch) does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// The subscription of each lane.
    lanes: BTreeMap<Digest, Digest>,
    /// By subscription and subject, then by lane.
    calls: BTreeMap<(Digest, Digest), BTreeMap<Digest, Call>>,
    /// By the digest of the receipt that is corrected, then by the credit's own.
    credits: BTreeMap<Digest, BTreeMap<Digest, Back>>,
}

/// A request id that two lanes charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The subscription.
    pub subscription: Digest,
    /// The hash of the request's id: the subject of its receipts.
    pub subject: Digest,
    /// What was charged first, by the issue time of its first receipt, then by the lane's id.
    pub kept: LaneCharge,
    /// What was charged again, and is to be credited.
    pub extra: LaneCharge,
    /// Whether credits gave all of `extra` back, as far as it can go back.
    pub resolved: bool,
}

/// What one lane charged for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCharge {
    /// The lane.
    pub lane: Digest,
    /// When its first receipt was issued.
    pub issued_at: Timestamp,
    /// Its receipts: one, or several where the call was charged in parts.
    pub receipts: Vec<ChargedReceipt>,
}

/// Which receipt charged a call, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChargedReceipt {
    /// Its number in the lane.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    issued_at: Timestamp,
    receipts: BTreeMap<ChargedReceipt, Cost>,
}

/// What a receipt cost, or what a credit gave back of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    /// From the payer and from grants.
    money: Exact,
    /// From grants of units: their number, of all meters.
    units: Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Back {
    cost: Cost,
    /// Whether it gave back all that was left and could go back.
    everything: bool,
}

impl Duplicates {
    /// Without any ledger.
    #[must_use]
    pub fn new() -> Duplicates {
        Duplicates::default()
    }

    /// Adds an entry of an audited ledger, in its order; one ledger after the other, in any order. A
    /// receipt that two ledgers have, as after a restored backup, counts once.
    ///
    /// # Errors
    /// `entry_misplaced` for a receipt of a lane that was not opened, `body_mismatch` for one without its
    /// price, `amount_overflow`.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::Open(opening) => {
                self.lanes.insert(opening.lane.digest(), opening.lane.subscription);
            }
            Entry::Receipt(receipt) => match receipt.head.kind {
                Kind::Call | Kind::Part => self.add_call(receipt)?,
                Kind::Credit => self.add_credit(receipt)?,
                Kind::Period | Kind::TrueUp => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn add_call(&mut self, receipt: &ReceiptEntry) -> Result<()> {
        let head = &receipt.head;
        let subscription = self.lanes.get(&head.lane).ok_or_else(|| {
            Error::new(Code::EntryMisplaced).because("no such lane").value(head.lane)
        })?;
        let (before, after) = charged_part(head, &receipt.body.items)?;
        let mut cost = Cost { money: after.checked_sub(before)?, units: Exact::ZERO };
        for draw in draws(&receipt.body.items) {
            let sum = if draw.meter.is_some() { &mut cost.units } else { &mut cost.money };
            *sum = sum.checked_add(draw.amount)?;
        }
        let lanes = self.calls.entry((*subscription, head.subject)).or_default();
        let call = lanes
            .entry(head.lane)
            .or_insert_with(|| Call { issued_at: head.issued_at, receipts: BTreeMap::new() });
        let charged = ChargedReceipt { sequence: head.sequence, digest: receipt.digest };
        call.receipts.insert(charged, cost);
        Ok(())
    }

    fn add_credit(&mut self, receipt: &ReceiptEntry) -> Result<()> {
        let Some(Item::Credit { amount, exact, .. }) = receipt.body.items.first() else {
            return Ok(());
        };
        let mut cost = Cost { money: *exact, units: Exact::ZERO };
        for item in &receipt.body.items {
            match item {
                Item::Returned { amount, .. } => cost.money = cost.money.checked_add(*amount)?,
                Item::ReturnedUnits { units, .. } => {
                    cost.units = cost.units.checked_add(whole(*units))?;
                }
                _ => {}
            }
        }
        let back = Back { cost, everything: amount.is_none() };
        self.credits.entry(receipt.head.subject).or_default().insert(receipt.digest, back);
        Ok(())
    }

    /// Every call that more than one lane charged, each later lane beside the first; ascending by
    /// subscription, subject, issue time and lane.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn list(&self) -> Result<Vec<Duplicate>> {
        let mut found = Vec::new();
        for ((subscription, subject), lanes) in self.calls.iter().filter(|(_, l)| l.len() > 1) {
            let order: BTreeSet<_> =
                lanes.iter().map(|(lane, call)| (call.issued_at, *lane)).collect();
            let mut charges = order
                .iter()
                .filter_map(|(_, lane)| lanes.get(lane).map(|call| (call, call.charge(*lane))));
            let Some((_, kept)) = charges.next() else { continue };
            for (call, extra) in charges {
                found.push(Duplicate {
                    subscription: *subscription,
                    subject: *subject,
                    kept: kept.clone(),
                    resolved: self.is_given_back(call)?,
                    extra,
                });
            }
        }
        Ok(found)
    }

    fn is_given_back(&self, call: &Call) -> Result<bool> {
        for (ChargedReceipt { digest, .. }, cost) in &call.receipts {
            let mut back = Cost::default();
            let mut everything = false;
            for credit in self.credits.get(digest).into_iter().flat_map(BTreeMap::values) {
                everything |= credit.everything;
                back.money = back.money.checked_add(credit.cost.money)?;
                back.units = back.units.checked_add(credit.cost.units)?;
            }
            if !everything && back != *cost {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Call {
    fn charge(&self, lane: Digest) -> LaneCharge {
        let receipts = self.receipts.keys().copied().collect();
        LaneCharge { lane, issued_at: self.issued_at, receipts }
    }
}
