//! Ending a hold: with a receipt, or without.

use alloc::string::String;

use crate::{
    codec::Writer,
    crypto::{Digest, sha256},
    entry::{Entry, Release, ReleaseReason},
    error::{Code, Error, Result},
    meter::{
        HoldState, Outcome, Replay, Settle, State,
        decide::{Decision, authorize::check_request_id},
        draft::{Facts, draft_call, joined},
    },
    receipt::{receipt_salt, request_subject},
    time::Timestamp,
    usage::Usage,
};

impl State {
    pub(super) fn decide_settle(
        &self,
        settle: &Settle,
        part: bool,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        check_request_id(&settle.id)?;
        let (subscription, lane) = self.current(&settle.subscription)?;
        let subject = request_subject(&settle.id);
        let unknown = || Error::new(Code::HoldUnknown).value(&settle.id);
        let Some(hold) = subscription.holds.get(&subject) else {
            let known = subscription.remembered.get(&subject).filter(|known| known.is_settled());
            let known = known.ok_or_else(unknown)?;
            // A part that comes after the end of its call is no repetition of it.
            return match !part && known.used == usage_digest(&settle.usage, settle.content) {
                true => Ok((None, Outcome::Replayed(Replay::Settled { receipt: known.receipt }))),
                false => Err(Error::new(Code::RequestConflict).value(&settle.id)),
            };
        };
        if let Some(parts) = hold.parts.as_ref().filter(|_| part)
            && parts.used == usage_digest(&settle.usage, settle.content)
        {
            return Ok((None, Outcome::Replayed(Replay::Settled { receipt: parts.receipt })));
        }
        let attributes = joined(&hold.attributes, settle.usage.attributes().iter());
        let facts = Facts {
            subscription: settle.subscription,
            subject,
            usage: &settle.usage,
            attributes: &attributes,
            content: settle.content,
            authorized_at: hold.authorized_at,
            issued_at: now.max(lane.issued_at).max(hold.authorized_at),
            import: None,
            part,
        };
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let call = draft_call(self, &facts)?;
        let parts = hold.parts.as_deref();
        self.receipt_decision(subscription, call.draft.seal(salt), &hold.attributes, parts)
    }

    /// Nobody knows what the call used: its plan says what counts.
    pub(super) fn decide_unfinished(
        &self,
        id: &Digest,
        request: &str,
        now: Timestamp,
        key: &Digest,
    ) -> Result<Decision> {
        check_request_id(request)?;
        let (subscription, _) = self.current(id)?;
        let subject = request_subject(request);
        let Some(hold) = subscription.holds.get(&subject) else {
            // Whatever settled it: the call has ended.
            let known = subscription.remembered.get(&subject).filter(|known| known.is_settled());
            let known = known.ok_or_else(|| Error::new(Code::HoldUnknown).value(request))?;
            return Ok((None, Outcome::Replayed(Replay::Settled { receipt: known.receipt })));
        };
        let settle = Settle {
            subscription: *id,
            id: String::from(request),
            usage: hold.unfinished(&subscription.plan)?,
            content: Digest::ZERO,
        };
        self.decide_settle(&settle, false, now, key)
    }

    pub(super) fn decide_release(
        &self,
        subscription: &Digest,
        id: &str,
        reason: ReleaseReason,
        now: Timestamp,
    ) -> Result<Decision> {
        let found = self.subscription(subscription)?;
        let subject = request_subject(id);
        let hold =
            found.holds.get(&subject).ok_or_else(|| Error::new(Code::HoldUnknown).value(id))?;
        if reason == ReleaseReason::Expired
            || (reason == ReleaseReason::Unknown && !hold.is_reserved())
        {
            return Err(Error::new(Code::HoldUnknown).value(id).because("the hold has expired"));
        }
        if reason == ReleaseReason::Unknown && hold.state == HoldState::Unknown {
            return Ok((None, Outcome::Released { subject }));
        }
        let release = Release { lane: hold.lane, subject, at: now, reason };
        Ok((Some(Entry::Release(release)), Outcome::Released { subject }))
    }
}

/// The hash of what a settle says was used.
pub(crate) fn usage_digest(usage: &Usage, content: Digest) -> Digest {
    let mut w = Writer::with_capacity(256);
    w.text(usage.surface().as_str()).u8(usage.basis().number()).raw(content.bytes());
    for (meter, quantity) in usage.iter() {
        w.text(meter).u64(quantity);
    }
    sha256(&[&w.0])
}
