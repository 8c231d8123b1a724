//! The page.

use super::{
    data::Report,
    markup::Html,
    settlement,
    style::STYLE,
    tables,
    text::{self, count, grouped, money, percent},
    tiers, time,
};

/// Writes the page: one file that loads nothing and runs no script.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut h = Html::default();
    h.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
    h.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
    h.raw("<meta name=\"color-scheme\" content=\"light dark\"/>");
    h.raw("<meta name=\"referrer\" content=\"no-referrer\"/>");
    h.raw("<meta http-equiv=\"Content-Security-Policy\" ");
    h.raw("content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'\"/>");
    h.raw("<title>").text(&report.title).raw("</title><style>").raw(STYLE);
    h.raw("</style></head><body>");
    ticket(&mut h, report);
    h.raw("<main>");
    cards(&mut h, report);
    time::section(&mut h, report);
    tables::subscribers(&mut h, report);
    h.raw("<div class=\"pair\">");
    tables::meters(&mut h, report);
    tables::denials(&mut h, report);
    h.raw("</div>");
    tiers::section(&mut h, report);
    settlement::section(&mut h, report);
    tables::receipts(&mut h, report);
    provenance(&mut h, report);
    h.raw(
        "</main><footer><p>Amounts are exact. Times are UTC. This page loads nothing and runs no ",
    );
    h.raw("script; every figure can be recomputed from the plan and the ledger.</p></footer>");
    h.raw("</body></html>\n");
    h.finish()
}

/// An amount in large type: what comes after the cents is smaller.
pub(super) fn amount(h: &mut Html, money: &str) {
    let point = money.find('.').unwrap_or(money.len());
    let (large, small) = money.split_at_checked(point.saturating_add(3)).unwrap_or((money, ""));
    h.text(large);
    if !small.is_empty() {
        h.wrap("<span class=\"fine\">", small, "</span>");
    }
}

/// The head: a ticket with its stub.
fn ticket(h: &mut Html, report: &Report) {
    h.raw("<header class=\"ticket\"><div class=\"front\"><p class=\"kicker\">Usage report</p>");
    h.raw("<h1>").name(&report.title).raw("</h1><p class=\"sub\">Plan ").name(&report.plan_name);
    match report.period {
        Some((first, last)) => {
            h.raw(" · <time").attr("datetime", text::machine(first)).raw(">");
            h.text(text::period(first, last)).raw("</time>")
        }
        None => h.raw(" · no calls yet"),
    };
    h.raw("</p><p class=\"total\">");
    amount(h, &money(report.totals.charged, &report.currency));
    h.wrap(" <span class=\"unit\">", &report.currency.label, " charged</span></p></div>");
    if report.verified.ok {
        h.raw("<div class=\"stub ok\"><svg aria-hidden=\"true\" width=\"40\" height=\"40\" ");
        h.raw("viewBox=\"0 0 40 40\"><circle cx=\"20\" cy=\"20\" r=\"18.5\"/>");
        h.raw("<path d=\"M12 20.5l5.5 5.5L28.5 14.5\"/></svg><p class=\"state\">Verified</p>");
    } else {
        h.raw("<div class=\"stub bad\"><svg aria-hidden=\"true\" width=\"40\" height=\"40\" ");
        h.raw("viewBox=\"0 0 40 40\"><circle cx=\"20\" cy=\"20\" r=\"18.5\"/>");
        h.raw("<path d=\"M13.5 13.5l13 13M26.5 13.5l-13 13\"/></svg>");
        h.raw("<p class=\"state\">Not verified</p>");
    }
    h.wrap("<p>", &report.verified.text, "</p></div></header>");
}

fn cards(h: &mut Html, report: &Report) {
    let totals = &report.totals;
    let all = u128::from(totals.calls).saturating_add(totals.denied.into());
    let currency = &report.currency;
    h.raw("<section aria-labelledby=\"summary\"><h2 id=\"summary\" class=\"hidden\">Summary</h2>");
    h.raw("<dl class=\"cards\">");
    let mut card = |name: &'static str, value: &str, below: String| {
        h.wrap("<div class=\"card\"><dt>", name, "</dt><dd class=\"figure\">");
        amount(h, value);
        h.wrap("</dd><dd class=\"sub\">", below, "</dd></div>");
    };
    let share = percent(totals.denied.into(), all);
    card("Calls", &grouped(totals.calls), "settled".into());
    card("Denied", &grouped(totals.denied), format!("{share} of all calls"));
    card("Subscribers", &grouped(totals.subscribers), count(totals.lanes, "lane", "lanes"));
    let checkpoints = count(totals.checkpoints, "checkpoint", "checkpoints");
    card("Receipts", &grouped(totals.receipts), checkpoints);
    card("Credited", &money(totals.credited, currency), currency.label.clone());
    let (shown, fine) = text::exact(&totals.uncollected, currency);
    card("Uncollected", &format!("{shown}{fine}"), currency.label.clone());
    h.raw("</dl></section>");
}

fn provenance(h: &mut Html, report: &Report) {
    h.raw("<section class=\"card\" aria-labelledby=\"origin\"><h2 id=\"origin\">Provenance</h2>");
    h.raw("<dl class=\"facts\">");
    let mut fact = |name: &'static str, value: &str| {
        h.wrap("<div><dt>", name, "</dt>").wrap("<dd><code>", value, "</code></dd></div>");
    };
    fact("Plan id", &report.plan_id);
    fact("Ledger origin", &report.ledger_origin);
    fact("Signer", &report.signer);
    if let Some((first, last)) = report.period {
        fact("First instant", &text::machine(first));
        fact("Last instant", &text::machine(last));
    }
    h.raw("</dl></section>");
}
