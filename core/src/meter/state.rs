//! What a meter knows: the fold of its entries.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
};

use crate::{
    account::{Account, Edge, GivenBack, Period, SharedLimits},
    amount::{Amount, Exact},
    crypto::Digest,
    entry::{ImportMark, Instance, Opening},
    error::{Code, Error, Result},
    lease::{Lease, Statement},
    log::{Frontier, LaneState, lanes_root},
    meter::Hold,
    plan::Plan,
    receipt::{Head, LaneOpen},
    rules::{Validity, Wanted},
    time::Timestamp,
};

/// The whole state. Two states folded from the same entries are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// How many entries were folded.
    pub(crate) entries: u64,
    pub(crate) instance: Option<Instance>,
    pub(crate) plans: BTreeMap<Digest, Arc<Plan>>,
    pub(crate) subscriptions: BTreeMap<Digest, Subscription>,
    pub(crate) lanes: BTreeMap<Digest, Lane>,
    pub(crate) imports: BTreeMap<Digest, ImportMark>,
    /// What limits count that are across a payer's subscriptions.
    pub(crate) shared: SharedLimits,
    /// The leases that are out.
    pub(crate) leases: BTreeMap<Digest, Leased>,
    /// The lanes of leases that came back, as far as the last statement of each goes. Kept for ever, as
    /// lanes are: their receipts may be credited.
    pub(crate) came_back: BTreeMap<Digest, CameBack>,
    /// Digests of lane openings and receipt heads of the current origin.
    pub(crate) log: Frontier,
    /// Log positions used by earlier origins: slots of signatures never restart.
    pub(crate) base: u64,
    pub(crate) checkpoints: u64,
    /// The log's size at the last checkpoint.
    pub(crate) checkpointed: u64,
    /// The latest issue time in the log.
    pub(crate) latest: Timestamp,
    /// When a receipt will have been unproven for as long as its plan allows.
    pub(crate) prove_by: Option<Timestamp>,
    /// A lane has as many, or as much, unproven as its plan allows.
    pub(crate) prove_now: bool,
    /// (deadline, subscription, subject) of reserved holds.
    pub(crate) expiries: BTreeSet<(Timestamp, Digest, Digest)>,
    /// (closing time, subscription, charge, window start) of windows that owe a true-up.
    pub(crate) closings: BTreeSet<(Timestamp, Digest, usize, Timestamp)>,
    /// (due, subscription, charge, edge) of the next windows that are billed without a call.
    pub(crate) periods: BTreeSet<(Timestamp, Digest, usize, Edge)>,
    /// (payer, name) of subscriptions that a payer has once.
    pub(crate) once: BTreeSet<(Digest, String)>,
    /// (when it may be reclaimed, lease).
    pub(crate) reclaims: BTreeSet<(Timestamp, Digest)>,
}

/// A lease that is out, and the last that its holder said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) lease: Arc<Lease>,
    pub(crate) stated: Option<Statement>,
}

/// The lane of a lease that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CameBack {
    pub(crate) subscription: Digest,
    /// The digest of its last statement.
    pub(crate) statement: Digest,
    /// The sequence of its last receipt that was stated.
    pub(crate) sequence: u64,
}

