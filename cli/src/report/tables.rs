//! The tables: by meter, by subscriber, denials, latest receipts.

use super::{
    bars,
    data::{Currency, Report},
    markup::Html,
    text::{self, count, grouped, money, percent},
};

use Head::{Numbers, Spare, Words};

/// Opens a table in a box of its own that scrolls when the page is narrow.
pub(super) fn open(h: &mut Html, class: &'static str, caption: &str) {
    h.raw("<div class=\"scroll\" role=\"region\" tabindex=\"0\"").attr("aria-label", caption);
    h.raw("><table").attr("class", class).raw("><caption>").text(caption).raw("</caption>");
}

/// Closes what [`open`] opened.
pub(super) fn close(h: &mut Html) {
    h.raw("</tbody></table></div>");
}

/// A column's head.
pub(super) enum Head<'a> {
    /// Of words.
    Words(&'a str),
    /// Of numbers.
    Numbers(&'a str),
    /// Of numbers that a narrow page leaves out.
    Spare(&'a str),
}

/// The head row.
pub(super) fn head(h: &mut Html, columns: &[Head]) {
    h.raw("<thead><tr>");
    for column in columns {
        match column {
            Head::Words(name) => h.wrap("<th scope=\"col\">", name, "</th>"),
            Head::Numbers(name) => h.wrap("<th scope=\"col\" class=\"n\">", name, "</th>"),
            Head::Spare(name) => h.wrap("<th scope=\"col\" class=\"n spare\">", name, "</th>"),
        };
    }
    h.raw("</tr></thead><tbody>");
}

/// A cell that holds a number.
pub(super) fn number(h: &mut Html, value: impl std::fmt::Display) {
    h.wrap("<td class=\"n\">", value, "</td>");
}

/// A cell with an exact decimal: digits below the atomic unit are set apart, and padded to
/// `finest` so that the decimal points of a column stand in one line.
fn exact(h: &mut Html, decimal: &str, currency: &Currency, finest: usize) {
    let (shown, fine) = text::exact(decimal, currency);
    h.wrap("<td class=\"n\">", shown, "");
    if finest > 0 {
        h.raw("<span class=\"fine\"").attr("style", format_args!("width:{finest}ch"));
        h.raw(">").text(fine).raw("</span>");
    }
    h.raw("</td>");
}

fn finest<'a>(decimals: impl Iterator<Item = &'a str>, currency: &Currency) -> usize {
    decimals.map(|decimal| text::exact(decimal, currency).1.len()).max().unwrap_or(0)
}

/// What each meter counted and cost.
pub(super) fn meters(h: &mut Html, report: &Report) {
    h.raw("<section class=\"card\" aria-labelledby=\"meters\"><h2 id=\"meters\">By meter</h2>");
    let rows = &report.by_meter;
    if rows.is_empty() {
        h.raw("<p class=\"empty\">No meter was used in this period.</p></section>");
        return;
    }
    let currency = &report.currency;
    let longest = rows.iter().map(|row| row.charged).max().unwrap_or(0);
    let fine = finest(rows.iter().map(|row| row.exact.as_str()), currency);
    open(h, "bars", "Quantity and exact price of each meter");
    head(h, &[Words("Meter"), Numbers("Quantity"), Numbers(&format!("Price, {}", currency.label))]);
    for row in rows {
        h.raw("<tr><th scope=\"row\">").name(&row.meter);
        bars::length(h, "spend", row.charged, longest);
        h.raw("</th>");
        number(h, grouped(row.quantity));
        exact(h, &row.exact, currency, fine);
        h.raw("</tr>");
    }
    close(h);
    if fine > 0 {
        h.raw("<p class=\"note\">Paler digits lie below the smallest unit of the currency.</p>");
    }
    h.raw("</section>");
}

/// What each subscriber called and was charged.
pub(super) fn subscribers(h: &mut Html, report: &Report) {
    h.raw("<section class=\"card\" aria-labelledby=\"subscribers\">");
    h.raw("<h2 id=\"subscribers\">By subscriber</h2>");
    let rows = &report.by_subscriber;
    if rows.is_empty() {
        h.raw("<p class=\"empty\">Nobody made a call in this period.</p></section>");
        return;
    }
    let currency = &report.currency;
    let others = report.other_subscribers.as_ref();
    let longest = rows.iter().map(|row| row.charged).chain(others.map(|o| o.charged)).max();
    let caption = match others {
        Some(others) => format!(
            "The {} with the largest charges; {} summed in the last row",
            count(rows.len().try_into().unwrap_or(u64::MAX), "subscriber", "subscribers"),
            count(others.count, "other is", "others are"),
        ),
        None => "Calls and charges of each subscriber".to_owned(),
    };
    open(h, "bars", &caption);
    head(
        h,
        &[
            Words("Subscriber"),
            Numbers("Calls"),
            Numbers("Denied"),
            Numbers(&format!("Charged, {}", currency.label)),
            Spare("Share"),
        ],
    );
    let mut row = |name: &str, calls, denied, charged| {
        h.raw("<tr><th scope=\"row\">").name(name);
        bars::length(h, "spend", charged, longest.unwrap_or(0));
        h.raw("</th>");
        number(h, grouped(calls));
        number(h, if denied == 0 { "–".to_owned() } else { grouped(denied) });
        number(h, money(charged, currency));
        h.wrap("<td class=\"n spare\">", percent(charged, report.totals.charged), "</td>");
        h.raw("</tr>");
    };
    for r in rows {
        row(&r.name, r.calls, r.denied, r.charged);
    }
    if let Some(o) = others {
        row(&count(o.count, "other", "others"), o.calls, o.denied, o.charged);
    }
    close(h);
    h.raw("</section>");
}

/// Why calls were denied.
pub(super) fn denials(h: &mut Html, report: &Report) {
    h.raw(
        "<section class=\"card\" aria-labelledby=\"denials\"><h2 id=\"denials\">Denied calls</h2>",
    );
    let rows = &report.denials;
    if rows.is_empty() {
        h.raw("<p class=\"empty\">No call was denied.</p></section>");
        return;
    }
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
    open(h, "bars", "Why calls were denied. A denied call costs nothing.");
    head(h, &[Words("Reason"), Numbers("Calls"), Numbers("Share")]);
    for row in rows {
        h.raw("<tr><th scope=\"row\">").name(&row.reason);
        bars::length(h, "denied", row.count.into(), most.into());
        h.raw("</th>");
        number(h, grouped(row.count));
        number(h, percent(row.count.into(), report.totals.denied.into()));
        h.raw("</tr>");
    }
    close(h);
    h.raw("</section>");
}

/// A few of the latest receipts.
pub(super) fn receipts(h: &mut Html, report: &Report) {
    let rows = &report.latest_receipts;
    if rows.is_empty() {
        return;
    }
    let currency = &report.currency;
    let fine = finest(rows.iter().map(|row| row.exact.as_str()), currency);
    h.raw("<section class=\"card\" aria-labelledby=\"receipts\">");
    h.raw("<h2 id=\"receipts\">Latest receipts</h2>");
    let label = &currency.label;
    open(h, "wide", "The newest first; times are UTC");
    head(
        h,
        &[
            Words("Issued"),
            Words("Subscriber"),
            Numbers("No."),
            Words("Usage"),
            Numbers(&format!("Exact price, {label}")),
            Numbers(&format!("Cumulative, {label}")),
        ],
    );
    for row in rows {
        h.raw("<tr><td class=\"when\"><time").attr("datetime", text::machine(row.issued_ms));
        h.raw(">").text(text::instant(row.issued_ms)).raw("</time></td><th scope=\"row\">");
        h.name(&row.subscriber).raw("</th>");
        number(h, grouped(row.sequence));
        h.wrap("<td class=\"usage\">", &row.usage, "</td>");
        exact(h, &row.exact, currency, fine);
        number(h, money(row.cumulative, currency));
        h.raw("</tr>");
    }
    close(h);
    h.raw("<p class=\"note\">Cumulative is the sum of the lane's charges so far.</p>");
    h.raw("</section>");
}
