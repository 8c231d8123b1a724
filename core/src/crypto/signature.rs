//! Recoverable secp256k1 signatures in the 65-byte form that Ethereum contracts read.

use core::{fmt, str::FromStr};

use k256::ecdsa::{RecoveryId, VerifyingKey};

use super::{
    address::Address,
    hash::{Digest, keccak256, parse_hex},
};
use crate::error::{Code, Error, Result};

/// The order `n` of secp256k1 (SEC 2, 2.4.1), big-endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xfe, //
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// `n / 2` rounded down: the largest `s` in the lower half.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, //
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A well-formed signature: `r` (32 bytes), `s` (32 bytes), `v` (27 or 28).
///
/// `r` and `s` are neither zero nor as large as the order of the curve, and `s` is in the lower half
/// (EIP-2), so that a signature cannot be turned into a second one over the same digest. Contracts
/// that recover with OpenZeppelin's `ECDSA` accept exactly this form. Well-formed says nothing
/// about who signed: see [`recover`] and [`check`].
///
/// Written `0x` and 130 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 65]);

impl Signature {
    /// Reads the 65 bytes.
    ///
    /// # Errors
    /// [`Code::SignatureInvalid`], saying which part is out of its range.
    pub fn from_bytes(bytes: &[u8; 65]) -> Result<Self> {
        let signature = Signature(*bytes);
        let (r, s, v) = signature.parts();
        let refused = |why| Error::new(Code::SignatureInvalid).value(signature).because(why);
        let in_range = |scalar: &[u8; 32]| *scalar != [0; 32] && *scalar < ORDER;
        if v != 27 && v != 28 {
            Err(refused("v is neither 27 nor 28"))
        } else if !in_range(&r) {
            Err(refused("r is zero or not below the order of the curve"))
        } else if !in_range(&s) {
            Err(refused("s is zero or not below the order of the curve"))
        } else if s > HALF_ORDER {
            Err(refused("s is in the upper half"))
        } else {
            Ok(signature)
        }
    }

    /// The bytes: `r`, `s`, `v`.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// `r`, `s` and `v`.
    fn parts(&self) -> ([u8; 32], [u8; 32], u8) {
        let mut r = [0; 32];
        let mut s = [0; 32];
        let (scalars, v) = self.0.split_at(64);
        let (left, right) = scalars.split_at(32);
        r.copy_from_slice(left);
        s.copy_from_slice(right);
        (r, s, v.first().copied().unwrap_or_default())
    }

