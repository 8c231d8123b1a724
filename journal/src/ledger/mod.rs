//! A durable meter: the core's step machine over a [`Journal`], with signatures beside it.

mod batch;
mod open;
mod signer;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard};

use counterfoil::meter::{Command, Meter, Outcome, SignRequest, Ticket};
use counterfoil::{Address, Code, Error, Result, Signature, Timestamp};

use crate::journal::Journal;
use crate::repair::Repair;
use crate::slots::Slots;
use crate::snapshot::write_snapshot;

pub use batch::Batch;
pub use signer::Signer;
pub(crate) use signer::{is_missing, slot};
pub(crate) use snapshot::start;

/// The slot file of lane openings and receipt heads, by log position.
pub const HEADS: &str = "heads";
/// The slot file of checkpoints, by number.
pub const CHECKPOINTS: &str = "checkpoints";

/// A snapshot is written after this many entries.
const SNAPSHOT_EVERY: u64 = 100_000;

/// No snapshot is written while more signatures than this are missing: opening again asks for them.
const PENDING: usize = 10_000;

/// A meter whose every confirmed decision is on the disk. All methods may be called from any thread;
/// waiting writers share one fsync, and no lock is held while a signer runs.
///
/// A signature that a signer could not give or that could not be stored is *pending*: the entry is
/// durable and its chain goes on. [`Ledger::pending`] lists what is missing, [`Ledger::sign_pending`]
/// asks again, [`Ledger::attach`] stores what came another way, and opening the ledger asks for all
/// that is still missing then.
pub struct Ledger {
    journal: Journal,
    shared: Mutex<Shared>,
    heads: Slots,
    checkpoints: Slots,
    signer: Box<dyn Signer>,
    /// One snapshot at a time.
    snapshots: Mutex<()>,
    repaired: Option<Repair>,
}

/// Which slot a signature belongs into: whether of [`CHECKPOINTS`], and its number.
type Slot = (bool, u64);

/// What all threads share, under one lock.
pub(crate) struct Shared {
    pub(crate) meter: Meter,
    /// Steps that were proposed and not confirmed, oldest first.
    open: VecDeque<Ticket>,
    /// What was decided in steps that another batch's commit confirmed, for their own batch to read.
    ready: BTreeMap<Ticket, Outcome>,
    /// Steps whose batch was dropped: nobody will read them.
    forgotten: BTreeSet<Ticket>,
    /// Signatures that durable entries want and that are not stored.
    pub(crate) pending: BTreeMap<Slot, SignRequest>,
    /// How many signatures all entries together want in [`HEADS`].
    heads: u64,
    snapshot_at: u64,
}

impl Ledger {
    /// Decides one command durably.
    ///
    /// # Errors
    /// What is wrong with the command; [`Code::MeterStalled`] when the write failed and its fate is
    /// unknown: open the ledger anew.
    pub fn submit(&self, command: &Command, now: Timestamp) -> Result<Outcome> {
        let mut batch = self.batch();
        batch.propose(command, now)?;
        let outcome = batch.commit()?.pop();
        outcome.ok_or_else(|| Error::new(Code::StepUnknown))
    }

    /// Several commands that become durable together.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// The signatures that are missing.
    ///
    /// # Errors
    /// [`Code::MeterStalled`] after a thread panicked in here.
    pub fn pending(&self) -> Result<Vec<SignRequest>> {
        Ok(self.lock()?.pending.values().cloned().collect())
    }

    /// Asks the signer again for every missing signature, and returns how many still are.
    ///
    /// # Errors
    /// The first failure of the signer or of storing what it gave, after all were tried.
    pub fn sign_pending(&self) -> Result<usize> {
        let requests = self.pending()?;
        let failed = self.sign(requests.iter());
        let left = self.lock()?.pending.len();
        failed.map_or(Ok(left), Err)
    }

    /// Stores a signature that a signer answered later.
    ///
    /// # Errors
    /// [`Code::SignatureWrongKey`], [`Code::SignatureInvalid`], [`Code::Io`].
    pub fn attach(&self, request: &SignRequest, signature: Signature) -> Result<()> {
        self.store(request, signature)?;
        self.lock()?.pending.remove(&signer::slot(request));
        Ok(())
    }

    /// Reads the meter: totals, subscriptions, counters. `look` runs while others wait, and must not
    /// call the ledger; its panic is its caller's alone.
    ///
    /// # Errors
    /// [`Code::MeterStalled`] after a thread panicked in here.
    pub fn read<T>(&self, look: impl FnOnce(&Meter) -> T) -> Result<T> {
        let shared = self.lock()?;
        // A lock that is let go by a panic is refused from then on; but who looks leaves nothing half
        // done.
        let seen = panic::catch_unwind(AssertUnwindSafe(|| look(&shared.meter)));
        drop(shared);
        seen.map_or_else(|panic| panic::resume_unwind(panic), Ok)
    }

    /// The files beneath.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What opening cut off, if the ledger ended in a torn write.
    #[must_use]
    pub fn repaired(&self) -> Option<&Repair> {
        self.repaired.as_ref()
    }

    /// The signature in a slot of [`HEADS`].
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn head_signature(&self, position: u64) -> Result<Option<Signature>> {
        self.heads.get(position)?.map(|bytes| Signature::from_bytes(&bytes)).transpose()
    }

    /// Asks for missing signatures once more, makes them durable and writes a snapshot, so that the
    /// next opening is quick. Entries are durable without it.
    ///
    /// # Errors
    /// The signer's, [`Code::Io`], [`Code::MeterStalled`].
    pub fn close(self) -> Result<()> {
        let signed = self.sign_pending();
        self.snapshot()?;
        signed.map(drop)
    }

    pub(crate) fn signer_address(&self) -> Address {
        self.signer.address()
    }

    fn snapshot(&self) -> Result<()> {
        let _one = self.snapshots.lock().map_err(|_| Error::new(Code::MeterStalled))?;
        let (entries, bytes) = {
            let mut shared = self.lock()?;
            if shared.pending.len() > PENDING {
                return Ok(());
            }
            shared.snapshot_at = shared.meter.entries();
            (shared.snapshot_at, shared.snapshot())
        };
        // What was not pending under the lock had been stored before.
        self.heads.sync()?;
        self.checkpoints.sync()?;
        write_snapshot(self.journal.dir(), entries, &bytes)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Shared>> {
        self.shared.lock().map_err(|_| Error::new(Code::MeterStalled).because("a thread panicked"))
    }
}

impl Shared {
    /// What a meter knows whose entries want so many signatures in [`HEADS`], and all are there.
    fn of(meter: Meter, heads: u64) -> Self {
        Shared {
            snapshot_at: meter.entries(),
            meter,
            open: VecDeque::new(),
            ready: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            pending: BTreeMap::new(),
            heads,
        }
    }

    /// Confirms every step up to a ticket. From then on what it wants signed is pending.
    fn confirm_through(&mut self, last: Ticket) -> Result<()> {
        while let Some(ticket) = self.open.front().copied().filter(|ticket| *ticket <= last) {
            let outcome = self.meter.confirm(ticket)?;
            self.open.pop_front();
            if let Some(request) = outcome.sign() {
                self.want(request.clone());
            }
            if !self.forgotten.remove(&ticket) {
                self.ready.insert(ticket, outcome);
            }
        }
        Ok(())
    }

    pub(crate) fn want(&mut self, request: SignRequest) {
        if !request.is_checkpoint() {
            self.heads = self.heads.saturating_add(1);
        }
        self.pending.insert(signer::slot(&request), request);
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("journal", &self.journal).finish_non_exhaustive()
    }
}
