//! A durable meter: the core's step machine over a [`Journal`], with signatures beside it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use counterfoil::meter::{Command, Meter, Outcome, SignRequest, Ticket};
use counterfoil::{Address, Code, Error, LocalKey, Result, Signature, Timestamp};

use crate::journal::{Journal, Options};
use crate::reader::Reader;
use crate::repair::Repair;
use crate::slots::Slots;
use crate::snapshot::{newest_snapshot, write_snapshot};

/// The slot file of lane openings and receipt heads, by log position.
pub const HEADS: &str = "heads";
/// The slot file of checkpoints, by number.
pub const CHECKPOINTS: &str = "checkpoints";

/// A snapshot is written after this many entries, unless a signature is still missing.
const SNAPSHOT_EVERY: u64 = 100_000;

/// Signs what a meter wants signed: a key in memory, a key service, a device.
pub trait Signer: Send + Sync {
    /// Whose signatures these are.
    fn address(&self) -> Address;

    /// Signs now, or returns `None` to answer later through [`Ledger::attach`].
    ///
    /// # Errors
    /// Whatever keeps it from signing; the entry is durable all the same, and its signature pending.
    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>>;
}

impl Signer for LocalKey {
    fn address(&self) -> Address {
        LocalKey::address(self)
    }

    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>> {
        Ok(Some(LocalKey::sign(self, &request.digest)))
    }
}

/// A meter whose every confirmed decision is on the disk. All methods may be called from any thread;
/// waiting writers share one fsync, and no lock is held while a signer runs.
pub struct Ledger {
    journal: Journal,
    meter: Mutex<Meter>,
    heads: Slots,
    checkpoints: Slots,
    signer: Box<dyn Signer>,
    unsigned: AtomicU64,
    snapshot_at: AtomicU64,
}

impl Ledger {
    /// Opens the ledger in a folder, or makes an empty one there. `salt_key` must be the ledger's own
    /// from its first entry on. Signatures that a crash kept from being stored are made again.
    ///
    /// # Errors
    /// [`Code::LedgerTorn`]: see [`Ledger::repair`]. [`Code::SignatureWrongKey`] for another signer
    /// than the ledger's. [`Code::LedgerLocked`], [`Code::LedgerCorrupt`], [`Code::Io`], and the
    /// codes of entries that do not follow from each other.
    pub fn open(
        dir: impl AsRef<Path>,
        signer: Box<dyn Signer>,
        salt_key: [u8; 32],
        options: Options,
    ) -> Result<Ledger> {
        let dir = dir.as_ref();
        let journal = match Journal::open(dir, options) {
            Err(e) if e.code() == Code::LedgerMissing => Journal::create(dir, options)?,
            other => other?,
        };
        let heads = Slots::open(dir, HEADS)?;
        let checkpoints = Slots::open(dir, CHECKPOINTS)?;
        let (mut meter, covered) = start(dir, journal.durable(), salt_key)?;
        let mut missing = Vec::new();
        for entry in journal.entries(covered)? {
            let (index, bytes) = entry?;
            let wanted = meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
            if let Some(request) = wanted {
                if slot_of(&request, &heads, &checkpoints).get(request.slot)?.is_none() {
                    missing.push(request);
                }
            }
        }
        if let Some(own) = meter.signer().filter(|own| *own != signer.address()) {
            return Err(Error::new(Code::SignatureWrongKey)
                .value(signer.address())
                .because("the ledger was begun by another key")
                .at(own.to_string()));
        }
        let ledger = Ledger {
            journal,
            meter: Mutex::new(meter),
            heads,
            checkpoints,
            signer,
            unsigned: AtomicU64::new(0),
            snapshot_at: AtomicU64::new(covered),
        };
        for request in missing {
            ledger.sign(&request)?;
        }
        Ok(ledger)
    }

