//! The meter and its journal.

use counterfoil::{
    Amount, Digest, Receipt, Timestamp,
    crypto::sha256,
    entry::{Collected, ImportMark, ReleaseReason},
    meter::{Command, Credit, Import, Outcome as Decided, Replay, Request, Settle, Subscribe},
};
use serde_json::{Value, json};

use super::{Done, Object, Objects, a_meter, a_plan};
use crate::{
    host::{Host, Journal},
    input::{Input, Outcome, Stop, fault},
    output::{self, instant, text},
};

pub(super) fn new(input: &mut Input) -> Done {
    let host = Host::new(input.array("saltKey")?);
    Ok((json!({}), Some(Object::Meter(Box::new(host)))))
}

pub(super) fn begin(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Begin { origin: input.text("origin")?, signer: input.parsed("signer")? };
    propose(input, objects, &command, "now")
}

pub(super) fn add_plan(input: &mut Input, objects: &mut Objects) -> Done {
    let plan = a_plan(input, "plan", objects)?.clone();
    propose(input, objects, &Command::AddPlan(Box::new(plan)), "now")
}

pub(super) fn subscribe(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Subscribe(Subscribe {
        plan: input.parsed("plan")?,
        payer: input.nullable("payer")?.map(|payer| payer.parse()).transpose()?,
        account: input.nullable("account")?,
        started_at: input.instant("startedAt")?,
        rail: input.digest_or_zero("rail")?,
    });
    propose(input, objects, &command, "now")
}

pub(super) fn authorize(input: &mut Input, objects: &mut Objects) -> Done {
    let created_at = match input.maybe("createdAt") {
        None | Some(Value::Null) => None,
        Some(at) => Some(Timestamp::from_millis(crate::input::integer(&crate::input::text(at)?)?)?),
    };
    let command = Command::Authorize(Request {
        subscription: input.parsed("subscription")?,
        id: input.text("id")?,
        created_at,
        content: input.digest_or_zero("content")?,
        retry: input.maybe("retry") == Some(Value::Bool(true)),
        most: input.usage("most")?,
    });
    propose(input, objects, &command, "now")
}

pub(super) fn settle(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Settle(used(input)?);
    propose(input, objects, &command, "now")
}

pub(super) fn settle_part(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::SettlePart(used(input)?);
    propose(input, objects, &command, "now")
}

fn used(input: &mut Input) -> Outcome<Settle> {
    Ok(Settle {
        subscription: input.parsed("subscription")?,
        id: input.text("id")?,
        usage: input.usage("usage")?,
        content: input.digest_or_zero("content")?,
    })
}

pub(super) fn extend(input: &mut Input, objects: &mut Objects) -> Done {
    let (subscription, id) = (input.parsed("subscription")?, input.text("id")?);
    let most = input.has("most").then(|| input.usage("most")).transpose()?;
    propose(input, objects, &Command::Extend { subscription, id, most }, "now")
}

pub(super) fn settle_unfinished(input: &mut Input, objects: &mut Objects) -> Done {
    let (subscription, id) = (input.parsed("subscription")?, input.text("id")?);
    propose(input, objects, &Command::SettleUnfinished { subscription, id }, "now")
}

pub(super) fn holds(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let id: Digest = input.parsed("subscription")?;
    let Some(holds) = host.meter.holds(&id) else {
        return fault(format!("no subscription {id}"));
    };
    let holds = holds.into_iter().map(|hold| {
        json!({
            "subject": text(hold.subject),
            "state": hold.state.as_str(),
            "authorizedAt": instant(hold.authorized_at),
            "deadline": instant(hold.deadline),
            "parts": text(hold.parts),
            "charged": text(hold.charged),
        })
    });
    Ok(json!({"holds": holds.collect::<Vec<_>>()}))
}

pub(super) fn release(input: &mut Input, objects: &mut Objects) -> Done {
    let reason = match input.text("reason")?.as_str() {
        "released" => ReleaseReason::Released,
        "unknown" => ReleaseReason::Unknown,
        other => return fault(format!("no reason `{other}`")),
    };
    let (subscription, id) = (input.parsed("subscription")?, input.text("id")?);
    propose(input, objects, &Command::Release { subscription, id, reason }, "now")
}

pub(super) fn import(input: &mut Input, objects: &mut Objects) -> Done {
    let at = input.text("at")?;
    let command = Command::Import(Import {
        subscription: input.parsed("subscription")?,
        at: Timestamp::from_millis(crate::input::integer(&at)?)?,
        usage: input.usage("usage")?,
        content: input.digest_or_zero("content")?,
        mark: ImportMark {
            input: input.parsed("input")?,
            ordinal: input.integer("ordinal")?,
            offset: input.integer("offset")?,
            digest: input.parsed("digest")?,
        },
    });
    propose_at(input, objects, &command, Timestamp::MIN)
}

