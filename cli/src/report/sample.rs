//! A report to look at and to test with: a month of a made-up seller.

use super::data::*;

const DAY: u64 = 86_400_000;
/// 1 October 2026.
pub(super) const OCTOBER: u64 = 1_790_812_800_000;

fn hex(seed: u64, bytes: usize) -> String {
    let mut out = String::from("0x");
    let mut x = seed;
    for _ in 0..bytes {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push_str(&format!("{:02x}", x >> 56));
    }
    out
}

/// A month with everything in it.
pub(super) fn full() -> Report {
    let day = |i: u64| {
        let weekend = (i + 3) % 7 >= 5;
        let calls = if weekend { 38 + i % 9 } else { 92 + i * 7 % 41 + i };
        let charged = u128::from(calls) * (118_731 + u128::from(i * i % 97) * 1_103);
        Bucket {
            start_ms: OCTOBER + i * DAY,
            charged,
            calls,
            denied: [0, 3, 0, 11, 2, 0, 27][i as usize % 7],
        }
    };
    let buckets: Vec<Bucket> = (0..31).map(day).collect();
    let charged: u128 = buckets.iter().map(|b| b.charged).sum();
    let calls: u64 = buckets.iter().map(|b| b.calls).sum();
    let denied: u64 = buckets.iter().map(|b| b.denied).sum();
    let names = [
        "acme",
        "northwind",
        "Museum of Tides",
        "blue-heron",
        "lab.example",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "Ünïcode & Söhne",
    ];
    let share = [412, 228, 131, 87, 61, 33, 9];
    let by_subscriber: Vec<SubscriberRow> = names
        .iter()
        .zip(share)
        .map(|(name, share)| SubscriberRow {
            name: (*name).into(),
            calls: calls * share / 1_000,
            denied: if share > 200 { denied * share / 1_000 } else { 0 },
            charged: charged * u128::from(share) / 1_000,
        })
        .collect();
    let rest = |of: u128, rows: u128| of - rows;
    let other = OtherSubscribers {
        count: 12,
        calls: calls - by_subscriber.iter().map(|r| r.calls).sum::<u64>(),
        denied: denied - by_subscriber.iter().map(|r| r.denied).sum::<u64>(),
        charged: rest(charged, by_subscriber.iter().map(|r| r.charged).sum()),
    };
    let credited = 12_480_000;
    let (claimable, held) = (31_904_118, 4_250_001);
    let collected = charged - credited - claimable - held;
    let fees = 1_913_220;
    let residue = 2;
    let payable = collected - fees - residue;
    let payout = |name: &str, seed, share: &str, amount| PayoutRow {
        name: name.into(),
        payee: hex(seed, 20),
        share: share.into(),
        amount,
    };
    let (a, b, c) = (payable * 70 / 100, payable * 175 / 1_000, payable * 9 / 100);
    Report {
        title: "Lighthouse Models, October 2026".into(),
        plan_name: "Inference, graduated".into(),
        plan_id: hex(7, 32),
        currency: Currency { label: "USDC".into(), decimals: 6 },
        ledger_origin: "lighthouse.example/meter-1".into(),
        signer: hex(11, 20),
        period: Some((OCTOBER + 12_345, OCTOBER + 31 * DAY - 4_011)),
        verified: Verified {
            ok: true,
            text:
                "2,996 receipts re-rated, 47 checkpoints and every signature checked, none missing."
                    .into(),
        },
        totals: Totals {
            calls,
            denied,
            charged,
            credited,
            uncollected: "1.20784".into(),
            receipts: calls + 3,
            subscribers: 19,
            lanes: 21,
            checkpoints: 47,
        },
        over_time: OverTime { unit: BucketUnit::Day, buckets },
        by_meter: [
            ("output_tokens", 8_912_404, "241.80441275"),
            ("input_tokens", 41_220_981, "102.1377081125"),
            ("reasoning_tokens", 2_204_118, "38.57206500"),
            ("cached_input_tokens", 19_117_020, "11.94813750"),
            ("requests", 2_993, "0.2993"),
        ]
        .map(|(meter, quantity, exact)| {
            let (whole, fraction) = exact.split_once('.').unwrap();
            let atomic = format!("{whole}{:0<6.6}", fraction);
            MeterRow {
                meter: meter.into(),
                quantity,
                exact: exact.into(),
                charged: atomic.parse().unwrap(),
            }
        })
        .into(),
        by_subscriber,
        other_subscribers: Some(other),
        denials: [
            ("Rate limit: 60 per minute", 113),
            ("Condition not met: purpose is \"inference\"", 49),
            ("Limit: 200 USDC per month", 19),
        ]
        .map(|(reason, count)| DenialRow { reason: reason.into(), count })
        .into(),
        tiers: vec![
            TierProgress {
                charge: "output".into(),
                meter: "output_tokens".into(),
                subscriber: "acme".into(),
                window: "October 2026".into(),
                used: 3_671_908,
                free: 100_000,
                tiers: vec![
                    Tier { up_to: Some(1_000_000), price: "30.00 USDC per 1M".into() },
                    Tier { up_to: Some(5_000_000), price: "25.00 USDC per 1M".into() },
                    Tier { up_to: None, price: "20.00 USDC per 1M".into() },
                ],
                current: Some(1),
            },
            TierProgress {
                charge: "output".into(),
                meter: "output_tokens".into(),
                subscriber: "lab.example".into(),
                window: "October 2026".into(),
                used: 61_204,
                free: 100_000,
                tiers: vec![
                    Tier { up_to: Some(1_000_000), price: "30.00 USDC per 1M".into() },
                    Tier { up_to: Some(5_000_000), price: "25.00 USDC per 1M".into() },
                    Tier { up_to: None, price: "20.00 USDC per 1M".into() },
                ],
                current: None,
            },
        ],
        settlement: Some(Settlement {
            gross: charged,
            credited,
            collected,
            lost: 0,
            sold: 0,
            refunded: 0,
            spent: 0,
            claimable,
            held,
            held_because: "payee_owed".into(),
            written_off: 0,
            payouts: vec![
                payout("Lighthouse Models", 21, "70 %", a),
                payout("Tidal corpus", 22, "17.5 %", b),
                payout("Lexicon archive", 23, "9 %", c),
                payout("", 24, "3.5 %", payable - a - b - c),
            ],
            fees,
            residue,
            root: Some(hex(31, 32)),
        }),
        latest_receipts: (0..6)
            .map(|i| ReceiptRow {
                issued_ms: OCTOBER + 31 * DAY - 4_011 - i * 417_233,
                subscriber: ["acme", "northwind", "acme", "blue-heron", "lab.example", "acme"]
                    [i as usize]
                    .into(),
                sequence: 1_231 - i * 3,
                usage: format!(
                    "{} input, {} cached, {} output",
                    4_020 - i * 371,
                    1_024,
                    612 + i * 55
                ),
                exact: ["0.02841", "0.1932205", "0.0000025", "0.0419", "0.003112375", "0.0771"]
                    [i as usize]
                    .into(),
                cumulative: 162_118_402 - u128::from(i) * 201_337,
            })
            .collect(),
    }
}

