//! Accumulating receipts.

use alloc::{
    collections::{BTreeMap, BTreeSet, btree_map},
    sync::Arc,
};

use crate::{
    amount::{Accumulator, Amount, Currency, Exact},
    crypto::{Digest, sha256},
    entry::{Granted, ReceiptEntry, Voided},
    error::{Code, Error, Result},
    meter::LaneTotals,
    plan::{Grant, Payee, Plan},
    receipt::{Item, Kind, charged_part},
    settlement::purchases::{Bought, Purchases, Worth, worth},
    time::Timestamp,
};

/// How much of what lanes charged is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What was recorded as collected.
    Collected,
    /// Everything, as if all that is due were collected: the end of a relationship, or a preview.
    Everything,
}

/// One lane's part of a settlement, in atomic units of the batch's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneLine {
    /// The subscription.
    pub subscription: Digest,
    /// The payer.
    pub payer: Digest,
    /// The rail, or zero.
    pub rail: Digest,
    /// The sequence of the last receipt; the first is 1.
    pub last: u64,
    /// The digest of the last head.
    pub head: Digest,
    /// What this lane charged.
    pub gross: Amount,
    /// What it credited.
    pub credited: Amount,
    /// What was collected for it.
    pub collected: Amount,
    /// What was kept back on the way, part of `collected`.
    pub fee: Amount,
    /// Up to where in the lane's exact cumulative charge receipts are settled.
    reach: Exact,
}

impl LaneLine {
    /// What is due: charges less credits. Zero where more was credited than charged, as a lane may
    /// that gives back what the lane before it charged.
    #[must_use]
    pub fn net(&self) -> Amount {
        self.gross.checked_sub(self.credited).unwrap_or(Amount::ZERO)
    }

    /// What was collected, or credited, beyond what is due.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn owed(&self) -> Result<Amount> {
        let covered = self.collected.checked_add(self.credited)?;
        Ok(covered.checked_sub(self.gross).unwrap_or(Amount::ZERO))
    }

    /// The part of [`LaneLine::owed`] that is still in hand: what came in, less fees, is given back
    /// first.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn held(&self) -> Result<Amount> {
        Ok(self.owed()?.min(self.collected.checked_sub(self.fee)?))
    }

    /// What of the collected money is the payees'.
    pub(super) fn distributed(&self) -> Result<Amount> {
        self.collected.checked_sub(self.fee)?.checked_sub(self.held()?)
    }
}

/// Lanes and shares of one currency. Two batches over the same receipts are equal, however the
/// receipts were ordered or divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    currency: Currency,
    pub(super) lanes: BTreeMap<Digest, LaneLine>,
    pub(super) earned: BTreeMap<Payee, Accumulator>,
    pub(super) reversed: BTreeMap<Payee, Accumulator>,
    /// The paid grants of the lanes' subscriptions.
    pub(super) purchases: Purchases,
    /// What calls drew on them is worth, and what went back to them.
    pub(super) drawn: Exact,
    pub(super) returned: Exact,
    subscriptions: BTreeSet<Digest>,
}

impl Batch {
    /// A batch without lanes.
    #[must_use]
    pub fn new(currency: Currency) -> Batch {
        Batch {
            currency,
            lanes: BTreeMap::new(),
            earned: BTreeMap::new(),
            reversed: BTreeMap::new(),
            purchases: Purchases::new(),
            drawn: Exact::ZERO,
            returned: Exact::ZERO,
            subscriptions: BTreeSet::new(),
        }
    }

    /// The currency.
    #[must_use]
    pub fn currency(&self) -> &Currency {
        &self.currency
    }

    /// The lanes, by id.
    pub fn lanes(&self) -> impl Iterator<Item = (&Digest, &LaneLine)> {
        self.lanes.iter()
    }

    /// Announces a lane with its final totals. Its receipts are added afterwards, in any order.
    ///
    /// # Errors
    /// `currency_mismatch`, `collected_invalid` for a lane announced twice, `amount_overflow`.
    pub fn add_lane(&mut self, totals: &LaneTotals, plan: &Plan, extent: Extent) -> Result<()> {
        if *plan.currency() != self.currency {
            return Err(Error::new(Code::CurrencyMismatch).value(plan.currency().id()));
        }
        let gross = totals.cumulative.floor().checked_sub(totals.baseline.floor())?;
        let credited = totals.credited.floor().checked_sub(totals.credited_baseline.floor())?;
        let mut line = LaneLine {
            subscription: totals.subscription,
            payer: totals.payer,
            rail: totals.rail,
            last: totals.sequence,
            head: totals.head,
            gross,
            credited,
            collected: totals.collected,
            fee: totals.fee,
            reach: Exact::ZERO,
        };
        if extent == Extent::Everything {
            line.collected = line.collected.max(line.net());
        }
        let reversed = totals.credited.checked_sub(totals.credited_baseline)?;
        line.reach = Exact::from_amount(totals.baseline.floor())
            .checked_add(Exact::from_amount(line.distributed()?))?
            .checked_add(reversed)?;
        match self.lanes.entry(totals.lane) {
            btree_map::Entry::Vacant(slot) => {
                slot.insert(line);
                self.subscriptions.insert(totals.subscription);
                Ok(())
            }
            btree_map::Entry::Occupied(_) => {
                Err(Error::new(Code::CollectedInvalid).value(totals.lane).because("a lane twice"))
            }
        }
    }

