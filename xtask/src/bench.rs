//! `bench`: the benchmarks, and the ratios that the design aims at.
//!
//! A ratio is between two numbers of the same run on the same machine: the work, and the floor of
//! hashing, signing or writing that no implementation can go below.

use std::fs;
use std::path::Path;

use crate::args::Args;
use crate::session::Session;
use crate::tools::{Outcome, cargo, run as run_command, target};

/// What a line of the table aims at.
enum Aim {
    /// Work at most this many times its floor, another benchmark.
    Times(&'static str, f64),
    /// At least this many per second.
    PerSecond(f64),
    /// At most this many seconds.
    Seconds(f64),
}

/// A line of the table: what it says, the benchmark, the aim. A benchmark's name is its folder under
/// `target/criterion`.
const LINES: &[(&str, &str, Aim)] = &[
    ("authorize + settle, checkpoint mode", "spine/checkpoint", Aim::Times("floor/hashing", 1.5)),
    ("authorize + settle, each head signed", "spine/each", Aim::Times("floor/sign", 1.1)),
    ("durable authorize + settle, 8 writers", "durable/meter", Aim::Times("floor/append", 1.2)),
    ("audit, calls with their holds", "audit/call", Aim::PerSecond(150_000.0)),
    ("audit, records of an imported log", "audit/import", Aim::PerSecond(150_000.0)),
    ("settlement of 1,000,000 receipts", "settlement/million", Aim::Seconds(3.0)),
];

/// `bench`. It prints and does not judge: a shared machine's times prove nothing. The allocations of a
/// call are counted after, by the test that bounds them.
pub(crate) fn run(_: &mut Session, args: Args) -> Outcome {
    run_command(cargo().args(["bench", "--package", "counterfoil-bench"]).args(args.rest()))?;
    let mut allocations = cargo();
    allocations.args(["test", "--profile", "bench", "--package", "counterfoil-bench"]);
    run_command(allocations.args(["--test", "allocations", "--", "--nocapture"]))?;
    let criterion = target()?.join("criterion");
    println!("\n{:40} {:>12} {:>12} {:>12} {:>12}", "", "time", "its floor", "measured", "aim");
    for (label, name, aim) in LINES {
        let time = nanoseconds(&criterion, name)?;
        let (floor, measured, aim) = match aim {
            Aim::Times(floor, most) => {
                let floor = nanoseconds(&criterion, floor)?;
                (micros(floor), format!("{:.2} x", time / floor), format!("<= {most} x"))
            }
            Aim::PerSecond(least) => {
                (String::new(), format!("{:.0}/s", 1e9 / time), format!(">= {least}/s"))
            }
            Aim::Seconds(most) => {
                (String::new(), format!("{:.2} s", time / 1e9), format!("<= {most} s"))
            }
        };
        println!("{label:40} {:>12} {floor:>12} {measured:>12} {aim:>12}", micros(time));
    }
    Ok(())
}

fn micros(nanoseconds: f64) -> String {
    format!("{:.1} us", nanoseconds / 1e3)
}

/// The median time of a benchmark.
fn nanoseconds(criterion: &Path, name: &str) -> Outcome<f64> {
    let file = criterion.join(name).join("new/estimates.json");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    median(&text).ok_or_else(|| format!("{}: no median", file.display()))
}

/// The point estimate of the median in Criterion's `estimates.json`.
fn median(estimates: &str) -> Option<f64> {
    let (_, median) = estimates.split_once("\"median\":")?;
    let (_, number) = median.split_once("\"point_estimate\":")?;
    number.split([',', '}']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read() {
        let text = r#"{"mean":{"confidence_interval":{"lower_bound":1.0},"point_estimate":2.0},
            "median":{"confidence_interval":{"lower_bound":3.0},"point_estimate":4.5e2,"x":1}}"#;
        assert_eq!(median(text), Some(450.0));
        assert_eq!(median("{}"), None);
    }
}
