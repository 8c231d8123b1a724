//! The project's tasks. `cargo xtask help` lists them; CONTRIBUTING.md says when to run which.

mod api;
mod args;
mod azure;
mod bench;
mod bindings;
mod cli;
mod crash;
mod demo;
mod differential;
mod errors;
mod fuzz;
mod gates;
mod ledger;
mod mutants;
mod peers;
mod prices;
mod python;
mod random;
mod sample;
mod schema;
mod session;
mod stress;
mod tamper;
mod test;
mod tools;
mod vectors;
mod wasm;
mod workspace;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use args::Args;
use session::Session;
use tools::Outcome;

/// One task: its name, its options, one line for `help`, and what it does.
struct Task(&'static str, &'static str, &'static str, fn(&mut Session, Args) -> Outcome);

/// Every task, in the order of `help`.
const TASKS: &[Task] = &[
    Task(
        "demo",
        demo::OPTIONS,
        "meter a log, verify, settle, report: everything in demo-out/",
        demo::run,
    ),
    Task(
        "test",
        "[--all]",
        "everything that must hold, as CI runs it; --all: nothing may be missing",
        test::run,
    ),
    Task("tools", "", "install the optional tools of `test` into .cache/", gates::tools),
    Task("sample", "[--check]", "write examples/sample/usage.jsonl", sample_task),
    Task("nostd", "", "build the core for a microcontroller and for wasm32", gates::nostd),
    Task("api", "[--check]", "write the public API of the libraries to <crate>/api.txt", api::run),
    Task(
        "errors",
        "[--check]",
        "write docs/ERRORS.md from the table in core/src/error.rs",
        errors::run,
    ),
    Task(
        "package",
        "",
        "package every crate that is published, and build the packages",
        gates::package,
    ),
    Task("deny", "", "check licences and sources of dependencies (deny.toml)", gates::deny),
    Task(
        "peers",
        "",
        "verify receipts with viem, ethers and eth_account, payouts with OpenZeppelin",
        peers::run,
    ),
    Task(
        "prices",
        "",
        "import LiteLLM's prices: every price exact, timed beside litellm and genai-prices",
        prices::run,
    ),
    Task(
        "differential",
        differential::OPTIONS,
        "random scripts through the core and the model of spec/reference, compared",
        differential::run,
    ),
    Task("fuzz", fuzz::OPTIONS, "every decoder and the state machine under libFuzzer", fuzz::run),
    Task(
        "mutants",
        "",
        "make rating rules wrong by one: the differential test must find each",
        mutants::mutants,
    ),
    Task(
        "explore",
        mutants::EXPLORE_OPTIONS,
        "every reachable state of small meters; --guards: take each guard out, it must be missed",
        mutants::explore,
    ),
    Task(
        "schema",
        "[--check]",
        "write the JSON Schemas of the documents, test them against the core",
        schema::run,
    ),
    Task(
        "crash",
        crash::OPTIONS,
        "kill metering at random instants, resume, compare byte for byte",
        crash::run,
    ),
    Task(
        "stress",
        stress::OPTIONS,
        "threads share a ledger and its budgets, or lanes lease them: never one unit over",
        stress::run,
    ),
    Task(
        "tamper",
        tamper::OPTIONS,
        "flip single bits of a ledger: `verify` must fail and say where",
        tamper::run,
    ),
    Task(
        "vectors",
        "[--check]",
        "have the model write the results of every vector; write their index",
        vectors::run,
    ),
    Task("coverage", "", "list rules and operations without a vector", vectors::coverage),
    Task(
        "conformance",
        "",
        "run every vector in every language, compare the counts",
        vectors::conformance,
    ),
    Task("bindings", "", "build and test the Python, Kotlin and Swift packages", bindings::run),
    Task("python", "", "the Python package alone", bindings::python),
    Task("kotlin", "", "the Kotlin package alone", bindings::kotlin),
    Task("swift", "", "the Swift package alone", bindings::swift),
    Task("wasm", "", "build bindings-wasm and run its tests in Node", wasm::run),
    Task(
        "azure",
        "",
        "meter 19,366 real calls, then 50 times as many in the same memory",
        azure::run,
    ),
    Task(
        "bench",
        "",
        "run the benchmarks and print the ratios that the design aims at",
        bench::run,
    ),
];

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "help".into());
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(Task(.., run)) = TASKS.iter().find(|task| task.0 == name) else {
        eprintln!("error: no task `{name}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    match start().and_then(|mut session| run(&mut session, Args::new(words.collect()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            if !why.is_empty() {
                eprintln!("error: {why}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Tasks run in the project's root, so that every path they print is short.
fn start() -> Outcome<Session> {
    let called_from = env::current_dir().map_err(|e| e.to_string())?;
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    env::set_current_dir(root).map_err(|e| format!("{}: {e}", root.display()))?;
    Ok(Session::new(called_from))
}

fn help() {
    println!("cargo xtask TASK [OPTIONS]\n");
    for Task(name, options, about, _) in TASKS {
        println!("  {name:8} {about}");
        if !options.is_empty() {
            println!("           {options}");
        }
    }
    println!(
        "\nEnvironment: CI (a missing tool is a failure), COUNTERFOIL_CACHE (instead of .cache),"
    );
    println!("COUNTERFOIL_SHARED (the folder of recorded usage data, instead of ../shared).");
}

/// `sample`: the log that ships with the project, from its generator.
fn sample_task(_: &mut Session, mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.done()?;
    sample_file(check)
}

/// Writes the sample log, or compares it with what the generator writes now.
fn sample_file(check: bool) -> Outcome {
    let failed = |e: std::io::Error| format!("sample: {e}");
    let written = tools::scratch("sample")?.join("usage.jsonl");
    sample::write(&written).map_err(failed)?;
    let now = std::fs::read_to_string(&written).map_err(failed)?;
    tools::keep(Path::new(cli::SAMPLE), &now, check, "cargo xtask sample")
}
