//! A subscription as the tally sees it: its plan's limits, and what threads were told of it.
//!
//! A call's worst case is added when a thread learns of its hold, and taken out before anybody asks for
//! something that may end the hold. So the tally is never above what the meter has committed, whatever
//! order the threads come in, and one unit above a limit is an error of the meter.

use std::sync::atomic::{AtomicU64, Ordering};

use counterfoil::meter::{Outcome, Replay};
use counterfoil::receipt::Item;
use counterfoil::{Digest, Exact, Plan, Timestamp};
use counterfoil_journal::Shards;

use crate::call::Call;
use crate::key;
use crate::recent::Recent;

pub(crate) const HOUR: u64 = 3_600_000;
/// How long a hold reserves, in milliseconds.
pub(crate) const HOLD: u64 = 120_000;
/// How long after its end a window can be settled.
pub(crate) const GRACE: u64 = 1_200_000;
/// How long request ids are remembered.
pub(crate) const REPLAY: u64 = 7_200_000;
/// How many calls may be open at one time.
pub(crate) const OPEN: u64 = 7;
/// Values of the attribute `key`.
pub(crate) const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Money is counted in quarters of an atomic unit: the price of one token.
const QUARTER: u64 = 250_000_000_000_000_000;

/// What limits an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So much money, and so many tokens of each key, per hour.
    Hourly,
    /// A credit limit, and money that is granted and collected.
    Credit,
    /// Calls at one time alone; prices fall in tiers, and each receipt is signed.
    Tiers,
}

/// Money per hour, in quarters: 200 atomic units.
pub(crate) const SPEND: u64 = 800;
/// Tokens of each key per hour.
pub(crate) const TOKENS: u64 = 480;
/// What may be owed, in quarters: 50 atomic units.
pub(crate) const CREDIT: u64 = 200;
/// A grant, in quarters: 20 atomic units.
pub(crate) const GRANT: u64 = 80;
/// How many grants an account is given.
const GRANTS: u64 = 10;
/// Tokens of the tier that costs two quarters each; those above cost one.
const FIRST_TIER: u64 = 20_000;

impl Kind {
    pub(crate) fn plan(self) -> Plan {
        let (tariff, limits, signing) = match self {
            Kind::Hourly => (
                r#""model":"per_unit","price":"0.0025""#,
                format!(
                    r#"{{"id":"spend","spend":"2","window":"hour"}},
                    {{"id":"key","meter":"t","most":{TOKENS},"window":"hour","per":"key"}},"#
                ),
                r#"{"mode":"checkpoint","receipts":20,"value":"1000","ms":3600000}"#,
            ),
            Kind::Credit => (
                r#""model":"per_unit","price":"0.0025""#,
                r#"{"id":"credit","credit":"0.5"},"#.into(),
                r#"{"mode":"checkpoint","receipts":20,"value":"1000","ms":3600000}"#,
            ),
            Kind::Tiers => (
                r#""model":"graduated","tiers":[{"up_to":20000,"price":"0.005"},{"price":"0.0025"}]"#,
                String::new(),
                r#"{"mode":"each"}"#,
            ),
        };
        let text = format!(
            r#"{{"format":"counterfoil/plan/1","name":"{self:?}","authority":"{}",
            "currency":{{"iso4217":"USD"}},"meters":{{"t":"token"}},
            "charges":[{{"id":"t","meter":"t",{tariff}}}],
            "limits":[{limits}{{"id":"open","concurrency":{OPEN}}}],
            "payees":[{{"payee":"a","weight":1}}],"signing":{signing},
            "times":{{"hold":{HOLD},"grace":{GRACE},"replay":{REPLAY}}}}}"#,
            key().address()
        );
        Plan::from_json(text.as_bytes()).unwrap()
    }
}

/// What one hour's limits have counted.
#[derive(Debug, Default)]
pub(crate) struct Hour {
    pub(crate) spend: AtomicU64,
    pub(crate) keys: [AtomicU64; KEYS.len()],
}

pub(crate) struct Account {
    pub(crate) id: Digest,
    pub(crate) lane: Digest,
    pub(crate) kind: Kind,
    /// From the hour in which the account began.
    hours: Vec<Hour>,
    /// The most of what somebody set out to record as collected, in atomic units.
    collected: AtomicU64,
    /// How many grants somebody set out to make.
    grants: AtomicU64,
    /// Prices of told receipts and worst cases of told holds.
    committed: AtomicU64,
    open: AtomicU64,
    /// Of told receipts: prices, tokens, charges in atomic units, number.
    pub(crate) price: AtomicU64,
    pub(crate) tokens: AtomicU64,
    pub(crate) charged: AtomicU64,
    pub(crate) receipts: AtomicU64,
    pub(crate) recent: Recent,
}

