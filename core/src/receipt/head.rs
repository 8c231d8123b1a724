//! The head of a receipt: layout, digest and header form.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::{
    amount::Amount,
    codec::{Reader, Writer},
    crypto::{Digest, Signature, StructHash, sha256, typed_digest},
    entry::ImportMark,
    error::{Code, Error, Result},
    time::Timestamp,
};

/// The EIP-712 type of a head.
pub(crate) const TYPE: &str = "Receipt(bytes32 lane,uint64 sequence,bytes32 previous,uint8 kind,\
bytes32 subject,uint64 authorizedAt,uint64 issuedAt,bytes32 body,uint128 charge,uint128 cumulative,\
uint128 credited)";

/// keccak256 of [`TYPE`]; a test recomputes it.
const TYPE_HASH: [u8; 32] = [
    0xe1, 0x53, 0xc5, 0x2d, 0x4e, 0xe8, 0xeb, 0x49, 0x3f, 0x5b, 0x7c, 0x35, 0x5c, 0x48, 0xe7, 0x5a,
    0x35, 0x33, 0xe1, 0x1f, 0xd6, 0xc7, 0xee, 0x67, 0xed, 0x1e, 0x62, 0xa9, 0x27, 0xeb, 0xc3, 0xd2,
];

/// `keccak256(abi.encode(EIP712Domain type, "Counterfoil", "1"))`: no chain id, since the plan binds
/// network and currency. A test recomputes it.
pub(crate) const DOMAIN_SEPARATOR: [u8; 32] = [
    0x10, 0x7c, 0x5e, 0x1d, 0xbe, 0x23, 0xdc, 0x7e, 0xcf, 0xe0, 0x87, 0xc7, 0x2d, 0x55, 0x7b, 0x39,
    0xe0, 0xea, 0x08, 0x7f, 0x3b, 0xfc, 0x40, 0xab, 0x9c, 0xb0, 0x18, 0xb2, 0x4e, 0xee, 0x08, 0x10,
];

/// The header form's first byte: a head with its signature.
const SIGNED: u8 = 1;
/// The header form's first byte: a head alone, proven by a later checkpoint.
const UNSIGNED: u8 = 2;
/// The version of the header form.
const VERSION: u8 = 0;

/// What a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// One settled call; its subject is the hash of the request id.
    Call = 1,
    /// What a call that still runs has used so far, above what its parts before were charged. Its
    /// subject is the call's.
    Part = 2,
    /// A window that is billed without a call: what is due as it starts, what returned leases left
    /// unbilled, or what it lacks of its minimum as it closes. Its subject is the hash of charge, window
    /// and which of these.
    Period = 3,
    /// The close of a window in which a price fell; charge 0, and `credited` grows. Its subject is
    /// the hash of charge and window.
    TrueUp = 4,
    /// What a receipt cost is given back, in part or whole; charge 0. Its subject is the digest of that
    /// receipt.
    Credit = 5,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::Call, Kind::Part, Kind::Period, Kind::TrueUp, Kind::Credit];

    /// Reads the number that stands in heads.
    ///
    /// # Errors
    /// `bytes_version` for a kind that this version does not know.
    pub fn from_number(number: u8) -> Result<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.number() == number)
            .ok_or_else(|| Error::new(Code::BytesVersion).value(number).because("receipt kind"))
    }

    /// The number that stands in heads.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Kind::Call => 1,
            Kind::Part => 2,
            Kind::Period => 3,
            Kind::TrueUp => 4,
            Kind::Credit => 5,
        }
    }

    /// The name that stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Part => "part",
            Kind::Period => "period",
            Kind::TrueUp => "true_up",
            Kind::Credit => "credit",
        }
    }
}

/// Who, when, how much, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The lane's id: the digest of its opening.
    pub lane: Digest,
    /// 1 for the lane's first receipt, then one more each.
    pub sequence: u64,
    /// The digest of the receipt before, or the lane's id for the first.
    pub previous: Digest,
    /// What the receipt is about.
    pub kind: Kind,
    /// The hash of the request id or of the window, or the digest of the receipt that is corrected.
    pub subject: Digest,
    /// The instant that fixed window and prices.
    pub authorized_at: Timestamp,
    /// The instant of the receipt; never decreases in a lane.
    pub issued_at: Timestamp,
    /// The root of the body.
    pub body: Digest,
    /// What this receipt charges, in atomic units.
    pub charge: Amount,
    /// Everything charged in this lane so far, this receipt included.
    pub cumulative: Amount,
    /// Everything credited in this lane so far, this receipt included.
    pub credited: Amount,
}

impl Head {
    /// The bytes of the binary form without kind, version and signature.
    pub(crate) const LENGTH: usize = 201;

