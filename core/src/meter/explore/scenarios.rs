//! The small meters that are explored.

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{Node, watch::Books};
use crate::{
    amount::{Amount, Exact},
    crypto::{Digest, LocalKey},
    entry::ReleaseReason,
    error::Code,
    meter::{Command, Credit, Meter, Outcome, Request, Settle, Subscribe},
    plan::Plan,
    receipt::Receipt,
    time::Timestamp,
    usage::{Basis, Surface, Usage},
};

/// 2026-11-02T00:00:00Z, a Monday.
const MONDAY: u64 = 1_793_577_600_000;
pub(super) const MINUTE: u64 = 60_000;
/// How long after its end a window closes.
pub(super) const GRACE: u64 = 15 * MINUTE;

/// A plan, the instants at which things happen, and the commands that may.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) plan: Plan,
    pub(super) instants: Vec<Timestamp>,
    /// How many subscriptions the payer has; calls are theirs in turn.
    pub(super) subscriptions: u8,
    /// How many calls there are, and the units that each may hold.
    pub(super) calls: u8,
    pub(super) holds: Vec<u64>,
    pub(super) used: Vec<u64>,
    /// Whether calls may be charged in parts and held for longer.
    pub(super) running: bool,
    /// Whether what calls cost may be given back, receipt by receipt: all that is left, and one unit.
    pub(super) gives_back: bool,
    /// Whether proposed steps may be lost.
    pub(super) loses_writes: bool,
    /// The units of calls that were made before.
    pub(super) made: Vec<u64>,
    /// Grants that may be given (terms), and taken back.
    pub(super) grants: Vec<&'static str>,
    /// When the grant `units` expires.
    pub(super) expires: Option<Timestamp>,
    /// What F is, in atomic units, of so many units of a window.
    pub(super) price: fn(u64) -> u128,
    /// What calls of one hour may cost at most, in atomic units.
    pub(super) hourly: Option<u128>,
    /// What may be owed, in atomic units: nothing was collected.
    pub(super) credit: Option<u128>,
    /// How many holds may reserve at once.
    pub(super) concurrency: Option<u64>,
    /// Codes with which commands may be refused.
    pub(super) refusals: Vec<Code>,
    /// The number of commands in the tests, and the least number of states there.
    pub(super) depth: usize,
    pub(super) states: usize,
}

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        rising(),
        closing(),
        falling(),
        granted(),
        rounded(),
        given_back(),
        given_back_surplus(),
        given_back_true_up(),
        lost(),
        shared(),
    ]
}

/// Tiers that rise, and a spend limit by the hour.
fn rising() -> Scenario {
    let plan = plan(
        r#""model":"graduated","tiers":[{"up_to":2,"price":"1"},{"price":"3"}]"#,
        r#"[{"id":"hourly","spend":"7","window":"hour"}]"#,
        "",
    );
    Scenario {
        hourly: Some(7),
        running: true,
        calls: 2,
        refusals: [base_refusals(), vec![Code::UsageContradiction]].concat(),
        price: |units| u128::from(units.min(2) + 3 * units.saturating_sub(2)),
        ..base("rising tiers", plan)
    }
}

/// The same, seen only as the hour ends and closes.
fn closing() -> Scenario {
    let instants = [55, 60, 75].into_iter().map(|minute| instant(minute * MINUTE)).collect();
    Scenario { name: "closing hour", instants, calls: 1, depth: 6, states: 100, ..rising() }
}

/// A volume price that falls: a window owes a true-up.
fn falling() -> Scenario {
    let plan = plan(
        r#""model":"volume","tiers":[{"up_to":2,"price":"10"},{"price":"5"}]"#,
        r#"[{"id":"hourly","spend":"25","window":"hour"}]"#,
        "",
    );
    Scenario {
        hourly: Some(25),
        running: true,
        calls: 2,
        refusals: [base_refusals(), vec![Code::UsageContradiction]].concat(),
        price: |units| u128::from(if units <= 2 { 10 * units } else { 5 * units }),
        ..base("falling volume price", plan)
    }
}

