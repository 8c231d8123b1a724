//! Auditing a ledger: re-rate, re-hash and re-chain every receipt, offline.
//!
//! An [`Auditor`] takes the entries of a ledger one by one and makes each receipt again from the plan,
//! the recorded usage and the counters that the receipts before it leave. The first difference is an
//! error that names receipt and field.

use alloc::{collections::BTreeMap, format, string::ToString};
use core::fmt;

use crate::{
    account::Edge,
    crypto::{Address, Digest, Signature, check},
    entry::{Denial, Entry, Extended, HoldEntry, ReceiptEntry},
    error::{Code, Error, Result},
    lease::Lease,
    log::Checkpoint,
    meter::{
        CreditFacts, Draft, Facts, LaneTotals, LeaseRequest, State, draft_call, draft_credit,
        draft_period, draft_true_up, joined, lane_totals,
    },
    plan::{Plan, Signing},
    receipt::{Head, Item, Kind, import_subject, period_subject},
    usage::Usage,
};

/// What an entry wants to be signed, as an auditor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The slot of the signature: a log position, or a checkpoint's number.
    pub slot: u64,
    /// Whether the slot is a checkpoint's.
    pub checkpoint: bool,
    /// Whether the signature must be there: false for a head in checkpoint mode.
    pub required: bool,
    digest: Digest,
    signer: Address,
    place: Place,
}

impl Expected {
    /// Checks the signature that stands in the slot.
    ///
    /// # Errors
    /// `signature_missing` where one is required, `signature_invalid`, `signature_wrong_key`, each
    /// with the receipt's place.
    pub fn check(&self, signature: Option<&[u8; 65]>) -> Result<()> {
        match signature {
            Some(bytes) => Signature::from_bytes(bytes)
                .and_then(|signature| check(&self.digest, &signature, self.signer))
                .map_err(|e| e.within(self.place.to_string())),
            None if self.required => {
                Err(Error::new(Code::SignatureMissing).at(self.place.to_string()))
            }
            None => Ok(()),
        }
    }
}

/// What an error is about. It is put into words only when there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Lane(Digest),
    Receipt(Digest, u64),
    Checkpoint(u64),
    Lease(Digest),
}

impl Place {
    fn of(e: &ReceiptEntry) -> Place {
        Place::Receipt(e.head.lane, e.head.sequence)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Lane(lane) => write!(f, "lane {lane}"),
            Place::Receipt(lane, sequence) => write!(f, "lane {lane} receipt {sequence}"),
            Place::Checkpoint(number) => write!(f, "checkpoint {number}"),
            Place::Lease(lease) => write!(f, "lease {lease}"),
        }
    }
}

/// Counts of what was audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All entries.
    pub entries: u64,
    /// Receipts.
    pub receipts: u64,
    /// Refused records.
    pub denied: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// Recomputes a ledger entry by entry.
#[derive(Debug, Clone, Default)]
pub struct Auditor {
    state: State,
    /// Heads and openings of earlier origins that no checkpoint covers.
    left_unproven: u64,
    counts: Counts,
    last_checkpoint: Option<Checkpoint>,
}

impl Auditor {
    /// An auditor before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Audits the next entry. What it wants signed is returned, to be checked by the caller who has
    /// the signatures; the entry itself too, for reports.
    ///
    /// # Errors
    /// `audit_mismatch`, `audit_chain`, `body_mismatch` with receipt and field; `entry_misplaced`;
    /// the codes of malformed bytes.
    pub fn next(&mut self, bytes: &[u8]) -> Result<(Entry, Option<Expected>)> {
        let number = self.counts.entries;
        let place = || format!("entry {number}");
        let entry = Entry::from_bytes(bytes).map_err(|e| e.within(place()))?;
        let expected = self.expected(&entry).map_err(|e| e.at(place()))?;
        match &entry {
            Entry::Receipt(receipt) => self.recompute(receipt)?,
            Entry::Hold(hold) => self.admit_again(hold).map_err(|e| e.within(place()))?,
            Entry::Leased(lease) => self.lend_again(lease).map_err(|e| e.within(place()))?,
            Entry::Extended(e) => self.extend_again(e).map_err(|e| e.within(place()))?,
            _ => {}
        }
        if let Entry::Plan(document) = &entry {
            let plan = Plan::from_json(document).map_err(|e| e.within(place()))?;
            if plan.canonical() != document.as_slice() {
                return Err(Error::new(Code::AuditMismatch)
                    .at(place())
                    .because("the plan is not in its canonical form"));
            }
        }
        if let Entry::Instance(_) = entry {
            self.left_unproven = self.unproven();
        }
        self.state.apply(&entry).map_err(|e| match entry {
            // They come from documents with places of their own.
            Entry::Granted(_) | Entry::Presented(_) => e.within(place()),
            _ => e.at(place()),
        })?;
        self.count(&entry);
        Ok((entry, expected))
    }

