//! What the program says, and to whom.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::process::Stdio;

use common::{Bench, EACH, counterfoil, json, lines, run};

fn bench() -> Bench {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..30));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    bench
}

const COMMANDS: [&[&str]; 9] = [
    &["keygen"],
    &["plan"],
    &["plan", "check"],
    &["quote"],
    &["meter"],
    &["verify"],
    &["settle"],
    &["report"],
    &["inspect"],
];

#[test]
fn every_help_has_an_example_and_the_first_one_the_exit_codes() {
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let help = run(&mut counterfoil(command.iter().chain(&[flag]))).ok().out;
            assert!(help.contains("Example"), "{command:?}: {help}");
            assert!(help.contains(&format!("  counterfoil {}", command[0])), "{command:?}");
        }
    }
    let help = run(&mut counterfoil(["--help"])).ok().out;
    assert!(help.contains("Example"), "{help}");
    for code in 0..=5 {
        assert!(help.contains(&format!("\n  {code}  ")), "{code} in {help}");
    }
    assert!(run(&mut counterfoil(["--version"])).ok().out.starts_with("counterfoil 0."));
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    let bench = bench();
    for args in [
        &["frobnicate"][..],
        &["meter", "--plan", "plan.json"],
        &["quote", "--plan", "plan.json"],
        &["inspect"],
        &["inspect", "ledger", "--receipt", "first"],
        &["settle", "ledger", "--final", "--collected", "x", "--key", "seller.key"],
    ] {
        assert_eq!(bench.run(args).exit, 2, "{args:?}");
    }
    let ran = bench.run(&[
        "meter",
        "--plan",
        "plan.json",
        "--key",
        "seller.key",
        "--ledger",
        "new",
        "--map",
        "input_tokens=tokens",
        "log.jsonl",
    ]);
    assert_eq!((ran.exit, ran.error().0.as_str()), (2, "arguments"), "{}", ran.err);
    let surface = bench.run(&["quote", "--plan", "plan.json", "--surface", "x", "log.jsonl"]);
    assert_eq!(surface.error().0, "json_syntax");
}

#[test]
fn errors_are_words_for_people_and_json_for_programs() {
    let bench = bench();
    let mut command = counterfoil(["verify", "nowhere"]);
    let ran = run(command.current_dir(bench.tmp.path()));
    assert_eq!(ran.err, "error[ledger_missing]: not a ledger at nowhere\n");
    assert!(ran.out.is_empty());
    let (code, place) = bench.run(&["verify", "nowhere"]).error();
    assert_eq!((code.as_str(), place.as_str()), ("ledger_missing", "nowhere"));
}

#[test]
fn with_json_every_command_says_json() {
    let bench = bench();
    let receipt = format!("{}/1", bench.lanes("ledger")[0].2);
    for args in [
        &["keygen", "--out", "new.key"][..],
        &["plan", "check", "plan.json"],
        &["quote", "--plan", "plan.json", "--usage", "{\"input_tokens\": 1200}"],
        &["verify", "ledger"],
        &["settle", "ledger", "--final"],
        &["settle", "ledger", "--final", "--out", "s.json"],
        &["report", "ledger", "--settlement", "s.json", "--out", "report.html"],
        &["inspect", "ledger"],
        &["inspect", "ledger", "--receipt", &receipt],
        &["inspect", "ledger", "--typed-data", "--settlement", "s.json"],
    ] {
        let out = bench.run(args).ok().out;
        json(&out);
        assert!(out.ends_with('\n') && !out.ends_with("\n\n"), "{args:?}");
    }
}

