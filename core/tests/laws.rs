//! The laws that money is kept by: no drift, conservation, order independence.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, HOUR, Host, Terms, a, at, denied, receipt, usage};
use counterfoil::{
    Amount, Exact, Plan,
    entry::Entry,
    meter::{Command, Outcome},
    settlement::{Batch, Extent, Settlement},
};
use proptest::prelude::*;

/// A batch over every lane and receipt of these hosts, in the order of the ledgers.
fn batch(hosts: &[&Host], extent: Extent) -> Batch {
    let currency = hosts[0].meter.plans().next().unwrap().currency().clone();
    let mut batch = Batch::new(currency);
    for host in hosts {
        for totals in host.meter.lanes() {
            batch.add_lane(&totals, plan_of(host, totals.subscription), extent).unwrap();
        }
        add_grants(&mut batch, host);
        for receipt in host.recorded() {
            let subscription = host
                .meter
                .lanes()
                .find(|lane| lane.lane == receipt.head.lane)
                .map(|lane| lane.subscription)
                .unwrap();
            batch.add_receipt(&receipt, plan_of(host, subscription)).unwrap();
        }
    }
    batch
}

/// What was given and voided, in the order of the ledger.
fn add_grants(batch: &mut Batch, host: &Host) {
    for bytes in &host.ledger {
        match Entry::from_bytes(bytes).unwrap() {
            Entry::Granted(e) => batch.add_grant(&e, plan_of(host, e.subscription)).unwrap(),
            Entry::Voided(e) => batch.add_void(&e),
            _ => {}
        }
    }
}

fn plan_of(host: &Host, subscription: counterfoil::Digest) -> &Plan {
    host.meter.plan(&host.meter.subscription(&subscription).unwrap().plan).unwrap()
}

fn paid(settlement: &Settlement, payee: &str) -> u128 {
    let line = settlement.payees.iter().find(|line| line.payee.to_string() == payee);
    line.map_or(0, |line| line.payable.atomic())
}

/// Money in, money out, added up here and not by the settlement itself.
fn assert_conserved(s: &Settlement) {
    s.check_conservation().unwrap();
    let t = &s.totals;
    assert_eq!(
        t.gross.atomic() + t.owed.atomic(),
        t.credited.atomic() + t.collected.atomic() + t.claimable.atomic()
    );
    let payouts: u128 = s.payees.iter().map(|line| line.payable.atomic()).sum();
    assert_eq!(payouts, t.payouts.atomic());
    assert_eq!(
        payouts + t.fees.atomic() + t.residue.atomic() + t.held.atomic(),
        t.collected.atomic() + t.spent.atomic()
    );
    assert_eq!(t.sold.atomic(), t.refunded.atomic() + t.spent.atomic() + t.unearned.atomic());
    assert!(t.held <= t.owed);
}

#[test]
fn a_thousand_calls_of_a_thousandth_cost_one() {
    let terms = Terms::new().token(0).checkpoints(100_000, "1000000", DAY);
    let plan = terms.charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.001"}"#).plan();
    let mut host = Host::new();
    let (held, imported) =
        (host.subscribe(&plan), host.subscribe_as(&plan, "another customer", at(0)));
    for n in 0..1000 {
        assert!(host.charged(held) < Exact::new(1, 0).unwrap());
        host.call(held, &format!("call {n}"), a(1), at(n));
        receipt(host.import(imported, a(1), at(n)).unwrap());
    }
    assert_eq!(host.charged(held), Exact::new(1, 0).unwrap());
    assert_eq!(host.charged(imported), Exact::new(1, 0).unwrap());
    host.audit().unwrap();
}

