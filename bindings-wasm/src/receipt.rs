//! Receipts: as received, and verified.

use std::sync::Arc;

use counterfoil::{
    Signature,
    entry::ReceiptEntry,
    json::Value,
    receipt::{self, Head, Item},
};
use js_sys::Number;
use wasm_bindgen::prelude::*;

use crate::{checkpoint::VerifiedCheckpoint, error::Thrown, input, log, output::instant};

/// A head and, where it was delivered with it, a body. It proves nothing until it is verified.
#[wasm_bindgen]
pub struct Receipt(pub(crate) receipt::Receipt);

/// A receipt whose head is proven, and whose body, if there is one, is the head's.
#[wasm_bindgen]
pub struct VerifiedReceipt(receipt::VerifiedReceipt);

impl Receipt {
    /// A receipt that this meter has just made.
    pub(crate) fn made(entry: Arc<ReceiptEntry>) -> Receipt {
        let ReceiptEntry { head, body, .. } = Arc::unwrap_or_clone(entry);
        Receipt(receipt::Receipt { head, signature: None, body: Some(body) })
    }

    fn head(&self) -> &Head {
        &self.0.head
    }

    fn items(&self) -> &[Item] {
        self.0.body.as_ref().map_or(&[], |body| &body.items)
    }
}

impl VerifiedReceipt {
    fn head(&self) -> &Head {
        self.0.head()
    }

    fn items(&self) -> &[Item] {
        self.0.body().map_or(&[], |body| &body.items)
    }
}

/// What the price item of a call, or the correction of a true-up, says.
struct Price {
    exact: String,
    remainder: u64,
    uncollected: Option<String>,
    late: bool,
}

fn price(items: &[Item]) -> Option<Price> {
    items.iter().find_map(|item| match item {
        Item::Price { exact, remainder_after, uncollected, late, .. } => Some(Price {
            exact: exact.to_string(),
            remainder: *remainder_after,
            uncollected: Some(uncollected.to_string()),
            late: *late,
        }),
        Item::Correction { exact, remainder_after, .. }
        | Item::Credit { exact, remainder_after, .. } => Some(Price {
            exact: exact.to_string(),
            remainder: *remainder_after,
            uncollected: None,
            late: false,
        }),
        _ => None,
    })
}

/// The same reading of both classes.
macro_rules! readers {
    ($class:ident) => {
        #[wasm_bindgen]
        impl $class {
            /// The head's EIP-712 digest: what is signed, chained and logged.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn digest(&self) -> String {
                self.head().digest().to_string()
            }

            /// The lane's id.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn lane(&self) -> String {
                self.head().lane.to_string()
            }

            /// 1 for the lane's first receipt, then one more each.
            #[wasm_bindgen(getter)]
            pub fn sequence(&self) -> u64 {
                self.head().sequence
            }

            /// The digest of the receipt before, or the lane's id for the first.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn previous(&self) -> String {
                self.head().previous.to_string()
            }

            /// What the receipt is about.
            #[wasm_bindgen(getter, unchecked_return_type = "ReceiptKind")]
            pub fn kind(&self) -> String {
                self.head().kind.as_str().into()
            }

            /// The hash of the request id or of the window, or the digest of the receipt that is corrected.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn subject(&self) -> String {
                self.head().subject.to_string()
            }

            /// The instant that fixed window and prices.
            #[wasm_bindgen(getter, js_name = authorizedAt, unchecked_return_type = "number")]
            pub fn authorized_at(&self) -> Number {
                instant(self.head().authorized_at)
            }

            /// The instant of the receipt.
            #[wasm_bindgen(getter, js_name = issuedAt, unchecked_return_type = "number")]
            pub fn issued_at(&self) -> Number {
                instant(self.head().issued_at)
            }

            /// The root of the body.
            #[wasm_bindgen(getter, js_name = bodyRoot, unchecked_return_type = "Hex")]
            pub fn body_root(&self) -> String {
                self.head().body.to_string()
            }

            /// What this receipt charges, in atomic units.
            #[wasm_bindgen(getter)]
            pub fn charge(&self) -> u128 {
                self.head().charge.atomic()
            }

            /// Everything charged in this lane so far.
            #[wasm_bindgen(getter)]
            pub fn cumulative(&self) -> u128 {
                self.head().cumulative.atomic()
            }

            /// Everything credited in this lane so far.
            #[wasm_bindgen(getter)]
            pub fn credited(&self) -> u128 {
                self.head().credited.atomic()
            }

            /// Whether the body was delivered with the head.
            #[wasm_bindgen(getter, js_name = hasBody)]
            pub fn has_body(&self) -> bool {
                !self.items().is_empty()
            }

            /// The body's items as the JSON of an array; `undefined` without a body.
            #[wasm_bindgen(js_name = itemsJson)]
            pub fn items_json(&self) -> Option<String> {
                let items: Vec<Value> = self.items().iter().map(Item::to_value).collect();
                self.has_body().then(|| Value::from(items).compact())
            }

            /// The price before rounding: of the call, or of what a true-up or a credit gives back. With the
            /// body.
            #[wasm_bindgen(getter)]
            pub fn exact(&self) -> Option<String> {
                price(self.items()).map(|price| price.exact)
            }

            /// What rounding left for the next receipt, in 10^-18 atomic unit. With the body.
            #[wasm_bindgen(getter)]
            pub fn remainder(&self) -> Option<u64> {
                price(self.items()).map(|price| price.remainder)
            }

            /// What a limit did not let be charged. With the body of a call.
            #[wasm_bindgen(getter)]
            pub fn uncollected(&self) -> Option<String> {
                price(self.items()).and_then(|price| price.uncollected)
            }

            /// Whether the hold had expired when the call was settled. With the body.
            #[wasm_bindgen(getter)]
            pub fn late(&self) -> Option<bool> {
                price(self.items()).map(|price| price.late)
            }
        }
    };
}

