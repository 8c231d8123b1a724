//! Checkpoints: as received, and verified.

use counterfoil::{Signature, log};
use js_sys::Number;
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    output::instant,
};

/// Which receipts a log holds, and where each lane stands. It proves nothing until it is verified.
#[wasm_bindgen]
pub struct Checkpoint(pub(crate) log::Checkpoint);

/// A checkpoint whose signature was checked.
#[wasm_bindgen]
pub struct VerifiedCheckpoint(pub(crate) log::VerifiedCheckpoint);

/// The same reading of both classes.
macro_rules! readers {
    ($class:ident) => {
        #[wasm_bindgen]
        impl $class {
            /// The log's origin.
            #[wasm_bindgen(getter)]
            pub fn origin(&self) -> String {
                self.inner().origin.clone()
            }

            /// How many heads the log holds.
            #[wasm_bindgen(getter)]
            pub fn size(&self) -> u64 {
                self.inner().size
            }

            /// The RFC 6962 root over their digests.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn root(&self) -> String {
                self.inner().root.to_string()
            }

            /// The root over the state of every lane.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn lanes(&self) -> String {
                self.inner().lanes.to_string()
            }

            /// The latest issue time in the log.
            #[wasm_bindgen(getter, unchecked_return_type = "number")]
            pub fn time(&self) -> Number {
                instant(self.inner().time)
            }

            /// The EIP-712 digest that is signed.
            #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
            pub fn digest(&self) -> String {
                self.inner().digest().to_string()
            }

            /// The body of a C2SP tlog-checkpoint note.
            #[wasm_bindgen(js_name = toNote)]
            pub fn to_note(&self) -> String {
                self.inner().to_note()
            }
        }
    };
}

readers!(Checkpoint);
readers!(VerifiedCheckpoint);

impl Checkpoint {
    fn inner(&self) -> &log::Checkpoint {
        &self.0
    }
}

impl VerifiedCheckpoint {
    fn inner(&self) -> &log::Checkpoint {
        self.0.checkpoint()
    }
}

#[wasm_bindgen]
impl Checkpoint {
    /// A checkpoint as it was received.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "CheckpointFields")] fields: JsValue,
    ) -> Result<Checkpoint, Thrown> {
        let mut members = Members::of(&fields)?;
        let checkpoint = log::Checkpoint {
            origin: members.required("origin", input::text)?,
            size: members.required("size", input::count)?,
            root: members.required("root", input::parsed)?,
            lanes: members.required("lanes", input::parsed)?,
            time: members.required("time", input::instant)?,
        };
        members.finish()?;
        Ok(Checkpoint(checkpoint))
    }

    /// Checks the signature and gives back a verified checkpoint.
    pub fn verify(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signature: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Hex")] signer: JsValue,
    ) -> Result<VerifiedCheckpoint, Thrown> {
        let signature: Signature = input::parsed(&signature)?;
        let verified = self.0.clone().verify(&signature, input::parsed(&signer)?)?;
        Ok(VerifiedCheckpoint(verified))
    }
}
