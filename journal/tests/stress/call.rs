//! One call, which any thread may authorise, settle or release at any time, and what was told of it.

use std::sync::{Mutex, MutexGuard};

use counterfoil::entry::ReleaseReason;
use counterfoil::meter::{Command, Replay, Request, Settle};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, Timestamp, Usage};

use crate::account::{Account, KEYS};
use crate::random::Random;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    /// When somebody thought of it, in milliseconds.
    pub(crate) made: u64,
    pub(crate) key: usize,
    /// The most tokens that it may use.
    pub(crate) most: u64,
    /// What it uses: less, the same, or more. Now and then somebody says one more.
    pub(crate) used: u64,
    told: Mutex<Told>,
}

/// What threads were told, and what they set out to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) authorized: bool,
    pub(crate) charged: bool,
    pub(crate) released: bool,
    /// The digest of its receipt, told first or repeated; and when.
    pub(crate) receipt: Option<(Digest, Timestamp)>,
    pub(crate) release_tried: bool,
    pub(crate) another_tried: bool,
    /// The hold counts in the tally, since this instant.
    counted: Option<Timestamp>,
    /// Somebody did what may end the hold: it does not come back into the tally.
    ended: bool,
}

impl Call {
    pub(crate) fn new(number: u64, made: u64, random: &mut Random) -> Call {
        let most = 1 + random.below(40);
        let used = match random.below(10) {
            0..5 => random.below(most),
            5..8 => most,
            _ => most + 1 + random.below(10),
        };
        // The first key comes to its limit before the money does.
        let key = usize::try_from(random.below(7)).unwrap().saturating_sub(3);
        Call { id: format!("request {number}"), made, key, most, used, told: Mutex::default() }
    }

    /// The same call, for another lane.
    pub(crate) fn again(&self) -> Call {
        Call { id: self.id.clone(), told: Mutex::default(), ..*self }
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    pub(crate) fn settled(&self) -> Option<(Digest, Timestamp)> {
        self.told().receipt
    }

    /// A thread learns of the hold.
    pub(crate) fn hold(&self, account: &Account, at: Timestamp) {
        let mut told = self.told();
        assert!(!told.authorized, "authorised twice: {self:?}");
        told.authorized = true;
        if !told.ended {
            account.hold(self, at);
            told.counted = Some(at);
        }
    }

    /// Takes the hold out of the tally, before it can end.
    pub(crate) fn end(&self, account: &Account) {
        let mut told = self.told();
        told.ended = true;
        if let Some(at) = told.counted.take() {
            account.free(self, at);
        }
    }

    /// A thread learns which receipt settled the call.
    pub(crate) fn receipt(&self, receipt: Digest, now: Timestamp) {
        let mut told = self.told();
        assert!(!told.released, "released and settled: {self:?}");
        match told.receipt {
            Some((known, _)) => assert_eq!(known, receipt, "two receipts"),
            None => told.receipt = Some((receipt, now)),
        }
    }

    /// An authorize is answered by what came of an earlier one.
    pub(crate) fn replayed(&self, before: &Told, replay: &Replay, now: Timestamp) -> &'static str {
        match replay {
            Replay::Held(_) => {
                assert!(before.receipt.is_none() && !before.released, "held again: {self:?}");
                "held"
            }
            Replay::Settled { receipt } => {
                self.receipt(*receipt, now);
                "settled"
            }
            Replay::Released => {
                assert!(self.told().release_tried, "released by nobody: {self:?}");
                "released"
            }
        }
    }

    fn usage(&self, tokens: u64) -> Usage {
        let mut usage = Usage::new(Surface::Plain, Basis::Measured);
        usage.set("t", tokens).unwrap();
        usage
    }

    pub(crate) fn authorize(&self, subscription: Digest) -> Command {
        let mut most = self.usage(self.most);
        most.set_attribute("key", KEYS[self.key]).unwrap();
        let id = self.id.clone();
        Command::Authorize(Request::new(subscription, id, most))
    }

    pub(crate) fn settle(&self, subscription: Digest, another: bool) -> Command {
        let usage = self.usage(self.used + u64::from(another));
        Command::Settle(Settle { subscription, id: self.id.clone(), usage, content: Digest::ZERO })
    }

    pub(crate) fn extend(&self, subscription: Digest) -> Command {
        Command::Extend { subscription, id: self.id.clone(), most: None }
    }

    pub(crate) fn release(&self, subscription: Digest, reason: ReleaseReason) -> Command {
        Command::Release { subscription, id: self.id.clone(), reason }
    }
}
