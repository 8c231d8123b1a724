//! `counterfoil verify`

use counterfoil::json::{Object, Value};
use counterfoil::settlement::{ChargedReceipt, Duplicate, Duplicates, LaneCharge};
use counterfoil::{Digest, Meter, Plan, Result};

use crate::args;
use crate::arguments;
use crate::audit::walk;
use crate::exit::{Ended, Failure};
use crate::io::say;
use crate::plan;
use crate::source::{Source, sources};

/// What was verified: of a ledger, or of all shards together.
#[derive(Default)]
struct Verified {
    entries: u64,
    receipts: u64,
    denied: u64,
    checkpoints: u64,
    unproven: u64,
    owed: u64,
    unbilled: u64,
    signer: Option<String>,
    /// The last checkpoint's root, of each ledger.
    roots: Vec<Option<Digest>>,
}

impl Verified {
    fn add(
        &mut self,
        source: &Source,
        plan: Option<&Plan>,
        mut duplicates: Option<&mut Duplicates>,
    ) -> Result<()> {
        let auditor = walk(source, plan, |entry, _| match duplicates.as_mut() {
            Some(duplicates) => duplicates.add(entry),
            None => Ok(()),
        })?;
        let counts = auditor.counts();
        for (sum, more) in [
            (&mut self.entries, counts.entries),
            (&mut self.receipts, counts.receipts),
            (&mut self.denied, counts.denied),
            (&mut self.checkpoints, counts.checkpoints),
            (&mut self.unproven, auditor.unproven()),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.roots.push(auditor.last_checkpoint().map(|c| c.root));
        let meter = auditor.into_meter();
        self.owed = meter.owed_true_ups().fold(self.owed, |n, _| n.saturating_add(1));
        self.unbilled = unbilled(&meter).saturating_add(self.unbilled);
        self.signer = self.signer.take().or(meter.signer().map(|address| address.to_string()));
        Ok(())
    }
}

fn unbilled(meter: &Meter) -> u64 {
    meter.owed_periods(meter.latest()).fold(0_u64, |n, _| n.saturating_add(1))
}

pub(crate) fn run(args: &args::Verify, json: bool) -> Ended {
    let plan = args.plan.as_deref().map(plan::read).transpose()?;
    if let (Some(_), [_, other, ..]) = (&args.archive, &args.ledgers[..]) {
        return Err(arguments("--archive is of one ledger").value(other.display()).into());
    }
    // Every call is remembered, so only where there is more than one ledger.
    let mut duplicates = (args.ledgers.len() > 1).then(Duplicates::new);
    let mut all = Vec::new();
    for ledger in &args.ledgers {
        let source = args::Source { ledger: ledger.clone(), archive: args.archive.clone() };
        let mut verified = Verified::default();
        for source in sources(&source).map_err(Failure::of_ledger)? {
            let found = verified.add(&source, plan.as_ref(), duplicates.as_mut());
            found.map_err(Failure::of_ledger)?;
        }
        all.push(verified);
    }
    let duplicates = duplicates.map(|all| all.list()).transpose()?;
    let text = match (json, duplicates) {
        (true, None) => all.iter().map(|one| document(one).compact()).collect(),
        (true, Some(duplicates)) => {
            let mut value = Object::new();
            value.insert("ledgers", all.iter().map(document).collect::<Vec<_>>());
            let found = duplicates.iter().map(duplicate_value);
            value.insert("duplicates", found.collect::<Vec<_>>());
            Value::Object(value).compact()
        }
        (false, None) => all.iter().map(lines).collect(),
        (false, Some(duplicates)) => {
            let each = args.ledgers.iter().zip(&all);
            let each = each.map(|(dir, one)| format!("{}:\n{}", dir.display(), lines(one)));
            let open = duplicates.iter().filter(|found| !found.resolved).count();
            let sum = format!("{} calls were charged twice, {open} to credit", duplicates.len());
            let open = duplicates.iter().filter(|found| !found.resolved).map(tell);
            each.chain([sum]).chain(open).collect::<Vec<_>>().join("\n")
        }
    };
    Ok(say(&text)?)
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

fn document(verified: &Verified) -> Value {
    let optional = |text: Option<String>| text.map_or(Value::Null, Value::from);
    let mut value = Object::new();
    value.insert("verified", true);
    value.insert("entries", verified.entries);
    value.insert("receipts", verified.receipts);
    value.insert("denied", verified.denied);
    value.insert("checkpoints", verified.checkpoints);
    value.insert("unproven", verified.unproven);
    value.insert("signer", optional(verified.signer.clone()));
    value.insert("true_ups_owed", verified.owed);
    value.insert("periods_owed", verified.unbilled);
    let roots = verified.roots.iter().map(|root| optional(root.map(|root| root.to_string())));
    match &verified.roots[..] {
        [_] => roots.for_each(|root| value.insert("root", root)),
        _ => value.insert("roots", roots.collect::<Vec<_>>()),
    }
    Value::Object(value)
}

fn lines(verified: &Verified) -> String {
    let mut text = format!(
        "verified: {} entries, {} receipts re-rated and re-hashed, {} denied, {} checkpoints",
        verified.entries, verified.receipts, verified.denied, verified.checkpoints
    );
    if let Some(signer) = &verified.signer {
        text.push_str(&format!("\nsigned by {signer}, whom the plan names"));
    }
    for (number, root) in verified.roots.iter().enumerate() {
        match (root, verified.roots.len()) {
            (None, _) => {}
            (Some(root), 1) => text.push_str(&format!("\nlast checkpoint's root {root}")),
            (Some(root), _) => {
                text.push_str(&format!("\nshard {number}: last checkpoint's root {root}"));
            }
        }
    }
    for (count, what) in [
        (verified.unproven, "heads come after the last checkpoint"),
        (verified.owed, "windows still owe their buyers a true-up"),
        (verified.unbilled, "charges have windows that are due and not billed"),
    ] {
        if count > 0 {
            text.push_str(&format!("\n{count} {what}"));
        }
    }
    text
}
