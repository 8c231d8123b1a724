//! Sums of shares, fine enough that nothing is lost.

use alloc::vec::Vec;
use core::fmt;

use crypto_bigint::{Limb, NonZero, U256};

use super::{Amount, Exact, GRID, overflow, shares::largest_remainders};
use crate::error::{Code, Error, Result};

/// Steps in one atomic unit: 10³⁶.
const UNIT: NonZero<U256> =
    NonZero::<U256>::new_unwrap(U256::from_u128(1_000_000_000_000_000_000_000_000_000_000_000_000));

/// What a payee has earned: a sum of exact amounts times shares, in 256 bits of 10⁻³⁶ atomic unit.
///
/// Addition is exact, so any grouping and any order of the same receipts give the same bytes. One
/// product takes at most 248 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Accumulator(U256);

impl Accumulator {
    /// Nothing earned.
    pub const ZERO: Accumulator = Accumulator(U256::ZERO);

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Accumulator::ZERO
    }

    /// Adds an exact amount times a share of [`Shares`](super::Shares).
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the sum does not fit 256 bits or the share is above [`GRID`];
    /// the accumulator is then as it was.
    pub fn add(&mut self, exact: Exact, share: u64) -> Result<()> {
        if share > GRID {
            return Err(overflow().value(share).because("a share is at most 10^18"));
        }
        // 128 + 60 bits for the exact amount and 60 for the share: neither step can wrap.
        let steps = U256::from_u128(exact.whole())
            .wrapping_mul(&U256::from_u64(GRID))
            .wrapping_add(&U256::from_u64(exact.fraction()));
        self.add_all(&Accumulator(steps.wrapping_mul(&U256::from_u64(share))))
    }

    /// Adds what another accumulator holds.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the sum does not fit 256 bits; the accumulator is then as it was.
    pub fn add_all(&mut self, other: &Accumulator) -> Result<()> {
        match self.0.carrying_add(&other.0, Limb::ZERO) {
            (sum, Limb(0)) => {
                self.0 = sum;
                Ok(())
            }
            _ => Err(overflow()),
        }
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when `other` is larger.
    pub fn checked_sub(&self, other: &Accumulator) -> Result<Accumulator> {
        match self.0.borrowing_sub(&other.0, Limb::ZERO) {
            (difference, Limb(0)) => Ok(Accumulator(difference)),
            _ => Err(overflow()),
        }
    }

    /// The whole atomic units.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when they exceed [`Amount::MAX`].
    pub fn floor(&self) -> Result<Amount> {
        self.split().map(|(amount, _)| amount)
    }

    /// What is above the whole units, for the comparison of remainders: below one atomic unit.
    ///
    /// # Errors
    /// [`Code::AmountOverflow`] when the whole units exceed [`Amount::MAX`].
    pub fn remainder(&self) -> Result<Accumulator> {
        self.split().map(|(_, remainder)| remainder)
    }

    fn split(&self) -> Result<(Amount, Accumulator)> {
        let (whole, remainder) = self.0.div_rem_vartime(&UNIT);
        let bytes = Accumulator(whole).to_bytes();
        match bytes.split_first_chunk::<16>() {
            Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], low)) => {
                let low = low.first_chunk::<16>().ok_or_else(overflow)?;
                Ok((Amount::from_atomic(u128::from_be_bytes(*low)), Accumulator(remainder)))
            }
            _ => Err(overflow()),
        }
    }

    /// 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_be_bytes().into()
    }

    /// Reads [`Accumulator::to_bytes`]: every 32 bytes are a value.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Accumulator(U256::from_be_slice(bytes))
    }
}

/// The bytes as 64 hexadecimal digits.
impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accumulator(0x{:x})", base16ct::HexDisplay(&self.to_bytes()))
    }
}

