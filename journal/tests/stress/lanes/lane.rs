//! One lane, of the lender or under a lease, and what threads were told of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use counterfoil::Digest;
use counterfoil::entry::ReceiptEntry;
use counterfoil::lease::{Lease, Statement};
use counterfoil::receipt::Item;

use super::plan::whole;
use crate::account::quarters;
use crate::call::Call;
use crate::recent::Recent;

pub(crate) struct Lane {
    /// The meter that has it: 0 lends, the others hold.
    pub(crate) meter: usize,
    /// What commands name: the subscription, or the lease.
    pub(crate) id: Digest,
    pub(crate) lane: Digest,
    pub(crate) lease: Option<Arc<Lease>>,
    /// From this instant on no statement of the lease arrives any more, in milliseconds.
    pub(crate) cut_off: u64,
    /// A call found no room in the lease.
    pub(crate) used_up: AtomicBool,
    /// Somebody set out to close it.
    pub(crate) closing: AtomicBool,
    /// Instant and sequence of the latest statement that somebody set out to bring to the lender, and
    /// whether one of them was the last.
    sent: Mutex<((u64, u64), bool)>,
    /// Charges that threads were told of, in quarters.
    pub(crate) charged: AtomicU64,
    pub(crate) recent: Recent,
}

impl Lane {
    pub(crate) fn new(meter: usize, id: Digest, lane: Digest) -> Lane {
        Lane {
            meter,
            id,
            lane,
            lease: None,
            cut_off: u64::MAX,
            used_up: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            sent: Mutex::default(),
            charged: AtomicU64::new(0),
            recent: Recent::default(),
        }
    }

    /// Whether it may take a new call.
    pub(crate) fn takes_calls(&self, now: u64) -> bool {
        let over = self.lease.as_ref().is_some_and(|lease| lease.until.millis() <= now);
        !over && !self.used_up.load(Ordering::SeqCst) && !self.closing.load(Ordering::SeqCst)
    }

    /// A statement is on its way to the lender.
    pub(crate) fn send(&self, statement: &Statement) {
        let mut sent = self.sent.lock().unwrap();
        sent.0 = sent.0.max((statement.at.millis(), statement.sequence));
        sent.1 |= statement.closed;
    }

    /// Whether a later statement than this one was on its way too.
    pub(crate) fn is_overtaken(&self, statement: &Statement) -> bool {
        self.sent.lock().unwrap().0 > (statement.at.millis(), statement.sequence)
    }

    /// Whether the last statement was on its way.
    pub(crate) fn is_last_sent(&self) -> bool {
        self.sent.lock().unwrap().1
    }

    /// Adds what a receipt charged. Returns the tokens of the call, the quarters that were not
    /// collected, and whether it was settled late.
    pub(crate) fn add(&self, receipt: &ReceiptEntry) -> (u64, u64, bool) {
        let (mut used, mut money, mut uncollected, mut expired) = (0, 0, 0, false);
        for item in &receipt.body.items {
            match item {
                Item::Quantity { quantity, .. } => used = *quantity,
                Item::Price { exact, uncollected: rest, late, .. } => {
                    (money, uncollected, expired) = (quarters(*exact), quarters(*rest), *late);
                }
                _ => {}
            }
        }
        assert_eq!(receipt.head.lane, self.lane);
        let sum = self.charged.fetch_add(money, Ordering::SeqCst) + money;
        if let Some(lease) = &self.lease {
            let (_, most) = whole(lease);
            assert!(sum <= most, "{sum} charged under a lease of {most}");
        }
        (used, uncollected, expired)
    }

    /// A thread learns what settled a call. Returns what it was.
    pub(crate) fn settle(&self, call: &Call, receipt: &ReceiptEntry) -> &'static str {
        let (used, uncollected, late) = self.add(receipt);
        assert!(used == call.used || used == call.used + 1, "{used} of {call:?}");
        match (uncollected, late) {
            (0, false) => "charged",
            (0, true) => "charged late",
            _ => "charged in part",
        }
    }
}
