//! Running `meter` again: every record is metered once, whatever came between.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;

use common::{Bench, CHECKPOINTS, EACH, assert_same, line, lines};
use counterfoil::LocalKey;
use counterfoil_journal::{Ledger, Options};

fn refused(ran: &common::Ran, exit: i32, code: &str) {
    assert_eq!((ran.exit, ran.error().0.as_str()), (exit, code), "{}", ran.err);
}

#[test]
fn a_finished_log_is_not_metered_again_and_a_grown_one_goes_on() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = Bench::new(signing);
        bench.write("log.jsonl", lines(0..30));
        let first = bench.meter("ledger", "log.jsonl", &[]).ok();
        assert_eq!(first.number("/metered") + first.number("/denied"), 30);
        let before = common::evidence(&bench.path("ledger"));
        let again = bench.meter("ledger", "log.jsonl", &[]).ok();
        assert_eq!((again.number("/records"), again.number("/alreadyMetered")), (0, 30));
        assert_eq!(common::evidence(&bench.path("ledger")), before, "not a byte");

        bench.append("log.jsonl", lines(30..40));
        let grown = bench.meter("ledger", "log.jsonl", &[]).ok();
        assert_eq!((grown.number("/records"), grown.number("/alreadyMetered")), (10, 30));
        assert!(bench.verify("ledger").ok().number("/unproven") == 0);
    }
}

#[test]
fn each_run_to_the_end_adds_its_checkpoint_and_nothing_else() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..20));
    bench.meter("halves", "log.jsonl", &[]).ok();
    bench.append("log.jsonl", lines(20..40));
    bench.meter("halves", "log.jsonl", &[]).ok();
    bench.meter("whole", "log.jsonl", &[]).ok();
    let (halves, whole) = (bench.verify("halves").ok(), bench.verify("whole").ok());
    assert_eq!(halves.number("/receipts"), whole.number("/receipts"));
    assert_eq!(halves.number("/checkpoints"), whole.number("/checkpoints") + 1);
    assert_eq!(halves.number("/entries"), whole.number("/entries") + 1);
    // The heads and their signatures are the same: a checkpoint is no part of a lane's chain.
    let heads = |ledger| fs::read(bench.path(ledger).join("signatures/heads")).unwrap();
    assert_eq!(heads("halves"), heads("whole"));
    assert_eq!(bench.lanes("halves"), bench.lanes("whole"));
}

#[test]
fn a_run_that_an_error_stopped_makes_no_checkpoint() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = Bench::new(signing);
        bench.write("log.jsonl", lines(0..40));
        bench.meter("whole", "log.jsonl", &[]).ok();
        for stop in [1, 7, 23, 39] {
            let broken = [lines(0..stop), "oops\n".into(), lines(stop + 1..40)].concat();
            bench.write("log.jsonl", broken);
            refused(&bench.meter("halves", "log.jsonl", &[]), 1, "json_syntax");
            bench.verify("halves").ok();
            bench.write("log.jsonl", lines(0..40));
            bench.meter("halves", "log.jsonl", &[]).ok();
            assert_same(&bench.path("whole"), &bench.path("halves"));
            fs::remove_dir_all(bench.path("halves")).unwrap();
        }
    }
}

#[test]
fn a_log_that_changed_is_refused() {
    let bench = Bench::new(EACH);
    let log = lines(0..10);
    bench.write("log.jsonl", &log);
    bench.meter("ledger", "log.jsonl", &[]).ok();
    let before = common::evidence(&bench.path("ledger"));
    let changes = [
        log.replacen("00:05:00", "00:05:01", 1),
        log.replacen("00:09:00", "00:09:01", 1),
        // Even in its first record, by which it would be known.
        log.replacen("00:00:00", "00:00:01", 1),
        log.replacen("\"m\"", "\"n\"", 1),
        lines(0..9),
        lines(1..10),
        String::from("\n") + &log,
    ];
    for (n, changed) in changes.iter().enumerate() {
        bench.write("log.jsonl", [changed.as_str(), &lines(10..12)].concat());
        let ran = bench.meter("ledger", "log.jsonl", &[]);
        refused(&ran, 1, "input_changed");
        assert!(ran.error().1.starts_with("log.jsonl "), "{n}: {}", ran.err);
    }
    assert_eq!(common::evidence(&bench.path("ledger")), before);
}

#[test]
fn a_last_line_without_its_end_must_not_grow() {
    let bench = Bench::new(EACH);
    let table = "at,subscriber,purpose,in\n2026-03-01 00:00:00,acme,inference,12";
    let meter = |table: String| {
        bench.write("calls.csv", table);
        let mut command =
            bench.command(&["meter", "--plan", "plan.json", "--key", "seller.key", "--ledger"]);
        command.args(["l", "--map", "input_tokens=in", "--attribute", "purpose=purpose"]);
        common::run(command.arg("calls.csv"))
    };
    assert_eq!(meter(table.into()).ok().number("/metered"), 1);
    refused(&meter(format!("{table}34\n")), 1, "input_changed");
    let more = format!("{table}\n2026-03-01 00:00:00,acme,inference,5\n");
    assert_eq!(meter(more).ok().number("/metered"), 1);
}