/// Splits a total among accumulators that make it up: each part's floor, then the units still missing
/// by largest remainder, ties by key bytes ascending. The amounts stand in the order of the parts and
/// sum to the total.
///
/// # Errors
/// [`Code::SharesInvalid`] when the parts do not add up to the total within what their remainders
/// can make good, or a key stands twice; [`Code::AmountOverflow`] when a part does not fit.
pub fn distribute_residue<K: AsRef<[u8]>>(
    total: Amount,
    parts: &[(K, Accumulator)],
) -> Result<Vec<Amount>> {
    let differs = || {
        Error::new(Code::SharesInvalid).value(total).because("the parts do not add up to the total")
    };
    let mut amounts = Vec::with_capacity(parts.len());
    let mut remainders = Vec::with_capacity(parts.len());
    let mut missing = total;
    for (key, part) in parts {
        let (floor, remainder) = part.split()?;
        missing = missing.checked_sub(floor).map_err(|_| differs())?;
        amounts.push(floor);
        remainders.push((key.as_ref(), remainder));
    }
    let units = usize::try_from(missing.atomic()).map_err(|_| differs())?;
    for index in largest_remainders(&remainders, units)? {
        if let Some(amount) = amounts.get_mut(index) {
            *amount = amount.checked_add(Amount::from_atomic(1))?;
        }
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::super::{Shares, exact::tests::any_exact, exact::tests::steps};
    use super::*;
    use alloc::vec;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn value(a: &Accumulator) -> BigUint {
        BigUint::from_bytes_be(&a.to_bytes())
    }

    fn unit() -> BigUint {
        BigUint::from(GRID) * GRID
    }

    #[test]
    fn a_thousand_single_units_split_exactly() {
        let weights = [("owner", 50u64), ("data", 49), ("tool", 1)];
        let shares = Shares::from_weights(&weights).unwrap();
        let mut earned = [Accumulator::ZERO; 3];
        for _ in 0..1000 {
            for (index, share) in shares.iter() {
                earned[index].add(Exact::new(1, 0).unwrap(), share).unwrap();
            }
        }
        assert_eq!(earned.map(|e| e.floor().unwrap().atomic()), [500, 490, 10]);
    }

    #[test]
    fn residue_goes_by_remainder_then_key() {
        let part = |text: &str| {
            let mut a = Accumulator::ZERO;
            a.add(text.parse().unwrap(), GRID).unwrap();
            a
        };
        let split = |total, parts: &[(&str, Accumulator)]| {
            distribute_residue(Amount::from_atomic(total), parts)
                .map(|amounts| amounts.iter().map(|a| a.atomic()).collect::<Vec<_>>())
                .map_err(|e| e.code())
        };
        let parts = [("b", part("1.4")), ("c", part("0.2")), ("a", part("2.4"))];
        assert_eq!(split(4, &parts), Ok(vec![1, 0, 3]));
        assert_eq!(split(3, &parts), Ok(vec![1, 0, 2]));
        assert_eq!(split(2, &parts), Err(Code::SharesInvalid));
        assert_eq!(split(7, &parts), Err(Code::SharesInvalid));
        assert_eq!(split(2, &[("a", part("1")), ("a", part("1"))]), Err(Code::SharesInvalid));
        assert_eq!(
            split(2, &[("a", part("1"))]),
            Err(Code::SharesInvalid),
            "no claim on a part of a unit"
        );
        assert_eq!(split(0, &[]), Ok(vec![]));
    }

    #[test]
    fn the_largest_values_neither_wrap_nor_clamp() {
        let mut a = Accumulator::ZERO;
        a.add(Exact::MAX, GRID).unwrap();
        assert_eq!(value(&a), steps(Exact::MAX) * GRID);
        assert_eq!(a.floor().unwrap(), Amount::MAX);
        let mut doubled = a;
        doubled.add_all(&a).unwrap();
        assert_eq!(doubled.floor().unwrap_err().code(), Code::AmountOverflow);
        let mut full = Accumulator::from_bytes(&[0xff; 32]);
        assert_eq!(
            full.add(Exact::new(0, 1).unwrap(), 1).unwrap_err().code(),
            Code::AmountOverflow
        );
        assert_eq!(full, Accumulator::from_bytes(&[0xff; 32]), "left as it was");
        assert_eq!(a.add(Exact::ZERO, GRID + 1).unwrap_err().code(), Code::AmountOverflow);
    }

    proptest! {
        #[test]
        fn adds_like_integers_in_any_grouping(
            receipts in prop::collection::vec((any_exact(), 0..=GRID), 1..30),
            cut in any::<prop::sample::Index>(),
        ) {
            let sum = |receipts: &[(Exact, u64)]| {
                let mut a = Accumulator::ZERO;
                receipts.iter().for_each(|(exact, share)| a.add(*exact, *share).unwrap());
                a
            };
            let want: BigUint = receipts.iter().map(|(exact, share)| steps(*exact) * *share).sum();
            let all = sum(&receipts);
            prop_assert_eq!(value(&all), want.clone());
            let (left, right) = receipts.split_at(cut.index(receipts.len()));
            let mut merged = sum(right);
            merged.add_all(&sum(left)).unwrap();
            prop_assert_eq!(merged, all);
            prop_assert_eq!(all.checked_sub(&sum(left)).unwrap(), sum(right));
            prop_assert_eq!(Accumulator::from_bytes(&all.to_bytes()), all);
            match all.floor() {
                Ok(floor) => {
                    prop_assert_eq!(BigUint::from(floor.atomic()), &want / unit());
                    prop_assert_eq!(value(&all.remainder().unwrap()), want % unit());
                }
                Err(_) => prop_assert!(want / unit() > BigUint::from(u128::MAX)),
            }
        }

        #[test]
        fn a_split_total_is_distributed_to_the_unit(
            receipts in prop::collection::vec(0..u128::from(u64::MAX), 1..20),
            weights in prop::collection::btree_map(any::<[u8; 2]>(), 1..1000u64, 1..9),
        ) {
            let weights: Vec<_> = weights.into_iter().collect();
            let shares = Shares::from_weights(&weights).unwrap();
            let mut parts: Vec<_> = weights.iter().map(|(key, _)| (*key, Accumulator::ZERO)).collect();
            for receipt in &receipts {
                for (index, share) in shares.iter() {
                    parts[index].1.add(Exact::new(*receipt, 0).unwrap(), share).unwrap();
                }
            }
            let total: u128 = receipts.iter().sum();
            let amounts = distribute_residue(Amount::from_atomic(total), &parts).unwrap();
            prop_assert_eq!(amounts.iter().map(|a| a.atomic()).sum::<u128>(), total);
            for (amount, (_, part)) in amounts.iter().zip(&parts) {
                let floor = part.floor().unwrap().atomic();
                prop_assert!(amount.atomic() == floor || amount.atomic() == floor + 1);
            }
            let mut turned = parts.clone();
            turned.reverse();
            let mut again = distribute_residue(Amount::from_atomic(total), &turned).unwrap();
            again.reverse();
            prop_assert_eq!(again, amounts);
        }
    }
}
