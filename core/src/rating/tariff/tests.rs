use super::*;
use crate::{amount::Fraction, rating::Plus};
use alloc::{string::ToString, vec};
use proptest::prelude::*;

fn price(text: &str) -> UnitPrice {
    UnitPrice::new(text.parse().unwrap())
}

fn tiers(tiers: &[(u64, &str)], open: &str) -> Vec<Tier> {
    let bounded = tiers.iter().map(|(up_to, text)| tier(Some(*up_to), text));
    bounded.chain([tier(None, open)]).collect()
}

fn tier(up_to: Option<u64>, text: &str) -> Tier {
    Tier { up_to, price: price(text), flat: Exact::ZERO }
}

fn exact(text: &str) -> Exact {
    text.parse().unwrap()
}

fn tariff(model: Model, free: u64) -> Tariff {
    Tariff::new(model, free).unwrap()
}

fn totals<const N: usize>(tariff: &Tariff, counters: [u64; N]) -> [alloc::string::String; N] {
    counters.map(|counter| tariff.total(counter).unwrap().to_string())
}

fn usd() -> Currency {
    Currency::new_fiat("USD").unwrap()
}

#[test]
fn bounds_are_inclusive_and_free_units_advance_nothing() {
    let graduated = tariff(Model::Graduated { tiers: tiers(&[(100, "1")], "0.5") }, 10);
    assert_eq!(totals(&graduated, [0, 10, 11, 110, 111]), ["0", "0", "1", "100", "100.5"]);
    let volume = tariff(Model::Volume { tiers: tiers(&[(15, "10")], "5") }, 0);
    assert_eq!(totals(&volume, [0, 15, 16]), ["0", "150", "80"]);
    let volume = tariff(Model::Volume { tiers: tiers(&[(15, "10")], "5") }, 50);
    assert_eq!(totals(&volume, [50, 51, 65, 66]), ["0", "10", "150", "80"]);
    let package = tariff(Model::Package { size: 1000, price: "2".parse().unwrap() }, 500);
    assert_eq!(totals(&package, [0, 500, 501, 1500, 1501]), ["0", "0", "2", "2", "4"]);
    let flat = tariff(Model::Flat { amount: "7".parse().unwrap() }, 2);
    assert_eq!(totals(&flat, [0, 2, 3, 4]), ["0", "0", "7", "7"]);
    let per_unit = tariff(Model::PerUnit { price: price("2.5") }, 2);
    assert_eq!(totals(&per_unit, [0, 2, 3, 5]), ["0", "0", "2.5", "7.5"]);
}

#[test]
fn tiers_are_refused_unless_they_ascend_to_an_open_one() {
    let open = tier(None, "1");
    let bounded = |up_to| tier(Some(up_to), "1");
    let too_many = (1..=64).map(bounded).chain([open]).collect();
    for refused in [
        vec![],
        vec![bounded(1)],
        vec![open, open],
        vec![bounded(0), open],
        vec![bounded(5), bounded(5), open],
        vec![bounded(5), bounded(4), open],
        too_many,
    ] {
        for model in
            [Model::Graduated { tiers: refused.clone() }, Model::Volume { tiers: refused.clone() }]
        {
            assert_eq!(Tariff::new(model, 0).unwrap_err().code(), Code::PlanTiers, "{refused:?}");
        }
    }
    let empty = Model::Package { size: 0, price: Exact::ZERO };
    assert_eq!(Tariff::new(empty, 0).unwrap_err().code(), Code::PlanInvalid);
}

#[test]
fn steps_in_words() {
    let what = |tariff: &Tariff, before, after| {
        let steps = tariff.lines(before, after, "tokens", &usd()).unwrap();
        steps.into_iter().map(|step| step.what).collect::<Vec<_>>()
    };
    let graduated = tariff(Model::Graduated { tiers: tiers(&[(1_000, "2.5")], "2") }, 100);
    assert_eq!(
        what(&graduated, 50, 2_100),
        [
            "50 tokens free",
            "1,000 tokens at 0.025 USD each (tier up to 1,000)",
            "1,000 tokens at 0.02 USD each (tier above 1,000)"
        ]
    );
    assert_eq!(what(&graduated, 50, 50), [""; 0]);
    let volume = tariff(Model::Volume { tiers: tiers(&[(15, "10")], "5") }, 0);
    assert_eq!(what(&volume, 3, 4), ["1 tokens at 0.1 USD each (tier up to 15)"]);
    assert_eq!(
        what(&volume, 10, 40),
        ["all 40 tokens at 0.05 USD each (tier above 15), less 10 at 0.1 USD each"]
    );
    let package = tariff(Model::Package { size: 1000, price: "2".parse().unwrap() }, 0);
    assert_eq!(what(&package, 1, 2500), ["2 × 1,000 tokens at 0.02 USD a package"]);
    assert_eq!(what(&package, 1, 2), ["within a package charged already"]);
    let flat = tariff(Model::Flat { amount: "7".parse().unwrap() }, 0);
    assert_eq!(
        [what(&flat, 0, 1), what(&flat, 1, 2)],
        [["flat amount of 0.07 USD"], ["flat amount charged already"]]
    );
    let per_unit = tariff(Model::PerUnit { price: price("2.5") }, 0);
    assert_eq!(what(&per_unit, 0, 1_000_000), ["1,000,000 tokens at 0.025 USD each"]);
    assert_eq!(per_unit.lines(2, 1, "tokens", &usd()).unwrap_err().code(), Code::AmountOverflow);
}

