//! Keys and signatures.

use counterfoil::{Digest, Signature, meter};
use wasm_bindgen::prelude::*;

use crate::{error::Thrown, input};

/// A signing key held in memory, for hosts that may have it there.
#[wasm_bindgen]
pub struct LocalKey(counterfoil::LocalKey);

#[wasm_bindgen]
impl LocalKey {
    /// Reads the 32 bytes of a secret scalar.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] secret: JsValue,
    ) -> Result<LocalKey, Thrown> {
        Ok(LocalKey(counterfoil::LocalKey::from_bytes(&input::secret(&secret)?)?))
    }

    /// The address that its signatures recover to.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// Signs a digest: 65 bytes in hexadecimal.
    #[wasm_bindgen(unchecked_return_type = "Hex")]
    pub fn sign(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] digest: JsValue,
    ) -> Result<String, Thrown> {
        let digest: Digest = input::parsed(&digest)?;
        Ok(self.0.sign(&digest).to_string())
    }
}

/// A signature that the meter wants: an effect, to be answered now or later.
#[wasm_bindgen]
pub struct SignRequest(pub(crate) meter::SignRequest);

#[wasm_bindgen]
impl SignRequest {
    /// The slot that the signature belongs into: a log position, or a checkpoint's number.
    #[wasm_bindgen(getter)]
    pub fn slot(&self) -> u64 {
        self.0.slot
    }

    /// Whether the slot is one of checkpoints; otherwise it is a log position.
    #[wasm_bindgen(getter)]
    pub fn checkpoint(&self) -> bool {
        self.0.is_checkpoint()
    }

    /// Whose signature.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn signer(&self) -> String {
        self.0.signer.to_string()
    }

    /// The EIP-712 digest to sign.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn digest(&self) -> String {
        self.0.digest.to_string()
    }

    /// The EIP-712 typed data as JSON, for wallets that want to see what they sign.
    #[wasm_bindgen(js_name = typedData)]
    pub fn typed_data(&self) -> String {
        self.0.typed_data()
    }

    /// Takes a signature, verified, and gives it back in its one form.
    #[wasm_bindgen(unchecked_return_type = "Hex")]
    pub fn accept(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signature: JsValue,
    ) -> Result<String, Thrown> {
        let signature: Signature = input::parsed(&signature)?;
        Ok(self.0.accept(signature)?.to_string())
    }
}

/// SHA-256 of bytes: what `content` of a settlement is.
#[wasm_bindgen(unchecked_return_type = "Hex")]
pub fn sha256(
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] data: JsValue,
) -> Result<String, Thrown> {
    Ok(counterfoil::crypto::sha256(&[&input::document(&data)?]).to_string())
}
