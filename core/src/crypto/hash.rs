//! SHA-256 (FIPS 180-4) for everything of our own, Keccak-256 only where Ethereum needs it.

use alloc::string::String;
use core::{fmt, str::FromStr};

use sha2::Digest as _;

use crate::error::{Code, Error, Result};

/// A 32-byte hash, written `0x` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// 32 zero bytes: "none" where a field may be absent.
    pub const ZERO: Digest = Digest([0; 32]);

    /// Wraps 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether all bytes are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 32]
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `0x` and exactly 64 hexadecimal digits of either case.
impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_hex(text).map(Digest)
    }
}

#[cfg(feature = "serde")]
crate::serde_text::as_text!(Digest, "0x and 64 hexadecimal digits");

/// `0x` and exactly `2 N` hexadecimal digits of either case.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N]> {
    let refused = || Error::new(Code::HexInvalid).value(text);
    let digits = text.strip_prefix("0x").ok_or_else(refused)?;
    let mut bytes = [0; N];
    match base16ct::mixed::decode(digits, &mut bytes) {
        Ok(read) if read.len() == N => Ok(bytes),
        _ => Err(refused().because("length or alphabet is wrong")),
    }
}

/// `0x` and lower-case hexadecimal digits.
#[allow(dead_code, reason = "used by rooms that are about to land")]
pub(crate) fn write_hex(bytes: &[u8]) -> String {
    alloc::format!("0x{:x}", base16ct::HexDisplay(bytes))
}

/// SHA-256 over the parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Digest {
    // Nearly all that is hashed here is short. Laid out in one piece it is hashed from where it lies,
    // without the hasher's own buffer between: a quarter faster.
    let mut short = [0; 128];
    let mut free = &mut short[..];
    for part in parts {
        let Some((room, rest)) = free.split_at_mut_checked(part.len()) else {
            return sha256_long(parts);
        };
        room.copy_from_slice(part);
        free = rest;
    }
    let unused = free.len();
    let used = short.len().saturating_sub(unused);
    Digest(sha2::Sha256::digest(short.get(..used).unwrap_or_default()).into())
}

fn sha256_long(parts: &[&[u8]]) -> Digest {
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// Keccak-256 as Ethereum uses it (not SHA3-256) over the parts, one after the other.
#[must_use]
pub fn keccak256(parts: &[&[u8]]) -> Digest {
    let mut hasher = sha3::Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// SHA-256 of bytes that arrive piece by piece; the digest so far can be read at any time.
#[derive(Clone, Debug, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything so far; more may follow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn known_answers_and_round_trip() {
        assert_eq!(
            sha256(&[b"ab", b"c"]).to_string(),
            "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            keccak256(&[]).to_string(),
            "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        let d = sha256(&[b"x"]);
        assert_eq!(d.to_string().parse::<Digest>().unwrap(), d);
        assert!("0x12".parse::<Digest>().is_err());
        let mut running = Sha256::new();
        running.update(b"ab");
        running.update(b"c");
        assert_eq!(running.digest(), sha256(&[b"abc"]));
    }

    #[test]
    fn parts_are_hashed_as_one_whatever_their_lengths() {
        let bytes = [0x5a; 200];
        for length in 0..=bytes.len() {
            let whole = Digest(sha2::Sha256::digest(&bytes[..length]).into());
            for split in [0, 1, length / 2, length] {
                let (left, right) = bytes[..length].split_at(split.min(length));
                assert_eq!(sha256(&[left, &[], right]), whole, "{split} of {length}");
            }
        }
    }
}
