//! The state machine: requests, holds, windows, steps, restores.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, HOUR, Host, MONDAY, SALT, Terms, a, at, denied, receipt};
use counterfoil::{
    Digest, Meter, Timestamp,
    entry::ReleaseReason,
    meter::{Command, HoldState, Outcome, Replay, Request, Settle, Subscribe},
    receipt::Kind,
};

fn code(error: &counterfoil::Error) -> &'static str {
    error.code().as_str()
}

/// 0.01 dollar a unit, at most 1 dollar a day.
fn capped() -> Terms {
    Terms::new().spend("1", Some("day"))
}

#[test]
fn a_repeated_request_is_a_replay_and_another_input_a_conflict() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    let held = host.authorize(sub, "r", a(5), at(1)).unwrap();
    let Outcome::Authorized { hold, reserved } = held else { panic!() };
    assert_eq!(reserved.to_decimal(2), "0.05");
    let again = host.authorize(sub, "r", a(5), at(2)).unwrap();
    assert_eq!(again, Outcome::Replayed(Replay::Held(hold)));
    assert_eq!(code(&host.authorize(sub, "r", a(6), at(2)).unwrap_err()), "request_conflict");

    let receipt = receipt(host.settle(sub, "r", a(4), at(3)).unwrap());
    let settled = Outcome::Replayed(Replay::Settled { receipt: receipt.digest });
    assert_eq!(host.authorize(sub, "r", a(5), at(4)).unwrap(), settled);
    assert_eq!(host.settle(sub, "r", a(4), at(4)).unwrap(), settled);
    assert_eq!(code(&host.settle(sub, "r", a(5), at(4)).unwrap_err()), "request_conflict");
    assert_eq!(host.receipts.len(), 1);
    assert_eq!(code(&host.settle(sub, "never", a(5), at(4)).unwrap_err()), "hold_unknown");
}

#[test]
fn a_released_hold_frees_its_reserve_and_stays_released() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    host.authorize(sub, "all", a(100), at(1)).unwrap();
    denied(&host.authorize(sub, "more", a(1), at(1)).unwrap());
    host.release(sub, "all", ReleaseReason::Released, at(2)).unwrap();
    let replay = host.authorize(sub, "all", a(100), at(3)).unwrap();
    assert_eq!(replay, Outcome::Replayed(Replay::Released));
    for error in [
        host.settle(sub, "all", a(1), at(3)).unwrap_err(),
        host.release(sub, "all", ReleaseReason::Released, at(3)).unwrap_err(),
        host.release(sub, "never", ReleaseReason::Unknown, at(3)).unwrap_err(),
    ] {
        assert_eq!(code(&error), "hold_unknown");
    }
    host.call(sub, "more", a(100), at(4));
    host.audit().unwrap();
}

