//! What a confirmed step decided.

use std::sync::Arc;

use counterfoil::meter::Outcome as Decided;

use crate::Result;
use crate::log::Checkpoint;
use crate::receipt::Receipt;
use crate::sign::{SignRequest, request};
use crate::values::{Amount, DenialCode, Digest, Exact, Timestamp, Window};

/// The decision of a step.
#[derive(uniffi::Enum)]
#[allow(
    clippy::large_enum_variant,
    reason = "a variant is copied field by field to the other language: a box would only add to it"
)]
pub enum Outcome {
    /// Done; nothing more to say.
    Done,
    /// A lane is open.
    Opened { value: Opened },
    /// The call may be made.
    Authorized { value: Authorized },
    /// The call may not be made.
    Denied { value: Denial },
    /// The call is settled, or a window trued up.
    Receipt { value: Issued },
    /// The hold reserves for longer.
    Extended { value: Extended },
    /// The hold has ended or changed.
    Released { value: Released },
    /// The same request was made before; nothing was recorded.
    Replayed { value: Replay },
    /// What was left of a grant is taken back.
    Voided { value: Voided },
    /// The subscription is cancelled, or had an end before.
    Cancelled { value: Cancelled },
    /// A checkpoint was made.
    Checkpointed { value: Checkpointed },
    /// A lease was made.
    Leased { value: Leased },
    /// What a lease was used for was stated.
    Stated { value: Stated },
    /// A lease is over whose last word did not come.
    Reclaimed { value: Reclaimed },
    /// Nothing is due.
    Nothing,
}

/// A lane is open; its opening must be signed.
#[derive(uniffi::Record)]
pub struct Opened {
    /// The subscription's id.
    pub subscription: Digest,
    /// The lane's id.
    pub lane: Digest,
    /// The signature that is wanted; absent when the lane was open already.
    pub sign: Option<Arc<SignRequest>>,
}

/// An authorised call.
#[derive(uniffi::Record)]
pub struct Authorized {
    /// The hash of the request id; names the hold.
    pub subject: Digest,
    /// The lane that its receipt will enter.
    pub lane: Digest,
    /// The instant that fixes window and prices.
    pub authorized_at: Timestamp,
    /// When the hold expires.
    pub deadline: Timestamp,
    /// How much the hold raised the reserve, exact.
    pub reserved: Exact,
}

type Denial = counterfoil::entry::Denial;

/// Which rule refused a call, by how much, and when it would be allowed.
#[uniffi::remote(Record)]
pub struct Denial {
    /// Why: `limit_reached`, `condition_failed`, `rate_exceeded`, `term_ended`,
    /// `concurrency_reached`, `values_reached` or `lease_exhausted`.
    pub code: DenialCode,
    /// The rule in the plan that decided.
    pub rule: String,
    /// For a limit with `per`: the value that it refused, "" for a call without the attribute. For a
    /// condition: the call's value of the attribute that decided, if it carries it.
    pub value: Option<String>,
    /// The window in which there is no room.
    pub window: Option<Window>,
    /// For a limit on units, or a charge of a lease: the meter. The four numbers below are then its units; without it money in
    /// atomic units, for `concurrency_reached` calls, for `values_reached` values.
    pub meter: Option<String>,
    /// The limit.
    pub most: Option<Exact>,
    /// What is counted already, without what open calls reserve.
    pub spent: Option<Exact>,
    /// What the call needs at most.
    pub needed: Option<Exact>,
    /// What is left beside what open calls reserve.
    pub available: Option<Exact>,
    /// The earliest instant at which the same call would pass this rule, if time alone changes it. For a
    /// condition: at which the clause that decided is otherwise.
    pub retry_at: Option<Timestamp>,
}

/// The HTTP status that a seller answers a denial with.
#[uniffi::export]
fn http_status(denial: Denial) -> Result<u16> {
    Ok(denial.code.http_status())
}

/// An issued receipt.
#[derive(uniffi::Record)]
pub struct Issued {
    /// Head and body.
    pub receipt: Arc<Receipt>,
    /// The head's digest.
    pub digest: Digest,
    /// The position of the head in the log.
    pub position: u64,
    /// The signature that is wanted; absent in checkpoint mode.
    pub sign: Option<Arc<SignRequest>>,
    /// The shares of limits that the call reached, once each.
    pub crossed: Vec<Crossed>,
}

type Crossed = counterfoil::meter::Crossed;

/// A share of a limit that a call reached.
#[uniffi::remote(Record)]
pub struct Crossed {
    /// The limit's id.
    pub limit: String,
    /// For a limit with `per`: the value that reached it, "" for calls without the attribute.
    pub value: Option<String>,
    /// The share, as the plan's `notify` has it: "0.8" of the limit.
    pub fraction: Exact,
    /// The window in which it was reached.
    pub window: Window,
}

