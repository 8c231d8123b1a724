//! What attestors state of payers.

use std::sync::Arc;

use crate::Result;
use crate::values::{Address, Digest, Signature, Timestamp};

pub(crate) type Evidence = counterfoil::rules::Evidence;

/// What an attestor signs: that a statement is true of one payer, for one seller, until an instant.
#[uniffi::remote(Record)]
pub struct Evidence {
    /// The payer, as the lane openings name it.
    pub payer: Digest,
    /// The seller to whom it is said: the plan's authority.
    pub seller: Address,
    /// What is stated: 1 to 200 characters on one line.
    pub statement: String,
    /// When it was said. A later one takes the place of an earlier one.
    pub issued_at: Timestamp,
    /// The first instant at which it no longer counts. Equal to `issued_at`: it is revoked.
    pub expires_at: Timestamp,
}

/// The EIP-712 digest that the attestor signs.
#[uniffi::export]
fn evidence_digest(evidence: Evidence) -> Result<Digest> {
    Ok(evidence.digest())
}

/// The EIP-712 typed data as JSON, for an attestor that signs with a wallet.
#[uniffi::export]
fn evidence_typed_data(evidence: Evidence) -> Result<String> {
    Ok(evidence.typed_data())
}

/// Evidence with its attestor's signature, which was checked.
#[derive(uniffi::Object)]
pub struct VerifiedEvidence(counterfoil::rules::VerifiedEvidence);

#[uniffi::export]
impl VerifiedEvidence {
    /// Checks the attestor's signature.
    #[uniffi::constructor]
    fn verify(
        evidence: Evidence,
        attestor: Address,
        signature: Signature,
    ) -> Result<Arc<VerifiedEvidence>> {
        Ok(Arc::new(VerifiedEvidence(evidence.signed(attestor, signature)?)))
    }

    /// Reads the signed document and checks the signature.
    #[uniffi::constructor]
    fn from_json(document: &str) -> Result<Arc<VerifiedEvidence>> {
        let read = counterfoil::rules::VerifiedEvidence::from_json(document.as_bytes())?;
        Ok(Arc::new(VerifiedEvidence(read)))
    }

    /// The signed document, for a payer to show to the seller.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// What is stated.
    fn evidence(&self) -> Evidence {
        self.0.evidence().clone()
    }

    /// Who states it.
    fn attestor(&self) -> Address {
        self.0.attestor()
    }

    /// The digest that was signed.
    fn digest(&self) -> Digest {
        self.0.evidence().digest()
    }
}
