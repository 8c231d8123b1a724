//! Grants of one subscription: what is left of each, and which a call may use.
//!
//! Calls draw in one order: priority, then expiry (none last), then age, then id. The instant of the
//! request fixes which grants a call may use; a grant that expires while a call runs still pays it,
//! until the grant closes as a window does.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crate::{
    account::closes_at,
    amount::{Amount, Exact},
    error::{Code, Error, Result},
    meter::ReservedUnits,
    plan::{Grant, Plan, Rollover, Term, whole},
    time::{Cycle, Timestamp, Window},
};

/// A call draws on at most this many grants, so that its receipt has a bounded size.
const MOST_DRAWN: usize = 256;

/// A grant that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) terms: Arc<Grant>,
    /// The canonical terms, where a command gave it; the plan has the others.
    pub(crate) document: Option<Arc<[u8]>>,
    pub(crate) given_at: Timestamp,
    /// The first instant at which it is not usable.
    pub(crate) expires_at: Option<Timestamp>,
    /// What is left, what holds reserve included; of units, their whole number.
    pub(crate) balance: Exact,
    /// Units that open holds reserve.
    pub(crate) reserved: u64,
    /// Only what is reserved is left.
    pub(crate) voided: bool,
    /// The balance of the window before was added.
    pub(crate) rolled: bool,
}

/// All grants of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grants {
    started_at: Timestamp,
    /// In the order in which they are drawn. A recurring grant's window is here from its first use on.
    given: Vec<Given>,
    /// Recurring grants that were voided: no window gives them again.
    stopped: BTreeSet<String>,
}

impl Given {
    fn new(
        terms: &Arc<Grant>,
        document: Option<Arc<[u8]>>,
        given_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Given {
        Given {
            balance: terms.credit.amount(),
            terms: Arc::clone(terms),
            document,
            given_at,
            expires_at,
            reserved: 0,
            voided: false,
            rolled: false,
        }
    }

    fn order(&self) -> (u16, bool, Option<Timestamp>, Timestamp, &str) {
        let expires = self.expires_at;
        (self.terms.priority, expires.is_none(), expires, self.given_at, &self.terms.id)
    }

    /// Whether a call authorised at `at` may use it.
    fn covers(&self, at: Timestamp) -> bool {
        self.given_at <= at && self.expires_at.is_none_or(|expires| at < expires)
    }

    /// Whether receipts from `issued_at` on can no longer draw on it.
    fn is_closed(&self, plan: &Plan, issued_at: Timestamp) -> bool {
        self.expires_at
            .and_then(|expires| expires.checked_add(plan.times().grace).ok())
            .is_some_and(|closes| closes <= issued_at)
    }

    /// Whether every unit of a hold may be paid by it, for who counts on its money.
    pub(crate) fn backs(
        &self,
        at: Timestamp,
        attributes: &BTreeMap<String, String>,
        charges: impl IntoIterator<Item = usize>,
    ) -> bool {
        self.covers(at)
            && self.terms.matches(attributes)
            && charges.into_iter().all(|charge| self.terms.pays(charge))
    }

    /// The most that it can hold: what was given, and what the window before may have left.
    fn most(&self) -> Result<Exact> {
        let given = self.terms.credit.amount();
        match self.terms.term {
            Term::Recurring { rollover: Some(rollover), .. } if self.rolled => {
                given.checked_add(rollover.max)
            }
            _ => Ok(given),
        }
    }

    /// Units left, reserved ones included.
    pub(crate) fn units(&self) -> u64 {
        u64::try_from(self.balance.whole()).unwrap_or(u64::MAX)
    }

    /// Units that no hold reserves.
    pub(super) fn free(&self) -> u64 {
        self.units().saturating_sub(self.reserved)
    }

    /// What a void leaves: what holds reserve.
    fn keep_reserved(&mut self) {
        if self.voided {
            self.balance = whole(self.reserved);
        }
    }
}

impl Grants {
    /// What the plan gives once.
    pub(crate) fn new(plan: &Plan, started_at: Timestamp) -> Grants {
        let mut grants = Grants { started_at, given: Vec::new(), stopped: BTreeSet::new() };
        for terms in plan.shared_grants() {
            if let Term::Once { expires } = terms.term {
                let expires_at = expires.and_then(|ms| started_at.checked_add(ms).ok());
                grants.insert(Given::new(terms, None, started_at, expires_at));
            }
        }
        grants
    }

