//! Running other programs, and finding or installing those that are optional.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every task returns; the text is shown to a person.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// A tool from crates.io that a task may need. The version is pinned, because its output is compared.
pub(crate) struct Tool {
    /// The name of the crate and of its program.
    pub(crate) name: &'static str,
    /// The one version that is accepted.
    pub(crate) version: &'static str,
}

/// Prints the public API of a crate as text.
pub(crate) const PUBLIC_API: Tool = Tool { name: "cargo-public-api", version: "0.52.0" };
/// Checks licences, sources and advisories of dependencies.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

impl Tool {
    /// The program, where it is installed on PATH or in the cache.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let cached = cache().join("bin").join(self.name);
        [PathBuf::from(self.name), cached].into_iter().find(|program| {
            // A cargo plug-in called by its own name answers to `--version` like any program.
            let version = Command::new(program).arg("--version").stderr(Stdio::null()).output();
            version.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains(self.version))
        })
    }

    /// Builds the tool into the cache. This takes one to five minutes.
    pub(crate) fn install(&self) -> Outcome<PathBuf> {
        let mut command = cargo();
        command.args(["install", self.name, "--version", self.version, "--locked", "--root"]);
        run(command.arg(cache()))?;
        Ok(cache().join("bin").join(self.name))
    }
}

/// The folder for what tasks fetch or build beside Cargo's own target folder. `COUNTERFOIL_CACHE`
/// moves it, so that a CI machine can keep it between runs.
pub(crate) fn cache() -> PathBuf {
    env::var_os("COUNTERFOIL_CACHE").map_or_else(|| PathBuf::from(".cache"), PathBuf::from)
}

/// An empty folder of this name in the cache, for what one task writes and throws away.
pub(crate) fn scratch(name: &str) -> Outcome<PathBuf> {
    let folder = cache().join("work").join(name);
    fresh(&folder)?;
    Ok(folder)
}

/// Makes the folder, or empties it.
pub(crate) fn fresh(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

/// The cargo that rustup shows on PATH; the one in `$CARGO` does not understand `+nightly`.
pub(crate) fn cargo() -> Command {
    Command::new("cargo")
}

/// Cargo's target folder, whatever set it: this program runs from inside it.
pub(crate) fn target() -> Outcome<PathBuf> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let folder = program.parent().and_then(Path::parent);
    folder.map(Path::to_path_buf).ok_or_else(|| "cannot find the target folder".into())
}

/// Runs the command, shown first, with its output in view.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|e| format!("{}: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Like [`run`], and lets `see` read each line of the standard output as well.
pub(crate) fn run_read(command: &mut Command, mut see: impl FnMut(&str)) -> Outcome {
    println!("$ {}", shown(command));
    let failed = |e: std::io::Error| e.to_string();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.map_err(failed)?;
            println!("{line}");
            see(&line);
        }
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let out = command.output().map_err(|e| format!("{}: {e}", shown(command)))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(format!("{}: {}\n{why}", shown(command), out.status))
}

/// Whether a program of this name runs here.
pub(crate) fn present(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Compares a committed file with what it should hold now, or (without `check`) writes it.
pub(crate) fn keep(path: &Path, now: &str, check: bool, how: &str) -> Outcome {
    let kept = fs::read_to_string(path).unwrap_or_default();
    if kept == now {
        return Ok(());
    }
    if check {
        let line = kept.lines().zip(now.lines()).take_while(|(a, b)| a == b).count() + 1;
        let at = format!("{} line {line} is not up to date", path.display());
        return Err(format!("{at}: run `{how}` and review the change"));
    }
    println!("wrote {}", path.display());
    fs::write(path, now).map_err(|e| format!("{}: {e}", path.display()))
}
