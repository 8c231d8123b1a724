//! Writing a step's `out`.

use counterfoil::{
    Digest, Error, Timestamp,
    entry::{Denial, ReceiptEntry},
    log::Checkpoint,
    meter::{Crossed, SignRequest},
    receipt::Item,
};
use serde_json::{Map, Value, json};

/// Integers, digests, addresses, exact amounts: as text.
pub(crate) fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

pub(crate) fn option(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Null, text)
}

pub(crate) fn instant(value: Timestamp) -> Value {
    text(value.millis())
}

pub(crate) fn bytes(value: &[u8]) -> Value {
    let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    Value::String(format!("0x{digits}"))
}

pub(crate) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(values.into_iter().map(text).collect())
}

/// A map from names to text, by name.
pub(crate) fn map<'a, T: ToString>(values: impl IntoIterator<Item = (&'a str, T)>) -> Value {
    let members: Map<_, _> =
        values.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    Value::Object(members)
}

/// The code, and the place where it is the same in every implementation: a JSON Pointer, a lane, receipt
/// or checkpoint, or the number of an entry without what follows it. Bytes in a text stay out.
pub(crate) fn error(error: &Error) -> Value {
    let code = error.code().as_str();
    match error.place() {
        Some(place) if place.starts_with("entry ") => {
            let (entry, _) = place.split_once(": ").unwrap_or((place, ""));
            json!({"code": code, "place": entry})
        }
        Some(place)
            if place.is_empty()
                || ["/", "lane ", "checkpoint "].iter().any(|p| place.starts_with(p)) =>
        {
            json!({"code": code, "place": place})
        }
        _ => json!({"code": code}),
    }
}

pub(crate) fn sign(request: Option<&SignRequest>) -> Value {
    request.map_or(Value::Null, |request| {
        json!({
            "slot": text(request.slot),
            "digest": text(request.digest),
            "signer": text(request.signer),
            "checkpoint": request.is_checkpoint(),
        })
    })
}

pub(crate) fn denial(denial: &Denial) -> Value {
    json!({
        "code": denial.code.as_str(),
        "rule": denial.rule,
        "value": denial.value,
        "start": option(denial.window.map(|window| window.start.millis())),
        "end": option(denial.window.map(|window| window.end.millis())),
        "meter": denial.meter,
        "most": option(denial.most),
        "spent": option(denial.spent),
        "needed": option(denial.needed),
        "available": option(denial.available),
        "retryAt": option(denial.retry_at.map(Timestamp::millis)),
    })
}

fn crossing(crossed: &Crossed) -> Value {
    json!({
        "limit": crossed.limit,
        "value": crossed.value,
        "fraction": text(crossed.fraction),
        "start": instant(crossed.window.start),
        "end": instant(crossed.window.end),
    })
}

pub(crate) fn receipt(
    entry: &ReceiptEntry,
    position: u64,
    request: Option<&SignRequest>,
    crossed: &[Crossed],
) -> Value {
    let head = &entry.head;
    let (mut exact, mut remainder) = (Value::Null, Value::Null);
    let (mut uncollected, mut late) = (text(0), false);
    for item in &entry.body.items {
        match item {
            Item::Price {
                exact: price,
                remainder_after,
                uncollected: short,
                late: was_late,
                ..
            } => {
                (exact, remainder) = (text(price), text(remainder_after));
                (uncollected, late) = (text(short), *was_late);
            }
            Item::Correction { exact: credit, remainder_after, .. }
            | Item::Credit { exact: credit, remainder_after, .. } => {
                (exact, remainder) = (text(credit), text(remainder_after));
            }
            _ => {}
        }
    }
    json!({
        "digest": text(entry.digest),
        "position": text(position),
        "lane": text(head.lane),
        "sequence": text(head.sequence),
        "kind": head.kind.as_str(),
        "subject": text(head.subject),
        "authorizedAt": instant(head.authorized_at),
        "issuedAt": instant(head.issued_at),
        "charge": text(head.charge),
        "cumulative": text(head.cumulative),
        "credited": text(head.credited),
        "exact": exact,
        "remainder": remainder,
        "uncollected": uncollected,
        "late": late,
        "body": text(head.body),
        "sign": sign(request),
        "crossed": crossed.iter().map(crossing).collect::<Vec<_>>(),
    })
}

pub(crate) fn checkpoint(checkpoint: &Checkpoint, request: &SignRequest) -> Value {
    json!({
        "origin": checkpoint.origin,
        "size": text(checkpoint.size),
        "root": text(checkpoint.root),
        "lanes": text(checkpoint.lanes),
        "time": instant(checkpoint.time),
        "sign": sign(Some(request)),
    })
}

pub(crate) fn opened(subscription: Digest, lane: Digest, request: Option<&SignRequest>) -> Value {
    json!({"subscription": text(subscription), "lane": text(lane), "sign": sign(request)})
}
