//! Ledgers side by side: the same receipts whatever the threads do, and who belongs where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::*;
use counterfoil::entry::{Collected, Entry};
use counterfoil::meter::{Command, Outcome, SignRequest};
use counterfoil::settlement::{Batch, Extent};
use counterfoil::{Address, Amount, Code, Digest, LocalKey, Plan, Result, Signature};
use counterfoil_journal::{Ledger, Reader, Shards, Signer, copy_backup, shard_folders};

const ACCOUNTS: u64 = 12;
const CALLS: u64 = 10;

fn open(root: &Path, shards: u32) -> Result<Shards> {
    Shards::open(root, shards, Arc::new(key()), SALT, FAST)
}

fn begin(shards: &Shards) {
    shards.begin("test", at(1000)).unwrap();
    shards.submit_all(&Command::AddPlan(Box::new(plan())), at(1000)).unwrap();
}

fn subscription(shards: &Shards, account: &str) -> Digest {
    match shards.submit(&subscribe(account), at(1000)).unwrap() {
        Outcome::Opened { subscription, .. } => subscription,
        other => panic!("{other:?}"),
    }
}

/// Everything that one subscriber does, in its order.
fn calls(shards: &Shards, account: u64) {
    let id = subscription(shards, &format!("account {account}"));
    for call in 0..CALLS {
        let (name, now) = (format!("{account}/{call}"), at(2000 + 10 * account + call));
        shards.submit(&authorize(id, &name, 9), now).unwrap();
        let used = 1 + (account + call) % 9;
        let settled = shards.submit(&settle(id, &name, used), now).unwrap();
        assert!(matches!(settled, Outcome::Receipt { .. }), "{settled:?}");
    }
}

/// A root whose calls were made by so many threads, each with subscribers of its own.
fn made_by(threads: u64, root: &Path, shards: u32) {
    let shards = open(root, shards).unwrap();
    begin(&shards);
    thread::scope(|scope| {
        for thread in 0..threads {
            let shards = &shards;
            scope.spawn(move || {
                (0..ACCOUNTS).filter(|a| a % threads == thread).for_each(|a| calls(shards, a));
            });
        }
    });
    shards.submit_all(&Command::Checkpoint, at(9000)).unwrap();
    shards.close().unwrap();
}

/// The receipts of each lane, by shard; and what each payer was charged.
type Receipts = BTreeMap<(usize, Digest), Vec<Digest>>;

fn receipts(root: &Path) -> (Receipts, BTreeMap<Digest, Amount>) {
    let (mut receipts, mut charged) = (Receipts::new(), BTreeMap::new());
    let mut payers = BTreeMap::new();
    for (number, dir) in shard_folders(root).unwrap().unwrap().iter().enumerate() {
        audit(dir);
        for entry in Reader::open(dir).unwrap().entries(0).unwrap() {
            match Entry::from_bytes(&entry.unwrap().1).unwrap() {
                Entry::Open(open) => drop(payers.insert(open.lane.digest(), open.lane.payer)),
                Entry::Receipt(e) => {
                    receipts.entry((number, e.head.lane)).or_default().push(e.head.digest());
                    charged.insert(payers[&e.head.lane], e.head.cumulative);
                }
                _ => {}
            }
        }
    }
    (receipts, charged)
}

/// The settlement of all shards, merged in this order.
fn settlement(root: &Path, order: impl Fn(&mut Vec<Batch>)) -> String {
    let mut batches = Vec::new();
    for dir in shard_folders(root).unwrap().unwrap() {
        let ledger = Ledger::open(&dir, Box::new(key()), SALT, FAST).unwrap();
        let mut batch = Batch::new(plan().currency().clone());
        ledger
            .read(|meter| {
                for totals in meter.lanes() {
                    batch.add_lane(&totals, &plan(), Extent::Everything).unwrap();
                }
            })
            .unwrap();
        for entry in ledger.journal().entries(0).unwrap() {
            if let Entry::Receipt(e) = Entry::from_bytes(&entry.unwrap().1).unwrap() {
                batch.add_receipt(&e, &plan()).unwrap();
            }
        }
        batches.push(batch);
    }
    order(&mut batches);
    let mut all = batches.remove(0);
    batches.iter().for_each(|batch| all.merge(batch).unwrap());
    all.settle(true).unwrap().to_value().compact()
}

