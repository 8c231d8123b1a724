//! Evidence that is shown to the meter.

use crate::{
    crypto::Digest,
    entry::{Entry, Presented},
    error::{Code, Error, Result},
    meter::{Outcome, State, decide::Decision},
    rules::{Evidence, VerifiedEvidence},
    time::Timestamp,
};

impl State {
    pub(super) fn decide_present(
        &self,
        id: &Digest,
        evidence: &str,
        now: Timestamp,
    ) -> Result<Decision> {
        let subscription = self.subscription(id)?;
        let verified = VerifiedEvidence::from_json(evidence.as_bytes())?;
        let Evidence { statement, issued_at, expires_at, .. } = verified.evidence();
        if now.checked_add(subscription.plan.times().skew)? < *issued_at {
            return Err(Error::new(Code::ClockSkew).at("/issuedAt").value(issued_at));
        }
        if !subscription.accepts(&verified, now)? {
            return Ok((None, Outcome::Done));
        }
        let entry = Presented {
            subscription: *id,
            attestor: verified.attestor(),
            statement: statement.clone(),
            issued_at: *issued_at,
            expires_at: *expires_at,
            signature: *verified.signature(),
            at: now,
        };
        Ok((Some(Entry::Presented(entry)), Outcome::Done))
    }
}
