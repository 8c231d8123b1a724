//! Every reachable state of small meters: a model checker over the real state machine.
//!
//! From the first state on, every command of a [`Scenario`] is tried in every state, breadth first, up
//! to a number of commands. States that can no longer be told apart by anything that follows are one
//! state. What must always hold is in [`watch`]; it keeps its own books and trusts none of the
//! meter's. [`replicas`] are two meters, one of which lends to the other, and [`payer`] has the books
//! of both. A lost write is no state of its own: [`crash`] shows that it leaves one that is reached
//! without it. The bounds are small in the tests; `cargo xtask explore` goes further, and takes guards
//! out of the sources one at a time: each must be missed here.

extern crate std;

mod crash;
mod payer;
mod refunds;
mod replicas;
mod scenarios;
mod watch;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
    string::String,
    sync::Arc,
    vec,
    vec::Vec,
};
use std::{env, println};

use crate::{
    audit::Auditor,
    crypto::{Digest, sha256},
    entry::{Entry, ReceiptEntry},
    error::Result,
    meter::{Command, Meter, Outcome, Remembered, State},
    receipt::Receipt,
    time::Timestamp,
};
use refunds::name_of;
use replicas::replicas;
use scenarios::{Scenario, scenarios};
use watch::Books;

const SALT: [u8; 32] = [7; 32];

/// A reachable state and how it was reached.
#[derive(Clone)]
struct Node {
    state: State,
    books: Books,
    /// What calls and their parts were charged by, signed, by name.
    charged: BTreeMap<String, Receipt>,
    /// The index of the present instant.
    clock: usize,
    path: Option<Arc<Path>>,
    depth: usize,
}

/// The commands that led here, last one first, and what each recorded.
struct Path {
    command: String,
    entry: Option<Vec<u8>>,
    before: Option<Arc<Path>>,
}

impl Node {
    fn now(&self, scenario: &Scenario) -> Timestamp {
        scenario.instants[self.clock]
    }

    fn trace(&self) -> String {
        trace_of(self.path.as_ref())
    }

    fn ledger(&self) -> Vec<&[u8]> {
        let mut entries = Vec::new();
        let mut step = self.path.as_ref();
        while let Some(path) = step {
            entries.extend(path.entry.as_deref());
            step = path.before.as_ref();
        }
        entries.reverse();
        entries
    }

    fn step(&self, command: &dyn core::fmt::Debug, entry: Option<Vec<u8>>) -> Arc<Path> {
        let command = short(command);
        Arc::new(Path { command, entry, before: self.path.clone() })
    }

    /// Decides, and folds the entry as it is read back from its bytes.
    fn take(&self, scenario: &Scenario, command: &Command) -> Result<(Node, Outcome)> {
        let now = self.now(scenario);
        let mut next = self.clone();
        let (entry, outcome) = next.state.decide(command, now, &Digest::new(SALT))?;
        assert!(next.state == self.state, "deciding {command:?} changed the state");
        let bytes = entry.map(|entry| entry.to_bytes());
        if let Some(bytes) = &bytes {
            next.state.apply(&Entry::from_bytes(bytes)?)?;
        }
        next.path = Some(self.step(command, bytes));
        next.depth += 1;
        Ok((next, outcome))
    }

    /// All that decides what can follow: the state without what only its history gave it, the books,
    /// and the time.
    fn key(&self) -> Digest {
        let mut state = self.state.clone();
        state.entries = 0;
        state.log = crate::log::Frontier::new();
        let names: BTreeMap<Digest, &str> = self
            .charged
            .iter()
            .map(|(name, receipt)| (receipt.head.digest(), name.as_str()))
            .collect();
        for lane in state.lanes.values_mut() {
            (lane.head, lane.sequence) = (Digest::ZERO, 0);
        }
        for leased in state.leases.values_mut() {
            if let Some(stated) = &mut leased.stated {
                stated.head = Digest::ZERO;
            }
        }
        for came_back in state.came_back.values_mut() {
            came_back.statement = Digest::ZERO;
        }
        for subscription in state.subscriptions.values_mut() {
            for remembered in subscription.remembered.values_mut() {
                let plain = [Digest::ZERO, Remembered::RELEASED].contains(&remembered.receipt);
                remembered.receipt = if plain { remembered.receipt } else { Digest::new([1; 32]) };
            }
            let given_back = &mut subscription.given_back;
            for made in given_back.credits.values_mut() {
                made.receipt = Digest::ZERO;
                made.input = Digest::ZERO;
            }
            let receipts = core::mem::take(&mut given_back.receipts);
            given_back.receipts.extend(
                receipts.into_iter().map(|(of, back)| (sha256(&[names[&of].as_bytes()]), back)),
            );
        }
        let state = Meter::from_state(state, SALT).snapshot();
        sha256(&[&state, format!("{:?}", self.books).as_bytes(), &[self.clock as u8]])
    }

    /// Every command of the scenario, on this state.
    fn explore(&self, scenario: &Scenario) -> Vec<Node> {
        let mut reached = Vec::new();
        if self.clock + 1 < scenario.instants.len() {
            let mut later = self.clone();
            later.clock += 1;
            later.path = Some(self.step(&later.now(scenario), None));
            later.depth += 1;
            reached.push(later);
        }
        for command in self.commands(scenario) {
            match self.take(scenario, &command) {
                Ok((mut next, outcome)) => {
                    next.note(scenario, self, &command, &outcome);
                    next.check_again(scenario, &command, &outcome);
                    reached.push(next);
                }
                Err(error) => assert!(
                    scenario.refusals.contains(&error.code()),
                    "{error:?} for {} after\n  {}",
                    short(&command),
                    self.trace()
                ),
            }
        }
        reached
    }

