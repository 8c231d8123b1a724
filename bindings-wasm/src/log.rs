//! The log: roots and proofs over head digests.

use counterfoil::{
    Digest,
    log::{self, ConsistencyProof, Frontier, InclusionProof, TreeHead},
};
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    output::{Record, texts},
};

/// Size and RFC 6962 root of the log of these heads.
#[wasm_bindgen(js_name = treeHead, unchecked_return_type = "TreeHead")]
pub fn tree_head(
    #[wasm_bindgen(unchecked_param_type = "readonly Hex[]")] heads: JsValue,
) -> Result<JsValue, Thrown> {
    let mut frontier = Frontier::new();
    for head in &input::digests(&heads)? {
        frontier.append(head)?;
    }
    let tree = frontier.head();
    Ok(Record::new().set("size", tree.size).text("root", tree.root).into())
}

/// The proof that a head stands at a position of the log of all `heads`.
#[wasm_bindgen(js_name = proveInclusion, unchecked_return_type = "InclusionProof")]
pub fn prove_inclusion(
    #[wasm_bindgen(unchecked_param_type = "readonly Hex[]")] heads: JsValue,
    #[wasm_bindgen(unchecked_param_type = "bigint | number")] index: JsValue,
) -> Result<JsValue, Thrown> {
    let proof = log::inclusion_proof(&input::digests(&heads)?, input::count(&index)?)?;
    Ok(Record::new()
        .set("index", proof.index())
        .set("size", proof.size())
        .set("path", texts(proof.path()))
        .into())
}

/// Checks that a head stands at the proof's position of a log.
#[wasm_bindgen(js_name = verifyInclusion)]
pub fn verify_inclusion(
    #[wasm_bindgen(unchecked_param_type = "Hex")] head: JsValue,
    #[wasm_bindgen(unchecked_param_type = "InclusionProof")] proof: JsValue,
    #[wasm_bindgen(unchecked_param_type = "TreeHead")] tree: JsValue,
) -> Result<(), Thrown> {
    let head: Digest = input::parsed(&head)?;
    Ok(read_inclusion(&proof)?.verify(&head, &read_tree(&tree)?)?)
}

/// The proof that the log of all `heads` starts with the log of the first `oldSize` ones.
#[wasm_bindgen(js_name = proveConsistency, unchecked_return_type = "ConsistencyProof")]
pub fn prove_consistency(
    #[wasm_bindgen(unchecked_param_type = "readonly Hex[]")] heads: JsValue,
    #[wasm_bindgen(js_name = oldSize, unchecked_param_type = "bigint | number")] old_size: JsValue,
) -> Result<JsValue, Thrown> {
    let proof = log::consistency_proof(&input::digests(&heads)?, input::count(&old_size)?)?;
    Ok(Record::new()
        .set("oldSize", proof.old_size())
        .set("newSize", proof.new_size())
        .set("path", texts(proof.path()))
        .into())
}

/// Checks that a log grew from one state to another by appending only.
#[wasm_bindgen(js_name = verifyConsistency)]
pub fn verify_consistency(
    #[wasm_bindgen(unchecked_param_type = "ConsistencyProof")] proof: JsValue,
    #[wasm_bindgen(unchecked_param_type = "TreeHead")] old: JsValue,
    #[wasm_bindgen(unchecked_param_type = "TreeHead")] new: JsValue,
) -> Result<(), Thrown> {
    let mut members = Members::of(&proof)?;
    let proof = ConsistencyProof::from_parts(
        members.required("oldSize", input::count)?,
        members.required("newSize", input::count)?,
        members.required("path", input::digests)?,
    )?;
    members.finish()?;
    Ok(proof.verify(&read_tree(&old)?, &read_tree(&new)?)?)
}

pub(crate) fn read_inclusion(value: &JsValue) -> Result<InclusionProof, Thrown> {
    let mut members = Members::of(value)?;
    let proof = InclusionProof::from_parts(
        members.required("index", input::count)?,
        members.required("size", input::count)?,
        members.required("path", input::digests)?,
    )?;
    members.finish()?;
    Ok(proof)
}

fn read_tree(value: &JsValue) -> Result<TreeHead, Thrown> {
    let mut members = Members::of(value)?;
    let tree = TreeHead {
        size: members.required("size", input::count)?,
        root: members.required("root", input::parsed)?,
    };
    members.finish()?;
    Ok(tree)
}