/// A ledger without a call.
pub(super) fn empty() -> Report {
    Report {
        title: "A new ledger".into(),
        period: None,
        totals: Totals { uncollected: "0".into(), ..Totals::default() },
        verified: Verified { ok: true, text: "0 receipts; the ledger is empty and intact.".into() },
        over_time: OverTime { unit: BucketUnit::Day, buckets: Vec::new() },
        by_meter: Vec::new(),
        by_subscriber: Vec::new(),
        other_subscribers: None,
        denials: Vec::new(),
        tiers: Vec::new(),
        settlement: None,
        latest_receipts: Vec::new(),
        ..full()
    }
}

/// One call of one subscriber on one day, and an audit that failed.
pub(super) fn single() -> Report {
    let full = full();
    let charged = 7_100;
    Report {
        title: "<script>alert(1)</script> & \"Co\"".into(),
        period: Some((OCTOBER, OCTOBER)),
        currency: Currency { label: "ETH".into(), decimals: 18 },
        verified: Verified {
            ok: false,
            text: "lane 0x41…9c, sequence 1: charge differs from the recomputed one".into(),
        },
        totals: Totals {
            calls: 1,
            charged,
            uncollected: "0".into(),
            receipts: 1,
            subscribers: 1,
            lanes: 1,
            checkpoints: 1,
            ..Totals::default()
        },
        over_time: OverTime {
            unit: BucketUnit::Day,
            buckets: vec![Bucket { start_ms: OCTOBER, charged, calls: 1, denied: 0 }],
        },
        by_meter: vec![MeterRow {
            meter: "requests".into(),
            quantity: 1,
            exact: "0.0000000000000071".into(),
            charged,
        }],
        by_subscriber: vec![SubscriberRow {
            name: "<script>".into(),
            calls: 1,
            denied: 0,
            charged,
        }],
        other_subscribers: None,
        denials: Vec::new(),
        tiers: Vec::new(),
        settlement: Some(Settlement {
            gross: charged,
            credited: 0,
            lost: 0,
            sold: 0,
            refunded: 0,
            spent: 0,
            collected: 0,
            claimable: charged - 1,
            held: 0,
            held_because: String::new(),
            written_off: 0,
            payouts: Vec::new(),
            fees: 0,
            residue: 0,
            root: None,
        }),
        latest_receipts: full.latest_receipts.into_iter().take(1).collect(),
        ..full
    }
}

/// A week by the hour, in whole yen, with many payees.
pub(super) fn hourly() -> Report {
    let full = full();
    let bucket = |i: u64| {
        let hour = i % 24;
        let calls = (hour * (24 - hour)).saturating_sub(20) * (3 + i * i % 5) / 9;
        let charged = u128::from(calls * (40 + i % 13));
        Bucket { start_ms: OCTOBER + i * 3_600_000, charged, calls, denied: i % 17 / 14 * 5 }
    };
    let buckets: Vec<Bucket> = (0..168).map(bucket).collect();
    let charged: u128 = buckets.iter().map(|b| b.charged).sum();
    let amounts = [41, 23, 13, 9, 5, 4, 3, 1].map(|share| charged * share / 100);
    let payout = |(i, amount): (u64, u128)| PayoutRow {
        name: String::new(),
        payee: hex(90 + i, 20),
        share: "by source".into(),
        amount,
    };
    let payouts: Vec<PayoutRow> = (0..).zip(amounts).map(payout).collect();
    let residue = charged - amounts.iter().sum::<u128>();
    Report {
        title: "A week in yen".into(),
        currency: Currency { label: "JPY".into(), decimals: 0 },
        period: Some((OCTOBER, OCTOBER + 7 * DAY - 1)),
        totals: Totals {
            calls: buckets.iter().map(|b| b.calls).sum(),
            denied: buckets.iter().map(|b| b.denied).sum(),
            charged,
            credited: 0,
            ..full.totals
        },
        over_time: OverTime { unit: BucketUnit::Hour, buckets },
        other_subscribers: None,
        settlement: Some(Settlement {
            gross: charged,
            credited: 0,
            lost: 0,
            sold: 0,
            refunded: 0,
            spent: 0,
            collected: charged,
            claimable: 0,
            held: 0,
            held_because: String::new(),
            written_off: 0,
            payouts,
            fees: 0,
            residue,
            root: None,
        }),
        ..full
    }
}
