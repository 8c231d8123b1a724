//! The entries of a ledger in their order, by an auditor and by sums of our own: after no entry is a
//! limit passed, and in the end the sums are those that threads were told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;

use counterfoil::audit::Auditor;
use counterfoil::entry::{Entry, HoldEntry, ReceiptEntry, ReleaseReason};
use counterfoil::receipt::{Item, Kind as ReceiptKind};
use counterfoil::{Digest, Meter, Timestamp};
use counterfoil_journal::{CHECKPOINTS, HEADS, Reader, Slots};

use crate::SALT;
use crate::account::{
    Account, CREDIT, GRANT, KEYS, Kind, OPEN, SPEND, TOKENS, hour, key_number, quarters, tiers,
};

struct Held {
    tokens: u64,
    key: usize,
    at: Timestamp,
    deadline: Timestamp,
    reserved: bool,
}

/// One account, entry by entry.
struct Sums<'a> {
    account: &'a Account,
    holds: BTreeMap<Digest, Held>,
    settled: BTreeSet<Digest>,
    /// By hour: quarters charged and reserved.
    spend: BTreeMap<usize, u64>,
    /// By hour and key: tokens used and reserved.
    keys: BTreeMap<(usize, usize), u64>,
    open: u64,
    given: u64,
    committed: u64,
    collected: u128,
    price: u64,
    tokens: u64,
    charged: u128,
}

/// Audits a ledger with its signatures, and shows each entry. Returns the fold of the entries, and how
/// many receipts there are.
pub(crate) fn audit(folder: &Path, mut each: impl FnMut(&Entry)) -> (Meter, u64) {
    let heads = Slots::open_read_only(folder, HEADS).unwrap();
    let checkpoints = Slots::open_read_only(folder, CHECKPOINTS).unwrap();
    let (mut auditor, mut fold) = (Auditor::new(), Meter::new(SALT));
    for bytes in Reader::open(folder).unwrap().entries(0).unwrap() {
        let (_, bytes) = bytes.unwrap();
        fold.replay(&bytes).unwrap();
        let (entry, expected) = auditor.next(&bytes).unwrap();
        if let Some(expected) = expected {
            let slots = if expected.checkpoint { &checkpoints } else { &heads };
            expected.check(slots.get(expected.slot).unwrap().as_ref()).unwrap();
        }
        each(&entry);
    }
    (fold, auditor.counts().receipts)
}

/// Checks every entry and every signature of a ledger, and the sums of its accounts against what threads
/// were told. Returns the fold of its entries.
pub(crate) fn check(folder: &Path, accounts: &[Account]) -> Meter {
    let mut lanes = BTreeMap::new();
    let (fold, audited) = audit(folder, |entry| match entry {
        Entry::Open(e) => {
            let lane = e.lane.digest();
            let account = accounts.iter().find(|account| account.lane == lane).unwrap();
            lanes.insert(lane, Sums::new(account));
        }
        Entry::Hold(e) => lanes.get_mut(&e.lane).unwrap().hold(e),
        Entry::Receipt(e) => lanes.get_mut(&e.head.lane).unwrap().receipt(e),
        Entry::Release(e) => lanes.get_mut(&e.lane).unwrap().release(e.subject, e.reason, e.at),
        Entry::Extended(e) => {
            let sums = lanes.get_mut(&e.lane).unwrap();
            sums.holds.get_mut(&e.subject).unwrap().deadline = e.deadline;
        }
        Entry::Collected(e) => {
            let sums = lanes.get_mut(&e.lane).unwrap();
            sums.given += 4 * u64::try_from(e.amount.atomic() - sums.collected).unwrap();
            sums.collected = e.amount.atomic();
            assert!(sums.collected <= sums.charged, "collected what nobody was charged");
        }
        Entry::Granted(e) => {
            let sums = lanes.values_mut().find(|sums| sums.account.id == e.subscription);
            sums.unwrap().given += GRANT;
        }
        _ => {}
    });
    let receipts = lanes.values().map(|sums| sums.settled.len() as u64).sum::<u64>();
    assert_eq!(audited, receipts);
    lanes.values().for_each(Sums::are_told);
    fold
}

