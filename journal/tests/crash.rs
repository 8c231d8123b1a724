//! What a crash or a damaged disk can do to a small ledger, exhaustively.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::{Code, Error};
use counterfoil_journal::{Journal, Options, Reader, newest_snapshot, write_snapshot};

const OPTIONS: Options = Options { segment_bytes: 80, fsync: false };

fn entries() -> Vec<Vec<u8>> {
    (0..8_u8).map(|n| vec![n * 31; 3 + 5 * usize::from(n % 3)]).collect()
}

/// A ledger of eight entries in three segments; the paths of those, and the bytes of the last.
fn ledger(dir: &Path) -> (Vec<PathBuf>, Vec<u8>) {
    let journal = Journal::create(dir, OPTIONS).unwrap();
    for entry in entries() {
        journal.append(&entry).unwrap();
    }
    journal.flush_through(7).unwrap();
    let mut segments: Vec<_> =
        fs::read_dir(dir.join("segments")).unwrap().map(|item| item.unwrap().path()).collect();
    segments.sort();
    assert_eq!(segments.len(), 3);
    let last = fs::read(&segments[2]).unwrap();
    (segments, last)
}

/// All good entries from the start, and what ended them.
fn read(dir: &Path) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut good = Vec::new();
    for entry in Reader::open(dir).unwrap().entries(0).unwrap() {
        match entry {
            Ok((index, entry)) => {
                assert_eq!(index, good.len() as u64);
                good.push(entry);
            }
            Err(error) => return (good, Some(error)),
        }
    }
    (good, None)
}

/// Opens a ledger after a crash, repairs it if it is torn, and appends what is missing.
fn recover(dir: &Path, at_least: usize) {
    let (good, ended) = read(dir);
    assert!(good.len() >= at_least);
    assert_eq!(good, entries()[..good.len()]);
    let opened = Journal::open(dir, OPTIONS).map(drop);
    match ended {
        None => assert_eq!(opened, Ok(())),
        Some(error) => {
            assert_eq!(error.code(), Code::LedgerTorn);
            assert_eq!(opened.unwrap_err(), error);
            let repair = Journal::repair(dir).unwrap().unwrap();
            assert_eq!(repair.entries, good.len() as u64);
            assert_eq!(fs::read(&repair.kept).unwrap().len() as u64, repair.bytes);
            let note = fs::read_to_string(repair.kept.with_extension("json")).unwrap();
            assert!(note.contains(&format!("\"offset\":{}", repair.offset)));
        }
    }
    assert_eq!(Journal::repair(dir), Ok(None));
    let journal = Journal::open(dir, OPTIONS).unwrap();
    assert_eq!(journal.len(), good.len() as u64);
    for entry in &entries()[good.len()..] {
        let index = journal.append(entry).unwrap();
        journal.flush_through(index).unwrap();
    }
    assert_eq!(read(dir), (entries(), None));
}

#[test]
fn a_write_cut_anywhere_is_repaired_and_the_ledger_ends_up_the_same() {
    for zeros in [0, 50] {
        let tmp = tempfile::tempdir().unwrap();
        let (segments, whole) = ledger(&tmp.path().join("whole"));
        for cut in 0..whole.len() {
            let dir = tmp.path().join(cut.to_string());
            ledger(&dir);
            let last = dir.join("segments").join(segments[2].file_name().unwrap());
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeros, 0);
            fs::write(&last, bytes).unwrap();
            recover(&dir, 6);
            assert_eq!(fs::read(&last).unwrap(), whole, "cut at {cut}");
        }
    }
}

#[test]
fn a_crash_before_the_new_segment_exists_is_a_clean_prefix() {
    let tmp = tempfile::tempdir().unwrap();
    let (segments, whole) = ledger(tmp.path());
    fs::remove_file(&segments[2]).unwrap();
    recover(tmp.path(), 6);
    assert_eq!(fs::read(&segments[2]).unwrap(), whole);
}

