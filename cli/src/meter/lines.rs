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
            hash: Sha256::new(),
            header: None,
        };
        if shape.is_csv() {
            let line = lines.next()?.ok_or_else(|| {
                Error::new(Code::InputRecord).at("line 1").because("the table has no header")
            })?;
            lines.header = Some(line.text);
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
        let start = self.offset;
        let mut text = Vec::new();
        let mut cut = false;
        loop {
            let chunk = self.input.fill_buf().map_err(failed(&self.path))?;
            if chunk.is_empty() {
                if self.offset == start {
                    return Ok(None);
                }
                break;
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let taken = end.map_or(chunk.len(), |at| at.saturating_add(1));
            let part = chunk.get(..taken).unwrap_or_default();
            let room = LONGEST.saturating_sub(text.len());
            cut |= part.len() > room;
            text.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            self.hash.update(part);
            self.offset = self.offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
            self.input.consume(taken);
            if end.is_some() {
                break;
            }
        }
        while text.last().is_some_and(|b| *b == b'\n' || *b == b'\r') {
            text.pop();
        }
        Ok(Some(Line { start, end: self.offset, text, cut }))
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
            self.hash.update(part.get(..read).unwrap_or_default());
            let read = u64::try_from(read).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(read);
            left = left.saturating_sub(read);
        }
        Ok(self.hash.digest() == *digest)
    }
}
