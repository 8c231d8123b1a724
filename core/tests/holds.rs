//! Holds that are made larger while a call runs, and calls that end without a usage.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{Host, Terms, at, receipt, usage};
use counterfoil::{
    Digest, Exact, Plan, Usage,
    entry::ReceiptEntry,
    meter::{Command, Outcome},
    receipt::Item,
    usage::Basis,
};
use proptest::prelude::*;

const CHARGES: [&str; 6] = [
    r#"{"id":"a","meter":"a","model":"per_unit","price":"0.3"}"#,
    r#"{"id":"a","meter":"a","model":"package","size":7,"price":"1.1"}"#,
    r#"{"id":"a","meter":"a","model":"graduated","tiers":[{"up_to":10,"price":"0.1"},{"up_to":30,"price":"0.9"},{"price":"0.2"}]}"#,
    r#"{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{"up_to":15,"price":"0.5"},{"price":"0.2"}]}"#,
    r#"{"id":"a","meter":"a","model":"percentage","price":"1","rate":"0.1","min":"0.5"}"#,
    r#"{"id":"a","meter":"a","model":"per_unit","price":"1","aggregate":"max","window":"day"}"#,
];

fn plan(charge: usize, limits: &str, unfinished: &str) -> Plan {
    let charges = format!(
        r#"[{},{{"id":"b","meter":"b","model":"per_unit","price":"0.07"}}]"#,
        CHARGES[charge]
    );
    Terms::new()
        .with("charges", charges)
        .with("limits", limits)
        .with("grants", r#"[{"id":"g","kind":"included","meter":"b","units":9}]"#)
        .with("times", format!(r#"{{"unfinished":"{unfinished}"}}"#))
        .plan()
}

fn both((a, b): (u64, u64)) -> Usage {
    usage(&[("a", a), ("b", b)])
}

fn extend(host: &mut Host, sub: Digest, most: (u64, u64)) -> Outcome {
    let most = Some(both(most));
    host.run(&Command::Extend { subscription: sub, id: "1".into(), most }, at(1)).unwrap()
}

fn unfinished(host: &mut Host, sub: Digest) -> ReceiptEntry {
    let command = Command::SettleUnfinished { subscription: sub, id: "1".into() };
    receipt(host.run(&command, at(2)).unwrap())
}

/// What a receipt says but for where its usage comes from.
fn said(receipt: &ReceiptEntry) -> Vec<Item> {
    let source = |item: &&Item| !matches!(item, Item::Source { .. });
    receipt.body.items.iter().filter(source).cloned().collect()
}

fn charged(receipts: &[ReceiptEntry]) -> Exact {
    let (mut charged, mut returned) = (Exact::ZERO, Exact::ZERO);
    for item in receipts.iter().flat_map(|receipt| &receipt.body.items) {
        match item {
            Item::Price { exact, .. } => charged = charged.checked_add(*exact).unwrap(),
            Item::Surplus { exact, .. } => returned = returned.checked_add(*exact).unwrap(),
            _ => {}
        }
    }
    charged.checked_sub(returned).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_hold_that_grew_is_one_that_was_made_so_large(
        charge in 0..CHARGES.len(),
        limits in prop_oneof![
            Just(r#"[{"id":"cap","spend":"12"}]"#),
            Just(r#"[{"id":"few","meter":"a","most":40,"window":"day"},{"id":"one","concurrency":2}]"#),
            Just(r#"[{"id":"owed","credit":"6"}]"#),
        ],
        other in (0..20_u64, 0..12_u64),
        small in (0..20_u64, 0..12_u64),
        more in (0..20_u64, 0..12_u64),
    ) {
        let plan = plan(charge, limits, "parts");
        let large = (small.0 + more.0, small.1 + more.1);
        let start = |most| {
            let mut host = Host::new();
            let sub = host.subscribe(&plan);
            host.authorize(sub, "other", both(other), at(0)).unwrap();
            let made = host.authorize(sub, "1", both(most), at(0)).unwrap();
            (host, sub, matches!(made, Outcome::Authorized { .. }))
        };
        let (mut grown, sub, held) = start(small);
        if held {
            let before = (grown.meter.subscription(&sub), grown.meter.holds(&sub));
            let outcome = extend(&mut grown, sub, large);
            let (at_once, _, admitted) = start(large);
            let extended = matches!(outcome, Outcome::Extended { .. });
            prop_assert_eq!(extended, admitted, "{:?}", outcome);
            if extended {
                prop_assert_eq!(grown.meter.subscription(&sub), at_once.meter.subscription(&sub));
                let settled = |mut host: Host| {
                    let receipt = receipt(host.settle(sub, "1", both(large), at(2)).unwrap());
                    host.audit().unwrap();
                    said(&receipt)
                };
                prop_assert_eq!(settled(grown), settled(at_once));
            } else {
                prop_assert_eq!(before, (grown.meter.subscription(&sub), grown.meter.holds(&sub)));
            }
        }
    }

    #[test]
    fn a_call_without_usage_pays_as_one_of_what_the_plan_says(
        charge in 0..CHARGES.len(),
        held in any::<bool>(),
        parts in prop::collection::vec((0..9_u64, 0..6_u64), 0..3),
        rest in (0..9_u64, 0..6_u64),
    ) {
        let plan = plan(charge, "[]", if held { "held" } else { "parts" });
        let mut read = (0, 0);
        let readings: Vec<_> = parts
            .into_iter()
            .map(|(a, b)| {
                read = (read.0 + a, read.1 + b);
                read
            })
            .collect();
        let most = (read.0 + rest.0, read.1 + rest.1);
        let start = || {
            let mut host = Host::new();
            let sub = host.subscribe(&plan);
            let outcome = host.authorize(sub, "1", both(most), at(0)).unwrap();
            let Outcome::Authorized { reserved, .. } = outcome else { panic!("{outcome:?}") };
            let made: Vec<_> = readings
                .iter()
                .filter_map(|reading| {
                    match host.settle_part(sub, "1", both(*reading), at(1)).unwrap() {
                        Outcome::Receipt { receipt, .. } => Some((*receipt).clone()),
                        _ => None,
                    }
                })
                .collect();
            (host, sub, reserved, made)
        };
        let (mut host, sub, reserved, mut made) = start();
        made.push(unfinished(&mut host, sub));
        host.audit().unwrap();
        let (mut other, ..) = start();
        let used = match (held, readings.last()) {
            (true, _) => both(most),
            (false, Some(read)) => both(*read),
            (false, None) => usage(&[]),
        };
        let settled = receipt(other.settle(sub, "1", used, at(2)).unwrap());
        let last = made.last().unwrap();
        prop_assert_eq!(said(last), said(&settled));
        let estimated = |item: &Item| matches!(item, Item::Source { basis: Basis::Estimated, .. });
        prop_assert!(last.body.items.iter().any(estimated));
        prop_assert!(charged(&made) <= reserved, "{:?} of {reserved:?}", charged(&made));
    }
}