    /// The EIP-712 digest: what is signed, chained and logged.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&Digest::new(TYPE_HASH))
            .word(self.lane.bytes())
            .u64(self.sequence)
            .word(self.previous.bytes())
            .u8(self.kind.number())
            .word(self.subject.bytes())
            .u64(self.authorized_at.millis())
            .u64(self.issued_at.millis())
            .word(self.body.bytes())
            .u128(self.charge.atomic())
            .u128(self.cumulative.atomic())
            .u128(self.credited.atomic())
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.raw(self.lane.bytes())
            .u64(self.sequence)
            .raw(self.previous.bytes())
            .u8(self.kind.number())
            .raw(self.subject.bytes())
            .u64(self.authorized_at.millis())
            .u64(self.issued_at.millis())
            .raw(self.body.bytes())
            .u128(self.charge.atomic())
            .u128(self.cumulative.atomic())
            .u128(self.credited.atomic());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Head> {
        Ok(Head {
            lane: Digest::new(r.array()?),
            sequence: r.u64()?,
            previous: Digest::new(r.array()?),
            kind: Kind::from_number(r.u8()?)?,
            subject: Digest::new(r.array()?),
            authorized_at: Timestamp::from_millis(r.u64()?)?,
            issued_at: Timestamp::from_millis(r.u64()?)?,
            body: Digest::new(r.array()?),
            charge: Amount::from_atomic(r.u128()?),
            cumulative: Amount::from_atomic(r.u128()?),
            credited: Amount::from_atomic(r.u128()?),
        })
    }

    /// The value of the HTTP header `Usage-Receipt`: the binary form in base64url without padding,
    /// 358 characters with a signature and 271 without.
    #[must_use]
    pub fn to_header(&self, signature: Option<&Signature>) -> String {
        Base64UrlUnpadded::encode_string(&self.to_bytes(signature))
    }

    /// The binary form: kind, version, the head's 201 bytes, and the signature's 65 if there is one.
    #[must_use]
    pub fn to_bytes(&self, signature: Option<&Signature>) -> Vec<u8> {
        let mut w = Writer::with_capacity(2 + Self::LENGTH + 65);
        w.u8(if signature.is_some() { SIGNED } else { UNSIGNED }).u8(VERSION);
        self.write(&mut w);
        if let Some(signature) = signature {
            w.raw(signature.bytes());
        }
        w.0
    }

    /// Reads the header form. Nothing is verified but the form; see [`crate::receipt::Receipt`].
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, `signature_invalid`.
    pub fn from_header(text: &str) -> Result<(Head, Option<Signature>)> {
        if text.len() > 400 {
            return Err(Error::new(Code::BytesInvalid).because("longer than 400 characters"));
        }
        let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| {
            Error::new(Code::BytesInvalid).value(text).because("not base64url without padding")
        })?;
        Self::from_bytes(&bytes)
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, `signature_invalid`.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Head, Option<Signature>)> {
        let mut r = Reader::new(bytes);
        let kind = r.u8()?;
        let version = r.u8()?;
        if version != VERSION || !(kind == SIGNED || kind == UNSIGNED) {
            return Err(Error::new(Code::BytesVersion).at("byte 0").value(kind));
        }
        let head = Head::read(&mut r)?;
        let signature =
            if kind == SIGNED { Some(Signature::from_bytes(&r.array()?)?) } else { None };
        r.finish()?;
        Ok((head, signature))
    }
}

/// The subject of a call: SHA-256 over `counterfoil/request/0`, a line feed and the request id.
pub(crate) fn request_subject(id: &str) -> Digest {
    sha256(&[b"counterfoil/request/0\n", id.as_bytes()])
}

/// The subject of an imported record: SHA-256 over `counterfoil/import/0`, a line feed, and the
/// record's place: input, ordinal, offset and running digest. So a signed head binds all of it.
pub(crate) fn import_subject(mark: &ImportMark) -> Digest {
    sha256(&[
        b"counterfoil/import/0\n",
        mark.input.bytes(),
        &mark.ordinal.to_be_bytes(),
        &mark.offset.to_be_bytes(),
        mark.digest.bytes(),
    ])
}

/// The subject of a true-up: SHA-256 over `counterfoil/window/0`, a line feed, the window's start
/// (u64, big-endian) and the charge's id.
pub(crate) fn window_subject(charge: &str, start: Timestamp) -> Digest {
    sha256(&[b"counterfoil/window/0\n", &start.millis().to_be_bytes(), charge.as_bytes()])
}

/// The subject of a window that is billed without a call: SHA-256 over `counterfoil/period/0`, a line
/// feed, the edge (u8: 1 its start, 2 its close, 3 no edge but returned leases), the window's start
/// (u64, big-endian), for returned leases the counter (u64, big-endian), and the charge's id.
pub(crate) fn period_subject(edge: u8, charge: &str, start: Timestamp, units: u64) -> Digest {
    let (start, units) = (start.millis().to_be_bytes(), units.to_be_bytes());
    let counter: &[u8] = if edge == 3 { &units } else { &[] };
    sha256(&[b"counterfoil/period/0\n", &[edge], &start, counter, charge.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Domain, type_hash};

    #[test]
    fn constants_are_what_they_say() {
        assert_eq!(type_hash(TYPE).bytes(), &TYPE_HASH);
        assert_eq!(Domain::new("Counterfoil", "1").separator().bytes(), &DOMAIN_SEPARATOR);
    }
}
