//! How long a subscription lasts: its length, renewal, trial and cancellation.

use alloc::string::String;

use crate::{
    error::{Code, Result},
    json::Node,
    plan::{
        Charge, Times,
        charge::{read_name, read_positive},
        window::read_periods,
    },
    rating::Model,
    time::{Anchor, Cycle, Timestamp, Zone},
};

/// A stretch of time from a subscription's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many milliseconds, at least 1.
    Millis(u64),
    /// So many periods of the calendar in the plan's zone, counted from the start.
    Periods(Cycle),
}

/// The term of a plan's subscriptions; by default they have no end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionTerm {
    /// How long one term is; without it a subscription has no end until it is cancelled.
    pub length: Option<Length>,
    /// Whether a term follows the one that ends.
    pub renews: bool,
    /// The first stretch, in which nothing is billed.
    pub trial: Option<Length>,
    /// Among the plans with this name a payer has one subscription, ever.
    pub once: Option<String>,
    /// Whether a cancellation ends a subscription at once; otherwise at the end of its term.
    pub immediate: bool,
    /// How many milliseconds before its end a subscription is cancelled at the latest.
    pub notice: u64,
}

impl Length {
    /// Where it ends from `start` on, and where, one following the other, the one ends that holds
    /// `at`. The last instant of all where that is past it.
    pub(super) fn end(self, zone: Option<&Zone>, start: Timestamp, at: Timestamp) -> Timestamp {
        let at = at.max(start);
        match self {
            Length::Periods(cycle) => cycle.window(zone, start, at).end,
            Length::Millis(ms) => {
                let past = at.millis().saturating_sub(start.millis());
                let done = past.checked_rem(ms).map_or(past, |rest| past.saturating_sub(rest));
                let end = start.checked_add(done).and_then(|from| from.checked_add(ms));
                end.unwrap_or(Timestamp::MAX)
            }
        }
    }

    fn read(node: &Node<'_>) -> Result<Length> {
        if node.fields().is_err() {
            return Ok(Length::Millis(read_positive(node)?));
        }
        let mut fields = node.fields()?;
        let (every, count, place) = read_periods(&mut fields, node)?;
        fields.finish()?;
        let cycle = Cycle::anchored(every, count, Anchor::Start);
        Ok(Length::Periods(cycle.map_err(|e| e.at(place.pointer()))?))
    }
}

impl SubscriptionTerm {
    pub(super) fn read(node: Option<Node<'_>>, charges: &[Charge]) -> Result<SubscriptionTerm> {
        let mut term = SubscriptionTerm::default();
        let Some(node) = node else { return Ok(term) };
        let mut fields = node.fields()?;
        if let Some(length) = fields.optional("length") {
            term.length = Some(Length::read(&length)?);
            if let Some(renewal) = fields.optional("renewal") {
                term.renews = read_second(&renewal, ["none", "auto"])?;
            }
        }
        if let Some(trial) = fields.optional("trial") {
            term.trial = Some(Length::read(&trial)?);
            let fee = |charge: &Charge| matches!(charge.tariff.model(), Model::Flat { .. });
            if charges.iter().any(|c| !fee(c) && !c.tariff.due_at_start().is_zero()) {
                return Err(trial
                    .error(Code::PlanInvalid)
                    .because("beside a trial only flat charges are due without use"));
            }
        }
        term.once = fields.optional("once").map(|once| read_name(&once)).transpose()?;
        if let Some(cancellation) = fields.optional("cancellation") {
            term.immediate = read_second(&cancellation, ["at_end", "immediate"])?;
        }
        if let Some(notice) = fields.optional("notice") {
            term.notice = read_positive(&notice)?;
            if term.notice > Times::MOST {
                return Err(notice.error(Code::PlanInvalid).because("at most 366 days"));
            }
        }
        fields.finish()?;
        Ok(term)
    }
}

/// Whether the text is the second of two.
fn read_second(node: &Node<'_>, words: [&'static str; 2]) -> Result<bool> {
    match words.iter().position(|word| node.text().is_ok_and(|text| text == *word)) {
        Some(found) => Ok(found == 1),
        None => {
            node.text()?;
            Err(node.error(Code::PlanInvalid).because(words[1]))
        }
    }
}
