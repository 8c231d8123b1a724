//! The lease: who may use which share, until when.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    amount::Exact,
    codec::{Reader, Writer},
    crypto::{Digest, StructHash, sha256, typed_digest},
    entry::{read_attributes, read_time, write_attributes},
    error::{Code, Error, Result},
    plan::{Charge, LimitRule, Plan},
    receipt::DOMAIN_SEPARATOR,
    time::{Timestamp, Window},
};

/// The EIP-712 type of a lease.
pub(crate) const TYPE: &str = "Lease(bytes32 plan,bytes32 subscription,bytes32 payer,\
uint64 startedAt,bytes32 parent,uint32 number,string holder,uint64 at,uint64 until,bytes32 terms)";

/// keccak256 of [`TYPE`]; a test recomputes it.
const TYPE_HASH: [u8; 32] = [
    0x8a, 0x05, 0x3b, 0x1a, 0x81, 0xde, 0x23, 0xa5, 0xbf, 0xbf, 0x92, 0xc1, 0xf2, 0xcb, 0xc9, 0x84,
    0xec, 0xd4, 0xd6, 0x4c, 0x85, 0x4d, 0x3a, 0x9e, 0x07, 0x54, 0x49, 0x33, 0x2f, 0x6f, 0xb5, 0x9a,
];

/// The first byte of the binary form.
const KIND: u8 = 40;
const VERSION: u8 = 0;

/// A share of a subscription's budget. Always signed; its digest is its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The plan under which calls are rated.
    pub plan: Digest,
    /// The subscription whose budget it is.
    pub subscription: Digest,
    /// The payer.
    pub payer: Digest,
    /// When the subscription started.
    pub started_at: Timestamp,
    /// The lane of the meter that lends.
    pub parent: Digest,
    /// The lease's number in its subscription, from 1.
    pub number: u32,
    /// The origin of the log that may meter under it.
    pub holder: String,
    /// When it was made: fixes the windows.
    pub at: Timestamp,
    /// The first instant at which it authorises nothing more.
    pub until: Timestamp,
    /// What it may use of each charge, in the order of the plan. Charges that are not here, calls under
    /// it may not use.
    pub charges: Vec<Interval>,
    /// What it may count under each limit on units that covers it, in the order of the plan.
    pub limits: Vec<UnitShare>,
    /// The attributes by which limits cover its calls.
    pub attributes: BTreeMap<String, String>,
}

/// The part of a charge's counter that is lent: from the unit after `from` on, so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// The charge's id.
    pub charge: String,
    /// The window that it is a part of.
    pub window: Window,
    /// Where the counter stood.
    pub from: u64,
    /// How many units are lent.
    pub units: u64,
    /// What the window was billed.
    pub billed: Exact,
}

/// What is lent of a limit on units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitShare {
    /// The limit's id.
    pub limit: String,
    /// The most that calls may count; of a soft limit, which bounds nothing, 0.
    pub most: u64,
}

impl Lease {
    /// The EIP-712 digest, which is the lease's id.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&Digest::new(TYPE_HASH))
            .word(self.plan.bytes())
            .word(self.subscription.bytes())
            .word(self.payer.bytes())
            .u64(self.started_at.millis())
            .word(self.parent.bytes())
            .u64(u64::from(self.number))
            .text(&self.holder)
            .u64(self.at.millis())
            .u64(self.until.millis())
            .word(self.terms().bytes())
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    /// SHA-256 of the shares and attributes.
    #[must_use]
    pub fn terms(&self) -> Digest {
        let mut w = Writer::new();
        self.write_terms(&mut w);
        sha256(&[&w.0])
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(512);
        w.u8(KIND)
            .u8(VERSION)
            .raw(self.plan.bytes())
            .raw(self.subscription.bytes())
            .raw(self.payer.bytes())
            .u64(self.started_at.millis())
            .raw(self.parent.bytes())
            .u32(self.number)
            .text(&self.holder)
            .u64(self.at.millis())
            .u64(self.until.millis());
        self.write_terms(&mut w);
        w.0
    }

