//! Grants: money or units that calls draw on before they cost.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    amount::{Amount, Exact},
    error::{Code, Error, Result},
    json::{self, Fields, Limits, Node},
    plan::{
        Charge, Plan,
        charge::{read_money, read_name, read_positive},
        selector,
        window::read_window,
    },
    time::{Cycle, Timestamp},
};

/// A roll-over's highest balance is at most this many times what the grant gives: what windows without
/// calls add up to is then found in as many steps.
const MOST_ROLLED: u64 = 1_000;
/// The priority of a grant that names none.
const PRIORITY: u64 = 100;
/// The lowest rank that a grant may have.
const LAST_PRIORITY: u64 = 1_000;

/// What a grant gives and which calls may draw on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The grant's name in receipts, unique among a subscription's grants.
    pub id: String,
    /// Why it is given.
    pub kind: GrantKind,
    /// What it gives: more than nothing.
    pub credit: Credit,
    /// The charges that money may pay, as indexes in the plan, ascending; `None` is all. Units pay the
    /// charges of their meter.
    pub charges: Option<Vec<usize>>,
    /// The values that a call's attributes must have, by attribute.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Drawn on before grants with a higher number: 0 to 1,000.
    pub priority: u16,
    /// How it is given again and when it ends.
    pub term: Term,
    /// What was paid for it; a grant of the kind `paid` has it.
    pub purchase: Option<Purchase>,
}

/// What was paid for a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The price, more than nothing; of a grant in money, the money.
    pub price: Amount,
    /// The payment: a transaction hash, an invoice number. 1 to 256 bytes.
    pub reference: String,
}

/// Why a grant is given. It changes nothing in what a call costs, only whom a draw pays: nobody, but for
/// paid ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantKind {
    /// A gift: a coupon, a credit for goodwill.
    Promotional,
    /// To try the service.
    Trial,
    /// Part of what the plan's price includes.
    Included,
    /// Bought: what calls draw on it is earned by the payees. Only a command gives it.
    Paid,
}

/// Money or units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credit {
    /// Money, exact.
    Money(Exact),
    /// Units of one meter.
    Units {
        /// The meter, which a charge of the plan counts.
        meter: String,
        /// How many.
        units: u64,
    },
}

/// When a grant is given and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// Once, when the subscription starts.
    Once {
        /// For how many milliseconds; `None` is for ever.
        expires: Option<u64>,
    },
    /// Anew in each window; what is left ends with the window.
    Recurring {
        /// The windows.
        period: Cycle,
        /// Milliseconds after which it ends even before its window does.
        expires: Option<u64>,
        /// What lives on when the window closes.
        rollover: Option<Rollover>,
    },
    /// By a command of the seller.
    Given {
        /// The first instant at which it is not usable; `None` is never.
        expires_at: Option<Timestamp>,
    },
}

/// What of a grant's balance is added to the next window's: min(max, max(min, balance)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollover {
    /// At least this much, even if less is left.
    pub min: Exact,
    /// At most this much.
    pub max: Exact,
}

impl GrantKind {
    /// Every kind.
    pub const ALL: &'static [GrantKind] =
        &[GrantKind::Promotional, GrantKind::Trial, GrantKind::Included, GrantKind::Paid];

    /// The name as documents have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            GrantKind::Promotional => "promotional",
            GrantKind::Trial => "trial",
            GrantKind::Included => "included",
            GrantKind::Paid => "paid",
        }
    }
}

impl Credit {
    /// The amount; of units, their whole number.
    #[must_use]
    pub fn amount(&self) -> Exact {
        match self {
            Credit::Money(money) => *money,
            Credit::Units { units, .. } => whole(*units),
        }
    }

    /// The meter whose units it is; `None` for money.
    #[must_use]
    pub fn meter(&self) -> Option<&str> {
        match self {
            Credit::Money(_) => None,
            Credit::Units { meter, .. } => Some(meter),
        }
    }
}

/// Units as a whole exact amount.
pub(crate) fn whole(units: u64) -> Exact {
    Exact::from_amount(Amount::from_atomic(u128::from(units)))
}

impl Grant {
    /// Whether a call with these attributes may draw on it.
    pub(crate) fn matches(&self, attributes: &BTreeMap<String, String>) -> bool {
        selector::matches(&self.attributes, attributes)
    }

