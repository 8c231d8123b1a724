//! Payees, signing mode and time allowances of a plan.

use alloc::{string::String, vec::Vec};

use crate::{
    amount::{Exact, Shares},
    crypto::Address,
    error::{Code, Error, Result},
    json::{Fields, Node},
    plan::charge::{read_money, read_positive},
};

/// The most payees that one plan may have.
const MAX_PAYEES: usize = 1_000;

/// Who gets a share of what a plan collects. Payees are ordered by their [`Payee::key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payee {
    /// A name in the seller's own books: listed in the settlement, paid elsewhere.
    Account(String),
    /// An Ethereum address: can be paid through a payout tree.
    Address(Address),
}

impl Payee {
    /// The bytes by which payees are sorted and ties are broken: `0x00` and the account's name, or
    /// `0x01` and the address.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Payee::Account(name) => (0, name.as_bytes()),
            Payee::Address(address) => (1, address.bytes().as_slice()),
        };
        let mut key = alloc::vec![kind];
        key.extend_from_slice(bytes);
        key
    }

    /// Reads `0x…` as an address, anything else as an account name of at most 64 characters.
    ///
    /// # Errors
    /// `hex_invalid` for a malformed address, `text_invalid` for an empty or long name.
    pub fn parse(text: &str) -> Result<Payee> {
        if text.starts_with("0x") {
            return Ok(Payee::Address(text.parse()?));
        }
        if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
            return Err(Error::new(Code::TextInvalid).value(text).because("1 to 64 characters"));
        }
        Ok(Payee::Account(String::from(text)))
    }
}

impl core::fmt::Display for Payee {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Payee::Address(address) => write!(f, "{address}"),
            Payee::Account(name) => f.write_str(name),
        }
    }
}

/// The payees of a plan and their normalised shares, in the order of the document.
pub(super) fn read_payees(node: &Node<'_>) -> Result<(Vec<Payee>, Shares)> {
    let mut payees: Vec<Payee> = Vec::new();
    let mut weights = Vec::new();
    for item in node.items()? {
        if payees.len() >= MAX_PAYEES {
            return Err(node.error(Code::PlanInvalid).because("more than 1000 payees"));
        }
        let mut fields = item.fields()?;
        let name = fields.required("payee")?;
        let payee = Payee::parse(name.text()?).map_err(|e| e.at(name.pointer()))?;
        let weight = read_positive(&fields.required("weight")?)?;
        fields.finish()?;
        if payees.last().is_some_and(|last| last.key() >= payee.key()) {
            return Err(name.error(Code::PlanOrder).because("payees are sorted and unique"));
        }
        weights.push((payee.key(), weight));
        payees.push(payee);
    }
    let shares = Shares::from_weights(&weights).map_err(|e| e.at(node.pointer()))?;
    Ok((payees, shares))
}

/// How receipts become proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// Every head is signed.
    Each,
    /// A head is bound by the next signed checkpoint; past any of these bounds one is due.
    Checkpoint {
        /// How many receipts of one lane may stay unproven.
        receipts: u64,
        /// How much money of one lane may stay unproven.
        value: Exact,
        /// How many milliseconds a receipt may stay unproven.
        ms: u64,
    },
}

impl Signing {
    pub(super) fn read(node: Option<Node<'_>>, decimals: u8) -> Result<Signing> {
        let Some(node) = node else { return Ok(Signing::Each) };
        let mut fields = node.fields()?;
        let mode = fields.required("mode")?;
        let signing = match mode.text()? {
            "each" => Signing::Each,
            "checkpoint" => Signing::Checkpoint {
                receipts: read_positive(&fields.required("receipts")?)?,
                value: read_money(&fields.required("value")?, decimals)?,
                ms: read_positive(&fields.required("ms")?)?,
            },
            _ => return Err(mode.error(Code::PlanInvalid).because("each or checkpoint")),
        };
        fields.finish()?;
        Ok(signing)
    }
}

/// Time allowances in milliseconds, and what comes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How long a hold reserves before it expires. Default 10 minutes.
    pub hold: u64,
    /// How long after a window's end a call of that window may still be settled. At least `hold`.
    /// Default 1 hour.
    pub grace: u64,
    /// How far a request's instant may lie ahead of the meter's time. Default 5 minutes.
    pub skew: u64,
    /// How long a request id is remembered, so that a retry is told from a new call. Default 24 hours.
    pub replay: u64,
    /// How long after a request was authorised a retry without its id joins it; at most `replay`.
    /// `None`, the default: never.
    pub retry: Option<u64>,
    /// What a call pays that is settled after its hold expired. Default [`Late::Charge`].
    pub late: Late,
    /// What a call used of which nobody knows. Default [`Unfinished::Parts`].
    pub unfinished: Unfinished,
}

/// What counts as the usage of a call that ended without one: a stream that broke off, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// What its last part said that it had used.
    Parts,
    /// All that its hold allows.
    Held,
}

/// What a late settle charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// What the limits still let.
    Charge,
    /// Nothing: the receipt says what it would have cost, as uncollected.
    Mark,
}

impl Times {
    pub(super) const MOST: u64 = 366 * 86_400_000;

    pub(super) fn read(node: Option<Node<'_>>) -> Result<Times> {
        let mut times = Times {
            hold: 600_000,
            grace: 3_600_000,
            skew: 300_000,
            replay: 86_400_000,
            retry: None,
            late: Late::Charge,
            unfinished: Unfinished::Parts,
        };
        let Some(node) = node else { return Ok(times) };
        let mut fields = node.fields()?;
        for (name, into) in [
            ("hold", &mut times.hold),
            ("grace", &mut times.grace),
            ("skew", &mut times.skew),
            ("replay", &mut times.replay),
        ] {
            if let Some(ms) = read_ms(&mut fields, name)? {
                *into = ms;
            }
        }
        times.retry = read_ms(&mut fields, "retry")?;
        if let Some(late) = fields.optional("late") {
            times.late = match late.text()? {
                "charge" => Late::Charge,
                "mark" => Late::Mark,
                _ => return Err(late.error(Code::PlanInvalid).because("charge or mark")),
            };
        }
        if let Some(unfinished) = fields.optional("unfinished") {
            times.unfinished = match unfinished.text()? {
                "parts" => Unfinished::Parts,
                "held" => Unfinished::Held,
                _ => return Err(unfinished.error(Code::PlanInvalid).because("parts or held")),
            };
        }
        fields.finish()?;
        if times.grace < times.hold {
            return Err(node
                .error(Code::PlanInvalid)
                .because("grace is at least as long as a hold"));
        }
        if times.retry.is_some_and(|retry| retry > times.replay) {
            return Err(node
                .error(Code::PlanInvalid)
                .because("a request is not joined for longer than its replays"));
        }
        Ok(times)
    }
}

fn read_ms(fields: &mut Fields<'_>, name: &'static str) -> Result<Option<u64>> {
    let Some(node) = fields.optional(name) else { return Ok(None) };
    let ms = read_positive(&node)?;
    if ms > Times::MOST {
        return Err(node.error(Code::PlanInvalid).because("at most 366 days"));
    }
    Ok(Some(ms))
}