readers!(Receipt);
readers!(VerifiedReceipt);

#[wasm_bindgen]
impl Receipt {
    /// Reads the value of a `Usage-Receipt` header. Nothing is verified but the form.
    #[wasm_bindgen(js_name = fromHeader)]
    pub fn from_header(
        #[wasm_bindgen(unchecked_param_type = "string")] header: JsValue,
    ) -> Result<Receipt, Thrown> {
        let (head, signature) = Head::from_header(&input::text(&header)?)?;
        Ok(Receipt(receipt::Receipt { head, signature, body: None }))
    }

    /// Reads the JSON form, head and body. Nothing is verified but the form.
    #[wasm_bindgen(js_name = fromJson)]
    pub fn from_json(
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] document: JsValue,
    ) -> Result<Receipt, Thrown> {
        Ok(Receipt(receipt::Receipt::from_json(&input::document(&document)?)?))
    }

    /// The signature of the head, if there is one.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex | undefined")]
    pub fn signature(&self) -> Option<String> {
        self.0.signature.map(|signature| signature.to_string())
    }

    /// The same receipt with a signature, which is not checked here.
    #[wasm_bindgen(js_name = withSignature)]
    pub fn with_signature(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signature: JsValue,
    ) -> Result<Receipt, Thrown> {
        let signature: Signature = input::parsed(&signature)?;
        Ok(Receipt(receipt::Receipt { signature: Some(signature), ..self.0.clone() }))
    }

    /// The value of the `Usage-Receipt` header: the head, and its signature if there is one.
    #[wasm_bindgen(js_name = toHeader)]
    pub fn to_header(&self) -> String {
        self.0.head.to_header(self.0.signature.as_ref())
    }

    /// Head, signature and body as one document.
    #[wasm_bindgen(js_name = toJson)]
    pub fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// Checks the signature and the body.
    pub fn verify(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signer: JsValue,
    ) -> Result<VerifiedReceipt, Thrown> {
        Ok(VerifiedReceipt(self.0.clone().verify(input::parsed(&signer)?)?))
    }

    /// Checks that the head is in the log of a verified checkpoint, and the body.
    #[wasm_bindgen(js_name = verifyIn)]
    pub fn verify_in(
        &self,
        checkpoint: &VerifiedCheckpoint,
        #[wasm_bindgen(unchecked_param_type = "InclusionProof")] proof: JsValue,
    ) -> Result<VerifiedReceipt, Thrown> {
        let proof = log::read_inclusion(&proof)?;
        Ok(VerifiedReceipt(self.0.clone().verify_in(&checkpoint.0, &proof)?))
    }
}

#[wasm_bindgen]
impl VerifiedReceipt {
    /// Checks that this receipt follows another in its lane. The error names what does not follow.
    pub fn follows(&self, previous: &VerifiedReceipt) -> Result<(), Thrown> {
        Ok(self.0.follows(&previous.0)?)
    }
}
