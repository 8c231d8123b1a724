//! The options of every command, with their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the input was refused: a plan, a record, a document
  2  the command line was refused
  3  verification failed: the ledger or receipt is not what it claims
  4  the ledger cannot be used: torn, damaged, locked, missing
  5  reading or writing failed

Errors go to standard error as `error[code]: message`; `--json` makes them JSON. The codes are listed in docs/ERRORS.md.";

/// Exact metering and billing for AI services: meter a usage log under a plan, audit the ledger,
/// settle it, report on it.
#[derive(Debug, Parser)]
#[command(name = "counterfoil", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a signing key.
    #[command(after_help = "Example:\n  counterfoil keygen --out seller.key")]
    Keygen(Keygen),
    /// Work with plans.
    Plan {
        #[command(subcommand)]
        command: PlanCommand,
    },
    /// Price a usage under a plan, without state, and say how.
    #[command(
        after_help = "Examples:\n  counterfoil quote --plan plan.json --usage '{\"input_tokens\": 1200, \"output_tokens\": 300}'\n  counterfoil quote --plan plan.json --surface openai.chat response.json"
    )]
    Quote(Quote),
    /// Meter a usage log into a ledger. Run again, it goes on where it stopped.
    #[command(
        after_help = "Examples:\n  counterfoil meter --plan plan.json --key seller.key --ledger ledger --surface openai.chat usage.jsonl\n  counterfoil meter --plan plan.json --key seller.key --ledger ledger --map input_tokens=ContextTokens,output_tokens=GeneratedTokens --at TIMESTAMP --subscriber-value acme calls.csv"
    )]
    Meter(Meter),
    /// Recompute a whole ledger: prices, hashes, chains, signatures, checkpoints.
    #[command(after_help = "Example:\n  counterfoil verify --plan plan.json ledger")]
    Verify(Verify),
    /// Settle a ledger: lanes, payees, payout proofs, claims.
    #[command(
        after_help = "Examples:\n  counterfoil settle ledger --final --out settlement.json\n  counterfoil settle ledger --key seller.key --collected collected.json"
    )]
    Settle(Settle),
    /// Write a report as one HTML file.
    #[command(
        after_help = "Example:\n  counterfoil report ledger --settlement settlement.json --out report.html"
    )]
    Report(Report),
    /// Show what is in a ledger, a receipt or a `Usage-Receipt` header.
    #[command(
        after_help = "Examples:\n  counterfoil inspect ledger\n  counterfoil inspect ledger --receipt 0x5f…/17\n  counterfoil inspect --header AQBf…\n  counterfoil inspect ledger --typed-data --settlement settlement.json --out typed.json"
    )]
    Inspect(Inspect),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Read a plan strictly and show its id and terms.
    #[command(after_help = "Example:\n  counterfoil plan check plan.json")]
    Check(PlanCheck),
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where to write the private key; refused if the file exists. Only its owner may read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCheck {
    /// The plan document.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    /// The plan document.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// A map from meter to quantity, as JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "body")]
    pub(crate) usage: Option<String>,
    /// The surface of the response body: openai.chat, openai.responses, anthropic.messages or plain.
    #[arg(long, value_name = "SURFACE", requires = "body")]
    pub(crate) surface: Option<String>,
    /// A response body to take the usage from.
    #[arg(value_name = "BODY", requires = "surface")]
    pub(crate) body: Option<PathBuf>,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Meter {
    /// The plan document.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// The private key that signs.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The ledger's folder; made if it does not exist.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) ledger: PathBuf,
    /// The usage surface of the records' bodies: openai.chat, openai.responses, anthropic.messages or
    /// plain.
    #[arg(long, value_name = "SURFACE", required_unless_present = "map", conflicts_with = "map")]
    pub(crate) surface: Option<String>,
    /// Which column (CSV) or JSON Pointer (JSONL) holds each meter: `input_tokens=ContextTokens,…`.
    #[arg(long, value_name = "METER=COLUMN,…")]
    pub(crate) map: Option<String>,
    /// Where a record's instant stands: RFC 3339, `YYYY-MM-DD hh:mm:ss` in UTC, or Unix milliseconds.
    /// A column, or a JSON Pointer [default: at, or /at].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) at: Option<String>,
    /// Where the subscriber's name stands [default: subscriber, or /subscriber].
    #[arg(long, value_name = "COLUMN", conflicts_with = "subscriber_value")]
    pub(crate) subscriber: Option<String>,
    /// One subscriber for the whole log.
    #[arg(long, value_name = "NAME")]
    pub(crate) subscriber_value: Option<String>,
    /// Where the response body stands in a JSONL record [default: /body]; the empty pointer means the
    /// record is the body.
    #[arg(long, value_name = "POINTER", conflicts_with = "map")]
    pub(crate) body: Option<String>,
    /// An attribute of each call, and where it stands; may be given more than once. A JSONL record's
    /// /attributes are taken without it.
    #[arg(long = "attribute", value_name = "NAME=COLUMN")]
    pub(crate) attributes: Vec<String>,
    /// Subscribers that have an address or a rail: {"acme": {"payer": "0x…", "rail": "0x…"}}.
    #[arg(long, value_name = "FILE")]
    pub(crate) subscribers: Option<PathBuf>,
    /// The log's own name, so that it is known again [default: the hash of its first record].
    #[arg(long, value_name = "ID")]
    pub(crate) input_id: Option<String>,
    /// The origin of the receipt log, when the ledger begins [default: counterfoil/<address>].
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Write malformed records with their errors to this file and go on, instead of stopping.
    #[arg(long, value_name = "FILE")]
    pub(crate) skip_malformed: Option<PathBuf>,
    /// Repair a torn tail first, which a crash of the machine may have left.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// The usage log: .csv, or JSON lines; `-` reads standard input as JSON lines.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The plan that the ledger must be rated under, instead of trusting the ledger's own copy.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// The ledger's folder.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Settle {
    /// The ledger's folder.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
    /// Settle everything that is due as if it were collected, and pay out the residue too.
    #[arg(long = "final", conflicts_with = "collected")]
    pub(crate) closing: bool,
    /// Record what was collected, then settle it: {"collected": [{"lane", "amount", "fee",
    /// "reference", "at"}]}, cumulative per lane.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) collected: Option<PathBuf>,
    /// The private key of the ledger, to record what was collected.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// x402 vouchers in hand, to make claim calldata from.
    #[arg(long, value_name = "FILE")]
    pub(crate) vouchers: Option<PathBuf>,
    /// Where to write the settlement [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The ledger's folder.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
    /// A settlement to show, from `counterfoil settle`.
    #[arg(long, value_name = "FILE")]
    pub(crate) settlement: Option<PathBuf>,
    /// The report's title [default: the plan's name].
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Where to write the report.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The ledger's folder.
    #[arg(value_name = "LEDGER", required_unless_present_any = ["header", "receipt_file"])]
    pub(crate) ledger: Option<PathBuf>,
    /// One receipt of the ledger, with head and body, as JSON.
    #[arg(long, value_name = "LANE/SEQUENCE", requires = "ledger")]
    pub(crate) receipt: Option<String>,
    /// The value of a `Usage-Receipt` header.
    #[arg(long, value_name = "TEXT", conflicts_with = "ledger")]
    pub(crate) header: Option<String>,
    /// A receipt in its JSON form.
    #[arg(long = "receipt-file", value_name = "FILE", conflicts_with_all = ["ledger", "header"])]
    pub(crate) receipt_file: Option<PathBuf>,
    /// Check the header's or file's signature against this address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) signer: Option<String>,
    /// What was signed as EIP-712 typed data, for other libraries to check: the last 20 of each kind.
    #[arg(long, requires = "ledger")]
    pub(crate) typed_data: bool,
    /// A settlement whose payout proofs go with the typed data.
    #[arg(long, value_name = "FILE", requires = "typed_data")]
    pub(crate) settlement: Option<PathBuf>,
    /// Where to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
