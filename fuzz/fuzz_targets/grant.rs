//! Any terms of a grant are read or refused, and what was read has an amount.
#![no_main]

use std::sync::LazyLock;

use counterfoil::Plan;
use counterfoil::plan::Grant;
use libfuzzer_sys::fuzz_target;

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    Plan::from_json(include_bytes!("../../examples/plans/prepaid_credits.json")).expect("a plan")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(grant) = Grant::from_json(data, &PLAN) {
        assert!(!grant.credit.amount().is_zero());
    }
});
