//! What holds may cost at most wherever the counters stand, kept as a sum.
//!
//! A limit that covers only some holds reserves the sum of their worst cases. That sum moves with every
//! counter, and there may be thousands of holds; this one moves only when a hold comes or goes. It is
//! never below the other, and the same where no price depends on a counter: most admissions need no
//! look at the holds.

use crate::{
    amount::{Amount, Exact, Rounding},
    meter::Hold,
    plan::Plan,
};

/// Of these holds together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ceiling {
    /// The sum of what each may cost at most, as a limit compares it.
    sum: Exact,
    /// How many have a price that depends on a counter: their worst case may be lower.
    loose: u64,
    /// How many are not in the sum, because theirs is too large to be added up.
    unknown: u64,
}

impl Ceiling {
    /// Of one hold, and whether it depends on no counter; `None` where it is too large.
    fn of(plan: &Plan, hold: &Hold) -> Option<(Exact, bool)> {
        // What parts have charged already lowers it, and rounds it anew.
        let (mut sum, mut exact) = (Exact::ZERO, hold.parts.is_none());
        for (index, units) in &*hold.units {
            let charge = plan.charges().get(*index)?;
            let tariff = &charge.tariff;
            exact &= charge.aggregate.adds() && (tariff.is_plain() || tariff.is_per_call());
            sum = sum.checked_add(charge.worst_single(*units).ok()?).ok()?;
        }
        let mut sum = plan.rounding().compared(sum).ok()?;
        if hold.parts.is_some() && plan.rounding() != Rounding::Carry {
            sum = sum.checked_add(Exact::from_amount(Amount::from_atomic(1))).ok()?;
        }
        // So many that they do not fit are never held.
        (sum.whole() < 1 << 96).then_some((sum, exact))
    }

    /// A hold comes.
    pub(crate) fn add(&mut self, plan: &Plan, hold: &Hold) {
        match Ceiling::of(plan, hold) {
            Some((most, exact)) => {
                self.sum = self.sum.checked_add(most).unwrap_or(Exact::MAX);
                self.loose = self.loose.saturating_add(u64::from(!exact));
            }
            None => self.unknown = self.unknown.saturating_add(1),
        }
    }

    /// A hold goes.
    pub(crate) fn remove(&mut self, plan: &Plan, hold: &Hold) {
        match Ceiling::of(plan, hold) {
            Some((most, exact)) => {
                self.sum = self.sum.minus_or_zero(most);
                self.loose = self.loose.saturating_sub(u64::from(!exact));
            }
            None => self.unknown = self.unknown.saturating_sub(1),
        }
    }

    /// Of these holds and others.
    pub(crate) fn plus(self, other: Ceiling) -> Ceiling {
        Ceiling {
            sum: self.sum.checked_add(other.sum).unwrap_or(Exact::MAX),
            loose: self.loose.saturating_add(other.loose),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }

    /// What the holds may cost at most, if that is known.
    pub(crate) fn most(&self) -> Option<Exact> {
        (self.unknown == 0).then_some(self.sum)
    }

    /// The sum of the holds' worst cases, if it depends on no counter.
    pub(crate) fn exactly(&self) -> Option<Exact> {
        self.most().filter(|_| self.loose == 0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, sync::Arc, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{crypto::Digest, meter::HoldState, time::Timestamp, usage::Quantities};

    fn plan(charge: &str, rounding: &str) -> Plan {
        let document = format!(
            r#"{{"format":"counterfoil/plan/1","name":"Test",
                "authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                "currency":{{"iso4217":"JPY"}},"meters":{{"a":"unit"}},
                "charges":[{{"id":"c","meter":"a",{charge}}}],"rounding":"{rounding}",
                "payees":[{{"payee":"seller","weight":1}}]}}"#
        );
        Plan::from_json(document.as_bytes()).unwrap()
    }

    fn hold(number: u8, units: u64) -> Hold {
        Hold {
            subject: Digest::new([number; 32]),
            lane: Digest::ZERO,
            authorized_at: Timestamp::MIN,
            deadline: Timestamp::MAX,
            state: HoldState::Open,
            units: Vec::from([(0, units)]).into(),
            limited: Vec::new().into(),
            reserved: Vec::new().into(),
            most: Quantities::default(),
            attributes: Arc::default(),
            parts: None,
        }
    }

    /// A charge that counts, and whether its prices depend on the counter.
    fn charge() -> impl Strategy<Value = (String, bool)> {
        let of = |text: &str, loose| Just((String::from(text), loose));
        prop_oneof![
            of(r#""model":"per_unit","price":"0.3""#, false),
            of(r#""model":"per_unit","price":"0.3","free":5"#, true),
            of(r#""model":"package","size":7,"price":"2""#, true),
            of(r#""model":"percentage","price":"2","rate":"0.1","min":"3""#, false),
            of(
                r#""model":"graduated","tiers":[{"up_to":9,"price":"3"},{"price":"1","flat":"4"}]"#,
                true
            ),
            of(
                r#""model":"volume","window":"day","tiers":[{"up_to":9,"price":"3"},{"price":"1"}]"#,
                true
            ),
        ]
    }

    proptest! {
        /// Wherever the counters stand, and the same where no price depends on them; what goes leaves
        /// nothing behind.
        #[test]
        fn the_ceiling_is_at_least_the_sum_of_the_worst_cases(
            (charge, loose) in charge(),
            rounding in proptest::sample::select(&["carry", "up", "half_even"][..]),
            units in proptest::collection::vec(1..40_u64, 1..8),
            counter in 0..50_u64,
            gone in 0..8_usize,
        ) {
            let plan = plan(&charge, rounding);
            let tariff = &plan.charges()[0].tariff;
            let outstanding: u64 = units.iter().sum();
            let mut ceiling = Ceiling::default();
            let mut sum = Exact::ZERO;
            for (number, units) in (0..).zip(&units) {
                ceiling.add(&plan, &hold(number, *units));
                let worst = tariff.worst_increase(counter, outstanding - units, *units).unwrap();
                let worst = plan.rounding().compared(worst).unwrap();
                sum = sum.checked_add(worst).unwrap();
            }
            prop_assert!(ceiling.most().unwrap() >= sum);
            prop_assert_eq!(ceiling.exactly(), (!loose).then_some(sum));
            let mut left = Ceiling::default();
            for (number, units) in (0_u8..).zip(&units) {
                match usize::from(number) == gone {
                    true => ceiling.remove(&plan, &hold(number, *units)),
                    false => left.add(&plan, &hold(number, *units)),
                }
            }
            prop_assert_eq!(ceiling, left);
        }
    }
}