    fn commands(&self, scenario: &Scenario) -> Vec<Command> {
        let subscriptions = self.books.subscriptions();
        let mut commands = scenario.commands(&subscriptions);
        commands.extend(scenario.credits(subscriptions[0], &self.charged));
        commands
    }

    /// Keeps what a command did from `before` on.
    fn note(&mut self, scenario: &Scenario, before: &Node, command: &Command, outcome: &Outcome) {
        self.books.note(scenario, before, command, outcome);
        if let (Command::Settle(_) | Command::SettlePart(_), Outcome::Receipt { receipt, .. }) =
            (command, outcome)
            && scenario.gives_back
        {
            let ReceiptEntry { head, body, digest, .. } = (**receipt).clone();
            let signature = Some(scenarios::key().sign(&digest));
            let name = name_of(&head, &body.items);
            self.charged.insert(name, Receipt { head, signature, body: Some(body) });
        }
    }

    /// A command that was recorded and comes again changes nothing.
    fn check_again(&self, scenario: &Scenario, command: &Command, outcome: &Outcome) {
        if !happens_once(command) || matches!(outcome, Outcome::Denied(_)) {
            return;
        }
        let again = self.take(scenario, command);
        assert!(
            matches!(&again, Ok((node, Outcome::Replayed(_))) if node.state == self.state),
            "not a replay after\n  {}",
            self.trace()
        );
    }

    /// What must hold of every state by itself.
    fn check(&self, scenario: &Scenario) {
        self.check_snapshot();
        let told = self.books.check(scenario, self);
        told.unwrap_or_else(|why| panic!("{why} after\n  {}", self.trace()));
    }

    fn check_snapshot(&self) {
        let bytes = Meter::from_state(self.state.clone(), SALT).snapshot();
        let read = Meter::from_snapshot(&bytes, SALT).map(|meter| *meter.durable() == self.state);
        assert_eq!(read, Ok(true), "a snapshot is not the state after\n  {}", self.trace());
    }

    /// The ledger that led here audits clean, and its audit ends in this state.
    fn audit(&self) {
        let mut auditor = Auditor::new();
        for entry in self.ledger() {
            if let Err(error) = auditor.next(entry) {
                panic!("{error:?} in an audit after\n  {}", self.trace());
            }
        }
        assert!(*auditor.into_meter().durable() == self.state, "after\n  {}", self.trace());
    }
}

/// The commands of a path, in their order.
fn trace_of(mut step: Option<&Arc<Path>>) -> String {
    let mut lines = Vec::new();
    while let Some(path) = step {
        lines.push(path.command.as_str());
        step = path.before.as_ref();
    }
    lines.reverse();
    lines.join("\n  ")
}

/// A command as a trace says it. A plan is long, and so is a receipt that is given back.
fn short(command: &dyn core::fmt::Debug) -> String {
    let mut command = format!("{command:?}");
    let end = ["canonical", "receipt: "].iter().filter_map(|part| command.find(part)).min();
    command.truncate(end.unwrap_or(command.len()));
    command
}

/// Whether a command that is recorded is a replay when it comes again.
fn happens_once(command: &Command) -> bool {
    matches!(
        command,
        Command::Authorize(_) | Command::Settle(_) | Command::SettlePart(_) | Command::Credit(_)
    )
}

/// Explores a scenario; how many states were reached.
fn explore(scenario: &Scenario, depth: usize) -> usize {
    reach(scenario.begin(), Node::key, |node, key| {
        node.check(scenario);
        if scenario.loses_writes {
            node.lose_writes(scenario, &node.commands(scenario));
        }
        if node.depth < depth {
            return node.explore(scenario);
        }
        // Every state at the bound, and with it its whole path, would cost too much: one in 32.
        if key.bytes()[0] < 8 {
            node.audit();
        }
        Vec::new()
    })
}

/// How many states, told apart by their keys, are reached from the first one on, breadth first. What
/// visits one gives those that follow it.
fn reach<N>(first: N, key: impl Fn(&N) -> Digest, visit: impl Fn(&N, &Digest) -> Vec<N>) -> usize {
    let begin = key(&first);
    let mut seen = BTreeSet::from([begin]);
    let mut open = VecDeque::from(vec![(begin, first)]);
    while let Some((place, node)) = open.pop_front() {
        for next in visit(&node, &place) {
            let place = key(&next);
            if seen.insert(place) {
                open.push_back((place, next));
            }
        }
    }
    seen.len()
}

/// How many commands further than in the tests.
fn further() -> usize {
    env::var("COUNTERFOIL_EXPLORE").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn said(scenario: &Scenario, depth: usize, states: usize) {
    println!("{}: {states} states within {depth} commands", scenario.name);
    assert!(states >= scenario.states, "{}: only {states} states", scenario.name);
}

#[test]
fn every_reachable_state_keeps_the_laws() {
    for scenario in scenarios() {
        let depth = scenario.depth + further();
        said(&scenario, depth, explore(&scenario, depth));
    }
}

#[test]
fn every_reachable_state_of_two_replicas_keeps_the_laws() {
    for replicas in replicas() {
        let depth = replicas.scenario.depth + further();
        said(&replicas.scenario, depth, replicas.explore(depth));
    }
}
