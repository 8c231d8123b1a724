//! Leases, at both ends.

use std::{collections::BTreeMap, str::FromStr};

use counterfoil::{
    Code, Digest, Error, Signature,
    meter::{Command, LeaseRequest},
};
use serde_json::{Value, json};

use super::{Done, Objects, a_meter, meter::propose};
use crate::{
    input::{self, Input, Outcome, fault},
    output::{instant, text},
};

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

pub(super) fn out(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let id: Digest = input.parsed("subscription")?;
    let leases = host.meter.leases(&id).ok_or_else(|| Error::new(Code::SubscriptionUnknown))?;
    let leases = leases.into_iter().map(|lease| {
        let charges = lease.charges.into_iter().map(|lent| {
            json!({
                "charge": lent.charge,
                "counter": text(lent.counter),
                "units": text(lent.units),
                "used": text(lent.used),
            })
        });
        let limits = lease.limits.into_iter();
        json!({
            "lease": text(lease.lease),
            "holder": lease.holder,
            "at": instant(lease.at),
            "until": instant(lease.until),
            "reclaimedAt": instant(lease.reclaimed_at),
            "charges": charges.collect::<Vec<_>>(),
            "limits": limits
                .map(|share| json!({"limit": share.limit, "most": text(share.most)}))
                .collect::<Vec<_>>(),
            "stated": lease.stated.map(|stated| json!({
                "sequence": text(stated.sequence),
                "cumulative": text(stated.cumulative),
                "at": instant(stated.at),
            })),
        })
    });
    Ok(json!({"leases": leases.collect::<Vec<_>>()}))
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
