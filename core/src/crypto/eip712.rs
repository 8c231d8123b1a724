//! Typed data as EIP-712 hashes it: domain, struct hash, digest to sign.

use sha3::{Digest as _, Keccak256};

use super::{
    address::Address,
    hash::{Digest, keccak256},
};

/// The type hash of a type string such as `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`.
/// It never changes: compute it once and keep it.
#[must_use]
pub fn type_hash(type_string: &str) -> Digest {
    keccak256(&[type_string.as_bytes()])
}

/// Where signatures are valid: the application, its version and, where it has one, its chain and
/// contract. A signature for one domain is void in every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    name: Digest,
    version: Digest,
    chain_id: Option<u64>,
    verifying_contract: Option<Address>,
}

impl Domain {
    /// A domain with a name and a version only.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Domain {
            name: keccak256(&[name.as_bytes()]),
            version: keccak256(&[version.as_bytes()]),
            chain_id: None,
            verifying_contract: None,
        }
    }

    /// Binds the domain to a chain (EIP-155).
    #[must_use]
    pub fn chain_id(mut self, chain_id: u64) -> Self {
        self.chain_id = Some(chain_id);
        self
    }

    /// Binds the domain to the contract that verifies.
    #[must_use]
    pub fn verifying_contract(mut self, contract: Address) -> Self {
        self.verifying_contract = Some(contract);
        self
    }

    /// The domain separator: the struct hash of the fields that are there. It never changes:
    /// compute it once and keep it.
    #[must_use]
    pub fn separator(&self) -> Digest {
        let mut type_string = Keccak256::new();
        type_string.update("EIP712Domain(string name,string version");
        if self.chain_id.is_some() {
            type_string.update(",uint256 chainId");
        }
        if self.verifying_contract.is_some() {
            type_string.update(",address verifyingContract");
        }
        type_string.update(")");
        let mut fields = StructHash::new(&Digest::new(type_string.finalize().into()))
            .word(self.name.bytes())
            .word(self.version.bytes());
        if let Some(chain_id) = self.chain_id {
            fields = fields.u64(chain_id);
        }
        if let Some(contract) = self.verifying_contract {
            fields = fields.address(contract);
        }
        fields.finish()
    }
}

/// Hashes the fields of a struct, in the order of its type string: `keccak256(typeHash ‖ fields)`.
///
/// Allocates nothing. The caller answers for order and number of the fields: they cannot be
/// checked against the type hash.
#[derive(Clone, Debug)]
pub struct StructHash(Keccak256);

impl StructHash {
    /// Starts with the hash of the type string: see [`type_hash`].
    #[must_use]
    pub fn new(type_hash: &Digest) -> Self {
        StructHash(Keccak256::new()).word(type_hash.bytes())
    }

    /// A field of one whole word: `bytes32`, the struct hash of a nested struct, or the Keccak-256
    /// of an array or of bytes.
    #[must_use]
    pub fn word(mut self, word: &[u8; 32]) -> Self {
        self.0.update(word);
        self
    }

    /// An `address`.
    #[must_use]
    pub fn address(self, address: Address) -> Self {
        self.word(&address.word())
    }

    /// An unsigned integer type of 128 bits or more.
    #[must_use]
    pub fn u128(mut self, value: u128) -> Self {
        self.0.update([0; 16]);
        self.0.update(value.to_be_bytes());
        self
    }

    /// An unsigned integer type of 64 bits or more, or a smaller one that the value fits.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.u128(u128::from(value))
    }

    /// A `uint8`.
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.u128(u128::from(value))
    }

    /// A `string`: its Keccak-256 over the UTF-8 bytes.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.word(keccak256(&[text.as_bytes()]).bytes())
    }

    /// The struct hash.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest::new(self.0.finalize().into())
    }
}

/// The digest to sign: `keccak256(0x1901 ‖ separator ‖ structHash)`.
#[must_use]
pub fn typed_digest(separator: &Digest, struct_hash: &Digest) -> Digest {
    keccak256(&[&[0x19, 0x01], separator.bytes(), struct_hash.bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{LocalKey, Signature, check};
    use alloc::string::ToString;

    fn person(name: &str, wallet: &str) -> Digest {
        StructHash::new(&type_hash("Person(string name,address wallet)"))
            .text(name)
            .address(wallet.parse().unwrap())
            .finish()
    }

    /// The example of the EIP: Cow writes to Bob.
    #[test]
    fn mail_of_the_eip() {
        let separator = Domain::new("Ether Mail", "1")
            .chain_id(1)
            .verifying_contract("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC".parse().unwrap())
            .separator();
        assert_eq!(
            separator.to_string(),
            "0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
        );
        let mail = type_hash(
            "Mail(Person from,Person to,string contents)Person(string name,address wallet)",
        );
        let hash = StructHash::new(&mail)
            .word(person("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826").bytes())
            .word(person("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB").bytes())
            .text("Hello, Bob!")
            .finish();
        let digest = typed_digest(&separator, &hash);
        assert_eq!(
            digest.to_string(),
            "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
        );

        let key = LocalKey::from_bytes(keccak256(&[b"cow"]).bytes()).unwrap();
        assert_eq!(key.address().to_string(), "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
        let signature: Signature =
            "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d\
             07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
                .parse()
                .unwrap();
        assert_eq!(key.sign(&digest), signature);
        check(&digest, &signature, key.address()).unwrap();
    }

    #[test]
    fn every_choice_of_domain_fields_differs() {
        let bare = Domain::new("a", "1");
        let chain = bare.chain_id(0);
        let contract = bare.verifying_contract(Address::ZERO);
        let both = chain.verifying_contract(Address::ZERO);
        let mut separators = [bare, chain, contract, both].map(|d| d.separator());
        separators.sort();
        assert!(separators.windows(2).all(|w| w[0] != w[1]));
    }

    #[test]
    fn integers_are_left_padded_words() {
        let mut word = [0; 32];
        word[31] = 9;
        let typed = type_hash("T(uint256 x)");
        let expected = StructHash::new(&typed).word(&word).finish();
        assert_eq!(StructHash::new(&typed).u8(9).finish(), expected);
        assert_eq!(StructHash::new(&typed).u64(9).finish(), expected);
        assert_eq!(StructHash::new(&typed).u128(9).finish(), expected);
        assert_eq!(
            typed.bytes()[..],
            keccak256(&[b"T(uint256 x)"]).bytes()[..],
            "the type hash is the hash of the string"
        );
    }
}
