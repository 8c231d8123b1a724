//! Hashes, EIP-712 typed data, and secp256k1 signatures as Ethereum writes them.

mod address;
mod eip712;
mod hash;
mod key;
mod signature;

pub use address::Address;
pub use eip712::{Domain, StructHash, type_hash, typed_digest};
pub use hash::{Digest, Sha256, keccak256, sha256};
#[allow(unused_imports, reason = "used by rooms that are about to land")]
pub(crate) use hash::{parse_hex, write_hex};
pub use key::LocalKey;
pub use signature::{Signature, check, recover};
