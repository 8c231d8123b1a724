//! The entries of all ledgers, one after the other: what each lane charged, what of it counts for the
//! payer, and that no limit is passed by it after any entry of the lender.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use counterfoil::entry::{Entry, ReceiptEntry};
use counterfoil::lease::{Lease, Statement};
use counterfoil::receipt::{Item, Kind};
use counterfoil::settlement::Duplicates;
use counterfoil::{Digest, Meter};

use super::lane::Lane;
use super::plan::{GRACE, SPEND, TOKENS, cost, lease_cost, stated, whole};
use crate::account::{hour, quarters};
use crate::walk::audit;

/// One lane, receipt by receipt.
#[derive(Default)]
struct Charged {
    subjects: BTreeSet<Digest>,
    /// After each receipt, and before the first: quarters and tokens.
    sums: Vec<(u64, u64)>,
    /// What its lease allows, in quarters.
    most: Option<u64>,
}

/// What counts for the payer in one hour.
#[derive(Default)]
struct Hour {
    /// Charged by the lender and by lanes that came back, and what others may still charge.
    spend: u64,
    /// Tokens that the limit counts of all these.
    counted: u64,
    /// Tokens that were used.
    tokens: u64,
    /// Charged, or not charged because of a limit.
    billed: u64,
    /// Given back at the close.
    credited: u64,
    /// Tokens that are lent, and what they cost at most.
    out: (u64, u64),
}

#[derive(Default)]
pub(crate) struct Check {
    duplicates: Duplicates,
    lanes: BTreeMap<Digest, Charged>,
    /// The lender's lane.
    own: Option<Digest>,
    hours: BTreeMap<usize, Hour>,
    /// Leases that are out, with their last statement.
    out: BTreeMap<Digest, (Arc<Lease>, Option<Statement>)>,
    /// What calls of the lender reserved of the limit on tokens.
    held: BTreeMap<Digest, u64>,
    pub(crate) entries: u64,
    pub(crate) receipts: u64,
    /// Leases that were returned, reclaimed at a statement, and reclaimed without one.
    pub(crate) returned: u64,
    pub(crate) reclaimed: u64,
    pub(crate) lost: u64,
}

