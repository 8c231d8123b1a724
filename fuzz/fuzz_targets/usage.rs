//! Any body under any surface is a usage or is refused; parts never exceed their whole.
#![no_main]

use counterfoil::json::{Limits, parse};
use counterfoil::usage::Surface;
use counterfoil::{Amount, Exact, Plan, Timestamp, Usage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = parse(data, &Limits::default()) else { return };
    let again =
        parse(tree.compact().as_bytes(), &Limits::default()).expect("what we write is json");
    assert_eq!(tree, again);
    for surface in Surface::ALL {
        let Ok(usage) = Usage::from_json(*surface, &tree) else { continue };
        let whole = usage.iter().map(|(_, n)| u128::from(n)).sum();
        let Some(plan) = one_each(&usage) else { continue };
        if let Ok(price) = plan.price(&usage, Timestamp::MIN) {
            assert!(price <= Exact::from_amount(Amount::from_atomic(whole)));
        }
    }
});

/// A plan under which a unit of each meter of the usage costs one: its price is the number of units that
/// are charged.
fn one_each(usage: &Usage) -> Option<Plan> {
    let names: Vec<&str> =
        usage.iter().map(|(meter, _)| meter).filter(|m| *m != "requests").collect();
    let meters: Vec<_> = names.iter().map(|name| format!(r#""{name}":"unit""#)).collect();
    let charge =
        |name| format!(r#"{{"id":"{name}","meter":"{name}","model":"per_unit","price":"1"}}"#);
    let charges: Vec<_> = names.iter().map(charge).collect();
    let text = format!(
        r#"{{"format":"counterfoil/plan/1","name":"One each","authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "currency":{{"network":"eip155:84532","token":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","decimals":0}},
        "meters":{{{}}},"charges":[{}],"payees":[{{"payee":"seller","weight":1}}]}}"#,
        meters.join(","),
        charges.join(",")
    );
    (!names.is_empty()).then(|| Plan::from_json(text.as_bytes()).expect("a plan"))
}