    fn count(&mut self, entry: &Entry) {
        let one = |n: &mut u64| *n = n.saturating_add(1);
        one(&mut self.counts.entries);
        match entry {
            Entry::Receipt(_) => one(&mut self.counts.receipts),
            Entry::Denied(_) => one(&mut self.counts.denied),
            Entry::Checkpoint(checkpoint) => {
                one(&mut self.counts.checkpoints);
                self.last_checkpoint = Some(checkpoint.clone());
            }
            _ => {}
        }
    }

    fn expected(&self, entry: &Entry) -> Result<Option<Expected>> {
        let slot = self.state.next_slot();
        let signer = || Ok::<_, Error>(self.state.instance()?.signer);
        Ok(match entry {
            Entry::Open(e) => {
                let plan = self.state.plan(&e.lane.plan)?;
                let signer = signer()?;
                if plan.authority() != signer {
                    return Err(Error::new(Code::SignatureWrongKey)
                        .value(signer)
                        .at(format!("lane {}", e.lane.digest()))
                        .because("the plan names another authority"));
                }
                let digest = e.lane.digest();
                Some(Expected {
                    slot,
                    checkpoint: false,
                    required: true,
                    digest,
                    signer,
                    place: Place::Lane(digest),
                })
            }
            Entry::Receipt(e) => {
                let lane = self.state.lane(&e.head.lane)?;
                let plan = self.state.plan(&lane.open.plan)?;
                Some(Expected {
                    slot,
                    checkpoint: false,
                    required: *plan.signing() == Signing::Each,
                    digest: e.digest,
                    signer: signer()?,
                    place: Place::of(e),
                })
            }
            Entry::Checkpoint(e) => Some(Expected {
                slot: self.state.checkpoints,
                checkpoint: true,
                required: true,
                digest: e.digest(),
                signer: signer()?,
                place: Place::Checkpoint(self.state.checkpoints),
            }),
            Entry::Leased(e) => Some(self.wanted(slot, e.digest(), Place::Lease(e.digest()))?),
            Entry::Stated(e) => Some(self.wanted(slot, e.digest(), Place::Lease(e.lease))?),
            _ => None,
        })
    }

    fn wanted(&self, slot: u64, digest: Digest, place: Place) -> Result<Expected> {
        let signer = self.state.instance()?.signer;
        Ok(Expected { slot, checkpoint: false, required: true, digest, signer, place })
    }

    /// Makes the receipt again and compares.
    fn recompute(&self, recorded: &ReceiptEntry) -> Result<()> {
        let place = Place::of(recorded);
        if recorded.body.root() != recorded.head.body {
            return Err(Error::new(Code::BodyMismatch).at(format!("{place} body")));
        }
        let lane = self.state.lane(&recorded.head.lane).map_err(|e| e.at(place.to_string()))?;
        if lane.sequence.checked_add(1) != Some(recorded.head.sequence) {
            return Err(Error::new(Code::AuditChain)
                .value(recorded.head.sequence)
                .because("receipts are missing, repeated or out of order")
                .at(format!("{place} sequence")));
        }
        let again = match recorded.head.kind {
            Kind::Call | Kind::Part => self.draft_again(recorded),
            Kind::Period => self.period_again(recorded),
            Kind::TrueUp => self.true_up_again(recorded),
            Kind::Credit => self.credit_again(recorded),
        }
        .map_err(|e| e.within(place.to_string()))?;
        compare(recorded, &again, place)
    }

    /// A hold must have been admissible: what is charged under it relies on that.
    fn admit_again(&mut self, hold: &HoldEntry) -> Result<()> {
        let subscription = self.state.lane(&hold.lane)?.open.root();
        let lane = self.state.subscription(&subscription)?.lane;
        let times = self.state.subscription(&subscription)?.plan.times();
        if lane != hold.lane {
            return Err(Error::new(Code::AuditMismatch).at("lane"));
        }
        if hold.authorized_at.checked_add(times.hold)? != hold.deadline {
            return Err(Error::new(Code::AuditMismatch).at("deadline").value(hold.deadline));
        }
        let (found, lane) = self.state.current(&subscription)?;
        let (grants, at) = (&found.account.grants, hold.authorized_at);
        let usable = grants.usable(&found.plan, &hold.attributes, at, lane.issued_at)?;
        self.state.admit_hold(&subscription, hold, &usable)?.map(|_| ()).map_err(refused)
    }

