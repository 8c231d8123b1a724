//! The charges that count in a call.
//!
//! A charge without a selector counts in every call. Of the charges of one meter that have a selector,
//! the one with the most dimensions among those that apply counts, and no other.
//!
//! *That one is always unique, and more specific than every other.* Let A be a charge with the most
//! dimensions of those that apply, and B another. The call lies in both, so they meet, and as the plan
//! was read, one of these holds. B's dimensions are fewer and among A's: as claimed. A's are fewer and
//! among B's: then A had not the most. Each has dimensions that the other lacks, and a third charge has
//! those of both and covers what they share: then it applies, and A had not the most. (That both have
//! the same dimensions is refused.)

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::cell::OnceCell;

use crate::{
    error::{Code, Error, Result},
    plan::{
        Call, Charge, Derived, REQUESTS, Selector,
        document::MAX_PARTS,
        family::{Family, families},
    },
    time::{Hours, Zone},
    usage::{index, root},
};

/// A set of charges by their index.
pub(super) type Set = u64;

const _: () = assert!(MAX_PARTS <= 64, "a set has a bit for every charge");

/// What is known before any call of which charges count. Meters and charges are found by number here,
/// so that pricing a call compares few texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The charges without a selector.
    always: Set,
    /// The charges whose selector looks at more than attributes.
    more_than_match: Set,
    /// Every attribute that selectors look at, so that a call's values are looked up once for all.
    attributes: Vec<Attribute>,
    /// Every meter that charges count, by name.
    meters: Vec<Meter>,
    /// By charge: where its units come from.
    origins: Vec<Origin>,
    /// The derived meters, in the order of the plan.
    derived: Vec<Weighted>,
    /// The families whose calls may be split, or be of sizes, that cost more than the largest.
    families: Vec<Family>,
}

/// Where the units of a meter come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The disjoint quantities of a usage, at this place: the meter is a whole or a part.
    Place(usize),
    /// The usage, where nothing is one call.
    Requests,
    /// The weights of this derived meter.
    Derived(usize),
    /// The usage.
    Usage,
}

impl Origin {
    pub(super) fn of(meter: &str, derived: &BTreeMap<String, Derived>) -> Origin {
        if let Some(place) = index(meter) {
            return Origin::Place(place);
        }
        if meter == REQUESTS {
            return Origin::Requests;
        }
        derived.keys().position(|name| name == meter).map_or(Origin::Usage, Origin::Derived)
    }
}

/// A derived meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weighted {
    /// Its charges.
    pub(super) charges: Set,
    /// By weight: where the units come from.
    pub(super) origins: Vec<Origin>,
}

/// What selectors say of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    name: String,
    /// The charges that do not look at it.
    indifferent: Set,
    /// Each value that a charge admits, by its bytes, with the charges that do.
    values: Vec<(String, Set)>,
}

