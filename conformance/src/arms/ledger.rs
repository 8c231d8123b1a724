//! Auditing and settling a whole journal.

use counterfoil::{
    Code, Error, Plan,
    crypto::sha256,
    entry::Entry,
    settlement::{
        Batch, Duplicates, Extent, LaneCharge, PayoutLeaf, Settlement, verify_payout as verify,
    },
};
use counterfoil_journal::{Journal, Options};
use serde_json::{Value, json};

use super::{Objects, a_key, a_meter, meters};
use crate::{
    input::{Input, Outcome, Stop, fault},
    output::{option, text},
};

pub(super) fn audit(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let key = a_key(input, "key", objects)?;
    let mut entries = host.entries.clone();
    if let Some(change) = input.maybe("change") {
        damage(&mut entries, Input::new(change)?)?;
    }
    let auditor = host.audit(key, &entries)?;
    let counts = auditor.counts();
    Ok(json!({
        "entries": text(counts.entries),
        "receipts": text(counts.receipts),
        "denied": text(counts.denied),
        "checkpoints": text(counts.checkpoints),
        "unproven": text(auditor.unproven()),
    }))
}

/// Damages a journal in the one way that the change names.
fn damage(entries: &mut Vec<Vec<u8>>, mut change: Input) -> Outcome<()> {
    let index = |value| crate::input::integer::<usize>(&crate::input::text(value)?);
    let inside = |at: usize| {
        if at < entries.len() { Ok(at) } else { fault("the journal has fewer entries") }
    };
    if let Some(at) = change.maybe("drop") {
        entries.remove(inside(index(at)?)?);
    } else if let Some(at) = change.maybe("repeat") {
        let at = inside(index(at)?)?;
        entries.insert(at + 1, entries[at].clone());
    } else if let Some(at) = change.maybe("swap") {
        let at = inside(index(at)? + 1)?;
        entries.swap(at - 1, at);
    } else {
        let at = inside(change.integer("entry")?)?;
        let mut flip = Input::new(change.take("flip")?)?;
        let (byte, mask) = (flip.integer::<usize>("byte")?, flip.integer::<u8>("mask")?);
        flip.finish()?;
        match entries[at].get_mut(byte) {
            Some(byte) if mask != 0 => *byte ^= mask,
            _ => return fault("nothing would be changed"),
        }
    }
    change.finish()
}

/// Settles the journal in the only currency of its lanes.
fn settled(input: &mut Input, objects: &Objects) -> Outcome<Settlement> {
    let host = a_meter(input, "meter", objects)?;
    let extent = match input.text("extent")?.as_str() {
        "collected" => Extent::Collected,
        "everything" => Extent::Everything,
        other => return fault(format!("no extent `{other}`")),
    };
    let closing = input.flag("closing")?;
    let plan_of = |lane| -> Option<&Plan> {
        let totals = host.meter.lanes().find(|totals| totals.lane == lane)?;
        host.meter.plan(&totals.plan)
    };
    let first = host.meter.lanes().find_map(|totals| plan_of(totals.lane));
    let none = || Error::new(Code::CurrencyMismatch).because("no lane, hence no currency");
    let mut batch = Batch::new(first.ok_or_else(none)?.currency().clone());
    for totals in host.meter.lanes() {
        if let Some(plan) = plan_of(totals.lane) {
            batch.add_lane(&totals, plan, extent)?;
        }
    }
    for entry in &host.entries {
        match Entry::from_bytes(entry)? {
            Entry::Receipt(receipt) => {
                if let Some(plan) = plan_of(receipt.head.lane) {
                    batch.add_receipt(&receipt, plan)?;
                }
            }
            Entry::Granted(granted) => {
                if let Some(found) = host.meter.subscription(&granted.subscription)
                    && let Some(plan) = host.meter.plan(&found.plan)
                {
                    batch.add_grant(&granted, plan)?;
                }
            }
            Entry::Voided(voided) => batch.add_void(&voided),
            _ => {}
        }
    }
    let settlement = batch.settle(closing)?;
    settlement.check_conservation()?;
    Ok(settlement)
}

pub(super) fn document(input: &mut Input, objects: &Objects) -> Outcome {
    Ok(json!({"json": settled(input, objects)?.to_value().compact()}))
}

pub(super) fn settle(input: &mut Input, objects: &Objects) -> Outcome {
    let settlement = settled(input, objects)?;
    let totals = &settlement.totals;
    let payees = settlement.payees.iter().map(|line| {
        json!({
            "payee": text(&line.payee),
            "payable": text(line.payable),
            "owed": text(line.owed),
        })
    });
    Ok(json!({
        "currency": settlement.currency.id(),
        "gross": text(totals.gross),
        "credited": text(totals.credited),
        "collected": text(totals.collected),
        "fees": text(totals.fees),
        "claimable": text(totals.claimable),
        "owed": text(totals.owed),
        "held": text(totals.held),
        "sold": text(totals.sold),
        "refunded": text(totals.refunded),
        "spent": text(totals.spent),
        "unearned": text(totals.unearned),
        "payouts": text(totals.payouts),
        "residue": text(totals.residue),
        "payees": payees.collect::<Vec<Value>>(),
        "root": option(settlement.payouts.as_ref().map(|tree| tree.root())),
        "commitment": text(settlement.commitment),
    }))
}

pub(super) fn duplicates(input: &mut Input, objects: &Objects) -> Outcome {
    let mut all = Duplicates::new();
    for host in meters(input, "meters", objects)? {
        for entry in &host.entries {
            all.add(&Entry::from_bytes(entry)?)?;
        }
    }
    let charge = |charge: &LaneCharge| {
        let receipts = charge.receipts.iter();
        let receipts =
            receipts.map(|r| json!({"sequence": text(r.sequence), "digest": text(r.digest)}));
        json!({
            "lane": text(charge.lane),
            "issuedAt": text(charge.issued_at.millis()),
            "receipts": receipts.collect::<Vec<Value>>(),
        })
    };
    let found = all.list()?.into_iter().map(|found| {
        json!({
            "subscription": text(found.subscription),
            "subject": text(found.subject),
            "kept": charge(&found.kept),
            "extra": charge(&found.extra),
            "resolved": found.resolved,
        })
    });
    Ok(json!({"duplicates": found.collect::<Vec<Value>>()}))
}

pub(super) fn verify_payout(input: &mut Input) -> Outcome {
    let (root, proof) = (input.parsed("root")?, input.digests("proof")?);
    let leaf = PayoutLeaf {
        payee: input.parsed("payee")?,
        token: input.parsed("token")?,
        cumulative: input.integer("cumulative")?,
    };
    verify(&root, &leaf, &proof)?;
    Ok(json!({}))
}

pub(super) fn file(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let failed = |e: std::io::Error| Stop::Fault(e.to_string());
    let folder = tempfile::tempdir().map_err(failed)?;
    let ledger = folder.path().join("ledger");
    let journal = Journal::create(&ledger, Options::default())?;
    for entry in &host.entries {
        let index = journal.append(entry)?;
        journal.flush_through(index)?;
    }
    drop(journal);
    let mut segments = std::fs::read_dir(ledger.join("segments")).map_err(failed)?;
    let (Some(segment), None) = (segments.next(), segments.next()) else {
        return fault("not one segment");
    };
    let segment = segment.map_err(failed)?;
    let bytes = std::fs::read(segment.path()).map_err(failed)?;
    Ok(json!({
        "name": segment.file_name().to_string_lossy(),
        "length": text(bytes.len()),
        "sha256": text(sha256(&[&bytes])),
    }))
}
