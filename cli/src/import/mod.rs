//! `plan import`: terms that stand elsewhere, as a plan of ours.
//!
//! What cannot be carried over is said, never dropped in silence; the plan that is written has been
//! read by the same strict reader as any other.

mod litellm;
mod nevermined;

use std::collections::{BTreeMap, BTreeSet};

use bigdecimal::BigDecimal;
use counterfoil::json::{Object, Value};
use counterfoil::{Address, Code, Currency, Error, Plan, Result};

use crate::args;
use crate::arguments;
use crate::io::{read_json, say, warn, write_out};

/// `plan import litellm`
pub(crate) fn litellm(args: &args::ImportLitellm, json: bool) -> Result<()> {
    let factor = args.markup.as_deref().map_or(Ok(BigDecimal::from(1)), read_factor)?;
    let map = read_json(&args.map)?;
    let models: BTreeSet<&str> = args.models.iter().map(String::as_str).collect();
    let mut meters = BTreeMap::new();
    let mut charges = Vec::new();
    let mut notes = Vec::new();
    for model in &models {
        let entry = litellm::read(&map, model, &factor, &models)
            .map_err(|e| e.within(args.map.display().to_string()))?;
        meters.extend(entry.meters);
        charges.extend(entry.charges);
        let left_out = entry.left_out.iter();
        notes.extend(left_out.map(|key| format!("{model}: {key} has no meter here: left out")));
    }
    let mut plan = Object::new();
    plan.insert("format", "counterfoil/plan/1");
    let name = models.iter().copied().collect::<Vec<_>>().join(", ");
    plan.insert("name", args.terms.name.clone().unwrap_or(name));
    plan.insert("authority", args.terms.authority.as_str());
    plan.insert("currency", usd(args)?);
    let mut units = Object::new();
    for (meter, unit) in meters {
        units.insert(meter, unit);
    }
    plan.insert("meters", Value::Object(units));
    plan.insert("charges", charges);
    plan.insert("payees", one_payee(args.payee.as_deref().unwrap_or("seller")));
    finish(plan, &args.terms, &notes, None, json)
}

/// `plan import nevermined`
pub(crate) fn nevermined(args: &args::ImportNevermined, json: bool) -> Result<()> {
    let within = |e: Error| e.within(args.registration.display().to_string());
    let document = read_json(&args.registration)?;
    let registration = nevermined::Registration::read(document.root()).map_err(within)?;
    let id = match (&args.creator, &args.credits_contract) {
        (Some(creator), Some(contract)) => {
            let address = |text: &str, option: &str| -> Result<Address> {
                text.parse().map_err(|e: Error| e.at(option))
            };
            let creator = address(creator, "--creator")?;
            Some(registration.plan_id(creator, address(contract, "--credits-contract")?))
        }
        _ => None,
    };
    let (currency, made) = registration.import(args.network.as_deref()).map_err(within)?;
    let mut plan = Object::new();
    plan.insert("format", "counterfoil/plan/1");
    plan.insert("name", args.terms.name.clone().unwrap_or(made.name));
    plan.insert("authority", args.terms.authority.as_str());
    plan.insert("currency", currency_value(&currency));
    plan.insert("meters", Value::Object(made.meters));
    plan.insert("charges", made.charges);
    if !made.limits.is_empty() {
        plan.insert("limits", made.limits);
    }
    let free = made.payees.is_empty();
    plan.insert("payees", if free { one_payee("seller") } else { Value::from(made.payees) });
    if let Some(ms) = made.duration {
        let mut term = Object::new();
        term.insert("length", ms);
        plan.insert("term", Value::Object(term));
    }
    finish(plan, &args.terms, &made.notes, id.map(|id| id.to_string()), json)
}

/// Reads the plan as anybody will, then writes it.
fn finish(
    plan: Object,
    terms: &args::ImportTerms,
    notes: &[String],
    foreign_id: Option<String>,
    json: bool,
) -> Result<()> {
    let plan = Value::Object(plan);
    let text = plan.pretty();
    let read = Plan::from_json(text.as_bytes()).map_err(|e| e.within("the imported plan"))?;
    for note in notes.iter().filter(|_| !json) {
        warn(note);
    }
    if !json && terms.out.is_none() {
        return say(&text);
    }
    if let Some(out) = &terms.out {
        write_out(Some(out), &text)?;
    }
    if json {
        let mut told = Object::new();
        told.insert("id", read.id().to_string());
        told.insert("nevermined_id", foreign_id.map_or(Value::Null, Value::from));
        told.insert("notes", notes.iter().map(|n| Value::from(n.as_str())).collect::<Vec<_>>());
        told.insert("plan", plan);
        return say(&Value::Object(told).compact());
    }
    say(&match foreign_id {
        Some(foreign) => format!("plan {}, Nevermined's {foreign}", read.id()),
        None => format!("plan {}", read.id()),
    })
}

/// 1 + the markup, which is written as plans write fractions: `0.25`.
fn read_factor(markup: &str) -> Result<BigDecimal> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = markup.split_once('.').unwrap_or((markup, "0"));
    if !digits(whole) || !digits(fraction) || markup.len() > 20 {
        return Err(Error::new(Code::DecimalInvalid).value(markup).at("--markup"));
    }
    let markup: BigDecimal = markup
        .parse()
        .map_err(|_| Error::new(Code::DecimalInvalid).value(markup).at("--markup"))?;
    Ok(markup + BigDecimal::from(1))
}

/// The map's prices are in US dollars: the plan's currency is the dollar or a token that stands for it.
fn usd(args: &args::ImportLitellm) -> Result<Value> {
    match (&args.network, &args.token) {
        (Some(network), Some(token)) => {
            Ok(currency_value(&Currency::new_token(network, token, args.decimals)?))
        }
        (None, None) => Ok(Value::object([("iso4217", Value::from("USD"))])),
        _ => Err(arguments("give --network and --token together")),
    }
}

fn currency_value(currency: &Currency) -> Value {
    match currency {
        Currency::Fiat { code, .. } => Value::object([("iso4217", Value::from(code.as_str()))]),
        Currency::Token { network, token, decimals, .. } => Value::object([
            ("network", Value::from(network.as_str())),
            ("token", Value::from(token.as_str())),
            ("decimals", Value::from(u64::from(*decimals))),
        ]),
    }
}

fn one_payee(name: &str) -> Value {
    Value::from(vec![Value::object([("payee", Value::from(name)), ("weight", Value::from(1_u64))])])
}
