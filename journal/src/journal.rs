//! The journal: a ledger open for appending.

use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::{Code, Error, Result};

use crate::backup::{self, RESTORED};
use crate::commit::Commit;
use crate::files::{io, make_dir, names, sync_dir};
use crate::lock::Lock;
use crate::reader::Entries;
use crate::segment::{self, FOLDER, Segment};
use crate::shards::SHARDS;
use crate::snapshot;

/// How a journal writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// An entry goes to a new segment once the last one has at least this many bytes. 64 MiB unless
    /// set; it must stay the same where the bytes of two ledgers are compared.
    pub segment_bytes: u64,
    /// Whether to wait for the disk. Off, a crash of the machine may lose what was called durable:
    /// for tests and for what can be made again.
    pub fsync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { segment_bytes: 64 << 20, fsync: true }
    }
}

/// A ledger open for appending, by one process at a time. All methods may be called from any thread.
///
/// Dropping it releases the ledger. What was appended and not flushed is then lost, as in a crash.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    commit: Commit,
    _lock: Lock,
}

impl Journal {
    /// Makes a new, empty ledger in a folder, which is made if need be.
    ///
    /// # Errors
    /// [`Code::LedgerExists`] if there is a ledger already, or a root of [`Shards`](crate::Shards);
    /// [`Code::LedgerLocked`]; [`Code::Io`].
    pub fn create(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        let shards = dir.join(SHARDS);
        if shards.try_exists().map_err(io(&shards))? {
            return Err(exists(dir, "ledgers, one for each shard"));
        }
        make_dir(&dir.join(FOLDER))?;
        let lock = Lock::take(dir)?;
        if !names(&dir.join(FOLDER))?.is_empty() {
            return Err(exists(dir, "a ledger"));
        }
        Segment::at(dir, 0).create(options.fsync)?;
        sync_dir(dir)?;
        Self::resume(dir, options, lock)
    }

    /// Opens a ledger to append to it. The last segment is read through; damage in earlier ones is
    /// found when they are [read](Journal::entries).
    ///
    /// # Errors
    /// [`Code::LedgerTorn`] if it ends in a torn write: see [`Journal::repair`].
    /// [`Code::LedgerCorrupt`] for damage, also where a snapshot shows that there were more entries.
    /// [`Code::LedgerMissing`], [`Code::LedgerLocked`], [`Code::Io`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        segment::list(dir)?;
        Self::resume(dir, options, Lock::take(dir)?)
    }

    fn resume(dir: &Path, options: Options, lock: Lock) -> Result<Self> {
        let last = last_segment(dir)?;
        let mut tail = segment::tail_of(&last)?;
        match tail.torn.take() {
            Some(torn) => Err(torn),
            None => {
                snapshot::none_beyond(dir, tail.next)?;
                let commit = Commit::new(dir.to_path_buf(), options, last, &tail)?;
                Ok(Journal { dir: dir.to_path_buf(), commit, _lock: lock })
            }
        }
    }

    /// Appends an entry and returns its index. This orders it in memory and does no more: it is
    /// durable once [`Journal::flush_through`] has returned for its index or a later one.
    ///
    /// # Errors
    /// [`Code::BytesInvalid`] if the entry is empty or longer than 16 MiB; [`Code::MeterStalled`]
    /// after a failed write.
    pub fn append(&self, payload: &[u8]) -> Result<u64> {
        self.commit.append(payload)
    }

    /// Waits until the entry at `index`, and with it all before, is durable. One of the waiting
    /// threads writes and syncs everything appended so far, for all of them.
    ///
    /// # Errors
    /// [`Code::LogRange`] if there is no such entry. [`Code::MeterStalled`] if this or an earlier
    /// write or sync failed: it is unknown how much of it is on the disk, and nothing is tried again
    /// until the ledger is opened anew.
    pub fn flush_through(&self, index: u64) -> Result<()> {
        self.commit.flush_through(index)
    }

    /// The durable entries from an index on: see [`Reader::entries`](crate::Reader::entries).
    ///
    /// # Errors
    /// [`Code::LogRange`] if there are fewer; [`Code::LedgerArchived`] for entries that are not here;
    /// [`Code::LedgerCorrupt`], [`Code::Io`], also from the iterator.
    pub fn entries(&self, from: u64) -> Result<Entries> {
        Entries::new(&self.dir, None, from, Some(self.durable()))
    }

    /// The number of entries, durable or not: the index of the next one.
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a ledger is not a collection to test for content"
    )]
    pub fn len(&self) -> u64 {
        self.commit.len()
    }

    /// The number of entries that are durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.commit.durable()
    }

    /// How many times this journal has written: entries per write tell how well the grouping works.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commit.commits()
    }

    /// The folder of the ledger.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether this ledger was restored from a backup, and the host has yet to open a new log origin
    /// and new lanes: what happened after the backup is missing here and may be known elsewhere.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn is_restored(&self) -> Result<bool> {
        backup::is_restored(&self.dir)
    }

    /// Forgets that this ledger was restored: call it once the new origin and lanes are durable.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn clear_restored(&self) -> Result<()> {
        if self.is_restored()? {
            let marker = self.dir.join(RESTORED);
            fs::remove_file(&marker).map_err(io(&marker))?;
            sync_dir(&self.dir)?;
        }
        Ok(())
    }
}