#[test]
fn an_expired_hold_reserves_nothing_and_a_late_settle_takes_what_is_left() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().with("times", r#"{"hold":1000,"grace":5000}"#).plan());
    host.authorize(sub, "late", a(60), at(0)).unwrap();
    assert!(host.due(at(999)).is_empty());
    assert_eq!(host.due(at(1000)).len(), 1);
    let held = host.authorize(sub, "late", a(60), at(1001)).unwrap();
    assert!(matches!(held, Outcome::Replayed(Replay::Held(h)) if h.state == HoldState::Expired));
    let error = host.release(sub, "late", ReleaseReason::Unknown, at(1001)).unwrap_err();
    assert_eq!(code(&error), "hold_unknown");

    host.call(sub, "other", a(70), at(1002));
    let late = receipt(host.settle(sub, "late", a(60), at(1003)).unwrap());
    assert_eq!(late.head.charge.atomic(), 30);
    let price = late.body.items.iter().map(|i| i.to_value().compact());
    let price = price.into_iter().find(|item| item.contains("uncollected")).unwrap();
    assert!(price.contains(r#""uncollected":"30""#) && price.contains(r#""late":true"#), "{price}");
    host.audit().unwrap();
}

#[test]
fn a_request_id_outlives_its_hold_whatever_the_replay_horizon() {
    // The id is remembered for 1 ms, but the hold reserves for 10 minutes.
    let mut host = Host::new();
    let sub = host.subscribe(&capped().with("times", r#"{"replay":1}"#).plan());
    host.authorize(sub, "r", a(5), at(0)).unwrap();
    host.call(sub, "other", a(1), at(1000));
    let again = host.authorize(sub, "r", a(5), at(2000)).unwrap();
    assert!(matches!(again, Outcome::Replayed(Replay::Held(_))), "{again:?}");
    // When nothing of it can be settled any more, it is a new request.
    host.due(at(DAY));
    host.call(sub, "other 2", a(1), at(DAY));
    host.call(sub, "r", a(5), at(DAY + 1));
    host.audit().unwrap();
}

#[test]
fn a_request_with_an_old_or_future_instant_is_refused() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    let mut ask = |created: u64, now: u64| {
        let created_at = Some(at(created));
        let request = Request { created_at, ..Request::new(sub, "r".into(), a(1)) };
        host.run(&Command::Authorize(request), at(now))
    };
    assert_eq!(code(&ask(0, DAY + 1).unwrap_err()), "request_too_old");
    assert_eq!(code(&ask(DAY + 300_001, DAY).unwrap_err()), "clock_skew");
    ask(DAY + 300_000, DAY).unwrap();
}

#[test]
fn an_unknown_outcome_stays_reserved_until_it_is_known() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    host.authorize(sub, "doubt", a(60), at(0)).unwrap();
    let entries = host.ledger.len();
    host.release(sub, "doubt", ReleaseReason::Unknown, at(1)).unwrap();
    host.release(sub, "doubt", ReleaseReason::Unknown, at(2)).unwrap();
    assert_eq!(host.ledger.len(), entries + 1, "said twice, recorded once");
    denied(&host.authorize(sub, "more", a(41), at(2)).unwrap());
    let settled = receipt(host.settle(sub, "doubt", a(60), at(3)).unwrap());
    assert_eq!(settled.head.charge.atomic(), 60);
    host.audit().unwrap();
}

#[test]
fn a_settle_below_at_and_above_its_hold() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    for (id, used, charged) in [("below", 5, 5), ("at", 10, 10), ("above", 50, 50)] {
        host.authorize(sub, id, a(10), at(0)).unwrap();
        let receipt = receipt(host.settle(sub, id, a(used), at(1)).unwrap());
        assert_eq!(receipt.head.charge.atomic(), charged, "{id}");
    }
    // 35 are left, of which another hold has 20: above its hold a call gets 15 and no more.
    host.authorize(sub, "other", a(20), at(2)).unwrap();
    host.authorize(sub, "above 2", a(5), at(2)).unwrap();
    let cut = receipt(host.settle(sub, "above 2", a(40), at(3)).unwrap());
    assert_eq!(cut.head.charge.atomic(), 15);
    assert_eq!(receipt(host.settle(sub, "other", a(20), at(4)).unwrap()).head.charge.atomic(), 20);
    assert_eq!(host.charged(sub).to_decimal(2), "1");
    host.audit().unwrap();
}

#[test]
fn a_settle_is_cut_to_the_limit_with_the_least_room() {
    let limits = r#"[{"id":"day","spend":"0.2","window":"day"},{"id":"month","spend":"0.1","window":"month"}]"#;
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().with("limits", limits).plan());
    host.authorize(sub, "r", a(1), at(0)).unwrap();
    let cut = receipt(host.settle(sub, "r", a(50), at(1)).unwrap());
    assert_eq!(cut.head.charge.atomic(), 10, "both limits are short");
    host.audit().unwrap();
}

#[test]
fn a_hold_that_makes_another_days_hold_dearer_is_asked_of_that_days_limit() {
    // The first 10 units cost 0.01, the others 1 dollar; one counter for ever, a limit a day.
    let tiers = r#"{"id":"a","meter":"a","model":"graduated","tiers":[{"up_to":10,"price":"0.01"},{"price":"1"}]}"#;
    let plan = Terms::new().charge(tiers).spend("5", Some("day")).plan();
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    // Just before midnight, 8 cheap units are held; just after it, nobody may move them into the
    // dear tier, although the new day has room.
    host.authorize(sub, "monday", a(8), at(DAY - 1)).unwrap();
    assert_eq!(denied(&host.authorize(sub, "tuesday", a(10), at(DAY)).unwrap()).0, "limit_reached");
    host.call(sub, "small", a(2), at(DAY + 1));
    assert_eq!(
        receipt(host.settle(sub, "monday", a(8), at(DAY + 2)).unwrap()).head.charge.atomic(),
        8
    );
    host.audit().unwrap();
}

