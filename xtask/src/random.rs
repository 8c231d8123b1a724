//! A seeded generator for tasks that try random places, so that each run can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::Args;
use crate::tools::Outcome;

/// `SplitMix64`: enough to choose places and instants.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by `--seed`, or by the clock. The seed is printed either way.
    pub(crate) fn from_args(args: &mut Args) -> Outcome<Self> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let seed = args.number("--seed", clock)?;
        println!("seed {seed} (repeat with --seed {seed})");
        Ok(Random(seed))
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(end).unwrap_or(0)
    }
}
