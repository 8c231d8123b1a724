//! A changed, missing, repeated or moved byte, entry or signature: `verify` fails and names it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::path::Path;

use common::{Bench, CHECKPOINTS, EACH, Ran, evidence, lines, segment};
use counterfoil::entry::{Entry, frame};
use counterfoil_journal::{Reader, copy_backup};

fn bench(signing: &str, records: u64) -> Bench {
    let bench = Bench::new(signing);
    bench.write("log.jsonl", lines(0..records));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    bench
}

fn refused(ran: &Ran) -> (String, String) {
    assert!(matches!(ran.exit, 3 | 4), "exit {}: {}{}", ran.exit, ran.out, ran.err);
    let (code, place) = ran.error();
    assert!(!place.is_empty(), "no place: {}", ran.err);
    (code, place)
}

// Every bit is flipped in `audit::tests`, in one process; here the program says what it says there.
#[test]
fn a_flipped_bit_fails_with_exit_3_or_4() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = bench(signing, 6);
        let ledger = bench.path("ledger");
        for (name, whole) in evidence(&ledger) {
            let path = ledger.join(&name);
            // Every byte of the segment's header, then a sample.
            let sample = (16..whole.len()).step_by(whole.len() / 24 + 1);
            for byte in (0..whole.len().min(16)).chain(sample) {
                let mut flipped = whole.clone();
                flipped[byte] ^= 1 << (byte % 8);
                fs::write(&path, flipped).unwrap();
                let (code, place) = refused(&bench.verify("ledger"));
                let named = if name.starts_with("segments") { "cfl" } else { "lane 0x" };
                assert!(
                    place.contains(named)
                        || place.contains("checkpoint")
                        || place.contains("heads"),
                    "{name} byte {byte}: {code} at {place}"
                );
            }
            fs::write(&path, whole).unwrap();
        }
        bench.verify("ledger").ok();
    }
}

/// The entries of a ledger, to be put together anew.
fn entries(ledger: &Path) -> Vec<Vec<u8>> {
    let entries = Reader::open(ledger).unwrap().entries(0).unwrap();
    entries.map(|entry| entry.unwrap().1).collect()
}

/// Writes entries with right lengths, indices and checksums.
fn rewrite(ledger: &Path, entries: &[Vec<u8>]) {
    let path = segment(ledger);
    let mut bytes = fs::read(&path).unwrap()[..16].to_vec();
    for (index, entry) in (0..).zip(entries) {
        frame::write(&mut bytes, index, entry).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

fn is_receipt(entry: &[u8]) -> bool {
    matches!(Entry::from_bytes(entry), Ok(Entry::Receipt(_)))
}

#[test]
fn a_removed_repeated_or_moved_entry_is_named() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = bench(signing, 12);
        let ledger = bench.path("ledger");
        let whole = entries(&ledger);
        let check = |changed: &[Vec<u8>]| {
            rewrite(&ledger, changed);
            refused(&bench.verify("ledger"))
        };
        for at in 0..whole.len() {
            // What was denied cost nothing, and no signature covers it.
            if matches!(Entry::from_bytes(&whole[at]), Ok(Entry::Denied(_))) {
                continue;
            }
            let mut removed = whole.clone();
            removed.remove(at);
            let (code, place) = check(&removed);
            if is_receipt(&whole[at]) {
                // The next one in its lane, or whatever stands at its place in the log.
                let named = ["lane 0x", "slot", "checkpoint"];
                assert!(named.iter().any(|name| place.contains(name)), "{code} at {place}");
            }
            let mut repeated = whole.clone();
            repeated.insert(at, whole[at].clone());
            check(&repeated);
            if at + 1 < whole.len() {
                let mut swapped = whole.clone();
                swapped.swap(at, at + 1);
                check(&swapped);
            }
        }
        for keep in 1..whole.len() {
            check(&whole[..keep]);
        }
        rewrite(&ledger, &whole);
        bench.verify("ledger").ok();
    }
}

