//! Plans.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input,
    output::{Record, bytes, list},
    usage::usage,
};

/// Immutable, content-addressed terms.
#[wasm_bindgen]
pub struct Plan(pub(crate) counterfoil::Plan);

#[wasm_bindgen]
impl Plan {
    /// Reads a plan document. What is not canonical is refused, with the place.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] document: JsValue,
    ) -> Result<Plan, Thrown> {
        Ok(Plan(counterfoil::Plan::from_json(&input::document(&document)?)?))
    }

    /// The plan's id: a hash of the document.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// The plan's name.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.name().into()
    }

    /// The address whose key signs lanes, receipts and checkpoints.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn authority(&self) -> String {
        self.0.authority().to_string()
    }

    /// The currency's id: `iso4217:USD`, or an asset id of CAIP-19.
    #[wasm_bindgen(getter)]
    pub fn currency(&self) -> String {
        self.0.currency().id()
    }

    /// How many decimals a major unit has.
    #[wasm_bindgen(getter)]
    pub fn decimals(&self) -> u8 {
        self.0.currency().decimals()
    }

    /// The document in its RFC 8785 form, which the id is taken over.
    pub fn canonical(&self) -> Uint8Array {
        bytes(self.0.canonical())
    }

    /// What a usage would cost without a past, as a call that is authorised at `at`, at most, and why.
    #[wasm_bindgen(unchecked_return_type = "Quote")]
    pub fn quote(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Usage")] used: JsValue,
        #[wasm_bindgen(unchecked_param_type = "number")] at: JsValue,
    ) -> Result<JsValue, Thrown> {
        let quote = self.0.quote(&usage(&used)?, input::instant(&at)?)?;
        let step = |step: counterfoil::rating::Step| {
            Record::new()
                .set("units", step.units)
                .text("price", step.price)
                .text("amount", step.amount)
                .set("what", step.what)
                .into()
        };
        let line = |line: counterfoil::plan::QuoteLine| {
            Record::new()
                .set("charge", line.charge)
                .set("meter", line.meter)
                .maybe("selected", line.selected)
                .set("units", line.units)
                .text("amount", line.amount)
                .set("steps", list(line.steps, step))
                .into()
        };
        Ok(Record::new()
            .text("first", quote.first)
            .text("ceiling", quote.ceiling)
            .set("lines", list(quote.lines, line))
            .into())
    }
}
