//! Driving the ledger from a log.

use std::collections::HashMap;
use std::time::Instant;

use counterfoil::crypto::sha256;
use counterfoil::entry::ImportMark;
use counterfoil::meter::{Command, Import, Outcome, Subscribe};
use counterfoil::time::Period;
use counterfoil::{Amount, Code, Digest, Error, Meter, Plan, Result, Timestamp};
use counterfoil_journal::{Batch, Ledger};
use indicatif::ProgressBar;

use crate::io::now;
use crate::meter::lines::{Line, Lines};
use crate::meter::record::{Record, Shape};
use crate::meter::rejects::Rejects;
use crate::meter::subscribers::Subscribers;

/// Records that become durable with one fsync.
const BATCH: usize = 1_024;

/// What a run did.
pub(crate) struct Summary {
    pub(crate) records: u64,
    pub(crate) metered: u64,
    pub(crate) denied: u64,
    pub(crate) rejected: u64,
    /// Records that earlier runs had metered.
    pub(crate) skipped: u64,
    pub(crate) charged: Amount,
    pub(crate) decimals: u8,
    pub(crate) label: String,
    started: Instant,
}

impl Summary {
    pub(crate) fn per_second(&self) -> u128 {
        let micros = self.started.elapsed().as_micros().max(1);
        let calls = u128::from(self.metered.saturating_add(self.denied));
        calls.saturating_mul(1_000_000).checked_div(micros).unwrap_or(0)
    }
}

