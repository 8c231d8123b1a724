//! Moving the first segments of a ledger to an archive.
//!
//! Their bytes do not change. The ledger keeps the state that they lead to, and its signatures whole;
//! the archive has a copy of theirs, so that it is a ledger to audit by itself, and both together are
//! the ledger that was.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use counterfoil::crypto::sha256;
use counterfoil::{Code, Digest, Error, Result};

use crate::backup::copy_file;
use crate::files::{io, is_later, make_dir, names, sync_dir, write_atomically};
use crate::journal::{Journal, Options, exists};
use crate::ledger::{CHECKPOINTS, HEADS, Shared, is_missing, slot};
use crate::reader::Entries;
use crate::segment::{self, Segment};
use crate::slots::{self, Slots};

/// The name of the file that a ledger starts from whose first entries are in an archive.
pub(crate) const ARCHIVED: &str = "archived";
/// The name of the file that marks an archive.
pub(crate) const ARCHIVE: &str = "archive";

/// What [`ARCHIVED`] starts with: a mark, the version and a reserved number, both 0. The SHA-256 of all
/// that follows is next.
const HEADER: [u8; 16] = *b"CFARCHIV\0\0\0\0\0\0\0\0";

/// What a ledger starts from whose first entries are in an archive.
#[derive(Debug)]
pub(crate) struct Base {
    /// How many entries are in the archive.
    pub(crate) entries: u64,
    /// SHA-256 of the archive's last segment.
    last: Digest,
    /// The archive's folder, as it was named.
    archive: String,
    /// The state after those entries, as in a snapshot. Nothing in it wants a signature.
    pub(crate) state: Vec<u8>,
}

impl Base {
    /// Reads what a ledger starts from; `None` where it starts from its first entry.
    pub(crate) fn read(ledger: &Path) -> Result<Option<Base>> {
        let path = ledger.join(ARCHIVED);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io(&path))?,
        };
        let base = Base::parse(&bytes);
        base.map(Some).map_err(|code| Error::new(code).at(path.display().to_string()))
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Base, Code> {
        let Some(rest) = bytes.strip_prefix(&HEADER) else {
            let later = is_later(bytes, &HEADER);
            return Err(if later { Code::BytesVersion } else { Code::LedgerCorrupt });
        };
        let (checksum, body) = rest.split_first_chunk::<32>().ok_or(Code::LedgerCorrupt)?;
        if sha256(&[body]).bytes() != checksum {
            return Err(Code::LedgerCorrupt);
        }
        Base::fields(body).ok_or(Code::LedgerCorrupt)
    }

    fn fields(body: &[u8]) -> Option<Base> {
        let (entries, rest) = body.split_first_chunk::<8>()?;
        let (last, rest) = rest.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (archive, state) = rest.split_at_checked(length)?;
        Some(Base {
            entries: u64::from_be_bytes(*entries),
            last: Digest::new(*last),
            archive: String::from_utf8(archive.to_vec()).ok()?,
            state: state.to_vec(),
        })
    }

    fn write(&self, ledger: &Path) -> Result<()> {
        let length = u32::try_from(self.archive.len()).map_err(|_| Code::Arguments)?;
        let body = [
            &self.entries.to_be_bytes()[..],
            self.last.bytes(),
            &length.to_be_bytes(),
            self.archive.as_bytes(),
            &self.state,
        ]
        .concat();
        write_atomically(&ledger.join(ARCHIVED), &[&HEADER, sha256(&[&body]).bytes(), &body])
    }

    /// The error for what only the archived entries tell.
    pub(crate) fn archived(&self) -> Error {
        Error::new(Code::LedgerArchived).at(self.archive.clone())
    }
}

