//! The plan document: reading, validation and identity.

use alloc::{collections::BTreeMap, collections::BTreeSet, string::String, sync::Arc, vec::Vec};

use crate::{
    amount::{Currency, Rounding, Shares},
    crypto::{Address, Digest, sha256},
    error::{Code, Error, Result},
    json::{self, Limits, Node, Value},
    plan::{
        Charge, Commitment, Grant, Limit, Payee, REQUESTS, Signing, SubscriptionTerm, Times,
        charge::check_name,
        choice::{Choice, check_choice},
        derived::{Derived, read_derived},
        grant::read_grants,
        terms::read_payees,
        window::read_zone,
    },
    rules::Condition,
    time::{Cycle, Timestamp, Window, Zone},
};

/// The format that this reader knows.
const FORMAT: &str = "counterfoil/plan/1";
/// What is hashed before the document, so that a plan id is no other hash.
const DOMAIN: &[u8] = b"counterfoil/plan/1\n";
/// A plan document is at most this long.
const MAX_BYTES: usize = 256 * 1024;
/// The most charges, and the most limits, of one plan.
pub(super) const MAX_PARTS: usize = 64;

/// Smart-subscription terms, read from a document and valid.
///
/// ```
/// use counterfoil::Plan;
///
/// let plan = Plan::from_json(br#"{
///   "format": "counterfoil/plan/1",
///   "name": "Pay as you go",
///   "authority": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
///   "currency": {"iso4217": "USD"},
///   "meters": {"input_tokens": "token"},
///   "charges": [{"id": "input", "meter": "input_tokens", "model": "per_unit",
///                "price": "2.5", "per": 1000000}],
///   "payees": [{"payee": "seller", "weight": 1}]
/// }"#)?;
/// assert_eq!(plan.charges().len(), 1);
///
/// let refused = Plan::from_json(br#"{"format": "counterfoil/plan/1", "prise": "1"}"#).unwrap_err();
/// assert_eq!(refused.code().as_str(), "json_missing_field");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    id: Digest,
    canonical: Vec<u8>,
    name: String,
    authority: Address,
    currency: Currency,
    zone: Option<Zone>,
    meters: BTreeMap<String, String>,
    derived: BTreeMap<String, Derived>,
    charges: Vec<Charge>,
    commitments: Vec<Commitment>,
    choice: Choice,
    limits: Vec<Limit>,
    grants: Vec<Arc<Grant>>,
    condition: Option<Condition>,
    payees: Vec<Payee>,
    shares: Shares,
    term: SubscriptionTerm,
    rounding: Rounding,
    signing: Signing,
    times: Times,
}

impl Plan {
    /// Reads a plan document. The bytes may be laid out as one likes: the id is taken over the
    /// RFC 8785 form.
    ///
    /// # Errors
    /// A code with the JSON Pointer of the offending field: the reader's `json_*` codes, `plan_*`,
    /// `decimal_*`, `text_invalid`, `hex_invalid`, `currency_invalid`, `shares_invalid`.
    pub fn from_json(bytes: &[u8]) -> Result<Plan> {
        let limits = Limits { bytes: MAX_BYTES, ..Limits::default() };
        Self::from_value(&json::parse(bytes, &limits)?)
    }

    fn from_value(document: &Value) -> Result<Plan> {
        let root = document.root();
        let mut fields = root.fields()?;
        let format = fields.required("format")?;
        if format.text()? != FORMAT {
            return Err(format.error(Code::PlanFormat));
        }
        let canonical = document.canonical()?;
        let name = read_title(&fields.required("name")?)?;
        let authority = fields.required("authority")?;
        let authority = read_authority(&authority)?;
        let currency = read_currency(&fields.required("currency")?)?;
        let decimals = currency.decimals();
        let zone = fields.optional("zone").map(|node| read_zone(&node)).transpose()?;
        let meters = read_meters(&fields.required("meters")?)?;
        let derived = match fields.optional("derived") {
            Some(node) => read_derived(&node, &meters)?,
            None => BTreeMap::new(),
        };
        let charges = read_charges(&fields.required("charges")?, decimals, &meters, &derived)?;
        let commitments = match fields.optional("commitments") {
            Some(node) => read_commitments(&node, decimals, &charges)?,
            None => Vec::new(),
        };
        let limits = match fields.optional("limits") {
            Some(node) => read_limits(&node, &root, decimals, &meters, &charges)?,
            None => Vec::new(),
        };
        let grants = match fields.optional("grants") {
            Some(node) => read_grants(&node, decimals, &charges, MAX_PARTS)?,
            None => Vec::new(),
        };
        let condition = match fields.optional("condition") {
            Some(node) => Some(Condition::read(&node)?),
            None => None,
        };
        let (payees, shares) = read_payees(&fields.required("payees")?)?;
        let term = SubscriptionTerm::read(fields.optional("term"), &charges)?;
        let rounding = match fields.optional("rounding") {
            Some(node) => Rounding::parse(node.text()?).ok_or_else(|| {
                node.error(Code::PlanInvalid).because("carry, up, down or half_even")
            })?,
            None => Rounding::Carry,
        };
        let signing = Signing::read(fields.optional("signing"), decimals)?;
        let times = Times::read(fields.optional("times"))?;
        fields.finish()?;
        let id = sha256(&[DOMAIN, &canonical]);
        Ok(Plan {
            id,
            canonical,
            name,
            authority,
            currency,
            zone,
            meters,
            choice: Choice::new(&charges, &derived),
            derived,
            charges,
            commitments,
            limits,
            grants,
            condition,
            payees,
            shares,
            term,
            rounding,
            signing,
            times,
        })
    }

