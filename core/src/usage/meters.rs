//! The meters that surfaces report, and what is inside what.

/// The meters that are wholes or parts, wholes before their parts: (meter, its direct wholes).
///
/// A part's units are counted in each of its wholes as well. A *joint* part lies in two wholes that
/// overlap: it is what the two have in common. Text has no meter of its own: it is what the other parts
/// of a whole leave.
pub const WHOLES: &[(&str, &[&str])] = &[
    ("input_tokens", &[]),
    ("output_tokens", &[]),
    ("audio_input_tokens", &["input_tokens"]),
    ("cache_write_tokens", &["input_tokens"]),
    ("cached_input_tokens", &["input_tokens"]),
    ("citation_tokens", &["input_tokens"]),
    ("image_input_tokens", &["input_tokens"]),
    ("tool_use_input_tokens", &["input_tokens"]),
    ("video_input_tokens", &["input_tokens"]),
    ("accepted_prediction_tokens", &["output_tokens"]),
    ("audio_output_tokens", &["output_tokens"]),
    ("image_output_tokens", &["output_tokens"]),
    ("reasoning_tokens", &["output_tokens"]),
    ("rejected_prediction_tokens", &["output_tokens"]),
    ("video_output_tokens", &["output_tokens"]),
    ("cache_write_1h_tokens", &["cache_write_tokens"]),
    ("cache_write_5m_tokens", &["cache_write_tokens"]),
    ("cached_audio_input_tokens", &["cached_input_tokens", "audio_input_tokens"]),
    ("cached_image_input_tokens", &["cached_input_tokens", "image_input_tokens"]),
    ("cached_video_input_tokens", &["cached_input_tokens", "video_input_tokens"]),
];

/// The number of meters in [`WHOLES`].
pub(crate) const COUNT: usize = WHOLES.len();

/// A set of meters of [`WHOLES`]: bit i is its i-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u32);

impl Set {
    pub(crate) fn insert(&mut self, meter: usize) {
        self.0 |= bit(meter);
    }

    pub(crate) fn holds(self, meter: usize) -> bool {
        self.0 & bit(meter) != 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }

    pub(super) fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    /// The meters, parts before their wholes.
    pub(super) fn parts_first(self) -> impl Iterator<Item = usize> {
        let mut left = self;
        core::iter::from_fn(move || {
            let last = usize::try_from(left.0.checked_ilog2()?).ok()?;
            left = left.without(Set(bit(last)));
            Some(last)
        })
    }
}

const _: () = assert!(COUNT <= 32, "a set has 32 bits");

const fn bit(meter: usize) -> u32 {
    if meter < COUNT { 1 << meter } else { 0 }
}

/// The place of a meter in [`WHOLES`].
pub(crate) fn index(meter: &str) -> Option<usize> {
    WHOLES.iter().position(|(known, _)| *known == meter)
}

/// The meter's name.
pub(super) fn name(meter: usize) -> &'static str {
    WHOLES.get(meter).map_or("", |(name, _)| name)
}

/// Everything that a meter lies in, directly or not.
pub(super) fn within(meter: usize) -> Set {
    WITHIN.get(meter).copied().unwrap_or_default()
}

/// The meter that a meter lies in and that lies in no other; of what lies in none it is the meter itself.
pub(crate) fn root(meter: &str) -> &str {
    // Wholes come before their parts, so the outermost is the last.
    match index(meter).and_then(|meter| within(meter).parts_first().last()) {
        Some(whole) => name(whole),
        None => meter,
    }
}

/// Everything that a meter lies in.
pub(crate) fn wholes(meter: &str) -> impl Iterator<Item = &'static str> {
    index(meter).map(within).unwrap_or_default().parts_first().map(name)
}

/// How many wholes a meter lies in.
pub(crate) fn depth(meter: &str) -> usize {
    wholes(meter).count()
}

/// Whether a meter is what two others have in common.
pub(crate) fn is_joint(meter: &str) -> bool {
    WHOLES.iter().any(|(known, wholes)| *known == meter && wholes.len() > 1)
}

static WITHIN: [Set; COUNT] = closure();

/// For each meter its wholes and theirs, worked out when this is compiled.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, every index is below a length"
)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, counts below a length"
)]
const fn closure() -> [Set; COUNT] {
    let mut within = [Set(0); COUNT];
    let mut part = 0;
    while part < COUNT {
        let wholes = WHOLES[part].1;
        let mut at = 0;
        while at < wholes.len() {
            let mut whole = 0;
            while whole < part {
                if same(WHOLES[whole].0.as_bytes(), wholes[at].as_bytes()) {
                    within[part].0 |= within[whole].0 | bit(whole);
                }
                whole += 1;
            }
            at += 1;
        }
        part += 1;
    }
    within
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, every index is below a length"
)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, counts below a length"
)]
const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_whole_is_known_before_its_part() {
        for (at, (meter, wholes)) in WHOLES.iter().enumerate() {
            assert_eq!(index(meter), Some(at));
            assert_eq!(name(at), *meter);
            for whole in *wholes {
                let whole = index(whole).unwrap();
                assert!(whole < at, "{meter}");
                assert!(within(at).holds(whole));
                assert_eq!(within(whole).without(within(at)), Set::default());
            }
        }
        assert_eq!(within(index("cached_audio_input_tokens").unwrap()).len(), 3);
    }
}
