//! Durable writes under load, beside a bare append and fsync of the same bytes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use counterfoil::entry::frame;
use counterfoil::meter::{Command, Outcome, Request, Settle};
use counterfoil_bench::{Host, beginning, signer, start};
use counterfoil_journal::{Journal, Ledger, Options};
use criterion::{Criterion, criterion_group, criterion_main};

const WRITERS: usize = 8;

fn durable(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut host = Host::new(Host::CHECKPOINT);
    let call = host.call();
    let entries = [&call.hold, &call.settled];

    // The best that grouping can do: what all writers wait for in one write and one fsync.
    c.benchmark_group("floor").bench_function("append", |b| {
        let path = folder.path().join("bare");
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
        let groups = entries.map(|entry| {
            let mut bytes = Vec::new();
            for index in 0..WRITERS {
                frame::write(&mut bytes, index as u64, entry).expect("a frame");
            }
            bytes
        });
        b.iter_custom(|calls| {
            let started = Instant::now();
            for _ in 0..calls.div_ceil(WRITERS as u64) {
                for group in &groups {
                    file.write_all(group).expect("a write");
                    file.sync_data().expect("a sync");
                }
            }
            started.elapsed()
        });
    });

    // The same through the journal, by writers who each wait for their own entries.
    let journal = Journal::create(folder.path().join("journal"), Options::default());
    let journal = journal.expect("a journal");
    let mut group = c.benchmark_group("durable");
    group.bench_function("journal", |b| {
        b.iter_custom(|calls| {
            under_load(calls, || {
                for entry in entries {
                    let index = journal.append(entry).expect("an append");
                    journal.flush_through(index).expect("a sync");
                }
            })
        });
    });

    // And through the meter: hold and receipt are durable before the call goes on.
    let ledger =
        Ledger::open(folder.path().join("ledger"), Box::new(signer()), [9; 32], Options::default());
    let ledger = ledger.expect("a ledger");
    for command in beginning(Host::CHECKPOINT, start()) {
        ledger.submit(&command, start()).expect("a beginning");
    }
    let (request, settle) = host.commands();
    let calls_made = AtomicU64::new(0);
    group.bench_function("meter", |b| {
        b.iter_custom(|calls| {
            under_load(calls, || {
                let number = calls_made.fetch_add(1, Ordering::Relaxed);
                let id = format!("req_{number:032}");
                // Writers overtake each other: less than the rate's burst lies between them.
                let now = start().checked_add(number * 200).expect("an instant");
                let request = Request { id: id.clone(), ..request.clone() };
                let settle = Settle { id, ..settle.clone() };
                let held = ledger.submit(&Command::Authorize(request), now).expect("a hold");
                assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
                ledger.submit(&Command::Settle(settle), now).expect("a receipt");
            })
        });
    });
    group.finish();
}

/// The time for this many calls by all writers together.
fn under_load(calls: u64, call: impl Fn() + Sync) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| (0..calls.div_ceil(WRITERS as u64)).for_each(|_| call()));
        }
    });
    started.elapsed()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = durable
}
criterion_main!(benches);