#[test]
fn a_key_is_private_and_never_overwritten() {
    let bench = Bench::new(EACH);
    let made = bench.run(&["keygen", "--out", "made.key"]).ok();
    let key = fs::read_to_string(bench.path("made.key")).unwrap();
    assert!(!made.out.contains(key.trim()) && !made.err.contains(key.trim()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(bench.path("made.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = bench.run(&["keygen", "--out", "made.key"]);
    assert_eq!((again.exit, again.error().0.as_str()), (5, "io"));
    assert!(again.err.contains("never overwritten"), "{}", again.err);
    assert_eq!(fs::read_to_string(bench.path("made.key")).unwrap(), key);

    // Made keys are different, and sign.
    let other = bench.run(&["keygen", "--out", "other.key"]).ok();
    assert_ne!(made.out.replace("made", "other"), other.out);
    let address = json(&made.out).root().at("/address").unwrap().text().unwrap().to_string();
    let plan = bench.plan(EACH).replace(&bench.key.address().to_string(), &address);
    bench.write("plan.json", plan);
    fs::rename(bench.path("made.key"), bench.path("seller.key")).unwrap();
    bench.write("log.jsonl", lines(0..3));
    let ran = bench.meter("ledger", "log.jsonl", &[]).ok();
    assert!(ran.err.is_empty(), "quiet in a pipe: {}", ran.err);
    for file in walk(&bench.path("ledger")) {
        let bytes = fs::read(&file).unwrap();
        let secret: Vec<u8> = (2..66)
            .step_by(2)
            .map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap())
            .collect();
        assert!(!bytes.windows(32).any(|part| part == secret), "{}", file.display());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = bench.path("seller.key");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        let ran = bench.meter("ledger", "log.jsonl", &[]).ok();
        assert!(ran.err.starts_with("warning: other users can read seller.key"), "{}", ran.err);
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_quote_speaks_of_money_not_of_atomic_units() {
    let bench = Bench::new(EACH);
    let quote = |usage: &str| {
        let mut command = counterfoil(["quote", "--plan", "plan.json", "--usage", usage]);
        run(command.current_dir(bench.tmp.path())).ok().out
    };
    let told =
        quote("{\"input_tokens\": 31000, \"cached_input_tokens\": 1000, \"output_tokens\": 1}");
    assert_eq!(
        told,
        "input: 30,000 input_tokens = 0.068 USDC\n\
        \x20 1,000 input_tokens free = 0 USDC\n\
        \x20 20,000 input_tokens at 2.5 USDC per 1,000,000 (tier up to 20,000) = 0.05 USDC\n\
        \x20 9,000 input_tokens at 2 USDC per 1,000,000 (tier above 20,000) = 0.018 USDC\n\
        cached: 1,000 cached_input_tokens = 0.00125 USDC\n\
        \x20 1,000 cached_input_tokens at 1.25 USDC per 1,000,000 = 0.00125 USDC\n\
        output: 1 output_tokens = 0.00001 USDC\n\
        \x20 1 output_tokens at 10 USDC per 1,000,000 = 0.00001 USDC\n\
        total 0.06926 USDC as a subscription's first call\n\
        at most 0.07326 USDC wherever its counters stand\n"
    );
    let checked = {
        let mut command = counterfoil(["plan", "check", "plan.json"]);
        run(command.current_dir(bench.tmp.path())).ok().out
    };
    assert!(checked.contains("2.5 USDC per 1,000,000 up to 20,000"), "{checked}");
    assert!(checked.contains("at most 0.2 USDC per day"), "{checked}");
    assert!(checked.contains("A6A65: 30 %") || checked.contains(": 30 %"), "{checked}");
}

#[test]
fn a_quote_says_which_calls_a_charge_is_for() {
    let bench = Bench::new(EACH);
    let plan = fs::read_to_string(bench.path("plan.json")).unwrap();
    let output = r#""id": "output","#;
    assert!(plan.contains(output), "{plan}");
    let long = plan.replace(output, r#""id": "output", "match": { "model": ["large"] },"#);
    fs::write(bench.path("plan.json"), long).unwrap();
    let usage = ["--usage", "{\"output_tokens\": 1}", "--at", "2026-03-01T00:00:00Z"];
    let quote = |more: &[&str]| {
        let mut command = counterfoil(["quote", "--plan", "plan.json"]);
        run(command.args(usage).args(more).current_dir(bench.tmp.path()))
    };
    let told = quote(&["--attribute", "model=large"]).ok().out;
    assert!(told.starts_with("output: 1 output_tokens = 0.00001 USDC (model=large)\n"), "{told}");
    assert!(quote(&["--attribute", "model=small"]).err.contains("usage_unpriced"));
    assert!(quote(&["--attribute", "model"]).err.contains("--attribute is NAME=VALUE"));
    let mut command = counterfoil(["plan", "check", "plan.json"]);
    let checked = run(command.current_dir(bench.tmp.path())).ok().out;
    assert!(checked.contains("; for model=large\n"), "{checked}");
}

#[test]
fn a_report_is_one_file_that_loads_nothing() {
    let bench = bench();
    bench.run(&["settle", "ledger", "--final", "--out", "s.json"]).ok();
    bench.run(&["report", "ledger", "--settlement", "s.json", "--out", "r.html"]).ok();
    let page = fs::read_to_string(bench.path("r.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{}", &page[..40]);
    for loads in ["<script", " src=", "<link", "@import", "url("] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("Test plan") && page.contains("acme") && page.contains("übung"));
    assert!(!bench.path("r.html.unfinished").exists());
}

#[test]
fn receipts_travel_and_verify() {
    let bench = bench();
    let lane = &bench.lanes("ledger")[0].2;
    let wanted = format!("{}/2", &lane[..12]);
    bench.run(&["inspect", "ledger", "--receipt", &wanted, "--out", "receipt.json"]).ok();
    let signer = bench.key.address().to_string();
    let shown = |signer: &str| {
        bench.run(&["inspect", "--receipt-file", "receipt.json", "--signer", signer])
    };
    let good = json(&shown(&signer).ok().out);
    assert_eq!(good.root().at("/verifiedSigner").unwrap().text(), Ok(signer.as_str()));
    let other = shown("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65");
    assert_eq!((other.exit, other.error().0.as_str()), (3, "signature_wrong_key"));
    let text = fs::read_to_string(bench.path("receipt.json")).unwrap();
    let at = text.find("\"quantity\":").unwrap_or(0);
    assert!(at > 0, "{text}");
    for (command, exit, code) in [
        (&["inspect", "ledger", "--receipt", "0x/99999"][..], 1, "log_range"),
        (&["inspect", "ledger", "--receipt", "0x/1"], 2, "arguments"),
        (&["inspect", "--header", "AAAA"], 1, ""),
    ] {
        let ran = bench.run(command);
        assert_eq!(ran.exit, exit, "{command:?}: {}", ran.err);
        assert!(code.is_empty() || ran.error().0 == code, "{command:?}: {}", ran.err);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = bench();
    for args in [&["inspect", "ledger"][..], &["settle", "ledger", "--final"], &["--help"]] {
        let mut command = bench.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(!err.contains("panicked"), "{args:?}: {err}");
        assert!(matches!(done.status.code(), Some(0)), "{args:?}: {:?} {err}", done.status);
    }
}

#[test]
fn of_several_ledgers_calls_that_were_charged_twice_are_listed() {
    let bench = Bench::new(EACH);
    for (ledger, calls) in [("east", 20), ("west", 30)] {
        bench.write("log.jsonl", lines(0..calls));
        bench.meter(ledger, "log.jsonl", &["--origin", ledger]).ok();
    }
    let first = bench.verify("east").ok().number("/receipts");
    let both = json(&bench.run(&["verify", "west", "east"]).ok().out);
    let both = both.root();
    assert_eq!(both.at("/ledgers/1/receipts").unwrap().integer().unwrap(), first);
    let found = both.at("/duplicates").unwrap().items().unwrap().count();
    assert_eq!(found as u64, first);
    let mut command = counterfoil(["verify", "west", "east"]);
    let text = run(command.current_dir(bench.path(""))).ok().out;
    assert!(text.contains(&format!("{found} calls were charged twice, {found} to credit")));
}
