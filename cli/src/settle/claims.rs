//! x402 claims from vouchers in hand.
//!
//! The file: `{"chainId": 8453, "vouchers": [{"channel": {…}, "maxClaimableAmount": "…",
//! "signature": "0x…", "onchain": {"balance": "…", "totalClaimed": "…"}}]}`, with the channel's
//! fields as x402 names them. A voucher belongs to the lane whose rail is its channel id; what is
//! claimed is the lane's charges less its credits.

use std::path::Path;

use counterfoil::json::{Node, Value};
use counterfoil::meter::LaneTotals;
use counterfoil::x402::{
    ChannelConfig, ChannelSnapshot, ClaimCandidate, ClaimPlan, ClaimRow, Contract, MAX_CLAIM_ROWS,
    Voucher, claim_calldata, plan_claims,
};
use counterfoil::{Amount, Code, Currency, Digest, Error, Meter, Result};

use crate::io::read_json;

pub(crate) fn plan(meters: &[Meter], path: &Path) -> Result<Value> {
    let document = read_json(path)?;
    let (contract, candidates) =
        candidates(meters, &document.root()).map_err(|e| e.within(path.display().to_string()))?;
    Ok(value(&plan_claims(&contract, &candidates, MAX_CLAIM_ROWS)))
}

fn parsed<T: std::str::FromStr<Err = Error>>(node: Node<'_>) -> Result<T> {
    node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))
}

fn candidates(meters: &[Meter], root: &Node<'_>) -> Result<(Contract, Vec<ClaimCandidate>)> {
    let mut fields = root.fields()?;
    let contract = Contract::deployed(fields.required("chainId")?.integer()?);
    let mut candidates = Vec::new();
    for item in fields.required("vouchers")?.items()? {
        let mut f = item.fields()?;
        let channel = f.required("channel")?;
        let voucher = Voucher {
            channel: read_channel(&channel)?,
            max_claimable: parsed::<Amount>(f.required("maxClaimableAmount")?)?.atomic(),
            signature: parsed(f.required("signature")?)?,
        };
        let id = voucher.channel.channel_id(&contract);
        let lane = lane_on(meters, &id, &contract, &voucher).map_err(|e| e.at(item.pointer()))?;
        let net = lane.cumulative.floor().checked_sub(lane.credited.floor())?;
        let chain = read_snapshot(f.required("onchain")?)?;
        f.finish()?;
        let row = ClaimRow { voucher, total_claimed: net.atomic() };
        candidates.push(ClaimCandidate { row, chain });
    }
    fields.finish()?;
    Ok((contract, candidates))
}

/// The lane whose rail is a channel. After a restore, the newest one goes on with the totals of
/// those before it.
fn lane_on(
    meters: &[Meter],
    channel: &Digest,
    contract: &Contract,
    voucher: &Voucher,
) -> Result<LaneTotals> {
    let refused = |why| Error::new(Code::VoucherInvalid).value(channel).because(why);
    let mut newest: Option<LaneTotals> = None;
    let lanes = meters.iter().flat_map(Meter::lanes);
    for lane in lanes.filter(|lane| lane.rail == *channel) {
        match &newest {
            Some(other) if other.subscription != lane.subscription => {
                return Err(refused("two subscriptions are on this channel"));
            }
            Some(other) if other.number > lane.number => {}
            _ => newest = Some(lane),
        }
    }
    let lane = newest.ok_or_else(|| refused("no lane is on this channel"))?;
    let plan = meters.iter().find_map(|meter| meter.plan(&lane.plan));
    let plan = plan.ok_or_else(|| Error::new(Code::PlanUnknown))?;
    let network = format!("eip155:{}", contract.chain_id());
    match plan.currency() {
        Currency::Token { network: own, .. }
            if *own == network && plan.currency().evm_token() == Some(voucher.channel.token) =>
        {
            Ok(lane)
        }
        _ => Err(refused("the channel holds another currency than the plan's")),
    }
}

fn read_channel(node: &Node<'_>) -> Result<ChannelConfig> {
    let mut f = node.fields()?;
    let channel = ChannelConfig {
        payer: parsed(f.required("payer")?)?,
        payer_authorizer: parsed(f.required("payerAuthorizer")?)?,
        receiver: parsed(f.required("receiver")?)?,
        receiver_authorizer: parsed(f.required("receiverAuthorizer")?)?,
        token: parsed(f.required("token")?)?,
        withdraw_delay: f.required("withdrawDelay")?.integer()?,
        salt: *parsed::<Digest>(f.required("salt")?)?.bytes(),
    };
    f.finish()?;
    channel.validate().map_err(|e| e.within(node.pointer()))?;
    Ok(channel)
}

fn read_snapshot(node: Node<'_>) -> Result<ChannelSnapshot> {
    let mut f = node.fields()?;
    let amount = |node| parsed::<Amount>(node).map(Amount::atomic);
    let snapshot = ChannelSnapshot {
        balance: amount(f.required("balance")?)?,
        total_claimed: amount(f.required("totalClaimed")?)?,
        receiver_claimed: match f.optional("receiverClaimed") {
            Some(node) => amount(node)?,
            None => 0,
        },
        payer_accepts: match f.optional("payerAccepts") {
            Some(node) => Some(node.boolean()?),
            None => None,
        },
    };
    f.finish()?;
    Ok(snapshot)
}

fn hex(bytes: &[u8]) -> Value {
    let mut text = String::from("0x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    Value::from(text)
}

fn row(row: &ClaimRow) -> Value {
    Value::object([
        ("maxClaimableAmount", Value::from(row.voucher.max_claimable.to_string())),
        ("totalClaimed", Value::from(row.total_claimed.to_string())),
        ("payer", Value::from(row.voucher.channel.payer.to_string())),
    ])
}

fn value(plan: &ClaimPlan) -> Value {
    let batches: Vec<Value> = plan
        .batches
        .iter()
        .map(|batch| {
            Value::object([
                ("receiverAuthorizer", Value::from(batch.receiver_authorizer.to_string())),
                ("rows", Value::from(batch.rows.iter().map(row).collect::<Vec<_>>())),
                // What the receiver authorizer signs for `claimWithSignature`.
                ("digest", Value::from(batch.digest.to_string())),
                // `claim`, sent by the receiver or its authorizer itself.
                ("calldata", hex(&claim_calldata(&batch.rows))),
            ])
        })
        .collect();
    let quarantined: Vec<Value> = plan
        .quarantined
        .iter()
        .map(|bad| {
            Value::object([
                ("row", row(&bad.row)),
                ("error", Value::from(bad.error.name())),
                ("selector", hex(&bad.error.selector())),
            ])
        })
        .collect();
    let list = |rows: &[ClaimRow]| Value::from(rows.iter().map(row).collect::<Vec<_>>());
    Value::object([
        ("batches", Value::from(batches)),
        ("quarantined", Value::from(quarantined)),
        ("skipped", list(&plan.skipped)),
        ("unchecked", list(&plan.unchecked)),
    ])
}
