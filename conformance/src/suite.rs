//! All vectors, and the counts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Mode, Report, Surface, run_text};

/// The folder of the specification.
#[must_use]
pub fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec")
}

/// Every vector file below the folder, sorted; the index is none.
///
/// # Errors
/// For a folder that cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut found = Vec::new();
    for item in fs::read_dir(folder).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "json") && !path.ends_with("index.json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// How many steps of each operation ran, and how many vectors.
#[derive(Debug, Default)]
pub struct Counts {
    /// How many vectors ran.
    pub vectors: u64,
    /// By operation.
    pub steps: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn add(&mut self, report: &Report) {
        self.vectors += 1;
        for (op, steps) in &report.steps {
            *self.steps.entry(op.clone()).or_default() += steps;
        }
    }

    /// The form that `cargo xtask conformance` reads: steps by operation.
    #[must_use]
    pub fn to_json(&self) -> String {
        let steps: Vec<String> =
            self.steps.iter().map(|(op, n)| format!(" \"{op}\": {n}")).collect();
        format!("{{\n{}\n}}\n", steps.join(",\n"))
    }
}

/// The table of operations.
///
/// # Errors
/// For a table that cannot be read.
pub fn load_surface() -> Result<Surface, String> {
    let table = spec().join("surface.json");
    let text = fs::read_to_string(&table).map_err(|e| format!("{}: {e}", table.display()))?;
    Surface::read(&text)
}

/// Runs these files. In [`Mode::Print`] each is written back with the core's results.
///
/// # Errors
/// Every vector that is malformed, and every result that differs.
pub fn run_files(paths: &[PathBuf], mode: Mode) -> Result<Counts, String> {
    let mut counts = Counts::default();
    run_each(paths, mode)?.iter().for_each(|report| counts.add(report));
    Ok(counts)
}

/// Runs every vector; each with its file's name below the folder of vectors.
///
/// # Errors
/// As [`run_files`].
pub fn run_all() -> Result<Vec<(String, Report)>, String> {
    let folder = spec().join("vectors");
    let paths = files(&folder)?;
    let reports = run_each(&paths, Mode::Check)?;
    let name = |path: &PathBuf| {
        path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().replace('\\', "/")
    };
    Ok(paths.iter().map(name).zip(reports).collect())
}

fn run_each(paths: &[PathBuf], mode: Mode) -> Result<Vec<Report>, String> {
    let surface = load_surface()?;
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for path in paths {
        match run_file(path, &surface, mode) {
            Ok(report) => reports.push(report),
            Err(why) => failures.push(format!("{}: {why}", path.display())),
        }
    }
    if failures.is_empty() { Ok(reports) } else { Err(failures.join("\n")) }
}

fn run_file(path: &Path, surface: &Surface, mode: Mode) -> Result<Report, String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let report = run_text(&text, surface, mode)?;
    let room = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let named = path.file_stem().and_then(|name| name.to_str()) == Some(&report.id);
    if !named || !room.is_some_and(|room| report.id.starts_with(&format!("{room}-"))) {
        return Err("the id is the file's name and starts with the room".into());
    }
    if !report.differences.is_empty() {
        return Err(report.differences.join("\n"));
    }
    if report.text != text {
        match mode {
            Mode::Print => fs::write(path, &report.text).map_err(|e| e.to_string())?,
            Mode::Check => return Err("the file is not in the form that the tools write".into()),
        }
    }
    Ok(report)
}
