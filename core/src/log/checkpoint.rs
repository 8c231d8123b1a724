//! The signed state of a log.

use alloc::{format, string::String};

use base64ct::{Base64, Encoding as _};

use crate::{
    codec::{Reader, Writer},
    crypto::{Address, Digest, Signature, StructHash, check, type_hash, typed_digest},
    error::Result,
    receipt::DOMAIN_SEPARATOR,
    time::Timestamp,
};

/// The EIP-712 type of a checkpoint.
pub(crate) const TYPE: &str =
    "Checkpoint(string origin,uint64 size,bytes32 root,bytes32 lanes,uint64 time)";

/// Which receipts a log holds, and where each lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// How many heads the log holds.
    pub size: u64,
    /// The RFC 6962 root over their digests.
    pub root: Digest,
    /// The root over the sorted map lane → (sequence, head, cumulative, credited).
    pub lanes: Digest,
    /// The latest issue time in the log.
    pub time: Timestamp,
}

/// A checkpoint whose signature was checked. Obtainable only from [`Checkpoint::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint(Checkpoint);

impl VerifiedCheckpoint {
    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.0
    }
}

impl Checkpoint {
    /// The EIP-712 digest that is signed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&type_hash(TYPE))
            .text(&self.origin)
            .u64(self.size)
            .word(self.root.bytes())
            .word(self.lanes.bytes())
            .u64(self.time.millis())
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    /// Checks the signature and gives back a verified checkpoint.
    ///
    /// # Errors
    /// `signature_invalid`, `signature_wrong_key`.
    pub fn verify(self, signature: &Signature, signer: Address) -> Result<VerifiedCheckpoint> {
        check(&self.digest(), signature, signer)?;
        Ok(VerifiedCheckpoint(self))
    }

    /// The body of a C2SP tlog-checkpoint note: origin, size, root, and one extension line with the
    /// lanes root.
    #[must_use]
    pub fn to_note(&self) -> String {
        format!(
            "{}\n{}\n{}\nlanes {}\n",
            self.origin,
            self.size,
            Base64::encode_string(self.root.bytes()),
            Base64::encode_string(self.lanes.bytes()),
        )
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.origin)
            .u64(self.size)
            .raw(self.root.bytes())
            .raw(self.lanes.bytes())
            .u64(self.time.millis());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Checkpoint> {
        Ok(Checkpoint {
            origin: r.text()?,
            size: r.u64()?,
            root: Digest::new(r.array()?),
            lanes: Digest::new(r.array()?),
            time: Timestamp::from_millis(r.u64()?)?,
        })
    }
}
