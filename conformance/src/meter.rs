//! A meter and its journal in memory, with journals that fail or leave in doubt.

use counterfoil::meter::{Command, Meter, Outcome};
use counterfoil::{Code, Error, Result, Timestamp};

/// What a vector calls a meter.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) journal: Vec<Vec<u8>>,
    /// The entry whose fate is unknown.
    doubt: Option<Vec<u8>>,
}

impl Host {
    pub(crate) fn new(salt_key: [u8; 32]) -> Self {
        Host { meter: Meter::new(salt_key), journal: Vec::new(), doubt: None }
    }

    /// Proposes, records as the journal does, and confirms.
    pub(crate) fn submit(
        &mut self,
        command: &Command,
        now: Timestamp,
        journal: &str,
    ) -> Result<Outcome> {
        let step = self.meter.propose(command, now)?;
        if let Some(entry) = step.entry {
            match journal {
                "fails" => self.meter.abandon(step.ticket)?,
                "doubt" => {
                    self.meter.stall();
                    self.doubt = Some(entry);
                    return Err(Error::new(Code::MeterStalled));
                }
                _ => self.journal.push(entry),
            }
        }
        self.meter.confirm(step.ticket)
    }

    /// Says whether the doubtful entry was written after all.
    pub(crate) fn recover(&mut self, written: bool) -> Result<u64> {
        if let Some(entry) = self.doubt.take()
            && written
        {
            self.journal.push(entry);
        }
        let durable = self.journal.len() as u64;
        self.meter.recover(durable)?;
        Ok(durable)
    }

    /// A fresh meter folded from the first entries.
    pub(crate) fn folded(&self, salt_key: [u8; 32], count: usize) -> Result<Host> {
        let mut fresh = Host::new(salt_key);
        for entry in self.journal.iter().take(count) {
            fresh.meter.replay(entry)?;
            fresh.journal.push(entry.clone());
        }
        Ok(fresh)
    }
}
