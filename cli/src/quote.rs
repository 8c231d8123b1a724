//! `counterfoil quote`: what a usage costs, and how that comes about.

use counterfoil::json::{Limits, Value, parse};
use counterfoil::plan::Quote;
use counterfoil::usage::Surface;
use counterfoil::{Error, Plan, Result, Usage};

use crate::args;
use crate::arguments;
use crate::io::{now, read_json, say};
use crate::plan;
use crate::words::grouped;

/// `counterfoil quote`
pub(crate) fn run(args: &args::Quote, json: bool) -> Result<()> {
    let plan = plan::read(&args.plan)?;
    let mut usage = match (&args.usage, &args.body, &args.surface) {
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
        _ => return Err(arguments("give --usage, or --surface and a response body")),
    };
    for attribute in &args.attributes {
        let (name, value) = attribute
            .split_once('=')
            .ok_or_else(|| arguments("--attribute is NAME=VALUE").value(attribute))?;
        usage.set_attribute(name, value).map_err(|e| e.within("--attribute"))?;
    }
    let at = match &args.at {
        Some(text) => text.parse().map_err(|e: Error| e.within("--at"))?,
        None => now()?,
    };
    let quote = plan.quote(&usage, at)?;
    if json {
        let decimals = plan.currency().decimals();
        return say(&quote_value(&plan, &quote, decimals).compact());
    }
    say(&told(&plan, &quote).join("\n"))
}

fn told(plan: &Plan, quote: &Quote) -> Vec<String> {
    let currency = plan.currency();
    let mut lines = Vec::new();
    for line in &quote.lines {
        let selected = line.selected.as_ref().map(|calls| format!(" ({calls})"));
        lines.push(format!(
            "{}: {} {} = {}{}",
            line.charge,
            grouped(line.units),
            line.meter,
            currency.tell(line.amount),
            selected.unwrap_or_default()
        ));
        for step in &line.steps {
            lines.push(format!("  {} = {}", step.what, currency.tell(step.amount)));
        }
    }
    lines.push(format!("total {} as a subscription's first call", currency.tell(quote.first)));
    lines.push(format!("at most {} wherever its counters stand", currency.tell(quote.ceiling)));
    lines
}

fn quote_value(plan: &Plan, quote: &Quote, decimals: u8) -> Value {
    let lines: Vec<Value> = quote
        .lines
        .iter()
        .map(|line| {
            Value::object([
                ("charge", Value::from(line.charge.as_str())),
                ("meter", Value::from(line.meter.as_str())),
                ("selected", line.selected.as_deref().map_or(Value::Null, Value::from)),
                ("units", Value::from(line.units)),
                ("amount", Value::from(line.amount.to_decimal(decimals))),
                (
                    "steps",
                    Value::from(
                        line.steps
                            .iter()
                            .map(|step| Value::from(step.what.as_str()))
                            .collect::<Vec<_>>(),
                    ),
                ),
            ])
        })
        .collect();
    Value::object([
        ("currency", Value::from(plan.currency().id())),
        ("first", Value::from(quote.first.to_decimal(decimals))),
        ("ceiling", Value::from(quote.ceiling.to_decimal(decimals))),
        ("lines", Value::from(lines)),
    ])
}
