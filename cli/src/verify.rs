//! `counterfoil verify`

use std::path::Path;

use counterfoil::json::{Object, Value};
use counterfoil::settlement::{ChargedReceipt, Duplicate, Duplicates, LaneCharge};
use counterfoil::{Plan, Result};

use crate::args;
use crate::audit::walk;
use crate::exit::{Ended, Failure};
use crate::io::say;
use crate::plan;

pub(crate) fn run(args: &args::Verify, json: bool) -> Ended {
    let plan = args.plan.as_deref().map(plan::read).transpose()?;
    // Every call is remembered, so only where there is more than one ledger.
    let mut duplicates = (args.ledgers.len() > 1).then(Duplicates::new);
    let mut verified = Vec::new();
    for ledger in &args.ledgers {
        let found = verify(ledger, plan.as_ref(), duplicates.as_mut());
        verified.push(found.map_err(Failure::of_ledger)?);
    }
    let duplicates = duplicates.map(|all| all.list()).transpose()?;
    if json {
        let value = match (duplicates, verified.as_slice()) {
            (None, [one]) => one.to_value(),
            (duplicates, all) => {
                let mut value = Object::new();
                value.insert("ledgers", all.iter().map(Verified::to_value).collect::<Vec<_>>());
                let found = duplicates.iter().flatten().map(duplicate_value);
                value.insert("duplicates", found.collect::<Vec<_>>());
                Value::Object(value)
            }
        };
        return Ok(say(&value.compact())?);
    }
    let several = verified.len() > 1;
    let mut lines = Vec::new();
    for (ledger, found) in args.ledgers.iter().zip(&verified) {
        if several {
            lines.push(format!("{}:", ledger.display()));
        }
        lines.push(found.to_text());
    }
    if let Some(duplicates) = duplicates {
        let open = duplicates.iter().filter(|found| !found.resolved).count();
        lines.push(format!("{} calls were charged twice, {open} to credit", duplicates.len()));
        lines.extend(duplicates.iter().filter(|found| !found.resolved).map(tell));
    }
    Ok(say(&lines.join("\n"))?)
}

/// What there is to say of a ledger that is as it should be.
struct Verified {
    counts: counterfoil::audit::Counts,
    unproven: u64,
    signer: Option<String>,
    true_ups_owed: u64,
    periods_owed: u64,
    root: Option<String>,
}

fn verify(
    ledger: &Path,
    plan: Option<&Plan>,
    mut duplicates: Option<&mut Duplicates>,
) -> Result<Verified> {
    let auditor = walk(ledger, plan, |entry, _| match duplicates.as_mut() {
        Some(duplicates) => duplicates.add(entry),
        None => Ok(()),
    })?;
    let counts = auditor.counts();
    let unproven = auditor.unproven();
    let root = auditor.last_checkpoint().map(|c| c.root.to_string());
    let meter = auditor.into_meter();
    Ok(Verified {
        counts,
        unproven,
        signer: meter.signer().map(|address| address.to_string()),
        true_ups_owed: meter.owed_true_ups().fold(0, |n, _| n.saturating_add(1)),
        periods_owed: meter.owed_periods(meter.latest()).fold(0, |n, _| n.saturating_add(1)),
        root,
    })
}

impl Verified {
    fn to_value(&self) -> Value {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let mut value = Object::new();
        value.insert("verified", true);
        value.insert("entries", self.counts.entries);
        value.insert("receipts", self.counts.receipts);
        value.insert("denied", self.counts.denied);
        value.insert("checkpoints", self.counts.checkpoints);
        value.insert("unproven", self.unproven);
        value.insert("signer", text(&self.signer));
        value.insert("true_ups_owed", self.true_ups_owed);
        value.insert("periods_owed", self.periods_owed);
        value.insert("root", text(&self.root));
        Value::Object(value)
    }

    fn to_text(&self) -> String {
        let counts = self.counts;
        let mut text = format!(
            "verified: {} entries, {} receipts re-rated and re-hashed, {} denied, {} checkpoints",
            counts.entries, counts.receipts, counts.denied, counts.checkpoints
        );
        if let Some(signer) = &self.signer {
            text.push_str(&format!("\nsigned by {signer}, whom the plan names"));
        }
        if let Some(root) = &self.root {
            text.push_str(&format!("\nlast checkpoint's root {root}"));
        }
        if self.unproven > 0 {
            text.push_str(&format!("\n{} heads come after the last checkpoint", self.unproven));
        }
        if self.true_ups_owed > 0 {
            let owed = self.true_ups_owed;
            text.push_str(&format!("\n{owed} windows still owe their buyers a true-up"));
        }
        if self.periods_owed > 0 {
            let unbilled = self.periods_owed;
            text.push_str(&format!(
                "\n{unbilled} charges have windows that are due and not billed"
            ));
        }
        text
    }
}

/// Which receipts are to be credited.
fn tell(found: &Duplicate) -> String {
    let receipts: Vec<String> =
        found.extra.receipts.iter().map(|r| r.sequence.to_string()).collect();
    format!(
        "  lane {} receipt {}: charged first in lane {}",
        found.extra.lane,
        receipts.join(", "),
        found.kept.lane
    )
}

fn duplicate_value(found: &Duplicate) -> Value {
    let receipt = |receipt: &ChargedReceipt| {
        let mut value = Object::new();
        value.insert("sequence", receipt.sequence.to_string());
        value.insert("digest", receipt.digest.to_string());
        Value::Object(value)
    };
    let charge = |charge: &LaneCharge| {
        let mut value = Object::new();
        value.insert("lane", charge.lane.to_string());
        value.insert("issued_at", charge.issued_at.to_string());
        value.insert("receipts", charge.receipts.iter().map(receipt).collect::<Vec<_>>());
        Value::Object(value)
    };
    let mut value = Object::new();
    value.insert("subscription", found.subscription.to_string());
    value.insert("subject", found.subject.to_string());
    value.insert("kept", charge(&found.kept));
    value.insert("extra", charge(&found.extra));
    value.insert("resolved", found.resolved);
    Value::Object(value)
}