impl<'a> Sums<'a> {
    fn new(account: &'a Account) -> Self {
        Sums {
            account,
            holds: BTreeMap::new(),
            settled: BTreeSet::new(),
            spend: BTreeMap::new(),
            keys: BTreeMap::new(),
            open: 0,
            given: CREDIT,
            committed: 0,
            collected: 0,
            price: 0,
            tokens: 0,
            charged: 0,
        }
    }

    fn hold(&mut self, e: &HoldEntry) {
        assert!(!self.settled.contains(&e.subject), "held after it was settled");
        let [(0, tokens)] = e.units[..] else { panic!("{:?}", e.units) };
        let (key, at) = (key_number(&e.attributes["key"]), e.authorized_at);
        let held = Held { tokens, key, at, deadline: e.deadline, reserved: true };
        assert!(self.holds.insert(e.subject, held).is_none(), "held twice");
        self.open += 1;
        assert!(self.open <= OPEN, "{} calls are open", self.open);
        self.add(at, tokens);
        let used = self.keys.entry((hour(at), key)).or_default();
        *used += tokens;
        // Calls that use more than they said may pass this limit; then nobody is admitted.
        assert!(self.account.kind != Kind::Hourly || *used <= TOKENS, "{used} of {}", KEYS[key]);
    }

    /// Money that is charged or reserved.
    fn add(&mut self, at: Timestamp, money: u64) {
        let spend = self.spend.entry(hour(at)).or_default();
        *spend += money;
        self.committed += money;
        match self.account.kind {
            Kind::Hourly => assert!(*spend <= SPEND, "{spend} in an hour"),
            Kind::Credit => {
                assert!(self.committed <= self.given, "{} of {}", self.committed, self.given)
            }
            Kind::Tiers => {}
        }
    }

    fn free(&mut self, held: &Held) {
        if held.reserved {
            self.open -= 1;
            self.committed -= held.tokens;
            *self.spend.get_mut(&hour(held.at)).unwrap() -= held.tokens;
            *self.keys.get_mut(&(hour(held.at), held.key)).unwrap() -= held.tokens;
        }
    }

    fn release(&mut self, subject: Digest, reason: ReleaseReason, at: Timestamp) {
        if reason == ReleaseReason::Unknown {
            assert!(self.holds[&subject].reserved);
            return;
        }
        let held = self.holds.remove(&subject).unwrap();
        self.free(&held);
        if reason == ReleaseReason::Expired {
            assert!(held.reserved && held.deadline <= at, "expired too early, or twice");
            self.holds.insert(subject, Held { reserved: false, ..held });
        }
    }

    fn receipt(&mut self, e: &ReceiptEntry) {
        assert_eq!(e.head.kind, ReceiptKind::Call);
        assert!(self.settled.insert(e.head.subject), "charged twice");
        let held = self.holds.remove(&e.head.subject).unwrap();
        assert_eq!(held.at, e.head.authorized_at);
        self.free(&held);
        for item in &e.body.items {
            match item {
                Item::Quantity { quantity, .. } => {
                    self.tokens += quantity;
                    *self.keys.entry((hour(held.at), held.key)).or_default() += quantity;
                }
                Item::Price { exact, late, .. } => {
                    assert_eq!(*late, !held.reserved);
                    self.price += quarters(*exact);
                    self.add(held.at, quarters(*exact));
                }
                _ => {}
            }
        }
        self.charged += e.head.charge.atomic();
        assert_eq!(self.charged, e.head.cumulative.atomic());
    }

    /// What threads were told adds up to what stands in the entries.
    fn are_told(&self) {
        let told = [
            &self.account.price,
            &self.account.tokens,
            &self.account.charged,
            &self.account.receipts,
        ];
        let told = told.map(|sum| sum.load(Ordering::SeqCst));
        let charged = u64::try_from(self.charged).unwrap();
        assert_eq!(told, [self.price, self.tokens, charged, self.settled.len() as u64]);
        match self.account.kind {
            Kind::Hourly => assert_eq!(self.charged, u128::from(self.price / 4), "nothing drifts"),
            Kind::Tiers => {
                assert_eq!(self.price, tiers(self.tokens));
                assert_eq!(self.charged, u128::from(self.price / 4));
            }
            // Grants paid the rest.
            Kind::Credit => assert!(self.charged <= u128::from(self.price / 4)),
        }
    }
}
