//! What the tests share: a plan builder, and a host that records what a meter proposes.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{collections::BTreeMap, sync::Arc};

use counterfoil::{
    Digest, Exact, LocalKey, Meter, Plan, Receipt, Result, Signature, Timestamp, Usage,
    audit::Auditor,
    crypto::sha256,
    entry::{Collected, Entry, ImportMark, ReceiptEntry, ReleaseReason},
    log::Checkpoint,
    meter::{Command, Credit, Import, Outcome, Request, Settle, SignRequest, Signed, Subscribe},
    usage::{Basis, Surface},
};

pub(crate) const SALT: [u8; 32] = [7; 32];
/// 2026-11-02T00:00:00Z, a Monday.
pub(crate) const MONDAY: u64 = 1_793_577_600_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) fn key() -> LocalKey {
    LocalKey::from_bytes(&[0x11; 32]).unwrap()
}

/// `after` milliseconds past Monday.
pub(crate) fn at(after: u64) -> Timestamp {
    Timestamp::from_millis(MONDAY + after).unwrap()
}

/// A plan of the same terms under another name.
pub(crate) fn renamed(plan: &Plan, name: &str) -> Plan {
    let document = String::from_utf8(plan.canonical().to_vec()).unwrap();
    let found = document.find(r#""name":""#).unwrap() + r#""name":""#.len();
    let (before, after) = document.split_at(found);
    Plan::from_json(format!("{before}{name} {after}").as_bytes()).unwrap()
}

/// A plan document in the making: every part is JSON text.
#[derive(Clone)]
pub(crate) struct Terms {
    parts: BTreeMap<&'static str, String>,
}

impl Terms {
    /// One charge `calls` of 0.01 US dollar a unit, one payee.
    pub(crate) fn new() -> Terms {
        let mut parts = BTreeMap::new();
        parts.insert("format", r#""counterfoil/plan/1""#.to_owned());
        parts.insert("name", r#""Test""#.to_owned());
        parts.insert("authority", format!(r#""{}""#, key().address()));
        parts.insert("currency", r#"{"iso4217":"USD"}"#.to_owned());
        parts.insert("meters", r#"{"a":"unit","b":"unit"}"#.to_owned());
        parts.insert("payees", r#"[{"payee":"seller","weight":1}]"#.to_owned());
        Terms { parts }.charge(r#"{"id":"a","meter":"a","model":"per_unit","price":"0.01"}"#)
    }

    pub(crate) fn with(mut self, field: &'static str, json: impl Into<String>) -> Terms {
        self.parts.insert(field, json.into());
        self
    }

    /// Replaces all charges by this one.
    pub(crate) fn charge(self, json: &str) -> Terms {
        self.with("charges", format!("[{json}]"))
    }

    /// A token of `decimals` decimals instead of dollars.
    pub(crate) fn token(self, decimals: u8) -> Terms {
        let token = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
        self.with(
            "currency",
            format!(r#"{{"network":"eip155:84532","token":"{token}","decimals":{decimals}}}"#),
        )
    }

    pub(crate) fn spend(self, most: &str, window: Option<&str>) -> Terms {
        let window = window.map_or(String::new(), |w| format!(r#","window":"{w}""#));
        self.with("limits", format!(r#"[{{"id":"cap","spend":"{most}"{window}}}]"#))
    }

    pub(crate) fn checkpoints(self, receipts: u64, value: &str, ms: u64) -> Terms {
        self.with(
            "signing",
            format!(r#"{{"mode":"checkpoint","receipts":{receipts},"value":"{value}","ms":{ms}}}"#),
        )
    }

    pub(crate) fn json(&self) -> String {
        let fields: Vec<_> = self.parts.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!("{{{}}}", fields.join(","))
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::from_json(self.json().as_bytes()).unwrap()
    }
}

pub(crate) fn usage(meters: &[(&str, u64)]) -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    for (meter, quantity) in meters {
        usage.set(meter, *quantity).unwrap();
    }
    usage
}

pub(crate) fn a(quantity: u64) -> Usage {
    usage(&[("a", quantity)])
}

/// A meter with its ledger and signatures in memory.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) ledger: Vec<Vec<u8>>,
    /// By (checkpoint?, slot).
    pub(crate) signatures: BTreeMap<(bool, u64), Signature>,
    pub(crate) receipts: Vec<(Receipt, u64)>,
    /// What the log holds, in order.
    pub(crate) heads: Vec<Digest>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) offset: u64,
}

impl Host {
    pub(crate) fn new() -> Host {
        Host::named("log.example")
    }

    pub(crate) fn named(origin: &str) -> Host {
        let mut host = Host {
            meter: Meter::new(SALT),
            ledger: Vec::new(),
            signatures: BTreeMap::new(),
            receipts: Vec::new(),
            heads: Vec::new(),
            checkpoints: Vec::new(),
            offset: 0,
        };
        host.begin(origin, at(0));
        host
    }

    pub(crate) fn begin(&mut self, origin: &str, now: Timestamp) {
        let command = Command::Begin { origin: origin.to_owned(), signer: key().address() };
        self.run(&command, now).unwrap();
    }

    /// Propose, record, confirm, sign.
    pub(crate) fn run(&mut self, command: &Command, now: Timestamp) -> Result<Outcome> {
        let step = self.meter.propose(command, now)?;
        self.ledger.extend(step.entry);
        let outcome = self.meter.confirm(step.ticket)?;
        self.note(&outcome);
        Ok(outcome)
    }

    pub(crate) fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Opened { lane, sign: Some(sign), .. } => {
                self.heads.push(*lane);
                self.sign(sign);
            }
            Outcome::Receipt { receipt, position, sign, .. } => {
                self.heads.push(receipt.digest);
                let signature = sign.as_ref().map(|sign| self.sign(sign));
                let ReceiptEntry { head, body, .. } = (**receipt).clone();
                self.receipts.push((Receipt { head, signature, body: Some(body) }, *position));
            }
            Outcome::Leased { sign, .. } | Outcome::Stated { sign, .. } => {
                self.heads.push(sign.digest);
                self.sign(sign);
            }
            Outcome::Checkpointed { checkpoint, sign } => {
                self.checkpoints.push(checkpoint.clone());
                self.sign(sign);
            }
            _ => {}
        }
    }

    fn sign(&mut self, request: &SignRequest) -> Signature {
        let signature = request.accept(key().sign(&request.digest)).unwrap();
        let checkpoint = matches!(request.signed, Signed::Checkpoint(_));
        self.signatures.insert((checkpoint, request.slot), signature);
        signature
    }

    pub(crate) fn subscribe(&mut self, plan: &Plan) -> Digest {
        self.subscribe_as(plan, "customer", at(0))
    }

    pub(crate) fn subscribe_as(&mut self, plan: &Plan, account: &str, now: Timestamp) -> Digest {
        self.run(&Command::AddPlan(Box::new(plan.clone())), now).unwrap();
        let subscribe = Subscribe {
            plan: plan.id(),
            payer: None,
            account: Some(account.to_owned()),
            started_at: at(0),
            rail: Digest::ZERO,
        };
        match self.run(&Command::Subscribe(subscribe), now).unwrap() {
            Outcome::Opened { subscription, .. } => subscription,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn authorize(
        &mut self,
        subscription: Digest,
        id: &str,
        most: Usage,
        now: Timestamp,
    ) -> Result<Outcome> {
        let request = Request { subscription, id: id.to_owned(), created_at: None, most };
        self.run(&Command::Authorize(request), now)
    }

    pub(crate) fn settle(
        &mut self,
        subscription: Digest,
        id: &str,
        usage: Usage,
        now: Timestamp,
    ) -> Result<Outcome> {
        let settle = Settle { subscription, id: id.to_owned(), usage, content: Digest::ZERO };
        self.run(&Command::Settle(settle), now)
    }

    /// Charges what a running call has used so far.
    pub(crate) fn settle_part(
        &mut self,
        subscription: Digest,
        id: &str,
        usage: Usage,
        now: Timestamp,
    ) -> Result<Outcome> {
        let settle = Settle { subscription, id: id.to_owned(), usage, content: Digest::ZERO };
        self.run(&Command::SettlePart(settle), now)
    }

    pub(crate) fn extend(
        &mut self,
        subscription: Digest,
        id: &str,
        now: Timestamp,
    ) -> Result<Outcome> {
        self.run(&Command::Extend { subscription, id: id.to_owned() }, now)
    }

    /// Authorises and settles the same quantities; the receipt.
    pub(crate) fn call(
        &mut self,
        subscription: Digest,
        id: &str,
        usage: Usage,
        now: Timestamp,
    ) -> ReceiptEntry {
        let held = self.authorize(subscription, id, usage.clone(), now).unwrap();
        assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
        receipt(self.settle(subscription, id, usage, now).unwrap())
    }

    /// Meters one more record of the input `input`.
    pub(crate) fn import(
        &mut self,
        subscription: Digest,
        usage: Usage,
        now: Timestamp,
    ) -> Result<Outcome> {
        let ordinal = self.offset;
        self.offset += 1;
        let mark = ImportMark {
            input: sha256(&[b"input"]),
            ordinal,
            offset: self.offset * 100,
            digest: sha256(&[&ordinal.to_be_bytes()]),
        };
        let content = sha256(&[b"record", &ordinal.to_be_bytes()]);
        self.run(&Command::Import(Import { subscription, at: now, usage, content, mark }), now)
    }

    pub(crate) fn release(
        &mut self,
        subscription: Digest,
        id: &str,
        reason: ReleaseReason,
        now: Timestamp,
    ) -> Result<Outcome> {
        self.run(&Command::Release { subscription, id: id.to_owned(), reason }, now)
    }

    /// Everything that is due.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Outcome> {
        let mut done = Vec::new();
        loop {
            match self.run(&Command::Due, now).unwrap() {
                Outcome::Nothing => return done,
                outcome => done.push(outcome),
            }
            assert!(done.len() < 10_000, "no end of what is due");
        }
    }

    /// Gives back what a receipt cost; the seller signs it for that.
    pub(crate) fn credit(
        &mut self,
        subscription: Digest,
        id: &str,
        receipt: &ReceiptEntry,
        amount: Option<Exact>,
        now: Timestamp,
    ) -> Result<Outcome> {
        let ReceiptEntry { head, body, digest, .. } = receipt.clone();
        let signature = Some(key().sign(&digest));
        let credit = Credit {
            subscription,
            id: id.to_owned(),
            receipt: Receipt { head, signature, body: Some(body) },
            amount,
            reason: "did not help".to_owned(),
        };
        self.run(&Command::Credit(Box::new(credit)), now)
    }

    pub(crate) fn collect(
        &mut self,
        lane: Digest,
        amount: u128,
        fee: u128,
        now: Timestamp,
    ) -> Result<()> {
        let collected = Collected {
            lane,
            amount: counterfoil::Amount::from_atomic(amount),
            fee: counterfoil::Amount::from_atomic(fee),
            reference: "payment".to_owned(),
            at: now,
        };
        self.run(&Command::Collect(collected), now).map(|_| ())
    }

    /// Audits the whole ledger with its signatures.
    pub(crate) fn audit(&self) -> Result<Auditor> {
        audit(&self.ledger, &self.signatures)
    }

    pub(crate) fn lane(&self, subscription: Digest) -> Digest {
        self.meter.subscription(&subscription).unwrap().lane
    }

    /// What the subscription was charged in all, exact.
    pub(crate) fn charged(&self, subscription: Digest) -> counterfoil::Exact {
        let lane = self.lane(subscription);
        self.meter.lanes().find(|totals| totals.lane == lane).unwrap().cumulative
    }

    /// The receipts as they stand in the ledger.
    pub(crate) fn recorded(&self) -> Vec<ReceiptEntry> {
        recorded(&self.ledger)
    }
}

pub(crate) fn recorded(ledger: &[Vec<u8>]) -> Vec<ReceiptEntry> {
    let entries = ledger.iter().map(|bytes| Entry::from_bytes(bytes).unwrap());
    entries
        .filter_map(
            |e| if let Entry::Receipt(r) = e { Some(Arc::unwrap_or_clone(r)) } else { None },
        )
        .collect()
}

pub(crate) fn audit(
    ledger: &[Vec<u8>],
    signatures: &BTreeMap<(bool, u64), Signature>,
) -> Result<Auditor> {
    audit_from(Auditor::new(), ledger, signatures)
}

/// Goes on with an audit.
pub(crate) fn audit_from<'a>(
    mut auditor: Auditor,
    entries: impl IntoIterator<Item = &'a Vec<u8>>,
    signatures: &BTreeMap<(bool, u64), Signature>,
) -> Result<Auditor> {
    for entry in entries {
        let (_, expected) = auditor.next(entry)?;
        if let Some(expected) = expected {
            let signature = signatures.get(&(expected.checkpoint, expected.slot));
            expected.check(signature.map(Signature::bytes))?;
        }
    }
    Ok(auditor)
}

/// The receipt in an outcome.
pub(crate) fn receipt(outcome: Outcome) -> ReceiptEntry {
    match outcome {
        Outcome::Receipt { receipt, .. } => Arc::unwrap_or_clone(receipt),
        other => panic!("no receipt: {other:?}"),
    }
}

/// The denial's code and rule.
pub(crate) fn denied(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Denied(denial) => (denial.code.as_str(), denial.rule.clone()),
        other => panic!("not denied: {other:?}"),
    }
}
