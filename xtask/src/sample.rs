//! The sample usage log: `examples/sample/usage.jsonl`, the same bytes on every machine.
//!
//! One line per call of a made-up month, October 2026, as a gateway would write it: an id, an
//! instant (UTC, ascending), a subscriber, attributes, and the body of an OpenAI-shaped chat
//! completion cut down to its usage. The surface, `openai.chat`, is the same for the whole file and
//! is given when it is read.
//!
//! Nothing here is random and nothing is measured: [`Random`] starts from a fixed seed, and all
//! arithmetic is on integers. What the log is made to show:
//!
//! * eight subscribers of very different size ([`SUBSCRIBERS`]), about 3,000 calls;
//! * a daily and a weekly rhythm, by a weight per hour and per day ([`Rhythm`]);
//! * token counts with a heavy tail: a median times a factor drawn from a log-normal distribution
//!   with σ = 1, tabulated at its quantiles ([`QUANTILES`], [`TAIL`]) and interpolated;
//! * cached prompt tokens in steps of 128 from 1,024 on, and reasoning tokens within the completion;
//! * `acme`, which spends more than the others together and so meets a monthly spend limit;
//! * `sprint-labs`, which sends 120 calls within twenty seconds on three days ([`BURSTS`]) and so
//!   meets a rate limit of 60 per minute; no other subscriber comes near it;
//! * `tidepool-research`, where some calls say `"purpose":"training"` and a condition that allows
//!   inference only denies them. Every other call says `"purpose":"inference"`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a generator with fixed input: what overflows or misses a table fails its test"
)]

use std::{fmt::Write as _, fs, io, path::Path};

/// Writes the log, and the folder it stands in.
///
/// # Errors
///
/// Those of the file system.
pub(crate) fn write(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, log())
}

/// SplitMix64 (Steele, Lea and Flood, 2014): one 64-bit state, enough for a sample.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is small, so that the bias of the remainder does not matter.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index, as often as its weight says.
    fn pick(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (i, weight) in weights.iter().enumerate() {
            if left < *weight {
                return i;
            }
            left -= weight;
        }
        0
    }

    /// `median` times a log-normal factor, at least 1 and at most `most`.
    fn heavy(&mut self, median: u64, most: u64) -> u64 {
        let segment = usize::from(self.next().to_be_bytes()[0] >> 4);
        let (low, high) = match QUANTILES.get(segment + 1) {
            Some(high) => (QUANTILES[segment], *high),
            None => {
                let i = usize::from(self.next().to_be_bytes()[0] >> 5);
                (TAIL[i], TAIL[i + 1])
            }
        };
        let factor = low + self.below(high - low);
        (median * factor / 1_000).clamp(1, most)
    }
}

/// Thousandths of the median at 0 (cut off at 1 %), 1/16, … 15/16 of the log-normal distribution.
const QUANTILES: [u64; 16] =
    [98, 216, 317, 412, 509, 613, 727, 854, 1_000, 1_170, 1_375, 1_630, 1_963, 2_428, 3_159, 4_637];
/// The same at 15/16 + 1/128, … up to 99.95 %: what lies beyond is not drawn.
const TAIL: [u64; 9] = [4_637, 4_958, 5_344, 5_822, 6_441, 7_297, 8_618, 11_218, 26_857];

/// When a subscriber calls.
struct Rhythm {
    /// Weights of the hours of a day, UTC.
    hours: [u64; 24],
    /// Weights of the days from Thursday, which 1 October 2026 is.
    days: [u64; 7],
}

const OFFICE: Rhythm = Rhythm {
    hours: [1, 1, 1, 1, 2, 4, 10, 22, 36, 44, 46, 40, 30, 38, 46, 44, 36, 24, 14, 9, 6, 4, 2, 1],
    days: [20, 18, 3, 2, 19, 21, 21],
};
const EVENING: Rhythm = Rhythm {
    hours: [9, 5, 3, 2, 1, 2, 4, 7, 9, 10, 11, 12, 14, 13, 12, 13, 16, 21, 27, 33, 36, 33, 25, 16],
    days: [10, 13, 19, 20, 11, 10, 10],
};
const AGENTS: Rhythm = Rhythm {
    hours: [
        17, 16, 15, 15, 16, 17, 19, 21, 22, 23, 23, 23, 22, 23, 23, 23, 22, 22, 21, 20, 20, 19, 18,
        17,
    ],
    days: [15, 15, 12, 12, 15, 15, 15],
};

