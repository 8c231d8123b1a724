//! A payment channel: who pays whom in which token, and the id that the contract knows it by.

use core::ops::RangeInclusive;

use super::contract::Contract;
use crate::crypto::{Address, Digest, StructHash, keccak256};
use crate::error::{Code, Error, Result};

/// The withdrawal delays that the contract accepts, in seconds: 15 minutes to 30 days.
pub const WITHDRAW_DELAY: RangeInclusive<u64> = 900..=2_592_000;

/// The immutable terms of a channel. On the wire: `channelConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelConfig {
    /// Whose deposit the channel holds.
    pub payer: Address,
    /// The key that signs vouchers; zero where the payer's account itself decides (EIP-1271).
    pub payer_authorizer: Address,
    /// Who is paid.
    pub receiver: Address,
    /// Who authorises claims and refunds; may be a contract.
    pub receiver_authorizer: Address,
    /// The ERC-20 token.
    pub token: Address,
    /// Seconds from a payer's announcement of a withdrawal to the withdrawal: [`WITHDRAW_DELAY`].
    pub withdraw_delay: u64,
    /// Tells channels of the same terms apart.
    pub salt: [u8; 32],
}

impl ChannelConfig {
    /// Refuses terms under which the contract would take no deposit.
    ///
    /// # Errors
    /// [`Code::VoucherInvalid`], naming the field.
    pub fn validate(&self) -> Result<()> {
        for (account, place) in [
            (self.payer, "/channelConfig/payer"),
            (self.receiver, "/channelConfig/receiver"),
            (self.receiver_authorizer, "/channelConfig/receiverAuthorizer"),
            (self.token, "/channelConfig/token"),
        ] {
            if account.is_zero() {
                return Err(Error::new(Code::VoucherInvalid)
                    .at(place)
                    .because("the address is zero"));
            }
        }
        if !WITHDRAW_DELAY.contains(&self.withdraw_delay) {
            return Err(Error::new(Code::VoucherInvalid)
                .at("/channelConfig/withdrawDelay")
                .value(self.withdraw_delay)
                .because("outside 900 to 2592000 seconds"));
        }
        Ok(())
    }

    /// The channel's id: the full EIP-712 digest of the terms, so that it binds network and
    /// contract.
    #[must_use]
    pub fn channel_id(&self, contract: &Contract) -> Digest {
        let fields = StructHash::new(&contract.types.channel_config)
            .address(self.payer)
            .address(self.payer_authorizer)
            .address(self.receiver)
            .address(self.receiver_authorizer)
            .address(self.token)
            .u64(self.withdraw_delay)
            .word(&self.salt);
        contract.typed_digest(fields)
    }
}

/// The `nonce` of the EIP-3009 authorisation by which a deposit into this channel is paid:
/// `keccak256(channelId ‖ salt)`. The salt is the depositor's, not the channel's.
#[must_use]
pub fn erc3009_deposit_nonce(channel_id: &Digest, salt: &[u8; 32]) -> Digest {
    keccak256(&[channel_id.bytes(), salt])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn config(payer_authorizer: Address, salt: u8) -> ChannelConfig {
        ChannelConfig {
            payer: Address::new([1; 20]),
            payer_authorizer,
            receiver: Address::new([2; 20]),
            receiver_authorizer: Address::new([3; 20]),
            token: Address::new([4; 20]),
            withdraw_delay: 900,
            salt: [salt; 32],
        }
    }

    #[test]
    fn terms_that_take_no_deposit_are_refused_by_field() {
        let good = config(Address::ZERO, 0);
        good.validate().unwrap();
        ChannelConfig { withdraw_delay: 2_592_000, ..good }.validate().unwrap();
        for (bad, place) in [
            (ChannelConfig { payer: Address::ZERO, ..good }, "/channelConfig/payer"),
            (ChannelConfig { receiver: Address::ZERO, ..good }, "/channelConfig/receiver"),
            (
                ChannelConfig { receiver_authorizer: Address::ZERO, ..good },
                "/channelConfig/receiverAuthorizer",
            ),
            (ChannelConfig { token: Address::ZERO, ..good }, "/channelConfig/token"),
            (ChannelConfig { withdraw_delay: 899, ..good }, "/channelConfig/withdrawDelay"),
            (ChannelConfig { withdraw_delay: 2_592_001, ..good }, "/channelConfig/withdrawDelay"),
        ] {
            let error = bad.validate().unwrap_err();
            assert_eq!((error.code(), error.place()), (Code::VoucherInvalid, Some(place)));
        }
    }

    #[test]
    fn every_field_and_the_network_are_bound() {
        let contract = Contract::deployed(8453);
        let one = config(Address::ZERO, 0);
        let other = Address::new([9; 20]);
        let mut ids = [
            one,
            ChannelConfig { payer: other, ..one },
            ChannelConfig { payer_authorizer: other, ..one },
            ChannelConfig { receiver: other, ..one },
            ChannelConfig { receiver_authorizer: other, ..one },
            ChannelConfig { token: other, ..one },
            ChannelConfig { withdraw_delay: 901, ..one },
            ChannelConfig { salt: [1; 32], ..one },
        ]
        .map(|c| c.channel_id(&contract))
        .to_vec();
        ids.push(one.channel_id(&Contract::deployed(1)));
        ids.push(one.channel_id(&Contract::new(8453, other)));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }
}
