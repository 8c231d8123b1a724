//! `differential`: random scripts through the core and the model, compared.

use std::path::Path;
use std::process::{Child, Command};

use crate::args::Args;
use crate::python::python;
use crate::session::Session;
use crate::tools::{Outcome, cargo, run as run_command, target};

pub(crate) const OPTIONS: &str = "[--cases 2000] [--seed 1]";

const SCRIPT: &str = "spec/reference/differential.py";
pub(crate) const PACKAGE: &str = "counterfoil-conformance";

/// `differential`: random scripts, half of them on each of two processes.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let cases = args.number("--cases", 2_000)?;
    let seed = args.number("--seed", 1)?;
    args.done()?;
    let Some(python) = python(session, "differential")? else { return Ok(()) };
    run_command(cargo().args(["build", "--release", "--package", PACKAGE]))?;
    let program = target()?.join("release").join(PACKAGE);
    let half = cases.div_ceil(2);
    let started: Vec<Child> = [seed, seed + 1_000_003]
        .iter()
        .map(|seed| {
            command(&python, half, *seed, &program).spawn().map_err(|e| format!("{SCRIPT}: {e}"))
        })
        .collect::<Outcome<_>>()?;
    let mut failed = false;
    for mut child in started {
        failed |= !child.wait().map_err(|e| e.to_string())?.success();
    }
    if failed { Err("core and model differ".into()) } else { Ok(()) }
}

pub(crate) fn command(python: &Path, cases: u64, seed: u64, program: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(SCRIPT).args(["--cases", &cases.to_string(), "--seed", &seed.to_string()]);
    command.arg("--").arg(program).arg("--stream");
    command
}