/// A subscriber and the shape of its calls.
struct Subscriber {
    name: &'static str,
    region: &'static str,
    calls: u64,
    rhythm: &'static Rhythm,
    /// Weights of [`MODELS`].
    models: [u64; 3],
    /// Median tokens of a prompt and of a completion.
    prompt: u64,
    completion: u64,
    /// Of a hundred long prompts, so many begin with a cached prefix.
    cached: u64,
    /// Of a hundred calls, so many are for training.
    training: u64,
}

/// The third one reasons before it answers.
const MODELS: [&str; 3] = ["beacon-small", "beacon-large", "beacon-reason"];
const REASONS: usize = 2;

#[rustfmt::skip]
const SUBSCRIBERS: [Subscriber; 8] = [
    Subscriber { name: "acme", region: "us", calls: 940, rhythm: &AGENTS, models: [2, 6, 4], prompt: 5_200, completion: 780, cached: 62, training: 0 },
    Subscriber { name: "northwind", region: "eu", calls: 610, rhythm: &OFFICE, models: [5, 5, 1], prompt: 1_900, completion: 340, cached: 45, training: 0 },
    Subscriber { name: "sprint-labs", region: "us", calls: 130, rhythm: &OFFICE, models: [9, 1, 0], prompt: 420, completion: 90, cached: 0, training: 0 },
    Subscriber { name: "tidepool-research", region: "eu", calls: 360, rhythm: &OFFICE, models: [3, 3, 4], prompt: 2_600, completion: 520, cached: 25, training: 22 },
    Subscriber { name: "blue-heron", region: "ap", calls: 290, rhythm: &EVENING, models: [8, 2, 0], prompt: 760, completion: 260, cached: 20, training: 0 },
    Subscriber { name: "museum-of-tides", region: "eu", calls: 180, rhythm: &EVENING, models: [6, 3, 0], prompt: 1_100, completion: 410, cached: 35, training: 0 },
    Subscriber { name: "söhne-verlag", region: "eu", calls: 95, rhythm: &OFFICE, models: [1, 8, 1], prompt: 8_400, completion: 1_150, cached: 30, training: 0 },
    Subscriber { name: "hobbyist", region: "us", calls: 14, rhythm: &EVENING, models: [1, 0, 0], prompt: 180, completion: 120, cached: 0, training: 0 },
];

/// The bursts: who, and the first instants. Each is 120 calls within 20 seconds of one minute.
const BURSTER: usize = 2;
const BURSTS: [u64; 3] = [at(8, 14, 6), at(15, 9, 41), at(27, 16, 22)];
const BURST_CALLS: u64 = 120;
const BURST_MS: u64 = 20_000;

const HOUR: u64 = 3_600_000;
const DAYS: u64 = 31;

/// Milliseconds from the month's begin to five seconds after a minute of a day of October.
const fn at(day: u64, hour: u64, minute: u64) -> u64 {
    ((day - 1) * 24 + hour) * HOUR + minute * 60_000 + 5_000
}

/// The whole log.
fn log() -> String {
    let mut random = Random(0x0c0f_fee5_ca1e_2026);
    // (instant, subscriber, serial): the serial makes the order total.
    let mut calls: Vec<(u64, usize, u64)> = Vec::new();
    for (who, subscriber) in SUBSCRIBERS.iter().enumerate() {
        let Rhythm { hours, days } = subscriber.rhythm;
        let month: Vec<u64> = days.iter().copied().cycle().take(31).collect();
        for serial in 0..subscriber.calls {
            let (day, hour) = (random.pick(&month), random.pick(hours));
            let hours = u64::try_from(day * 24 + hour).unwrap_or(0);
            calls.push((hours * HOUR + random.below(HOUR), who, serial));
        }
    }
    for (burst, start) in (1_000_000..).step_by(1_000).zip(BURSTS) {
        for i in 0..BURST_CALLS {
            calls.push((start + random.below(BURST_MS), BURSTER, burst + i));
        }
    }
    calls.sort_unstable();
    let mut out = String::new();
    for (number, (instant, who, _)) in (1..).zip(calls) {
        line(&mut out, &mut random, number, instant, &SUBSCRIBERS[who]);
    }
    out
}

