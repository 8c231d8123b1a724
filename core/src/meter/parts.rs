//! What a call was charged while it still runs.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    account::{Rated, total},
    amount::Exact,
    crypto::Digest,
    entry::ReceiptEntry,
    error::{Code, Error, Result},
    plan::Plan,
    receipt::Item,
};

/// The part receipts of a call so far. Each of them prices all that the call had used by then, as if
/// the call ended there, and charges what that is above what the parts before it charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// How many there are.
    pub number: u64,
    /// The digest of the last one's head.
    pub receipt: Digest,
    /// The hash of what the last one says was used.
    pub used: Digest,
    /// What the last one says was used, by meter.
    pub quantities: BTreeMap<String, u64>,
    /// What the call has in the counters, by charge.
    pub lines: Vec<PartLine>,
    /// The units that grants paid, by meter.
    pub granted: BTreeMap<String, u64>,
    /// What the parts charged together, exact, before grants in money paid of it.
    pub charged: Exact,
    /// What limits did not let them charge, exact.
    pub uncollected: Exact,
    /// What grants in money paid, exact.
    pub drawn: Exact,
}

/// What a running call has in the counter of one charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLine {
    /// The index of the charge in the plan.
    pub charge: usize,
    /// Units.
    pub units: u64,
    /// What they were billed, exact.
    pub amount: Exact,
}

impl PartLine {
    /// The line of a charge.
    pub(crate) fn of(lines: &[PartLine], charge: usize) -> Option<&PartLine> {
        lines.iter().find(|line| line.charge == charge)
    }

    /// The units that parts with these lines have used of a charge.
    pub(crate) fn used(lines: &[PartLine], charge: usize) -> u64 {
        PartLine::of(lines, charge).map_or(0, |line| line.units)
    }
}

impl Parts {
    /// The parts with one more.
    pub(crate) fn with(
        earlier: Option<&Parts>,
        receipt: &ReceiptEntry,
        used: Digest,
        rated: &[Rated],
    ) -> Result<Parts> {
        let mut parts = match earlier {
            Some(earlier) => earlier.clone(),
            None => Parts {
                number: 0,
                receipt: Digest::ZERO,
                used,
                quantities: BTreeMap::new(),
                lines: Vec::new(),
                granted: BTreeMap::new(),
                charged: Exact::ZERO,
                uncollected: Exact::ZERO,
                drawn: Exact::ZERO,
            },
        };
        parts.number = parts.number.checked_add(1).ok_or(Code::AmountOverflow)?;
        parts.receipt = receipt.digest;
        parts.used = used;
        parts.quantities.clear();
        parts.lines = rated
            .iter()
            .map(|line| PartLine { charge: line.charge, units: line.units, amount: line.amount })
            .collect();
        for item in &receipt.body.items {
            match item {
                Item::Quantity { meter, quantity } => {
                    parts.quantities.insert(meter.clone(), *quantity);
                }
                Item::DrawUnits { meter, units, .. } => {
                    let sum = parts.granted.entry(meter.clone()).or_default();
                    *sum = sum.checked_add(*units).ok_or(Code::AmountOverflow)?;
                }
                Item::Price { exact, uncollected, .. } => {
                    parts.charged = parts.charged.checked_add(*exact)?;
                    parts.uncollected = parts.uncollected.checked_add(*uncollected)?;
                }
                Item::Draw { amount, .. } => parts.drawn = parts.drawn.checked_add(*amount)?,
                _ => {}
            }
        }
        Ok(parts)
    }

    /// What the call was priced at most so far: what it was charged, and what limits did not let.
    pub(crate) fn priced(&self) -> Result<Exact> {
        self.charged.checked_add(self.uncollected)
    }

    /// A meter's quantity so far, as limits count it.
    pub(crate) fn quantity(&self, plan: &Plan, meter: &str) -> u64 {
        match plan.derived_units(meter, self.lines.iter().map(|line| (line.charge, line.units))) {
            Some(units) => units.saturating_add(self.granted(meter)),
            None => self.quantities.get(meter).copied().unwrap_or(0),
        }
    }

    /// The units of a meter that grants paid so far.
    pub(crate) fn granted(&self, meter: &str) -> u64 {
        self.granted.get(meter).copied().unwrap_or(0)
    }

    /// Refuses a reading that is below the last one.
    pub(crate) fn check_reading<'a>(
        &self,
        mut quantity: impl FnMut(&str) -> u64 + 'a,
    ) -> Result<()> {
        for (meter, before) in &self.quantities {
            if quantity(meter) < *before {
                return Err(Error::new(Code::UsageContradiction)
                    .value(meter)
                    .because("less than an earlier part of the call used"));
            }
        }
        Ok(())
    }

    /// Adds the charges that counted the call and no longer do, with no units: what they were billed is
    /// to go back.
    pub(crate) fn add_left(&self, units: &mut Vec<(usize, u64)>) {
        for line in &self.lines {
            if !units.iter().any(|(charge, _)| *charge == line.charge) {
                units.push((line.charge, 0));
            }
        }
        units.sort_unstable();
    }

    /// Lets the lines of a further part keep what the call was billed before, where their sum fell: what
    /// was charged stands in the counters until the call ends.
    pub(crate) fn keep_billed(&self, rated: &mut [Rated]) -> Result<()> {
        let billed = self.lines.iter().map(|line| line.amount);
        let billed = billed.into_iter().try_fold(Exact::ZERO, Exact::checked_add)?;
        let mut kept = billed.minus_or_zero(total(rated)?);
        for line in rated {
            let fell = self.billed(line.charge).minus_or_zero(line.amount).min(kept);
            line.amount = line.amount.checked_add(fell)?;
            kept = kept.checked_sub(fell)?;
        }
        Ok(())
    }

    fn billed(&self, charge: usize) -> Exact {
        PartLine::of(&self.lines, charge).map_or(Exact::ZERO, |line| line.amount)
    }

    /// What each line adds to what the call was billed of its charge before; nothing where that fell.
    pub(crate) fn increases(&self, rated: &[Rated]) -> Vec<Rated> {
        let line = |rated: &Rated| {
            let amount = rated.amount.minus_or_zero(self.billed(rated.charge));
            Rated { amount, ..rated.clone() }
        };
        rated.iter().map(line).collect()
    }
}
