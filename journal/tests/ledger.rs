//! A ledger under threads, late and failing signers, failed writes, and reopening.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::*;
use counterfoil::meter::{Command, Outcome, SignRequest};
use counterfoil::{Address, Amount, Code, Digest, Error, LocalKey, Result, Signature, Timestamp};
use counterfoil_journal::{Ledger, Options, Signer};

#[test]
fn eight_threads_on_shared_and_own_subscriptions() {
    const CALLS: u64 = 12;
    let tmp = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(tmp.path(), Box::new(key()), SALT, Options::default()).unwrap();
    begin(&ledger);
    let shared = subscription(&ledger, "shared");
    let own: Vec<_> = (0..8).map(|n| subscription(&ledger, &format!("own {n}"))).collect();
    let before = ledger.journal().commits();
    let charged: Vec<Vec<(Digest, Amount)>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|thread| {
                let (ledger, own) = (&ledger, own[usize::try_from(thread).unwrap()]);
                scope.spawn(move || {
                    let mut charged = Vec::new();
                    for call in 0..CALLS {
                        let id = format!("{thread}/{call}");
                        let now = at(2000 + call);
                        for subscription in [shared, own] {
                            let held =
                                ledger.submit(&authorize(subscription, &id, 9), now).unwrap();
                            assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
                            let command = settle(subscription, &id, 1 + (thread + call) % 9);
                            match ledger.submit(&command, now).unwrap() {
                                Outcome::Receipt { receipt, position, .. } => {
                                    assert!(ledger.head_signature(position).unwrap().is_some());
                                    charged.push((subscription, receipt.head.charge));
                                }
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                    charged
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    ledger.submit(&Command::Checkpoint, at(9000)).unwrap();
    let entries = 8 * 2 * 2 * CALLS + 1;
    let commits = ledger.journal().commits() - before;
    assert!(commits < entries, "{commits} writes for {entries} entries");
    let lanes: Vec<_> = ledger.read(|meter| meter.lanes().collect()).unwrap();
    for lane in lanes {
        let sum = charged
            .iter()
            .flatten()
            .filter(|(subscription, _)| *subscription == lane.subscription)
            .try_fold(Amount::ZERO, |sum, (_, charge)| sum.checked_add(*charge))
            .unwrap();
        assert_eq!(lane.cumulative.floor(), sum);
        assert!(!sum.is_zero());
    }
    assert_eq!(ledger.pending(), Ok(Vec::new()));
    let memory = state(&ledger);
    ledger.close().unwrap();
    assert_eq!(audit(tmp.path()), 8 * 2 * CALLS);
    assert_eq!(state(&open(tmp.path(), key()).unwrap()), memory);
}

/// A signer in another house: it answers when it likes, and sometimes fails.
struct Remote {
    away: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl Signer for Remote {
    fn address(&self) -> Address {
        key().address()
    }

    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(Code::Io).at("the key service"));
        }
        let away = self.away.load(Ordering::SeqCst);
        Ok((!away).then(|| key().sign(&request.digest)))
    }
}

fn remote() -> (Remote, Arc<AtomicBool>, Arc<AtomicBool>) {
    let (away, broken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    (Remote { away: Arc::clone(&away), broken: Arc::clone(&broken) }, away, broken)
}

#[test]
fn a_signature_that_comes_later_blocks_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let (signer, away, _) = remote();
    away.store(true, Ordering::SeqCst);
    let ledger = open(tmp.path(), signer).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    for call in ["a", "b", "c"] {
        ledger.submit(&authorize(id, call, 5), at(2000)).unwrap();
        ledger.submit(&settle(id, call, 5), at(2000)).unwrap();
    }
    let pending = ledger.pending().unwrap();
    assert_eq!(pending.len(), 4);
    let wrong = LocalKey::from_bytes(&[9; 32]).unwrap().sign(&pending[1].digest);
    assert_eq!(ledger.attach(&pending[1], wrong).unwrap_err().code(), Code::SignatureWrongKey);
    // Out of order, and one of them twice.
    for n in [2, 1, 2] {
        ledger.attach(&pending[n], key().sign(&pending[n].digest)).unwrap();
    }
    assert_eq!(ledger.pending().unwrap(), [pending[0].clone(), pending[3].clone()]);
    assert!(ledger.head_signature(pending[2].slot).unwrap().is_some());
    // A snapshot may be written meanwhile: whoever opens the ledger next finds what is missing.
    ledger.close().unwrap();
    let (signer, away, _) = remote();
    away.store(true, Ordering::SeqCst);
    let ledger = open(tmp.path(), signer).unwrap();
    assert_eq!(ledger.pending().unwrap(), [pending[0].clone(), pending[3].clone()]);
    away.store(false, Ordering::SeqCst);
    assert_eq!(ledger.sign_pending(), Ok(0));
    ledger.close().unwrap();
    assert_eq!(audit(tmp.path()), 3);
}

#[test]
fn a_signer_that_fails_leaves_entries_and_outcomes_as_they_are() {
    let tmp = tempfile::tempdir().unwrap();
    let (signer, _, broken) = remote();
    let ledger = open(tmp.path(), signer).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    broken.store(true, Ordering::SeqCst);
    let mut batch = ledger.batch();
    for call in ["a", "b"] {
        batch.propose(&authorize(id, call, 5), at(2000)).unwrap();
        batch.propose(&settle(id, call, 5), at(2000)).unwrap();
    }
    let outcomes = batch.commit().unwrap();
    assert!(matches!(outcomes[1], Outcome::Receipt { .. }), "durable, so it is told");
    assert_eq!(ledger.pending().unwrap().len(), 2, "all of the batch, not only the first");
    assert_eq!(ledger.sign_pending().unwrap_err().code(), Code::Io);
    let again = ledger.submit(&settle(id, "a", 5), at(2001)).unwrap();
    assert!(matches!(again, Outcome::Replayed(_)), "{again:?}");
    assert_eq!(ledger.close().unwrap_err().code(), Code::Io);
    let ledger = open(tmp.path(), key()).unwrap();
    assert_eq!(ledger.pending(), Ok(Vec::new()));
    drop(ledger);
    assert_eq!(audit(tmp.path()), 2);
}

#[test]
fn a_failed_write_stalls_until_the_ledger_is_opened_anew() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("ledger");
    let options = Options { segment_bytes: 1, ..FAST };
    let ledger = Ledger::open(&dir, Box::new(key()), SALT, options).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    ledger.submit(&authorize(id, "a", 5), at(2000)).unwrap();
    let before = state(&ledger);
    let (segments, aside) = (dir.join("segments"), tmp.path().join("aside"));
    fs::rename(&segments, &aside).unwrap();
    let failed = ledger.submit(&settle(id, "a", 5), at(2000)).unwrap_err();
    assert_eq!(failed.code(), Code::MeterStalled);
    fs::rename(&aside, &segments).unwrap();
    let next = ledger.submit(&authorize(id, "b", 5), at(2000)).unwrap_err();
    assert_eq!(next.code(), Code::MeterStalled);
    assert_eq!(state(&ledger), before, "what is not durable was never told");
    drop(ledger);
    let ledger = Ledger::open(&dir, Box::new(key()), SALT, options).unwrap();
    assert_eq!(state(&ledger), before);
    let settled = ledger.submit(&settle(id, "a", 5), at(2000)).unwrap();
    assert!(matches!(settled, Outcome::Receipt { .. }), "{settled:?}");
    ledger.close().unwrap();
    assert_eq!(audit(&dir), 1);
}

/// Some commands of every kind that goes through a ledger.
fn commands(id: Digest) -> Vec<(Command, Timestamp)> {
    let mut list = Vec::new();
    for n in 0..30_u64 {
        let call = n.to_string();
        list.push((authorize(id, &call, 20), at(2000 + n)));
        if n % 3 != 0 {
            list.push((settle(id, &call, 1 + n % 20), at(2010 + n)));
        }
        if n % 7 == 0 {
            list.push((Command::Checkpoint, at(2010 + n)));
        }
        list.push((Command::Due, at(2010 + n)));
    }
    list
}

#[test]
fn the_grouping_of_writes_leaves_no_trace() {
    let tmp = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for group in [1, 7, 1000] {
        let dir = tmp.path().join(group.to_string());
        let ledger = open(&dir, key()).unwrap();
        begin(&ledger);
        let id = subscription(&ledger, "acme");
        let mut told = Vec::new();
        for chunk in commands(id).chunks(group) {
            let mut batch = ledger.batch();
            for (command, now) in chunk {
                batch.propose(command, *now).unwrap();
            }
            told.extend(batch.commit().unwrap());
        }
        drop(ledger);
        let files =
            ["segments/00000000000000000000.cfl", "signatures/heads", "signatures/checkpoints"]
                .map(|file| fs::read(dir.join(file)).unwrap());
        made.push((files, told));
    }
    assert!(made[0] == made[1] && made[1] == made[2]);
}

#[test]
fn a_snapshot_and_what_follows_equal_a_full_replay() {
    let tmp = tempfile::tempdir().unwrap();
    let ledger = open(tmp.path(), key()).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    let commands = commands(id);
    let (early, late) = commands.split_at(commands.len() / 2);
    early.iter().for_each(|(command, now)| drop(ledger.submit(command, *now).unwrap()));
    ledger.close().unwrap();
    let ledger = open(tmp.path(), key()).unwrap();
    late.iter().for_each(|(command, now)| drop(ledger.submit(command, *now).unwrap()));
    let memory = state(&ledger);
    drop(ledger);
    assert_eq!(fs::read_dir(tmp.path().join("snapshots")).unwrap().count(), 1);
    assert_eq!(state(&open(tmp.path(), key()).unwrap()), memory);
    fs::remove_dir_all(tmp.path().join("snapshots")).unwrap();
    assert_eq!(state(&open(tmp.path(), key()).unwrap()), memory);
}

#[test]
fn a_denial_waits_for_the_entries_that_it_rests_on() {
    let tmp = tempfile::tempdir().unwrap();
    let ledger = open(tmp.path(), key()).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    let (mut one, mut other) = (ledger.batch(), ledger.batch());
    one.propose(&authorize(id, "a", 1), at(2000)).unwrap();
    other.propose(&authorize(id, "b", 1999), at(2000)).unwrap();
    // Denied because of what the other batch holds.
    one.propose(&authorize(id, "c", 1), at(2000)).unwrap();
    let outcomes = one.commit().unwrap();
    assert!(matches!(outcomes[1], Outcome::Denied(_)), "{outcomes:?}");
    assert_eq!(ledger.journal().durable(), ledger.journal().len());
    let held = other.commit().unwrap();
    assert!(matches!(held[0], Outcome::Authorized { .. }), "{held:?}");
}

#[test]
fn a_dropped_batch_is_decided_all_the_same_and_signed_in_the_end() {
    let tmp = tempfile::tempdir().unwrap();
    let ledger = open(tmp.path(), key()).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    ledger.submit(&authorize(id, "a", 5), at(2000)).unwrap();
    let mut batch = ledger.batch();
    batch.propose(&settle(id, "a", 5), at(2000)).unwrap();
    drop(batch);
    ledger.submit(&authorize(id, "b", 5), at(2000)).unwrap();
    assert_eq!(ledger.pending().unwrap().len(), 1);
    let again = ledger.submit(&settle(id, "a", 5), at(2001)).unwrap();
    assert!(matches!(again, Outcome::Replayed(_)), "{again:?}");
    ledger.close().unwrap();
    assert_eq!(audit(tmp.path()), 1);
}

#[test]
fn entries_lost_without_a_torn_write_are_missed() {
    let tmp = tempfile::tempdir().unwrap();
    let ledger = open(tmp.path(), key()).unwrap();
    begin(&ledger);
    let id = subscription(&ledger, "acme");
    ledger.submit(&authorize(id, "a", 5), at(2000)).unwrap();
    let segment = tmp.path().join("segments/00000000000000000000.cfl");
    let before = fs::read(&segment).unwrap();
    ledger.submit(&settle(id, "a", 5), at(2000)).unwrap();
    drop(ledger);
    // To the frame: no checksum tells, but the receipt's signature does.
    fs::write(&segment, before).unwrap();
    let error = open(tmp.path(), key()).unwrap_err();
    assert_eq!(error.code(), Code::LedgerCorrupt);
    assert!(error.place().unwrap().ends_with("heads slot 1"), "{error}");
}
