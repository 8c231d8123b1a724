//! `counterfoil quote`: what a usage costs, and how that comes about.

use counterfoil::json::{Limits, Value, parse};
use counterfoil::plan::{Charge, Quote, QuoteLine};
use counterfoil::rating::{Model, Step};
use counterfoil::usage::Surface;
use counterfoil::{Error, Plan, Result, Usage};

use crate::args;
use crate::arguments;
use crate::io::{now, read_json, say};
use crate::plan;
use crate::words::{grouped, label, unit_price};

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
    let decimals = plan.currency().decimals();
    let label = label(plan.currency());
    let mut lines = Vec::new();
    for line in &quote.lines {
        lines.push(format!(
            "{}: {} {} = {} {label}",
            line.charge,
            grouped(line.units),
            line.meter,
            line.amount.to_decimal(decimals)
        ));
        for step in &line.steps {
            let how = step_text(plan, line, step);
            lines.push(format!("  {how} = {} {label}", step.amount.to_decimal(decimals)));
        }
    }
    let sum = |amount: counterfoil::Exact| format!("{} {label}", amount.to_decimal(decimals));
    lines.push(format!("total {} as a subscription's first call", sum(quote.first)));
    lines.push(format!("at most {} wherever its counters stand", sum(quote.ceiling)));
    lines
}

/// One step in major units: `1,000,000 input_tokens at 2.5 USDC per 1,000,000 (tier up to 5,000,000)`.
fn step_text(plan: &Plan, line: &QuoteLine, step: &Step) -> String {
    let decimals = plan.currency().decimals();
    let label = label(plan.currency());
    let counted = format!("{} {}", grouped(step.units), line.meter);
    if step.price.is_zero() && step.what.ends_with("free") {
        return format!("{counted} free");
    }
    match charge_of(plan, line).map(|charge| charge.tariff.model()) {
        Some(Model::Flat { amount }) => {
            format!("flat amount of {} {label}", amount.to_decimal(decimals))
        }
        Some(Model::Package { size, price }) => format!(
            "{} × {} {} at {} {label} a package",
            grouped(step.units),
            grouped(*size),
            line.meter,
            price.to_decimal(decimals)
        ),
        _ => {
            let tier =
                step.what.split_once(" (").map_or_else(String::new, |(_, t)| format!(" ({t}"));
            format!("{counted} at {}{tier}", unit_price(step.price, decimals, &label))
        }
    }
}

fn charge_of<'a>(plan: &'a Plan, line: &QuoteLine) -> Option<&'a Charge> {
    plan.charges().iter().find(|charge| charge.id == line.charge)
}

fn quote_value(plan: &Plan, quote: &Quote, decimals: u8) -> Value {
    let lines: Vec<Value> = quote
        .lines
        .iter()
        .map(|line| {
            Value::object([
                ("charge", Value::from(line.charge.as_str())),
                ("meter", Value::from(line.meter.as_str())),
                ("units", Value::from(line.units)),
                ("amount", Value::from(line.amount.to_decimal(decimals))),
                (
                    "steps",
                    Value::from(
                        line.steps
                            .iter()
                            .map(|step| Value::from(step_text(plan, line, step)))
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