#[test]
fn a_hold_that_overflows_leaves_no_trace() {
    let big = "340282366920938463463374607431768211455";
    let charges = format!(
        r#"[{{"id":"a","meter":"a","model":"per_unit","price":"0.01"}},{{"id":"b","meter":"b","model":"per_unit","price":"{big}"}}]"#
    );
    let plan = Terms::new().token(0).with("charges", charges).spend("1", None).plan();
    let mut host = Host::new();
    let sub = host.subscribe(&plan);
    let mut both = a(100);
    both.set("b", 1 << 62).unwrap();
    for n in 0..3 {
        let error = host.authorize(sub, "big", both.clone(), at(n)).unwrap_err();
        assert_eq!(code(&error), "amount_overflow");
    }
    let held = host.authorize(sub, "all", a(100), at(3)).unwrap();
    assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
}

#[test]
fn counters_near_the_end_of_u64_are_refused_and_nothing_changes() {
    let free = r#"{"id":"a","meter":"a","model":"per_unit","price":"0"}"#;
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().charge(free).plan());
    let most = (1 << 63) - 1;
    host.call(sub, "1", a(most), at(0));
    host.call(sub, "2", a(most), at(0));
    assert_eq!(code(&host.authorize(sub, "3", a(2), at(0)).unwrap_err()), "amount_overflow");
    host.call(sub, "4", a(1), at(0));
    assert_eq!(code(&host.authorize(sub, "5", a(1), at(0)).unwrap_err()), "amount_overflow");
    host.audit().unwrap();
}

#[test]
fn seven_per_minute() {
    let limits = r#"[{"id":"pace","rate":{"calls":7,"every":"minute","burst":7}}]"#;
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().with("limits", limits).plan());
    for n in 0..7 {
        host.call(sub, &format!("{n}"), a(1), at(0));
    }
    let refused = host.authorize(sub, "7", a(1), at(0)).unwrap();
    assert_eq!(denied(&refused), ("rate_exceeded", "limits/pace".into()));
    let Outcome::Denied(denial) = refused else { panic!() };
    // A seventh of a minute later, to the millisecond.
    assert_eq!(denial.retry_at, Some(at(8_572)));
    denied(&host.authorize(sub, "7", a(1), at(8_571)).unwrap());
    host.call(sub, "7", a(1), at(8_572));
    // In any hour after the burst, exactly 420.
    let admitted = (1..=3600_u64)
        .filter(|s| {
            let outcome =
                host.authorize(sub, &format!("s{s}"), a(1), at(60_000 + s * 1000)).unwrap();
            matches!(outcome, Outcome::Authorized { .. })
        })
        .count();
    assert!((420..=427).contains(&admitted), "{admitted}");
    host.audit().unwrap();
}

#[test]
fn calendar_windows_roll_over_and_the_closed_ones_are_closed() {
    let terms = Terms::new()
        .charge(
            r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","window":"day","free":10}"#,
        )
        .spend("0.05", Some("day"));
    let mut host = Host::new();
    let sub = host.subscribe(&terms.plan());
    for day in 0..40 {
        let now = at(day * DAY + 5);
        assert_eq!(host.call(sub, &format!("free {day}"), a(10), now).head.charge.atomic(), 0);
        assert_eq!(host.call(sub, &format!("paid {day}"), a(5), now).head.charge.atomic(), 5);
        denied(&host.authorize(sub, "more", a(1), now).unwrap());
    }
    // Yesterday is closed an hour after its end, as far as the lane has come.
    host.call(sub, "last", a(1), at(40 * DAY + HOUR));
    let error = host.import(sub, a(1), at(40 * DAY - 1)).unwrap_err();
    assert_eq!(code(&error), "window_closed");
    host.audit().unwrap();
}

