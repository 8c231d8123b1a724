//! Malformed records that were set aside, each with its error.
//!
//! The file is as durable as the ledger: it is synced before an entry beyond a rejected record is. A
//! run that goes on after a crash reads some lines again; what they had left here is taken out first,
//! so no record stands here twice.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use counterfoil::json::{Limits, Object, Value, parse};
use counterfoil::{Digest, Error, Result};

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
        if let Ok(old) = File::open(&self.path) {
            for line in BufReader::new(old).lines() {
                let line = line.map_err(failed(&self.path))?;
                if keeps(&line, input, after) {
                    writeln!(kept, "{line}").map_err(failed(&unfinished))?;
                }
            }
        }
        let kept = kept.into_inner().map_err(|e| failed(&unfinished)(e.into_error()))?;
        kept.sync_all().map_err(failed(&unfinished))?;
        fs::rename(&unfinished, &self.path).map_err(failed(&self.path))?;
        let file = OpenOptions::new().append(true).open(&self.path).map_err(failed(&self.path))?;
        self.file = Some(BufWriter::new(file));
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
        if std::mem::take(&mut self.dirty) {
            if let Some(file) = &mut self.file {
                file.flush()
                    .and_then(|()| file.get_ref().sync_all())
                    .map_err(failed(&self.path))?;
            }
        }
        Ok(())
    }
}

fn keeps(line: &str, input: &Digest, after: Option<u64>) -> bool {
    // A record may hold 1 MiB, which escapes can make six times as long.
    let limits = Limits { bytes: 8 << 20, ..Limits::default() };
    let Ok(value) = parse(line.as_bytes(), &limits) else { return false };
    let root = value.root();
    let of = root.at("/input").and_then(|node| node.text().ok());
    let ordinal = root.at("/ordinal").and_then(|node| node.integer().ok());
    of != Some(&input.to_string())
        || matches!((ordinal, after), (Some(ordinal), Some(after)) if ordinal <= after)
}