    /// Adds a grant that was given to the subscription of an announced lane under its plan. What was
    /// paid for it counts as collected; draws earn it. Other grants are left alone. Grants are added
    /// before receipts.
    ///
    /// # Errors
    /// The codes of reading terms.
    pub fn add_grant(&mut self, granted: &Granted, plan: &Plan) -> Result<()> {
        if !self.subscriptions.contains(&granted.subscription) {
            return Ok(());
        }
        let terms = Grant::from_json(&granted.terms, plan)?;
        if let Some(purchase) = &terms.purchase {
            let (price, refund) = (purchase.price, Amount::ZERO);
            let key = (granted.subscription, terms.id.clone(), granted.at);
            self.purchases.insert(key, Bought { terms: Arc::new(terms), price, refund });
        }
        Ok(())
    }

    /// Adds a void: what is left of a paid grant that was added goes back to the buyer.
    pub fn add_void(&mut self, voided: &Voided) {
        let (id, name) = (voided.subscription, &voided.grant);
        let from = (id, name.clone(), Timestamp::MIN);
        let same =
            self.purchases.range_mut(from..).take_while(|(key, _)| key.0 == id && key.1 == *name);
        if let Some((_, bought)) = same.last() {
            bought.refund = voided.refund;
        }
    }

    /// Adds one receipt of an announced lane to the payees of its plan. Receipts of other lanes are
    /// left alone.
    ///
    /// # Errors
    /// `body_mismatch` for a receipt without its price, `amount_overflow`.
    pub fn add_receipt(&mut self, receipt: &ReceiptEntry, plan: &Plan) -> Result<()> {
        let Some(line) = self.lanes.get(&receipt.head.lane) else { return Ok(()) };
        for item in &receipt.body.items {
            match worth(&self.purchases, line.subscription, item)? {
                Some(Worth::Drawn(worth)) => {
                    self.drawn = self.drawn.checked_add(worth)?;
                    share(&mut self.earned, plan, worth)?;
                }
                Some(Worth::Returned(worth)) => {
                    self.returned = self.returned.checked_add(worth)?;
                    share(&mut self.reversed, plan, worth)?;
                }
                None => {}
            }
        }
        match receipt.head.kind {
            Kind::Call | Kind::Part | Kind::Period => {
                let (before, after) = charged_part(&receipt.head, &receipt.body.items)?;
                let part = after.min(line.reach).minus_or_zero(before);
                share(&mut self.earned, plan, part)?;
            }
            Kind::TrueUp | Kind::Credit => {}
        }
        share(&mut self.reversed, plan, credit(receipt))
    }

    /// Adds another batch: lanes of other shards.
    ///
    /// # Errors
    /// `currency_mismatch`; `collected_invalid` for a lane that both have; `amount_overflow`. This
    /// batch is then unchanged.
    pub fn merge(&mut self, other: &Batch) -> Result<()> {
        if self.currency != other.currency {
            return Err(Error::new(Code::CurrencyMismatch).value(other.currency.id()));
        }
        if let Some(lane) = other.lanes.keys().find(|lane| self.lanes.contains_key(*lane)) {
            return Err(Error::new(Code::CollectedInvalid)
                .value(lane)
                .because("a lane in two batches"));
        }
        let mut merged = self.clone();
        merged.lanes.extend(other.lanes.iter().map(|(id, line)| (*id, line.clone())));
        for (into, from) in
            [(&mut merged.earned, &other.earned), (&mut merged.reversed, &other.reversed)]
        {
            for (payee, sum) in from {
                into.entry(payee.clone()).or_insert(Accumulator::ZERO).add_all(sum)?;
            }
        }
        // Two lanes of one subscription know the same grants.
        merged.purchases.extend(other.purchases.clone());
        merged.subscriptions.extend(other.subscriptions.iter().copied());
        merged.drawn = merged.drawn.checked_add(other.drawn)?;
        merged.returned = merged.returned.checked_add(other.returned)?;
        *self = merged;
        Ok(())
    }

    /// What a settlement commits to: SHA-256 over `counterfoil/settlement/0`, a line feed and the
    /// sorted lanes' (id, first, last, head).
    #[must_use]
    pub fn commitment(&self) -> Digest {
        let mut w = crate::codec::Writer::new();
        w.raw(b"counterfoil/settlement/0\n");
        for (id, line) in &self.lanes {
            w.raw(id.bytes()).u64(line.last.min(1)).u64(line.last).raw(line.head.bytes());
        }
        sha256(&[&w.0])
    }
}

/// What a receipt gives back of what lanes charged.
fn credit(receipt: &ReceiptEntry) -> Exact {
    receipt
        .body
        .items
        .iter()
        .find_map(|item| match item {
            Item::Correction { exact, .. }
            | Item::Credit { exact, .. }
            | Item::Surplus { exact, .. } => Some(*exact),
            _ => None,
        })
        .unwrap_or(Exact::ZERO)
}

fn share(sums: &mut BTreeMap<Payee, Accumulator>, plan: &Plan, part: Exact) -> Result<()> {
    if part.is_zero() {
        return Ok(());
    }
    for (index, share) in plan.shares().iter() {
        let Some(payee) = plan.payees().get(index) else { continue };
        match sums.get_mut(payee) {
            Some(sum) => sum.add(part, share)?,
            None => {
                let mut sum = Accumulator::ZERO;
                sum.add(part, share)?;
                sums.insert(payee.clone(), sum);
            }
        }
    }
    Ok(())
}
