//! `plan check` and `quote`.

use std::fs;
use std::path::Path;

use counterfoil::json::{Limits, Object, Value, parse};
use counterfoil::plan::{Limit, LimitRule, Quote};
use counterfoil::rating::Model;
use counterfoil::usage::Surface;
use counterfoil::{Currency, Plan, Result, Usage};

use crate::args;
use crate::arguments;
use crate::io::{failed, read_json, say};

/// Reads a plan file; errors carry the file and the JSON Pointer.
pub(crate) fn read(path: &Path) -> Result<Plan> {
    let bytes = fs::read(path).map_err(failed(path))?;
    Plan::from_json(&bytes).map_err(|e| e.within(path.display().to_string()))
}

/// A short label of a currency for people: `USD`, or the end of a token's address.
pub(crate) fn label(currency: &Currency) -> String {
    match currency {
        Currency::Fiat { code, .. } => code.clone(),
        Currency::Token { token, .. } => match token.as_str() {
            "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
            | "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48" => String::from("USDC"),
            other => other.chars().take(10).collect(),
        },
    }
}

/// `counterfoil plan check`
pub(crate) fn check(args: &args::PlanCheck) -> Result<()> {
    let plan = read(&args.plan)?;
    if args.json {
        let mut value = Object::new();
        value.insert("id", plan.id().to_string());
        value.insert("name", plan.name());
        value.insert("authority", plan.authority().to_string());
        value.insert("currency", plan.currency().id());
        value.insert("charges", number(plan.charges().len()));
        value.insert("limits", number(plan.limits().len()));
        value.insert("payees", number(plan.payees().len()));
        return say(&Value::Object(value).compact());
    }
    let decimals = plan.currency().decimals();
    let mut lines = vec![
        format!("{} is a plan", args.plan.display()),
        format!("  id         {}", plan.id()),
        format!("  name       {}", plan.name()),
        format!("  authority  {}", plan.authority()),
        format!("  currency   {} ({decimals} decimals)", plan.currency().id()),
        format!("  rounding   {}", plan.rounding().as_str()),
    ];
    for charge in plan.charges() {
        let window = charge.period.map_or("whole term", |period| period.as_str());
        lines.push(format!(
            "  charge     {}: {} of {} per {window}{}",
            charge.id,
            model_name(charge.tariff.model()),
            charge.meter,
            match charge.tariff.free() {
                0 => String::new(),
                free => format!(", {free} free"),
            }
        ));
    }
    for limit in plan.limits() {
        lines.push(format!("  limit      {}", describe_limit(limit, decimals)));
    }
    for (payee, (_, share)) in plan.payees().iter().zip(plan.shares().iter()) {
        lines.push(format!("  payee      {payee}: {share} of 10^18"));
    }
    say(&lines.join("\n"))
}

fn number(n: usize) -> Value {
    Value::from(u64::try_from(n).unwrap_or(u64::MAX))
}

fn model_name(model: &Model) -> &'static str {
    match model {
        Model::Flat { .. } => "flat",
        Model::PerUnit { .. } => "per unit",
        Model::Graduated { .. } => "graduated",
        Model::Volume { .. } => "volume",
        Model::Package { .. } => "package",
    }
}

fn describe_limit(limit: &Limit, decimals: u8) -> String {
    match &limit.rule {
        LimitRule::Spend { most, period } => format!(
            "{}: at most {} per {}",
            limit.id,
            most.to_decimal(decimals),
            period.map_or("whole term", |period| period.as_str())
        ),
        LimitRule::Rate(rate) => format!(
            "{}: {} calls per {} ms, burst {}",
            limit.id,
            rate.limit(),
            rate.period_ms(),
            rate.burst()
        ),
    }
}

/// `counterfoil quote`
pub(crate) fn quote(args: &args::Quote) -> Result<()> {
    let plan = read(&args.plan)?;
    let usage = match (&args.usage, &args.body, &args.surface) {
        (Some(text), None, _) => {
            let value =
                parse(text.as_bytes(), &Limits::default()).map_err(|e| e.within("--usage"))?;
            Usage::from_json(Surface::Plain, &value).map_err(|e| e.within("--usage"))?
        }
        (None, Some(path), Some(surface)) => {
            let body = read_json(path)?;
            Usage::from_json(surface.parse()?, &body)
                .map_err(|e| e.within(path.display().to_string()))?
        }
        _ => return Err(arguments("give --usage, or --surface and a body")),
    };
    let quote = plan.quote(&usage)?;
    let decimals = plan.currency().decimals();
    if args.json { say(&quote_value(&quote, decimals).compact()) } else { say_quote(&plan, &quote) }
}

fn say_quote(plan: &Plan, quote: &Quote) -> Result<()> {
    let decimals = plan.currency().decimals();
    let label = label(plan.currency());
    let mut lines = Vec::new();
    for line in &quote.lines {
        lines.push(format!(
            "{}: {} {} = {} {label}",
            line.charge,
            line.units,
            line.meter,
            line.amount.to_decimal(decimals)
        ));
        for step in &line.steps {
            lines.push(format!("  {} = {} {label}", step.what, step.amount.to_decimal(decimals)));
        }
    }
    lines.push(format!("total {} {label}", quote.first.to_decimal(decimals)));
    lines.push(format!(
        "at most {} {label} wherever the counters stand",
        quote.ceiling.to_decimal(decimals)
    ));
    say(&lines.join("\n"))
}

fn quote_value(quote: &Quote, decimals: u8) -> Value {
    let lines: Vec<Value> = quote
        .lines
        .iter()
        .map(|line| {
            Value::object([
                ("charge", Value::from(line.charge.as_str())),
                ("meter", Value::from(line.meter.as_str())),
                ("units", Value::from(line.units)),
                ("amount", Value::from(line.amount.to_decimal(decimals))),
            ])
        })
        .collect();
    Value::object([
        ("first", Value::from(quote.first.to_decimal(decimals))),
        ("ceiling", Value::from(quote.ceiling.to_decimal(decimals))),
        ("lines", Value::from(lines)),
    ])
}
