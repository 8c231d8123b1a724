//! The budget that all lanes use, and what it costs by a formula of our own.

use counterfoil::lease::{Interval, Lease};
use counterfoil::{Exact, Plan, Timestamp};

use crate::account::{HOUR, quarters};
use crate::key;

/// How long a hold reserves, in milliseconds.
pub(crate) const HOLD: u64 = 600_000;
/// How long after its end a window, or a lease, can be settled.
pub(crate) const GRACE: u64 = 1_200_000;
/// What may be spent in an hour over all lanes, in quarters of an atomic unit.
pub(crate) const SPEND: u64 = 10_000;
/// Tokens in an hour over all lanes.
pub(crate) const TOKENS: u64 = 9_000;

/// Tokens cost one quarter each, but those of the middle tier two: a lane may come to be charged too much
/// or too little, whichever units came back.
const MIDDLE: (u64, u64) = (1_000, 3_000);

pub(crate) fn plan() -> Plan {
    let ((from, to), spend) = (MIDDLE, SPEND / 400);
    let text = format!(
        r#"{{"format":"counterfoil/plan/1","name":"lanes","authority":"{}",
        "currency":{{"iso4217":"USD"}},"meters":{{"t":"token"}},
        "charges":[{{"id":"t","meter":"t","window":"hour","model":"graduated","tiers":[
            {{"up_to":{from},"price":"0.0025"}},{{"up_to":{to},"price":"0.005"}},{{"price":"0.0025"}}]}}],
        "limits":[{{"id":"spend","spend":"{spend}","window":"hour"}},
            {{"id":"tokens","meter":"t","most":{TOKENS},"window":"hour"}}],
        "payees":[{{"payee":"a","weight":1}}],
        "signing":{{"mode":"checkpoint","receipts":200,"value":"1000","ms":3600000}},
        "times":{{"hold":{HOLD},"grace":{GRACE},"replay":7200000}}}}"#,
        key().address()
    );
    Plan::from_json(text.as_bytes()).unwrap()
}

/// What so many tokens of one hour cost, in quarters.
pub(crate) fn cost(tokens: u64) -> u64 {
    tokens + tokens.min(MIDDLE.1) - tokens.min(MIDDLE.0)
}

/// What so many tokens of a lease cost at most, in quarters.
pub(crate) fn lease_cost(lease: &Lease, tokens: u64) -> u64 {
    let Interval { from, billed, .. } = lease.charges[0];
    if tokens == 0 { 0 } else { cost(from + tokens).saturating_sub(quarters(billed)) }
}

/// All tokens of a lease, and what they cost at most, in quarters.
pub(crate) fn whole(lease: &Lease) -> (u64, u64) {
    let tokens = lease.charges[0].units;
    (tokens, lease_cost(lease, tokens))
}

/// What a statement says that its lane charged, in quarters.
pub(crate) fn stated(statement: &counterfoil::lease::Statement) -> u64 {
    let remainder = statement.cumulative_remainder;
    quarters(Exact::new(statement.cumulative.atomic(), remainder).unwrap())
}

pub(crate) fn hour_end(now: Timestamp) -> u64 {
    (now.millis() / HOUR + 1) * HOUR
}
