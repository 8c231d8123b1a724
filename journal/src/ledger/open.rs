//! Opening a ledger: repair, replay, and the signatures that are missing.

use std::path::Path;
use std::sync::Mutex;

use counterfoil::{Code, Error, Result};

use super::{CHECKPOINTS, HEADS, Ledger, Shared, Signer, signer};
use crate::backup::is_restored;
use crate::journal::{Journal, Options};
use crate::reader::Reader;
use crate::repair::Repair;
use crate::slots::Slots;

impl Ledger {
    /// Opens the ledger in a folder, or makes an empty one there. `salt_key` must be the ledger's own
    /// from its first entry on.
    ///
    /// A torn tail, which a crash may leave, is cut off as [`Ledger::repair`] does, and
    /// [`Ledger::repaired`] tells of it. Signatures that a crash kept from being stored are made
    /// again.
    ///
    /// # Errors
    /// [`Code::SignatureWrongKey`] for another signer than the ledger's. [`Code::LedgerCorrupt`] for
    /// damage, and where a signature or a snapshot proves that there were other or more entries.
    /// [`Code::LedgerLocked`], [`Code::Io`], and the codes of entries that do not follow from each
    /// other.
    pub fn open(
        dir: impl AsRef<Path>,
        signer: Box<dyn Signer>,
        salt_key: [u8; 32],
        options: Options,
    ) -> Result<Ledger> {
        let dir = dir.as_ref();
        let (journal, repaired) = match Journal::open(dir, options) {
            Err(e) if e.code() == Code::LedgerMissing => (Journal::create(dir, options)?, None),
            Err(e) if e.code() == Code::LedgerTorn => {
                let repaired = Ledger::repair(dir)?;
                (Journal::open(dir, options)?, repaired)
            }
            other => (other?, None),
        };
        let heads = Slots::open(dir, HEADS)?;
        let checkpoints = Slots::open(dir, CHECKPOINTS)?;
        let slots = [&heads, &checkpoints];
        let mut shared = Shared::newest(dir, journal.durable(), salt_key, slots)?;
        for entry in journal.entries(shared.meter.entries())? {
            let (index, bytes) = entry?;
            let place = |e: Error| e.within(format!("entry {index}"));
            if let Some(request) = shared.meter.replay(&bytes).map_err(place)? {
                let missing = signer::is_missing(&request, &heads, &checkpoints).map_err(place)?;
                let slot = signer::slot(&request);
                shared.want(request);
                if !missing {
                    shared.pending.remove(&slot);
                }
            }
        }
        if let Some(own) = shared.meter.signer().filter(|own| *own != signer.address()) {
            return Err(Error::new(Code::SignatureWrongKey)
                .value(signer.address())
                .because("the ledger was begun by another key")
                .at(own.to_string()));
        }
        let ends = [(&heads, shared.meter.log_size()), (&checkpoints, shared.meter.checkpoints())];
        for (slots, end) in ends {
            if journal.is_restored()? {
                slots.clear_from(end)?;
            }
            nothing_beyond(slots, end)?;
        }
        let ledger = Ledger {
            journal,
            shared: Mutex::new(shared),
            heads,
            checkpoints,
            signer,
            snapshots: Mutex::new(()),
            repaired,
        };
        // What cannot be signed now stays pending.
        let _ = ledger.sign_pending()?;
        Ok(ledger)
    }

    /// Cuts a torn tail off, after saving it under `repairs/`. Returns `None` when there is none.
    ///
    /// # Errors
    /// [`Code::LedgerCorrupt`] when a signature or a snapshot proves that what would be cut was whole
    /// once: the ledger is damaged then, not torn. [`Code::LedgerLocked`], [`Code::Io`].
    pub fn repair(dir: impl AsRef<Path>) -> Result<Option<Repair>> {
        let dir = dir.as_ref();
        let reader = Reader::open(dir)?;
        let mut meter = reader.start()?;
        for entry in reader.entries(meter.entries())? {
            match entry {
                Ok((index, bytes)) => {
                    meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
                }
                Err(e) if e.code() == Code::LedgerTorn => break,
                Err(e) => return Err(e),
            }
        }
        // A backup may have been copied while its ledger grew.
        if !is_restored(dir)? {
            nothing_beyond(&Slots::open_read_only(dir, HEADS)?, meter.log_size())?;
            nothing_beyond(&Slots::open_read_only(dir, CHECKPOINTS)?, meter.checkpoints())?;
        }
        Journal::repair(dir)
    }
}

/// Refuses signatures of entries that are not there.
fn nothing_beyond(slots: &Slots, end: u64) -> Result<()> {
    for slot in end..slots.len()? {
        if slots.get(slot)?.is_some() {
            return Err(Error::new(Code::LedgerCorrupt)
                .at(slots.place(slot))
                .because("a signature of an entry that is missing"));
        }
    }
    Ok(())
}
