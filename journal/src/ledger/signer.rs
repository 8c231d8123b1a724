//! Having entries signed, and storing the signatures.

use std::sync::Arc;

use counterfoil::meter::SignRequest;
use counterfoil::{Address, Code, Error, LocalKey, Result, Signature};

use super::{CHECKPOINTS, HEADS, Ledger, Slot};
use crate::slots::Slots;

/// Signs what a meter wants signed: a key in memory, a key service, a device.
pub trait Signer: Send + Sync {
    /// Whose signatures these are.
    fn address(&self) -> Address;

    /// Signs now, or returns `None` to answer later through [`Ledger::attach`].
    ///
    /// # Errors
    /// Whatever keeps it from signing; the entry is durable all the same, and its signature pending.
    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>>;
}

impl Signer for LocalKey {
    fn address(&self) -> Address {
        LocalKey::address(self)
    }

    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>> {
        Ok(Some(LocalKey::sign(self, &request.digest)))
    }
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn address(&self) -> Address {
        (**self).address()
    }

    fn sign(&self, request: &SignRequest) -> Result<Option<Signature>> {
        (**self).sign(request)
    }
}

pub(crate) fn slot(request: &SignRequest) -> Slot {
    (request.is_checkpoint(), request.slot)
}

impl Ledger {
    /// Has requests signed; the first failure, after all were tried.
    pub(super) fn sign<'a>(
        &self,
        requests: impl Iterator<Item = &'a SignRequest>,
    ) -> Option<Error> {
        let mut stored = Vec::new();
        let mut failed = None;
        for request in requests {
            let signed = self.signer.sign(request).and_then(|signature| match signature {
                Some(signature) => self.store(request, signature).map(|()| true),
                None => Ok(false),
            });
            match signed {
                Ok(true) => stored.push(slot(request)),
                Ok(false) => {}
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if !stored.is_empty() {
            match self.lock() {
                Ok(mut shared) => stored.iter().for_each(|slot| {
                    shared.pending.remove(slot);
                }),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        failed
    }

    pub(super) fn store(&self, request: &SignRequest, signature: Signature) -> Result<()> {
        let signature = request.accept(signature)?;
        let slots = if request.is_checkpoint() { &self.checkpoints } else { &self.heads };
        slots.set(request.slot, signature.bytes())
    }
}

/// Whether a signature has yet to be made: its slot is empty, or a crash left it half written.
///
/// # Errors
/// [`Code::LedgerCorrupt`] when another signature stands there: the entry is not the one that was
/// signed, and signing it too would contradict what went out.
pub(crate) fn is_missing(
    request: &SignRequest,
    heads: &Slots,
    checkpoints: &Slots,
) -> Result<bool> {
    let (slots, name) =
        if request.is_checkpoint() { (checkpoints, CHECKPOINTS) } else { (heads, HEADS) };
    let Some(bytes) = slots.get(request.slot)? else { return Ok(true) };
    let Ok(signature) = Signature::from_bytes(&bytes) else { return Ok(true) };
    match request.accept(signature) {
        Ok(_) => Ok(false),
        Err(_) => Err(Error::new(Code::LedgerCorrupt)
            .at(format!("{name} slot {}", request.slot))
            .because("the signature belongs to another entry")),
    }
}
