//! Where the money is: two equations, recomputed here, and the payouts.

use super::{
    bars::{self, Segment},
    data::{Currency, PayoutRow, Report, Settlement},
    html::amount,
    markup::Html,
    tables::{
        self,
        Head::{Numbers, Spare, Words},
    },
    text::{labelled, money, percent, short},
};

/// Payees with a colour of their own; those after them share one.
const SERIES: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];
const REST: &str = "s6";

/// The section. Without a settlement it says so.
pub(super) fn section(h: &mut Html, report: &Report) {
    h.raw("<section class=\"card\" aria-labelledby=\"settlement\">");
    h.raw("<h2 id=\"settlement\">Settlement</h2>");
    match &report.settlement {
        None => {
            h.raw("<p class=\"empty\">Nothing has been settled yet. ");
            h.text(labelled(report.totals.charged, &report.currency)).raw(" charged so far.</p>");
        }
        Some(settlement) => {
            h.raw("<div class=\"pair\">");
            owed(h, settlement, &report.currency);
            collected(h, settlement, &report.currency);
            h.raw("</div>");
            payouts(h, settlement, &report.currency);
        }
    }
    h.raw("</section>");
}

struct Line {
    kind: &'static str,
    name: String,
    value: u128,
}

/// Gross − credited + lost = collected + claimable + held + written off.
fn owed(h: &mut Html, s: &Settlement, currency: &Currency) {
    let held = match s.held_because.as_str() {
        "" => "Held back".to_owned(),
        why => format!("Held back: {why}"),
    };
    let mut lines = vec![
        Line { kind: "s1", name: "Collected".into(), value: s.collected },
        Line { kind: "s2", name: "Claimable now".into(), value: s.claimable },
        Line { kind: "s4", name: held, value: s.held },
    ];
    if s.written_off > 0 {
        lines.push(Line { kind: "s6", name: "Written off".into(), value: s.written_off });
    }
    h.raw("<div><h3>Charged</h3><p class=\"figure\">");
    amount(h, &money(s.gross, currency));
    h.wrap(" <span class=\"unit\">", &currency.label, "</span></p><p class=\"sub\">");
    let net = s.gross.checked_add(s.lost).and_then(|sum| sum.checked_sub(s.credited));
    if s.credited > 0 {
        h.text(format_args!("less {} credited", labelled(s.credited, currency)));
        if let Some(net) = s.gross.checked_sub(s.credited) {
            h.text(format_args!(" leaves {}", labelled(net, currency)));
        }
    } else {
        h.raw("Nothing was credited.");
    }
    if s.lost > 0 {
        h.text(format_args!(
            " Another {} is owed back, from which fees were taken.",
            labelled(s.lost, currency)
        ));
    }
    h.raw("</p>");
    equation(h, "owed", "Charged less credited", net, &lines, currency);
    h.raw("</div>");
}

/// Collected + spent = Σ payouts + fees + residue.
fn collected(h: &mut Html, s: &Settlement, currency: &Currency) {
    let mut lines: Vec<Line> = Vec::new();
    let mut rest = s.payouts.iter();
    for (kind, payout) in SERIES.into_iter().zip(rest.by_ref()) {
        lines.push(Line { kind, name: label(payout), value: payout.amount });
    }
    let (others, sum) = rest.fold((0_u64, 0_u128), |(count, sum), payout| {
        (count.saturating_add(1), sum.saturating_add(payout.amount))
    });
    if others > 0 {
        let name = super::text::count(others, "other payee", "other payees");
        lines.push(Line { kind: REST, name, value: sum });
    }
    lines.push(Line { kind: "fees", name: "Fees of the rails".into(), value: s.fees });
    lines.push(Line { kind: "residue", name: "Residue, carried".into(), value: s.residue });
    h.raw("<div><h3>Collected</h3><p class=\"figure\">");
    let whole = s.collected.checked_add(s.spent);
    amount(h, &money(whole.unwrap_or(u128::MAX), currency));
    h.wrap(" <span class=\"unit\">", &currency.label, "</span></p>");
    h.raw("<p class=\"sub\">Paid out, kept as fees, or carried to the next batch.");
    if s.sold > 0 {
        h.text(format_args!(
            " {} of it was drawn on grants that were bought for {}",
            labelled(s.spent, currency),
            labelled(s.sold, currency)
        ));
        if s.refunded > 0 {
            h.text(format_args!(", of which {} is refunded", labelled(s.refunded, currency)));
        }
        h.raw("; the rest of that is not drawn yet, or has expired.");
    }
    h.raw("</p>");
    equation(h, "collected", "Collected", whole, &lines, currency);
    h.raw("</div>");
}

