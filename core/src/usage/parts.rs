//! The disjoint quantities that a plan charges.

use alloc::format;

use crate::{
    error::{Code, Error, Result},
    usage::{
        Usage,
        meters::{COUNT, Set, name, within},
        quantities::Quantity,
    },
};

/// Which meters have a price in a call.
pub(crate) struct Priced<'a> {
    /// Of the meters that are wholes or parts.
    pub(crate) known: Set,
    /// Of every other meter.
    pub(crate) other: &'a dyn Fn(&str) -> bool,
}

/// The nearest of a meter's wholes that have a price: no other priced whole lies in them.
fn nearest(meter: usize, priced: Set) -> Set {
    let found = within(meter).and(priced);
    found.parts_first().fold(found, |found, whole| found.without(within(whole)))
}

impl Usage {
    /// The first meter with a quantity of which no price is the right one: it has none and lies in no
    /// whole with one, or it is what two priced wholes have in common.
    pub(crate) fn uncovered(&self, priced: &Priced<'_>) -> Option<&str> {
        let covered = |meter: &Quantity| match meter.place {
            Some(at) => priced.known.holds(at) || nearest(at, priced.known).len() == 1,
            None => (priced.other)(&meter.meter),
        };
        self.quantities()
            .iter()
            .find(|meter| meter.quantity > 0 && !covered(meter))
            .map(|meter| meter.meter.as_str())
    }

    /// The quantities to charge of those of the priced meters that are wholes or parts, by their place:
    /// what was used, less those of its parts that have a price. Together they are the wholes: with a
    /// [joint part](super::WHOLES) by inclusion and exclusion. Other meters are charged as they are.
    ///
    /// # Errors
    /// `usage_contradiction` when a part exceeds its whole, or priced parts together do.
    pub(crate) fn disjoint(&self, priced: Set) -> Result<[u64; COUNT]> {
        let mut left = [0; COUNT];
        let mut reported = Set::default();
        for meter in self.quantities() {
            let Some(at) = meter.place else { continue };
            reported.insert(at);
            if let Some(left) = left.get_mut(at) {
                *left = meter.quantity;
            }
        }
        self.check_parts(&left, reported, priced)?;
        let charged = priced.and(reported);
        for part in charged.parts_first() {
            // What lies in a part has been taken out of it: parts come first.
            let taken = left.get(part).copied().unwrap_or_default();
            for whole in charged.and(within(part)).parts_first() {
                let Some(left) = left.get_mut(whole) else { continue };
                *left = left.checked_sub(taken).ok_or_else(|| self.contradiction(part, whole))?;
            }
        }
        for unpriced in reported.without(priced).parts_first() {
            if let Some(left) = left.get_mut(unpriced) {
                *left = 0;
            }
        }
        Ok(left)
    }

    /// No part is larger than a whole, and a whole that is to be charged is there.
    fn check_parts(&self, quantities: &[u64; COUNT], reported: Set, priced: Set) -> Result<()> {
        for meter in self.quantities().iter().filter(|meter| meter.quantity > 0) {
            let Some(part) = meter.place else { continue };
            let wholes = within(part);
            let smaller =
                |whole: &usize| quantities.get(*whole).is_some_and(|n| *n < meter.quantity);
            let wrong = wholes.and(reported).parts_first().find(smaller);
            // A whole that is itself only a part may be left out by who reports its parts.
            let missing =
                || nearest(part, priced).and(wholes.without(reported)).parts_first().next();
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
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        vec::Vec,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::usage::{Basis, Surface, WHOLES};

    fn set(priced: &dyn Fn(&str) -> bool) -> Set {
        let mut set = Set::default();
        for (at, (meter, _)) in WHOLES.iter().enumerate() {
            if priced(meter) {
                set.insert(at);
            }
        }
        set
    }

    fn uncovered<'a>(usage: &'a Usage, priced: &dyn Fn(&str) -> bool) -> Option<&'a str> {
        usage.uncovered(&Priced { known: set(priced), other: priced })
    }

    /// What is charged of wholes and parts, by name.
    fn disjoint(usage: &Usage, priced: &dyn Fn(&str) -> bool) -> Result<Vec<(&'static str, u64)>> {
        let left = usage.disjoint(set(priced))?;
        let mut found: Vec<_> = known().zip(left).filter(|(_, quantity)| *quantity > 0).collect();
        found.sort_unstable();
        Ok(found)
    }

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
            disjoint(&u, &all).unwrap(),
            [("cached_input_tokens", 80), ("input_tokens", 20), ("output_tokens", 5)]
        );
        let coarse = |m: &str| m == "input_tokens" || m == "output_tokens";
        assert_eq!(disjoint(&u, &coarse).unwrap(), [("input_tokens", 100), ("output_tokens", 5)]);
        assert_eq!(uncovered(&u, &coarse), None);
        assert_eq!(uncovered(&u, &|m: &str| m == "input_tokens"), Some("output_tokens"));
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
            disjoint(&u, &fine).unwrap(),
            [("cache_write_1h_tokens", 10), ("cache_write_5m_tokens", 20), ("input_tokens", 70)]
        );
        assert_eq!(
            disjoint(&u, &|_: &str| true).unwrap(),
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
            let e = disjoint(&usage(meters), &all).unwrap_err();
            assert_eq!(e.code(), Code::UsageContradiction, "{meters:?}");
        }
        // Unpriced or not, a part is not larger than its whole.
        let e = disjoint(&usage(&[("output_tokens", 10), ("reasoning_tokens", 20)]), &|m: &str| {
            m == "output_tokens"
        })
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
            disjoint(&u, &|_: &str| true).unwrap(),
            [
                ("audio_input_tokens", 300),
                ("cached_audio_input_tokens", 300),
                ("cached_input_tokens", 200),
                ("input_tokens", 200)
            ]
        );
        let both = |m: &str| m != "cached_audio_input_tokens";
        assert_eq!(uncovered(&u, &both), Some("cached_audio_input_tokens"));
        let cached = |m: &str| m == "cached_input_tokens" || m == "input_tokens";
        assert_eq!(uncovered(&u, &cached), None);
        let expected = [("cached_input_tokens", 500), ("input_tokens", 500)];
        assert_eq!(disjoint(&u, &cached).unwrap(), expected);
    }

    #[test]
    fn a_part_of_a_whole_that_is_not_there_is_not_free() {
        let priced = |m: &str| m == "output_tokens";
        let e = disjoint(&usage(&[("reasoning_tokens", 5)]), &priced).unwrap_err();
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
            if uncovered(&usage, &prices).is_none() {
                prop_assert!(!homeless);
                let charged = disjoint(&usage, &prices).unwrap();
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
            if uncovered(&usage, &priced).is_none()
                && let Ok(charged) = disjoint(&usage, &priced)
            {
                prop_assert_eq!(charged.iter().map(|(_, units)| units).sum::<u64>(), 180);
            }
        }
    }
}
