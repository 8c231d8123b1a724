//! Durable files for a Counterfoil ledger.
//!
//! This crate knows bytes only: the entries of a ledger, in order, appended and never changed. A
//! ledger is a folder:
//!
//! | name | content |
//! | --- | --- |
//! | `segments/<first entry>.cfl` | a 16-byte header, then one frame for each entry ([`frame`]) |
//! | `signatures/<name>` | 65-byte signature slots ([`Slots`]), not part of the entries |
//! | `snapshots/<entries>.cfs` | states of the fold of the entries, a cache ([`newest_snapshot`]) |
//! | `repairs/` | what repairs cut off, and a note for each ([`Journal::repair`]) |
//! | `lock` | locked while a [`Journal`] is open |
//! | `restored` | present after [`copy_backup`] until the host has dealt with it |
//! | `archived` | after [`compact`]: what the entries led to that are in the archive |
//!
//! Many subscribers are divided among ledgers side by side, which do not wait for each other:
//! [`Shards`].
//!
//! The bytes under `segments/` depend on the entries and the segment size alone: not on the time,
//! the grouping of writes, or restarts.
//!
//! ```
//! use counterfoil_journal::{Journal, Options, Reader};
//!
//! # let tmp = tempfile::tempdir().unwrap();
//! # let dir = tmp.path().join("ledger");
//! let journal = Journal::create(&dir, Options::default())?;
//! let index = journal.append(b"an entry")?;
//! journal.flush_through(index)?; // now it is durable
//!
//! for entry in Reader::open(&dir)?.entries(0)? {
//!     let (index, bytes) = entry?;
//!     assert_eq!((index, bytes.as_slice()), (0, b"an entry".as_slice()));
//! }
//! # Ok::<(), counterfoil::Error>(())
//! ```
//!
//! A crash in the middle of a write leaves a torn tail. [`Journal::open`] then refuses with
//! [`Code::LedgerTorn`](counterfoil::Code::LedgerTorn); whoever knows that nothing durable is lost
//! (no receipt went out, no signature slot is filled for what is torn) calls [`Journal::repair`], as
//! [`Ledger::open`] does by itself. Damage anywhere else is
//! [`Code::LedgerCorrupt`](counterfoil::Code::LedgerCorrupt) with the segment and byte, and no function
//! here changes such a ledger.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "a test that overflows fails, as it should"
    )
)]

mod archive;
mod backup;
mod commit;
mod files;
mod journal;
mod ledger;
mod lock;
mod reader;
mod repair;
mod segment;
mod shards;
mod slots;
mod snapshot;

pub use archive::{Compacted, compact};
pub use backup::copy_backup;
pub use counterfoil::entry::frame;
pub use journal::{Journal, Options};
pub use ledger::{Batch, CHECKPOINTS, HEADS, Ledger, Signer};
pub use reader::{Entries, Reader};
pub use repair::Repair;
pub use shards::{Shards, shard_folders};
pub use slots::Slots;
pub use snapshot::{Snapshot, Snapshots, newest_snapshot, write_snapshot};