#[test]
fn a_cap_of_ten_admits_exactly_2500_calls_of_0_004() {
    for decimals in [0, 2, 6, 18] {
        let plan = Terms::new()
            .token(decimals)
            .checkpoints(100_000, "1000000", DAY)
            .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.004"}"#)
            .spend("10", Some("month"))
            .plan();
        let mut host = Host::new();
        let (held, imported) =
            (host.subscribe(&plan), host.subscribe_as(&plan, "another customer", at(0)));
        for n in 0..2500 {
            host.call(held, &format!("call {n}"), a(1), at(n));
            receipt(host.import(imported, a(1), at(n)).unwrap());
        }
        let refused = ("limit_reached", "limits/cap".to_owned());
        assert_eq!(denied(&host.authorize(held, "more", a(1), at(2500)).unwrap()), refused);
        assert_eq!(denied(&host.import(imported, a(1), at(2500)).unwrap()), refused);
        let cap = Exact::new(10 * 10_u128.pow(decimals.into()), 0).unwrap();
        assert_eq!((host.charged(held), host.charged(imported)), (cap, cap), "{decimals}");
    }
}

#[test]
fn open_holds_count_against_the_cap_as_settled_calls_do() {
    let plan = Terms::new()
        .token(2)
        .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.004"}"#)
        .spend("1", None)
        .plan();
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    for n in 0..250 {
        let outcome = host.authorize(sub, &format!("call {n}"), a(1), at(n)).unwrap();
        assert!(matches!(outcome, Outcome::Authorized { .. }), "{n}");
    }
    denied(&host.authorize(sub, "more", a(1), at(250)).unwrap());
}

#[test]
fn a_thousand_single_units_split_50_49_1() {
    let plan = Terms::new()
        .token(0)
        .checkpoints(100_000, "1000000", DAY)
        .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"1"}"#)
        .with(
            "payees",
            r#"[{"payee":"a tool","weight":1},{"payee":"data","weight":49},{"payee":"owner","weight":50}]"#,
        )
        .plan();
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    for n in 0..1000 {
        receipt(host.import(sub, a(1), at(n)).unwrap());
    }
    for closing in [false, true] {
        let settlement = batch(&[&host], Extent::Everything).settle(closing).unwrap();
        assert_conserved(&settlement);
        let split = ["owner", "data", "a tool"].map(|payee| paid(&settlement, payee));
        assert_eq!(split, [500, 490, 10]);
    }
}

