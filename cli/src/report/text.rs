//! Numbers, money and instants as people read them. Every function is exact: what is shortened is
//! shortened only where nothing is lost, or marked.

use super::data::Currency;

/// Digits of the integer part in groups of three: `1,234,567`.
pub(super) fn grouped(value: impl ToString) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    let mut left = digits.chars().count();
    for c in digits.chars() {
        out.push(c);
        left = left.saturating_sub(1);
        if left > 0 && left.is_multiple_of(3) {
            out.push(',');
        }
    }
    out
}

/// A quantity on an axis: `1.5M`, `20k`; written out where that would lose a digit.
pub(super) fn compact(value: u128) -> String {
    for (tenth, suffix) in [(100_000_000, "B"), (100_000, "M"), (100, "k")] {
        let tenths = value.checked_div(tenth).unwrap_or(0);
        if tenths >= 10 && value.is_multiple_of(tenth) {
            return match tenths % 10 {
                0 => format!("{}{suffix}", grouped(tenths / 10)),
                digit => format!("{}.{digit}{suffix}", grouped(tenths / 10)),
            };
        }
    }
    grouped(value)
}

/// An amount with every digit of its atomic unit: `1,234.567890`. Nothing is `0`.
pub(super) fn money(atomic: u128, currency: &Currency) -> String {
    if atomic == 0 {
        return "0".to_owned();
    }
    let (whole, fraction) = split(atomic, currency.decimals);
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// The same with its currency: `1,234.567890 USDC`.
pub(super) fn labelled(atomic: u128, currency: &Currency) -> String {
    format!("{}\u{a0}{}", money(atomic, currency), currency.label)
}

/// An amount for an axis: only the `shown` first digits of the fraction. The caller knows that the
/// others are zero.
pub(super) fn tick(atomic: u128, currency: &Currency, shown: usize) -> String {
    let (whole, fraction) = split(atomic, currency.decimals);
    match fraction.get(..shown) {
        Some(kept) if !kept.is_empty() && atomic > 0 => format!("{whole}.{kept}"),
        _ => whole,
    }
}

/// How many digits of the fraction the multiples of `step` need.
pub(super) fn digits_of_step(step: u128, currency: &Currency) -> usize {
    split(step, currency.decimals).1.trim_end_matches('0').len()
}

/// The grouped integer part and all digits of the fraction.
pub(super) fn split(atomic: u128, decimals: u8) -> (String, String) {
    let decimals = usize::from(decimals);
    let digits = format!("{atomic:0>width$}", width = decimals.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
    (grouped(whole), fraction.to_owned())
}

/// An exact decimal in major units as (`1,234.567890`, finer digits): the first part has all digits
/// of the atomic unit, the second what lies below it; put together they are the decimal.
pub(super) fn exact(decimal: &str, currency: &Currency) -> (String, String) {
    if decimal == "0" {
        return (decimal.to_owned(), String::new());
    }
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let whole = grouped(whole);
    match usize::from(currency.decimals) {
        0 if fraction.is_empty() => (whole, String::new()),
        0 => (whole, format!(".{fraction}")),
        decimals => {
            let (coarse, fine) = fraction.split_at_checked(decimals).unwrap_or((fraction, ""));
            (format!("{whole}.{coarse:0<decimals$}"), fine.to_owned())
        }
    }
}

/// `part` of `whole` in tenths of a percent. Only nothing is 0 % and only everything is 100 %.
pub(super) fn percent(part: u128, whole: u128) -> String {
    if part == 0 || whole == 0 {
        return "0\u{a0}%".to_owned();
    }
    if part >= whole {
        return "100\u{a0}%".to_owned();
    }
    let thousandths = ratio(part, whole, 2_000).div_ceil(2).min(999);
    match thousandths {
        0 => "<0.1\u{a0}%".to_owned(),
        t => format!("{}.{}\u{a0}%", t / 10, t % 10),
    }
}

/// `part / whole × scale`, floored: geometry and percentages, never money. At most `scale`.
pub(super) fn ratio(part: u128, whole: u128, scale: u32) -> u64 {
    // With both below 2^96 the product with a `u32` fits; dropping low bits moves no pixel.
    let shift = 32_u32.saturating_sub(whole.leading_zeros());
    let whole = whole >> shift;
    let part = (part >> shift).min(whole);
    let scaled = part.saturating_mul(u128::from(scale)).checked_div(whole).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(u64::from(scale))
}

/// `0x1234…cdef`; what is short stays whole.
pub(super) fn short(id: &str) -> String {
    let count = id.chars().count();
    if count <= 16 {
        return id.to_owned();
    }
    let head: String = id.chars().take(6).collect();
    let tail: String = id.chars().skip(count.saturating_sub(4)).collect();
    format!("{head}…{tail}")
}

/// `one call`, `2,000 calls`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{}\u{a0}{}", grouped(n), if n == 1 { one } else { many })
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An instant taken apart, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
}

impl Civil {
    /// Takes Unix milliseconds apart. The calendar is cut into eras of 400 years that begin on
    /// 1 March, where the leap day is the last day.
    #[allow(
        clippy::arithmetic_side_effects,
        reason = "every value is below 2^64 / 1000, and no difference is negative"
    )]
    pub(super) fn of(ms: u64) -> Civil {
        let seconds = ms / 1_000;
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Civil {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// `October`.
    pub(super) fn month_name(self) -> &'static str {
        let index = usize::try_from(self.month.saturating_sub(1)).unwrap_or(0);
        MONTHS.get(index).copied().unwrap_or("")
    }

    /// `Oct`.
    pub(super) fn month_short(self) -> &'static str {
        self.month_name().get(..3).unwrap_or("")
    }

    /// `14:05`.
    pub(super) fn clock(self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }
}

