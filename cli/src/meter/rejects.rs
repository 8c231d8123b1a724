//! Malformed records that were set aside, each with its error.
//!
//! The file is as durable as the ledger: it is synced before an entry beyond a rejected record is. A
//! run that goes on after a crash reads some lines again; what they had left here is taken out first,
//! so no record stands here twice.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use counterfoil::json::{Limits, Object, Value, parse};
use counterfoil::{Digest, Error, Result};

use crate::arguments;
use crate::io::failed;

/// The rejects file.
pub(crate) struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    dirty: bool,
}

impl Rejects {
    pub(crate) fn open(path: &Path) -> Rejects {
        Rejects { path: path.to_path_buf(), file: None, dirty: false }
    }

    /// Keeps what other inputs left, and what this one left up to the record it resumes after.
    pub(crate) fn resume(&mut self, input: &Digest, after: Option<u64>) -> Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".unfinished");
        let unfinished = self.path.with_file_name(name);
        let mut kept = BufWriter::new(File::create(&unfinished).map_err(failed(&unfinished))?);
        match File::open(&self.path) {
            Ok(old) => self.keep(BufReader::new(old), &mut kept, input, after)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&self.path)(e)),
        }
        let kept = kept.into_inner().map_err(|e| failed(&unfinished)(e.into_error()))?;
        kept.sync_all().map_err(failed(&unfinished))?;
        fs::rename(&unfinished, &self.path).map_err(failed(&self.path))?;
        let file = OpenOptions::new().append(true).open(&self.path).map_err(failed(&self.path))?;
        self.file = Some(BufWriter::new(file));
        Ok(())
    }

    /// Copies the lines that stay. A line that a crash cut off goes; any other line that is not a
    /// reject says that this file is something else, which must not be touched.
    fn keep(
        &self,
        mut old: impl BufRead,
        kept: &mut impl Write,
        input: &Digest,
        after: Option<u64>,
    ) -> Result<()> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            old.read_until(b'\n', &mut line).map_err(failed(&self.path))?;
            if line.last() != Some(&b'\n') {
                break;
            }
            let place = || format!("{} line {number}", self.path.display());
            if keeps(&line, input, after).ok_or_else(|| {
                arguments("--skip-malformed names a file that holds something else").at(place())
            })? {
                kept.write_all(&line).map_err(failed(&self.path))?;
            }
        }
        Ok(())
    }

    pub(crate) fn add(
        &mut self,
        input: &Digest,
        ordinal: u64,
        error: &Error,
        record: &[u8],
    ) -> Result<()> {
        let mut value = Object::new();
        value.insert("input", input.to_string());
        value.insert("ordinal", ordinal);
        value.insert("code", error.code().as_str());
        value.insert("message", error.to_string());
        value.insert("record", String::from_utf8_lossy(record).into_owned());
        self.dirty = true;
        let Some(file) = &mut self.file else { return Ok(()) };
        writeln!(file, "{}", Value::Object(value).compact()).map_err(failed(&self.path))
    }

    /// Makes what was added durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        match &mut self.file {
            Some(file) if std::mem::take(&mut self.dirty) => {
                file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed(&self.path))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a line stays; none if it is not a reject.
fn keeps(line: &[u8], input: &Digest, after: Option<u64>) -> Option<bool> {
    // A record may hold 1 MiB, which escapes can make six times as long.
    let limits = Limits { bytes: 8 << 20, ..Limits::default() };
    let value = parse(line, &limits).ok()?;
    let root = value.root();
    let of: Digest = root.at("/input")?.text().ok()?.parse().ok()?;
    let ordinal = root.at("/ordinal")?.integer().ok()?;
    root.at("/record")?;
    Some(of != *input || after.is_some_and(|after| ordinal <= after))
}
