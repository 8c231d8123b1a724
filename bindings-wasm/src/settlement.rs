//! Settlement: who is owed what, and the payees' proofs.

use std::{collections::BTreeMap, rc::Rc};

use counterfoil::{
    Code, Digest, Error,
    entry::Entry,
    meter::LaneTotals,
    settlement::{self, Extent, LaneCharge, PayoutLeaf},
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
pub struct Batch {
    batch: settlement::Batch,
    /// The plan of every lane that was added, and of its subscription.
    plans: BTreeMap<Digest, Rc<counterfoil::Plan>>,
}

#[wasm_bindgen]
impl Batch {
    /// An empty batch in the currency of a plan.
    #[wasm_bindgen(constructor)]
    pub fn new(plan: &Plan) -> Batch {
        let batch = settlement::Batch::new(plan.0.currency().clone());
        Batch { batch, plans: BTreeMap::new() }
    }

    /// Adds the totals of every lane of a meter, or those of one lane. Before its receipts.
    #[wasm_bindgen(js_name = addLanes)]
    pub fn add_lanes(
        &mut self,
        meter: &RawMeter,
        #[wasm_bindgen(unchecked_param_type = "Extent")] extent: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "Hex")] lane: JsValue,
    ) -> Result<(), Thrown> {
        let extent = read_extent(&extent)?;
        let mut known: BTreeMap<Digest, Rc<counterfoil::Plan>> = BTreeMap::new();
        if lane.is_undefined() {
            return meter
                .0
                .lanes()
                .try_for_each(|totals| self.add(&meter.0, &mut known, &totals, extent));
        }
        let lane: Digest = input::parsed(&lane)?;
        match meter.0.lane(&lane) {
            Some(totals) => self.add(&meter.0, &mut known, &totals, extent),
            None => Err(Error::new(Code::CollectedInvalid).value(lane).because("no lane").into()),
        }
    }

    /// Adds an entry of the ledger, in its order: receipts of lanes that were added count, and grants and
    /// voids of their subscriptions.
    #[wasm_bindgen(js_name = addEntry)]
    pub fn add_entry(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] entry: JsValue,
    ) -> Result<(), Thrown> {
        match Entry::from_bytes(&input::bytes(&entry)?)? {
            Entry::Receipt(receipt) => {
                if let Some(plan) = self.plans.get(&receipt.head.lane) {
                    self.batch.add_receipt(&receipt, plan)?;
                }
            }
            Entry::Granted(granted) => {
                if let Some(plan) = self.plans.get(&granted.subscription) {
                    self.batch.add_grant(&granted, plan)?;
                }
            }
            Entry::Voided(voided) => self.batch.add_void(&voided),
            _ => {}
        }
        Ok(())
    }

    /// Adds another batch: of another shard, say.
    pub fn merge(&mut self, other: &Batch) -> Result<(), Thrown> {
        self.batch.merge(&other.batch)?;
        self.plans.extend(other.plans.iter().map(|(lane, plan)| (*lane, Rc::clone(plan))));
        Ok(())
    }

    /// Settles the batch. `closing` pays the residue out as well.
    pub fn settle(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "boolean")] closing: JsValue,
    ) -> Result<Settlement, Thrown> {
        let closing = !closing.is_undefined() && input::flag(&closing)?;
        Ok(Settlement(self.batch.settle(closing)?))
    }
}

impl Batch {
    fn add(
        &mut self,
        meter: &counterfoil::Meter,
        known: &mut BTreeMap<Digest, Rc<counterfoil::Plan>>,
        totals: &LaneTotals,
        extent: Extent,
    ) -> Result<(), Thrown> {
        let plan = match known.get(&totals.plan) {
            Some(plan) => Rc::clone(plan),
            None => {
                let plan = meter.plan(&totals.plan).ok_or(Code::PlanUnknown)?;
                let plan = Rc::new(plan.clone());
                known.insert(totals.plan, Rc::clone(&plan));
                plan
            }
        };
        self.batch.add_lane(totals, &plan, extent)?;
        self.plans.insert(totals.subscription, Rc::clone(&plan));
        self.plans.insert(totals.lane, plan);
        Ok(())
    }
}

fn read_extent(value: &JsValue) -> Result<Extent, Thrown> {
    let name = input::text(value)?;
    match name.as_str() {
        "collected" => Ok(Extent::Collected),
        "everything" => Ok(Extent::Everything),
        _ => Err(Error::new(Code::JsonType).value(name).because("collected or everything").into()),
    }
}

/// Finds request ids that several lanes of one subscription charged, over the journals of its meters.
#[wasm_bindgen]
#[derive(Default)]
pub struct Duplicates(settlement::Duplicates);

#[wasm_bindgen]
impl Duplicates {
    /// Without any journal.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Duplicates {
        Duplicates::default()
    }

    /// Adds an entry of an audited journal, in its order; one journal after the other.
    #[wasm_bindgen(js_name = addEntry)]
    pub fn add_entry(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] entry: JsValue,
    ) -> Result<(), Thrown> {
        Ok(self.0.add(&Entry::from_bytes(&input::bytes(&entry)?)?)?)
    }

    /// Every call that more than one lane charged, each later lane beside the first.
    #[wasm_bindgen(unchecked_return_type = "Duplicate[]")]
    pub fn list(&self) -> Result<JsValue, Thrown> {
        Ok(list(self.0.list()?, |found| {
            Record::new()
                .text("subscription", found.subscription)
                .text("subject", found.subject)
                .set("kept", charge(&found.kept))
                .set("extra", charge(&found.extra))
                .set("resolved", found.resolved)
                .into()
        }))
    }
}

fn charge(charge: &LaneCharge) -> JsValue {
    let receipts = list(&charge.receipts, |receipt| {
        Record::new().set("sequence", receipt.sequence).text("digest", receipt.digest).into()
    });
    Record::new()
        .text("lane", charge.lane)
        .instant("issuedAt", charge.issued_at)
        .set("receipts", receipts)
        .into()
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
            .set("sold", t.sold.atomic())
            .set("refunded", t.refunded.atomic())
            .set("spent", t.spent.atomic())
            .set("unearned", t.unearned.atomic())
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
