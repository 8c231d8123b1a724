//! `fuzz`: every decoder and the state machine under libFuzzer, for some seconds each.
//!
//! The targets are those of `cargo fuzz`. Here they are built on stable: coverage comes from LLVM
//! passes that the compiler lets any crate ask for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::session::Session;
use crate::tools::{Outcome, cache, cargo, run as run_command, target};

pub(crate) const OPTIONS: &str = "[--seconds 60] [--target NAME]";

const TARGETS: [&str; 11] = [
    "plan",
    "grant",
    "usage",
    "mapping",
    "stream",
    "receipt_json",
    "header",
    "entry",
    "frame",
    "snapshot",
    "meter",
];

const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// `fuzz`: stops at the first finding, whose input is kept in `fuzz/artifacts`.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let seconds = args.number("--seconds", 60)?;
    let only = args.value("--target")?;
    args.done()?;
    if !crate::tools::present("c++") {
        return session.not_run("fuzz", "install a C++ compiler, which libFuzzer is built with");
    }
    let built = target()?.join("fuzz");
    // An explicit target keeps the flags away from build scripts.
    let host = host()?;
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    build.env("CARGO_TARGET_DIR", &built).env("RUSTFLAGS", COVERAGE.join(" "));
    run_command(&mut build)?;
    for name in TARGETS.iter().filter(|name| only.as_deref().is_none_or(|only| only == **name)) {
        let corpus = cache().join("fuzz").join(name);
        fs::create_dir_all(&corpus).map_err(|e| e.to_string())?;
        seed(name, &corpus)?;
        fs::create_dir_all("fuzz/artifacts").map_err(|e| e.to_string())?;
        let mut fuzz = Command::new(built.join(&host).join("release").join(name));
        fuzz.arg(&corpus).arg(format!("-max_total_time={seconds}"));
        fuzz.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
        fuzz.arg(format!("-artifact_prefix=fuzz/artifacts/{name}-")).arg("-verbosity=0");
        run_command(&mut fuzz)?;
    }
    Ok(())
}

fn host() -> Outcome<String> {
    let said = crate::tools::output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(String::from).ok_or_else(|| "rustc names no host".into())
}

/// Starts a corpus from the documents in the vectors and examples.
fn seed(target: &str, corpus: &Path) -> Outcome {
    let wanted = match target {
        "plan" => "\"text\": \"",
        "grant" => "\"terms\": \"",
        "usage" => "\"body\": \"",
        "mapping" => "\"mapping\": \"",
        "receipt_json" => "\"json\": \"",
        "header" => "\"header\": \"",
        _ => return Ok(()),
    };
    let mut number = 0;
    for file in json_files(Path::new("spec/vectors"))? {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        for line in text.lines() {
            let Some((_, rest)) = line.split_once(wanted) else { continue };
            let document = rest.trim_end_matches(',').trim_end_matches('"').replace("\\\"", "\"");
            let path = corpus.join(format!("seed-{number}"));
            fs::write(path, document.replace("\\n", "\n")).map_err(|e| e.to_string())?;
            number += 1;
        }
    }
    Ok(())
}

fn json_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.is_dir() {
            files.extend(json_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
