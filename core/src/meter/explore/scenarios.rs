//! The small meters that are explored.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{Node, watch::Books};
use crate::{
    crypto::{Digest, LocalKey},
    entry::ReleaseReason,
    error::Code,
    meter::{Command, Meter, Outcome, Request, Settle, Subscribe},
    plan::Plan,
    time::Timestamp,
    usage::{Basis, Surface, Usage},
};

/// 2026-11-02T00:00:00Z, a Monday.
const MONDAY: u64 = 1_793_577_600_000;
const MINUTE: u64 = 60_000;
/// How long after its end a window closes.
pub(super) const GRACE: u64 = 15 * MINUTE;

/// A plan, the instants at which things happen, and the commands that may.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) plan: Plan,
    pub(super) instants: Vec<Timestamp>,
    /// How many calls there are, and the units that each may hold.
    calls: u8,
    holds: Vec<u64>,
    used: Vec<u64>,
    /// Whether calls may be charged in parts and held for longer.
    running: bool,
    /// Grants that may be given (terms), and taken back.
    grants: Vec<&'static str>,
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
    vec![rising(), closing(), falling(), granted(), rounded()]
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

fn base_refusals() -> Vec<Code> {
    vec![Code::HoldUnknown, Code::RequestConflict, Code::WindowClosed]
}

fn base(name: &'static str, plan: Plan) -> Scenario {
    // A hold of minute 50 expires at 60, extended at 65; the hour ends at 60 and closes at 75.
    let instants = [50, 55, 60, 65, 75, 90];
    Scenario {
        name,
        plan,
        instants: instants.into_iter().map(|minute| instant(minute * MINUTE)).collect(),
        calls: 3,
        holds: vec![1, 2],
        used: vec![0, 1, 2, 3],
        running: false,
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

fn instant(after: u64) -> Timestamp {
    Timestamp::from_millis(MONDAY + after).expect("an instant")
}

fn key() -> LocalKey {
    LocalKey::from_bytes(&[0x11; 32]).expect("a key")
}

/// A plan with one charge on meter `a` by the hour, holds of ten minutes and a grace of fifteen.
fn plan(charge: &str, limits: &str, more: &str) -> Plan {
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
    /// A meter with its one subscription, at the first instant.
    pub(super) fn begin(&self) -> Node {
        let state = Meter::new(super::SALT).durable().clone();
        let mut node = Node { state, books: Books::default(), clock: 0, path: None, depth: 0 };
        let subscribe = Subscribe {
            plan: self.plan.id(),
            payer: None,
            account: Some("customer".into()),
            started_at: self.instants[0],
            rail: Digest::ZERO,
        };
        for command in [
            Command::Begin { origin: "log.example".into(), signer: key().address() },
            Command::AddPlan(Box::new(self.plan.clone())),
            Command::Subscribe(subscribe),
        ] {
            let (next, outcome) = node.take(self, &command).expect("a beginning");
            node = next;
            if let Outcome::Opened { subscription, lane, .. } = outcome {
                node.books.open(subscription, lane);
            }
        }
        node.depth = 0;
        node
    }

    /// Everything that may be asked of a meter with this subscription.
    pub(super) fn commands(&self, subscription: Digest) -> Vec<Command> {
        let mut commands = vec![Command::Due];
        for call in 0..self.calls {
            for units in &self.holds {
                let request = Request::new(subscription, id(call), usage(*units));
                commands.push(Command::Authorize(request));
            }
            for units in &self.used {
                let settle = Settle {
                    subscription,
                    id: id(call),
                    usage: usage(*units),
                    content: Digest::ZERO,
                };
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
        for terms in &self.grants {
            commands.push(Command::Grant { subscription, terms: (*terms).into() });
            commands.push(Command::Void { subscription, grant: "top_up".into() });
        }
        commands
    }
}

fn usage(units: u64) -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    usage.set("a", units).expect("a usage");
    usage
}
