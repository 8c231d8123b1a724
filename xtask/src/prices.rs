//! `prices`: entries of LiteLLM's price map, imported, against exact arithmetic and beside two peers.

use std::process::Command;

use crate::args::Args;
use crate::cli::Cli;
use crate::python::environment;
use crate::session::Session;
use crate::tools::{Outcome, cargo, run as run_command, scratch, target};

const FOLDER: &str = "peers/prices";

/// `prices`. The peers are large: they have an environment of their own, and no test needs it.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let requirements = format!("{FOLDER}/requirements.txt");
    let Some(python) = environment(session, "prices", "prices", &[&requirements])? else {
        return Ok(());
    };
    let cli = Cli::build()?;
    let build = ["build", "--release", "--package", "counterfoil-bench", "--example", "quote"];
    run_command(cargo().args(build))?;
    let mut compare = Command::new(python);
    compare.arg(format!("{FOLDER}/compare.py")).arg(cli.program());
    compare.arg(target()?.join("release/examples/quote")).arg(scratch("prices")?);
    run_command(&mut compare)
}
