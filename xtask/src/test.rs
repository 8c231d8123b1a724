//! `test`: everything that must hold, the inner parts first.

use std::time::Instant;

use crate::args::Args;
use crate::session::{Count, Language, Session};
use crate::tools::Outcome;
use crate::{
    api, bindings, crash, demo, differential, errors, fuzz, gates, peers, sample_file, schema,
    tamper, vectors, wasm,
};

/// A step of `test`: its name and what it does.
type Step = (&'static str, fn(&mut Session) -> Outcome);

const STEPS: &[Step] = &[
    ("format", gates::fmt),
    ("lints", gates::clippy),
    ("core tests", gates::core_tests),
    ("workspace tests", gates::workspace_tests),
    ("documents", gates::docs),
    ("nostd", |s| gates::nostd(s, words(&[]))),
    ("sample", |_| sample_file(true)),
    ("api", |s| api::run(s, words(&["--check"]))),
    ("errors", |s| errors::run(s, words(&["--check"]))),
    ("package", |s| gates::package(s, words(&[]))),
    ("deny", |s| gates::deny(s, words(&[]))),
    ("crash", |s| crash::run(s, words(&["--runs", "5"]))),
    ("tamper", |s| tamper::run(s, words(&["--runs", "5"]))),
    ("vectors", |s| vectors::run(s, words(&["--check"]))),
    ("coverage", |s| vectors::coverage(s, words(&[]))),
    ("bindings", |s| bindings::run(s, words(&[]))),
    ("wasm", |s| wasm::run(s, words(&[]))),
    ("conformance", |s| vectors::conformance(s, words(&[]))),
    ("differential", |s| differential::run(s, words(&[]))),
    ("fuzz", |s| fuzz::run(s, words(&["--seconds", "3"]))),
    ("schema", |s| schema::run(s, words(&["--check"]))),
    ("peers", |s| peers::run(s, words(&[]))),
    ("demo", |s| demo::run(s, words(&[]))),
];

fn words(words: &[&str]) -> Args {
    Args::new(words.iter().map(ToString::to_string).collect())
}

/// `test [--all]`: every step, also after one has failed. A step without tests of its own counts as
/// one check, and so does one that fails before its tests could.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    session.strict |= args.flag("--all");
    args.done()?;
    let mut checks = Count::default();
    let mut failures = Vec::new();
    for (name, step) in STEPS {
        println!("\n== {name}");
        let (before, missing) = (session.tests(), session.not_run.len());
        let started = Instant::now();
        let result = step(session);
        let (after, time) = (session.tests(), started.elapsed().as_secs_f64());
        match result {
            Ok(()) => {
                let whole = session.not_run.len() == missing;
                println!("== {name}: {} in {time:.1} s", if whole { "ok" } else { "incomplete" });
                if whole && after == before {
                    checks.passed += 1;
                }
            }
            Err(why) => {
                println!("== {name}: FAILED in {time:.1} s: {why}");
                failures.push(format!("{name}: {why}"));
                if after.failed == before.failed {
                    checks.failed += 1;
                }
            }
        }
    }
    close(session, checks, &failures)
}

/// Prints the totals; the last line is for programs.
fn close(session: &Session, checks: Count, failures: &[String]) -> Outcome {
    println!();
    session.not_run.iter().chain(failures).for_each(|line| println!("{line}"));
    let languages = [
        ("rust", Language::Rust),
        ("node", Language::Node),
        ("python", Language::Python),
        ("kotlin", Language::Kotlin),
        ("swift", Language::Swift),
    ];
    let counts = languages.map(|(name, language)| (name, session.count(language)));
    for (name, Count { passed, failed }) in counts.into_iter().chain([("checks", checks)]) {
        println!("{name}: {passed} passed, {failed} failed");
    }
    let mut sum = session.tests();
    let ran = sum.passed > 0;
    sum.add(checks);
    println!("{} passed, {} failed", sum.passed, sum.failed);
    if ran && sum.failed == 0 { Ok(()) } else { Err(String::new()) }
}
