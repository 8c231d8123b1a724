//! What every thread does in the meters, and what it makes of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use counterfoil::entry::{Denial, ReleaseReason};
use counterfoil::lease::Statement;
use counterfoil::meter::{Command, LeaseRequest, Outcome, Replay, Subscribe};
use counterfoil::{Code, Digest, Exact, Timestamp};
use counterfoil_journal::{Ledger, Options};

use super::lane::Lane;
use super::plan::{GRACE, HOLD, hour_end, plan};
use crate::call::Call;
use crate::random::Random;
use crate::{Counts, SALT, key};

/// The most milliseconds between two operations.
const STEP: u64 = 2_400;

pub(crate) struct Host {
    /// The one that lends, then those that hold.
    pub(crate) ledgers: Vec<Ledger>,
    /// The lanes of each ledger, oldest first.
    pub(crate) lanes: Vec<Mutex<Vec<Arc<Lane>>>>,
    /// The ids of calls that were put in two lanes on purpose.
    pub(crate) twice: Mutex<BTreeSet<String>>,
    /// The lanes that charged them, by subject.
    pub(crate) charged_twice: Mutex<BTreeMap<Digest, BTreeSet<Digest>>>,
    clock: AtomicU64,
    calls: AtomicU64,
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap()
}

/// What is short elsewhere is reserved under every limit (R-LEASE-034), so that one may be more than full:
/// then it refuses what costs nothing too.
fn has_no_room(denial: &Denial) -> bool {
    denial.needed > denial.available || denial.available == Some(Exact::ZERO)
}

/// Every fourth holder is cut off during each of its leases.
fn is_unreliable(holder: usize) -> bool {
    holder % 4 == 3
}

impl Host {
    pub(crate) fn new(root: &Path, holders: usize) -> Host {
        let mut ledgers = Vec::new();
        for number in 0..=holders {
            let dir = root.join(number.to_string());
            let ledger = Ledger::open(dir, Box::new(key()), SALT, Options::default()).unwrap();
            let begin =
                Command::Begin { origin: format!("meter-{number}"), signer: key().address() };
            ledger.submit(&begin, at(0)).unwrap();
            ledger.submit(&Command::AddPlan(Box::new(plan())), at(0)).unwrap();
            ledgers.push(ledger);
        }
        let subscribe = Command::Subscribe(Subscribe {
            plan: plan().id(),
            payer: None,
            account: Some("customer".into()),
            started_at: at(0),
            rail: Digest::ZERO,
        });
        let own = match ledgers[0].submit(&subscribe, at(0)).unwrap() {
            Outcome::Opened { subscription, lane, .. } => Lane::new(0, subscription, lane),
            other => panic!("{other:?}"),
        };
        let mut lanes: Vec<_> = (0..=holders).map(|_| Mutex::default()).collect();
        lanes[0] = Mutex::new(vec![Arc::new(own)]);
        Host {
            ledgers,
            lanes,
            twice: Mutex::default(),
            charged_twice: Mutex::default(),
            clock: AtomicU64::new(0),
            calls: AtomicU64::new(0),
        }
    }

    /// One thread. Returns how often it was answered what.
    pub(crate) fn run(&self, seed: u64, thread: u64, operations: u64) -> Counts {
        let mut random = Random(seed.wrapping_mul(1_000_003).wrapping_add(thread));
        let mut counts = Counts::new();
        for _ in 0..operations {
            let step = random.below(STEP);
            let now = at(self.clock.fetch_add(step, Ordering::SeqCst) + step);
            for answer in self.operation(&mut random, now).split(", ") {
                *counts.entry(answer.into()).or_default() += 1;
            }
        }
        counts
    }

    /// The holders that can be reached return their leases, and every lease and window ends.
    pub(crate) fn finish(&self) {
        let now = at(self.clock.load(Ordering::SeqCst) + HOLD);
        for holder in 1..self.ledgers.len() {
            self.due(holder, now);
            for lane in self.all(holder).iter().filter(|lane| lane.cut_off == u64::MAX) {
                self.state(lane, true, now);
            }
        }
        let end = self.clock.fetch_add(1 << 40, Ordering::SeqCst) + (1 << 40);
        (0..self.ledgers.len()).for_each(|meter| drop(self.due(meter, at(end))));
    }

