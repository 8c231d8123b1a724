//! What attestors state.

use counterfoil::{
    Address, Digest,
    rules::{Evidence, VerifiedEvidence},
};
use serde_json::json;

use super::{Objects, a_key};
use crate::{
    input::{Input, Outcome, fault},
    output::text,
};

pub(super) fn sign(input: &mut Input, objects: &Objects) -> Outcome {
    let key = a_key(input, "key", objects)?;
    let evidence = Evidence {
        payer: input.parsed("payer")?,
        seller: input.parsed("seller")?,
        statement: input.text("statement")?,
        issued_at: input.instant("issuedAt")?,
        expires_at: input.instant("expiresAt")?,
    };
    let attestor = match input.maybe("attestor") {
        Some(address) => crate::input::text(address)?.parse::<Address>()?,
        None => key.address(),
    };
    let (digest, typed_data) = (evidence.digest(), evidence.typed_data());
    let signed = evidence.signed(attestor, key.sign(&digest))?;
    Ok(json!({"digest": text(digest), "typedData": typed_data, "json": signed.to_json()}))
}

pub(super) fn read(input: &mut Input) -> Outcome {
    let read = VerifiedEvidence::from_json(input.text("text")?.as_bytes())?;
    if VerifiedEvidence::from_json(read.to_json().as_bytes())? != read {
        return fault("evidence is read otherwise than it was written");
    }
    let evidence: &Evidence = read.evidence();
    let digest: Digest = evidence.digest();
    Ok(json!({
        "digest": text(digest),
        "attestor": text(read.attestor()),
        "payer": text(evidence.payer),
        "seller": text(evidence.seller),
        "statement": evidence.statement,
        "issuedAt": text(evidence.issued_at.millis()),
        "expiresAt": text(evidence.expires_at.millis()),
    }))
}