    /// Cuts a torn tail off, after saving it under `repairs/`. Returns `None` when there is none.
    ///
    /// # Errors
    /// [`Code::LedgerCorrupt`] when a signature exists for what would be cut: that entry was durable
    /// once, so the ledger is damaged, not torn. [`Code::LedgerLocked`], [`Code::Io`].
    pub fn repair(dir: impl AsRef<Path>) -> Result<Option<Repair>> {
        let dir = dir.as_ref();
        let mut meter = Meter::new([0; 32]);
        for entry in Reader::open(dir)?.entries(0)? {
            match entry {
                Ok((index, bytes)) => {
                    meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
                }
                Err(e) if e.code() == Code::LedgerTorn => break,
                Err(e) => return Err(e),
            }
        }
        for (name, known) in [(HEADS, meter.log_size()), (CHECKPOINTS, meter.checkpoints())] {
            let slots = Slots::open_read_only(dir, name)?;
            for slot in known..slots.len()? {
                if slots.get(slot)?.is_some() {
                    return Err(Error::new(Code::LedgerCorrupt)
                        .at(format!("{} {name} slot {slot}", dir.display()))
                        .because("what is torn was signed, so it was whole once"));
                }
            }
        }
        Journal::repair(dir)
    }

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
        Batch { ledger: self, tickets: Vec::new(), last: None }
    }

    /// Stores a signature that a signer answered later.
    ///
    /// # Errors
    /// [`Code::SignatureWrongKey`], [`Code::SignatureInvalid`], [`Code::Io`].
    pub fn attach(&self, request: &SignRequest, signature: Signature) -> Result<()> {
        self.store(request, signature)?;
        self.unsigned.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Reads the meter: totals, subscriptions, counters.
    ///
    /// # Errors
    /// [`Code::MeterStalled`] after a failed write.
    pub fn read<T>(&self, look: impl FnOnce(&Meter) -> T) -> Result<T> {
        Ok(look(&*self.lock()?))
    }

    /// The files beneath.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The signature in a slot of [`HEADS`].
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn head_signature(&self, position: u64) -> Result<Option<Signature>> {
        self.heads.get(position)?.map(|bytes| Signature::from_bytes(&bytes)).transpose()
    }

    /// Makes signatures durable and writes a snapshot. Entries are durable without it.
    ///
    /// # Errors
    /// [`Code::Io`], [`Code::MeterStalled`].
    pub fn close(self) -> Result<()> {
        self.snapshot()
    }

    fn snapshot(&self) -> Result<()> {
        self.heads.sync()?;
        self.checkpoints.sync()?;
        let (entries, bytes) = {
            let meter = self.lock()?;
            if self.unsigned.load(Ordering::SeqCst) > 0 {
                return Ok(());
            }
            (meter.entries(), meter.snapshot())
        };
        self.snapshot_at.store(entries, Ordering::SeqCst);
        write_snapshot(self.journal.dir(), entries, &bytes)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Meter>> {
        self.meter.lock().map_err(|_| Error::new(Code::MeterStalled))
    }

    fn sign(&self, request: &SignRequest) -> Result<()> {
        match self.signer.sign(request) {
            Ok(Some(signature)) => self.store(request, signature),
            Ok(None) => {
                self.unsigned.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Err(e) => {
                self.unsigned.fetch_add(1, Ordering::SeqCst);
                Err(e)
            }
        }
    }

    fn store(&self, request: &SignRequest, signature: Signature) -> Result<()> {
        let signature = request.accept(signature)?;
        slot_of(request, &self.heads, &self.checkpoints).set(request.slot, signature.bytes())
    }
}

/// Commands that become durable with one write.
pub struct Batch<'a> {
    ledger: &'a Ledger,
    tickets: Vec<Ticket>,
    last: Option<u64>,
}

impl Batch<'_> {
    /// Decides a command on everything before it, and says whether that makes an entry. What was
    /// decided is read from [`Batch::commit`].
    ///
    /// # Errors
    /// What is wrong with the command. It is then not part of the batch; the others are.
    pub fn propose(&mut self, command: &Command, now: Timestamp) -> Result<bool> {
        let mut meter = self.ledger.lock()?;
        let step = meter.propose(command, now)?;
        if let Some(entry) = &step.entry {
            // Under the meter's lock, so that entries stand in the order of their tickets.
            match self.ledger.journal.append(entry) {
                Ok(index) => self.last = Some(index),
                Err(e) => {
                    meter.abandon(step.ticket)?;
                    return Err(e);
                }
            }
        } else if self.last.is_none() {
            // A decision without an entry still rests on what others have appended.
            self.last = self.ledger.journal.len().checked_sub(1);
        }
        self.tickets.push(step.ticket);
        Ok(step.entry.is_some())
    }

    /// How many commands are in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Makes the batch durable, reads what was decided, in order, and has it signed.
    ///
    /// # Errors
    /// [`Code::MeterStalled`] when the write failed; a signer's error, after which the entries are
    /// durable and the signature pending.
    pub fn commit(self) -> Result<Vec<Outcome>> {
        let ledger = self.ledger;
        if let Some(last) = self.last {
            if let Err(e) = ledger.journal.flush_through(last) {
                ledger.lock()?.stall();
                return Err(e);
            }
        }
        let mut outcomes = Vec::with_capacity(self.tickets.len());
        let mut due = false;
        {
            let mut meter = ledger.lock()?;
            for ticket in &self.tickets {
                outcomes.push(meter.confirm(*ticket)?);
            }
            let since = meter.entries().saturating_sub(ledger.snapshot_at.load(Ordering::SeqCst));
            due |= since >= SNAPSHOT_EVERY;
        }
        for outcome in &outcomes {
            if let Some(request) = outcome.sign() {
                ledger.sign(request)?;
            }
        }
        if due {
            ledger.snapshot()?;
        }
        Ok(outcomes)
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// The newest snapshot that can be used, and how many entries it covers.
fn start(dir: &Path, entries: u64, salt_key: [u8; 32]) -> Result<(Meter, u64)> {
    if let Some(found) = newest_snapshot(dir, entries)?.newest {
        // A snapshot is a cache: one of another version, or a broken one, is passed over.
        if let Ok(meter) = Meter::from_snapshot(&found.bytes, salt_key) {
            if meter.entries() == found.index {
                return Ok((meter, found.index));
            }
        }
    }
    Ok((Meter::new(salt_key), 0))
}

fn slot_of<'a>(request: &SignRequest, heads: &'a Slots, checkpoints: &'a Slots) -> &'a Slots {
    if request.is_checkpoint() { checkpoints } else { heads }
}
