//! The settlement contract: where it is, its typed-data domain, and the errors it reverts with.

use core::fmt;

use crate::crypto::{Address, Digest, Domain, StructHash, type_hash, typed_digest};

/// Where `x402BatchSettlement` is deployed: the same address on every network.
pub const X402_BATCH_SETTLEMENT: Address = Address::new([
    0x40, 0x20, 0x07, 0x4e, 0x9d, 0xf2, 0xce, 0x1d, 0xee, 0x5a, //
    0x9c, 0x1b, 0x5c, 0x3f, 0x54, 0x1d, 0x02, 0xa1, 0x00, 0x03,
]);

/// One deployment of the settlement contract.
///
/// Holds its domain separator and type hashes, so that digests cost their own hashing only: make it
/// once and keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    chain_id: u64,
    address: Address,
    separator: Digest,
    pub(super) types: TypeHashes,
}

/// The hashes of the contract's struct types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeHashes {
    pub(super) channel_config: Digest,
    pub(super) voucher: Digest,
    pub(super) refund: Digest,
    pub(super) claim_entry: Digest,
    pub(super) claim_batch: Digest,
}

impl Contract {
    /// The contract at this address on the network of this chain id (EIP-155).
    #[must_use]
    pub fn new(chain_id: u64, address: Address) -> Self {
        let domain = Domain::new("x402 Batch Settlement", "1")
            .chain_id(chain_id)
            .verifying_contract(address);
        let types = TypeHashes {
            channel_config: type_hash(
                "ChannelConfig(address payer,address payerAuthorizer,address receiver,\
                 address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)",
            ),
            voucher: type_hash("Voucher(bytes32 channelId,uint128 maxClaimableAmount)"),
            refund: type_hash("Refund(bytes32 channelId,uint256 nonce,uint128 amount)"),
            claim_entry: type_hash(
                "ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)",
            ),
            claim_batch: type_hash(
                "ClaimBatch(ClaimEntry[] claims)\
                 ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)",
            ),
        };
        Contract { chain_id, address, separator: domain.separator(), types }
    }

    /// The deployed contract ([`X402_BATCH_SETTLEMENT`]) on the network of this chain id.
    #[must_use]
    pub fn deployed(chain_id: u64) -> Self {
        Contract::new(chain_id, X402_BATCH_SETTLEMENT)
    }

    /// The network's chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The contract's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// The separator of the contract's EIP-712 domain.
    #[must_use]
    pub fn separator(&self) -> &Digest {
        &self.separator
    }

    pub(super) fn typed_digest(&self, fields: StructHash) -> Digest {
        typed_digest(&self.separator, &fields.finish())
    }
}

/// The errors with which the contract would revert a claim.
///
/// A high `s`, a `v` other than 27 and 28 or another length than 65 bytes would revert too; a
/// [`Signature`](crate::Signature) cannot have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContractError {
    /// The row claims more than its voucher promises.
    ClaimExceedsCeiling,
    /// The row claims more than the channel holds.
    ClaimExceedsBalance,
    /// No key could have made the voucher's signature.
    EcdsaInvalidSignature,
    /// The voucher is signed by another key than the channel's, or refused by the payer's account.
    InvalidSignature,
    /// The channel names nobody as payer, receiver, receiver authorizer or token. The contract
    /// refuses its deposit with this error, so it holds nothing.
    InvalidChannel,
    /// The channel's withdrawal delay is outside [`WITHDRAW_DELAY`](super::WITHDRAW_DELAY). The
    /// contract refuses its deposit with this error, so it holds nothing.
    WithdrawDelayOutOfRange,
    /// The total of the row's receiver and token would pass `u128::MAX` (Solidity's panic 0x11).
    ArithmeticOverflow,
}

impl ContractError {
    /// The name in the contract's ABI.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ContractError::ClaimExceedsCeiling => "ClaimExceedsCeiling",
            ContractError::ClaimExceedsBalance => "ClaimExceedsBalance",
            ContractError::EcdsaInvalidSignature => "ECDSAInvalidSignature",
            ContractError::InvalidSignature => "InvalidSignature",
            ContractError::InvalidChannel => "InvalidChannel",
            ContractError::WithdrawDelayOutOfRange => "WithdrawDelayOutOfRange",
            ContractError::ArithmeticOverflow => "Panic",
        }
    }

    /// The first four bytes of the revert data.
    #[must_use]
    pub const fn selector(self) -> [u8; 4] {
        match self {
            ContractError::ClaimExceedsCeiling => [0xf1, 0x78, 0x97, 0x75],
            ContractError::ClaimExceedsBalance => [0x7d, 0x82, 0x42, 0xb6],
            ContractError::EcdsaInvalidSignature => [0xf6, 0x45, 0xee, 0xdf],
            ContractError::InvalidSignature => [0x8b, 0xaa, 0x57, 0x9f],
            ContractError::InvalidChannel => [0xea, 0x3a, 0x9a, 0x39],
            ContractError::WithdrawDelayOutOfRange => [0x45, 0x74, 0xfa, 0xb6],
            ContractError::ArithmeticOverflow => [0x4e, 0x48, 0x7b, 0x71],
        }
    }
}

/// The name and the selector, such as `ClaimExceedsCeiling 0xf1789775`.
impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 0x{:x}", self.name(), base16ct::HexDisplay(&self.selector()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keccak256;
    use alloc::{format, string::ToString};

    #[test]
    fn selectors_are_the_hashes_of_the_names() {
        use ContractError as E;
        for error in [
            E::ClaimExceedsCeiling,
            E::ClaimExceedsBalance,
            E::EcdsaInvalidSignature,
            E::InvalidSignature,
            E::InvalidChannel,
            E::WithdrawDelayOutOfRange,
        ] {
            let signature = format!("{}()", error.name());
            assert_eq!(
                error.selector(),
                keccak256(&[signature.as_bytes()]).bytes()[..4],
                "{error}"
            );
        }
        assert_eq!(E::ArithmeticOverflow.selector(), keccak256(&[b"Panic(uint256)"]).bytes()[..4]);
        assert_eq!(E::ClaimExceedsBalance.to_string(), "ClaimExceedsBalance 0x7d8242b6");
    }

    #[test]
    fn the_address_is_the_deployed_one() {
        let text = "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003";
        assert_eq!(X402_BATCH_SETTLEMENT.to_string(), text);
    }
}