#[test]
fn the_plan_that_one_knows_is_the_one_that_counts() {
    let bench = bench(EACH, 3);
    let plan = bench.plan(EACH).replace("\"price\": \"10\"", "\"price\": \"9\"");
    bench.write("cheaper.json", plan);
    let ran = bench.run(&["verify", "--plan", "cheaper.json", "ledger"]);
    let (code, place) = refused(&ran);
    assert_eq!(code, "audit_mismatch");
    assert!(place.ends_with("plan"), "{place}");
}

#[test]
fn other_commands_do_not_trust_a_broken_ledger_either() {
    let bench = bench(EACH, 6);
    let ledger = bench.path("ledger");
    let mut changed = entries(&ledger);
    let at = changed.iter().rposition(|entry| is_receipt(entry)).unwrap();
    changed.remove(at);
    rewrite(&ledger, &changed);
    refused(&bench.run(&["settle", "ledger", "--final", "--out", "settlement.json"]));
    refused(&bench.run(&["report", "ledger", "--out", "report.html"]));
    assert!(!bench.path("settlement.json").exists() && !bench.path("report.html").exists());
    for missing in ["verify", "inspect"] {
        let ran = bench.run(&[missing, "nowhere"]);
        assert_eq!((ran.exit, ran.error().0.as_str()), (4, "ledger_missing"), "{}", ran.err);
    }
}

#[test]
fn a_restored_ledger_goes_on_in_a_new_lane() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = bench(signing, 9);
        bench.run(&["backup", "ledger", "backup"]).ok();
        bench.verify("backup").ok();
        common::assert_same(&bench.path("ledger"), &bench.path("backup"));
        // What happened after the backup is lost: it would number receipts as the new ones do.
        bench.append("log.jsonl", lines(9..12));
        bench.meter("ledger", "log.jsonl", &[]).ok();
        let lost = bench.lanes("ledger");
        bench.run(&["backup", "backup", "restored"]).ok();
        for (from, to, code) in
            [("nowhere", "new", "ledger_missing"), ("ledger", "restored", "ledger_exists")]
        {
            let ran = bench.run(&["backup", from, to]);
            assert_eq!((ran.exit, ran.error().0.as_str()), (4, code), "{}", ran.err);
        }
        bench.append("log.jsonl", lines(12..15));
        let ran = bench.meter("restored", "log.jsonl", &[]).ok();
        assert_eq!((ran.number("/alreadyMetered"), ran.number("/records")), (9, 6));
        bench.verify("restored").ok();
        let lanes = bench.lanes("restored");
        assert_eq!(lanes.len(), 6, "{lanes:?}");
        for (name, _, _, receipts, charged) in &lost {
            let of = |number| lanes.iter().find(|l| l.0 == *name && l.1 == number).unwrap();
            assert!(of(0).3 < *receipts, "the backup is older");
            assert!(of(1).4 >= *charged, "charges go on where the backup ended");
            assert!(of(1).3 > 0);
        }
        let again = bench.meter("restored", "log.jsonl", &[]).ok();
        assert_eq!(again.number("/records"), 0);
        bench.run(&["settle", "restored", "--final"]).ok();
        bench.run(&["report", "restored", "--out", "report.html"]).ok();
    }
}

#[test]
fn a_backup_copied_while_the_ledger_grew_can_be_restored() {
    let bench = bench(EACH, 9);
    common::copy(&bench.path("ledger"), &bench.path("backup"));
    bench.append("log.jsonl", lines(9..12));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    // Segments were copied before, signatures after; the last frame was half there.
    let half = fs::read(segment(&bench.path("ledger"))).unwrap();
    let old = fs::metadata(segment(&bench.path("backup"))).unwrap().len();
    fs::write(segment(&bench.path("backup")), &half[..usize::try_from(old).unwrap() + 50]).unwrap();
    for name in ["heads", "checkpoints"] {
        let path = format!("signatures/{name}");
        fs::copy(bench.path("ledger").join(&path), bench.path("backup").join(&path)).unwrap();
    }
    copy_backup(bench.path("backup"), bench.path("restored")).unwrap();
    let ran = bench.meter("restored", "log.jsonl", &[]).ok();
    assert_eq!(ran.number("/records"), 3, "{}", ran.err);
    bench.verify("restored").ok();
}
