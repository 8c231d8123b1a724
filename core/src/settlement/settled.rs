//! Flooring a batch: payouts, residue, and the law that nothing is lost.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{
    amount::{Accumulator, Amount, Currency, Exact, distribute_residue},
    crypto::Digest,
    error::{Code, Error, Result},
    plan::Payee,
    settlement::{Batch, LaneLine, PayoutLeaf, PayoutTree},
};

/// One payee's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayeeLine {
    /// The payee.
    pub payee: Payee,
    /// All that the payee is to receive so far, in atomic units.
    pub payable: Amount,
    /// What was reversed beyond what the payee earned in this batch: absorbed by later shares.
    pub owed: Amount,
}

/// The sums of a settlement, in atomic units.
///
/// `gross − credited + owed = collected + claimable`,
/// `sold = refunded + spent + unearned` and
/// `payouts + fees + residue + held = collected + spent`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// All charges.
    pub gross: Amount,
    /// All credits.
    pub credited: Amount,
    /// All that was collected.
    pub collected: Amount,
    /// All fees, part of what was collected.
    pub fees: Amount,
    /// What may still be claimed.
    pub claimable: Amount,
    /// What was collected beyond what is due: returned, or absorbed by later charges.
    pub owed: Amount,
    /// The part of `owed` that is in hand: fees may have been taken from the rest.
    pub held: Amount,
    /// All that was paid for grants.
    pub sold: Amount,
    /// What the buyers of voided ones are owed.
    pub refunded: Amount,
    /// What calls have drawn on them is worth: the payees'.
    pub spent: Amount,
    /// The rest: it may still be drawn, or has expired and stays with the seller.
    pub unearned: Amount,
    /// All payouts.
    pub payouts: Amount,
    /// What flooring left: fewer units than there are payees, and parts of units.
    pub residue: Amount,
}

/// A settled batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The currency.
    pub currency: Currency,
    /// Whether the residue was paid out too.
    pub closing: bool,
    /// The sums.
    pub totals: Totals,
    /// The lanes, by id.
    pub lanes: Vec<(Digest, LaneLine)>,
    /// The payees, by their bytes.
    pub payees: Vec<PayeeLine>,
    /// What the settlement commits to.
    pub commitment: Digest,
    /// The payout tree over the payees that are addresses, where the currency is an EVM token.
    pub payouts: Option<PayoutTree>,
}

impl Batch {
    /// Settles the batch. `closing` pays the residue out as well, by largest remainder.
    ///
    /// # Errors
    /// `amount_overflow`.
    pub fn settle(&self, closing: bool) -> Result<Settlement> {
        let mut totals = Totals::default();
        // What was collected beyond what is due is no payee's, and neither is a fee.
        let mut distributed = Amount::ZERO;
        for line in self.lanes.values() {
            add(&mut totals.gross, line.gross)?;
            add(&mut totals.credited, line.credited)?;
            add(&mut totals.collected, line.collected)?;
            add(&mut totals.fees, line.fee)?;
            let claimable = line.net().checked_sub(line.collected).unwrap_or(Amount::ZERO);
            add(&mut totals.claimable, claimable)?;
            add(&mut totals.owed, line.owed()?)?;
            add(&mut totals.held, line.held()?)?;
            add(&mut distributed, line.distributed()?)?;
        }
        for bought in self.purchases.values() {
            add(&mut totals.sold, bought.price)?;
            add(&mut totals.refunded, bought.refund)?;
        }
        let spent = self.drawn.checked_sub(self.returned)?;
        totals.spent = spent.floor();
        if Exact::from_amount(totals.spent) < spent {
            add(&mut totals.spent, Amount::from_atomic(1))?;
        }
        totals.unearned = totals.sold.checked_sub(totals.refunded)?.checked_sub(totals.spent)?;
        add(&mut distributed, totals.spent)?;
        let mut parts: Vec<(Vec<u8>, Accumulator)> = Vec::with_capacity(self.earned.len());
        let mut names: Vec<(&Payee, Amount)> = Vec::with_capacity(self.earned.len());
        let none = Accumulator::ZERO;
        for payee in self.earned.keys().chain(self.reversed.keys()).collect::<BTreeSet<_>>() {
            let earned = self.earned.get(payee).unwrap_or(&none);
            let reversed = self.reversed.get(payee).unwrap_or(&none);
            let owed = reversed.checked_sub(earned).unwrap_or(none);
            parts.push((payee.key(), earned.checked_sub(reversed).unwrap_or(none)));
            names.push((payee, owed.floor()?));
        }
        let amounts = if closing {
            distribute_residue(distributed.min(ceiling(&parts)?), &parts)?
        } else {
            parts.iter().map(|(_, sum)| sum.floor()).collect::<Result<Vec<_>>>()?
        };
        let mut payees = Vec::with_capacity(parts.len());
        for ((payee, owed), payable) in names.into_iter().zip(amounts) {
            add(&mut totals.payouts, payable)?;
            payees.push(PayeeLine { payee: payee.clone(), payable, owed });
        }
        totals.residue = distributed.checked_sub(totals.payouts)?;
        let settlement = Settlement {
            currency: self.currency().clone(),
            closing,
            totals,
            lanes: self.lanes.iter().map(|(id, line)| (*id, line.clone())).collect(),
            payouts: payout_tree(self.currency(), &payees)?,
            payees,
            commitment: self.commitment(),
        };
        settlement.check_conservation()?;
        Ok(settlement)
    }
}

