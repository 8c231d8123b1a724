//! Calls that are charged in parts: whatever the price, the parts sum to the price of the whole.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, Host, Terms, at, receipt, usage};
use counterfoil::{
    Digest, Exact, Plan, Rounding,
    entry::ReceiptEntry,
    meter::Outcome,
    receipt::{Item, Kind},
};
use proptest::prelude::*;

/// Every charge model, prices that rise and fall as a call goes on, and a charge that a call leaves.
const CHARGES: [&str; 14] = [
    r#"{"id":"a","meter":"a","model":"per_unit","price":"0.0037"}"#,
    r#"{"id":"a","model":"flat","price":"2.5"}"#,
    r#"{"id":"a","meter":"a","model":"package","size":7,"price":"1.1"}"#,
    r#"{"id":"a","meter":"a","model":"graduated","tiers":[{"up_to":10,"price":"0.1"},{"up_to":30,"price":"0.9"},{"price":"0.2"}]}"#,
    r#"{"id":"a","meter":"a","model":"graduated","free":5,"tiers":[{"up_to":9,"price":"0.1","flat":"3"},{"price":"0.5","flat":"2"}]}"#,
    r#"{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{"up_to":15,"price":"0.5"},{"up_to":40,"price":"0.2"},{"price":"0.7"}]}"#,
    r#"{"id":"a","meter":"a","model":"volume","window":"day","tiers":[{"up_to":9,"price":"1"},{"price":"0.01"}]}"#,
    r#"{"id":"a","meter":"a","model":"per_unit","price":"1","discount":"0.3","off":"4","cap":"9"}"#,
    r#"{"id":"a","meter":"a","model":"percentage","price":"1","rate":"0.029","fixed":"0.3","min":"0.5","max":"2"}"#,
    r#"{"id":"a","meter":"a","model":"cost_plus","price":"1","margin":"0.7"}"#,
    r#"{"id":"a","meter":"a","model":"dynamic","price":"0.1","max":"9999"}"#,
    // A large call is dearer for all of its units, or cheaper.
    r#"{"id":"large","meter":"a","model":"per_unit","price":"0.9","context":{"meter":"a","above":20}},{"id":"small","meter":"a","model":"per_unit","price":"0.2","context":{"meter":"a","up_to":20}}"#,
    r#"{"id":"large","meter":"a","model":"per_unit","price":"0.1","context":{"meter":"a","above":20}},{"id":"small","meter":"a","model":"per_unit","price":"0.7","context":{"meter":"a","up_to":20}}"#,
    r#"{"id":"a","meter":"a","model":"percentage","price":"1","rate":"0.5","fixed":"3"},{"id":"b","meter":"b","model":"per_unit","price":"0.0003"}"#,
];
const ROUNDINGS: [&str; 4] = ["carry", "up", "down", "half_even"];

fn plan(charge: usize, rounding: usize) -> Plan {
    terms(charge, rounding).plan()
}

