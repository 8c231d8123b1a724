//! What a holder says of the calls under its lease.

use alloc::vec::Vec;

use crate::{
    amount::Amount,
    codec::{Reader, Writer},
    crypto::{Digest, StructHash, sha256, typed_digest},
    entry::read_time,
    error::{Code, Error, Result},
    receipt::DOMAIN_SEPARATOR,
    time::Timestamp,
};

/// The EIP-712 type of a statement.
pub(crate) const TYPE: &str = "LeaseStatement(bytes32 lease,bytes32 lane,uint64 sequence,\
bytes32 head,uint128 cumulative,uint64 cumulativeRemainder,uint64 at,uint8 closed,bytes32 used)";

/// keccak256 of [`TYPE`]; a test recomputes it.
const TYPE_HASH: [u8; 32] = [
    0x68, 0x5b, 0x8d, 0x63, 0x13, 0x75, 0xb2, 0x8a, 0x7a, 0x42, 0x2d, 0xf7, 0x46, 0x48, 0xeb, 0x2a,
    0xcb, 0x13, 0xc6, 0x95, 0xb5, 0x55, 0xd9, 0x9f, 0x10, 0x61, 0x8b, 0xcf, 0x49, 0x45, 0x08, 0xb7,
];

/// The first byte of the binary form.
const KIND: u8 = 41;
const VERSION: u8 = 0;

/// Where the lane of a lease stands. Always signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The lease.
    pub lease: Digest,
    /// The lane that was opened under it.
    pub lane: Digest,
    /// The sequence of the lane's last receipt; 0 when there is none.
    pub sequence: u64,
    /// The digest of its last head; without receipts the lane's id.
    pub head: Digest,
    /// What the lane charged.
    pub cumulative: Amount,
    /// The remainder below it, in 10^-18 atomic unit.
    pub cumulative_remainder: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Whether it is the last one: the lane takes no more calls.
    pub closed: bool,
    /// Units used of each interval of the lease, in its order.
    pub units: Vec<u64>,
    /// Units counted under each limit of the lease, in its order.
    pub counted: Vec<u64>,
}

impl Statement {
    /// The EIP-712 digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&Digest::new(TYPE_HASH))
            .word(self.lease.bytes())
            .word(self.lane.bytes())
            .u64(self.sequence)
            .word(self.head.bytes())
            .u128(self.cumulative.atomic())
            .u64(self.cumulative_remainder)
            .u64(self.at.millis())
            .u8(u8::from(self.closed))
            .word(self.used().bytes())
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    /// SHA-256 of the units.
    #[must_use]
    pub fn used(&self) -> Digest {
        let mut w = Writer::new();
        self.write_used(&mut w);
        sha256(&[&w.0])
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(256);
        w.u8(KIND)
            .u8(VERSION)
            .raw(self.lease.bytes())
            .raw(self.lane.bytes())
            .u64(self.sequence)
            .raw(self.head.bytes())
            .u128(self.cumulative.atomic())
            .u64(self.cumulative_remainder)
            .u64(self.at.millis())
            .flag(self.closed);
        self.write_used(&mut w);
        w.0
    }

    /// Reads the binary form. Nothing is verified but the form.
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, `time_invalid`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Statement> {
        let r = &mut Reader::new(bytes);
        if (r.u8()?, r.u8()?) != (KIND, VERSION) {
            return Err(Error::new(Code::BytesVersion).at("byte 0"));
        }
        let statement = Statement {
            lease: Digest::new(r.array()?),
            lane: Digest::new(r.array()?),
            sequence: r.u64()?,
            head: Digest::new(r.array()?),
            cumulative: Amount::from_atomic(r.u128()?),
            cumulative_remainder: r.u64()?,
            at: read_time(r)?,
            closed: r.flag()?,
            units: read_list(r)?,
            counted: read_list(r)?,
        };
        r.clone().finish()?;
        Ok(statement)
    }

    fn write_used(&self, w: &mut Writer) {
        for list in [&self.units, &self.counted] {
            w.count(list.len());
            for units in list {
                w.u64(*units);
            }
        }
    }
}

fn read_list(r: &mut Reader<'_>) -> Result<Vec<u64>> {
    let count = r.count(8)?;
    (0..count).map(|_| r.u64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::type_hash;

    #[test]
    fn constants_are_what_they_say() {
        assert_eq!(type_hash(TYPE).bytes(), &TYPE_HASH);
    }
}
