//! The binary forms' alphabet: big-endian integers, length-prefixed bytes, bounded readers.
//!
//! A writer cannot fail; a reader refuses what ends too early and, through [`Reader::finish`], what
//! goes on too long. Lengths and counts are `u32` and are checked against what is left *before*
//! anything is allocated.

use alloc::{string::String, vec::Vec};

use crate::error::{Code, Error, Result};

/// Appends fields to a buffer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Writer(Vec::new())
    }

    pub(crate) fn with_capacity(n: usize) -> Self {
        Writer(Vec::with_capacity(n))
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, v: u8) -> &mut Self {
        self.0.push(v);
        self
    }

    pub(crate) fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_be_bytes())
    }

    pub(crate) fn u128(&mut self, v: u128) -> &mut Self {
        self.raw(&v.to_be_bytes())
    }

    /// A count or length. What this crate builds never has more than `u32::MAX` parts: readers and
    /// plans bound them far below.
    pub(crate) fn count(&mut self, n: usize) -> &mut Self {
        self.u32(u32::try_from(n).unwrap_or(u32::MAX))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn flag(&mut self, v: bool) -> &mut Self {
        self.u8(u8::from(v))
    }
}

/// Takes fields from a slice.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    all: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, all: bytes.len() }
    }

    fn position(&self) -> usize {
        self.all.saturating_sub(self.rest.len())
    }

    /// The error for malformed bytes at the current position.
    pub(crate) fn malformed(&self, why: &'static str) -> Error {
        Error::new(Code::BytesInvalid).because(why).at(alloc::format!("byte {}", self.position()))
    }

    pub(crate) fn raw(&mut self, n: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.malformed("ends too early")),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.malformed("ends too early")),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128> {
        self.array().map(u128::from_be_bytes)
    }

    /// A count of items that take at least `least` bytes each: refused when they cannot be there.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize> {
        let n = usize::try_from(self.u32()?).map_err(|_| self.malformed("count too large"))?;
        match n.checked_mul(least.max(1)) {
            Some(need) if need <= self.rest.len() => Ok(n),
            _ => Err(self.malformed("count too large")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.count(1)?;
        self.raw(n)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let bytes = self.bytes()?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(String::from(text)),
            Err(_) => Err(self.malformed("text is not utf-8")),
        }
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("flag is neither 0 nor 1")),
        }
    }

    /// Refuses bytes after the last field.
    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed("goes on too long")) }
    }
}
