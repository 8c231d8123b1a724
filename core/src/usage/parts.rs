//! The disjoint quantities that a plan charges.

use alloc::{format, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    usage::{
        Usage,
        meters::{COUNT, Set, index, name, within},
    },
};

/// Which of the meters in a set have a price.
fn priced_of(set: Set, priced: &dyn Fn(&str) -> bool) -> Set {
    let mut found = Set::default();
    for meter in set.parts_first() {
        if priced(name(meter)) {
            found.insert(meter);
        }
    }
    found
}

/// The nearest of a meter's wholes that have a price: no other priced whole lies in them.
fn nearest(meter: usize, priced: &dyn Fn(&str) -> bool) -> Set {
    let mut found = priced_of(within(meter), priced);
    for whole in found.parts_first() {
        found = found.without(within(whole));
    }
    found
}

impl Usage {
    /// The first meter with a quantity of which no price is the right one: it has none and lies in no
    /// whole with one, or it is what two priced wholes have in common.
    #[must_use]
    pub fn uncovered(&self, priced: &dyn Fn(&str) -> bool) -> Option<&str> {
        self.iter()
            .filter(|(meter, quantity)| *quantity > 0 && !priced(meter))
            .find(|(meter, _)| index(meter).is_none_or(|meter| nearest(meter, priced).len() != 1))
            .map(|(meter, _)| meter)
    }

    /// The quantities to charge: every meter that has a price, less those of its parts that have one.
    ///
    /// Together they are the wholes: with a [joint part](super::WHOLES) by inclusion and exclusion.
    ///
    /// # Errors
    /// `usage_contradiction` when a part exceeds its whole, or priced parts together do.
    pub fn disjoint(&self, priced: &dyn Fn(&str) -> bool) -> Result<Vec<(&str, u64)>> {
        let mut left = [0; COUNT];
        let mut reported = Set::default();
        for (meter, quantity) in self.iter() {
            if let Some(meter) = index(meter) {
                reported.insert(meter);
                if let Some(left) = left.get_mut(meter) {
                    *left = quantity;
                }
            }
        }
        let charged = priced_of(reported, priced);
        self.check_parts(reported, priced)?;
        for part in charged.parts_first() {
            // What lies in a part has been taken out of it: parts come first.
            let taken = left.get(part).copied().unwrap_or_default();
            for whole in charged.and(within(part)).parts_first() {
                let Some(left) = left.get_mut(whole) else { continue };
                *left = left.checked_sub(taken).ok_or_else(|| self.contradiction(part, whole))?;
            }
        }
        let units = |(meter, quantity)| match index(meter) {
            Some(at) if charged.holds(at) => {
                Some((meter, left.get(at).copied().unwrap_or_default()))
            }
            Some(_) => None,
            None => priced(meter).then_some((meter, quantity)),
        };
        Ok(self.iter().filter_map(units).filter(|(_, quantity)| *quantity > 0).collect())
    }

    /// No part is larger than a whole, and a whole that is to be charged is there.
    fn check_parts(&self, reported: Set, priced: &dyn Fn(&str) -> bool) -> Result<()> {
        for (meter, quantity) in self.iter().filter(|(_, quantity)| *quantity > 0) {
            let Some(part) = index(meter) else { continue };
            let wholes = within(part);
            if wholes.is_empty() {
                continue;
            }
            // A whole that is itself only a part may be left out by who reports its parts.
            let smaller = |whole: &usize| self.get(name(*whole)) < quantity;
            let wrong = wholes.and(reported).parts_first().find(smaller);
            let missing = || {
                let absent = wholes.without(reported);
                if absent.is_empty() {
                    return None;
                }
                nearest(part, priced).and(absent).parts_first().next()
            };
            if let Some(whole) = wrong.or_else(missing) {
                return Err(self.contradiction(part, whole));
            }
        }
        Ok(())
    }

