//! The step machine: tickets, confirmation by prefix, abandoning, and doubt.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use crate::{
    crypto::Digest,
    entry::Entry,
    error::{Code, Error, Result},
    meter::{Command, Hashed, Outcome, SignRequest, State},
    time::Timestamp,
};

/// Names a proposed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket's number; tickets count up from 0.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A decided step that waits to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Names the step to `confirm` or `abandon`.
    pub ticket: Ticket,
    /// The entry to make durable; `None` when the decision changes nothing. It must still be
    /// confirmed, after every ticket before it.
    pub entry: Option<Vec<u8>>,
}

struct Pending {
    ticket: u64,
    entry: Option<(Entry, Hashed)>,
    outcome: Outcome,
}

/// Meters calls under plans and makes receipts.
///
/// The call order is: `propose`, make the entry durable, `confirm`. Several steps may be proposed
/// before the first is confirmed; they must be recorded in the order of their tickets, and confirming
/// one confirms all before it.
pub struct Meter {
    durable: State,
    proposed: State,
    pending: VecDeque<Pending>,
    /// Outcomes of steps that were confirmed by a later ticket and not read yet.
    unread: BTreeMap<u64, Outcome>,
    next: u64,
    stalled: bool,
    salt_key: Digest,
}

impl core::fmt::Debug for Meter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Meter")
            .field("entries", &self.durable.entries)
            .field("pending", &self.pending.len())
            .field("stalled", &self.stalled)
            .finish_non_exhaustive()
    }
}

impl Meter {
    /// A meter without a past. `salt_key` is a secret of 32 random bytes, from which the salts of
    /// bodies and payers derive; the same key gives the same ledger bytes.
    #[must_use]
    pub fn new(salt_key: [u8; 32]) -> Meter {
        Meter {
            durable: State::default(),
            proposed: State::default(),
            pending: VecDeque::new(),
            unread: BTreeMap::new(),
            next: 0,
            stalled: false,
            salt_key: Digest::new(salt_key),
        }
    }

    pub(crate) fn from_state(state: State, salt_key: [u8; 32]) -> Meter {
        Meter { proposed: state.clone(), durable: state, ..Meter::new(salt_key) }
    }

    /// Folds a durable entry when a ledger is opened. Only before anything is proposed. What the
    /// entry wants signed is returned, for a host that finds the signature's slot empty.
    ///
    /// # Errors
    /// `entry_misplaced` and the codes of a broken chain, or of malformed bytes.
    pub fn replay(&mut self, entry: &[u8]) -> Result<Option<SignRequest>> {
        if !self.pending.is_empty() {
            return Err(Error::new(Code::EntryMisplaced).because("steps are pending"));
        }
        let entry = Entry::from_bytes(entry)?;
        let wanted = self.durable.wanted(&entry)?;
        let hashed = Hashed::of(&entry);
        self.proposed.apply_hashed(&entry, &hashed)?;
        self.durable.apply_hashed(&entry, &hashed)?;
        Ok(wanted)
    }

    /// Decides a command at `now` on the fold of everything proposed so far.
    ///
    /// # Errors
    /// `meter_stalled` while a write's fate is unknown; otherwise what is wrong with the command.
    /// Nothing has changed then.
    pub fn propose(&mut self, command: &Command, now: Timestamp) -> Result<Step> {
        if self.stalled {
            return Err(Error::new(Code::MeterStalled));
        }
        let (entry, outcome) = self.proposed.decide(command, now, &self.salt_key)?;
        let entry = entry.map(|entry| {
            let hashed = Hashed::of(&entry);
            (entry, hashed)
        });
        if let Some((entry, hashed)) = &entry
            && let Err(error) = self.proposed.apply_hashed(entry, hashed)
        {
            self.rebuild()?;
            return Err(error);
        }
        let ticket = self.next;
        self.next = self.next.checked_add(1).ok_or(Code::AmountOverflow)?;
        let bytes = entry.as_ref().map(|(entry, _)| entry.to_bytes());
        self.pending.push_back(Pending { ticket, entry, outcome });
        Ok(Step { ticket: Ticket(ticket), entry: bytes })
    }

