//! Reading the file of `counterfoil settle` back for the page.

use std::path::Path;

use counterfoil::json::Node;
use counterfoil::{Amount, Error, Result};

use super::data::{PayoutRow, Settlement};
use crate::io::read_json;

/// The settlement in the currency of the page: the file's first.
pub(super) fn read(path: &Path) -> Result<Option<Settlement>> {
    let document = read_json(path)?;
    let root = document.root();
    let place = |e: Error| e.within(path.display().to_string());
    let mut fields = root.fields().map_err(place)?;
    let list = fields.required("settlements").map_err(place)?;
    match list.items().map_err(place)?.next() {
        Some(first) => settlement(&first).map(Some).map_err(place),
        None => Ok(None),
    }
}

fn amount(node: Node<'_>) -> Result<u128> {
    let amount: Amount = node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))?;
    Ok(amount.atomic())
}

/// A part in percent, to the nearest tenth.
fn share(part: u128, whole: u128) -> String {
    let half = whole.checked_div(2).unwrap_or(0);
    let tenths = part.checked_mul(1_000).and_then(|n| n.checked_add(half)?.checked_div(whole));
    let tenths = tenths.unwrap_or(0);
    let (ones, tenth) = (tenths.checked_div(10).unwrap_or(0), tenths.checked_rem(10).unwrap_or(0));
    format!("{ones}.{tenth}\u{a0}%")
}

fn settlement(node: &Node<'_>) -> Result<Settlement> {
    let mut fields = node.fields()?;
    let totals = fields.required("totals")?;
    let mut t = totals.fields()?;
    let payouts = amount(t.required("payouts")?)?;
    let held = amount(t.required("held")?)?;
    let owed = amount(t.required("owed")?)?;
    let mut rows = Vec::new();
    for line in fields.required("payees")?.items()? {
        let mut line = line.fields()?;
        let payable = amount(line.required("payable")?)?;
        rows.push(PayoutRow {
            name: String::new(),
            payee: String::from(line.required("payee")?.text()?),
            share: share(payable, payouts),
            amount: payable,
        });
    }
    let root = fields.optional("payouts").and_then(|tree| tree.at("/root"));
    Ok(Settlement {
        gross: amount(t.required("gross")?)?,
        credited: amount(t.required("credited")?)?,
        // What was collected beyond what is due is returned, and is no part of the page's sums.
        collected: amount(t.required("collected")?)?.saturating_sub(held),
        lost: owed.saturating_sub(held),
        sold: amount(t.required("sold")?)?,
        refunded: amount(t.required("refunded")?)?,
        spent: amount(t.required("spent")?)?,
        claimable: amount(t.required("claimable")?)?,
        held: 0,
        held_because: String::new(),
        written_off: 0,
        payouts: rows,
        fees: amount(t.required("fees")?)?,
        residue: amount(t.required("residue")?)?,
        root: root.and_then(|root| root.text().ok()).map(String::from),
    })
}
