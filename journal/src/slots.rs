//! Signature slots: fixed records beside the entries.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use counterfoil::{Code, Error, Result};

use crate::files::{io, make_dir, sync_dir};

/// The name of the folder of slot files.
pub(crate) const FOLDER: &str = "signatures";

/// The bytes of a slot.
const SLOT: usize = 65;
const SLOT_LEN: u64 = 65;
const EMPTY: [u8; SLOT] = [0; SLOT];

/// A file of 65-byte slots, numbered from 0. A slot is set or empty (all zeros).
///
/// A slot can always be made again from the entries, so that setting one needs no order and no sync
/// of its own; one that a crash left half written holds a signature that does not verify.
#[derive(Debug)]
pub struct Slots {
    path: PathBuf,
    /// None if there is no file to read.
    file: Option<Mutex<File>>,
}

impl Slots {
    /// Opens the slots of this name in a ledger for reading and setting; makes the file if need be.
    ///
    /// # Errors
    /// [`Code::Arguments`] if the name has other characters than `a` to `z` and `_`; [`Code::Io`].
    pub fn open(dir: impl AsRef<Path>, name: &str) -> Result<Self> {
        let path = path_of(dir.as_ref(), name)?;
        let folder = dir.as_ref().join(FOLDER);
        make_dir(&folder)?;
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(io(&path))?;
        sync_dir(&folder)?;
        Ok(Slots { path, file: Some(Mutex::new(file)) })
    }

    /// Opens the slots of this name for reading alone. If there is no file, all of them are empty.
    ///
    /// # Errors
    /// As [`Slots::open`].
    pub fn open_read_only(dir: impl AsRef<Path>, name: &str) -> Result<Self> {
        let path = path_of(dir.as_ref(), name)?;
        match File::open(&path) {
            Ok(file) => Ok(Slots { path, file: Some(Mutex::new(file)) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Slots { path, file: None }),
            Err(error) => Err(io(&path)(error)),
        }
    }

    /// The content of a slot; none if it is empty or beyond the end.
    ///
    /// # Errors
    /// [`Code::LogRange`] if no file can have that slot; [`Code::Io`].
    pub fn get(&self, slot: u64) -> Result<Option<[u8; SLOT]>> {
        let start = start_of(slot)?;
        let Some(mut file) = self.lock() else { return Ok(None) };
        file.seek(SeekFrom::Start(start)).map_err(io(&self.path))?;
        let mut content = EMPTY;
        match file.read_exact(&mut content) {
            Ok(()) => Ok(Some(content).filter(|content| *content != EMPTY)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(io(&self.path)(error)),
        }
    }

    /// Sets a slot. It is durable after the next [`Slots::sync`].
    ///
    /// # Errors
    /// [`Code::LogRange`] if no file can have that slot; [`Code::Io`], also if it was opened for
    /// reading alone.
    pub fn set(&self, slot: u64, content: &[u8; SLOT]) -> Result<()> {
        let start = start_of(slot)?;
        let mut file = self.lock().ok_or_else(|| self.absent())?;
        file.seek(SeekFrom::Start(start)).map_err(io(&self.path))?;
        file.write_all(content).map_err(io(&self.path))
    }

    /// The number of slots up to the last one that was set, one half written included.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn len(&self) -> Result<u64> {
        let Some(file) = self.lock() else { return Ok(0) };
        Ok(file.metadata().map_err(io(&self.path))?.len().div_ceil(SLOT_LEN))
    }

    /// Whether no slot was ever set.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn is_empty(&self) -> Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Makes all slots that were set durable.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn sync(&self) -> Result<()> {
        match self.lock() {
            Some(file) => file.sync_data().map_err(io(&self.path)),
            None => Ok(()),
        }
    }

    /// How many slots before `end` are set.
    pub(crate) fn count(&self, end: u64) -> Result<u64> {
        let Some(mut file) = self.lock() else { return Ok(0) };
        file.seek(SeekFrom::Start(0)).map_err(io(&self.path))?;
        let mut file = BufReader::with_capacity(1 << 16, &mut *file);
        let (mut content, mut set) = (EMPTY, 0_u64);
        for _ in 0..end {
            match file.read_exact(&mut content) {
                Ok(()) => set = set.saturating_add(u64::from(content != EMPTY)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(io(&self.path)(error)),
            }
        }
        Ok(set)
    }

    /// The bytes of the first `end` slots; fewer where the file ends before.
    pub(crate) fn first(&self, end: u64) -> Result<Vec<u8>> {
        let length = start_of(end)?;
        let mut bytes = Vec::new();
        if let Some(mut file) = self.lock() {
            file.seek(SeekFrom::Start(0)).map_err(io(&self.path))?;
            (&mut *file).take(length).read_to_end(&mut bytes).map_err(io(&self.path))?;
        }
        Ok(bytes)
    }

    /// Empties every slot from `end` on.
    pub(crate) fn clear_from(&self, end: u64) -> Result<()> {
        let start = start_of(end)?;
        let file = self.lock().ok_or_else(|| self.absent())?;
        if file.metadata().map_err(io(&self.path))?.len() > start {
            file.set_len(start).and_then(|()| file.sync_all()).map_err(io(&self.path))?;
        }
        Ok(())
    }

    /// A slot as errors name it.
    pub(crate) fn place(&self, slot: u64) -> String {
        format!("{} slot {slot}", self.path.display())
    }

    fn lock(&self) -> Option<MutexGuard<'_, File>> {
        self.file.as_ref().map(|file| file.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn absent(&self) -> Error {
        Error::new(Code::Io).at(self.path.display().to_string()).because("opened for reading")
    }
}

fn path_of(ledger: &Path, name: &str) -> Result<PathBuf> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        Ok(ledger.join(FOLDER).join(name))
    } else {
        Err(Error::new(Code::Arguments).value(name).because("not a name of slots"))
    }
}

fn start_of(slot: u64) -> Result<u64> {
    let start = slot.checked_mul(SLOT_LEN).filter(|start| i64::try_from(*start).is_ok());
    start.ok_or_else(|| Error::new(Code::LogRange).value(slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_what_was_set() {
        let dir = tempfile::tempdir().unwrap();
        let absent = Slots::open_read_only(dir.path(), "receipts").unwrap();
        assert_eq!((absent.get(0), absent.len()), (Ok(None), Ok(0)));
        assert_eq!(absent.set(0, &[1; 65]).unwrap_err().code(), Code::Io);

        let slots = Slots::open(dir.path(), "receipts").unwrap();
        assert_eq!(slots.is_empty(), Ok(true));
        slots.set(3, &[3; 65]).unwrap();
        slots.set(1, &[1; 65]).unwrap();
        slots.sync().unwrap();
        drop(slots);
        let slots = Slots::open(dir.path(), "receipts").unwrap();
        let all: Vec<_> = (0..5).map(|n| slots.get(n).unwrap()).collect();
        assert_eq!(all, [None, Some([1; 65]), None, Some([3; 65]), None]);
        assert_eq!(slots.len(), Ok(4));
        assert_eq!(slots.get(u64::MAX).unwrap_err().code(), Code::LogRange);

        let reader = Slots::open_read_only(dir.path(), "receipts").unwrap();
        assert_eq!(reader.get(3), Ok(Some([3; 65])));
        assert_eq!(reader.set(3, &[4; 65]).unwrap_err().code(), Code::Io);
        for name in ["", "../x", "A"] {
            assert_eq!(Slots::open(dir.path(), name).unwrap_err().code(), Code::Arguments);
        }
    }
}
