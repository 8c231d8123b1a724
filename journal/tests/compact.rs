//! Moving segments to an archive: nothing is lost, whenever a crash comes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use counterfoil::meter::{Command, Outcome, Replay, SignRequest};
use counterfoil::{Address, Code, Error, Result, Signature};
use counterfoil_journal::{
    Compacted, Journal, Ledger, Options, Reader, Signer, compact, copy_backup,
};

const SMALL: Options = Options { segment_bytes: 2500, fsync: false };

fn open(dir: &Path) -> Result<Ledger> {
    Ledger::open(dir, Box::new(key()), SALT, SMALL)
}

/// Calls of a ledger, a checkpoint after every tenth, and two after the last one.
fn meter(ledger: &Ledger, calls: std::ops::Range<u64>) {
    let id = subscription(ledger, "acme");
    for call in calls.clone() {
        let (name, now) = (call.to_string(), at(2000 + call));
        ledger.submit(&authorize(id, &name, 9), now).unwrap();
        ledger.submit(&settle(id, &name, 1 + call % 9), now).unwrap();
        if call % 10 == 9 && call + 2 < calls.end {
            ledger.submit(&Command::Checkpoint, now).unwrap();
        }
    }
}

fn ledger(dir: &Path) {
    let ledger = open(dir).unwrap();
    begin(&ledger);
    meter(&ledger, 0..42);
    ledger.close().unwrap();
}

fn state_of(dir: &Path) -> Vec<u8> {
    state(&open(dir).unwrap())
}

/// The segments and signatures of a ledger, by name.
fn evidence(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |path: PathBuf| path.strip_prefix(dir).unwrap().to_path_buf();
    let mut all: BTreeMap<_, _> =
        files(dir).into_iter().map(|(path, bytes)| (relative(path), bytes)).collect();
    all.retain(|path, _| path.starts_with("segments") || path.starts_with("signatures"));
    all
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = evidence(dir).into_keys().collect();
    names.retain(|name| name.starts_with("segments") && name.extension().is_some());
    names
}

fn archived(e: &Error, archive: &Path) {
    let place = archive.display().to_string();
    assert_eq!((e.code(), e.place()), (Code::LedgerArchived, Some(&*place)));
}

#[test]
fn a_compacted_ledger_goes_on_and_is_audited_with_its_archive() {
    let tmp = tempfile::tempdir().unwrap();
    let (whole, dir, archive) =
        (tmp.path().join("whole"), tmp.path().join("ledger"), tmp.path().join("archive"));
    ledger(&whole);
    copy(&whole, &dir);
    let before = state_of(&dir);
    let compacted = compact(&dir, &archive).unwrap();
    let count = segments(&whole).len();
    assert!(compacted.segments > 2 && compacted.segments < count, "{compacted:?} of {count}");
    assert_eq!(segments(&archive), segments(&whole)[..compacted.segments]);
    assert_eq!(segments(&dir), segments(&whole)[compacted.segments..]);

    // It opens from the snapshot, and from the entries that are left.
    assert!(state_of(&dir) == before);
    fs::remove_dir_all(dir.join("snapshots")).unwrap();
    assert!(state_of(&dir) == before);
    // Again moves nothing more.
    let again = Compacted { segments: 0, ..compacted };
    assert_eq!(compact(&dir, &archive), Ok(again));

    // Both go on, and are the same all the way.
    for dir in [&whole, &dir] {
        let ledger = open(dir).unwrap();
        meter(&ledger, 42..90);
        let id = subscription(&ledger, "acme");
        let told = ledger.submit(&settle(id, "3", 4), at(3000)).unwrap();
        assert!(matches!(told, Outcome::Replayed(Replay::Settled { .. })), "{told:?}");
        ledger.close().unwrap();
    }
    let more = compact(&dir, &archive).unwrap();
    assert!(more.segments > 2 && more.entries > compacted.entries);
    assert!(state_of(&dir) == state_of(&whole));

    // An audit needs both, or is of the archive alone.
    archived(&Reader::open(&dir).unwrap().entries(0).unwrap_err(), &archive);
    archived(&Reader::open(&dir).unwrap().entries(more.entries - 1).unwrap_err(), &archive);
    archived(&open(&dir).unwrap().journal().entries(3).unwrap_err(), &archive);
    let both = Reader::with_archive(&dir, &archive).unwrap();
    assert_eq!((audit_of(&dir, &both), audit(&whole)), (90, 90));
    assert!((42..90).contains(&audit(&archive)));
    assert_eq!(audit_of(&whole, &Reader::with_archive(&whole, &archive).unwrap()), 90);
    let replayed = |reader: Reader| {
        let mut meter = reader.start().unwrap();
        for entry in reader.entries(meter.entries()).unwrap() {
            meter.replay(&entry.unwrap().1).unwrap();
        }
        meter.snapshot()
    };
    assert!(replayed(both) == replayed(Reader::open(&whole).unwrap()));
    assert!(replayed(Reader::open(&dir).unwrap()) == replayed(Reader::open(&whole).unwrap()));

    // Undone, it is what it was.
    for name in segments(&archive) {
        fs::copy(archive.join(&name), dir.join(&name)).unwrap();
    }
    fs::remove_file(dir.join("archived")).unwrap();
    assert!(evidence(&dir) == evidence(&whole));
    assert_eq!(audit(&dir), 90);
}

