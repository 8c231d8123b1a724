//! Restoring a ledger from a backup.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use counterfoil::Result;

use crate::archive::ARCHIVED;
use crate::files::{io, make_dir, names, sync_dir, sync_name};
use crate::journal::exists;
use crate::shards::{SHARDS, shard_folders};
use crate::{segment, slots};

/// The name of the file that marks a restored ledger.
pub(crate) const RESTORED: &str = "restored";

pub(crate) fn is_restored(dir: &Path) -> Result<bool> {
    let marker = dir.join(RESTORED);
    marker.try_exists().map_err(io(&marker))
}

/// Copies the ledger of a backup to a new folder and marks it as restored, so that the host opens a
/// new log origin and new lanes there: a ledger that goes on from a backup would number its receipts
/// as the lost one did. Snapshots and repairs stay behind. Of a root of [`Shards`](crate::Shards)
/// every ledger is copied and marked. An archive becomes the ledger that it was when it was filled; what
/// is in the archive of a ledger is not copied.
///
/// The new folder appears at once, when all of it is durable; until then it has `.unfinished` at the
/// end of its name, and what an interrupted call left there is removed.
///
/// # Errors
/// [`Code::LedgerMissing`](counterfoil::Code::LedgerMissing) if `from` is no ledger; [`Code::LedgerExists`](counterfoil::Code::LedgerExists) if something is in the place
/// of `to` already; [`Code::Io`](counterfoil::Code::Io).
pub fn copy_backup(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let shards = shard_folders(from)?;
    for ledger in shards.as_deref().unwrap_or(&[from.to_path_buf()]) {
        segment::list(ledger)?;
    }
    if to.try_exists().map_err(io(to))? {
        return Err(exists(to, "a backup is copied to a new folder"));
    }
    let mut unfinished = to.as_os_str().to_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    for first in [RESTORED, SHARDS] {
        if unfinished.join(first).try_exists().map_err(io(&unfinished))? {
            fs::remove_dir_all(&unfinished).map_err(io(&unfinished))?;
        }
    }
    make_dir(&unfinished)?;
    match shards {
        None => copy_ledger(from, &unfinished)?,
        Some(ledgers) => {
            copy_file(&from.join(SHARDS), &unfinished.join(SHARDS))?;
            for ledger in ledgers {
                let name = ledger.strip_prefix(from).unwrap_or(&ledger);
                make_dir(&unfinished.join(name))?;
                copy_ledger(&ledger, &unfinished.join(name))?;
            }
        }
    }
    sync_dir(&unfinished)?;
    fs::rename(&unfinished, to).map_err(io(to))?;
    sync_name(to)
}

/// Copies what a ledger is made of, and marks the copy first.
fn copy_ledger(from: &Path, to: &Path) -> Result<()> {
    let marker = to.join(RESTORED);
    File::create_new(&marker).and_then(|file| file.sync_all()).map_err(io(&marker))?;
    for folder in [segment::FOLDER, slots::FOLDER] {
        copy_folder(&from.join(folder), &to.join(folder))?;
    }
    // After the segments, which a call of `compact` removes once this is written.
    let base = from.join(ARCHIVED);
    if base.try_exists().map_err(io(&base))? {
        copy_file(&base, &to.join(ARCHIVED))?;
    }
    sync_dir(to)
}

/// Copies the files of a folder.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    make_dir(to)?;
    for name in names(from)? {
        copy_file(&from.join(&name), &to.join(&name))?;
    }
    sync_dir(to)
}

/// Copies a file to a new one, durably but for its name.
pub(crate) fn copy_file(source: &Path, target: &Path) -> Result<()> {
    let mut original = File::open(source).map_err(io(source))?;
    // Not `fs::copy`: a backup may be read-only, and its copy must not be.
    let mut copy = File::create_new(target).map_err(io(target))?;
    std::io::copy(&mut original, &mut copy).map_err(io(source))?;
    copy.sync_all().map_err(io(target))
}

#[cfg(test)]
mod tests {
    use counterfoil::Code;

    use super::*;
    use crate::{Journal, Options, Slots, write_snapshot};

    #[test]
    fn a_restored_ledger_says_so_until_cleared() {
        let tmp = tempfile::tempdir().unwrap();
        let (from, to) = (tmp.path().join("backup"), tmp.path().join("ledger"));
        assert_eq!(copy_backup(&from, &to).unwrap_err().code(), Code::LedgerMissing);
        let journal = Journal::create(&from, Options::default()).unwrap();
        journal.append(b"entry").unwrap();
        journal.flush_through(0).unwrap();
        assert_eq!(journal.is_restored(), Ok(false));
        Slots::open(&from, "receipts").unwrap().set(0, &[7; 65]).unwrap();
        write_snapshot(&from, 1, b"state").unwrap();

        // What an interrupted copy left behind is no obstacle.
        let unfinished = tmp.path().join("ledger.unfinished");
        make_dir(&unfinished.join("segments/junk")).unwrap();
        fs::write(unfinished.join(RESTORED), b"").unwrap();
        copy_backup(&from, &to).unwrap();
        assert_eq!(copy_backup(&from, &to).unwrap_err().code(), Code::LedgerExists);
        let copy = Journal::open(&to, Options::default()).unwrap();
        assert_eq!(copy.entries(0).unwrap().next(), Some(Ok((0, b"entry".to_vec()))));
        assert_eq!(Slots::open(&to, "receipts").unwrap().get(0), Ok(Some([7; 65])));
        assert!(!to.join("snapshots").exists());
        assert_eq!(copy.is_restored(), Ok(true));
        copy.clear_restored().unwrap();
        assert_eq!(copy.is_restored(), Ok(false));
    }
}
