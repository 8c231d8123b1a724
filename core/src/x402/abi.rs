//! The few shapes of the contract ABI that the settlement needs, by hand: 32-byte words.

use alloc::vec::Vec;

use crate::crypto::{Address, Signature};

/// Bytes of a word.
pub(super) const WORD: usize = 32;

/// A call's data: a four-byte selector, then words.
pub(super) struct Calldata(Vec<u8>);

impl Calldata {
    pub(super) fn new(selector: [u8; 4], words: usize) -> Self {
        let mut bytes = Vec::with_capacity(words.saturating_mul(WORD).saturating_add(4));
        bytes.extend_from_slice(&selector);
        Calldata(bytes)
    }

    pub(super) fn word(&mut self, word: &[u8; WORD]) -> &mut Self {
        self.0.extend_from_slice(word);
        self
    }

    pub(super) fn address(&mut self, address: Address) -> &mut Self {
        self.word(&address.word())
    }

    pub(super) fn u128(&mut self, value: u128) -> &mut Self {
        self.0.extend_from_slice(&[0; 16]);
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A length or offset.
    pub(super) fn size(&mut self, value: usize) -> &mut Self {
        // usize has at most 64 bits on every target.
        self.u128(u128::try_from(value).unwrap_or(u128::MAX))
    }

    /// The tail of a `bytes` that holds a signature: its length and three words.
    pub(super) fn signature(&mut self, signature: &Signature) -> &mut Self {
        self.size(signature.bytes().len());
        self.0.extend_from_slice(signature.bytes());
        self.0.extend_from_slice(&[0; 31]);
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}
