//! What a counter must know of its calls beyond a number, where a charge does not add up their units.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use crate::{
    plan::{Aggregate, Unique},
    time::Timestamp,
};

/// When a call was authorised, and with which attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) attributes: &'a BTreeMap<String, String>,
    pub(crate) at: Timestamp,
}

impl<'a> Caller<'a> {
    /// The value by which a charge tells the call apart.
    pub(crate) fn value(&self, unique: &Unique) -> &'a str {
        self.attributes.get(&unique.of).map_or("", String::as_str)
    }
}

/// What a counter has seen. Empty where units are summed or calls are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Under `latest`: when the call was authorised whose quantity the counter is.
    pub(crate) at: Timestamp,
    /// Under `unique`: the values that were counted.
    pub(crate) values: BTreeSet<String>,
    /// Under `max` and `latest`: how many open holds hold so many units, by when they were authorised.
    pub(crate) sizes: BTreeMap<(u64, Timestamp), u64>,
    /// Under `unique`: how many open holds have a value.
    pub(crate) names: BTreeMap<String, u64>,
    /// How many of these values are not counted yet; it follows from both.
    pub(crate) new: u64,
}

impl Seen {
    /// The units of a call's line: what the call counts from a counter that stands at `counter`.
    pub(crate) fn units(
        &self,
        aggregate: &Aggregate,
        counter: u64,
        quantity: u64,
        caller: Caller<'_>,
    ) -> u64 {
        match aggregate {
            Aggregate::Sum | Aggregate::Count | Aggregate::Max => quantity,
            // A call that was made earlier does not change what a later one has said.
            Aggregate::Latest if caller.at < self.at => counter,
            Aggregate::Latest => quantity,
            Aggregate::Unique(unique) => u64::from(self.is_new(caller.value(unique))),
        }
    }

    /// Takes note of a call that was counted.
    pub(crate) fn note(&mut self, aggregate: &Aggregate, caller: Caller<'_>) {
        match aggregate {
            Aggregate::Sum | Aggregate::Count | Aggregate::Max => {}
            Aggregate::Latest => self.at = self.at.max(caller.at),
            Aggregate::Unique(unique) => {
                let value = caller.value(unique);
                if !self.values.contains(value) {
                    self.values.insert(String::from(value));
                    let held = self.names.contains_key(value);
                    self.new = self.new.saturating_sub(u64::from(held));
                }
            }
        }
    }

    /// A hold of so many units reserves from now on.
    pub(crate) fn enter(&mut self, aggregate: &Aggregate, units: u64, caller: Caller<'_>) {
        match aggregate {
            Aggregate::Sum | Aggregate::Count => {}
            Aggregate::Max | Aggregate::Latest => {
                let holds = self.sizes.entry((units, caller.at)).or_default();
                *holds = holds.saturating_add(1);
            }
            Aggregate::Unique(unique) => {
                let value = caller.value(unique);
                if self.is_new(value) && !self.names.contains_key(value) {
                    self.new = self.new.saturating_add(1);
                }
                let holds = self.names.entry(String::from(value)).or_default();
                *holds = holds.saturating_add(1);
            }
        }
    }

    /// A hold of so many units no longer reserves.
    pub(crate) fn leave(&mut self, aggregate: &Aggregate, units: u64, caller: Caller<'_>) {
        match aggregate {
            Aggregate::Sum | Aggregate::Count => {}
            Aggregate::Max | Aggregate::Latest => less(&mut self.sizes, &(units, caller.at)),
            Aggregate::Unique(unique) => {
                let value = String::from(caller.value(unique));
                less(&mut self.names, &value);
                if self.is_new(&value) && !self.names.contains_key(&value) {
                    self.new = self.new.saturating_sub(1);
                }
            }
        }
    }

    /// Whether a value is not counted yet.
    pub(crate) fn is_new(&self, value: &str) -> bool {
        !self.values.contains(value)
    }

    /// Whether no hold reserves.
    pub(crate) fn is_idle(&self) -> bool {
        self.sizes.is_empty() && self.names.is_empty()
    }

    /// The largest quantity that an open hold may still bring to the counter; `None` where none may.
    pub(crate) fn largest(&self) -> Option<u64> {
        // Under `max` no call was noted: `at` is before every hold.
        let mut sizes = self.sizes.keys().rev();
        sizes.find(|(_, at)| *at >= self.at).map(|(units, _)| *units)
    }

    /// How many values open holds may still add, other than this one.
    pub(crate) fn new_values(&self, but: &str) -> u64 {
        let own = self.is_new(but) && self.names.contains_key(but);
        self.new.saturating_sub(u64::from(own))
    }
}

