//! Walking a ledger with the core's auditor, signatures included. Nothing is written.

use counterfoil::audit::{Auditor, Expected};
use counterfoil::entry::Entry;
use counterfoil::{Code, Error, Plan, Result};
use counterfoil_journal::{CHECKPOINTS, HEADS, Slots};

use crate::source::Source;

/// Audits every entry of a ledger and shows each to `each`.
pub(crate) fn walk(
    source: &Source,
    plan: Option<&Plan>,
    mut each: impl FnMut(&Entry, &Auditor) -> Result<()>,
) -> Result<Auditor> {
    let heads = Slots::open_read_only(&source.dir, HEADS)?;
    let checkpoints = Slots::open_read_only(&source.dir, CHECKPOINTS)?;
    let mut auditor = Auditor::new();
    for entry in source.reader()?.entries(0)? {
        let (index, bytes) = entry?;
        let place = |e: Error| e.at(format!("entry {index}"));
        let (entry, expected) = auditor.next(&bytes).map_err(place)?;
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
    expected.check(slots.get(expected.slot)?.as_ref()).map_err(|e| match e.code() {
        Code::SignatureWrongKey => e.because(
            "it was changed, or the signature is another entry's: one is missing or moved",
        ),
        _ => e,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::fs;
    use std::path::Path;

    use counterfoil::entry::ImportMark;
    use counterfoil::meter::{Command, Import, Outcome, Subscribe};
    use counterfoil::usage::{Basis, Surface};
    use counterfoil::{LocalKey, Timestamp, Usage};
    use counterfoil_journal::{Ledger, Options};

    use super::*;

    /// A plan, a lane, receipts and a checkpoint.
    fn ledger(dir: &Path, signing: &str) {
        let key = LocalKey::from_bytes(&[7; 32]).unwrap();
        let plan = format!(
            r#"{{"format":"counterfoil/plan/1","name":"P","authority":"{}",
            "currency":{{"iso4217":"USD"}},"meters":{{"t":"token"}},
            "charges":[{{"id":"t","meter":"t","model":"per_unit","price":"0.1"}}],
            "payees":[{{"payee":"a","weight":1}}],"signing":{signing}}}"#,
            key.address()
        );
        let plan = Plan::from_json(plan.as_bytes()).unwrap();
        let signer = key.address();
        let options = Options { fsync: false, ..Options::default() };
        let ledger = Ledger::open(dir, Box::new(key), [1; 32], options).unwrap();
        let at = |ms| Timestamp::from_millis(ms).unwrap();
        let submit = |command, ms| ledger.submit(&command, at(ms)).unwrap();
        submit(Command::Begin { origin: "o".into(), signer }, 1);
        submit(Command::AddPlan(Box::new(plan.clone())), 1);
        let subscribe = Subscribe {
            plan: plan.id(),
            payer: None,
            account: Some("acme".into()),
            started_at: at(0),
            rail: counterfoil::Digest::ZERO,
        };
        let Outcome::Opened { subscription, .. } = submit(Command::Subscribe(subscribe), 1) else {
            return;
        };
        for ordinal in 0..2 {
            let mut usage = Usage::new(Surface::Plain, Basis::Reported);
            usage.set("t", 3 + ordinal).unwrap();
            let content = counterfoil::crypto::sha256(&[b"record"]);
            let (input, digest) = (content, content);
            let mark = ImportMark { input, ordinal, offset: 10 + ordinal, digest };
            let import = Import { subscription, at: at(2 + ordinal), usage, content, mark };
            submit(Command::Import(import), 2 + ordinal);
        }
        submit(Command::Checkpoint, 9);
        ledger.close().unwrap();
    }

    fn flip_every_bit(signing: &str) {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("ledger");
        ledger(&dir, signing);
        let source = Source { dir: dir.clone(), archive: None };
        let audit = || walk(&source, None, |_, _| Ok(())).map(|auditor| auditor.counts().receipts);
        assert_eq!(audit(), Ok(2));
        for name in
            ["signatures/heads", "signatures/checkpoints", "segments/00000000000000000000.cfl"]
        {
            let path = dir.join(name);
            let whole = fs::read(&path).unwrap();
            // In the segment, one bit of each byte, another one from byte to byte.
            let step = if name.starts_with("segments") { 9 } else { 1 };
            for bit in (0..whole.len() * 8).step_by(step) {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, flipped).unwrap();
                let error = audit().expect_err("a flipped bit");
                assert!(error.place().is_some(), "{name} bit {bit}: {error}");
            }
            fs::write(&path, whole).unwrap();
        }
        assert_eq!(audit(), Ok(2));
    }

    #[test]
    fn every_flipped_bit_is_found_where_each_head_is_signed() {
        flip_every_bit(r#"{"mode":"each"}"#);
    }

    #[test]
    fn every_flipped_bit_is_found_where_checkpoints_are_signed() {
        flip_every_bit(r#"{"mode":"checkpoint","receipts":10,"value":"1000","ms":600000}"#);
    }
}
