//! Metering a record of a finished call.

use crate::{
    account::Caller,
    crypto::Digest,
    entry::{Denial, Denied, Entry},
    error::Result,
    meter::{
        Import, Outcome, State,
        decide::{
            Decision,
            admit::{
                deny_before_money, deny_by_money, deny_by_rate, deny_by_unique, deny_by_units,
                deny_by_values,
            },
        },
        draft::{Facts, check_windows, draft_units},
    },
    receipt::{import_subject, receipt_salt},
};

impl State {
    pub(super) fn decide_import(&self, import: &Import, key: &Digest) -> Result<Decision> {
        let (subscription, lane) = self.current(&import.subscription)?;
        subscription.need_whole()?;
        if self.imports.get(&import.mark.input).is_some_and(|m| import.mark.ordinal <= m.ordinal) {
            return Ok((None, Outcome::Nothing));
        }
        let plan = &*subscription.plan;
        let mark = &import.mark;
        let subject = import_subject(mark);
        let issued_at = import.at.max(lane.issued_at);
        check_windows(self, subscription, import.at, issued_at)?;
        let deny = |denial: Denial| {
            let entry = Denied {
                lane: subscription.lane,
                subject,
                at: import.at,
                denial: denial.clone(),
                import: mark.clone(),
            };
            (Some(Entry::Denied(entry)), Outcome::Denied(denial))
        };
        let attributes = import.usage.attributes();
        let facts = Facts {
            subscription: import.subscription,
            subject,
            usage: &import.usage,
            attributes,
            content: import.content,
            authorized_at: import.at,
            issued_at,
            import: Some(mark),
            part: false,
        };
        // An unpriced meter or a contradiction is the record's error, not the subscriber's.
        let units = plan.charged_units(&facts.call())?;
        if let Some(denial) = deny_before_money(plan, subscription, attributes, import.at)? {
            return Ok(deny(denial));
        }
        if let Some(denial) = deny_by_values(self, subscription, attributes, import.at) {
            return Ok(deny(denial));
        }
        let caller = Caller { attributes, at: import.at };
        if let Some(denial) = deny_by_unique(plan, &subscription.account, &units, caller) {
            return Ok(deny(denial));
        }
        let salt = receipt_salt(key, &subscription.lane, lane.sequence.saturating_add(1));
        let limited = plan.limited_units(attributes, &import.usage, &units);
        let drafted = draft_units(self, &facts, units)?;
        if let Some(room) = drafted.short {
            return Ok(deny(deny_by_money(self, subscription, &room, drafted.needed)?));
        }
        if let Some(denial) = deny_by_units(self, subscription, attributes, &limited, import.at)? {
            return Ok(deny(denial));
        }
        if let Some(denial) = deny_by_rate(self, subscription, attributes, import.at)? {
            return Ok(deny(denial));
        }
        self.receipt_decision(subscription, drafted.draft.seal(salt), attributes, None)
    }
}
