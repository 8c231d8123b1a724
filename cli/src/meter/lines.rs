//! A log line by line, in constant memory, with byte offsets and the running SHA-256.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use counterfoil::crypto::Sha256;
use counterfoil::{Code, Digest, Error, Result};

use crate::io::failed;
use crate::meter::record::Shape;

/// A record is at most this long; a longer line is malformed and skipped without being held.
const LONGEST: usize = 1 << 20;

/// One line of the log.
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The byte where it starts.
    pub(crate) start: u64,
    /// The byte after it.
    pub(crate) end: u64,
    /// The line without its end; at most 1 MiB of it.
    pub(crate) text: Vec<u8>,
    /// Whether it was longer.
    pub(crate) cut: bool,
}

/// The log.
pub(crate) struct Lines {
    input: Box<dyn BufRead>,
    path: PathBuf,
    size: Option<u64>,
    offset: u64,
    /// How many lines have ended.
    ended: u64,
    /// Whether a line was read up to its line feed: that belongs to what comes next, so that a last
    /// line is the same with and without one.
    inside: bool,
    hash: Sha256,
    /// The header line of a CSV file.
    header: Option<Vec<u8>>,
}

impl Lines {
    /// Opens the log and reads a CSV file's header.
    pub(crate) fn open(path: &Path, shape: &Shape) -> Result<Lines> {
        let (input, size): (Box<dyn BufRead>, _) = if path == Path::new("-") {
            (Box::new(BufReader::new(io::stdin())), None)
        } else {
            let file = File::open(path).map_err(failed(path))?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
            (Box::new(BufReader::with_capacity(1 << 16, file)), size)
        };
        let mut lines = Lines {
            input,
            path: path.to_path_buf(),
            size,
            offset: 0,
            ended: 0,
            inside: false,
            hash: Sha256::new(),
            header: None,
        };
        if shape.is_csv() {
            let line = lines.next()?.ok_or_else(|| {
                let place = format!("{} line 1", path.display());
                Error::new(Code::InputRecord).at(place).because("the table has no header")
            })?;
            let text = line.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line.text);
            lines.header = Some(text.to_vec());
        }
        Ok(lines)
    }

    /// The log's size in bytes, if it is a file.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// The header line.
    pub(crate) fn header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }

    /// How many bytes were read, and their SHA-256.
    pub(crate) fn mark(&self) -> (u64, Digest) {
        (self.offset, self.hash.digest())
    }

    /// The next line that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<Line>> {
        loop {
            let Some(line) = self.read_line()? else { return Ok(None) };
            if line.cut || !line.text.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line));
            }
        }
    }

    fn read_line(&mut self) -> Result<Option<Line>> {
        if self.inside && self.peek()? == Some(b'\n') {
            self.take(1);
            self.ended = self.ended.saturating_add(1);
        }
        let (start, number) = (self.offset, self.ended.saturating_add(1));
        self.inside = self.peek()?.is_some();
        if !self.inside {
            return Ok(None);
        }
        let mut text = Vec::new();
        let mut cut = false;
        loop {
            let chunk = self.input.fill_buf().map_err(failed(&self.path))?;
            let end = chunk.iter().position(|b| *b == b'\n');
            let taken = end.unwrap_or(chunk.len());
            let part = chunk.get(..taken).unwrap_or_default();
            let room = LONGEST.saturating_sub(text.len());
            cut |= part.len() > room;
            text.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            let ends = end.is_some() || chunk.is_empty();
            self.take(taken);
            if ends {
                break;
            }
        }
        while text.last() == Some(&b'\r') {
            text.pop();
        }
        Ok(Some(Line { number, start, end: self.offset, text, cut }))
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.input.fill_buf().map_err(failed(&self.path))?.first().copied())
    }

    /// Takes so many bytes of those that are buffered.
    fn take(&mut self, taken: usize) {
        let part = self.input.fill_buf().ok().and_then(|chunk| chunk.get(..taken));
        self.hash.update(part.unwrap_or_default());
        self.offset = self.offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        self.input.consume(taken);
    }

    /// Reads on to a byte that was reached before, and returns whether everything up to it is the
    /// same as then.
    pub(crate) fn skip_to(&mut self, offset: u64, digest: &Digest) -> Result<bool> {
        let mut left = match offset.checked_sub(self.offset) {
            Some(left) => left,
            None => return Ok(false),
        };
        let mut buffer = [0_u8; 1 << 16];
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let Some(part) = buffer.get_mut(..want) else { break };
            let read = self.input.read(part).map_err(failed(&self.path))?;
            if read == 0 {
                return Ok(false);
            }
            let part = part.get(..read).unwrap_or_default();
            self.hash.update(part);
            let ended = part.iter().filter(|byte| **byte == b'\n').count();
            self.ended = self.ended.saturating_add(u64::try_from(ended).unwrap_or(u64::MAX));
            let read = u64::try_from(read).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(read);
            left = left.saturating_sub(read);
        }
        self.inside = true;
        Ok(self.hash.digest() == *digest)
    }

    /// Whether the line that was read last goes on: it was not whole then.
    pub(crate) fn goes_on(&mut self) -> Result<bool> {
        Ok(!matches!(self.peek()?, None | Some(b'\n' | b'\r')))
    }

    /// A line as errors name it.
    pub(crate) fn place(&self, line: &Line, ordinal: u64) -> String {
        let (path, number) = (self.path.display(), line.number);
        format!("{path} line {number} (record {ordinal}, byte {})", line.start)
    }

    /// A byte as errors name it.
    pub(crate) fn byte(&self, offset: u64) -> String {
        format!("{} byte {offset}", self.path.display())
    }
}