#[test]
fn one_thread_and_many_give_the_same_receipts_in_each_shard() {
    let tmp = tempfile::tempdir().unwrap();
    let mut charges = Vec::new();
    for shards in [1, 2, 5] {
        let root = |threads: u64| tmp.path().join(format!("{shards} by {threads}"));
        made_by(1, &root(1), shards);
        let (one, charged) = receipts(&root(1));
        assert_eq!(one.len() as u64, ACCOUNTS);
        assert_eq!(one.values().map(Vec::len).sum::<usize>() as u64, ACCOUNTS * CALLS);
        for threads in [3, 8] {
            made_by(threads, &root(threads), shards);
            assert!(receipts(&root(threads)).0 == one, "{threads} threads, {shards} shards");
            let settled = settlement(&root(threads), |_| {});
            assert_eq!(settled, settlement(&root(1), |batches| batches.reverse()));
        }
        let used: std::collections::BTreeSet<_> = one.keys().map(|(shard, _)| shard).collect();
        assert_eq!(u32::try_from(used.len()), Ok(shards), "every shard has subscribers");
        charges.push(charged);
    }
    assert!(charges[0] == charges[1] && charges[1] == charges[2], "whatever the shards");
}

#[test]
fn a_subscription_is_found_again_by_itself_and_by_its_lane() {
    let tmp = tempfile::tempdir().unwrap();
    let shards = open(tmp.path(), 4).unwrap();
    begin(&shards);
    let ids: Vec<_> = (0..20).map(|n| subscription(&shards, &n.to_string())).collect();
    let home = |shards: &Shards, id: &Digest| shards.of(id).unwrap().journal().dir().to_path_buf();
    let before: Vec<_> = ids.iter().map(|id| home(&shards, id)).collect();
    shards.close().unwrap();
    let shards = open(tmp.path(), 4).unwrap();
    begin(&shards);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(home(&shards, id), before[n]);
        assert_eq!(subscription(&shards, &n.to_string()), *id);
        let ledger = shards.of(id).unwrap();
        let (lane, origin) = ledger
            .read(|meter| {
                let lane = meter.subscription(id).unwrap().lane;
                (lane, meter.origin().unwrap().to_string())
            })
            .unwrap();
        assert_eq!(home(&shards, &lane), before[n]);
        assert_eq!(before[n], tmp.path().join(origin.strip_prefix("test/").unwrap()));
        shards.submit(&authorize(*id, "a", 3), at(2000)).unwrap();
        shards.submit(&settle(*id, "a", 3), at(2000)).unwrap();
        let (reference, at) = (String::new(), at(2001));
        let (amount, fee) = (Amount::from_atomic(1), Amount::ZERO);
        let line = Collected { lane, amount, fee, reference, at };
        assert_eq!(shards.submit(&Command::Collect(line), at), Ok(Outcome::Done));
    }
    let unknown = |command: Command| shards.submit(&command, at(3000)).unwrap_err().code();
    assert_eq!(unknown(authorize(Digest::ZERO, "a", 1)), Code::SubscriptionUnknown);
    let (amount, fee, reference) = (Amount::ZERO, Amount::ZERO, String::new());
    let line = Collected { lane: Digest::ZERO, amount, fee, reference, at: at(0) };
    assert_eq!(unknown(Command::Collect(line)), Code::CollectedInvalid);
    assert_eq!(unknown(Command::Due), Code::Arguments);
    let to_all = shards.submit_all(&authorize(ids[0], "b", 1), at(3000)).unwrap_err();
    assert_eq!(to_all.code(), Code::Arguments);
    assert_eq!(shards.submit_all(&Command::Due, at(3000)).unwrap().len(), 4);
}