/// `28 Oct 2026`.
pub(super) fn date(ms: u64) -> String {
    let c = Civil::of(ms);
    format!("{} {} {}", c.day, c.month_short(), c.year)
}

/// `28 Oct 2026, 14:05:09`; the page says that every time is UTC.
pub(super) fn instant(ms: u64) -> String {
    let c = Civil::of(ms);
    format!("{}, {}:{:02}", date(ms), c.clock(), c.second)
}

/// For `<time datetime="…">`.
pub(super) fn machine(ms: u64) -> String {
    let c = Civil::of(ms);
    format!(
        "{:04}-{:02}-{:02}T{}:{:02}.{:03}Z",
        c.year,
        c.month,
        c.day,
        c.clock(),
        c.second,
        ms % 1_000
    )
}

/// `1 to 31 October 2026`, as short as the two dates allow.
pub(super) fn period(first: u64, last: u64) -> String {
    let (a, b) = (Civil::of(first), Civil::of(last));
    let end = format!("{} {} {}", b.day, b.month_name(), b.year);
    if (a.year, a.month, a.day) == (b.year, b.month, b.day) {
        end
    } else if (a.year, a.month) == (b.year, b.month) {
        format!("{} to {end}", a.day)
    } else if a.year == b.year {
        format!("{} {} to {end}", a.day, a.month_name())
    } else {
        format!("{} {} {} to {end}", a.day, a.month_name(), a.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usdc() -> Currency {
        Currency { label: "USDC".into(), decimals: 6 }
    }

    #[test]
    fn amounts_keep_every_digit() {
        assert_eq!(money(1_234_567_890, &usdc()), "1,234.567890");
        assert_eq!(money(1, &usdc()), "0.000001");
        assert_eq!(money(0, &usdc()), "0");
        assert_eq!(money(1_234, &Currency { label: "JPY".into(), decimals: 0 }), "1,234");
        assert_eq!(money(u128::MAX, &usdc()), "340,282,366,920,938,463,463,374,607,431,768.211455");
        assert_eq!(exact("1234.5", &usdc()), ("1,234.500000".into(), String::new()));
        assert_eq!(exact("0.0000025", &usdc()), ("0.000002".into(), "5".into()));
        assert_eq!(exact("7", &usdc()), ("7.000000".into(), String::new()));
        let yen = Currency { label: "JPY".into(), decimals: 0 };
        assert_eq!(exact("1234.25", &yen), ("1,234".into(), ".25".into()));
        assert_eq!(exact("1234", &yen), ("1,234".into(), String::new()));
        assert_eq!(compact(1_500_000), "1.5M");
        assert_eq!(compact(1_234_567), "1,234,567");
        assert_eq!(compact(999), "999");
    }

    #[test]
    fn only_everything_is_a_hundred_percent() {
        assert_eq!(percent(1, 3), "33.3\u{a0}%");
        assert_eq!(percent(2, 3), "66.7\u{a0}%");
        assert_eq!(percent(u128::MAX - 1, u128::MAX), "99.9\u{a0}%");
        assert_eq!(percent(u128::MAX, u128::MAX), "100\u{a0}%");
        assert_eq!(percent(1, u128::MAX), "<0.1\u{a0}%");
        assert_eq!(percent(0, 0), "0\u{a0}%");
        assert_eq!(ratio(1, 0, 100), 0);
        assert_eq!(ratio(u128::MAX, u128::MAX, u32::MAX), u64::from(u32::MAX));
    }

    #[test]
    fn instants_by_the_calendar() {
        assert_eq!(machine(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(machine(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(machine(1_790_812_812_345), "2026-10-01T00:00:12.345Z");
        assert_eq!(machine(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        let _no_overflow = machine(u64::MAX);
        let october = 1_790_812_800_000;
        assert_eq!(period(october, october + 30 * 86_400_000), "1 to 31 October 2026");
        assert_eq!(period(october, october), "1 October 2026");
        assert_eq!(period(october, october + 31 * 86_400_000), "1 October to 1 November 2026");
    }
}
