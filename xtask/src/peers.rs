//! `peers`: what this project signs and proves, checked by libraries that know nothing of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::args::Args;
use crate::cli::{Cli, Input};
use crate::ledger::Made;
use crate::session::{Language, Session};
use crate::tools::{Outcome, present, run as run_command, scratch};

const NODE: &str = "peers/node";
const PYTHON: &str = "peers/python";
/// The environment variable that tells the checks where their data is.
const DATA: &str = "COUNTERFOIL_PEERS";

/// `peers`: a ledger and a settlement of the sample, then each language.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let folder = scratch("peers")?;
    let cli = Cli::build()?;
    let mut input = Input::sample();
    let made = Made::with_key(&cli, &folder, &mut input)?;
    made.settle(&cli, &input)?;
    let data = folder.join("peers.json");
    run_command(&mut cli.typed_data(&made.ledger, &made.settlement, &data))?;
    let data = data.canonicalize().map_err(|e| format!("{}: {e}", data.display()))?;
    let node = node(session, &data);
    python(session, &data).and(node)
}

fn node(session: &mut Session, data: &Path) -> Outcome {
    if !present("node") || !present("npm") {
        return session.not_run("peers in Node", "install Node 20 or later with npm");
    }
    // npm writes this file last; it is as new as the last complete installation.
    let lock = Path::new(NODE).join("package-lock.json");
    if !newer(&Path::new(NODE).join("node_modules/.package-lock.json"), &lock) {
        run_command(Command::new("npm").args(["ci", "--no-fund", "--no-audit", "--prefix", NODE]))?;
    }
    let mut command = Command::new("node");
    // In the folder: what a folder as an argument means differs between versions of Node.
    command.args(["--test", "--test-reporter=spec"]).current_dir(NODE).env(DATA, data);
    session.test(Language::Node, &mut command)
}

fn python(session: &mut Session, data: &Path) -> Outcome {
    let Some(program) = crate::python::python(session, "peers in Python")? else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(["-m", "pytest", "--quiet", PYTHON]).env(DATA, data);
    session.test(Language::Python, &mut command)
}

/// Whether `made` is there and not older than what it was made from.
fn newer(made: &Path, from: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified());
    matches!((time(made), time(from)), (Ok(made), Ok(from)) if made >= from)
}
