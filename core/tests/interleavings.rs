//! Random plans, random interleavings: nothing is overspent, state is the fold of its entries, and
//! what was recorded audits clean.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{HOUR, Host, SALT, Terms, at, usage};
use counterfoil::{
    Digest, Exact, Meter, Plan, Rounding, Timestamp,
    entry::{Entry, ReceiptEntry, ReleaseReason},
    meter::{Command, Outcome, Settle},
    plan::LimitRule,
    receipt::{Item, Kind},
    time::Window,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const MODELS: [&str; 15] = [
    r#""model":"per_unit","price":"0.3""#,
    r#""model":"flat","price":"2.5""#,
    r#""model":"package","size":7,"price":"1.1""#,
    r#""model":"graduated","tiers":[{"up_to":10,"price":"0.1"},{"up_to":30,"price":"0.9"},{"price":"0.2"}]"#,
    r#""model":"volume","tiers":[{"up_to":15,"price":"0.5"},{"up_to":40,"price":"0.2"},{"price":"0.7"}]"#,
    r#""model":"graduated","tiers":[{"up_to":5,"price":"0"},{"price":"1.7"}]"#,
    r#""model":"volume","tiers":[{"up_to":9,"price":"1"},{"price":"0.01"}]"#,
    r#""model":"per_unit","price":"1","discount":"0.3","off":"4","cap":"9""#,
    r#""model":"volume","cap":"12","tiers":[{"up_to":9,"price":"1","flat":"3"},{"price":"0.1","flat":"1"}]"#,
    r#""model":"graduated","zero":true,"off":"1","tiers":[{"up_to":9,"price":"0.1","flat":"3"},{"price":"0.5","flat":"2"}]"#,
    r#""model":"percentage","price":"1","rate":"0.029","fixed":"0.3","min":"0.5","max":"2""#,
    r#""model":"cost_plus","price":"1","margin":"0.7""#,
    r#""model":"dynamic","price":"0.1","max":"9999""#,
    r#""model":"per_unit","price":"0.3","minimum":"2""#,
    r#""model":"flat","price":"1.5","zero":true,"minimum":"2.5""#,
];
const PERIODS: [&str; 4] = [
    r#""hour""#,
    r#""day""#,
    r#"{"every":"hour","count":5,"anchor":"start"}"#,
    r#"{"every":"day","anchor":"start"}"#,
];

fn plan() -> impl Strategy<Value = Plan> {
    let charge = (0..MODELS.len(), 0..PERIODS.len(), 0..8_u64, any::<bool>());
    let limit = (1..60_u64, 0..=PERIODS.len());
    (
        prop::collection::vec(charge, 2),
        prop::collection::vec(limit, 1..4),
        0..4_usize,
        any::<bool>(),
        0..3_u64,
    )
        .prop_map(|(charges, limits, rounding, rate, each)| {
            let charges: Vec<_> = charges
                .into_iter()
                .zip(["a", "b"])
                .map(|((model, period, free, windowed), meter)| {
                    let model = MODELS[model];
                    let meter_field = match model.starts_with(r#""model":"flat""#) {
                        true => String::new(),
                        false => format!(r#""meter":"{meter}","#),
                    };
                    let windowed =
                        windowed || model.contains("volume") || model.contains("minimum");
                    let window = match windowed {
                        true => format!(r#","window":{}"#, PERIODS[period]),
                        false => String::new(),
                    };
                    let free =
                        match ["percentage", "cost_plus", "dynamic"].map(|m| model.contains(m)) {
                            [false, false, false] => format!(r#","free":{free}"#),
                            _ => String::new(),
                        };
                    format!(r#"{{"id":"{meter}",{meter_field}{model}{free}{window}}}"#)
                })
                .chain([r#"{"id":"rest_a","meter":"a","model":"per_unit","price":"0"}"#.into()])
                .chain([r#"{"id":"rest_b","meter":"b","model":"per_unit","price":"0"}"#.into()])
                .collect();
            let mut limits: Vec<_> = limits
                .into_iter()
                .enumerate()
                .map(|(n, (most, period))| {
                    let window = PERIODS.get(period);
                    let window = window.map_or(String::new(), |w| format!(r#","window":{w}"#));
                    format!(r#"{{"id":"l{n}","spend":"{most}.5"{window}}}"#)
                })
                .collect();
            if rate {
                limits
                    .push(r#"{"id":"pace","rate":{"calls":7,"every":"minute","burst":5}}"#.into());
            }
            let terms = Terms::new()
                .token(0)
                .with("charges", format!("[{}]", charges.join(",")))
                .with("limits", format!("[{}]", limits.join(",")))
                .with("rounding", format!(r#""{}""#, Rounding::ALL[rounding].as_str()))
                .with("times", r#"{"hold":1200000,"grace":1800000,"replay":600000}"#);
            // One in three signs each receipt.
            if each == 0 { terms } else { terms.checkpoints(5, "10", HOUR) }.plan()
        })
}

#[derive(Debug, Clone)]
enum Act {
    Authorize(u64, u64),
    /// One of the open holds, and how many percent of what it may use.
    Settle(usize, u64),
    Release(usize),
    Doubt(usize),
    Import(u64, u64),
    Due,
    Checkpoint,
}

/// Acts and the milliseconds before them.
fn acts(most_percent: u64) -> impl Strategy<Value = Vec<(Act, u64)>> {
    let act = prop_oneof![
        5 => (0..25_u64, 0..25_u64).prop_map(|(a, b)| Act::Authorize(a, b)),
        4 => (0..9_usize, 0..=most_percent).prop_map(|(n, percent)| Act::Settle(n, percent)),
        1 => (0..9_usize).prop_map(Act::Release),
        1 => (0..9_usize).prop_map(Act::Doubt),
        2 => (0..25_u64, 0..25_u64).prop_map(|(a, b)| Act::Import(a, b)),
        2 => Just(Act::Due),
        1 => Just(Act::Checkpoint),
    ];
    let wait = prop_oneof![0..1000_u64, 0..600_000_u64, 0..2 * HOUR];
    prop::collection::vec((act, wait), 1..70)
}

/// A host that acts, and remembers which requests may still be settled.
struct Story {
    host: Host,
    sub: Digest,
    open: Vec<(String, u64, u64)>,
    calls: u64,
    now: u64,
}

impl Story {
    fn new(plan: &Plan) -> Story {
        let mut host = Host::new();
        let sub = host.subscribe(plan);
        Story { host, sub, open: Vec::new(), calls: 0, now: 0 }
    }

    fn step(&mut self, act: &Act, wait: u64) {
        self.now += wait;
        let now = at(self.now);
        let host = &mut self.host;
        match act {
            Act::Authorize(a, b) => {
                self.calls += 1;
                let id = format!("{}", self.calls);
                let most = usage(&[("a", *a), ("b", *b)]);
                let held = host.authorize(self.sub, &id, most, now).unwrap();
                if matches!(held, Outcome::Authorized { .. }) {
                    self.open.push((id, *a, *b));
                }
            }
            Act::Settle(n, percent) if !self.open.is_empty() => {
                let (id, a, b) = self.open.remove(n % self.open.len());
                let used = usage(&[("a", a * percent / 100), ("b", b * percent / 100)]);
                match host.settle(self.sub, &id, used, now) {
                    Ok(outcome) => assert!(matches!(outcome, Outcome::Receipt { .. })),
                    // Its window is closed, or it is forgotten.
                    Err(e) => {
                        assert!(
                            ["window_closed", "hold_unknown"].contains(&e.code().as_str()),
                            "{e}"
                        )
                    }
                }
            }
            Act::Release(n) if !self.open.is_empty() => {
                let (id, ..) = self.open.remove(n % self.open.len());
                let _ = host.release(self.sub, &id, ReleaseReason::Released, now);
            }
            Act::Doubt(n) if !self.open.is_empty() => {
                let (id, ..) = &self.open[n % self.open.len()];
                let _ = host.release(self.sub, id, ReleaseReason::Unknown, now);
            }
            Act::Import(a, b) => {
                drop(host.import(self.sub, usage(&[("a", *a), ("b", *b)]), now).unwrap());
            }
            Act::Due => drop(host.due(now)),
            Act::Checkpoint => drop(host.run(&Command::Checkpoint, now).unwrap()),
            _ => {}
        }
    }
}

fn price(receipt: &ReceiptEntry) -> Option<(Exact, Exact, bool)> {
    receipt.body.items.iter().find_map(|item| match item {
        Item::Price { exact, uncollected, late, .. } => Some((*exact, *uncollected, *late)),
        _ => None,
    })
}

/// What the receipts billed in each window of each spend limit, as limits compare it.
fn spent(plan: &Plan, receipts: &[ReceiptEntry]) -> BTreeMap<(usize, Window), Exact> {
    let mut sums = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.head.kind != Kind::TrueUp) {
        let billed = match plan.rounding() {
            Rounding::Carry => price(receipt).unwrap().0,
            _ => Exact::from_amount(receipt.head.charge),
        };
        for (index, limit) in plan.limits().iter().enumerate() {
            let LimitRule::Spend { period, .. } = limit.rule else { continue };
            let window = plan.window(period, at(0), receipt.head.authorized_at);
            let sum = sums.entry((index, window)).or_insert(Exact::ZERO);
            *sum = sum.checked_add(billed).unwrap();
        }
    }
    sums
}

fn assert_within(plan: &Plan, receipts: &[ReceiptEntry]) {
    for ((index, window), sum) in spent(plan, receipts) {
        let LimitRule::Spend { most, .. } = plan.limits()[index].rule else { panic!() };
        assert!(sum <= most, "{sum} of {most} in {window:?}");
    }
}

/// Settles every open hold in full, in one order or the other.
fn drain(
    meter: &Meter,
    sub: Digest,
    open: &[(String, u64, u64)],
    now: Timestamp,
) -> Vec<ReceiptEntry> {
    let mut meter = Meter::from_snapshot(&meter.snapshot(), SALT).unwrap();
    let mut receipts = Vec::new();
    for (id, a, b) in open {
        let settle = Settle {
            subscription: sub,
            id: id.clone(),
            usage: usage(&[("a", *a), ("b", *b)]),
            content: Digest::ZERO,
        };
        let Ok(step) = meter.propose(&Command::Settle(settle), now) else { continue };
        receipts.push(common::receipt(meter.confirm(step.ticket).unwrap()));
    }
    receipts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_was_held_can_be_charged_and_no_limit_is_passed(plan in plan(), acts in acts(100)) {
        let mut story = Story::new(&plan);
        for (act, wait) in &acts {
            story.step(act, *wait);
            let charged = story.host.recorded();
            // However the open holds end, every unit of them has room.
            let mut open = story.open.clone();
            for _ in 0..2 {
                let drained = drain(&story.host.meter, story.sub, &open, at(story.now));
                let all = [charged.clone(), drained].concat();
                assert_within(&plan, &all);
                // A late call reserves nothing, and still moves the counters under the others.
                let calls = all.iter().filter(|receipt| receipt.head.kind == Kind::Call);
                let prices: Vec<_> = calls.filter_map(price).collect();
                if prices.iter().all(|(_, _, late)| !late) {
                    prop_assert!(prices.iter().all(|(_, uncollected, _)| uncollected.is_zero()));
                }
                open.reverse();
            }
            // The aggregate itself, where a limit covers all holds.
            if charged.iter().filter_map(price).any(|(_, _, late)| late) {
                continue;
            }
            let view = story.host.meter.subscription(&story.sub).unwrap();
            for (index, limit) in plan.limits().iter().enumerate() {
                if let LimitRule::Spend { most, period: None } = limit.rule
                    && plan.rounding() == Rounding::Carry
                {
                    let sums = spent(&plan, &charged);
                    let sum = sums.get(&(index, Window::ALWAYS)).copied().unwrap_or(Exact::ZERO);
                    prop_assert!(sum.checked_add(view.reserved).unwrap() <= most);
                }
            }
        }
        story.host.audit().unwrap();
    }

    #[test]
    fn calls_beyond_their_holds_pass_no_limit(plan in plan(), acts in acts(400)) {
        let mut story = Story::new(&plan);
        for (act, wait) in &acts {
            story.step(act, *wait);
            let mut open = story.open.clone();
            for _ in 0..2 {
                let drained = drain(&story.host.meter, story.sub, &open, at(story.now));
                assert_within(&plan, &[story.host.recorded(), drained].concat());
                open.reverse();
            }
        }
        story.host.audit().unwrap();
    }

    #[test]
    fn state_is_the_fold_of_its_entries(plan in plan(), acts in acts(200), cut in any::<prop::sample::Index>()) {
        let mut story = Story::new(&plan);
        let cut = cut.index(acts.len());
        let mut resumed: Option<(Vec<u8>, usize)> = None;
        for (n, (act, wait)) in acts.iter().enumerate() {
            if n == cut {
                resumed = Some((story.host.meter.snapshot(), story.host.ledger.len()));
            }
            story.step(act, *wait);
        }
        let snapshot = story.host.meter.snapshot();
        // Folding every entry again, and the same bytes from bytes.
        let mut fresh = Meter::new(SALT);
        for bytes in &story.host.ledger {
            fresh.replay(bytes).unwrap();
            prop_assert_eq!(&Entry::from_bytes(bytes).unwrap().to_bytes(), bytes);
        }
        prop_assert_eq!(fresh.snapshot(), snapshot.clone());
        // Going on from a snapshot: first with the entries, then with the commands.
        let (middle, entries) = resumed.unwrap();
        let mut meter = Meter::from_snapshot(&middle, SALT).unwrap();
        for bytes in &story.host.ledger[entries..] {
            meter.replay(bytes).unwrap();
        }
        prop_assert_eq!(meter.snapshot(), snapshot.clone());
        let mut again = Story::new(&plan);
        for (n, (act, wait)) in acts.iter().enumerate() {
            if n == cut {
                let snapshot = again.host.meter.snapshot();
                again.host.meter = Meter::from_snapshot(&snapshot, SALT).unwrap();
            }
            again.step(act, *wait);
        }
        prop_assert_eq!(&again.host.ledger, &story.host.ledger);
        prop_assert_eq!(again.host.meter.snapshot(), snapshot);
    }

    #[test]
    fn abandoned_steps_leave_nothing(plan in plan(), acts in acts(200), dropped in acts(200)) {
        let mut story = Story::new(&plan);
        for (act, wait) in &acts {
            story.step(act, *wait);
        }
        let before = story.host.meter.snapshot();
        // The same commands on a twin that never saw the abandoned ones.
        let mut twin = Story::new(&plan);
        for (act, wait) in &acts {
            twin.step(act, *wait);
        }
        let mut first = None;
        for (n, (act, _)) in dropped.iter().enumerate() {
            let (a, b) = match act {
                Act::Authorize(a, b) | Act::Import(a, b) => (*a, *b),
                _ => (n as u64 % 20, 3),
            };
            let request = counterfoil::meter::Request {
                subscription: story.sub,
                id: format!("dropped {n}"),
                created_at: None,
                most: usage(&[("a", a), ("b", b)]),
            };
            if let Ok(step) = story.host.meter.propose(&Command::Authorize(request), at(story.now)) {
                first.get_or_insert(step.ticket);
            }
        }
        if let Some(first) = first {
            story.host.meter.abandon(first).unwrap();
        }
        prop_assert_eq!(story.host.meter.snapshot(), before);
        for (act, wait) in &dropped {
            story.step(act, *wait);
            twin.step(act, *wait);
        }
        prop_assert_eq!(&story.host.ledger, &twin.host.ledger);
        prop_assert_eq!(story.host.meter.snapshot(), twin.host.meter.snapshot());
    }
}
