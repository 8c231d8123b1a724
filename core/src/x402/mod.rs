//! The settlement side of x402 `batch-settlement` on EVM networks: channels, vouchers, claims.
//!
//! A payer deposits into a *channel* of the deployed contract and signs *vouchers*: cumulative
//! promises. The receiver *claims* the latest ones in batches, then *settles*, which moves the
//! tokens. Nothing here talks to a chain: what was read from it is an argument, what is to be sent
//! to it is a digest to sign or calldata to submit.
//!
//! Source: the scheme text `scheme_batch_settlement_evm` of x402 and the contract at
//! [`X402_BATCH_SETTLEMENT`]. Both were compared with published clients byte by byte.

mod abi;
mod channel;
mod claim;
mod claim_plan;
mod contract;
mod voucher;

pub use channel::{ChannelConfig, WITHDRAW_DELAY, erc3009_deposit_nonce};
pub use claim::{
    ClaimRow, claim_batch_digest, claim_calldata, claim_with_signature_calldata, refund_digest,
    settle_calldata,
};
pub use claim_plan::{
    ChannelSnapshot, ClaimBatch, ClaimCandidate, ClaimPlan, MAX_CLAIM_ROWS, QuarantinedRow,
    plan_claims,
};
pub use contract::{Contract, ContractError, X402_BATCH_SETTLEMENT};
pub use voucher::{PayerCheck, VerifiedVoucher, Voucher, VoucherCheck};

#[cfg(test)]
mod vectors;
