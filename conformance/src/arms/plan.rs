//! Documents: canonical form, usage, plans, quotes.

use counterfoil::{
    Plan, Usage,
    usage::{Mapping, Stream, Surface},
};
use serde_json::{Value, json};

use super::{Done, Object, Objects, a_plan, document};
use crate::{
    input::{self, Input, Outcome, fault},
    output::{instant, map, text},
};

pub(super) fn canonical(input: &mut Input) -> Outcome {
    let bytes = document(&input.text("text")?)?.canonical()?;
    match String::from_utf8(bytes) {
        Ok(canonical) => Ok(json!({"canonical": canonical})),
        Err(_) => fault("the canonical form is not text"),
    }
}

pub(super) fn usage(input: &mut Input) -> Outcome {
    let (surface, body) = (input.text("surface")?, input.text("body")?);
    let surface: Surface = surface.parse()?;
    Ok(read(&Usage::from_json(surface, &document(&body)?)?))
}

pub(super) fn map_usage(input: &mut Input) -> Outcome {
    let (mapping, event) = (input.text("mapping")?, input.text("event")?);
    let mapping = Mapping::from_json(mapping.as_bytes())?;
    Ok(read(&mapping.read(&document(&event)?)?))
}

pub(super) fn stream_usage(input: &mut Input) -> Outcome {
    let surface: Surface = input.parsed("surface")?;
    let mut stream = Stream::new(surface)?;
    for event in input.list("events")? {
        stream.feed(input::text(event)?.as_bytes())?;
    }
    let usage = stream.usage()?;
    let read = read(&usage);
    Ok(json!({
        "complete": stream.is_complete(),
        "basis": usage.basis().as_str(),
        "meters": read["meters"],
        "attributes": read["attributes"],
    }))
}

fn read(usage: &Usage) -> Value {
    let attributes = usage.attributes().iter().map(|(name, value)| (name.as_str(), value));
    json!({"meters": map(usage.iter()), "attributes": map(attributes)})
}

pub(super) fn load(input: &mut Input) -> Done {
    let plan = Plan::from_json(input.text("text")?.as_bytes())?;
    let out = json!({
        "id": text(plan.id()),
        "name": plan.name(),
        "authority": text(plan.authority()),
        "currency": plan.currency().id(),
        "decimals": text(plan.currency().decimals()),
    });
    Ok((out, Some(Object::Plan(Box::new(plan)))))
}

pub(super) fn window(input: &mut Input, objects: &Objects) -> Outcome {
    let plan = a_plan(input, "plan", objects)?;
    let (id, started_at, at) =
        (input.text("charge")?, input.instant("startedAt")?, input.instant("at")?);
    let Some(charge) = plan.charges().iter().find(|charge| charge.id == id) else {
        return fault(format!("no charge `{id}`"));
    };
    let window = plan.window(charge.period, started_at, at);
    Ok(json!({"start": instant(window.start), "end": instant(window.end)}))
}

pub(super) fn quote(input: &mut Input, objects: &Objects) -> Outcome {
    let plan = a_plan(input, "plan", objects)?;
    let quote = plan.quote(&input.usage("usage")?, input.instant("at")?)?;
    let lines = quote.lines.iter().map(|line| {
        json!({
            "charge": line.charge,
            "meter": line.meter,
            "units": text(line.units),
            "amount": text(line.amount),
        })
    });
    Ok(json!({
        "first": text(quote.first),
        "ceiling": text(quote.ceiling),
        "lines": lines.collect::<Vec<Value>>(),
    }))
}
