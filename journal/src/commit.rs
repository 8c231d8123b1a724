//! Group commit: entries are ordered in memory, and one thread writes for all that wait.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use counterfoil::entry::frame;
use counterfoil::{Code, Error, Result};

use crate::files::{io, sync_name};
use crate::journal::Options;
use crate::segment::{HEADER_LEN, Segment, Tail};

/// The end of a ledger that grows.
#[derive(Debug)]
pub(crate) struct Commit {
    ledger: PathBuf,
    options: Options,
    state: Mutex<State>,
    /// Rung when a leader has finished.
    done: Condvar,
}

#[derive(Debug)]
struct State {
    /// The entry that comes next.
    next: u64,
    /// How many entries are durable.
    durable: u64,
    /// The length of the last segment with everything pending.
    segment_len: u64,
    /// What has been appended and not been taken by a leader.
    pending: Vec<Piece>,
    /// The last segment's file; absent while a leader writes to it.
    file: Option<Target>,
    /// How many times a leader wrote.
    commits: u64,
    /// Why nothing more is written.
    failed: Option<Error>,
}

/// Bytes for one segment.
#[derive(Debug)]
struct Piece {
    /// The segment is a new one.
    opens: Option<Segment>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Target {
    file: File,
    path: PathBuf,
}

impl Commit {
    /// Goes on where the last segment ends.
    pub(crate) fn new(
        ledger: PathBuf,
        options: Options,
        last: Segment,
        tail: &Tail,
    ) -> Result<Self> {
        let file = OpenOptions::new().append(true).open(&last.path).map_err(io(&last.path))?;
        let target = Target { file, path: last.path };
        // What an earlier writer wrote and did not live to sync is durable from here on.
        target.sync(&options)?;
        if options.fsync {
            sync_name(&target.path)?;
        }
        let state = State {
            next: tail.next,
            durable: tail.next,
            segment_len: tail.offset,
            pending: Vec::new(),
            file: Some(target),
            commits: 0,
            failed: None,
        };
        Ok(Commit { ledger, options, state: Mutex::new(state), done: Condvar::new() })
    }

    /// Nothing panics under this lock, so that its state is whole whatever happened elsewhere.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> u64 {
        self.lock().next
    }

    pub(crate) fn durable(&self) -> u64 {
        self.lock().durable
    }

    pub(crate) fn commits(&self) -> u64 {
        self.lock().commits
    }

    pub(crate) fn append(&self, payload: &[u8]) -> Result<u64> {
        let mut state = self.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let index = state.next;
        let next = index.checked_add(1).ok_or_else(|| Error::new(Code::LogRange))?;
        let rotates =
            state.segment_len > HEADER_LEN && state.segment_len >= self.options.segment_bytes;
        match state.pending.last_mut() {
            Some(piece) if !rotates => frame::write(&mut piece.bytes, index, payload)?,
            _ => {
                let mut bytes = Vec::new();
                frame::write(&mut bytes, index, payload)?;
                let opens = rotates.then(|| Segment::at(&self.ledger, index));
                state.pending.push(Piece { opens, bytes });
            }
        }
        let length = frame::HEADER.saturating_add(payload.len());
        let before = if rotates { HEADER_LEN } else { state.segment_len };
        state.segment_len = before.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        state.next = next;
        Ok(index)
    }

