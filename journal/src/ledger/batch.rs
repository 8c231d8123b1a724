//! Commands that become durable together.

use counterfoil::meter::{Command, Outcome, Ticket};
use counterfoil::{Code, Error, Result, Timestamp};

use super::{Ledger, SNAPSHOT_EVERY};

/// Commands that become durable with one write.
///
/// What was proposed counts for every later decision of the ledger, so it cannot be taken back: the
/// entries of a batch that is dropped become durable with the next commit of any other batch, and
/// what they decided is read from the meter alone.
#[derive(Debug)]
pub struct Batch<'a> {
    ledger: &'a Ledger,
    tickets: Vec<Ticket>,
    last: Option<u64>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Batch { ledger, tickets: Vec::new(), last: None }
    }

    /// Decides a command on everything before it, and says whether that makes an entry. What was
    /// decided is read from [`Batch::commit`].
    ///
    /// # Errors
    /// What is wrong with the command. It is then not part of the batch; the others are.
    pub fn propose(&mut self, command: &Command, now: Timestamp) -> Result<bool> {
        let mut shared = self.ledger.lock()?;
        let step = shared.meter.propose(command, now)?;
        if let Some(entry) = &step.entry {
            // Under the lock, so that entries stand in the order of their tickets.
            match self.ledger.journal.append(entry) {
                Ok(index) => self.last = Some(index),
                Err(e) => {
                    shared.meter.abandon(step.ticket)?;
                    return Err(e);
                }
            }
        } else {
            // A decision without an entry still rests on what others have appended.
            self.last = self.ledger.journal.len().checked_sub(1);
        }
        shared.open.push_back(step.ticket);
        self.tickets.push(step.ticket);
        Ok(step.entry.is_some())
    }

    /// How many commands are in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Makes the batch durable, has it signed, and returns what was decided, in order. A signature
    /// that the signer does not give now is pending: see [`Ledger`].
    ///
    /// # Errors
    /// [`Code::MeterStalled`] when the write failed and its fate is unknown: open the ledger anew.
    pub fn commit(mut self) -> Result<Vec<Outcome>> {
        let ledger = self.ledger;
        if let Some(last) = self.last
            && let Err(e) = ledger.journal.flush_through(last)
        {
            ledger.lock()?.meter.stall();
            return Err(e);
        }
        let tickets = std::mem::take(&mut self.tickets);
        let mut outcomes = Vec::with_capacity(tickets.len());
        let due = {
            let mut shared = ledger.lock()?;
            if let Some(last) = tickets.last() {
                shared.confirm_through(*last)?;
            }
            for ticket in &tickets {
                let outcome = shared.ready.remove(ticket);
                outcomes.push(outcome.ok_or_else(|| Error::new(Code::StepAbandoned))?);
            }
            shared.meter.entries().saturating_sub(shared.snapshot_at) >= SNAPSHOT_EVERY
        };
        // What fails here stays pending, and the entries stand.
        let _ = ledger.sign(outcomes.iter().filter_map(Outcome::sign));
        if due {
            ledger.snapshot()?;
        }
        Ok(outcomes)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.tickets.is_empty() {
            return;
        }
        // A poisoned ledger reads nothing any more.
        let Ok(mut shared) = self.ledger.lock() else { return };
        for ticket in &self.tickets {
            if shared.ready.remove(ticket).is_none() {
                shared.forgotten.insert(*ticket);
            }
        }
    }
}