#[test]
fn a_high_price_can_still_be_quoted() {
    // 100 units of a token with 18 decimals: the total at 2^63 does not fit, one call's increase does.
    let dear = UnitPrice::parse("100", 18, 1).unwrap();
    for model in [
        Model::PerUnit { price: dear },
        Model::Package { size: 1, price: dear.exact() },
        Model::Graduated {
            tiers: vec![tier(Some(5), "1"), Tier { price: dear, ..tier(None, "0") }],
        },
    ] {
        let tariff = tariff(model, 0);
        assert_eq!(tariff.worst_single(3).unwrap(), dear.times(3).unwrap());
        assert_eq!(tariff.total(u64::MAX).unwrap_err().code(), Code::AmountOverflow);
    }
    // The best that a call can meet under a volume tariff is the step to the higher price.
    let steep = vec![tier(Some(5), "1"), Tier { price: dear, ..tier(None, "0") }];
    let steep = tariff(Model::Volume { tiers: steep }, 0);
    assert_eq!(
        steep.worst_single(3).unwrap(),
        dear.times(8).unwrap().checked_sub("5".parse().unwrap()).unwrap()
    );
}

#[test]
fn counters_do_not_wrap() {
    let per_unit = tariff(Model::PerUnit { price: UnitPrice::ZERO }, 0);
    let code = |result: Result<Exact>| result.unwrap_err().code();
    assert_eq!(code(per_unit.highest(u64::MAX, 1)), Code::AmountOverflow);
    assert_eq!(code(per_unit.worst_increase(u64::MAX, 1, 0)), Code::AmountOverflow);
    assert_eq!(code(per_unit.worst_increase(u64::MAX - 1, 1, 1)), Code::AmountOverflow);
}

#[test]
fn the_worst_start_may_lie_one_above_a_bound() {
    // From 6, the first unit at the lower price, to 36: 72 - 18.
    let falling = tariff(Model::Volume { tiers: tiers(&[(5, "9"), (20, "3")], "2") }, 0);
    assert_eq!(falling.worst_increase(1, 10, 30).unwrap().to_string(), "54");
    // From 3 to 11, the first unit at the last price: 33 - 15.
    let mixed = tariff(Model::Volume { tiers: tiers(&[(5, "5"), (10, "1")], "3") }, 0);
    assert_eq!(mixed.worst_increase(2, 2, 8).unwrap().to_string(), "18");
}

#[test]
fn a_flat_amount_is_due_as_its_tier_is_entered() {
    let entered = |up_to, text, flat| Tier { flat: exact(flat), ..tier(up_to, text) };
    let tiers = vec![entered(Some(5), "1", "10"), entered(None, "2", "50")];
    let graduated = tariff(Model::Graduated { tiers: tiers.clone() }, 0);
    assert_eq!(totals(&graduated, [0, 1, 5, 6]), ["0", "11", "15", "67"]);
    let volume = tariff(Model::Volume { tiers }, 0);
    assert_eq!(totals(&volume, [0, 1, 5, 6]), ["0", "11", "15", "62"]);
    let zero = volume.with(Terms { zero: true, ..Terms::default() }).unwrap();
    assert_eq!(totals(&zero, [0, 1, 5, 6]), ["10", "11", "15", "62"]);
    let what = |steps: Vec<Step>| steps.into_iter().map(|step| step.what).collect::<Vec<_>>();
    assert_eq!(
        what(graduated.lines(4, 6, "tokens", &usd()).unwrap()),
        [
            "flat amount of 0.5 USD (tier above 5)",
            "1 tokens at 0.01 USD each (tier up to 5)",
            "1 tokens at 0.02 USD each (tier above 5)"
        ]
    );
    assert_eq!(
        what(zero.lines(4, 6, "tokens", &usd()).unwrap()),
        ["all 6 tokens at 0.02 USD each plus 0.5 USD (tier above 5), less 4 at 0.01 USD each \
             plus 0.1 USD"]
    );
}

