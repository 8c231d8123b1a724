//! What a confirmed step decided, as a plain object whose `kind` says which.

use counterfoil::{
    entry::Denial,
    meter::{Crossed, Hold, Outcome, Replay},
};
use wasm_bindgen::prelude::*;

use crate::{
    checkpoint::Checkpoint,
    key::SignRequest,
    output::{Record, bytes, instant, list, map},
    receipt::Receipt,
};

/// The object of an outcome.
pub(crate) fn outcome(outcome: Outcome) -> JsValue {
    let sign = |request| SignRequest(request);
    let record = match outcome {
        Outcome::Done => Record::of("done"),
        Outcome::Nothing => Record::of("nothing"),
        Outcome::Opened { subscription, lane, sign: wanted } => Record::of("opened")
            .text("subscription", subscription)
            .text("lane", lane)
            .maybe("sign", wanted.map(sign)),
        Outcome::Authorized { hold: granted, reserved } => {
            hold(Record::of("authorized"), &granted).text("reserved", reserved)
        }
        Outcome::Denied(denial) => denied(&denial),
        Outcome::Receipt { receipt, position, sign: wanted, crossed } => Record::of("receipt")
            .set("receipt", Receipt::made(receipt))
            .set("position", position)
            .maybe("sign", wanted.map(sign))
            .set("crossed", list(crossed, crossing)),
        Outcome::Extended { subject, deadline } => {
            Record::of("extended").text("subject", subject).instant("deadline", deadline)
        }
        Outcome::Released { subject } => Record::of("released").text("subject", subject),
        Outcome::Voided { refund } => Record::of("voided").set("refund", refund.atomic()),
        Outcome::Cancelled { ends_at } => {
            Record::of("cancelled").maybe("endsAt", ends_at.map(instant))
        }
        Outcome::Replayed(replay) => replayed(&replay),
        Outcome::Leased { lease, sign: wanted } => Record::of("leased")
            .text("lease", lease.digest())
            .set("bytes", bytes(&lease.to_bytes()))
            .set("sign", sign(wanted)),
        Outcome::Stated { statement, sign: wanted } => Record::of("stated")
            .set("statement", bytes(&statement.to_bytes()))
            .set("sign", sign(wanted)),
        Outcome::Reclaimed { lease } => Record::of("reclaimed").text("lease", lease),
        Outcome::Checkpointed { checkpoint, sign: wanted } => Record::of("checkpoint")
            .set("checkpoint", Checkpoint(checkpoint))
            .set("sign", sign(wanted)),
    };
    record.into()
}

fn hold(record: Record, hold: &Hold) -> Record {
    record
        .text("subject", hold.subject)
        .text("lane", hold.lane)
        .instant("authorizedAt", hold.authorized_at)
        .instant("deadline", hold.deadline)
        .set("attributes", map(hold.attributes.iter().map(|(name, value)| (name, value.as_str()))))
}

fn denied(denial: &Denial) -> Record {
    Record::of("denied")
        .set("code", denial.code.as_str())
        .set("httpStatus", u32::from(denial.code.http_status()))
        .set("rule", denial.rule.as_str())
        .maybe_text("value", denial.value.as_ref())
        .maybe("start", denial.window.map(|window| instant(window.start)))
        .maybe("end", denial.window.map(|window| instant(window.end)))
        .maybe_text("meter", denial.meter.as_ref())
        .maybe_text("most", denial.most)
        .maybe_text("spent", denial.spent)
        .maybe_text("needed", denial.needed)
        .maybe_text("available", denial.available)
        .maybe("retryAt", denial.retry_at.map(instant))
}

fn crossing(crossed: Crossed) -> JsValue {
    Record::new()
        .text("limit", crossed.limit)
        .maybe_text("value", crossed.value)
        .text("fraction", crossed.fraction)
        .instant("start", crossed.window.start)
        .instant("end", crossed.window.end)
        .into()
}

fn replayed(replay: &Replay) -> Record {
    let record = Record::of("replayed");
    match replay {
        Replay::Held(held) => hold(record.set("state", "held"), held),
        Replay::Settled { receipt } => record.set("state", "settled").text("receipt", receipt),
        Replay::Released => record.set("state", "released"),
    }
}
