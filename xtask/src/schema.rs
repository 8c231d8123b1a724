//! `schema`: the JSON Schemas of the documents, made from one source and tested against the core.

use std::env;
use std::process::Command;

use crate::args::Args;
use crate::cli::{Cli, Input};
use crate::ledger::Made;
use crate::session::{Language, Session};
use crate::tools::{Outcome, run as run_command, scratch};

const FOLDER: &str = "spec/schema";

/// `schema [--check]`: writes the published schemas, or compares them; then their tests, on a ledger
/// made for it.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.done()?;
    let Some(python) = crate::python::python(session, "schemas")? else { return Ok(()) };
    let mut bundle = Command::new(&python);
    bundle.arg(format!("{FOLDER}/bundle.py")).args(check.then_some("--check"));
    run_command(&mut bundle)?;

    let folder = scratch("schema")?;
    let cli = Cli::build()?;
    let mut input = Input::sample();
    let made = Made::with_key(&cli, &folder, &mut input)?;
    made.settle(&cli, &input)?;
    run_command(&mut cli.typed_data(
        &made.ledger,
        &made.settlement,
        &folder.join("typed-data.json"),
    ))?;
    let folder = env::current_dir().map_err(|e| e.to_string())?.join(folder);
    let mut tests = Command::new(python);
    tests.args(["-m", "pytest", "--quiet", FOLDER]);
    tests.env("COUNTERFOIL_CLI", cli.program()).env("COUNTERFOIL_MADE", folder);
    session.test(Language::Python, &mut tests)
}
