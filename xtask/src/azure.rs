//! `azure`: recorded calls of a production service, then many times as many in the same memory.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::cli::{Cli, Input};
use crate::ledger::Made;
use crate::session::Session;
use crate::tools::{Outcome, run as run_command, scratch};

/// The log spans just under an hour, so that copies an hour apart follow one another.
const COPIES: u32 = 50;
/// Peak memory may differ by a quarter and this much, for the allocator's and the system's whims.
const SLACK_KIB: u64 = 2048;

/// The recorded log, where this machine has it. It is not part of the project.
pub(crate) fn log() -> Option<PathBuf> {
    let shared =
        env::var_os("COUNTERFOIL_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    Some(shared.join("data/azure_llm_2023_conv.csv")).filter(|log| log.exists())
}

/// Says that the recorded log is not here.
pub(crate) fn absent(session: &mut Session) -> Outcome {
    let how =
        "put the Azure LLM inference trace 2023, azure_llm_2023_conv.csv, into ../shared/data/";
    session.not_run("azure", how)
}

/// `azure`.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let Some(log) = log() else { return absent(session) };
    let folder = scratch("azure")?;
    let repeated = folder.join("repeated.csv");
    repeat(&log, &repeated)?;
    let cli = Cli::build()?;
    let once = measure(&cli, Input::azure(log), &folder.join("once"))?;
    let many = measure(&cli, Input::azure(repeated.clone()), &folder.join("many"))?;
    fs::remove_file(repeated).map_err(|e| e.to_string())?;
    println!("\npeak memory: {once} KiB for one copy, {many} KiB for {COPIES}");
    if many <= once + once / 4 + SLACK_KIB {
        Ok(())
    } else {
        Err("memory grows with the log".into())
    }
}

/// Meters, verifies and settles one log; prints calls per second and returns peak memory in KiB.
fn measure(cli: &Cli, mut input: Input, folder: &Path) -> Outcome<u64> {
    fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let calls = lines(&input.log)?.count() - 1;
    let made = Made::with_key(cli, folder, &mut input)?;
    let (time, memory) = watch(&mut cli.meter(&input, &made.key, &made.ledger))?;
    let rate = calls as f64 / time.as_secs_f64();
    println!("{calls} calls metered in {time:.2?}: {rate:.0} per second, peak memory {memory} KiB");
    let (time, memory_of_verify) = watch(&mut cli.verify(&input.plan, &made.ledger))?;
    let rate = calls as f64 / time.as_secs_f64();
    println!("verified in {time:.2?}: {rate:.0} per second, peak memory {memory_of_verify} KiB");
    run_command(&mut cli.settle(&made.ledger, &made.settlement))?;
    Ok(memory)
}

/// Runs a command and watches its peak memory, which the system keeps as `VmHWM`.
fn watch(command: &mut Command) -> Outcome<(Duration, u64)> {
    let started = Instant::now();
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // An ended process has no memory any more: the last reading stands.
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let kib = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = kib.and_then(|n| n.parse().ok()).unwrap_or(peak);
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) if status.success() => return Ok((started.elapsed(), peak)),
            Some(status) => return Err(format!("{command:?}: {status}")),
            None => sleep(Duration::from_millis(5)),
        }
    }
}

/// Writes the log many times, each copy an hour after the one before.
fn repeat(log: &Path, to: &Path) -> Outcome {
    let failed = |e: std::io::Error| format!("{}: {e}", to.display());
    let mut out = BufWriter::new(File::create(to).map_err(failed)?);
    for copy in 0..COPIES {
        for (number, line) in lines(log)?.enumerate() {
            let line = line.map_err(failed)?;
            if number > 0 {
                let (day, rest) =
                    later(&line, copy).ok_or_else(|| format!("no instant: {line}"))?;
                writeln!(out, "{day}{rest}").map_err(failed)?;
            } else if copy == 0 {
                writeln!(out, "{line}").map_err(failed)?;
            }
        }
    }
    out.flush().map_err(failed)
}

fn lines(path: &Path) -> Outcome<impl Iterator<Item = std::io::Result<String>>> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(BufReader::new(file).lines())
}

/// `2023-11-16 18:15:46.68…` some hours later: the date with its hour, and what follows unchanged.
/// The log is of mid-November and stays in that month.
fn later(line: &str, hours: u32) -> Option<(String, &str)> {
    let (month, rest) = line.split_at_checked("2023-11-".len())?;
    let day: u32 = rest.get(..2)?.parse().ok()?;
    let hour: u32 = rest.get(3..5)?.parse().ok()?;
    let (day, hour) = (day + (hour + hours) / 24, (hour + hours) % 24);
    let valid = day <= 30 && month == "2023-11-";
    valid.then(|| (format!("{month}{day:02} {hour:02}"), &rest[5..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_moves_by_hours_and_keeps_the_rest() {
        let line = "2023-11-16 18:15:46.6805900,374,44";
        let moved = |hours| later(line, hours).map(|(a, b)| a + b);
        assert_eq!(moved(0).as_deref(), Some(line));
        assert_eq!(moved(49).as_deref(), Some("2023-11-18 19:15:46.6805900,374,44"));
        assert_eq!(moved(24 * 15), None);
        assert_eq!(later("TIMESTAMP,ContextTokens", 1), None);
    }
}
