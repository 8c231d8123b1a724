//! Opening a ledger to write to it.

use std::path::Path;
use std::sync::Arc;

use counterfoil::Code;
use counterfoil_journal::{Ledger, Options};

use crate::exit::{Ended, Failure};
use crate::io::warn;
use crate::keys::Keys;

/// Opens or makes a ledger, and tells of what had to be repaired.
pub(crate) fn open(dir: &Path, keys: &Keys) -> Ended<Ledger> {
    let signer = Box::new(Arc::clone(&keys.signing));
    let opened = Ledger::open(dir, signer, keys.salt, Options::default());
    let ledger = opened.map_err(|e| match e.code() {
        // The key that was handed over is the wrong one; the ledger is what it claims.
        Code::SignatureWrongKey => Failure::refused(e),
        _ => Failure::of_ledger(e),
    })?;
    if let Some(repair) = ledger.repaired() {
        warn(&format!(
            "the ledger ended in a torn write: {} bytes after entry {} were cut off and kept in {}",
            repair.bytes,
            repair.entries,
            repair.kept.display()
        ));
    }
    Ok(ledger)
}
