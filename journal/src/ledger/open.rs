//! Opening a ledger: repair, replay, and the signatures that are missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use counterfoil::meter::Meter;
use counterfoil::{Code, Error, Result};

use super::{CHECKPOINTS, HEADS, Ledger, Shared, Signer, Slot, signer};
use crate::backup::is_restored;
use crate::journal::{Journal, Options};
use crate::reader::Reader;
use crate::repair::Repair;
use crate::slots::Slots;
use crate::snapshot::newest_snapshot;

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
        let (mut shared, covered) =
            start(dir, journal.durable(), salt_key, [&heads, &checkpoints])?;
        for entry in journal.entries(covered)? {
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

/// The state of the newest snapshot that can be used, and how many entries it covers.
fn start(
    dir: &Path,
    entries: u64,
    salt_key: [u8; 32],
    slots: [&Slots; 2],
) -> Result<(Shared, u64)> {
    let mut shared = Shared {
        meter: Meter::new(salt_key),
        open: VecDeque::new(),
        ready: BTreeMap::new(),
        forgotten: BTreeSet::new(),
        pending: BTreeMap::new(),
        heads: 0,
        snapshot_at: 0,
    };
    let Some(found) = newest_snapshot(dir, entries)?.newest else { return Ok((shared, 0)) };
    // A snapshot is a cache: one of another version, or one whose entries lack signatures, is passed
    // over, and the replay finds what they want.
    if let Some(usable) = read(&found.bytes, salt_key)
        && usable.meter.entries() == found.index
        && is_signed(&usable, slots)?
    {
        shared.meter = usable.meter;
        shared.heads = usable.heads;
        shared.snapshot_at = found.index;
        return Ok((shared, found.index));
    }
    Ok((shared, 0))
}

struct Usable {
    meter: Meter,
    heads: u64,
    pending: Vec<Slot>,
}

/// Whether every signature that the entries want is there.
fn is_signed(usable: &Usable, [heads, checkpoints]: [&Slots; 2]) -> Result<bool> {
    for (of_checkpoint, slot) in &usable.pending {
        if (if *of_checkpoint { checkpoints } else { heads }).get(*slot)?.is_none() {
            return Ok(false);
        }
    }
    let made = usable.meter.checkpoints();
    Ok(heads.count(usable.meter.log_size())? == usable.heads && checkpoints.count(made)? == made)
}

/// Signatures wanted in heads ‖ number of pending ones ‖ each as (kind, slot) ‖ the meter's state.
pub(super) fn snapshot_of(shared: &Shared) -> Vec<u8> {
    let mut bytes = shared.heads.to_be_bytes().to_vec();
    let pending = u64::try_from(shared.pending.len()).unwrap_or(u64::MAX);
    bytes.extend_from_slice(&pending.to_be_bytes());
    for (of_checkpoint, slot) in shared.pending.keys() {
        bytes.push(u8::from(*of_checkpoint));
        bytes.extend_from_slice(&slot.to_be_bytes());
    }
    bytes.extend_from_slice(&shared.meter.snapshot());
    bytes
}

fn read(bytes: &[u8], salt_key: [u8; 32]) -> Option<Usable> {
    let (heads, rest) = bytes.split_first_chunk::<8>()?;
    let (count, mut rest) = rest.split_first_chunk::<8>()?;
    let mut pending = Vec::new();
    for _ in 0..u64::from_be_bytes(*count) {
        let (kind, after) = rest.split_first()?;
        let (slot, after) = after.split_first_chunk::<8>()?;
        pending.push((*kind == 1, u64::from_be_bytes(*slot)));
        rest = after;
    }
    let meter = Meter::from_snapshot(rest, salt_key).ok()?;
    Some(Usable { meter, heads: u64::from_be_bytes(*heads), pending })
}
