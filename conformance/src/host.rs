//! A meter over a journal in memory.

use std::collections::BTreeMap;

use counterfoil::{
    Code, Error, LocalKey, Meter, Result, Timestamp,
    audit::Auditor,
    meter::{Command, Outcome, Ticket},
};

/// What the journal does with the next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    Works,
    Fails,
    Doubt,
}

/// The host of one meter.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) entries: Vec<Vec<u8>>,
    /// The write whose fate is unknown.
    doubtful: Option<Vec<u8>>,
}

impl Host {
    pub(crate) fn new(salt_key: [u8; 32]) -> Host {
        Host { meter: Meter::new(salt_key), entries: Vec::new(), doubtful: None }
    }

    /// A fresh meter, folded from these entries.
    pub(crate) fn replay(salt_key: [u8; 32], entries: &[Vec<u8>]) -> Result<Host> {
        let mut host = Host::new(salt_key);
        for entry in entries {
            host.meter.replay(entry)?;
        }
        host.entries = entries.to_vec();
        Ok(host)
    }

    /// Proposes, hands the entry to the journal, and confirms.
    pub(crate) fn run(
        &mut self,
        command: &Command,
        now: Timestamp,
        journal: Journal,
    ) -> Result<Outcome> {
        let step = self.meter.propose(command, now)?;
        let Some(entry) = step.entry else { return self.meter.confirm(step.ticket) };
        match journal {
            Journal::Works => {
                self.entries.push(entry);
                self.meter.confirm(step.ticket)
            }
            Journal::Fails => {
                self.meter.abandon(step.ticket)?;
                Err(self.unreadable(step.ticket))
            }
            Journal::Doubt => {
                self.doubtful = Some(entry);
                self.meter.stall();
                Err(Error::new(Code::MeterStalled))
            }
        }
    }

    /// Why an abandoned step cannot be confirmed.
    fn unreadable(&mut self, ticket: Ticket) -> Error {
        match self.meter.confirm(ticket) {
            Ok(_) => Error::new(Code::StepUnknown).because("an abandoned step was confirmed"),
            Err(error) => error,
        }
    }

    /// Ends the doubt.
    pub(crate) fn recover(&mut self, written: bool) -> Result<u64> {
        if let Some(entry) = self.doubtful.take().filter(|_| written) {
            self.entries.push(entry);
        }
        self.meter.recover(u64::try_from(self.entries.len()).unwrap_or(u64::MAX))?;
        Ok(self.meter.entries())
    }

    /// Audits these entries with the signatures that `key` makes over the journal's own.
    pub(crate) fn audit(&self, key: &LocalKey, entries: &[Vec<u8>]) -> Result<Auditor> {
        let mut signatures = BTreeMap::new();
        let mut meter = Meter::new([0; 32]);
        for entry in &self.entries {
            if let Some(wanted) = meter.replay(entry)? {
                let slot = (wanted.is_checkpoint(), wanted.slot);
                signatures.insert(slot, key.sign(&wanted.digest));
            }
        }
        let mut auditor = Auditor::new();
        for entry in entries {
            let (_, expected) = auditor.next(entry)?;
            if let Some(expected) = expected {
                let signature = signatures.get(&(expected.checkpoint, expected.slot));
                expected.check(signature.map(counterfoil::Signature::bytes))?;
            }
        }
        Ok(auditor)
    }
}
