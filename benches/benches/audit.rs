//! Auditing a ledger: every receipt decoded, rated, hashed and chained again.

use std::time::{Duration, Instant};

use counterfoil::audit::Auditor;
use counterfoil::entry::Entry;
use counterfoil_bench::Host;
use criterion::{Criterion, criterion_group, criterion_main};

const CALLS: usize = 5_000;

/// A ledger in checkpoint mode: what it begins with, and each call's entries.
type Ledger = (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>);

fn ledger(call: impl Fn(&mut Host) -> Vec<Vec<u8>>) -> Ledger {
    let mut host = Host::new(Host::CHECKPOINT);
    let calls = (0..CALLS).map(|_| call(&mut host)).collect();
    (host.begin, calls)
}

/// The time that an auditor takes for this many calls, each ledger from its beginning.
fn time_of((begin, calls): &Ledger, mut left: usize) -> Duration {
    let mut time = Duration::ZERO;
    while left > 0 {
        let mut auditor = Auditor::new();
        for entry in begin {
            auditor.next(entry).expect("a true ledger");
        }
        let some = left.min(CALLS);
        let started = Instant::now();
        for entry in calls[..some].iter().flatten() {
            auditor.next(entry).expect("a true ledger");
        }
        time += started.elapsed();
        left -= some;
    }
    time
}

fn audit(c: &mut Criterion) {
    let held = ledger(|host| {
        let call = host.call();
        vec![call.hold, call.settled]
    });
    let imported = ledger(|host| vec![host.import()]);
    let mut group = c.benchmark_group("audit");
    // A call with its hold, and a record of an imported log, which has none.
    for (name, ledger) in [("call", &held), ("import", &imported)] {
        group.bench_function(name, |b| b.iter_custom(|calls| time_of(ledger, calls as usize)));
    }
    group.bench_function("decode", |b| {
        let mut next = held.1.iter().cycle();
        b.iter(|| Entry::from_bytes(&next.next().expect("endless")[1]).expect("an entry"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = audit
}
criterion_main!(benches);
