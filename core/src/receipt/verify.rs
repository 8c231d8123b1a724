//! From a receipt that somebody sent to one that is proven.

use crate::{
    crypto::{Address, Digest, Signature, check},
    error::{Code, Error, Result},
    log::{InclusionProof, TreeHead, VerifiedCheckpoint},
    receipt::{Body, Head, Kind},
};

/// A receipt as it was received. It proves nothing until it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The head.
    pub head: Head,
    /// The signature of the head, unless the plan signs checkpoints only.
    pub signature: Option<Signature>,
    /// The body, where it was delivered with the head.
    pub body: Option<Body>,
}

/// A receipt whose head is proven, and whose body, if there is one, is the head's.
/// Obtainable only from [`Receipt::verify`] and [`Receipt::verify_in`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    receipt: Receipt,
    digest: Digest,
}

impl Receipt {
    /// Checks the signature by `signer` and the body.
    ///
    /// # Errors
    /// `signature_missing` for a head without one, `signature_invalid`, `signature_wrong_key`,
    /// `body_mismatch`.
    pub fn verify(self, signer: Address) -> Result<VerifiedReceipt> {
        let digest = self.head.digest();
        let Some(signature) = &self.signature else {
            return Err(Error::new(Code::SignatureMissing)
                .at(self.place())
                .because("an unsigned head is proven by a checkpoint"));
        };
        check(&digest, signature, signer).map_err(|e| e.within(self.place()))?;
        self.with_body(digest)
    }

    /// Checks that the head is in the log of a verified checkpoint, and the body.
    ///
    /// # Errors
    /// `proof_invalid`, `log_range`, `body_mismatch`.
    pub fn verify_in(
        self,
        checkpoint: &VerifiedCheckpoint,
        proof: &InclusionProof,
    ) -> Result<VerifiedReceipt> {
        let digest = self.head.digest();
        let checkpoint = checkpoint.checkpoint();
        let tree = TreeHead { size: checkpoint.size, root: checkpoint.root };
        proof.verify(&digest, &tree).map_err(|e| e.within(self.place()))?;
        self.with_body(digest)
    }

    fn with_body(self, digest: Digest) -> Result<VerifiedReceipt> {
        if let Some(body) = &self.body
            && body.root() != self.head.body
        {
            return Err(Error::new(Code::BodyMismatch).at(self.place()));
        }
        Ok(VerifiedReceipt { receipt: self, digest })
    }

    fn place(&self) -> alloc::string::String {
        alloc::format!("lane {} receipt {}", self.head.lane, self.head.sequence)
    }
}

impl VerifiedReceipt {
    /// The head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.receipt.head
    }

    /// The body, if it was delivered.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        self.receipt.body.as_ref()
    }

    /// The head's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks that this receipt follows `previous` in its lane: sequence, chain, times and both
    /// totals. What charges something credits nothing; a part and a period credit nothing, and a true-up
    /// charges nothing.
    ///
    /// # Errors
    /// `audit_chain` naming the field that does not follow.
    pub fn follows(&self, previous: &VerifiedReceipt) -> Result<()> {
        let (before, head) = (previous.head(), self.head());
        let broken = |field: &str| {
            Error::new(Code::AuditChain).at(alloc::format!("{} {field}", self.receipt.place()))
        };
        if before.lane != head.lane {
            return Err(broken("lane"));
        }
        if before.sequence.checked_add(1) != Some(head.sequence) {
            return Err(broken("sequence"));
        }
        if head.previous != previous.digest {
            return Err(broken("previous"));
        }
        if head.issued_at < before.issued_at {
            return Err(broken("issuedAt"));
        }
        if before.cumulative.checked_add(head.charge)? != head.cumulative {
            return Err(broken("cumulative"));
        }
        let fits = match head.kind {
            Kind::Part | Kind::Period => head.credited == before.credited,
            // A call whose parts were charged more than it costs gives the rest back.
            Kind::Call if head.credited == before.credited => true,
            Kind::Call | Kind::TrueUp | Kind::Credit => {
                head.credited >= before.credited && head.charge.is_zero()
            }
        };
        if !fits {
            return Err(broken("credited"));
        }
        Ok(())
    }
}
