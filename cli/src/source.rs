//! Where a ledger's entries are: its folder, its archive, and the shards of a root.

use std::path::{Path, PathBuf};

use counterfoil::{Meter, Result};
use counterfoil_journal::{Reader, shard_folders};

use crate::args;

/// A ledger and, if it was given, its archive.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) dir: PathBuf,
    pub(crate) archive: Option<PathBuf>,
}

impl Source {
    pub(crate) fn reader(&self) -> Result<Reader> {
        match &self.archive {
            Some(archive) => Reader::with_archive(&self.dir, archive),
            None => Reader::open(&self.dir),
        }
    }
}

/// The ledger that was given, or those of a root's shards, by number.
pub(crate) fn sources(args: &args::Source) -> Result<Vec<Source>> {
    let archive = args.archive.as_deref();
    each(&args.ledger, archive, |dir, archive| Source {
        dir: dir.to_path_buf(),
        archive: archive.map(Path::to_path_buf),
    })
}

/// Goes over a ledger and its archive, or over those of a root's shards: the archive of each has the
/// shard's number in the root's archive.
pub(crate) fn each<T>(
    ledger: &Path,
    archive: Option<&Path>,
    mut make: impl FnMut(&Path, Option<&Path>) -> T,
) -> Result<Vec<T>> {
    let Some(shards) = shard_folders(ledger)? else { return Ok(vec![make(ledger, archive)]) };
    let made = shards.iter().map(|dir| {
        let archive = archive.zip(dir.file_name()).map(|(archive, number)| archive.join(number));
        make(dir, archive.as_deref())
    });
    Ok(made.collect())
}

/// The origin of a ledger's log; of the logs of shards, what stands before their numbers.
pub(crate) fn origin(meters: &[Meter]) -> Option<&str> {
    let first = meters.iter().find_map(Meter::origin)?;
    match (meters.len(), first.rsplit_once('/')) {
        (2.., Some((name, _))) => Some(name),
        _ => Some(first),
    }
}
