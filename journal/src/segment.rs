//! Segments: the files that hold the frames.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use counterfoil::entry::frame::{self, Read};
use counterfoil::{Code, Error, Result};

use crate::archive::archived_entries;
use crate::files::{MARK, at_byte, io, is_later, names, number_of, numbered, sync_name};

/// The name of the folder of segments.
pub(crate) const FOLDER: &str = "segments";
const EXTENSION: &str = "cfl";

/// What a segment starts with: a mark, the version and a reserved number, both 0.
pub(crate) const HEADER: [u8; 16] = *b"CFLEDGER\0\0\0\0\0\0\0\0";
pub(crate) const HEADER_LEN: u64 = 16;

/// A segment file, by the index of its first entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
}

impl Segment {
    pub(crate) fn at(ledger: &Path, first: u64) -> Self {
        Segment { first, path: ledger.join(FOLDER).join(numbered(first, EXTENSION)) }
    }

    /// Makes the file with its header, durably if `fsync`.
    pub(crate) fn create(&self, fsync: bool) -> Result<File> {
        let file = OpenOptions::new().append(true).create_new(true).open(&self.path);
        let mut file = file.map_err(io(&self.path))?;
        file.write_all(&HEADER).map_err(io(&self.path))?;
        if fsync {
            file.sync_all().map_err(io(&self.path))?;
            sync_name(&self.path)?;
        }
        Ok(file)
    }
}

/// The segments of a ledger in order: the first one starts at entry 0, or where its archive ends.
pub(crate) fn list(ledger: &Path) -> Result<Vec<Segment>> {
    let mut segments = all(ledger)?;
    // Read after the names: what is in the archive is removed once this is told.
    let archived = archived_entries(ledger)?;
    segments.retain(|segment| segment.first >= archived);
    match segments.first() {
        None if archived == 0 => {
            Err(Error::new(Code::LedgerMissing).at(ledger.display().to_string()))
        }
        None => Err(missing(&Segment::at(ledger, archived), archived)),
        Some(segment) if segment.first > archived => Err(missing(segment, archived)),
        Some(_) => Ok(segments),
    }
}

/// The segments of a ledger and of its archive, in order.
pub(crate) fn list_both(ledger: &Path, archive: &Path) -> Result<Vec<Segment>> {
    let own = list(ledger)?;
    let archived = own.first().map_or(0, |segment| segment.first);
    if archived == 0 {
        return Ok(own);
    }
    let mut both = list(archive)?;
    both.retain(|segment| segment.first < archived);
    both.extend(own);
    Ok(both)
}

