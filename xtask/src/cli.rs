//! The command line `counterfoil`, built from this project: the one place that knows its options.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{Outcome, cargo, run, target};

/// The log that ships with the project.
pub(crate) const SAMPLE: &str = "examples/sample/usage.jsonl";
/// The plan that prices it.
pub(crate) const DEMO_PLAN: &str = "examples/plans/demo.json";
/// The plan for the recorded Azure calls.
pub(crate) const AZURE_PLAN: &str = "examples/plans/azure.json";

/// A log to meter, and how its records are read.
pub(crate) struct Input {
    pub(crate) plan: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) options: Vec<String>,
}

impl Input {
    /// The sample: bodies of OpenAI chat completions.
    pub(crate) fn sample() -> Self {
        let options = ["--surface", "openai.chat"].map(String::from).into();
        Input { plan: DEMO_PLAN.into(), log: SAMPLE.into(), options }
    }

    /// Recorded Azure calls: a table with columns of its own.
    pub(crate) fn azure(log: PathBuf) -> Self {
        let map = "input_tokens=ContextTokens,output_tokens=GeneratedTokens";
        let options = ["--map", map, "--at", "TIMESTAMP", "--subscriber-value", "azure"];
        Input { plan: AZURE_PLAN.into(), log, options: options.map(String::from).into() }
    }
}

/// The program, in release.
pub(crate) struct Cli(PathBuf);

impl Cli {
    pub(crate) fn build() -> Outcome<Self> {
        run(cargo().args(["build", "--release", "--package", "counterfoil-cli"]))?;
        Ok(Cli(target()?.join("release/counterfoil")))
    }

    /// Where it was built.
    pub(crate) fn program(&self) -> &Path {
        &self.0
    }

    pub(crate) fn keygen(&self, key: &Path) -> Command {
        self.command(&["keygen", "--out"], &[key])
    }

    pub(crate) fn plan_check(&self, plan: &Path) -> Command {
        self.command(&["plan", "check"], &[plan])
    }

    pub(crate) fn meter(&self, input: &Input, key: &Path, ledger: &Path) -> Command {
        let mut command = self.command(&["meter", "--plan"], &[&input.plan]);
        command.arg("--key").arg(key).arg("--ledger").arg(ledger);
        command.args(&input.options).arg(&input.log);
        command
    }

    pub(crate) fn verify(&self, plan: &Path, ledger: &Path) -> Command {
        self.command(&["verify", "--plan"], &[plan, ledger])
    }

    pub(crate) fn settle(&self, ledger: &Path, settlement: &Path) -> Command {
        let mut command = self.command(&["settle"], &[ledger]);
        command.args(["--final", "--out"]).arg(settlement);
        command
    }

    pub(crate) fn report(&self, ledger: &Path, settlement: &Path, report: &Path) -> Command {
        let mut command = self.command(&["report"], &[ledger]);
        command.arg("--settlement").arg(settlement).arg("--out").arg(report);
        command
    }

    /// What foreign libraries check: heads as typed data with their signatures, payouts with proofs.
    pub(crate) fn typed_data(&self, ledger: &Path, settlement: &Path, out: &Path) -> Command {
        let mut command = self.command(&["inspect", "--typed-data"], &[ledger]);
        command.arg("--settlement").arg(settlement).arg("--out").arg(out);
        command
    }

    fn command(&self, words: &[&str], paths: &[&Path]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(words).args(paths);
        command
    }
}