    fn contradiction(&self, part: usize, whole: usize) -> Error {
        let (part, whole) = (name(part), name(whole));
        let (quantity, total) = (self.get(part), self.get(whole));
        Error::new(Code::UsageContradiction)
            .value(format!("{part} {quantity} in {whole} {total}"))
            .at(format!("/{part}"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::usage::{Basis, Surface, WHOLES};

    fn usage(meters: &[(&str, u64)]) -> Usage {
        let mut usage = Usage::new(Surface::Plain, Basis::Reported);
        for (meter, quantity) in meters {
            usage.set(meter, *quantity).unwrap();
        }
        usage
    }

    #[test]
    fn a_priced_part_leaves_its_whole_and_an_unpriced_one_stays() {
        let u = usage(&[("input_tokens", 100), ("cached_input_tokens", 80), ("output_tokens", 5)]);
        let all = |_: &str| true;
        assert_eq!(
            u.disjoint(&all).unwrap(),
            [("cached_input_tokens", 80), ("input_tokens", 20), ("output_tokens", 5)]
        );
        let coarse = |m: &str| m == "input_tokens" || m == "output_tokens";
        assert_eq!(u.disjoint(&coarse).unwrap(), [("input_tokens", 100), ("output_tokens", 5)]);
        assert_eq!(u.uncovered(&coarse), None);
        assert_eq!(u.uncovered(&|m: &str| m == "input_tokens"), Some("output_tokens"));
    }

    #[test]
    fn grandparts_are_taken_out_of_the_nearest_priced_whole() {
        let u = usage(&[
            ("input_tokens", 100),
            ("cache_write_tokens", 30),
            ("cache_write_5m_tokens", 20),
            ("cache_write_1h_tokens", 10),
        ]);
        let fine = |m: &str| m != "cache_write_tokens";
        assert_eq!(
            u.disjoint(&fine).unwrap(),
            [("cache_write_1h_tokens", 10), ("cache_write_5m_tokens", 20), ("input_tokens", 70)]
        );
        assert_eq!(
            u.disjoint(&|_: &str| true).unwrap(),
            [("cache_write_1h_tokens", 10), ("cache_write_5m_tokens", 20), ("input_tokens", 70)]
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let all = |_: &str| true;
        for meters in [
            &[("input_tokens", 100), ("cached_input_tokens", 200)][..],
            &[("input_tokens", 100), ("cached_input_tokens", 60), ("audio_input_tokens", 60)],
            &[("cached_input_tokens", 1)],
        ] {
            let e = usage(meters).disjoint(&all).unwrap_err();
            assert_eq!(e.code(), Code::UsageContradiction, "{meters:?}");
        }
        // Unpriced or not, a part is not larger than its whole.
        let e = usage(&[("output_tokens", 10), ("reasoning_tokens", 20)])
            .disjoint(&|m: &str| m == "output_tokens")
            .unwrap_err();
        assert_eq!(e.code(), Code::UsageContradiction);
    }

    #[test]
    fn what_is_cached_and_audio_needs_a_price_if_both_have_one() {
        let u = usage(&[
            ("input_tokens", 1000),
            ("cached_input_tokens", 500),
            ("audio_input_tokens", 600),
            ("cached_audio_input_tokens", 300),
        ]);
        assert_eq!(
            u.disjoint(&|_: &str| true).unwrap(),
            [
                ("audio_input_tokens", 300),
                ("cached_audio_input_tokens", 300),
                ("cached_input_tokens", 200),
                ("input_tokens", 200)
            ]
        );
        let both = |m: &str| m != "cached_audio_input_tokens";
        assert_eq!(u.uncovered(&both), Some("cached_audio_input_tokens"));
        let cached = |m: &str| m == "cached_input_tokens" || m == "input_tokens";
        assert_eq!(u.uncovered(&cached), None);
        let expected = [("cached_input_tokens", 500), ("input_tokens", 500)];
        assert_eq!(u.disjoint(&cached).unwrap(), expected);
    }

    #[test]
    fn a_part_of_a_whole_that_is_not_there_is_not_free() {
        let priced = |m: &str| m == "output_tokens";
        let e = usage(&[("reasoning_tokens", 5)]).disjoint(&priced).unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::UsageContradiction, Some("/reasoning_tokens")));
    }

    /// All meters that hold a meter, itself included, from the names alone.
    fn holders(meter: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::from([meter]);
        for whole in WHOLES.iter().filter(|(name, _)| *name == meter).flat_map(|(_, w)| *w) {
            found.extend(holders(whole));
        }
        found
    }

    /// Where a unit that is in `meter` and in no part of it is charged.
    fn home<'a>(meter: &'a str, priced: &BTreeSet<&str>) -> Option<&'a str> {
        let all: Vec<&str> = holders(meter).into_iter().filter(|m| priced.contains(m)).collect();
        let nearest =
            |m: &&&str| all.iter().all(|other| other == *m || !holders(other).contains(**m));
        let mut found = all.iter().filter(nearest);
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn known() -> impl Iterator<Item = &'static str> {
        WHOLES.iter().map(|(meter, _)| *meter)
    }

    proptest! {
        /// Units are thrown into the finest cells; each is charged once, where the rule puts it.
        #[test]
        fn every_unit_is_charged_once_and_where_it_belongs(
            cells in prop::collection::vec(0_u64..50, COUNT),
            choice in prop::collection::vec(any::<bool>(), COUNT),
        ) {
            let priced: BTreeSet<&str> =
                known().zip(&choice).filter(|(_, chosen)| **chosen).map(|(m, _)| m).collect();
            let mut quantities = BTreeMap::new();
            let mut expected = BTreeMap::new();
            let mut homeless = false;
            for (meter, units) in known().zip(&cells) {
                for holder in holders(meter) {
                    *quantities.entry(holder).or_insert(0) += units;
                }
                match home(meter, &priced) {
                    _ if *units == 0 => {}
                    Some(home) => *expected.entry(home).or_insert(0) += units,
                    None => homeless = true,
                }
            }
            let all: Vec<(&str, u64)> = quantities.into_iter().collect();
            let usage = usage(&all);
            let prices = |meter: &str| priced.contains(meter);
            if usage.uncovered(&prices).is_none() {
                prop_assert!(!homeless);
                let charged = usage.disjoint(&prices).unwrap();
                prop_assert_eq!(&charged, &expected.into_iter().collect::<Vec<_>>());
                let sum: u64 = charged.iter().map(|(_, units)| units).sum();
                prop_assert_eq!(sum, usage.get("input_tokens") + usage.get("output_tokens"));
            }
        }

        /// Whatever is reported: it is refused, or what is charged adds up to the whole totals.
        #[test]
        fn any_usage_is_refused_or_adds_up(
            given in prop::collection::vec(prop::option::weighted(0.5, 0_u64..60), COUNT),
            choice in prop::collection::vec(any::<bool>(), COUNT),
        ) {
            let mut reported: BTreeMap<&str, u64> = known()
                .zip(&given)
                .filter_map(|(meter, quantity)| Some((meter, (*quantity)? / 3)))
                .collect();
            reported.insert("input_tokens", 90);
            reported.insert("output_tokens", 90);
            let priced = |meter: &str| {
                known().zip(&choice).any(|(known, chosen)| known == meter && *chosen)
            };
            let usage = usage(&reported.into_iter().collect::<Vec<_>>());
            if usage.uncovered(&priced).is_none()
                && let Ok(charged) = usage.disjoint(&priced)
            {
                prop_assert_eq!(charged.iter().map(|(_, units)| units).sum::<u64>(), 180);
            }
        }
    }
}
