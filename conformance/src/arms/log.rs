//! The log and its proofs.

use counterfoil::{
    Digest,
    log::{
        ConsistencyProof, Frontier, InclusionProof, LaneState, TreeHead, consistency_proof,
        inclusion_proof, lanes_root, prove_absence, prove_presence,
    },
};
use serde_json::json;

use crate::{
    input::{Input, Outcome},
    output::{list, option, text},
};

fn state(heads: &[Digest]) -> Outcome<TreeHead> {
    let mut log = Frontier::new();
    for head in heads {
        log.append(head)?;
    }
    Ok(log.head())
}

pub(super) fn root(input: &mut Input) -> Outcome {
    Ok(json!({"root": text(state(&input.digests("heads")?)?.root)}))
}

pub(super) fn inclusion(input: &mut Input) -> Outcome {
    let (heads, index) = (input.digests("heads")?, input.integer("index")?);
    let proof = inclusion_proof(&heads, index)?;
    let head = usize::try_from(index).ok().and_then(|index| heads.get(index).copied());
    proof.verify(&head.unwrap_or(Digest::ZERO), &state(&heads)?)?;
    Ok(json!({"path": list(proof.path())}))
}

pub(super) fn verify_inclusion(input: &mut Input) -> Outcome {
    let (head, size) = (input.parsed("head")?, input.integer("size")?);
    let tree = TreeHead { size, root: input.parsed("root")? };
    let (index, path) = (input.integer("index")?, input.digests("path")?);
    InclusionProof::from_parts(index, size, path)?.verify(&head, &tree)?;
    Ok(json!({}))
}

pub(super) fn consistency(input: &mut Input) -> Outcome {
    let (heads, old_size) = (input.digests("heads")?, input.integer::<usize>("oldSize")?);
    let proof = consistency_proof(&heads, u64::try_from(old_size).unwrap_or(u64::MAX))?;
    let old = state(heads.get(..old_size).unwrap_or(&heads))?;
    proof.verify(&old, &state(&heads)?)?;
    Ok(json!({"path": list(proof.path())}))
}

pub(super) fn verify_consistency(input: &mut Input) -> Outcome {
    let old = TreeHead { size: input.integer("oldSize")?, root: input.parsed("oldRoot")? };
    let new = TreeHead { size: input.integer("newSize")?, root: input.parsed("newRoot")? };
    let path = input.digests("path")?;
    ConsistencyProof::from_parts(old.size, new.size, path)?.verify(&old, &new)?;
    Ok(json!({}))
}

pub(super) fn lanes(input: &mut Input) -> Outcome {
    let wanted: Digest = input.parsed("lane")?;
    let mut lanes = Vec::new();
    for row in input.list("lanes")? {
        let mut row = Input::new(row)?;
        let state = LaneState {
            sequence: row.integer("sequence")?,
            head: row.parsed("head")?,
            cumulative: row.integer("cumulative")?,
            credited: row.integer("credited")?,
        };
        lanes.push((row.parsed::<Digest>("lane")?, state));
        row.finish()?;
    }
    let all = || lanes.iter().map(|(lane, state)| (lane, state));
    let root = lanes_root(all())?;
    if lanes.iter().any(|(lane, _)| *lane == wanted) {
        let proof = prove_presence(all(), &wanted)?;
        proof.verify(&wanted, &root)?;
        let present = json!({"index": text(proof.index()), "path": list(proof.path())});
        return Ok(json!({"root": text(root), "present": present}));
    }
    let proof = prove_absence(all(), &wanted)?;
    proof.verify(&wanted, &root)?;
    let before = option(proof.before().map(|lane| lane.lane()));
    let after = option(proof.after().map(|lane| lane.lane()));
    Ok(json!({"root": text(root), "absent": {"before": before, "after": after}}))
}