fn line(out: &mut String, random: &mut Random, number: u64, instant: u64, who: &Subscriber) {
    let model = random.pick(&who.models);
    let prompt = random.heavy(who.prompt, 120_000);
    let mut completion = random.heavy(who.completion, 16_000);
    let cached = if prompt >= 1_200 && random.below(100) < who.cached {
        // A prefix of 40 % to 94 % of the prompt.
        (prompt * (40 + random.below(55)) / 100 / 128 * 128).max(1_024)
    } else {
        0
    };
    let mut reasoning = 0;
    if model == REASONS {
        reasoning = random.heavy(who.completion, 12_000) / 64 * 64;
        completion += reasoning;
    }
    let purpose = if random.below(100) < who.training { "training" } else { "inference" };
    let day = instant / (24 * HOUR) + 1;
    debug_assert!(day <= DAYS, "the month has {DAYS} days");
    let (hour, minute) = (instant / HOUR % 24, instant / 60_000 % 60);
    let (second, ms) = (instant / 1_000 % 60, instant % 1_000);
    // Writing to a `String` does not fail.
    let _ = writeln!(
        out,
        concat!(
            r#"{{"id":"req-{:06}","at":"2026-10-{:02}T{:02}:{:02}:{:02}.{:03}Z","subscriber":"{}","#,
            r#""attributes":{{"purpose":"{}","region":"{}"}},"body":{{"id":"chatcmpl-{:016x}","#,
            r#""object":"chat.completion","model":"{}","usage":{{"prompt_tokens":{},"#,
            r#""prompt_tokens_details":{{"cached_tokens":{}}},"completion_tokens":{},"#,
            r#""completion_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}}}}}}"#
        ),
        number,
        day,
        hour,
        minute,
        second,
        ms,
        who.name,
        purpose,
        who.region,
        random.next(),
        MODELS[model],
        prompt,
        cached,
        completion,
        reasoning,
        prompt + completion
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_known_answers() {
        // The first outputs for the state 0.
        let mut random = Random(0);
        let first: [u64; 3] = std::array::from_fn(|_| random.next());
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn the_log_is_what_the_module_says() {
        let log = log();
        // The bytes are pinned: a change of the generator is a change of the sample.
        let digest = log.bytes().fold(0, |state, byte| Random(state ^ u64::from(byte)).next());
        assert_eq!(digest, 0xad44_ca4c_a92c_5c1b, "{digest:#018x}");
        assert!(log.len() < 1_300_000, "{} bytes", log.len());
        let calls: u64 = SUBSCRIBERS.iter().map(|s| s.calls).sum();
        assert_eq!(log.lines().count() as u64, calls + 3 * BURST_CALLS);
        let field = |line: &str, name: &str| -> String {
            let start = line.rfind(&format!("\"{name}\":")).unwrap() + name.len() + 3;
            line[start..].trim_start_matches('"').split(['"', ',', '}']).next().unwrap().to_owned()
        };
        let number = |line: &str, name: &str| -> u64 { field(line, name).parse().unwrap() };
        let mut before = String::new();
        let mut training = 0;
        let mut per_minute = std::collections::BTreeMap::<(String, String), u64>::new();
        let mut tokens = std::collections::BTreeMap::<String, u64>::new();
        for line in log.lines() {
            let at = field(line, "at");
            assert!(at >= before, "{at} after {before}");
            assert!(number(line, "cached_tokens") <= number(line, "prompt_tokens"));
            assert!(number(line, "reasoning_tokens") < number(line, "completion_tokens"));
            let sum = number(line, "prompt_tokens") + number(line, "completion_tokens");
            assert_eq!(number(line, "total_tokens"), sum);
            training += u64::from(field(line, "purpose") == "training");
            let who = field(line, "subscriber");
            *tokens.entry(who.clone()).or_default() += sum;
            *per_minute.entry((who, at[..16].to_owned())).or_default() += 1;
            before = at;
        }
        assert!((40..120).contains(&training), "{training}");
        let full: Vec<_> = per_minute.iter().filter(|(_, n)| **n > 20).collect();
        assert_eq!(full.len(), 3, "{full:?}");
        assert!(full.iter().all(|((who, _), n)| who == "sprint-labs" && **n >= BURST_CALLS));
        assert!(tokens["acme"] * 2 > tokens.values().sum());
    }
}