    pub(crate) fn all(&self, meter: usize) -> Vec<Arc<Lane>> {
        self.lanes[meter].lock().unwrap().clone()
    }

    /// A meter: half of all that happens is the lender's part for four holders.
    fn meter(&self, random: &mut Random) -> usize {
        let holders = self.ledgers.len() as u64 - 1;
        usize::try_from(random.below(holders + holders / 4 + 1).saturating_sub(holders / 4))
            .unwrap()
    }

    /// One of the latest lanes of a meter.
    fn lane(&self, meter: usize, random: &mut Random) -> Option<Arc<Lane>> {
        let lanes = self.lanes[meter].lock().unwrap();
        let back = random.below(lanes.len().clamp(1, 4) as u64);
        lanes.iter().rev().nth(usize::try_from(back).unwrap()).cloned()
    }

    fn operation(&self, random: &mut Random, now: Timestamp) -> String {
        let meter = self.meter(random);
        let choice = random.below(100);
        if choice < 30 {
            return self.new_call(meter, random, now);
        }
        if choice >= 90 {
            let meter = if choice < 95 { 0 } else { meter };
            return self.due(meter, now);
        }
        let Some(lane) = self.lane(meter, random) else { return "idle".into() };
        if choice >= 83 {
            return match lane.lease {
                Some(_) => self.state(&lane, choice >= 87, now),
                None => "idle".into(),
            };
        }
        let Some(call) = lane.recent.one(random.below(1 << 32), if choice < 75 { 4 } else { 16 })
        else {
            return "idle".into();
        };
        match choice {
            30..38 => self.authorize(&lane, &call, now),
            38..70 | 75..80 => self.settle(&lane, &call, random.below(20) == 0, now),
            70..75 => self.release(&lane, &call, ReleaseReason::Released, now),
            _ => self.release(&lane, &call, ReleaseReason::Unknown, now),
        }
    }

    /// A call in a lane that takes calls; now and then the balancer puts it in a lane of another meter too.
    fn new_call(&self, meter: usize, random: &mut Random, now: Timestamp) -> String {
        let Some(lane) = self.usable(meter, random, now) else { return "no lease".into() };
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let call = Arc::new(Call::new(number, now.millis(), random));
        let other = self.meter(random);
        let second = match random.below(20) {
            0 if other != meter => self.usable(other, random, now),
            _ => None,
        };
        let Some(second) = second else { return self.first(&lane, &call, now) };
        self.twice.lock().unwrap().insert(call.id.clone());
        let again = Arc::new(call.again());
        format!("{}, {}, twice", self.first(&lane, &call, now), self.first(&second, &again, now))
    }

    fn first(&self, lane: &Lane, call: &Arc<Call>, now: Timestamp) -> String {
        lane.recent.remember(call);
        self.authorize(lane, call, now)
    }

    /// The lane of a meter that takes new calls; where a lease is used up or over, it is closed, if its
    /// calls have ended, and another one asked for.
    fn usable(&self, meter: usize, random: &mut Random, now: Timestamp) -> Option<Arc<Lane>> {
        let newest = self.lanes[meter].lock().unwrap().last().cloned();
        match newest {
            Some(lane) if lane.takes_calls(now.millis()) => Some(lane),
            Some(lane) if lane.lease.is_some() => {
                self.state(&lane, true, now);
                self.lend(meter, random, now)
            }
            _ => self.lend(meter, random, now),
        }
    }