/// The files of segments, in order.
pub(crate) fn all(ledger: &Path) -> Result<Vec<Segment>> {
    let folder = ledger.join(FOLDER);
    let mut segments = Vec::new();
    for name in names(&folder)? {
        if let Some(first) = number_of(&name, EXTENSION) {
            segments.push(Segment::at(ledger, first));
        } else if name.ends_with(".cfl") {
            let path = folder.join(name).display().to_string();
            return Err(Error::new(Code::LedgerCorrupt).at(path).because("not a segment's name"));
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The error for a segment that does not start where the entries before it end.
pub(crate) fn missing(segment: &Segment, expected: u64) -> Error {
    Error::new(Code::LedgerCorrupt)
        .at(segment.path.display().to_string())
        .value(expected)
        .because("the segment does not start at the entry that comes next")
}

/// Reads the frames of one segment, one at a time.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    file: BufReader<File>,
    path: PathBuf,
    /// Whether this is the last segment, which alone may end in a torn write.
    last: bool,
    /// Where the next frame starts.
    pub(crate) offset: u64,
    /// The entry that it must be.
    pub(crate) next: u64,
    frame: Vec<u8>,
}

impl SegmentReader {
    /// Opens a segment and checks its header.
    pub(crate) fn open(segment: &Segment, last: bool) -> Result<Self> {
        let file = File::open(&segment.path).map_err(io(&segment.path))?;
        let mut reader = SegmentReader {
            file: BufReader::with_capacity(1 << 16, file),
            path: segment.path.clone(),
            last,
            offset: HEADER_LEN,
            next: segment.first,
            frame: Vec::new(),
        };
        reader.fill(HEADER.len())?;
        if reader.frame != HEADER {
            let all = rest_of(&reader.path, 0).map_err(io(&reader.path))?;
            if all.starts_with(&HEADER) {
                return Self::open(segment, last); // a writer has meanwhile completed it
            }
            return Err(at_byte(bad_header(&all, last), &reader.path, 0));
        }
        Ok(reader)
    }

    /// The payload of the next frame; none at the end.
    pub(crate) fn next_frame(&mut self) -> Result<Option<&[u8]>> {
        let len = loop {
            self.frame.clear();
            self.fill(frame::HEADER)?;
            if let Some(len) = frame::claimed_len(&self.frame) {
                self.fill(len)?;
            }
            match frame::read(&self.frame, self.next) {
                Ok(Read::Frame { len, .. }) => break len,
                Ok(Read::End) => return Ok(None),
                Ok(Read::Torn) => {
                    self.judge(Error::new(Code::LedgerCorrupt).because("frame cut off"))?;
                }
                Err(corrupt) => self.judge(corrupt)?,
            }
        };
        self.offset = self.offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        self.next = self.next.checked_add(1).ok_or_else(|| Error::new(Code::LogRange))?;
        Ok(self.frame.get(frame::HEADER..len))
    }

    /// Reads until the frame buffer has `len` bytes or the file ends.
    fn fill(&mut self, len: usize) -> Result<()> {
        let want = u64::try_from(len.saturating_sub(self.frame.len())).unwrap_or(u64::MAX);
        let mut rest = self.file.by_ref().take(want);
        rest.read_to_end(&mut self.frame).map(drop).map_err(io(&self.path))
    }

    /// Judges a frame that cannot be read: the torn end of the ledger, or damage. If a writer has
    /// meanwhile completed it, it can be read again.
    fn judge(&mut self, corrupt: Error) -> Result<()> {
        if !self.last {
            return Err(at_byte(corrupt, &self.path, self.offset));
        }
        let tail = rest_of(&self.path, self.offset).map_err(io(&self.path))?;
        if matches!(frame::read(&tail, self.next), Ok(Read::Frame { .. })) {
            return self.file.seek(SeekFrom::Start(self.offset)).map(drop).map_err(io(&self.path));
        }
        let torn = frame::is_torn(&tail, self.next);
        let error = if torn { Error::new(Code::LedgerTorn) } else { corrupt };
        Err(at_byte(error, &self.path, self.offset))
    }
}

/// Judges the bytes of a segment that does not start with the header: torn, of a later version, or
/// damaged.
fn bad_header(all: &[u8], last: bool) -> Error {
    let written = all.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let cut_off = all.len() < HEADER.len() || written < MARK;
    let prefix = all.get(..written).is_some_and(|written| HEADER.starts_with(written));
    let code = if last && cut_off && prefix {
        Code::LedgerTorn
    } else if is_later(all, &HEADER) {
        Code::BytesVersion
    } else {
        Code::LedgerCorrupt
    };
    Error::new(code).because("segment header")
}

/// Everything from an offset to the end of a file.
pub(crate) fn rest_of(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(rest)
}

/// Where the whole frames of the last segment end.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The first byte after them; 0 if even the header is torn.
    pub(crate) offset: u64,
    /// The entry that comes next.
    pub(crate) next: u64,
    /// The error about what follows, if the ledger ends in a torn write.
    pub(crate) torn: Option<Error>,
}

/// Reads through the last segment of a ledger.
pub(crate) fn tail_of(segment: &Segment) -> Result<Tail> {
    let torn_or = |error: Error, offset, next| match error.code() {
        Code::LedgerTorn => Ok(Tail { offset, next, torn: Some(error) }),
        _ => Err(error),
    };
    let mut reader = match SegmentReader::open(segment, true) {
        Ok(reader) => reader,
        Err(error) => return torn_or(error, 0, segment.first),
    };
    loop {
        match reader.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Tail { offset: reader.offset, next: reader.next, torn: None }),
            Err(error) => return torn_or(error, reader.offset, reader.next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_its_first_entry() {
        let segment = Segment::at(Path::new("ledger"), 7);
        assert_eq!(segment.path, Path::new("ledger/segments/00000000000000000007.cfl"));
        assert_eq!(number_of("00000000000000000007.cfl", EXTENSION), Some(7));
        for other in ["7.cfl", "00000000000000000007.cfs", "+0000000000000000007.cfl", "x"] {
            assert_eq!(number_of(other, EXTENSION), None, "{other}");
        }
    }

    #[test]
    fn a_header_is_torn_only_where_a_write_may_have_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let segment = Segment { first: 0, path: dir.path().join("segment") };
        let code = |bytes: &[u8], last| {
            std::fs::write(&segment.path, bytes).unwrap();
            SegmentReader::open(&segment, last).err().map(|error| error.code())
        };
        assert_eq!(code(&HEADER, true), None);
        for cut in 0..HEADER.len() {
            assert_eq!(code(&HEADER[..cut], true), Some(Code::LedgerTorn), "{cut}");
            assert_eq!(code(&HEADER[..cut], false), Some(Code::LedgerCorrupt), "{cut}");
        }
        assert_eq!(code(&[0; 40], true), Some(Code::LedgerTorn));
        assert_eq!(code(b"CFLEDGER\0\0\0\x01\0\0\0\0", true), Some(Code::BytesVersion));
        assert_eq!(code(b"CFLEDGES\0\0\0\0\0\0\0\0", true), Some(Code::LedgerCorrupt));
        assert_eq!(code(b"SOMETHING", true), Some(Code::LedgerCorrupt));
    }
}
