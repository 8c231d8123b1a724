//! `differential` and `mutants`: the core against the model, and the core made wrong on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::args::Args;
use crate::python::python;
use crate::session::Session;
use crate::tools::{Outcome, cargo, output, run as run_command, scratch, target};

pub(crate) const OPTIONS: &str = "[--cases 2000] [--seed 1]";

const SCRIPT: &str = "spec/reference/differential.py";
const PACKAGE: &str = "counterfoil-conformance";

/// `differential`: random scripts, half of them on each of two processes.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let cases = args.number("--cases", 2_000)?;
    let seed = args.number("--seed", 1)?;
    args.done()?;
    let Some(python) = python(session, "differential")? else { return Ok(()) };
    run_command(cargo().args(["build", "--release", "--package", PACKAGE]))?;
    let program = target()?.join("release").join(PACKAGE);
    let half = cases.div_ceil(2);
    let started: Vec<Child> = [seed, seed + 1_000_003]
        .iter()
        .map(|seed| {
            command(&python, half, *seed, &program).spawn().map_err(|e| format!("{SCRIPT}: {e}"))
        })
        .collect::<Outcome<_>>()?;
    let mut failed = false;
    for mut child in started {
        failed |= !child.wait().map_err(|e| e.to_string())?.success();
    }
    if failed { Err("core and model differ".into()) } else { Ok(()) }
}

fn command(python: &Path, cases: u64, seed: u64, program: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(SCRIPT).args(["--cases", &cases.to_string(), "--seed", &seed.to_string()]);
    command.arg("--").arg(program).arg("--stream");
    command
}

/// One wrong line in a rating rule.
struct Mutant {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

/// `mutants`: each must be found within ten thousand cases.
pub(crate) fn mutants(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let Some(python) = python(session, "mutants")? else { return Ok(()) };
    let folder = scratch("mutants")?;
    copy_sources(&folder)?;
    for mutant in MUTANTS {
        let path = folder.join(mutant.file);
        let source = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if source.matches(mutant.right).count() != 1 {
            return Err(format!("{}: not exactly one `{}`", mutant.file, mutant.right));
        }
        let write = |text: &str| fs::write(&path, text).map_err(|e| e.to_string());
        write(&source.replace(mutant.right, mutant.wrong))?;
        let found = find(&python, &folder);
        write(&source)?;
        println!("{}: {}", mutant.what, found?);
    }
    Ok(())
}

/// The case that finds the mutant.
fn find(python: &Path, folder: &Path) -> Outcome<String> {
    let built = target()?.join("mutants");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--package", PACKAGE]).current_dir(folder);
    output(build.env("CARGO_TARGET_DIR", &built))?;
    let program = built.join("release").join(PACKAGE);
    let out = command(python, 10_000, 1, &program)
        .stderr(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stdout);
    match (out.status.success(), said.lines().last()) {
        (false, Some(line)) if line.starts_with("case ") => Ok(line.into()),
        _ => Err("not found within 10000 cases".into()),
    }
}

/// What the runner is built from.
fn copy_sources(folder: &Path) -> Outcome {
    let files = output(Command::new("git").args([
        "ls-files",
        "--",
        "Cargo.toml",
        "Cargo.lock",
        "core",
        "conformance",
        "journal",
        "cli",
        "xtask",
        "benches",
        "bindings-wasm",
        "bindings-uniffi",
        "examples",
        "README.md",
        "spec/surface.json",
    ]))?;
    for file in files.lines() {
        let to: PathBuf = folder.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| e.to_string())?;
        }
        // Symbolic links to licences are of no use to a build.
        if Path::new(file).is_file() {
            fs::copy(file, &to).map_err(|e| format!("{file}: {e}"))?;
        }
    }
    Ok(())
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "a graduated tier reaches one unit too far",
        file: "core/src/rating/graduated.rs",
        right: "tier.up_to.unwrap_or(u64::MAX).min(after)",
        wrong: "tier.up_to.map_or(u64::MAX, |upper| upper.saturating_add(1)).min(after)",
    },
    Mutant {
        what: "the unit at a volume tier's bound falls into the next",
        file: "core/src/rating/volume.rs",
        right: "is_some_and(|upper| upper < units)",
        wrong: "is_some_and(|upper| upper <= units)",
    },
    Mutant {
        what: "a package is begun one unit early",
        file: "core/src/rating/package.rs",
        right: "price.checked_mul(units.div_ceil(size.max(1)))",
        wrong: "price.checked_mul(units.saturating_add(1).div_ceil(size.max(1)))",
    },
    Mutant {
        what: "one free unit too few",
        file: "core/src/rating/tariff.rs",
        right: "counter.saturating_sub(self.free)",
        wrong: "counter.saturating_sub(self.free.saturating_sub(1))",
    },
    Mutant {
        what: "a flat amount falls due with the second unit",
        file: "core/src/rating/flat.rs",
        right: "if units == 0 { Exact::ZERO }",
        wrong: "if units <= 1 { Exact::ZERO }",
    },
    Mutant {
        what: "a rate admits one call more at once",
        file: "core/src/rating/gcra.rs",
        right: "call.saturating_mul(u128::from(self.burst))",
        wrong: "call.saturating_mul(u128::from(self.burst).saturating_add(1))",
    },
];
