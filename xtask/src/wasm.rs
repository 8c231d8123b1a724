//! `wasm`: the bindings for JavaScript, built and tested.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::args::Args;
use crate::gates::{add_target, installed};
use crate::session::{Language, Session};
use crate::tools::{Outcome, cargo, present, run as run_command, target};

const TARGET: &str = "wasm32-unknown-unknown";
const FOLDER: &str = "bindings-wasm";
/// The tool that writes the JavaScript: a workspace of its own, because it is heavy to compile.
const TOOL: &str = "bindings-wasm/build/Cargo.toml";

/// `wasm`: writes `bindings-wasm/pkg`, prints its size, runs the tests in Node.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    if !build(session)? {
        return Ok(());
    }
    if !present("node") {
        return session.not_run("the tests of bindings-wasm", "install Node 20 or later");
    }
    let mut command = Command::new("node");
    // In the folder: what a folder as an argument means differs between versions of Node.
    command.args(["--test", "--test-reporter=spec"]).current_dir(FOLDER);
    session.test(Language::Node, &mut command)
}

/// Builds the package; `false` where this machine cannot, which is said.
pub(crate) fn build(session: &mut Session) -> Outcome<bool> {
    same_version()?;
    if !installed(TARGET) && add_target(TARGET).is_err() {
        session.not_run("bindings-wasm", &format!("rustup target add {TARGET}"))?;
        return Ok(false);
    }
    let mut module = cargo();
    module.args(["build", "--package", "counterfoil-wasm", "--profile", "wasm"]);
    run_command(module.args(["--target", TARGET]))?;
    let built = target()?.join(TARGET).join("wasm/counterfoil_wasm.wasm");
    let mut tool = cargo();
    tool.args(["run", "--quiet", "--manifest-path", TOOL, "--target-dir"]);
    tool.arg(target()?.join("wasm-build")).arg("--").arg(built);
    run_command(tool.arg(Path::new(FOLDER).join("pkg")))?;
    Ok(true)
}

/// What the module says to the tool is a private format: both must be of one version.
fn same_version() -> Outcome {
    let version = |path: &str, name: &str| {
        let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(String::from).ok_or_else(|| format!("{path}: no {name}"))
    };
    let code = version("bindings-wasm/Cargo.toml", "wasm-bindgen = ")?;
    let tool = version(TOOL, "wasm-bindgen-cli-support = ")?;
    if code == tool { Ok(()) } else { Err(format!("wasm-bindgen {code}, but its tool is {tool}")) }
}
