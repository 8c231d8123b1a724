//! One arm per operation.

use std::collections::BTreeMap;

use counterfoil::amount::{Accumulator, Shares};
use counterfoil::audit::Auditor;
use counterfoil::crypto::sha256;
use counterfoil::entry::{Collected, Entry, ImportMark, ReceiptEntry, ReleaseReason};
use counterfoil::json::{Limits, parse};
use counterfoil::log::{
    Checkpoint, ConsistencyProof, Frontier, InclusionProof, TreeHead, consistency_proof,
    inclusion_proof,
};
use counterfoil::meter::{Command, Import, Outcome, Request, Settle, Subscribe};
use counterfoil::receipt::Head;
use counterfoil::settlement::{Batch, Extent, PayoutLeaf, verify_payout};
use counterfoil::time::Period;
use counterfoil::x402::{
    ClaimRow, Contract, Voucher, VoucherCheck, claim_batch_digest, claim_calldata,
};
use counterfoil::{
    Amount, Code, Digest, Error, Exact, LocalKey, Plan, Receipt, Result, Rounding, Signature,
    Timestamp, Usage, VerifiedReceipt,
};
use serde_json::{Value, json};

use crate::meter::Host;
use crate::text::{
    Given, broken, bytes, channel, digest, hex, instant, list, maybe, opened, outcome, parsed,
    text, usage,
};
use crate::vector::known;

/// The objects of one vector, by name.
#[derive(Default)]
pub(crate) struct Objects {
    plans: BTreeMap<String, Plan>,
    keys: BTreeMap<String, LocalKey>,
    meters: BTreeMap<String, Host>,
    receipts: BTreeMap<String, ReceiptEntry>,
    checkpoints: BTreeMap<String, Checkpoint>,
    verified: BTreeMap<String, VerifiedReceipt>,
}

/// A broken vector, or what the core says.
type Ran = std::result::Result<Result<Value>, String>;

fn object<'a, T>(
    objects: &'a BTreeMap<String, T>,
    given: &Given,
    name: &str,
) -> std::result::Result<&'a T, String> {
    objects.get(text(given, name)?).ok_or_else(|| broken(name))
}

/// What each operation may be given.
fn allowed(op: &str) -> Option<&'static [&'static str]> {
    Some(match op {
        "money.round" => &["rounding", "exact", "carried"],
        "money.split" => &["weights", "parts"],
        "time.window" => &["period", "at"],
        "json.canonical" | "plan.load" => &["text"],
        "usage.read" => &["surface", "body"],
        "plan.quote" => &["plan", "usage"],
        "key.load" => &["secret"],
        "key.sign" => &["key", "digest"],
        "meter.new" => &["saltKey"],
        "meter.begin" => &["meter", "origin", "signer", "now", "journal"],
        "meter.addPlan" => &["meter", "plan", "now", "journal"],
        "meter.subscribe" => {
            &["meter", "plan", "payer", "account", "startedAt", "rail", "now", "journal"]
        }
        "meter.authorize" => {
            &["meter", "subscription", "id", "createdAt", "most", "now", "journal"]
        }
        "meter.settle" => &["meter", "subscription", "id", "usage", "content", "now", "journal"],
        "meter.release" => &["meter", "subscription", "id", "reason", "now", "journal"],
        "meter.import" => &[
            "meter",
            "subscription",
            "at",
            "usage",
            "content",
            "input",
            "ordinal",
            "offset",
            "digest",
            "journal",
        ],
        "meter.due" => &["meter", "now", "journal"],
        "meter.checkpoint" => &["meter", "journal"],
        "meter.collect" => &["meter", "lane", "amount", "fee", "reference", "at", "journal"],
        "meter.recover" => &["meter", "written"],
        "meter.entries" => &["meter"],
        "meter.replay" => &["meter", "saltKey"],
        "meter.restore" => &["meter", "saltKey", "entries"],
        "meter.lane" => &["meter", "lane"],
        "meter.subscription" => &["meter", "subscription"],
        "receipt.header" | "receipt.json" => &["receipt", "key"],
        "receipt.verify" => &["header", "json", "signer"],
        "receipt.follows" => &["receipt", "previous"],
        "receipt.disclose" => &["receipt", "index"],
        "checkpoint.verify" => &["checkpoint", "key", "signer"],
        "log.root" => &["heads"],
        "log.inclusion" => &["heads", "index"],
        "log.verifyInclusion" => &["head", "index", "size", "path", "root"],
        "log.consistency" => &["heads", "oldSize"],
        "log.verifyConsistency" => &["oldSize", "oldRoot", "newSize", "newRoot", "path"],
        "ledger.audit" => &["meter", "key", "change"],
        "ledger.settle" => &["meter", "extent", "closing"],
        "payout.verify" => &["root", "payee", "token", "cumulative", "proof"],
        "x402.channel" => &["chainId", "channel"],
        "x402.voucher" => &["chainId", "channel", "maxClaimable", "signature"],
        "x402.claim" => &["chainId", "rows"],
        _ => return None,
    })
}

