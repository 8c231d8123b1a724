//! Reading documents, writing results whole, and telling errors.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use counterfoil::json::{Limits, Value, parse};
use counterfoil::{Code, Error, Result, Timestamp};

/// A document that a person hands over is at most this long.
const DOCUMENT: usize = 64 << 20;

/// An I/O failure at a path.
pub(crate) fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |e| Error::new(Code::Io).value(e).at(path.display().to_string())
}

/// The system's clock.
pub(crate) fn now() -> Result<Timestamp> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
}

/// Reads a JSON document.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(failed(path))?;
    let limits = Limits { bytes: DOCUMENT, values: 10_000_000, ..Limits::default() };
    parse(&bytes, &limits).map_err(|e| e.within(path.display().to_string()))
}

/// Writes a file whole or not at all: a reader never sees half of it.
pub(crate) fn write_whole(path: &Path, content: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".unfinished");
    let unfinished = path.with_file_name(name);
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(failed(path))
}

/// Writes lines to a file, or to standard output.
pub(crate) fn write_out(path: Option<&Path>, content: &str) -> Result<()> {
    match path {
        Some(path) => write_whole(path, &format!("{content}\n")),
        None => say(content),
    }
}

/// Prints to standard output. A reader that has gone away is not an error.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::Io).value(e).at("standard output"))
        }
        _ => Ok(()),
    }
}

/// Prints a note to standard error, for people only.
pub(crate) fn note(text: &str) {
    if io::stderr().is_terminal() {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Prints a warning to standard error.
pub(crate) fn warn(text: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(io::stderr().lock(), "warning: {text}");
}

/// Prints an error: `error[code]: message`, or a JSON object.
pub(crate) fn complain(error: &Error, json: bool) -> io::Result<()> {
    let mut err = io::stderr().lock();
    if json {
        let optional = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let value = Value::object([
            ("code", Value::from(error.code().as_str())),
            ("message", Value::from(error.to_string())),
            ("place", optional(error.place())),
            ("value", optional(error.offending())),
        ]);
        writeln!(err, "{}", Value::object([("error", value)]).compact())
    } else {
        writeln!(err, "error[{}]: {error}", error.code())
    }
}