/// A hold that reserves for longer, or as long as before where the plan lets it not.
#[derive(uniffi::Record)]
pub struct Extended {
    /// The hold's subject.
    pub subject: Digest,
    /// When it expires.
    pub deadline: Timestamp,
}

/// A hold that has ended or changed.
#[derive(uniffi::Record)]
pub struct Released {
    /// The hold's subject.
    pub subject: Digest,
}

/// What was left of a grant is taken back.
#[derive(uniffi::Record)]
pub struct Voided {
    /// What the buyer is owed for the rest of a paid grant, in atomic units; nothing for others.
    pub refund: Amount,
}

/// A subscription that is cancelled, or had an end before.
#[derive(uniffi::Record)]
pub struct Cancelled {
    /// When it ends; absent where its term does not end.
    pub ends_at: Option<Timestamp>,
}

/// A checkpoint was made; it must be signed.
#[derive(uniffi::Record)]
pub struct Checkpointed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its signature.
    pub sign: Arc<SignRequest>,
}

/// A lease was made; it must be signed.
#[derive(uniffi::Record)]
pub struct Leased {
    /// Its id.
    pub lease: Digest,
    /// The lease, for the meter that holds it.
    pub bytes: Vec<u8>,
    /// Its signature.
    pub sign: Arc<SignRequest>,
}

/// What a lease was used for was stated; it must be signed.
#[derive(uniffi::Record)]
pub struct Stated {
    /// The statement, for the meter that lent.
    pub statement: Vec<u8>,
    /// Its signature.
    pub sign: Arc<SignRequest>,
}

/// A lease is over whose last word did not come.
#[derive(uniffi::Record)]
pub struct Reclaimed {
    /// The lease.
    pub lease: Digest,
}

/// Where a request stands that is made again.
#[derive(uniffi::Enum)]
pub enum ReplayState {
    /// It was authorised and is not settled yet.
    Held,
    /// It was settled.
    Settled,
    /// Its hold was released without a charge.
    Released,
}

/// What became of a request that is made again.
#[derive(uniffi::Record)]
pub struct Replay {
    /// Where it stands.
    pub state: ReplayState,
    /// The receipt's digest, once it is settled.
    pub receipt: Option<Digest>,
}

impl From<Decided> for Outcome {
    fn from(decided: Decided) -> Self {
        match decided {
            Decided::Done => Outcome::Done,
            Decided::Opened { subscription, lane, sign } => {
                Outcome::Opened { value: Opened { subscription, lane, sign: sign.map(request) } }
            }
            Decided::Authorized { hold, reserved } => Outcome::Authorized {
                value: Authorized {
                    subject: hold.subject,
                    lane: hold.lane,
                    authorized_at: hold.authorized_at,
                    deadline: hold.deadline,
                    reserved,
                },
            },
            Decided::Denied(value) => Outcome::Denied { value },
            Decided::Receipt { receipt, position, sign, crossed } => {
                let digest = receipt.digest;
                let (head, body) = (receipt.head.clone(), Some(receipt.body.clone()));
                let receipt = counterfoil::Receipt { head, signature: None, body };
                let receipt = Arc::new(Receipt(receipt));
                let sign = sign.map(request);
                Outcome::Receipt { value: Issued { receipt, digest, position, sign, crossed } }
            }
            Decided::Extended { subject, deadline } => {
                Outcome::Extended { value: Extended { subject, deadline } }
            }
            Decided::Released { subject } => Outcome::Released { value: Released { subject } },
            Decided::Voided { refund } => Outcome::Voided { value: Voided { refund } },
            Decided::Cancelled { ends_at } => Outcome::Cancelled { value: Cancelled { ends_at } },
            Decided::Replayed(replay) => Outcome::Replayed { value: replay.into() },
            Decided::Checkpointed { checkpoint, sign } => {
                Outcome::Checkpointed { value: Checkpointed { checkpoint, sign: request(sign) } }
            }
            Decided::Leased { lease, sign } => {
                let (digest, bytes) = (lease.digest(), lease.to_bytes());
                Outcome::Leased { value: Leased { lease: digest, bytes, sign: request(sign) } }
            }
            Decided::Stated { statement, sign } => {
                let statement = statement.to_bytes();
                Outcome::Stated { value: Stated { statement, sign: request(sign) } }
            }
            Decided::Reclaimed { lease } => Outcome::Reclaimed { value: Reclaimed { lease } },
            Decided::Nothing => Outcome::Nothing,
        }
    }
}

impl From<counterfoil::meter::Replay> for Replay {
    fn from(replay: counterfoil::meter::Replay) -> Self {
        use counterfoil::meter::Replay as Of;
        match replay {
            Of::Held(_) => Replay { state: ReplayState::Held, receipt: None },
            Of::Settled { receipt } => {
                Replay { state: ReplayState::Settled, receipt: Some(receipt) }
            }
            Of::Released => Replay { state: ReplayState::Released, receipt: None },
        }
    }
}