#[test]
fn whenever_a_crash_comes_the_ledger_opens_and_the_same_call_goes_on() {
    let tmp = tempfile::tempdir().unwrap();
    let (whole, after, archive) =
        (tmp.path().join("whole"), tmp.path().join("after"), tmp.path().join("filled"));
    ledger(&whole);
    let before = state_of(&whole);
    copy(&whole, &after);
    let moved = compact(&after, &archive).unwrap();
    let names = segments(&archive);

    // What a call leaves that is killed: how many segments were copied, and half of the next; the
    // signatures; whether the ledger knows; how many segments were removed.
    let mut crashes = Vec::new();
    for copied in 0..=names.len() {
        crashes.push((copied, 0, false, 0));
    }
    crashes.extend([(names.len(), 1, false, 0), (names.len(), 2, false, 0)]);
    for removed in 0..=names.len() {
        crashes.push((names.len(), 2, true, removed));
    }
    for (number, (copied, signed, known, removed)) in crashes.into_iter().enumerate() {
        let at = |name: &str| tmp.path().join(format!("{name} {number}"));
        let (dir, other) = (at("ledger"), at("archive"));
        copy(&whole, &dir);
        fs::create_dir_all(other.join("segments")).unwrap();
        fs::create_dir_all(other.join("signatures")).unwrap();
        if number > 0 {
            fs::write(other.join("archive"), []).unwrap();
        } else {
            fs::remove_dir_all(&other).unwrap();
            fs::create_dir_all(&other).unwrap();
            fs::write(other.join("unfinished"), []).unwrap();
        }
        for name in &names[..copied] {
            fs::copy(archive.join(name), other.join(name)).unwrap();
        }
        if let Some(next) = names.get(copied).filter(|_| copied > 0) {
            let half = fs::read(archive.join(next)).unwrap();
            fs::write(other.join("segments/unfinished"), &half[..half.len() / 2]).unwrap();
        }
        for name in &["signatures/heads", "signatures/checkpoints"][..signed] {
            fs::copy(archive.join(name), other.join(name)).unwrap();
        }
        if known {
            // As another call wrote it, but for the archive's name.
            fs::copy(after.join("archived"), dir.join("archived")).unwrap();
        } else {
            fs::write(dir.join("unfinished"), b"half").unwrap();
        }
        for name in &names[..removed] {
            fs::remove_file(dir.join(name)).unwrap();
        }

        assert!(state_of(&dir) == before, "crash {number}");
        let reader = Reader::with_archive(&dir, if known { &archive } else { &other }).unwrap();
        assert_eq!(audit_of(&dir, &reader), 42, "crash {number}");
        let finished = compact(&dir, if known { &archive } else { &other }).unwrap();
        assert_eq!(finished.entries, moved.entries);
        assert!(evidence(&dir) == evidence(&after), "crash {number}");
        if !known {
            assert!(evidence(&other) == evidence(&archive), "crash {number}");
        }
        assert!(state_of(&dir) == before, "crash {number}");
    }
}

#[test]
fn a_step_that_fails_stops_those_after_it() {
    let tmp = tempfile::tempdir().unwrap();
    let whole = tmp.path().join("whole");
    ledger(&whole);
    let before = state_of(&whole);
    // Files are written under this name first; a folder of the name keeps them from it.
    for (number, obstacle) in
        ["archive/segments/unfinished", "archive/signatures/unfinished", "ledger/unfinished"]
            .into_iter()
            .enumerate()
    {
        let at = tmp.path().join(number.to_string());
        let (dir, archive, obstacle) = (at.join("ledger"), at.join("archive"), at.join(obstacle));
        copy(&whole, &dir);
        fs::create_dir_all(&archive).unwrap();
        fs::write(archive.join("archive"), []).unwrap();
        fs::create_dir_all(&obstacle).unwrap();
        assert_eq!(compact(&dir, &archive).unwrap_err().code(), Code::Io);
        let signatures = archive.join("signatures/checkpoints").exists();
        assert_eq!(signatures, number == 2, "only after the segments");
        assert_eq!(evidence(&dir), evidence(&whole), "nothing is removed");
        assert!(!dir.join("archived").exists());
        assert!(state_of(&dir) == before);
        fs::remove_dir(&obstacle).unwrap();
        assert!(compact(&dir, &archive).unwrap().segments > 0);
        assert!(state_of(&dir) == before);
        assert_eq!(audit_of(&dir, &Reader::with_archive(&dir, &archive).unwrap()), 42);
    }
}

/// Signs nothing now.
struct Later;

impl Signer for Later {
    fn address(&self) -> Address {
        key().address()
    }

