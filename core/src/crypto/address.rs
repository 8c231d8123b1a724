//! Ethereum addresses, written with the checksum of EIP-55.

use core::{fmt, str::FromStr};

use super::hash::{keccak256, parse_hex};
use crate::error::{Code, Error, Result};

/// The 20 bytes that name an account or a contract on an Ethereum network.
///
/// Written `0x` and 40 hexadecimal digits whose letter case is the checksum of EIP-55.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

impl Address {
    /// 20 zero bytes: "nobody" where a contract allows a field to be absent.
    pub const ZERO: Address = Address([0; 20]);

    /// Wraps 20 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 20]) -> Self {
        Address(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Whether all bytes are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }

    /// The address in a word of 32 bytes, if the word is one: its first 12 bytes are zero.
    #[must_use]
    pub fn from_word(word: &[u8; 32]) -> Option<Address> {
        let (padding, address) = word.split_first_chunk::<12>()?;
        (*padding == [0; 12]).then_some(Address(address.try_into().ok()?))
    }

    /// The 32-byte word of the ABI: twelve zero bytes, then the address.
    #[must_use]
    pub fn word(&self) -> [u8; 32] {
        let mut word = [0; 32];
        if let Some(tail) = word.last_chunk_mut() {
            *tail = self.0;
        }
        word
    }

    /// The 40 digits in the letter case of EIP-55: a letter is a capital where the Keccak-256 of
    /// the lower-case digits has a digit of 8 or more at the same position.
    fn checksummed(&self) -> [u8; 40] {
        let mut digits = [0; 40];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(&self.0) {
            pair.copy_from_slice(&[lower_digit(byte >> 4), lower_digit(byte & 15)]);
        }
        let hash = keccak256(&[&digits]);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.bytes()) {
            for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                if nibble >= 8 {
                    digit.make_ascii_uppercase();
                }
            }
        }
        digits
    }
}

fn lower_digit(nibble: u8) -> u8 {
    // A nibble is below 16, so nothing saturates.
    if nibble < 10 {
        b'0'.saturating_add(nibble)
    } else {
        b'a'.saturating_add(nibble.saturating_sub(10))
    }
}

impl AsRef<[u8]> for Address {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        // The digits are ASCII.
        f.write_str(core::str::from_utf8(&self.checksummed()).unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `0x` and exactly 40 hexadecimal digits. Letters of one case are accepted as they are;
/// mixed case must be the checksum of EIP-55, or the address was mistyped
/// ([`Code::HexInvalid`]).
impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let address = parse_hex(text).map(Address)?;
        let digits = text.as_bytes().iter().skip(2);
        let lower = digits.clone().any(u8::is_ascii_lowercase);
        let upper = digits.clone().any(u8::is_ascii_uppercase);
        if lower && upper && !digits.eq(&address.checksummed()) {
            return Err(Error::new(Code::HexInvalid)
                .value(text)
                .because("the checksum of eip-55 is wrong"));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;

    /// The test cases of EIP-55: all capitals, all lower case, normal.
    const CHECKSUMMED: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn checksums_are_those_of_the_eip() {
        for text in CHECKSUMMED {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_wrong_checksum_or_length_is_refused() {
        for text in [
            "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00",
            "0xg709f2102306220921060314715629080e2fb77d",
            "0X52908400098527886E0F7030069857D2E4169EE7",
            "0x52908400098527886E0F7030069857D2E4169E\u{e9}",
            "",
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().code(), Code::HexInvalid, "{text}");
        }
    }

    #[test]
    fn the_word_is_padded_on_the_left() {
        let word = Address::new([7; 20]).word();
        assert_eq!(word[..12], [0; 12]);
        assert_eq!(word[12..], [7; 20]);
        assert!(Address::ZERO.is_zero() && !Address::new([7; 20]).is_zero());
    }

    proptest! {
        #[test]
        fn every_letter_case_that_is_written_is_read(bytes: [u8; 20]) {
            let address = Address::new(bytes);
            let text = address.to_string();
            prop_assert_eq!(text.parse::<Address>().unwrap(), address);
            prop_assert_eq!(text.to_lowercase().parse::<Address>().unwrap(), address);
            let upper = format!("0x{}", text[2..].to_uppercase());
            prop_assert_eq!(upper.parse::<Address>().unwrap(), address);
        }
    }
}
