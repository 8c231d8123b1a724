//! Giving grants and taking them back.

use crate::{
    amount::Amount,
    crypto::Digest,
    entry::{Entry, Granted, Voided},
    error::{Code, Error, Result},
    json::{self, Limits},
    meter::{Outcome, State, decide::Decision},
    plan::{Grant, Term},
    time::Timestamp,
};

impl State {
    pub(super) fn decide_grant(&self, id: &Digest, terms: &str, at: Timestamp) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        subscription.need_whole()?;
        let plan = &*subscription.plan;
        let document = json::parse(terms.as_bytes(), &Limits::default())?.canonical()?;
        let grant = Grant::from_json(&document, plan)?;
        let grants = &subscription.account.grants;
        if grants.commanded(&grant.id).is_some_and(|g| g.document.as_deref() == Some(&document)) {
            return Ok((None, Outcome::Done));
        }
        if grants.knows(plan, &grant.id) {
            return Err(Error::new(Code::GrantConflict).value(&grant.id));
        }
        if let Term::Given { expires_at: Some(end) } = grant.term
            && end <= at
        {
            return Err(Error::new(Code::TimeInvalid)
                .at("/expires_at")
                .value(end)
                .because("a grant expires after it is given"));
        }
        let granted = Granted { subscription: *id, terms: document, at };
        Ok((Some(Entry::Granted(granted)), Outcome::Done))
    }

    pub(super) fn decide_void(&self, id: &Digest, grant: &str, at: Timestamp) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        subscription.need_whole()?;
        let grants = &subscription.account.grants;
        if !grants.knows(&subscription.plan, grant) {
            return Err(Error::new(Code::GrantUnknown).value(grant));
        }
        if grants.is_voided(&subscription.plan, grant) {
            return Ok((None, Outcome::Voided { refund: Amount::ZERO }));
        }
        let refund = grants.refund(grant)?;
        let voided = Voided { subscription: *id, grant: grant.into(), at, refund };
        Ok((Some(Entry::Voided(voided)), Outcome::Voided { refund }))
    }
}