/// The error for a place that is taken.
pub(crate) fn exists(place: &Path, what: &'static str) -> Error {
    Error::new(Code::LedgerExists).at(place.display().to_string()).because(what)
}

/// The segment at the end of a ledger.
pub(crate) fn last_segment(dir: &Path) -> Result<Segment> {
    let place = || Error::new(Code::LedgerMissing).at(dir.display().to_string());
    segment::list(dir)?.pop().ok_or_else(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_has_one_writer_and_is_made_once() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("a").join("b");
        let open = || Journal::open(&dir, Options::default()).map(drop).map_err(|e| e.code());
        assert_eq!(open(), Err(Code::LedgerMissing));
        let journal = Journal::create(&dir, Options::default()).unwrap();
        assert_eq!(open(), Err(Code::LedgerLocked));
        assert_eq!(Journal::repair(&dir).unwrap_err().code(), Code::LedgerLocked);
        drop(journal);
        assert_eq!(open(), Ok(()));
        let again = Journal::create(&dir, Options::default()).unwrap_err();
        assert_eq!(again.code(), Code::LedgerExists);
    }

    #[test]
    fn segments_depend_on_the_entries_alone() {
        let tmp = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 100, fsync: false };
        let entries: Vec<_> = (0..20_u8).map(|n| vec![n; 1 + usize::from(n)]).collect();
        let (together, apart) = (tmp.path().join("together"), tmp.path().join("apart"));
        let journal = Journal::create(&together, options).unwrap();
        for entry in &entries {
            journal.append(entry).unwrap();
        }
        journal.flush_through(19).unwrap();
        assert_eq!(journal.entries(0).unwrap().count(), 20);
        let mut journal = Journal::create(&apart, options).unwrap();
        for entry in &entries {
            drop(journal);
            journal = Journal::open(&apart, options).unwrap();
            let index = journal.append(entry).unwrap();
            journal.flush_through(index).unwrap();
        }
        let segments = segment::list(&together).unwrap();
        assert!(segments.len() > 3);
        for (one, other) in segments.iter().zip(segment::list(&apart).unwrap()) {
            assert_eq!(one.first, other.first);
            assert_eq!(fs::read(&one.path).unwrap(), fs::read(&other.path).unwrap());
        }
        for from in 0..=20 {
            let read: Vec<_> = journal.entries(from).unwrap().map(|e| e.unwrap().0).collect();
            assert_eq!(read, (from..20).collect::<Vec<_>>());
        }
        assert_eq!(journal.entries(21).unwrap_err().code(), Code::LogRange);
        let mut beyond = crate::Reader::open(&apart).unwrap().entries(21).unwrap();
        assert_eq!(beyond.next().unwrap().unwrap_err().code(), Code::LogRange);
        assert!(beyond.next().is_none());
    }
}
