//! What attestors state of payers.

use counterfoil::{Address, Signature, rules};
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    output::Record,
};

/// Evidence with its attestor's signature, which was checked.
#[wasm_bindgen]
pub struct VerifiedEvidence(rules::VerifiedEvidence);

#[wasm_bindgen]
impl VerifiedEvidence {
    /// Checks the attestor's signature.
    pub fn verify(
        #[wasm_bindgen(unchecked_param_type = "Evidence")] evidence: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Hex")] attestor: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signature: JsValue,
    ) -> Result<VerifiedEvidence, Thrown> {
        let attestor: Address = input::parsed(&attestor)?;
        let signature: Signature = input::parsed(&signature)?;
        Ok(VerifiedEvidence(stated(&evidence)?.signed(attestor, signature)?))
    }

    /// Reads the signed document and checks the signature.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] document: JsValue,
    ) -> Result<VerifiedEvidence, Thrown> {
        let document = input::document(&document)?;
        Ok(VerifiedEvidence(rules::VerifiedEvidence::from_json(&document)?))
    }

    /// The signed document, for a payer to show to the seller.
    #[wasm_bindgen(js_name = toJson)]
    pub fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// What is stated.
    #[wasm_bindgen(getter, unchecked_return_type = "Evidence")]
    pub fn evidence(&self) -> JsValue {
        let evidence = self.0.evidence();
        Record::new()
            .text("payer", evidence.payer)
            .text("seller", evidence.seller)
            .text("statement", &evidence.statement)
            .instant("issuedAt", evidence.issued_at)
            .instant("expiresAt", evidence.expires_at)
            .into()
    }

    /// Who states it.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn attestor(&self) -> String {
        self.0.attestor().to_string()
    }

    /// The digest that was signed.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn digest(&self) -> String {
        self.0.evidence().digest().to_string()
    }
}

/// The EIP-712 digest that the attestor signs.
#[wasm_bindgen(js_name = evidenceDigest, unchecked_return_type = "Hex")]
pub fn evidence_digest(
    #[wasm_bindgen(unchecked_param_type = "Evidence")] evidence: JsValue,
) -> Result<String, Thrown> {
    Ok(stated(&evidence)?.digest().to_string())
}

/// The EIP-712 typed data as JSON, for an attestor that signs with a wallet.
#[wasm_bindgen(js_name = evidenceTypedData)]
pub fn evidence_typed_data(
    #[wasm_bindgen(unchecked_param_type = "Evidence")] evidence: JsValue,
) -> Result<String, Thrown> {
    Ok(stated(&evidence)?.typed_data())
}

fn stated(evidence: &JsValue) -> Result<rules::Evidence, Thrown> {
    let mut members = Members::of(evidence)?;
    let evidence = rules::Evidence {
        payer: members.required("payer", input::parsed)?,
        seller: members.required("seller", input::parsed)?,
        statement: members.required("statement", input::text)?,
        issued_at: members.required("issuedAt", input::instant)?,
        expires_at: members.required("expiresAt", input::instant)?,
    };
    members.finish()?;
    Ok(evidence)
}
