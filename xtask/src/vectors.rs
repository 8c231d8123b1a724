//! `vectors`, `coverage`, `conformance`: the specification's vectors, what has none, and who runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::python::python;
use crate::session::{self, Session};
use crate::tools::{Outcome, cargo, keep, output, present, run as run_command, scratch};

const MODEL: &str = "spec/reference/run.py";
/// What the model is compared with that is not ours.
const TESTS: &str = "spec/reference";
const VECTORS: &str = "spec/vectors";
const INDEX: &str = "spec/vectors/index.json";
const PACKAGE: &str = "counterfoil-conformance";

/// `vectors [--check]`: the model writes every result, or finds that one differs, and is tested itself;
/// then the index.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.done()?;
    let Some(python) = python(session, "vectors")? else { return Ok(()) };
    let mode = if check { "--check" } else { "--write" };
    run_command(Command::new(&python).args([MODEL, mode, VECTORS]))?;
    if check {
        let mut tests = Command::new(&python);
        session.test(
            session::Language::Python,
            tests.args(["-m", "pytest", "--quiet", "-rs", TESTS]),
        )?;
    }
    let index = output(&mut program("--index"))?;
    keep(Path::new(INDEX), &index, check, "cargo xtask vectors")
}

/// `coverage`: lists rules and operations without a vector, and vectors that name no rule.
pub(crate) fn coverage(_: &mut Session, args: Args) -> Outcome {
    args.done()?;
    run_command(&mut program("--coverage"))
}

/// The Rust conformance program.
fn program(option: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", PACKAGE, "--", option]);
    command
}

/// A conformance program in another language. Each takes the folder of vectors and `--counts FILE`.
struct Language {
    name: &'static str,
    /// What runs it; must be on PATH.
    tool: &'static str,
    file: &'static str,
    /// What must have been built before.
    built: &'static str,
    /// How to get tool and build.
    how: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        name: "node",
        tool: "node",
        file: "bindings-wasm/conformance.mjs",
        built: "bindings-wasm/pkg",
        how: "install Node 20 or later, then cargo xtask wasm",
    },
    Language {
        name: "python",
        tool: "python3",
        file: "bindings-uniffi/python/conformance.py",
        built: "bindings-uniffi/python/counterfoil/_native.py",
        how: "install Python 3.10 or later, then cargo xtask python",
    },
    Language {
        name: "kotlin",
        tool: "bash",
        file: "bindings-uniffi/kotlin/conformance.sh",
        built: "bindings-uniffi/kotlin/target/test-classes",
        how: "install a JDK and Maven, then cargo xtask kotlin",
    },
    Language {
        name: "swift",
        tool: "bash",
        file: "bindings-uniffi/swift/conformance.sh",
        built: "bindings-uniffi/swift/.build/debug",
        how: "cargo xtask swift",
    },
];

/// `conformance`: every language runs every vector; one line for each.
pub(crate) fn conformance(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let folder = scratch("conformance")?;
    let counts = |name: &str| folder.join(format!("{name}.json"));
    run_command(program(VECTORS).arg("--counts").arg(counts("rust")))?;
    let mut ran = vec![("rust", counts("rust"))];
    for language in LANGUAGES {
        if !present(language.tool) || !Path::new(language.built).exists() {
            session.not_run(language.name, language.how)?;
        } else {
            let mut command = Command::new(language.tool);
            command.args([language.file, VECTORS, "--counts"]).arg(counts(language.name));
            run_command(&mut command)?;
            ran.push((language.name, counts(language.name)));
        }
    }
    compare(&ran)
}

fn compare(ran: &[(&str, PathBuf)]) -> Outcome {
    let mut command = program("--compare");
    for (name, counts) in ran {
        command.arg(format!("{name}={}", counts.display()));
    }
    run_command(&mut command)
}
