//! One writer at a time.

use std::fs::{File, OpenOptions};
use std::path::Path;

use counterfoil::{Code, Error, Result};
use fs4::{FileExt, TryLockError};

use crate::archive::ARCHIVE;
use crate::files::io;

/// An exclusive advisory lock on the `lock` file of a ledger, held until dropped or the process ends.
/// Nobody gets that of an archive.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "holds the lock")] File);

impl Lock {
    pub(crate) fn take(ledger: &Path) -> Result<Self> {
        let archive = ledger.join(ARCHIVE);
        if archive.try_exists().map_err(io(&archive))? {
            return Err(Error::new(Code::LedgerArchived)
                .at(ledger.display().to_string())
                .because("an archive is only read"));
        }
        let path = ledger.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(io(&path))?;
        // Named in full: a newer standard library has a method of the same name.
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(Code::LedgerLocked).at(ledger.display().to_string()))
            }
            Err(TryLockError::Error(error)) => Err(io(&path)(error)),
        }
    }
}
