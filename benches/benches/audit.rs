//! Auditing a ledger: every receipt decoded, rated, hashed and chained again.

use std::time::{Duration, Instant};

use counterfoil::audit::Auditor;
use counterfoil::entry::Entry;
use counterfoil_bench::Host;
use criterion::{Criterion, criterion_group, criterion_main};

const CALLS: usize = 5_000;

/// The entries of a ledger in checkpoint mode, holds included, call by call.
fn ledger() -> (Vec<Vec<u8>>, Vec<[Vec<u8>; 2]>) {
    let mut host = Host::new(Host::CHECKPOINT);
    let calls = (0..CALLS).map(|_| host.call()).map(|call| [call.hold, call.settled]).collect();
    (host.begin, calls)
}

fn audit(c: &mut Criterion) {
    let (begin, calls) = ledger();
    let mut group = c.benchmark_group("audit");
    // One iteration is one call: its hold and its receipt.
    group.bench_function("receipt", |b| {
        b.iter_custom(|receipts| {
            let (mut time, mut left) = (Duration::ZERO, receipts as usize);
            while left > 0 {
                let mut auditor = Auditor::new();
                for entry in &begin {
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
        });
    });
    group.bench_function("decode", |b| {
        let mut next = calls.iter().cycle();
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
