//! The units of a hold: what any call within its quantities can cost at most.
//!
//! A hold says how much of each meter a call may use *at most*. What it is charged may be split
//! otherwise: of 100 input tokens, of which at most 80 are cached, all 100 may turn out not to be; and
//! a call that is smaller than it might have been may fall below a `context`. So the hold takes the
//! units of the dearest call, family by family ([`Choice::families`]).
//!
//! Where every unit of a family has a price of its own, the dearest call fills the dearest meters
//! first, each up to its quantity and to what is left of its wholes. That is exact: sets of units that
//! lie inside each other or apart are a laminar family, for which the greedy choice is the best one.
//! Where prices depend on counters, each meter takes its whole quantity: more than any call, but
//! simple and safe.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::{
    amount::Exact,
    error::Result,
    plan::{Call, Plan, choice::Family},
    usage::{depth, wholes},
};

/// Units of charges, and what they cost where that depends on no counter.
#[derive(Debug, Default)]
struct Filled {
    units: Vec<(usize, u64)>,
    cost: Exact,
}

/// One priced meter of a family in a call.
struct Priced<'a> {
    meter: &'a str,
    /// The sum of its charges' unit prices; `None` if one of them depends on a counter.
    price: Option<Exact>,
    /// How many of its units no dearer meter has taken.
    left: u64,
}

impl Plan {
    /// The units that a hold for at most this usage takes: (index of the charge, units), in the order
    /// of the plan.
    ///
    /// # Errors
    /// `usage_unpriced`, `usage_contradiction` as for a call of exactly this usage; `amount_overflow`.
    pub(crate) fn held_units(&self, call: &Call<'_>) -> Result<Vec<(usize, u64)>> {
        let mut held = self.charged_units(call)?;
        for family in self.choice().families() {
            let dearest = self.dearest(family, call)?;
            held.retain(|(charge, _)| !family.has(*charge));
            held.extend(dearest.units);
        }
        held.sort_by_key(|(charge, _)| *charge);
        Ok(held)
    }

    /// The dearest call of a family, over the sizes at which its prices change.
    fn dearest(&self, family: &Family, call: &Call<'_>) -> Result<Filled> {
        let mut best = self.fill(family, call)?;
        let Some((meter, bounds)) = &family.context else { return Ok(best) };
        let most = call.usage.get(meter);
        for bound in bounds.iter().filter(|bound| **bound < most) {
            let mut usage = call.usage.clone();
            usage.set(meter, *bound)?;
            let smaller = self.fill(family, &Call { usage: &usage, ..*call })?;
            if smaller.cost > best.cost {
                best = smaller;
            }
        }
        Ok(best)
    }

