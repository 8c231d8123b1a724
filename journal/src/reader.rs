//! Reading entries in order, without the lock.

use std::path::{Path, PathBuf};

use counterfoil::{Code, Error, Meter, Result};

use crate::archive::Base;
use crate::ledger;
use crate::segment::{self, Segment, SegmentReader, missing};

/// Reads a ledger without locking it, as an auditor does.
///
/// While a writer is at work, what a reader finds at the end may be half of a frame: it then says
/// [`Code::LedgerTorn`], and the entries before are good.
#[derive(Debug, Clone)]
pub struct Reader {
    dir: PathBuf,
    archive: Option<PathBuf>,
}

impl Reader {
    /// A reader of the ledger in a folder.
    ///
    /// # Errors
    /// [`Code::LedgerMissing`] if there is no ledger; [`Code::LedgerCorrupt`] if its first segment is
    /// missing; [`Code::Io`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref().to_path_buf();
        segment::list(&dir)?;
        Ok(Reader { dir, archive: None })
    }

    /// A reader of the ledger in a folder with what [`compact`](crate::compact) moved to its archive:
    /// all of its entries.
    ///
    /// # Errors
    /// As [`Reader::open`], of both folders.
    pub fn with_archive(dir: impl AsRef<Path>, archive: impl AsRef<Path>) -> Result<Self> {
        let (dir, archive) = (dir.as_ref().to_path_buf(), archive.as_ref().to_path_buf());
        segment::list_both(&dir, &archive)?;
        Ok(Reader { dir, archive: Some(archive) })
    }

    /// The entries from an index on, each checked. Memory does not grow with the ledger.
    ///
    /// # Errors
    /// [`Code::LedgerArchived`], with the archive's folder, for entries that are not here.
    /// [`Code::LedgerMissing`], [`Code::LedgerCorrupt`], [`Code::Io`]. The iterator yields these too,
    /// [`Code::LedgerTorn`] where the ledger ends in a torn write, and [`Code::LogRange`] if it ends
    /// before `from`. It ends after an error.
    pub fn entries(&self, from: u64) -> Result<Entries> {
        Entries::new(&self.dir, self.archive.as_deref(), from, None)
    }

    /// A meter before the first entry that is here, to replay them: a new one, or one that knows what
    /// the archived entries led to. It can be looked at, and has no salt key to decide anything with.
    ///
    /// # Errors
    /// [`Code::LedgerCorrupt`], [`Code::BytesVersion`], [`Code::Io`].
    pub fn start(&self) -> Result<Meter> {
        match &self.archive {
            Some(_) => Ok(Meter::new([0; 32])),
            None => ledger::start(&self.dir, [0; 32]),
        }
    }
}

/// Entries with their indices, in order: see [`Reader::entries`].
#[derive(Debug, Default)]
pub struct Entries {
    /// The segments to come, the next one last.
    ahead: Vec<Segment>,
    current: Option<SegmentReader>,
    from: u64,
    /// Read no further than this many entries of the ledger.
    until: Option<u64>,
}

impl Entries {
    pub(crate) fn new(
        dir: &Path,
        archive: Option<&Path>,
        from: u64,
        until: Option<u64>,
    ) -> Result<Self> {
        if let Some(until) = until.filter(|until| *until <= from) {
            return if until == from { Ok(Entries::default()) } else { Err(ends_before(from)) };
        }
        let mut ahead = match archive {
            Some(archive) => segment::list_both(dir, archive)?,
            None => segment::list(dir)?,
        };
        if ahead.first().is_some_and(|segment| from < segment.first)
            && let Some(base) = Base::read(dir)?
        {
            return Err(base.archived().value(from));
        }
        ahead.retain({
            let start = ahead.iter().rev().map(|s| s.first).find(|first| *first <= from);
            move |segment| Some(segment.first) >= start
        });
        ahead.reverse();
        let mut entries = Entries { ahead, current: None, from, until };
        entries.turn()?;
        Ok(entries)
    }

    /// Goes to the next segment; false if there is none.
    fn turn(&mut self) -> Result<bool> {
        let Some(segment) = self.ahead.pop() else { return Ok(false) };
        match self.current.as_ref().map(|reader| reader.next) {
            Some(expected) if segment.first != expected => return Err(missing(&segment, expected)),
            _ => {}
        }
        self.current = Some(SegmentReader::open(&segment, self.ahead.is_empty())?);
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        while let Some(reader) = &mut self.current {
            let index = reader.next;
            if self.until == Some(index) {
                break;
            }
            match reader.next_frame()?.map(<[u8]>::to_vec) {
                Some(payload) if index >= self.from => return Ok(Some((index, payload))),
                Some(_) => {}
                None if self.turn()? => {}
                None => break,
            }
        }
        match self.current.take() {
            Some(reader) if reader.next < self.from => Err(ends_before(self.from)),
            _ => Ok(None),
        }
    }
}

fn ends_before(from: u64) -> Error {
    Error::new(Code::LogRange).value(from).because("the ledger ends before")
}

impl Iterator for Entries {
    type Item = Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.current = None;
        }
        step.transpose()
    }
}
