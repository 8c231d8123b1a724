//! Column charts over time, as SVG without a view box: positions across are percentages and
//! positions down are pixels, so that a chart fills any width while its text keeps its size.
//! Integers only.

use std::fmt;

use super::{markup::Html, text::ratio};

/// A thousandth of a percent of the chart's width, written `12.345%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Across(pub(super) u64);

/// The whole width.
pub(super) const FULL: u32 = 100_000;

impl Across {
    /// `part` of `whole` of the width.
    pub(super) fn of(part: u128, whole: u128) -> Across {
        Across(ratio(part, whole, FULL))
    }
}

impl fmt::Display for Across {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}%", self.0 / 1_000, self.0 % 1_000)
    }
}

/// A column.
pub(super) struct Column {
    /// The lower part.
    pub(super) value: u128,
    /// A second part that stands on it.
    pub(super) above: u128,
    /// What the pointer shows.
    pub(super) hint: String,
    /// What stands below it, if this is one of the labelled columns.
    pub(super) label: Option<String>,
}

/// A chart.
pub(super) struct Columns<'a> {
    /// Unique on the page.
    pub(super) id: &'static str,
    /// What it shows, in a few words.
    pub(super) title: &'a str,
    /// What is to be seen in it, for those who do not see it.
    pub(super) description: &'a str,
    /// The height of the plot in pixels.
    pub(super) height: u32,
    /// At most so many lines above the base line.
    pub(super) lines: u128,
    /// The columns from left to right.
    pub(super) columns: &'a [Column],
}

impl Columns<'_> {
    /// The distance of the lines: 1, 2 or 5 times a power of ten, or 0 where all columns are empty.
    pub(super) fn step(&self) -> u128 {
        round_step(self.highest(), self.lines)
    }

    fn highest(&self) -> u128 {
        self.columns.iter().map(|c| c.value.saturating_add(c.above)).max().unwrap_or(0)
    }

    /// The lines from the base upwards: their values.
    fn ticks(&self) -> impl Iterator<Item = u128> + use<> {
        let step = self.step();
        let steps = u64::try_from(self.highest().div_ceil(step.max(1))).unwrap_or(0);
        (0..=steps).map(move |i| step.saturating_mul(i.into()))
    }

    /// The characters of the longest value on the axis.
    pub(super) fn widest(&self, tick: impl Fn(u128) -> String) -> usize {
        self.ticks().map(|value| tick(value).chars().count()).max().unwrap_or(0)
    }

    /// Draws it. `tick` writes a value of the axis; `gutter` is the room for it in characters, the
    /// same for charts that stand below each other.
    pub(super) fn draw(&self, h: &mut Html, gutter: usize, tick: impl Fn(u128) -> String) {
        let top = self.ticks().last().unwrap_or(0);
        h.raw("<div class=\"plot\"").attr("style", format_args!("--chars:{gutter}")).raw(">");
        h.raw("<svg class=\"columns\" role=\"img\"");
        h.attr("aria-labelledby", format_args!("{0}-title {0}-text", self.id));
        h.attr("height", u64::from(self.height).saturating_add(30)).raw(">");
        h.raw("<title").attr("id", format_args!("{}-title", self.id)).raw(">");
        h.text(self.title).raw("</title><desc");
        h.attr("id", format_args!("{}-text", self.id)).raw(">").text(self.description);
        h.raw("</desc>");
        for value in self.ticks() {
            let y = self.down(value, top);
            h.raw("<line class=\"grid\" x1=\"0\" x2=\"100%\"")
                .attr("y1", y)
                .attr("y2", y)
                .raw("/>");
            h.raw("<text class=\"value\" x=\"-8\"").attr("y", y.saturating_add(4)).raw(">");
            h.text(tick(value)).raw("</text>");
        }
        self.bodies(h, top);
        h.raw("<line class=\"base\" x1=\"0\" x2=\"100%\"");
        h.attr("y1", self.down(0, 1)).attr("y2", self.down(0, 1)).raw("/></svg></div>");
    }

    #[allow(
        clippy::arithmetic_side_effects,
        reason = "geometry: an index times the width, and parts of the height, are far below 2^64"
    )]
    fn bodies(&self, h: &mut Html, top: u128) {
        let count = u64::try_from(self.columns.len()).unwrap_or(u64::MAX).max(1);
        let slot = u64::from(FULL) / count;
        let width = (slot * if count > 60 { 88 } else { 70 } / 100).min(u64::from(FULL) / 12);
        let mut labelled = 0_u32;
        for (i, column) in (0_u64..).zip(self.columns) {
            let left = u64::from(FULL) * i / count;
            let x = Across(left + (slot - width) / 2);
            let sum = self.down(column.value.saturating_add(column.above), top);
            let (value, base) = (self.down(column.value, top), self.down(0, 1));
            h.raw("<g class=\"slot\"><title>").text(&column.hint).raw("</title>");
            h.raw("<rect class=\"hit\" y=\"0\"")
                .attr("x", Across(left))
                .attr("width", Across(slot));
            h.attr("height", base).raw("/>");
            // What is not nothing is at least one pixel high.
            if column.value > 0 {
                let y = value.min(base - 1);
                h.raw("<rect class=\"body\" rx=\"1.5\"").attr("x", x).attr("width", Across(width));
                h.attr("y", y).attr("height", base - y).raw("/>");
            }
            if column.above > 0 {
                let foot = if column.value > 0 { value.min(base - 1) } else { base };
                let y = sum.min(foot - 1);
                h.raw("<rect class=\"above\" rx=\"1.5\"").attr("x", x).attr("width", Across(width));
                h.attr("y", y).attr("height", foot - y).raw("/>");
            }
            if let Some(label) = &column.label {
                // Every other label goes where there is little room.
                h.raw(if labelled.is_multiple_of(2) { "<text" } else { "<text class=\"spare\"" });
                labelled = labelled.wrapping_add(1);
                h.attr("x", Across(left + slot / 2)).attr("y", base + 18).raw(">");
                h.text(label).raw("</text>");
            }
            h.raw("</g>");
        }
    }

    /// The distance from the upper edge, with room for the topmost label.
    fn down(&self, value: u128, top: u128) -> u64 {
        let height = u64::from(self.height);
        height.saturating_sub(ratio(value, top, self.height)).saturating_add(8)
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50, … of which `lines` steps reach `highest`.
fn round_step(highest: u128, lines: u128) -> u128 {
    if highest == 0 {
        return 0;
    }
    let mut unit: u128 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = unit.saturating_mul(factor);
            if step.saturating_mul(lines) >= highest {
                return step;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_the_top() {
        assert_eq!(round_step(0, 5), 0);
        assert_eq!(round_step(1, 5), 1);
        assert_eq!(round_step(41, 5), 10);
        assert_eq!(round_step(50_000_001, 5), 20_000_000);
        for highest in [u128::MAX, u128::MAX / 3, 7] {
            assert!(round_step(highest, 4).saturating_mul(4) >= highest);
        }
    }

    #[test]
    fn positions_are_percentages() {
        assert_eq!(Across::of(1, 3).to_string(), "33.333%");
        assert_eq!(Across::of(5, 5).to_string(), "100.000%");
        assert_eq!(Across::of(5, 0).to_string(), "0.000%");
    }
}
