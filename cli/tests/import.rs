//! `plan import`: foreign terms as plans, and what could not be carried over.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, counterfoil, json, run};

const AUTHORITY: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Two models of a map: one with a tier and a cliff that it prices only apart, one with ranges.
const MAP: &str = r#"{
  "cliff/model-1": {
    "input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
    "input_cost_per_token_priority": 2.25e-06, "cache_read_input_token_cost": 1.25e-07,
    "output_cost_per_token": 1e-05, "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "search_context_cost_per_query": {"search_context_size_low": 0.035}, "mode": "chat"
  },
  "ranged": {
    "tiered_pricing": [
      {"range": [0, 32000.0], "input_cost_per_token": 4e-07, "output_cost_per_token": 0.0},
      {"range": [32000.0, 128e3], "input_cost_per_token": 8e-07, "output_cost_per_token": 0.0}
    ]
  },
  "free": {"mode": "chat"}
}"#;

const REGISTRATION: &str = r#"{
  "metadataAttributes": {"name": "Basic plan"},
  "priceConfig": {"tokenAddress": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    "amounts": ["9900000", "100000"],
    "receivers": ["0x505384192Ba6a4D4b50EAB846ee67db3b9A93359",
                  "0x068ed00cf0441e4829d9784fcbe7b9e26d4bd8d0"],
    "isCrypto": true},
  "creditsConfig": {"isRedemptionAmountFixed": false, "redemptionType": 4, "onchainMirror": false,
    "durationSecs": "2592000", "amount": "100", "minAmount": "1", "maxAmount": "10"},
  "nonce": "12345", "isTrialPlan": true}"#;

fn import(folder: &Path, kind: &str, document: &str, options: &[&str]) -> Ran {
    let file = folder.join("foreign.json");
    fs::write(&file, document).unwrap();
    let out = folder.join("plan.json");
    let mut command = counterfoil(["plan", "import", kind, "--authority", AUTHORITY, "--json"]);
    run(command.args(options).arg("--out").arg(out).arg(file))
}

/// The price of a usage in the plan that was imported.
fn price(folder: &Path, body: &str) -> Ran {
    let mut command = counterfoil(["quote", "--json", "--plan"]);
    run(command.arg(folder.join("plan.json")).args(["--usage", body]))
}

fn first(folder: &Path, body: &str) -> String {
    let ran = price(folder, body).ok();
    json(&ran.out).root().at("/first").unwrap().text().unwrap().into()
}

