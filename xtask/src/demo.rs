//! `demo`: the whole way through, from a usage log to a report, for a person to look at.

use std::path::Path;

use crate::args::Args;
use crate::cli::{Cli, Input};
use crate::ledger::Made;
use crate::session::Session;
use crate::tools::{Outcome, fresh, run as run_command};

pub(crate) const OPTIONS: &str =
    "[--usage FILE [--plan FILE] [--surface S | --map M …: as `counterfoil meter`]]";

/// Fresh on every run. The steps are those of the README.
const FOLDER: &str = "demo-out";

/// `demo`, on the sample log or on a person's own.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    let mut input = input(session, args)?;
    let folder = Path::new(FOLDER);
    fresh(folder)?;
    let cli = Cli::build()?;
    let made = Made::with_key(&cli, folder, &mut input)?;
    run_command(&mut cli.plan_check(&input.plan))?;
    made.settle(&cli, &input)?;
    let report = folder.join("report.html");
    run_command(&mut cli.report(&made.ledger, &made.settlement, &report))?;
    let report = report.canonicalize().map_err(|e| format!("{}: {e}", report.display()))?;
    println!(
        "\nThe batch is in {}, the report in\n{}",
        made.settlement.display(),
        report.display()
    );
    Ok(())
}

/// The log that the options name; what is not read here goes to `counterfoil meter` as it stands.
pub(crate) fn input(session: &Session, mut args: Args) -> Outcome<Input> {
    let mut input = Input::sample();
    if let Some(log) = args.value("--usage")? {
        input.log = session.called_from.join(log);
        if let Some(plan) = args.value("--plan")? {
            input.plan = session.called_from.join(plan);
        }
        input.options = args.rest();
    } else {
        args.done()?;
    }
    Ok(input)
}
