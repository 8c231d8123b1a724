//! How often one call goes to the heap. Counts do not depend on the machine, so they are bounded here.

use allocation_counter::measure;
use counterfoil::Timestamp;
use counterfoil_bench::{Host, plan};

const CALLS: u64 = 1_000;

#[test]
fn a_call_allocates_little_and_keeps_nothing_but_what_it_remembers() {
    let mut host = Host::new(Host::CHECKPOINT);
    // Past the replay horizon every call forgets one request id for each that it remembers.
    for _ in 0..10_000 {
        host.call();
    }
    let info = measure(|| (0..CALLS).for_each(|_| drop(host.call())));
    println!(
        "per authorise + settle: {} allocations, {} bytes; {} bytes kept after {CALLS} calls",
        info.count_total / CALLS,
        info.bytes_total / CALLS,
        info.bytes_current,
    );
    assert!(info.count_total / CALLS <= 37, "{} allocations", info.count_total / CALLS);
    // Maps are as large as before, give or take the filling of their nodes.
    assert!(info.bytes_current.unsigned_abs() < 100 * CALLS, "{} bytes", info.bytes_current);
}

#[test]
fn a_price_allocates_nothing() {
    let (plan, host) = (plan(Host::CHECKPOINT), Host::new(Host::CHECKPOINT));
    let info = measure(|| {
        plan.price(host.used(), Timestamp::MIN).expect("a price");
    });
    assert_eq!(info.count_total, 0);
}