    /// The units of the dearest call among those with the same prices.
    fn fill(&self, family: &Family, call: &Call<'_>) -> Result<Filled> {
        let counting = self.choice().counting(self.charges(), call);
        let mut meters = Vec::new();
        for meter in &family.meters {
            let left = call.usage.get(meter);
            let mut price = None;
            for (_, charge) in self.counted(counting, meter) {
                let unit = charge.unit_price().map(|unit| unit.exact());
                price = Some(match (price.unwrap_or(Some(Exact::ZERO)), unit) {
                    (Some(sum), Some(unit)) => Some(sum.checked_add(unit)?),
                    _ => None,
                });
            }
            if let Some(price) = price {
                meters.push(Priced { meter, price, left });
            }
        }
        let linear = meters.iter().all(|priced| priced.price.is_some());
        // The dearest first; of equals a part before its whole; otherwise by name.
        meters.sort_by_key(|priced| (Reverse(priced.price), Reverse(depth(priced.meter))));
        let mut filled = Filled::default();
        for place in 0..meters.len() {
            let Some(&Priced { meter, price, left }) = meters.get(place) else { continue };
            let inside = |priced: &&mut Priced<'_>| {
                priced.meter == meter || wholes(meter).any(|whole| whole == priced.meter)
            };
            let units = if linear {
                let taken = meters.iter_mut().filter(inside).map(|p| p.left).min().unwrap_or(0);
                for priced in meters.iter_mut().filter(inside) {
                    priced.left = priced.left.saturating_sub(taken);
                }
                taken
            } else {
                left
            };
            if units == 0 {
                continue;
            }
            if let (true, Some(price)) = (linear, price) {
                filled.cost = filled.cost.checked_add(price.checked_mul(units)?)?;
            }
            filled.units.extend(self.counted(counting, meter).map(|(index, _)| (index, units)));
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use proptest::prelude::*;

    use crate::{
        Plan,
        error::Result,
        time::Timestamp,
        usage::{Basis, Surface, Usage},
    };

    const METERS: [&str; 5] = [
        "cache_write_5m_tokens",
        "cache_write_tokens",
        "cached_input_tokens",
        "input_tokens",
        "output_tokens",
    ];

    fn plan(charges: &[String]) -> Result<Plan> {
        let meters: Vec<String> =
            METERS.iter().map(|meter| format!(r#""{meter}":"token""#)).collect();
        Plan::from_json(
            format!(
                r#"{{"format":"counterfoil/plan/1","name":"Test",
                    "authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                    "currency":{{"iso4217":"JPY"}},"meters":{{{}}},"charges":[{}],
                    "payees":[{{"payee":"seller","weight":1}}]}}"#,
                meters.join(","),
                charges.join(",")
            )
            .as_bytes(),
        )
    }

    /// A charge for a meter: its members but the id.
    fn charge(linear: bool) -> impl Strategy<Value = String> {
        let meter = proptest::sample::select(&METERS[..]);
        let selector = prop_oneof![
            Just(String::new()),
            Just(String::from(r#""match":{},"#)),
            (0..12_u8)
                .prop_map(|n| format!(r#""context":{{"meter":"input_tokens","above":{n}}},"#)),
            (1..12_u8)
                .prop_map(|n| format!(r#""context":{{"meter":"input_tokens","up_to":{n}}},"#)),
        ];
        let model = prop_oneof![
            4 => Just(String::from(r#""model":"per_unit""#)),
            1 => (0..5_u8).prop_map(|n| format!(r#""model":"per_unit","free":{n}"#)),
            1 => (1..5_u8).prop_map(|n| format!(r#""model":"package","size":{n}"#)),
        ];
        (meter, selector, model, 0..9_u8).prop_map(move |(meter, selector, model, price)| {
            let model = if linear { r#""model":"per_unit""# } else { &model };
            format!(r#"{selector}"meter":"{meter}",{model},"price":"{price}"}}"#)
        })
    }

    /// A plan of those of the charges that go together.
    fn readable(charges: Vec<String>) -> Option<Plan> {
        let mut taken = Vec::new();
        for charge in charges {
            taken.push(format!(r#"{{"id":"c{}",{charge}"#, taken.len()));
            if plan(&taken).is_err() {
                taken.pop();
            }
        }
        plan(&taken).ok()
    }

    /// A usage of at most this, whose parts lie inside each other.
    fn within(most: [u64; 5], parts: [u64; 5]) -> [u64; 5] {
        let [mut write_5m, mut write, mut cached, mut input, mut output] = parts;
        for (part, most) in
            [&mut write_5m, &mut write, &mut cached, &mut input, &mut output].into_iter().zip(most)
        {
            *part = (*part).min(most);
        }
        write = write.min(input);
        [write_5m.min(write), write, cached.min(input - write), input, output]
    }

    fn usage(quantities: [u64; 5]) -> Usage {
        let mut usage = Usage::new(Surface::Plain, Basis::Measured);
        for (meter, quantity) in METERS.iter().zip(quantities) {
            usage.set(meter, quantity).unwrap();
        }
        usage
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_call_within_the_quantities_costs_more_than_the_ceiling(
            charges in prop_oneof![
                proptest::collection::vec(charge(true), 1..12),
                proptest::collection::vec(charge(false), 1..8),
            ],
            most in proptest::array::uniform5(0..20_u64),
            calls in proptest::collection::vec(proptest::array::uniform5(0..20_u64), 1..40),
        ) {
            let Some(plan) = readable(charges) else { return Ok(()) };
            let most = within([20; 5], most);
            let Ok(bound) = plan.quote(&usage(most), Timestamp::MIN) else { return Ok(()) };
            for call in calls {
                let call = usage(within(most, call));
                if let Ok(quote) = plan.quote(&call, Timestamp::MIN) {
                    prop_assert!(quote.first <= bound.ceiling, "{call:?} of {most:?}: {quote:?}");
                }
            }
        }
    }
}
