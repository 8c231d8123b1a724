//! Applying an entry to the state. Nothing is decided and nothing is priced here; what cannot follow
//! is refused, before anything changes wherever that can be told.

mod credit;
mod hold;
mod lease;
mod open;
mod presented;
mod receipt;
mod term;

pub(crate) use term::closings;

use alloc::{collections::BTreeMap, string::String, sync::Arc};

pub(crate) use self::lease::reclaimable;
use self::receipt::used_digest;
use crate::{
    account::SharedLimits,
    crypto::Digest,
    entry::{Collected, Denied, Entry, Granted, ImportMark, Instance, Voided},
    error::{Code, Error, Result},
    json::{self, Limits},
    log::{Checkpoint, Frontier, leaf_hash},
    meter::{State, Subscription},
    plan::{Grant, LimitRule, Plan, Term},
    receipt::import_subject,
    time::Timestamp,
};

/// What folding a receipt hashes. A meter folds its entries twice, into what is proposed and into what
/// is durable, and hashes them once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed {
    /// The leaf of the log.
    leaf: Digest,
    /// What the receipt says was used.
    used: Digest,
}

impl Hashed {
    pub(crate) fn of(entry: &Entry) -> Hashed {
        match entry {
            Entry::Receipt(e) => {
                Hashed { leaf: leaf_hash(e.digest.bytes()), used: used_digest(&e.body.items) }
            }
            _ => Hashed { leaf: Digest::ZERO, used: Digest::ZERO },
        }
    }
}

impl State {
    /// Folds one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<()> {
        self.apply_hashed(entry, &Hashed::of(entry))
    }

    /// Folds one entry whose hashes are made.
    pub(crate) fn apply_hashed(&mut self, entry: &Entry, hashed: &Hashed) -> Result<()> {
        match entry {
            Entry::Instance(e) => self.apply_instance(e)?,
            Entry::Plan(document) => self.apply_plan(document)?,
            Entry::Open(e) => self.apply_open(e)?,
            Entry::Hold(e) => self.apply_hold(e)?,
            Entry::Denied(e) => self.apply_denied(e)?,
            Entry::Receipt(e) => self.apply_receipt(e, hashed)?,
            Entry::Release(e) => self.apply_release(e)?,
            Entry::Checkpoint(e) => self.apply_checkpoint(e)?,
            Entry::Collected(e) => self.apply_collected(e)?,
            Entry::Granted(e) => self.apply_granted(e)?,
            Entry::Voided(e) => self.apply_voided(e)?,
            Entry::Cancelled(e) => self.apply_cancelled(e)?,
            Entry::Leased(e) => self.apply_leased(e)?,
            Entry::Stated(e) => self.apply_stated(e)?,
            Entry::Absorbed(e) => self.apply_absorbed(e)?,
            Entry::Reclaimed(e) => self.apply_reclaimed(e)?,
            Entry::Extended(e) => self.apply_extended(e)?,
            Entry::Presented(e) => self.apply_presented(e)?,
        }
        self.entries = self.entries.checked_add(1).ok_or(Code::AmountOverflow)?;
        Ok(())
    }

    fn apply_instance(&mut self, e: &Instance) -> Result<()> {
        if self.knows_origin(&e.origin) {
            return Err(misplaced("a log that begins anew needs an origin of its own"));
        }
        self.base = self.next_slot();
        self.log = Frontier::new();
        self.checkpointed = 0;
        self.latest = self.latest.max(e.at);
        self.prove_by = None;
        self.prove_now = false;
        self.instance = Some(e.clone());
        Ok(())
    }

    fn apply_plan(&mut self, document: &[u8]) -> Result<()> {
        self.instance()?;
        let plan = Plan::from_json(document)?;
        if self.plans.contains_key(&plan.id()) {
            return Err(misplaced("the plan is known already"));
        }
        self.plans.insert(plan.id(), Arc::new(plan));
        Ok(())
    }

    fn apply_denied(&mut self, e: &Denied) -> Result<()> {
        let id = self.lane(&e.lane)?.open.root();
        if import_subject(&e.import) != e.subject {
            return Err(misplaced("a refused record whose subject is not its own"));
        }
        let subscription = self.subscription_mut(&id)?;
        subscription.denied = subscription.denied.saturating_add(1);
        self.mark(&e.import)
    }

    fn apply_checkpoint(&mut self, e: &Checkpoint) -> Result<()> {
        let misfit = |field: &'static str| {
            Error::new(Code::AuditMismatch)
                .at(alloc::format!("checkpoint {} {field}", self.checkpoints))
        };
        if e.origin != self.instance()?.origin {
            return Err(misfit("origin"));
        }
        if e.size != self.log.size() {
            return Err(misfit("size"));
        }
        if e.root != self.log.root() {
            return Err(misfit("root"));
        }
        if e.lanes != self.lanes_root()? {
            return Err(misfit("lanes"));
        }
        if e.time != self.latest {
            return Err(misfit("time"));
        }
        self.checkpoints = self.checkpoints.checked_add(1).ok_or(Code::AmountOverflow)?;
        self.checkpointed = e.size;
        self.prove_by = None;
        self.prove_now = false;
        Ok(())
    }

    fn apply_collected(&mut self, e: &Collected) -> Result<()> {
        let lane = self
            .lanes
            .get_mut(&e.lane)
            .ok_or_else(|| Error::new(Code::CollectedInvalid).value(e.lane).because("no lane"))?;
        let refused = |why| Error::new(Code::CollectedInvalid).value(e.amount).because(why);
        if e.amount < lane.collected {
            return Err(refused("a collected amount is cumulative and never falls"));
        }
        if e.fee > e.amount || e.fee < lane.fee {
            return Err(refused("a fee is cumulative and part of its amount"));
        }
        lane.collected = e.amount;
        lane.fee = e.fee;
        Ok(())
    }

    fn apply_granted(&mut self, e: &Granted) -> Result<()> {
        let subscription = self.subscription_mut(&e.subscription)?;
        subscription.need_whole()?;
        let terms = Grant::from_json(&e.terms, &subscription.plan)?;
        if json::parse(&e.terms, &Limits::default())?.canonical()? != e.terms {
            return Err(misplaced("the terms are not in their canonical form"));
        }
        let ended = match terms.term {
            Term::Given { expires_at } => expires_at.is_some_and(|end| end <= e.at),
            _ => false,
        };
        if ended || subscription.account.grants.knows(&subscription.plan, &terms.id) {
            return Err(misplaced("a grant that was given before, or has expired"));
        }
        subscription.account.grants.give(Arc::new(terms), e.terms.as_slice().into(), e.at);
        Ok(())
    }

    fn apply_voided(&mut self, e: &Voided) -> Result<()> {
        let subscription = self.subscription_mut(&e.subscription)?;
        subscription.need_whole()?;
        let grants = &mut subscription.account.grants;
        if !grants.knows(&subscription.plan, &e.grant)
            || grants.is_voided(&subscription.plan, &e.grant)
        {
            return Err(misplaced("no such grant to void"));
        }
        if grants.refund(&e.grant)? != e.refund {
            return Err(misplaced("not what is left of a paid grant"));
        }
        grants.void(&subscription.plan, &e.grant);
        Ok(())
    }

    fn mark(&mut self, mark: &ImportMark) -> Result<()> {
        if let Some(before) = self.imports.get(&mark.input)
            && (mark.ordinal <= before.ordinal || mark.offset <= before.offset)
        {
            return Err(misplaced("an imported record twice"));
        }
        self.imports.insert(mark.input, mark.clone());
        Ok(())
    }
}

