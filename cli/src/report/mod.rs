//! The report of a ledger as one self-contained HTML page.
//!
//! [`data::Report`] is plain data that the caller fills from a ledger; [`render`] turns it into a page
//! that loads nothing, runs no script and is the same bytes for the same data. Everything that does
//! not come from this source code passes through the escaping of `markup`, by type: raw markup must be
//! `&'static str`.

mod bars;
mod chart;
mod collect;
mod data;
mod html;
mod markup;
#[cfg(test)]
mod sample;
mod settled;
mod settlement;
mod steps;
mod style;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod tiers;
mod time;

use counterfoil::json::Value;

use crate::args;
use crate::exit::{Ended, Failure};
use crate::io::{note, say, write_whole};
use crate::source::sources;
use html::render;

/// `counterfoil report`
pub(crate) fn run(args: &args::Report, json: bool) -> Ended {
    let report = sources(&args.source).and_then(|sources| collect::collect(&sources));
    let mut report = report.map_err(Failure::of_ledger)?;
    report.title = match &args.title {
        Some(title) => title.clone(),
        None => report.plan_name.clone(),
    };
    if let Some(path) = &args.settlement {
        report.settlement = settled::read(path)?;
    }
    write_whole(&args.out, &render(&report))?;
    if json {
        let path = Value::from(args.out.display().to_string());
        say(&Value::object([("report", path)]).compact())?;
    } else {
        note(&format!("wrote {}", args.out.display()));
    }
    Ok(())
}
