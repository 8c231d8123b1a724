//! Ledgers side by side: subscribers are divided among them, so that they do not wait for each other.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use counterfoil::crypto::sha256;
use counterfoil::lease::{Lease, Statement};
use counterfoil::meter::{Command, Outcome, Subscribe};
use counterfoil::{Code, Digest, Error, Meter, Result, Timestamp};

use crate::files::{MARK, io, make_dir, write_atomically};
use crate::journal::{Journal, Options, exists};
use crate::ledger::{Ledger, Signer};
use crate::lock::Lock;
use crate::segment;

/// The name of the file that says how many shards there are.
pub(crate) const SHARDS: &str = "shards";

/// What it starts with: a mark and the version, 0. The number follows.
const HEADER: [u8; 12] = *b"CFSHARDS\0\0\0\0";

/// So many shards are allowed: each has files of its own and writes by itself.
const MOST: u32 = 1024;

/// Ledgers in the folders `0`, `1`, … of one folder, the *root*, with subscribers divided among them.
/// All methods may be called from any thread.
///
/// Each shard is a whole [`Ledger`] with a log, checkpoints and group commit of its own; its origin is
/// the root's, a slash and its number. All that concerns one payer is in one shard, because limits and
/// counters are the payer's: which shard follows from SHA-256 over the payer's address or account and
/// the number of shards, so that this number is fixed when the root is made. Settlements of the shards
/// [merge](counterfoil::settlement::Batch::merge), in any order, into that of all.
///
/// A lease is a budget of its own: the shard takes it whose origin it names as its holder. Each shard
/// may hold leases of any lender, another shard included.
///
/// No lock is held while a signer runs, and one caller's panic stops no other. Whatever one shard does
/// not get to disk stalls that shard alone.
///
/// ```
/// use std::sync::Arc;
/// use counterfoil::{Code, LocalKey, Timestamp};
/// use counterfoil_journal::{Options, Shards};
///
/// # let tmp = tempfile::tempdir().unwrap();
/// # let (root, now) = (tmp.path(), Timestamp::from_millis(1_793_577_600_000)?);
/// let signer = Arc::new(LocalKey::from_bytes(&[7; 32])?);
/// let shards = Shards::open(root, 4, signer.clone(), [3; 32], Options::default())?;
/// shards.begin("meter.example", now)?; // whenever the host starts
/// // shards.submit_all(&Command::AddPlan(…), now)?, then shards.submit(&Command::Subscribe(…), now)?
/// shards.close()?;
///
/// let refused = Shards::open(root, 8, signer, [3; 32], Options::default()).unwrap_err();
/// assert_eq!((refused.code(), refused.offending()), (Code::LedgerShards, Some("4")));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug)]
pub struct Shards {
    ledgers: Vec<Ledger>,
    /// The shard of every subscription, of every lane, and of every lease that was accepted.
    homes: RwLock<HashMap<Digest, usize>>,
    _lock: Lock,
}

impl Shards {
    /// Opens the shards in a folder, or makes so many of them there: each as [`Ledger::open`] does.
    ///
    /// # Errors
    /// [`Code::LedgerShards`] when they were made with another number. [`Code::LedgerExists`] when a
    /// ledger stands in the root itself, or in place of a shard that was never made.
    /// [`Code::LedgerMissing`] when a shard's ledger is gone: it is not begun again, because its
    /// receipts would take the numbers of those that are lost. [`Code::BytesVersion`];
    /// [`Code::Arguments`] unless there are 1 to 1024; what [`Ledger::open`] refuses.
    pub fn open(
        root: impl AsRef<Path>,
        shards: u32,
        signer: Arc<dyn Signer>,
        salt_key: [u8; 32],
        options: Options,
    ) -> Result<Shards> {
        let root = root.as_ref();
        if !(1..=MOST).contains(&shards) {
            return Err(Error::new(Code::Arguments).value(shards).because("1 to 1024 shards"));
        }
        make_dir(root)?;
        let lock = Lock::take(root)?;
        match number(root)? {
            None => create(root, shards, options)?,
            Some(made) if made == shards => {}
            Some(made) => {
                return Err(Error::new(Code::LedgerShards)
                    .at(root.display().to_string())
                    .value(made)
                    .because("the number is fixed when they are made"));
            }
        }
        let mut ledgers = Vec::new();
        let mut homes = HashMap::new();
        for (home, dir) in folders(root, shards).into_iter().enumerate() {
            segment::list(&dir)?;
            let ledger = Ledger::open(&dir, Box::new(Arc::clone(&signer)), salt_key, options)?;
            ledger.read(|meter| {
                // The lane of a lease names the lender's subscription, which may live elsewhere.
                homes.extend(meter.subscriptions().map(|s| (s.id, home)));
                homes.extend(meter.lanes().map(|l| (l.lane, home)));
            })?;
            ledgers.push(ledger);
        }
        Ok(Shards { ledgers, homes: RwLock::new(homes), _lock: lock })
    }