#[test]
fn every_flipped_bit_is_found_and_torn_only_in_the_last_entry() {
    let tmp = tempfile::tempdir().unwrap();
    let (segments, last) = ledger(tmp.path());
    let last_frame = last.len() - 16 - entries()[7].len();
    for (number, path) in segments.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(path, &flipped).unwrap();
            let code = match Reader::open(tmp.path()).unwrap().entries(0) {
                Ok(_) => read(tmp.path()).1.unwrap().code(),
                Err(error) => error.code(),
            };
            let in_the_last = number == 2 && bit / 8 >= last_frame;
            match code {
                Code::LedgerTorn => assert!(in_the_last, "segment {number} bit {bit}"),
                Code::LedgerCorrupt => {
                    if number == 2 {
                        assert_eq!(Journal::repair(tmp.path()).unwrap_err().code(), code);
                        assert_eq!(fs::read(path).unwrap(), flipped, "nothing is touched");
                    }
                }
                Code::BytesVersion => assert!((8..16).contains(&(bit / 8))),
                other => panic!("{other}"),
            }
        }
        fs::write(path, &whole).unwrap();
    }
    assert_eq!(read(tmp.path()), (entries(), None));
}

#[test]
fn a_missing_or_shortened_segment_is_damage() {
    let tmp = tempfile::tempdir().unwrap();
    let (segments, _) = ledger(tmp.path());
    let middle = fs::read(&segments[1]).unwrap();
    for cut in 0..middle.len() {
        fs::write(&segments[1], &middle[..cut]).unwrap();
        let error = read(tmp.path()).1.unwrap();
        assert_eq!(error.code(), Code::LedgerCorrupt);
    }
    fs::remove_file(&segments[1]).unwrap();
    assert_eq!(read(tmp.path()).1.unwrap().code(), Code::LedgerCorrupt);
    fs::remove_file(&segments[0]).unwrap();
    assert_eq!(Reader::open(tmp.path()).unwrap_err().code(), Code::LedgerCorrupt);
}

#[test]
fn a_snapshot_of_what_is_missing_proves_the_loss() {
    let tmp = tempfile::tempdir().unwrap();
    let (segments, last) = ledger(tmp.path());
    write_snapshot(tmp.path(), 7, b"before").unwrap();
    write_snapshot(tmp.path(), 8, b"after").unwrap();
    let frame = 16 + entries()[7].len();
    for cut in [1, frame] {
        let torn = &last[..last.len() - cut];
        fs::write(&segments[2], torn).unwrap();
        let opened = Journal::open(tmp.path(), OPTIONS).unwrap_err().code();
        assert_eq!(opened, if cut == frame { Code::LedgerCorrupt } else { Code::LedgerTorn });
        if cut != frame {
            assert_eq!(Journal::repair(tmp.path()).unwrap_err().code(), Code::LedgerCorrupt);
        }
        assert_eq!(fs::read(&segments[2]).unwrap(), torn, "nothing is touched");
    }
    // A damaged one proves nothing.
    fs::write(tmp.path().join("snapshots/00000000000000000008.cfs"), b"half").unwrap();
    Journal::open(tmp.path(), OPTIONS).unwrap();
    assert_eq!(newest_snapshot(tmp.path(), u64::MAX).unwrap().newest.unwrap().index, 7);
}

#[test]
fn a_reader_beside_a_writer_sees_a_prefix() {
    let tmp = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 2000, fsync: false };
    let journal = Journal::create(tmp.path(), options).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..400_u32 {
                let index = journal.append(&n.to_be_bytes().repeat(50)).unwrap();
                journal.flush_through(index).unwrap();
            }
        });
        let mut done = false;
        while !done {
            done = writer.is_finished();
            let durable = journal.durable();
            let (good, ended) = read(tmp.path());
            assert!(good.len() as u64 >= durable);
            for (n, entry) in (0..400_u32).zip(good) {
                assert_eq!(entry, n.to_be_bytes().repeat(50));
            }
            if let Some(error) = ended {
                assert_eq!(error.code(), Code::LedgerTorn);
            }
            let from = durable.saturating_sub(3);
            for (index, entry) in (from..).zip(journal.entries(from).unwrap()) {
                assert_eq!(entry.unwrap().0, index);
            }
        }
    });
    assert_eq!(read(tmp.path()).0.len(), 400);
}
