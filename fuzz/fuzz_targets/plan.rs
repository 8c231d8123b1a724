//! Any bytes are a plan or are refused; a plan reads back from its canonical form to the same id.
#![no_main]

use counterfoil::{
    Plan, Timestamp, Usage,
    usage::{Basis, Surface},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(plan) = Plan::from_json(data) else { return };
    let again = Plan::from_json(plan.canonical()).expect("the canonical form is a plan");
    assert_eq!(plan, again);
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    for meter in plan.meters().keys().take(64) {
        usage.set(meter, 1_000).expect("a plan's meters are names");
    }
    if let Ok(quote) = plan.quote(&usage, Timestamp::MIN) {
        assert!(quote.first <= quote.ceiling);
    }
});