impl Settlement {
    /// Checks the law of conservation to the atomic unit.
    ///
    /// # Errors
    /// `audit_mismatch` naming the sum that does not hold.
    pub fn check_conservation(&self) -> Result<()> {
        let t = &self.totals;
        let charged = t.gross.checked_add(t.owed)?;
        if charged != t.credited.checked_add(t.collected)?.checked_add(t.claimable)? {
            return Err(Error::new(Code::AuditMismatch)
                .at("gross + owed = credited + collected + claimable")
                .value(charged));
        }
        let spent = t.payouts.checked_add(t.fees)?.checked_add(t.residue)?.checked_add(t.held)?;
        if spent != t.collected.checked_add(t.spent)? {
            return Err(Error::new(Code::AuditMismatch)
                .at("payouts + fees + residue + held = collected + spent")
                .value(spent));
        }
        if t.sold != t.refunded.checked_add(t.spent)?.checked_add(t.unearned)? {
            return Err(Error::new(Code::AuditMismatch)
                .at("sold = refunded + spent + unearned")
                .value(t.sold));
        }
        Ok(())
    }
}

fn add(sum: &mut Amount, more: Amount) -> Result<()> {
    *sum = sum.checked_add(more)?;
    Ok(())
}

/// The sum of the parts, rounded up: credits are floored lane by lane, so a little more may have been
/// collected than was earned, and nobody has a claim on it.
fn ceiling(parts: &[(Vec<u8>, Accumulator)]) -> Result<Amount> {
    let mut sum = Accumulator::ZERO;
    parts.iter().try_for_each(|(_, part)| sum.add_all(part))?;
    let floor = sum.floor()?;
    if sum.remainder()?.is_zero() { Ok(floor) } else { floor.checked_add(Amount::from_atomic(1)) }
}

fn payout_tree(currency: &Currency, payees: &[PayeeLine]) -> Result<Option<PayoutTree>> {
    let Some(token) = currency.evm_token() else { return Ok(None) };
    let payouts: Vec<PayoutLeaf> = payees
        .iter()
        .filter_map(|line| match line.payee {
            Payee::Address(payee) if !line.payable.is_zero() => {
                Some(PayoutLeaf { payee, token, cumulative: line.payable.atomic() })
            }
            _ => None,
        })
        .collect();
    if payouts.is_empty() {
        return Ok(None);
    }
    PayoutTree::new(payouts).map(Some)
}
