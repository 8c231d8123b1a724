//! Which claims to submit: batches that the contract accepts, and the rows that would sink them.
//!
//! One row that reverts takes its whole batch with it, so each row is put through the contract's own
//! checks first, in the contract's order.

use alloc::{collections::BTreeMap, vec::Vec};
use core::cmp::Reverse;

use super::{
    channel::WITHDRAW_DELAY,
    claim::{ClaimRow, claim_batch_digest},
    contract::{Contract, ContractError},
};
use crate::crypto::{Address, Digest, recover};

/// The most rows of a batch that any network carries: about 128 KiB of calldata. A facilitator may
/// set less; 25 and 100 are common.
pub const MAX_CLAIM_ROWS: usize = 270;

/// What the host read from the contract about one row's channel. The plan is as good as this is
/// fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelSnapshot {
    /// `channels(channelId).balance`: deposits less refunds and withdrawals, in atomic units. Claims
    /// do not lower it.
    pub balance: u128,
    /// `channels(channelId).totalClaimed`: what was claimed already, in atomic units.
    pub total_claimed: u128,
    /// `receivers(receiver, token).totalClaimed`: what was claimed over all of this receiver's
    /// channels in this token.
    pub receiver_claimed: u128,
    /// Whether the payer's account accepts the voucher's signature; [`None`] where it was not asked.
    /// Counts only where the channel has no `payer_authorizer`: see
    /// [`PayerCheck`](super::PayerCheck).
    pub payer_accepts: Option<bool>,
}

/// A row that could be claimed, and its channel on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimCandidate {
    /// The row.
    pub row: ClaimRow,
    /// Its channel on chain.
    pub chain: ChannelSnapshot,
}

/// Rows to submit together: they have one receiver authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimBatch {
    /// Who signs the digest, or sends the claim.
    pub receiver_authorizer: Address,
    /// The rows, in the order that the digest binds.
    pub rows: Vec<ClaimRow>,
    /// The digest for `claimWithSignature`: [`claim_batch_digest`] of the rows.
    pub digest: Digest,
}

/// A row that would revert its batch, and with which error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The row.
    pub row: ClaimRow,
    /// The contract's error.
    pub error: ContractError,
}

/// Every candidate, once, in one of four lists. Each list depends on the set of candidates only,
/// not on their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimPlan {
    /// What to submit. The batches may be mined in any order.
    pub batches: Vec<ClaimBatch>,
    /// Rows that would revert: on the chain as it was read, or, where the total of a receiver would
    /// overflow, after this plan.
    pub quarantined: Vec<QuarantinedRow>,
    /// Rows that would change nothing: the chain, or a higher row of this plan, has claimed as much.
    pub skipped: Vec<ClaimRow>,
    /// Rows of channels without a `payer_authorizer` whose payer must be asked first.
    pub unchecked: Vec<ClaimRow>,
}

/// Sorts candidates into batches of at most `rows_per_batch` rows (taken as 1 to
/// [`MAX_CLAIM_ROWS`]).
///
/// Of several rows on one channel the highest that the contract accepts is claimed. Snapshots that
/// disagree about a channel or a receiver count with the higher claimed total.
#[must_use]
pub fn plan_claims(
    contract: &Contract,
    candidates: &[ClaimCandidate],
    rows_per_batch: usize,
) -> ClaimPlan {
    let mut sorted: Vec<Candidate> =
        candidates.iter().map(|c| Candidate::new(contract, c)).collect();
    sorted.sort_by_cached_key(Candidate::rank);

    let mut plan = ClaimPlan::default();
    let mut accepted: Vec<ClaimRow> = Vec::new();
    let mut totals = Totals::new(&sorted);
    for candidate in &sorted {
        let row = candidate.row;
        match candidate.verdict(contract, &mut totals) {
            Verdict::Accept => accepted.push(row),
            Verdict::Skip => plan.skipped.push(row),
            Verdict::Ask => plan.unchecked.push(row),
            Verdict::Revert(error) => plan.quarantined.push(QuarantinedRow { row, error }),
        }
    }

    let authorizer = |row: &ClaimRow| row.voucher.channel.receiver_authorizer;
    for of_one in accepted.chunk_by(|a, b| authorizer(a) == authorizer(b)) {
        for rows in of_one.chunks(rows_per_batch.clamp(1, MAX_CLAIM_ROWS)) {
            plan.batches.push(ClaimBatch {
                receiver_authorizer: rows.first().map_or(Address::ZERO, authorizer),
                rows: rows.to_vec(),
                digest: claim_batch_digest(contract, rows),
            });
        }
    }
    plan
}

enum Verdict {
    Accept,
    Skip,
    Ask,
    Revert(ContractError),
}

struct Candidate {
    row: ClaimRow,
    chain: ChannelSnapshot,
    channel_id: Digest,
}

