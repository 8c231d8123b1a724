//! How often one call goes to the heap.

use allocation_counter::measure;
use counterfoil_bench::Host;

#[test]
fn allocations_of_a_call() {
    let mut host = Host::new(Host::CHECKPOINT);
    for _ in 0..1_000 {
        host.call();
    }
    let calls = 1_000;
    let info = measure(|| (0..calls).for_each(|_| drop(host.call())));
    println!(
        "{} allocations, {} bytes, {} bytes kept for each authorise + settle",
        info.count_total / calls,
        info.bytes_total / calls,
        info.bytes_current / calls as i64
    );
}