#[test]
fn a_volume_window_is_trued_up_once_at_its_close() {
    let tiers = r#"{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{"up_to":20,"price":"0.05"},{"price":"0.01"}]}"#;
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().charge(tiers).plan());
    host.call(sub, "1", a(20), at(0));
    assert_eq!(host.call(sub, "2", a(1), at(1)).head.charge.atomic(), 0);
    assert!(host.due(at(DAY + HOUR - 1)).is_empty());
    let done = host.due(at(DAY + HOUR));
    assert_eq!(done.len(), 1);
    let true_up = receipt(done.into_iter().next().unwrap());
    assert_eq!(true_up.head.kind, Kind::TrueUp);
    assert_eq!((true_up.head.charge.atomic(), true_up.head.credited.atomic()), (0, 79));
    assert!(host.due(at(9 * DAY)).is_empty());
    assert_eq!(code(&host.import(sub, a(1), at(2)).unwrap_err()), "window_closed");
    host.audit().unwrap();
}

#[test]
fn a_checkpoint_is_due_by_count_value_or_time() {
    for (terms, calls, wait) in [
        (Terms::new().checkpoints(3, "100", DAY), 3, 0),
        (Terms::new().checkpoints(100, "0.02", DAY), 2, 0),
        (Terms::new().checkpoints(100, "100", 5000), 1, 5000),
    ] {
        let mut host = Host::new();
        let sub = host.subscribe(&terms.plan());
        for n in 0..calls {
            assert!(host.due(at(n)).is_empty(), "{n}");
            assert!(host.receipts.iter().all(|(receipt, _)| receipt.signature.is_none()));
            host.call(sub, &format!("{n}"), a(1), at(n));
        }
        if wait > 0 {
            assert!(host.due(at(wait - 1)).is_empty());
        }
        let done = host.due(at(wait + calls));
        assert!(matches!(done.as_slice(), [Outcome::Checkpointed { .. }]), "{done:?}");
        assert_eq!(host.run(&Command::Checkpoint, at(9999)).unwrap(), Outcome::Nothing);
        host.audit().unwrap();
    }
}

#[test]
fn confirming_by_prefix_abandoning_and_reading_in_any_order() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    let ask = |id: &str| Command::Authorize(Request::new(sub, id.into(), a(60)));
    let before = host.meter.snapshot();
    let first = host.meter.propose(&ask("1"), at(0)).unwrap();
    let second = host.meter.propose(&ask("2"), at(0)).unwrap();
    assert_eq!(second.entry, None, "refused, on the fold of what is only proposed");
    assert_eq!(host.meter.snapshot(), before, "nothing is durable yet");
    host.meter.abandon(first.ticket).unwrap();
    for step in [&first, &second] {
        assert_eq!(code(&host.meter.confirm(step.ticket).unwrap_err()), "step_abandoned");
    }
    assert_eq!(code(&host.meter.abandon(first.ticket).unwrap_err()), "step_unknown");
    assert_eq!(host.meter.snapshot(), before);

    let steps: Vec<_> =
        ["2", "1", "3"].map(|id| host.meter.propose(&ask(id), at(1)).unwrap()).into();
    assert!(matches!(host.meter.confirm(steps[2].ticket).unwrap(), Outcome::Denied(_)));
    assert!(matches!(host.meter.confirm(steps[0].ticket).unwrap(), Outcome::Authorized { .. }));
    assert!(matches!(host.meter.confirm(steps[1].ticket).unwrap(), Outcome::Denied(_)));
    assert_eq!(code(&host.meter.confirm(steps[0].ticket).unwrap_err()), "step_abandoned");

    let before = host.meter.snapshot();
    let one = host.meter.propose(&ask("4"), at(2)).unwrap();
    let dropped = host.meter.propose(&Command::Due, at(2)).unwrap();
    host.meter.abandon(dropped.ticket).unwrap();
    assert_eq!(code(&host.meter.confirm(dropped.ticket).unwrap_err()), "step_abandoned");
    assert_eq!(host.meter.snapshot(), before, "asking for an abandoned step confirms none");
    host.meter.confirm(one.ticket).unwrap();
}

