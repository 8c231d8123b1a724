//! Flooring a batch: payouts, residue, and the law that nothing is lost.

use alloc::vec::Vec;

use crate::{
    amount::{Accumulator, Amount, Currency, distribute_residue},
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
}

/// The sums of a settlement, in atomic units.
///
/// `gross − credited + owed = collected + claimable` and
/// `payouts + fees + residue + owed_held = collected`, where `owed_held` is the part of `owed` that
/// was collected beyond what is due.
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
    /// `amount_overflow`; `collected_invalid` if a payee's reversals exceed what it earned, which
    /// needs another rail than this batch.
    pub fn settle(&self, closing: bool) -> Result<Settlement> {
        let mut totals = Totals::default();
        for line in self.lanes.values() {
            let net = line.net()?;
            add(&mut totals.gross, line.gross)?;
            add(&mut totals.credited, line.credited)?;
            add(&mut totals.collected, line.collected)?;
            add(&mut totals.fees, line.fee)?;
            if line.collected <= net {
                add(&mut totals.claimable, net.checked_sub(line.collected)?)?;
            } else {
                add(&mut totals.owed, line.collected.checked_sub(net)?)?;
            }
        }
        let mut parts: Vec<(Vec<u8>, Accumulator)> = Vec::with_capacity(self.earned.len());
        let mut names: Vec<&Payee> = Vec::with_capacity(self.earned.len());
        for (payee, earned) in &self.earned {
            let kept = match self.reversed.get(payee) {
                Some(reversed) => earned.checked_sub(reversed).map_err(|_| {
                    Error::new(Code::CollectedInvalid)
                        .value(payee)
                        .because("more was reversed than earned")
                })?,
                None => *earned,
            };
            parts.push((payee.key(), kept));
            names.push(payee);
        }
        // What was collected beyond what is due is no payee's, and neither is a fee.
        let distributed = totals.collected.checked_sub(totals.fees)?.checked_sub(totals.owed)?;
        let amounts = if closing && !parts.is_empty() {
            distribute_residue(distributed, &parts)?
        } else {
            parts.iter().map(|(_, sum)| sum.floor()).collect::<Result<Vec<_>>>()?
        };
        let mut payees = Vec::with_capacity(parts.len());
        for (payee, payable) in names.into_iter().zip(amounts) {
            add(&mut totals.payouts, payable)?;
            payees.push(PayeeLine { payee: payee.clone(), payable });
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
        let due = t.gross.checked_sub(t.credited)?.checked_add(t.owed)?;
        if due != t.collected.checked_add(t.claimable)? {
            return Err(Error::new(Code::AuditMismatch)
                .at("charges less credits = collected + claimable")
                .value(due));
        }
        let spent = t.payouts.checked_add(t.fees)?.checked_add(t.residue)?.checked_add(t.owed)?;
        if spent != t.collected {
            return Err(Error::new(Code::AuditMismatch)
                .at("payouts + fees + residue + owed = collected")
                .value(spent));
        }
        Ok(())
    }
}

fn add(sum: &mut Amount, more: Amount) -> Result<()> {
    *sum = sum.checked_add(more)?;
    Ok(())
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
