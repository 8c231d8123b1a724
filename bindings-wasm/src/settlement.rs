//! Settlement: who is owed what, and the payees' proofs.

use counterfoil::{
    Code, Digest, Error,
    entry::Entry,
    settlement::{self, Extent, PayoutLeaf},
};
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    meter::RawMeter,
    output::{Record, list, texts},
    plan::Plan,
};

/// Every lane's totals in one currency, and what each payee earned. Adding and merging is addition:
/// order does not matter.
#[wasm_bindgen]
pub struct Batch(settlement::Batch);

#[wasm_bindgen]
impl Batch {
    /// An empty batch in the currency of a plan.
    #[wasm_bindgen(constructor)]
    pub fn new(plan: &Plan) -> Batch {
        Batch(settlement::Batch::new(plan.0.currency().clone()))
    }

    /// Adds a lane's totals, before its receipts.
    #[wasm_bindgen(js_name = addLane)]
    pub fn add_lane(
        &mut self,
        meter: &RawMeter,
        #[wasm_bindgen(unchecked_param_type = "Hex")] lane: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Extent")] extent: JsValue,
    ) -> Result<(), Thrown> {
        let lane: Digest = input::parsed(&lane)?;
        let name = input::text(&extent)?;
        let extent = match name.as_str() {
            "collected" => Extent::Collected,
            "everything" => Extent::Everything,
            _ => {
                let error = Error::new(Code::JsonType).value(name);
                return Err(error.because("collected or everything").into());
            }
        };
        let totals = meter.0.lanes().find(|totals| totals.lane == lane);
        let plan = plan_of(&meter.0, &lane);
        match (totals, plan) {
            (Some(totals), Some(plan)) => Ok(self.0.add_lane(&totals, plan, extent)?),
            _ => Err(Error::new(Code::CollectedInvalid).value(lane).because("no lane").into()),
        }
    }

    /// Adds an entry of the ledger. Only receipts of lanes that were added count.
    #[wasm_bindgen(js_name = addEntry)]
    pub fn add_entry(
        &mut self,
        meter: &RawMeter,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] entry: JsValue,
    ) -> Result<(), Thrown> {
        if let Entry::Receipt(receipt) = Entry::from_bytes(&input::bytes(&entry)?)?
            && let Some(plan) = plan_of(&meter.0, &receipt.head.lane)
        {
            self.0.add_receipt(&receipt, plan)?;
        }
        Ok(())
    }

    /// Adds another batch: of another shard, say.
    pub fn merge(&mut self, other: &Batch) -> Result<(), Thrown> {
        Ok(self.0.merge(&other.0)?)
    }

    /// Settles the batch. `closing` pays the residue out as well.
    pub fn settle(
        &self,
        #[wasm_bindgen(unchecked_param_type = "boolean")] closing: JsValue,
    ) -> Result<Settlement, Thrown> {
        Ok(Settlement(self.0.settle(input::flag(&closing)?)?))
    }
}

fn plan_of<'a>(meter: &'a counterfoil::Meter, lane: &Digest) -> Option<&'a counterfoil::Plan> {
    let totals = meter.lanes().find(|totals| totals.lane == *lane)?;
    let subscription = meter.subscription(&totals.subscription)?;
    meter.plan(&subscription.plan)
}

/// A settled batch.
#[wasm_bindgen]
pub struct Settlement(settlement::Settlement);

#[wasm_bindgen]
impl Settlement {
    /// The currency's id.
    #[wasm_bindgen(getter)]
    pub fn currency(&self) -> String {
        self.0.currency.id()
    }

    /// The sums, in atomic units.
    #[wasm_bindgen(getter, unchecked_return_type = "Totals")]
    pub fn totals(&self) -> JsValue {
        let t = &self.0.totals;
        Record::new()
            .set("gross", t.gross.atomic())
            .set("credited", t.credited.atomic())
            .set("collected", t.collected.atomic())
            .set("fees", t.fees.atomic())
            .set("claimable", t.claimable.atomic())
            .set("owed", t.owed.atomic())
            .set("held", t.held.atomic())
            .set("payouts", t.payouts.atomic())
            .set("residue", t.residue.atomic())
            .into()
    }

    /// The payees, by their bytes.
    #[wasm_bindgen(getter, unchecked_return_type = "PayeeLine[]")]
    pub fn payees(&self) -> JsValue {
        list(&self.0.payees, |line| {
            Record::new()
                .text("payee", &line.payee)
                .set("payable", line.payable.atomic())
                .set("owed", line.owed.atomic())
                .into()
        })
    }

    /// What the settlement commits to: every lane's first and last receipt.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn commitment(&self) -> String {
        self.0.commitment.to_string()
    }

    /// The root of the payout tree, where the currency is an EVM token and somebody is paid.
    #[wasm_bindgen(getter, js_name = payoutRoot, unchecked_return_type = "Hex | undefined")]
    pub fn payout_root(&self) -> Option<String> {
        self.0.payouts.as_ref().map(|tree| tree.root().to_string())
    }

    /// The leaf of a payee and its proof, if it is in the tree.
    #[wasm_bindgen(js_name = payoutProof, unchecked_return_type = "PayoutProof | undefined")]
    pub fn payout_proof(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] payee: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let payee = input::parsed(&payee)?;
        let token = self.0.currency.evm_token();
        let tree = self.0.payouts.as_ref();
        let found = tree.zip(token).and_then(|(tree, token)| tree.proof(payee, token));
        Ok(found.map(|(leaf, proof)| {
            let record = Record::new()
                .text("payee", leaf.payee)
                .text("token", leaf.token)
                .set("cumulative", leaf.cumulative)
                .set("proof", texts(proof));
            JsValue::from(record).unchecked_into()
        }))
    }

    /// The settlement as a document, with lanes, payout tree and proofs.
    #[wasm_bindgen(js_name = toJson)]
    pub fn to_json(&self) -> String {
        self.0.to_value().compact()
    }
}

/// Checks that the payout tree of this root has this leaf.
#[wasm_bindgen(js_name = verifyPayout)]
pub fn verify_payout(
    #[wasm_bindgen(unchecked_param_type = "Hex")] root: JsValue,
    #[wasm_bindgen(unchecked_param_type = "PayoutProof")] proof: JsValue,
) -> Result<(), Thrown> {
    let root: Digest = input::parsed(&root)?;
    let mut members = Members::of(&proof)?;
    let leaf = PayoutLeaf {
        payee: members.required("payee", input::parsed)?,
        token: members.required("token", input::parsed)?,
        cumulative: members.required("cumulative", input::amount)?.atomic(),
    };
    let proof = members.required("proof", input::digests)?;
    members.finish()?;
    Ok(settlement::verify_payout(&root, &leaf, &proof)?)
}
