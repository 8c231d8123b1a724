//! Exit codes: `counterfoil --help` lists them.

use counterfoil::{Code, Error};

/// The result of a command.
pub(crate) type Ended<T = ()> = Result<T, Failure>;

/// An error and the exit code that it ends the program with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) exit: u8,
}

const REFUSED: u8 = 1;
const ARGUMENTS: u8 = 2;
const UNVERIFIED: u8 = 3;
const UNUSABLE: u8 = 4;
const IO: u8 = 5;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { exit: exit_code(error.code()), error }
    }
}

impl Failure {
    /// An error in what a person handed over, whatever its code.
    pub(crate) fn refused(error: Error) -> Self {
        Failure { error, exit: REFUSED }
    }

    /// An error in what a ledger holds: whatever its code, the ledger is not what it claims.
    pub(crate) fn of_ledger(error: Error) -> Self {
        let exit = match exit_code(error.code()) {
            // Entries are framed and checked by the time anybody reads them; segments are not.
            REFUSED if error.code() == Code::BytesVersion => UNUSABLE,
            REFUSED => UNVERIFIED,
            other => other,
        };
        Failure { error, exit }
    }
}

fn exit_code(code: Code) -> u8 {
    match code {
        Code::Arguments => ARGUMENTS,
        Code::AuditMismatch
        | Code::AuditChain
        | Code::BodyMismatch
        | Code::ProofInvalid
        | Code::SignatureInvalid
        | Code::SignatureMissing
        | Code::SignatureWrongKey => UNVERIFIED,
        Code::LedgerArchived
        | Code::LedgerCorrupt
        | Code::LedgerExists
        | Code::LedgerLocked
        | Code::LedgerMissing
        | Code::LedgerShards
        | Code::LedgerTorn
        | Code::EntryMisplaced
        | Code::MeterStalled => UNUSABLE,
        Code::Io => IO,
        _ => REFUSED,
    }
}
