//! The units that the charges of a plan count in a call.

use alloc::vec::Vec;

use crate::{
    error::{Code, Error, Result},
    plan::{
        Call, Plan, REQUESTS, Weight,
        choice::{Counting, Origin, Set},
    },
    usage::{self, COUNT, Priced, Usage},
};

/// A derived meter's quantity is below this, as any.
const END: u64 = 1 << 63;

/// What counts in one call.
pub(super) struct Counted<'a> {
    pub(super) charges: Counting,
    /// The weights that count.
    weights: Vec<CountedWeight<'a>>,
}

/// A weight that counts.
struct CountedWeight<'a> {
    /// Which of the derived meters it is of.
    derived: usize,
    weight: &'a Weight,
    origin: Origin,
}

impl Counted<'_> {
    /// The weights of a meter that count: of which derived meter, and how much.
    pub(super) fn weights(&self, meter: &str) -> impl Iterator<Item = (usize, u64)> {
        self.weights
            .iter()
            .filter(move |counted| counted.weight.meter == meter)
            .map(|counted| (counted.derived, counted.weight.weight))
    }

    /// Whether a usage says something of a derived meter.
    fn given(&self, derived: usize, usage: &Usage) -> bool {
        let mut weights = self.weights.iter().filter(|counted| counted.derived == derived);
        weights.any(|CountedWeight { weight, .. }| {
            weight.meter == REQUESTS || usage.has(&weight.meter)
        })
    }
}

/// The units of the meters in a call, from which charges take theirs.
pub(super) struct Units<'a> {
    /// Of the meters that are wholes or parts, by their place.
    pub(super) places: [u64; COUNT],
    /// Where those of every other meter stand.
    pub(super) usage: &'a Usage,
}

impl Units<'_> {
    /// The units of a meter that is not derived; `requests` always has some.
    pub(super) fn of(&self, origin: Origin, meter: &str) -> u64 {
        match origin {
            Origin::Place(place) => self.places.get(place).copied().unwrap_or(0),
            Origin::Requests => self.usage.get(REQUESTS).max(1),
            Origin::Usage => self.usage.get(meter),
            Origin::Derived(_) => 0,
        }
    }

    /// Sets the units of a meter that is a whole or a part; every other has those of the usage.
    pub(super) fn put(&mut self, origin: Origin, units: u64) {
        if let Origin::Place(place) = origin
            && let Some(known) = self.places.get_mut(place)
        {
            *known = units;
        }
    }
}

impl Plan {
    /// The charges and weights that count in a call.
    pub(super) fn counted(&self, call: &Call<'_>) -> Counted<'_> {
        let charges = self.choice().counting(self.charges(), self.zone(), call);
        let mut weights = Vec::new();
        for (at, (known, derived)) in
            self.choice().derived().iter().zip(self.derived().values()).enumerate()
        {
            // What is worth credits is paid for only where credits are.
            if charges.all() & known.charges == 0 {
                continue;
            }
            for (index, weight) in derived.counting(call) {
                let origin = known.origins.get(index).copied().unwrap_or(Origin::Usage);
                weights.push(CountedWeight { derived: at, weight, origin });
            }
        }
        Counted { charges, weights }
    }

    /// The units that each charge counts in a call: (index of the charge, units), charges that count
    /// nothing left out. Parts with a price of their own in this call are taken out of their whole.
    ///
    /// # Errors
    /// `usage_unpriced`, `usage_contradiction`; `usage_quantity` for 2^63 units of a derived meter.
    pub(crate) fn charged_units(&self, call: &Call<'_>) -> Result<Vec<(usize, u64)>> {
        let counted = self.counted(call);
        let units = self.disjoint_units(call, &counted)?;
        self.units_of_charges(&counted, Set::MAX, &units).collect()
    }

    /// The units of each meter that has a price in a call.
    pub(super) fn disjoint_units<'a>(
        &self,
        call: &Call<'a>,
        counted: &Counted<'_>,
    ) -> Result<Units<'a>> {
        let usage = call.usage;
        let mut known = usage::Set::default();
        let origins = counted.charges.of(Set::MAX).map(|charge| self.choice().origin(charge));
        for origin in origins.chain(counted.weights.iter().map(|counted| counted.origin)) {
            if let Origin::Place(place) = origin {
                known.insert(place);
            }
        }
        // Every call counts itself: `requests` needs no price. A derived meter cannot be used itself.
        let other = |meter: &str| {
            let priced = self.choice().prices(counted.charges, meter)
                || counted.weights(meter).next().is_some();
            meter == REQUESTS || priced && !self.derived().contains_key(meter)
        };
        if let Some(meter) = usage.uncovered(&Priced { known, other: &other }) {
            return Err(Error::new(Code::UsageUnpriced).value(meter));
        }
        Ok(Units { places: usage.disjoint(known)?, usage })
    }

    /// What those of the charges that count make of the units of meters: (index of the charge, units),
    /// in the order of the plan.
    pub(super) fn units_of_charges<'a>(
        &'a self,
        counted: &'a Counted<'_>,
        charges: Set,
        units: &'a Units<'_>,
    ) -> impl Iterator<Item = Result<(usize, u64)>> + 'a {
        counted.charges.of(charges).filter_map(move |index| {
            let charge = self.charges().get(index)?;
            let quantity = match self.choice().origin(index) {
                Origin::Derived(derived) => derived_units(counted, derived, units, &charge.meter),
                origin => Ok(units.of(origin, &charge.meter)),
            };
            let given = || match self.choice().origin(index) {
                Origin::Derived(derived) => counted.given(derived, units.usage),
                Origin::Requests => true,
                Origin::Place(_) | Origin::Usage => units.usage.has(&charge.meter),
            };
            let units = quantity.map(|quantity| charge.aggregate.units(quantity, &given));
            units.map(|units| Some((index, units?))).transpose()
        })
    }
}

/// The sum of weight times units.
fn derived_units(
    counted: &Counted<'_>,
    derived: usize,
    units: &Units<'_>,
    name: &str,
) -> Result<u64> {
    let mut sum = 0_u64;
    for CountedWeight { weight, origin, .. } in
        counted.weights.iter().filter(|counted| counted.derived == derived)
    {
        sum = units
            .of(*origin, &weight.meter)
            .checked_mul(weight.weight)
            .and_then(|units| sum.checked_add(units))
            .filter(|sum| *sum < END)
            .ok_or_else(|| Error::new(Code::UsageQuantity).value(name))?;
    }
    Ok(sum)
}
