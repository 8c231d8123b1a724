//! Hashes, EIP-712 typed data, and secp256k1 signatures as Ethereum writes them.

mod hash;

pub use hash::{Digest, Sha256, keccak256, sha256};
