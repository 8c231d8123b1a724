//! `crash`: metering killed at random instants and resumed leaves the same ledger, byte for byte.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::azure;
use crate::cli::{Cli, Input};
use crate::ledger::{Made, same};
use crate::random::Random;
use crate::session::Session;
use crate::tools::{Outcome, run as run_command, scratch};

pub(crate) const OPTIONS: &str = "[--runs 50] [--seed N] [--azure | --usage FILE [as `demo`]]";

/// `crash`: `--runs` kills. Where metering ends before all of them, the finished ledger is compared
/// and metering starts again, so that every kill hits work in progress.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let kills = args.number("--runs", 50)?;
    let mut random = Random::from_args(&mut args)?;
    let mut input = if args.flag("--azure") {
        args.done()?;
        let Some(log) = azure::log() else { return azure::absent(session) };
        Input::azure(log)
    } else {
        crate::demo::input(session, args)?
    };
    let cli = Cli::build()?;
    let folder = scratch("crash")?;
    let made = Made::with_key(&cli, &folder, &mut input)?;
    let started = Instant::now();
    run_command(&mut cli.meter(&input, &made.key, &made.ledger))?;
    let whole = started.elapsed();
    // Some ten kills in each pass over the log: early, late and while the last one is repaired.
    let longest = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX) / 5;

    let ledger = folder.join("killed");
    let (mut done, mut passes) = (0, 0);
    loop {
        let wait = Duration::from_micros(random.below(longest.max(1)));
        let mut command = cli.meter(&input, &made.key, &ledger);
        let mut child = command.stdout(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        // Once enough kills are done, the last pass runs to its end.
        if done < kills {
            sleep(wait);
            child.kill().map_err(|e| e.to_string())?;
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        match status.code() {
            None => done += 1,
            Some(0) => {
                let size = same(&made.ledger, &ledger)?;
                passes += 1;
                println!("pass {passes}: {size} bytes identical, {done} of {kills} kills done");
                if done >= kills {
                    break;
                }
                fs::remove_dir_all(&ledger).map_err(|e| e.to_string())?;
            }
            Some(code) => {
                return Err(format!("resuming after {done} kills failed, exit code {code}"));
            }
        }
    }
    run_command(&mut cli.verify(&input.plan, &ledger))
}
