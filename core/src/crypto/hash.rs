//! SHA-256 (FIPS 180-4) for everything of our own, Keccak-256 only where Ethereum needs it.

use alloc::string::String;
use core::{cmp::Ordering, fmt, str::FromStr};

use sha2::Digest as _;

use crate::error::{Code, Error, Result};

/// A 32-byte hash, written `0x` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// The order of the bytes. Digests nearly always differ in the first eight: maps of them are searched
/// by one comparison of integers for each key.
impl Ord for Digest {
    fn cmp(&self, other: &Self) -> Ordering {
        let first = |digest: &Digest| digest.0.first_chunk().copied().map(u64::from_be_bytes);
        first(self).cmp(&first(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

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
    short_sha256(parts).unwrap_or_else(|| {
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Digest(hasher.finalize().into())
    })
}

/// SHA-256 of a message that fits two blocks with its padding, as nearly all that is hashed here does:
/// laid out as blocks at once, without the hasher's buffer between.
fn short_sha256(parts: &[&[u8]]) -> Option<Digest> {
    /// The initial state (FIPS 180-4, 5.3.3).
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut blocks = [[0; 64]; 2];
    let mut free = blocks.as_flattened_mut();
    let mut bits = 0u64;
    for part in parts {
        let (room, rest) = free.split_at_mut_checked(part.len())?;
        room.copy_from_slice(part);
        free = rest;
        bits = bits.checked_add(u64::try_from(part.len()).ok()?.checked_mul(8)?)?;
    }
    // The padding (5.1.1): a one bit, zeros, and the length in the last eight bytes of a block.
    *free.first_mut()? = 0x80;
    let blocks = match free.len() {
        0..9 => return None,
        9..73 => &mut blocks[..],
        _ => blocks.get_mut(..1)?,
    };
    *blocks.as_flattened_mut().last_chunk_mut()? = bits.to_be_bytes();
    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, blocks);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Some(Digest(digest))
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
    fn the_order_is_that_of_the_bytes() {
        for (place, byte) in [(0, 1), (7, 1), (8, 0x80), (31, 0xff)] {
            let mut bytes = [0x42; 32];
            let less = Digest(bytes);
            bytes[place] = bytes[place].max(byte) + u8::from(byte < 0x42);
            assert!(less < Digest(bytes) && less.bytes() < &bytes, "byte {place}");
            assert_eq!(less.cmp(&less), Ordering::Equal);
        }
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