impl Candidate {
    fn new(contract: &Contract, candidate: &ClaimCandidate) -> Self {
        let ClaimCandidate { row, chain } = *candidate;
        Candidate { row, chain, channel_id: row.voucher.channel.channel_id(contract) }
    }

    /// Authorizers apart, channels together, the highest row of a channel first.
    fn rank(&self) -> impl Ord + use<> {
        let row = &self.row;
        (
            row.voucher.channel.receiver_authorizer,
            self.channel_id,
            Reverse((row.total_claimed, row.voucher.max_claimable)),
            *row.voucher.signature.bytes(),
            self.chain,
        )
    }

    /// What the contract would do with the row after those accepted before it, in its order of
    /// checks.
    fn verdict(&self, contract: &Contract, totals: &mut Totals) -> Verdict {
        let ClaimRow { voucher, total_claimed } = &self.row;
        if *total_claimed <= totals.channel(self) {
            return Verdict::Skip;
        }
        if *total_claimed > voucher.max_claimable {
            return Verdict::Revert(ContractError::ClaimExceedsCeiling);
        }
        if *total_claimed > self.chain.balance {
            return Verdict::Revert(ContractError::ClaimExceedsBalance);
        }
        // A channel of such terms has no balance, whatever the snapshot says.
        if !WITHDRAW_DELAY.contains(&voucher.channel.withdraw_delay) {
            return Verdict::Revert(ContractError::WithdrawDelayOutOfRange);
        }
        if voucher.channel.validate().is_err() {
            return Verdict::Revert(ContractError::InvalidChannel);
        }
        match self.signature(contract) {
            Verdict::Accept => totals.add(self),
            other => other,
        }
    }

    fn signature(&self, contract: &Contract) -> Verdict {
        let voucher = &self.row.voucher;
        let authorizer = voucher.channel.payer_authorizer;
        if authorizer.is_zero() {
            return match self.chain.payer_accepts {
                None => Verdict::Ask,
                Some(true) => Verdict::Accept,
                Some(false) => Verdict::Revert(ContractError::InvalidSignature),
            };
        }
        let digest = contract.voucher_digest(&self.channel_id, voucher.max_claimable);
        match recover(&digest, &voucher.signature) {
            Ok(signer) if signer == authorizer => Verdict::Accept,
            Ok(_) => Verdict::Revert(ContractError::InvalidSignature),
            Err(_) => Verdict::Revert(ContractError::EcdsaInvalidSignature),
        }
    }
}

/// What will be claimed once the rows accepted so far are mined: per channel, and per receiver and
/// token.
struct Totals {
    channels: BTreeMap<Digest, u128>,
    receivers: BTreeMap<(Address, Address), u128>,
}

impl Totals {
    /// The chain's totals.
    fn new(candidates: &[Candidate]) -> Self {
        let mut totals = Totals { channels: BTreeMap::new(), receivers: BTreeMap::new() };
        for candidate in candidates {
            let channel = totals.channels.entry(candidate.channel_id).or_default();
            *channel = candidate.chain.total_claimed.max(*channel);
            let receiver = totals.receivers.entry(Self::receiver_of(candidate)).or_default();
            *receiver = candidate.chain.receiver_claimed.max(*receiver);
        }
        totals
    }

    fn receiver_of(candidate: &Candidate) -> (Address, Address) {
        let channel = &candidate.row.voucher.channel;
        (channel.receiver, channel.token)
    }

    fn channel(&self, candidate: &Candidate) -> u128 {
        self.channels.get(&candidate.channel_id).copied().unwrap_or_default()
    }

