//! The options of every command, with their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const HELP: &str = "\
Example, from a log to a settled batch:
  counterfoil keygen --out seller.key             prints the address that the plan's authority names
  counterfoil plan check plan.json
  counterfoil meter --plan plan.json --key seller.key --ledger ledger --surface openai.chat usage.jsonl
  counterfoil verify --plan plan.json ledger
  counterfoil settle ledger --final --out settlement.json
  counterfoil report ledger --settlement settlement.json --out report.html

Exit codes:
  0  done
  1  the input was refused: a plan, a record, a document
  2  the command line was refused
  3  verification failed: the ledger or receipt is not what it claims
  4  the ledger cannot be used: torn, damaged, locked, missing
  5  reading or writing failed

Errors go to standard error as `error[code]: message`, with --json as {\"error\": {code, message, place, value}}. docs/ERRORS.md lists the codes.";

const METER_HELP: &str = "\
Examples:
  counterfoil meter --plan plan.json --key seller.key --ledger ledger --surface openai.chat usage.jsonl
  counterfoil meter --plan plan.json --key seller.key --ledger ledger --map input_tokens=ContextTokens,output_tokens=GeneratedTokens --at TIMESTAMP --subscriber-value acme calls.csv

A JSON line is {\"at\": \"2026-01-31T09:30:00Z\", \"subscriber\": \"acme\", \"body\": {…}}, where the body is what the provider answered, or at least its `model` and `usage`. An optional \"attributes\": {\"purpose\": \"inference\"} is what conditions look at.

Running it again:
  Records are metered in order, and each once. Run again after a crash, an error or a kill, it goes on after the last record that is durable; the ledger is then the same, byte for byte, as of one run. A log that grew goes on where it ended. Each run that reaches the log's end closes with a signed checkpoint, so a log metered in two runs has one checkpoint more than the same log metered in one.
  A torn write at the ledger's end is cut off, told and kept under repairs/.

Malformed records:
  A record that cannot be read or priced stops the run with exit code 1; those before it stay metered. Correct it in the log and run again, or use --skip-malformed. Places are `line` of the log, from 1, `record`, from 0, and `byte` of the log where the line starts.

More logs:
  A log is known again by its first record. A further log must start after what the ledger holds; one that overlaps needs a name of its own: --input-id.";

const SETTLE_HELP: &str = "\
Examples:
  counterfoil settle ledger --final --out settlement.json
  counterfoil settle ledger --key seller.key --collected collected.json

Without --final, what was recorded as collected is settled. The file of --collected:
  {\"collected\": [{\"lane\": \"0x…\", \"amount\": \"2500000\", \"fee\": \"0\", \"reference\": \"0x…\", \"at\": \"2026-02-01T00:00:00Z\"}]}
Amounts and fees are cumulative per lane, in atomic units; a line that says what is recorded already records nothing. `counterfoil inspect ledger` shows the lanes.

The file of --vouchers:
  {\"chainId\": 8453, \"vouchers\": [{\"channel\": {…}, \"maxClaimableAmount\": \"…\", \"signature\": \"0x…\", \"onchain\": {\"balance\": \"…\", \"totalClaimed\": \"…\"}}]}
A voucher claims for the lane whose rail is its channel's id.";

/// Exact metering and billing for AI services: meter a usage log under a plan, audit the ledger,
/// settle it, report on it.
#[derive(Debug, Parser)]
#[command(name = "counterfoil", version, after_help = HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print results and errors as JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a signing key.
    #[command(after_help = "Example:\n  counterfoil keygen --out seller.key")]
    Keygen(Keygen),
    /// Work with plans.
    #[command(after_help = "Example:\n  counterfoil plan check plan.json")]
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
    #[command(after_help = METER_HELP)]
    Meter(Meter),
    /// Recompute a whole ledger: prices, hashes, chains, signatures, checkpoints.
    ///
    /// The first thing that is wrong is named with its place, and the exit code is 3 or 4. Nothing is
    /// written, and no lock is taken: while a run of `meter` is at work, the end of the ledger may look
    /// torn or unsigned.
    ///
    /// Of several ledgers, request ids that two lanes of one subscription charged are listed as well, with
    /// the receipts that the seller is to credit; that is no failure.
    #[command(
        after_help = "Examples:\n  counterfoil verify --plan plan.json ledger\n  counterfoil verify ledger eu-west us-east"
    )]
    Verify(Verify),
    /// Settle a ledger: lanes, payees, payout proofs, claims.
    #[command(after_help = SETTLE_HELP)]
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
    /// Copy a ledger, to keep it or to go on from it.
    ///
    /// The copy is marked as restored: whoever meters into it begins another receipt log and other lanes
    /// there, so that no number is given twice. The ledger may grow meanwhile; what is torn at the copy's
    /// end is cut off when it is used.
    #[command(
        after_help = "Examples:\n  counterfoil backup ledger backups/2026-11-24\n  counterfoil backup backups/2026-11-24 ledger"
    )]
    Backup(Backup),
    /// Move the first entries of a ledger to an archive, so that it stays small.
    ///
    /// Whole segments are moved, unchanged, that a signed checkpoint seals. The ledger opens and goes on
    /// without them; what reads all entries (verify, settle, report) needs --archive from then on. The
    /// archive is a ledger that is only read: `counterfoil verify` audits it by itself. Run again after
    /// a crash, it goes on.
    #[command(
        after_help = "Examples:\n  counterfoil compact ledger --archive archive\n  counterfoil verify --plan plan.json ledger --archive archive"
    )]
    Compact(Compact),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Read a plan strictly and show its id and terms.
    #[command(
        after_help = "Examples:\n  counterfoil plan check plan.json\n  counterfoil plan check --resolve plan.json"
    )]
    Check(PlanCheck),
    /// Make a plan of terms that stand elsewhere.
    Import {
        #[command(subcommand)]
        command: ImportCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Price models as LiteLLM's price map does, with a markup.
    ///
    /// Every price of an entry becomes a charge: by service tier, and by context size, above which the
    /// whole call costs more. What has no meter here is left out and named.
    #[command(
        after_help = "Example:\n  counterfoil plan import litellm --model gpt-4o --markup 0.2 --authority 0x… model_prices_and_context_window.json --out plan.json"
    )]
    Litellm(ImportLitellm),
    /// Read a plan as it is registered with Nevermined, and reproduce its id.
    #[command(
        after_help = "Example:\n  counterfoil plan import nevermined --network eip155:84532 --authority 0x… registration.json --out plan.json"
    )]
    Nevermined(ImportNevermined),
}