fn terms(charge: usize, rounding: usize) -> Terms {
    let mut charges = String::from(CHARGES[charge]);
    for meter in ["a", "b"] {
        if !charges.contains(&format!(r#""meter":"{meter}""#)) {
            charges += &format!(
                r#",{{"id":"rest_{meter}","meter":"{meter}","model":"per_unit","price":"0"}}"#
            );
        }
    }
    Terms::new()
        .with("charges", format!("[{charges}]"))
        .with("rounding", format!(r#""{}""#, ROUNDINGS[rounding]))
}

/// What was charged and not given back, exact.
fn net(receipts: &[ReceiptEntry]) -> Exact {
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

/// What a receipt of so much is rounded to.
fn billed(plan: &Plan, exact: Exact) -> Exact {
    match plan.rounding() {
        Rounding::Carry => exact,
        rounding => Exact::from_amount(rounding.bill(exact, 0).unwrap().amount),
    }
}

/// A call with these readings, of which the last settles it, beside another one in the middle.
fn call(plan: &Plan, readings: &[(u64, u64)], other: u64) -> (Host, Vec<ReceiptEntry>) {
    let mut host = Host::new();
    let sub = host.subscribe(plan);
    let most = usage(&[("a", 100), ("b", 100)]);
    host.authorize(sub, "stream", most, at(0)).unwrap();
    let mut made = Vec::new();
    for (n, (a, b)) in readings.iter().enumerate() {
        let used = usage(&[("a", *a), ("b", *b)]);
        if n + 1 == readings.len() {
            if other > 0 {
                host.call(sub, "other", usage(&[("a", other)]), at(0));
            }
            made.push(receipt(host.settle(sub, "stream", used, at(1)).unwrap()));
        } else if let Ok(Outcome::Receipt { receipt, .. }) =
            host.settle_part(sub, "stream", used, at(0))
        {
            assert_eq!(receipt.head.kind, Kind::Part);
            made.push((*receipt).clone());
        }
    }
    host.audit().unwrap();
    (host, made)
}

/// Readings of a call in order: each no less than the one before.
fn readings() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let reading = (0..14_u64, 0..14_u64);
    prop::collection::vec(reading, 1..7).prop_map(|steps| {
        steps
            .into_iter()
            .scan((0, 0), |sum, (a, b)| {
                *sum = (sum.0 + a, sum.1 + b);
                Some(*sum)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn parts_sum_to_the_price_of_the_whole(
        charge in 0..CHARGES.len(),
        rounding in 0..ROUNDINGS.len(),
        readings in readings(),
    ) {
        let plan = plan(charge, rounding);
        let (parted, parts) = call(&plan, &readings, 0);
        let (whole, one) = call(&plan, &readings[readings.len() - 1..], 0);
        prop_assert_eq!(billed(&plan, net(&parts)), billed(&plan, net(&one)));
        // The counters stand where one receipt leaves them, and so do the lane's totals.
        let view = |host: &Host| {
            let mut view = host.meter.subscriptions().next().unwrap();
            // A charge that the call has left again.
            view.counters.retain(|counter| counter.units > 0 || !counter.billed.is_zero());
            view
        };
        prop_assert_eq!(view(&parted).counters, view(&whole).counters);
        prop_assert_eq!(view(&parted).reserved, Exact::ZERO);
        let owed = |host: &Host| {
            let lane = host.meter.lanes().next().unwrap();
            lane.cumulative.checked_sub(lane.credited).unwrap()
        };
        prop_assert_eq!(owed(&parted), owed(&whole));
    }

    #[test]
    fn another_call_between_parts_changes_no_sum(
        charge in 0..CHARGES.len(),
        readings in readings(),
        other in 1..30_u64,
    ) {
        let plan = plan(charge, 0);
        let owed = |readings: &[(u64, u64)]| {
            let (mut host, _) = call(&plan, readings, other);
            // A fall that the other call met is made up for as the window closes.
            host.due(at(2 * DAY));
            host.audit().unwrap();
            let lane = host.meter.lanes().next().unwrap();
            lane.cumulative.checked_sub(lane.credited).unwrap()
        };
        prop_assert_eq!(owed(&readings), owed(&readings[readings.len() - 1..]));
    }
}

/// What a credit gave back, to the lane and to grants.
fn given_back(credit: &ReceiptEntry) -> Exact {
    let back = credit.body.items.iter().map(|item| match item {
        Item::Credit { exact, .. } => *exact,
        Item::Returned { amount, .. } => *amount,
        _ => Exact::ZERO,
    });
    back.fold(Exact::ZERO, |sum, more| sum.checked_add(more).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Credits: (which receipt, tenths of a unit; 0 is all of it). What others were charged in the lane
    /// is never given back for it.
    #[test]
    fn a_call_in_parts_goes_back_once(
        charge in 0..CHARGES.len(),
        rounding in 0..ROUNDINGS.len(),
        readings in readings(),
        other in 0..30_u64,
        granted in 0..4_u64,
        credits in prop::collection::vec((0..8_usize, 0..60_u64), 0..8),
    ) {
        let grant = format!(r#"[{{"id":"g","kind":"promotional","money":"0.0{granted}"}}]"#);
        let plan = match granted {
            0 => plan(charge, rounding),
            _ => terms(charge, rounding).with("grants", grant).plan(),
        };
        let (mut host, made) = call(&plan, &readings, other);
        let sub = host.meter.subscriptions().next().unwrap().id;
        let price = billed(&plan, net(&made));
        let all = (0..made.len()).map(|n| (n, 0));
        let mut back = Exact::ZERO;
        for (n, (which, tenths)) in credits.into_iter().chain(all).enumerate() {
            let receipt = &made[which % made.len()];
            let part = tenths % 10 * 100_000_000_000_000_000;
            let amount = Exact::new(u128::from(tenths / 10), part).unwrap();
            let amount = (tenths > 0).then_some(amount);
            match host.credit(sub, &n.to_string(), receipt, amount, at(2)) {
                Ok(Outcome::Receipt { receipt, .. }) => {
                    back = back.checked_add(given_back(&receipt)).unwrap();
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => prop_assert!(
                    ["credit_invalid", "credit_exceeded"].contains(&error.code().as_str()),
                    "{}", error
                ),
            }
            prop_assert!(back <= price);
        }
        prop_assert_eq!(back, price);
        for receipt in &made {
            let error = host.credit(sub, "more", receipt, None, at(3)).unwrap_err();
            prop_assert_eq!(error.code().as_str(), "credit_exceeded");
        }
        host.due(at(2 * DAY));
        let lane = host.meter.lanes().next().unwrap();
        prop_assert!(lane.credited <= lane.cumulative);
        host.audit().unwrap();
    }
}

/// Credits of which a cached token is worth less than another one, and a limit of 1000.
fn credits(granted: u64) -> Plan {
    let terms = Terms::new()
        .with("meters", r#"{"input_tokens":"token","cached_input_tokens":"token"}"#)
        .with(
            "derived",
            r#"{"credits":{"unit":"credit","weights":[
                {"meter":"input_tokens","weight":5},{"meter":"cached_input_tokens","weight":1}]}}"#,
        )
        .charge(r#"{"id":"c","meter":"credits","model":"per_unit","price":"0.01"}"#)
        .with("limits", r#"[{"id":"most","meter":"credits","most":1000}]"#);
    if granted == 0 {
        return terms.plan();
    }
    let grant = format!(r#"[{{"id":"g","kind":"included","meter":"credits","units":{granted}}}]"#);
    terms.with("grants", grant).plan()
}

/// What a limit on credits has counted, and what it leaves.
fn spent(host: &mut Host, sub: Digest) -> (Exact, Exact) {
    let most = usage(&[("input_tokens", 1_000)]);
    match host.authorize(sub, "too much", most, at(0)).unwrap() {
        Outcome::Denied(denial) => (denial.spent.unwrap(), denial.available.unwrap()),
        outcome => panic!("{outcome:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Readings: (not cached, cached). A later one may be worth less: tokens turn out to be cached.
    #[test]
    fn a_limit_on_credits_counts_no_call_beyond_its_hold(
        readings in readings(),
        turned in 0..10_u64,
        granted in prop_oneof![Just(0), 1..600_u64],
    ) {
        let mut host = Host::new();
        let sub = host.subscribe(&credits(granted));
        let most = usage(&[("input_tokens", 100), ("cached_input_tokens", 100)]);
        host.authorize(sub, "stream", most, at(0)).unwrap();
        let (_, beside) = spent(&mut host, sub);
        let last = readings.len() - 1;
        let mut peak = 0;
        for (n, (plain, cached)) in readings.iter().enumerate() {
            let turned = if n > 0 { turned.min(*plain) } else { 0 };
            let (all, cached) = (plain + cached, cached + turned);
            let credits = 5 * (all - cached) + cached;
            peak = credits.max(peak);
            let used = usage(&[("input_tokens", all), ("cached_input_tokens", cached)]);
            if n == last {
                host.settle(sub, "stream", used, at(1)).unwrap();
            } else if host.settle_part(sub, "stream", used, at(0)).is_err() {
                return Ok(()); // A reading below the one before.
            }
            let (counted, left) = spent(&mut host, sub);
            // What grants paid stays counted, though the call has less by now.
            let least = Exact::new(credits.into(), 0).unwrap();
            let most = Exact::new(credits.max(peak.min(granted)).into(), 0).unwrap();
            prop_assert!(least <= counted && counted <= most, "{least} {counted} {most}");
            // As long as the call runs, what it may still use and has used is what it held.
            let limit = Exact::new(1_000, 0).unwrap();
            let free = if n == last { limit.checked_sub(counted).unwrap() } else { beside };
            prop_assert_eq!(left, free);
        }
        host.audit().unwrap();
    }
}

#[test]
fn a_hang_up_costs_what_was_read() {
    for (charge, text) in CHARGES.iter().enumerate() {
        let plan = plan(charge, 0);
        for read in 0..=40 {
            let readings: Vec<_> =
                (0..=read).step_by(5).chain([read, read]).map(|a| (a, 0)).collect();
            let (_, parts) = call(&plan, &readings, 0);
            let (_, whole) = call(&plan, &[(read, 0)], 0);
            assert_eq!(net(&parts), net(&whole), "{} at {read}", text);
        }
    }
}