    /// Adds a row that is above its channel's total.
    fn add(&mut self, candidate: &Candidate) -> Verdict {
        let total = candidate.row.total_claimed;
        let channel = self.channels.entry(candidate.channel_id).or_default();
        let receiver = self.receivers.entry(Self::receiver_of(candidate)).or_default();
        match total.checked_sub(*channel).and_then(|delta| receiver.checked_add(delta)) {
            Some(raised) => {
                *receiver = raised;
                *channel = total;
                Verdict::Accept
            }
            None => Verdict::Revert(ContractError::ArithmeticOverflow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        channel::{ChannelConfig, tests::config},
        voucher::{VoucherCheck, tests::*},
    };
    use super::*;
    use crate::crypto::Signature;
    use alloc::vec;
    use proptest::prelude::*;

    fn contract() -> Contract {
        Contract::deployed(8453)
    }

    fn chain(balance: u128, total_claimed: u128) -> ChannelSnapshot {
        ChannelSnapshot { balance, total_claimed, receiver_claimed: 0, payer_accepts: None }
    }

    fn candidate(
        channel: ChannelConfig,
        ceiling: u128,
        total_claimed: u128,
        chain: ChannelSnapshot,
    ) -> ClaimCandidate {
        let voucher = voucher(&contract(), channel, ceiling, &key(1));
        ClaimCandidate { row: ClaimRow { voucher, total_claimed }, chain }
    }

    fn channel(salt: u8) -> ChannelConfig {
        config(key(1).address(), salt)
    }

    /// The error of one bad row between two good ones, which are still claimed.
    #[track_caller]
    fn quarantined(bad: ClaimCandidate, error: ContractError) {
        let good = [100, 101].map(|salt| candidate(channel(salt), 10, 10, chain(10, 0)));
        let plan = plan_claims(&contract(), &[good[0], bad, good[1]], 100);
        assert_eq!(plan.quarantined, [QuarantinedRow { row: bad.row, error }]);
        assert_eq!(plan.batches.iter().map(|b| b.rows.len()).sum::<usize>(), 2);
        assert!(plan.skipped.is_empty() && plan.unchecked.is_empty());
    }

    #[test]
    fn each_reason_to_revert_quarantines_its_row_alone() {
        use ContractError as E;
        let good = candidate(channel(0), 1000, 700, chain(700, 699));
        quarantined(candidate(channel(0), 699, 700, chain(1000, 0)), E::ClaimExceedsCeiling);
        quarantined(candidate(channel(0), 1000, 701, chain(700, 0)), E::ClaimExceedsBalance);
        // The ceiling is checked before the balance.
        quarantined(candidate(channel(0), 699, 700, chain(0, 0)), E::ClaimExceedsCeiling);

        let mut wrong_key = good;
        wrong_key.row.voucher.channel.payer_authorizer = key(2).address();
        quarantined(wrong_key, E::InvalidSignature);
        let mut nobody = good;
        let mut bytes = [0; 65];
        (bytes[31], bytes[63], bytes[64]) = (5, 1, 27);
        nobody.row.voucher.signature = Signature::from_bytes(&bytes).unwrap();
        quarantined(nobody, E::EcdsaInvalidSignature);

        let refused = ChannelSnapshot { payer_accepts: Some(false), ..chain(700, 0) };
        let account = config(Address::ZERO, 0);
        quarantined(candidate(account, 1000, 700, refused), E::InvalidSignature);

        for delay in [899, 1 << 40] {
            let terms = ChannelConfig { withdraw_delay: delay, ..channel(0) };
            quarantined(candidate(terms, 1000, 700, chain(700, 0)), E::WithdrawDelayOutOfRange);
        }
        let terms = ChannelConfig { receiver_authorizer: Address::ZERO, ..channel(0) };
        quarantined(candidate(terms, 1000, 700, chain(700, 0)), E::InvalidChannel);
    }

    #[test]
    fn the_total_of_a_receiver_does_not_overflow() {
        let full = ChannelSnapshot { receiver_claimed: u128::MAX - 1, ..chain(10, 8) };
        quarantined_in(&[candidate(channel(0), 10, 10, full)], 1);
        // 1 fits, then nothing more: one of two rows, whichever comes first.
        quarantined_in(&[0, 1].map(|salt| candidate(channel(salt), 9, 9, full)), 1);
        // Another token has its own total.
        let other = ChannelConfig { token: Address::new([9; 20]), ..channel(1) };
        quarantined_in(&[candidate(channel(0), 9, 9, full), candidate(other, 9, 9, full)], 0);
        let most = |salt| candidate(channel(salt), u128::MAX, u128::MAX, chain(u128::MAX, 0));
        quarantined_in(&[most(0), most(1)], 1);
    }

    #[track_caller]
    fn quarantined_in(candidates: &[ClaimCandidate], n: usize) {
        let plan = plan_claims(&contract(), candidates, 100);
        assert_eq!(plan.quarantined.len(), n);
        assert!(plan.quarantined.iter().all(|q| q.error == ContractError::ArithmeticOverflow));
        assert_eq!(plan.batches.iter().map(|b| b.rows.len()).sum::<usize>(), candidates.len() - n);
    }

    #[test]
    fn what_changes_nothing_is_skipped_before_anything_is_checked() {
        // A bad signature and too little balance: the contract does not look.
        let mut done = candidate(channel(0), 1000, 700, chain(0, 700));
        done.row.voucher.max_claimable = 0;
        let plan = plan_claims(&contract(), &[done], 100);
        assert_eq!(plan, ClaimPlan { skipped: vec![done.row], ..ClaimPlan::default() });
    }

    #[test]
    fn the_highest_good_row_of_a_channel_is_claimed() {
        let rows = [500, 700, 900].map(|total| candidate(channel(0), 800, total, chain(1000, 0)));
        let plan = plan_claims(&contract(), &rows, 100);
        assert_eq!(plan.batches[0].rows, [rows[1].row]);
        assert_eq!(plan.skipped, [rows[0].row]);
        assert_eq!(plan.quarantined[0].row, rows[2].row);
    }

    #[test]
    fn a_payer_that_must_be_asked_is_neither_claimed_nor_quarantined() {
        let unsure = candidate(config(Address::ZERO, 0), 10, 10, chain(10, 0));
        let plan = plan_claims(&contract(), &[unsure], 100);
        assert_eq!(plan, ClaimPlan { unchecked: vec![unsure.row], ..ClaimPlan::default() });
        let asked = ChannelSnapshot { payer_accepts: Some(true), ..unsure.chain };
        let plan = plan_claims(&contract(), &[ClaimCandidate { chain: asked, ..unsure }], 100);
        assert_eq!(plan.batches[0].rows, [unsure.row]);
    }

    #[test]
    fn batches_have_one_authorizer_and_at_most_the_limit() {
        let mut all = Vec::new();
        for salt in 0..7 {
            let receiver_authorizer = Address::new([salt % 2 + 1; 20]);
            let terms = ChannelConfig { receiver_authorizer, ..channel(salt) };
            all.push(candidate(terms, 10, 10, chain(10, 0)));
        }
        let sizes = |limit| {
            let plan = plan_claims(&contract(), &all, limit);
            for batch in &plan.batches {
                assert_eq!(batch.digest, claim_batch_digest(&contract(), &batch.rows));
                for row in &batch.rows {
                    let channel = row.voucher.channel;
                    assert_eq!(channel.receiver_authorizer, batch.receiver_authorizer);
                }
            }
            plan.batches.iter().map(|b| b.rows.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(3), [3, 1, 3]);
        assert_eq!(sizes(100), [4, 3]);
        assert_eq!(sizes(0), [1; 7]);
    }

    /// The contract's accounting, row by row; a row that reverts gives `Err`.
    fn execute(
        row: &ClaimRow,
        balance: u128,
        claimed: &mut u128,
        receiver: &mut u128,
    ) -> core::result::Result<(), ()> {
        if row.total_claimed <= *claimed {
            return Ok(());
        }
        if row.total_claimed > row.voucher.max_claimable || row.total_claimed > balance {
            return Err(());
        }
        let VoucherCheck::Verified(_) = row.voucher.verify(&contract()).map_err(|_| ())? else {
            return Err(());
        };
        *receiver = receiver.checked_add(row.total_claimed - *claimed).ok_or(())?;
        *claimed = row.total_claimed;
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_plan_executes_whatever_the_order_and_loses_no_row(
            rows in prop::collection::vec((0u8..3, 0u128..6, 0u128..6, any::<bool>()), 0..8),
            balance in 0u128..6, claimed in 0u128..3, near_full in any::<bool>(), limit in 1usize..4,
        ) {
            let receiver_claimed = if near_full { u128::MAX - 4 } else { 0 };
            let chain = ChannelSnapshot { receiver_claimed, ..chain(balance, claimed) };
            let mut all: Vec<_> = rows.iter().map(|(salt, ceiling, total, forged)| {
                let signer = key(if *forged { 2 } else { 1 });
                let voucher = voucher(&contract(), channel(*salt), *ceiling, &signer);
                ClaimCandidate { row: ClaimRow { voucher, total_claimed: *total }, chain }
            }).collect();
            let plan = plan_claims(&contract(), &all, limit);
            all.reverse();
            prop_assert_eq!(&plan, &plan_claims(&contract(), &all, limit));

            let claims: usize = plan.batches.iter().map(|b| b.rows.len()).sum();
            prop_assert_eq!(
                claims + plan.quarantined.len() + plan.skipped.len() + plan.unchecked.len(),
                all.len()
            );

            let mut channels = BTreeMap::new();
            let mut receiver = receiver_claimed;
            for row in plan.batches.iter().rev().flat_map(|b| &b.rows) {
                let claimed = channels.entry(row.voucher.channel.salt).or_insert(claimed);
                prop_assert!(execute(row, balance, claimed, &mut receiver).is_ok());
            }
            for row in &plan.skipped {
                let claimed = channels.entry(row.voucher.channel.salt).or_insert(claimed);
                prop_assert!(row.total_claimed <= *claimed);
            }
            for bad in &plan.quarantined {
                let (mut as_read, mut before) = (claimed, receiver_claimed);
                let claimed = channels.entry(bad.row.voucher.channel.salt).or_insert(claimed);
                let reverts = if bad.error == ContractError::ArithmeticOverflow {
                    execute(&bad.row, balance, claimed, &mut receiver).is_err()
                } else {
                    execute(&bad.row, balance, &mut as_read, &mut before).is_err()
                };
                prop_assert!(reverts, "{:?}", bad.error);
            }
        }
    }
}
