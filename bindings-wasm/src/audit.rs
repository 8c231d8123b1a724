//! Auditing a ledger, entry by entry.

use counterfoil::audit;
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input,
    meter::{RawMeter, lane},
    output::{Record, list},
};

/// Recomputes a ledger: every receipt is made again from plan, usage and counters.
#[wasm_bindgen]
#[derive(Default)]
pub struct Auditor(audit::Auditor);

/// The signature that an audited entry must, or may, have.
#[wasm_bindgen]
pub struct Expected(audit::Expected);

#[wasm_bindgen]
impl Auditor {
    /// An auditor of a ledger from its first entry.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Auditor {
        Auditor::default()
    }

    /// Checks the next entry. The first difference is an error that names receipt and field.
    pub fn next(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] entry: JsValue,
    ) -> Result<Option<Expected>, Thrown> {
        let (_, expected) = self.0.next(&input::bytes(&entry)?)?;
        Ok(expected.map(Expected))
    }

    /// What was audited so far.
    #[wasm_bindgen(getter, unchecked_return_type = "Counts")]
    pub fn counts(&self) -> JsValue {
        let counts = self.0.counts();
        Record::new()
            .set("entries", counts.entries)
            .set("receipts", counts.receipts)
            .set("denied", counts.denied)
            .set("checkpoints", counts.checkpoints)
            .into()
    }

    /// How many heads and openings no checkpoint covers yet.
    #[wasm_bindgen(getter)]
    pub fn unproven(&self) -> u64 {
        self.0.unproven()
    }

    /// How many heads and lane openings the log holds.
    #[wasm_bindgen(getter, js_name = logSize)]
    pub fn log_size(&self) -> u64 {
        self.0.log_size()
    }

    /// Where every lane stands.
    #[wasm_bindgen(unchecked_return_type = "LaneTotals[]")]
    pub fn lanes(&self) -> JsValue {
        list(self.0.lanes(), lane)
    }

    /// The audited state as a meter shows it, to read and to settle from. The auditor is used up.
    #[wasm_bindgen(js_name = intoMeter)]
    pub fn into_meter(self) -> RawMeter {
        RawMeter(self.0.into_meter())
    }
}

#[wasm_bindgen]
impl Expected {
    /// The signature's slot: a log position, or a checkpoint's number.
    #[wasm_bindgen(getter)]
    pub fn slot(&self) -> u64 {
        self.0.slot
    }

    /// Whether the slot is one of checkpoints.
    #[wasm_bindgen(getter)]
    pub fn checkpoint(&self) -> bool {
        self.0.checkpoint
    }

    /// Whether the signature must be there.
    #[wasm_bindgen(getter)]
    pub fn required(&self) -> bool {
        self.0.required
    }

    /// Checks the signature that was found, 65 bytes, or that there may be none.
    pub fn check(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array | undefined")] signature: JsValue,
    ) -> Result<(), Thrown> {
        if signature.is_undefined() || signature.is_null() {
            return Ok(self.0.check(None)?);
        }
        let bytes = input::bytes(&signature)?;
        let bytes = <&[u8; 65]>::try_from(bytes.as_slice()).map_err(|_| {
            counterfoil::Error::new(counterfoil::Code::SignatureInvalid)
                .because("expected 65 bytes")
        })?;
        Ok(self.0.check(Some(bytes))?)
    }
}