/// A run over one log.
pub(crate) struct Importer<'a> {
    ledger: &'a Ledger,
    plan: Plan,
    origin: String,
    shape: Shape,
    known: Subscribers,
    rejects: Option<Rejects>,
    subscriptions: HashMap<String, Digest>,
    begun: bool,
    /// A log that the ledger does not know must start no earlier than this.
    not_before: Option<Timestamp>,
    summary: Summary,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        plan: Plan,
        origin: String,
        shape: Shape,
        known: Subscribers,
        rejects: Option<Rejects>,
    ) -> Self {
        let summary = Summary {
            records: 0,
            metered: 0,
            denied: 0,
            rejected: 0,
            skipped: 0,
            charged: Amount::ZERO,
            decimals: plan.currency().decimals(),
            label: plan.currency().label(),
            started: Instant::now(),
        };
        Importer {
            ledger,
            plan,
            origin,
            shape,
            known,
            rejects,
            subscriptions: HashMap::new(),
            begun: false,
            not_before: None,
            summary,
        }
    }

    pub(crate) fn summary(self) -> Summary {
        self.summary
    }

    /// Meters every record that was not metered before.
    pub(crate) fn run(
        &mut self,
        mut lines: Lines,
        id: Option<&str>,
        progress: &ProgressBar,
    ) -> Result<()> {
        let columns = self.shape.columns(lines.header()).map_err(|e| e.at(lines.byte(0)))?;
        let Some(first) = lines.next()? else { return Ok(()) };
        let own = sha256(&[&first.text]);
        let input = match id {
            Some(id) => sha256(&[b"counterfoil/input/0\n", id.as_bytes()]),
            None => own,
        };
        self.recall()?;
        let done = self.ledger.read(|meter| meter.imported(&input).cloned())?;
        if done.is_none() {
            self.not_before = self.ledger.read(|meter| match id {
                Some(_) if meter.imported(&own).is_some() => Err(Error::new(Code::InputChanged)
                    .at(lines.place(&first, 0))
                    .because("this log was metered without --input-id before")),
                Some(_) => Ok(None),
                None => Ok(not_before(meter)),
            })??;
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.resume(&input, done.as_ref().map(|mark| mark.ordinal))?;
        }
        let mut ordinal = 0_u64;
        let mut line = Some(first);
        if let Some(mark) = done {
            // The first record may be all there was.
            let (at, digest) = lines.mark();
            let same = if at == mark.offset {
                digest == mark.digest
            } else {
                lines.skip_to(mark.offset, &mark.digest)?
            };
            if !same {
                return Err(Error::new(Code::InputChanged)
                    .at(lines.byte(mark.offset))
                    .because("what stands before is not what was metered"));
            }
            if lines.goes_on()? {
                return Err(Error::new(Code::InputChanged)
                    .at(lines.byte(mark.offset))
                    .because("the last line that was metered has grown"));
            }
            self.summary.skipped = mark.ordinal.saturating_add(1);
            ordinal = self.summary.skipped;
            line = lines.next()?;
        }
        self.summary.started = Instant::now();
        let result = self.records(&mut lines, line, &columns, input, ordinal, progress);
        if let Some(rejects) = &mut self.rejects {
            rejects.sync()?;
        }
        result
    }

    fn records(
        &mut self,
        lines: &mut Lines,
        mut line: Option<Line>,
        columns: &[String],
        input: Digest,
        mut ordinal: u64,
        progress: &ProgressBar,
    ) -> Result<()> {
        let ledger = self.ledger;
        let mut batch = ledger.batch();
        let mut stopped = None;
        while let Some(record) = line.take() {
            let (offset, digest) = lines.mark();
            let mark = ImportMark { input, ordinal, offset, digest };
            let metered = self.one(&mut batch, columns, &record, mark);
            if let Err(e) = metered {
                let malformed = is_of_record(e.code());
                let e = if malformed || e.code() == Code::InputChanged {
                    e.within(lines.place(&record, ordinal))
                } else {
                    e
                };
                let Some(rejects) = self.rejects.as_mut().filter(|_| malformed) else {
                    stopped = Some(e);
                    break;
                };
                rejects.add(&input, ordinal, &e, &record.text)?;
                self.summary.rejected = self.summary.rejected.saturating_add(1);
            }
            self.summary.records = self.summary.records.saturating_add(1);
            ordinal = ordinal.saturating_add(1);
            if batch.len() >= BATCH {
                self.commit(std::mem::replace(&mut batch, ledger.batch()))?;
                progress.set_position(record.end);
                progress.set_message(format!("{} calls per second", self.summary.per_second()));
            }
            line = lines.next()?;
        }
        self.commit(batch)?;
        if let Some(error) = stopped {
            return Err(error);
        }
        if ledger.read(|meter| meter.origin().is_some())? {
            ledger.submit(&Command::Checkpoint, Timestamp::MIN)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        batch: &mut Batch<'_>,
        columns: &[String],
        line: &Line,
        mark: ImportMark,
    ) -> Result<()> {
        if line.cut {
            return Err(Error::new(Code::JsonTooLarge).because("a record is at most 1 mib"));
        }
        let content = sha256(&[&line.text]);
        let Record { at, subscriber, usage } = self.shape.read(columns, &line.text)?;
        // A record that cannot be priced makes no entry, not even a subscription.
        self.plan.check_usage(&usage, at)?;
        if self.not_before.take().is_some_and(|earliest| at < earliest) {
            return Err(Error::new(Code::InputChanged)
                .value(at)
                .because("starts before what the ledger holds; another log needs an --input-id"));
        }
        check_subscriber(&subscriber)?;
        self.begin(at)?;
        let subscription = self.subscription(&subscriber, at)?;
        while batch.propose(&Command::Due, at)? {}
        let import = Import { subscription, at, usage, content, mark };
        batch.propose(&Command::Import(import), at)?;
        Ok(())
    }

    /// Makes rejects durable first, then the batch, and counts what was decided.
    fn commit(&mut self, batch: Batch<'_>) -> Result<()> {
        if let Some(rejects) = &mut self.rejects {
            rejects.sync()?;
        }
        for outcome in batch.commit()? {
            match outcome {
                Outcome::Receipt { receipt, .. } if receipt.import.is_some() => {
                    self.summary.metered = self.summary.metered.saturating_add(1);
                    self.summary.charged = self.summary.charged.checked_add(receipt.head.charge)?;
                }
                Outcome::Denied(_) => {
                    self.summary.denied = self.summary.denied.saturating_add(1);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The subscriptions that the ledger has under this plan.
    fn recall(&mut self) -> Result<()> {
        let plan = self.plan.id();
        self.subscriptions = self.ledger.read(|meter| {
            meter
                .subscriptions()
                .filter(|s| s.plan == plan && meter.is_current(&s.id))
                .filter_map(|s| s.name.map(|name| (name, s.id)))
                .collect()
        })?;
        Ok(())
    }

    /// The subscriber's subscription, made at the first record: it starts with that record's day.
    fn subscription(&mut self, name: &str, at: Timestamp) -> Result<Digest> {
        if let Some(id) = self.subscriptions.get(name) {
            return Ok(*id);
        }
        let known = self.known.get(name);
        let plan = self.plan.id();
        let before = self.ledger.read(|meter| {
            meter
                .subscriptions()
                .find(|s| s.plan == plan && s.name.as_deref() == Some(name))
                .map(|s| s.started_at)
        })?;
        let subscribe = Subscribe {
            plan,
            payer: known.payer,
            account: Some(String::from(name)),
            started_at: before.unwrap_or(Period::Day.window(at).start),
            rail: known.rail,
        };
        match self.ledger.submit(&Command::Subscribe(subscribe), at)? {
            Outcome::Opened { subscription, .. } => {
                self.subscriptions.insert(String::from(name), subscription);
                Ok(subscription)
            }
            _ => Err(Error::new(Code::SubscriptionUnknown).value(name)),
        }
    }

    /// The ledger's first entries, or those after a restored backup.
    fn begin(&mut self, at: Timestamp) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let restored = self.ledger.journal().is_restored()?;
        let (origin, signer) =
            self.ledger.read(|meter| (meter.origin().map(String::from), meter.signer()))?;
        let signer = signer.unwrap_or(self.plan.authority());
        match origin {
            None => {
                let origin = self.origin.clone();
                self.ledger.submit(&Command::Begin { origin, signer }, at)?;
            }
            Some(before) if restored => {
                let origin = successor(&before)?;
                self.ledger.submit(&Command::Begin { origin, signer }, at)?;
                self.ledger.journal().clear_restored()?;
                // Every subscription goes on in a lane of the new log.
                self.recall()?;
            }
            Some(_) => {}
        }
        self.ledger.submit(&Command::AddPlan(Box::new(self.plan.clone())), at)?;
        Ok(())
    }
}

/// The origin of the log after a restore. It names the moment, because the same backup may be
/// restored more than once, and each time another log begins.
fn successor(origin: &str) -> Result<String> {
    let name = origin.split_once("/restored-").map_or(origin, |(name, _)| name);
    Ok(format!("{name}/restored-{}", now()?.millis()))
}

fn check_subscriber(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::new(Code::TextInvalid)
            .value(name)
            .because("a subscriber's name is 1 to 200 characters"));
    }
    Ok(())
}

/// The instant at which a log that the ledger does not know may start: after all that it holds. A log
/// that starts before may be one that was metered and then changed where it would be known.
fn not_before(meter: &Meter) -> Option<Timestamp> {
    meter.imports().next()?;
    // A run that was killed after it had opened the first record's lane starts there again.
    let unused = meter.lanes().any(|lane| {
        let denied = meter.subscription(&lane.subscription).map_or(0, |s| s.denied);
        lane.sequence == 0 && denied == 0
    });
    if unused { Some(meter.latest()) } else { meter.latest().checked_add(1).ok() }
}

/// Whether an error says that a record is malformed, rather than that metering failed.
fn is_of_record(code: Code) -> bool {
    !matches!(
        code,
        Code::Io
            | Code::InputChanged
            | Code::MeterStalled
            | Code::StepAbandoned
            | Code::StepUnknown
            | Code::EntryMisplaced
            | Code::LedgerCorrupt
            | Code::LedgerLocked
            | Code::LedgerTorn
            | Code::PlanUnknown
            | Code::SignatureWrongKey
    )
}
