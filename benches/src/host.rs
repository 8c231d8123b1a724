//! A host that meters the same call again and again.

use std::fmt::Write as _;
use std::sync::Arc;

use counterfoil::entry::{ImportMark, ReceiptEntry};
use counterfoil::meter::{Command, Import, Outcome, Request, Settle, SignRequest, Subscribe};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, LocalKey, Meter, Plan, Result, Timestamp, Usage};

/// The seller's key.
///
/// # Panics
/// Never: the secret is a valid scalar.
#[must_use]
pub fn signer() -> LocalKey {
    LocalKey::from_bytes(&[7; 32]).expect("a valid scalar")
}

/// The plan of the budgets: 4 charges, 3 limits, 1 condition. `signing` is the member's JSON value.
///
/// # Panics
/// If the core no longer reads it.
#[must_use]
pub fn plan(signing: &str) -> Plan {
    let authority = signer().address();
    let document = format!(
        r#"{{
  "format": "counterfoil/plan/1",
  "name": "Benchmark",
  "authority": "{authority}",
  "currency": {{"network": "eip155:8453",
    "token": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "decimals": 6}},
  "meters": {{"cached_input_tokens": "token", "input_tokens": "token", "output_tokens": "token"}},
  "charges": [
    {{"id": "input", "meter": "input_tokens", "model": "graduated", "window": "month",
      "free": 100000, "per": 1000000,
      "tiers": [{{"up_to": 10000000, "price": "2.5"}}, {{"price": "2"}}]}},
    {{"id": "cached", "meter": "cached_input_tokens", "model": "per_unit",
      "price": "0.3", "per": 1000000}},
    {{"id": "output", "meter": "output_tokens", "model": "per_unit",
      "price": "10", "per": 1000000}},
    {{"id": "calls", "meter": "requests", "model": "package", "window": "month",
      "size": 1000, "price": "0.05"}}
  ],
  "limits": [
    {{"id": "monthly", "spend": "1000000", "window": "month"}},
    {{"id": "daily", "spend": "100000", "window": "day"}},
    {{"id": "pace", "rate": {{"calls": 600, "every": "minute", "burst": 1000}}}}
  ],
  "condition": {{"attribute": "purpose", "in": ["evaluation", "inference"]}},
  "payees": [{{"payee": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "weight": 49}},
    {{"payee": "0x8ba1f109551bD432803012645Ac136ddd64DBA72", "weight": 1}},
    {{"payee": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "weight": 50}}],
  "signing": {signing}
}}"#
    );
    Plan::from_json(document.as_bytes()).expect("the benchmark's plan is valid")
}

/// Milliseconds between calls: 8,640 a day, which is how many ids a subscription remembers.
const STEP: u64 = 10_000;

/// Request ids end in numbers of the same length from here on.
const FIRST: u64 = 1_000_000_000;

/// When the subscription starts.
///
/// # Panics
/// Never: the instant is valid.
#[must_use]
pub fn start() -> Timestamp {
    "2026-10-01T00:00:00Z".parse().expect("an instant")
}

/// The commands that begin a meter and open a lane.
#[must_use]
pub fn beginning(signing: &str, now: Timestamp) -> [Command; 3] {
    let plan = plan(signing);
    let subscribe = Subscribe {
        plan: plan.id(),
        payer: None,
        account: Some("acme".into()),
        started_at: now,
        rail: Digest::ZERO,
    };
    let origin = "example.com/benchmark".into();
    [
        Command::Begin { origin, signer: signer().address() },
        Command::AddPlan(Box::new(plan)),
        Command::Subscribe(subscribe),
    ]
}

/// What one call left behind.
#[derive(Debug)]
pub struct Call {
    /// The entry of the hold.
    pub hold: Vec<u8>,
    /// The entry of the receipt.
    pub settled: Vec<u8>,
    /// The receipt.
    pub receipt: Arc<ReceiptEntry>,
    /// The signature that is wanted, if the plan wants one.
    pub sign: Option<SignRequest>,
}

/// A meter with one subscription, and the commands of its calls, made once and used again: a host has
/// them in hand before it comes to the meter.
#[derive(Debug)]
pub struct Host {
    meter: Meter,
    authorize: Request,
    settle: Settle,
    now: Timestamp,
    calls: u64,
    /// The entries before the first call: instance, plan, lane.
    pub begin: Vec<Vec<u8>>,
}

impl Host {
    /// Every head signed.
    pub const EACH: &str = r#"{"mode": "each"}"#;
    /// A checkpoint every 1,000 receipts.
    pub const CHECKPOINT: &str =
        r#"{"mode": "checkpoint", "receipts": 1000, "value": "1000", "ms": 3600000}"#;

