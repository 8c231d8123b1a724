//! Evidence, and what it takes the place of.

use crate::{
    entry::Presented,
    error::{Code, Error, Result},
    meter::{State, Subscription, fold::misplaced},
    rules::{Evidence, VerifiedEvidence},
    time::Timestamp,
};

impl State {
    /// The signature is checked again: whoever folds a ledger knows that the attestor said it.
    pub(super) fn apply_presented(&mut self, e: &Presented) -> Result<()> {
        let subscription = self.subscription_mut(&e.subscription)?;
        let evidence = Evidence {
            payer: subscription.payer,
            seller: subscription.plan.authority(),
            statement: e.statement.clone(),
            issued_at: e.issued_at,
            expires_at: e.expires_at,
        };
        let verified = evidence.signed(e.attestor, e.signature)?;
        if !subscription.accepts(&verified, e.at)? {
            return Err(misplaced("evidence that was presented before"));
        }
        subscription.evidence.insert(verified.wanted(), verified.validity());
        Ok(())
    }
}

impl Subscription {
    /// Whether evidence says something new here; `false` if it is what was presented last.
    ///
    /// # Errors
    /// `evidence_refused` at the member of the document.
    pub(crate) fn accepts(&self, verified: &VerifiedEvidence, now: Timestamp) -> Result<bool> {
        let refused = |place: &str, why| {
            Err(Error::new(Code::EvidenceRefused)
                .at(alloc::string::String::from(place))
                .because(why))
        };
        let Evidence { payer, seller, issued_at, expires_at, .. } = verified.evidence();
        if *payer != self.payer {
            return refused("/payer", "stated of another payer");
        }
        if *seller != self.plan.authority() {
            return refused("/seller", "stated to another seller");
        }
        let wanted = verified.wanted();
        if !self.plan.condition().is_some_and(|condition| condition.wants(&wanted)) {
            return refused("/statement", "the plan does not ask this of the attestor");
        }
        match self.evidence.get(&wanted) {
            Some(known) if *known == verified.validity() => return Ok(false),
            Some(known) if *issued_at <= known.issued_at => {
                return refused("/issuedAt", "a later one was presented");
            }
            _ => {}
        }
        if issued_at < expires_at && *expires_at <= now {
            return refused("/expiresAt", "it has expired");
        }
        Ok(true)
    }
}
