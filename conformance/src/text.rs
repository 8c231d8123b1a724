//! Texts of vectors to values of the core, and back.

use std::str::FromStr;

use counterfoil::entry::Denial;
use counterfoil::meter::{Outcome, Replay, SignRequest};
use counterfoil::receipt::{Item, Kind};
use counterfoil::usage::{Basis, Surface};
use counterfoil::x402::ChannelConfig;
use counterfoil::{Address, Code, Digest, Error, Exact, Result, Timestamp, Usage};
use serde_json::{Map, Value, json};

pub(crate) type Given = Map<String, Value>;

/// A failure of the vector itself, not of the core.
pub(crate) fn broken(name: &str) -> String {
    format!("`{name}` is missing or of another type")
}

pub(crate) fn text<'a>(given: &'a Given, name: &str) -> std::result::Result<&'a str, String> {
    given.get(name).and_then(Value::as_str).ok_or_else(|| broken(name))
}

/// A member that may be absent or null.
pub(crate) fn maybe<'a>(given: &'a Given, name: &str) -> Option<&'a str> {
    given.get(name).and_then(Value::as_str)
}

pub(crate) fn list<'a>(
    given: &'a Given,
    name: &str,
) -> std::result::Result<&'a Vec<Value>, String> {
    given.get(name).and_then(Value::as_array).ok_or_else(|| broken(name))
}

pub(crate) fn parsed<T: FromStr>(given: &Given, name: &str) -> std::result::Result<T, String> {
    text(given, name)?.parse().map_err(|_| broken(name))
}

pub(crate) fn bytes(text: &str) -> std::result::Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("bytes start with 0x")?;
    (0..digits.len())
        .step_by(2)
        .map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| format!("no bytes: {text}"))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |text, byte| text + &format!("{byte:02x}"))
}

pub(crate) fn instant(given: &Given, name: &str) -> Result<Timestamp> {
    let millis = maybe(given, name).and_then(|text| text.parse().ok());
    Timestamp::from_millis(millis.unwrap_or(u64::MAX))
}

pub(crate) fn digest(given: &Given, name: &str) -> Result<Digest> {
    maybe(given, name).map_or(Ok(Digest::ZERO), str::parse)
}

pub(crate) fn usage(given: &Given, name: &str) -> Result<Usage> {
    let missing = || Error::new(Code::UsageMissing).value(name);
    let given = given.get(name).and_then(Value::as_object).ok_or_else(missing)?;
    let surface: Surface = maybe(given, "surface").unwrap_or("plain").parse()?;
    let basis = Basis::parse(maybe(given, "basis").unwrap_or("measured")).ok_or_else(missing)?;
    let mut usage = Usage::new(surface, basis);
    for (meter, quantity) in given.get("meters").and_then(Value::as_object).ok_or_else(missing)? {
        let quantity = quantity.as_str().and_then(|text| text.parse::<u64>().ok());
        usage.set(meter, quantity.unwrap_or(u64::MAX))?;
    }
    if let Some(attributes) = given.get("attributes").and_then(Value::as_object) {
        for (name, value) in attributes {
            usage.set_attribute(name, value.as_str().unwrap_or("\0"))?;
        }
    }
    Ok(usage)
}

pub(crate) fn channel(given: &Value) -> Result<ChannelConfig> {
    let missing = || Error::new(Code::VoucherInvalid).because("a channel has seven fields");
    let given = given.as_object().ok_or_else(missing)?;
    let address = |name| maybe(given, name).ok_or_else(missing)?.parse::<Address>();
    Ok(ChannelConfig {
        payer: address("payer")?,
        payer_authorizer: address("payerAuthorizer")?,
        receiver: address("receiver")?,
        receiver_authorizer: address("receiverAuthorizer")?,
        token: address("token")?,
        withdraw_delay: maybe(given, "withdrawDelay")
            .and_then(|text| text.parse().ok())
            .ok_or_else(missing)?,
        salt: *digest(given, "salt")?.bytes(),
    })
}

pub(crate) fn sign(request: &SignRequest) -> Value {
    json!({
        "slot": request.slot.to_string(),
        "digest": request.digest.to_string(),
        "signer": request.signer.to_string(),
        "checkpoint": request.is_checkpoint(),
    })
}

fn denial(denial: &Denial) -> Value {
    json!({
        "code": denial.code.as_str(),
        "rule": denial.rule,
        "needed": denial.needed.map(|e| e.to_string()),
        "available": denial.available.map(|e| e.to_string()),
        "retryAt": denial.retry_at.map(|at| at.millis().to_string()),
    })
}

pub(crate) fn opened(subscription: &Digest, lane: &Digest, request: Option<&SignRequest>) -> Value {
    json!({
        "subscription": subscription.to_string(),
        "lane": lane.to_string(),
        "sign": request.map(sign),
    })
}

/// The one member of an outcome of several kinds.
pub(crate) fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Opened { subscription, lane, sign } => {
            json!({"opened": opened(subscription, lane, sign.as_ref())})
        }
        Outcome::Authorized { hold, reserved } => json!({"authorized": {
            "subject": hold.subject.to_string(),
            "lane": hold.lane.to_string(),
            "deadline": hold.deadline.millis().to_string(),
            "reserved": reserved.to_string(),
        }}),
        Outcome::Denied(found) => json!({"denied": denial(found)}),
        Outcome::Receipt { receipt, position, sign: request } => {
            let head = &receipt.head;
            let mut price = (Exact::ZERO, 0, Exact::ZERO, false);
            for item in &receipt.body.items {
                match item {
                    Item::Price { exact, remainder_after, uncollected, late, .. } => {
                        price = (*exact, *remainder_after, *uncollected, *late);
                    }
                    Item::Correction { exact, remainder_after, .. } => {
                        price = (*exact, *remainder_after, Exact::ZERO, false);
                    }
                    _ => {}
                }
            }
            json!({"receipt": {
                "digest": receipt.digest.to_string(),
                "position": position.to_string(),
                "lane": head.lane.to_string(),
                "sequence": head.sequence.to_string(),
                "kind": match head.kind { Kind::Call => "call", Kind::TrueUp => "true_up" },
                "subject": head.subject.to_string(),
                "authorizedAt": head.authorized_at.millis().to_string(),
                "issuedAt": head.issued_at.millis().to_string(),
                "charge": head.charge.to_string(),
                "cumulative": head.cumulative.to_string(),
                "credited": head.credited.to_string(),
                "exact": price.0.to_string(),
                "remainder": price.1.to_string(),
                "uncollected": price.2.to_string(),
                "late": price.3,
                "body": head.body.to_string(),
                "sign": request.as_ref().map(sign),
            }})
        }
        Outcome::Released { subject } => json!({"released": {"subject": subject.to_string()}}),
        Outcome::Replayed(replay) => {
            let (state, receipt) = match replay {
                Replay::Held(_) => ("held", None),
                Replay::Settled { receipt } => ("settled", Some(receipt.to_string())),
                Replay::Released => ("released", None),
            };
            json!({"replayed": {"state": state, "receipt": receipt}})
        }
        Outcome::Checkpointed { checkpoint, sign: request } => json!({"checkpoint": {
            "origin": checkpoint.origin,
            "size": checkpoint.size.to_string(),
            "root": checkpoint.root.to_string(),
            "lanes": checkpoint.lanes.to_string(),
            "time": checkpoint.time.millis().to_string(),
            "sign": sign(request),
        }}),
        Outcome::Done => json!({}),
        Outcome::Nothing => json!({"nothing": {}}),
    }
}