#[test]
fn each_rounding_bills_a_call_as_one_total() {
    // Two parts of 0.3 and 0.2 of a unit: 0.5 together, not two roundings.
    let charges = r#"[{"id":"a","meter":"a","model":"per_unit","price":"0.3"},{"id":"b","meter":"b","model":"per_unit","price":"0.2"}]"#;
    for (rounding, billed) in
        [("carry", [0, 1, 0, 1]), ("up", [1, 1, 1, 1]), ("down", [0; 4]), ("half_even", [0; 4])]
    {
        let plan = Terms::new()
            .token(0)
            .with("charges", charges)
            .with("rounding", format!(r#""{rounding}""#))
            .plan();
        let mut host = Host::new();
        let sub = host.subscribe(&plan);
        let charges: Vec<u128> = (0..4)
            .map(|n| host.call(sub, &format!("{n}"), usage(&[("a", 1), ("b", 1)]), at(n)))
            .map(|receipt| receipt.head.charge.atomic())
            .collect();
        assert_eq!(charges, billed, "{rounding}");
        host.audit().unwrap();
    }
}

#[test]
fn a_limit_compares_what_a_rounding_bills() {
    // Rounded up, ten calls of 0.1 cost ten units; carried, one.
    for (rounding, admitted) in [("carry", 100), ("up", 10)] {
        let plan = Terms::new()
            .token(0)
            .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.1"}"#)
            .with("rounding", format!(r#""{rounding}""#))
            .spend("10", None)
            .plan();
        let mut host = Host::new();
        let sub = host.subscribe(&plan);
        let held = (0..200)
            .take_while(|n| {
                let outcome = host.authorize(sub, &format!("{n}"), a(1), at(*n)).unwrap();
                matches!(outcome, Outcome::Authorized { .. })
            })
            .count();
        assert_eq!(held, admitted, "{rounding}");
    }
}

#[test]
fn a_fee_and_a_credit_after_collection_do_not_break_a_settlement() {
    // 20 units at 5 are billed 100; the 21st makes all 21 cost 1 each. All 100 was collected, with a
    // fee of 90: 79 is owed back, of which only 10 are still in hand.
    let plan = volume(0, "carry");
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    host.call(sub, "1", a(20), at(0));
    host.call(sub, "2", a(1), at(1));
    host.collect(host.lane(sub), 100, 90, at(2)).unwrap();
    host.due(at(DAY + HOUR));
    for extent in [Extent::Collected, Extent::Everything] {
        for closing in [false, true] {
            let settlement = batch(&[&host], extent).settle(closing).unwrap();
            assert_conserved(&settlement);
            assert_eq!(settlement.totals.owed.atomic(), 79);
            assert_eq!(settlement.totals.held.atomic(), 10);
        }
    }
}

/// All units at 5, or at 1 from the 21st of a day on; three payees.
fn volume(decimals: u8, rounding: &str) -> Plan {
    let unit = |price: &str| match decimals {
        0 => price.to_owned(),
        n => format!("0.{}{price}", "0".repeat(usize::from(n))),
    };
    Terms::new()
        .token(decimals)
        .checkpoints(7, "1000", HOUR)
        .charge(&format!(
            r#"{{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{{"up_to":20,"price":"{}"}},{{"price":"{}"}}]}}"#,
            unit("5"),
            unit("1")
        ))
        .with("rounding", format!(r#""{rounding}""#))
        .with(
            "payees",
            r#"[{"payee":"a","weight":1},{"payee":"b","weight":3},{"payee":"c","weight":3}]"#,
        )
        .plan()
}

#[derive(Debug, Clone)]
struct Story {
    /// (subscription, units, hours later).
    calls: Vec<(usize, u64, u64)>,
    /// By subscription: permille collected, and of that the fee.
    collected: Vec<(u128, u128)>,
    /// (receipt, how many fifths of a unit are given back; 0 is all).
    credits: Vec<(usize, u64)>,
    /// Grants that are bought before the calls: (subscription, how many, whether in money, whether it is
    /// voided).
    bought: Vec<(usize, u64, bool, bool)>,
}

fn story() -> impl Strategy<Value = Story> {
    let calls = prop::collection::vec((0..3_usize, 1..25_u64, 0..9_u64), 1..40);
    let collected = prop::collection::vec((0..=1000_u128, 0..200_u128), 3);
    let credits = prop::collection::vec((0..40_usize, 0..60_u64), 0..12);
    let bought = prop::collection::vec((0..3_usize, 1..70_u64, any::<bool>(), any::<bool>()), 0..4);
    (calls, collected, credits, bought).prop_map(|(calls, collected, credits, bought)| Story {
        calls,
        collected,
        credits,
        bought,
    })
}

/// Tells the story on a host of its own; subscription `n` under the nth plan.
fn tell(story: &Story, plans: &[Plan], origin: &str) -> Host {
    let mut host = Host::named(origin);
    let subs: Vec<_> = plans
        .iter()
        .enumerate()
        .map(|(n, plan)| host.subscribe_as(plan, &format!("customer {n} of {origin}"), at(0)))
        .collect();
    for (n, (who, many, in_money, _)) in story.bought.iter().enumerate() {
        let terms = match in_money {
            true => format!(r#""money":"{many}""#),
            false => format!(r#""meter":"a","units":{many},"price":"{}""#, 1 + n),
        };
        let terms = format!(r#"{{"id":"g{n}","kind":"paid","reference":"payment {n}",{terms}}}"#);
        let subscription = subs[who % subs.len()];
        host.run(&Command::Grant { subscription, terms }, at(0)).unwrap();
    }
    let mut now = 0;
    for (n, (who, units, later)) in story.calls.iter().enumerate() {
        now += later * HOUR;
        host.due(at(now));
        host.call(subs[who % subs.len()], &format!("{n}"), a(*units), at(now));
    }
    // Some of the money comes before the last true-up.
    for (sub, (part, fee)) in subs.iter().zip(&story.collected) {
        let amount = host.charged(*sub).floor().atomic() * part / 1000;
        host.collect(host.lane(*sub), amount, amount * fee / 1000, at(now)).unwrap();
    }
    for (n, (who, ..)) in story.bought.iter().enumerate().filter(|(_, bought)| bought.3) {
        let (subscription, grant) = (subs[who % subs.len()], format!("g{n}"));
        host.run(&Command::Void { subscription, grant }, at(now)).unwrap();
    }
    // Some is given back before the last true-up, some after it.
    let (before, after) = story.credits.split_at(story.credits.len() / 2);
    give_back(&mut host, before, now);
    host.due(at(now + 3 * DAY));
    give_back(&mut host, after, now + 3 * DAY);
    host
}

fn give_back(host: &mut Host, credits: &[(usize, u64)], now: u64) {
    let receipts = host.recorded();
    for (n, fifths) in credits {
        let receipt = &receipts[n % receipts.len()];
        let lane = host.meter.lane(&receipt.head.lane).unwrap();
        let fifth = 200_000_000_000_000_000;
        let amount = Exact::new(u128::from(fifths / 5), fifths % 5 * fifth).unwrap();
        let id = format!("{now} {n} {fifths}");
        let amount = (*fifths > 0).then_some(amount);
        if let Err(e) = host.credit(lane.subscription, &id, receipt, amount, at(now)) {
            assert!(["credit_invalid", "credit_exceeded"].contains(&e.code().as_str()), "{e}");
        }
        let lane = host.meter.lane(&lane.lane).unwrap();
        assert!(lane.credited <= lane.cumulative);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn settlements_conserve(story in story(), decimals in 0..3_u8) {
        // Prices of 5 and 1 unit, of 0.5 and 0.1, of 0.05 and 0.01: carried and rounded.
        for rounding in ["carry", "up", "down", "half_even"] {
            let plans: Vec<_> = [0, decimals].map(|d| fractional(d, rounding)).into();
            let host = tell(&story, &plans, "log.example");
            host.audit().unwrap();
            for extent in [Extent::Collected, Extent::Everything] {
                for closing in [false, true] {
                    let settlement = batch(&[&host], extent).settle(closing).unwrap();
                    assert_conserved(&settlement);
                    let payees = settlement.payees.len() as u128;
                    let lanes = settlement.lanes.len() as u128;
                    prop_assert!(settlement.totals.residue.atomic() <= payees + lanes);
                }
            }
        }
    }

    #[test]
    fn shards_merge_to_one_machine_in_any_order(stories in prop::collection::vec(story(), 3)) {
        let plans = [volume(0, "carry"), fractional(1, "carry")];
        let origins = ["log.one", "log.two", "log.three"];
        let hosts: Vec<_> =
            stories.iter().zip(origins).map(|(story, origin)| tell(story, &plans, origin)).collect();
        for extent in [Extent::Collected, Extent::Everything] {
            let whole = batch(&[&hosts[0], &hosts[1], &hosts[2]], extent);
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
                let mut merged = batch(&[&hosts[order[0]]], extent);
                merged.merge(&batch(&[&hosts[order[1]]], extent)).unwrap();
                merged.merge(&batch(&[&hosts[order[2]]], extent)).unwrap();
                prop_assert_eq!(&merged, &whole);
                prop_assert_eq!(merged.settle(true).unwrap(), whole.settle(true).unwrap());
                prop_assert!(merged.clone().merge(&merged).is_err());
            }
            // The order of receipts does not matter either.
            let mut turned = Batch::new(whole.currency().clone());
            let host = &hosts[0];
            for totals in host.meter.lanes() {
                turned.add_lane(&totals, plan_of(host, totals.subscription), extent).unwrap();
            }
            add_grants(&mut turned, host);
            let lanes: Vec<_> = host.meter.lanes().collect();
            for receipt in host.recorded().iter().rev() {
                let lane = lanes.iter().find(|lane| lane.lane == receipt.head.lane).unwrap();
                turned.add_receipt(receipt, plan_of(host, lane.subscription)).unwrap();
            }
            prop_assert_eq!(turned, batch(&[host], extent));
        }
    }
}

/// The volume plan, priced in parts of a unit: 5, 0.5 or 0.05.
fn fractional(digits: u8, rounding: &str) -> Plan {
    let (high, low) = match digits {
        0 => ("5", "1"),
        1 => ("0.5", "0.1"),
        _ => ("0.05", "0.01"),
    };
    Terms::new()
        .token(0)
        .charge(&format!(
            r#"{{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{{"up_to":20,"price":"{high}"}},{{"price":"{low}"}}]}}"#
        ))
        .checkpoints(9, "10", HOUR)
        .with("rounding", format!(r#""{rounding}""#))
        .with("payees", r#"[{"payee":"a","weight":1},{"payee":"b","weight":3},{"payee":"c","weight":3}]"#)
        .plan()
}

#[test]
fn a_pack_is_worth_its_price_in_whatever_parts_it_is_drawn() {
    for (units, price) in [(1_000, "1"), (7, "3"), (3, "200"), (997, "1000003")] {
        let plan = Terms::new()
            .token(0)
            .checkpoints(100_000, "100000000", DAY)
            .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"1"}"#)
            .with("payees", r#"[{"payee":"a","weight":1},{"payee":"b","weight":3}]"#)
            .plan();
        let mut host = Host::new();
        let subscription = host.subscribe(&plan);
        let terms = format!(
            r#"{{"id":"g","kind":"paid","meter":"a","units":{units},"price":"{price}","reference":"p"}}"#
        );
        host.run(&Command::Grant { subscription, terms }, at(0)).unwrap();
        let (mut left, mut n) = (units, 0);
        while left > 0 {
            let part = left.min(1 + n % 13);
            host.call(subscription, &format!("{n}"), a(part), at(n));
            (left, n) = (left - part, n + 1);
        }
        let settlement = batch(&[&host], Extent::Collected).settle(true).unwrap();
        assert_conserved(&settlement);
        assert_eq!(settlement.totals.spent.to_string(), price);
        assert_eq!(settlement.totals.payouts.to_string(), price);
        assert!(settlement.totals.unearned.is_zero());
    }
}

#[test]
fn everything_can_be_given_back_and_then_nothing_is_left() {
    for rounding in ["carry", "up", "down", "half_even"] {
        let plan = fractional(1, rounding);
        let mut host = Host::new();
        let sub = host.subscribe(&plan);
        let calls: Vec<_> =
            (0..7).map(|n| host.call(sub, &format!("{n}"), a(n + 2), at(n))).collect();
        host.collect(host.lane(sub), 9, 1, at(9)).unwrap();
        for (n, call) in calls.iter().enumerate() {
            // A call that cost nothing has nothing to give back.
            let done = host.credit(sub, &format!("{n}"), call, None, at(10));
            assert!(done.is_ok() || call.head.charge.is_zero());
            let again = host.credit(sub, &format!("again {n}"), call, None, at(10));
            assert_eq!(again.unwrap_err().code().as_str(), "credit_exceeded");
        }
        host.due(at(3 * DAY));
        let lane = host.meter.lane(&host.lane(sub)).unwrap();
        assert_eq!(lane.credited, lane.cumulative, "{rounding}");
        let settlement = batch(&[&host], Extent::Collected).settle(true).unwrap();
        assert_conserved(&settlement);
        assert_eq!((settlement.totals.owed.atomic(), settlement.totals.held.atomic()), (9, 8));
        assert!(settlement.payees.iter().all(|payee| payee.payable.is_zero()));
        host.audit().unwrap();
    }
}

#[test]
fn amounts_too_large_are_refused_and_nothing_changes() {
    let most = "340282366920938463463374607431768211455";
    let plan = Terms::new()
        .token(0)
        .charge(&format!(r#"{{"id":"a","meter":"a","model":"per_unit","price":"{most}"}}"#))
        .plan();
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    let before = host.meter.snapshot();
    for units in [2, (1 << 63) - 1] {
        let refused = host.authorize(sub, "big", a(units), at(1)).unwrap_err();
        assert_eq!(refused.code().as_str(), "amount_overflow");
        let refused = host.import(sub, a(units), at(1)).unwrap_err();
        assert_eq!(refused.code().as_str(), "amount_overflow");
        assert_eq!(host.meter.snapshot(), before);
    }
    // The largest amount itself is billed, and then not one unit more.
    assert_eq!(host.call(sub, "1", a(1), at(2)).head.cumulative, Amount::MAX);
    assert_eq!(
        host.authorize(sub, "2", a(1), at(3)).unwrap_err().code().as_str(),
        "amount_overflow"
    );
    host.audit().unwrap();
}
