//! A voucher: the payer's signed promise that the receiver may claim up to a cumulative amount.

use super::{channel::ChannelConfig, contract::Contract};
use crate::crypto::{Address, Digest, Signature, StructHash, check};
use crate::error::{Code, Error, Result};

const SIGNATURE: &str = "/voucher/signature";

/// A promise as received: not verified yet. It has no expiry; it dies when the channel is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The channel it draws on.
    pub channel: ChannelConfig,
    /// The most that may be claimed on the channel over its life, in atomic units of its token.
    /// On the wire: `maxClaimableAmount`.
    pub max_claimable: u128,
    /// The signature over [`Voucher::digest`].
    pub signature: Signature,
}

impl Voucher {
    /// The digest that the payer signs.
    #[must_use]
    pub fn digest(&self, contract: &Contract) -> Digest {
        contract.voucher_digest(&self.channel.channel_id(contract), self.max_claimable)
    }

    /// Verifies the voucher as the contract would when a claim is made on it.
    ///
    /// # Errors
    /// [`Code::VoucherInvalid`] for terms that the contract would take no deposit for,
    /// [`Code::SignatureWrongKey`] for another key than the channel's `payer_authorizer`,
    /// [`Code::SignatureInvalid`] where no key could have signed.
    pub fn verify(&self, contract: &Contract) -> Result<VoucherCheck> {
        self.channel.validate()?;
        let channel_id = self.channel.channel_id(contract);
        let digest = contract.voucher_digest(&channel_id, self.max_claimable);
        let voucher = VerifiedVoucher { voucher: *self, channel_id, digest };
        if self.channel.payer_authorizer.is_zero() {
            return Ok(VoucherCheck::AskPayer(PayerCheck(voucher)));
        }
        check(&digest, &self.signature, self.channel.payer_authorizer)
            .map_err(|e| e.at(SIGNATURE))?;
        Ok(VoucherCheck::Verified(voucher))
    }
}

impl Contract {
    /// The digest of a voucher, for callers that keep the channel's id.
    #[must_use]
    pub fn voucher_digest(&self, channel_id: &Digest, max_claimable: u128) -> Digest {
        let fields =
            StructHash::new(&self.types.voucher).word(channel_id.bytes()).u128(max_claimable);
        self.typed_digest(fields)
    }
}

/// What [`Voucher::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum VoucherCheck {
    /// The channel's key signed it.
    Verified(VerifiedVoucher),
    /// The payer's account decides, and only the chain knows what it says.
    AskPayer(PayerCheck),
}

/// A voucher whose signature holds. It says nothing of the channel's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedVoucher {
    voucher: Voucher,
    channel_id: Digest,
    digest: Digest,
}

impl VerifiedVoucher {
    /// The voucher.
    #[must_use]
    pub fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    /// Its channel's id.
    #[must_use]
    pub fn channel_id(&self) -> &Digest {
        &self.channel_id
    }

    /// The digest that was signed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A question for the chain: does the payer's account accept this signature?
///
/// The contract asks a payer that has code by `isValidSignature(digest, signature)` (EIP-1271), and
/// recovers the signer otherwise. Whether there is code can change, so it is never guessed from
/// the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PayerCheck(VerifiedVoucher);

impl PayerCheck {
    /// The account to ask.
    #[must_use]
    pub fn account(&self) -> Address {
        self.0.voucher.channel.payer
    }

    /// The digest to ask about.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// The signature to ask about.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.0.voucher.signature
    }

    /// Takes the chain's answer.
    ///
    /// # Errors
    /// [`Code::VoucherInvalid`] where the account refused the signature.
    pub fn answer(self, accepted: bool) -> Result<VerifiedVoucher> {
        if accepted {
            Ok(self.0)
        } else {
            Err(Error::new(Code::VoucherInvalid)
                .at(SIGNATURE)
                .value(self.0.voucher.signature)
                .because("the payer's account refused the signature"))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::channel::tests::config;
    use super::*;
    use crate::crypto::LocalKey;

    pub(in super::super) fn key(seed: u8) -> LocalKey {
        LocalKey::from_bytes(&[seed; 32]).unwrap()
    }

    pub(in super::super) fn voucher(
        contract: &Contract,
        channel: ChannelConfig,
        max_claimable: u128,
        signer: &LocalKey,
    ) -> Voucher {
        let digest = contract.voucher_digest(&channel.channel_id(contract), max_claimable);
        Voucher { channel, max_claimable, signature: signer.sign(&digest) }
    }

    #[test]
    fn the_authorizers_voucher_verifies_and_no_other_does() {
        let contract = Contract::deployed(8453);
        let channel = config(key(1).address(), 0);
        let good = voucher(&contract, channel, 1000, &key(1));
        let VoucherCheck::Verified(verified) = good.verify(&contract).unwrap() else {
            panic!("the authorizer is a key")
        };
        assert_eq!(verified.voucher(), &good);
        assert_eq!(verified.digest(), &good.digest(&contract));
        assert_eq!(verified.channel_id(), &channel.channel_id(&contract));

        for bad in [
            Voucher { max_claimable: 1001, ..good },
            Voucher { channel: config(key(1).address(), 1), ..good },
            voucher(&contract, channel, 1000, &key(2)),
        ] {
            let error = bad.verify(&contract).unwrap_err();
            assert_eq!((error.code(), error.place()), (Code::SignatureWrongKey, Some(SIGNATURE)));
        }
        assert!(good.verify(&Contract::deployed(1)).is_err());
        let free = Voucher { channel: ChannelConfig { token: Address::ZERO, ..channel }, ..good };
        assert_eq!(free.verify(&contract).unwrap_err().code(), Code::VoucherInvalid);
    }

    #[test]
    fn a_payer_without_authorizer_is_asked_and_not_guessed() {
        let contract = Contract::deployed(8453);
        // Even where the payer's own key signed: the account may have code.
        let channel = ChannelConfig { payer: key(1).address(), ..config(Address::ZERO, 0) };
        let unsure = voucher(&contract, channel, 1000, &key(1));
        let VoucherCheck::AskPayer(question) = unsure.verify(&contract).unwrap() else {
            panic!("only the chain knows")
        };
        assert_eq!(question.account(), channel.payer);
        assert_eq!(question.digest(), &unsure.digest(&contract));
        assert_eq!(question.signature(), &unsure.signature);
        assert_eq!(question.clone().answer(false).unwrap_err().code(), Code::VoucherInvalid);
        assert_eq!(question.answer(true).unwrap().voucher(), &unsure);
    }
}
