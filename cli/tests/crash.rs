//! Kills, torn writes, and lost signatures and snapshots: running again ends in the same ledger.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Bench, CHECKPOINTS, EACH, assert_same, copy, json, lines, segment};

#[test]
fn killed_at_any_instant_and_run_again_it_ends_the_same() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = Bench::new(signing);
        let bad = [lines(0..900), "oops\n".into(), lines(901..1300)].concat();
        bench.write("log.jsonl", bad);
        let skip = |file| ["--skip-malformed", file];
        let started = Instant::now();
        bench.meter("whole", "log.jsonl", &skip("whole.bad")).ok();
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap();
        let mut seed = u64::from(std::process::id());
        let (mut kills, mut finished) = (0, false);
        while kills < 6 || !finished {
            // A small generator is random enough for instants.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let wait = Duration::from_micros((seed >> 33) % micros);
            let mut command = bench.meter_command("killed", "log.jsonl", &skip("killed.bad"));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            if kills < 6 {
                sleep(wait);
                child.kill().unwrap();
            }
            let done = child.wait_with_output().unwrap();
            match done.status.code() {
                None => kills += 1,
                code => assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&done.stderr)),
            }
            finished = done.status.success();
        }
        assert_same(&bench.path("whole"), &bench.path("killed"));
        let rejects = |file| fs::read(bench.path(file)).unwrap();
        assert_eq!(rejects("whole.bad"), rejects("killed.bad"));
        bench.verify("killed").ok();
    }
}

/// A ledger of one run, whole, and one whose run an error stopped: without a signature at its end.
fn stopped(signing: &str) -> (Bench, Vec<u8>) {
    let bench = Bench::new(signing);
    bench.write("log.jsonl", lines(0..12));
    bench.meter("whole", "log.jsonl", &[]).ok();
    bench.write("cut.jsonl", [lines(0..8), "oops\n".into()].concat());
    bench.meter("stopped", "cut.jsonl", &[]);
    // Without the snapshot, as a crash leaves it.
    fs::remove_dir_all(bench.path("stopped/snapshots")).unwrap();
    let bytes = fs::read(segment(&bench.path("stopped"))).unwrap();
    (bench, bytes)
}

/// Where the frames of a segment start, and its end.
fn frames(segment: &[u8]) -> Vec<usize> {
    let mut starts = vec![16];
    while starts[starts.len() - 1] < segment.len() {
        let at = starts[starts.len() - 1];
        let length = u32::from_be_bytes(segment[at..at + 4].try_into().unwrap());
        starts.push(at + 16 + length as usize);
    }
    starts
}

#[test]
fn a_torn_tail_is_repaired_loudly_and_its_bytes_are_kept() {
    let (bench, bytes) = stopped(CHECKPOINTS);
    let starts = frames(&bytes);
    let last = starts[starts.len() - 2];
    let mut tails: Vec<Vec<u8>> =
        (last + 1..bytes.len()).step_by(23).map(|cut| bytes[..cut].to_vec()).collect();
    tails.push([&bytes[..], &[0; 300]].concat());
    tails.push([&bytes[..last], &[0; 300]].concat());
    tails.push([&bytes[..], b"\x00\x00\x01"].concat());
    let mut broken = bytes.clone();
    broken[last + 40] ^= 1;
    tails.push(broken);
    for (n, tail) in tails.iter().enumerate() {
        let name = format!("torn {n}");
        let ledger = bench.path(&name);
        copy(&bench.path("stopped"), &ledger);
        fs::write(segment(&ledger), tail).unwrap();
        let verified = bench.verify(&name);
        assert_eq!((verified.exit, verified.error().0.as_str()), (4, "ledger_torn"), "{n}");
        assert!(verified.error().1.contains("byte"), "{}", verified.err);

        let ran = bench.meter(&name, "log.jsonl", &[]).ok();
        assert!(ran.err.starts_with("warning: the ledger ended in a torn write"), "{}", ran.err);
        let kept = json(&ran.out).root().at("/repaired/kept").unwrap().text().unwrap().to_string();
        let whole = if tail.starts_with(&bytes) { bytes.len() } else { last };
        assert_eq!(fs::read(bench.path(&kept)).unwrap(), tail[whole..], "{n}");
        assert_same(&bench.path("whole"), &ledger);
        bench.verify(&name).ok();
        let again = bench.meter(&name, "log.jsonl", &[]).ok();
        assert!(again.err.is_empty(), "told once: {}", again.err);
    }
}

#[test]
fn what_follows_no_torn_frame_is_damage() {
    let (bench, bytes) = stopped(CHECKPOINTS);
    let ledger = bench.path("stopped");
    for garbage in [&b"garbage of more than sixteen bytes"[..], &bytes[16..]] {
        let damaged = [&bytes[..], garbage].concat();
        fs::write(segment(&ledger), &damaged).unwrap();
        for ran in [bench.verify("stopped"), bench.meter("stopped", "log.jsonl", &[])] {
            assert_eq!((ran.exit, ran.error().0.as_str()), (4, "ledger_corrupt"), "{}", ran.err);
        }
        assert_eq!(fs::read(segment(&ledger)).unwrap(), damaged, "nothing is cut");
    }
}

