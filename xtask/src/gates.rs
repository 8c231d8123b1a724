//! The checks that other tools make: form, lints, tests, documents, targets, packages, licences.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::Args;
use crate::session::{Language, Session};
use crate::tools::{self, DENY, Outcome, PUBLIC_API, Tool, cargo, run};
use crate::workspace;

/// The core is `no_std`: it must build where there is no operating system at all.
const BARE_TARGETS: [&str; 2] = ["thumbv7em-none-eabi", "wasm32-unknown-unknown"];

pub(crate) fn fmt(_: &mut Session) -> Outcome {
    run(cargo().args(["fmt", "--all", "--check"]))
}

pub(crate) fn clippy(_: &mut Session) -> Outcome {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The core under each feature set: a feature never changes a result.
pub(crate) fn core_tests(session: &mut Session) -> Outcome {
    for features in ["", "serde", "std"] {
        let mut command = cargo();
        command.args([
            "test",
            "--no-fail-fast",
            "--package",
            "counterfoil",
            "--features",
            features,
        ]);
        session.test(Language::Rust, &mut command)?;
    }
    Ok(())
}

/// Every other crate.
pub(crate) fn workspace_tests(session: &mut Session) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast", "--workspace", "--exclude", "counterfoil"]);
    session.test(Language::Rust, &mut command)
}

pub(crate) fn docs(_: &mut Session) -> Outcome {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    run(&mut command)
}

/// `nostd`: the core for each bare target, without features and with `serde`.
pub(crate) fn nostd(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    for target in BARE_TARGETS {
        if !installed(target) && add_target(target).is_err() {
            session.not_run("nostd", &format!("rustup target add {target}"))?;
            continue;
        }
        for features in ["", "serde"] {
            let mut command = cargo();
            command.args(["build", "--package", "counterfoil", "--target", target]);
            run(command.args(["--features", features]))?;
        }
    }
    Ok(())
}

/// Whether the standard library of a target is there.
pub(crate) fn installed(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).stderr(Stdio::null());
    tools::output(&mut rustc).is_ok_and(|folder| Path::new(folder.trim()).exists())
}

pub(crate) fn add_target(target: &str) -> Outcome {
    run(Command::new("rustup").args(["target", "add", target]))
}

/// `package`: what would be uploaded, built from its own files alone.
pub(crate) fn package(_: &mut Session, args: Args) -> Outcome {
    args.done()?;
    // In a folder that never was: Cargo takes the crates that depend on each other from a registry in
    // there, and keeps what it unpacked and compiled from it for good, by name and version.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let folder = tools::scratch(&format!("package/{now}"))?;
    let mut command = cargo();
    command.args(["package", "--allow-dirty", "--target-dir"]).arg(&folder);
    for published in workspace::crates()?.iter().filter(|c| c.published) {
        command.args(["--package", &published.name]);
    }
    let packaged = run(&mut command);
    fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display())).and(packaged)
}

/// `deny`: licences, bans and sources; advisories where a copy of their database is at hand.
pub(crate) fn deny(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let Some(program) = optional(session, &DENY, "deny")? else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(["--workspace", "check", "--hide-inclusion-graph"]);
    if advisories().exists() {
        command.args(["--disable-fetch", "advisories"]);
    } else {
        println!("advisories are not checked: no database in {}", advisories().display());
    }
    run(command.args(["bans", "licenses", "sources"]))
}

/// Where cargo-deny keeps the advisory databases that it has fetched.
fn advisories() -> PathBuf {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    cargo_home.or(home).unwrap_or_default().join("advisory-dbs")
}

/// The tool's program; installed first where everything must run, else reported as missing.
pub(crate) fn optional(session: &mut Session, tool: &Tool, task: &str) -> Outcome<Option<PathBuf>> {
    match tool.find() {
        Some(program) => Ok(Some(program)),
        None if session.strict => tool.install().map(Some),
        None => {
            let what = format!("{task} needs {} {}", tool.name, tool.version);
            session.not_run(&what, "cargo xtask tools").map(|()| None)
        }
    }
}

/// `tools`: everything optional that can be installed without an administrator.
pub(crate) fn tools(_: &mut Session, args: Args) -> Outcome {
    args.done()?;
    for tool in [&PUBLIC_API, &DENY] {
        if tool.find().is_none() {
            tool.install()?;
        }
    }
    let mut rustup = Command::new("rustup");
    run(rustup.args(["target", "add"]).args(BARE_TARGETS))
}
