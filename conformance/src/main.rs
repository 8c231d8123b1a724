//! Runs vectors through the core, one arm per operation of `spec/surface.json`.
//!
//! ```text
//! counterfoil-conformance spec/vectors [--counts FILE]   every vector below a folder
//! counterfoil-conformance --print FILE                   one vector with what the core computes
//! counterfoil-conformance --stream                       a vector a line: `ok`, or what differs
//! ```

mod arms;
mod meter;
mod text;
mod vector;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("--stream") => stream(),
        Some("--print") => print(arguments.get(1).map_or("-", String::as_str)),
        Some(folder) => files(Path::new(folder), &arguments[1..]),
        None => Err(String::from("name a folder of vectors, or --stream")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

/// Answers each line of standard input, for differential runs.
fn stream() -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let vector: Value = serde_json::from_str(&line).map_err(|e| e.to_string())?;
        let answer = match vector::run(&vector, &mut BTreeMap::new()) {
            Ok(()) => String::from("ok"),
            Err(e) => e.replace('\n', " "),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Shows a vector with the core's own results, to look at a difference.
fn print(path: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let vector = serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))?;
    let filled = vector::fill(&vector)?;
    println!("{}", serde_json::to_string_pretty(&filled).map_err(|e| e.to_string())?);
    Ok(())
}

fn files(folder: &Path, options: &[String]) -> Result<(), String> {
    let mut counts = BTreeMap::new();
    let mut failed = 0;
    let files = vectors(folder)?;
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let vector = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if let Err(e) = vector::run(&vector, &mut counts) {
            failed += 1;
            eprintln!("{}: {e}", path.display());
        }
    }
    if let Some(at) = options.iter().position(|option| option == "--counts") {
        let path = options.get(at + 1).ok_or("--counts needs a file")?;
        let text = serde_json::to_string_pretty(&counts).map_err(|e| e.to_string())?;
        std::fs::write(path, text + "\n").map_err(|e| format!("{path}: {e}"))?;
    }
    let steps: u64 = counts.values().sum();
    println!("rust: {steps} steps in {} vectors, {failed} failed", files.len());
    if failed > 0 { Err(format!("{failed} vectors differ")) } else { Ok(()) }
}

/// Every vector file, sorted.
fn vectors(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files = Vec::new();
    for room in std::fs::read_dir(folder).map_err(failed)? {
        let room = room.map_err(failed)?.path();
        if room.is_dir() {
            for file in std::fs::read_dir(&room).map_err(failed)? {
                files.push(file.map_err(failed)?.path());
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|e| e == "json"));
    files.sort();
    Ok(files)
}
