//! `counterfoil settle`

mod claims;
mod collected;

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::entry::Entry;
use counterfoil::json::{Object, Value};
use counterfoil::settlement::{Batch, Extent, Settlement};
use counterfoil::{Digest, Meter, Result};
use counterfoil_journal::{Ledger, Options};

use crate::args;
use crate::audit::walk;
use crate::io::{say, write_out};
use crate::keys;
use crate::plan::label;

pub(crate) fn run(args: &args::Settle) -> Result<()> {
    if let (Some(collected), Some(key)) = (&args.collected, &args.key) {
        let keys = keys::read(key)?;
        let ledger =
            Ledger::open(&args.ledger, Box::new(keys.signing), keys.salt, Options::default())?;
        collected::record(&ledger, collected)?;
        ledger.close()?;
    }
    let extent = if args.closing { Extent::Everything } else { Extent::Collected };
    let meter = walk(&args.ledger, None, |_, _| Ok(()))?.into_meter();
    let settlements = settle(&args.ledger, &meter, extent, args.closing)?;
    let claims = match &args.vouchers {
        Some(path) => claims::plan(&meter, path)?,
        None => Value::Null,
    };
    let list: Vec<Value> = settlements.iter().map(Settlement::to_value).collect();
    let mut document = Object::new();
    document.insert("format", "counterfoil/settlements/0");
    document.insert("origin", meter.origin().unwrap_or_default());
    document.insert("settlements", list);
    document.insert("claims", claims);
    let text = Value::Object(document).pretty();
    write_out(args.out.as_deref(), &format!("{text}\n"))?;
    if args.out.is_some() {
        for settlement in &settlements {
            tell(settlement)?;
        }
    }
    Ok(())
}

/// Settles the receipts of a ledger whose final state is known, one batch per currency.
fn settle(dir: &Path, meter: &Meter, extent: Extent, closing: bool) -> Result<Vec<Settlement>> {
    let mut batches: BTreeMap<String, Batch> = BTreeMap::new();
    let mut plans: BTreeMap<Digest, Digest> = BTreeMap::new();
    for totals in meter.lanes() {
        let Some(subscription) = meter.subscription(&totals.subscription) else { continue };
        let Some(plan) = meter.plan(&subscription.plan) else { continue };
        plans.insert(totals.lane, subscription.plan);
        batches
            .entry(plan.currency().id())
            .or_insert_with(|| Batch::new(plan.currency().clone()))
            .add_lane(&totals, plan, extent)?;
    }
    for entry in counterfoil_journal::Reader::open(dir)?.entries(0)? {
        let Entry::Receipt(receipt) = Entry::from_bytes(&entry?.1)? else { continue };
        let plan = plans.get(&receipt.head.lane).and_then(|id| meter.plan(id));
        if let Some(plan) = plan {
            if let Some(batch) = batches.get_mut(&plan.currency().id()) {
                batch.add_receipt(&receipt, plan)?;
            }
        }
    }
    batches.values().map(|batch| batch.settle(closing)).collect()
}

fn tell(settlement: &Settlement) -> Result<()> {
    let decimals = settlement.currency.decimals();
    let label = label(&settlement.currency);
    let t = &settlement.totals;
    let mut lines = vec![
        format!("settled {} lanes in {label}", settlement.lanes.len()),
        format!("  charged    {}", t.gross.to_decimal(decimals)),
        format!("  credited   {}", t.credited.to_decimal(decimals)),
        format!("  collected  {}", t.collected.to_decimal(decimals)),
        format!("  claimable  {}", t.claimable.to_decimal(decimals)),
        format!("  payouts    {}", t.payouts.to_decimal(decimals)),
        format!("  fees       {}", t.fees.to_decimal(decimals)),
        format!("  residue    {}", t.residue.to_decimal(decimals)),
    ];
    for line in &settlement.payees {
        lines.push(format!("  to {}: {}", line.payee, line.payable.to_decimal(decimals)));
    }
    say(&lines.join("\n"))
}
