//! `stress`: threads that share one ledger and its budgets, for as long as one likes.

use crate::args::Args;
use crate::session::Session;
use crate::tools::{Outcome, cargo, run as run_command};

pub(crate) const OPTIONS: &str = "[--threads 8] [--operations 100000] [--seed 1] [--shards 1]";

/// `stress`: `--operations` of each thread. The test of the journal, which is a short run of it. With
/// `--shards`, the same in one ledger and then in so many, with the ratio of their speeds.
pub(crate) fn run(_: &mut Session, mut args: Args) -> Outcome {
    let threads = args.number("--threads", 8)?;
    let operations = args.number("--operations", 100_000)?;
    let seed = args.number("--seed", 1)?;
    let shards = args.number("--shards", 1)?;
    args.done()?;
    let mut test = cargo();
    test.args(["test", "--release", "--package", "counterfoil-journal", "--test", "stress"]);
    let given = format!("{threads} {operations} {seed} {shards}");
    run_command(test.args(["--", "--nocapture"]).env("COUNTERFOIL_STRESS", given))
}
