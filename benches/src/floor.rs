//! The floor of a call: the same bytes through the same hash functions, and nothing else.

use std::sync::Arc;

use counterfoil::entry::{Entry, ReceiptEntry};
use counterfoil::receipt::{Body, Item};
use counterfoil::{Digest, Usage};
use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

use crate::{Call, Host};

/// Every preimage of one authorise and settle in checkpoint mode, laid out one after the other.
#[derive(Debug)]
pub struct Hashing {
    bytes: Vec<u8>,
    /// Where each SHA-256 preimage ends.
    sha256: Vec<usize>,
    /// Where each Keccak-256 preimage ends; they follow those of SHA-256.
    keccak: Vec<usize>,
}

impl Hashing {
    /// The preimages of the host's last call.
    ///
    /// # Panics
    /// If root and digest made from them are not those of the receipt: the layout has changed, and
    /// this floor must follow.
    #[must_use]
    pub fn of(host: &Host, call: &Call) -> Hashing {
        let mut this = Hashing { bytes: Vec::new(), sha256: Vec::new(), keccak: Vec::new() };
        let receipt = &*call.receipt;
        // The request id is in both commands, and each hashes it.
        let id: &[&[u8]] = &[b"counterfoil/request/0\n", host.id().as_bytes()];
        assert_eq!(this.sha256(id), receipt.head.subject);
        this.sha256(id);
        // What tells a replay from a conflict: one hash over each command's quantities.
        let most = meters(host.most());
        let attributes: Vec<u8> = host.most().attributes().iter().flat_map(pair).collect();
        this.sha256(&[&most, &[0; 4], &attributes]);
        let surface = host.used().surface().as_str().as_bytes();
        this.sha256(&[&[0; 4], surface, &[0; 33], &meters(host.used())]);
        // The receipt's salt: key, lane, sequence.
        this.sha256(&[&[0; 32], &[0; 32], &[0; 8]]);
        assert_eq!(this.body(receipt), receipt.head.body, "the floor's body");
        // The log: a leaf, and one node on average.
        this.sha256(&[&[0], receipt.digest.bytes()]);
        this.sha256(&[&[1], &[0; 64]]);
        this.head()
    }

    fn sha256(&mut self, parts: &[&[u8]]) -> Digest {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.sha256.push(self.bytes.len());
        Digest::new(Sha256::digest(&self.bytes[start..]).into())
    }

    /// Leaves with their salts, and the nodes above them.
    fn body(&mut self, receipt: &ReceiptEntry) -> Digest {
        let body = &receipt.body;
        let mut salts = [0; 32];
        let mut level = Vec::new();
        for (index, item) in body.items.iter().enumerate() {
            if index % 2 == 0 {
                let number = u32::try_from(index / 2).expect("few items").to_be_bytes();
                salts = *self.sha256(&[body.salt.bytes(), &number]).bytes();
            }
            let half = &salts[index % 2 * 16..][..16];
            let place = [index, body.items.len()].map(|n| u16::try_from(n).expect("few items"));
            let place = place.map(u16::to_be_bytes).concat();
            let leaf = self.sha256(&[&[0], &place, half, &item_bytes(receipt, item)]);
            level.push(leaf);
        }
        // RFC 6962 pairs from the left; an odd one rises.
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => self.sha256(&[&[1], left.bytes(), right.bytes()]),
                    _ => pair[0],
                })
                .collect();
        }
        level[0]
    }

    /// The head: type hash and eleven words, then prefix, domain separator and struct hash. The time
    /// of Keccak-256 depends on the length alone.
    fn head(mut self) -> Hashing {
        for length in [12 * 32, 2 + 2 * 32] {
            self.bytes.resize(self.bytes.len() + length, 0x5a);
            self.keccak.push(self.bytes.len());
        }
        self
    }

    /// Hashes everything once. The result keeps a compiler from leaving any of it out.
    #[must_use]
    pub fn run(&self) -> [u8; 32] {
        let (mut start, mut all) = (0, [0; 32]);
        let mut mix = |digest: [u8; 32]| all.iter_mut().zip(digest).for_each(|(a, d)| *a ^= d);
        for end in &self.sha256 {
            mix(Sha256::digest(&self.bytes[start..*end]).into());
            start = *end;
        }
        for end in &self.keccak {
            mix(Keccak256::digest(&self.bytes[start..*end]).into());
            start = *end;
        }
        all
    }

    /// How many digests, and over how many bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.sha256.len() + self.keccak.len(), self.bytes.len())
    }
}

fn meters(usage: &Usage) -> Vec<u8> {
    usage
        .iter()
        .flat_map(|(meter, quantity)| [&[0; 4], meter.as_bytes(), &quantity.to_be_bytes()].concat())
        .collect()
}

fn pair((name, value): (&String, &String)) -> Vec<u8> {
    [&[0; 4], name.as_bytes(), &[0; 4], value.as_bytes()].concat()
}

/// The binary form of one item: the entry of a receipt that holds it alone, less what stands around.
fn item_bytes(receipt: &ReceiptEntry, item: &Item) -> Vec<u8> {
    let entry = |items| {
        let body = Body { salt: receipt.body.salt, items };
        Entry::Receipt(Arc::new(ReceiptEntry { body, import: None, ..receipt.clone() })).to_bytes()
    };
    let (empty, one) = (entry(Vec::new()).len(), entry(vec![item.clone()]));
    // The last byte says that there is no import mark.
    one[empty - 1..one.len() - 1].to_vec()
}