/// How many entries of a ledger are in its archive, without reading the state that they lead to.
pub(crate) fn archived_entries(ledger: &Path) -> Result<u64> {
    let path = ledger.join(ARCHIVED);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        other => other.map_err(io(&path))?,
    };
    let mut start = [0; 56];
    match file.read_exact(&mut start) {
        Ok(()) if start.starts_with(&HEADER) => {
            Ok(start.last_chunk().map_or(0, |entries| u64::from_be_bytes(*entries)))
        }
        // Reading it whole says what is wrong.
        _ => Base::read(ledger)
            .and_then(|_| Err(Error::new(Code::LedgerCorrupt).at(path.display().to_string()))),
    }
}

/// What [`compact`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// How many segments it moved; 0 where none was full and sealed.
    pub segments: usize,
    /// How many entries are in the archive now.
    pub entries: u64,
}

/// Moves the first segments of a ledger that is not open to its archive: those whose entries all stand
/// before the last signed checkpoint, and never the last segment. From then on opening the ledger needs
/// a snapshot and the entries that are left; an audit needs the archive too
/// ([`Reader::with_archive`](crate::Reader::with_archive)). The archive is a new folder, or the one
/// that earlier calls for this ledger filled. It is a ledger that is only read: an audit of it alone
/// audits what was moved.
///
/// A crash leaves a ledger that opens, before or after the move, and the same call goes on. To undo
/// it, copy the archive's segments back and remove the ledger's file `archived`.
///
/// # Errors
/// [`Code::SignatureMissing`] while signatures are pending: open the [`Ledger`](crate::Ledger) first.
/// [`Code::LedgerExists`] if the archive is another ledger's, or something else. [`Code::LedgerTorn`],
/// [`Code::LedgerCorrupt`], [`Code::LedgerMissing`], [`Code::LedgerLocked`], [`Code::BytesVersion`] and
/// the codes of entries that do not follow from each other: nothing is changed then. [`Code::Io`].
pub fn compact(dir: impl AsRef<Path>, archive: impl AsRef<Path>) -> Result<Compacted> {
    let (dir, archive) = (dir.as_ref(), archive.as_ref());
    let _journal = Journal::open(dir, Options::default())?;
    let before = archived_entries(dir)?;
    check(archive, Base::read(dir)?)?;
    let Some(compaction) = Compaction::of(dir, archive)? else {
        remove_archived(dir, before)?;
        return Ok(Compacted { segments: 0, entries: before });
    };
    compaction.run()?;
    Ok(Compacted { segments: compaction.moved.len(), entries: compaction.base.entries })
}

/// Refuses a folder that is not this ledger's archive.
fn check(archive: &Path, base: Option<Base>) -> Result<()> {
    let mark = archive.join(ARCHIVE);
    let marked = mark.try_exists().map_err(io(&mark))?;
    // A call that did not come to its end may have left this much.
    if !marked && names(archive)?.iter().any(|name| name != "unfinished") {
        return Err(exists(archive, "something else than an archive"));
    }
    let Some(base) = base else { return Ok(()) };
    let segments = segment::list(archive)?;
    let last = segments.iter().rfind(|segment| segment.first < base.entries);
    match last.map(|segment| digest_of(&segment.path)).transpose()? {
        Some(digest) if digest == base.last => Ok(()),
        _ => Err(exists(archive, "another ledger's archive")),
    }
}

fn digest_of(path: &Path) -> Result<Digest> {
    fs::read(path).map(|bytes| sha256(&[&bytes])).map_err(io(path))
}

