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
mod inspect;
mod io;
mod keys;
mod meter;
mod plan;
mod report;
mod settle;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use counterfoil::{Code, Error};

use args::{Cli, Command, PlanCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Keygen(args) => keys::keygen(args),
        Command::Plan { command: PlanCommand::Check(args) } => plan::check(args),
        Command::Quote(args) => plan::quote(args),
        Command::Meter(args) => meter::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Settle(args) => settle::run(args),
        Command::Report(args) => report::run(args),
        Command::Inspect(args) => inspect::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell where standard error is closed.
            let _ = io::complain(&error);
            ExitCode::from(exit_code(error.code()))
        }
    }
}

/// The exit codes, as `counterfoil --help` lists them.
fn exit_code(code: Code) -> u8 {
    match code {
        Code::Arguments => 2,
        Code::AuditMismatch
        | Code::AuditChain
        | Code::BodyMismatch
        | Code::ProofInvalid
        | Code::SignatureInvalid
        | Code::SignatureMissing
        | Code::SignatureWrongKey => 3,
        Code::LedgerCorrupt
        | Code::LedgerLocked
        | Code::LedgerMissing
        | Code::LedgerTorn
        | Code::EntryMisplaced
        | Code::MeterStalled => 4,
        Code::Io => 5,
        _ => 1,
    }
}

/// An error about the command line itself.
fn arguments(why: &'static str) -> Error {
    Error::new(Code::Arguments).because(why)
}
