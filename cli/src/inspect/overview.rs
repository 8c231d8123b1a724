//! What is in a ledger, at a glance.

use counterfoil::json::{Object, Value};
use counterfoil::meter::{LaneTotals, SubscriptionView};
use counterfoil::{Currency, Exact, Meter};

use crate::words::grouped;

/// The ledger in words, or as JSON; of a root, each shard's.
pub(super) fn overview(meters: &[Meter], json: bool) -> String {
    match (meters, json) {
        ([meter], true) => document(meter).compact(),
        (_, true) => {
            let shards: Vec<_> = meters.iter().map(document).collect();
            Value::object([("shards", Value::from(shards))]).compact()
        }
        (_, false) => {
            let texts: Vec<_> = meters.iter().map(|meter| lines(meter).join("\n")).collect();
            texts.join("\n\n")
        }
    }
}

fn name_of(subscription: &SubscriptionView) -> String {
    subscription.name.clone().unwrap_or_else(|| subscription.payer.to_string())
}

fn lanes_of<'a>(
    meter: &'a Meter,
    subscription: &'a SubscriptionView,
) -> impl Iterator<Item = LaneTotals> + 'a {
    // Under a lease, what a meter shows goes by the lease's id, and has one lane.
    meter
        .lanes()
        .filter(|lane| lane.subscription == subscription.id || lane.lane == subscription.lane)
}

fn lines(meter: &Meter) -> Vec<String> {
    let mut lines = vec![
        format!("origin      {}", meter.origin().unwrap_or("(not begun)")),
        format!("signer      {}", meter.signer().map_or_else(String::new, |a| a.to_string())),
        format!("entries     {}", meter.entries()),
        format!("log         {} heads and lane openings", meter.log_size()),
        format!("checkpoints {}", meter.checkpoints()),
    ];
    for plan in meter.plans() {
        lines.push(format!("plan        {} {}", plan.id(), plan.name()));
    }
    for mark in meter.imports() {
        lines.push(format!(
            "input       {} up to record {}, byte {}",
            mark.input, mark.ordinal, mark.offset
        ));
    }
    for subscription in meter.subscriptions() {
        let currency = meter.plan(&subscription.plan).map(|plan| plan.currency());
        let decimals = currency.map_or(0, |currency| currency.decimals());
        let label = currency.map(Currency::label).unwrap_or_default();
        let money = |amount: Exact| format!("{} {label}", amount.to_decimal(decimals));
        lines.push(format!(
            "subscriber  {}: {} denied",
            name_of(&subscription),
            subscription.denied
        ));
        for lane in lanes_of(meter, &subscription) {
            lines.push(format!("  lane {} {}", lane.number, lane.lane));
            lines.push(format!(
                "    {} receipts, {} charged, {} credited, {} collected",
                lane.sequence,
                money(lane.cumulative),
                money(lane.credited),
                money(Exact::from_amount(lane.collected)),
            ));
        }
        for counter in &subscription.counters {
            lines.push(format!(
                "  {} since {}: {} units, {} billed",
                counter.charge,
                counter.window.start,
                grouped(counter.units),
                money(counter.billed)
            ));
        }
    }
    lines
}

fn document(meter: &Meter) -> Value {
    let list = |values: Vec<Value>| Value::from(values);
    let mut value = Object::new();
    value.insert("origin", meter.origin().map_or(Value::Null, Value::from));
    value.insert("signer", meter.signer().map_or(Value::Null, |a| Value::from(a.to_string())));
    value.insert("entries", meter.entries());
    value.insert("logSize", meter.log_size());
    value.insert("checkpoints", meter.checkpoints());
    let plans = meter.plans().map(|plan| {
        Value::object([
            ("id", Value::from(plan.id().to_string())),
            ("name", Value::from(plan.name())),
            ("currency", Value::from(plan.currency().id())),
        ])
    });
    value.insert("plans", list(plans.collect()));
    let inputs = meter.imports().map(|mark| {
        Value::object([
            ("input", Value::from(mark.input.to_string())),
            ("record", Value::from(mark.ordinal)),
            ("byte", Value::from(mark.offset)),
        ])
    });
    value.insert("inputs", list(inputs.collect()));
    let subscribers = meter.subscriptions().map(|subscription| {
        // In atomic units, as in every document.
        let lanes = lanes_of(meter, &subscription).map(|lane| {
            Value::object([
                ("lane", Value::from(lane.lane.to_string())),
                ("number", Value::from(u64::from(lane.number))),
                ("receipts", Value::from(lane.sequence)),
                ("charged", Value::from(lane.cumulative.floor().to_string())),
                ("credited", Value::from(lane.credited.floor().to_string())),
                ("collected", Value::from(lane.collected.to_string())),
                ("fee", Value::from(lane.fee.to_string())),
            ])
        });
        Value::object([
            ("subscriber", Value::from(name_of(&subscription))),
            ("subscription", Value::from(subscription.id.to_string())),
            ("plan", Value::from(subscription.plan.to_string())),
            ("denied", Value::from(subscription.denied)),
            ("lanes", list(lanes.collect())),
        ])
    });
    value.insert("subscribers", list(subscribers.collect()));
    Value::Object(value)
}
