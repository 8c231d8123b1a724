//! Any mapping is read or refused, and reads any event; the text before the first line feed is the
//! mapping, what follows the event, or the mapping is its own.
#![no_main]

use counterfoil::json::{Limits, parse};
use counterfoil::usage::Mapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (document, event) = data.split_at(at);
    let Ok(mapping) = Mapping::from_json(document) else { return };
    let event = if event.is_empty() { document } else { event };
    let Ok(event) = parse(event, &Limits::default()) else { return };
    if let Ok(usage) = mapping.read(&event) {
        assert!(usage.iter().all(|(_, quantity)| quantity < 1 << 63));
    }
});