    pub(crate) fn flush_through(&self, index: u64) -> Result<()> {
        let mut state = self.lock();
        loop {
            if index < state.durable {
                return Ok(());
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if index >= state.next {
                return Err(Error::new(Code::LogRange).value(index).because("no such entry"));
            }
            state = match state.file.take() {
                Some(target) => self.lead(state, target),
                None => self.done.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Writes everything pending, with the lock released meanwhile.
    fn lead<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        target: Target,
    ) -> MutexGuard<'a, State> {
        let pending = std::mem::take(&mut state.pending);
        let through = state.next;
        drop(state);
        let written = self.write(target, pending);
        let mut state = self.lock();
        state.commits = state.commits.saturating_add(1);
        match written {
            Ok(target) => {
                state.durable = through;
                state.file = Some(target);
            }
            Err(error) => state.failed = Some(unknown(&error)),
        }
        self.done.notify_all();
        state
    }

    /// Writes and syncs; a segment is synced before the next one is made, so that only the last one
    /// can be torn.
    fn write(&self, mut target: Target, pending: Vec<Piece>) -> Result<Target> {
        for piece in pending {
            if let Some(segment) = piece.opens {
                target.sync(&self.options)?;
                let file = segment.create(self.options.fsync)?;
                target = Target { file, path: segment.path };
            }
            target.file.write_all(&piece.bytes).map_err(io(&target.path))?;
        }
        target.sync(&self.options)?;
        Ok(target)
    }
}

impl Target {
    fn sync(&self, options: &Options) -> Result<()> {
        if options.fsync { self.file.sync_data().map_err(io(&self.path)) } else { Ok(()) }
    }
}

/// After a failed write or sync nobody knows what is on the disk, so nothing is tried again.
fn unknown(error: &Error) -> Error {
    let mut unknown = Error::new(Code::MeterStalled).because("reopen the ledger");
    if let Some(place) = error.place() {
        unknown = unknown.at(place);
    }
    if let Some(value) = error.offending() {
        unknown = unknown.value(value);
    }
    unknown
}

#[cfg(test)]
mod tests {
    use crate::{Journal, Options, Reader};
    use counterfoil::Code;
    use std::collections::BTreeMap;
    use std::sync::{Barrier, Mutex};
    use std::{fs, thread};

    #[test]
    fn eight_threads_share_their_writes() {
        const ROUNDS: usize = 10;
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 300, ..Options::default() };
        let journal = Journal::create(dir.path(), options).unwrap();
        let appended = Barrier::new(8);
        let given = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for thread in 0..8 {
                let (journal, appended, given) = (&journal, &appended, &given);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let payload = format!("thread {thread} round {round}").into_bytes();
                        let index = journal.append(&payload).unwrap();
                        appended.wait();
                        journal.flush_through(index).unwrap();
                        assert!(journal.durable() > index);
                        given.lock().unwrap().insert(index, payload);
                    }
                });
            }
        });
        // All eight of a round are appended before anyone flushes, so one write serves them.
        assert_eq!(journal.commits(), ROUNDS as u64);
        let stored: BTreeMap<_, _> =
            Reader::open(dir.path()).unwrap().entries(0).unwrap().map(Result::unwrap).collect();
        assert_eq!(stored.len(), 8 * ROUNDS);
        assert_eq!(stored, given.into_inner().unwrap());
    }

    #[test]
    fn a_failed_write_stops_the_journal_until_it_is_reopened() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("ledger");
        let options = Options { segment_bytes: 1, ..Options::default() };
        let journal = Journal::create(&dir, options).unwrap();
        journal.append(b"first").unwrap();
        journal.flush_through(0).unwrap();
        // The second entry needs a new segment, and its folder is gone.
        let (segments, aside) = (dir.join("segments"), tmp.path().join("aside"));
        fs::rename(&segments, &aside).unwrap();
        journal.append(b"second").unwrap();
        let failed = journal.flush_through(1).unwrap_err();
        assert_eq!(failed.code(), Code::MeterStalled);
        assert!(failed.place().unwrap().ends_with("00000000000000000001.cfl"));
        fs::rename(&aside, &segments).unwrap();
        assert_eq!(journal.append(b"third").unwrap_err(), failed);
        assert_eq!(journal.flush_through(1).unwrap_err(), failed);
        assert_eq!(journal.flush_through(0), Ok(()), "what was durable before is still");
        drop(journal);
        let journal = Journal::open(&dir, options).unwrap();
        assert_eq!(journal.len(), 1);
        assert_eq!(journal.append(b"second"), Ok(1));
        journal.flush_through(1).unwrap();
    }

    #[test]
    fn only_what_was_appended_can_be_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), Options::default()).unwrap();
        assert_eq!(journal.flush_through(0).unwrap_err().code(), Code::LogRange);
        assert_eq!(journal.append(b"").unwrap_err().code(), Code::BytesInvalid);
        assert_eq!(journal.append(b"x"), Ok(0));
    }
}
