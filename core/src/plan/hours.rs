//! The hours of the week in which a charge counts, or a clause holds.

use crate::{
    error::{Code, Result},
    json::Node,
    time::Hours,
};

/// The most ranges of one charge or clause.
const MAX_RANGES: usize = 32;
/// The days of the week, by their names in a plan.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads ranges of local time: `[{"days": ["fri"], "from": "22:00", "until": "06:00"}]`.
pub(crate) fn read_hours(node: &Node<'_>) -> Result<Hours> {
    let mut hours = Hours::default();
    let mut count: usize = 0;
    for item in node.items()? {
        let mut fields = item.fields()?;
        let days = fields.optional("days").map(|days| read_days(&days)).transpose()?;
        let from = read_time(&fields.required("from")?)?;
        let until = read_time(&fields.required("until")?)?;
        fields.finish()?;
        count = count.saturating_add(1);
        if count > MAX_RANGES {
            return Err(node.error(Code::PlanInvalid).because("more than 32 ranges"));
        }
        for (day, wanted) in (0..).zip(days.unwrap_or([true; 7])) {
            if wanted {
                hours.add(day, from, until);
            }
        }
    }
    if count == 0 {
        return Err(node.error(Code::PlanInvalid).because("at least one range"));
    }
    Ok(hours)
}

/// Which days of the week are listed.
fn read_days(node: &Node<'_>) -> Result<[bool; 7]> {
    let mut wanted = [false; 7];
    let mut next = 0;
    for item in node.items()? {
        let name = item.text()?;
        let Some(day) = DAYS.iter().position(|day| *day == name) else {
            return Err(item
                .error(Code::PlanInvalid)
                .because("a day is mon, tue, wed, thu, fri, sat or sun"));
        };
        if day < next {
            return Err(item
                .error(Code::PlanOrder)
                .because("days stand from mon to sun, each once"));
        }
        next = day.saturating_add(1);
        if let Some(flag) = wanted.get_mut(day) {
            *flag = true;
        }
    }
    if next == 0 {
        return Err(node.error(Code::PlanInvalid).because("at least one day"));
    }
    Ok(wanted)
}

/// `hh:mm`, as minutes of the day.
fn read_time(node: &Node<'_>) -> Result<u16> {
    let read = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let part = |text: &str, below: u16| {
            let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|n| digits && *n < below)
        };
        part(hour, 24)?.checked_mul(60)?.checked_add(part(minute, 60)?)
    };
    read(node.text()?)
        .ok_or_else(|| node.error(Code::PlanInvalid).because("a time is 00:00 to 23:59"))
}
