//! What a later version of this library wrote is refused with its code, and stays as it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::*;
use counterfoil::meter::Command;
use counterfoil::{Code, Result};
use counterfoil_journal::{
    Journal, Ledger, Options, Reader, Shards, compact, frame, newest_snapshot,
};

const SMALL: Options = Options { segment_bytes: 1000, fsync: false };

fn open(dir: &Path) -> Result<Ledger> {
    Ledger::open(dir, Box::new(key()), SALT, SMALL)
}

/// A ledger of some segments, closed without a snapshot, and the last segment's name.
fn ledger(dir: &Path) -> String {
    let ledger = open(dir).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    for call in 0..10 {
        ledger.submit(&authorize(id, &call.to_string(), 9), at(2000)).unwrap();
        ledger.submit(&settle(id, &call.to_string(), 9), at(2000)).unwrap();
    }
    ledger.submit(&Command::Checkpoint, at(3000)).unwrap();
    drop(ledger);
    let names = fs::read_dir(dir.join("segments")).unwrap();
    let last = names.map(|item| item.unwrap().file_name().into_string().unwrap()).max();
    format!("segments/{}", last.unwrap())
}

/// Each of these is refused, and changes nothing.
fn refused(dir: &Path, what: &str, calls: &[&dyn Fn() -> Result<()>]) {
    let before = files(dir);
    for (number, call) in calls.iter().enumerate() {
        let error = call().unwrap_err();
        assert_eq!(error.code(), Code::BytesVersion, "{what} {number}: {error}");
        assert!(error.place().is_some(), "{what} {number}: {error}");
        assert!(files(dir) == before, "{what} {number}: nothing is touched");
    }
}

/// Sets a byte of a file to 1.
fn set(file: &Path, byte: usize) {
    let mut bytes = fs::read(file).unwrap();
    assert_eq!(bytes[byte], 0);
    bytes[byte] = 1;
    fs::write(file, bytes).unwrap();
}

fn read(dir: &Path) -> Result<()> {
    Reader::open(dir)?.entries(0)?.try_for_each(|entry| entry.map(drop))
}

#[test]
fn a_segment() {
    for number in [0, 1] {
        let tmp = tempfile::tempdir().unwrap();
        let (dir, archive) = (tmp.path().join("ledger"), tmp.path().join("archive"));
        let last = ledger(&dir);
        let first = "segments/00000000000000000000.cfl".to_string();
        set(&dir.join([&first, &last][number]), 11);
        let through: [&dyn Fn() -> Result<()>; 4] =
            [&|| read(&dir), &|| open(&dir).map(drop), &|| Ledger::repair(&dir).map(drop), &|| {
                compact(&dir, &archive).map(drop)
            }];
        refused(&dir, "segment", &through);
        if number == 1 {
            let end: [&dyn Fn() -> Result<()>; 2] =
                [&|| Journal::open(&dir, SMALL).map(drop), &|| Journal::repair(&dir).map(drop)];
            refused(&dir, "last segment", &end);
        }
        assert!(!archive.exists());
    }
}

#[test]
fn an_entry_also_before_a_torn_write() {
    for torn in [false, true] {
        let tmp = tempfile::tempdir().unwrap();
        let (dir, archive) = (tmp.path().join("ledger"), tmp.path().join("archive"));
        let last = dir.join(ledger(&dir));
        let index = Reader::open(&dir).unwrap().entries(0).unwrap().count() as u64;
        let mut bytes = fs::read(&last).unwrap();
        // A checkpoint of version 1.
        frame::write(&mut bytes, index, &[8, 1, 0, 0]).unwrap();
        if torn {
            frame::write(&mut bytes, index + 1, b"cut off").unwrap();
            bytes.truncate(bytes.len() - 1);
        }
        fs::write(&last, bytes).unwrap();
        let calls: [&dyn Fn() -> Result<()>; 2] =
            [&|| open(&dir).map(drop), &|| Ledger::repair(&dir).map(drop)];
        refused(&dir, "entry", &calls);
        if !torn {
            refused(&dir, "entry", &[&|| compact(&dir, &archive).map(drop)]);
        }
        assert!(!archive.exists());
    }
}

#[test]
fn a_snapshot_is_passed_over_and_kept_or_refused_where_it_may_prove_a_loss() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("ledger");
    let last = dir.join(ledger(&dir));
    let before_the_last = fs::read(&last).unwrap();
    let ledger = open(&dir).unwrap();
    let whole = state(&ledger);
    ledger.close().unwrap();
    let snapshot = fs::read_dir(dir.join("snapshots")).unwrap().next().unwrap().unwrap().path();
    set(&snapshot, 11);
    let later = fs::read(&snapshot).unwrap();
    assert_eq!(newest_snapshot(&dir, u64::MAX).unwrap().damaged, std::slice::from_ref(&snapshot));
    assert!(state(&open(&dir).unwrap()) == whole, "from the entries");
    assert_eq!(fs::read(&snapshot).unwrap(), later);
    // Of more entries than there are.
    let end = before_the_last.len() - 40;
    fs::write(&last, &before_the_last[..end]).unwrap();
    let calls: [&dyn Fn() -> Result<()>; 1] = [&|| Journal::repair(&dir).map(drop)];
    refused(&dir, "snapshot", &calls);
}

#[test]
fn what_a_compacted_ledger_starts_from() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, archive) = (tmp.path().join("ledger"), tmp.path().join("archive"));
    ledger(&dir);
    assert!(compact(&dir, &archive).unwrap().segments > 0);
    set(&dir.join("archived"), 11);
    let calls: [&dyn Fn() -> Result<()>; 5] = [
        &|| read(&dir),
        &|| open(&dir).map(drop),
        &|| Journal::open(&dir, SMALL).map(drop),
        &|| Ledger::repair(&dir).map(drop),
        &|| compact(&dir, &archive).map(drop),
    ];
    refused(&dir, "archived", &calls);
}

#[test]
fn a_root_of_shards() {
    let tmp = tempfile::tempdir().unwrap();
    let root = tmp.path().join("root");
    let open = || Shards::open(&root, 2, Arc::new(key()), SALT, SMALL).map(drop);
    open().unwrap();
    set(&root.join("shards"), 11);
    refused(&root, "shards", &[&open]);
}