    fn sign(&self, _: &SignRequest) -> Result<Option<Signature>> {
        Ok(None)
    }
}

#[test]
fn only_what_is_signed_and_sealed_is_moved_and_to_its_own_archive() {
    let tmp = tempfile::tempdir().unwrap();
    let path = |name: &str| tmp.path().join(name);
    let (dir, archive) = (path("ledger"), path("archive"));
    let code = |dir: &Path, archive: &Path| compact(dir, archive).map_err(|e| e.code());
    assert_eq!(code(&dir, &archive), Err(Code::LedgerMissing));

    // Without a checkpoint, and with its signature pending.
    let ledger = Ledger::open(&dir, Box::new(key()), SALT, SMALL).unwrap();
    begin(&ledger);
    meter(&ledger, 0..9);
    assert_eq!(code(&dir, &archive), Err(Code::LedgerLocked));
    drop(ledger);
    assert_eq!(code(&dir, &archive), Ok(Compacted { segments: 0, entries: 0 }));
    assert!(!archive.exists() && !dir.join("archived").exists());
    let ledger = Ledger::open(&dir, Box::new(Later), SALT, SMALL).unwrap();
    ledger.submit(&Command::Checkpoint, at(3000)).unwrap();
    drop(ledger);
    assert_eq!(code(&dir, &archive), Err(Code::SignatureMissing));
    open(&dir).unwrap().close().unwrap();

    // To a folder with something else in it, or another ledger's archive.
    let (other, others) = (path("other"), path("others archive"));
    let ledger = open(&other).unwrap();
    let begin = Command::Begin { origin: "other".into(), signer: key().address() };
    ledger.submit(&begin, at(1000)).unwrap();
    ledger.submit(&Command::AddPlan(Box::new(plan())), at(1000)).unwrap();
    meter(&ledger, 0..42);
    drop(ledger);
    compact(&other, &others).unwrap();
    fs::create_dir(path("full")).unwrap();
    fs::write(path("full/notes.txt"), "mine").unwrap();
    for taken in [&path("full"), &others, &other] {
        let before = files(tmp.path());
        assert_eq!(code(&dir, taken), Err(Code::LedgerExists), "{}", taken.display());
        let mut after = files(tmp.path());
        after.retain(|path, _| before.contains_key(path));
        assert!(before == after, "nothing is touched");
    }
    assert!(compact(&dir, &archive).unwrap().segments > 0);
    for taken in [&others, &path("new")] {
        let refused = code(&dir, taken).unwrap_err();
        assert!([Code::LedgerExists, Code::LedgerMissing].contains(&refused), "{refused}");
    }

    // Nobody writes to an archive; a copy of it goes on as a restored ledger.
    for refused in [
        Journal::open(&archive, SMALL).map(drop),
        Journal::create(&archive, SMALL).map(drop),
        Journal::repair(&archive).map(drop),
        open(&archive).map(drop),
        compact(&archive, path("further")).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::LedgerArchived);
    }
    copy_backup(&archive, path("restored")).unwrap();
    let restored = open(&path("restored")).unwrap();
    assert_eq!(restored.journal().is_restored(), Ok(true));
    drop(restored);
    // So does a copy of a ledger that was compacted.
    copy_backup(&dir, path("copy")).unwrap();
    assert!(state_of(&path("copy")) == state_of(&dir));

    // What was signed and is not here cannot be signed anew.
    fs::remove_dir_all(dir.join("snapshots")).unwrap();
    fs::write(dir.join("signatures/heads"), b"").unwrap();
    let lost = open(&dir).unwrap_err();
    archived(&lost, &archive);
    assert!(lost.to_string().contains("signature"), "{lost}");
}

#[test]
fn every_flipped_bit_of_what_a_ledger_starts_from_is_found() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, archive) = (tmp.path().join("ledger"), tmp.path().join("archive"));
    ledger(&dir);
    compact(&dir, &archive).unwrap();
    fs::remove_dir_all(dir.join("snapshots")).unwrap();
    let path = dir.join("archived");
    let whole = fs::read(&path).unwrap();
    // Of all before the state every bit, of the state some.
    let end = whole.len() * 8;
    for bit in (0..800).chain((800..end).step_by(end / 50)) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        let code = open(&dir).unwrap_err().code();
        let version = (8..16).contains(&(bit / 8));
        let expected = if version { Code::BytesVersion } else { Code::LedgerCorrupt };
        assert_eq!(code, expected, "bit {bit}");
    }
    for cut in [0, 8, 30, 55, 56, 90, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(open(&dir).unwrap_err().code(), Code::LedgerCorrupt, "{cut}");
    }
    // Without it, the first segment is missing.
    fs::remove_file(&path).unwrap();
    assert_eq!(open(&dir).unwrap_err().code(), Code::LedgerCorrupt);
    // Without any segment, no new ledger is made.
    fs::write(&path, &whole).unwrap();
    fs::rename(dir.join("segments"), tmp.path().join("aside")).unwrap();
    assert_eq!(open(&dir).unwrap_err().code(), Code::LedgerCorrupt);
}
