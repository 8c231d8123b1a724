//! Recording what was collected.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::entry::Collected;
use counterfoil::json::Node;
use counterfoil::meter::{Command, LaneTotals};
use counterfoil::{Amount, Code, Digest, Error, Result, Timestamp};
use counterfoil_journal::Ledger;

use crate::io::read_json;

/// Reads the file whole, then records every line of it that says something new with one fsync in each
/// ledger, or none of them. What a crash kept from being recorded is recorded when the file is given
/// again.
pub(crate) fn record(ledgers: &[Ledger], path: &Path) -> Result<()> {
    let document = read_json(path)?;
    let lines = read(&document.root()).map_err(|e| e.within(path.display().to_string()))?;
    let lanes = lanes(ledgers)?;
    check(&lanes, &lines)?;
    let mut batches: Vec<_> = ledgers.iter().map(Ledger::batch).collect();
    for line in lines {
        let Some((number, lane)) = lanes.get(&line.lane) else { continue };
        // As when a file is given again.
        let recorded = lane.collected == line.amount && lane.fee == line.fee;
        if let Some(batch) = batches.get_mut(*number).filter(|_| !recorded) {
            let at = line.at;
            batch.propose(&Command::Collect(line), at)?;
        }
    }
    batches.into_iter().try_for_each(|batch| batch.commit().map(|_| ()))
}

/// Every lane, with the number of its ledger.
fn lanes(ledgers: &[Ledger]) -> Result<BTreeMap<Digest, (usize, LaneTotals)>> {
    let mut lanes = BTreeMap::new();
    for (number, ledger) in ledgers.iter().enumerate() {
        ledger.read(|meter| lanes.extend(meter.lanes().map(|lane| (lane.lane, (number, lane)))))?;
    }
    Ok(lanes)
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

/// Refuses the whole file for one line that the ledger would refuse.
fn check(lanes: &BTreeMap<Digest, (usize, LaneTotals)>, lines: &[Collected]) -> Result<()> {
    for (index, line) in lines.iter().enumerate() {
        let place = || format!("/collected/{index}");
        let refused =
            |why| Error::new(Code::CollectedInvalid).value(line.amount).because(why).at(place());
        let (_, lane) = lanes.get(&line.lane).ok_or_else(|| {
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