/// One payer bound to one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) plan: Arc<Plan>,
    pub(crate) payer: Digest,
    pub(crate) payer_salt: Digest,
    /// The seller's own name for the subscriber.
    pub(crate) name: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) account: Account,
    /// The lane that takes receipts.
    pub(crate) lane: Digest,
    pub(crate) holds: BTreeMap<Digest, Hold>,
    pub(crate) remembered: BTreeMap<Digest, Remembered>,
    /// (input, authorized at, subject) of remembered requests that a retry may join: none under a plan
    /// that joins none, and none that was released.
    pub(crate) joinable: BTreeSet<(Digest, Timestamp, Digest)>,
    /// In the order in which they are forgotten.
    pub(crate) forgetting: BTreeSet<(Timestamp, Digest)>,
    /// How many imported records were refused.
    pub(crate) denied: u64,
    /// Whether a switch opened it: then it has no trial.
    pub(crate) switched: bool,
    /// The subscription that took its place.
    pub(crate) switched_to: Option<Digest>,
    /// The lease that it is metered under, where another meter lent it.
    pub(crate) lease: Option<Arc<Lease>>,
    /// Whether that takes no more calls.
    pub(crate) closed: bool,
    /// How many leases were made of it.
    pub(crate) leased: u32,
    /// What the lanes of those that came back charged.
    pub(crate) returned: Exact,
    /// The last that was presented of each attestor and statement.
    pub(crate) evidence: BTreeMap<Wanted, Validity>,
    /// What credits gave back.
    pub(crate) given_back: GivenBack,
}

impl Subscription {
    /// Whether this is a part of a call that has not ended: it may still be settled.
    pub(crate) fn is_running(&self, part: &Head) -> bool {
        let hold = self.holds.get(&part.subject);
        hold.is_some_and(|hold| hold.authorized_at == part.authorized_at)
    }

    /// One that was just opened.
    pub(crate) fn new(
        plan: Arc<Plan>,
        opening: &Opening,
        lane: Digest,
        account: Account,
    ) -> Subscription {
        Subscription {
            plan,
            payer: opening.lane.payer,
            payer_salt: opening.payer_salt,
            name: opening.account.clone(),
            started_at: opening.started_at,
            account,
            lane,
            holds: BTreeMap::new(),
            remembered: BTreeMap::new(),
            joinable: BTreeSet::new(),
            forgetting: BTreeSet::new(),
            denied: 0,
            lease: opening.lease.as_ref().map(|signed| Arc::clone(&signed.lease)),
            closed: false,
            leased: 0,
            returned: Exact::ZERO,
            switched: opening.switched_from.is_some(),
            switched_to: None,
            evidence: BTreeMap::new(),
            given_back: GivenBack::default(),
        }
    }

    /// What only a whole subscription may be asked for.
    pub(crate) fn need_whole(&self) -> Result<()> {
        match self.lease {
            None => Ok(()),
            Some(_) => Err(Error::new(Code::LeaseRefused).because("a lease is a part only")),
        }
    }

    /// A lease takes calls until it is closed.
    pub(crate) fn need_open(&self) -> Result<()> {
        if self.closed { Err(Error::new(Code::LeaseClosed)) } else { Ok(()) }
    }
}

/// What became of a request id within the replay horizon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The hash of the request.
    pub(crate) input: Digest,
    /// When it was authorised.
    pub(crate) at: Timestamp,
    /// The receipt that settled it; zero while it is held, all ones when it was released.
    pub(crate) receipt: Digest,
    /// The hash of what settled it.
    pub(crate) used: Digest,
}

impl Remembered {
    /// Stands in `receipt` for a hold that was released.
    pub(crate) const RELEASED: Digest = Digest::new([0xff; 32]);

    /// Whether a receipt settled it.
    pub(crate) fn is_settled(&self) -> bool {
        !self.receipt.is_zero() && self.receipt != Remembered::RELEASED
    }
}

/// A lane's opening and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) open: LaneOpen,
    pub(crate) sequence: u64,
    /// The digest of the last head, or the lane's id.
    pub(crate) head: Digest,
    pub(crate) cumulative: Amount,
    pub(crate) cumulative_remainder: u64,
    pub(crate) credited: Amount,
    pub(crate) credited_remainder: u64,
    pub(crate) issued_at: Timestamp,
    /// The checkpoint count that the two unproven totals belong to.
    pub(crate) unproven_since: u64,
    pub(crate) unproven_receipts: u64,
    pub(crate) unproven_value: Exact,
    pub(crate) collected: Amount,
    pub(crate) fee: Amount,
}