#[test]
fn two_logs_in_one_ledger() {
    let bench = Bench::new(EACH);
    bench.write("monday.jsonl", lines(0..10));
    bench.write("tuesday.jsonl", lines(1440..1450));
    bench.write("other-server.jsonl", lines(3..8).replace("\"m\"", "\"other\""));
    bench.meter("ledger", "monday.jsonl", &[]).ok();
    assert_eq!(bench.meter("ledger", "tuesday.jsonl", &[]).ok().number("/records"), 10);
    // The first log, under any name and after it grew, is still known.
    fs::rename(bench.path("monday.jsonl"), bench.path("monday.1")).unwrap();
    assert_eq!(bench.meter("ledger", "monday.1", &[]).ok().number("/records"), 0);
    // One that overlaps might be a log that was metered before and changed.
    refused(&bench.meter("ledger", "other-server.jsonl", &[]), 1, "input_changed");
    let named = bench.meter("ledger", "other-server.jsonl", &["--input-id", "b"]);
    assert!(named.exit == 0 || named.error().0 == "window_closed", "{}", named.err);
    // A log that has a name by its content gets no second one.
    refused(&bench.meter("ledger", "monday.1", &["--input-id", "c"]), 1, "input_changed");
    bench.verify("ledger").ok();
}

#[test]
fn a_rotated_log_by_name() {
    let bench = Bench::new(EACH);
    bench.write("app.log", lines(0..10));
    bench.meter("ledger", "app.log", &["--input-id", "app-1"]).ok();
    bench.append("app.log", lines(10..15));
    fs::rename(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.write("app.log", lines(15..20));
    let rest = bench.meter("ledger", "app.log.1", &["--input-id", "app-1"]).ok();
    assert_eq!((rest.number("/alreadyMetered"), rest.number("/records")), (10, 5));
    refused(&bench.meter("ledger", "app.log", &["--input-id", "app-1"]), 1, "input_changed");
    let fresh = bench.meter("ledger", "app.log", &["--input-id", "app-2"]).ok();
    assert_eq!((fresh.number("/alreadyMetered"), fresh.number("/records")), (0, 5));
}

#[test]
fn standard_input_is_a_log_too() {
    let bench = Bench::new(EACH);
    let log = bench.write("log.jsonl", lines(0..10));
    for (ledger, records) in [("ledger", 10), ("ledger", 0)] {
        let mut command = bench.meter_command(ledger, "-", &[]);
        let done = command.stdin(fs::File::open(&log).unwrap()).output().unwrap();
        let out = String::from_utf8(done.stdout).unwrap();
        let value = common::json(&out);
        assert_eq!(value.root().at("/records").unwrap().integer(), Ok(records));
    }
}

#[test]
fn one_writer_and_one_key() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..5));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    let before = common::evidence(&bench.path("ledger"));

    let salt = [0; 32];
    let open = |byte| {
        let key = LocalKey::from_bytes(&[byte; 32]).unwrap();
        Ledger::open(bench.path("ledger"), Box::new(key), salt, Options::default())
    };
    let held = open(7).unwrap();
    refused(&bench.meter("ledger", "log.jsonl", &[]), 4, "ledger_locked");
    bench.verify("ledger").ok();
    drop(held);

    bench.write_key("other.key", 9);
    let other = LocalKey::from_bytes(&[9; 32]).unwrap();
    assert_eq!(open(9).unwrap_err().code().as_str(), "signature_wrong_key");
    bench.append("log.jsonl", line(5));
    let with = |plan: &str, ledger: &str| {
        bench.run(&[
            "meter",
            "--plan",
            plan,
            "--key",
            "other.key",
            "--ledger",
            ledger,
            "--surface",
            "openai.chat",
            "log.jsonl",
        ])
    };
    // The plan names the other key, and a plan for this key is no use in the other's ledger.
    refused(&with("plan.json", "new"), 1, "signature_wrong_key");
    assert!(!bench.path("new").exists());
    let own =
        bench.plan(EACH).replace(&bench.key.address().to_string(), &other.address().to_string());
    bench.write("other.json", own);
    refused(&with("other.json", "ledger"), 1, "signature_wrong_key");
    assert_eq!(common::evidence(&bench.path("ledger")), before);
}

#[test]
fn mistakes_leave_no_ledger_behind() {
    let bench = Bench::new(EACH);
    refused(&bench.meter("ledger", "absent.jsonl", &[]), 5, "io");
    bench.write("log.jsonl", lines(0..5));
    refused(&bench.meter("ledger", "log.jsonl", &["--subscribers", "absent"]), 5, "io");
    bench.write("seller.key", "0x1234\n");
    let ran = bench.meter("ledger", "log.jsonl", &[]);
    assert_eq!(ran.error().0, "key_invalid");
    assert!(!ran.err.contains("1234"), "a key is never shown");
    assert!(!bench.path("ledger").exists());
}
