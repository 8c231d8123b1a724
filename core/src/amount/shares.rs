//! Shares of payees that sum to exactly one.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{GRID, overflow};
use crate::error::{Code, Error, Result};

/// Payees' shares in 10⁻¹⁸, which sum to exactly [`GRID`].
///
/// ```
/// use counterfoil::amount::{GRID, Shares};
///
/// let shares = Shares::from_weights(&[(b"b", 1), (b"a", 1), (b"c", 1)])?;
/// let third = GRID / 3;
/// // One step is missing after the division: it goes to the first payee in byte order, `a`.
/// assert_eq!(shares.iter().map(|(_, share)| share).collect::<Vec<_>>(), [third, third + 1, third]);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares(Vec<u64>);

impl Shares {
    /// Normalises weights by largest remainder, ties by payee bytes ascending. The same payees with
    /// the same weights get the same shares in whatever order they stand.
    ///
    /// # Errors
    /// [`Code::SharesInvalid`] when there is no payee, all weights are zero, or a payee stands twice.
    pub fn from_weights<K: AsRef<[u8]>>(weights: &[(K, u64)]) -> Result<Self> {
        let refused = |why| Error::new(Code::SharesInvalid).because(why);
        if weights.is_empty() {
            return Err(refused("no payee"));
        }
        let sum: u128 = weights
            .iter()
            .try_fold(0u128, |sum, (_, weight)| sum.checked_add((*weight).into()))
            .ok_or_else(overflow)?;
        if sum == 0 {
            return Err(refused("all weights are zero"));
        }
        let mut shares = Vec::with_capacity(weights.len());
        let mut remainders = Vec::with_capacity(weights.len());
        let mut missing = GRID;
        for (payee, weight) in weights {
            let wide = u128::from(*weight).checked_mul(u128::from(GRID)).ok_or_else(overflow)?;
            let share = wide
                .checked_div(sum)
                .and_then(|share| u64::try_from(share).ok())
                .ok_or_else(overflow)?;
            missing = missing.checked_sub(share).ok_or_else(overflow)?;
            shares.push(share);
            remainders.push((payee.as_ref(), wide.checked_rem(sum).ok_or_else(overflow)?));
        }
        for index in
            largest_remainders(&remainders, usize::try_from(missing).map_err(|_| overflow())?)?
        {
            if let Some(share) = shares.get_mut(index) {
                *share = share.checked_add(1).ok_or_else(overflow)?;
            }
        }
        Ok(Shares(shares))
    }

    /// Each payee's position in the weights and its share.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, u64)> + '_ {
        self.0.iter().copied().enumerate()
    }
}

/// The positions of the `units` largest remainders, ties by key bytes ascending.
///
/// Refuses a key that stands twice, and more units than there are remainders above zero: nobody gets
/// a unit without a claim on a part of one.
pub(super) fn largest_remainders<R: Ord + Default>(
    parts: &[(&[u8], R)],
    units: usize,
) -> Result<Vec<usize>> {
    let refused = |why| Error::new(Code::SharesInvalid).because(why);
    let mut seen = BTreeSet::new();
    if !parts.iter().all(|(key, _)| seen.insert(*key)) {
        return Err(refused("a payee stands twice"));
    }
    let none = R::default();
    let mut order: Vec<_> =
        parts.iter().enumerate().filter(|(_, (_, remainder))| *remainder != none).collect();
    if units > order.len() {
        return Err(refused("the parts do not add up to the total"));
    }
    order.sort_by(|(_, (a_key, a)), (_, (b_key, b))| b.cmp(a).then_with(|| a_key.cmp(b_key)));
    Ok(order.into_iter().take(units).map(|(index, _)| index).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(weights: &[(Vec<u8>, u64)]) -> Vec<u64> {
        Shares::from_weights(weights).unwrap().iter().map(|(_, share)| share).collect()
    }

    #[test]
    fn refuses_what_is_no_split() {
        for weights in [&[][..], &[("a", 0), ("b", 0)], &[("a", 1), ("a", 2)]] {
            assert_eq!(Shares::from_weights(weights).unwrap_err().code(), Code::SharesInvalid);
        }
    }

    #[test]
    fn percentages_are_exact() {
        let percent = GRID / 100;
        let weights = [("owner", 50), ("data", 49), ("tool", 1)];
        let got: Vec<_> = Shares::from_weights(&weights).unwrap().iter().collect();
        assert_eq!(got, [(0, 50 * percent), (1, 49 * percent), (2, percent)]);
    }

    proptest! {
        #[test]
        fn sum_to_one_in_any_order(
            weights in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..4), any::<u64>(), 1..20),
            seed: u64,
        ) {
            prop_assume!(weights.values().any(|w| *w != 0));
            let mut weights: Vec<_> = weights.into_iter().collect();
            let sorted = shares(&weights);
            prop_assert_eq!(sorted.iter().sum::<u64>(), GRID);
            let sum: u128 = weights.iter().map(|(_, w)| u128::from(*w)).sum();
            for ((_, weight), share) in weights.iter().zip(&sorted) {
                let floor = u64::try_from(u128::from(*weight) * u128::from(GRID) / sum).unwrap();
                prop_assert!(*share == floor || *share == floor + 1);
                prop_assert!(*weight != 0 || *share == 0);
            }
            let turn = usize::try_from(seed % weights.len() as u64).unwrap();
            weights.rotate_left(turn);
            let mut rotated = shares(&weights);
            rotated.rotate_right(turn);
            prop_assert_eq!(rotated, sorted);
        }
    }
}
