//! Evidence: no bit of it can be changed, a snapshot keeps it, and an audit misses it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, Host, SALT, Terms, a, at, key};
use counterfoil::{
    Digest, LocalKey, Meter,
    entry::Entry,
    meter::{Command, Outcome},
    rules::{Evidence, VerifiedEvidence},
};

const STATEMENT: &str = "licence/y";

fn attestor() -> LocalKey {
    LocalKey::from_bytes(&[0x22; 32]).unwrap()
}

/// A subscription under a plan that asks the attestor for its statement.
fn host() -> (Host, Digest) {
    let attestor = attestor().address();
    let condition = format!(
        r#"{{"all":[{{"evidence":{{"attestor":"{attestor}","statement":"{STATEMENT}"}}}}]}}"#
    );
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().with("condition", condition).plan());
    (host, sub)
}

fn stated(host: &Host, sub: Digest, issued: u64, expires: u64) -> VerifiedEvidence {
    let evidence = Evidence {
        payer: host.meter.subscription(&sub).unwrap().payer,
        seller: key().address(),
        statement: STATEMENT.to_owned(),
        issued_at: at(issued),
        expires_at: at(expires),
    };
    let signature = attestor().sign(&evidence.digest());
    evidence.signed(attestor().address(), signature).unwrap()
}

fn present(host: &mut Host, sub: Digest, issued: u64, expires: u64) {
    let evidence = stated(host, sub, issued, expires).to_json();
    let command = Command::Present { subscription: sub, evidence };
    assert_eq!(host.run(&command, at(issued)).unwrap(), Outcome::Done);
}

fn admits(host: &mut Host, sub: Digest, id: &str, now: u64) -> bool {
    matches!(host.authorize(sub, id, a(1), at(now)).unwrap(), Outcome::Authorized { .. })
}

#[test]
fn a_snapshot_keeps_what_was_presented() {
    let (mut host, sub) = host();
    present(&mut host, sub, 10, DAY);
    let snapshot = host.meter.snapshot();
    host.meter = Meter::from_snapshot(&snapshot, SALT).unwrap();
    assert_eq!(host.meter.snapshot(), snapshot);
    assert!(admits(&mut host, sub, "before", DAY - 1));
    assert!(!admits(&mut host, sub, "after", DAY));
    host.audit().unwrap();
}

#[test]
fn an_audit_misses_evidence_that_was_taken_out_or_changed() {
    let (mut host, sub) = host();
    present(&mut host, sub, 10, DAY);
    assert!(admits(&mut host, sub, "call", 20));
    host.audit().unwrap();
    let index = host.ledger.iter().position(|entry| entry[0] == 18).unwrap();
    let whole = host.ledger.clone();
    host.ledger.remove(index);
    assert_eq!(host.audit().unwrap_err().code().as_str(), "audit_mismatch");
    // The last eight bytes say when it was presented.
    for bit in 0..(whole[index].len() - 8) * 8 {
        host.ledger.clone_from(&whole);
        host.ledger[index][bit / 8] ^= 1 << (bit % 8);
        assert!(host.audit().is_err(), "bit {bit}");
    }
}

#[test]
fn no_character_of_the_document_can_be_changed() {
    let (host, sub) = host();
    let evidence = stated(&host, sub, 10, DAY);
    let document = evidence.to_json();
    for index in 0..document.len() {
        let mut changed = document.clone().into_bytes();
        changed[index] = if changed[index] == b'0' { b'1' } else { b'0' };
        assert!(VerifiedEvidence::from_json(&changed).is_err(), "byte {index}");
    }
    assert_eq!(VerifiedEvidence::from_json(document.as_bytes()).unwrap(), evidence);
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let (mut host, sub) = host();
    present(&mut host, sub, 10, DAY);
    for bytes in &host.ledger {
        assert_eq!(&Entry::from_bytes(bytes).unwrap().to_bytes(), bytes);
    }
}
