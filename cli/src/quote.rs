//! `counterfoil quote`: what a usage costs, and how that comes about.

use counterfoil::json::{Limits, Value, parse};
use counterfoil::plan::{Charge, Quote, QuoteLine};
use counterfoil::rating::{Model, Plus, Step};
use counterfoil::usage::Surface;
use counterfoil::{Error, Exact, Plan, Result, Usage};

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
        let selected = line.selected.as_ref().map(|calls| format!(" ({calls})"));
        lines.push(format!(
            "{}: {} {} = {} {label}{}",
            line.charge,
            grouped(line.units),
            line.meter,
            line.amount.to_decimal(decimals),
            selected.unwrap_or_default()
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
    let money = |amount: Exact| format!("{} {label}", amount.to_decimal(decimals));
    // What tiers, a discount or a cap have to say stands in words behind the price.
    let tier = match (step.what.rfind(" (tier "), step.what.rfind(')')) {
        (Some(from), Some(to)) => step.what.get(from..=to).unwrap_or_default(),
        _ => "",
    };
    let terms = charge_of(plan, line).map(|charge| *charge.tariff.terms()).unwrap_or_default();
    let mut cut = String::new();
    if step.what.contains(" discount") {
        cut.push_str(&format!(", less a discount of {} in all", money(terms.off)));
    }
    if let Some(cap) = terms.cap.filter(|_| step.what.ends_with("the cap")) {
        cut.push_str(&format!(", at most {} in all", money(cap)));
    }
    if step.what.starts_with("flat amount of") {
        return format!("flat amount of {}{tier}{cut}", money(step.price));
    }
    match charge_of(plan, line).map(|charge| charge.tariff.model()) {
        Some(Model::Percentage(p)) => {
            let mut told = format!(
                "{} of {counted} at {}",
                p.rate,
                unit_price(p.worth.exact(), decimals, &label)
            );
            if !p.fixed.is_zero() {
                told.push_str(&format!(" and {}", money(p.fixed)));
            }
            told
        }
        Some(Model::CostPlus(c)) => {
            let (word, part) = match c.plus {
                Plus::Markup(part) => ("markup", part),
                Plus::Margin(part) => ("margin", part),
            };
            let cost = unit_price(c.cost.exact(), decimals, &label);
            format!("{counted} at a cost of {cost}, with a {word} of {part}")
        }
        Some(Model::Dynamic(_)) => format!("{counted}: the price that comes with the call"),
        Some(Model::Package { size, price }) => format!(
            "{} × {} {} at {} {label} a package{cut}",
            grouped(step.units),
            grouped(*size),
            line.meter,
            price.to_decimal(decimals)
        ),
        _ => format!("{counted} at {}{tier}{cut}", unit_price(step.price, decimals, &label)),
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
                ("selected", line.selected.as_deref().map_or(Value::Null, Value::from)),
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