    /// Says that the step's entry and all before it are durable, and reads what was decided. Every
    /// ticket is to be confirmed once, in any order: outcomes that were not read are kept.
    ///
    /// # Errors
    /// `step_abandoned` when it was abandoned, or read before; `step_unknown` when it was never
    /// proposed.
    pub fn confirm(&mut self, ticket: Ticket) -> Result<Outcome> {
        while self.pending.front().is_some_and(|step| step.ticket <= ticket.0) {
            let Some(step) = self.pending.pop_front() else { break };
            if let Some((entry, hashed)) = &step.entry {
                self.durable.apply_hashed(entry, hashed)?;
            }
            if step.ticket == ticket.0 {
                return Ok(step.outcome);
            }
            self.unread.insert(step.ticket, step.outcome);
        }
        match self.unread.remove(&ticket.0) {
            Some(outcome) => Ok(outcome),
            None if ticket.0 < self.next => Err(Error::new(Code::StepAbandoned).value(ticket.0)),
            None => Err(Error::new(Code::StepUnknown).value(ticket.0)),
        }
    }

    /// Says that the step's entry was not recorded: it and every later step are dropped, and their
    /// callers propose again.
    ///
    /// # Errors
    /// `step_unknown` when the step is not pending.
    pub fn abandon(&mut self, ticket: Ticket) -> Result<()> {
        if !self.pending.iter().any(|step| step.ticket == ticket.0) {
            return Err(Error::new(Code::StepUnknown).value(ticket.0));
        }
        self.pending.retain(|step| step.ticket < ticket.0);
        self.rebuild()
    }

    /// Says that the fate of a write is unknown: nothing is proposed until [`Meter::recover`].
    pub fn stall(&mut self) {
        self.stalled = true;
    }

    /// Ends the doubt: `durable` is how many entries the ledger really holds. Pending steps whose
    /// entries are among them are confirmed, the others abandoned.
    ///
    /// # Errors
    /// `entry_misplaced` when the ledger holds fewer entries than were confirmed, or more than were
    /// proposed.
    pub fn recover(&mut self, durable: u64) -> Result<()> {
        let misfit = |why| Error::new(Code::EntryMisplaced).value(durable).because(why);
        if durable < self.durable.entries {
            return Err(misfit("the ledger lost confirmed entries"));
        }
        let held = self.pending.iter().filter(|step| step.entry.is_some()).count();
        let proposed = self.durable.entries.saturating_add(u64::try_from(held).unwrap_or(u64::MAX));
        if durable > proposed {
            return Err(misfit("the ledger holds entries that were not proposed here"));
        }
        // A step without an entry relies on those before it only.
        while self.durable.entries < durable
            || self.pending.front().is_some_and(|step| step.entry.is_none())
        {
            let Some(step) = self.pending.pop_front() else { break };
            if let Some((entry, hashed)) = &step.entry {
                self.durable.apply_hashed(entry, hashed)?;
            }
            self.unread.insert(step.ticket, step.outcome);
        }
        self.pending.clear();
        self.rebuild()?;
        self.stalled = false;
        Ok(())
    }

    /// The fold of everything that is durable and pending, anew.
    fn rebuild(&mut self) -> Result<()> {
        self.proposed = self.durable.clone();
        for step in &self.pending {
            if let Some((entry, hashed)) = &step.entry {
                self.proposed.apply_hashed(entry, hashed)?;
            }
        }
        Ok(())
    }

    /// How many entries are durable.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.durable.entries
    }

    pub(crate) fn durable(&self) -> &State {
        &self.durable
    }

    pub(crate) fn proposed(&self) -> &State {
        &self.proposed
    }
}
