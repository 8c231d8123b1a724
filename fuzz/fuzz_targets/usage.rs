//! Any body under any surface is a usage or is refused; parts never exceed their whole.
#![no_main]

use counterfoil::Usage;
use counterfoil::json::{Limits, parse};
use counterfoil::usage::Surface;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = parse(data, &Limits::default()) else { return };
    let again =
        parse(tree.compact().as_bytes(), &Limits::default()).expect("what we write is json");
    assert_eq!(tree, again);
    for surface in Surface::ALL {
        let Ok(usage) = Usage::from_json(*surface, &tree) else { continue };
        let all = |_: &str| true;
        if let Ok(charged) = usage.disjoint(&all) {
            let sum: u128 = charged.iter().map(|(_, n)| u128::from(*n)).sum();
            let whole: u128 = usage.iter().map(|(_, n)| u128::from(n)).sum();
            assert!(sum <= whole);
        }
    }
});