/// What is to be moved.
struct Compaction<'a> {
    dir: &'a Path,
    archive: &'a Path,
    moved: Vec<Segment>,
    base: Base,
    /// Signatures of the archived entries: the name of the slots, and how many.
    signatures: [(&'static str, u64); 2],
}

impl<'a> Compaction<'a> {
    /// Replays what is here, and finds the last segment that starts before a signed checkpoint: what
    /// stands before it can go.
    fn of(dir: &'a Path, archive: &'a Path) -> Result<Option<Self>> {
        let (heads, checkpoints) = (Slots::open(dir, HEADS)?, Slots::open(dir, CHECKPOINTS)?);
        let mut shared = Shared::start(dir, [0; 32], [&heads, &checkpoints])?;
        let segments = segment::list(dir)?;
        let from = shared.meter.entries();
        let mut starts = segments.iter().map(|s| s.first).filter(|first| *first > from).peekable();
        // States at the start of a segment: the last one that a checkpoint seals, and one that may be.
        let (mut sealed, mut candidate) = (None, None);
        for entry in Entries::new(dir, None, from, None)? {
            let (index, bytes) = entry?;
            if starts.next_if_eq(&index).is_some() {
                let ends =
                    [(HEADS, shared.meter.log_size()), (CHECKPOINTS, shared.meter.checkpoints())];
                candidate = Some((index, shared.snapshot(), ends));
            }
            let place = |e: Error| e.within(format!("entry {index}"));
            let Some(request) = shared.meter.replay(&bytes).map_err(place)? else { continue };
            if is_missing(&request, &heads, &checkpoints).map_err(place)? {
                let (of_checkpoint, slot) = slot(&request);
                let slots = if of_checkpoint { &checkpoints } else { &heads };
                return Err(Error::new(Code::SignatureMissing).at(slots.place(slot)));
            }
            if request.is_checkpoint() {
                sealed = candidate.take().or(sealed);
            }
            shared.want(request);
            shared.pending.clear();
        }
        let Some((entries, state, signatures)) = sealed else { return Ok(None) };
        let moved: Vec<_> = segments.into_iter().filter(|s| s.first < entries).collect();
        let last = moved.last().map_or(Ok(Digest::ZERO), |segment| digest_of(&segment.path))?;
        let base = Base { entries, last, archive: archive.display().to_string(), state };
        Ok(Some(Compaction { dir, archive, moved, base, signatures }))
    }

    /// Each step leaves a ledger that opens, and can be made again. The third is the one that counts.
    fn run(&self) -> Result<()> {
        self.moved.iter().try_for_each(|segment| self.copy(segment))?;
        self.copy_signatures()?;
        self.base.write(self.dir)?;
        remove_archived(self.dir, self.base.entries)
    }

    /// A segment appears in the archive whole, or not at all.
    fn copy(&self, segment: &Segment) -> Result<()> {
        let folder = self.archive.join(segment::FOLDER);
        make_dir(self.archive)?;
        write_atomically(&self.archive.join(ARCHIVE), &[])?;
        make_dir(&folder)?;
        let target = Segment::at(self.archive, segment.first).path;
        if target.try_exists().map_err(io(&target))? {
            if digest_of(&target)? == digest_of(&segment.path)? {
                return Ok(());
            }
            return Err(exists(&target, "another segment"));
        }
        let unfinished = folder.join("unfinished");
        if unfinished.try_exists().map_err(io(&unfinished))? {
            fs::remove_file(&unfinished).map_err(io(&unfinished))?;
        }
        copy_file(&segment.path, &unfinished)?;
        fs::rename(&unfinished, &target).map_err(io(&target))?;
        sync_dir(&folder)
    }

    fn copy_signatures(&self) -> Result<()> {
        let folder = self.archive.join(slots::FOLDER);
        make_dir(&folder)?;
        for (name, end) in self.signatures {
            let own = Slots::open_read_only(self.dir, name)?.first(end)?;
            write_atomically(&folder.join(name), &[&own])?;
        }
        Ok(())
    }
}

/// Removes segments that are in the archive: the first ones first.
fn remove_archived(dir: &Path, entries: u64) -> Result<()> {
    let archived: Vec<PathBuf> = segment::all(dir)?
        .into_iter()
        .filter(|segment| segment.first < entries)
        .map(|segment| segment.path)
        .collect();
    for path in &archived {
        fs::remove_file(path).map_err(io(path))?;
    }
    if archived.is_empty() { Ok(()) } else { sync_dir(&dir.join(segment::FOLDER)) }
}
