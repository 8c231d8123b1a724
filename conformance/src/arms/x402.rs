//! Channels, vouchers and claims.

use counterfoil::{
    Signature,
    x402::{ClaimRow, Contract, Voucher, VoucherCheck, claim_batch_digest, claim_calldata},
};
use serde_json::json;

use crate::{
    input::{Input, Outcome},
    output::{bytes, text},
};

fn contract(input: &mut Input) -> Outcome<Contract> {
    Ok(Contract::deployed(input.integer("chainId")?))
}

fn read_voucher(input: &mut Input) -> Outcome<Voucher> {
    Ok(Voucher {
        channel: input.channel("channel")?,
        max_claimable: input.integer("maxClaimable")?,
        signature: input.parsed::<Signature>("signature")?,
    })
}

pub(super) fn channel(input: &mut Input) -> Outcome {
    let contract = contract(input)?;
    let channel = input.channel("channel")?;
    Ok(json!({"id": text(channel.channel_id(&contract))}))
}

pub(super) fn voucher(input: &mut Input) -> Outcome {
    let contract = contract(input)?;
    Ok(match read_voucher(input)?.verify(&contract)? {
        VoucherCheck::Verified(voucher) => {
            json!({"digest": text(voucher.digest()), "check": "verified"})
        }
        VoucherCheck::AskPayer(question) => {
            json!({"digest": text(question.digest()), "check": "ask_payer"})
        }
    })
}

pub(super) fn claim(input: &mut Input) -> Outcome {
    let contract = contract(input)?;
    let mut rows = Vec::new();
    for row in input.list("rows")? {
        let mut row = Input::new(row)?;
        rows.push(ClaimRow {
            voucher: read_voucher(&mut row)?,
            total_claimed: row.integer("totalClaimed")?,
        });
        row.finish()?;
    }
    Ok(json!({
        "digest": text(claim_batch_digest(&contract, &rows)),
        "calldata": bytes(&claim_calldata(&rows)),
    }))
}
