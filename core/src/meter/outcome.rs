//! What a confirmed step decided.

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    amount::{Amount, Exact},
    crypto::{Address, Digest, Signature, check},
    entry::{Denial, ReceiptEntry},
    error::Result,
    lease::{Lease, Statement},
    log::Checkpoint,
    meter::Hold,
    receipt::{Head, LaneOpen},
    time::{Timestamp, Window},
};

/// The decision of a step, readable once its entry is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; nothing more to say.
    Done,
    /// A lane is open; its opening must be signed.
    Opened {
        /// The subscription's id.
        subscription: Digest,
        /// The lane's id.
        lane: Digest,
        /// The signature that is wanted; `None` when the lane was open already.
        sign: Option<SignRequest>,
    },
    /// The call may be made.
    Authorized {
        /// The hold.
        hold: Hold,
        /// How much the hold raised the reserve, exact.
        reserved: Exact,
    },
    /// The call may not be made.
    Denied(Denial),
    /// The call is settled, or a window trued up.
    Receipt {
        /// Head and body.
        receipt: Arc<ReceiptEntry>,
        /// The position of the head in the log.
        position: u64,
        /// The signature that is wanted; `None` in checkpoint mode.
        sign: Option<SignRequest>,
        /// The shares of limits that the call reached, once each: in the order of the plan, the smaller
        /// first.
        crossed: Vec<Crossed>,
    },
    /// The hold reserves until this deadline.
    Extended {
        /// The hold's subject.
        subject: Digest,
        /// When it expires.
        deadline: Timestamp,
    },
    /// The hold has ended or changed.
    Released {
        /// The hold's subject.
        subject: Digest,
    },
    /// What was left of the grant is taken back.
    Voided {
        /// What the buyer is owed for the rest of a paid grant; nothing for others, or if it was voided
        /// before.
        refund: Amount,
    },
    /// The same request was made before; nothing was recorded.
    Replayed(Replay),
    /// A checkpoint was made; it must be signed.
    Checkpointed {
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// Its signature.
        sign: SignRequest,
    },
    /// The subscription is cancelled, or had an end before.
    Cancelled {
        /// When it ends; `None` where its term does not end.
        ends_at: Option<Timestamp>,
    },
    /// A lease was made; it must be signed.
    Leased {
        /// The lease.
        lease: Arc<Lease>,
        /// The signature that is wanted.
        sign: SignRequest,
    },
    /// What a lease was used for was stated; it must be signed.
    Stated {
        /// The statement.
        statement: Statement,
        /// The signature that is wanted.
        sign: SignRequest,
    },
    /// A lease is over whose last word did not come.
    Reclaimed {
        /// The lease.
        lease: Digest,
    },
    /// Nothing is due.
    Nothing,
}

/// A share of a limit that a call reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossed {
    /// The limit's id.
    pub limit: String,
    /// For a limit with `per`: the value that reached it, "" for calls without the attribute.
    pub value: Option<String>,
    /// The share, as the plan's `notify` has it: 0.8 of the limit.
    pub fraction: Exact,
    /// The window in which it was reached.
    pub window: Window,
}

/// What became of a request that is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It was authorised and is not settled yet.
    Held(Hold),
    /// It was settled; the host finds the receipt by its digest.
    Settled {
        /// The receipt's digest.
        receipt: Digest,
    },
    /// Its hold was released without a charge.
    Released,
}

/// A signature that the meter wants: an effect, to be answered now or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// Which slot the signature belongs into: a log position, or a checkpoint's number.
    pub slot: u64,
    /// Whose signature.
    pub signer: Address,
    /// The EIP-712 digest.
    pub digest: Digest,
    /// What is signed.
    pub signed: Signed,
}

/// The typed data behind a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// A lane's opening.
    Lane(LaneOpen),
    /// A receipt's head.
    Head(Head),
    /// A checkpoint.
    Checkpoint(Checkpoint),
    /// A lease.
    Lease(Arc<Lease>),
    /// What a lease was used for.
    Statement(Statement),
}

impl Outcome {
    /// The signature that the outcome wants, if any.
    #[must_use]
    pub fn sign(&self) -> Option<&SignRequest> {
        match self {
            Outcome::Opened { sign, .. } | Outcome::Receipt { sign, .. } => sign.as_ref(),
            Outcome::Checkpointed { sign, .. }
            | Outcome::Leased { sign, .. }
            | Outcome::Stated { sign, .. } => Some(sign),
            _ => None,
        }
    }
}

impl SignRequest {
    /// Whether the slot is one of checkpoints, by number; otherwise it is a log position.
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        matches!(self.signed, Signed::Checkpoint(_))
    }

    /// Takes a signature for this request, verified.
    ///
    /// # Errors
    /// `signature_invalid`, `signature_wrong_key`.
    pub fn accept(&self, signature: Signature) -> Result<Signature> {
        check(&self.digest, &signature, self.signer)?;
        Ok(signature)
    }

    /// The EIP-712 typed data as JSON, for wallets and key services that want to see what they sign.
    #[must_use]
    pub fn typed_data(&self) -> String {
        self.signed.typed_data().compact()
    }
}