impl Attribute {
    /// The charges that a call with this value, or without one, may be for.
    fn admitted(&self, value: Option<&String>) -> Set {
        let found = value.and_then(|value| {
            let at = self.values.binary_search_by(|(known, _)| known.cmp(value)).ok()?;
            self.values.get(at)
        });
        self.indifferent | found.map_or(0, |(_, charges)| *charges)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Meter {
    name: String,
    /// Its charges.
    charges: Set,
    /// Those with a selector, by the number of dimensions, the most first.
    selected: Vec<Set>,
}

/// The charges that count in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting(Set);

impl Counting {
    /// All of them.
    pub(super) fn all(self) -> Set {
        self.0
    }

    /// Those of these charges that count.
    pub(super) fn of(self, charges: Set) -> impl Iterator<Item = usize> {
        ascending(self.0 & charges)
    }
}

impl Choice {
    /// Sorts the charges of a plan by meter.
    pub(super) fn new(charges: &[Charge], derived: &BTreeMap<String, Derived>) -> Choice {
        let origins = charges.iter().map(|charge| Origin::of(&charge.meter, derived)).collect();
        let weighted = derived.iter().map(|(name, of)| Weighted {
            charges: set_of(charges, |charge| charge.meter == *name),
            origins: of.weights.iter().map(|w| Origin::of(&w.meter, derived)).collect(),
        });
        let selector = |charge: usize| charges.get(charge).and_then(|c| c.selector.as_ref());
        let mut choice = Choice {
            always: set_of(charges, |charge| charge.selector.is_none()),
            more_than_match: set_of(charges, |charge| {
                charge.selector.as_ref().is_some_and(Selector::looks_at_more_than_match)
            }),
            attributes: attributes(charges),
            meters: Vec::new(),
            origins,
            derived: weighted.collect(),
            families: families(charges, derived),
        };
        for charge in charges {
            let found = choice.meters.binary_search_by(|m| m.name.as_str().cmp(&charge.meter));
            let Err(at) = found else { continue };
            let same = set_of(charges, |other| other.meter == charge.meter);
            let mut selected: Vec<(usize, Set)> = Vec::new();
            for index in ascending(same) {
                let Some(selector) = selector(index) else { continue };
                let dimensions = selector.dimensions();
                match selected.iter_mut().find(|(known, _)| *known == dimensions) {
                    Some((_, set)) => *set |= bit(index),
                    None => selected.push((dimensions, bit(index))),
                }
            }
            selected.sort_by_key(|(dimensions, _)| core::cmp::Reverse(*dimensions));
            let selected = selected.into_iter().map(|(_, set)| set).collect();
            let name = charge.meter.clone();
            choice.meters.insert(at, Meter { name, charges: same, selected });
        }
        choice
    }

    /// The charges that count in a call, under a plan of this zone.
    pub(super) fn counting(
        &self,
        charges: &[Charge],
        zone: Option<&Zone>,
        call: &Call<'_>,
    ) -> Counting {
        let mut set = self.always;
        let known = OnceCell::new();
        let minute = || *known.get_or_init(|| Hours::minute(zone, call.at));
        let admitted = self.attributes.iter().fold(Set::MAX, |set, attribute| {
            set & attribute.admitted(call.attributes.get(&attribute.name))
        });
        let applies = |index: &usize| {
            let selector = charges.get(*index).and_then(|charge| charge.selector.as_ref());
            self.more_than_match & bit(*index) == 0
                || selector.is_some_and(|selector| selector.applies_but_match(call, &minute))
        };
        for meter in &self.meters {
            // Of as many dimensions, one at most applies.
            let mut ranks = meter.selected.iter();
            if let Some(index) = ranks.find_map(|rank| ascending(rank & admitted).find(applies)) {
                set |= bit(index);
            }
        }
        Counting(set)
    }

    /// Where the units of a charge come from.
    pub(super) fn origin(&self, charge: usize) -> Origin {
        self.origins.get(charge).copied().unwrap_or(Origin::Usage)
    }

    /// The derived meters, in the order of the plan.
    pub(super) fn derived(&self) -> &[Weighted] {
        &self.derived
    }

    /// The families of meters for which a hold needs more than the charged units.
    pub(super) fn families(&self) -> &[Family] {
        &self.families
    }

    /// Whether one of the charges that count is this meter's.
    pub(super) fn prices(&self, counting: Counting, meter: &str) -> bool {
        self.meters
            .binary_search_by(|known| known.name.as_str().cmp(meter))
            .ok()
            .and_then(|at| self.meters.get(at))
            .is_some_and(|known| known.charges & counting.0 != 0)
    }
}

/// The charges of which this holds.
pub(super) fn set_of(charges: &[Charge], holds: impl Fn(&Charge) -> bool) -> Set {
    charges
        .iter()
        .enumerate()
        .filter(|(_, charge)| holds(charge))
        .fold(0, |set, (index, _)| set | bit(index))
}

/// The charges in a set.
fn ascending(set: Set) -> impl Iterator<Item = usize> {
    let mut left = set;
    core::iter::from_fn(move || {
        let next = left.trailing_zeros();
        left &= left.checked_sub(1)?;
        usize::try_from(next).ok()
    })
}

/// What the selectors of the charges say of each attribute.
fn attributes(charges: &[Charge]) -> Vec<Attribute> {
    let mut found: BTreeMap<&str, BTreeMap<&str, Set>> = BTreeMap::new();
    let matches = |charge: usize| charges.get(charge)?.selector.as_ref().map(|s| &s.attributes);
    for charge in 0..charges.len() {
        for (name, values) in matches(charge).into_iter().flatten() {
            let known = found.entry(name).or_default();
            for value in values {
                *known.entry(value).or_default() |= bit(charge);
            }
        }
    }
    let looks = |charge: usize, name: &str| matches(charge).is_some_and(|m| m.contains_key(name));
    found
        .into_iter()
        .map(|(name, values)| Attribute {
            name: String::from(name),
            indifferent: (0..charges.len())
                .filter(|charge| !looks(*charge, name))
                .fold(0, |set, charge| set | bit(charge)),
            values: values.into_iter().map(|(v, set)| (String::from(v), set)).collect(),
        })
        .collect()
}

/// A bit for the charge; none for an index that no plan has.
fn bit(charge: usize) -> Set {
    u32::try_from(charge).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0)
}

/// Refuses charges that leave open which of them counts, and sizes of calls that no hold could bound.
/// `at` gives a charge's place in the document.
pub(super) fn check_choice(
    charges: &[Charge],
    derived: &BTreeMap<String, Derived>,
    at: &dyn Fn(usize) -> String,
) -> Result<()> {
    for (index, charge) in charges.iter().enumerate() {
        check_context(charges, derived, charge, index, at)?;
        let Some(selector) = &charge.selector else { continue };
        for earlier in charges.iter().take(index).filter(|c| c.meter == charge.meter) {
            let Some(other) = &earlier.selector else { continue };
            let same = charges.iter().filter(|third| third.meter == charge.meter);
            if !is_ordered(same.filter_map(|third| third.selector.as_ref()), selector, other) {
                return Err(Error::new(Code::PlanAmbiguous)
                    .value(format!("{} and {}", earlier.id, charge.id))
                    .because("neither is more specific, and no third one decides between them")
                    .at(at(index)));
            }
        }
    }
    Ok(())
}

/// Whether it is clear which of two selectors of a meter counts in a call that lies in both.
pub(super) fn is_ordered<'a>(
    mut all: impl Iterator<Item = &'a Selector>,
    a: &Selector,
    b: &Selector,
) -> bool {
    match (a.has_dimensions_of(b), b.has_dimensions_of(a)) {
        (true, true) => a.meet(b).is_none(),
        (true, false) | (false, true) => true,
        (false, false) => a.meet(b).is_none_or(|both| {
            all.any(|third| {
                third.dimensions() == both.dimensions()
                    && third.has_dimensions_of(&both)
                    && third.covers(&both)
            })
        }),
    }
}

