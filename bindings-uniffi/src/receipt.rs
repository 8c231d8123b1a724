//! Receipts, as issued, as received and as verified.

use std::sync::Arc;

use counterfoil::log::InclusionProof;

use crate::Result;
use crate::log::VerifiedCheckpoint;
use crate::values::{
    Address, Amount, Basis, Digest, Exact, Kind, Signature, Surface, Timestamp, Window,
};

pub(crate) type Head = counterfoil::receipt::Head;

/// Who, when, how much, in which order.
#[uniffi::remote(Record)]
pub struct Head {
    /// The lane's id.
    pub lane: Digest,
    /// 1 for the lane's first receipt, then one more each.
    pub sequence: u64,
    /// The digest of the receipt before, or the lane's id for the first.
    pub previous: Digest,
    /// `call`, `period`, `true_up` or `credit`.
    pub kind: Kind,
    /// The hash of the request id or of the window, or the digest of the receipt that is corrected.
    pub subject: Digest,
    /// The instant that fixed window and prices.
    pub authorized_at: Timestamp,
    /// The instant of the receipt.
    pub issued_at: Timestamp,
    /// The root of the body.
    pub body: Digest,
    /// What this receipt charges, in atomic units.
    pub charge: Amount,
    /// Everything charged in this lane so far.
    pub cumulative: Amount,
    /// Everything credited in this lane so far.
    pub credited: Amount,
}

type Item = counterfoil::receipt::Item;

/// One fact about a receipt.
#[uniffi::remote(Enum)]
pub enum Item {
    /// What was used.
    Quantity { meter: String, quantity: u64 },
    /// What one charge makes of it, with the counters it starts from.
    Line {
        charge: String,
        window: Window,
        units_before: u64,
        units: u64,
        billed_before: Exact,
        amount: Exact,
    },
    /// The price as a whole and what rounding did to it.
    Price {
        exact: Exact,
        remainder_before: u64,
        remainder_after: u64,
        uncollected: Exact,
        late: bool,
    },
    /// What a grant in units pays.
    DrawUnits { grant: String, given_at: Timestamp, meter: String, units: u64, balance: u64 },
    /// What a grant in money pays of the price.
    Draw { grant: String, given_at: Timestamp, amount: Exact, balance: Exact },
    /// An attribute of the call.
    Attribute { name: String, value: String },
    /// Where the quantities come from.
    Source { surface: Surface, basis: Basis, content: Digest },
    /// Which part of a call it is, and what the parts before charged.
    Part { number: u64, charged: Exact, uncollected: Exact },
    /// What the end of a call gives back, because its parts were charged more than the whole costs.
    Surplus { exact: Exact, remainder_before: u64, remainder_after: u64 },
    /// What the close of a window gives back.
    Correction {
        charge: String,
        window: Window,
        units: u64,
        billed: Exact,
        due: Exact,
        exact: Exact,
        remainder_before: u64,
        remainder_after: u64,
    },
    /// What a credit is, and what of it is money.
    Credit {
        id: String,
        reason: String,
        amount: Option<Exact>,
        exact: Exact,
        remainder_before: u64,
        remainder_after: u64,
    },
    /// Units that go back to the grant that paid them.
    ReturnedUnits { grant: String, given_at: Timestamp, meter: String, units: u64, balance: u64 },
    /// Money that goes back to the grant that paid it.
    Returned { grant: String, given_at: Timestamp, amount: Exact, balance: Exact },
}

/// A receipt: just issued, or as it was received. It proves nothing until it is verified.
#[derive(uniffi::Object)]
pub struct Receipt(pub(crate) counterfoil::Receipt);

#[uniffi::export]
impl Receipt {
    /// Reads the header `Usage-Receipt`. Nothing is verified but the form.
    #[uniffi::constructor]
    fn from_header(header: &str) -> Result<Arc<Receipt>> {
        let (head, signature) = Head::from_header(header)?;
        Ok(Arc::new(Receipt(counterfoil::Receipt { head, signature, body: None })))
    }

    /// Reads the JSON form. Nothing is verified but the form.
    #[uniffi::constructor]
    fn from_json(document: &str) -> Result<Arc<Receipt>> {
        Ok(Arc::new(Receipt(counterfoil::Receipt::from_json(document.as_bytes())?)))
    }

    /// The same receipt with its signature, not verified.
    fn signed(&self, signature: Signature) -> Result<Arc<Receipt>> {
        let signature = Some(signature);
        Ok(Arc::new(Receipt(counterfoil::Receipt { signature, ..self.0.clone() })))
    }

    /// The head.
    fn head(&self) -> Head {
        self.0.head.clone()
    }

    /// The head's EIP-712 digest.
    fn digest(&self) -> Digest {
        self.0.head.digest()
    }

    /// The items of the body; none where it was not delivered.
    fn items(&self) -> Vec<Item> {
        self.0.body.as_ref().map(|body| body.items.clone()).unwrap_or_default()
    }

    /// The value of the HTTP header `Usage-Receipt`.
    fn to_header(&self) -> String {
        self.0.head.to_header(self.0.signature.as_ref())
    }

    /// Head, signature and body in one document.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// Checks the signature by `signer` and the body.
    fn verify(&self, signer: Address) -> Result<Arc<VerifiedReceipt>> {
        Ok(Arc::new(VerifiedReceipt(self.0.clone().verify(signer)?)))
    }

    /// Checks that the head is in the log of a verified checkpoint, and the body.
    fn verify_in(
        &self,
        checkpoint: &VerifiedCheckpoint,
        index: u64,
        path: Vec<Digest>,
    ) -> Result<Arc<VerifiedReceipt>> {
        let proof = InclusionProof::from_parts(index, checkpoint.0.checkpoint().size, path)?;
        Ok(Arc::new(VerifiedReceipt(self.0.clone().verify_in(&checkpoint.0, &proof)?)))
    }
}

/// A receipt whose head is proven, and whose body, if there is one, is the head's.
#[derive(uniffi::Object)]
pub struct VerifiedReceipt(counterfoil::VerifiedReceipt);

#[uniffi::export]
impl VerifiedReceipt {
    /// The head.
    fn head(&self) -> Head {
        self.0.head().clone()
    }

    /// The head's digest.
    fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// The items of the body; `None` where it was not delivered.
    fn items(&self) -> Option<Vec<Item>> {
        self.0.body().map(|body| body.items.clone())
    }

    /// Checks that this receipt follows another in its lane.
    fn follows(&self, previous: &VerifiedReceipt) -> Result<()> {
        Ok(self.0.follows(&previous.0)?)
    }
}
