//! Any bytes are an entry or are refused; an entry has one binary form; a meter folds it or not.
#![no_main]

use counterfoil::Meter;
use counterfoil::audit::Auditor;
use counterfoil::entry::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(entry) = Entry::from_bytes(data) {
        assert_eq!(entry.to_bytes(), data);
    }
    // The same bytes as a ledger: entries after their u16 lengths.
    let (mut meter, mut auditor) = (Meter::new([0; 32]), Auditor::new());
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (entry, left) = after.split_at(length);
        let audited = auditor.next(entry).is_ok();
        let folded = meter.replay(entry).is_ok();
        // Whatever the auditor accepts, a meter can fold.
        assert!(folded || !audited);
        if !audited {
            return;
        }
        rest = left;
    }
});
