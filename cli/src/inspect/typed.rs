//! What was signed, as EIP-712 typed data with signatures, for other libraries to check.

use std::collections::VecDeque;
use std::path::Path;

use counterfoil::json::{Object, Value};
use counterfoil::meter::{SignRequest, Signed};
use counterfoil::{Meter, Result, Signature};
use counterfoil_journal::{CHECKPOINTS, HEADS, Reader, Slots};

use crate::io::read_json;

/// The latest this many of each kind are shown.
const LATEST: usize = 20;

pub(super) fn collect(ledger: &Path, payouts: Value) -> Result<Value> {
    let mut meter = Meter::new([0; 32]);
    let (mut lanes, mut receipts, mut checkpoints) =
        (VecDeque::new(), VecDeque::new(), VecDeque::new());
    let (mut leases, mut statements) = (VecDeque::new(), VecDeque::new());
    for entry in Reader::open(ledger)?.entries(0)? {
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
    let heads = Slots::open_read_only(ledger, HEADS)?;
    let tops = Slots::open_read_only(ledger, CHECKPOINTS)?;
    let mut document = Object::new();
    document.insert("laneOpens", values(&lanes, &heads)?);
    document.insert("receipts", values(&receipts, &heads)?);
    document.insert("checkpoints", values(&checkpoints, &tops)?);
    document.insert("leases", values(&leases, &heads)?);
    document.insert("leaseStatements", values(&statements, &heads)?);
    document.insert("payouts", payouts);
    Ok(Value::Object(document))
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
