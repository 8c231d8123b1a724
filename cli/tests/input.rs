//! What malformed logs and plans do: an error with its place, and nothing half done.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;

use common::{Bench, EACH, assert_same, json, line, lines};

/// Records that are malformed, and the code of each.
fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = line(4);
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let mut latin1 = with("zeta", "z@ta");
    let at = latin1.iter().position(|b| *b == b'@').unwrap();
    latin1[at] = 0xe9;
    let long = format!("\"m{}\"", "x".repeat(10 << 20));
    vec![
        ("float", with("\"completion_tokens\":72", "\"completion_tokens\":72.0"), "json_number"),
        ("exponent", with("\"completion_tokens\":72", "\"completion_tokens\":72e0"), "json_number"),
        ("negative", with("\"completion_tokens\":72", "\"completion_tokens\":-72"), "json_number"),
        ("text", with("\"completion_tokens\":72", "\"completion_tokens\":\"72\""), "json_type"),
        (
            "twice",
            with("\"prompt_tokens\":648", "\"prompt_tokens\":648,\"prompt_tokens\":648"),
            "json_duplicate_key",
        ),
        (
            "huge",
            with("\"prompt_tokens\":648", "\"prompt_tokens\":99999999999999999999999"),
            "json_number",
        ),
        (
            "2^63",
            with("\"prompt_tokens\":648", "\"prompt_tokens\":9223372036854775808"),
            "json_number",
        ),
        (
            "cached > input",
            with("\"cached_tokens\":129", "\"cached_tokens\":649"),
            "usage_contradiction",
        ),
        ("total", with("\"total_tokens\":720", "\"total_tokens\":721"), "usage_total"),
        ("surface", with("\"prompt_tokens\":", "\"input_tokens\":"), "json_missing_field"),
        ("no usage", with("\"usage\"", "\"usag\""), "usage_missing"),
        ("no at", with("\"at\"", "\"when\""), "json_missing_field"),
        ("no subscriber", with("\"subscriber\"", "\"who\""), "json_missing_field"),
        ("no body", with("\"body\"", "\"answer\""), "json_missing_field"),
        ("bad time", with("T00:04:00Z", "T25:04:00Z"), "time_invalid"),
        ("no zone", with("T00:04:00Z", " noon"), "time_invalid"),
        ("subscriber", with("\"zeta\"", "\"\""), "text_invalid"),
        ("purpose", with("\"inference\"", "3"), "json_type"),
        ("truncated", [&good.as_bytes()[..good.len() / 2], b"\n"].concat(), "json_syntax"),
        ("not json", b"hello\n".to_vec(), "json_syntax"),
        ("array", b"[1]\n".to_vec(), "json_missing_field"),
        ("not utf-8", latin1, "json_encoding"),
        ("10 MB", with("\"m\"", &long), "json_too_large"),
    ]
}

#[test]
fn each_malformed_record_stops_with_its_place_and_leaves_what_came_before() {
    let bench = Bench::new(EACH);
    bench.write("good.jsonl", lines(0..8));
    bench.meter("whole", "good.jsonl", &[]).ok();
    let before = lines(0..4);
    for (name, record, code) in malformed() {
        let log = [before.as_bytes(), &record, lines(5..8).as_bytes()].concat();
        bench.write("log.jsonl", log);
        let ran = bench.meter(name, "log.jsonl", &[]);
        assert_eq!(ran.exit, 1, "{name}: {}", ran.err);
        let (found, place) = ran.error();
        assert_eq!(found, code, "{name}: {}", ran.err);
        let expected = format!("log.jsonl line 5 (record 4, byte {})", before.len());
        assert!(place.starts_with(&expected), "{name}: {place}");
        assert!(ran.err.len() < 1000, "{name}: the error shows too much");
        assert!(!ran.is_complete());
        assert_eq!(ran.number("/metered") + ran.number("/denied"), 4);
        assert_eq!(bench.verify(name).ok().number("/receipts"), 3);

        bench.write("log.jsonl", lines(0..8));
        let ran = bench.meter(name, "log.jsonl", &[]).ok();
        assert_eq!((ran.number("/alreadyMetered"), ran.number("/metered")), (4, 4), "{name}");
        assert_same(&bench.path("whole"), &bench.path(name));
    }
}

