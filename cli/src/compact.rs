//! `counterfoil compact`

use counterfoil::json::{Object, Value};
use counterfoil_journal::compact;

use crate::args;
use crate::exit::{Ended, Failure};
use crate::io::say;
use crate::source::each;
use crate::words::grouped;

pub(crate) fn run(args: &args::Compact, json: bool) -> Ended {
    let compacted = each(&args.ledger, Some(&args.archive), |dir, archive| {
        compact(dir, archive.unwrap_or(&args.archive))
    });
    let (mut segments, mut entries) = (0_usize, 0_u64);
    for compacted in compacted.map_err(Failure::of_ledger)? {
        let compacted = compacted.map_err(Failure::of_ledger)?;
        segments = segments.saturating_add(compacted.segments);
        entries = entries.saturating_add(compacted.entries);
    }
    if json {
        let mut value = Object::new();
        value.insert("segments", u64::try_from(segments).unwrap_or(u64::MAX));
        value.insert("archived", entries);
        value.insert("archive", args.archive.display().to_string());
        return Ok(say(&Value::Object(value).compact())?);
    }
    let moved = match segments {
        0 => String::from("no segment is full and sealed by a signed checkpoint"),
        1 => String::from("1 segment moved"),
        _ => format!("{segments} segments moved"),
    };
    Ok(say(&format!("{moved}; {} entries are in {}", grouped(entries), args.archive.display()))?)
}
