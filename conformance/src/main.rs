//! `counterfoil-conformance`: runs vectors through the core.
//!
//! ```text
//! [PATH …] [--print] [--counts FILE]  run all vectors, or these files and folders; --print writes the
//!                                    core's results into them, --counts the steps of each operation
//! --stream                           vectors from standard input, one a line: `ok`, or what differs
//! --index                            print the index of all vectors
//! --coverage                         list rules and operations without a vector; none may be
//! --compare LANGUAGE=FILE …          compare the counts of any language with the index
//! ```

use std::{
    env, fs,
    io::{BufRead as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use counterfoil_conformance::{
    Mode, compare, files, gaps, index, load_surface, run_all, run_files, run_text, spec,
};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        Some("--stream") => stream(),
        Some("--index") => {
            run_all().and_then(|reports| index(&reports)).map(|text| print!("{text}"))
        }
        Some("--coverage") => coverage(),
        Some("--compare") => compare_all(&words[1..]),
        _ => run(words.into_iter()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Answers each line of standard input, for differential runs.
fn stream() -> Result<(), String> {
    let surface = load_surface()?;
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

fn coverage() -> Result<(), String> {
    let operations: Vec<String> = load_surface()?.operations().map(String::from).collect();
    let gaps = gaps(&spec(), &run_all()?, &operations)?;
    if !gaps.is_empty() {
        return Err(gaps.join("\n"));
    }
    println!("every rule and every operation has a vector");
    Ok(())
}

/// One line for each language.
fn compare_all(pairs: &[String]) -> Result<(), String> {
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let index = read(&spec().join("vectors/index.json"))?;
    let mut differences = Vec::new();
    for pair in pairs {
        let Some((language, path)) = pair.split_once('=') else {
            return Err(format!("{pair}: expected LANGUAGE=FILE"));
        };
        match read(Path::new(path)).and_then(|counts| compare(&index, language, &counts)) {
            Ok(line) => println!("{line}"),
            Err(why) => differences.push(why),
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), String> {
    let mut mode = Mode::Check;
    let mut counts_file = None;
    let mut paths = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--print" => mode = Mode::Print,
            "--counts" => counts_file = Some(words.next().ok_or("--counts needs a file")?),
            option if option.starts_with("--") => return Err(format!("unknown option {option}")),
            path if Path::new(path).is_dir() => paths.extend(files(Path::new(path))?),
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
    println!("rust: {} vectors, {steps} steps", counts.vectors);
    Ok(())
}