impl Default for State {
    fn default() -> Self {
        State {
            entries: 0,
            instance: None,
            plans: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            lanes: BTreeMap::new(),
            imports: BTreeMap::new(),
            shared: SharedLimits::default(),
            leases: BTreeMap::new(),
            came_back: BTreeMap::new(),
            log: Frontier::new(),
            base: 0,
            checkpoints: 0,
            checkpointed: 0,
            latest: Timestamp::MIN,
            prove_by: None,
            prove_now: false,
            expiries: BTreeSet::new(),
            closings: BTreeSet::new(),
            periods: BTreeSet::new(),
            reclaims: BTreeSet::new(),
            once: BTreeSet::new(),
        }
    }
}

impl State {
    pub(crate) fn instance(&self) -> Result<&Instance> {
        self.instance
            .as_ref()
            .ok_or_else(|| Error::new(Code::EntryMisplaced).because("the meter has not begun"))
    }

    /// Whether this or an earlier log has the origin: two logs of one origin could contradict each
    /// other.
    pub(crate) fn knows_origin(&self, origin: &str) -> bool {
        self.instance.as_ref().is_some_and(|instance| instance.origin == origin)
            || self.lanes.values().any(|lane| lane.open.origin == origin)
    }

    pub(crate) fn plan(&self, id: &Digest) -> Result<&Arc<Plan>> {
        self.plans.get(id).ok_or_else(|| Error::new(Code::PlanUnknown).value(id))
    }

    pub(crate) fn subscription(&self, id: &Digest) -> Result<&Subscription> {
        self.subscriptions.get(id).ok_or_else(|| Error::new(Code::SubscriptionUnknown).value(id))
    }

    pub(crate) fn subscription_mut(&mut self, id: &Digest) -> Result<&mut Subscription> {
        Ok(self.with_shared(id)?.0)
    }

    pub(crate) fn lane(&self, id: &Digest) -> Result<&Lane> {
        self.lanes
            .get(id)
            .ok_or_else(|| Error::new(Code::EntryMisplaced).because("no such lane").value(id))
    }

    /// The subscription and its lane, where the lane belongs to the current log.
    pub(crate) fn current(&self, subscription: &Digest) -> Result<(&Subscription, &Lane)> {
        let found = self.subscription(subscription)?;
        let lane = self.lane(&found.lane)?;
        if lane.open.origin != self.instance()?.origin {
            return Err(Error::new(Code::SubscriptionUnknown)
                .value(subscription)
                .because("its lane belongs to an earlier log: subscribe again"));
        }
        Ok((found, lane))
    }

    /// A lease that is out.
    pub(crate) fn leased(&self, id: &Digest) -> Result<&Leased> {
        self.leases.get(id).ok_or_else(|| Error::new(Code::LeaseUnknown).value(id))
    }

    /// Whether a receipt is the subscription's: of a lane here, or stated by a lease that came back.
    pub(crate) fn has_receipt(&self, subscription: &Digest, lane: &Digest, sequence: u64) -> bool {
        let here = self.lanes.get(lane).map(|lane| (lane.open.root(), lane.sequence));
        let lent = self.came_back.get(lane).map(|lane| (lane.subscription, lane.sequence));
        [here, lent].iter().flatten().any(|(of, last)| of == subscription && sequence <= *last)
    }

    /// What a subscription was billed and was not credited, and what of it was not collected, ever.
    pub(crate) fn owed(&self, subscription: &Subscription) -> Result<Exact> {
        let mut lane = self.lane(&subscription.lane)?;
        let mut owed = lane.uncredited()?;
        loop {
            owed = owed.minus_or_zero(Exact::from_amount(lane.collected));
            // What the lender is owed, its own meter knows.
            if lane.open.parent.is_zero() || !lane.open.lease.is_zero() {
                return Ok(owed);
            }
            lane = self.lane(&lane.open.parent)?;
        }
    }