impl Subscription {
    /// Advances the rates that cover a call.
    fn advance_rates(
        &mut self,
        shared: &mut SharedLimits,
        attributes: &BTreeMap<String, String>,
        at: Timestamp,
    ) -> Result<()> {
        for (limit, own) in self.plan.limits().iter().zip(&mut self.account.rates) {
            let LimitRule::Rate(rate) = limit.rule else { continue };
            let Some(value) = limit.value(attributes) else { continue };
            let pace = match limit.across {
                None => own,
                Some(_) => match shared.pace_mut(&self.payer, limit) {
                    Some(pace) => pace,
                    None => continue,
                },
            };
            match pace.decide(rate, limit.values, value, at.millis()) {
                Ok(next) => pace.advance(rate, value, next, at.millis()),
                Err(_) => return Err(misplaced("a call faster than the rate allows")),
            }
        }
        Ok(())
    }
}

fn misplaced(why: &'static str) -> Error {
    Error::new(Code::EntryMisplaced).because(why)
}

pub(crate) fn charge_index(plan: &Plan, id: &str) -> Result<usize> {
    plan.charges()
        .iter()
        .position(|charge| charge.id == id)
        .ok_or_else(|| Error::new(Code::PlanReference).value(id).because("no such charge"))
}

/// The number of a line of a window that is billed without a call: a charge's or a commitment's.
pub(crate) fn line_index(plan: &Plan, id: &str) -> Result<usize> {
    let place = plan.commitments().iter().position(|commitment| commitment.id == id);
    match place {
        Some(place) => Ok(plan.charges().len().saturating_add(place)),
        None => charge_index(plan, id),
    }
}
