//! What one run of tasks adds up: tests by language, checks, and what could not run.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::tools::{Outcome, run_read};

/// Whose tests were run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `cargo test`.
    Rust,
    /// `node --test`.
    Node,
    /// `pytest`.
    Python,
    /// Maven Surefire.
    Kotlin,
    /// XCTest.
    Swift,
}

/// Passed and failed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    pub(crate) fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// One run of `cargo xtask`.
pub(crate) struct Session {
    /// Whether a missing tool is a failure: in CI, and with `--all`.
    pub(crate) strict: bool,
    /// Where the person stood who called; tasks themselves run in the project's root.
    pub(crate) called_from: PathBuf,
    /// What could not run, and how to get it.
    pub(crate) not_run: Vec<String>,
    counts: [Count; 5],
}

impl Session {
    pub(crate) fn new(called_from: PathBuf) -> Self {
        let strict = env::var_os("CI").is_some();
        Session { strict, called_from, not_run: Vec::new(), counts: [Count::default(); 5] }
    }

    /// Tests of one language so far.
    pub(crate) fn count(&self, language: Language) -> Count {
        self.counts[language as usize]
    }

    /// Tests of all languages so far.
    pub(crate) fn tests(&self) -> Count {
        let mut sum = Count::default();
        self.counts.iter().for_each(|c| sum.add(*c));
        sum
    }

    /// Says that `what` needs something this machine does not have. A failure where all must run.
    pub(crate) fn not_run(&mut self, what: &str, how: &str) -> Outcome {
        let line = format!("NOT RUN: {what} ({how})");
        println!("{line}");
        if self.strict {
            return Err(line);
        }
        self.not_run.push(line);
        Ok(())
    }

    /// Runs a test runner and adds its closing lines to the tally. Running no test is a failure.
    pub(crate) fn test(&mut self, language: Language, command: &mut Command) -> Outcome {
        let mut ran = Count::default();
        let result = run_read(command, |line| ran.add(closing_line(language, line)));
        self.counts[language as usize].add(ran);
        result?;
        if ran.failed > 0 {
            return Err(format!("{} tests failed", ran.failed));
        }
        if ran.passed == 0 { Err("no test ran".into()) } else { Ok(()) }
    }
}

/// What a runner's line says about whole groups of tests; nothing for any other line.
fn closing_line(language: Language, line: &str) -> Count {
    let line = line.trim();
    match language {
        Language::Rust if line.starts_with("test result:") => {
            Count { passed: before(line, " passed"), failed: before(line, " failed") }
        }
        // `5 passed, 1 failed, 1 error in 0.31s`, between rows of `=` unless quiet.
        Language::Python
            if line.contains(" in ") && line.trim_matches('=').ends_with(['s', ' ', ')']) =>
        {
            Count {
                passed: before(line, " passed"),
                failed: before(line, " failed") + before(line, " error"),
            }
        }
        // `# pass 5` in TAP, `ℹ pass 5` in the readable form.
        Language::Node => match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, "pass", n] => Count { passed: n.parse().unwrap_or(0), failed: 0 },
            [_, "fail" | "cancelled", n] => Count { passed: 0, failed: n.parse().unwrap_or(0) },
            _ => Count::default(),
        },
        // Surefire's sum over all classes; the line of one class says how long it took.
        Language::Kotlin if line.contains("Tests run: ") && !line.contains("Time elapsed") => {
            let number = |word| after(line, word);
            let failed = number("Failures: ") + number("Errors: ");
            let ran = number("Tests run: ").saturating_sub(number("Skipped: "));
            Count { passed: ran.saturating_sub(failed), failed }
        }
        Language::Swift if line.starts_with("Test Case ") => Count {
            passed: u64::from(line.contains("' passed (")),
            failed: u64::from(line.contains("' failed (")),
        },
        Language::Rust | Language::Python | Language::Kotlin | Language::Swift => Count::default(),
    }
}

/// The number that stands right after `word`, or 0.
fn after(line: &str, word: &str) -> u64 {
    let Some((_, rest)) = line.split_once(word) else { return 0 };
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|d| d.parse().ok()).unwrap_or(0)
}

/// The number that stands right before `word`, or 0.
fn before(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(word) else { return 0 };
    let digits = line[..end].rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|d| d.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_each_runner_are_read() {
        let read = |language, line| {
            let Count { passed, failed } = closing_line(language, line);
            (passed, failed)
        };
        let rust =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(read(Language::Rust, rust), (12, 3));
        assert_eq!(read(Language::Rust, "test 7 passed ... ok"), (0, 0));
        assert_eq!(read(Language::Node, "ℹ pass 5"), (5, 0));
        assert_eq!(read(Language::Node, "# fail 2"), (0, 2));
        assert_eq!(read(Language::Node, "✔ all 9 pass here (3 ms)"), (0, 0));
        assert_eq!(read(Language::Python, "=== 1 failed, 5 passed, 1 error in 0.31s ==="), (5, 2));
        assert_eq!(read(Language::Python, "5 passed in 61.20s (0:01:01)"), (5, 0));
        assert_eq!(read(Language::Python, "tests/test_x.py ....."), (0, 0));
        let sum = "[ERROR] Tests run: 14, Failures: 1, Errors: 2, Skipped: 3";
        assert_eq!(read(Language::Kotlin, sum), (8, 3));
        let class = "[INFO] Tests run: 11, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s";
        assert_eq!(read(Language::Kotlin, class), (0, 0));
        let case = "Test Case 'MeterTests.testMoney' passed (0.005 seconds)";
        assert_eq!(read(Language::Swift, case), (1, 0));
        let started = "Test Case 'MeterTests.testMoney' started at 2026-11-24 08:27:02.849";
        assert_eq!(read(Language::Swift, started), (0, 0));
    }
}
