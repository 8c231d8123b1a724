//! Derived meters: units of the seller's own, such as credits, made of those of other meters.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    json::Node,
    plan::{
        Call, REQUESTS, Selector,
        charge::{read_name, read_positive},
        check_name,
        choice::is_ordered,
        document::{MAX_PARTS, read_title},
        selector::read_match,
    },
    usage::WHOLES,
};

/// A meter whose quantity is made of those of other meters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The unit, for people.
    pub unit: String,
    /// What each unit of other meters is worth, in the order of the document.
    pub weights: Vec<Weight>,
}

/// What one unit of a meter is worth in a derived meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// The meter; its parts with a price or a weight of their own are taken out of it, as always.
    pub meter: String,
    /// Units of the derived meter for one unit, at least 1.
    pub weight: u64,
    /// Which calls it is for. As with charges, of a meter's weights that have one and apply to a call
    /// the most specific counts, and those without one count always.
    pub selector: Option<Selector>,
}

/// Reads the member `derived`: the derived meters by name.
pub(super) fn read_derived(
    node: &Node<'_>,
    meters: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Derived>> {
    let mut derived = BTreeMap::new();
    for (name, member) in node.fields()?.iter() {
        check_name(name).map_err(|e| e.at(member.pointer()))?;
        let known = WHOLES.iter().any(|(meter, _)| *meter == name);
        if known || name == REQUESTS || meters.contains_key(name) {
            return Err(Error::new(Code::PlanOrder)
                .value(name)
                .because("the name is another meter's")
                .at(member.pointer()));
        }
        derived.insert(String::from(name), Derived::read(&member, meters)?);
        if derived.len() > MAX_PARTS {
            return Err(node.error(Code::PlanInvalid).because("more than 64 derived meters"));
        }
    }
    Ok(derived)
}

impl Derived {
    fn read(node: &Node<'_>, meters: &BTreeMap<String, String>) -> Result<Derived> {
        let mut fields = node.fields()?;
        let unit = read_title(&fields.required("unit")?)?;
        let list = fields.required("weights")?;
        let mut weights: Vec<Weight> = Vec::new();
        for item in list.items()? {
            weights.push(Weight::read(&item, meters)?);
            if weights.len() > MAX_PARTS {
                return Err(list.error(Code::PlanInvalid).because("more than 64 weights"));
            }
        }
        if weights.is_empty() {
            return Err(list.error(Code::PlanInvalid).because("a derived meter has a weight"));
        }
        fields.finish()?;
        for (index, weight) in weights.iter().enumerate() {
            let same = |other: &&Weight| other.meter == weight.meter;
            let of_meter = || weights.iter().filter(same).filter_map(|w| w.selector.as_ref());
            let Some(selector) = &weight.selector else { continue };
            for earlier in weights.iter().take(index).filter(same) {
                let Some(other) = &earlier.selector else { continue };
                if !is_ordered(of_meter(), selector, other) {
                    return Err(Error::new(Code::PlanAmbiguous)
                        .value(&weight.meter)
                        .because("neither weight is more specific, and no third one decides")
                        .at(format!("{}/{index}", list.pointer())));
                }
            }
        }
        Ok(Derived { unit, weights })
    }

    /// The weights that count in a call, with their index.
    pub(super) fn counting(&self, call: &Call<'_>) -> impl Iterator<Item = (usize, &Weight)> {
        self.weights.iter().enumerate().filter(move |(_, weight)| {
            let Some(selector) = &weight.selector else { return true };
            selector.applies(call, &|| 0)
                && !self.weights.iter().any(|other| {
                    other.meter == weight.meter
                        && other.selector.as_ref().is_some_and(|other| {
                            other.dimensions() > selector.dimensions() && other.applies(call, &|| 0)
                        })
                })
        })
    }
}

impl Weight {
    fn read(node: &Node<'_>, meters: &BTreeMap<String, String>) -> Result<Weight> {
        let mut fields = node.fields()?;
        let meter = read_name(&fields.required("meter")?)?;
        let weight = read_positive(&fields.required("weight")?)?;
        let selector = match fields.optional("match") {
            Some(node) => Some(Selector { attributes: read_match(&node)?, ..Selector::default() }),
            None => None,
        };
        fields.finish()?;
        if meter != REQUESTS && !meters.contains_key(&meter) {
            return Err(Error::new(Code::PlanReference)
                .value(&meter)
                .at(format!("{}/meter", node.pointer())));
        }
        Ok(Weight { meter, weight, selector })
    }
}