pub(super) fn due(input: &mut Input, objects: &mut Objects) -> Done {
    let (mut out, object) = propose(input, objects, &Command::Due, "now")?;
    // What time brings may be anything: the outcome says what it is.
    for (member, name) in [("subject", "released"), ("lane", "opened")] {
        if out.get(member).is_some() {
            out = json!({name: out});
        }
    }
    Ok((out, object))
}

pub(super) fn checkpoint(input: &mut Input, objects: &mut Objects) -> Done {
    propose_at(input, objects, &Command::Checkpoint, Timestamp::MIN)
}

pub(super) fn collect(input: &mut Input, objects: &mut Objects) -> Done {
    let at = input.instant("at")?;
    let command = Command::Collect(Collected {
        lane: input.parsed("lane")?,
        amount: Amount::from_atomic(input.integer("amount")?),
        fee: Amount::from_atomic(input.integer("fee")?),
        reference: input.text("reference")?,
        at,
    });
    propose_at(input, objects, &command, at)
}

pub(super) fn grant(input: &mut Input, objects: &mut Objects) -> Done {
    let command =
        Command::Grant { subscription: input.parsed("subscription")?, terms: input.text("terms")? };
    propose(input, objects, &command, "now")
}

pub(super) fn void(input: &mut Input, objects: &mut Objects) -> Done {
    let command =
        Command::Void { subscription: input.parsed("subscription")?, grant: input.text("grant")? };
    propose(input, objects, &command, "now")
}

pub(super) fn cancel(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Cancel { subscription: input.parsed("subscription")? };
    propose(input, objects, &command, "now")
}

pub(super) fn switch(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Switch {
        subscription: input.parsed("subscription")?,
        plan: input.parsed("plan")?,
    };
    propose(input, objects, &command, "now")
}

pub(super) fn present(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Present {
        subscription: input.parsed("subscription")?,
        evidence: input.text("evidence")?,
    };
    propose(input, objects, &command, "now")
}

pub(super) fn credit(input: &mut Input, objects: &mut Objects) -> Done {
    let command = Command::Credit(Box::new(Credit {
        subscription: input.parsed("subscription")?,
        id: input.text("id")?,
        receipt: Receipt::from_json(input.text("json")?.as_bytes())?,
        amount: input.nullable("amount")?.map(|amount| amount.parse()).transpose()?,
        reason: input.text("reason")?,
    }));
    propose(input, objects, &command, "now")
}

pub(super) fn propose(
    input: &mut Input,
    objects: &mut Objects,
    command: &Command,
    now: &str,
) -> Done {
    let now = input.instant(now)?;
    propose_at(input, objects, command, now)
}

fn propose_at(input: &mut Input, objects: &mut Objects, command: &Command, now: Timestamp) -> Done {
    let journal = match input.maybe("journal") {
        None => Journal::Works,
        Some(value) => match crate::input::text(value)?.as_str() {
            "works" => Journal::Works,
            "fails" => Journal::Fails,
            "doubt" => Journal::Doubt,
            other => return fault(format!("a journal does not `{other}`")),
        },
    };
    let host = a_host(input, objects)?;
    Ok(show(host.run(command, now, journal)?))
}

/// The meter that is changed.
fn a_host<'a>(input: &mut Input, objects: &'a mut Objects) -> Outcome<&'a mut Host> {
    let name = input.text("meter")?;
    match objects.get_mut(&name) {
        Some(Object::Meter(host)) => Ok(host),
        _ => Err(Stop::Fault(format!("`{name}` is no meter"))),
    }
}

