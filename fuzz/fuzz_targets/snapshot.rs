//! Any bytes are a snapshot or are refused; a meter from one writes a snapshot that reads back.
#![no_main]

use counterfoil::Meter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(meter) = Meter::from_snapshot(data, [0; 32]) else { return };
    let bytes = meter.snapshot();
    let again = Meter::from_snapshot(&bytes, [0; 32]).expect("a meter's own snapshot");
    assert_eq!(again.snapshot(), bytes);
});
