//! The opening of a lane: one writer's numbered chain of receipts for one subscription.

use alloc::string::String;

use crate::{
    amount::Amount,
    codec::{Reader, Writer},
    crypto::{Digest, StructHash, typed_digest},
    error::Result,
    lease::Lease,
    receipt::head::DOMAIN_SEPARATOR,
    time::Timestamp,
};

/// The EIP-712 type of a lane's opening.
pub(crate) const TYPE: &str = "LaneOpen(bytes32 plan,bytes32 subscription,bytes32 payer,\
uint32 number,bytes32 parent,bytes32 rail,bytes32 lease,string origin,uint64 openedAt,\
uint128 cumulative,uint64 cumulativeRemainder,uint128 credited,uint64 creditedRemainder)";

/// keccak256 of [`TYPE`]; a test recomputes it.
const TYPE_HASH: [u8; 32] = [
    0x93, 0x08, 0xce, 0x97, 0x75, 0xf4, 0x90, 0xef, 0x23, 0xf7, 0xe5, 0xa1, 0xe9, 0xd5, 0x97, 0xe7,
    0x70, 0x16, 0xb4, 0x7c, 0xe0, 0xb9, 0x3c, 0xa2, 0xb0, 0xff, 0xcc, 0xc4, 0x83, 0xf3, 0x98, 0x8e,
];

/// What fixes a lane. Always signed; its digest is the lane's id and the first receipt's `previous`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneOpen {
    /// The plan under which the lane's calls are rated.
    pub plan: Digest,
    /// The subscription whose lane it is.
    pub subscription: Digest,
    /// The payer: a padded address, or a salted hash of the seller's own account id.
    pub payer: Digest,
    /// The lane's number in its subscription, from 0. Under a lease: the lease's number.
    pub number: u32,
    /// The lane that this one continues, or that lent its lease; or zero.
    pub parent: Digest,
    /// The rail that settles it, an x402 channel id say, or zero.
    pub rail: Digest,
    /// The hash of the lease under which it meters, or zero for the whole budget.
    pub lease: Digest,
    /// The origin of the log that its receipts enter.
    pub origin: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The cumulative charge that it starts from.
    pub cumulative: Amount,
    /// The remainder below it, in 10^-18 atomic unit.
    pub cumulative_remainder: u64,
    /// The credited total that it starts from.
    pub credited: Amount,
    /// The remainder below it, in 10^-18 atomic unit.
    pub credited_remainder: u64,
}

impl LaneOpen {
    /// The opening of a lane under a lease whose id is `id`: it starts from nothing, in the holder's log,
    /// and not before the lease was made.
    pub(crate) fn under(lease: &Lease, id: Digest, rail: Digest, at: Timestamp) -> LaneOpen {
        LaneOpen {
            plan: lease.plan,
            subscription: lease.subscription,
            payer: lease.payer,
            number: lease.number,
            parent: lease.parent,
            rail,
            lease: id,
            origin: lease.holder.clone(),
            opened_at: at.max(lease.at),
            cumulative: Amount::ZERO,
            cumulative_remainder: 0,
            credited: Amount::ZERO,
            credited_remainder: 0,
        }
    }

    /// The EIP-712 digest, which is the lane's id.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&Digest::new(TYPE_HASH))
            .word(self.plan.bytes())
            .word(self.subscription.bytes())
            .word(self.payer.bytes())
            .u64(u64::from(self.number))
            .word(self.parent.bytes())
            .word(self.rail.bytes())
            .word(self.lease.bytes())
            .text(&self.origin)
            .u64(self.opened_at.millis())
            .u128(self.cumulative.atomic())
            .u64(self.cumulative_remainder)
            .u128(self.credited.atomic())
            .u64(self.credited_remainder)
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    /// Under which id a meter keeps what the lane meters against: the lease's, or the subscription's.
    pub(crate) fn root(&self) -> Digest {
        if self.lease.is_zero() { self.subscription } else { self.lease }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.raw(self.plan.bytes())
            .raw(self.subscription.bytes())
            .raw(self.payer.bytes())
            .u32(self.number)
            .raw(self.parent.bytes())
            .raw(self.rail.bytes())
            .raw(self.lease.bytes())
            .text(&self.origin)
            .u64(self.opened_at.millis())
            .u128(self.cumulative.atomic())
            .u64(self.cumulative_remainder)
            .u128(self.credited.atomic())
            .u64(self.credited_remainder);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<LaneOpen> {
        Ok(LaneOpen {
            plan: Digest::new(r.array()?),
            subscription: Digest::new(r.array()?),
            payer: Digest::new(r.array()?),
            number: r.u32()?,
            parent: Digest::new(r.array()?),
            rail: Digest::new(r.array()?),
            lease: Digest::new(r.array()?),
            origin: r.text()?,
            opened_at: Timestamp::from_millis(r.u64()?)?,
            cumulative: Amount::from_atomic(r.u128()?),
            cumulative_remainder: r.u64()?,
            credited: Amount::from_atomic(r.u128()?),
            credited_remainder: r.u64()?,
        })
    }
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
