//! Walking a ledger with the core's auditor, signatures included. Nothing is written.

use std::path::Path;

use counterfoil::audit::{Auditor, Expected};
use counterfoil::entry::Entry;
use counterfoil::{Code, Error, Plan, Result};
use counterfoil_journal::{CHECKPOINTS, HEADS, Reader, Slots};

/// Audits every entry of a ledger and shows each to `each`.
pub(crate) fn walk(
    dir: &Path,
    plan: Option<&Plan>,
    mut each: impl FnMut(&Entry, &Auditor) -> Result<()>,
) -> Result<Auditor> {
    let heads = Slots::open_read_only(dir, HEADS)?;
    let checkpoints = Slots::open_read_only(dir, CHECKPOINTS)?;
    let mut auditor = Auditor::new();
    for entry in Reader::open(dir)?.entries(0)? {
        let (_, bytes) = entry?;
        let (entry, expected) = auditor.next(&bytes)?;
        if let (Entry::Open(open), Some(plan)) = (&entry, plan)
            && open.lane.plan != plan.id()
        {
            return Err(Error::new(Code::AuditMismatch)
                .value(open.lane.plan)
                .at(format!("lane {} plan", open.lane.digest()))
                .because("the lane is rated under another plan"));
        }
        if let Some(expected) = expected {
            check(&expected, &heads, &checkpoints)?;
        }
        each(&entry, &auditor)?;
    }
    for (slots, name, known) in [
        (&heads, HEADS, auditor.log_size()),
        (&checkpoints, CHECKPOINTS, auditor.counts().checkpoints),
    ] {
        for slot in known..slots.len()? {
            if slots.get(slot)?.is_some() {
                return Err(Error::new(Code::AuditChain)
                    .at(format!("{name} slot {slot}"))
                    .because("a signature of an entry that is missing"));
            }
        }
    }
    Ok(auditor)
}

fn check(expected: &Expected, heads: &Slots, checkpoints: &Slots) -> Result<()> {
    let slots = if expected.checkpoint { checkpoints } else { heads };
    expected.check(slots.get(expected.slot)?.as_ref())
}