#[test]
fn a_stalled_meter_waits_and_recovers_what_is_durable() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    let ask = |id: &str, units| Command::Authorize(Request::new(sub, id.into(), a(units)));
    let durable = host.meter.entries();
    let [one, refused, two, three] = [("1", 60), ("x", 60), ("2", 20), ("3", 20)]
        .map(|(id, units)| host.meter.propose(&ask(id, units), at(0)).unwrap());
    host.meter.stall();
    assert_eq!(code(&host.meter.propose(&Command::Due, at(0)).unwrap_err()), "meter_stalled");
    let before = host.meter.snapshot();
    for wrong in [durable - 1, durable + 4] {
        assert_eq!(code(&host.meter.recover(wrong).unwrap_err()), "entry_misplaced");
        assert_eq!(host.meter.snapshot(), before, "a wrong count changes nothing");
    }
    host.meter.recover(durable + 1).unwrap();
    assert!(matches!(host.meter.confirm(one.ticket).unwrap(), Outcome::Authorized { .. }));
    assert!(matches!(host.meter.confirm(refused.ticket).unwrap(), Outcome::Denied(_)));
    for step in [two, three] {
        assert_eq!(code(&host.meter.confirm(step.ticket).unwrap_err()), "step_abandoned");
    }
    host.ledger.extend(one.entry);
    host.call(sub, "4", a(40), at(1));
    host.audit().unwrap();
}

#[test]
fn a_restored_backup_goes_on_in_a_new_lane_from_the_old_totals() {
    let tiers = r#"{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{"up_to":20,"price":"0.05"},{"price":"0.01"}]}"#;
    let mut host = Host::new();
    let plan = Terms::new().charge(tiers).spend("2", Some("day")).plan();
    let sub = host.subscribe(&plan);
    host.call(sub, "1", a(20), at(0));
    host.authorize(sub, "open", a(5), at(1)).unwrap();
    let old = host.lane(sub);
    host.begin("log.restored", at(10));
    assert!(!host.meter.is_current(&sub));
    let error = host.settle(sub, "open", a(1), at(10)).unwrap_err();
    assert_eq!(code(&error), "subscription_unknown");
    assert_eq!(host.subscribe(&plan), sub);
    let lanes: Vec<_> = host.meter.lanes().collect();
    let new = lanes.iter().find(|lane| lane.number == 1).unwrap();
    assert_eq!((new.baseline.to_decimal(2).as_str(), new.lane), ("1", host.lane(sub)));
    assert_ne!(new.lane, old);
    // The counter goes on at 20: one more unit costs nothing, and the window's close gives back.
    let settled = receipt(host.settle(sub, "open", a(1), at(11)).unwrap());
    assert_eq!((settled.head.sequence, settled.head.charge.atomic()), (1, 0));
    assert_eq!(settled.head.cumulative.atomic(), 100);
    // Another restore, after which nobody calls: the due true-up opens the lane that it needs.
    host.begin("log.again", at(20));
    let done = host.due(at(2 * DAY));
    assert!(matches!(done.as_slice(), [Outcome::Opened { .. }, Outcome::Receipt { .. }]));
    assert_eq!(
        host.meter.lanes().find(|lane| lane.number == 2).unwrap().credited.to_decimal(2),
        "0.79"
    );
    host.audit().unwrap();
}

#[test]
fn a_subscription_has_one_rail_and_one_payer() {
    let mut host = Host::new();
    let plan = Terms::new().plan();
    host.subscribe(&plan);
    let mut subscribe = Subscribe {
        plan: plan.id(),
        payer: None,
        account: Some("customer".into()),
        started_at: at(0),
        rail: Digest::new([1; 32]),
    };
    let error = host.run(&Command::Subscribe(subscribe.clone()), at(1)).unwrap_err();
    assert_eq!(code(&error), "subscription_conflict");
    subscribe.account = None;
    let error = host.run(&Command::Subscribe(subscribe.clone()), at(1)).unwrap_err();
    assert_eq!(code(&error), "subscription_conflict", "nobody pays");
    subscribe.account = Some("x".repeat(257));
    let error = host.run(&Command::Subscribe(subscribe.clone()), at(1)).unwrap_err();
    assert_eq!(code(&error), "text_invalid");
    // An address may have a name beside it.
    (subscribe.payer, subscribe.account) = (Some(common::key().address()), Some("Ada".into()));
    host.run(&Command::Subscribe(subscribe), at(1)).unwrap();
    assert!(host.meter.subscriptions().any(|view| view.name.as_deref() == Some("Ada")));
    host.audit().unwrap();
}

