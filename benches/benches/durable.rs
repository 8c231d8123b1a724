//! Durable writes under load, beside a bare append and fsync of the same bytes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use counterfoil::entry::frame;
use counterfoil_bench::Host;
use counterfoil_journal::{Journal, Options};
use criterion::{Criterion, criterion_group, criterion_main};

const WRITERS: usize = 8;

fn durable(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let call = Host::new(Host::CHECKPOINT).call();
    let entries = [&call.hold, &call.settled];

    // The best that grouping can do: what all writers wait for in one write and one fsync.
    c.bench_function("floor/append", |b| {
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

    let journal = Journal::create(folder.path().join("ledger"), Options::default());
    let journal = journal.expect("a journal");
    // Hold and receipt of every call durable before the call goes on.
    c.bench_function("durable/journal", |b| {
        b.iter_custom(|calls| {
            let started = Instant::now();
            thread::scope(|scope| {
                for _ in 0..WRITERS {
                    scope.spawn(|| {
                        for _ in 0..calls.div_ceil(WRITERS as u64) {
                            for entry in entries {
                                let index = journal.append(entry).expect("an append");
                                journal.flush_through(index).expect("a sync");
                            }
                        }
                    });
                }
            });
            started.elapsed()
        });
    });
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