    fn lend(&self, holder: usize, random: &mut Random, now: Timestamp) -> Option<Arc<Lane>> {
        let most = if random.below(3) == 0 { 40 } else { 300 };
        let units = 10 + random.below(most);
        let until = hour_end(now).min(now.millis() + 60_000 * (5 + random.below(50)));
        let request = LeaseRequest {
            subscription: self.all(0)[0].id,
            holder: format!("meter-{holder}"),
            until: at(until),
            units: BTreeMap::from([("t".into(), units)]),
            limits: BTreeMap::from([(
                "tokens".into(),
                units.saturating_sub(random.below(30)) + 10,
            )]),
            attributes: BTreeMap::new(),
        };
        let lease = match self.ledgers[0].submit(&Command::Lease(request), now) {
            Ok(Outcome::Leased { lease, .. }) => lease,
            Ok(Outcome::Denied(denial)) => {
                assert!(has_no_room(&denial), "denied with room: {denial:?}");
                return None;
            }
            // The thread slept for more than an hour.
            Err(e) if e.code() == Code::WindowClosed => return None,
            other => panic!("{other:?}"),
        };
        let accept = Command::Accept {
            lease: lease.to_bytes(),
            signature: key().sign(&lease.digest()),
            rail: Digest::ZERO,
        };
        let mut lane = match self.ledgers[holder].submit(&accept, now).unwrap() {
            Outcome::Opened { subscription, lane, .. } => Lane::new(holder, subscription, lane),
            other => panic!("{other:?}"),
        };
        let life = until + GRACE - now.millis();
        if is_unreliable(holder) {
            lane.cut_off = now.millis() + random.below(life);
        }
        lane.lease = Some(lease);
        let lane = Arc::new(lane);
        self.lanes[holder].lock().unwrap().push(Arc::clone(&lane));
        Some(lane)
    }

    fn authorize(&self, lane: &Lane, call: &Call, now: Timestamp) -> String {
        let before = call.told().clone();
        let answer = match self.ledgers[lane.meter].submit(&call.authorize(lane.id), now) {
            Ok(Outcome::Authorized { .. }) => {
                assert!(before.receipt.is_none() && !before.released, "made again: {call:?}");
                let known = std::mem::replace(&mut call.told().authorized, true);
                assert!(!known, "authorised twice: {call:?}");
                "authorized".into()
            }
            Ok(Outcome::Denied(denial)) => {
                assert!(!before.authorized && before.receipt.is_none(), "denied later: {call:?}");
                let over = denial.rule == "lease/until";
                assert!(over || has_no_room(&denial), "denied with room: {denial:?}");
                if lane.lease.is_some() && !over {
                    lane.used_up.store(true, Ordering::SeqCst);
                }
                denial.rule
            }
            Ok(Outcome::Replayed(replay)) => call.replayed(&before, &replay, now).into(),
            other => self.refused(lane, call, other, now),
        };
        format!("authorize: {answer}")
    }

    fn settle(&self, lane: &Lane, call: &Call, another: bool, now: Timestamp) -> String {
        call.told().another_tried |= another;
        let answer = match self.ledgers[lane.meter].submit(&call.settle(lane.id, another), now) {
            Ok(Outcome::Receipt { receipt, .. }) => {
                call.receipt(receipt.digest, now);
                let charged = std::mem::replace(&mut call.told().charged, true);
                assert!(!charged, "charged twice: {call:?}");
                if self.twice.lock().unwrap().contains(&call.id) {
                    let mut lanes = self.charged_twice.lock().unwrap();
                    lanes.entry(receipt.head.subject).or_default().insert(lane.lane);
                }
                lane.settle(call, &receipt).into()
            }
            Ok(Outcome::Replayed(Replay::Settled { receipt })) => {
                call.receipt(receipt, now);
                "settled".into()
            }
            Err(e) if e.code() == Code::RequestConflict => {
                assert!(call.told().another_tried, "no conflict: {call:?}");
                e.code().to_string()
            }
            other => self.refused(lane, call, other, now),
        };
        format!("settle: {answer}")
    }