#[derive(Debug, Args)]
pub(crate) struct ImportTerms {
    /// Whose signatures on receipts count: the address that `counterfoil keygen` printed.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) authority: String,
    /// The plan's title [default: the one it is imported from].
    #[arg(long, value_name = "TITLE")]
    pub(crate) name: Option<String>,
    /// Where to write the plan [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportLitellm {
    /// A model of the map; may be given more than once, then each charge matches its model.
    #[arg(long = "model", value_name = "NAME", required = true)]
    pub(crate) models: Vec<String>,
    /// What is added to the provider's price, as a fraction of it: 0.25 sells at 1.25 times the cost.
    #[arg(long, value_name = "FRACTION")]
    pub(crate) markup: Option<String>,
    /// The network of a token that stands for the dollar, by its CAIP-2 name [default: plain USD].
    #[arg(long, value_name = "CAIP2", requires = "token")]
    pub(crate) network: Option<String>,
    /// The token.
    #[arg(long, value_name = "TOKEN", requires = "network")]
    pub(crate) token: Option<String>,
    /// The token's decimals.
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(crate) decimals: u8,
    /// Who gets what is collected [default: seller].
    #[arg(long, value_name = "PAYEE")]
    pub(crate) payee: Option<String>,
    #[command(flatten)]
    pub(crate) terms: ImportTerms,
    /// The price map.
    #[arg(value_name = "MAP")]
    pub(crate) map: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportNevermined {
    /// The network of the plan's token, by its CAIP-2 name.
    #[arg(long, value_name = "CAIP2")]
    pub(crate) network: Option<String>,
    /// Who registered the plan: with --credits-contract, its id is told.
    #[arg(long, value_name = "ADDRESS", requires = "credits_contract")]
    pub(crate) creator: Option<String>,
    /// The contract that holds the credits.
    #[arg(long, value_name = "ADDRESS", requires = "creator")]
    pub(crate) credits_contract: Option<String>,
    #[command(flatten)]
    pub(crate) terms: ImportTerms,
    /// The registration, as it is posted.
    #[arg(value_name = "REGISTRATION")]
    pub(crate) registration: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where to write the private key; refused if the file exists. Only its owner may read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCheck {
    /// The plan document.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// First write into the document the rule of the zone that it names, from the time-zone
    /// database of this program, exact from 2020 on. Nothing else of the document changes; one that has
    /// a rule stays as it is.
    #[arg(long)]
    pub(crate) resolve: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    /// The plan document.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// A map from meter to quantity, as JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "body")]
    pub(crate) usage: Option<String>,
    /// An attribute of the call; may be given more than once.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
    /// The instant of the call, in RFC 3339 [default: now].
    #[arg(long, value_name = "INSTANT")]
    pub(crate) at: Option<String>,
    /// The surface of the response body: openai.chat, anthropic.messages, gemini.generate and so on
    /// (docs/surfaces.md), or plain.
    #[arg(long, value_name = "SURFACE", requires = "body")]
    pub(crate) surface: Option<String>,
    /// A response body to take the usage from.
    #[arg(value_name = "BODY", requires = "surface")]
    pub(crate) body: Option<PathBuf>,
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
    /// The usage surface of the records' bodies: openai.chat, anthropic.messages, gemini.generate and so
    /// on (docs/surfaces.md), or plain.
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
    /// The log's own name, by which it is known again [default: the hash of its first record].
    #[arg(long, value_name = "ID")]
    pub(crate) input_id: Option<String>,
    /// The origin of the receipt log, when the ledger begins [default: counterfoil/<address>].
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Write malformed records with their errors to this file, as JSON lines, and go on instead of
    /// stopping.
    #[arg(long, value_name = "FILE")]
    pub(crate) skip_malformed: Option<PathBuf>,
    /// The usage log: .csv, or JSON lines; `-` reads standard input as JSON lines.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
}

/// A ledger that is read.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The ledger's folder, or the root of ledgers that are shards.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
    /// Where `counterfoil compact` moved the ledger's first entries.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) archive: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The plan that the ledger must be rated under, instead of trusting the ledger's own copy.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
    /// The ledger's folder; or those of several meters that share subscriptions through leases.
    #[arg(value_name = "LEDGER", required = true)]
    pub(crate) ledgers: Vec<PathBuf>,
    /// Where `counterfoil compact` moved the first entries; of one ledger only.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) archive: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Settle {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Settle everything that is due as if it were collected, and pay out the residue too. With
    /// --key, windows that are over are closed first, which credits what they billed too much.
    #[arg(long = "final", conflicts_with = "collected")]
    pub(crate) closing: bool,
    /// Record what was collected, then settle it: {"collected": [{"lane", "amount", "fee",
    /// "reference", "at"}]}, cumulative per lane.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) collected: Option<PathBuf>,
    /// The private key of the ledger, to record what was collected or, with --final, what closing
    /// windows credit.
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
    #[command(flatten)]
    pub(crate) source: Source,
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
pub(crate) struct Backup {
    /// The folder of the ledger, of a backup, or of a root of shards.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
    /// The folder of the copy, which must not exist. It appears whole or not at all.
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// The ledger's folder, or the root of ledgers that are shards.
    #[arg(value_name = "LEDGER")]
    pub(crate) ledger: PathBuf,
    /// The folder of the archive: a new one, or the ledger's own from before.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) archive: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The ledger's folder, or the root of ledgers that are shards.
    #[arg(value_name = "LEDGER", required_unless_present_any = ["header", "receipt_file"])]
    pub(crate) ledger: Option<PathBuf>,
    /// Where `counterfoil compact` moved the ledger's first entries.
    #[arg(long, value_name = "FOLDER", requires = "ledger")]
    pub(crate) archive: Option<PathBuf>,
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
