//! Threads that share one ledger and its budgets. What each is told is checked at once by a tally of its
//! own; afterwards every entry is, in its order.
//!
//! `cargo xtask stress` runs the same for longer, by `COUNTERFOIL_STRESS`: threads, operations of each,
//! seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod account;
mod call;
mod host;
mod random;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use std::{env, fs, thread};

use counterfoil::{LocalKey, Meter};
use counterfoil_journal::{Ledger, Options, Reader};

use host::Host;

const SALT: [u8; 32] = [3; 32];

/// How often something was answered, by its name.
type Counts = BTreeMap<String, u64>;

fn key() -> LocalKey {
    LocalKey::from_bytes(&[7; 32]).unwrap()
}

fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, Box::new(key()), SALT, Options::default()).unwrap()
}

fn state(ledger: &Ledger) -> Vec<u8> {
    ledger.read(Meter::snapshot).unwrap()
}

#[test]
fn threads_that_share_budgets_never_overspend_them() {
    let given = env::var("COUNTERFOIL_STRESS").unwrap_or_else(|_| "8 1000 1".into());
    let given: Vec<u64> = given.split(' ').map(|number| number.parse().unwrap()).collect();
    let [threads, operations, seed] = given[..] else { panic!("three numbers, not {given:?}") };
    println!("{threads} threads, {operations} operations each, seed {seed}");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();

    let host = Host::new(open(folder.path()), threads * operations);
    let started = Instant::now();
    let answers = thread::scope(|scope| {
        let host = &host;
        let threads: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || host.run(seed, number, operations)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(
            Counts::new(),
            |mut sum, counts| {
                counts.into_iter().for_each(|(name, count)| *sum.entry(name).or_default() += count);
                sum
            },
        )
    });
    let took = started.elapsed().as_secs_f64();
    for (answer, count) in &answers {
        println!("{count:>9} {answer}");
    }
    let ledger = host.ledger.journal();
    println!(
        "{:>9} entries in {} writes; {:.1} s, {:.0} operations/s",
        ledger.len(),
        ledger.commits(),
        took,
        (threads * operations) as f64 / took
    );

    assert_eq!(host.ledger.pending(), Ok(Vec::new()));
    let memory = state(&host.ledger);
    let accounts = host.close();
    let entries: Vec<Vec<u8>> = Reader::open(folder.path())
        .unwrap()
        .entries(0)
        .unwrap()
        .map(|entry| entry.unwrap().1)
        .collect();
    walk::check(folder.path(), &entries, &accounts);

    let mut fold = Meter::new(SALT);
    entries.iter().for_each(|entry| drop(fold.replay(entry).unwrap()));
    assert!(fold.snapshot() == memory, "one thread folds the entries to the same state");
    assert!(state(&open(folder.path())) == memory, "from the snapshot");
    fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let ledger = open(folder.path());
    assert!(state(&ledger) == memory, "from the entries alone");
    accounts.iter().for_each(|account| account.ask_again(&ledger));

    // A run that never comes to a limit shows nothing.
    for answer in [
        "authorize: authorized",
        "authorize: limits/spend",
        "authorize: limits/key",
        "authorize: limits/credit",
        "authorize: limits/open",
        "authorize: held",
        "authorize: settled",
        "authorize: released",
        "settle: charged",
        "settle: charged late",
        "settle: settled",
        "settle: request_conflict",
        "release: done",
        "due: expired",
        "due: checkpoint",
        "collect: done",
    ] {
        assert!(operations < 1000 || answers.contains_key(answer), "no `{answer}`: {answers:?}");
    }
}