/// Takes one of a number of equal things away.
fn less<K: Ord>(numbers: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(number) = numbers.get_mut(key) {
        *number = number.saturating_sub(1);
        if *number == 0 {
            numbers.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{
        collections::BTreeMap,
        format,
        string::{String, ToString},
        vec::Vec,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        Plan,
        account::{Account, aggregate, total},
        amount::Exact,
    };

    /// A call of at most so many units, with a value, authorised so many hours after the start.
    type Sized = (u64, usize, u64);

    const AGGREGATES: [&str; 5] = [
        r#""aggregate":"sum""#,
        r#""aggregate":"count""#,
        r#""aggregate":"max""#,
        r#""aggregate":"latest""#,
        r#""aggregate":"unique","of":"user","values":9"#,
    ];
    const MODELS: [&str; 4] = [
        r#""model":"per_unit","price":"3","free":1"#,
        r#""model":"graduated","tiers":[{"up_to":2,"price":"1","flat":"2"},{"price":"5"}]"#,
        r#""model":"volume","tiers":[{"up_to":1,"price":"9"},{"up_to":3,"price":"1"},{"price":"4"}]"#,
        r#""model":"package","size":2,"price":"5","cap":"12""#,
    ];

    fn plan(aggregate: usize, model: usize) -> Plan {
        let document = format!(
            r#"{{"format":"counterfoil/plan/1","name":"Test",
                "authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                "currency":{{"iso4217":"JPY"}},"meters":{{"a":"unit"}},
                "charges":[{{"id":"c","meter":"a","window":"year",{},{}}}],
                "payees":[{{"payee":"seller","weight":1}}]}}"#,
            AGGREGATES[aggregate], MODELS[model]
        );
        Plan::from_json(document.as_bytes()).unwrap()
    }

    fn attributes(value: usize) -> BTreeMap<String, String> {
        BTreeMap::from([("user".into(), value.to_string())])
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000).unwrap()
    }

    /// What the charge counts of so many units, as a usage says it.
    fn units(plan: &Plan, quantity: u64) -> Vec<(usize, u64)> {
        let found = plan.charges()[0].aggregate.units(quantity, &|| true);
        found.map(|units| (0, units)).into_iter().collect()
    }

    /// What a call pays; it moves the account.
    fn settle(plan: &Plan, account: &mut Account, (quantity, value, hours): Sized) -> Exact {
        let attributes = attributes(value);
        let caller = Caller { attributes: &attributes, at: at(hours) };
        let rated = account.rate(plan, &units(plan, quantity), caller, &[]).unwrap();
        account.advance(plan, &rated, caller, true).unwrap();
        total(&rated).unwrap()
    }

    fn reserve(plan: &Plan, account: &mut Account, (quantity, value, hours): Sized, free: bool) {
        let attributes = attributes(value);
        let caller = Caller { attributes: &attributes, at: at(hours) };
        let units = units(plan, quantity);
        match free {
            false => drop(account.reserve(plan, &units, caller, &[]).unwrap()),
            true => account.free(plan, &units, caller, &[]).unwrap(),
        }
    }

    /// The most that these holds can be made to pay, by trying everything; and that no state on the way
    /// reserves less than is paid from there on.
    fn dearest(plan: &Plan, account: &Account, holds: &[Sized]) -> Exact {
        let mut most = Exact::ZERO;
        for (place, hold) in holds.iter().enumerate() {
            let rest: Vec<_> =
                holds.iter().enumerate().filter(|(n, _)| *n != place).map(|(_, h)| *h).collect();
            for used in 0..=hold.0 {
                let mut after = account.clone();
                reserve(plan, &mut after, *hold, true);
                let paid = settle(plan, &mut after, (used, hold.1, hold.2));
                most = most.max(paid.checked_add(dearest(plan, &after, &rest)).unwrap());
            }
        }
        let reserved = aggregate(account).unwrap();
        assert_eq!(most, reserved, "{holds:?}");
        most
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn open_holds_reserve_what_they_can_be_made_to_pay(
            kind in 0..AGGREGATES.len(),
            model in 0..MODELS.len(),
            calls in prop::collection::vec((0..5_u64, 0..3_usize, 0..4_u64), 0..4),
            holds in prop::collection::vec((0..4_u64, 0..3_usize, 0..4_u64), 0..4),
        ) {
            let plan = plan(kind, model);
            let mut account = Account::new(&plan, Timestamp::MIN, Timestamp::MIN).unwrap();
            for call in calls {
                settle(&plan, &mut account, call);
            }
            let before = account.clone();
            for hold in &holds {
                reserve(&plan, &mut account, *hold, false);
            }
            dearest(&plan, &account, &holds);
            for hold in &holds {
                reserve(&plan, &mut account, *hold, true);
            }
            prop_assert_eq!(aggregate(&account).unwrap(), aggregate(&before).unwrap());
            for (_, counter) in account.counters.iter().flat_map(|windows| windows.iter()) {
                prop_assert!(counter.seen.is_idle() && counter.seen.new == 0);
            }
        }

        #[test]
        fn no_hold_alone_pays_more_than_its_worst_case(
            kind in 0..AGGREGATES.len(),
            model in 0..MODELS.len(),
            calls in prop::collection::vec((0..5_u64, 0..3_usize, 0..4_u64), 0..4),
            others in prop::collection::vec((0..4_u64, 0..3_usize, 0..4_u64, 0..4_u64), 0..4),
            hold in (0..4_u64, 0..3_usize, 0..4_u64),
            used in 0..4_u64,
        ) {
            let plan = plan(kind, model);
            let mut account = Account::new(&plan, Timestamp::MIN, Timestamp::MIN).unwrap();
            for call in calls {
                settle(&plan, &mut account, call);
            }
            for (quantity, value, hours, _) in &others {
                reserve(&plan, &mut account, (*quantity, *value, *hours), false);
            }
            reserve(&plan, &mut account, hold, false);
            let (quantity, value, hours) = hold;
            let attributes = attributes(value);
            let caller = Caller { attributes: &attributes, at: at(hours) };
            let charge = &plan.charges()[0];
            let worst = |account: &Account| match units(&plan, quantity).first() {
                Some((_, units)) => {
                    let (_, counter) = account.counters[0].newest().unwrap();
                    counter.worst(charge, *units, caller).unwrap()
                }
                None => Exact::ZERO,
            };
            let first = worst(&account);
            for (quantity, value, hours, used) in others {
                reserve(&plan, &mut account, (quantity, value, hours), true);
                settle(&plan, &mut account, (used.min(quantity), value, hours));
                prop_assert!(worst(&account) <= first);
            }
            reserve(&plan, &mut account, hold, true);
            let paid = settle(&plan, &mut account, (used.min(quantity), value, hours));
            prop_assert!(paid <= first, "{paid} of {first}");
        }
    }
}