#[test]
fn skipped_records_are_set_aside_once() {
    let bench = Bench::new(EACH);
    let mut log = lines(0..2).into_bytes();
    for (_, record, _) in malformed() {
        log.extend(record);
    }
    log.extend(lines(5..8).into_bytes());
    bench.write("log.jsonl", &log);
    let skip = ["--skip-malformed", "bad.jsonl"];
    let codes = || -> Vec<(u64, String)> {
        let text = fs::read_to_string(bench.path("bad.jsonl")).unwrap();
        let read = |line: &str| {
            let value = json(line);
            let code = value.root().at("/code").unwrap().text().unwrap().to_string();
            (value.root().at("/ordinal").unwrap().integer().unwrap(), code)
        };
        text.lines().map(read).collect()
    };
    let expected: Vec<_> =
        (2_u64..).zip(malformed()).map(|(n, (_, _, code))| (n, code.to_string())).collect();
    let ran = bench.meter("ledger", "log.jsonl", &skip).ok();
    assert_eq!(ran.number("/metered"), 5);
    assert_eq!(ran.number("/rejected"), expected.len() as u64);
    assert_eq!(codes(), expected);
    bench.verify("ledger").ok();
    let first = json(fs::read_to_string(bench.path("bad.jsonl")).unwrap().lines().next().unwrap());
    let record = first.root().at("/record").unwrap().text().unwrap().to_string();
    assert_eq!(format!("{record}\n").into_bytes(), malformed()[0].1);

    // Run again, and after a crash in the middle of a line of the rejects, they stand there once.
    for _ in 0..2 {
        let ran = bench.meter("ledger", "log.jsonl", &skip).ok();
        assert_eq!((ran.number("/metered"), ran.number("/rejected")), (0, 0));
        assert_eq!(codes(), expected);
        bench.append("bad.jsonl", b"{\"input\":\"0x");
    }
    // An interrupted run had rejected more than the ledger knows: they are rejected again, once.
    fs::remove_dir_all(bench.path("ledger")).unwrap();
    bench.meter("ledger", "log.jsonl", &skip).ok();
    assert_eq!(codes(), expected);
    // Rejects of another log stay.
    bench.write("other.jsonl", [lines(20..21), "oops\n".into()].concat());
    bench.meter("ledger", "other.jsonl", &skip).ok();
    assert_eq!(codes().len(), expected.len() + 1);
}

#[test]
fn a_log_whose_first_record_is_rejected_is_known_again() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", ["oops\n".into(), lines(0..3)].concat());
    bench.meter("ledger", "log.jsonl", &["--skip-malformed", "bad.jsonl"]).ok();
    let again = bench.meter("ledger", "log.jsonl", &["--skip-malformed", "bad.jsonl"]).ok();
    assert_eq!(again.number("/metered"), 0);
    // Whoever corrects a rejected record in place must not be charged for the others twice.
    bench.write("log.jsonl", lines(0..3));
    let ran = bench.meter("ledger", "log.jsonl", &[]);
    assert_eq!((ran.exit, ran.error().0.as_str()), (1, "input_changed"), "{}", ran.err);
    assert_eq!(bench.verify("ledger").ok().number("/receipts"), 3);
}

#[test]
fn a_file_of_something_else_is_no_rejects_file() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..3));
    for other in ["log.jsonl", "plan.json", "seller.key"] {
        let content = fs::read(bench.path(other)).unwrap();
        let ran = bench.meter("ledger", "log.jsonl", &["--skip-malformed", other]);
        assert_eq!((ran.exit, ran.error().0.as_str()), (2, "arguments"), "{}", ran.err);
        assert_eq!(fs::read(bench.path(other)).unwrap(), content);
    }
}

