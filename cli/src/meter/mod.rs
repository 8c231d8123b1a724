//! `counterfoil meter`: a usage log, record by record, into a durable ledger.

mod import;
mod lines;
mod record;
mod rejects;
mod subscribers;

use std::io::IsTerminal as _;

use counterfoil::json::{Object, Value};
use counterfoil::{Code, Error, Plan, Result};
use counterfoil_journal::Repair;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args;
use crate::exit::{Ended, Failure};
use crate::io::{note, say};
use crate::keys::{self, Keys};
use crate::{ledger, plan};
use import::{Importer, Summary};
use lines::Lines;
use record::Shape;
use rejects::Rejects;
use subscribers::Subscribers;

/// `counterfoil meter`
pub(crate) fn run(args: &args::Meter, json: bool) -> Ended {
    let plan = plan::read(&args.plan)?;
    let shape = Shape::from_args(args)?;
    let known = Subscribers::read(args.subscribers.as_deref())?;
    let keys = keys::read(&args.key)?;
    check_authority(args, &plan, &keys).map_err(Failure::refused)?;
    let address = keys.signing.address();
    // A ledger is made last: a mistake in what goes into it leaves none behind.
    let lines = Lines::open(&args.log, &shape)?;
    let ledger = ledger::open(&args.ledger, &keys)?;
    let repaired = ledger.repaired().cloned();
    let origin = match &args.origin {
        Some(origin) => origin.clone(),
        None => format!("counterfoil/{address}"),
    };
    let progress = progress(lines.size());
    let rejects = args.skip_malformed.as_deref().map(Rejects::open);
    let mut importer = Importer::new(&ledger, plan, origin, shape, known, rejects);
    let metered = importer.run(lines, args.input_id.as_deref(), &progress);
    progress.finish_and_clear();
    let summary = importer.summary();
    // What came before a malformed record is durable, so the ledger is closed in good order.
    let closed = ledger.close();
    tell(args, &summary, repaired.as_ref(), metered.as_ref().err(), json)?;
    Ok(metered.and(closed)?)
}

/// A plan names whose signatures count.
fn check_authority(args: &args::Meter, plan: &Plan, keys: &Keys) -> Result<()> {
    if plan.authority() != keys.signing.address() {
        return Err(Error::new(Code::SignatureWrongKey)
            .value(keys.signing.address())
            .at(format!("{}: /authority", args.plan.display()))
            .because("the plan's authority is not the key's address"));
    }
    Ok(())
}

/// A bar on a terminal, nothing in a pipe.
fn progress(size: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden());
    }
    let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = "{bar:30} {percent}% of {total_bytes}  {msg}";
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

fn tell(
    args: &args::Meter,
    summary: &Summary,
    repaired: Option<&Repair>,
    failed: Option<&Error>,
    json: bool,
) -> Result<()> {
    if json {
        let mut value = Object::new();
        value.insert("ledger", args.ledger.display().to_string());
        value.insert("records", summary.records);
        value.insert("metered", summary.metered);
        value.insert("denied", summary.denied);
        value.insert("rejected", summary.rejected);
        value.insert("alreadyMetered", summary.skipped);
        value.insert("charged", summary.charged.to_string());
        value.insert("complete", failed.is_none());
        value.insert("repaired", repaired.map_or(Value::Null, repair_value));
        return say(&Value::Object(value).compact());
    }
    if summary.skipped > 0 {
        note(&format!("resumed after {} records that were metered before", summary.skipped));
    }
    say(&format!(
        "{} records: {} metered, {} denied, {} rejected; {} {} charged; {} calls per second",
        summary.records,
        summary.metered,
        summary.denied,
        summary.rejected,
        summary.charged.to_decimal(summary.decimals),
        summary.label,
        summary.per_second(),
    ))
}

fn repair_value(repair: &Repair) -> Value {
    Value::object([
        ("bytes", Value::from(repair.bytes)),
        ("afterEntry", Value::from(repair.entries)),
        ("kept", Value::from(repair.kept.display().to_string())),
    ])
}