    /// A lease must be what the meter would have lent: its intervals and shares rely on that.
    fn lend_again(&self, lease: &Lease) -> Result<()> {
        let request = LeaseRequest {
            subscription: lease.subscription,
            holder: lease.holder.clone(),
            until: lease.until,
            units: lease.charges.iter().map(|i| (i.charge.clone(), i.units)).collect(),
            limits: lease
                .limits
                .iter()
                .filter(|share| share.most != 0)
                .map(|share| (share.limit.clone(), share.most))
                .collect(),
            attributes: lease.attributes.clone(),
        };
        match self.state.draft_lease(&request, lease.at)? {
            Ok(again) if again == *lease => Ok(()),
            Ok(_) => Err(Error::new(Code::AuditMismatch).at("lease")),
            Err(denial) => Err(refused(denial)),
        }
    }

    /// The deadline must be that of the plan, and what is held in addition admissible. Whether there is a
    /// hold to extend, the fold says.
    fn extend_again(&mut self, extended: &Extended) -> Result<()> {
        let id = self.state.lane(&extended.lane)?.open.root();
        let subscription = self.state.subscription(&id)?;
        let hold = subscription.holds.get(&extended.subject).cloned();
        let Some(hold) = &hold else { return Ok(()) };
        if hold.extended(&subscription.plan, extended.at)? != extended.deadline {
            return Err(Error::new(Code::AuditMismatch).at("deadline").value(extended.deadline));
        }
        let Some(held) = extended.units.as_ref().filter(|_| hold.is_reserved()) else {
            return Ok(());
        };
        let (found, lane) = self.state.current(&id)?;
        let (grants, at) = (&found.account.grants, hold.authorized_at);
        let usable = grants.usable(&found.plan, &hold.attributes, at, lane.issued_at)?;
        self.state.deny_wider(&id, hold, held, &usable)?.map_or(Ok(()), |d| Err(refused(d)))
    }

    fn draft_again(&self, recorded: &ReceiptEntry) -> Result<Draft> {
        let lane = self.state.lane(&recorded.head.lane)?;
        let subscription_id = lane.open.root();
        let subscription = self.state.subscription(&subscription_id)?;
        let hold = subscription.holds.get(&recorded.head.subject);
        let items = &recorded.body.items;
        let source = items.iter().rev().find_map(|item| match item {
            Item::Source { surface, basis, content } => Some((*surface, *basis, *content)),
            _ => None,
        });
        let none = BTreeMap::new();
        let held = hold.map_or(&none, |hold| &*hold.attributes);
        let named = items.iter().filter_map(|item| match item {
            Item::Attribute { name, value } => Some((name, value)),
            _ => None,
        });
        let attributes = joined(held, named);
        let (surface, basis, content) =
            source.ok_or_else(|| Error::new(Code::AuditMismatch).at("source"))?;
        let mut usage = Usage::new(surface, basis);
        for item in items {
            if let Item::Quantity { meter, quantity } = item {
                usage.set(meter, *quantity)?;
            }
        }
        let subject = match &recorded.import {
            Some(mark) => {
                if let Some(denial) = self.state.deny_by_terms(
                    &subscription_id,
                    &attributes,
                    recorded.head.authorized_at,
                )? {
                    return Err(refused(denial));
                }
                let at = recorded.head.authorized_at;
                let refusal =
                    self.state.deny_by_counts(&subscription_id, &usage, &attributes, at)?;
                if let Some(denial) = refusal {
                    return Err(refused(denial));
                }
                import_subject(mark)
            }
            None => recorded.head.subject,
        };
        let facts = Facts {
            subscription: subscription_id,
            subject,
            usage: &usage,
            attributes: &attributes,
            content,
            authorized_at: hold.map_or(recorded.head.authorized_at, |hold| hold.authorized_at),
            issued_at: recorded.head.issued_at,
            import: recorded.import.as_ref(),
            part: recorded.head.kind == Kind::Part,
        };
        let call = draft_call(&self.state, &facts)?;
        if recorded.import.is_some() && call.short.is_some() {
            return Err(Error::new(Code::AuditMismatch)
                .at("price")
                .because("a limit had no room for this call"));
        }
        Ok(call.draft)
    }

    fn period_again(&self, recorded: &ReceiptEntry) -> Result<Draft> {
        let head = &recorded.head;
        let subscription = self.state.lane(&head.lane)?.open.root();
        let plan = &self.state.subscription(&subscription)?.plan;
        for item in &recorded.body.items {
            if let Item::Line { charge, window, units_before, .. } = item {
                let index = crate::meter::line_index(plan, charge)?;
                let subject = |edge: &Edge| {
                    period_subject(edge.number(), charge, window.start, *units_before)
                };
                let edge = Edge::ALL.into_iter().find(|edge| subject(edge) == head.subject);
                let edge = edge.unwrap_or(Edge::Close);
                return draft_period(&self.state, &subscription, index, edge, head.issued_at);
            }
        }
        Err(Error::new(Code::AuditMismatch).at("line").because("a period that charges nothing"))
    }

