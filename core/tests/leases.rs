//! Leases: one budget, many meters, no word between them per call.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{DAY, HOUR, Host, SALT, Terms, a, at, denied, key, receipt};
use counterfoil::{
    Code, Digest, Exact, Meter, Plan, Timestamp,
    lease::{Lease, Statement},
    meter::{Command, LeaseRequest, Outcome},
};
use proptest::prelude::*;

fn request(subscription: Digest, holder: &str, units: u64, until: Timestamp) -> LeaseRequest {
    LeaseRequest {
        subscription,
        holder: holder.to_owned(),
        until,
        units: BTreeMap::from([("a".to_owned(), units)]),
        limits: BTreeMap::new(),
        attributes: BTreeMap::new(),
    }
}

fn lend(host: &mut Host, request: LeaseRequest, now: Timestamp) -> counterfoil::Result<Outcome> {
    host.run(&Command::Lease(request), now)
}

fn leased(outcome: Outcome) -> Arc<Lease> {
    match outcome {
        Outcome::Leased { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

fn accept(holder: &mut Host, plan: &Plan, lease: &Lease, now: Timestamp) -> Digest {
    holder.run(&Command::AddPlan(Box::new(plan.clone())), now).unwrap();
    let command = Command::Accept {
        lease: lease.to_bytes(),
        signature: key().sign(&lease.digest()),
        rail: Digest::ZERO,
    };
    match holder.run(&command, now).unwrap() {
        Outcome::Opened { subscription, .. } => subscription,
        other => panic!("{other:?}"),
    }
}

fn state(holder: &mut Host, lease: Digest, closing: bool, now: Timestamp) -> Statement {
    match holder.run(&Command::Statement { lease, closing }, now).unwrap() {
        Outcome::Stated { statement, .. } => statement,
        other => panic!("{other:?}"),
    }
}

fn absorb(host: &mut Host, statement: &Statement, now: Timestamp) -> counterfoil::Result<Outcome> {
    let signature = key().sign(&statement.digest());
    host.run(&Command::Absorb { statement: statement.to_bytes(), signature }, now)
}

fn exact(amount: counterfoil::Amount, remainder: u64) -> Exact {
    Exact::new(amount.atomic(), remainder).unwrap()
}

fn counter(host: &Host, subscription: Digest) -> (u64, Exact) {
    let view = host.meter.subscription(&subscription).unwrap();
    view.counters.first().map_or((0, Exact::ZERO), |counter| (counter.units, counter.billed))
}

const TIERS: &str = r#"{"id":"a","meter":"a","model":"graduated","window":"month","tiers":[{"up_to":100,"price":"1"},{"price":"0.5"}]}"#;

#[test]
fn a_lease_is_used_returned_and_its_total_is_one_machines() {
    let plan = Terms::new().charge(TIERS).spend("120", Some("month")).plan();
    let (mut host, mut replica) = (Host::new(), Host::named("replica.example"));
    let sub = host.subscribe(&plan);
    let until = at(DAY);
    let lease =
        leased(lend(&mut host, request(sub, "replica.example", 100, until), at(0)).unwrap());
    // Nobody else has the dear units now, and the limit counts them.
    assert_eq!(counter(&host, sub), (100, Exact::new(10_000, 0).unwrap()));
    let refused = lend(&mut host, request(sub, "other.example", 41, until), at(0)).unwrap();
    assert_eq!(denied(&refused), ("limit_reached", "limits/cap".to_owned()));
    assert_eq!(host.call(sub, "own", a(40), at(1)).head.charge.atomic(), 2_000);

    let id = accept(&mut replica, &plan, &lease, at(1));
    assert_eq!(replica.call(id, "theirs", a(30), at(2)).head.charge.atomic(), 3_000);
    let refused = replica.authorize(id, "more", a(71), at(3)).unwrap();
    assert_eq!(denied(&refused), ("lease_exhausted", "lease/charges/a".to_owned()));
    let late = replica.authorize(id, "late", a(1), until).unwrap();
    assert_eq!(denied(&late), ("lease_exhausted", "lease/until".to_owned()));

    let last = state(&mut replica, id, true, at(4));
    assert_eq!(replica.authorize(id, "next", a(1), at(5)).unwrap_err().code(), Code::LeaseClosed);
    absorb(&mut host, &last, at(5)).unwrap();
    assert!(matches!(absorb(&mut host, &last, at(5)), Ok(Outcome::Done)), "once is enough");
    let snapshot = host.meter.snapshot();
    host.meter = Meter::from_snapshot(&snapshot, SALT).unwrap();
    assert_eq!(host.meter.snapshot(), snapshot);
    assert!(matches!(absorb(&mut host, &last, at(5)), Ok(Outcome::Done)));
    // 70 units in all cost 70; 30 and 20 were charged. The rest is due at once.
    let due = host.due(at(6));
    let short = due.iter().find_map(|outcome| match outcome {
        Outcome::Receipt { receipt, .. } => Some(receipt.head.charge.atomic()),
        _ => None,
    });
    assert_eq!(short, Some(2_000), "{due:?}");
    assert_eq!(counter(&host, sub), (70, Exact::new(7_000, 0).unwrap()));
    host.audit().unwrap();
    replica.audit().unwrap();
}

#[test]
fn what_a_lane_charged_too_dear_the_lender_credits() {
    let plan = Terms::new()
        .charge(
            r#"{"id":"a","meter":"a","model":"per_unit","price":"1","free":50,"window":"month"}"#,
        )
        .plan();
    let (mut host, mut one, mut two) = (Host::new(), Host::named("one"), Host::named("two"));
    let sub = host.subscribe(&plan);
    let until = at(DAY);
    let first = leased(lend(&mut host, request(sub, "one", 50, until), at(0)).unwrap());
    let second = leased(lend(&mut host, request(sub, "two", 50, until), at(0)).unwrap());
    let unused = accept(&mut one, &plan, &first, at(0));
    let used = accept(&mut two, &plan, &second, at(0));
    two.call(used, "call", a(40), at(1));
    for (holder, lease) in [(&mut one, unused), (&mut two, used)] {
        absorb(&mut host, &state(holder, lease, true, at(2)), at(2)).unwrap();
    }
    // 40 units are free in all; the second lane charged 40 dollars for them.
    assert_eq!(counter(&host, sub), (40, Exact::new(4_000, 0).unwrap()));
    host.due(at(40 * DAY));
    let lane = host.meter.lanes().next().unwrap();
    assert_eq!((lane.cumulative, lane.credited), (Exact::ZERO, Exact::new(4_000, 0).unwrap()));
    host.audit().unwrap();
}

#[test]
fn a_lease_that_nobody_closed_ends_at_its_last_statement() {
    let plan = Terms::new().charge(TIERS).with("times", r#"{"hold":60000,"grace":60000}"#).plan();
    let (mut host, mut replica) = (Host::new(), Host::named("replica"));
    let sub = host.subscribe(&plan);
    let until = at(HOUR);
    let lease = leased(lend(&mut host, request(sub, "replica", 100, until), at(0)).unwrap());
    let id = accept(&mut replica, &plan, &lease, at(0));
    replica.call(id, "one", a(10), at(1));
    let said = state(&mut replica, id, false, at(2));
    assert_eq!(host.meter.leases(&sub).unwrap()[0].stated, None);
    absorb(&mut host, &said, at(2)).unwrap();
    let out = host.meter.leases(&sub).unwrap().remove(0);
    assert_eq!((out.lease, out.reclaimed_at), (id, at(HOUR + 60_000)));
    assert_eq!((out.charges[0].used, out.stated.unwrap().sequence), (10, 1));
    assert_eq!((host.meter.lender(&said), replica.meter.lender(&said)), (Some(sub), None));
    assert_eq!(counter(&host, sub).0, 100);
    replica.call(id, "two", a(20), at(3));
    replica.authorize(id, "three", a(5), at(HOUR - 1)).unwrap();
    assert!(!host.due(at(HOUR + 59_999)).iter().any(|o| matches!(o, Outcome::Reclaimed { .. })));
    let due = host.due(at(HOUR + 60_000));
    assert!(due.contains(&Outcome::Reclaimed { lease: id }), "{due:?}");
    assert_eq!(counter(&host, sub), (10, Exact::new(1_000, 0).unwrap()));
    assert_eq!(host.meter.leases(&sub), Some(Vec::new()));
    assert_eq!(host.meter.lender(&said), Some(sub), "its last statement is known for ever");
    let older = Statement { at: at(1), ..said.clone() };
    assert_eq!(host.meter.lender(&older), None);
    assert_eq!(host.meter.leases(&Digest::ZERO), None);
    let late = replica.settle(id, "three", a(5), at(HOUR + 60_000)).unwrap_err();
    assert_eq!(late.code(), Code::WindowClosed);
    host.audit().unwrap();
    replica.audit().unwrap();
}

#[test]
fn plans_and_limits_that_cannot_be_divided_refuse_a_lease() {
    let volume = r#"{"id":"a","meter":"a","model":"volume","window":"month","tiers":[{"up_to":10,"price":"2"},{"price":"1"}]}"#;
    let percent = r#"{"id":"a","meter":"a","model":"percentage","price":"0.01","rate":"0.1"}"#;
    let terms = Terms::new();
    let plans = [
        terms.clone().charge(volume),
        terms.clone().charge(percent),
        terms.clone().with("limits", r#"[{"id":"slots","concurrency":2}]"#),
        terms.clone().with("limits", r#"[{"credit":"10","id":"owed"}]"#),
        terms.clone().with("rounding", r#""up""#),
    ];
    for terms in plans {
        let mut host = Host::new();
        let sub = host.subscribe(&terms.plan());
        let error = lend(&mut host, request(sub, "other", 1, at(DAY)), at(0)).unwrap_err();
        assert_eq!(error.code(), Code::LeaseRefused, "{error} {}", terms.json());
    }
}

/// One step of a life with leases.
#[derive(Debug, Clone)]
enum Act {
    Own(u64),
    Hold(u64),
    Settle(usize, u64),
    Lend(usize, u64, u64),
    Use(usize, u64, u64),
    Sync(usize, bool),
    Close(usize),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1_u64..60).prop_map(Act::Own),
        (1_u64..60).prop_map(Act::Hold),
        (0_usize..8, 0_u64..80).prop_map(|(n, used)| Act::Settle(n, used)),
        (0_usize..4, 1_u64..80, 1_u64..48).prop_map(|(n, u, h)| Act::Lend(n, u, h)),
        (0_usize..4, 1_u64..80, 1_u64..48).prop_map(|(n, u, h)| Act::Lend(n, u, h)),
        (0_usize..20, 1_u64..40, 0_u64..60).prop_map(|(n, most, used)| Act::Use(n, most, used)),
        (0_usize..20, 1_u64..40, 0_u64..60).prop_map(|(n, most, used)| Act::Use(n, most, used)),
        (0_usize..20, any::<bool>()).prop_map(|(n, taken)| Act::Sync(n, taken)),
        (0_usize..20).prop_map(Act::Close),
        (1_u64..8).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..60)
}

fn charges() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        TIERS,
        r#"{"id":"a","meter":"a","model":"graduated","window":"month","tiers":[{"price":"0.5","up_to":40},{"price":"1.25","up_to":90},{"price":"0.1"}],"free":15}"#,
        r#"{"id":"a","meter":"a","model":"package","size":25,"price":"3","window":"month"}"#,
        r#"{"id":"a","meter":"a","model":"per_unit","price":"0.3","free":30}"#,
        r#"{"id":"a","meter":"a","model":"per_unit","price":"0.7","cap":"50","window":"month"}"#,
        r#"{"id":"a","meter":"a","model":"per_unit","price":"0.001","minimum":"0.1","window":"month"}"#,
    ])
}

/// One lease in the test's own books.
struct Out {
    holder: usize,
    id: Digest,
    lease: Arc<Lease>,
    /// What was stated and absorbed: units and money.
    absorbed: (u64, Exact),
    open: bool,
    calls: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_overspent_and_the_total_is_one_machines(
        acts in acts(), charge in charges(), cap in 20_u64..200,
    ) {
        let plan = Terms::new()
            .charge(charge)
            .with("times", r#"{"hold":3600000,"grace":3600000}"#)
            .spend(&cap.to_string(), None)
            .plan();
        let tariff = &plan.charges()[0].tariff;
        let names = ["h0", "h1", "h2", "h3"];
        let mut host = Host::new();
        let mut holders = names.map(Host::named);
        let sub = host.subscribe(&plan);
        let most = Exact::new(u128::from(cap) * 100, 0).unwrap();
        let (mut now, mut calls) = (1, 0_u64);
        let mut outs: Vec<Out> = Vec::new();
        let mut held: Vec<(String, u64)> = Vec::new();
        let mut units = 0;
        for act in acts {
            calls += 1;
            match act {
                Act::Own(n) => {
                    let id = format!("own {calls}");
                    if let Outcome::Authorized { .. } = host.authorize(sub, &id, a(n), at(now)).unwrap() {
                        receipt(host.settle(sub, &id, a(n), at(now)).unwrap());
                        units += n;
                    }
                }
                Act::Hold(n) => {
                    let id = format!("held {calls}");
                    if let Outcome::Authorized { .. } = host.authorize(sub, &id, a(n), at(now)).unwrap() {
                        held.push((id, n));
                    }
                }
                Act::Settle(n, used) if !held.is_empty() => {
                    let (id, most) = held.remove(n % held.len());
                    // Beyond the hold a limit may cut, and the total with it.
                    let used = used.min(most);
                    if host.settle(sub, &id, a(used), at(now)).is_ok() { units += used; }
                }
                Act::Lend(n, share, hours) => {
                    let wanted = request(sub, names[n], share, at(now + hours * HOUR));
                    if let Outcome::Leased { lease, .. } = lend(&mut host, wanted, at(now)).unwrap() {
                        let id = accept(&mut holders[n], &plan, &lease, at(now));
                        let absorbed = (0, Exact::ZERO);
                        outs.push(Out { holder: n, id, lease, absorbed, open: true, calls: 0 });
                    }
                }
                Act::Use(n, share, used) if !outs.is_empty() => {
                    let n = n % outs.len();
                    let out = &mut outs[n];
                    out.calls += 1;
                    let id = format!("call {}", out.calls);
                    let holder = &mut holders[out.holder];
                    match holder.authorize(out.id, &id, a(share), at(now)) {
                        Ok(Outcome::Authorized { .. }) => {
                            receipt(holder.settle(out.id, &id, a(used), at(now)).unwrap());
                        }
                        Ok(_) => {}
                        Err(error) => prop_assert!(
                            [Code::LeaseClosed, Code::WindowClosed].contains(&error.code()), "{error}"
                        ),
                    }
                }
                Act::Sync(n, true) | Act::Close(n) if !outs.is_empty() => {
                    let closing = matches!(act, Act::Close(_));
                    let n = n % outs.len();
                    let out = &mut outs[n];
                    let command = Command::Statement { lease: out.id, closing };
                    let stated = holders[out.holder].run(&command, at(now));
                    let Ok(Outcome::Stated { statement, .. }) = stated else { continue };
                    match absorb(&mut host, &statement, at(now)) {
                        Ok(_) => {
                            prop_assert!(out.open);
                            let money = exact(statement.cumulative, statement.cumulative_remainder);
                            out.absorbed = (statement.units[0], money);
                            out.open = !closing;
                        }
                        Err(error) => {
                            prop_assert_eq!(error.code(), Code::LeaseUnknown);
                            prop_assert!(!out.open);
                        }
                    }
                }
                Act::Wait(hours) => {
                    now += hours * HOUR;
                    for outcome in host.due(at(now)) {
                        if let Outcome::Reclaimed { lease } = outcome {
                            outs.iter_mut().find(|out| out.id == lease).unwrap().open = false;
                        }
                    }
                    // An hour is as long as a hold lasts.
                    held.clear();
                }
                _ => {}
            }
            // What counts against the payer: this lane, and of each lease what it can still charge, or
            // what was absorbed of it.
            let lane = host.meter.lanes().next().unwrap();
            let reserved = host.meter.subscription(&sub).unwrap().reserved;
            let mut sum = lane.cumulative.checked_add(reserved).unwrap();
            for out in &outs {
                let charged = holders[out.holder].charged(out.id);
                let all = out.lease.charges[0].clone();
                let could = tariff.pays(all.from, all.billed, all.units).unwrap();
                prop_assert!(charged <= could, "{charged} of {could}");
                let counts = if out.open { could } else { out.absorbed.1 };
                sum = sum.checked_add(counts).unwrap();
            }
            prop_assert!(sum <= most, "{sum} of {most}");
        }
        // Every lease comes back or is over, every window closes.
        now += 100 * DAY;
        host.due(at(now));
        units += outs.iter().map(|out| out.absorbed.0).sum::<u64>();
        let lane = host.meter.lanes().next().unwrap();
        let mut total = lane.cumulative;
        for out in &outs {
            total = total.checked_add(out.absorbed.1).unwrap();
        }
        let total = total.checked_sub(lane.credited).unwrap();
        let due = tariff.total(units).unwrap();
        let closes = charge.contains("month");
        if closes {
            let minimum = if charge.contains("minimum") { Exact::new(10, 0).unwrap() } else { Exact::ZERO };
            // Months without a call come to their minimum too.
            if minimum.is_zero() { prop_assert_eq!(total, due); } else { prop_assert!(total >= due); }
        } else {
            prop_assert!(total >= due);
        }
        host.audit().unwrap();
        for holder in &holders { holder.audit().unwrap(); }
        let copy = Meter::from_snapshot(&host.meter.snapshot(), SALT).unwrap();
        prop_assert_eq!(copy.snapshot(), host.meter.snapshot());
    }
}