    /// What k256 made: its `s` is low by construction.
    pub(super) fn from_k256(signature: &k256::ecdsa::Signature, id: RecoveryId) -> Self {
        let mut bytes = [0; 65];
        let (scalars, v) = bytes.split_at_mut(64);
        scalars.copy_from_slice(&signature.to_bytes());
        v.fill(if id.is_y_odd() { 28 } else { 27 });
        Signature(bytes)
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `0x` and exactly 130 hexadecimal digits of either case ([`Code::HexInvalid`]), then checks
/// them as [`Signature::from_bytes`] does.
impl FromStr for Signature {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Signature::from_bytes(&parse_hex(text)?)
    }
}

/// The address whose key made this signature over this digest (SEC 1, 4.1.6).
///
/// Nearly every well-formed signature recovers to *some* address: compare it with the expected one,
/// or use [`check`].
///
/// # Errors
/// [`Code::SignatureInvalid`] where no key could have made it.
pub fn recover(digest: &Digest, signature: &Signature) -> Result<Address> {
    let refused =
        || Error::new(Code::SignatureInvalid).value(signature).because("no key could have made it");
    let (r, s, v) = signature.parts();
    let scalars = k256::ecdsa::Signature::from_scalars(r, s).map_err(|_| refused())?;
    VerifyingKey::recover_from_prehash(digest.bytes(), &scalars, RecoveryId::new(v == 28, false))
        .map(|key| address_of(&key))
        .map_err(|_| refused())
}

/// Refuses a signature that another key than `signer`'s made.
///
/// # Errors
/// [`Code::SignatureWrongKey`] with the address recovered; [`Code::SignatureInvalid`] as
/// [`recover`].
pub fn check(digest: &Digest, signature: &Signature, signer: Address) -> Result<()> {
    let recovered = recover(digest, signature)?;
    if recovered == signer {
        Ok(())
    } else {
        Err(Error::new(Code::SignatureWrongKey).value(recovered))
    }
}

/// The last 20 bytes of the Keccak-256 of the public key's two coordinates.
pub(super) fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    // The first byte says "uncompressed".
    let coordinates = point.as_bytes().get(1..).unwrap_or_default();
    let mut address = [0; 20];
    if let Some(tail) = keccak256(&[coordinates]).bytes().last_chunk() {
        address = *tail;
    }
    Address::new(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{LocalKey, keccak256};
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn signed() -> (Digest, Signature, Address) {
        let key = LocalKey::from_bytes(keccak256(&[b"cow"]).bytes()).unwrap();
        let digest = keccak256(&[b"message"]);
        (digest, key.sign(&digest), key.address())
    }

    /// `n - s`, which is the other `s` of the same signature.
    fn mirrored(s: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let mut borrow = 0;
        for i in (0..32).rev() {
            let d = i16::from(ORDER[i]) - i16::from(s[i]) - borrow;
            borrow = i16::from(d < 0);
            out[i] = u8::try_from(d.rem_euclid(256)).unwrap();
        }
        out
    }

    #[track_caller]
    fn refused(bytes: [u8; 65], part: &str) {
        let error = Signature::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.code(), Code::SignatureInvalid);
        assert!(error.detail().unwrap().starts_with(part), "{error}");
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        let (_, signature, _) = signed();
        let good = *signature.bytes();
        for v in [0, 1, 26, 29, 255] {
            let mut bytes = good;
            bytes[64] = v;
            refused(bytes, "v ");
        }
        for (at, part) in [(0, "r "), (32, "s ")] {
            let mut bytes = good;
            bytes[at..at + 32].fill(0);
            refused(bytes, part);
            bytes[at..at + 32].copy_from_slice(&ORDER);
            refused(bytes, part);
            bytes[at..at + 32].fill(0xff);
            refused(bytes, part);
        }
        // The largest values that are in range.
        let mut bytes = good;
        bytes[..32].copy_from_slice(&ORDER);
        bytes[31] -= 1;
        bytes[32..64].copy_from_slice(&HALF_ORDER);
        assert!(Signature::from_bytes(&bytes).is_ok());
        bytes[63] += 1;
        refused(bytes, "s is in the upper half");
    }

    #[test]
    fn the_mirrored_signature_is_refused() {
        let (_, signature, _) = signed();
        let mut bytes = *signature.bytes();
        let high = mirrored(&bytes[32..64]);
        bytes[32..64].copy_from_slice(&high);
        bytes[64] = 55 - bytes[64];
        refused(bytes, "s is in the upper half");
    }

    #[test]
    fn a_signature_no_key_could_have_made_is_an_error() {
        // x = 5 is not on the curve.
        let mut bytes = [0; 65];
        bytes[31] = 5;
        bytes[63] = 1;
        bytes[64] = 27;
        let signature = Signature::from_bytes(&bytes).unwrap();
        let error = recover(&keccak256(&[]), &signature).unwrap_err();
        assert_eq!(error.code(), Code::SignatureInvalid);
    }

    #[test]
    fn another_key_is_named() {
        let (digest, signature, signer) = signed();
        check(&digest, &signature, signer).unwrap();
        let error = check(&digest, &signature, Address::ZERO).unwrap_err();
        assert_eq!(error.code(), Code::SignatureWrongKey);
        assert_eq!(error.offending(), Some(signer.to_string().as_str()));
    }

    #[test]
    fn text_round_trip() {
        let (_, signature, _) = signed();
        assert_eq!(signature.to_string().parse::<Signature>().unwrap(), signature);
        assert_eq!("0x00".parse::<Signature>().unwrap_err().code(), Code::HexInvalid);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_a_key_signs_recovers_to_it_and_nothing_else_does(
            secret in prop::array::uniform32(1u8..), message: [u8; 32], other: [u8; 32]
        ) {
            let key = LocalKey::from_bytes(&secret);
            prop_assume!(key.is_ok());
            let key = key.unwrap();
            let digest = Digest::new(message);
            let signature = key.sign(&digest);
            prop_assert_eq!(Signature::from_bytes(signature.bytes()).unwrap(), signature);
            prop_assert_eq!(recover(&digest, &signature).unwrap(), key.address());
            prop_assert_eq!(key.sign(&digest), signature);
            prop_assume!(message != other);
            prop_assert!(check(&Digest::new(other), &signature, key.address()).is_err());
        }
    }
}
