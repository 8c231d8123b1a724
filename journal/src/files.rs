//! Small steps on files, with errors that name the path.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use counterfoil::{Code, Error, Result};

/// Turns a failure of the operating system into an error about `path`.
pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    |error| Error::new(Code::Io).at(path.display().to_string()).value(error)
}

/// An error about a byte of a file.
pub(crate) fn at_byte(error: Error, path: &Path, byte: u64) -> Error {
    error.at(format!("{} byte {byte}", path.display()))
}

/// Makes the names in a folder durable. Windows has no such call and does it by itself.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Makes the name of a file or folder durable.
pub(crate) fn sync_name(path: &Path) -> Result<()> {
    sync_dir(parent(path))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a folder and everything above it; the new names are durable.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    make_dir(parent(dir))?;
    fs::create_dir_all(dir).map_err(io(dir))?;
    sync_name(dir)
}

/// Writes a whole file so that a crash leaves what was there before or all of the new content. One
/// at a time in a folder: what a crash left unfinished, the next call overwrites.
pub(crate) fn write_atomically(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let temporary = path.with_file_name("unfinished");
    let mut file = File::create(&temporary).map_err(io(&temporary))?;
    for part in parts {
        file.write_all(part).map_err(io(&temporary))?;
    }
    file.sync_all().map_err(io(&temporary))?;
    fs::rename(&temporary, path).map_err(io(path))?;
    sync_name(path)
}

/// The names in a folder; none if there is no such folder.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io(dir))?,
    };
    let mut names = Vec::new();
    for item in listing {
        names.extend(item.map_err(io(dir))?.file_name().into_string());
    }
    Ok(names)
}

/// A file name made of a number: 20 digits, so that names sort as numbers do.
pub(crate) fn numbered(number: u64, extension: &str) -> String {
    format!("{number:020}.{extension}")
}

/// The number of such a file name; none if the name is any other.
pub(crate) fn number_of(name: &str, extension: &str) -> Option<u64> {
    let number = name.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()?;
    (numbered(number, extension) == name).then_some(number)
}

/// How many bytes of a file's header say what it is; the version follows.
pub(crate) const MARK: usize = 8;

/// Whether a file has the mark of this header, and another version.
pub(crate) fn is_later(file: &[u8], header: &[u8]) -> bool {
    file.len() >= header.len()
        && file.get(..MARK) == header.get(..MARK)
        && !file.starts_with(header)
}