fn show(decided: Decided) -> (Value, Option<Object>) {
    let out = match &decided {
        Decided::Done => json!({}),
        Decided::Voided { refund } => json!({"refund": text(refund)}),
        Decided::Nothing => json!({"nothing": {}}),
        Decided::Opened { subscription, lane, sign } => {
            output::opened(*subscription, *lane, sign.as_ref())
        }
        Decided::Authorized { hold, reserved } => json!({"authorized": {
            "subject": text(hold.subject),
            "lane": text(hold.lane),
            "deadline": instant(hold.deadline),
            "reserved": text(reserved),
        }}),
        Decided::Denied(denial) => json!({"denied": output::denial(denial)}),
        Decided::Receipt { receipt, position, sign, crossed } => {
            json!({"receipt": output::receipt(receipt, *position, sign.as_ref(), crossed)})
        }
        Decided::Cancelled { ends_at } => {
            json!({"endsAt": output::option(ends_at.map(Timestamp::millis))})
        }
        Decided::Released { subject } => json!({"subject": text(subject)}),
        Decided::Extended { subject, deadline } => {
            json!({"extended": {"subject": text(subject), "deadline": instant(*deadline)}})
        }
        Decided::Replayed(replay) => {
            let (state, receipt) = match replay {
                Replay::Held(_) => ("held", None),
                Replay::Settled { receipt } => ("settled", Some(receipt)),
                Replay::Released => ("released", None),
            };
            json!({"replayed": {"state": state, "receipt": output::option(receipt)}})
        }
        Decided::Checkpointed { checkpoint, sign } => {
            json!({"checkpoint": output::checkpoint(checkpoint, sign)})
        }
        Decided::Leased { lease, sign } => json!({"leased": {
            "lease": text(lease.digest()),
            "bytes": output::bytes(&lease.to_bytes()),
            "sign": output::sign(Some(sign)),
        }}),
        Decided::Stated { statement, sign } => json!({
            "statement": output::bytes(&statement.to_bytes()),
            "sign": output::sign(Some(sign)),
        }),
        Decided::Reclaimed { lease } => json!({"reclaimed": {"lease": text(lease)}}),
    };
    let object = match decided {
        Decided::Receipt { receipt, .. } => Some(Object::Receipt(receipt)),
        Decided::Checkpointed { checkpoint, .. } => Some(Object::Checkpoint(checkpoint)),
        _ => None,
    };
    (out, object)
}

pub(super) fn recover(input: &mut Input, objects: &mut Objects) -> Outcome {
    let written = input.flag("written")?;
    let entries = a_host(input, objects)?.recover(written)?;
    Ok(json!({"entries": text(entries)}))
}

pub(super) fn entries(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let mut all = Vec::new();
    for entry in &host.entries {
        all.extend(u32::try_from(entry.len()).unwrap_or(u32::MAX).to_be_bytes());
        all.extend(entry);
    }
    Ok(json!({"count": text(host.entries.len()), "sha256": text(sha256(&[&all]))}))
}

pub(super) fn replay(input: &mut Input, objects: &Objects) -> Done {
    let host = a_meter(input, "meter", objects)?;
    folded(Host::replay(input.array("saltKey")?, &host.entries)?)
}

pub(super) fn restore(input: &mut Input, objects: &Objects) -> Done {
    let count: usize = input.integer("entries")?;
    let host = a_meter(input, "meter", objects)?;
    let Some(entries) = host.entries.get(..count) else {
        return fault("the journal has fewer entries");
    };
    folded(Host::replay(input.array("saltKey")?, entries)?)
}

fn folded(host: Host) -> Done {
    let out = json!({"entries": text(host.meter.entries())});
    Ok((out, Some(Object::Meter(Box::new(host)))))
}

pub(super) fn lane(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let id: Digest = input.parsed("lane")?;
    let Some(lane) = host.meter.lanes().find(|lane| lane.lane == id) else {
        return fault(format!("no lane {id}"));
    };
    Ok(json!({
        "number": text(lane.number),
        "sequence": text(lane.sequence),
        "head": text(lane.head),
        "cumulative": text(lane.cumulative),
        "credited": text(lane.credited),
        "collected": text(lane.collected),
        "fee": text(lane.fee),
    }))
}

pub(super) fn subscription(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let id: Digest = input.parsed("subscription")?;
    let Some(found) = host.meter.subscription(&id) else {
        return fault(format!("no subscription {id}"));
    };
    let counters = found.counters.iter().map(|counter| {
        json!({
            "charge": counter.charge,
            "start": instant(counter.window.start),
            "end": instant(counter.window.end),
            "units": text(counter.units),
            "billed": text(counter.billed),
        })
    });
    let grants = found.grants.iter().map(|grant| {
        json!({
            "grant": grant.grant,
            "kind": grant.kind,
            "meter": grant.meter,
            "givenAt": instant(grant.given_at),
            "expiresAt": output::option(grant.expires_at.map(Timestamp::millis)),
            "balance": text(grant.balance),
            "reserved": text(grant.reserved),
        })
    });
    Ok(json!({
        "lane": text(found.lane),
        "denied": text(found.denied),
        "holds": text(found.holds),
        "endsAt": output::option(found.ends_at.map(Timestamp::millis)),
        "reserved": text(found.reserved),
        "counters": counters.collect::<Vec<Value>>(),
        "grants": grants.collect::<Vec<Value>>(),
    }))
}