/// Runs one operation and keeps what it makes under `name`.
pub(crate) fn run(op: &str, given: &Given, name: Option<&str>, objects: &mut Objects) -> Ran {
    known(given, allowed(op).ok_or("unknown operation")?)?;
    let o = objects;
    match op {
        "money.round" => {
            let rounding = Rounding::parse(text(given, "rounding")?).ok_or("no rounding")?;
            let exact: Exact = parsed(given, "exact")?;
            let carried = parsed(given, "carried")?;
            Ok(rounding.bill(exact, carried).map(|billed| {
                json!({"amount": billed.amount.to_string(), "remainder": billed.remainder.to_string()})
            }))
        }
        "money.split" => split(given),
        "time.window" => {
            let period = Period::parse(text(given, "period")?).ok_or("no period")?;
            Ok(instant(given, "at").map(|at| {
                let window = period.window(at);
                json!({
                    "start": window.start.millis().to_string(),
                    "end": window.end.millis().to_string(),
                })
            }))
        }
        "json.canonical" => {
            let document = text(given, "text")?.as_bytes();
            Ok(parse(document, &Limits::default())
                .and_then(|tree| tree.canonical())
                .map(|bytes| json!({"canonical": String::from_utf8_lossy(&bytes)})))
        }
        "usage.read" => {
            let (surface, body) = (text(given, "surface")?, text(given, "body")?.as_bytes());
            Ok(read_usage(surface, body))
        }
        "plan.load" => {
            let plan = Plan::from_json(text(given, "text")?.as_bytes());
            Ok(plan.map(|plan| {
                let out = json!({
                    "id": plan.id().to_string(),
                    "name": plan.name(),
                    "authority": plan.authority().to_string(),
                    "currency": plan.currency().id(),
                    "decimals": plan.currency().decimals().to_string(),
                });
                keep(&mut o.plans, name, plan);
                out
            }))
        }
        "plan.quote" => {
            let plan = object(&o.plans, given, "plan")?;
            Ok(usage(given, "usage").and_then(|usage| plan.quote(&usage)).map(|quote| {
                let lines: Vec<Value> = quote
                    .lines
                    .iter()
                    .map(|line| {
                        json!({
                            "charge": line.charge,
                            "meter": line.meter,
                            "units": line.units.to_string(),
                            "amount": line.amount.to_string(),
                        })
                    })
                    .collect();
                json!({
                    "first": quote.first.to_string(),
                    "ceiling": quote.ceiling.to_string(),
                    "lines": lines,
                })
            }))
        }
        "key.load" => {
            let secret = bytes(text(given, "secret")?)?;
            let secret = secret.try_into().map_err(|_| broken("secret"))?;
            Ok(LocalKey::from_bytes(&secret).map(|key| {
                let out = json!({"address": key.address().to_string()});
                keep(&mut o.keys, name, key);
                out
            }))
        }
        "key.sign" => {
            let key = object(&o.keys, given, "key")?;
            Ok(digest(given, "digest")
                .map(|digest| json!({"signature": key.sign(&digest).to_string()})))
        }
        "meter.new" => {
            let key: Digest = parsed(given, "saltKey")?;
            keep(&mut o.meters, name, Host::new(*key.bytes()));
            Ok(Ok(json!({})))
        }
        "meter.recover" => {
            let written = given.get("written").and_then(Value::as_bool).ok_or("no `written`")?;
            let host = o.meters.get_mut(text(given, "meter")?).ok_or("no such meter")?;
            Ok(host.recover(written).map(|entries| json!({"entries": entries.to_string()})))
        }
        "meter.entries" => {
            let journal = &object(&o.meters, given, "meter")?.journal;
            let mut joined = Vec::new();
            for entry in journal {
                joined.extend_from_slice(&(entry.len() as u32).to_be_bytes());
                joined.extend_from_slice(entry);
            }
            Ok(Ok(json!({
                "count": journal.len().to_string(),
                "sha256": sha256(&[&joined]).to_string(),
            })))
        }
        "meter.replay" | "meter.restore" => {
            let host = object(&o.meters, given, "meter")?;
            let key: Digest = parsed(given, "saltKey")?;
            let count = match op {
                "meter.replay" => host.journal.len(),
                _ => parsed(given, "entries")?,
            };
            let fresh = host.folded(*key.bytes(), count);
            Ok(fresh.map(|fresh| {
                let out = json!({"entries": fresh.journal.len().to_string()});
                keep(&mut o.meters, name, fresh);
                out
            }))
        }
        "meter.lane" => {
            let host = object(&o.meters, given, "meter")?;
            let wanted: Digest = parsed(given, "lane")?;
            let lane = host.meter.lanes().find(|lane| lane.lane == wanted);
            Ok(lane.ok_or_else(|| Error::new(Code::EntryMisplaced)).map(|lane| {
                json!({
                    "number": lane.number.to_string(),
                    "sequence": lane.sequence.to_string(),
                    "head": lane.head.to_string(),
                    "cumulative": lane.cumulative.to_string(),
                    "credited": lane.credited.to_string(),
                    "collected": lane.collected.to_string(),
                    "fee": lane.fee.to_string(),
                })
            }))
        }
        "meter.subscription" => {
            let host = object(&o.meters, given, "meter")?;
            let found = host.meter.subscription(&parsed(given, "subscription")?);
            Ok(found.ok_or_else(|| Error::new(Code::SubscriptionUnknown)).map(|found| {
                let counters: Vec<Value> = found
                    .counters
                    .iter()
                    .map(|c| {
                        json!({
                            "charge": c.charge,
                            "start": c.window.start.millis().to_string(),
                            "end": c.window.end.millis().to_string(),
                            "units": c.units.to_string(),
                            "billed": c.billed.to_string(),
                        })
                    })
                    .collect();
                json!({
                    "lane": found.lane.to_string(),
                    "denied": found.denied.to_string(),
                    "holds": found.holds.to_string(),
                    "reserved": found.reserved.to_string(),
                    "counters": counters,
                })
            }))
        }
        _ if op.starts_with("meter.") => meter(op, given, name, o),
        _ if op.starts_with("receipt.") => receipt(op, given, name, o),
        "checkpoint.verify" => {
            let checkpoint = object(&o.checkpoints, given, "checkpoint")?.clone();
            let signature = object(&o.keys, given, "key")?.sign(&checkpoint.digest());
            let signer = parsed(given, "signer")?;
            Ok(checkpoint.verify(&signature, signer).map(|verified| {
                let checkpoint = verified.checkpoint();
                json!({"digest": checkpoint.digest().to_string(), "note": checkpoint.to_note()})
            }))
        }
        _ if op.starts_with("log.") => log(op, given),
        "ledger.audit" => audit(given, o),
        "ledger.settle" => settle(given, o),
        "payout.verify" => {
            let leaf = PayoutLeaf {
                payee: parsed(given, "payee")?,
                token: parsed(given, "token")?,
                cumulative: parsed(given, "cumulative")?,
            };
            let root = parsed(given, "root")?;
            Ok(verify_payout(&root, &leaf, &digests(given, "proof")?).map(|()| json!({})))
        }
        _ => x402(op, given),
    }
}

