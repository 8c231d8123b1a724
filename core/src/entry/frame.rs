//! The framing of entries in a ledger file, and the rule that tells a torn write from damage.
//!
//! A frame is length `u32` ‖ index `u64` ‖ CRC-32 `u32` ‖ payload, integers big-endian. The length is
//! that of the payload, the index the position of the entry in the ledger from 0, and the checksum
//! (CRC-32/ISO-HDLC) covers length, index and payload. An entry is never empty, so a run of zeros,
//! which a file system may leave after a crash, is never a frame.

use alloc::vec::Vec;

use crate::codec::Reader;
use crate::error::{Code, Error, Result};

/// The bytes of a frame before its payload.
pub const HEADER: usize = 16;

/// The longest payload: 16 MiB.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// What stands at the start of some bytes of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// A whole frame.
    Frame {
        /// The entry.
        payload: &'a [u8],
        /// The length of the frame, header included.
        len: usize,
    },
    /// Nothing: the ledger ends here.
    End,
    /// Fewer bytes than the frame says it has.
    Torn,
}

/// Appends the frame of the entry at `index`.
///
/// # Errors
/// [`Code::BytesInvalid`] if the payload is empty or longer than [`MAX_PAYLOAD`]; `out` is unchanged.
pub fn write(out: &mut Vec<u8>, index: u64, payload: &[u8]) -> Result<()> {
    let length = match u32::try_from(payload.len()) {
        Ok(length) if allowed(payload.len()) => length,
        _ => return Err(Error::new(Code::BytesInvalid).because("an entry has 1 byte to 16 MiB")),
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&checksum(length, index, payload).to_be_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Reads the frame at the start of `bytes`, which must be the entry at `index`.
///
/// # Errors
/// [`Code::LedgerCorrupt`] if length, index or checksum is wrong. At the end of a ledger this may
/// still be a torn write: see [`is_torn`].
pub fn read(bytes: &[u8], index: u64) -> Result<Read<'_>> {
    let Some(header) = Header::of(bytes) else {
        return Ok(if bytes.is_empty() { Read::End } else { Read::Torn });
    };
    let corrupt = |why| Error::new(Code::LedgerCorrupt).because(why);
    if !allowed(header.length()) {
        return Err(corrupt("impossible frame length").value(header.length));
    }
    if header.index != index {
        return Err(corrupt("frame of another entry").value(header.index));
    }
    match header.payload(bytes) {
        None => Ok(Read::Torn),
        Some(payload) if header.fits(payload) => {
            Ok(Read::Frame { payload, len: HEADER.saturating_add(payload.len()) })
        }
        Some(_) => Err(corrupt("checksum differs")),
    }
}

/// The length, header included, that the frame at the start of `bytes` says it has; none if the
/// header is cut off or the length impossible. For a reader that must know how much to read.
#[must_use]
pub fn claimed_len(bytes: &[u8]) -> Option<usize> {
    let length = Header::of(bytes)?.length();
    allowed(length).then(|| HEADER.saturating_add(length))
}

/// Whether `tail`, the rest of a ledger from its first frame that does not [`read`] as the entry at
/// `index`, is what an interrupted write leaves behind.
///
/// It is if nothing or only zeros follow that frame, where all of the frame beyond some byte may be
/// missing, or zeros, or in a complete frame wrong. It is not if a later whole frame stands in the
/// tail: then something was damaged that had been written in full, and nothing may be cut off.
#[must_use]
pub fn is_torn(tail: &[u8], index: u64) -> bool {
    let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    if written < HEADER {
        return true;
    }
    let Some(header) = Header::of(tail) else { return true };
    if !allowed(header.length()) || header.index != index {
        return false;
    }
    let end = HEADER.saturating_add(header.length());
    written <= end && !holds_a_frame(tail, index)
}

/// Whether a whole frame of the entry at `index` or one of those that may follow it stands anywhere
/// in the tail. Checksums are computed over 8 times the tail at most; beyond that, the answer is the
/// safe one, yes.
fn holds_a_frame(tail: &[u8], index: u64) -> bool {
    let frames = u64::try_from(tail.len() / HEADER).unwrap_or(u64::MAX);
    let plausible = index..=index.saturating_add(frames);
    let mut budget = tail.len().saturating_mul(8);
    for start in 0..tail.len() {
        let bytes = tail.get(start..).unwrap_or_default();
        let Some(header) = Header::of(bytes) else { break };
        if !plausible.contains(&header.index) || !allowed(header.length()) {
            continue;
        }
        let Some(payload) = header.payload(bytes) else { continue };
        if header.fits(payload) {
            return true;
        }
        match budget.checked_sub(payload.len()) {
            Some(left) => budget = left,
            None => return true,
        }
    }
    false
}

struct Header {
    length: u32,
    index: u64,
    checksum: u32,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes);
        Some(Header {
            length: fields.u32().ok()?,
            index: fields.u64().ok()?,
            checksum: fields.u32().ok()?,
        })
    }

    fn length(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// The payload behind this header, if it is all there.
    fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(HEADER..)?.get(..self.length())
    }

    fn fits(&self, payload: &[u8]) -> bool {
        checksum(self.length, self.index, payload) == self.checksum
    }
}

