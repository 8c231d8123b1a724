//! What every thread does, and what it makes of the answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use counterfoil::entry::{Collected, ReleaseReason};
use counterfoil::meter::{Command, Outcome, Replay, Subscribe};
use counterfoil::{Amount, Code, Digest, Error, Result, Timestamp};
use counterfoil_journal::Shards;

use crate::Counts;
use crate::account::{Account, GRACE, HOUR, Kind};
use crate::call::{Call, Told};
use crate::random::Random;

/// The most milliseconds between two operations where each kind has two accounts.
const STEP: u64 = 2_400;

pub(crate) struct Host {
    pub(crate) shards: Shards,
    accounts: Vec<Account>,
    /// The most milliseconds between two operations.
    step: u64,
    clock: AtomicU64,
    calls: AtomicU64,
    expiring: Mutex<Expiring>,
}

/// Holds in the tally, by when they expire.
#[derive(Default)]
struct Expiring {
    /// Up to here somebody has asked for what is due.
    through: u64,
    holds: BTreeMap<(u64, String), (usize, Arc<Call>)>,
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap()
}

impl Host {
    /// So many times two accounts of each kind, for this many operations. The more accounts, the less
    /// time passes: each comes to its limits as often.
    pub(crate) fn new(shards: Shards, operations: u64, pairs: u64) -> Host {
        shards.begin("stress", at(0)).unwrap();
        let step = STEP / pairs;
        let hours = usize::try_from(operations * step / HOUR + 2).unwrap();
        let mut accounts = Vec::new();
        for kind in [Kind::Hourly, Kind::Credit, Kind::Tiers] {
            let plan = kind.plan();
            shards.submit_all(&Command::AddPlan(Box::new(plan.clone())), at(0)).unwrap();
            for number in 0..2 * pairs {
                let subscribe = Command::Subscribe(Subscribe {
                    plan: plan.id(),
                    payer: None,
                    account: Some(format!("{kind:?} {number}")),
                    started_at: at(0),
                    rail: Digest::ZERO,
                });
                match shards.submit(&subscribe, at(0)).unwrap() {
                    Outcome::Opened { subscription, lane, .. } => {
                        accounts.push(Account::new(subscription, lane, kind, hours));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        Host {
            shards,
            accounts,
            step,
            clock: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            expiring: Mutex::default(),
        }
    }

    pub(crate) fn close(self) -> Vec<Account> {
        self.shards.close().unwrap();
        self.accounts
    }

    /// One thread. Returns how often it was answered what.
    pub(crate) fn run(&self, seed: u64, thread: u64, operations: u64) -> Counts {
        let mut random = Random(seed.wrapping_mul(1_000_003).wrapping_add(thread));
        let mut counts = Counts::new();
        for _ in 0..operations {
            let step = random.below(self.step);
            let now = at(self.clock.fetch_add(step, Ordering::SeqCst) + step);
            for answer in self.operation(&mut random, now).split(", ") {
                *counts.entry(answer.into()).or_default() += 1;
            }
        }
        counts
    }

    fn operation(&self, random: &mut Random, now: Timestamp) -> String {
        let number = usize::try_from(random.below(self.accounts.len() as u64)).unwrap();
        let account = &self.accounts[number];
        let choice = random.below(100);
        if choice < 30 {
            let call = Arc::new(Call::new(
                self.calls.fetch_add(1, Ordering::SeqCst),
                now.millis(),
                random,
            ));
            account.recent.remember(&call);
            return match random.below(8) {
                0 => self.at_once(number, &call, now),
                _ => self.authorize(number, &call, now),
            };
        }
        let latest = if choice < 80 { 8 } else { usize::MAX };
        let Some(call) = account.recent.one(random.below(1 << 32), latest) else {
            return "idle".into();
        };
        match choice {
            30..40 => self.authorize(number, &call, now),
            40..70 | 80..86 => self.settle(account, &call, random.below(20) == 0, now),
            70..75 => self.release(account, &call, ReleaseReason::Released, now),
            75..78 => self.release(account, &call, ReleaseReason::Unknown, now),
            78..80 => self.extend(account, &call, now),
            86..88 => self.grant(account, now),
            88..90 => self.collect(account, now),
            _ => self.due(now),
        }
    }

    /// Nobody is told what is not durable, nor what rests on something that is not.
    fn submit(&self, account: &Account, command: &Command, now: Timestamp) -> Result<Outcome> {
        let journal = self.shards.of(&account.id).unwrap().journal();
        let before = journal.len();
        let told = self.shards.submit(command, now)?;
        let made = matches!(told, Outcome::Authorized { .. } | Outcome::Receipt { .. });
        assert!(journal.durable() >= before + u64::from(made), "{told:?} is not durable");
        Ok(told)
    }

    fn authorize(&self, number: usize, call: &Arc<Call>, now: Timestamp) -> String {
        let before = call.told().clone();
        let told =
            self.submit(&self.accounts[number], &call.authorize(self.accounts[number].id), now);
        self.authorized(number, call, &before, told, now)
    }

    fn authorized(
        &self,
        number: usize,
        call: &Arc<Call>,
        before: &Told,
        told: Result<Outcome>,
        now: Timestamp,
    ) -> String {
        let account = &self.accounts[number];
        let answer = match told {
            Ok(Outcome::Authorized { hold, reserved }) => {
                assert!(before.receipt.is_none() && !before.released, "made again: {call:?}");
                let reserved = crate::account::quarters(reserved);
                let most = if account.kind == Kind::Tiers { 2 * call.most } else { call.most };
                assert!((call.most..=most).contains(&reserved), "{reserved} for {call:?}");
                let mut expiring = self.expiring.lock().unwrap();
                let deadline = hold.deadline.millis();
                if deadline <= expiring.through {
                    call.end(account);
                }
                call.hold(account, hold.authorized_at);
                let key = (deadline, call.id.clone());
                expiring.holds.insert(key, (number, Arc::clone(call)));
                "authorized".into()
            }
            Ok(Outcome::Denied(denial)) => {
                assert!(!before.authorized && before.receipt.is_none(), "denied later: {call:?}");
                let (needed, left) = (denial.needed.unwrap(), denial.available.unwrap());
                assert!(needed > left, "denied with room: {denial:?}");
                assert!(denial.spent <= denial.most || denial.meter.is_some(), "{denial:?}");
                denial.rule
            }
            Ok(Outcome::Replayed(replay)) => call.replayed(before, &replay, now).into(),
            Err(e) => self.refused(&e, call),
            Ok(other) => panic!("{other:?}"),
        };
        format!("authorize: {answer}")
    }

    fn settle(&self, account: &Account, call: &Call, another: bool, now: Timestamp) -> String {
        let before = call.told().clone();
        call.told().another_tried |= another;
        call.end(account);
        let told = self.submit(account, &call.settle(account.id, another), now);
        self.settled(account, call, &before, told, now)
    }

    fn settled(
        &self,
        account: &Account,
        call: &Call,
        before: &Told,
        told: Result<Outcome>,
        now: Timestamp,
    ) -> String {
        let answer = match told {
            Ok(Outcome::Receipt { receipt, .. }) => {
                call.receipt(receipt.digest, now);
                let charged = std::mem::replace(&mut call.told().charged, true);
                assert!(!charged, "charged twice: {call:?}");
                account.settle(call, &receipt).into()
            }
            Ok(Outcome::Replayed(Replay::Settled { receipt })) => {
                call.receipt(receipt, now);
                "settled".into()
            }
            Err(e) if e.code() == Code::RequestConflict => {
                assert!(call.told().another_tried, "no conflict: {call:?}");
                e.code().to_string()
            }
            Err(e) => self.no_hold(&e, call, before, false),
            Ok(other) => panic!("{other:?}"),
        };
        format!("settle: {answer}")
    }

    /// Authorises and settles a call with one write.
    fn at_once(&self, number: usize, call: &Arc<Call>, now: Timestamp) -> String {
        let account = &self.accounts[number];
        let before = call.told().clone();
        call.end(account);
        let mut batch = self.shards.of(&account.id).unwrap().batch();
        batch.propose(&call.authorize(account.id), now).unwrap();
        let refused = batch.propose(&call.settle(account.id, false), now).err();
        let mut told = batch.commit().unwrap().into_iter();
        let first = self.authorized(number, call, &before, Ok(told.next().unwrap()), now);
        let second = refused.map_or_else(|| Ok(told.next().unwrap()), Err);
        // From here on there is a hold to settle.
        let mut before = before;
        before.authorized |= first.ends_with("authorized");
        let second = self.settled(account, call, &before, second, now);
        format!("{first}, {second}")
    }

    fn release(
        &self,
        account: &Account,
        call: &Call,
        reason: ReleaseReason,
        now: Timestamp,
    ) -> String {
        let before = call.told().clone();
        let ends = reason == ReleaseReason::Released;
        if ends {
            call.told().release_tried = true;
            call.end(account);
        }
        let answer = match self.submit(account, &call.release(account.id, reason), now) {
            Ok(Outcome::Released { .. }) => {
                let mut told = call.told();
                assert!(!(ends && told.charged), "settled and released: {call:?}");
                assert!(!(ends && told.released), "released twice: {call:?}");
                told.released |= ends;
                "done".into()
            }
            // Settled meanwhile, or expired.
            Err(e) => self.no_hold(&e, call, &before, true),
            Ok(other) => panic!("{other:?}"),
        };
        format!("{}: {answer}", if ends { "release" } else { "unknown" })
    }

    fn extend(&self, account: &Account, call: &Call, now: Timestamp) -> String {
        let before = call.told().clone();
        let answer = match self.submit(account, &call.extend(account.id), now) {
            Ok(Outcome::Extended { deadline, .. }) => {
                assert!(deadline > now, "{deadline} at {now}: {call:?}");
                "done".into()
            }
            Err(e) => self.no_hold(&e, call, &before, true),
            Ok(other) => panic!("{other:?}"),
        };
        format!("extend: {answer}")
    }

    fn grant(&self, account: &Account, now: Timestamp) -> String {
        let id = if account.kind == Kind::Credit { account.grant() } else { None };
        let Some(id) = id else { return "idle".into() };
        let terms = format!(r#"{{"id":"{id}","kind":"promotional","money":"0.2"}}"#);
        let command = Command::Grant { subscription: account.id, terms };
        assert_eq!(self.submit(account, &command, now), Ok(Outcome::Done));
        "grant: done".into()
    }

    fn collect(&self, account: &Account, now: Timestamp) -> String {
        let command = Command::Collect(Collected {
            lane: account.lane,
            amount: Amount::from_atomic(account.collect().into()),
            fee: Amount::ZERO,
            reference: String::new(),
            at: now,
        });
        match self.submit(account, &command, now) {
            Ok(outcome) => assert_eq!(outcome, Outcome::Done),
            // Another thread came first with more.
            Err(e) => {
                assert_eq!(e.code(), Code::CollectedInvalid, "{e}");
                return format!("collect: {}", e.code());
            }
        }
        "collect: done".into()
    }

    /// Does everything that is due.
    fn due(&self, now: Timestamp) -> String {
        let mut expiring = self.expiring.lock().unwrap();
        expiring.through = expiring.through.max(now.millis());
        let later = expiring.holds.split_off(&(now.millis() + 1, String::new()));
        let ending = std::mem::replace(&mut expiring.holds, later);
        ending.values().for_each(|(number, call)| call.end(&self.accounts[*number]));
        drop(expiring);
        let mut answer = "nothing";
        for ledger in self.shards.ledgers() {
            loop {
                match ledger.submit(&Command::Due, now) {
                    Ok(Outcome::Nothing) => break,
                    Ok(Outcome::Released { .. }) => answer = "expired",
                    Ok(Outcome::Checkpointed { .. }) => answer = "checkpoint",
                    other => panic!("{other:?}"),
                }
            }
        }
        format!("due: {answer}")
    }

    /// There is no hold to settle or release: not yet, or not any more.
    fn no_hold(&self, e: &Error, call: &Call, before: &Told, ended: bool) -> String {
        if e.code() == Code::HoldUnknown {
            let released = call.told().release_tried;
            assert!(!before.authorized || released || ended, "the hold is gone: {call:?}");
        }
        self.refused(e, call)
    }

    /// Whoever comes long after the call's window may come too late; nothing else is refused.
    fn refused(&self, e: &Error, call: &Call) -> String {
        let past = self.clock.load(Ordering::SeqCst) - call.made;
        let closed = e.code() == Code::WindowClosed && past > GRACE / 2;
        assert!(closed || e.code() == Code::HoldUnknown, "{e}: {call:?}");
        e.code().to_string()
    }
}