#[test]
fn all_of_one_payer_is_in_one_shard_also_by_address() {
    let tmp = tempfile::tempdir().unwrap();
    let shards = open(tmp.path(), 8).unwrap();
    begin(&shards);
    let mut used = BTreeMap::new();
    for payer in 1..30 {
        for start in 0..4 {
            let Command::Subscribe(mut command) = subscribe(&format!("name {start}")) else {
                panic!("another command")
            };
            command.payer = Some(Address::new([payer; 20]));
            command.started_at = at(start);
            let opened = shards.submit(&Command::Subscribe(command), at(1000)).unwrap();
            let Outcome::Opened { subscription, .. } = opened else { panic!("{opened:?}") };
            let home = shards.of(&subscription).unwrap().journal().dir().to_path_buf();
            assert_eq!(used.entry(payer).or_insert_with(|| home.clone()), &home);
        }
    }
    let homes: std::collections::BTreeSet<_> = used.values().collect();
    assert_eq!(homes.len(), 8, "every shard has payers");
}

#[test]
fn who_switches_to_another_plan_stays_in_the_shard() {
    let tmp = tempfile::tempdir().unwrap();
    let shards = open(tmp.path(), 3).unwrap();
    begin(&shards);
    let text = String::from_utf8(plan().canonical().to_vec()).unwrap();
    let other = Plan::from_json(text.replace("\"P\"", "\"Q\"").as_bytes()).unwrap();
    shards.submit_all(&Command::AddPlan(Box::new(other.clone())), at(1000)).unwrap();
    for n in 0..6 {
        let old = subscription(&shards, &n.to_string());
        let switch = Command::Switch { subscription: old, plan: other.id() };
        let opened = shards.submit(&switch, at(2000)).unwrap();
        let Outcome::Opened { subscription: new, .. } = opened else { panic!("{opened:?}") };
        assert_ne!(new, old);
        let number = |id| shards.of(id).unwrap().journal().dir().to_path_buf();
        assert_eq!(number(&new), number(&old));
        let held = shards.submit(&authorize(new, "a", 3), at(2001)).unwrap();
        assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
    }
}

#[test]
fn the_number_of_shards_is_fixed() {
    let tmp = tempfile::tempdir().unwrap();
    let root = tmp.path().join("root");
    for refused in [0, 1025] {
        assert_eq!(open(&root, refused).unwrap_err().code(), Code::Arguments);
    }
    // What a call left that was killed before all shards were made.
    drop(Ledger::open(root.join("1"), Box::new(key()), SALT, FAST).unwrap());
    assert_eq!(shard_folders(&root), Ok(None));
    open(&root, 3).unwrap().close().unwrap();
    for other in [1, 2, 4] {
        let refused = open(&root, other).unwrap_err();
        assert_eq!((refused.code(), refused.offending()), (Code::LedgerShards, Some("3")));
    }
    let held = open(&root, 3).unwrap();
    assert_eq!(open(&root, 3).unwrap_err().code(), Code::LedgerLocked);
    drop(held);

    // No ledger is made in a root, and no root in a ledger or over one.
    let at_root = Ledger::open(&root, Box::new(key()), SALT, FAST).unwrap_err();
    assert_eq!(at_root.code(), Code::LedgerExists);
    let plain = tmp.path().join("plain");
    let ledger = Ledger::open(&plain, Box::new(key()), SALT, FAST).unwrap();
    common::begin(&ledger);
    drop(ledger);
    assert_eq!(open(&plain, 2).unwrap_err().code(), Code::LedgerExists);
    fs::create_dir(tmp.path().join("over")).unwrap();
    fs::rename(&plain, tmp.path().join("over/0")).unwrap();
    assert_eq!(open(&tmp.path().join("over"), 2).unwrap_err().code(), Code::LedgerExists);

    // A shard that is gone is not begun again.
    fs::rename(root.join("2"), tmp.path().join("aside")).unwrap();
    assert_eq!(open(&root, 3).unwrap_err().code(), Code::LedgerMissing);
    fs::rename(tmp.path().join("aside"), root.join("2")).unwrap();
    open(&root, 3).unwrap();

    let file = root.join("shards");
    let whole = fs::read(&file).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &flipped).unwrap();
        let code = open(&root, 3).unwrap_err().code();
        let (mark, version) = (bit / 8 < 8, (8..12).contains(&(bit / 8)));
        match code {
            Code::LedgerCorrupt => assert!(!version),
            Code::BytesVersion => assert!(version),
            Code::LedgerShards => assert!(!mark && !version),
            other => panic!("{other}"),
        }
        assert_eq!(fs::read(&file).unwrap(), flipped, "nothing is touched");
    }
}

