//! `counterfoil inspect`

mod overview;
mod typed;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use counterfoil::entry::Entry;
use counterfoil::json::{Object, Value};
use counterfoil::receipt::Head;
use counterfoil::{Address, Code, Error, Meter, Receipt, Result, Signature};
use counterfoil_journal::{HEADS, Slots};

use crate::args;
use crate::arguments;
use crate::exit::{Ended, Failure};
use crate::io::{failed, write_out};
use crate::source::{self, Source};
use overview::overview;

pub(crate) fn run(args: &args::Inspect, json: bool) -> Ended {
    let signer = args.signer.as_deref().map(str::parse::<Address>).transpose()?;
    let text = match (&args.ledger, &args.header, &args.receipt_file) {
        (Some(ledger), None, None) => match (&args.receipt, args.typed_data) {
            (Some(wanted), false) => {
                find(&sources(args, ledger)?, &Wanted::parse(wanted)?)?.to_json()
            }
            (None, true) => {
                let payouts = typed::payouts(args.settlement.as_deref())?;
                let sources = sources(args, ledger)?;
                typed::collect(&sources, payouts).map_err(Failure::of_ledger)?.pretty()
            }
            (None, false) => {
                let meters = sources(args, ledger)?.iter().map(replay).collect::<Result<Vec<_>>>();
                overview(&meters.map_err(Failure::of_ledger)?, json)
            }
            (Some(_), true) => {
                return Err(arguments("give --receipt or --typed-data, not both").into());
            }
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
        _ => return Err(arguments("give a ledger, --header or --receipt-file").into()),
    };
    Ok(write_out(args.out.as_deref(), &text)?)
}

fn sources(args: &args::Inspect, ledger: &Path) -> Ended<Vec<Source>> {
    let (ledger, archive) = (ledger.to_path_buf(), args.archive.clone());
    source::sources(&args::Source { ledger, archive }).map_err(Failure::of_ledger)
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

/// The name of a receipt: its lane, which may be shortened, and its sequence.
struct Wanted<'a> {
    name: &'a str,
    lane: &'a str,
    sequence: u64,
}

impl<'a> Wanted<'a> {
    fn parse(name: &'a str) -> Result<Self> {
        let refused = || arguments("a receipt is named LANE/SEQUENCE").value(name);
        let (lane, sequence) = name.split_once('/').ok_or_else(refused)?;
        Ok(Wanted { name, lane, sequence: sequence.parse().map_err(|_| refused())? })
    }
}

/// One receipt.
fn find(sources: &[Source], wanted: &Wanted<'_>) -> Ended<Receipt> {
    let mut found: Option<Receipt> = None;
    let mut archived = None;
    for source in sources {
        let heads = Slots::open_read_only(&source.dir, HEADS)?;
        let reader = source.reader().map_err(Failure::of_ledger)?;
        let mut meter = reader.start().map_err(Failure::of_ledger)?;
        let from = meter.entries();
        if from > 0 {
            archived = reader.entries(0).err();
        }
        for entry in reader.entries(from)? {
            let (index, bytes) = entry?;
            let position = meter.log_size();
            let place = |e: Error| Failure::of_ledger(e.within(format!("entry {index}")));
            meter.replay(&bytes).map_err(place)?;
            let Entry::Receipt(e) = Entry::from_bytes(&bytes).map_err(place)? else { continue };
            let here = e.head.sequence == wanted.sequence;
            if !here || !e.head.lane.to_string().starts_with(wanted.lane) {
                continue;
            }
            if found.is_some() {
                let error = arguments("more than one lane starts so").value(wanted.lane);
                return Err(error.into());
            }
            let signature = heads.get(position)?.map(|bytes| Signature::from_bytes(&bytes));
            let signature = signature.transpose().map_err(Failure::of_ledger)?;
            let e = Arc::unwrap_or_clone(e);
            found = Some(Receipt { head: e.head, signature, body: Some(e.body) });
        }
    }
    match (found, archived) {
        (Some(receipt), _) => Ok(receipt),
        // It may be there.
        (None, Some(archived)) => Err(archived.into()),
        (None, None) => {
            Err(Error::new(Code::LogRange).value(wanted.name).because("no such receipt").into())
        }
    }
}

fn replay(source: &Source) -> Result<Meter> {
    let reader = source.reader()?;
    let mut meter = reader.start()?;
    for entry in reader.entries(meter.entries())? {
        let (index, bytes) = entry?;
        meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
    }
    Ok(meter)
}
