//! Cutting off a torn tail, without throwing it away.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use counterfoil::Result;

use crate::files::{io, make_dir, write_atomically};
use crate::journal::{Journal, last_segment};
use crate::lock::Lock;
use crate::segment::{self, HEADER};
use crate::snapshot;

/// The name of the folder of what repairs cut off.
const FOLDER: &str = "repairs";

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The segment file that was cut.
    pub segment: PathBuf,
    /// Where, in bytes from its start.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The number of entries that the ledger has now.
    pub entries: u64,
    /// The file that keeps the bytes; a note in JSON stands beside it.
    pub kept: PathBuf,
}

impl Journal {
    /// Cuts a torn write off the end of a ledger that is not open; none if it does not end in one.
    ///
    /// The bytes are first saved under `repairs/`, with a note. The caller decides whether to call
    /// this: an entry that was ever called durable must not be cut, and its signature slot would show
    /// that it was.
    ///
    /// # Errors
    /// [`Code::LedgerCorrupt`](counterfoil::Code::LedgerCorrupt) if there is damage elsewhere in the
    /// last segment, or a snapshot of what would be cut: nothing is changed then.
    /// [`Code::LedgerMissing`](counterfoil::Code::LedgerMissing),
    /// [`Code::LedgerLocked`](counterfoil::Code::LedgerLocked), [`Code::Io`](counterfoil::Code::Io).
    pub fn repair(dir: impl AsRef<Path>) -> Result<Option<Repair>> {
        let dir = dir.as_ref();
        segment::list(dir)?;
        let _lock = Lock::take(dir)?;
        let segment = last_segment(dir)?;
        let tail = segment::tail_of(&segment)?;
        if tail.torn.is_none() {
            return Ok(None);
        }
        snapshot::none_beyond(dir, tail.next)?;
        let cut = segment::rest_of(&segment.path, tail.offset).map_err(io(&segment.path))?;
        let repair = Repair {
            kept: free_name(&dir.join(FOLDER), &segment.path, tail.offset)?,
            segment: segment.path,
            offset: tail.offset,
            bytes: u64::try_from(cut.len()).unwrap_or(u64::MAX),
            entries: tail.next,
        };
        repair.keep(&cut)?;
        repair.cut()?;
        Ok(Some(repair))
    }
}

impl Repair {
    /// Saves the bytes and the note about them.
    fn keep(&self, cut: &[u8]) -> Result<()> {
        let segment = name_of(&self.segment);
        let note = format!(
            "{{\"segment\":\"{segment}\",\"offset\":{},\"bytes\":{},\"entries\":{}}}\n",
            self.offset, self.bytes, self.entries
        );
        write_atomically(&self.kept, &[cut])?;
        write_atomically(&self.kept.with_extension("json"), &[note.as_bytes()])
    }

    /// Shortens the segment; where even its header was torn, writes that anew.
    fn cut(&self) -> Result<()> {
        let path = &self.segment;
        let mut file = OpenOptions::new().append(true).open(path).map_err(io(path))?;
        file.set_len(self.offset).map_err(io(path))?;
        if self.offset == 0 {
            file.write_all(&HEADER).map_err(io(path))?;
        }
        file.sync_all().map_err(io(path))
    }
}

/// A name under `repairs/` that no earlier repair has used.
fn free_name(folder: &Path, segment: &Path, offset: u64) -> Result<PathBuf> {
    make_dir(folder)?;
    let stem = name_of(segment);
    let mut number = 1_u32;
    loop {
        let path = folder.join(format!("{stem}-{offset}-{number}.torn"));
        if !path.try_exists().map_err(io(&path))? {
            return Ok(path);
        }
        number = number.saturating_add(1);
    }
}

/// A segment's name without its extension.
fn name_of(segment: &Path) -> String {
    segment.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
