//! Keys, and the signatures that a meter wants.

use std::sync::Arc;

use crate::Result;
use crate::values::{self, Address, Digest, Signature};

/// A key in memory that answers every request to sign at once.
#[derive(uniffi::Object)]
pub struct LocalKey(counterfoil::LocalKey);

#[uniffi::export]
impl LocalKey {
    /// A key from its 32 bytes.
    #[uniffi::constructor]
    fn new(secret: Vec<u8>) -> Result<Arc<LocalKey>> {
        let key = counterfoil::LocalKey::from_bytes(&values::secret(&secret)?)?;
        Ok(Arc::new(LocalKey(key)))
    }

    /// The address of the key.
    fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a digest.
    fn sign(&self, digest: Digest) -> Result<Signature> {
        Ok(self.0.sign(&digest))
    }
}

/// A signature that the meter wants: an effect, to be answered now or later.
#[derive(uniffi::Object)]
pub struct SignRequest(pub(crate) counterfoil::meter::SignRequest);

#[uniffi::export]
impl SignRequest {
    /// Which slot the signature belongs into: a log position, or a checkpoint's number.
    fn slot(&self) -> u64 {
        self.0.slot
    }

    /// Whether the slot is one of checkpoints, by number; otherwise it is a log position.
    fn is_checkpoint(&self) -> bool {
        self.0.is_checkpoint()
    }

    /// Whose signature.
    fn signer(&self) -> Address {
        self.0.signer
    }

    /// The EIP-712 digest.
    fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The EIP-712 typed data as JSON, for wallets that want to see what they sign.
    fn typed_data(&self) -> String {
        self.0.typed_data()
    }

    /// Takes a signature for this request, verified.
    fn accept(&self, signature: Signature) -> Result<Signature> {
        Ok(self.0.accept(signature)?)
    }
}

pub(crate) fn request(wanted: counterfoil::meter::SignRequest) -> Arc<SignRequest> {
    Arc::new(SignRequest(wanted))
}
