//! Plan documents: what is refused, where and why; and what a plan's id depends on.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{Host, Terms};
use counterfoil::Plan;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Code and place of the refusal.
fn refused(json: &str) -> (String, String) {
    let error = Plan::from_json(json.as_bytes()).map(|_| json.to_owned()).unwrap_err();
    (error.code().as_str().to_owned(), error.place().unwrap_or("nowhere").to_owned())
}

/// The refusal of the test plan with one field replaced.
fn with(field: &'static str, json: &str) -> (String, String) {
    refused(&Terms::new().with(field, json).json())
}

#[track_caller]
fn assert_refused(got: (String, String), code: &str, place: &str) {
    assert_eq!((got.0.as_str(), got.1.as_str()), (code, place));
}

#[test]
fn charges_with_a_flaw() {
    let charge = |rest: &str| with("charges", &format!(r#"[{{"id":"a","meter":"a",{rest}}}]"#));
    let per_unit = |price: &str| charge(&format!(r#""model":"per_unit","price":{price}"#));
    let tiers = |tiers: &str| charge(&format!(r#""model":"graduated","tiers":[{tiers}]"#));
    assert_refused(per_unit("0.01"), "json_number", "/charges/0/price");
    assert_refused(per_unit(r#""-1""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#""1.50""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#""01""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#"".5""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#""1e3""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#""1,5""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit(r#""٣""#), "decimal_invalid", "/charges/0/price");
    assert_refused(per_unit("null"), "json_type", "/charges/0/price");
    // 21 decimals of a dollar are one more than a cent's grid has.
    assert_refused(
        per_unit(r#""0.000000000000000000001""#),
        "decimal_too_fine",
        "/charges/0/price",
    );
    let huge = format!(r#""{}""#, "9".repeat(39));
    assert_refused(per_unit(&huge), "amount_overflow", "/charges/0/price");
    let per_third = r#""model":"per_unit","price":"1","per":3"#;
    assert_refused(charge(per_third), "decimal_too_fine", "/charges/0/price");
    let per = |per: &str| charge(&format!(r#""model":"per_unit","price":"1","per":{per}"#));
    assert_refused(per("0"), "plan_invalid", "/charges/0/per");
    assert_refused(per("1.5"), "json_number", "/charges/0/per");
    assert_refused(per("-1"), "json_number", "/charges/0/per");
    assert_refused(per("9007199254740992"), "json_number", "/charges/0/per");
    assert_refused(charge(r#""model":"surge","price":"1""#), "plan_invalid", "/charges/0/model");
    assert_refused(charge(r#""model":"per_unit""#), "json_missing_field", "/charges/0/price");
    let more = charge(r#""model":"per_unit","price":"1","prise":"1""#);
    assert_refused(more, "json_unknown_field", "/charges/0/prise");
    let twice = charge(r#""model":"per_unit","price":"1","price":"1""#);
    // Found before there is a tree to point into: the place is a byte.
    assert_refused(twice, "json_duplicate_key", "byte 122");
    assert_refused(tiers(""), "plan_tiers", "/charges/0/tiers");
    assert_refused(tiers(r#"{"up_to":5,"price":"1"}"#), "plan_tiers", "/charges/0/tiers");
    let falling = r#"{"up_to":5,"price":"1"},{"up_to":5,"price":"2"},{"price":"1"}"#;
    assert_refused(tiers(falling), "plan_tiers", "/charges/0/tiers");
    assert_refused(tiers(r#"{"price":"1"},{"price":"2"}"#), "plan_tiers", "/charges/0/tiers");
    assert_refused(
        tiers(r#"{"up_to":0,"price":"1"},{"price":"2"}"#),
        "plan_invalid",
        "/charges/0/tiers/0/up_to",
    );
    assert_refused(tiers(r#"{"price":1}"#), "json_type", "/charges/0/tiers/0/price");
    let many = r#"{"up_to":5,"price":"1"},"#.repeat(70) + r#"{"price":"1"}"#;
    assert_refused(tiers(&many), "plan_tiers", "/charges/0/tiers");
    let package = |size: &str| charge(&format!(r#""model":"package","price":"1","size":{size}"#));
    assert_refused(package("0"), "plan_invalid", "/charges/0/size");
    let unwindowed = charge(r#""model":"volume","tiers":[{"price":"1"}]"#);
    assert_refused(unwindowed, "json_missing_field", "/charges/0/window");
    let window = charge(r#""model":"per_unit","price":"1","window":"fortnight""#);
    assert_refused(window, "plan_invalid", "/charges/0/window");
    assert_refused(with("charges", "[]"), "plan_invalid", "/charges");
    assert_refused(with("charges", "{}"), "json_type", "/charges");
    let undefined = r#"[{"id":"x","meter":"cached_input_tokens","model":"per_unit","price":"1"}]"#;
    assert_refused(with("charges", undefined), "plan_reference", "/charges/0/meter");
    let same = r#"{"id":"a","meter":"a","model":"per_unit","price":"1"}"#;
    assert_refused(with("charges", &format!("[{same},{same}]")), "plan_order", "/charges/1/id");
    let id = r#"[{"id":"A b","meter":"a","model":"per_unit","price":"1"}]"#;
    assert_refused(with("charges", id), "text_invalid", "/charges/0/id");
}

#[test]
fn everything_else_with_a_flaw() {
    assert_refused(with("format", r#""counterfoil/plan/2""#), "plan_format", "/format");
    assert_refused(with("fromat", r#""x""#), "json_unknown_field", "/fromat");
    assert_refused(with("name", r#""""#), "text_invalid", "/name");
    assert_refused(with("name", r#""a\nb""#), "text_invalid", "/name");
    // é as e and a combining accent is not in form C.
    assert_refused(with("name", "\"Cafe\u{301}\""), "text_invalid", "/name");
    assert_refused(with("authority", r#""0x12""#), "hex_invalid", "/authority");
    // A letter of the wrong case breaks the checksum of EIP-55.
    let checksum = r#""0x70997970c51812dc3A010C7d01b50e0d17dc79C8""#;
    assert_refused(with("authority", checksum), "hex_invalid", "/authority");
    assert_refused(
        with("currency", r#"{"iso4217":"usd"}"#),
        "currency_invalid",
        "/currency/iso4217",
    );
    assert_refused(
        with("currency", r#"{"network":"eip155:1"}"#),
        "json_missing_field",
        "/currency/token",
    );
    let decimals = r#"{"network":"eip155:1","token":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","decimals":99}"#;
    assert_eq!(with("currency", decimals).0, "currency_invalid");
    assert_refused(with("meters", r#"{"A":"unit"}"#), "text_invalid", "/meters/A");
    assert_refused(with("meters", r#"{"a":"u","a":"u"}"#), "json_duplicate_key", "byte 204");
    let limit = |rest: &str| with("limits", &format!(r#"[{{"id":"l",{rest}}}]"#));
    assert_refused(limit(r#""spend":10"#), "json_type", "/limits/0/spend");
    assert_refused(limit(r#""spend":"-10""#), "decimal_invalid", "/limits/0/spend");
    assert_refused(limit(r#""spent":"10""#), "plan_invalid", "/limits/0");
    let both = r#""spend":"1","rate":{"calls":1,"every":"day"}"#;
    assert_refused(limit(both), "json_unknown_field", "/limits/0/rate");
    assert_refused(
        limit(r#""rate":{"calls":0,"every":"day"}"#),
        "plan_invalid",
        "/limits/0/rate/calls",
    );
    assert_refused(
        limit(r#""rate":{"calls":1,"every":"week"}"#),
        "plan_invalid",
        "/limits/0/rate/every",
    );
    let same = r#"[{"id":"l","spend":"1"},{"id":"l","spend":"1"}]"#;
    assert_refused(with("limits", same), "plan_order", "/limits/1/id");
    assert_refused(with("condition", "{}"), "plan_invalid", "/condition");
    let unsorted = r#"{"attribute":"region","in":["us","eu"]}"#;
    assert_refused(with("condition", unsorted), "plan_order", "/condition/in/1");
    let deep = r#"{"not":"#.repeat(200) + r#"{"all":[]}"# + &"}".repeat(200);
    assert_eq!(with("condition", &deep).0, "json_too_deep");
    let wide = format!(r#"{{"all":[{}]}}"#, vec![r#"{"all":[]}"#; 300].join(","));
    assert_eq!(with("condition", &wide).0, "plan_invalid");
    let payees = |list: &str| with("payees", &format!("[{list}]"));
    assert_refused(payees(""), "shares_invalid", "/payees");
    assert_refused(payees(r#"{"payee":"a","weight":0}"#), "plan_invalid", "/payees/0/weight");
    assert_refused(payees(r#"{"payee":"a","weight":"1"}"#), "json_type", "/payees/0/weight");
    assert_refused(payees(r#"{"payee":"0x12","weight":1}"#), "hex_invalid", "/payees/0/payee");
    for (first, second) in [("b", "a"), ("a", "a")] {
        let list = format!(r#"{{"payee":"{first}","weight":1}},{{"payee":"{second}","weight":1}}"#);
        assert_refused(payees(&list), "plan_order", "/payees/1/payee");
    }
    assert_refused(with("rounding", r#""nearest""#), "plan_invalid", "/rounding");
    assert_refused(with("term", r#"{"length":0}"#), "plan_invalid", "/term/length");
    assert_refused(with("signing", r#"{"mode":"sometimes"}"#), "plan_invalid", "/signing/mode");
    assert_refused(
        with("signing", r#"{"mode":"checkpoint"}"#),
        "json_missing_field",
        "/signing/receipts",
    );
    let extra = r#"{"mode":"each","receipts":1}"#;
    assert_refused(with("signing", extra), "json_unknown_field", "/signing/receipts");
    assert_refused(with("times", r#"{"hold":2000,"grace":1000}"#), "plan_invalid", "/times");
    assert_refused(with("times", r#"{"hold":0}"#), "plan_invalid", "/times/hold");
    assert_refused(with("times", r#"{"skew":99999999999}"#), "plan_invalid", "/times/skew");
}

#[test]
fn documents_that_are_not_plans() {
    for (json, code) in [
        ("", "json_syntax"),
        ("[]", "json_type"),
        ("null", "json_type"),
        ("{}", "json_missing_field"),
        (r#"{"format":"counterfoil/plan/1""#, "json_syntax"),
        ("{\"a\":\"\u{0}\"}", "json_syntax"),
        (r#"{"a":"\ud800"}"#, "json_encoding"),
        (r#"{"a":01}"#, "json_syntax"),
        (r#"{"a":1}}"#, "json_syntax"),
    ] {
        assert_eq!(refused(json).0, code, "{json}");
    }
    let json = Terms::new().json();
    assert_eq!(refused(&format!("{json}{}", " ".repeat(10_000_000))).0, "json_too_large");
    assert_eq!(refused(&format!("\u{feff}{json}")).0, "json_syntax", "no byte order mark");
    for cut in 0..json.len() {
        assert!(Plan::from_json(&json.as_bytes()[..cut]).is_err());
    }
    let mut latin = json.into_bytes();
    let name = latin.windows(4).position(|w| w == b"Test").unwrap();
    latin[name] = 0xe9;
    assert_eq!(Plan::from_json(&latin).unwrap_err().code().as_str(), "json_encoding");
}

/// Every content that the other tests of plans vary: all accepted, all different.
fn contents() -> Vec<Terms> {
    let base = Terms::new;
    vec![
        base(),
        base().with("name", r#""Test 2""#),
        base().with("authority", r#""0x70997970C51812dc3A010C7d01b50e0d17dc79C8""#),
        base().with("currency", r#"{"iso4217":"EUR"}"#),
        base().with("meters", r#"{"a":"unit","b":"units"}"#),
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.02"}"#),
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","per":2}"#),
        // The same price, written otherwise: another document, as a person would say.
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.02","per":2}"#),
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","free":1}"#),
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","free":0}"#),
        base().charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","window":"day"}"#),
        base().charge(r#"{"id":"z","meter":"a","model":"per_unit","price":"0.01"}"#),
        base().spend("1", None),
        base().spend("1", Some("day")),
        base().spend("2", Some("day")),
        base().with("limits", "[]"),
        base().with("condition", r#"{"attribute":"region","in":["eu"]}"#),
        base().with("payees", r#"[{"payee":"seller","weight":2}]"#),
        base().with("rounding", r#""carry""#),
        base().with("rounding", r#""up""#),
        base().with("term", r#"{"length":1000}"#),
        base().with("signing", r#"{"mode":"each"}"#),
        base().checkpoints(1, "1", 1),
        base().with("times", r#"{"hold":1}"#),
    ]
}

#[test]
fn a_plans_id_is_that_of_its_content_and_of_nothing_else() {
    let contents = contents();
    let ids: BTreeSet<_> = contents.iter().map(|terms| terms.plan().id()).collect();
    assert_eq!(ids.len(), contents.len());
    for terms in &contents {
        let plan = terms.plan();
        let value: serde_json::Value = serde_json::from_str(&terms.json()).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        assert_eq!(Plan::from_json(&pretty).unwrap().id(), plan.id());
        assert_eq!(Plan::from_json(plan.canonical()).unwrap(), plan);
        let escaped = terms.json().replace("Test", "\\u0054est");
        assert_eq!(Plan::from_json(escaped.as_bytes()).unwrap().id(), plan.id());
    }
}

#[test]
fn a_meter_takes_only_plans_that_name_its_key() {
    let mut host = Host::new();
    let foreign = r#""0x70997970C51812dc3A010C7d01b50e0d17dc79C8""#;
    let plan = Box::new(Terms::new().with("authority", foreign).plan());
    let error = host.run(&counterfoil::meter::Command::AddPlan(plan), common::at(0)).unwrap_err();
    assert_eq!(error.code().as_str(), "signature_wrong_key");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_byte_is_refused_or_another_plan(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let contents = contents();
        let terms = &contents[which.index(contents.len())];
        let plan = terms.plan();
        let mut bytes = plan.canonical().to_vec();
        let at = at.index(bytes.len());
        let same = bytes[at] == byte;
        bytes[at] = byte;
        if let Ok(other) = Plan::from_json(&bytes) {
            prop_assert_eq!(other.id() == plan.id(), same);
        }
    }
}
