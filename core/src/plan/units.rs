//! The units that the charges of a plan count in a call.

use alloc::{string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    plan::{Call, Charge, Plan, REQUESTS, Weight, choice::Counting},
    usage::Usage,
};

/// A derived meter's quantity is below this, as any.
const END: u64 = 1 << 63;

/// What counts in one call.
pub(super) struct Counted<'a> {
    charges: Counting,
    /// The weights that count, with the derived meter that they are of.
    weights: Vec<(&'a str, &'a Weight)>,
}

impl Counted<'_> {
    /// The weights of a meter that count.
    pub(super) fn weights(&self, meter: &str) -> impl Iterator<Item = (&str, u64)> {
        self.weights
            .iter()
            .filter(move |(_, weight)| weight.meter == meter)
            .map(|(derived, weight)| (*derived, weight.weight))
    }

    /// Whether a usage says something of a derived meter.
    fn given(&self, derived: &str, usage: &Usage) -> bool {
        let mut weights = self.weights.iter().filter(|(of, _)| *of == derived);
        weights.any(|(_, weight)| weight.meter == REQUESTS || usage.has(&weight.meter))
    }
}

impl Plan {
    /// The charges and weights that count in a call.
    pub(super) fn counted(&self, call: &Call<'_>) -> Counted<'_> {
        let charges = self.choice().counting(self.charges(), self.zone(), call);
        let mut weights = Vec::new();
        for (name, derived) in self.derived() {
            // What is worth credits is paid for only where credits are.
            if self.choice().prices(charges, name) {
                weights.extend(derived.counting(call).map(|weight| (name.as_str(), weight)));
            }
        }
        Counted { charges, weights }
    }

    /// The charges of a meter that count.
    pub(super) fn charges_of(
        &self,
        counted: &Counted<'_>,
        meter: &str,
    ) -> impl Iterator<Item = &Charge> {
        let charges = counted.charges;
        self.charges()
            .iter()
            .enumerate()
            .filter(move |(index, charge)| charges.has(*index) && charge.meter == meter)
            .map(|(_, charge)| charge)
    }

    /// The units that each charge counts in a call: (index of the charge, units), charges that count
    /// nothing left out. Parts with a price of their own in this call are taken out of their whole.
    ///
    /// # Errors
    /// `usage_unpriced`, `usage_contradiction`; `usage_quantity` for 2^63 units of a derived meter.
    pub(crate) fn charged_units(&self, call: &Call<'_>) -> Result<Vec<(usize, u64)>> {
        let counted = self.counted(call);
        let units = self.disjoint_units(call, &counted)?;
        self.units_of_charges(call, &counted, &units)
    }

    /// The units of each meter that has a price in a call; `requests` always has some.
    pub(super) fn disjoint_units<'a>(
        &self,
        call: &Call<'a>,
        counted: &Counted<'_>,
    ) -> Result<Vec<(&'a str, u64)>> {
        let usage = call.usage;
        let priced = |meter: &str| {
            self.choice().prices(counted.charges, meter)
                || counted.weights.iter().any(|(_, weight)| weight.meter == meter)
        };
        // Every call counts itself: `requests` needs no price. A derived meter cannot be used itself.
        let covered =
            |meter: &str| meter == REQUESTS || priced(meter) && !self.derived().contains_key(meter);
        if let Some(meter) = usage.uncovered(&covered) {
            return Err(Error::new(Code::UsageUnpriced).value(meter));
        }
        let mut units = usage.disjoint(&priced)?;
        units.retain(|(meter, _)| *meter != REQUESTS);
        units.push((REQUESTS, usage.get(REQUESTS).max(1)));
        Ok(units)
    }

    /// What the charges that count make of the units of meters.
    pub(super) fn units_of_charges(
        &self,
        call: &Call<'_>,
        counted: &Counted<'_>,
        units: &[(&str, u64)],
    ) -> Result<Vec<(usize, u64)>> {
        let of = |meter: &str| units.iter().find(|(known, _)| *known == meter).map_or(0, |u| u.1);
        let mut charged = Vec::with_capacity(units.len());
        for (index, charge) in self.charges().iter().enumerate() {
            if !counted.charges.has(index) {
                continue;
            }
            let quantity = match self.derived().contains_key(&charge.meter) {
                false => of(&charge.meter),
                true => derived_units(counted, &charge.meter, &of)?,
            };
            let given = || match self.derived().contains_key(&charge.meter) {
                false => charge.meter == REQUESTS || call.usage.has(&charge.meter),
                true => counted.given(&charge.meter, call.usage),
            };
            if let Some(units) = charge.aggregate.units(quantity, &given) {
                charged.push((index, units));
            }
        }
        Ok(charged)
    }
}

/// The sum of weight times units.
fn derived_units(counted: &Counted<'_>, name: &String, of: &dyn Fn(&str) -> u64) -> Result<u64> {
    let mut sum = 0_u64;
    for (_, weight) in counted.weights.iter().filter(|(derived, _)| derived == name) {
        sum = of(&weight.meter)
            .checked_mul(weight.weight)
            .and_then(|units| sum.checked_add(units))
            .filter(|sum| *sum < END)
            .ok_or_else(|| Error::new(Code::UsageQuantity).value(name))?;
    }
    Ok(sum)
}
