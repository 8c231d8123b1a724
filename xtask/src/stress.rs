//! `stress`: threads that share one ledger and its budgets, or budgets that are leased to other ledgers,
//! for as long as one likes.

use crate::args::Args;
use crate::session::Session;
use crate::tools::{Outcome, cargo, run as run_command};

pub(crate) const OPTIONS: &str =
    "[--threads 8] [--operations 100000] [--seed 1] [--shards 1 | --lanes 20]";

/// `stress`: `--operations` of each thread. One of two tests of the journal, which are short runs of it.
/// With `--shards`, the same in one ledger and then in so many, with the ratio of their speeds. With
/// `--lanes`, in one ledger that lends and so many that hold its leases.
pub(crate) fn run(_: &mut Session, mut args: Args) -> Outcome {
    let threads = args.number("--threads", 8)?;
    let operations = args.number("--operations", 100_000)?;
    let seed = args.number("--seed", 1)?;
    let lanes = args.number("--lanes", 0)?;
    let (variable, last, name) = if lanes > 0 {
        ("COUNTERFOIL_STRESS_LANES", lanes, "leased_lanes_never_overspend_one_budget")
    } else {
        let shards = args.number("--shards", 1)?;
        ("COUNTERFOIL_STRESS", shards, "threads_that_share_budgets_never_overspend_them")
    };
    args.done()?;
    let mut test = cargo();
    test.args(["test", "--release", "--package", "counterfoil-journal", "--test", "stress", name]);
    let given = format!("{threads} {operations} {seed} {last}");
    run_command(test.args(["--", "--nocapture"]).env(variable, given))
}
