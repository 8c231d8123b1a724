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
            let missing = || nearest(part, priced).without(reported).parts_first().next();
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
    use super::*;
    use crate::usage::{Basis, Surface};

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
}
