//! `counterfoil inspect`

mod typed;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use counterfoil::entry::Entry;
use counterfoil::json::{Object, Value};
use counterfoil::receipt::Head;
use counterfoil::{Address, Code, Error, Meter, Receipt, Result};
use counterfoil_journal::{HEADS, Reader, Slots};

use crate::args;
use crate::arguments;
use crate::io::{failed, write_out};

pub(crate) fn run(args: &args::Inspect) -> Result<()> {
    let signer = args.signer.as_deref().map(str::parse::<Address>).transpose()?;
    let text = match (&args.ledger, &args.header, &args.receipt_file) {
        (Some(ledger), None, None) => match (&args.receipt, args.typed_data) {
            (Some(wanted), false) => find(ledger, wanted)?.to_json(),
            (None, true) => typed::collect(ledger, args.settlement.as_deref())?.pretty(),
            (None, false) => overview(ledger)?,
            (Some(_), true) => return Err(arguments("give --receipt or --typed-data")),
        },
        (None, Some(header), None) => {
            let (head, signature) = Head::from_header(header)?;
            show(Receipt { head, signature, body: None }, signer)?
        }
        (None, None, Some(path)) => {
            let bytes = fs::read(path).map_err(failed(path))?;
            let receipt =
                Receipt::from_json(&bytes).map_err(|e| e.within(path.display().to_string()))?;
            show(receipt, signer)?
        }
        _ => return Err(arguments("give a ledger, --header or --receipt-file")),
    };
    write_out(args.out.as_deref(), &text)
}

/// A receipt for people, verified where the signer is given.
fn show(receipt: Receipt, signer: Option<Address>) -> Result<String> {
    let mut value = Object::new();
    value.insert("digest", receipt.head.digest().to_string());
    value.insert("head", receipt.head.to_value());
    value.insert("issued", receipt.head.issued_at.to_string());
    value.insert("signed", receipt.signature.is_some());
    if let Some(body) = &receipt.body {
        value.insert("body", body.to_value());
    }
    let verified = match signer {
        Some(signer) => {
            receipt.verify(signer)?;
            Value::from(signer.to_string())
        }
        None => Value::Null,
    };
    value.insert("verifiedSigner", verified);
    Ok(Value::Object(value).pretty())
}

/// One receipt of a ledger, by lane and sequence; the lane may be shortened.
fn find(ledger: &Path, wanted: &str) -> Result<Receipt> {
    let refused = || arguments("a receipt is named LANE/SEQUENCE").value(wanted);
    let (lane, sequence) = wanted.split_once('/').ok_or_else(refused)?;
    let sequence: u64 = sequence.parse().map_err(|_| refused())?;
    let heads = Slots::open_read_only(ledger, HEADS)?;
    let mut position = 0_u64;
    for entry in Reader::open(ledger)?.entries(0)? {
        match Entry::from_bytes(&entry?.1)? {
            Entry::Open(_) => position = position.saturating_add(1),
            Entry::Receipt(e) => {
                let here = e.head.sequence == sequence;
                if here && e.head.lane.to_string().starts_with(lane) {
                    let signature = heads.get(position)?;
                    let signature = signature
                        .map(|bytes| counterfoil::Signature::from_bytes(&bytes))
                        .transpose()?;
                    let e = Arc::unwrap_or_clone(e);
                    return Ok(Receipt { head: e.head, signature, body: Some(e.body) });
                }
                position = position.saturating_add(1);
            }
            _ => {}
        }
    }
    Err(Error::new(Code::LogRange).value(wanted).because("no such receipt"))
}

fn overview(ledger: &Path) -> Result<String> {
    let mut meter = Meter::new([0; 32]);
    for entry in Reader::open(ledger)?.entries(0)? {
        let (index, bytes) = entry?;
        meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
    }
    let mut lines = vec![
        format!("origin      {}", meter.origin().unwrap_or("(not begun)")),
        format!("signer      {}", meter.signer().map_or_else(String::new, |a| a.to_string())),
        format!("entries     {}", meter.entries()),
        format!("log         {} heads and lane openings", meter.log_size()),
        format!("checkpoints {}", meter.checkpoints()),
    ];
    for plan in meter.plans() {
        lines.push(format!("plan        {} {}", plan.id(), plan.name()));
    }
    for mark in meter.imports() {
        lines.push(format!(
            "input       {} up to record {}, byte {}",
            mark.input, mark.ordinal, mark.offset
        ));
    }
    for subscription in meter.subscriptions() {
        let decimals = meter.plan(&subscription.plan).map_or(0, |plan| plan.currency().decimals());
        let name = subscription.name.clone().unwrap_or_else(|| subscription.payer.to_string());
        lines.push(format!("subscriber  {name}: {} denied", subscription.denied));
        for lane in meter.lanes().filter(|lane| lane.subscription == subscription.id) {
            lines.push(format!(
                "  lane {} {}: {} receipts, {} charged, {} credited",
                lane.number,
                lane.lane,
                lane.sequence,
                lane.cumulative.to_decimal(decimals),
                lane.credited.to_decimal(decimals)
            ));
        }
        for counter in &subscription.counters {
            lines.push(format!(
                "  {}: {} units from {}, {} billed",
                counter.charge,
                counter.units,
                counter.window.start,
                counter.billed.to_decimal(decimals)
            ));
        }
    }
    Ok(lines.join("\n"))
}
