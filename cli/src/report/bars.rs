//! Horizontal bars: one length in a table row, and stacked segments of a whole.

use super::{
    chart::{Across, FULL},
    markup::Html,
    text::ratio,
};

/// A bar beside the number it shows: decoration, because the number is there.
pub(super) fn length(h: &mut Html, kind: &'static str, value: u128, longest: u128) {
    // What is not nothing is to be seen.
    let width = Across::of(value, longest).max(Across(if value > 0 { 400 } else { 0 }));
    h.raw("<svg class=\"length\" aria-hidden=\"true\" height=\"8\">");
    h.raw("<rect class=\"track\" width=\"100%\" height=\"8\" rx=\"4\"/>");
    if value > 0 {
        h.raw("<rect height=\"8\" rx=\"4\"").attr("class", kind).attr("width", width).raw("/>");
    }
    h.raw("</svg>");
}

/// A part of a whole.
pub(super) struct Segment {
    /// Its class in the style sheet, which gives the colour.
    pub(super) kind: &'static str,
    /// What the pointer shows.
    pub(super) hint: String,
    /// Its size.
    pub(super) value: u128,
}

/// The narrowest segment: half a percent, so that nothing which exists is invisible. What narrow
/// segments are given is taken from the widest.
const NARROWEST: u64 = 500;

/// Segments side by side that fill the width.
pub(super) fn stacked(
    h: &mut Html,
    id: &'static str,
    title: &str,
    description: &str,
    parts: &[Segment],
) {
    let whole = parts.iter().fold(0_u128, |sum, part| sum.saturating_add(part.value));
    h.raw("<svg class=\"stacked\" role=\"img\" height=\"28\"");
    h.attr("aria-labelledby", format_args!("{id}-title {id}-text")).raw("><title");
    h.attr("id", format_args!("{id}-title")).raw(">").text(title).raw("</title><desc");
    h.attr("id", format_args!("{id}-text")).raw(">").text(description).raw("</desc>");
    let mut x = 0_u64;
    for (part, width) in parts.iter().zip(widths(parts, whole)) {
        if width > 0 {
            h.raw("<g><title>").text(&part.hint).raw("</title><rect height=\"28\"");
            h.attr("class", part.kind).attr("x", Across(x)).attr("width", Across(width));
            h.raw("/></g>");
        }
        x = x.saturating_add(width);
    }
    h.raw("</svg>");
}

fn widths(parts: &[Segment], whole: u128) -> Vec<u64> {
    let mut widths: Vec<u64> = parts
        .iter()
        .map(|part| match part.value {
            0 => 0,
            value => ratio(value, whole, FULL).max(NARROWEST),
        })
        .collect();
    let sum = widths.iter().fold(0_u64, |sum, width| sum.saturating_add(*width));
    if let Some(widest) = widths.iter_mut().max()
        && *widest > 0
    {
        *widest = widest.saturating_add(u64::from(FULL)).saturating_sub(sum);
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_fill_the_width_and_none_vanishes() {
        let part = |value| Segment { kind: "a", hint: String::new(), value };
        for values in [vec![1, 0, 999_999, 3], vec![1, 1, 1], vec![u128::MAX / 2, 1], vec![7]] {
            let parts: Vec<Segment> = values.iter().copied().map(part).collect();
            let widths = widths(&parts, values.iter().sum());
            assert_eq!(widths.iter().sum::<u64>(), u64::from(FULL));
            for (value, width) in values.iter().zip(widths) {
                assert_eq!(*value > 0, width >= NARROWEST);
            }
        }
        assert_eq!(widths(&[part(0)], 0), [0]);
    }
}