    /// Whether its money may pay the charge.
    pub(crate) fn pays(&self, charge: usize) -> bool {
        self.charges.as_ref().is_none_or(|charges| charges.binary_search(&charge).is_ok())
    }

    /// What the first `part` of it is worth to the payees: of the whole, what was paid; nothing where
    /// nothing was. The part of a price that units have is rounded half-even to the grid.
    ///
    /// # Errors
    /// `amount_overflow`, for more than the grant gives.
    pub fn worth(&self, part: Exact) -> Result<Exact> {
        let Some(purchase) = &self.purchase else { return Ok(Exact::ZERO) };
        match &self.credit {
            Credit::Money(_) => Ok(part),
            Credit::Units { units, .. } => {
                let part = u64::try_from(part.whole()).map_err(|_| Code::AmountOverflow)?;
                Exact::from_amount(purchase.price).part(part, *units)
            }
        }
    }

    /// Reads the terms of a grant that a seller gives: the form of a plan's `grants`, with the instant
    /// `expires_at` in place of `window`, `expires` and `rollover`; and for the kind `paid`, `reference`
    /// and, where it gives units, `price`.
    ///
    /// # Errors
    /// The codes of a plan document, each with the JSON Pointer of the field.
    pub fn from_json(bytes: &[u8], plan: &Plan) -> Result<Grant> {
        let document = json::parse(bytes, &Limits::default())?;
        let root = document.root();
        document.canonical()?;
        let mut fields = root.fields()?;
        let decimals = plan.currency().decimals();
        let mut grant = read_what(&mut fields, decimals, plan.charges(), GrantKind::ALL)?;
        if grant.kind == GrantKind::Paid {
            grant.purchase = Some(read_purchase(&mut fields, &grant.credit, decimals)?);
        }
        if let Some(node) = fields.optional("expires_at") {
            let at = Timestamp::from_millis(node.integer()?).map_err(|e| e.at(node.pointer()))?;
            grant.term = Term::Given { expires_at: Some(at) };
        }
        fields.finish()?;
        Ok(grant)
    }

    pub(super) fn read(node: &Node<'_>, decimals: u8, charges: &[Charge]) -> Result<Grant> {
        let mut fields = node.fields()?;
        let given = GrantKind::ALL.iter().filter(|kind| **kind != GrantKind::Paid);
        let mut grant = read_what(&mut fields, decimals, charges, given)?;
        let period = read_window(&mut fields)?;
        let expires = fields.optional("expires").map(|node| read_positive(&node)).transpose()?;
        grant.term = match period {
            None => Term::Once { expires },
            Some(period) => {
                // What ends before its window does has nothing to roll over.
                let rollover = match fields.optional("rollover") {
                    Some(node) if expires.is_none() => {
                        Some(read_rollover(&node, &grant.credit, decimals)?)
                    }
                    Some(node) => {
                        return Err(node
                            .error(Code::PlanInvalid)
                            .because("a grant that expires in its window does not roll over"));
                    }
                    None => None,
                };
                Term::Recurring { period, expires, rollover }
            }
        };
        fields.finish()?;
        Ok(grant)
    }
}

/// Everything but the term.
fn read_what<'a>(
    fields: &mut Fields<'_>,
    decimals: u8,
    all: &[Charge],
    kinds: impl IntoIterator<Item = &'a GrantKind>,
) -> Result<Grant> {
    let id = read_name(&fields.required("id")?)?;
    let kind = fields.required("kind")?;
    let name = kind.text()?;
    let kind = kinds.into_iter().copied().find(|kind| kind.as_str() == name).ok_or_else(|| {
        kind.error(Code::PlanInvalid)
            .because("promotional, trial or included; by a command also paid")
    })?;
    let (credit, charges) = if let Some(node) = fields.optional("money") {
        let money = read_money(&node, decimals)?;
        if money.is_zero() {
            return Err(node.error(Code::PlanInvalid).because("a grant gives something"));
        }
        let charges = fields.optional("charges").map(|node| read_scope(&node, all)).transpose()?;
        (Credit::Money(money), charges)
    } else {
        let node = fields.required("meter")?;
        let meter = read_name(&node)?;
        if !all.iter().any(|charge| charge.meter == meter) {
            return Err(node.error(Code::PlanReference).because("no charge counts this meter"));
        }
        let units = read_positive(&fields.required("units")?)?;
        (Credit::Units { meter, units }, None)
    };
    let attributes = fields.optional("match").map(|node| read_match(&node)).transpose()?;
    let priority = match fields.optional("priority") {
        None => PRIORITY,
        Some(node) => match node.integer()? {
            priority if priority <= LAST_PRIORITY => priority,
            _ => return Err(node.error(Code::PlanInvalid).because("a priority is 0 to 1000")),
        },
    };
    Ok(Grant {
        id,
        kind,
        credit,
        charges,
        attributes: attributes.unwrap_or_default(),
        priority: u16::try_from(priority).unwrap_or(u16::MAX),
        term: Term::Given { expires_at: None },
        purchase: None,
    })
}