    fn release(&self, lane: &Lane, call: &Call, reason: ReleaseReason, now: Timestamp) -> String {
        let ends = reason == ReleaseReason::Released;
        call.told().release_tried |= ends;
        let answer = match self.ledgers[lane.meter].submit(&call.release(lane.id, reason), now) {
            Ok(Outcome::Released { .. }) => {
                let mut told = call.told();
                told.released |= ends;
                assert!(told.receipt.is_none() || !ends, "settled and released: {call:?}");
                "done".into()
            }
            Ok(Outcome::Replayed(Replay::Settled { receipt })) => {
                call.receipt(receipt, now);
                "settled".into()
            }
            Ok(Outcome::Replayed(Replay::Released)) => "released".into(),
            other => self.refused(lane, call, other, now),
        };
        format!("release: {answer}")
    }

    /// What may refuse any call: it is over, too late, or its lane closed.
    fn refused(
        &self,
        lane: &Lane,
        call: &Call,
        told: counterfoil::Result<Outcome>,
        now: Timestamp,
    ) -> String {
        let Err(e) = told else { panic!("{told:?}: {call:?}") };
        let over = lane.lease.as_ref().is_some_and(|l| l.until.millis() + GRACE <= now.millis());
        let past = self.clock.load(Ordering::SeqCst) - call.made;
        let known = match e.code() {
            Code::HoldUnknown => true,
            Code::WindowClosed => over || past > GRACE / 2,
            Code::LeaseClosed => lane.closing.load(Ordering::SeqCst),
            _ => false,
        };
        assert!(known, "{e}: {call:?}");
        e.code().to_string()
    }

    /// The holder states what a lease was used for, and the lender hears of it if it can.
    fn state(&self, lane: &Lane, closing: bool, now: Timestamp) -> String {
        if closing {
            // What reserves for ever would keep the lease.
            self.due(lane.meter, now);
            lane.closing.store(true, Ordering::SeqCst);
        }
        let command = Command::Statement { lease: lane.id, closing };
        let statement = match self.ledgers[lane.meter].submit(&command, now) {
            Ok(Outcome::Stated { statement, .. }) => statement,
            Err(e) => {
                let known = match e.code() {
                    Code::LeaseRefused => closing,
                    Code::LeaseClosed => lane.closing.load(Ordering::SeqCst),
                    _ => false,
                };
                assert!(known, "{e}");
                return format!("state: {}", e.code());
            }
            other => panic!("{other:?}"),
        };
        if now.millis() >= lane.cut_off {
            return "state: lost".into();
        }
        lane.send(&statement);
        self.absorb(lane, &statement, now)
    }

    fn absorb(&self, lane: &Lane, statement: &Statement, now: Timestamp) -> String {
        let signature = key().sign(&statement.digest());
        let command = Command::Absorb { statement: statement.to_bytes(), signature };
        match self.ledgers[0].submit(&command, now) {
            Ok(Outcome::Done) if statement.closed => "absorb: returned".into(),
            Ok(Outcome::Done) => "absorb: stated".into(),
            Err(e) => {
                let ends = lane.lease.as_ref().unwrap().until.millis() + GRACE;
                let known = match e.code() {
                    Code::LeaseInvalid => lane.is_overtaken(statement),
                    Code::LeaseUnknown => {
                        ends <= self.clock.load(Ordering::SeqCst) || lane.is_last_sent()
                    }
                    _ => false,
                };
                assert!(known, "{e}: {statement:?}");
                format!("absorb: {}", e.code())
            }
            other => panic!("{other:?}"),
        }
    }

    /// All that is due at a meter.
    fn due(&self, meter: usize, now: Timestamp) -> String {
        let mut answers = vec!["due"];
        loop {
            answers.push(match self.ledgers[meter].submit(&Command::Due, now).unwrap() {
                Outcome::Nothing => return answers.join(", "),
                Outcome::Released { .. } => "due: expired",
                Outcome::Checkpointed { .. } => "due: checkpoint",
                Outcome::Receipt { receipt, .. } => {
                    self.all(meter)[0].add(&receipt);
                    "due: receipt"
                }
                Outcome::Reclaimed { .. } => "due: reclaimed",
                other => panic!("{other:?}"),
            });
        }
    }
}
