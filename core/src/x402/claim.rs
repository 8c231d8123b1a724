//! Claims, settlements and refunds: what the receiver's side signs and submits.

use alloc::vec::Vec;

use super::{
    abi::{Calldata, WORD},
    contract::Contract,
    voucher::Voucher,
};
use crate::crypto::{Address, Digest, Signature, StructHash, keccak256};

const CLAIM: [u8; 4] = [0x29, 0x23, 0x7b, 0x0c];
const CLAIM_WITH_SIGNATURE: [u8; 4] = [0xe4, 0x3c, 0xe1, 0xf2];
const SETTLE: [u8; 4] = [0x9d, 0xb3, 0x2a, 0x8f];

/// Words of one encoded row: 7 of the channel, ceiling, offset of the signature, total; then the
/// signature's length and three words.
const ROW_WORDS: usize = 14;
/// Bytes of one encoded row, without its entry in the table of offsets.
const ROW_BYTES: usize = ROW_WORDS * WORD;
/// Where in a row its signature stands.
const ROW_SIGNATURE: usize = 10 * WORD;

/// One row of a claim: raise the total claimed on a voucher's channel. On the wire:
/// `{voucher: {channel, maxClaimableAmount}, signature, totalClaimed}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// The latest voucher of the channel.
    pub voucher: Voucher,
    /// What was earned on the channel over its life, in atomic units: at most the voucher's ceiling.
    pub total_claimed: u128,
}

/// The digest that a `receiver_authorizer` signs so that anyone may submit these rows, in this
/// order.
#[must_use]
pub fn claim_batch_digest(contract: &Contract, rows: &[ClaimRow]) -> Digest {
    let mut entries = Vec::with_capacity(rows.len().saturating_mul(WORD));
    for row in rows {
        let entry = StructHash::new(&contract.types.claim_entry)
            .word(row.voucher.channel.channel_id(contract).bytes())
            .u128(row.voucher.max_claimable)
            .u128(row.total_claimed)
            .finish();
        entries.extend_from_slice(entry.bytes());
    }
    let fields = StructHash::new(&contract.types.claim_batch).word(keccak256(&[&entries]).bytes());
    contract.typed_digest(fields)
}

/// The digest that a `receiver_authorizer` signs to give `amount` of the unclaimed deposit back.
/// The nonce is the channel's `refundNonce` on chain; each refund raises it by one.
#[must_use]
pub fn refund_digest(
    contract: &Contract,
    channel_id: &Digest,
    nonce: u128,
    amount: u128,
) -> Digest {
    let fields =
        StructHash::new(&contract.types.refund).word(channel_id.bytes()).u128(nonce).u128(amount);
    contract.typed_digest(fields)
}

/// Calldata of `claim`: the sender must be the receiver or receiver authorizer of every row. The
/// contract refuses a batch without rows.
///
/// `68 + 480 · rows` bytes.
#[must_use]
pub fn claim_calldata(rows: &[ClaimRow]) -> Vec<u8> {
    let mut data = Calldata::new(CLAIM, row_words(rows).saturating_add(2));
    data.size(WORD);
    encode_rows(&mut data, rows);
    data.finish()
}

/// Calldata of `claimWithSignature`: anyone may send it; the rows have one receiver authorizer, who
/// signed [`claim_batch_digest`] over them in this order. The contract refuses a batch without rows.
///
/// `228 + 480 · rows` bytes.
#[must_use]
pub fn claim_with_signature_calldata(rows: &[ClaimRow], authorizer: &Signature) -> Vec<u8> {
    let words = row_words(rows);
    let mut data = Calldata::new(CLAIM_WITH_SIGNATURE, words.saturating_add(7));
    data.size(WORD.saturating_mul(2));
    data.size(words.saturating_add(3).saturating_mul(WORD));
    encode_rows(&mut data, rows);
    data.signature(authorizer);
    data.finish()
}

/// Calldata of `settle`: moves what was claimed for this receiver in this token and is not settled
/// yet. Anyone may send it; it does nothing where nothing is left.
#[must_use]
pub fn settle_calldata(receiver: Address, token: Address) -> Vec<u8> {
    let mut data = Calldata::new(SETTLE, 2);
    data.address(receiver).address(token);
    data.finish()
}

/// Words of all rows and their table of offsets. The rows are in memory and their encoding is less
/// than twice as long, so nothing saturates.
fn row_words(rows: &[ClaimRow]) -> usize {
    rows.len().saturating_mul(ROW_WORDS.saturating_add(1))
}

/// The array of rows: count, offsets from the first offset, rows.
fn encode_rows(data: &mut Calldata, rows: &[ClaimRow]) {
    data.size(rows.len());
    let mut offset = rows.len().saturating_mul(WORD);
    for _ in rows {
        data.size(offset);
        offset = offset.saturating_add(ROW_BYTES);
    }
    for row in rows {
        let channel = &row.voucher.channel;
        data.address(channel.payer)
            .address(channel.payer_authorizer)
            .address(channel.receiver)
            .address(channel.receiver_authorizer)
            .address(channel.token)
            .u128(u128::from(channel.withdraw_delay))
            .word(&channel.salt)
            .u128(row.voucher.max_claimable)
            .size(ROW_SIGNATURE)
            .u128(row.total_claimed)
            .signature(&row.voucher.signature);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{channel::tests::config, voucher::tests::*};
    use super::*;

    #[test]
    fn calldata_has_the_length_that_the_shape_gives() {
        let contract = Contract::deployed(8453);
        let channel = config(key(1).address(), 0);
        let row = ClaimRow { voucher: voucher(&contract, channel, 9, &key(1)), total_claimed: 5 };
        for n in [0, 1, 2, 25, 270] {
            let rows = alloc::vec![row; n];
            assert_eq!(claim_calldata(&rows).len(), 68 + 480 * n);
            let data = claim_with_signature_calldata(&rows, &row.voucher.signature);
            assert_eq!(data.len(), 228 + 480 * n);
        }
    }

    #[test]
    fn the_batch_digest_binds_the_order() {
        let contract = Contract::deployed(8453);
        let [a, b] = [0, 1].map(|salt| ClaimRow {
            voucher: voucher(&contract, config(key(1).address(), salt), 9, &key(1)),
            total_claimed: 5,
        });
        assert_ne!(claim_batch_digest(&contract, &[a, b]), claim_batch_digest(&contract, &[b, a]));
    }
}
