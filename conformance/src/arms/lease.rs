//! Leases, at both ends.

use std::{collections::BTreeMap, str::FromStr};

use counterfoil::{
    Signature,
    meter::{Command, LeaseRequest},
};
use serde_json::Value;

use super::{Done, Objects, meter::propose};
use crate::input::{self, Input, Outcome, fault};

pub(super) fn lend(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Lease(LeaseRequest {
        subscription: input.parsed("subscription")?,
        holder: input.text("holder")?,
        until: input.instant("until")?,
        units: map(input, "units", input::integer)?,
        limits: map(input, "limits", input::integer)?,
        attributes: map(input, "attributes", |text| Ok(text.to_owned()))?,
    });
    propose(input, objects, &command, "now")
}

pub(super) fn accept(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Accept {
        lease: input.bytes("lease")?,
        signature: signature(input)?,
        rail: input.digest_or_zero("rail")?,
    };
    propose(input, objects, &command, "now")
}

pub(super) fn statement(input: &mut Input, objects: &mut Objects) -> Done {
    let command =
        Command::Statement { lease: input.parsed("lease")?, closing: input.flag("closing")? };
    propose(input, objects, &command, "now")
}

pub(super) fn absorb(input: &mut Input, objects: &mut Objects) -> Done {
    let command =
        Command::Absorb { statement: input.bytes("statement")?, signature: signature(input)? };
    propose(input, objects, &command, "now")
}

fn signature(input: &mut Input) -> Outcome<Signature> {
    Ok(Signature::from_str(&input.text("signature")?)?)
}

/// A map that may be left out.
fn map<T>(
    input: &mut Input,
    name: &str,
    read: impl Fn(&str) -> Outcome<T>,
) -> Outcome<BTreeMap<String, T>> {
    match input.maybe(name) {
        None => Ok(BTreeMap::new()),
        Some(Value::Object(members)) => members
            .into_iter()
            .map(|(name, value)| Ok((name, read(&input::text(value)?)?)))
            .collect(),
        Some(_) => fault(format!("`{name}` is no map")),
    }
}
