//! `counterfoil-conformance [--print] [--counts FILE] [VECTOR …]`: runs all vectors, or these.
//!
//! `--print` writes the core's results into the vectors instead of comparing; `--counts` writes how
//! many steps of each operation ran. `--stream` reads vectors from standard input, one a line, and
//! answers each with a line: `ok`, or what differs.

use std::{
    env, fs,
    io::{BufRead as _, Write as _, stdin, stdout},
    path::PathBuf,
    process::ExitCode,
};

use counterfoil_conformance::{Mode, Surface, files, run_files, run_text, spec};

fn main() -> ExitCode {
    if env::args().nth(1).is_some_and(|word| word == "--stream") {
        return match stream() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
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

/// Answers each line of standard input, for differential runs.
fn stream() -> Result<(), String> {
    let path = spec().join("surface.json");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let surface = Surface::read(&text)?;
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let answer = match run_text(&line, &surface, Mode::Check) {
            Ok(report) if report.differences.is_empty() => String::from("ok"),
            Ok(report) => report.differences.join(" "),
            Err(why) => why,
        };
        writeln!(out, "{}", answer.replace('\n', " "))
            .and_then(|()| out.flush())
            .map_err(|e| e.to_string())?;
    }
    Ok(())
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