    /// Begins the meter and opens the lane.
    ///
    /// # Panics
    /// If the meter refuses it.
    #[must_use]
    pub fn new(signing: &str) -> Host {
        let now = start();
        let (mut meter, mut begin) = (Meter::new([9; 32]), Vec::new());
        let mut subscription = Digest::ZERO;
        for command in beginning(signing, now) {
            let step = meter.propose(&command, now).expect("a beginning");
            begin.extend(step.entry);
            if let Outcome::Opened { subscription: id, .. } =
                meter.confirm(step.ticket).expect("a beginning")
            {
                subscription = id;
            }
        }
        let (most, used) = usages().expect("a usage");
        let id = String::with_capacity(64);
        Host {
            meter,
            authorize: Request::new(subscription, id.clone(), most),
            settle: Settle { subscription, id, usage: used, content: Digest::new([3; 32]) },
            now,
            calls: 0,
            begin,
        }
    }

    /// Authorises and settles the next call, ten seconds after the last.
    ///
    /// # Panics
    /// If the meter refuses it.
    pub fn call(&mut self) -> Call {
        self.calls += 1;
        self.now = self.now.checked_add(STEP).expect("an instant");
        let id = &mut self.authorize.id;
        id.clear();
        let _ = write!(id, "req_7f3c2a90b1d84e56a7c1f2{}", FIRST + self.calls);
        self.settle.id.clone_from(id);
        let (hold, outcome) = self.step(true);
        assert!(matches!(outcome, Outcome::Authorized { .. }), "{outcome:?}");
        let (settled, outcome) = self.step(false);
        let Outcome::Receipt { receipt, sign, .. } = outcome else { panic!("{outcome:?}") };
        Call { hold, settled, receipt, sign }
    }

    /// Meters the next call as the record of a log, in one entry.
    ///
    /// # Panics
    /// If the meter refuses it.
    pub fn import(&mut self) -> Vec<u8> {
        self.calls += 1;
        self.now = self.now.checked_add(STEP).expect("an instant");
        let mut usage = self.settle.usage.clone();
        for (name, value) in self.authorize.most.attributes() {
            usage.set_attribute(name, value).expect("an attribute");
        }
        let command = Command::Import(Import {
            subscription: self.settle.subscription,
            at: self.now,
            usage,
            content: self.settle.content,
            mark: ImportMark {
                input: Digest::new([5; 32]),
                ordinal: self.calls,
                offset: self.calls * 100,
                digest: Digest::new([6; 32]),
            },
        });
        let step = self.meter.propose(&command, self.now).expect("the call is valid");
        let outcome = self.meter.confirm(step.ticket).expect("the step is pending");
        assert!(matches!(outcome, Outcome::Receipt { .. }), "{outcome:?}");
        step.entry.expect("the call is admitted")
    }

    /// The two commands of the last call.
    #[must_use]
    pub fn commands(&self) -> (Request, Settle) {
        (self.authorize.clone(), self.settle.clone())
    }

    /// Proposes and confirms one of the two commands.
    fn step(&mut self, authorize: bool) -> (Vec<u8>, Outcome) {
        // A command owns its parts: they are lent to it and taken back.
        let command = if authorize {
            Command::Authorize(std::mem::replace(&mut self.authorize, empty_request()))
        } else {
            Command::Settle(std::mem::replace(&mut self.settle, empty_settle()))
        };
        let step = self.meter.propose(&command, self.now).expect("the call is valid");
        match command {
            Command::Authorize(request) => self.authorize = request,
            Command::Settle(settle) => self.settle = settle,
            _ => {}
        }
        let outcome = self.meter.confirm(step.ticket).expect("the step is pending");
        (step.entry.expect("the call is admitted"), outcome)
    }

    /// What the call may use.
    #[must_use]
    pub fn most(&self) -> &Usage {
        &self.authorize.most
    }

    /// What the call uses.
    #[must_use]
    pub fn used(&self) -> &Usage {
        &self.settle.usage
    }

    /// The request id of the last call.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.settle.id
    }

    /// The meter, to read.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}

fn empty_request() -> Request {
    let most = Usage::new(Surface::Plain, Basis::Estimated);
    Request::new(Digest::ZERO, String::new(), most)
}

fn empty_settle() -> Settle {
    let usage = Usage::new(Surface::Plain, Basis::Estimated);
    Settle { subscription: Digest::ZERO, id: String::new(), usage, content: Digest::ZERO }
}

/// What the call may use, and what it uses.
fn usages() -> Result<(Usage, Usage)> {
    let mut most = Usage::new(Surface::Plain, Basis::Estimated);
    most.set("input_tokens", 4_000)?;
    most.set("output_tokens", 1_024)?;
    most.set("cached_input_tokens", 2_000)?;
    most.set_attribute("model", "example-model-1")?;
    most.set_attribute("purpose", "inference")?;
    most.set_attribute("region", "eu-north-1")?;
    let mut used = Usage::new(Surface::OpenAiChat, Basis::Reported);
    used.set("input_tokens", 2_113)?;
    used.set("output_tokens", 457)?;
    used.set("cached_input_tokens", 1_024)?;
    Ok((most, used))
}
