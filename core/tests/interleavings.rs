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

use common::{HOUR, Host, SALT, Terms, at, renamed, usage};
use counterfoil::{
    Digest, Exact, Meter, Plan, Rounding, Timestamp, Usage,
    entry::{Entry, ReceiptEntry, ReleaseReason},
    meter::{Command, Outcome, Settle},
    plan::{Limit, LimitRule, LimitWindow},
    receipt::{Item, Kind},
    time::{Period, Window},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const MODELS: [&str; 20] = [
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
    r#""model":"graduated","aggregate":"max","tiers":[{"up_to":10,"price":"0.1","flat":"1"},{"price":"0.9"}]"#,
    r#""model":"per_unit","aggregate":"latest","price":"0.4""#,
    r#""model":"volume","aggregate":"latest","tiers":[{"up_to":9,"price":"1"},{"price":"0.1"}]"#,
    r#""model":"graduated","aggregate":"unique","of":"key","values":2,"tiers":[{"up_to":2,"price":"2"},{"price":"3"}]"#,
    r#""model":"package","aggregate":"unique","of":"key","values":9,"size":2,"price":"4""#,
];
const GRANTS: [&str; 5] = [
    r#"{"id":"g0","kind":"trial","money":"30.5"}"#,
    r#"{"id":"g1","kind":"included","meter":"a","units":20,"window":"hour","rollover":{"min":2,"max":60}}"#,
    r#"{"id":"g2","kind":"included","meter":"b","units":25,"expires":5000000}"#,
    r#"{"id":"g3","kind":"promotional","money":"12","charges":["a","rest_a"],"priority":1}"#,
    r#"{"id":"g4","kind":"promotional","money":"8","window":"day","expires":4000000}"#,
];
/// Which calls a limit is for.
const WHO: [&str; 4] = ["", "", r#","match":{"key":["k0","k2"]}"#, r#","per":"key""#];
const PERIODS: [&str; 4] = [
    r#""hour""#,
    r#""day""#,
    r#"{"every":"hour","count":5,"anchor":"start"}"#,
    r#"{"every":"day","anchor":"start"}"#,
];
/// The windows of limits.
const WINDOWS: [&str; 7] = [
    PERIODS[0],
    PERIODS[1],
    PERIODS[2],
    PERIODS[3],
    r#"{"last":"hour","buckets":4}"#,
    r#"{"last":"hour","count":5,"buckets":3}"#,
    r#"{"last":"day","buckets":1}"#,
];

fn plan() -> impl Strategy<Value = Plan> {
    let charge = (0..MODELS.len(), 0..PERIODS.len(), 0..8_u64, any::<bool>());
    let limit = (1..60_u64, 0..=WINDOWS.len(), 0..7_usize, 0..WHO.len(), any::<bool>());
    (
        prop::collection::vec(charge, 2),
        prop::collection::vec(limit, 1..4),
        0..4_usize,
        any::<bool>(),
        0..3_u64,
        prop::sample::subsequence(GRANTS.to_vec(), 0..=5),
        0..3_u64,
        0..6_u64,
    )
        .prop_map(|(charges, limits, rounding, rate, each, grants, credit, commitment)| {
            let charges: Vec<_> = charges
                .into_iter()
                .zip(["a", "b"])
                .map(|((model, period, free, windowed), meter)| {
                    let model = MODELS[model];
                    let meter_field = match model.starts_with(r#""model":"flat""#) {
                        true => String::new(),
                        false => format!(r#""meter":"{meter}","#),
                    };
                    let windowed = windowed
                        || ["volume", "minimum", "latest"].iter().any(|m| model.contains(m));
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
            // A charge that may change after its window's close cannot be committed.
            let moving = |charge: &&String| {
                ["volume", "minimum", "latest"].iter().any(|m| charge.contains(m))
            };
            let committed: Vec<_> = ["a", "b", "rest_a"]
                .into_iter()
                .zip(&charges)
                .filter(|(_, charge)| !moving(charge))
                .map(|(id, _)| format!(r#""{id}""#))
                .collect();
            let commitments = match (commitment, committed.is_empty()) {
                (0, _) | (_, true) => String::from("[]"),
                (minimum, false) => format!(
                    r#"[{{"id":"k","charges":[{}],"window":"hour","minimum":"{minimum}.5"}}]"#,
                    committed.join(",")
                ),
            };
            let mut limits: Vec<_> = limits
                .into_iter()
                .enumerate()
                .map(|(n, (most, period, kind, who, across))| {
                    let window = WINDOWS.get(period);
                    let across = across && window.is_none_or(|window| !window.contains("start"));
                    let across = if across { r#","across":"payer""# } else { "" };
                    let window = window.map_or(String::new(), |w| format!(r#","window":{w}"#));
                    let rule = match kind {
                        0 => format!(r#""meter":"a","most":{most}{window}"#),
                        1 => format!(r#""meter":"requests","most":{most}{window}"#),
                        2 => format!(r#""concurrency":{}"#, 1 + most / 20),
                        3 => format!(
                            r#""soft":true,"notify":["0.5","1"],"spend":"{most}.5"{window}"#
                        ),
                        _ => format!(r#""spend":"{most}.5"{window}"#),
                    };
                    format!(r#"{{"id":"l{n}",{rule}{}{across}}}"#, WHO[who])
                })
                .collect();
            if rate {
                limits
                    .push(r#"{"id":"pace","rate":{"calls":7,"every":"minute","burst":5}}"#.into());
            }
            if credit > 0 {
                let credit = (credit - 1) * 7;
                limits.push(format!(r#"{{"id":"owed","credit":"{credit}"}}"#));
            }
            let terms = Terms::new()
                .token(0)
                .with("grants", format!("[{}]", grants.join(",")))
                .with("charges", format!("[{}]", charges.join(",")))
                .with("commitments", commitments)
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
    /// As a settle, and the call goes on.
    Part(usize, u64),
    Extend(usize),
    Release(usize),
    Doubt(usize),
    Import(u64, u64),
    Grant(u64, bool),
    Void(usize),
    /// One of the receipts, and how many tenths of a unit; 0 is all that is left.
    Credit(usize, u64),
    Due,
    Checkpoint,
}

/// Acts and the milliseconds before them.
fn acts(most_percent: u64) -> impl Strategy<Value = Vec<(Act, u64)>> {
    let act = prop_oneof![
        5 => (0..25_u64, 0..25_u64).prop_map(|(a, b)| Act::Authorize(a, b)),
        8 => (0..9_usize, 0..=most_percent, any::<bool>()).prop_map(|(n, percent, ends)| {
            if ends { Act::Settle(n, percent) } else { Act::Part(n, percent) }
        }),
        2 => (0..9_usize, any::<bool>()).prop_map(|(n, extend)| match extend {
            true => Act::Extend(n),
            false => Act::Release(n),
        }),
        1 => (0..9_usize).prop_map(Act::Doubt),
        2 => (0..25_u64, 0..25_u64).prop_map(|(a, b)| Act::Import(a, b)),
        1 => (1..40_u64, any::<bool>()).prop_map(|(amount, units)| Act::Grant(amount, units)),
        u32::from(most_percent > 100) => (0..9_usize).prop_map(Act::Void),
        2 => (0..90_usize, 0..30_u64).prop_map(|(n, tenths)| Act::Credit(n, tenths)),
        3 => prop::sample::select(vec![Act::Due, Act::Due, Act::Checkpoint]),
    ];
    let wait = prop_oneof![0..1000_u64, 0..600_000_u64, 0..2 * HOUR];
    prop::collection::vec((act, wait), 1..70)
}

/// The usage of a call, under a key that follows from what it asked for at most.
fn keyed(a: u64, b: u64, key: u64) -> Usage {
    let mut usage = usage(&[("a", a), ("b", b)]);
    usage.set_attribute("key", &format!("k{}", key % 3)).unwrap();
    usage
}

/// A call that may be settled: its subscription, its id, and what it may use at most.
type Open = (Digest, String, u64, u64);

/// A host that acts, and remembers which requests may still be settled.
struct Story {
    host: Host,
    /// The payer's subscriptions, which act in turn.
    subs: Vec<Digest>,
    open: Vec<Open>,
    /// What parts said of running calls.
    readings: BTreeMap<String, (u64, u64)>,
    calls: u64,
    now: u64,
    /// A hold past its deadline may outlive a grant: where the plan has grants, and only there more
    /// are given, what is due comes first.
    punctual: bool,
}

impl Story {
    /// A payer with so many subscriptions, each to a plan of the same terms.
    fn new(plan: &Plan, subs: usize) -> Story {
        let mut host = Host::new();
        let plans = (0..subs).map(|n| renamed(plan, &n.to_string()));
        let subs = plans.map(|plan| host.subscribe(&plan)).collect();
        Story {
            host,
            subs,
            open: Vec::new(),
            readings: BTreeMap::new(),
            calls: 0,
            now: 0,
            punctual: plan.grants().next().is_some(),
        }
    }

    /// The subscription whose turn it is.
    fn sub(&self) -> Digest {
        self.subs[usize::try_from(self.calls).unwrap() % self.subs.len()]
    }

    /// So much of what a call may use, and no less than its parts said.
    fn reading(&self, id: &str, (a, b): (u64, u64), percent: u64) -> (u64, u64) {
        let (least_a, least_b) = self.readings.get(id).copied().unwrap_or_default();
        (least_a.max(a * percent / 100), least_b.max(b * percent / 100))
    }

    fn step(&mut self, act: &Act, wait: u64) {
        self.now += wait;
        let (now, sub) = (at(self.now), self.sub());
        let host = &mut self.host;
        if self.punctual {
            host.due(now);
        }
        match act {
            Act::Authorize(a, b) => {
                self.calls += 1;
                let id = format!("{}", self.calls);
                let held = host.authorize(sub, &id, keyed(*a, *b, *a), now).unwrap();
                if matches!(held, Outcome::Authorized { .. }) {
                    self.open.push((sub, id, *a, *b));
                }
            }
            Act::Settle(n, percent) if !self.open.is_empty() => {
                let (sub, id, a, b) = self.open.remove(n % self.open.len());
                let (a, b) = self.reading(&id, (a, b), *percent);
                let (host, used) = (&mut self.host, usage(&[("a", a), ("b", b)]));
                match host.settle(sub, &id, used, now) {
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
            Act::Part(n, percent) if !self.open.is_empty() => {
                let (sub, id, a, b) = self.open[n % self.open.len()].clone();
                let (a, b) = self.reading(&id, (a, b), *percent);
                match self.host.settle_part(sub, &id, usage(&[("a", a), ("b", b)]), now) {
                    Ok(Outcome::Receipt { receipt, .. }) => {
                        assert_eq!(receipt.head.kind, Kind::Part);
                        self.readings.insert(id, (a, b));
                    }
                    Ok(outcome) => assert!(matches!(outcome, Outcome::Replayed(_)), "{outcome:?}"),
                    Err(e) => {
                        assert!(
                            ["window_closed", "hold_unknown"].contains(&e.code().as_str()),
                            "{e}"
                        )
                    }
                }
            }
            Act::Extend(n) if !self.open.is_empty() => {
                let (sub, id, ..) = &self.open[n % self.open.len()];
                let _ = host.extend(*sub, id, now);
            }
            Act::Release(n) if !self.open.is_empty() => {
                let (sub, id, ..) = self.open.remove(n % self.open.len());
                let _ = host.release(sub, &id, ReleaseReason::Released, now);
            }
            Act::Doubt(n) if !self.open.is_empty() => {
                let (sub, id, ..) = &self.open[n % self.open.len()];
                let _ = host.release(*sub, id, ReleaseReason::Unknown, now);
            }
            Act::Import(a, b) => {
                drop(host.import(sub, keyed(*a, *b, *a), now).unwrap());
            }
            Act::Grant(amount, units) if self.punctual => {
                self.calls += 1;
                let what = match units {
                    true => format!(r#""meter":"a","units":{amount}"#),
                    false => format!(r#""money":"{amount}""#),
                };
                let kind = match amount % 3 {
                    0 if *units => r#""kind":"paid","price":"7","reference":"payment""#,
                    0 => r#""kind":"paid","reference":"payment""#,
                    _ => r#""kind":"promotional""#,
                };
                let end = now.millis() + amount * 200_000;
                let terms =
                    format!(r#"{{"id":"x{}",{kind},{what},"expires_at":{end}}}"#, self.calls);
                let grant = Command::Grant { subscription: sub, terms };
                assert_eq!(host.run(&grant, now).unwrap(), Outcome::Done);
            }
            Act::Void(n) => {
                let view = host.meter.subscription(&sub).unwrap();
                if let Some(found) = view.grants.get(*n) {
                    let grant = found.grant.clone();
                    let void = Command::Void { subscription: sub, grant };
                    assert!(matches!(host.run(&void, now).unwrap(), Outcome::Voided { .. }));
                }
            }
            Act::Credit(n, tenths) => {
                let receipts = host.recorded();
                let Some(receipt) = receipts.get(n % receipts.len().max(1)) else { return };
                let sub = host.meter.lane(&receipt.head.lane).unwrap().subscription;
                self.calls += 1;
                let tenth = 100_000_000_000_000_000;
                let amount = Exact::new(u128::from(tenths / 10), tenths % 10 * tenth).unwrap();
                let amount = (*tenths > 0).then_some(amount);
                let id = format!("{}", self.calls);
                match host.credit(sub, &id, receipt, amount, now) {
                    Ok(outcome) => assert!(matches!(outcome, Outcome::Receipt { .. })),
                    Err(e) => assert!(
                        ["credit_invalid", "credit_exceeded"].contains(&e.code().as_str()),
                        "{e}"
                    ),
                }
            }
            Act::Due => drop(host.due(now)),
            Act::Checkpoint => drop(host.run(&Command::Checkpoint, now).unwrap()),
            _ => {}
        }
    }
}

/// What limits count less at the end of a call whose parts were charged more than it costs.
fn over(plan: &Plan, receipt: &ReceiptEntry) -> Exact {
    let (mut charged, mut whole) = (Exact::ZERO, Exact::ZERO);
    for item in &receipt.body.items {
        match item {
            Item::Part { charged: before, .. } if receipt.head.kind == Kind::Call => {
                charged = *before;
            }
            Item::Line { amount, .. } => whole = whole.checked_add(*amount).unwrap(),
            _ => {}
        }
    }
    let whole = match plan.rounding() {
        Rounding::Carry => whole,
        rounding => Exact::from_amount(rounding.bill(whole, 0).unwrap().amount),
    };
    charged.minus_or_zero(whole)
}

fn price(receipt: &ReceiptEntry) -> Option<(Exact, Exact, bool)> {
    receipt.body.items.iter().find_map(|item| match item {
        Item::Price { exact, uncollected, late, .. } => Some((*exact, *uncollected, *late)),
        _ => None,
    })
}

/// Under which value a limit counts a call, if it covers it.
fn value(limit: &Limit, receipt: &ReceiptEntry) -> Option<String> {
    let attribute = |wanted: &str| {
        receipt.body.items.iter().find_map(|item| match item {
            Item::Attribute { name, value } if name == wanted => Some(value.clone()),
            _ => None,
        })
    };
    let covered = limit
        .matches
        .iter()
        .all(|(name, values)| attribute(name).is_some_and(|value| values.contains(&value)));
    let per = limit.per.as_ref().and_then(|name| attribute(name));
    covered.then(|| per.unwrap_or_default())
}

/// The windows that count a receipt: of a rolling limit every span as long as the period that ends with
/// some receipt.
fn windows(
    plan: &Plan,
    window: LimitWindow,
    authorized_at: Timestamp,
    receipts: &[ReceiptEntry],
) -> Vec<Window> {
    let rolling = match window {
        LimitWindow::Whole => return vec![Window::ALWAYS],
        LimitWindow::Cycle(cycle) => return vec![plan.window(Some(cycle), at(0), authorized_at)],
        LimitWindow::Rolling(rolling) => rolling,
    };
    let hours = match rolling.last() {
        Period::Hour => 1,
        Period::Day => 24,
        _ => 168,
    };
    let length = hours * 3_600_000 * u64::from(rolling.count());
    let mut spans = Vec::new();
    for last in receipts {
        let end = last.head.authorized_at.millis() + 1;
        let start = Timestamp::from_millis(end.saturating_sub(length)).unwrap();
        let span = Window { start, end: Timestamp::from_millis(end).unwrap() };
        if span.contains(authorized_at) && !spans.contains(&span) {
            spans.push(span);
        }
    }
    spans
}

/// A place of a limit: of which lane, unless all subscriptions share it; window and value.
type Place = (usize, Digest, Window, String);

fn lane_of(limit: &Limit, receipt: &ReceiptEntry) -> Digest {
    if limit.across.is_some() { Digest::ZERO } else { receipt.head.lane }
}

/// What the receipts billed in each place of each spend limit, as limits compare it.
fn spent(plan: &Plan, receipts: &[ReceiptEntry]) -> BTreeMap<Place, Exact> {
    let mut sums = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| price(receipt).is_some()) {
        // Before grants pay: limits count first.
        let exact = price(receipt).unwrap().0;
        let billed = match plan.rounding() {
            Rounding::Carry => exact,
            rounding => Exact::from_amount(rounding.bill(exact, 0).unwrap().amount),
        };
        for (index, limit) in plan.limits().iter().enumerate() {
            let LimitRule::Spend { window, .. } = limit.rule else { continue };
            let Some(value) = value(limit, receipt) else { continue };
            for window in windows(plan, window, receipt.head.authorized_at, receipts) {
                let place = (index, lane_of(limit, receipt), window, value.clone());
                let sum = sums.entry(place).or_insert(Exact::ZERO);
                *sum = sum.checked_add(billed).unwrap();
                // At no time more than the limit, whatever comes back later.
                if let LimitRule::Spend { most, .. } = limit.rule {
                    assert!(limit.soft || *sum <= most, "{sum} of {most} in {window:?}");
                }
                *sum = sum.checked_sub(over(plan, receipt)).unwrap();
            }
        }
    }
    sums
}

fn assert_within(plan: &Plan, receipts: &[ReceiptEntry]) {
    for ((index, _, window, value), sum) in spent(plan, receipts) {
        let limit = &plan.limits()[index];
        let LimitRule::Spend { most, .. } = limit.rule else { panic!() };
        assert!(limit.soft || sum <= most, "{sum} of {most} in {window:?} of {value}");
    }
}

/// No more units than the limits on them allow, where no call used more than it held.
fn assert_units(plan: &Plan, receipts: &[ReceiptEntry]) {
    let mut sums: BTreeMap<Place, u64> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.head.kind == Kind::Call) {
        for (index, limit) in plan.limits().iter().enumerate() {
            let LimitRule::Units { meter, most, window } = &limit.rule else { continue };
            let Some(value) = value(limit, receipt) else { continue };
            let quantity = receipt.body.items.iter().find_map(|item| match item {
                Item::Quantity { meter: of, quantity } if of == meter => Some(*quantity),
                _ => None,
            });
            let units = quantity.unwrap_or(u64::from(meter == "requests"));
            for window in windows(plan, *window, receipt.head.authorized_at, receipts) {
                let place = (index, lane_of(limit, receipt), window, value.clone());
                let sum = sums.entry(place).or_default();
                *sum += units;
                assert!(*sum <= *most, "{sum} of {most} {meter} in {window:?}");
            }
        }
    }
}

/// Settles every open hold in full, in one order or the other; the receipts, and the most that one
/// subscription then owes.
fn drain(
    meter: &Meter,
    subs: &[Digest],
    open: &[Open],
    now: Timestamp,
) -> (Vec<ReceiptEntry>, Exact) {
    let mut meter = Meter::from_snapshot(&meter.snapshot(), SALT).unwrap();
    let mut receipts = Vec::new();
    for (sub, id, a, b) in open {
        let settle = Settle {
            subscription: *sub,
            id: id.clone(),
            usage: usage(&[("a", *a), ("b", *b)]),
            content: Digest::ZERO,
        };
        let Ok(step) = meter.propose(&Command::Settle(settle), now) else { continue };
        receipts.push(common::receipt(meter.confirm(step.ticket).unwrap()));
    }
    let owed = subs.iter().map(|sub| {
        let lane = meter.lane(&meter.subscription(sub).unwrap().lane).unwrap();
        lane.cumulative.checked_sub(lane.credited.min(lane.cumulative)).unwrap()
    });
    (receipts, owed.max().unwrap())
}

/// The credit limit, if the plan has one.
fn credit(plan: &Plan) -> Exact {
    let credit = plan.limits().iter().find_map(|limit| match limit.rule {
        LimitRule::Credit { most } => Some(most),
        _ => None,
    });
    credit.unwrap_or(Exact::MAX)
}

/// What was given is what calls drew, less what went back, and what is left; nobody draws more.
fn assert_conserved(host: &Host, sub: Digest) {
    let mut drawn: BTreeMap<(String, Timestamp), Exact> = BTreeMap::new();
    let lane = host.meter.subscription(&sub).unwrap().lane;
    for receipt in host.recorded().into_iter().filter(|receipt| receipt.head.lane == lane) {
        for item in receipt.body.items {
            let (key, amount, balance) = match item {
                Item::Draw { grant, given_at, amount, balance } => {
                    ((grant, given_at), amount, balance)
                }
                Item::DrawUnits { grant, given_at, units, balance, .. } => {
                    ((grant, given_at), whole(units), whole(balance))
                }
                Item::Returned { grant, given_at, amount, .. } => {
                    let sum = drawn.get_mut(&(grant, given_at)).unwrap();
                    *sum = sum.checked_sub(amount).unwrap();
                    continue;
                }
                Item::ReturnedUnits { grant, given_at, units, .. } => {
                    let sum = drawn.get_mut(&(grant, given_at)).unwrap();
                    *sum = sum.checked_sub(whole(units)).unwrap();
                    continue;
                }
                _ => continue,
            };
            assert!(!amount.is_zero() && balance.checked_add(amount).is_ok());
            let sum = drawn.entry(key).or_insert(Exact::ZERO);
            *sum = sum.checked_add(amount).unwrap();
        }
    }
    for grant in host.meter.subscription(&sub).unwrap().grants {
        assert!(whole(grant.reserved) <= grant.balance);
        let given = match grant.grant.as_str() {
            "g0" => Exact::new(30, 500_000_000_000_000_000).unwrap(),
            "g2" => whole(25),
            "g3" => whole(12),
            "g4" => whole(8),
            _ => continue,
        };
        let sum = drawn.remove(&(grant.grant, grant.given_at)).unwrap_or(Exact::ZERO);
        assert_eq!(sum.checked_add(grant.balance).unwrap(), given);
    }
}

fn whole(units: u64) -> Exact {
    Exact::new(u128::from(units), 0).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_was_held_can_be_charged_and_no_limit_is_passed(plan in plan(), subs in 1..3_usize, acts in acts(100)) {
        let mut story = Story::new(&plan, subs);
        for (act, wait) in &acts {
            story.step(act, *wait);
            let charged = story.host.recorded();
            // However the open holds end, every unit of them has room.
            let mut open = story.open.clone();
            for _ in 0..2 {
                let (drained, owed) = drain(&story.host.meter, &story.subs, &open, at(story.now));
                let all = [charged.clone(), drained].concat();
                assert_within(&plan, &all);
                if all.iter().filter_map(price).all(|(_, _, late)| !late) {
                    assert_units(&plan, &all);
                }
                prop_assert!(owed <= credit(&plan), "{owed} owed");
                // A late call reserves nothing, and still moves the counters under the others.
                let a_call = |kind| matches!(kind, Kind::Call | Kind::Part);
                let calls = all.iter().filter(|receipt| a_call(receipt.head.kind));
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
            let views: Vec<_> =
                story.subs.iter().map(|sub| story.host.meter.subscription(sub).unwrap()).collect();
            for (index, limit) in plan.limits().iter().enumerate() {
                if let LimitRule::Spend { most, window: LimitWindow::Whole } = limit.rule
                    && plan.rounding() == Rounding::Carry
                    && !limit.soft
                    && limit.per.is_none()
                    && limit.matches.is_empty()
                {
                    let sums = spent(&plan, &charged);
                    let reserved = views.iter().map(|view| match limit.across {
                        Some(_) => (Digest::ZERO, view.reserved),
                        None => (view.lane, view.reserved),
                    });
                    let mut places: BTreeMap<Digest, Exact> = BTreeMap::new();
                    for (lane, reserved) in reserved {
                        let whole = (index, lane, Window::ALWAYS, String::new());
                        let sum = sums.get(&whole).copied().unwrap_or(Exact::ZERO);
                        let sum = places.entry(lane).or_insert(sum);
                        *sum = sum.checked_add(reserved).unwrap();
                        prop_assert!(*sum <= most);
                    }
                }
            }
        }
        for sub in &story.subs {
            assert_conserved(&story.host, *sub);
        }
        story.host.audit().unwrap();
    }

    #[test]
    fn calls_beyond_their_holds_pass_no_limit(plan in plan(), subs in 1..4_usize, acts in acts(400)) {
        let mut story = Story::new(&plan, subs);
        for (act, wait) in &acts {
            story.step(act, *wait);
            let mut open = story.open.clone();
            for _ in 0..2 {
                let (drained, _) = drain(&story.host.meter, &story.subs, &open, at(story.now));
                assert_within(&plan, &[story.host.recorded(), drained].concat());
                open.reverse();
            }
        }
        story.host.audit().unwrap();
    }

    #[test]
    fn state_is_the_fold_of_its_entries(plan in plan(), subs in 1..3_usize, acts in acts(200), cut in any::<prop::sample::Index>()) {
        let mut story = Story::new(&plan, subs);
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
        let mut again = Story::new(&plan, subs);
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
    fn abandoned_steps_leave_nothing(plan in plan(), subs in 1..3_usize, acts in acts(200), dropped in acts(200)) {
        let mut story = Story::new(&plan, subs);
        for (act, wait) in &acts {
            story.step(act, *wait);
        }
        let before = story.host.meter.snapshot();
        // The same commands on a twin that never saw the abandoned ones.
        let mut twin = Story::new(&plan, subs);
        for (act, wait) in &acts {
            twin.step(act, *wait);
        }
        let mut first = None;
        for (n, (act, _)) in dropped.iter().enumerate() {
            let (a, b) = match act {
                Act::Authorize(a, b) | Act::Import(a, b) => (*a, *b),
                _ => (n as u64 % 20, 3),
            };
            let (sub, id) = (story.subs[n % story.subs.len()], format!("dropped {n}"));
            let request =
                counterfoil::meter::Request::new(sub, id, usage(&[("a", a), ("b", b)]));
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