/// The bar, its legend with the amounts, and whether they add up.
fn equation(
    h: &mut Html,
    id: &'static str,
    title: &str,
    whole: Option<u128>,
    lines: &[Line],
    currency: &Currency,
) {
    let sum = lines.iter().try_fold(0_u128, |sum, line| sum.checked_add(line.value));
    let described: Vec<String> = lines
        .iter()
        .map(|line| format!("{}: {}", line.name, labelled(line.value, currency)))
        .collect();
    let parts: Vec<Segment> = lines
        .iter()
        .zip(&described)
        .map(|(line, hint)| Segment { kind: line.kind, hint: hint.clone(), value: line.value })
        .collect();
    bars::stacked(h, id, title, &described.join("; "), &parts);
    tables::open(h, "legend", &format!("{title}, part by part"));
    tables::head(
        h,
        &[Words("Part"), Numbers(&format!("Amount, {}", currency.label)), Numbers("Share")],
    );
    for line in lines {
        h.raw("<tr><th scope=\"row\"><span").attr("class", format_args!("key {}", line.kind));
        h.raw("></span>").name(&line.name).raw("</th>");
        tables::number(h, money(line.value, currency));
        tables::number(h, percent(line.value, sum.unwrap_or(u128::MAX)));
        h.raw("</tr>");
    }
    tables::close(h);
    match (whole, sum) {
        (Some(whole), Some(sum)) if whole == sum => {
            h.raw("<p class=\"check ok\">Adds up to the last unit.</p>");
        }
        (Some(whole), Some(sum)) => {
            h.raw("<p class=\"check bad\">Does not add up: the parts differ by ");
            h.text(labelled(whole.abs_diff(sum), currency)).raw(".</p>");
        }
        _ => {
            h.raw("<p class=\"check bad\">Does not add up: the amounts contradict each other.</p>");
        }
    }
}

fn label(payout: &PayoutRow) -> String {
    if payout.name.is_empty() { short(&payout.payee) } else { payout.name.clone() }
}

fn payouts(h: &mut Html, s: &Settlement, currency: &Currency) {
    h.raw("<h3>Payouts</h3>");
    if s.payouts.is_empty() {
        h.raw("<p class=\"empty\">There is no payee in this settlement.</p>");
        return;
    }
    tables::open(h, "payouts", "What each payee has earned so far, and their share by the plan");
    tables::head(
        h,
        &[
            Words("Payee"),
            Words("Address"),
            Spare("Share"),
            Numbers(&format!("Amount, {}", currency.label)),
        ],
    );
    for payout in &s.payouts {
        h.raw("<tr><th scope=\"row\">").name(label(payout)).raw("</th><td>");
        h.raw("<code").attr("title", &payout.payee).raw(">").text(short(&payout.payee));
        h.raw("</code></td>");
        h.wrap("<td class=\"n spare\">", &payout.share, "</td>");
        tables::number(h, money(payout.amount, currency));
        h.raw("</tr>");
    }
    tables::close(h);
    if let Some(root) = &s.root {
        h.raw("<dl class=\"facts\"><div><dt>Payout root</dt>");
        h.wrap("<dd><code>", root, "</code></dd></div></dl>");
    }
}
