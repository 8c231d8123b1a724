//! Threads that share a ledger, or its shards, and their budgets. What each is told is checked at once by a tally of its
//! own; afterwards every entry is, in its order.
//!
//! `cargo xtask stress` runs the same for longer, by `COUNTERFOIL_STRESS`: threads, operations of each,
//! seed, shards. With more than one shard, one is tried first.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod account;
mod call;
mod host;
mod lanes;
mod random;
mod recent;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs, thread};

use counterfoil::{LocalKey, Meter};
use counterfoil_journal::{Options, Shards, shard_folders};

use host::Host;

const SALT: [u8; 32] = [3; 32];

/// How often something was answered, by its name.
type Counts = BTreeMap<String, u64>;

fn key() -> LocalKey {
    LocalKey::from_bytes(&[7; 32]).unwrap()
}

fn open(root: &Path, shards: u32) -> Shards {
    Shards::open(root, shards, Arc::new(key()), SALT, Options::default()).unwrap()
}

fn states(shards: &Shards) -> Vec<Vec<u8>> {
    shards.ledgers().iter().map(|ledger| ledger.read(Meter::snapshot).unwrap()).collect()
}

/// The four numbers of a run, from the environment or as the tests have them.
fn numbers(name: &str, tests: &str) -> [u64; 4] {
    let given = env::var(name).unwrap_or_else(|_| tests.into());
    let numbers: Vec<u64> = given.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|given| panic!("four numbers: {given:?}"))
}

/// Runs threads, each with its number; says what they were answered, and returns that and the seconds
/// that they took.
fn measure(threads: u64, run: impl Fn(u64) -> Counts + Sync) -> (Counts, f64) {
    let started = Instant::now();
    let mut answers = Counts::new();
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || run(number))).collect();
        for (name, count) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *answers.entry(name).or_default() += count;
        }
    });
    let took = started.elapsed().as_secs_f64();
    for (answer, count) in &answers {
        println!("{count:>9} {answer}");
    }
    (answers, took)
}

#[test]
fn threads_that_share_budgets_never_overspend_them() {
    let [threads, operations, seed, shards] = numbers("COUNTERFOIL_STRESS", "8 1000 1 2");
    println!("{threads} threads, {operations} operations each, seed {seed}");
    let shards = u32::try_from(shards).unwrap();
    let one = run(threads, operations, seed, 1, shards);
    if shards > 1 {
        let many = run(threads, operations, seed, shards, shards);
        println!("{shards} shards do {:.2} times the operations of one", many / one);
    }
}

/// Operations per second of threads on so many shards, with two accounts of each kind for each of
/// `accounts`; all that they are told is checked.
fn run(threads: u64, operations: u64, seed: u64, shards: u32, accounts: u32) -> f64 {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let host = Host::new(open(folder.path(), shards), threads * operations, accounts.into());
    let (answers, took) = measure(threads, |number| host.run(seed, number, operations));
    let speed = (threads * operations) as f64 / took;
    for ledger in host.shards.ledgers() {
        let journal = ledger.journal();
        println!("{:>9} entries in {} writes", journal.len(), journal.commits());
        assert_eq!(ledger.pending(), Ok(Vec::new()));
    }
    println!("{took:.1} s, {speed:.0} operations/s, shards: {shards}");

    let memory = states(&host.shards);
    let accounts = host.close();
    for (dir, memory) in shard_folders(folder.path()).unwrap().unwrap().iter().zip(&memory) {
        let fold = walk::check(dir, &accounts);
        assert!(fold.snapshot() == *memory, "one thread folds the entries to the same state");
    }
    assert!(states(&open(folder.path(), shards)) == memory, "from the snapshots");
    for dir in shard_folders(folder.path()).unwrap().unwrap() {
        fs::remove_dir_all(dir.join("snapshots")).unwrap();
    }
    let shards = open(folder.path(), shards);
    assert!(states(&shards) == memory, "from the entries alone");
    accounts.iter().for_each(|account| account.ask_again(&shards));

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
    speed
}
