//! Settling receipts as they stream by.

use std::time::Duration;

use counterfoil::amount::Rounding;
use counterfoil::entry::ReceiptEntry;
use counterfoil::meter::LaneTotals;
use counterfoil::receipt::Item;
use counterfoil::settlement::{Batch, Extent, Settlement};
use counterfoil::{Amount, Digest, Exact, Plan, Result};
use counterfoil_bench::{Host, plan};
use criterion::{Criterion, criterion_group, criterion_main};

const LANES: usize = 1_000;

/// One receipt in memory for each lane: the next of a lane is made from the last, so that memory does
/// not depend on how many there are.
struct Lanes {
    plan: Plan,
    lanes: Vec<ReceiptEntry>,
    price: Exact,
}

impl Lanes {
    fn new() -> Lanes {
        let mut host = Host::new(Host::CHECKPOINT);
        let first = host.call().receipt;
        let price = first.body.items.iter().find_map(|item| match item {
            Item::Price { exact, .. } => Some(*exact),
            _ => None,
        });
        let lanes = (0..LANES).map(|i| {
            let mut receipt = (*first).clone();
            receipt.head.lane = counterfoil::crypto::sha256(&[&i.to_be_bytes()]);
            receipt.head.sequence = 0;
            (receipt.head.charge, receipt.head.cumulative) = (Amount::ZERO, Amount::ZERO);
            receipt
        });
        let plan = plan(Host::CHECKPOINT);
        Lanes { plan, lanes: lanes.collect(), price: price.expect("a call has a price") }
    }

    /// The totals that a lane will have after `receipts`.
    fn totals(&self, receipt: &ReceiptEntry, receipts: u64) -> Result<LaneTotals> {
        Ok(LaneTotals {
            lane: receipt.head.lane,
            subscription: receipt.head.lane,
            plan: self.plan.id(),
            payer: receipt.head.subject,
            rail: Digest::ZERO,
            number: 0,
            sequence: receipts,
            head: receipt.digest,
            baseline: Exact::ZERO,
            credited_baseline: Exact::ZERO,
            cumulative: self.price.checked_mul(receipts)?,
            credited: Exact::ZERO,
            collected: Amount::ZERO,
            fee: Amount::ZERO,
        })
    }

    /// Settles this many receipts of each lane.
    fn settle(&self, each: u64) -> Result<Settlement> {
        let mut batch = Batch::new(self.plan.currency().clone());
        let mut lanes = self.lanes.clone();
        for receipt in &lanes {
            batch.add_lane(&self.totals(receipt, each)?, &self.plan, Extent::Everything)?;
        }
        for _ in 0..each {
            for receipt in &mut lanes {
                advance(receipt, self.price)?;
                batch.add_receipt(receipt, &self.plan)?;
            }
        }
        batch.settle(true)
    }
}

/// Makes the lane's next receipt in place, as far as a settlement looks at it.
fn advance(receipt: &mut ReceiptEntry, price: Exact) -> Result<()> {
    for item in &mut receipt.body.items {
        if let Item::Price { remainder_before, remainder_after, .. } = item {
            if receipt.head.sequence == 0 {
                *remainder_after = 0;
            }
            let billed = Rounding::Carry.bill(price, *remainder_after)?;
            (*remainder_before, *remainder_after) = (*remainder_after, billed.remainder);
            receipt.head.sequence += 1;
            receipt.head.charge = billed.amount;
            receipt.head.cumulative = receipt.head.cumulative.checked_add(billed.amount)?;
        }
    }
    Ok(())
}

fn settlement(c: &mut Criterion) {
    let lanes = Lanes::new();
    let mut group = c.benchmark_group("settlement");
    for (name, receipts) in [("hundred_thousand", 100_000), ("million", 1_000_000)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let settled = lanes.settle(receipts / LANES as u64).expect("a settlement");
                assert_eq!(settled.totals.payouts, settled.totals.collected);
                settled
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_secs(3));
    targets = settlement
}
criterion_main!(benches);
