//! One budget that a lender and the holders of its leases use together, each with a ledger of its own and
//! no word between them per call. Some holders are cut off, so that their leases are reclaimed; some calls
//! are put in two lanes, as a balancer does that does not know the rule.
//!
//! `cargo xtask stress --lanes 20` runs the same for longer, by `COUNTERFOIL_STRESS_LANES`: threads,
//! operations of each, seed, holders.

mod check;
mod host;
mod lane;
mod plan;

use std::fs;

use counterfoil::Meter;

use crate::{measure, numbers};
use check::Check;
use host::Host;

#[test]
fn leased_lanes_never_overspend_one_budget() {
    let [threads, operations, seed, holders] = numbers("COUNTERFOIL_STRESS_LANES", "8 1000 1 20");
    println!(
        "{threads} threads, {operations} operations each, seed {seed}, {holders} leased lanes"
    );
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let host = Host::new(folder.path(), usize::try_from(holders).unwrap());
    let (answers, took) = measure(threads, |number| host.run(seed, number, operations));
    println!("{took:.1} s, {:.0} operations/s", (threads * operations) as f64 / took);
    host.finish();

    let lanes: Vec<_> = (0..host.ledgers.len()).flat_map(|meter| host.all(meter)).collect();
    let charged_twice = host.charged_twice.into_inner().unwrap();
    let states: Vec<_> =
        host.ledgers.iter().map(|ledger| ledger.read(Meter::snapshot).unwrap()).collect();
    for ledger in host.ledgers {
        assert_eq!(ledger.pending(), Ok(Vec::new()));
        ledger.close().unwrap();
    }
    let mut check = Check::default();
    for (meter, state) in states.iter().enumerate().rev() {
        let fold = check.ledger(&folder.path().join(meter.to_string()));
        assert!(fold.snapshot() == *state, "one thread folds the entries to the same state");
    }
    check.end(&lanes, &charged_twice);
    let Check { entries, receipts, returned, reclaimed, lost, .. } = check;
    println!("{entries} entries, {receipts} receipts in {} ledgers audited", states.len());
    println!(
        "{returned} leases returned, {reclaimed} reclaimed at a statement, {lost} without one"
    );
    println!(
        "{} calls charged in two lanes, all found",
        charged_twice.values().filter(|l| l.len() > 1).count()
    );
    fs::remove_dir_all(folder.path()).unwrap();

    // A run that never comes to a limit, or never loses a lease, shows nothing.
    for answer in [
        "authorize: authorized",
        "authorize: limits/spend",
        "authorize: limits/tokens",
        "authorize: lease/charges/t",
        "authorize: lease_closed",
        "authorize: held",
        "authorize: settled",
        "authorize: released",
        "no lease",
        "twice",
        "settle: charged",
        "settle: charged late",
        "settle: settled",
        "settle: request_conflict",
        "release: done",
        "state: lost",
        "state: lease_refused",
        "absorb: stated",
        "absorb: returned",
        "due: expired",
        "due: checkpoint",
        "due: receipt",
        "due: reclaimed",
    ] {
        assert!(operations < 1000 || answers.contains_key(answer), "no `{answer}`: {answers:?}");
    }
    assert!(operations < 1000 || [returned, reclaimed, lost].iter().all(|leases| *leases > 0));
}