/// Prepaid: grants of units and of money, one of which expires between hold and settle.
fn granted() -> Scenario {
    let plan = plan(
        r#""model":"per_unit","price":"1""#,
        r#"[{"id":"prepaid","credit":"2"}]"#,
        &format!(
            r#","grants":[{{"id":"units","kind":"trial","meter":"a","units":2,"expires":{}}}]"#,
            5 * MINUTE
        ),
    );
    Scenario {
        grants: vec![r#"{"id":"top_up","kind":"promotional","money":"2"}"#],
        expires: Some(instant(55 * MINUTE)),
        credit: Some(2),
        price: u128::from,
        refusals: [base_refusals(), vec![Code::GrantConflict, Code::GrantUnknown]].concat(),
        ..base("prepaid", plan)
    }
}

/// Receipts rounded up, each on its own, and two calls at a time.
fn rounded() -> Scenario {
    let plan = plan(
        r#""model":"package","size":2,"price":"1.5""#,
        r#"[{"id":"hourly","spend":"6","window":"hour"},{"id":"open","concurrency":2}]"#,
        r#","rounding":"up""#,
    );
    Scenario { hourly: Some(6), concurrency: Some(2), price: |_| 0, ..base("rounded up", plan) }
}

/// Prepaid calls in parts that are given back, while a grant expires.
fn given_back() -> Scenario {
    let refusals = [granted().refusals, gives_back_refusals()].concat();
    let instants = [50, 55].into_iter().map(|minute| instant(minute * MINUTE)).collect();
    Scenario {
        name: "given back",
        instants,
        calls: 1,
        holds: vec![4],
        used: vec![1, 4],
        running: true,
        gives_back: true,
        refusals,
        depth: 6,
        states: 500,
        ..granted()
    }
}

/// Volume tiers that fall within a call: its end gives back a surplus.
fn given_back_surplus() -> Scenario {
    let instants = [55, 75].into_iter().map(|minute| instant(minute * MINUTE)).collect();
    let plan =
        plan(r#""model":"volume","tiers":[{"up_to":2,"price":"10"},{"price":"5"}]"#, "[]", "");
    Scenario {
        name: "surplus given back",
        plan,
        instants,
        calls: 1,
        holds: vec![3],
        used: vec![1, 2],
        gives_back: true,
        made: vec![1],
        hourly: None,
        refusals: [falling().refusals, gives_back_refusals()].concat(),
        depth: 6,
        states: 200,
        ..falling()
    }
}

/// The same, where calls have left more than their hour costs, and the next hour is charged, too.
fn given_back_true_up() -> Scenario {
    let instants = [55, 65, 75].into_iter().map(|minute| instant(minute * MINUTE)).collect();
    Scenario {
        name: "given back before a true-up",
        instants,
        made: vec![2, 1],
        used: vec![1],
        ..given_back_surplus()
    }
}

/// Two calls in parts whose writes may be lost.
fn lost() -> Scenario {
    Scenario {
        name: "lost writes",
        instants: [55, 65].into_iter().map(|minute| instant(minute * MINUTE)).collect(),
        loses_writes: true,
        gives_back: true,
        holds: vec![2],
        used: vec![1],
        refusals: [rising().refusals, gives_back_refusals()].concat(),
        depth: 3,
        states: 40,
        ..rising()
    }
}

fn gives_back_refusals() -> Vec<Code> {
    vec![Code::CreditInvalid, Code::CreditExceeded, Code::UsageContradiction]
}

/// Two subscriptions of one payer, with one budget and two calls at a time.
fn shared() -> Scenario {
    let plan = plan(
        r#""model":"per_unit","price":"1""#,
        r#"[{"id":"hourly","spend":"3","window":"hour","across":"payer"},
            {"id":"open","concurrency":2,"across":"payer"}]"#,
        "",
    );
    Scenario {
        subscriptions: 2,
        hourly: Some(3),
        concurrency: Some(2),
        price: u128::from,
        ..base("two subscriptions of one payer", plan)
    }
}

fn base_refusals() -> Vec<Code> {
    vec![Code::HoldUnknown, Code::RequestConflict, Code::WindowClosed]
}

pub(super) fn base(name: &'static str, plan: Plan) -> Scenario {
    // A hold of minute 50 expires at 60, extended at 65; the hour ends at 60 and closes at 75.
    let instants = [50, 55, 60, 65, 75, 90];
    Scenario {
        name,
        plan,
        instants: instants.into_iter().map(|minute| instant(minute * MINUTE)).collect(),
        subscriptions: 1,
        calls: 3,
        holds: vec![1, 2],
        used: vec![0, 1, 2, 3],
        running: false,
        gives_back: false,
        loses_writes: false,
        made: Vec::new(),
        grants: Vec::new(),
        expires: None,
        price: |_| 0,
        hourly: None,
        credit: None,
        concurrency: None,
        refusals: base_refusals(),
        depth: 4,
        states: 1000,
    }
}

pub(super) fn instant(after: u64) -> Timestamp {
    Timestamp::from_millis(MONDAY + after).expect("an instant")
}

pub(super) fn key() -> LocalKey {
    LocalKey::from_bytes(&[0x11; 32]).expect("a key")
}

/// A plan with one charge on meter `a` by the hour, holds of ten minutes and a grace of fifteen.
pub(super) fn plan(charge: &str, limits: &str, more: &str) -> Plan {
    let text = format!(
        r#"{{"format":"counterfoil/plan/1","name":"Explored","authority":"{}",
        "currency":{{"network":"eip155:84532","token":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","decimals":0}},
        "meters":{{"a":"unit"}},"charges":[{{"id":"a","meter":"a","window":"hour",{charge}}}],
        "limits":{limits},"payees":[{{"payee":"seller","weight":1}}],
        "signing":{{"mode":"checkpoint","receipts":1000,"value":"1000000","ms":86400000}},
        "times":{{"hold":600000,"grace":900000,"skew":1,"replay":86400000,
        "unfinished":"held"}}{more}}}"#,
        key().address()
    );
    Plan::from_json(text.as_bytes()).expect("a plan")
}

pub(super) fn id(call: u8) -> String {
    char::from(b'a' + call).to_string()
}

impl Scenario {
    /// A meter with its subscriptions, at the first instant.
    pub(super) fn begin(&self) -> Node {
        let state = Meter::new(super::SALT).durable().clone();
        let (books, charged) = (Books::default(), BTreeMap::new());
        let mut node = Node { state, books, charged, clock: 0, path: None, depth: 0 };
        let since = self.instants[0].millis() - MONDAY;
        let subscribe = |number: u8| {
            Command::Subscribe(Subscribe {
                plan: self.plan.id(),
                payer: None,
                account: Some("customer".into()),
                started_at: instant(since - u64::from(number)),
                rail: Digest::ZERO,
            })
        };
        let mut commands = vec![
            Command::Begin { origin: "log.example".into(), signer: key().address() },
            Command::AddPlan(Box::new(self.plan.clone())),
        ];
        commands.extend((0..self.subscriptions).map(subscribe));
        for command in commands {
            let (next, outcome) = node.take(self, &command).expect("a beginning");
            node = next;
            if let Outcome::Opened { subscription, lane, .. } = outcome {
                node.books.open(subscription, lane);
            }
        }
        let subscription = node.books.subscriptions()[0];
        for (number, units) in self.made.iter().enumerate() {
            let id = format!("made {number}");
            let settle = Command::Settle(settle(subscription, id.clone(), *units));
            for command in [authorize(subscription, id, *units), settle] {
                let (mut next, outcome) = node.take(self, &command).expect("a beginning");
                next.note(self, &node, &command, &outcome);
                node = next;
            }
        }
        node.depth = 0;
        node
    }

    /// Everything that may be asked of a meter with these subscriptions.
    pub(super) fn commands(&self, subscriptions: &[Digest]) -> Vec<Command> {
        let mut commands = vec![Command::Due];
        for call in 0..self.calls {
            let subscription = subscriptions[usize::from(call) % subscriptions.len()];
            for units in &self.holds {
                commands.push(authorize(subscription, id(call), *units));
            }
            for units in &self.used {
                let settle = settle(subscription, id(call), *units);
                if self.running {
                    commands.push(Command::SettlePart(settle.clone()));
                }
                commands.push(Command::Settle(settle));
            }
            if self.running {
                for most in [None, Some(usage(2)), Some(usage(3))] {
                    commands.push(Command::Extend { subscription, id: id(call), most });
                }
                commands.push(Command::SettleUnfinished { subscription, id: id(call) });
            }
            for reason in [ReleaseReason::Released, ReleaseReason::Unknown] {
                commands.push(Command::Release { subscription, id: id(call), reason });
            }
        }
        let subscription = subscriptions[0];
        for terms in &self.grants {
            commands.push(Command::Grant { subscription, terms: (*terms).into() });
            commands.push(Command::Void { subscription, grant: "top_up".into() });
        }
        commands
    }

    /// What may be given back of these receipts, by name: all that is left, and one unit.
    pub(super) fn credits(
        &self,
        subscription: Digest,
        charged: &BTreeMap<String, Receipt>,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        for (name, receipt) in charged {
            for amount in [None, Some(Exact::from_amount(Amount::from_atomic(1)))] {
                commands.push(Command::Credit(Box::new(Credit {
                    subscription,
                    id: format!("{name}/{}", amount.is_some()),
                    receipt: receipt.clone(),
                    amount,
                    reason: "did not help".into(),
                })));
            }
        }
        commands
    }
}

fn authorize(subscription: Digest, id: String, units: u64) -> Command {
    Command::Authorize(request(subscription, id, units))
}

pub(super) fn request(subscription: Digest, id: String, units: u64) -> Request {
    Request::new(subscription, id, usage(units))
}

pub(super) fn settle(subscription: Digest, id: String, units: u64) -> Settle {
    Settle { subscription, id, usage: usage(units), content: Digest::ZERO }
}

fn usage(units: u64) -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    usage.set("a", units).expect("a usage");
    usage
}