    /// Restored from a snapshot.
    pub(crate) fn restore(
        started_at: Timestamp,
        given: Vec<Given>,
        stopped: BTreeSet<String>,
    ) -> Grants {
        let mut grants = Grants { started_at, given, stopped };
        grants.given.sort_by(|a, b| a.order().cmp(&b.order()));
        grants
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    pub(crate) fn stopped(&self) -> &BTreeSet<String> {
        &self.stopped
    }

    /// The grants that a call may draw on, in order; of a recurring one, that of its window.
    pub(crate) fn usable(
        &self,
        plan: &Plan,
        attributes: &BTreeMap<String, String>,
        at: Timestamp,
        issued_at: Timestamp,
    ) -> Result<Vec<Given>> {
        let recurring = |terms: &Grant| matches!(terms.term, Term::Recurring { .. });
        let mut usable: Vec<Given> =
            self.given.iter().filter(|given| !recurring(&given.terms)).cloned().collect();
        for terms in plan.shared_grants().iter().filter(|terms| recurring(terms)) {
            usable.extend(self.in_window(plan, terms, at, issued_at)?);
        }
        usable.retain(|given| {
            given.covers(at)
                && !given.is_closed(plan, issued_at)
                && !given.balance.is_zero()
                && given.terms.matches(attributes)
        });
        usable.sort_by(|a, b| a.order().cmp(&b.order()));
        usable.truncate(MOST_DRAWN);
        Ok(usable)
    }

    /// A recurring grant in the window of an instant: as it stands, or as it is given anew; with what
    /// the window before leaves, once that is closed.
    fn in_window(
        &self,
        plan: &Plan,
        terms: &Arc<Grant>,
        at: Timestamp,
        issued_at: Timestamp,
    ) -> Result<Option<Given>> {
        let Term::Recurring { period, expires, rollover } = terms.term else { return Ok(None) };
        let window = self.window(plan, period, at);
        let given_at = window.start.max(self.started_at);
        if at < given_at {
            return Ok(None);
        }
        let mut given = match self.position(&terms.id, given_at) {
            Some(position) => self.given.get(position).cloned().ok_or(Code::EntryMisplaced)?,
            None if self.stopped.contains(&terms.id) => return Ok(None),
            None => {
                let end = (window.end < Timestamp::MAX).then_some(window.end);
                let early = expires.and_then(|ms| given_at.checked_add(ms).ok());
                let expires_at = match (end, early) {
                    (Some(end), Some(early)) => Some(end.min(early)),
                    (end, early) => end.or(early),
                };
                Given::new(terms, None, given_at, expires_at)
            }
        };
        if let Some(rollover) = rollover
            && !(given.rolled || given.voided)
            && window.start > self.started_at
            && let Some(before) = window.start.millis().checked_sub(1)
            && closes_at(self.window(plan, period, Timestamp::from_millis(before)?), plan)
                .is_some_and(|closes| closes <= issued_at)
        {
            let more = self.rolled_into(plan, terms, rollover, window.start)?;
            given.balance = given.balance.checked_add(more)?;
            given.rolled = true;
        }
        Ok(Some(given))
    }

    fn window(&self, plan: &Plan, period: Cycle, at: Timestamp) -> Window {
        plan.window(Some(period), self.started_at, at)
    }

    /// What the windows before the one that starts at `start` leave to it. A window without use leaves
    /// what it was given and what was left to it; a fixed point is reached after at most as many
    /// windows as the highest balance is times the grant, which a plan bounds.
    fn rolled_into(
        &self,
        plan: &Plan,
        terms: &Grant,
        rollover: Rollover,
        start: Timestamp,
    ) -> Result<Exact> {
        let Term::Recurring { period, .. } = terms.term else { return Ok(Exact::ZERO) };
        let amount = terms.credit.amount();
        let lives_on = |balance: Exact| balance.max(rollover.min).min(rollover.max);
        // From the close of one window to the start of another: the windows between were not used.
        let idle = |from: Timestamp, to: Timestamp, balance: Exact| -> Result<Exact> {
            let mut left = lives_on(balance);
            let mut next = self.window(plan, period, from).end;
            while next < to {
                let after = lives_on(left.checked_add(amount)?);
                if after == left {
                    break;
                }
                left = after;
                next = self.window(plan, period, next).end;
            }
            Ok(left)
        };
        let mut stored: Vec<&Given> = self
            .given
            .iter()
            .filter(|given| given.terms.id == terms.id && given.given_at < start)
            .collect();
        stored.sort_by_key(|given| given.given_at);
        let (mut from, mut balance) = (self.started_at, amount);
        for given in stored {
            balance = if given.rolled || given.given_at == self.started_at {
                given.balance
            } else {
                given.balance.checked_add(idle(from, given.given_at, balance)?)?
            };
            from = given.given_at;
        }
        idle(from, start, balance)
    }

    /// Whether the subscription has, or its plan gives, a grant of this id.
    pub(crate) fn knows(&self, plan: &Plan, id: &str) -> bool {
        self.given.iter().any(|given| given.terms.id == id)
            || plan.shared_grants().iter().any(|terms| terms.id == id)
    }

    /// The grant of this id that a command gave.
    pub(crate) fn commanded(&self, id: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.terms.id == id && given.document.is_some())
    }

