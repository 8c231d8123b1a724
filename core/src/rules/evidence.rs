//! Evidence: what a named attestor states of a payer, to a seller, for a time.

use alloc::string::{String, ToString};

use crate::{
    crypto::{Address, Digest, Signature, StructHash, check, typed_digest},
    error::{Code, Error, Result},
    json::{Limits, Value, parse},
    plan::{is_title, read_title},
    receipt::{DOMAIN_SEPARATOR, read_instant, read_parsed, typed_data},
    rules::{Validity, Wanted},
    time::Timestamp,
};

/// The format of the signed document that this reader knows.
const FORMAT: &str = "counterfoil/evidence/0";

/// The EIP-712 type of a statement.
const TYPE: &str = "Evidence(bytes32 payer,address seller,string statement,uint64 issuedAt,\
uint64 expiresAt)";

/// keccak256 of [`TYPE`]; a test recomputes it.
const TYPE_HASH: [u8; 32] = [
    0xdd, 0x71, 0xae, 0x11, 0x1b, 0x7a, 0x84, 0xf6, 0xa4, 0x7a, 0xdc, 0x56, 0x5d, 0x3d, 0xe0, 0x47,
    0x83, 0xb3, 0xe4, 0xb2, 0x9b, 0x4c, 0x4d, 0x3d, 0xbd, 0x5b, 0xd3, 0xdc, 0x3f, 0x67, 0xd4, 0x2a,
];

/// What an attestor signs: that a statement is true of one payer, for one seller, until an instant.
///
/// Of what an attestor says about a statement the last counts: the latest `issued_at`. So evidence is
/// renewed by a later one, and revoked by a later one that has expired when it is issued.
///
/// ```
/// use counterfoil::{
///     Digest, LocalKey,
///     rules::{Evidence, VerifiedEvidence},
/// };
///
/// let attestor = LocalKey::from_bytes(&[7; 32])?;
/// let evidence = Evidence {
///     payer: Digest::new([1; 32]),
///     seller: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".parse()?,
///     statement: String::from("licence/speech-corpus"),
///     issued_at: "2026-11-02T00:00:00Z".parse()?,
///     expires_at: "2027-11-02T00:00:00Z".parse()?,
/// };
/// let signature = attestor.sign(&evidence.digest());
/// let verified = evidence.signed(attestor.address(), signature)?;
///
/// // The document travels to the payer, who shows it to the seller.
/// let document = verified.to_json();
/// assert_eq!(VerifiedEvidence::from_json(document.as_bytes())?, verified);
///
/// let other = document.replace("speech", "music");
/// let refused = VerifiedEvidence::from_json(other.as_bytes()).unwrap_err();
/// assert_eq!(refused.code().as_str(), "signature_wrong_key");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The payer, as the subscription's lane openings name it: an address's word, or the salted hash of
    /// an account.
    pub payer: Digest,
    /// The seller to whom it is said: the plan's authority.
    pub seller: Address,
    /// What is stated, by a name that the attestor gives it: 1 to 200 characters on one line.
    pub statement: String,
    /// When it was said. A later one takes the place of an earlier one.
    pub issued_at: Timestamp,
    /// The first instant at which it no longer counts. Equal to `issued_at`: it is revoked.
    pub expires_at: Timestamp,
}

/// Evidence with its attestor's signature, which was checked. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEvidence {
    evidence: Evidence,
    attestor: Address,
    signature: Signature,
}

impl Evidence {
    /// The EIP-712 digest that the attestor signs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = StructHash::new(&Digest::new(TYPE_HASH))
            .word(self.payer.bytes())
            .address(self.seller)
            .text(&self.statement)
            .u64(self.issued_at.millis())
            .u64(self.expires_at.millis())
            .finish();
        typed_digest(&Digest::new(DOMAIN_SEPARATOR), &hash)
    }

    /// The EIP-712 typed data as a JSON document, for an attestor that signs with a wallet.
    #[must_use]
    pub fn typed_data(&self) -> String {
        typed_data(TYPE, Value::object(self.members())).compact()
    }

    /// Checks the attestor's signature.
    ///
    /// # Errors
    /// `text_invalid` for a statement that is not 1 to 200 characters on one line, `time_invalid` if it
    /// expires before it is issued, `signature_wrong_key` and `signature_invalid`; each at the member of
    /// the document.
    pub fn signed(self, attestor: Address, signature: Signature) -> Result<VerifiedEvidence> {
        if !is_title(&self.statement) {
            return Err(Error::new(Code::TextInvalid)
                .at("/statement")
                .value(&self.statement)
                .because("1 to 200 characters on one line"));
        }
        if self.expires_at < self.issued_at {
            return Err(Error::new(Code::TimeInvalid)
                .at("/expiresAt")
                .value(self.expires_at)
                .because("evidence expires before it is issued"));
        }
        check(&self.digest(), &signature, attestor).map_err(|e| e.at("/signature"))?;
        Ok(VerifiedEvidence { evidence: self, attestor, signature })
    }

    fn members(&self) -> [(&'static str, Value); 5] {
        [
            ("payer", Value::from(self.payer.to_string())),
            ("seller", Value::from(self.seller.to_string())),
            ("statement", Value::from(self.statement.as_str())),
            ("issuedAt", Value::from(self.issued_at.millis().to_string())),
            ("expiresAt", Value::from(self.expires_at.millis().to_string())),
        ]
    }
}

impl VerifiedEvidence {
    /// Reads the signed document and checks the signature.
    ///
    /// # Errors
    /// `json_*` codes with the place, `bytes_version` for another format, the fields' own codes, and
    /// those of [`Evidence::signed`].
    pub fn from_json(bytes: &[u8]) -> Result<VerifiedEvidence> {
        let document = parse(bytes, &Limits::default())?;
        let mut fields = document.root().fields()?;
        let format = fields.required("format")?;
        if format.text()? != FORMAT {
            return Err(format.error(Code::BytesVersion));
        }
        let evidence = Evidence {
            payer: read_parsed(&fields.required("payer")?)?,
            seller: read_parsed(&fields.required("seller")?)?,
            statement: read_title(&fields.required("statement")?)?,
            issued_at: read_instant(&fields.required("issuedAt")?)?,
            expires_at: read_instant(&fields.required("expiresAt")?)?,
        };
        let attestor = read_parsed(&fields.required("attestor")?)?;
        let signature = read_parsed(&fields.required("signature")?)?;
        fields.finish()?;
        evidence.signed(attestor, signature)
    }

    /// The signed document.
    #[must_use]
    pub fn to_json(&self) -> String {
        let [payer, seller, statement, issued_at, expires_at] = self.evidence.members();
        Value::object([
            ("format", Value::from(FORMAT)),
            payer,
            seller,
            statement,
            issued_at,
            expires_at,
            ("attestor", Value::from(self.attestor.to_string())),
            ("signature", Value::from(self.signature.to_string())),
        ])
        .compact()
    }

    /// By what a clause asks for it.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { attestor: self.attestor, statement: self.evidence.statement.clone() }
    }

    pub(crate) fn validity(&self) -> Validity {
        let Evidence { issued_at, expires_at, .. } = self.evidence;
        Validity { issued_at, expires_at }
    }

    /// What is stated.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Who states it.
    #[must_use]
    pub fn attestor(&self) -> Address {
        self.attestor
    }

    /// The attestor's signature over [`Evidence::digest`].
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
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