#[test]
fn a_model_of_a_price_map_with_a_markup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let options = ["--model", "cliff/model-1", "--markup", "0.2"];
    let told = import(folder, "litellm", MAP, &options).ok();
    let notes = json(&told.out);
    let note = notes.root().at("/notes/0").unwrap().text().unwrap();
    assert!(note.contains("search_context_cost_per_query"), "{note}");
    // 1.2 × (0.00000125 × 200,000 + 0.00001 × 1,000), and one token more re-prices the whole call.
    assert_eq!(first(folder, r#"{"input_tokens": 200000, "output_tokens": 1000}"#), "0.312");
    assert_eq!(first(folder, r#"{"input_tokens": 200001, "output_tokens": 1000}"#), "0.618003");
    assert_eq!(first(folder, r#"{"input_tokens": 10, "cached_input_tokens": 10}"#), "0.0000015");
    let plan = fs::read_to_string(folder.join("plan.json")).unwrap();
    assert!(plan.contains("\"input_above_200000_priority\""), "the tier has the cliff too: {plan}");
}

#[test]
fn several_models_are_told_apart_and_ranges_are_cliffs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let options = ["--model", "ranged", "--model", "cliff/model-1"];
    import(folder, "litellm", MAP, &options).ok();
    // Without its model a call has no price.
    assert_eq!(price(folder, r#"{"input_tokens": 1}"#).error().0, "usage_unpriced");
    import(folder, "litellm", MAP, &["--model", "ranged"]).ok();
    assert_eq!(first(folder, r#"{"input_tokens": 32000, "output_tokens": 5}"#), "0.0128");
    assert_eq!(first(folder, r#"{"input_tokens": 32001}"#), "0.0256008");
    assert_eq!(first(folder, r#"{"input_tokens": 200000}"#), "0.16");
}

#[test]
fn what_is_wrong_with_a_price_map_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (document, options, code) in [
        (MAP, &["--model", "unknown"][..], "arguments"),
        (MAP, &["--model", "free"], "plan_invalid"),
        (MAP, &["--model", "ranged", "--markup", "-1"], "arguments"),
        (MAP, &["--model", "ranged", "--markup=1e3"], "decimal_invalid"),
        ("[]", &["--model", "ranged"], "json_type"),
        ("{", &["--model", "ranged"], "json_syntax"),
    ] {
        let ran = import(folder, "litellm", document, options);
        assert_ne!(ran.exit, 0);
        if code != "arguments" || options.len() == 2 {
            assert_eq!(ran.error().0, code, "{options:?}");
        }
        assert!(!folder.join("plan.json").exists(), "{options:?}");
    }
}

#[test]
fn a_registration_keeps_its_id_bounds_and_receivers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let options = [
        "--network",
        "eip155:84532",
        "--creator",
        "0x505384192Ba6a4D4b50EAB846ee67db3b9A93359",
        "--credits-contract",
        "0xb2F9bB43F768E0D4ADCa49CE708acbE577bC2d64",
    ];
    // The id of the same registration without a duration is computed by another library, in the unit test.
    let told = import(folder, "nevermined", REGISTRATION, &options).ok();
    let told = json(&told.out);
    let id = told.root().at("/nevermined_id").unwrap().text().unwrap();
    assert!(id.len() > 70 && id.bytes().all(|b| b.is_ascii_digit()), "{id}");
    let notes = json(&told.compact());
    let notes: Vec<String> = notes
        .root()
        .at("/notes")
        .unwrap()
        .items()
        .unwrap()
        .map(|note| note.text().unwrap().into())
        .collect();
    assert!(
        notes.iter().any(|n| n.contains("a call for 0 credits would be raised to 1")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|n| n.contains("11 credits would be lowered to 10")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("trial")), "{notes:?}");
    assert_eq!(first(folder, r#"{"credits": 7}"#), "0.7");
    for credits in ["11", "0"] {
        let ran = price(folder, &format!(r#"{{"credits": {credits}}}"#));
        if credits == "11" {
            assert_eq!(ran.error().0, "price_out_of_bounds");
        }
    }
    let plan = json(&fs::read_to_string(folder.join("plan.json")).unwrap());
    assert_eq!(plan.root().at("/term/length").unwrap().integer().unwrap(), 2_592_000_000);
    assert_eq!(plan.root().at("/payees/1/weight").unwrap().integer().unwrap(), 9_900_000);
}

#[test]
fn a_plan_of_time_is_a_price_for_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let time = REGISTRATION
        .replace("\"amount\": \"100\"", "\"amount\": \"1\"")
        .replace("\"maxAmount\": \"10\"", "\"maxAmount\": \"1\"")
        .replace("\"isCrypto\": true", "\"isCrypto\": false, \"currency\": \"EUR\"");
    import(folder.path(), "nevermined", &time, &[]).ok();
    let plan = json(&fs::read_to_string(folder.path().join("plan.json")).unwrap());
    assert_eq!(plan.root().at("/charges/0/model").unwrap().text().unwrap(), "flat");
    assert_eq!(plan.root().at("/currency/iso4217").unwrap().text().unwrap(), "EUR");
    // A token's network is not in a registration.
    let ran = import(folder.path(), "nevermined", REGISTRATION, &[]);
    assert_eq!(ran.error().0, "arguments");
}