fn keep<T>(objects: &mut BTreeMap<String, T>, name: Option<&str>, made: T) {
    if let Some(name) = name {
        objects.insert(name.to_owned(), made);
    }
}

fn digests(given: &Given, name: &str) -> std::result::Result<Vec<Digest>, String> {
    list(given, name)?
        .iter()
        .map(|value| value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| broken(name)))
        .collect()
}

fn texts(values: &[Digest]) -> Value {
    values.iter().map(|value| Value::from(value.to_string())).collect()
}

fn split(given: &Given) -> Ran {
    let mut weights = Vec::new();
    for one in list(given, "weights")? {
        let one = one.as_object().ok_or("a weight is an object")?;
        weights.push((text(one, "payee")?.as_bytes().to_vec(), parsed::<u64>(one, "weight")?));
    }
    let mut parts: Vec<Exact> = Vec::new();
    for part in list(given, "parts")? {
        parts.push(part.as_str().and_then(|t| t.parse().ok()).ok_or("a part is an amount")?);
    }
    Ok(Shares::from_weights(&weights).and_then(|shares| {
        let mut payouts = Vec::new();
        for (_, share) in shares.iter() {
            let mut sum = Accumulator::ZERO;
            parts.iter().try_for_each(|part| sum.add(*part, share))?;
            payouts.push(sum.floor()?.to_string());
        }
        let shares: Vec<String> = shares.iter().map(|(_, share)| share.to_string()).collect();
        Ok(json!({"shares": shares, "payouts": payouts}))
    }))
}

