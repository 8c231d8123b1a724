//! What is inside what, and the disjoint quantities that a plan charges.

use alloc::{format, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    usage::Usage,
};

/// (part, whole): the part's units are counted in the whole as well.
///
/// A part with a charge of its own is taken out of its whole; a part without one stays in it, so
/// nothing is charged twice and nothing is free by accident.
pub const PARENTS: &[(&str, &str)] = &[
    ("audio_input_tokens", "input_tokens"),
    ("audio_output_tokens", "output_tokens"),
    ("cache_write_1h_tokens", "cache_write_tokens"),
    ("cache_write_5m_tokens", "cache_write_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("cached_input_tokens", "input_tokens"),
    ("image_input_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
];

fn parent(meter: &str) -> Option<&'static str> {
    PARENTS.iter().find(|(part, _)| *part == meter).map(|(_, whole)| *whole)
}

/// The meter that the meter is a part of and that is itself no part; a meter that is no part is its
/// own.
pub(crate) fn root(meter: &str) -> &str {
    let mut at = meter;
    while let Some(whole) = parent(at) {
        at = whole;
    }
    at
}

/// The whole's next enclosing meter that has a price, going up from `meter`.
fn priced_ancestor(meter: &str, priced: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let mut at = parent(meter);
    while let Some(whole) = at {
        if priced(whole) {
            return Some(whole);
        }
        at = parent(whole);
    }
    None
}

impl Usage {
    /// The first meter with a quantity that has neither a price nor a whole with one.
    #[must_use]
    pub fn uncovered(&self, priced: &dyn Fn(&str) -> bool) -> Option<&str> {
        self.iter()
            .find(|(meter, quantity)| {
                *quantity > 0 && !priced(meter) && priced_ancestor(meter, priced).is_none()
            })
            .map(|(meter, _)| meter)
    }

    /// The quantities to charge: every meter that has a price, less those of its parts that have one.
    ///
    /// # Errors
    /// `usage_contradiction` when a part exceeds its whole, or priced parts together do.
    pub fn disjoint(&self, priced: &dyn Fn(&str) -> bool) -> Result<Vec<(&str, u64)>> {
        for (meter, quantity) in self.iter() {
            if let Some(whole) = parent(meter) {
                // A whole that is itself only a part may be left out by who reports its parts.
                let reported = self.iter().any(|(known, _)| known == whole);
                if reported && self.get(whole) < quantity {
                    return Err(contradiction(meter, quantity, whole, self.get(whole)));
                }
            }
        }
        let mut charged: Vec<(&str, u64)> =
            self.iter().filter(|(meter, _)| priced(meter)).collect();
        for (part, quantity) in self.iter().filter(|(meter, _)| priced(meter)) {
            let Some(whole) = priced_ancestor(part, priced) else { continue };
            if quantity == 0 {
                continue;
            }
            let Some((_, left)) = charged.iter_mut().find(|(meter, _)| *meter == whole) else {
                return Err(contradiction(part, quantity, whole, 0));
            };
            *left = left
                .checked_sub(quantity)
                .ok_or_else(|| contradiction(part, quantity, whole, self.get(whole)))?;
        }
        charged.retain(|(_, quantity)| *quantity > 0);
        Ok(charged)
    }
}

fn contradiction(part: &str, quantity: u64, whole: &str, total: u64) -> Error {
    Error::new(Code::UsageContradiction)
        .value(format!("{part} {quantity} in {whole} {total}"))
        .at(format!("/{part}"))
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