    /// SHA-256 over `counterfoil/plan/1`, a line feed and the document's RFC 8785 form.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The document in its RFC 8785 form: what the id is taken over.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The plan's title for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose signatures on receipts count.
    #[must_use]
    pub fn authority(&self) -> Address {
        self.authority
    }

    /// The currency of every amount in the plan.
    #[must_use]
    pub fn currency(&self) -> &Currency {
        &self.currency
    }

    /// The zone of the plan's windows; `None` is UTC.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// The window in which a call authorised at `at` counts, for a charge or limit with these windows
    /// (`None` counts over the whole subscription) and a subscription that started at `started_at`.
    #[must_use]
    pub fn window(&self, period: Option<Cycle>, started_at: Timestamp, at: Timestamp) -> Window {
        period.map_or(Window::ALWAYS, |cycle| cycle.window(self.zone(), started_at, at))
    }

    /// Every meter and its unit, by name.
    #[must_use]
    pub fn meters(&self) -> &BTreeMap<String, String> {
        &self.meters
    }

    /// The derived meters, by name.
    #[must_use]
    pub fn derived(&self) -> &BTreeMap<String, Derived> {
        &self.derived
    }

    /// The charges, in the order of the document.
    #[must_use]
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// The least that several charges come to together, in the order of the document.
    #[must_use]
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }

    /// The limits, in the order in which they are asked.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// What every subscription is given, in the order of the document.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().map(|grant| &**grant)
    }

    pub(crate) fn shared_grants(&self) -> &[Arc<Grant>] {
        &self.grants
    }

    /// The condition that a call must meet, if any.
    #[must_use]
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Who shares in what is collected, in the order of the document.
    #[must_use]
    pub fn payees(&self) -> &[Payee] {
        &self.payees
    }

    /// The payees' shares, normalised, in the same order.
    #[must_use]
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// How exact prices become atomic units.
    #[must_use]
    pub fn rounding(&self) -> Rounding {
        self.rounding
    }

    /// How receipts become proof.
    #[must_use]
    pub fn signing(&self) -> &Signing {
        &self.signing
    }

    /// The time allowances.
    #[must_use]
    pub fn times(&self) -> Times {
        self.times
    }

    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// How long a subscription lasts.
    #[must_use]
    pub fn term(&self) -> &SubscriptionTerm {
        &self.term
    }

    /// The instant at which a subscription begun at `start` ends that nobody cancels; the last instant
    /// of all where it does not.
    pub(crate) fn ends(&self, start: Timestamp) -> Timestamp {
        let length = self.term.length.filter(|_| !self.term.renews);
        length.map_or(Timestamp::MAX, |length| length.end(self.zone(), start, start))
    }

    /// The instant at which a subscription begun at `start` ends that is cancelled at `at`; the last
    /// instant of all where its term does not end.
    ///
    /// # Errors
    /// `time_invalid` for a notice past the year 9999.
    pub(crate) fn ends_cancelled(&self, start: Timestamp, at: Timestamp) -> Result<Timestamp> {
        let at = at.max(start).checked_add(self.term.notice)?;
        let length = self.term.length.filter(|_| !self.term.immediate);
        Ok(length.map_or(at, |length| length.end(self.zone(), start, at)))
    }

    /// The instant from which on a subscription begun at `start` is paid for: the end of its trial.
    pub(crate) fn paid_from(&self, start: Timestamp) -> Timestamp {
        self.term.trial.map_or(start, |trial| trial.end(self.zone(), start, start))
    }
}