#[test]
fn tables() {
    let bench = Bench::new(EACH);
    let map = ["--map", "input_tokens=In,output_tokens=Out", "--at", "When", "--attribute"];
    let head = "When,In,Out,Purpose,subscriber\n";
    let row = "2026-03-01 00:00:01.5,100,20,inference,acme\n";
    let meter = |ledger: &str, table: &str| {
        bench.write("calls.csv", table);
        let mut command =
            bench.command(&["meter", "--plan", "plan.json", "--key", "seller.key", "--ledger"]);
        command.arg(ledger).args(map).args(["purpose=Purpose", "calls.csv"]);
        common::run(&mut command)
    };
    let two = format!("{head}{row}\"2026-03-01 00:00:02\",7,8,inference,acme");
    assert_eq!(meter("good", &two).ok().number("/metered"), 2);
    let bom = format!("\u{feff}{head}{row}").replace('\n', "\r\n");
    assert_eq!(meter("bom", &bom).ok().number("/metered"), 1);
    assert_eq!(meter("empty log", head).ok().number("/metered"), 0);
    bench.verify("good").ok();
    for (name, code, table) in [
        ("empty", "input_record", String::new()),
        ("no column", "input_record", "When,In,Purpose,subscriber\n".into()),
        ("column twice", "input_record", format!("In,{head}")),
    ] {
        let ran = meter(name, &table);
        assert_eq!((ran.exit, ran.error().0.as_str()), (1, code), "{name}: {}", ran.err);
        assert!(ran.error().1.starts_with("calls.csv"), "{name}: {}", ran.err);
    }
    for (name, code, bad) in [
        ("short", "input_record", "2026-03-01 00:00:02,1,2,inference\n"),
        ("long", "input_record", "2026-03-01 00:00:02,1,2,inference,acme,\n"),
        ("float", "usage_quantity", "2026-03-01 00:00:02,1.0,2,inference,acme\n"),
        ("negative", "usage_quantity", "2026-03-01 00:00:02,-1,2,inference,acme\n"),
        ("blank", "usage_quantity", "2026-03-01 00:00:02,,2,inference,acme\n"),
        ("space", "usage_quantity", "2026-03-01 00:00:02, 1,2,inference,acme\n"),
        ("huge", "usage_quantity", "2026-03-01 00:00:02,99999999999999999999,2,inference,acme\n"),
        ("time", "time_invalid", "yesterday,1,2,inference,acme\n"),
        ("quote", "input_record", "\"2026-03-01 00:00:02,1,2,inference,acme\n"),
    ] {
        let ran = meter(name, &format!("{head}{row}{bad}{row}"));
        assert_eq!((ran.exit, ran.error().0.as_str()), (1, code), "{name}: {}", ran.err);
        let place = format!("calls.csv line 3 (record 1, byte {})", head.len() + row.len());
        assert!(ran.error().1.starts_with(&place), "{name}: {}", ran.err);
        assert_eq!(bench.verify(name).ok().number("/receipts"), 1, "{name}");
    }
}

