//! The signatures that entries want.

use crate::{
    crypto::Digest,
    entry::Entry,
    error::Result,
    log::Checkpoint,
    meter::{SignRequest, Signed, State},
    plan::Signing,
};

impl State {
    /// The signature that an entry wants before it is folded, if any.
    pub(crate) fn wanted(&self, entry: &Entry) -> Result<Option<SignRequest>> {
        Ok(match entry {
            Entry::Open(e) => {
                Some(self.sign_request(e.lane.digest(), Signed::Lane(e.lane.clone()))?)
            }
            Entry::Receipt(e) => {
                let plan = self.plan(&self.lane(&e.head.lane)?.open.plan)?;
                match plan.signing() {
                    Signing::Each => {
                        Some(self.sign_request(e.digest, Signed::Head(e.head.clone()))?)
                    }
                    Signing::Checkpoint { .. } => None,
                }
            }
            Entry::Checkpoint(e) => Some(self.sign_checkpoint(e)?),
            Entry::Leased(e) => Some(self.sign_request(e.digest(), Signed::Lease(e.clone()))?),
            Entry::Stated(e) => Some(self.sign_request(e.digest(), Signed::Statement(e.clone()))?),
            _ => None,
        })
    }

    pub(super) fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<SignRequest> {
        Ok(SignRequest {
            slot: self.checkpoints,
            signer: self.instance()?.signer,
            digest: checkpoint.digest(),
            signed: Signed::Checkpoint(checkpoint.clone()),
        })
    }

    pub(super) fn sign_request(&self, digest: Digest, signed: Signed) -> Result<SignRequest> {
        Ok(SignRequest { slot: self.next_slot(), signer: self.instance()?.signer, digest, signed })
    }
}
