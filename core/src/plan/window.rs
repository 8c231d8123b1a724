//! The windows of a plan, and the zone that they are in.

use crate::{
    error::{Code, Result},
    json::{Fields, Node},
    plan::charge::read_positive,
    time::{Anchor, Cycle, Period, Timestamp, Transition, Zone},
};

/// The member `window`: a period of the calendar by its name, or an object with an anchor. `None` is
/// the whole subscription.
pub(super) fn read_window(fields: &mut Fields<'_>) -> Result<Option<Cycle>> {
    fields.optional("window").map(read_cycle).transpose()
}

/// As [`read_window`], where there must be one.
pub(super) fn need_window(fields: &mut Fields<'_>) -> Result<Cycle> {
    read_cycle(fields.required("window")?)
}

fn read_cycle(node: Node<'_>) -> Result<Cycle> {
    if node.fields().is_err() {
        return Ok(Cycle::calendar(read_period(&node)?));
    }
    let mut fields = node.fields()?;
    let (every, count, place) = read_periods(&mut fields, &node)?;
    let anchor = read_anchor(&fields.required("anchor")?)?;
    fields.finish()?;
    Cycle::anchored(every, count, anchor).map_err(|e| e.at(place.pointer()))
}

/// The members `every` and `count` of an object, and the place of a wrong count.
pub(super) fn read_periods<'n>(
    fields: &mut Fields<'n>,
    node: &Node<'n>,
) -> Result<(Period, u64, Node<'n>)> {
    let every = read_period(&fields.required("every")?)?;
    let count = fields.optional("count");
    let periods = count.map_or(Ok(1), |count| read_positive(&count))?;
    Ok((every, periods, count.unwrap_or(*node)))
}

fn read_period(node: &Node<'_>) -> Result<Period> {
    Period::parse(node.text()?).ok_or_else(|| {
        node.error(Code::PlanInvalid).because("a period is an hour, day, week, month or year")
    })
}

fn read_anchor(node: &Node<'_>) -> Result<Anchor> {
    match node.text() {
        Ok("start") => Ok(Anchor::Start),
        Ok(_) => Err(node.error(Code::PlanInvalid).because("`start`, or an instant")),
        Err(_) => Ok(Anchor::At(read_instant(node)?)),
    }
}

fn read_instant(node: &Node<'_>) -> Result<Timestamp> {
    Timestamp::from_millis(node.integer()?).map_err(|e| e.at(node.pointer()))
}

pub(super) fn read_zone(node: &Node<'_>) -> Result<Zone> {
    let mut fields = node.fields()?;
    let name = fields.required("name")?;
    let rule = fields.required("rule").map_err(|e| {
        e.because("a zone is contained as its rule; `counterfoil plan check --resolve` writes it")
    })?;
    let mut zone = Zone::new(name.text()?, rule.text()?).map_err(|e| {
        let place = if e.code() == Code::TextInvalid { name } else { rule };
        e.at(place.pointer())
    })?;
    if let Some(list) = fields.optional("transitions") {
        for item in list.items()? {
            let mut fields = item.fields()?;
            let until = fields.required("until")?;
            let end = read_instant(&until)?;
            let offset = fields.required("offset")?;
            let seconds = Transition::parse_offset(offset.text()?);
            let seconds = seconds.map_err(|e| e.at(offset.pointer()))?;
            fields.finish()?;
            zone.push(Transition { until: end, offset: seconds }).map_err(|e| {
                let place = if e.code() == Code::PlanOrder { until } else { list };
                e.at(place.pointer())
            })?;
        }
    }
    fields.finish()?;
    Ok(zone)
}