fn read_usage(surface: &str, body: &[u8]) -> Result<Value> {
    let surface = surface.parse()?;
    let body = parse(body, &Limits::default())?;
    let usage = Usage::from_json(surface, &body)?;
    let meters: BTreeMap<&str, String> = usage.iter().map(|(m, q)| (m, q.to_string())).collect();
    Ok(json!({"meters": meters, "attributes": usage.attributes()}))
}

/// Operations that make an entry.
fn meter(op: &str, given: &Given, name: Option<&str>, o: &mut Objects) -> Ran {
    let plan = match op {
        "meter.addPlan" => Some(object(&o.plans, given, "plan")?.clone()),
        _ => None,
    };
    let host = o.meters.get_mut(text(given, "meter")?).ok_or("no such meter")?;
    let command = match command(op, given, plan) {
        Ok(command) => command,
        Err(e) => return Ok(Err(e)),
    };
    let now = match op {
        "meter.checkpoint" => Ok(Timestamp::MIN),
        "meter.import" | "meter.collect" => instant(given, "at"),
        _ => instant(given, "now"),
    };
    let journal = maybe(given, "journal").unwrap_or("works");
    let done = match now.and_then(|now| host.submit(&command, now, journal)) {
        Ok(done) => done,
        Err(e) => return Ok(Err(e)),
    };
    let out = match (&done, op) {
        (Outcome::Opened { subscription, lane, sign }, "meter.subscribe") => {
            opened(subscription, lane, sign.as_ref())
        }
        (Outcome::Released { subject }, "meter.release") => {
            json!({"subject": subject.to_string()})
        }
        _ => outcome(&done),
    };
    match done {
        Outcome::Receipt { receipt, .. } => keep(&mut o.receipts, name, *receipt),
        Outcome::Checkpointed { checkpoint, .. } => keep(&mut o.checkpoints, name, checkpoint),
        _ => {}
    }
    Ok(Ok(out))
}

