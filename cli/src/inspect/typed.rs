//! What was signed, as EIP-712 typed data with signatures, for other libraries to check.

use std::collections::VecDeque;
use std::path::Path;

use counterfoil::json::{Object, Value};
use counterfoil::meter::{SignRequest, Signed};
use counterfoil::{Result, Signature};
use counterfoil_journal::{CHECKPOINTS, HEADS, Slots};

use crate::io::read_json;
use crate::source::Source;

/// The latest this many of each kind are shown.
const LATEST: usize = 20;

/// What is listed, in this order.
const LISTS: [&str; 5] = ["laneOpens", "receipts", "checkpoints", "leases", "leaseStatements"];

pub(super) fn collect(sources: &[Source], payouts: Value) -> Result<Value> {
    let mut lists: [Vec<Value>; LISTS.len()] = Default::default();
    for source in sources {
        for (list, own) in lists.iter_mut().zip(latest(source)?) {
            list.extend(own);
        }
    }
    let mut document = Object::new();
    for (name, list) in LISTS.into_iter().zip(lists) {
        document.insert(name, list);
    }
    document.insert("payouts", payouts);
    Ok(Value::Object(document))
}

/// The lists of one ledger.
fn latest(source: &Source) -> Result<[Vec<Value>; LISTS.len()]> {
    let reader = source.reader()?;
    let mut meter = reader.start()?;
    let (mut lanes, mut receipts, mut checkpoints) =
        (VecDeque::new(), VecDeque::new(), VecDeque::new());
    let (mut leases, mut statements) = (VecDeque::new(), VecDeque::new());
    for entry in reader.entries(meter.entries())? {
        let (index, bytes) = entry?;
        let wanted = meter.replay(&bytes).map_err(|e| e.within(format!("entry {index}")))?;
        let Some(request) = wanted else { continue };
        let list = match &request.signed {
            Signed::Lane(_) => &mut lanes,
            Signed::Head(_) => &mut receipts,
            Signed::Checkpoint(_) => &mut checkpoints,
            Signed::Lease(_) => &mut leases,
            Signed::Statement(_) => &mut statements,
        };
        if list.len() >= LATEST {
            list.pop_front();
        }
        list.push_back(request);
    }
    let heads = Slots::open_read_only(&source.dir, HEADS)?;
    let tops = Slots::open_read_only(&source.dir, CHECKPOINTS)?;
    Ok([
        values(&lanes, &heads)?,
        values(&receipts, &heads)?,
        values(&checkpoints, &tops)?,
        values(&leases, &heads)?,
        values(&statements, &heads)?,
    ])
}

fn values(requests: &VecDeque<SignRequest>, slots: &Slots) -> Result<Vec<Value>> {
    let mut list = Vec::new();
    for request in requests {
        let Some(bytes) = slots.get(request.slot)? else { continue };
        let signature = request.accept(Signature::from_bytes(&bytes)?)?;
        list.push(Value::object([
            ("typedData", request.signed.typed_data()),
            ("signature", Value::from(signature.to_string())),
            ("signer", Value::from(request.signer.to_string())),
            ("digest", Value::from(request.digest.to_string())),
        ]));
    }
    Ok(list)
}

/// The payout tree of the first settlement that has one.
pub(super) fn payouts(settlement: Option<&Path>) -> Result<Value> {
    let Some(path) = settlement else { return Ok(Value::Null) };
    let document = read_json(path)?;
    let Some(list) = document.root().at("/settlements") else { return Ok(Value::Null) };
    for item in list.items()? {
        if let Some(tree) = item.at("/payouts").filter(|tree| *tree.value() != Value::Null) {
            return Ok(tree.value().clone());
        }
    }
    Ok(Value::Null)
}
