//! `counterfoil-conformance [--print] [--counts FILE] [VECTOR …]`: runs all vectors, or these.
//!
//! `--print` writes the core's results into the vectors instead of comparing; `--counts` writes how
//! many steps of each operation ran.

use std::{env, fs, path::PathBuf, process::ExitCode};

use counterfoil_conformance::{Mode, files, run_files, spec};

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<String, String> {
    let mut mode = Mode::Check;
    let mut counts_file = None;
    let mut paths = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--print" => mode = Mode::Print,
            "--counts" => counts_file = Some(words.next().ok_or("--counts needs a file")?),
            option if option.starts_with("--") => return Err(format!("unknown option {option}")),
            path => paths.push(PathBuf::from(path)),
        }
    }
    if paths.is_empty() {
        paths = files(&spec().join("vectors"))?;
    }
    let counts = run_files(&paths, mode)?;
    if let Some(file) = counts_file {
        fs::write(&file, counts.to_json()).map_err(|e| format!("{file}: {e}"))?;
    }
    let steps: u64 = counts.steps.values().sum();
    Ok(format!("rust: {} vectors, {steps} steps", counts.vectors))
}