#[test]
fn discount_and_cap_cut_the_steps() {
    let terms = Terms { off: exact("30"), cap: Some(exact("50")), ..Terms::default() };
    let per_unit = tariff(Model::PerUnit { price: price("10") }, 0).with(terms).unwrap();
    assert_eq!(totals(&per_unit, [0, 3, 4, 8, 9]), ["0", "0", "10", "50", "50"]);
    let steps = per_unit.lines(0, 9, "tokens", &usd()).unwrap();
    assert_eq!(
        steps[0].what,
        "9 tokens at 0.1 USD each, less a discount of 0.3 USD, at most 0.5 USD in all"
    );
    assert_eq!(steps[0].amount, exact("50"));
    let low = Terms { minimum: exact("51"), ..terms };
    let refused = tariff(Model::PerUnit { price: price("1") }, 0).with(low).unwrap_err();
    assert_eq!(refused.code(), Code::PlanInvalid);
}

#[test]
fn per_call_prices_do_not_see_the_counter() {
    let worth = price("1");
    let part = |text| Fraction::parse(text).unwrap();
    let card = Percentage {
        worth,
        rate: part("0.029"),
        fixed: exact("30"),
        min: exact("50"),
        max: Some(exact("1000")),
    };
    let card = tariff(Model::Percentage(card), 0);
    assert_eq!(
        totals(&card, [0, 1, 1_000, 33_448, 1_000_000]),
        ["0", "50", "59", "999.992", "1000"]
    );
    assert_eq!(card.pays(7, exact("9"), 1_000).unwrap(), exact("59"));
    assert_eq!(card.worst_increase(7, 7, 1_000).unwrap(), exact("59"));
    let steps = card.lines(0, 1, "tokens", &usd()).unwrap();
    let told = "0.029 of 1 tokens at 0.01 USD each, plus 0.3 USD, at least 0.5 USD";
    assert_eq!(steps[0].what, told);
    let plus = |plus| tariff(Model::CostPlus(CostPlus { cost: worth, plus }), 0);
    let markup = plus(Plus::Markup(part("0.25")));
    let margin = plus(Plus::Margin(part("0.2")));
    assert_eq!(totals(&markup, [0, 100]), totals(&margin, [0, 100]));
    let third = plus(Plus::Margin(part("0.7")));
    assert_eq!(totals(&third, [1, 2]), ["3.333333333333333333", "6.666666666666666667"]);
    let given = Dynamic { unit: worth, min: exact("5"), max: exact("10") };
    let given = tariff(Model::Dynamic(given), 0);
    assert_eq!(totals(&given, [0, 5, 10]), ["0", "5", "10"]);
    assert_eq!(given.total(4).unwrap_err().code(), Code::PriceOutOfBounds);
    assert_eq!(given.total(11).unwrap_err().code(), Code::PriceOutOfBounds);
    let whole = Plus::Margin(Fraction::ONE);
    let refused = Tariff::new(Model::CostPlus(CostPlus { cost: worth, plus: whole }), 0);
    assert_eq!(refused.unwrap_err().code(), Code::PlanInvalid);
}

/// Bounds and prices so small that the models' edges lie close together.
fn any_tiers() -> impl Strategy<Value = Vec<Tier>> {
    let flat = || prop_oneof![2 => Just(0), 1 => 0..30u64];
    let step = (1..8u64, 0..9u64, flat());
    (prop::collection::vec(step, 0..4), 0..9u64, flat()).prop_map(|(steps, open, flat)| {
        let mut upper = 0;
        let bounded = steps.into_iter().map(|(width, price, flat)| {
            upper += width;
            (Some(upper), price, flat)
        });
        let all: Vec<_> = bounded.collect();
        let exact = |n: u64| Exact::new(0, n).unwrap();
        all.into_iter()
            .chain([(None, open, flat)])
            .map(|(up_to, n, f)| Tier { up_to, price: UnitPrice::new(exact(n)), flat: exact(f) })
            .collect()
    })
}

fn any_tariff() -> impl Strategy<Value = Tariff> {
    let exact = (0..9u64).prop_map(|n| Exact::new(0, n).unwrap());
    let model = prop_oneof![
        1 => exact.clone().prop_map(|amount| Model::Flat { amount }),
        1 => exact.clone().prop_map(|price| Model::PerUnit { price: UnitPrice::new(price) }),
        1 => any_tiers().prop_map(|tiers| Model::Graduated { tiers }),
        4 => any_tiers().prop_map(|tiers| Model::Volume { tiers }),
        1 => (1..7u64, exact).prop_map(|(size, price)| Model::Package { size, price }),
    ];
    (model, 0..6u64, any_terms())
        .prop_map(|(model, free, terms)| tariff(model, free).with(terms).unwrap())
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let exact = |n: u64| Exact::new(0, n).unwrap();
    let off = prop_oneof![2 => Just(0), 1 => 0..40u64];
    let cap = prop_oneof![2 => Just(None), 1 => (0..60u64).prop_map(Some)];
    (any::<bool>(), off, cap).prop_map(move |(zero, off, cap)| Terms {
        zero,
        prorate: false,
        off: exact(off),
        cap: cap.map(exact),
        minimum: Exact::ZERO,
    })
}