    /// Reads the binary form. Nothing is verified but the form.
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, `time_invalid`, `amount_overflow`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Lease> {
        let r = &mut Reader::new(bytes);
        if (r.u8()?, r.u8()?) != (KIND, VERSION) {
            return Err(Error::new(Code::BytesVersion).at("byte 0"));
        }
        let mut lease = Lease {
            plan: Digest::new(r.array()?),
            subscription: Digest::new(r.array()?),
            payer: Digest::new(r.array()?),
            started_at: read_time(r)?,
            parent: Digest::new(r.array()?),
            number: r.u32()?,
            holder: r.text()?,
            at: read_time(r)?,
            until: read_time(r)?,
            charges: Vec::new(),
            limits: Vec::new(),
            attributes: BTreeMap::new(),
        };
        for _ in 0..r.count(60)? {
            lease.charges.push(Interval {
                charge: r.text()?,
                window: Window::read(r)?,
                from: r.u64()?,
                units: r.u64()?,
                billed: Exact::from_bytes(&r.array()?)?,
            });
        }
        for _ in 0..r.count(12)? {
            lease.limits.push(UnitShare { limit: r.text()?, most: r.u64()? });
        }
        lease.attributes = read_attributes(r)?;
        r.clone().finish()?;
        Ok(lease)
    }

    fn write_terms(&self, w: &mut Writer) {
        w.count(self.charges.len());
        for interval in &self.charges {
            w.text(&interval.charge);
            interval.window.write(w);
            w.u64(interval.from).u64(interval.units).raw(&interval.billed.to_bytes());
        }
        w.count(self.limits.len());
        for share in &self.limits {
            w.text(&share.limit).u64(share.most);
        }
        write_attributes(w, &self.attributes);
    }

    /// Its intervals with the index of their charge. Refused is what no lender makes: unknown charges,
    /// or such as cannot be lent; an interval that ends past the counter's range.
    pub(crate) fn intervals<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = Result<(usize, &'a Charge, &'a Interval)>> {
        let mut next = 0;
        self.charges.iter().map(move |interval| {
            let mut charges = plan.charges().iter().enumerate().skip(next);
            let found = charges.find(|(_, charge)| charge.id == interval.charge);
            let whole = interval.from.checked_add(interval.units).is_some();
            let (index, charge) = found
                .filter(|(_, charge)| whole && charge.is_divisible())
                .ok_or_else(|| Error::new(Code::LeaseInvalid).value(&interval.charge))?;
            next = index.saturating_add(1);
            Ok((index, charge, interval))
        })
    }

    /// Its shares of limits with the index of their limit, and whether the limit refuses calls.
    pub(crate) fn shares<'a>(
        &'a self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = Result<(usize, u64, bool)>> {
        let mut next = 0;
        self.limits.iter().map(move |share| {
            let mut limits = plan.limits().iter().enumerate().skip(next);
            let found = limits.find(|(_, limit)| limit.id == share.limit);
            let (index, limit) = found
                .filter(|(_, limit)| matches!(limit.rule, LimitRule::Units { .. }))
                .ok_or_else(|| Error::new(Code::LeaseInvalid).value(&share.limit))?;
            next = index.saturating_add(1);
            Ok((index, share.most, !limit.soft))
        })
    }

    /// The interval of a charge in the window of an instant.
    pub(crate) fn interval(&self, charge: &str, at: Timestamp) -> Option<&Interval> {
        self.charges.iter().find(|i| i.charge == charge && i.window.contains(at))
    }
}

impl Interval {
    /// What so many of its units cost: what F at their end lies above what was billed at its start,
    /// and nothing without any unit.
    pub(crate) fn cost(&self, charge: &Charge, units: u64) -> Result<Exact> {
        if units == 0 {
            return Ok(Exact::ZERO);
        }
        charge.tariff.pays(self.from, self.billed, units.min(self.units))
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
