//! A plan, and what hosts do with a ledger under it.
#![allow(dead_code, reason = "no test file uses all of it")]
#![allow(unreachable_pub, reason = "the files of one test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::audit::Auditor;
use counterfoil::meter::{Command, Outcome, Request, Settle, Subscribe};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, LocalKey, Plan, Result, Timestamp, Usage};
use counterfoil_journal::{CHECKPOINTS, HEADS, Ledger, Options, Reader, Signer, Slots};

pub const SALT: [u8; 32] = [3; 32];
pub const FAST: Options = Options { segment_bytes: 64 << 20, fsync: false };

pub fn key() -> LocalKey {
    LocalKey::from_bytes(&[7; 32]).unwrap()
}

pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap()
}

/// Half a cent for a unit, ten dollars a day.
pub fn plan() -> Plan {
    let text = format!(
        r#"{{"format":"counterfoil/plan/1","name":"P","authority":"{}",
        "currency":{{"iso4217":"USD"}},"meters":{{"t":"token"}},
        "charges":[{{"id":"t","meter":"t","model":"per_unit","price":"0.005"}}],
        "limits":[{{"id":"l","spend":"10","window":"day"}}],
        "payees":[{{"payee":"a","weight":1}}],"signing":{{"mode":"each"}}}}"#,
        key().address()
    );
    Plan::from_json(text.as_bytes()).unwrap()
}

pub fn open(dir: &Path, signer: impl Signer + 'static) -> Result<Ledger> {
    Ledger::open(dir, Box::new(signer), SALT, FAST)
}

pub fn begin(ledger: &Ledger) {
    let begin = Command::Begin { origin: "test".into(), signer: key().address() };
    ledger.submit(&begin, at(1000)).unwrap();
    ledger.submit(&Command::AddPlan(Box::new(plan())), at(1000)).unwrap();
}

pub fn subscribe(account: &str) -> Command {
    Command::Subscribe(Subscribe {
        plan: plan().id(),
        payer: None,
        account: Some(account.into()),
        started_at: at(0),
        rail: Digest::ZERO,
    })
}

pub fn subscription(ledger: &Ledger, account: &str) -> Digest {
    match ledger.submit(&subscribe(account), at(1000)).unwrap() {
        Outcome::Opened { subscription, .. } => subscription,
        other => panic!("{other:?}"),
    }
}

pub fn usage(units: u64) -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    usage.set("t", units).unwrap();
    usage
}

pub fn authorize(subscription: Digest, id: &str, most: u64) -> Command {
    Command::Authorize(Request { subscription, id: id.into(), created_at: None, most: usage(most) })
}

pub fn settle(subscription: Digest, id: &str, used: u64) -> Command {
    let (id, usage, content) = (id.into(), usage(used), Digest::ZERO);
    Command::Settle(Settle { subscription, id, usage, content })
}

/// Audits the files, every signature included, and returns how many receipts there are.
pub fn audit(dir: &Path) -> u64 {
    audit_of(dir, &Reader::open(dir).unwrap())
}

/// Audits what a reader reads of a ledger.
pub fn audit_of(dir: &Path, reader: &Reader) -> u64 {
    let heads = Slots::open_read_only(dir, HEADS).unwrap();
    let checkpoints = Slots::open_read_only(dir, CHECKPOINTS).unwrap();
    let mut auditor = Auditor::new();
    for entry in reader.entries(0).unwrap() {
        if let (_, Some(expected)) = auditor.next(&entry.unwrap().1).unwrap() {
            let slots = if expected.checkpoint { &checkpoints } else { &heads };
            expected.check(slots.get(expected.slot).unwrap().as_ref()).unwrap();
        }
    }
    auditor.counts().receipts
}

/// Every file of a folder, with its content.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

pub fn state(ledger: &Ledger) -> Vec<u8> {
    ledger.read(|meter| meter.snapshot()).unwrap()
}