/// An address that a key can have: nobody signs for the zero address.
fn read_authority(node: &Node<'_>) -> Result<Address> {
    let address: Address = node.text()?.parse().map_err(|e: Error| e.at(node.pointer()))?;
    if address.is_zero() {
        return Err(node.error(Code::PlanInvalid).because("nobody signs for the zero address"));
    }
    Ok(address)
}

/// Whether a text is 1 to 200 characters on one line.
pub(crate) fn is_title(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control)
}

pub(crate) fn read_title(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    if !is_title(text) {
        return Err(node.error(Code::TextInvalid).because("1 to 200 characters on one line"));
    }
    Ok(String::from(text))
}

fn read_currency(node: &Node<'_>) -> Result<Currency> {
    let mut fields = node.fields()?;
    let currency = if let Some(code) = fields.optional("iso4217") {
        Currency::new_fiat(code.text()?).map_err(|e| e.at(code.pointer()))?
    } else {
        let network = fields.required("network")?.text()?;
        let token = fields.required("token")?.text()?;
        let decimals = fields.required("decimals")?;
        let places = u8::try_from(decimals.integer()?)
            .map_err(|_| decimals.error(Code::CurrencyInvalid).because("at most 36 decimals"))?;
        Currency::new_token(network, token, places).map_err(|e| e.at(node.pointer()))?
    };
    fields.finish()?;
    Ok(currency)
}

fn read_meters(node: &Node<'_>) -> Result<BTreeMap<String, String>> {
    let mut meters = BTreeMap::new();
    let fields = node.fields()?;
    for (name, unit) in fields.iter() {
        check_name(name).map_err(|e| e.at(unit.pointer()))?;
        meters.insert(String::from(name), read_title(&unit)?);
    }
    Ok(meters)
}

fn read_charges(
    node: &Node<'_>,
    decimals: u8,
    meters: &BTreeMap<String, String>,
    derived: &BTreeMap<String, Derived>,
) -> Result<Vec<Charge>> {
    let mut charges = Vec::new();
    let mut ids = BTreeSet::new();
    for item in node.items()? {
        let charge = Charge::read(&item, decimals)?;
        let known = meters.contains_key(&charge.meter) || derived.contains_key(&charge.meter);
        if charge.meter != REQUESTS && !known {
            return Err(Error::new(Code::PlanReference)
                .value(&charge.meter)
                .at(alloc::format!("{}/meter", item.pointer())));
        }
        if let Some(context) = charge.selector.as_ref().and_then(|s| s.context.as_ref())
            && !meters.contains_key(&context.meter)
        {
            return Err(Error::new(Code::PlanReference)
                .value(&context.meter)
                .at(alloc::format!("{}/context/meter", item.pointer())));
        }
        if !ids.insert(charge.id.clone()) {
            return Err(twice(&item, &charge.id));
        }
        charges.push(charge);
        check_count(node, charges.len())?;
    }
    if charges.is_empty() {
        return Err(node.error(Code::PlanInvalid).because("a plan has at least one charge"));
    }
    check_choice(&charges, derived, &|index| alloc::format!("{}/{index}", node.pointer()))?;
    Ok(charges)
}

fn read_commitments(node: &Node<'_>, decimals: u8, charges: &[Charge]) -> Result<Vec<Commitment>> {
    let mut commitments: Vec<Commitment> = Vec::new();
    for item in node.items()? {
        let commitment = Commitment::read(&item, decimals, charges)?;
        // Lines name both.
        let mut ids =
            charges.iter().map(|charge| &charge.id).chain(commitments.iter().map(|c| &c.id));
        if ids.any(|id| *id == commitment.id) {
            return Err(twice(&item, &commitment.id));
        }
        commitments.push(commitment);
        check_count(node, commitments.len())?;
    }
    Ok(commitments)
}

fn read_limits(
    node: &Node<'_>,
    document: &Node<'_>,
    decimals: u8,
    meters: &BTreeMap<String, String>,
    charges: &[Charge],
) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    let mut ids = BTreeSet::new();
    for item in node.items()? {
        let limit = Limit::read(&item, document, decimals, meters, charges)?;
        if !ids.insert(limit.id.clone()) {
            return Err(twice(&item, &limit.id));
        }
        limits.push(limit);
        check_count(node, limits.len())?;
    }
    Ok(limits)
}

fn twice(item: &Node<'_>, id: &str) -> Error {
    Error::new(Code::PlanOrder)
        .value(id)
        .because("ids are unique")
        .at(alloc::format!("{}/id", item.pointer()))
}

fn check_count(node: &Node<'_>, count: usize) -> Result<()> {
    if count > MAX_PARTS {
        return Err(Error::new(Code::PlanInvalid).at(node.pointer()).because("more than 64 parts"));
    }
    Ok(())
}
