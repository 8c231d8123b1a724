//! The windows of a plan, and the zone that they are in.

use crate::{
    error::{Code, Result},
    json::{Fields, Node},
    plan::charge::read_positive,
    plan::limit::LimitWindow,
    time::{Anchor, Cycle, Period, Rolling, Timestamp, Transition, Zone},
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

/// The member `window` of a limit, which may roll.
pub(super) fn read_limit_window(fields: &mut Fields<'_>) -> Result<LimitWindow> {
    let Some(node) = fields.optional("window") else { return Ok(LimitWindow::Whole) };
    if let Ok(mut inner) = node.fields()
        && let Some(last) = inner.optional("last")
    {
        let period = read_period(&last)?;
        let count = inner.optional("count");
        let periods = count.map_or(Ok(1), |count| read_positive(&count))?;
        let parts = inner.required("buckets")?;
        let buckets = read_positive(&parts)?;
        inner.finish()?;
        let rolling = |count, buckets, place: &Node<'_>| {
            Rolling::new(period, count, buckets).map_err(|e| e.at(place.pointer()))
        };
        // What is wrong with the period is said at it, whatever stands beside it.
        rolling(1, 1, &last)?;
        rolling(periods, 1, &count.unwrap_or(last))?;
        return rolling(periods, buckets, &parts).map(LimitWindow::Rolling);
    }
    read_cycle(node).map(LimitWindow::Cycle)
}

fn read_cycle(node: Node<'_>) -> Result<Cycle> {
    if node.fields().is_err() {
        return Ok(Cycle::calendar(read_period(&node)?));
    }
    let mut fields = node.fields()?;
    if let Some(last) = fields.optional("last") {
        // A price is a function of a counter whose window closes once. A call that lies in many windows
        // would be paid in each, and no window of them could be trued up.
        return Err(last.error(Code::PlanInvalid).because("only the window of a limit rolls"));
    }
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