#[test]
fn collected_money_only_grows_and_names_its_lane() {
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().plan());
    let lane = host.lane(sub);
    host.collect(lane, 10, 2, at(1)).unwrap();
    for (lane, amount, fee) in [(lane, 9, 2), (lane, 12, 1), (lane, 12, 13), (Digest::ZERO, 1, 0)] {
        let error = host.collect(lane, amount, fee, at(2)).unwrap_err();
        assert_eq!(code(&error), "collected_invalid");
    }
    host.collect(lane, 12, 2, at(2)).unwrap();
    host.audit().unwrap();
}

#[test]
fn the_state_stays_bounded() {
    let terms = Terms::new()
        .charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01","window":"hour"}"#)
        .spend("100", Some("hour"))
        .checkpoints(50, "10", HOUR)
        .with("times", r#"{"replay":60000,"hold":1000,"grace":2000}"#);
    let mut host = Host::new();
    let sub = host.subscribe(&terms.plan());
    let mut sizes = Vec::new();
    for n in 0..1200_u64 {
        // One call in three is settled, one released, one forgotten by its host.
        let (id, now) = (format!("{n}"), at(n * 30_000));
        host.due(now);
        host.authorize(sub, &id, a(1), now).unwrap();
        match n % 3 {
            0 => drop(host.settle(sub, &id, a(1), now).unwrap()),
            1 => drop(host.release(sub, &id, ReleaseReason::Released, now).unwrap()),
            _ => {}
        }
        if n % 300 == 299 {
            sizes.push(host.meter.snapshot().len());
        }
    }
    let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    assert!(most - least < 400, "{sizes:?}");
    host.audit().unwrap();
}

#[test]
fn the_end_of_time_is_an_error_and_not_a_wrap() {
    let end = Timestamp::MAX.millis();
    let last = |before: u64| Timestamp::from_millis(end - before).unwrap();
    let mut host = Host::new();
    let sub = host.subscribe(
        &capped().checkpoints(10, "1", DAY).with("times", r#"{"hold":1000,"grace":1000}"#).plan(),
    );
    let error = host.authorize(sub, "r", a(1), last(999)).unwrap_err();
    assert_eq!(code(&error), "time_invalid");
    host.call(sub, "r", a(1), last(1000));
    receipt(host.import(sub, a(1), last(0)).unwrap());
    host.due(last(0));
    host.audit().unwrap();
    assert_eq!(Timestamp::MIN.millis(), 0);
    assert!(MONDAY < end);
}

#[test]
fn the_same_meter_whatever_the_grouping_of_confirms() {
    let run = |group: usize| {
        let mut host = Host::new();
        let sub = host.subscribe(&capped().plan());
        let (mut ledger, mut tickets) = (Vec::new(), Vec::new());
        for n in 0..60_u64 {
            let id = format!("{}", n / 2);
            let command = if n % 2 == 0 {
                Command::Authorize(Request::new(sub, id, a(3)))
            } else {
                Command::Settle(Settle {
                    subscription: sub,
                    id,
                    usage: a(2),
                    content: Digest::ZERO,
                })
            };
            if let Ok(step) = host.meter.propose(&command, at(n * 1000)) {
                ledger.extend(step.entry);
                tickets.push(step.ticket);
            }
            if tickets.len() >= group {
                host.meter.confirm(*tickets.last().unwrap()).unwrap();
                tickets.clear();
            }
        }
        if let Some(last) = tickets.last() {
            host.meter.confirm(*last).unwrap();
        }
        (ledger, host.meter.snapshot())
    };
    let alone = run(1);
    for group in [2, 3, 7, 100] {
        assert_eq!(run(group), alone, "{group}");
    }
}

#[test]
fn a_snapshot_that_is_cut_or_changed_never_panics() {
    let mut host = Host::new();
    let sub = host.subscribe(&capped().plan());
    host.call(sub, "1", a(3), at(0));
    host.authorize(sub, "2", a(3), at(0)).unwrap();
    let snapshot = host.meter.snapshot();
    assert_eq!(Meter::from_snapshot(&snapshot, SALT).unwrap().snapshot(), snapshot);
    for cut in 0..snapshot.len() {
        assert!(Meter::from_snapshot(&snapshot[..cut], SALT).is_err());
    }
    for byte in 0..snapshot.len() {
        let mut changed = snapshot.clone();
        changed[byte] ^= 0x41;
        let _ = Meter::from_snapshot(&changed, SALT);
    }
}
