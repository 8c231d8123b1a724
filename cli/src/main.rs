//! The command line: meter a log, audit the ledger, settle, report.
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "a test that overflows fails, as it should"
    )
)]

mod args;
mod audit;
mod backup;
mod compact;
mod exit;
mod import;
mod inspect;
mod io;
mod keys;
mod ledger;
mod meter;
mod plan;
mod quote;
mod report;
mod resolve;
mod settle;
mod source;
mod verify;
mod words;

use std::process::ExitCode;

use clap::Parser as _;
use counterfoil::{Code, Error};

use args::{Cli, Command, ImportCommand, PlanCommand};
use exit::Ended;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell where standard error is closed.
            let _ = io::complain(&failure.error, cli.json);
            ExitCode::from(failure.exit)
        }
    }
}

fn run(cli: &Cli) -> Ended {
    match &cli.command {
        Command::Keygen(args) => Ok(keys::keygen(args, cli.json)?),
        Command::Plan { command: PlanCommand::Check(args) } => Ok(plan::check(args, cli.json)?),
        Command::Plan { command: PlanCommand::Import { command } } => match command {
            ImportCommand::Litellm(args) => Ok(import::litellm(args, cli.json)?),
            ImportCommand::Nevermined(args) => Ok(import::nevermined(args, cli.json)?),
        },
        Command::Quote(args) => Ok(quote::run(args, cli.json)?),
        Command::Meter(args) => meter::run(args, cli.json),
        Command::Verify(args) => verify::run(args, cli.json),
        Command::Settle(args) => settle::run(args, cli.json),
        Command::Report(args) => report::run(args, cli.json),
        Command::Backup(args) => backup::run(args, cli.json),
        Command::Compact(args) => compact::run(args, cli.json),
        Command::Inspect(args) => inspect::run(args, cli.json),
    }
}

/// An error about the command line itself.
fn arguments(why: &'static str) -> Error {
    Error::new(Code::Arguments).because(why)
}
