//! Snapshots: states of the fold of the first entries. They are a cache, never the truth.

use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::crypto::sha256;
use counterfoil::{Code, Error, Result};

use crate::files::{
    io, is_later, make_dir, names, number_of, numbered, sync_dir, write_atomically,
};

const FOLDER: &str = "snapshots";
const EXTENSION: &str = "cfs";

/// What a snapshot starts with: a mark, the version and a reserved number, both 0. The SHA-256 of
/// index and content follows, then the content.
const HEADER: [u8; 16] = *b"CFSNAPSH\0\0\0\0\0\0\0\0";

/// So many are kept: the newest, and one in case that one is damaged.
const KEPT: usize = 2;

/// The state after a number of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How many entries it covers: replay goes on with the entry at this index.
    pub index: u64,
    /// The state, as it was written.
    pub bytes: Vec<u8>,
}

/// What [`newest_snapshot`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshots {
    /// The newest whole one.
    pub newest: Option<Snapshot>,
    /// Newer ones that were passed over: they are damaged, or of a later version.
    pub damaged: Vec<PathBuf>,
}

/// Writes the state after the first `index` entries, which must be durable, and removes all but the
/// newest two snapshots. A crash leaves the old ones.
///
/// # Errors
/// [`Code::Io`].
pub fn write_snapshot(dir: impl AsRef<Path>, index: u64, bytes: &[u8]) -> Result<()> {
    let folder = dir.as_ref().join(FOLDER);
    make_dir(&folder)?;
    let checksum = sha256(&[&index.to_be_bytes(), bytes]);
    let path = folder.join(numbered(index, EXTENSION));
    write_atomically(&path, &[&HEADER, checksum.bytes(), bytes])?;
    let mut present = present(&folder)?;
    present.truncate(present.len().saturating_sub(KEPT));
    remove(&folder, &present)
}

/// The newest whole snapshot that covers at most `at_most` entries.
///
/// # Errors
/// [`Code::Io`]. A damaged snapshot, or one of a later version, is none: it is passed over and reported.
pub fn newest_snapshot(dir: impl AsRef<Path>, at_most: u64) -> Result<Snapshots> {
    let folder = dir.as_ref().join(FOLDER);
    let mut found = Snapshots::default();
    for index in present(&folder)?.into_iter().rev().filter(|index| *index <= at_most) {
        let path = folder.join(numbered(index, EXTENSION));
        match content(index, fs::read(&path).map_err(io(&path))?) {
            Some(bytes) => {
                found.newest = Some(Snapshot { index, bytes });
                break;
            }
            None => found.damaged.push(path),
        }
    }
    Ok(found)
}

/// Refuses a whole snapshot of more entries than there are: it was written when they were durable, so
/// they are lost. What one of a later version proves is not known here: it is refused too. A damaged one
/// proves nothing and is removed, once none is refused.
pub(crate) fn none_beyond(dir: &Path, entries: u64) -> Result<()> {
    let folder = dir.join(FOLDER);
    let mut beyond = present(&folder)?;
    beyond.retain(|index| *index > entries);
    for index in &beyond {
        let path = folder.join(numbered(*index, EXTENSION));
        let file = fs::read(&path).map_err(io(&path))?;
        if is_later(&file, &HEADER) {
            return Err(Error::new(Code::BytesVersion).at(path.display().to_string()));
        }
        if content(*index, file).is_some() {
            return Err(Error::new(Code::LedgerCorrupt)
                .at(path.display().to_string())
                .value(entries)
                .because("entries that a snapshot covers are missing"));
        }
    }
    remove(&folder, &beyond)
}

/// The snapshots of a folder, oldest first.
fn present(folder: &Path) -> Result<Vec<u64>> {
    let names = names(folder)?;
    let mut indices: Vec<_> = names.iter().filter_map(|name| number_of(name, EXTENSION)).collect();
    indices.sort_unstable();
    Ok(indices)
}

fn remove(folder: &Path, indices: &[u64]) -> Result<()> {
    for index in indices {
        let path = folder.join(numbered(*index, EXTENSION));
        fs::remove_file(&path).map_err(io(&path))?;
    }
    if indices.is_empty() { Ok(()) } else { sync_dir(folder) }
}

/// The content of a snapshot file; none if it is damaged.
fn content(index: u64, mut file: Vec<u8>) -> Option<Vec<u8>> {
    let (checksum, bytes) = file.strip_prefix(&HEADER)?.split_first_chunk::<32>()?;
    if sha256(&[&index.to_be_bytes(), bytes]).bytes() != checksum {
        return None;
    }
    let start = file.len().saturating_sub(bytes.len());
    Some(file.split_off(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_one_counts_and_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest_snapshot(dir.path(), 9), Ok(Snapshots::default()));
        for index in [10, 20, 30] {
            write_snapshot(dir.path(), index, format!("state {index}").as_bytes()).unwrap();
        }
        let newest = |at_most| newest_snapshot(dir.path(), at_most).unwrap();
        let state = |index: u64, bytes: &str| Some(Snapshot { index, bytes: bytes.into() });
        assert_eq!(newest(u64::MAX).newest, state(30, "state 30"));
        assert_eq!(newest(29).newest, state(20, "state 20"));
        assert_eq!(newest(19).newest, None);

        let path = dir.path().join("snapshots/00000000000000000030.cfs");
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let found = newest(30);
            assert_eq!((found.newest, found.damaged), (state(20, "state 20"), vec![path.clone()]));
        }
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(newest(30).newest, state(20, "state 20"));
        }
    }

    #[test]
    fn one_that_was_renamed_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        write_snapshot(dir.path(), 1, b"state").unwrap();
        let folder = dir.path().join(FOLDER);
        fs::rename(folder.join(numbered(1, "cfs")), folder.join(numbered(2, "cfs"))).unwrap();
        assert_eq!(newest_snapshot(dir.path(), 9).unwrap().damaged.len(), 1);
    }
}