/// Where the size of a call decides prices, the prices of a whole and all of its parts depend on the
/// size of one meter, and are the same for every unit.
fn check_context(
    charges: &[Charge],
    derived: &BTreeMap<String, Derived>,
    charge: &Charge,
    index: usize,
    at: &dyn Fn(usize) -> String,
) -> Result<()> {
    let family = root(&charge.meter);
    let context =
        |charge: &Charge| charge.selector.as_ref()?.context.as_ref().map(|c| c.meter.clone());
    let Some(meter) = charges.iter().filter(|other| root(&other.meter) == family).find_map(context)
    else {
        return Ok(());
    };
    let mut weights = derived.values().flat_map(|derived| &derived.weights);
    if derived.contains_key(&charge.meter) || weights.any(|weight| root(&weight.meter) == family) {
        return Err(Error::new(Code::PlanInvalid)
            .value(&charge.id)
            .because("a `context` does not go with derived meters")
            .at(at(index)));
    }
    if charge.unit_price().is_none() {
        return Err(Error::new(Code::PlanInvalid)
            .value(&charge.id)
            .because("beside a `context`, charges are per unit and without free units")
            .at(at(index)));
    }
    if context(charge).is_some_and(|own| own != meter) {
        return Err(Error::new(Code::PlanInvalid)
            .value(&charge.id)
            .because("contexts of a whole and its parts are of one meter")
            .at(format!("{}/context/meter", at(index))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        amount::UnitPrice,
        plan::{Aggregate, Context, Effective},
        rating::{Model, Tariff},
        time::Timestamp,
        usage::{Basis, Surface, Usage},
    };

    const ATTRIBUTES: [&str; 3] = ["model", "region", "tier"];
    const VALUES: [&str; 3] = ["a", "b", "c"];

    /// So many hours into a Thursday, so many weeks after 1970-01-01.
    fn instant(week: u64, hour: u64) -> Timestamp {
        Timestamp::from_millis((week * 7 * 24 + hour) * 3_600_000).unwrap()
    }

    fn applies(selector: &Selector, call: &Call<'_>) -> bool {
        selector.applies(call, &|| Hours::minute(None, call.at))
    }

    /// A range of small numbers: (above, up to).
    fn range() -> impl Strategy<Value = Option<(u64, u64)>> {
        proptest::option::weighted(0.3, (0..4_u64, 1..4_u64).prop_map(|(a, n)| (a, a + n)))
    }

    fn selector() -> impl Strategy<Value = Option<Selector>> {
        let values = proptest::sample::subsequence(&VALUES[..], 1..=3);
        let attributes = proptest::collection::btree_map(
            proptest::sample::select(&ATTRIBUTES[..]),
            values,
            0..=3,
        );
        let one = (attributes, range(), range(), range());
        let one = one.prop_map(|(attributes, context, effective, hours)| {
            let owned = |values: Vec<&str>| values.into_iter().map(String::from).collect();
            Selector {
                attributes: attributes.into_iter().map(|(n, v)| (n.into(), owned(v))).collect(),
                context: context.map(|(above, up_to)| Context {
                    meter: "a".into(),
                    above: Some(above),
                    up_to: Some(up_to),
                }),
                effective: effective.map(|(from, until)| Effective {
                    from: Some(instant(from, 0)),
                    until: Some(instant(until, 0)),
                }),
                hours: hours.map(|(from, until)| {
                    let mut hours = Hours::default();
                    let minute = |hour| u16::try_from(hour * 60).unwrap();
                    hours.add(3, minute(from), minute(until));
                    hours
                }),
            }
        });
        proptest::option::weighted(0.9, one)
    }

    fn charge(number: usize, selector: Option<Selector>) -> Charge {
        let model = Model::PerUnit { price: UnitPrice::ZERO };
        Charge {
            id: format!("c{number}"),
            meter: "a".into(),
            selector,
            period: None,
            aggregate: Aggregate::Sum,
            tariff: Tariff::new(model, 0).unwrap(),
        }
    }

    /// The charges of those given that a plan takes together.
    fn readable(selectors: Vec<Option<Selector>>) -> Vec<Charge> {
        let mut charges = Vec::new();
        for selector in selectors {
            let mut more = charges.clone();
            more.push(charge(charges.len(), selector));
            if check_choice(&more, &BTreeMap::new(), &|_| String::new()).is_ok() {
                charges = more;
            }
        }
        charges
    }

    /// Every call that the selectors can tell from another.
    fn calls() -> Vec<(BTreeMap<String, String>, u64, Timestamp)> {
        let mut calls = Vec::new();
        for number in 0..64 * 8 * 8 * 8 {
            let mut attributes = BTreeMap::new();
            for (place, name) in ATTRIBUTES.iter().enumerate() {
                if let Some(value) = VALUES.get((number >> (2 * place)) & 3) {
                    attributes.insert(String::from(*name), String::from(*value));
                }
            }
            let rest = u64::try_from(number >> 6).unwrap();
            calls.push((attributes, rest & 7, instant((rest >> 3) & 7, rest >> 6)));
        }
        calls
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn of_the_selected_that_apply_the_one_that_counts_is_more_specific_than_all_others(
            selectors in proptest::collection::vec(selector(), 1..12)
        ) {
            let charges = readable(selectors);
            let choice = Choice::new(&charges, &BTreeMap::new());
            for (attributes, quantity, at) in calls() {
                let mut usage = Usage::new(Surface::Plain, Basis::Measured);
                usage.set("a", quantity).unwrap();
                let call = Call { usage: &usage, attributes: &attributes, at };
                let counting = choice.counting(&charges, None, &call);
                let (mut applying, mut counted) = (vec![], vec![]);
                for (index, charge) in charges.iter().enumerate() {
                    let Some(selector) = &charge.selector else {
                        prop_assert!(counting.all() & bit(index) != 0);
                        continue;
                    };
                    if applies(selector, &call) {
                        applying.push(selector);
                    }
                    if counting.all() & bit(index) != 0 {
                        counted.push(selector);
                    }
                }
                prop_assert_eq!(counted.len(), usize::from(!applying.is_empty()));
                for best in counted {
                    prop_assert!(applies(best, &call));
                    for other in &applying {
                        prop_assert!(best.has_dimensions_of(other));
                        prop_assert!(best == *other || !other.has_dimensions_of(best));
                    }
                }
            }
        }

        /// What meets, meets in some call.
        #[test]
        fn selectors_meet_where_some_call_lies_in_both(a in selector(), b in selector()) {
            let (Some(a), Some(b)) = (a, b) else { return Ok(()) };
            let meet = a.meet(&b);
            let mut found = false;
            for (attributes, quantity, at) in calls() {
                let mut usage = Usage::new(Surface::Plain, Basis::Measured);
                usage.set("a", quantity).unwrap();
                let call = Call { usage: &usage, attributes: &attributes, at };
                let both = applies(&a, &call) && applies(&b, &call);
                prop_assert_eq!(both, meet.as_ref().is_some_and(|meet| applies(meet, &call)));
                found |= both;
            }
            prop_assert_eq!(found, meet.is_some());
        }
    }
}