    /// Puts a subscription's next periods in the place of those that it had `before`.
    pub(crate) fn note_periods(&mut self, id: &Digest, before: &[Period]) -> Result<()> {
        let subscription = self.subscription(id)?;
        let after = subscription.account.periods(&subscription.plan);
        let key = |period: &Period| (period.due, *id, period.charge, period.edge);
        for period in before {
            self.periods.remove(&key(period));
        }
        self.periods.extend(after.iter().map(key));
        Ok(())
    }

    /// The signature slot of the next log position.
    pub(crate) fn next_slot(&self) -> u64 {
        self.base.saturating_add(self.log.size())
    }

    /// The lanes root of the current origin's lanes.
    pub(crate) fn lanes_root(&self) -> Result<Digest> {
        let origin = self.instance.as_ref().map(|i| i.origin.as_str());
        let ours = self.lanes.iter().filter(|(_, l)| Some(l.open.origin.as_str()) == origin);
        let states: BTreeMap<Digest, LaneState> = ours
            .map(|(id, lane)| {
                let state = LaneState {
                    sequence: lane.sequence,
                    head: lane.head,
                    cumulative: lane.cumulative.atomic(),
                    credited: lane.credited.atomic(),
                };
                (*id, state)
            })
            .collect();
        lanes_root(&states)
    }
}

impl Subscription {
    /// Remembers a request.
    pub(crate) fn remember(&mut self, subject: Digest, request: Remembered) {
        if self.plan.times().retry.is_some() && request.receipt != Remembered::RELEASED {
            self.joinable.insert((request.input, request.at, subject));
        }
        self.remembered.insert(subject, request);
    }

    /// Remembers that a request came to nothing.
    pub(crate) fn remember_released(&mut self, subject: &Digest) {
        if let Some(request) = self.remembered.get_mut(subject) {
            request.receipt = Remembered::RELEASED;
            self.joinable.remove(&(request.input, request.at, *subject));
        }
    }

    /// Forgets a request, with its hold.
    pub(crate) fn forget(&mut self, subject: &Digest) {
        if let Some(request) = self.remembered.remove(subject) {
            self.joinable.remove(&(request.input, request.at, *subject));
        }
        self.holds.remove(subject);
    }

    /// The request that a retry of this input joins at `now`: the newest.
    pub(crate) fn joined(&self, input: Digest, now: Timestamp) -> Option<Digest> {
        let from = now.millis().saturating_sub(self.plan.times().retry?);
        let from = (input, Timestamp::from_millis(from).ok()?, Digest::ZERO);
        let until = (input, Timestamp::MAX, Digest::new([0xff; 32]));
        self.joinable.range(from..=until).next_back().map(|(_, _, subject)| *subject)
    }
}

impl Lane {
    pub(crate) fn new(id: Digest, open: LaneOpen) -> Lane {
        Lane {
            sequence: 0,
            head: id,
            cumulative: open.cumulative,
            cumulative_remainder: open.cumulative_remainder,
            credited: open.credited,
            credited_remainder: open.credited_remainder,
            issued_at: open.opened_at,
            unproven_since: 0,
            unproven_receipts: 0,
            unproven_value: Exact::ZERO,
            collected: Amount::ZERO,
            fee: Amount::ZERO,
            open,
        }
    }

    /// What it was charged and is not credited, exact: the most that can still be given back.
    pub(crate) fn uncredited(&self) -> Result<Exact> {
        self.uncredited_beside(Exact::ZERO)
    }

    /// As [`Lane::uncredited`], beside what other lanes charged that this one gives back.
    pub(crate) fn uncredited_beside(&self, elsewhere: Exact) -> Result<Exact> {
        let charged = Exact::new(self.cumulative.atomic(), self.cumulative_remainder)?;
        let credited = Exact::new(self.credited.atomic(), self.credited_remainder)?;
        Ok(charged.checked_add(elsewhere)?.minus_or_zero(credited))
    }
}