fn allowed(length: usize) -> bool {
    (1..=MAX_PAYLOAD).contains(&length)
}

fn checksum(length: u32, index: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_be_bytes());
    crc.update(&index.to_be_bytes());
    crc.update(payload);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(payloads: &[Vec<u8>], first: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            write(&mut bytes, first + i as u64, payload).unwrap();
        }
        bytes
    }

    /// Reads whole frames; the rest, and the index it would have.
    fn read_all(mut bytes: &[u8], first: u64) -> (Vec<Vec<u8>>, &[u8], u64) {
        let mut payloads = Vec::new();
        let mut index = first;
        while let Ok(Read::Frame { payload, len }) = read(bytes, index) {
            payloads.push(payload.to_vec());
            bytes = &bytes[len..];
            index += 1;
        }
        (payloads, bytes, index)
    }

    #[test]
    fn layout() {
        let mut bytes = Vec::new();
        write(&mut bytes, 0x0102, b"abc").unwrap();
        let crc = crc32fast::hash(b"\0\0\0\x03\0\0\0\0\0\0\x01\x02abc").to_be_bytes();
        assert_eq!(bytes, [b"\0\0\0\x03\0\0\0\0\0\0\x01\x02", &crc[..], b"abc"].concat());
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert!(write(&mut bytes, 0, b"").is_err());
        assert!(write(&mut bytes, 0, &alloc::vec![1; MAX_PAYLOAD + 1]).is_err());
        assert_eq!(bytes.len(), 19);
        assert_eq!(claimed_len(&bytes), Some(19));
        assert_eq!(read(&[], 7), Ok(Read::End));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            first in 0..u64::MAX - 6,
        ) {
            let bytes = framed(&payloads, first);
            let (read, rest, _) = read_all(&bytes, first);
            prop_assert_eq!(read, payloads);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn a_cut_is_torn_with_zeros_behind_it_too(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..6),
            cut in any::<prop::sample::Index>(), zeros in 0_usize..60,
        ) {
            let mut bytes = framed(&payloads, 5);
            bytes.truncate(cut.index(bytes.len()));
            bytes.resize(bytes.len() + zeros, 0);
            let (whole, rest, index) = read_all(&bytes, 5);
            prop_assert_eq!(&whole[..], &payloads[..whole.len()]);
            prop_assert!(rest.is_empty() || is_torn(rest, index));
        }

        #[test]
        fn a_changed_bit_is_found_and_never_torn_while_a_later_frame_stands(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 2..6),
            at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let mut bytes = framed(&payloads, 5);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let (whole, rest, index) = read_all(&bytes, 5);
            prop_assert!(whole.len() < payloads.len());
            if whole.len() + 1 < payloads.len() {
                prop_assert!(!is_torn(rest, index));
            }
        }

        #[test]
        fn junk_is_judged_without_a_panic(
            junk in prop::collection::vec(any::<u8>(), 0..200), index in any::<u64>(),
        ) {
            let _ = (read(&junk, index).is_ok(), is_torn(&junk, index), claimed_len(&junk));
        }
    }
}