impl Check {
    /// Audits a ledger with its signatures; the lender's after those of the holders. Returns the fold of
    /// its entries.
    pub(crate) fn ledger(&mut self, folder: &Path) -> Meter {
        let (fold, receipts) = audit(folder, |entry| {
            self.duplicates.add(entry).unwrap();
            self.entry(entry);
            self.entries += 1;
        });
        self.receipts += receipts;
        fold
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Open(e) => {
                if e.lease.is_none() {
                    self.own = Some(e.lane.digest());
                }
                let lease = e.lease.as_ref().map(|signed| &signed.lease);
                let most = lease.map(|lease| whole(lease).1);
                let charged = Charged { sums: vec![(0, 0)], most, ..Charged::default() };
                assert!(self.lanes.insert(e.lane.digest(), charged).is_none(), "opened twice");
            }
            Entry::Hold(e) if self.own == Some(e.lane) => {
                let [(_, tokens)] = e.limited[..] else { panic!("{:?}", e.limited) };
                self.held.insert(e.subject, tokens);
            }
            Entry::Receipt(e) => self.receipt(e),
            Entry::Leased(lease) => {
                let (tokens, money) = whole(lease);
                let hour = self.hours.entry(hour(lease.at)).or_default();
                hour.spend += money;
                hour.counted += lease.limits[0].most;
                hour.out = (hour.out.0 + tokens, hour.out.1 + money);
                hour.is_within_limits();
                self.out.insert(lease.digest(), (Arc::clone(lease), None));
            }
            Entry::Absorbed(e) => {
                let statement = &e.statement;
                let (lease, last) = self.out.get_mut(&statement.lease).unwrap();
                let sequence = usize::try_from(statement.sequence).unwrap();
                let (charged, tokens) = self.lanes[&statement.lane].sums[sequence];
                assert_eq!(stated(statement), charged, "charged up to the statement");
                assert_eq!(charged, lease_cost(lease, statement.units[0]));
                assert_eq!(statement.units[0], tokens.min(lease.charges[0].units));
                *last = Some(statement.clone());
                if statement.closed {
                    assert_eq!(
                        sequence + 1,
                        self.lanes[&statement.lane].sums.len(),
                        "the last one"
                    );
                    self.returned += 1;
                    self.take_back(statement.lease);
                }
            }
            Entry::Reclaimed(e) => {
                let (lease, last) = &self.out[&e.lease];
                assert!(lease.until.millis() + GRACE <= e.at.millis(), "reclaimed too early");
                *if last.is_some() { &mut self.reclaimed } else { &mut self.lost } += 1;
                self.take_back(e.lease);
            }
            _ => {}
        }
    }

    /// From here on a lease counts as it was stated.
    fn take_back(&mut self, id: Digest) {
        let (lease, last) = self.out.remove(&id).unwrap();
        let (tokens, money) = whole(&lease);
        let hour = self.hours.get_mut(&hour(lease.at)).unwrap();
        hour.spend -= money;
        hour.counted -= lease.limits[0].most;
        hour.out = (hour.out.0 - tokens, hour.out.1 - money);
        let Some(last) = last else { return };
        hour.spend += stated(&last);
        hour.billed += stated(&last);
        hour.counted += last.counted[0];
        hour.tokens += last.units[0];
        hour.is_within_limits();
    }

    fn receipt(&mut self, e: &ReceiptEntry) {
        let lane = self.lanes.get_mut(&e.head.lane).unwrap();
        let (mut money, mut tokens) = *lane.sums.last().unwrap();
        let (mut uncollected, mut expired) = (0, false);
        for item in &e.body.items {
            match item {
                Item::Quantity { quantity, .. } => tokens += quantity,
                Item::Price { exact, uncollected: rest, late, .. } => {
                    money += quarters(*exact);
                    (uncollected, expired) = (quarters(*rest), *late);
                }
                Item::Correction { window, exact, .. } => {
                    self.hours.get_mut(&hour(window.start)).unwrap().credited += quarters(*exact);
                }
                _ => {}
            }
        }
        if e.head.kind == Kind::Call {
            assert!(lane.subjects.insert(e.head.subject), "charged twice in one lane");
        }
        if let Some(most) = lane.most {
            let full = if uncollected > 0 { most } else { money };
            assert!(
                money == full && money <= most,
                "{money}, {uncollected} under a lease of {most}"
            );
        }
        let (charged, used) = *lane.sums.last().unwrap();
        lane.sums.push((money, tokens));
        let at = hour(e.head.authorized_at);
        // Of leases, what counts is what arrives.
        if self.own == Some(e.head.lane) && e.head.kind != Kind::TrueUp {
            let elsewhere = self.hours.range(at.saturating_sub(2)..at + 2);
            let elsewhere = elsewhere.filter(|(other, _)| **other != at);
            let short: u64 = elsewhere.map(|(_, hour)| hour.short()).sum();
            let hour = self.hours.entry(at).or_default();
            hour.spend += money - charged;
            hour.billed += money - charged + uncollected;
            hour.tokens += tokens - used;
            // Tokens above the hold, and those of a hold that was free again, may pass their limit.
            let held = self.held.remove(&e.head.subject).unwrap_or(0);
            // The promise of a hold: what it reserved is charged in full, but for what other windows are
            // short of, which R-LEASE-034 reserves under every limit.
            let kept = expired || tokens - used > held || uncollected <= short;
            assert!(kept, "{uncollected} not collected, {short} short in other hours: {e:?}");
            hour.counted += if expired { 0 } else { held.min(tokens - used) };
            hour.is_within_limits();
        }
    }

    /// Once all leases are back and all windows closed: nothing is missing, nothing was charged twice.
    pub(crate) fn end(
        &self,
        lanes: &[Arc<Lane>],
        charged_twice: &BTreeMap<Digest, BTreeSet<Digest>>,
    ) {
        assert!(self.out.is_empty(), "{} leases are out", self.out.len());
        for (number, hour) in &self.hours {
            let billed = hour.billed - hour.credited;
            assert_eq!(billed, cost(hour.tokens), "{} tokens in hour {number}", hour.tokens);
        }
        for lane in lanes {
            let told = lane.charged.load(Ordering::SeqCst);
            assert_eq!(told, self.lanes[&lane.lane].sums.last().unwrap().0, "told");
        }
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for duplicate in self.duplicates.list().unwrap() {
            let lanes = found.entry(duplicate.subject).or_default();
            lanes.extend([duplicate.kept.lane, duplicate.extra.lane]);
        }
        let expected = charged_twice.iter().filter(|(_, lanes)| lanes.len() > 1);
        let expected = expected.map(|(subject, lanes)| (*subject, lanes.clone())).collect();
        assert_eq!(found, expected, "charged twice");
    }
}

impl Hour {
    /// What leases that came back left unbilled, in quarters.
    fn short(&self) -> u64 {
        let billed = self.billed + self.out.1 - self.credited;
        cost(self.tokens + self.out.0).saturating_sub(billed)
    }

    fn is_within_limits(&self) {
        assert!(self.spend <= SPEND, "{} spent in an hour", self.spend);
        assert!(self.counted <= TOKENS, "{} tokens in an hour", self.counted);
    }
}
