//! Two meters of one subscription: one lends, the other holds its lease, and a balancer may send a call
//! to either, and to the other one again.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};

use super::{
    Node, Path, SALT, happens_once,
    payer::{Payer, name_of},
    reach,
    scenarios::{MINUTE, Scenario, base, id, instant, key, plan, request, settle},
    short, trace_of,
    watch::Books,
};
use crate::{
    crypto::{Digest, sha256},
    entry::{Entry, ReleaseReason},
    error::Code,
    meter::{Command, Credit, LeaseRequest, Meter, Outcome, Subscribe},
    plan::Plan,
    settlement::Duplicates,
    time::Timestamp,
};

/// The meter that lends, and the one that holds.
pub(super) const LENDER: usize = 0;
pub(super) const HOLDER: usize = 1;

/// What may happen: which meter, which call, how many units.
#[derive(Debug, Clone, Copy)]
enum Act {
    Later,
    Authorize(usize, u8, u64),
    Settle(usize, u8, u64),
    Release(usize, u8),
    Due(usize),
    Lease,
    Accept,
    State {
        closing: bool,
    },
    /// A statement, by its number: again, too, and after later ones.
    Absorb(usize),
    /// All that a receipt cost, by its number.
    Credit(usize),
}

/// A small pair of meters, and what has happened already.
pub(super) struct Replicas {
    pub(super) scenario: Scenario,
    /// What may be used in all, by the limit `units`.
    pub(super) units: Option<u64>,
    /// Whether the spend limit covers the lender's own calls only.
    pub(super) apart: bool,
    begin: &'static [Act],
}

/// A reachable state of both meters.
#[derive(Clone)]
pub(super) struct World {
    pub(super) meters: [Node; 2],
    payer: Payer,
    path: Option<Arc<Path>>,
    depth: usize,
}

/// Prices that rise: who holds the cheap units must not spend them for two.
const RISING: &str = r#""model":"graduated","tiers":[{"up_to":2,"price":"1"},{"price":"3"}]"#;
/// Prices that fall: dear units that come back leave the rest billed too low.
const FALLING: &str = r#""model":"graduated","tiers":[{"up_to":2,"price":"10"},{"price":"5"}]"#;

fn rising(units: u64) -> u128 {
    u128::from(units.min(2) + 3 * units.saturating_sub(2))
}

fn falling(units: u64) -> u128 {
    u128::from(10 * units.min(2) + 5 * units.saturating_sub(2))
}

pub(super) fn replicas() -> Vec<Replicas> {
    vec![lent(), counted(), coming_back(), retried(), apart(), lost()]
}