    /// Whether there is nothing that a void could take.
    pub(crate) fn is_voided(&self, plan: &Plan, id: &str) -> bool {
        if is_recurring(plan, id) {
            return self.stopped.contains(id);
        }
        self.given.iter().filter(|given| given.terms.id == id).all(|given| given.voided)
    }

    /// Adds what a command gives.
    pub(crate) fn give(&mut self, terms: Arc<Grant>, document: Arc<[u8]>, at: Timestamp) {
        let expires_at = match terms.term {
            Term::Given { expires_at } => expires_at,
            _ => None,
        };
        self.insert(Given::new(&terms, Some(document), at, expires_at));
    }

    /// What a void owes the buyer: what is paid for and neither drawn nor reserved, in whole atomic units.
    pub(crate) fn refund(&self, id: &str) -> Result<Amount> {
        let bought = self.given.iter().find(|given| given.terms.id == id && !given.voided);
        let Some(given) = bought else { return Ok(Amount::ZERO) };
        let (terms, size) = (&given.terms, given.terms.credit.amount());
        let drawn = terms.worth(size.minus_or_zero(given.balance))?;
        let kept = terms.worth(size.minus_or_zero(whole(given.reserved)))?;
        Ok(kept.minus_or_zero(drawn).floor())
    }

    /// Takes what no hold reserves; a recurring grant is not given again.
    pub(crate) fn void(&mut self, plan: &Plan, id: &str) {
        if is_recurring(plan, id) {
            self.stopped.insert(String::from(id));
        }
        for given in self.given.iter_mut().filter(|given| given.terms.id == id) {
            given.voided = true;
            given.keep_reserved();
        }
    }

    /// Reserves units for a hold.
    pub(crate) fn reserve(
        &mut self,
        plan: &Plan,
        units: &[ReservedUnits],
        at: Timestamp,
        issued_at: Timestamp,
    ) -> Result<()> {
        for part in units {
            let given = self.open(plan, &part.grant, part.given_at, at, issued_at)?;
            if part.units == 0 || part.units > given.free() || given.terms.credit.meter().is_none()
            {
                return Err(misplaced("units that the grant does not have"));
            }
            given.reserved = given.reserved.saturating_add(part.units);
        }
        Ok(())
    }

    /// Gives back what a hold reserved.
    pub(crate) fn free(&mut self, units: &[ReservedUnits]) -> Result<()> {
        for part in units {
            let position = self.position(&part.grant, part.given_at);
            let given = position.and_then(|position| self.given.get_mut(position));
            let given = given.ok_or_else(|| misplaced("no such grant"))?;
            given.reserved = given.reserved.checked_sub(part.units).ok_or(Code::EntryMisplaced)?;
            given.keep_reserved();
        }
        Ok(())
    }