fn command(op: &str, given: &Given, plan: Option<Plan>) -> Result<Command> {
    let text = |name: &str| maybe(given, name).unwrap_or_default().to_owned();
    let number = |name: &str| text(name).parse().unwrap_or(u64::MAX);
    Ok(match op {
        "meter.begin" => Command::Begin { origin: text("origin"), signer: text("signer").parse()? },
        "meter.addPlan" => {
            Command::AddPlan(Box::new(plan.ok_or_else(|| Error::new(Code::PlanUnknown))?))
        }
        "meter.subscribe" => Command::Subscribe(Subscribe {
            plan: digest(given, "plan")?,
            payer: maybe(given, "payer").map(str::parse).transpose()?,
            account: maybe(given, "account").map(str::to_owned),
            started_at: instant(given, "startedAt")?,
            rail: digest(given, "rail")?,
        }),
        "meter.authorize" => Command::Authorize(Request {
            subscription: digest(given, "subscription")?,
            id: text("id"),
            created_at: match given.get("createdAt") {
                Some(Value::String(_)) => Some(instant(given, "createdAt")?),
                _ => None,
            },
            most: usage(given, "most")?,
        }),
        "meter.settle" => Command::Settle(Settle {
            subscription: digest(given, "subscription")?,
            id: text("id"),
            usage: usage(given, "usage")?,
            content: digest(given, "content")?,
        }),
        "meter.release" => Command::Release {
            subscription: digest(given, "subscription")?,
            id: text("id"),
            reason: match text("reason").as_str() {
                "unknown" => ReleaseReason::Unknown,
                "expired" => ReleaseReason::Expired,
                _ => ReleaseReason::Released,
            },
        },
        "meter.import" => Command::Import(Import {
            subscription: digest(given, "subscription")?,
            at: instant(given, "at")?,
            usage: usage(given, "usage")?,
            content: digest(given, "content")?,
            mark: ImportMark {
                input: digest(given, "input")?,
                ordinal: number("ordinal"),
                offset: number("offset"),
                digest: digest(given, "digest")?,
            },
        }),
        "meter.due" => Command::Due,
        "meter.checkpoint" => Command::Checkpoint,
        _ => Command::Collect(Collected {
            lane: digest(given, "lane")?,
            amount: text("amount").parse()?,
            fee: text("fee").parse()?,
            reference: text("reference"),
            at: instant(given, "at")?,
        }),
    })
}

fn receipt(op: &str, given: &Given, name: Option<&str>, o: &mut Objects) -> Ran {
    if op == "receipt.verify" {
        let received =
            match (maybe(given, "header"), maybe(given, "json")) {
                (Some(header), None) => Head::from_header(header)
                    .map(|(head, signature)| Receipt { head, signature, body: None }),
                (None, Some(json)) => Receipt::from_json(json.as_bytes()),
                _ => return Err("give `header` or `json`".into()),
            };
        let signer = parsed(given, "signer")?;
        return Ok(received.and_then(|receipt| receipt.verify(signer)).map(|verified| {
            let head = verified.head();
            let out = json!({
                "digest": verified.digest().to_string(),
                "sequence": head.sequence.to_string(),
                "charge": head.charge.to_string(),
                "cumulative": head.cumulative.to_string(),
                "hasBody": verified.body().is_some(),
            });
            keep(&mut o.verified, name, verified);
            out
        }));
    }
    if op == "receipt.follows" {
        let receipt = object(&o.verified, given, "receipt")?;
        let previous = object(&o.verified, given, "previous")?;
        return Ok(receipt.follows(previous).map(|()| json!({})));
    }
    let entry = object(&o.receipts, given, "receipt")?;
    if op == "receipt.disclose" {
        let index = parsed(given, "index")?;
        return Ok(entry.body.disclose(index).and_then(|shown| {
            shown.verify(&entry.head.body)?;
            Ok(json!({
                "count": shown.count.to_string(),
                "salt": hex(&shown.salt),
                "item": shown.item.to_value().compact(),
                "path": texts(&shown.path),
            }))
        }));
    }
    let key = match maybe(given, "key") {
        Some(key) => Some(o.keys.get(key).ok_or_else(|| broken("key"))?),
        None => None,
    };
    let signature = key.map(|key| key.sign(&entry.digest));
    if op == "receipt.header" {
        return Ok(Ok(json!({"header": entry.head.to_header(signature.as_ref())})));
    }
    let whole = Receipt { head: entry.head.clone(), signature, body: Some(entry.body.clone()) };
    Ok(Ok(json!({"json": whole.to_json()})))
}