/// The model's total, unit by unit.
fn defined(tariff: &Tariff, counter: u64, zero: bool) -> u64 {
    let units = counter.saturating_sub(tariff.free());
    let find = |tiers: &[Tier], unit: u64| {
        *tiers.iter().find(|tier| tier.up_to.is_none_or(|upper| unit <= upper)).unwrap()
    };
    let at = |tiers: &[Tier], unit: u64| find(tiers, unit).price.exact().fraction();
    match tariff.model() {
        Model::Flat { amount } if units > 0 || zero => amount.fraction(),
        Model::Flat { .. } => 0,
        Model::PerUnit { price } => (0..units).map(|_| price.exact().fraction()).sum(),
        Model::Graduated { tiers } | Model::Volume { tiers } if units == 0 => {
            if zero {
                tiers[0].flat.fraction()
            } else {
                0
            }
        }
        Model::Graduated { tiers } => {
            let mut entered: Vec<Tier> = (1..=units).map(|unit| find(tiers, unit)).collect();
            entered.dedup_by_key(|tier| tier.up_to);
            let flats = entered.iter().map(|tier| tier.flat.fraction());
            flats.chain((1..=units).map(|unit| at(tiers, unit))).sum()
        }
        Model::Volume { tiers } => units * at(tiers, units) + find(tiers, units).flat.fraction(),
        Model::Package { size, price } => {
            (0..units).filter(|unit| unit % size == 0).map(|_| price.fraction()).sum()
        }
        Model::Percentage(_) | Model::CostPlus(_) | Model::Dynamic(_) => u64::MAX,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn bounds_are_those_of_brute_force(tariff in any_tariff(), counter in 0..40u64, others in 0..30u64, quantity in 0..30u64) {
        let terms = tariff.terms();
        let cap = terms.cap.map_or(u64::MAX, Exact::fraction);
        let raw: Vec<u64> = (0..100).map(|counter| defined(&tariff, counter, terms.zero)).collect();
        let from: Vec<u64> = (0..100).map(|counter| defined(&tariff, counter, false)).collect();
        let at = |of: &[u64], counter: u64| of[usize::try_from(counter).unwrap()];
        let f = |counter: u64| at(&raw, counter).saturating_sub(terms.off.fraction()).min(cap);
        let rise = |a: u64, b: u64| at(&raw, b).saturating_sub(at(&from, a)).min(cap);
        prop_assert_eq!(tariff.total(counter).unwrap(), Exact::new(0, f(counter)).unwrap());

        let highest = (counter..=counter + others).map(f).max().unwrap();
        prop_assert_eq!(tariff.highest(counter, others).unwrap().fraction(), highest);

        let starts = counter..=counter + others;
        let rises = starts.flat_map(|a| (a..=a + quantity).map(move |b| rise(a, b)));
        prop_assert_eq!(tariff.worst_increase(counter, others, quantity).unwrap().fraction(), rises.max().unwrap());

        // Beyond the last bound nothing new comes.
        let anywhere = (0..60).flat_map(|a| (a..=a + quantity).map(move |b| rise(a, b)));
        prop_assert_eq!(tariff.worst_single(quantity).unwrap().fraction(), anywhere.max().unwrap());

        let falls = (0..60).any(|counter| at(&raw, counter + 1) < at(&raw, counter));
        prop_assert_eq!(tariff.can_fall(), falls);
    }

    #[test]
    fn steps_sum_to_the_increase(tariff in any_tariff(), counters in prop::collection::vec(0..12u64, 1..8)) {
        let (mut counter, mut billed) = (0, Exact::ZERO);
        for quantity in counters {
            let (before, after) = (counter, counter + quantity);
            let steps = tariff.lines(before, after, "tokens", &usd()).unwrap();
            let sum = steps.iter().try_fold(Exact::ZERO, |sum, step| sum.checked_add(step.amount)).unwrap();
            let from = if before == 0 { Exact::ZERO } else { tariff.total(before).unwrap() };
            prop_assert_eq!(sum, tariff.total(after).unwrap().minus_or_zero(from));
            if before == 0 {
                billed = Exact::ZERO;
            }
            counter = after;
            billed = billed.checked_add(sum).unwrap();
        }
        if !tariff.can_fall() {
            prop_assert_eq!(billed, tariff.total(counter).unwrap());
        }
    }
}
