//! Charges and calls over time: two charts with one axis across, and their figures.

use super::{
    chart::{Column, Columns},
    data::{Bucket, BucketUnit, Report},
    markup::Html,
    tables::{
        self,
        Head::{Numbers, Words},
    },
    text::{self, Civil, count, grouped, labelled, money},
};

/// The section.
pub(super) fn section(h: &mut Html, report: &Report) {
    let (unit, buckets) = (report.over_time.unit, &report.over_time.buckets);
    h.raw("<section class=\"card\" aria-labelledby=\"time\"><h2 id=\"time\">Spend over time</h2>");
    if buckets.iter().all(|b| b.charged == 0 && b.calls == 0 && b.denied == 0) {
        h.raw("<p class=\"empty\">No calls in this period, so there is nothing to draw.</p></section>");
        return;
    }
    let currency = &report.currency;
    let spend_columns: Vec<Column> = buckets
        .iter()
        .zip(labels(unit, buckets))
        .map(|(b, label)| {
            let hint = format!("{}: {}", name(unit, b), labelled(b.charged, currency));
            Column { value: b.charged, above: 0, hint, label }
        })
        .collect();
    let call_columns: Vec<Column> = buckets
        .iter()
        .zip(labels(unit, buckets))
        .map(|(b, label)| {
            let calls = count(b.calls, "call", "calls");
            let hint = format!("{}: {calls}, {} denied", name(unit, b), grouped(b.denied));
            Column { value: b.calls.into(), above: b.denied.into(), hint, label }
        })
        .collect();
    let highest = buckets.iter().max_by_key(|b| b.charged).map_or(String::new(), |b| {
        format!("Highest: {} with {}", name(unit, b), labelled(b.charged, currency))
    });
    let sums = format!(
        "{} settled and {} denied in all",
        grouped(report.totals.calls),
        grouped(report.totals.denied)
    );
    let spend = Columns {
        id: "spend",
        title: &format!("{} charged per {}", currency.label, word(unit)),
        description: &highest,
        height: 230,
        lines: 5,
        columns: &spend_columns,
    };
    let calls = Columns {
        id: "calls",
        title: &format!("Calls per {}", word(unit)),
        description: &sums,
        height: 90,
        lines: 3,
        columns: &call_columns,
    };
    let digits = text::digits_of_step(spend.step(), currency);
    let money_tick = |value| text::tick(value, currency, digits);
    let gutter = spend.widest(money_tick).max(calls.widest(text::compact));

    if spend.step() > 0 {
        h.raw("<figure><figcaption><b>").text(spend.title).raw("</b> <span>").text(&highest);
        h.raw("</span></figcaption>");
        spend.draw(h, gutter, money_tick);
        h.raw("</figure>");
    } else {
        h.raw("<p class=\"empty\">Nothing was charged in this period.</p>");
    }
    h.raw("<figure class=\"calls\"><figcaption><b>").text(calls.title).raw("</b> <span>");
    h.raw("<span class=\"key settled\"></span>settled <span class=\"key denied\"></span>denied");
    h.raw("</span></figcaption>");
    calls.draw(h, gutter, text::compact);
    h.raw("</figure>");
    figures(h, report);
    h.raw("</section>");
}

/// The charts' numbers as a table, folded.
fn figures(h: &mut Html, report: &Report) {
    let unit = report.over_time.unit;
    h.raw("<details><summary>Show the figures</summary>");
    tables::open(h, "plain", "Charges and calls step by step, UTC");
    let charged = format!("Charged, {}", report.currency.label);
    tables::head(h, &[Words("From"), Numbers(&charged), Numbers("Calls"), Numbers("Denied")]);
    for b in &report.over_time.buckets {
        h.raw("<tr><th scope=\"row\"><time").attr("datetime", text::machine(b.start_ms)).raw(">");
        h.text(name(unit, b)).raw("</time></th>");
        tables::number(h, money(b.charged, &report.currency));
        tables::number(h, grouped(b.calls));
        tables::number(h, grouped(b.denied));
        h.raw("</tr>");
    }
    tables::close(h);
    h.raw("</details>");
}

fn word(unit: BucketUnit) -> &'static str {
    match unit {
        BucketUnit::TenMinutes => "ten minutes",
        BucketUnit::Hour => "hour",
        BucketUnit::Day => "day",
        BucketUnit::Week => "week",
        BucketUnit::Month => "month",
    }
}

fn name(unit: BucketUnit, bucket: &Bucket) -> String {
    let at = Civil::of(bucket.start_ms);
    match unit {
        BucketUnit::TenMinutes | BucketUnit::Hour => {
            format!("{}, {}", text::date(bucket.start_ms), at.clock())
        }
        BucketUnit::Day => text::date(bucket.start_ms),
        BucketUnit::Week => format!("Week of {}", text::date(bucket.start_ms)),
        BucketUnit::Month => format!("{} {}", at.month_name(), at.year),
    }
}

/// Labels for at most eleven columns, each a round number of columns apart.
fn labels(unit: BucketUnit, buckets: &[Bucket]) -> Vec<Option<String>> {
    let strides = [1, 2, 3, 4, 6, 7, 8, 12, 14, 24, 28, 48, 56, 84, 168];
    let fits = |stride: &usize| buckets.len().div_ceil((*stride).max(1)) <= 11;
    let stride = strides.into_iter().find(fits).unwrap_or(buckets.len().div_ceil(11));
    let mut last_day = 0;
    let label = |(i, bucket): (usize, &Bucket)| {
        if i.checked_rem(stride) != Some(0) {
            return None;
        }
        let at = Civil::of(bucket.start_ms);
        let date = format!("{} {}", at.day, at.month_short());
        Some(match unit {
            BucketUnit::TenMinutes | BucketUnit::Hour if last_day == at.day => at.clock(),
            // So short a period is of one or two days, which the page's head names.
            BucketUnit::TenMinutes => {
                last_day = at.day;
                at.clock()
            }
            BucketUnit::Hour => {
                last_day = at.day;
                date
            }
            BucketUnit::Day | BucketUnit::Week => date,
            BucketUnit::Month if at.month == 1 => at.year.to_string(),
            BucketUnit::Month => at.month_short().to_owned(),
        })
    };
    buckets.iter().enumerate().map(label).collect()
}