/// What a grant cost: whole atomic units, for that is what is collected.
fn read_purchase(fields: &mut Fields<'_>, credit: &Credit, decimals: u8) -> Result<Purchase> {
    let node = match credit {
        Credit::Money(_) => fields.required("money")?,
        Credit::Units { .. } => fields.required("price")?,
    };
    let exact = read_money(&node, decimals)?;
    let price = exact.floor();
    if price.is_zero() || Exact::from_amount(price) != exact {
        return Err(node.error(Code::PlanInvalid).because("a price is whole atomic units"));
    }
    if let Credit::Units { units, .. } = credit {
        exact.checked_mul(*units).map_err(|e| e.at(node.pointer()))?;
    }
    let node = fields.required("reference")?;
    let reference = node.text()?;
    if reference.is_empty() || reference.len() > 256 || reference.chars().any(char::is_control) {
        return Err(node
            .error(Code::TextInvalid)
            .because("a reference is 1 to 256 bytes without control characters"));
    }
    Ok(Purchase { price, reference: String::from(reference) })
}

pub(super) fn read_scope(node: &Node<'_>, all: &[Charge]) -> Result<Vec<usize>> {
    let mut ids: Vec<String> = Vec::new();
    let mut scope = Vec::new();
    for item in node.items()? {
        let id = read_name(&item)?;
        let index = all.iter().position(|charge| charge.id == id);
        scope.push(index.ok_or_else(|| item.error(Code::PlanReference))?);
        if ids.last().is_some_and(|last| *last >= id) {
            return Err(item.error(Code::PlanOrder));
        }
        ids.push(id);
    }
    if scope.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("at least one charge"));
    }
    scope.sort_unstable();
    Ok(scope)
}

fn read_match(node: &Node<'_>) -> Result<BTreeMap<String, Vec<String>>> {
    let attributes = selector::read_match(node)?;
    if attributes.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("leave it out to match every call"));
    }
    Ok(attributes)
}

fn read_rollover(node: &Node<'_>, credit: &Credit, decimals: u8) -> Result<Rollover> {
    let read = |node: &Node<'_>| match credit {
        Credit::Money(_) => read_money(node, decimals),
        Credit::Units { .. } => node.integer().map(whole),
    };
    let mut fields = node.fields()?;
    let min = read(&fields.required("min")?)?;
    let highest = fields.required("max")?;
    let max = read(&highest)?;
    fields.finish()?;
    if max < min {
        return Err(node.error(Code::PlanInvalid).because("min is at most max"));
    }
    if credit.amount().checked_mul(MOST_ROLLED).is_ok_and(|most| max > most) {
        return Err(highest.error(Code::PlanInvalid).because("at most 1000 times the grant"));
    }
    Ok(Rollover { min, max })
}

/// The plan's grants, in order.
pub(super) fn read_grants(
    node: &Node<'_>,
    decimals: u8,
    charges: &[Charge],
    most: usize,
) -> Result<Vec<Arc<Grant>>> {
    let mut grants: Vec<Arc<Grant>> = Vec::new();
    for item in node.items()? {
        let grant = Grant::read(&item, decimals, charges)?;
        if grants.iter().any(|other| other.id == grant.id) {
            return Err(Error::new(Code::PlanOrder)
                .value(&grant.id)
                .because("ids are unique")
                .at(alloc::format!("{}/id", item.pointer())));
        }
        grants.push(Arc::new(grant));
        if grants.len() > most {
            return Err(node.error(Code::PlanInvalid).because("more than 64 parts"));
        }
    }
    Ok(grants)
}