#[test]
fn malformed_plans_are_refused_with_the_field() {
    let bench = Bench::new(EACH);
    let plan = bench.plan(EACH);
    bench.write("log.jsonl", lines(0..3));
    for (from, to, code, place) in [
        ("\"price\": \"10\"", "\"price\": 10.5", "json_number", "/charges/2/price"),
        ("\"price\": \"10\"", "\"price\": \"-10\"", "decimal_invalid", "/charges/2/price"),
        ("\"price\": \"10\"", "\"price\": \"1e1\"", "decimal_invalid", "/charges/2/price"),
        ("\"price\": \"10\"", "\"prise\": \"10\"", "json_missing_field", "/charges/2/price"),
        (
            "\"per\": 1000000 }\n  ]",
            "\"per\": 1000000, \"x\": 1 }\n  ]",
            "json_unknown_field",
            "/charges/2/x",
        ),
        ("\"free\": 1000", "\"free\": 99999999999999999999", "json_number", "/charges/0/free"),
        ("\"free\": 1000", "\"free\": 1, \"free\": 1", "json_duplicate_key", "byte"),
        (
            "{ \"price\": \"2\" }",
            "{ \"up_to\": 20000, \"price\": \"2\" }",
            "plan_tiers",
            "/charges/0",
        ),
        (
            "\"meter\": \"output_tokens\"",
            "\"meter\": \"tokens\"",
            "plan_reference",
            "/charges/2/meter",
        ),
        ("counterfoil/plan/1", "counterfoil/plan/9", "plan_format", "/format"),
    ] {
        assert!(plan.contains(from), "{from}");
        bench.write("plan.json", plan.replacen(from, to, 1));
        for ran in [bench.run(&["plan", "check", "plan.json"]), bench.meter("l", "log.jsonl", &[])]
        {
            assert_eq!((ran.exit, ran.error().0.as_str()), (1, code), "{to}: {}", ran.err);
            assert!(ran.error().1.starts_with("plan.json: "), "{}", ran.err);
            assert!(ran.error().1.contains(place), "{to}: {}", ran.err);
            assert!(!bench.path("l").exists());
        }
    }
    bench.write("plan.json", &plan[..plan.len() / 2]);
    assert_eq!(bench.run(&["plan", "check", "plan.json"]).error().0, "json_syntax");
}

#[test]
fn a_zone_is_resolved_when_asked_and_nothing_else_changes() {
    let bench = Bench::new(EACH);
    let plan = bench.plan(EACH);
    let named = plan.replacen(
        "\"meters\":",
        "\"zone\": { \"name\": \"Europe/Berlin\" },\n  \"meters\":",
        1,
    );
    assert_ne!(plan, named);
    bench.write("plan.json", &named);
    let refused = bench.run(&["plan", "check", "plan.json"]);
    assert_eq!(refused.error().0, "json_missing_field");
    assert!(refused.error().1.ends_with("/zone/rule"), "{}", refused.err);
    assert!(refused.err.contains("--resolve"), "{}", refused.err);

    bench.run(&["plan", "check", "--resolve", "plan.json"]).ok();
    let resolved = fs::read_to_string(bench.path("plan.json")).unwrap();
    let rule = ", \"rule\": \"CET-1CEST,M3.5.0,M10.5.0/3\" }";
    assert_eq!(resolved, named.replacen("Berlin\" }", &format!("Berlin\"{rule}"), 1));
    bench.run(&["plan", "check", "plan.json"]).ok();
    bench.run(&["plan", "check", "--resolve", "plan.json"]).ok();
    assert_eq!(fs::read_to_string(bench.path("plan.json")).unwrap(), resolved);

    let unknown = named.replacen("Berlin", "Bern", 1);
    bench.write("plan.json", &unknown);
    let refused = bench.run(&["plan", "check", "--resolve", "plan.json"]);
    assert_eq!(refused.error().0, "plan_invalid");
    assert!(refused.error().1.ends_with("/zone/name"), "{}", refused.err);
    assert_eq!(fs::read_to_string(bench.path("plan.json")).unwrap(), unknown);
}

#[test]
fn a_usage_that_the_plan_does_not_price_is_malformed_and_makes_no_entry() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..1));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    let before = common::evidence(&bench.path("ledger"));
    let record = "{\"at\":\"2026-03-02T00:00:00Z\",\"subscriber\":\"new\",\"body\":{\"images\":1}}";
    bench.write("plain.jsonl", record);
    let mut command = bench.command(&["meter", "--plan", "plan.json", "--key", "seller.key"]);
    command.args(["--ledger", "ledger", "--surface", "plain", "plain.jsonl"]);
    let ran = common::run(&mut command);
    assert_eq!((ran.exit, ran.error().0.as_str()), (1, "usage_unpriced"), "{}", ran.err);
    assert_eq!(common::evidence(&bench.path("ledger")), before, "not even a subscription");
}
