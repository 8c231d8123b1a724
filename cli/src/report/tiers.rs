//! How far counters have come through the tiers of their charges.

use super::{
    chart::Across,
    data::{Report, TierProgress},
    markup::Html,
    tables::{
        self,
        Head::{Numbers, Words},
    },
    text::{compact, grouped, percent},
};

/// All counters with tiers; no section where there are none.
pub(super) fn section(h: &mut Html, report: &Report) {
    if report.tiers.is_empty() {
        return;
    }
    h.raw("<section aria-labelledby=\"tiers\"><h2 id=\"tiers\">Tiers and free quantities</h2>");
    h.raw("<div class=\"pair\">");
    for (i, progress) in report.tiers.iter().enumerate() {
        h.raw("<article class=\"card\"><h3>")
            .name(&progress.subscriber)
            .raw("</h3><p class=\"sub\">");
        h.text(&progress.charge).raw(" · ").text(&progress.window).raw("</p>");
        h.wrap("<p class=\"figure\">", grouped(progress.used), "");
        h.wrap(" <span class=\"unit\">", &progress.meter, "</span></p>");
        bar(h, progress, i);
        table(h, progress);
        h.raw("</article>");
    }
    h.raw("</div></section>");
}

/// The bounds in units of the whole counter, with the free quantity before the first tier.
fn bounds(progress: &TierProgress) -> Vec<u128> {
    let free = u128::from(progress.free);
    let mut bounds: Vec<u128> = progress
        .tiers
        .iter()
        .filter_map(|tier| tier.up_to)
        .map(|up_to| free.saturating_add(up_to.into()))
        .collect();
    if free > 0 {
        bounds.insert(0, free);
    }
    bounds
}

fn bar(h: &mut Html, progress: &TierProgress, i: usize) {
    let bounds = bounds(progress);
    let Some(last) = bounds.last().copied() else {
        return;
    };
    // A tenth more than the farther of the two, so that the open end is to be seen.
    let far = last.max(progress.used);
    let whole = far.saturating_add(far.div_ceil(10));
    let at = |value: u128| Across::of(value, whole);

    h.raw("<svg class=\"tier\" role=\"img\" height=\"46\"");
    h.attr("aria-labelledby", format_args!("tier-{i}-title tier-{i}-text")).raw("><title");
    h.attr("id", format_args!("tier-{i}-title")).raw(">");
    h.text(format_args!("{} of {}", progress.meter, progress.subscriber)).raw("</title><desc");
    h.attr("id", format_args!("tier-{i}-text")).raw(">");
    h.text(format_args!("{} used; bounds at", grouped(progress.used)));
    for bound in &bounds {
        h.text(format_args!(" {}", grouped(bound)));
    }
    h.raw("</desc><rect class=\"track\" y=\"8\" width=\"100%\" height=\"12\" rx=\"6\"/>");
    if progress.used > 0 {
        h.raw("<rect class=\"spend\" y=\"8\" height=\"12\" rx=\"6\"");
        h.attr("width", at(progress.used).max(Across(600))).raw("/>");
    }
    let mut free_from = Across(0);
    for bound in bounds {
        let x = at(bound);
        h.raw("<line class=\"bound\" y1=\"3\" y2=\"25\"").attr("x1", x).attr("x2", x).raw("/>");
        // A label that would run into the one before it is left to the table.
        if x >= free_from {
            h.raw("<text y=\"40\"").attr("x", x).raw(">").text(compact(bound)).raw("</text>");
            free_from = Across(x.0.saturating_add(16_000));
        }
    }
    h.raw("</svg>");
}

fn table(h: &mut Html, progress: &TierProgress) {
    let caption = match progress.free {
        0 => "The tiers, counted from the first unit of the window",
        _ => "The tiers, counted above the free quantity, which the bar includes",
    };
    tables::open(h, "tiers", caption);
    tables::head(h, &[Words("Tier"), Words("Quantity"), Numbers("Price")]);
    if progress.free > 0 {
        let free = u128::from(progress.free);
        row(h, progress.current.is_none(), "Free", &format!("the first {}", grouped(free)), "0");
        if progress.current.is_none() {
            let left = format!("{} used", percent(progress.used, free));
            h.raw("<tr class=\"aside\"><td></td>").wrap("<td colspan=\"2\">", left, "</td></tr>");
        }
    }
    let mut above: Option<u64> = None;
    for (i, tier) in progress.tiers.iter().enumerate() {
        let range = match (above, tier.up_to) {
            (None, None) => "any".to_owned(),
            (None, Some(up_to)) => format!("up to {}", grouped(up_to)),
            (Some(above), None) => format!("above {}", grouped(above)),
            (Some(above), Some(up_to)) => {
                format!("{} to {}", grouped(above.saturating_add(1)), grouped(up_to))
            }
        };
        let number = i.saturating_add(1).to_string();
        row(h, progress.current == Some(i), &number, &range, &tier.price);
        above = tier.up_to;
    }
    tables::close(h);
}

fn row(h: &mut Html, current: bool, tier: &str, range: &str, price: &str) {
    h.raw(if current { "<tr class=\"now\" aria-current=\"true\">" } else { "<tr>" });
    h.wrap("<th scope=\"row\">", tier, "");
    if current {
        h.raw(" <span class=\"tag\">now</span>");
    }
    h.wrap("</th><td>", range, "</td>");
    tables::number(h, price);
    h.raw("</tr>");
}
