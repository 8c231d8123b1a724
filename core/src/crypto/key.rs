//! A signing key held in memory.

use core::fmt;

use k256::ecdsa::SigningKey;

use super::{
    address::Address,
    hash::Digest,
    signature::{Signature, address_of},
};
use crate::error::{Code, Error, Result};

/// A helper that answers sign requests at once, for hosts whose key may be in memory.
///
/// Signing is otherwise an effect: a wallet, an HSM or a platform key store answers the request.
/// The secret is wiped when the key is dropped, and is never printed.
pub struct LocalKey {
    key: SigningKey,
    address: Address,
}

impl LocalKey {
    /// Reads the secret scalar, big-endian.
    ///
    /// # Errors
    /// [`Code::KeyInvalid`] where it is zero or not below the order of secp256k1. The error does
    /// not show it.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self> {
        let key = SigningKey::from_slice(secret).map_err(|_| Error::new(Code::KeyInvalid))?;
        let address = address_of(key.verifying_key());
        Ok(LocalKey { key, address })
    }

    /// The address that this key's signatures recover to.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a digest. The nonce is that of RFC 6979 with SHA-256, so the same digest always gives
    /// the same signature; `s` is in the lower half.
    ///
    /// A nonce whose point has an abscissa of at least the curve's order (chance 2^-128) would need
    /// a `v` that Ethereum does not have; the signature then recovers to another address.
    #[must_use]
    pub fn sign(&self, digest: &Digest) -> Signature {
        let (signature, id) = self.key.sign_prehash_recoverable(digest.bytes());
        Signature::from_k256(&signature, id)
    }
}

/// Prints the address, never the secret.
impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn a_key_out_of_range_is_refused() {
        for bytes in [[0; 32], [0xff; 32]] {
            assert_eq!(LocalKey::from_bytes(&bytes).unwrap_err().code(), Code::KeyInvalid);
        }
    }

    #[test]
    fn the_address_is_known_and_the_secret_is_not_printed() {
        let mut secret = [0; 32];
        secret[31] = 1;
        let key = LocalKey::from_bytes(&secret).unwrap();
        assert_eq!(key.address().to_string(), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
        assert_eq!(format!("{key:?}"), "LocalKey(0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf)");
    }
}
