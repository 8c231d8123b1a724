//! The page as a whole.

use super::{data::*, render, sample, style::STYLE};

fn pages() -> [(&'static str, String); 4] {
    [
        ("full", sample::full()),
        ("empty", sample::empty()),
        ("single", sample::single()),
        ("hourly", sample::hourly()),
    ]
    .map(|(name, report)| (name, render(&report)))
}

#[test]
fn every_page_is_well_formed_and_self_contained() {
    use quick_xml::{Reader, events::Event};
    const VOID: [&[u8]; 2] = [b"meta", b"wbr"];
    const SVG: [&[u8]; 5] = [b"rect", b"line", b"circle", b"path", b"text"];
    for (name, page) in pages() {
        let mut reader = Reader::from_str(&page);
        let (mut headings, mut ids, mut images, mut depth) = (Vec::new(), Vec::new(), 0, 0_i32);
        loop {
            match reader.read_event().unwrap_or_else(|e| panic!("{name}: {e}")) {
                Event::Eof => break,
                Event::Start(e) => {
                    depth += 1;
                    assert!(!VOID.contains(&e.name().as_ref()), "{name}: a void element left open");
                    assert_ne!(e.name().as_ref(), b"script", "{name}");
                    if let [b'h', level @ b'1'..=b'6'] = e.name().as_ref() {
                        headings.push(*level);
                    }
                    for a in e.attributes() {
                        let a = a.unwrap();
                        let key = String::from_utf8(a.key.as_ref().to_vec()).unwrap();
                        assert!(!matches!(key.as_str(), "src" | "href"), "{name}: {key}");
                        assert!(!key.starts_with("on"), "{name}: {key}");
                        if key == "id" {
                            ids.push(a.value.to_vec());
                        }
                        images += i32::from(key == "role" && a.value.as_ref() == b"img");
                    }
                }
                // HTML ignores the slash of anything else and would leave it open.
                Event::Empty(e) => assert!(
                    VOID.contains(&e.name().as_ref()) || SVG.contains(&e.name().as_ref()),
                    "{name}: {e:?}"
                ),
                Event::End(_) => depth -= 1,
                _ => {}
            }
        }
        assert_eq!(depth, 0, "{name}");
        assert_eq!(headings.first(), Some(&b'1'), "{name}");
        assert!(
            headings.windows(2).all(|w| w[1] <= w[0] + 1 && w[1] > b'1'),
            "{name}: {headings:?}"
        );
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id twice");
        assert_eq!(images, page.matches("<desc ").count() as i32, "{name}: a chart without words");
        assert!(!page.contains("://"), "{name}: an address of something outside");
        assert!(!page.contains("url(") && !page.contains("@import"), "{name}");
    }
}

#[test]
fn what_people_name_is_text() {
    let mut report = sample::full();
    let evil = "<script>\"'&</style>\u{202e}";
    report.plan_name = evil.into();
    report.by_subscriber[0].name = evil.into();
    report.by_meter[0].meter = evil.into();
    report.denials[0].reason = evil.into();
    report.tiers[0].charge = evil.into();
    report.tiers[0].meter = evil.into();
    report.tiers[0].tiers[0].price = evil.into();
    report.currency.label = evil.into();
    report.verified.text = evil.into();
    report.latest_receipts[0].usage = evil.into();
    report.settlement.as_mut().unwrap().payouts[0].payee = evil.into();
    report.settlement.as_mut().unwrap().held_because = evil.into();
    let page = render(&report);
    assert!(!page.contains("<script"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(
        page.contains(
            "<bdi>&lt;script&gt;&quot;&#39;&amp;&lt;/<wbr/>style&gt;\u{202e}<wbr/></bdi>"
        )
    );
}

#[test]
fn amounts_and_instants_stand_in_the_page_to_the_last_digit() {
    let report = sample::full();
    let page = render(&report);
    assert!(page.contains("241.804412<span class=\"fine\" style=\"width:4ch\">75</span>"));
    assert!(
        page.contains("<time datetime=\"2026-10-31T23:59:55.989Z\">31 Oct 2026, 23:59:55</time>")
    );
    assert!(page.contains("1 to 31 October 2026"));
    assert!(page.contains(&report.plan_id));
    for payout in report.settlement.unwrap().payouts {
        assert!(page.contains(&format!("title=\"{}\"", payout.payee)));
    }
}

#[test]
fn both_equations_are_recomputed() {
    let mut report = sample::full();
    assert_eq!(render(&report).matches("Adds up to the last unit.").count(), 2);
    report.settlement.as_mut().unwrap().payouts[1].amount += 1;
    let page = render(&report);
    assert_eq!(page.matches("Adds up to the last unit.").count(), 1);
    assert!(page.contains("the parts differ by 0.000001\u{a0}USDC."));
    let settlement = report.settlement.as_mut().unwrap();
    settlement.credited = settlement.gross + 1;
    assert!(render(&report).contains("the amounts contradict each other"));
}

#[test]
fn the_empty_and_the_failed_say_so() {
    let empty = render(&sample::empty());
    for text in [
        "No calls in this period",
        "No meter was used",
        "Nobody made a call",
        "No call was denied",
        "Nothing has been settled yet",
    ] {
        assert!(empty.contains(text), "{text}");
    }
    assert!(!empty.contains("Latest receipts") && !empty.contains("role=\"img\""));
    let single = render(&sample::single());
    assert!(single.contains("Not verified") && !single.contains(">Verified<"));
}

#[test]
fn extremes_do_not_panic() {
    let mut report = sample::full();
    report.totals.charged = u128::MAX;
    for b in &mut report.over_time.buckets {
        (b.charged, b.calls, b.denied) = (u128::MAX, u64::MAX, u64::MAX);
        b.start_ms = u64::MAX;
    }
    for unit in [BucketUnit::TenMinutes, BucketUnit::Hour, BucketUnit::Week, BucketUnit::Month] {
        report.over_time.unit = unit;
        report.currency.decimals = 255;
        report.tiers[0].used = u128::MAX;
        report.settlement.as_mut().unwrap().payouts[0].amount = u128::MAX;
        assert!(render(&report).contains("</html>"));
    }
}

/// WCAG 2.2: text against what it stands on 4.5 : 1, shapes 3 : 1, in both schemes.
#[test]
#[allow(clippy::float_arithmetic, reason = "the contrast of colours is defined with a power")]
fn colours_have_contrast() {
    let (light, dark) = STYLE.split_once("(prefers-color-scheme: dark)").unwrap();
    for (scheme, css) in [("light", light), ("dark", dark)] {
        let luminance = |name: &str| {
            let at = css.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("{scheme} {name}"));
            let hex = &css[at + name.len() + 5..][..6];
            let channel = |i: usize| {
                let v = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let check = |a: &str, b: &str, least: f64| {
            let (a_, b_) = (luminance(a) + 0.05, luminance(b) + 0.05);
            let contrast = a_.max(b_) / a_.min(b_);
            assert!(contrast >= least, "{scheme}: {a} on {b} is {contrast:.2}");
        };
        for text in ["ink", "quiet", "accent", "good", "bad"] {
            check(text, "card", 4.5);
            check(text, "page", 4.5);
        }
        check("quiet", "soft", 4.5);
        check("accent", "wash", 4.5);
        for shape in ["s1", "s2", "s3", "s4", "s5", "s6", "fees", "residue", "denied"] {
            check(shape, "card", 3.0);
        }
    }
}

/// Writes the pages to `counterfoil-report` in the folder for temporary files, to look at them.
#[test]
#[ignore = "writes files for people to look at"]
fn write_the_pages() {
    let folder = std::env::temp_dir().join("counterfoil-report");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, page) in pages() {
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
    println!("{}", folder.display());
}
