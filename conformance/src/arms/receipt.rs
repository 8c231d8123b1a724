//! Keys, receipts and checkpoints.

use counterfoil::{Digest, LocalKey, Receipt, log::inclusion_proof, receipt::Head};
use serde_json::{Value, json};

use super::{Done, Object, Objects, a_checkpoint, a_key, a_receipt, a_verified, maybe_key};
use crate::{
    input::{Input, Outcome, fault},
    output::{bytes, list, text},
};

pub(super) fn load_key(input: &mut Input) -> Done {
    let key = LocalKey::from_bytes(&input.array("secret")?)?;
    Ok((json!({"address": text(key.address())}), Some(Object::Key(key))))
}

pub(super) fn sign(input: &mut Input, objects: &Objects) -> Outcome {
    let key = a_key(input, "key", objects)?;
    let digest: Digest = input.parsed("digest")?;
    Ok(json!({"signature": text(key.sign(&digest))}))
}

/// The receipt as it is handed over, signed if a key is given.
fn delivered(input: &mut Input, objects: &Objects) -> Outcome<Receipt> {
    let entry = a_receipt(input, "receipt", objects)?;
    let signature = maybe_key(input, objects)?.map(|key| key.sign(&entry.digest));
    Ok(Receipt { head: entry.head.clone(), signature, body: Some(entry.body.clone()) })
}

pub(super) fn header(input: &mut Input, objects: &Objects) -> Outcome {
    let receipt = delivered(input, objects)?;
    Ok(json!({"header": receipt.head.to_header(receipt.signature.as_ref())}))
}

pub(super) fn json(input: &mut Input, objects: &Objects) -> Outcome {
    Ok(json!({"json": delivered(input, objects)?.to_json()}))
}

pub(super) fn verify(input: &mut Input) -> Done {
    let forms = (input.maybe("header"), input.maybe("json"));
    let change = input.maybe("change").map(Change::read).transpose()?;
    let changed =
        |form| -> Outcome<String> { Ok(Change::apply(change.as_ref(), crate::input::text(form)?)) };
    let signer = input.parsed("signer")?;
    let receipt = match forms {
        (Some(header), None) => {
            let (head, signature) = Head::from_header(&changed(header)?)?;
            Receipt { head, signature, body: None }
        }
        (None, Some(json)) => Receipt::from_json(changed(json)?.as_bytes())?,
        _ => return fault("either `header` or `json`"),
    };
    let verified = receipt.verify(signer)?;
    let out = json!({
        "digest": text(verified.digest()),
        "sequence": text(verified.head().sequence),
        "charge": text(verified.head().charge),
        "cumulative": text(verified.head().cumulative),
        "hasBody": verified.body().is_some(),
    });
    Ok((out, Some(Object::Verified(Box::new(verified)))))
}

/// What is done to a text before it is verified.
struct Change {
    find: String,
    with: String,
}

impl Change {
    fn read(value: Value) -> Outcome<Change> {
        let mut input = Input::new(value)?;
        let change = Change { find: input.text("find")?, with: input.text("with")? };
        input.finish()?;
        Ok(change)
    }

    /// Replaces the first place where `find` stands.
    fn apply(change: Option<&Change>, text: String) -> String {
        change.map_or(text.clone(), |change| text.replacen(&change.find, &change.with, 1))
    }
}

pub(super) fn follows(input: &mut Input, objects: &Objects) -> Outcome {
    let receipt = a_verified(input, "receipt", objects)?;
    receipt.follows(a_verified(input, "previous", objects)?)?;
    Ok(json!({}))
}

pub(super) fn disclose(input: &mut Input, objects: &Objects) -> Outcome {
    let entry = a_receipt(input, "receipt", objects)?;
    let shown = entry.body.disclose(input.integer("index")?)?;
    let item = shown.verify(&entry.head.body)?;
    Ok(json!({
        "count": text(shown.count),
        "salt": bytes(&shown.salt),
        "item": item.to_value().compact(),
        "path": list(&shown.path),
    }))
}

pub(super) fn checkpoint(input: &mut Input, objects: &Objects) -> Outcome {
    let checkpoint = a_checkpoint(input, "checkpoint", objects)?;
    let key = a_key(input, "key", objects)?;
    let signer = input.parsed("signer")?;
    let digest = checkpoint.digest();
    let verified = checkpoint.clone().verify(&key.sign(&digest), signer)?;
    Ok(json!({"digest": text(digest), "note": verified.checkpoint().to_note()}))
}

pub(super) fn verify_in(input: &mut Input, objects: &Objects) -> Outcome {
    let entry = a_receipt(input, "receipt", objects)?;
    let checkpoint = a_checkpoint(input, "checkpoint", objects)?;
    let key = a_key(input, "key", objects)?;
    let signature = key.sign(&checkpoint.digest());
    let verified = checkpoint.clone().verify(&signature, key.address())?;
    let proof = inclusion_proof(&input.digests("heads")?, input.integer("index")?)?;
    let (head, body) = (entry.head.clone(), Some(entry.body.clone()));
    let receipt = Receipt { head, signature: None, body }.verify_in(&verified, &proof)?;
    Ok(json!({"digest": text(receipt.digest())}))
}
