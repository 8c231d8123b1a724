//! What a ledger keeps in a snapshot, and where its replay starts.

use std::path::Path;

use counterfoil::meter::Meter;
use counterfoil::{Code, Error, Result};

use super::{Shared, Slot};
use crate::archive::{ARCHIVED, Base, archived_entries};
use crate::slots::Slots;
use crate::snapshot::newest_snapshot;

impl Shared {
    /// The state of the newest snapshot that can be used, or the one before the first entry.
    pub(super) fn newest(
        dir: &Path,
        entries: u64,
        salt_key: [u8; 32],
        slots: [&Slots; 2],
    ) -> Result<Shared> {
        // A snapshot is a cache: one of another version, or one whose entries lack signatures, is
        // passed over, and the replay finds what they want.
        if let Some(found) = newest_snapshot(dir, entries)?.newest
            && found.index >= archived_entries(dir)?
            && let Ok(usable) = read(&found.bytes, salt_key)
            && usable.meter.entries() == found.index
            && is_signed(&usable, slots)?
        {
            return Ok(Shared::of(usable.meter, usable.heads));
        }
        Shared::start(dir, salt_key, slots)
    }

    /// The state before the first entry that is here.
    pub(crate) fn start(dir: &Path, salt_key: [u8; 32], slots: [&Slots; 2]) -> Result<Shared> {
        let Some(base) = Base::read(dir)? else { return Ok(Shared::of(Meter::new(salt_key), 0)) };
        let usable = read_base(&base, dir, salt_key)?;
        if is_signed(&usable, slots)? {
            return Ok(Shared::of(usable.meter, usable.heads));
        }
        // Nobody can sign anew what is not here.
        Err(base.archived().because("a signature is missing that its entries want"))
    }

    /// Signatures wanted in heads ‖ number of pending ones ‖ each as (kind, slot) ‖ the meter's state.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut bytes = self.heads.to_be_bytes().to_vec();
        let pending = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&pending.to_be_bytes());
        for (of_checkpoint, slot) in self.pending.keys() {
            bytes.push(u8::from(*of_checkpoint));
            bytes.extend_from_slice(&slot.to_be_bytes());
        }
        bytes.extend_from_slice(&self.meter.snapshot());
        bytes
    }
}

/// A meter before the first entry that is here.
pub(crate) fn start(dir: &Path, salt_key: [u8; 32]) -> Result<Meter> {
    match Base::read(dir)? {
        Some(base) => Ok(read_base(&base, dir, salt_key)?.meter),
        None => Ok(Meter::new(salt_key)),
    }
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

fn read_base(base: &Base, dir: &Path, salt_key: [u8; 32]) -> Result<Usable> {
    let place = || dir.join(ARCHIVED).display().to_string();
    let usable = read(&base.state, salt_key).map_err(|e| e.within(place()))?;
    if usable.meter.entries() == base.entries && usable.pending.is_empty() {
        return Ok(usable);
    }
    Err(Error::new(Code::LedgerCorrupt).at(place()))
}

fn read(bytes: &[u8], salt_key: [u8; 32]) -> Result<Usable> {
    let short = || Error::new(Code::BytesInvalid).because("a state that ends too early");
    let (heads, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let (count, mut rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let mut pending = Vec::new();
    for _ in 0..u64::from_be_bytes(*count) {
        let (kind, after) = rest.split_first().ok_or_else(short)?;
        let (slot, after) = after.split_first_chunk::<8>().ok_or_else(short)?;
        pending.push((*kind == 1, u64::from_be_bytes(*slot)));
        rest = after;
    }
    let meter = Meter::from_snapshot(rest, salt_key)?;
    Ok(Usable { meter, heads: u64::from_be_bytes(*heads), pending })
}