/// Panics when it is told to.
struct Moody(LocalKey, Arc<AtomicBool>);

impl Signer for Moody {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>> {
        assert!(!self.1.load(Ordering::SeqCst), "a panic of the signer");
        Signer::sign(&self.0, request)
    }
}

#[test]
fn the_panic_of_one_caller_stops_nobody_else() {
    let tmp = tempfile::tempdir().unwrap();
    let moody = Arc::new(AtomicBool::new(false));
    let signer = Arc::new(Moody(key(), Arc::clone(&moody)));
    let shards = Shards::open(tmp.path(), 2, signer, SALT, FAST).unwrap();
    begin(&shards);
    let id = subscription(&shards, "acme");
    let ledger = shards.of(&id).unwrap();
    let panics = |call: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());

    panics(&|| drop(ledger.read(|_| panic!("a panic of who looks"))));
    shards.submit(&authorize(id, "a", 5), at(2000)).unwrap();
    moody.store(true, Ordering::SeqCst);
    panics(&|| drop(shards.submit(&settle(id, "a", 5), at(2000))));
    panics(&|| {
        let mut batch = ledger.batch();
        batch.propose(&authorize(id, "b", 5), at(2001)).unwrap();
        panic!("a panic of who has proposed");
    });
    moody.store(false, Ordering::SeqCst);

    // What the panics left behind is decided and durable, and is signed when somebody asks.
    thread::scope(|scope| scope.spawn(|| calls(&shards, 1)).join().unwrap());
    let again = shards.submit(&settle(id, "a", 5), at(2002)).unwrap();
    assert!(matches!(again, Outcome::Replayed(_)), "{again:?}");
    let settled = shards.submit(&settle(id, "b", 5), at(2002)).unwrap();
    assert!(matches!(settled, Outcome::Receipt { .. }), "{settled:?}");
    assert_eq!(ledger.pending().unwrap().len(), 1);
    shards.close().unwrap();
    let audited: u64 = shard_folders(tmp.path()).unwrap().unwrap().iter().map(|d| audit(d)).sum();
    assert_eq!(audited, CALLS + 2);
}

#[test]
fn a_restored_root_begins_other_logs_and_goes_on() {
    let tmp = tempfile::tempdir().unwrap();
    let (root, copy) = (tmp.path().join("root"), tmp.path().join("copy"));
    let shards = open(&root, 2).unwrap();
    begin(&shards);
    calls(&shards, 1);
    calls(&shards, 2);
    // What an interrupted copy left behind is no obstacle.
    fs::create_dir(tmp.path().join("copy.unfinished")).unwrap();
    fs::copy(root.join("shards"), tmp.path().join("copy.unfinished/shards")).unwrap();
    copy_backup(&root, &copy).unwrap();
    assert_eq!(copy_backup(&root, &copy).unwrap_err().code(), Code::LedgerExists);
    let id = subscription(&shards, "account 1");
    drop(shards);

    let shards = open(&copy, 2).unwrap();
    let stale = shards.begin("test", at(3000)).unwrap_err();
    assert_eq!(stale.code(), Code::EntryMisplaced, "the origin was used");
    shards.begin("anew", at(3000)).unwrap();
    shards.begin("anew", at(3000)).unwrap();
    assert_eq!(subscription(&shards, "account 1"), id);
    shards.submit(&authorize(id, "new", 5), at(3001)).unwrap();
    shards.submit(&settle(id, "new", 5), at(3001)).unwrap();
    shards.close().unwrap();
    let shards = open(&copy, 2).unwrap();
    for (number, ledger) in shards.ledgers().iter().enumerate() {
        let origin = ledger.read(|meter| meter.origin().map(String::from)).unwrap();
        assert_eq!(origin, Some(format!("anew/{number}")));
    }
    assert_eq!(audit(&copy.join("0")) + audit(&copy.join("1")), 2 * CALLS + 1);
}