/// From the first command on, with a spend limit.
fn lent() -> Replicas {
    let plan = plan(RISING, r#"[{"id":"hourly","spend":"7","window":"hour"}]"#, "");
    let scenario = Scenario {
        hourly: Some(7),
        price: rising,
        holds: vec![1, 3],
        depth: 5,
        states: 300,
        ..scenario("lent", plan)
    };
    Replicas { scenario, units: None, apart: false, begin: &[] }
}

/// The same, with a limit on units.
fn counted() -> Replicas {
    let limits = r#"[{"id":"units","meter":"a","most":3,"window":"hour"}]"#;
    let plan = plan(RISING, limits, "");
    let scenario =
        Scenario { price: rising, depth: 4, states: 100, ..scenario("lent units", plan) };
    Replicas { scenario, units: Some(3), apart: false, begin: &[Act::Lease] }
}

/// A lease with a call that is used, stated, over, or comes back.
fn coming_back() -> Replicas {
    let plan = plan(FALLING, r#"[{"id":"hourly","spend":"25","window":"hour"}]"#, "");
    let scenario = Scenario {
        hourly: Some(25),
        price: falling,
        instants: minutes(&[50, 70, 75]),
        depth: 5,
        states: 300,
        ..scenario("a lease comes back", plan)
    };
    let begin = &[Act::Lease, Act::Accept, Act::Authorize(HOLDER, 0, 1)];
    Replicas { scenario, units: None, apart: false, begin }
}

/// A call that the holder charged and the lender holds: the balancer did not hear of the first.
fn retried() -> Replicas {
    let begin = &[
        Act::Lease,
        Act::Accept,
        Act::Authorize(HOLDER, 0, 1),
        Act::Settle(HOLDER, 0, 1),
        Act::State { closing: false },
        Act::Authorize(LENDER, 0, 1),
        Act::Settle(LENDER, 0, 1),
    ];
    let scenario = Scenario {
        name: "retried on another replica",
        instants: minutes(&[50, 75]),
        depth: 6,
        states: 200,
        ..coming_back().scenario
    };
    Replicas { scenario, units: None, apart: false, begin }
}

/// A limit that covers the lender's calls only: what comes back leaves them billed too low.
fn apart() -> Replicas {
    let limits = r#"[{"id":"own","match":{"model":["own"]},"spend":"15","window":"hour"}]"#;
    let begin = &[
        Act::Lease,
        Act::Accept,
        Act::Authorize(LENDER, 0, 1),
        Act::Settle(LENDER, 0, 1),
        Act::State { closing: true },
    ];
    let scenario = Scenario {
        hourly: Some(15),
        price: falling,
        instants: minutes(&[50, 75]),
        calls: 2,
        depth: 4,
        states: 100,
        ..scenario("a limit of some calls", plan(FALLING, limits, ""))
    };
    Replicas { scenario, units: None, apart: true, begin }
}

/// Writes of either meter that may be lost.
fn lost() -> Replicas {
    let begin = &[Act::Lease, Act::Accept, Act::Authorize(HOLDER, 0, 1), Act::Settle(HOLDER, 0, 1)];
    let scenario = Scenario {
        name: "lost writes of replicas",
        instants: minutes(&[50, 70]),
        holds: vec![1],
        used: vec![1],
        loses_writes: true,
        depth: 3,
        states: 50,
        ..coming_back().scenario
    };
    Replicas { scenario, units: None, apart: false, begin }
}

fn scenario(name: &'static str, plan: Plan) -> Scenario {
    // The lease ends at minute 55 and is over at 70; the hour ends at 60 and closes at 75.
    let instants = minutes(&[50, 55, 70, 75]);
    Scenario { instants, calls: 1, used: vec![1, 3], ..base(name, plan) }
}

fn minutes(minutes: &[u64]) -> Vec<Timestamp> {
    minutes.iter().map(|minute| instant(minute * MINUTE)).collect()
}

impl Replicas {
    /// Explores; how many states were reached.
    pub(super) fn explore(&self, depth: usize) -> usize {
        reach(self.begin(), World::key, |world, key| {
            world.check(self);
            if self.scenario.loses_writes {
                world.lose_writes(self);
            }
            if world.depth < depth {
                return world.explore(self);
            }
            if key.bytes()[0] < 8 {
                world.meters.iter().for_each(Node::audit);
            }
            Vec::new()
        })
    }

    fn begin(&self) -> World {
        let meters = ["lender.example", "holder.example"].map(|origin| {
            let node = Node {
                state: Meter::new(SALT).durable().clone(),
                books: Books::default(),
                charged: BTreeMap::new(),
                clock: 0,
                path: None,
                depth: 0,
            };
            let begin = Command::Begin { origin: origin.into(), signer: key().address() };
            let plan = Command::AddPlan(Box::new(self.scenario.plan.clone()));
            [begin, plan].iter().fold(node, |node, command| {
                node.take(&self.scenario, command).expect("a beginning").0
            })
        });
        let subscribe = Command::Subscribe(Subscribe {
            plan: self.scenario.plan.id(),
            payer: None,
            account: Some("customer".into()),
            started_at: self.scenario.instants[0],
            rail: Digest::ZERO,
        });
        let [lender, holder] = meters;
        let subscribed = lender.take(&self.scenario, &subscribe);
        let Ok((lender, Outcome::Opened { subscription, .. })) = subscribed else {
            panic!("no subscription");
        };
        let payer = Payer::new(subscription);
        let world = World { meters: [lender, holder], payer, path: None, depth: 0 };
        let begun = self
            .begin
            .iter()
            .fold(world, |world, act| world.after(self, *act).expect("a beginning"));
        World { depth: 0, ..begun }
    }

    fn acts(&self, world: &World) -> Vec<Act> {
        let mut acts = vec![Act::Lease, Act::Accept];
        for meter in [LENDER, HOLDER] {
            acts.push(Act::Due(meter));
            for call in 0..self.scenario.calls {
                acts.push(Act::Release(meter, call));
                // Calls of the next hour share nothing with these.
                if world.now(self) < instant(60 * MINUTE) {
                    let holds = self.scenario.holds.iter();
                    acts.extend(holds.map(|n| Act::Authorize(meter, call, *n)));
                }
                acts.extend(self.scenario.used.iter().map(|n| Act::Settle(meter, call, *n)));
            }
        }
        acts.extend([true, false].map(|closing| Act::State { closing }));
        acts.extend((0..world.payer.statements.len()).map(Act::Absorb));
        acts.extend((0..world.payer.charged.len()).map(Act::Credit));
        if world.meters[LENDER].clock + 1 < self.scenario.instants.len() {
            acts.push(Act::Later);
        }
        acts
    }
}

impl World {
    pub(super) fn now(&self, of: &Replicas) -> Timestamp {
        self.meters[LENDER].now(&of.scenario)
    }

    pub(super) fn trace(&self) -> String {
        trace_of(self.path.as_ref())
    }

    /// All that decides what can follow: both meters, what the payer's books say, and the time.
    fn key(&self) -> Digest {
        let [lender, holder] = self.meters.each_ref().map(Node::key);
        sha256(&[lender.bytes(), holder.bytes(), self.payer.key().as_bytes()])
    }

    /// What an act asks of which meter; nothing where there is nothing to ask.
    fn command(&self, of: &Replicas, act: Act) -> Option<(usize, Command)> {
        let lease = self.payer.leases.first();
        let subscription = |meter| match meter {
            LENDER => Some(self.payer.subscription),
            _ => lease.map(|lent| lent.id),
        };
        Some(match act {
            Act::Later => return None,
            Act::Authorize(meter, call, units) => {
                let mut request = request(subscription(meter)?, id(call), units);
                let model = if meter == LENDER { "own" } else { "lent" };
                request.most.set_attribute("model", model).expect("an attribute");
                (meter, Command::Authorize(request))
            }
            Act::Settle(m, call, units) => {
                (m, Command::Settle(settle(subscription(m)?, id(call), units)))
            }
            Act::Release(meter, call) => {
                let (subscription, reason) = (subscription(meter)?, ReleaseReason::Released);
                (meter, Command::Release { subscription, id: id(call), reason })
            }
            Act::Due(meter) => (meter, Command::Due),
            // A second one stands beside the first, and nobody takes it.
            Act::Lease if self.payer.leases.len() < 2 => {
                let units = if lease.is_none() { 2 } else { 1 };
                let limits = of.units.map(|_| ("units".to_string(), units));
                let request = LeaseRequest {
                    subscription: self.payer.subscription,
                    holder: "holder.example".into(),
                    until: instant(55 * MINUTE),
                    units: [("a".to_string(), units)].into(),
                    limits: limits.into_iter().collect(),
                    attributes: [("model".to_string(), "lent".to_string())].into(),
                };
                (LENDER, Command::Lease(request))
            }
            Act::Lease => return None,
            Act::Accept => {
                let lent = lease?;
                let (lease, signature) = (lent.lease.to_bytes(), lent.signature);
                (HOLDER, Command::Accept { lease, signature, rail: Digest::ZERO })
            }
            Act::State { closing } => (HOLDER, Command::Statement { lease: lease?.id, closing }),
            Act::Absorb(number) => {
                let said = &self.payer.statements[number];
                let (statement, signature) = (said.statement.to_bytes(), said.signature);
                (LENDER, Command::Absorb { statement, signature })
            }
            Act::Credit(number) => {
                let charged = &self.payer.charged[number];
                let credit = Credit {
                    subscription: self.payer.subscription,
                    id: name_of(charged.meter, &charged.receipt),
                    receipt: charged.receipt.clone(),
                    amount: None,
                    reason: "charged twice".into(),
                };
                (LENDER, Command::Credit(Box::new(credit)))
            }
        })
    }

    fn after(&self, of: &Replicas, act: Act) -> Option<World> {
        let mut next = self.clone();
        next.depth += 1;
        let command = format!("{act:?}");
        next.path = Some(Arc::new(Path { command, entry: None, before: self.path.clone() }));
        if matches!(act, Act::Later) {
            next.meters.iter_mut().for_each(|meter| meter.clock += 1);
            return Some(next);
        }
        let (meter, command) = self.command(of, act)?;
        let (node, outcome) = match self.meters[meter].take(&of.scenario, &command) {
            Ok(taken) => taken,
            Err(error) => {
                let expected = self.may_refuse(&command, error.code());
                assert!(expected, "{error:?} for {} after\n  {}", short(&command), self.trace());
                return None;
            }
        };
        next.meters[meter] = node;
        next.payer.note(of, self, meter, &command, &outcome).unwrap_or_else(|why| {
            panic!("{why}: {} after\n  {}", short(&command), self.trace());
        });
        next.name_receipts();
        next.check_again(of, meter, &command, &outcome);
        Some(next)
    }

    /// Credits are of receipts, which states are told apart by: the lender's key must know their names.
    fn name_receipts(&mut self) {
        let names = self
            .payer
            .charged
            .iter()
            .map(|charged| (name_of(charged.meter, &charged.receipt), charged.receipt.clone()));
        self.meters[LENDER].charged = names.collect();
    }

    /// Whether a command may be refused for this.
    fn may_refuse(&self, command: &Command, code: Code) -> bool {
        match command {
            Command::Lease(_) => [Code::TimeInvalid, Code::WindowClosed].contains(&code),
            Command::Accept { .. } => code == Code::LeaseClosed,
            Command::Statement { .. } => {
                [Code::LeaseUnknown, Code::LeaseClosed, Code::LeaseRefused].contains(&code)
            }
            Command::Absorb { statement, .. } => match code {
                Code::LeaseUnknown => !self.payer.leases[0].out,
                Code::LeaseInvalid => self.payer.is_behind(statement),
                _ => false,
            },
            Command::Credit(_) => [Code::CreditInvalid, Code::CreditExceeded].contains(&code),
            _ => [
                Code::HoldUnknown,
                Code::RequestConflict,
                Code::WindowClosed,
                Code::SubscriptionUnknown,
                Code::LeaseClosed,
            ]
            .contains(&code),
        }
    }

    /// What comes again changes nothing.
    fn check_again(&self, of: &Replicas, meter: usize, command: &Command, outcome: &Outcome) {
        let taken = matches!(command, Command::Accept { .. } | Command::Absorb { .. });
        let denied = matches!(outcome, Outcome::Denied(_));
        if denied || !taken && !happens_once(command) {
            return;
        }
        let node = &self.meters[meter];
        let again = node.take(&of.scenario, command);
        let same = matches!(&again, Ok((again, outcome)) if again.state == node.state
            && (taken || matches!(outcome, Outcome::Replayed(_))));
        assert!(same, "not a replay after\n  {}", self.trace());
    }

    fn explore(&self, of: &Replicas) -> Vec<World> {
        of.acts(self).into_iter().filter_map(|act| self.after(of, act)).collect()
    }

    /// What either meter may be asked is lost in every way.
    fn lose_writes(&self, of: &Replicas) {
        let asked = || of.acts(self).into_iter().filter_map(|act| self.command(of, act));
        for (meter, node) in self.meters.iter().enumerate() {
            let commands = asked().filter(|(asked, _)| *asked == meter);
            let commands: Vec<Command> = commands.map(|(_, command)| command).collect();
            node.lose_writes(&of.scenario, &commands);
        }
    }

    fn check(&self, of: &Replicas) {
        self.meters.iter().for_each(Node::check_snapshot);
        let told = self.payer.check(of, self).and_then(|()| self.check_duplicates());
        told.unwrap_or_else(|why| panic!("{why} after\n  {}", self.trace()));
    }

    /// A call that both lanes charged is found in their ledgers, until a credit gave it back.
    fn check_duplicates(&self) -> Result<(), String> {
        let calls = |meter| self.payer.charged_calls(meter);
        let both: BTreeSet<Digest> = calls(LENDER).intersection(&calls(HOLDER)).copied().collect();
        if both.is_empty() {
            return Ok(());
        }
        let mut duplicates = Duplicates::new();
        for entry in self.meters.iter().flat_map(Node::ledger) {
            let entry = Entry::from_bytes(entry).expect("an entry of a ledger");
            duplicates.add(&entry).expect("an entry of an audited ledger");
        }
        let found = duplicates.list().expect("a list");
        if !found.iter().map(|duplicate| duplicate.subject).eq(both.iter().copied()) {
            return Err("a call that both charged was not found".into());
        }
        for duplicate in found {
            for receipt in &duplicate.extra.receipts {
                if self.payer.is_given_back(&receipt.digest) != Some(duplicate.resolved) {
                    return Err("what is still to be given back is not what the list says".into());
                }
            }
        }
        Ok(())
    }
}