    /// Begins the log of every shard that has none, or that was restored from a backup: `origin`, a
    /// slash and the shard's number. After a restore the origin must be a new one, and another one again
    /// where a call did not come to its end. Shards that have begun stay as they are, so that a host may
    /// call this whenever it starts.
    ///
    /// # Errors
    /// What is wrong with the origin; [`Code::MeterStalled`], [`Code::Io`].
    pub fn begin(&self, origin: &str, now: Timestamp) -> Result<()> {
        for (number, ledger) in self.ledgers.iter().enumerate() {
            let restored = ledger.journal().is_restored()?;
            if restored || ledger.read(|meter| meter.origin().is_none())? {
                let origin = format!("{origin}/{number}");
                let signer = ledger.signer_address();
                ledger.submit(&Command::Begin { origin, signer }, now)?;
                ledger.journal().clear_restored()?;
            }
        }
        Ok(())
    }

    /// Decides a command about one subscriber or one lease durably, in its shard.
    ///
    /// # Errors
    /// [`Code::SubscriptionUnknown`], of a collection [`Code::CollectedInvalid`], of statements
    /// [`Code::LeaseUnknown`], of a lease that no shard is the holder of [`Code::LeaseInvalid`];
    /// [`Code::Arguments`] for a command that is not about one subscriber: see
    /// [`Shards::submit_all`] and [`Shards::begin`]. Otherwise as [`Ledger::submit`].
    pub fn submit(&self, command: &Command, now: Timestamp) -> Result<Outcome> {
        let unknown = |code, id: &Digest| Error::new(code).value(id).because("in no shard");
        let home = match command {
            Command::Subscribe(subscribe) => self.home_of_payer(subscribe),
            Command::Collect(line) => {
                self.home(&line.lane).ok_or_else(|| unknown(Code::CollectedInvalid, &line.lane))?
            }
            Command::Accept { lease, .. } => self.home_of_holder(&Lease::from_bytes(lease)?)?,
            Command::Statement { lease, .. } => {
                self.home(lease).ok_or_else(|| unknown(Code::LeaseUnknown, lease))?
            }
            Command::Absorb { statement, .. } => {
                let statement = Statement::from_bytes(statement)?;
                let lender = self.find(|meter| meter.lender(&statement).is_some())?;
                lender.ok_or_else(|| unknown(Code::LeaseUnknown, &statement.lease))?
            }
            _ => {
                let id = subscription(command).ok_or_else(|| {
                    Error::new(Code::Arguments).because("the command is not about one subscriber")
                })?;
                self.home(id).ok_or_else(|| unknown(Code::SubscriptionUnknown, id))?
            }
        };
        let ledger = self.ledgers.get(home).ok_or_else(|| Error::new(Code::LogRange))?;
        let outcome = ledger.submit(command, now)?;
        if let Outcome::Opened { subscription, lane, .. } = &outcome {
            let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
            homes.extend([(*subscription, home), (*lane, home)]);
        }
        Ok(outcome)
    }

    /// Decides [`Command::AddPlan`], [`Command::Due`] or [`Command::Checkpoint`] in every shard, one
    /// after the other, and returns what each decided. After an error the same command can be
    /// submitted again: what a shard has done already it does not do twice.
    ///
    /// # Errors
    /// The first of a shard; [`Code::Arguments`] for other commands.
    pub fn submit_all(&self, command: &Command, now: Timestamp) -> Result<Vec<Outcome>> {
        if !matches!(command, Command::AddPlan(_) | Command::Due | Command::Checkpoint) {
            return Err(Error::new(Code::Arguments).because("the command is not for every shard"));
        }
        self.ledgers.iter().map(|ledger| ledger.submit(command, now)).collect()
    }

    /// The ledger of a subscription, a lane or a lease that was accepted, to read from or for a [batch](Ledger::batch). Open
    /// subscriptions by [`Shards::submit`]: what a shard's own ledger opens is not known here until the
    /// root is opened again.
    #[must_use]
    pub fn of(&self, id: &Digest) -> Option<&Ledger> {
        self.ledgers.get(self.home(id)?)
    }

    /// The ledgers, by number.
    #[must_use]
    pub fn ledgers(&self) -> &[Ledger] {
        &self.ledgers
    }

    /// Closes every ledger, as [`Ledger::close`] does.
    ///
    /// # Errors
    /// The first, after all were closed.
    pub fn close(self) -> Result<()> {
        let closed: Vec<_> = self.ledgers.into_iter().map(Ledger::close).collect();
        closed.into_iter().collect()
    }