fn log(op: &str, given: &Given) -> Ran {
    match op {
        "log.root" => {
            let mut tree = Frontier::new();
            let heads = digests(given, "heads")?;
            Ok(heads
                .iter()
                .try_for_each(|head| tree.append(head))
                .map(|()| json!({"root": tree.root().to_string()})))
        }
        "log.inclusion" => {
            let proof = inclusion_proof(&digests(given, "heads")?, parsed(given, "index")?);
            Ok(proof.map(|proof| json!({"path": texts(proof.path())})))
        }
        "log.consistency" => {
            let proof = consistency_proof(&digests(given, "heads")?, parsed(given, "oldSize")?);
            Ok(proof.map(|proof| json!({"path": texts(proof.path())})))
        }
        "log.verifyInclusion" => {
            let (index, size) = (parsed(given, "index")?, parsed(given, "size")?);
            let (head, root) = (parsed(given, "head")?, parsed(given, "root")?);
            let path = digests(given, "path")?;
            Ok(InclusionProof::from_parts(index, size, path)
                .and_then(|proof| proof.verify(&head, &TreeHead { size, root }))
                .map(|()| json!({})))
        }
        _ => {
            let old = TreeHead { size: parsed(given, "oldSize")?, root: parsed(given, "oldRoot")? };
            let new = TreeHead { size: parsed(given, "newSize")?, root: parsed(given, "newRoot")? };
            let path = digests(given, "path")?;
            Ok(ConsistencyProof::from_parts(old.size, new.size, path)
                .and_then(|proof| proof.verify(&old, &new))
                .map(|()| json!({})))
        }
    }
}

/// The journal after one entry was dropped, repeated, or swapped with the next.
fn changed(
    mut journal: Vec<Vec<u8>>,
    change: Option<&Value>,
) -> std::result::Result<Vec<Vec<u8>>, String> {
    let Some(change) = change.and_then(Value::as_object) else { return Ok(journal) };
    let (kind, at) = change.iter().next().ok_or("an empty change")?;
    let at: usize = at.as_str().and_then(|t| t.parse().ok()).ok_or("a change has a position")?;
    if at >= journal.len() {
        return Err("a change beyond the journal".into());
    }
    match kind.as_str() {
        "drop" => drop(journal.remove(at)),
        "repeat" => journal.insert(at, journal[at].clone()),
        "swap" if at + 1 < journal.len() => journal.swap(at, at + 1),
        _ => return Err("unknown change".into()),
    }
    Ok(journal)
}

fn audit(given: &Given, o: &Objects) -> Ran {
    let key = object(&o.keys, given, "key")?;
    let journal = object(&o.meters, given, "meter")?.journal.clone();
    let journal = changed(journal, given.get("change"))?;
    let again = || {
        let mut auditor = Auditor::new();
        // A second fold tells what to sign: the auditor itself knows no keys.
        let mut signing = counterfoil::Meter::new([0; 32]);
        for entry in &journal {
            let (_, expected) = auditor.next(entry)?;
            let wanted = signing.replay(entry)?;
            if let Some(expected) = expected {
                let signature = wanted.map(|wanted| *key.sign(&wanted.digest).bytes());
                expected.check(signature.as_ref())?;
            }
        }
        let counts = auditor.counts();
        Ok(json!({
            "entries": counts.entries.to_string(),
            "receipts": counts.receipts.to_string(),
            "denied": counts.denied.to_string(),
            "checkpoints": counts.checkpoints.to_string(),
            "unproven": auditor.unproven().to_string(),
        }))
    };
    Ok(again())
}

