//! The project's own Python environments, in the cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::session::Session;
use crate::tools::{Outcome, cache, run};

/// What the tests need, by the part of the project that needs it.
const TESTS: &[&str] = &[
    "bindings-uniffi/python/requirements.txt",
    "peers/python/requirements.txt",
    "spec/requirements.txt",
];

/// The interpreter with what the tests need; `None` where Python is missing, which is said.
pub(crate) fn python(session: &mut Session, what: &str) -> Outcome<Option<PathBuf>> {
    environment(session, what, "venv", TESTS)
}

/// The interpreter of an environment of this name, with everything in these files installed; `None`
/// where Python is missing, which is said.
pub(crate) fn environment(
    session: &mut Session,
    what: &str,
    name: &str,
    requirements: &[&str],
) -> Outcome<Option<PathBuf>> {
    let venv = cache().join(name);
    let program = venv.join("bin/python");
    let mut wanted = String::new();
    for file in requirements {
        wanted += &fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    }
    let installed = venv.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(Some(program));
    }
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv).status();
    if !made.is_ok_and(|status| status.success()) {
        session.not_run(what, "install Python 3.10 or later with venv")?;
        return Ok(None);
    }
    let mut pip = Command::new(&program);
    pip.args(["-m", "pip", "install", "--quiet"]);
    for file in requirements {
        pip.args(["--requirement", file]);
    }
    run(&mut pip)?;
    fs::write(&installed, wanted).map_err(|e| format!("{}: {e}", installed.display()))?;
    Ok(Some(program))
}
