//! Recording what was collected.

use std::path::Path;

use counterfoil::entry::Collected;
use counterfoil::json::Node;
use counterfoil::meter::Command;
use counterfoil::{Amount, Code, Error, Result, Timestamp};
use counterfoil_journal::Ledger;

use crate::io::read_json;

/// Reads the file whole, then records every line of it that says something new with one fsync, or
/// none of them.
pub(crate) fn record(ledger: &Ledger, path: &Path) -> Result<()> {
    let document = read_json(path)?;
    let lines = read(&document.root()).map_err(|e| e.within(path.display().to_string()))?;
    ledger.read(|meter| check(meter, &lines))??;
    let mut batch = ledger.batch();
    for line in lines {
        if ledger.read(|meter| is_recorded(meter, &line))? {
            continue;
        }
        let at = line.at;
        batch.propose(&Command::Collect(line), at)?;
    }
    batch.commit().map(|_| ())
}

fn read(root: &Node<'_>) -> Result<Vec<Collected>> {
    let mut fields = root.fields()?;
    let mut lines = Vec::new();
    for item in fields.required("collected")?.items()? {
        let mut f = item.fields()?;
        let amount = |node: Node<'_>| -> Result<Amount> {
            node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))
        };
        let lane = f.required("lane")?;
        let at = f.required("at")?;
        lines.push(Collected {
            lane: lane.text()?.parse().map_err(|e: Error| e.at(lane.pointer()))?,
            amount: amount(f.required("amount")?)?,
            fee: match f.optional("fee") {
                Some(fee) => amount(fee)?,
                None => Amount::ZERO,
            },
            reference: String::from(f.required("reference")?.text()?),
            at: at.text()?.parse::<Timestamp>().map_err(|e| e.at(at.pointer()))?,
        });
        f.finish()?;
    }
    fields.finish()?;
    Ok(lines)
}

/// Whether a line says what is recorded already, as when a file is given again.
fn is_recorded(meter: &counterfoil::Meter, line: &Collected) -> bool {
    meter
        .lanes()
        .any(|lane| lane.lane == line.lane && lane.collected == line.amount && lane.fee == line.fee)
}

/// Refuses the whole file for one line that the ledger would refuse.
fn check(meter: &counterfoil::Meter, lines: &[Collected]) -> Result<()> {
    for (index, line) in lines.iter().enumerate() {
        let place = || format!("/collected/{index}");
        let refused =
            |why| Error::new(Code::CollectedInvalid).value(line.amount).because(why).at(place());
        let lane = meter.lanes().find(|lane| lane.lane == line.lane).ok_or_else(|| {
            Error::new(Code::CollectedInvalid).value(line.lane).because("no such lane").at(place())
        })?;
        if lines.iter().take(index).any(|other| other.lane == line.lane) {
            return Err(refused("a lane twice"));
        }
        if line.amount < lane.collected || line.fee < lane.fee {
            return Err(refused("amounts and fees are cumulative and never fall"));
        }
        if line.fee > line.amount {
            return Err(refused("a fee is part of its amount"));
        }
    }
    Ok(())
}