#[test]
fn what_a_signature_or_a_snapshot_proves_is_never_cut() {
    let (bench, bytes) = stopped(EACH);
    let starts = frames(&bytes);
    let last = starts[starts.len() - 2];
    for cut in [last, last + 1, last + 20, bytes.len() - 1] {
        let name = format!("cut {cut}");
        let ledger = bench.path(&name);
        copy(&bench.path("stopped"), &ledger);
        fs::write(segment(&ledger), &bytes[..cut]).unwrap();
        let ran = bench.meter(&name, "log.jsonl", &[]);
        assert_eq!((ran.exit, ran.error().0.as_str()), (4, "ledger_corrupt"), "{}", ran.err);
        assert!(ran.error().1.contains("heads slot"), "{}", ran.err);
        assert_eq!(fs::read(segment(&ledger)).unwrap(), bytes[..cut], "nothing is cut");
        assert_ne!(bench.verify(&name).exit, 0);
    }
    // A snapshot is written of durable entries alone, so it proves as much.
    let whole = segment(&bench.path("whole"));
    let bytes = fs::read(&whole).unwrap();
    fs::remove_dir_all(bench.path("whole/signatures")).unwrap();
    fs::write(&whole, &bytes[..bytes.len() - 3]).unwrap();
    let ran = bench.meter("whole", "log.jsonl", &[]);
    assert_eq!((ran.exit, ran.error().0.as_str()), (4, "ledger_corrupt"), "{}", ran.err);
    assert!(ran.error().1.contains("snapshots"), "{}", ran.err);
}

#[test]
fn lost_signatures_are_made_again() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = Bench::new(signing);
        bench.write("log.jsonl", lines(0..12));
        bench.meter("whole", "log.jsonl", &[]).ok();
        for file in ["heads", "checkpoints"] {
            let path = format!("signatures/{file}");
            let bytes = fs::read(bench.path("whole").join(&path)).unwrap();
            let mut zeroed = bytes.clone();
            zeroed[..65].fill(0);
            let mut half = bytes.clone();
            half[30..65].fill(0);
            for lost in
                [Vec::new(), bytes[..bytes.len() - 65].to_vec(), bytes[..40].to_vec(), zeroed]
            {
                let ledger = bench.path("hurt");
                copy(&bench.path("whole"), &ledger);
                fs::write(ledger.join(&path), lost).unwrap();
                let verified = bench.verify("hurt");
                assert_eq!(verified.exit, 3, "{}", verified.err);
                assert_eq!(verified.error().0, "signature_missing");
                bench.meter("hurt", "log.jsonl", &[]).ok();
                assert_same(&bench.path("whole"), &ledger);
                fs::remove_dir_all(&ledger).unwrap();
            }
            // Half written, which a crash can leave only in what no snapshot covers.
            copy(&bench.path("whole"), &bench.path("hurt"));
            fs::remove_dir_all(bench.path("hurt/snapshots")).unwrap();
            fs::write(bench.path("hurt").join(&path), half).unwrap();
            bench.meter("hurt", "log.jsonl", &[]).ok();
            assert_same(&bench.path("whole"), &bench.path("hurt"));
            fs::remove_dir_all(bench.path("hurt")).unwrap();
        }
        fs::remove_dir_all(bench.path("whole/signatures")).unwrap();
        bench.meter("whole", "log.jsonl", &[]).ok();
        bench.verify("whole").ok();
    }
}

#[test]
fn a_signature_of_another_entry_is_not_overwritten() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..6));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    fs::remove_dir_all(bench.path("ledger/snapshots")).unwrap();
    let path = bench.path("ledger/signatures/heads");
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes[65..130].to_vec();
    bytes[..65].copy_from_slice(&second);
    fs::write(&path, &bytes).unwrap();
    let ran = bench.meter("ledger", "log.jsonl", &[]);
    assert_eq!((ran.exit, ran.error().0.as_str()), (4, "ledger_corrupt"), "{}", ran.err);
    assert!(ran.error().1.contains("heads slot 0"), "{}", ran.err);
}

#[test]
fn snapshots_are_a_cache() {
    let bench = Bench::new(EACH);
    bench.write("log.jsonl", lines(0..6));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    bench.append("log.jsonl", lines(6..12));
    copy(&bench.path("ledger"), &bench.path("whole"));
    bench.meter("whole", "log.jsonl", &[]).ok();
    let folder = bench.path("ledger/snapshots");
    let snapshot = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&snapshot).unwrap();
    for damage in [&bytes[..bytes.len() / 2], b"", b"something else altogether"] {
        copy(&bench.path("ledger"), &bench.path("hurt"));
        fs::write(bench.path("hurt/snapshots").join(snapshot.file_name().unwrap()), damage)
            .unwrap();
        fs::write(bench.path("hurt/snapshots/unfinished"), b"half").unwrap();
        bench.meter("hurt", "log.jsonl", &[]).ok();
        assert_same(&bench.path("whole"), &bench.path("hurt"));
        fs::remove_dir_all(bench.path("hurt")).unwrap();
    }
    fs::remove_dir_all(folder).unwrap();
    bench.meter("ledger", "log.jsonl", &[]).ok();
    assert_same(&bench.path("whole"), &bench.path("ledger"));
}
