//! The term of a subscription: a trial never bills, a fee is paid to the millisecond, whoever ends it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, HOUR, Host, SALT, Terms, a, at, denied};
use counterfoil::{
    Digest, Exact, Meter, Plan, Timestamp,
    meter::{Command, Outcome, Subscribe},
};
use proptest::prelude::*;

/// 8.64 atomic units a day: a millisecond is 10^11 steps of the grid.
const FEE: &str = r#"{"id":"f","model":"flat","price":"0.0864","window":"day","zero":true,"prorate":true},
    {"id":"a","meter":"a","model":"per_unit","price":"0.01"}"#;

fn fee(term: &str) -> Terms {
    Terms::new().charge(FEE).with("term", term)
}

/// What a fee comes to in so many milliseconds.
fn paid(ms: u64) -> Exact {
    let steps = u128::from(ms) * 100_000_000_000;
    let grid = 1_000_000_000_000_000_000;
    Exact::new(steps / grid, u64::try_from(steps % grid).unwrap()).unwrap()
}

/// What a subscription was billed and not credited.
fn net(host: &Host, subscription: Digest) -> Exact {
    let lane = host.meter.lane(&host.lane(subscription)).unwrap();
    lane.cumulative.checked_sub(lane.credited).unwrap()
}

fn subscribe(host: &mut Host, plan: &Plan, started_at: Timestamp) -> Digest {
    host.run(&Command::AddPlan(Box::new(plan.clone())), at(0)).unwrap();
    let subscribe = Subscribe {
        plan: plan.id(),
        payer: None,
        account: Some("customer".to_owned()),
        started_at,
        rail: Digest::ZERO,
    };
    opened(&host.run(&Command::Subscribe(subscribe), at(0)).unwrap())
}

fn opened(outcome: &Outcome) -> Digest {
    match outcome {
        Outcome::Opened { subscription, .. } => *subscription,
        other => panic!("{other:?}"),
    }
}

/// An auditor, a meter that folds the entries and one that goes on from a snapshot agree.
fn assert_sound(host: &Host) {
    host.audit().unwrap();
    let mut fresh = Meter::new(SALT);
    for entry in &host.ledger {
        fresh.replay(entry).unwrap();
    }
    let again = Meter::from_snapshot(&host.meter.snapshot(), SALT).unwrap();
    assert_eq!(fresh.snapshot(), host.meter.snapshot());
    assert_eq!(again.snapshot(), host.meter.snapshot());
    assert!(fresh.subscriptions().eq(host.meter.subscriptions()));
    assert!(again.owed_true_ups().eq(host.meter.owed_true_ups()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_fee_is_paid_for_the_time_between_start_and_end(
        start in 0..3 * DAY,
        trial in prop_oneof![Just(0), 1..2 * DAY],
        used in 0..5 * DAY,
        woken in prop::collection::vec(0..6 * DAY, 0..5),
        by_call in any::<bool>(),
    ) {
        let trial_member = if trial == 0 { String::new() } else { format!(r#","trial":{trial}"#) };
        let plan = fee(&format!(r#"{{"cancellation":"immediate"{trial_member}}}"#)).plan();
        let mut host = Host::new();
        let sub = subscribe(&mut host, &plan, at(start));
        let end = start + used;
        let mut woken: Vec<u64> = woken.into_iter().filter(|t| start + t < end).collect();
        woken.sort_unstable();
        let mut calls = 0;
        for after in woken {
            if by_call && after >= trial {
                host.call(sub, &after.to_string(), a(1), at(start + after));
                calls += 1;
            } else {
                host.due(at(start + after));
            }
        }
        let cancelled = host.run(&Command::Cancel { subscription: sub }, at(end)).unwrap();
        prop_assert_eq!(cancelled, Outcome::Cancelled { ends_at: Some(at(end)) });
        host.due(at(end));
        let calls = Exact::new(calls, 0).unwrap();
        let expected = paid(used.saturating_sub(trial)).checked_add(calls).unwrap();
        prop_assert_eq!(net(&host, sub), expected);
        host.due(at(end + 40 * DAY));
        prop_assert_eq!(net(&host, sub), expected);
        assert_sound(&host);
    }

    #[test]
    fn switching_neither_loses_nor_repeats_a_millisecond(
        instants in prop::collection::vec(1..6 * DAY, 1..6),
        asleep in any::<bool>(),
    ) {
        let one = fee("{}").plan();
        let two = fee("{}").with("name", r#""Two""#).plan();
        let mut host = Host::new();
        host.run(&Command::AddPlan(Box::new(two.clone())), at(0)).unwrap();
        let mut subs = vec![subscribe(&mut host, &one, at(0))];
        let mut instants = instants;
        instants.sort_unstable();
        instants.dedup();
        for (n, after) in instants.iter().enumerate() {
            if !asleep {
                host.due(at(*after));
            }
            let plan = if n % 2 == 0 { two.id() } else { one.id() };
            let subscription = *subs.last().unwrap();
            let to = host.run(&Command::Switch { subscription, plan }, at(*after)).unwrap();
            subs.push(opened(&to));
        }
        let subscription = *subs.last().unwrap();
        let end = 7 * DAY;
        host.run(&Command::Cancel { subscription }, at(end)).unwrap();
        host.due(at(end));
        let sum = subs.iter().fold(Exact::ZERO, |sum, sub| sum.checked_add(net(&host, *sub)).unwrap());
        prop_assert_eq!(sum, paid(end));
        assert_sound(&host);
    }

    #[test]
    fn a_trial_never_bills(
        calls in prop::collection::vec((0..DAY, 0..40_u64, 0..60_u64), 1..12),
        granted in 0..100_u64,
        rounding in prop::sample::select(vec!["carry", "up", "down", "half_even"]),
    ) {
        let grant = format!(r#"[{{"id":"g","kind":"trial","money":"{}"}}]"#, granted + 1);
        let plan = fee(&format!(r#"{{"trial":{DAY}}}"#))
            .with("grants", grant)
            .with("rounding", format!(r#""{rounding}""#))
            .plan();
        let mut host = Host::new();
        let sub = subscribe(&mut host, &plan, at(0));
        let mut calls = calls;
        calls.sort_unstable();
        for (n, (after, most, used)) in calls.into_iter().enumerate() {
            let held = host.authorize(sub, &n.to_string(), a(most), at(after)).unwrap();
            if matches!(held, Outcome::Authorized { .. }) {
                host.settle(sub, &n.to_string(), a(used), at(after + HOUR)).unwrap();
            } else {
                prop_assert_eq!(denied(&held).1, "term/trial");
            }
            host.due(at(after));
        }
        prop_assert_eq!(net(&host, sub), Exact::ZERO);
        assert_sound(&host);
    }
}

#[test]
fn a_payer_has_one_subscription_of_a_name() {
    let plan = fee(r#"{"once":"starter"}"#).plan();
    let mut host = Host::new();
    subscribe(&mut host, &plan, at(0));
    let again = Subscribe {
        plan: plan.id(),
        payer: None,
        account: Some("customer".to_owned()),
        started_at: at(1),
        rail: Digest::ZERO,
    };
    let refused = host.run(&Command::Subscribe(again), at(1)).unwrap_err();
    assert_eq!(refused.code().as_str(), "subscription_conflict");
}
