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
//! Units of a derived meter are compared by their weights. Where prices depend on counters, grants pay
//! units, parts overlap, or there are prices beside weights, each meter takes its whole quantity: more than any call, but
//! simple and safe.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::{
    amount::{Exact, UnitPrice},
    error::Result,
    plan::{
        Call, Plan,
        choice::{Origin, Set},
        family::{Family, Member},
        units::{Counted, Units},
    },
    usage::{COUNT, depth, wholes},
};

/// One priced meter of a family in a call.
struct Priced<'a> {
    member: &'a Member,
    /// What each of its units costs, or is worth.
    price: Exact,
    /// How many of its units no dearer meter has taken.
    left: u64,
}

impl Plan {
    /// The units that a hold for at most this usage takes: (index of the charge, units), in the order
    /// of the plan. `granted` says of which meters grants may pay units: then the dearest call is
    /// another one.
    ///
    /// # Errors
    /// Those of [`Plan::charged_units`] for a call of exactly this usage; `amount_overflow`.
    pub(crate) fn held_units(
        &self,
        call: &Call<'_>,
        granted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<(usize, u64)>> {
        let counted = self.counted(call);
        let mut units = self.disjoint_units(call, &counted)?;
        // No weights go with a context, so what its family takes is known by itself.
        let mut rest = Set::MAX;
        let mut sized = Vec::new();
        for family in self.choice().families() {
            let full = family.joint || family.members.iter().any(|m| granted(&m.meter));
            match &family.context {
                None => {
                    self.fill(family, &counted, &mut units, full)?;
                }
                Some((meter, bounds)) => {
                    rest &= !family.charges;
                    sized.extend(self.dearest(family, call, (meter, bounds), full)?);
                }
            }
        }
        let held: Result<Vec<_>> = self.units_of_charges(&counted, rest, &units).collect();
        let mut held = held?;
        held.extend(sized);
        held.sort_unstable();
        Ok(held)
    }

    /// The dearest call of a family, over the sizes at which its prices change.
    fn dearest(
        &self,
        family: &Family,
        call: &Call<'_>,
        (meter, bounds): (&str, &[u64]),
        full: bool,
    ) -> Result<Vec<(usize, u64)>> {
        let of_size = |sized: &Call<'_>| -> Result<(Exact, Vec<(usize, u64)>)> {
            let counted = self.counted(sized);
            // Where sizes cannot be compared, each charge of each size takes the whole quantity of its
            // meter.
            let usage = if full { call.usage } else { sized.usage };
            let mut units = Units { places: [0; COUNT], usage };
            let cost = self.fill(family, &counted, &mut units, full)?;
            let units = self.units_of_charges(&counted, family.charges, &units);
            Ok((cost, units.collect::<Result<_>>()?))
        };
        let (mut cost, mut units) = of_size(call)?;
        let most = call.usage.get(meter);
        for bound in bounds.iter().filter(|bound| **bound < most) {
            let mut usage = call.usage.clone();
            usage.set(meter, *bound)?;
            let smaller = of_size(&Call { usage: &usage, ..*call })?;
            if full {
                units.extend(smaller.1);
            } else if smaller.0 > cost {
                (cost, units) = smaller;
            }
        }
        units.sort_unstable();
        units.dedup();
        Ok(units)
    }

    /// Gives the meters of a family the units of the dearest call among those with the same prices.
    /// What it costs where that depends on no counter; otherwise nothing.
    fn fill(
        &self,
        family: &Family,
        counted: &Counted<'_>,
        units: &mut Units<'_>,
        full: bool,
    ) -> Result<Exact> {
        let mut meters = Vec::with_capacity(family.members.len());
        let (mut first, mut comparable) = (None, !full);
        for member in &family.members {
            units.put(member.origin, 0);
            let mut worths = self.worths(counted, member).peekable();
            if worths.peek().is_some() {
                let left = match member.origin {
                    Origin::Place(_) => units.usage.get(&member.meter),
                    origin => units.of(origin, &member.meter),
                };
                meters.push(Priced { member, price: Exact::ZERO, left });
            }
            for (of, price) in worths {
                comparable &= price.is_some() && *first.get_or_insert(of) == of;
            }
        }
        if !comparable {
            meters.iter().for_each(|priced| units.put(priced.member.origin, priced.left));
            return Ok(Exact::ZERO);
        }
        for priced in &mut meters {
            for (_, price) in self.worths(counted, priced.member) {
                priced.price = priced.price.checked_add(price.unwrap_or(Exact::ZERO))?;
            }
        }
        // The dearest first; of equals a part before its whole; otherwise by name.
        meters.sort_by_key(|priced| (Reverse(priced.price), Reverse(depth(&priced.member.meter))));
        let mut cost = Exact::ZERO;
        for place in 0..meters.len() {
            let Some(&Priced { member, price, .. }) = meters.get(place) else { continue };
            let inside = |priced: &&mut Priced<'_>| {
                priced.member.meter == member.meter
                    || wholes(&member.meter).any(|whole| whole == priced.member.meter)
            };
            let taken = meters.iter_mut().filter(inside).map(|p| p.left).min().unwrap_or(0);
            for priced in meters.iter_mut().filter(inside) {
                priced.left = priced.left.saturating_sub(taken);
            }
            cost = cost.checked_add(price.checked_mul(taken)?)?;
            units.put(member.origin, taken);
        }
        Ok(cost)
    }

    /// What a unit of a meter costs, charge by charge, and is worth, weight by weight: the derived meter
    /// of a weight, and how much; `None` where that depends on a counter.
    fn worths<'a>(
        &'a self,
        counted: &'a Counted<'_>,
        member: &'a Member,
    ) -> impl Iterator<Item = (Option<usize>, Option<Exact>)> {
        let charges = counted.charges.of(member.charges);
        let charges = charges.filter_map(|charge| self.charges().get(charge));
        let charges = charges.map(|charge| (None, charge.unit_price().map(UnitPrice::exact)));
        let weights = counted.weights(&member.meter);
        charges.chain(weights.map(|(derived, n)| (Some(derived), Exact::new(n.into(), 0).ok())))
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
