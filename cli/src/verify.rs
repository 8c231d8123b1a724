//! `counterfoil verify`

use counterfoil::json::{Object, Value};

use crate::args;
use crate::audit::walk;
use crate::exit::{Ended, Failure};
use crate::io::say;
use crate::plan;

pub(crate) fn run(args: &args::Verify, json: bool) -> Ended {
    let plan = args.plan.as_deref().map(plan::read).transpose()?;
    let auditor = walk(&args.ledger, plan.as_ref(), |_, _| Ok(())).map_err(Failure::of_ledger)?;
    let counts = auditor.counts();
    let unproven = auditor.unproven();
    let checkpoint = auditor.last_checkpoint().map(|c| c.root.to_string());
    let meter = auditor.into_meter();
    let signer = meter.signer().map(|address| address.to_string());
    let owed = meter.owed_true_ups().fold(0_u64, |n, _| n.saturating_add(1));
    let unbilled = meter.owed_periods(meter.latest()).fold(0_u64, |n, _| n.saturating_add(1));
    if json {
        let mut value = Object::new();
        value.insert("verified", true);
        value.insert("entries", counts.entries);
        value.insert("receipts", counts.receipts);
        value.insert("denied", counts.denied);
        value.insert("checkpoints", counts.checkpoints);
        value.insert("unproven", unproven);
        value.insert("signer", signer.map_or(Value::Null, Value::from));
        value.insert("true_ups_owed", owed);
        value.insert("periods_owed", unbilled);
        value.insert("root", checkpoint.map_or(Value::Null, Value::from));
        return Ok(say(&Value::Object(value).compact())?);
    }
    let mut text = format!(
        "verified: {} entries, {} receipts re-rated and re-hashed, {} denied, {} checkpoints",
        counts.entries, counts.receipts, counts.denied, counts.checkpoints
    );
    if let Some(signer) = signer {
        text.push_str(&format!("\nsigned by {signer}, whom the plan names"));
    }
    if let Some(root) = checkpoint {
        text.push_str(&format!("\nlast checkpoint's root {root}"));
    }
    if unproven > 0 {
        text.push_str(&format!("\n{unproven} heads come after the last checkpoint"));
    }
    if owed > 0 {
        text.push_str(&format!("\n{owed} windows still owe their buyers a true-up"));
    }
    if unbilled > 0 {
        text.push_str(&format!("\n{unbilled} charges have windows that are due and not billed"));
    }
    Ok(say(&text)?)
}
