//! Retries that have no id of their own join the request that they repeat.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, Host, SALT, Terms, a, at};
use counterfoil::{
    Digest, Meter,
    crypto::sha256,
    entry::ReleaseReason,
    meter::{Command, Outcome, Replay, Request},
};
use proptest::prelude::*;

const RETRY: u64 = 1_000;

/// Whom a request is from, of which of three contents, whether as a retry, what becomes of it if it is
/// new, and how long the next one takes to come.
type Ask = (usize, usize, bool, Fate, u64);

#[derive(Debug, Clone, Copy)]
enum Fate {
    Held,
    Settled,
    Released,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let fate = prop_oneof![Just(Fate::Held), Just(Fate::Settled), Just(Fate::Released)];
    prop::collection::vec(
        (0..2_usize, 0..3_usize, any::<bool>(), fate, prop_oneof![Just(0), 1..RETRY]),
        1..40,
    )
}

fn request(subscription: Digest, id: &str, content: usize, retry: bool) -> Command {
    let content = sha256(&[&[content as u8]]);
    Command::Authorize(Request { content, retry, ..Request::new(subscription, id.into(), a(2)) })
}

proptest! {
    #[test]
    fn a_retry_is_answered_as_the_newest_request_that_it_may_repeat(asks in asks()) {
        let plan = Terms::new().with("times", format!(r#"{{"retry":{RETRY}}}"#)).plan();
        let mut host = Host::new();
        let payers = [host.subscribe(&plan), host.subscribe_as(&plan, "another", at(0))];
        // (payer, content, authorised at, subject, id) of those that may be joined.
        let mut made: Vec<(usize, usize, u64, Digest, String)> = Vec::new();
        let mut now = 0;
        for (n, (payer, content, retry, fate, wait)) in asks.into_iter().enumerate() {
            let (sub, id) = (payers[payer], format!("r{n}"));
            let command = request(sub, &id, content, retry);
            let first = made
                .iter()
                .filter(|of| (of.0, of.1) == (payer, content) && of.2 + RETRY >= now && retry)
                .max_by_key(|of| (of.2, of.3));
            let entries = host.ledger.len();
            let outcome = host.run(&command, at(now)).unwrap();
            if let Some((.., first)) = first {
                prop_assert_eq!(host.ledger.len(), entries);
                let again = host.run(&request(sub, first, content, false), at(now)).unwrap();
                prop_assert_eq!(&outcome, &again);
                // Also after the state was read back.
                let mut read = Meter::from_snapshot(&host.meter.snapshot(), SALT).unwrap();
                let step = read.propose(&command, at(now)).unwrap();
                prop_assert_eq!(&read.confirm(step.ticket).unwrap(), &outcome);
            } else {
                let Outcome::Authorized { hold, .. } = outcome else {
                    return Err(TestCaseError::fail(format!("{outcome:?} for {command:?}")));
                };
                match fate {
                    Fate::Held => {}
                    Fate::Settled => drop(host.settle(sub, &id, a(1), at(now)).unwrap()),
                    Fate::Released => {
                        let reason = ReleaseReason::Released;
                        let release = Command::Release { subscription: sub, id: id.clone(), reason };
                        host.run(&release, at(now)).unwrap();
                    }
                }
                if !matches!(fate, Fate::Released) {
                    made.push((payer, content, now, hold.subject, id));
                }
            }
            now += wait;
        }
    }
}

#[test]
fn what_is_forgotten_is_not_joined() {
    let times = format!(r#"{{"hold":1000,"grace":1000,"replay":{DAY},"retry":{DAY}}}"#);
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().with("times", times).plan());
    host.run(&request(sub, "1", 0, false), at(0)).unwrap();
    host.settle(sub, "1", a(1), at(0)).unwrap();
    // The next hold forgets what is as old as `replay`, though it could still be joined.
    host.run(&request(sub, "2", 1, false), at(DAY)).unwrap();
    let outcome = host.run(&request(sub, "3", 0, true), at(DAY)).unwrap();
    assert!(matches!(outcome, Outcome::Authorized { .. }));
    host.settle(sub, "3", a(1), at(DAY)).unwrap();
    let outcome = host.run(&request(sub, "4", 0, true), at(DAY + 1)).unwrap();
    assert!(matches!(outcome, Outcome::Replayed(Replay::Settled { .. })));
}
