//! Meters whose units a call may split otherwise than a hold said, or that have another price in a smaller
//! call.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    plan::{
        Charge, Derived,
        choice::{Origin, Set, set_of},
    },
    usage::{is_joint, root},
};

/// A meter that is no part, with its parts, their parts and so on: those of them that have charges or
/// weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    /// The meters, by name.
    pub(super) members: Vec<Member>,
    /// All their charges.
    pub(super) charges: Set,
    /// The meter whose quantity is the size of a call, and the sizes up to which prices hold,
    /// ascending.
    pub(super) context: Option<(String, Vec<u64>)>,
    /// Whether one of the meters is what two others have in common.
    pub(super) joint: bool,
}

/// A meter of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) meter: String,
    pub(super) origin: Origin,
    /// Its charges.
    pub(super) charges: Set,
}

/// The families with more than one meter, and those with a context.
pub(super) fn families(charges: &[Charge], derived: &BTreeMap<String, Derived>) -> Vec<Family> {
    let charged = charges.iter().map(|charge| charge.meter.as_str());
    let weights = derived.values().flat_map(|derived| &derived.weights);
    let mut meters: Vec<&str> = charged.chain(weights.map(|w| w.meter.as_str())).collect();
    meters.sort_by_key(|meter| (root(meter), *meter));
    meters.dedup();
    let mut families = Vec::new();
    for family in meters.chunk_by(|a, b| root(a) == root(b)) {
        let mut found: Option<(String, Vec<u64>)> = None;
        for charge in charges.iter().filter(|charge| family.contains(&charge.meter.as_str())) {
            if let Some(context) = charge.selector.as_ref().and_then(|s| s.context.as_ref()) {
                let (_, bounds) = found.get_or_insert((context.meter.clone(), Vec::new()));
                bounds.extend(context.above.into_iter().chain(context.up_to));
                bounds.sort_unstable();
                bounds.dedup();
            }
        }
        if family.len() > 1 || found.is_some() {
            let members = family.iter().map(|meter| Member {
                meter: String::from(*meter),
                origin: Origin::of(meter, derived),
                charges: set_of(charges, |charge| charge.meter == *meter),
            });
            families.push(Family {
                members: members.collect(),
                charges: set_of(charges, |charge| family.contains(&charge.meter.as_str())),
                context: found,
                joint: family.iter().any(|meter| is_joint(meter)),
            });
        }
    }
    families
}
