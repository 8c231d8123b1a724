//! `counterfoil settle`

mod claims;
mod collected;

use std::collections::BTreeMap;

use counterfoil::entry::Entry;
use counterfoil::json::{Object, Value};
use counterfoil::meter::Command;
use counterfoil::settlement::{Batch, Extent, Settlement};
use counterfoil::{Digest, Meter, Result};
use counterfoil_journal::Ledger;

use crate::args;
use crate::audit::walk;
use crate::exit::{Ended, Failure};
use crate::io::{now, say, warn, write_out};
use crate::keys;
use crate::ledger::open;
use crate::source::{Source, origin, sources};

/// True-ups made durable together.
const BATCH: usize = 1000;

pub(crate) fn run(args: &args::Settle, json: bool) -> Ended {
    let sources = sources(&args.source).map_err(Failure::of_ledger)?;
    if let Some(key) = &args.key {
        let keys = keys::read(key)?;
        let ledgers = sources.iter().map(|source| open(&source.dir, &keys));
        let ledgers = ledgers.collect::<Ended<Vec<_>>>()?;
        let recorded = match &args.collected {
            Some(collected) => collected::record(&ledgers, collected),
            None if args.closing => ledgers.iter().try_for_each(true_up),
            None => Ok(()),
        };
        ledgers.into_iter().try_for_each(Ledger::close)?;
        recorded?;
    }
    let extent = if args.closing { Extent::Everything } else { Extent::Collected };
    let meters = sources.iter().map(|source| Ok(walk(source, None, |_, _| Ok(()))?.into_meter()));
    let meters = meters.collect::<Result<Vec<_>>>().map_err(Failure::of_ledger)?;
    let owed: usize = meters.iter().map(|meter| meter.owed_true_ups().count()).sum();
    if owed > 0 {
        warn(&format!(
            "{owed} windows still owe their buyers a true-up; --final --key records it once they close"
        ));
    }
    let mut batches = Batches::new();
    for (source, meter) in sources.iter().zip(&meters) {
        add(&mut batches, source, meter, extent).map_err(Failure::of_ledger)?;
    }
    let settlements = batches.values().map(|batch| batch.settle(args.closing));
    let settlements = settlements.collect::<Result<Vec<_>>>().map_err(Failure::of_ledger)?;
    let claims = match &args.vouchers {
        Some(path) => claims::plan(&meters, path)?,
        None => Value::Null,
    };
    let list: Vec<Value> = settlements.iter().map(Settlement::to_value).collect();
    let mut document = Object::new();
    document.insert("format", "counterfoil/settlements/0");
    document.insert("origin", origin(&meters).unwrap_or_default());
    document.insert("settlements", list);
    document.insert("claims", claims);
    write_out(args.out.as_deref(), &Value::Object(document).pretty())?;
    match &args.out {
        Some(path) if json => {
            let path = Value::from(path.display().to_string());
            say(&Value::object([("settlement", path)]).compact())?;
        }
        Some(_) => settlements.iter().try_for_each(tell)?,
        None => {}
    }
    Ok(())
}

/// Closes the windows that are over by the system's clock, in batches, so that what they owe back
/// is in the settlement; then a checkpoint proves it.
fn true_up(ledger: &Ledger) -> Result<()> {
    if ledger.read(|meter| meter.origin().is_none())? {
        return Ok(());
    }
    let now = now()?;
    let mut trued_up = false;
    loop {
        let mut batch = ledger.batch();
        let mut more = true;
        for _ in 0..BATCH {
            more = batch.propose(&Command::Due, now)?;
            if !more {
                break;
            }
            trued_up = true;
        }
        batch.commit()?;
        if !more {
            break;
        }
    }
    if trued_up {
        ledger.submit(&Command::Checkpoint, now)?;
    }
    Ok(())
}

/// One batch per currency.
type Batches = BTreeMap<String, Batch>;

/// Adds the receipts of a ledger whose final state is known.
fn add(batches: &mut Batches, source: &Source, meter: &Meter, extent: Extent) -> Result<()> {
    // The plan of each lane and of each subscription.
    let mut plans: BTreeMap<Digest, Digest> = BTreeMap::new();
    for totals in meter.lanes() {
        let Some(plan) = meter.plan(&totals.plan) else { continue };
        plans.insert(totals.lane, totals.plan);
        plans.insert(totals.subscription, totals.plan);
        batches
            .entry(plan.currency().id())
            .or_insert_with(|| Batch::new(plan.currency().clone()))
            .add_lane(&totals, plan, extent)?;
    }
    // A writer may have gone on meanwhile.
    let known = usize::try_from(meter.entries()).unwrap_or(usize::MAX);
    for entry in source.reader()?.entries(0)?.take(known) {
        let entry = Entry::from_bytes(&entry?.1)?;
        let of = match &entry {
            Entry::Receipt(receipt) => receipt.head.lane,
            Entry::Granted(granted) => granted.subscription,
            Entry::Voided(voided) => voided.subscription,
            _ => continue,
        };
        let Some(plan) = plans.get(&of).and_then(|id| meter.plan(id)) else { continue };
        let Some(batch) = batches.get_mut(&plan.currency().id()) else { continue };
        match &entry {
            Entry::Receipt(receipt) => batch.add_receipt(receipt, plan)?,
            Entry::Granted(granted) => batch.add_grant(granted, plan)?,
            Entry::Voided(voided) => batch.add_void(voided),
            _ => {}
        }
    }
    Ok(())
}

fn tell(settlement: &Settlement) -> Result<()> {
    let decimals = settlement.currency.decimals();
    let label = settlement.currency.label();
    let t = &settlement.totals;
    let mut lines = vec![
        format!("settled {} lanes in {label}", settlement.lanes.len()),
        format!("  charged    {}", t.gross.to_decimal(decimals)),
        format!("  credited   {}", t.credited.to_decimal(decimals)),
        format!("  collected  {}", t.collected.to_decimal(decimals)),
        format!("  claimable  {}", t.claimable.to_decimal(decimals)),
        format!("  owed       {}", t.owed.to_decimal(decimals)),
        format!("  sold       {}", t.sold.to_decimal(decimals)),
        format!("  refunded   {}", t.refunded.to_decimal(decimals)),
        format!("  spent      {}", t.spent.to_decimal(decimals)),
        format!("  unearned   {}", t.unearned.to_decimal(decimals)),
        format!("  payouts    {}", t.payouts.to_decimal(decimals)),
        format!("  fees       {}", t.fees.to_decimal(decimals)),
        format!("  residue    {}", t.residue.to_decimal(decimals)),
    ];
    for line in &settlement.payees {
        lines.push(format!("  to {}: {}", line.payee, line.payable.to_decimal(decimals)));
    }
    say(&lines.join("\n"))
}