/// Adds to what a limit counts.
fn add(counter: &AtomicU64, more: u64, most: impl Fn() -> u64, limit: &str) {
    let sum = counter.fetch_add(more, Ordering::SeqCst) + more;
    // After the sum: what is given meanwhile may be spent meanwhile.
    let most = most();
    assert!(sum <= most, "{sum} under {limit}, which is {most}");
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

pub(crate) fn quarters(exact: Exact) -> u64 {
    assert_eq!(exact.fraction() % QUARTER, 0, "{exact:?}");
    u64::try_from(exact.whole()).unwrap() * 4 + exact.fraction() / QUARTER
}

pub(crate) fn hour(at: Timestamp) -> usize {
    usize::try_from(at.millis() / HOUR).unwrap()
}

/// What all tokens of an account cost together under [`Kind::Tiers`], in quarters.
pub(crate) fn tiers(tokens: u64) -> u64 {
    tokens + tokens.min(FIRST_TIER)
}

/// The number of a key in [`KEYS`].
pub(crate) fn key_number(key: &str) -> usize {
    KEYS.iter().position(|known| *known == key).unwrap()
}

impl Account {
    pub(crate) fn new(id: Digest, lane: Digest, kind: Kind, hours: usize) -> Account {
        Account {
            id,
            lane,
            kind,
            hours: (0..hours).map(|_| Hour::default()).collect(),
            collected: AtomicU64::new(0),
            grants: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            open: AtomicU64::new(0),
            price: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
            charged: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            recent: Recent::default(),
        }
    }

    /// Limits count so much money and so many tokens of a call.
    fn count(&self, call: &Call, at: Timestamp, money: u64, tokens: u64) {
        let hour = &self.hours[hour(at)];
        match self.kind {
            Kind::Hourly => {
                add(&hour.spend, money, || SPEND, "the spend limit");
                add(&hour.keys[call.key], tokens, || TOKENS, "the limit per key");
            }
            Kind::Credit => add(&self.committed, money, || self.given(), "the credit limit"),
            Kind::Tiers => {}
        }
    }

    /// A thread learns of a hold.
    pub(crate) fn hold(&self, call: &Call, at: Timestamp) {
        add(&self.open, 1, || OPEN, "the limit on open calls");
        self.count(call, at, call.most, call.most);
    }

    /// Before the hold can end.
    pub(crate) fn free(&self, call: &Call, at: Timestamp) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        let hour = &self.hours[hour(at)];
        match self.kind {
            Kind::Hourly => {
                hour.spend.fetch_sub(call.most, Ordering::SeqCst);
                hour.keys[call.key].fetch_sub(call.most, Ordering::SeqCst);
            }
            Kind::Credit => drop(self.committed.fetch_sub(call.most, Ordering::SeqCst)),
            Kind::Tiers => {}
        }
    }

    /// A thread learns of a receipt. Returns what it was.
    pub(crate) fn settle(
        &self,
        call: &Call,
        receipt: &counterfoil::entry::ReceiptEntry,
    ) -> &'static str {
        let (mut used, mut price, mut drawn) = (0, None, 0);
        for item in &receipt.body.items {
            match item {
                Item::Quantity { quantity, .. } => used = *quantity,
                Item::Price { exact, uncollected, late, .. } => {
                    price = Some((quarters(*exact), quarters(*uncollected), *late));
                }
                Item::Draw { amount, .. } => drawn += quarters(*amount),
                _ => {}
            }
        }
        let (money, uncollected, late) = price.unwrap();
        assert!(used == call.used || used == call.used + 1, "{used} of {call:?}");
        let (least, most) = match self.kind {
            Kind::Tiers => (used, 2 * used),
            _ => (used, used),
        };
        assert!(
            (least..=most).contains(&(money + uncollected)),
            "{money} + {uncollected}: {call:?}"
        );
        // The promise of a hold: what it reserved is charged in full.
        assert!(late || money >= used.min(call.most), "{money} for {used} of {call:?}");
        assert!(drawn <= money && (drawn == 0 || self.kind == Kind::Credit));
        let at = receipt.head.authorized_at;
        // Tokens above the hold, and those of a hold that was free again, may pass their limit.
        self.count(call, at, money, if late { 0 } else { used.min(call.most) });
        self.price.fetch_add(money, Ordering::SeqCst);
        self.tokens.fetch_add(used, Ordering::SeqCst);
        self.receipts.fetch_add(1, Ordering::SeqCst);
        let charge = u64::try_from(receipt.head.charge.atomic()).unwrap();
        self.charged.fetch_add(charge, Ordering::SeqCst);
        match (uncollected, late) {
            (0, false) => "charged",
            (0, true) => "charged late",
            _ => "charged in part",
        }
    }

    /// What may be committed under the credit limit at most.
    fn given(&self) -> u64 {
        CREDIT + GRANT * get(&self.grants).min(GRANTS) + 4 * get(&self.collected)
    }

    /// The id of another grant, which counts from here on; `None` when there were enough.
    pub(crate) fn grant(&self) -> Option<String> {
        let number = self.grants.fetch_add(1, Ordering::SeqCst);
        (number < GRANTS).then(|| format!("g{number}"))
    }

    /// What is to be recorded as collected: all that receipts charged so far. It counts from here on.
    pub(crate) fn collect(&self) -> u64 {
        let all = get(&self.charged);
        self.collected.fetch_max(all, Ordering::SeqCst);
        all
    }

    /// What was told before the ledger was closed is what it says after.
    pub(crate) fn ask_again(&self, shards: &Shards) {
        for call in self.recent.all() {
            let Some((receipt, at)) = call.settled() else { continue };
            let told = shards.submit(&call.authorize(self.id), at).unwrap();
            assert_eq!(told, Outcome::Replayed(Replay::Settled { receipt }), "{call:?}");
        }
    }
}