fn settle(given: &Given, o: &Objects) -> Ran {
    let host = object(&o.meters, given, "meter")?;
    let extent = match text(given, "extent")? {
        "collected" => Extent::Collected,
        "everything" => Extent::Everything,
        _ => return Err("unknown extent".into()),
    };
    let closing = given.get("closing").and_then(Value::as_bool).ok_or("no `closing`")?;
    Ok(settle_host(host, extent, closing))
}

fn settle_host(host: &Host, extent: Extent, closing: bool) -> Result<Value> {
    let meter = &host.meter;
    let plan_of = |subscription: &Digest| {
        meter.subscription(subscription).and_then(|found| meter.plan(&found.plan))
    };
    let mut batch: Option<Batch> = None;
    let mut plans = BTreeMap::new();
    for totals in meter.lanes() {
        let Some(plan) = plan_of(&totals.subscription) else { continue };
        plans.insert(totals.lane, plan);
        batch
            .get_or_insert_with(|| Batch::new(plan.currency().clone()))
            .add_lane(&totals, plan, extent)?;
    }
    let mut batch = batch.ok_or_else(|| Error::new(Code::CurrencyMismatch))?;
    for entry in &host.journal {
        if let Entry::Receipt(receipt) = Entry::from_bytes(entry)?
            && let Some(plan) = plans.get(&receipt.head.lane)
        {
            batch.add_receipt(&receipt, plan)?;
        }
    }
    let settled = batch.settle(closing)?;
    let t = &settled.totals;
    let payees: Vec<Value> = settled
        .payees
        .iter()
        .map(|line| {
            json!({
                "payee": line.payee.to_string(),
                "payable": line.payable.to_string(),
                "owed": line.owed.to_string(),
            })
        })
        .collect();
    Ok(json!({
        "currency": settled.currency.id(),
        "gross": t.gross.to_string(),
        "credited": t.credited.to_string(),
        "collected": t.collected.to_string(),
        "fees": t.fees.to_string(),
        "claimable": t.claimable.to_string(),
        "owed": t.owed.to_string(),
        "held": t.held.to_string(),
        "payouts": t.payouts.to_string(),
        "residue": t.residue.to_string(),
        "payees": payees,
        "root": settled.payouts.as_ref().map(|tree| tree.root().to_string()),
        "commitment": settled.commitment.to_string(),
    }))
}

fn x402(op: &str, given: &Given) -> Ran {
    let contract = Contract::deployed(parsed(given, "chainId")?);
    let row = |given: &Given| -> Result<Voucher> {
        let refused = || Error::new(Code::SignatureInvalid);
        let signature: Signature = maybe(given, "signature").ok_or_else(refused)?.parse()?;
        Ok(Voucher {
            channel: channel(given.get("channel").unwrap_or(&Value::Null))?,
            max_claimable: maybe(given, "maxClaimable")
                .and_then(|text| text.parse::<Amount>().ok())
                .ok_or_else(refused)?
                .atomic(),
            signature,
        })
    };
    Ok(match op {
        "x402.channel" => channel(given.get("channel").unwrap_or(&Value::Null))
            .map(|channel| json!({"id": channel.channel_id(&contract).to_string()})),
        "x402.voucher" => row(given).and_then(|voucher| {
            let digest = voucher.digest(&contract).to_string();
            Ok(match voucher.verify(&contract)? {
                VoucherCheck::Verified(_) => json!({"digest": digest, "check": "verified"}),
                VoucherCheck::AskPayer(_) => json!({"digest": digest, "check": "ask_payer"}),
            })
        }),
        _ => {
            let mut rows = Vec::new();
            for given in list(given, "rows")? {
                let given = given.as_object().ok_or("a row is an object")?;
                match row(given) {
                    Ok(voucher) => {
                        let total_claimed = parsed(given, "totalClaimed")?;
                        rows.push(ClaimRow { voucher, total_claimed });
                    }
                    Err(e) => return Ok(Err(e)),
                }
            }
            Ok(json!({
                "digest": claim_batch_digest(&contract, &rows).to_string(),
                "calldata": hex(&claim_calldata(&rows)),
            }))
        }
    })
}