    fn true_up_again(&self, recorded: &ReceiptEntry) -> Result<Draft> {
        let subscription = self.state.lane(&recorded.head.lane)?.open.root();
        let plan = &self.state.subscription(&subscription)?.plan;
        for item in &recorded.body.items {
            if let Item::Correction { charge, window, .. } = item {
                let index = crate::meter::charge_index(plan, charge)?;
                let at = recorded.head.issued_at;
                return draft_true_up(&self.state, &subscription, index, *window, at);
            }
        }
        Err(Error::new(Code::AuditMismatch).at("correction").because("a true-up corrects nothing"))
    }

    fn credit_again(&self, recorded: &ReceiptEntry) -> Result<Draft> {
        let missing = |what: &'static str| Error::new(Code::AuditMismatch).at(what);
        let subscription = self.state.lane(&recorded.head.lane)?.open.subscription;
        let corrects = recorded.corrects.as_ref().ok_or_else(|| missing("corrects"))?;
        let Some(Item::Credit { id, reason, amount, .. }) = recorded.body.items.first() else {
            return Err(missing("credit").because("a credit that does not say what it is"));
        };
        let issued_at = recorded.head.issued_at;
        let facts = CreditFacts { subscription, id, reason, amount: *amount, corrects, issued_at };
        draft_credit(&self.state, &facts)
    }

    /// What was audited so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The latest checkpoint.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<&Checkpoint> {
        self.last_checkpoint.as_ref()
    }

    /// How many log positions there are.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.state.next_slot()
    }

    /// How many heads and openings no checkpoint covers: those after the last one, and those that a
    /// log had left when another origin began.
    #[must_use]
    pub fn unproven(&self) -> u64 {
        let open = self.state.log.size().saturating_sub(self.state.checkpointed);
        self.left_unproven.saturating_add(open)
    }

    /// Every lane's totals.
    pub fn lanes(&self) -> impl Iterator<Item = LaneTotals> + '_ {
        lane_totals(&self.state)
    }

    /// The state as a meter shows it, to read subscriptions and counters from.
    #[must_use]
    pub fn into_meter(self) -> crate::Meter {
        crate::Meter::from_state(self.state, [0; 32])
    }
}

/// A recorded call that the plan refuses.
fn refused(denial: Denial) -> Error {
    Error::new(Code::AuditMismatch).at(denial.rule).because("the plan refuses this call")
}

/// Names the first field in which a recorded receipt differs from the recomputed one. Its body's root
/// and its digest are checked already.
fn compare(recorded: &ReceiptEntry, again: &Draft, place: Place) -> Result<()> {
    let head = Head { body: recorded.head.body, ..again.head.clone() };
    if recorded.head == head
        && recorded.body.items == again.items
        && recorded.import == again.import
    {
        return Ok(());
    }
    let differs = |code, field: &str, value: &dyn ToString| {
        Err(Error::new(code).value(value.to_string()).at(format!("{place} {field}")))
    };
    let (a, b) = (&recorded.head, &again.head);
    if a.previous != b.previous {
        return differs(Code::AuditChain, "previous", &a.previous);
    }
    if a.lane != b.lane {
        return differs(Code::AuditChain, "lane", &a.lane);
    }
    if a.authorized_at != b.authorized_at {
        return differs(Code::AuditMismatch, "authorizedAt", &a.authorized_at);
    }
    if a.subject != b.subject {
        return differs(Code::AuditMismatch, "subject", &a.subject);
    }
    // The cause before what follows from it.
    let (left, right) = (&recorded.body.items, &again.items);
    for (i, item) in left.iter().enumerate() {
        if right.get(i) != Some(item) {
            return differs(Code::AuditMismatch, &item.label(), &item.to_value().compact());
        }
    }
    if left.len() != right.len() {
        return differs(Code::AuditMismatch, "items", &left.len());
    }
    if a.charge != b.charge {
        return differs(Code::AuditMismatch, "charge", &a.charge);
    }
    if a.cumulative != b.cumulative {
        return differs(Code::AuditMismatch, "cumulative", &a.cumulative);
    }
    if a.credited != b.credited {
        return differs(Code::AuditMismatch, "credited", &a.credited);
    }
    differs(Code::AuditMismatch, "head", &recorded.digest)
}
