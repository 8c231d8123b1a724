//! Channels, vouchers and claims of x402 `batch-settlement`.

use std::sync::Arc;

use counterfoil::x402::{self, ChannelConfig, Contract};

use crate::Result;
use crate::values::{Address, Amount, Digest, Signature};

/// A payment channel of the deployed contract.
#[derive(uniffi::Record)]
pub struct Channel {
    /// Who pays.
    pub payer: Address,
    /// Who signs vouchers for the payer.
    pub payer_authorizer: Address,
    /// Who is paid.
    pub receiver: Address,
    /// Who signs claims for the receiver.
    pub receiver_authorizer: Address,
    /// The token.
    pub token: Address,
    /// Seconds that a withdrawal waits.
    pub withdraw_delay: u64,
    /// Tells channels with the same parties apart.
    pub salt: Digest,
}

/// A payer's signed cumulative promise.
#[derive(uniffi::Record)]
pub struct Voucher {
    /// The channel.
    pub channel: Channel,
    /// All that may be claimed so far.
    pub max_claimable: Amount,
    /// The payer's signature.
    pub signature: Signature,
}

/// A row of a claim.
#[derive(uniffi::Record)]
pub struct ClaimRow {
    /// The voucher.
    pub voucher: Voucher,
    /// All that is claimed with it so far.
    pub total_claimed: Amount,
}

/// What a voucher's signature says.
#[derive(uniffi::Enum)]
pub enum VoucherCheck {
    /// It is the payer's.
    Verified { voucher: Arc<VerifiedVoucher> },
    /// The payer is a contract: ask it on the chain (EIP-1271), then answer.
    AskPayer { check: Arc<PayerCheck> },
}

/// A voucher whose signature was checked.
#[derive(uniffi::Object)]
pub struct VerifiedVoucher(x402::VerifiedVoucher);

#[uniffi::export]
impl VerifiedVoucher {
    /// The channel's id.
    fn channel_id(&self) -> Digest {
        *self.0.channel_id()
    }

    /// The digest that was signed.
    fn digest(&self) -> Digest {
        *self.0.digest()
    }
}

/// A question for a payer that is a contract.
#[derive(uniffi::Object)]
pub struct PayerCheck(x402::PayerCheck);

#[uniffi::export]
impl PayerCheck {
    /// The contract to ask.
    fn account(&self) -> Address {
        self.0.account()
    }

    /// The digest to ask about.
    fn digest(&self) -> Digest {
        *self.0.digest()
    }

    /// Takes the chain's answer.
    fn answer(&self, accepted: bool) -> Result<Arc<VerifiedVoucher>> {
        Ok(Arc::new(VerifiedVoucher(self.0.clone().answer(accepted)?)))
    }
}

impl From<Channel> for ChannelConfig {
    fn from(c: Channel) -> Self {
        ChannelConfig {
            payer: c.payer,
            payer_authorizer: c.payer_authorizer,
            receiver: c.receiver,
            receiver_authorizer: c.receiver_authorizer,
            token: c.token,
            withdraw_delay: c.withdraw_delay,
            salt: *c.salt.bytes(),
        }
    }
}

impl From<Voucher> for x402::Voucher {
    fn from(v: Voucher) -> Self {
        x402::Voucher {
            channel: v.channel.into(),
            max_claimable: v.max_claimable.atomic(),
            signature: v.signature,
        }
    }
}

fn rows(rows: Vec<ClaimRow>) -> Vec<x402::ClaimRow> {
    let row = |row: ClaimRow| x402::ClaimRow {
        voucher: row.voucher.into(),
        total_claimed: row.total_claimed.atomic(),
    };
    rows.into_iter().map(row).collect()
}

/// The id of a channel.
#[uniffi::export]
fn channel_id(chain_id: u64, channel: Channel) -> Result<Digest> {
    Ok(ChannelConfig::from(channel).channel_id(&Contract::deployed(chain_id)))
}

/// The digest that a voucher's payer signs.
#[uniffi::export]
fn voucher_digest(chain_id: u64, channel: Channel, max_claimable: Amount) -> Result<Digest> {
    let contract = Contract::deployed(chain_id);
    let id = ChannelConfig::from(channel).channel_id(&contract);
    Ok(contract.voucher_digest(&id, max_claimable.atomic()))
}

/// Checks a payer's voucher.
#[uniffi::export]
fn verify_voucher(chain_id: u64, voucher: Voucher) -> Result<VoucherCheck> {
    let voucher = x402::Voucher::from(voucher);
    Ok(match voucher.verify(&Contract::deployed(chain_id))? {
        x402::VoucherCheck::Verified(v) => {
            VoucherCheck::Verified { voucher: Arc::new(VerifiedVoucher(v)) }
        }
        x402::VoucherCheck::AskPayer(c) => {
            VoucherCheck::AskPayer { check: Arc::new(PayerCheck(c)) }
        }
    })
}

/// The digest that the receiver's authorizer signs for a claim.
#[uniffi::export]
fn claim_digest(chain_id: u64, claims: Vec<ClaimRow>) -> Result<Digest> {
    Ok(x402::claim_batch_digest(&Contract::deployed(chain_id), &rows(claims)))
}

/// The calldata of a claim that the receiver's authorizer submits itself.
#[uniffi::export]
fn claim_calldata(claims: Vec<ClaimRow>) -> Result<Vec<u8>> {
    Ok(x402::claim_calldata(&rows(claims)))
}
