//! The project's own Python environment, in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::session::Session;
use crate::tools::{Outcome, cache, run};

/// What is installed into it, by the part of the project that needs it.
const REQUIREMENTS: [&str; 2] = ["peers/python/requirements.txt", "spec/requirements.txt"];

/// The interpreter with everything installed; `None` where Python is missing, which is said.
pub(crate) fn python(session: &mut Session, what: &str) -> Outcome<Option<PathBuf>> {
    let venv = cache().join("venv");
    let program = venv.join("bin/python");
    let mut wanted = String::new();
    for file in REQUIREMENTS {
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
    for file in REQUIREMENTS {
        pip.arg("--requirement").arg(Path::new(file));
    }
    run(&mut pip)?;
    fs::write(&installed, wanted).map_err(|e| format!("{}: {e}", installed.display()))?;
    Ok(Some(program))
}