    /// Takes what a receipt drew, and returns the terms.
    pub(crate) fn take(
        &mut self,
        plan: &Plan,
        (id, given_at): (&str, Timestamp),
        amount: Exact,
        at: Timestamp,
        issued_at: Timestamp,
    ) -> Result<Arc<Grant>> {
        let given = self.open(plan, id, given_at, at, issued_at)?;
        given.balance =
            given.balance.checked_sub(amount).map_err(|_| misplaced("more than the grant has"))?;
        Ok(Arc::clone(&given.terms))
    }

    /// A grant that something can go back to at `at`: kept, not voided, not expired. What ended is not
    /// revived.
    pub(crate) fn returnable(
        &self,
        id: &str,
        given_at: Timestamp,
        at: Timestamp,
    ) -> Option<&Given> {
        let given = self.position(id, given_at).and_then(|position| self.given.get(position));
        given.filter(|given| !given.voided && given.covers(at))
    }

    /// Gives back what a call drew.
    pub(crate) fn give_back(
        &mut self,
        id: &str,
        given_at: Timestamp,
        amount: Exact,
        at: Timestamp,
    ) -> Result<()> {
        if self.returnable(id, given_at, at).is_none() {
            return Err(misplaced("a grant that nothing can go back to"));
        }
        let position = self.position(id, given_at);
        let given = position.and_then(|position| self.given.get_mut(position));
        let given = given.ok_or_else(|| misplaced("no such grant"))?;
        let after = given.balance.checked_add(amount)?;
        if after > given.most()? {
            return Err(misplaced("more than the grant gave"));
        }
        given.balance = after;
        Ok(())
    }

    /// The grant as an entry uses it.
    fn open(
        &mut self,
        plan: &Plan,
        id: &str,
        given_at: Timestamp,
        at: Timestamp,
        issued_at: Timestamp,
    ) -> Result<&mut Given> {
        let recurring = plan.shared_grants().iter().find(|terms| terms.id == id);
        if let Some(given) =
            recurring.and_then(|terms| self.in_window(plan, terms, at, issued_at).transpose())
        {
            let given = given?;
            match self.position(id, given.given_at).and_then(|at| self.given.get_mut(at)) {
                Some(stored) => *stored = given,
                None => self.insert(given),
            }
        }
        let position = self.position(id, given_at);
        let given = position.and_then(|position| self.given.get_mut(position));
        given
            .filter(|given| given.covers(at) && !given.is_closed(plan, issued_at))
            .ok_or_else(|| misplaced("a grant that the call cannot use"))
    }

    fn position(&self, id: &str, given_at: Timestamp) -> Option<usize> {
        self.given.iter().position(|g| g.given_at == given_at && g.terms.id == id)
    }

    fn insert(&mut self, given: Given) {
        let at = self.given.partition_point(|other| other.order() < given.order());
        self.given.insert(at, given);
    }

    /// Forgets grants that no receipt from `now` on can draw on. What a later window still has to take
    /// over stays.
    pub(crate) fn forget_closed(&mut self, plan: &Plan, now: Timestamp) {
        let rolled: Vec<(String, Timestamp)> = self
            .given
            .iter()
            .filter(|given| given.rolled)
            .map(|given| (given.terms.id.clone(), given.given_at))
            .collect();
        self.given.retain(|given| {
            let rolls = matches!(given.terms.term, Term::Recurring { rollover: Some(_), .. })
                && !given.voided;
            let owed = rolls
                && !rolled.iter().any(|(id, at)| *id == given.terms.id && *at > given.given_at);
            owed || given.reserved > 0 || !given.is_closed(plan, now)
        });
    }
}

fn is_recurring(plan: &Plan, id: &str) -> bool {
    let terms = plan.shared_grants().iter().find(|terms| terms.id == id);
    terms.is_some_and(|terms| matches!(terms.term, Term::Recurring { .. }))
}

fn misplaced(why: &'static str) -> Error {
    Error::new(Code::EntryMisplaced).because(why)
}
