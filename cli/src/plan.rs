//! `plan check`: a plan, read strictly and told.

use std::fs;
use std::path::Path;

use counterfoil::json::{Object, Value};
use counterfoil::plan::{
    Aggregate, Charge, Commitment, Credit, Derived, Grant, Limit, LimitRule, LimitWindow, Term,
};
use counterfoil::rating::{Model, Plus, Tier};
use counterfoil::time::{Anchor, Cycle, Zone};
use counterfoil::{Currency, Exact, Plan, Result};

use crate::args;
use crate::io::{failed, say};
use crate::resolve;
use crate::words::grouped;

/// Reads a plan file; errors carry the file and the JSON Pointer.
pub(crate) fn read(path: &Path) -> Result<Plan> {
    let bytes = fs::read(path).map_err(failed(path))?;
    Plan::from_json(&bytes).map_err(|e| e.within(path.display().to_string()))
}

/// `counterfoil plan check`
pub(crate) fn check(args: &args::PlanCheck, json: bool) -> Result<()> {
    if args.resolve {
        resolve::resolve(&args.plan)?;
    }
    let plan = read(&args.plan)?;
    if json {
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
    let currency = plan.currency();
    let mut lines = vec![
        format!("{} is a plan", args.plan.display()),
        format!("  id         {}", plan.id()),
        format!("  name       {}", plan.name()),
        format!("  authority  {}", plan.authority()),
        format!(
            "  currency   {} ({}, {} decimals)",
            currency.id(),
            currency.label(),
            currency.decimals()
        ),
        format!("  rounding   {}", plan.rounding().as_str()),
    ];
    if let Some(zone) = plan.zone() {
        lines.push(format!("  zone       {}", describe_zone(zone)));
    }
    for (name, derived) in plan.derived() {
        lines.push(format!("  derived    {}", describe_derived(name, derived)));
    }
    for charge in plan.charges() {
        lines.push(format!("  charge     {}", describe_charge(charge, currency)));
    }
    for commitment in plan.commitments() {
        lines.push(format!("  commitment {}", describe_commitment(&plan, commitment)));
    }
    for limit in plan.limits() {
        lines.push(format!("  limit      {}", describe_limit(limit, currency)));
    }
    for grant in plan.grants() {
        lines.push(format!("  grant      {}", describe_grant(grant, currency)));
    }
    for (payee, (_, share)) in plan.payees().iter().zip(plan.shares().iter()) {
        lines.push(format!("  payee      {payee}: {} %", percent(share)));
    }
    say(&lines.join("\n"))
}

fn number(n: usize) -> Value {
    Value::from(u64::try_from(n).unwrap_or(u64::MAX))
}

/// A share of 10¹⁸ in percent, cut to six decimals.
fn percent(share: u64) -> String {
    let millionths = share.checked_div(10_000_000_000).unwrap_or(0);
    let (whole, rest) = (millionths.checked_div(1_000_000), millionths.checked_rem(1_000_000));
    let text = format!("{}.{:06}", whole.unwrap_or(0), rest.unwrap_or(0));
    String::from(text.trim_end_matches('0').trim_end_matches('.'))
}

fn describe_zone(zone: &Zone) -> String {
    let known = match zone.transitions().len() {
        0 => String::new(),
        1 => String::from(", after 1 transition"),
        count => format!(", after {count} transitions"),
    };
    format!("{}: {}{known}", zone.name(), zone.rule())
}

/// `per month`, `per 3 months from the subscription's start`
fn describe_window(cycle: Option<Cycle>) -> String {
    let Some(cycle) = cycle else { return String::from("over the whole term") };
    let period = cycle.every().as_str();
    let every = match cycle.count() {
        1 => format!("per {period}"),
        count => format!("per {count} {period}s"),
    };
    match cycle.anchor() {
        Anchor::Calendar => every,
        Anchor::Start => format!("{every} from the subscription's start"),
        Anchor::At(instant) => format!("{every} from {instant}"),
    }
}

/// `credits (credit): 1 × input_tokens, 20 × output_tokens for model=large`.
fn describe_derived(name: &str, derived: &Derived) -> String {
    let weights: Vec<String> = derived
        .weights
        .iter()
        .map(|weight| {
            let calls = weight.selector.as_ref().map(|calls| format!(" for {calls}"));
            format!("{} × {}{}", grouped(weight.weight), weight.meter, calls.unwrap_or_default())
        })
        .collect();
    format!("{name} ({}): {}", derived.unit, weights.join(", "))
}

fn describe_charge(charge: &Charge, currency: &Currency) -> String {
    let money = |amount: Exact| currency.tell(amount);
    let flat = |tier: &Tier| match tier.flat.is_zero() {
        true => String::new(),
        false => format!(" and {} once", money(tier.flat)),
    };
    let tiers = |tiers: &[Tier]| -> String {
        let told = tiers.iter().map(|tier| {
            let price = currency.tell_price(tier.price.exact());
            match tier.up_to {
                Some(up_to) => format!("{price} up to {}", grouped(up_to)) + &flat(tier),
                None => format!("{price} beyond") + &flat(tier),
            }
        });
        told.collect::<Vec<_>>().join(", ")
    };
    let model = match charge.tariff.model() {
        Model::Flat { amount } => format!("flat, {}", money(*amount)),
        Model::PerUnit { price } => {
            format!("per unit, {}", currency.tell_price(price.exact()))
        }
        Model::Graduated { tiers: list } => format!("graduated, {}", tiers(list)),
        Model::Volume { tiers: list } => format!("volume, {}", tiers(list)),
        Model::Package { size, price } => {
            format!("{} per package of {}", money(*price), grouped(*size))
        }
        Model::Percentage(p) => {
            let worth = currency.tell_price(p.worth.exact());
            let mut told = format!("{} of a worth of {worth}, each call", p.rate);
            if !p.fixed.is_zero() {
                told += &format!(", plus {}", money(p.fixed));
            }
            if !p.min.is_zero() {
                told += &format!(", at least {}", money(p.min));
            }
            told + &p.max.map_or_else(String::new, |max| format!(", at most {}", money(max)))
        }
        Model::CostPlus(c) => {
            let (word, part) = match c.plus {
                Plus::Markup(part) => ("markup", part),
                Plus::Margin(part) => ("margin", part),
            };
            format!("cost of {} with a {word} of {part}", currency.tell_price(c.cost.exact()))
        }
        Model::Dynamic(d) => {
            format!("given with the call, {} to {}", money(d.min), money(d.max))
        }
    };
    let terms = charge.tariff.terms();
    let mut around = match &charge.aggregate {
        Aggregate::Sum => String::new(),
        Aggregate::Count => String::from("; calls are counted"),
        Aggregate::Max => String::from("; the largest call counts"),
        Aggregate::Latest => String::from("; the latest call counts"),
        Aggregate::Unique(unique) => {
            format!("; each {} counts once, at most {}", unique.of, grouped(unique.values))
        }
    };
    if terms.zero {
        around += "; due without any use, too";
    }
    if !terms.off.is_zero() {
        around += &format!("; {} off", money(terms.off));
    }
    if let Some(cap) = terms.cap {
        around += &format!("; at most {}", money(cap));
    }
    if !terms.minimum.is_zero() {
        around += &format!("; at least {}", money(terms.minimum));
    }
    let window = describe_window(charge.period);
    let free = match charge.tariff.free() {
        0 => String::new(),
        free => format!("; the first {} free", grouped(free)),
    };
    let calls = match &charge.selector {
        Some(selector) => format!("; for {selector}"),
        None => String::new(),
    };
    let whole = if charge.is_divisible() { "" } else { "; no lease can divide it" };
    format!("{}: {} {window}, {model}{free}{around}{calls}{whole}", charge.id, charge.meter)
}

fn describe_commitment(plan: &Plan, found: &Commitment) -> String {
    let charge = |index: &usize| plan.charges().get(*index).map(|charge| charge.id.as_str());
    let charges: Vec<&str> = found.charges.iter().filter_map(charge).collect();
    format!(
        "{}: at least {} {} for {}",
        found.id,
        plan.currency().tell(found.minimum),
        describe_window(Some(found.period)),
        charges.join(", ")
    )
}

fn describe_limit_window(window: LimitWindow) -> String {
    match window {
        LimitWindow::Whole => describe_window(None),
        LimitWindow::Cycle(cycle) => describe_window(Some(cycle)),
        LimitWindow::Rolling(rolling) => {
            let last = match rolling.count() {
                1 => String::from(rolling.last().as_str()),
                count => format!("{count} {}s", rolling.last().as_str()),
            };
            format!("in the last {last}, in {} buckets", rolling.buckets())
        }
    }
}

fn describe_limit(limit: &Limit, currency: &Currency) -> String {
    let mut text = match &limit.rule {
        LimitRule::Spend { most, window } => {
            format!("at most {} {}", currency.tell(*most), describe_limit_window(*window))
        }
        LimitRule::Units { meter, most, window } => {
            format!("at most {} {meter} {}", grouped(*most), describe_limit_window(*window))
        }
        LimitRule::Credit { most } => {
            format!("at most {} owed beyond what grants pay", currency.tell(*most))
        }
        LimitRule::Concurrency { most } => format!("at most {} calls at one time", grouped(*most)),
        LimitRule::Rate(rate) => {
            format!("{} calls per {} ms, burst {}", rate.limit(), rate.period_ms(), rate.burst())
        }
    };
    if let Some(per) = &limit.per {
        text.push_str(&format!(", for each {per}"));
    }
    for (name, values) in &limit.matches {
        text.push_str(&format!(", where {name} is {}", values.join(" or ")));
    }
    if limit.across.is_some() {
        text.push_str(", over all subscriptions of a payer");
    }
    if limit.soft {
        text.push_str(", only reported");
    }
    if !limit.notify.is_empty() {
        let shares: Vec<_> = limit.notify.iter().map(|share| share.fraction.to_string()).collect();
        text.push_str(&format!(", reported at {}", shares.join(", ")));
    }
    format!("{}: {text}", limit.id)
}

fn describe_grant(grant: &Grant, currency: &Currency) -> String {
    let what = match &grant.credit {
        Credit::Money(money) => currency.tell(*money),
        Credit::Units { meter, units } => format!("{} {meter}", grouped(*units)),
    };
    let when = match grant.term {
        Term::Recurring { period, .. } => describe_window(Some(period)),
        _ => String::from("once"),
    };
    format!("{}: {what} {when}, {}", grant.id, grant.kind.as_str())
}
