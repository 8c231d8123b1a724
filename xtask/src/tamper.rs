//! `tamper`: one flipped bit anywhere in a ledger must fail its verification, with the place.

use std::fs;
use std::path::Path;

use crate::args::Args;
use crate::cli::{Cli, Input};
use crate::ledger::{Made, evidence};
use crate::random::Random;
use crate::session::Session;
use crate::tools::{Outcome, run as run_command, scratch};

pub(crate) const OPTIONS: &str = "[--runs 20] [--seed N]";

/// `tamper`: each run flips one bit of a random file, verifies, and flips it back.
pub(crate) fn run(_: &mut Session, mut args: Args) -> Outcome {
    let runs = args.number("--runs", 20)?;
    let mut random = Random::from_args(&mut args)?;
    args.done()?;
    let cli = Cli::build()?;
    let mut input = Input::sample();
    let made = Made::with_key(&cli, &scratch("tamper")?, &mut input)?;
    made.settle(&cli, &input)?;
    let files: Vec<_> = evidence(&made.ledger)?.iter().map(|f| made.ledger.join(f)).collect();
    for _ in 0..runs {
        let file = &files[usize::try_from(random.below(files.len() as u64)).unwrap_or(0)];
        let bit = random.below(8 * fs::metadata(file).map_err(|e| e.to_string())?.len());
        flip(file, bit)?;
        let refused = refused(&cli, &input.plan, &made.ledger);
        flip(file, bit)?;
        println!("{} bit {bit}: {}", file.display(), refused?);
    }
    // The ledger itself is sound: it was the flipped bit that was refused, each time.
    run_command(&mut cli.verify(&input.plan, &made.ledger))
}

fn flip(file: &Path, bit: u64) -> Outcome {
    let failed = |e: std::io::Error| format!("{}: {e}", file.display());
    let mut bytes = fs::read(file).map_err(failed)?;
    let at = usize::try_from(bit / 8).map_err(|e| e.to_string())?;
    *bytes.get_mut(at).ok_or("an empty file")? ^= 1 << (bit % 8);
    fs::write(file, bytes).map_err(failed)
}

/// The line in which `verify` refuses the ledger.
fn refused(cli: &Cli, plan: &Path, ledger: &Path) -> Outcome<String> {
    let out = cli.verify(plan, ledger).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stderr);
    match out.status.code() {
        Some(0) => Err("verify accepted a flipped bit".into()),
        // 101 is a panic; none is a signal.
        None | Some(101) => Err(format!("verify crashed: {said}")),
        Some(_) if !said.contains(" at ") => Err(format!("verify names no place: {said}")),
        Some(_) => Ok(said.lines().last().unwrap_or_default().into()),
    }
}