    fn home(&self, id: &Digest) -> Option<usize> {
        self.homes.read().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// The shard that accepted a lease, or whose log is its holder.
    fn home_of_holder(&self, lease: &Lease) -> Result<usize> {
        if let Some(home) = self.home(&lease.digest()) {
            return Ok(home);
        }
        self.find(|meter| meter.origin() == Some(&lease.holder))?.ok_or_else(|| {
            Error::new(Code::LeaseInvalid).value(&lease.holder).because("no shard is its holder")
        })
    }

    /// The shard of which this is so. One that cannot be read stops nobody whose shard is another.
    fn find(&self, so: impl Fn(&Meter) -> bool) -> Result<Option<usize>> {
        let mut unread = None;
        for (home, ledger) in self.ledgers.iter().enumerate() {
            match ledger.read(&so) {
                Ok(true) => return Ok(Some(home)),
                Ok(false) => {}
                Err(error) => unread = Some(error),
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// The payer's shard: that of the address, or of the account where there is none.
    fn home_of_payer(&self, subscribe: &Subscribe) -> usize {
        let digest = match (&subscribe.payer, &subscribe.account) {
            (Some(address), _) => sha256(&[DOMAIN, &address.word()]),
            (None, account) => sha256(&[DOMAIN, account.as_deref().unwrap_or_default().as_bytes()]),
        };
        let number = digest.bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let shards = u64::try_from(self.ledgers.len()).unwrap_or(1);
        usize::try_from(number.checked_rem(shards).unwrap_or(0)).unwrap_or(0)
    }
}

const DOMAIN: &[u8] = b"counterfoil/shard/0\n";

/// The subscription that a command is about.
fn subscription(command: &Command) -> Option<&Digest> {
    match command {
        Command::Authorize(request) => Some(&request.subscription),
        Command::Settle(settle) | Command::SettlePart(settle) => Some(&settle.subscription),
        Command::Import(import) => Some(&import.subscription),
        Command::Credit(credit) => Some(&credit.subscription),
        Command::Lease(request) => Some(&request.subscription),
        Command::Extend { subscription, .. }
        | Command::SettleUnfinished { subscription, .. }
        | Command::Release { subscription, .. }
        | Command::Grant { subscription, .. }
        | Command::Cancel { subscription }
        | Command::Switch { subscription, .. }
        | Command::Void { subscription, .. }
        | Command::Present { subscription, .. } => Some(subscription),
        _ => None,
    }
}

/// The folders of the ledgers of a root, by number; `None` where the folder is no root.
///
/// # Errors
/// [`Code::BytesVersion`] for a root of a later version; [`Code::LedgerCorrupt`]; [`Code::Io`].
pub fn shard_folders(root: impl AsRef<Path>) -> Result<Option<Vec<PathBuf>>> {
    let root = root.as_ref();
    Ok(number(root)?.map(|shards| folders(root, shards)))
}

fn folders(root: &Path, shards: u32) -> Vec<PathBuf> {
    (0..shards).map(|number| root.join(number.to_string())).collect()
}

/// The number of shards that a root was made with; `None` if it was not made.
fn number(root: &Path) -> Result<Option<u32>> {
    let path = root.join(SHARDS);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io(&path))?,
    };
    let refused = |code| Err(Error::new(code).at(path.display().to_string()));
    match bytes.strip_prefix(&HEADER).and_then(|rest| rest.try_into().ok()).map(u32::from_be_bytes)
    {
        Some(shards) if (1..=MOST).contains(&shards) => Ok(Some(shards)),
        None if bytes.get(..MARK) == HEADER.get(..MARK) && !bytes.starts_with(&HEADER) => {
            refused(Code::BytesVersion)
        }
        _ => refused(Code::LedgerCorrupt),
    }
}

/// Makes every shard's ledger, then the file: a root without it was never used.
fn create(root: &Path, shards: u32, options: Options) -> Result<()> {
    if segment::list(root).map_err(|e| e.code()) != Err(Code::LedgerMissing) {
        return Err(exists(root, "a ledger"));
    }
    for dir in folders(root, shards) {
        match Journal::open(&dir, options) {
            // A call that did not come to its end made it.
            Ok(journal) if journal.len() == 0 => {}
            Err(e) if e.code() == Code::LedgerMissing => drop(Journal::create(&dir, options)?),
            Ok(_) => return Err(exists(&dir, "a ledger")),
            Err(e) => return Err(e),
        }
    }
    write_atomically(&root.join(SHARDS), &[&HEADER, &shards.to_be_bytes()])
}
