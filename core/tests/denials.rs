//! The page docs/denials.md: one denial of each kind, made here, so that it cannot rot.
//!
//! `WRITE=1 cargo test -p counterfoil --test denials` writes the page.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use core::fmt::Write;
use std::{collections::BTreeMap, env, fs};

use common::{Host, Terms, at, key, renamed, usage};
use counterfoil::{
    Digest, Plan, Usage,
    entry::{Denial, DenialCode},
    meter::{Command, LeaseRequest, Outcome},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/denials.md");

const HEAD: &str = "\
# Why a call is denied

A call that the plan refuses is no error: the answer is a *denial*, which says what would change it.

| field | |
| --- | --- |
| `code` | below, with the HTTP status that a seller answers with |
| `rule` | the rule in the plan: `limits/<id>`, `limits/<id>/across` of a limit that the payer's subscriptions share, `charges/<id>` (for its values), `condition` and the path of the clause that decided, `term`, `term/trial`; of a [lease](leases.md): `lease/until`, `lease/attributes/<name>`, `lease/charges/<id>`, all `lease_exhausted` (HTTP 429) |
| `value` | under a limit with `per`: the value that it refused, `\"\"` for a call without the attribute. Under a condition: the call's value of the attribute that decided, if it carries it |
| `window` | the window that has no room: its start and the first instant after it |
| `meter` | under a limit on units, or a charge of a lease: the meter |
| `most` | the limit |
| `spent` | what is counted already, without what open calls reserve |
| `needed` | what this call needs at most |
| `available` | what is left beside what open calls reserve |
| `retryAt` | the first instant at which time alone lets the same call pass this rule. None: no time does |

`most`, `spent`, `needed` and `available` are in what the limit counts: money in atomic units, units of `meter`,
calls (`concurrency_reached`) or values (`values_reached`).

Each example is a call at 2026-11-02T00:00:01Z under a plan in US dollars, at $0.01 per unit of `a`, with this
one limit. The test `denials` of the core makes them and compares this page.
";

struct Case {
    title: &'static str,
    /// The plan's member that refuses, and how it is shown.
    member: &'static str,
    json: &'static str,
    /// What happens before the call.
    story: &'static str,
}

const CASES: [Case; 18] = [
    Case {
        title: "Money",
        member: "limits",
        json: r#"{"id": "daily", "spend": "1", "window": "day"}"#,
        story: "$0.40 are spent and a call that may cost $0.30 is open; another may cost $0.31",
    },
    Case {
        title: "Money owed",
        member: "limits",
        json: r#"{"id": "prepaid", "credit": "0"}"#,
        story: "no grant is left; a call may cost $0.31",
    },
    Case {
        title: "Units",
        member: "limits",
        json: r#"{"id": "units", "meter": "a", "most": 100, "window": "hour"}"#,
        story: "40 units are counted and an open call holds 30; another may use 31",
    },
    Case {
        title: "All subscriptions of a payer",
        member: "limits",
        json: r#"{"id": "payer", "spend": "1", "window": "day", "across": "payer"}"#,
        story: "$0.40 are spent and a call that may cost $0.30 is open in another subscription; one of this may cost $0.31",
    },
    Case {
        title: "More units than the limit ever has",
        member: "limits",
        json: r#"{"id": "units", "meter": "a", "most": 30, "window": "hour"}"#,
        story: "a call may use 31 units",
    },
    Case {
        title: "One of several keys",
        member: "limits",
        json: r#"{"id": "per_key", "spend": "0.5", "window": "month", "per": "key"}"#,
        story: "the key `k1` has spent $0.40 and holds $0.10; the others are not asked",
    },
    Case {
        title: "Some calls only",
        member: "limits",
        json: r#"{"id": "large", "meter": "requests", "most": 2, "window": "day", "match": {"model": ["l", "xl"]}}"#,
        story: "two calls of the model `l` were made",
    },
    Case {
        title: "Too many open calls",
        member: "limits",
        json: r#"{"id": "open", "concurrency": 1}"#,
        story: "one is open, and expires at the instant that is named",
    },
    Case {
        title: "Too many values",
        member: "limits",
        json: r#"{"id": "per_key", "meter": "a", "most": 500, "window": "day", "per": "key", "values": 1}"#,
        story: "the key `k1` has called today; `k2` is new",
    },
    Case {
        title: "Too fast",
        member: "limits",
        json: r#"{"id": "pace", "rate": {"calls": 7, "every": "minute"}}"#,
        story: "a call was made a second before",
    },
    Case {
        title: "Too fast, with too many values",
        member: "limits",
        json: r#"{"id": "pace", "rate": {"calls": 7, "every": "minute"}, "per": "key", "values": 1}"#,
        story: "the key `k1` called a second before, and `k2` is new",
    },
    Case {
        title: "A condition",
        member: "condition",
        json: r#"{"attribute": "purpose", "in": ["inference"]}"#,
        story: "the call does not say its purpose",
    },
    Case {
        title: "A trial",
        member: "term",
        json: r#"{"trial": {"every": "day", "count": 14}}"#,
        story: "no grant pays",
    },
    Case {
        title: "A condition on the value of an attribute",
        member: "condition",
        json: r#"{"all": [{"attribute": "model", "in": ["s"]}, {"not": {"attribute": "key", "prefix": "test_"}}]}"#,
        story: "the call is of the model `l`",
    },
    Case {
        title: "A condition on the hours of the week",
        member: "condition",
        json: r#"{"hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "until": "17:00"}]}"#,
        story: "it is a second after midnight on a Monday",
    },
    Case {
        title: "A condition on evidence",
        member: "condition",
        json: r#"{"evidence": {"attestor": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "statement": "licence/y"}}"#,
        story: "none was presented",
    },
    Case {
        title: "The end of the subscription",
        member: "term",
        json: r#"{"length": 1000}"#,
        story: "it lasts for a second",
    },
    Case {
        title: "A lease without room",
        member: "lease",
        json: r#"{"units": {"a": 30}}"#,
        story: "a call under it may use 31 units",
    },
];

/// Units of `a` under a key and a model.
fn call(units: u64, key: &str) -> Usage {
    let mut usage = usage(&[("a", units)]);
    usage.set_attribute("key", key).unwrap();
    usage.set_attribute("model", "l").unwrap();
    usage
}

/// The denial of a case: calls made, a call left open, and the call that is refused.
fn denial(case: &Case) -> (Denial, Plan) {
    let (settled, open, refused): (&[u64], &[u64], u64) = match case.title {
        "Money" | "Units" | "All subscriptions of a payer" => (&[40], &[30], 31),
        "One of several keys" => (&[40], &[10], 1),
        "Some calls only" => (&[1, 1], &[], 1),
        "Too many open calls" => (&[], &[1], 1),
        "Too many values" | "Too fast" | "Too fast, with too many values" => (&[1], &[], 1),
        _ => (&[], &[], 31),
    };
    let json = match case.member {
        "limits" => format!("[{}]", case.json),
        _ => case.json.to_owned(),
    };
    if case.member == "lease" {
        return denial_under_a_lease();
    }
    let mut host = Host::new();
    let plan = Terms::new().with(case.member, json).plan();
    let sub = host.subscribe(&plan);
    for (n, units) in settled.iter().enumerate() {
        drop(host.call(sub, &format!("settled {n}"), call(*units, "k1"), at(0)));
    }
    for (n, units) in open.iter().enumerate() {
        let held = host.authorize(sub, &format!("open {n}"), call(*units, "k1"), at(0)).unwrap();
        assert!(matches!(held, Outcome::Authorized { .. }), "{held:?}");
    }
    // Another subscription of the same payer.
    let sub = match case.title {
        "All subscriptions of a payer" => host.subscribe(&renamed(&plan, "Another")),
        _ => sub,
    };
    let key = if case.title.contains("values") { "k2" } else { "k1" };
    match host.authorize(sub, "refused", call(refused, key), at(1_000)).unwrap() {
        Outcome::Denied(denial) => (denial, plan),
        other => panic!("{}: {other:?}", case.title),
    }
}

/// The denial of a holder: it has 30 units, and a call may use 31.
fn denial_under_a_lease() -> (Denial, Plan) {
    let (mut host, mut holder) = (Host::new(), Host::named("holder"));
    let plan = Terms::new().plan();
    let request = LeaseRequest {
        subscription: host.subscribe(&plan),
        holder: "holder".to_owned(),
        until: at(10_000),
        units: BTreeMap::from([("a".to_owned(), 30)]),
        limits: BTreeMap::new(),
        attributes: BTreeMap::new(),
    };
    let Outcome::Leased { lease, .. } = host.run(&Command::Lease(request), at(0)).unwrap() else {
        panic!("no lease");
    };
    let signature = key().sign(&lease.digest());
    let accept = Command::Accept { lease: lease.to_bytes(), signature, rail: Digest::ZERO };
    holder.run(&Command::AddPlan(Box::new(plan.clone())), at(0)).unwrap();
    holder.run(&accept, at(0)).unwrap();
    match holder.authorize(lease.digest(), "refused", call(31, "k1"), at(1_000)).unwrap() {
        Outcome::Denied(denial) => (denial, plan),
        other => panic!("{other:?}"),
    }
}

fn section(page: &mut String, case: &Case, denial: &Denial, plan: &Plan) {
    let (code, status) = (denial.code, denial.code.http_status());
    let mut line = |text: String| writeln!(page, "{text}").unwrap();
    line(format!("\n## {}: `{code}`, HTTP {status}\n", case.title));
    line(format!("`\"{}\"`: `{}`, and {}:\n", case.member, case.json, case.story));
    line(format!("> {}\n", denial.explain(plan)));
    line("| field | value |\n| --- | --- |".to_owned());
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line(format!("| `{name}` | `{value}` |"));
        }
    };
    row("rule", Some(denial.rule.clone()));
    row("value", denial.value.as_ref().map(|value| format!("\"{value}\"")));
    row("window", denial.window.map(|window| format!("{} to {}", window.start, window.end)));
    row("meter", denial.meter.clone());
    row("most", denial.most.map(|most| most.to_string()));
    row("spent", denial.spent.map(|spent| spent.to_string()));
    row("needed", denial.needed.map(|needed| needed.to_string()));
    row("available", denial.available.map(|available| available.to_string()));
    row("retryAt", denial.retry_at.map(|at| at.to_string()));
}

#[test]
fn the_page_shows_what_denials_say() {
    let mut page = HEAD.to_owned();
    let mut shown = Vec::new();
    for case in &CASES {
        let (denial, plan) = denial(case);
        shown.push(denial.code);
        section(&mut page, case, &denial, &plan);
    }
    for code in DenialCode::ALL {
        assert!(shown.contains(code), "{code} has no example");
    }
    if env::var_os("WRITE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == page,
        "docs/denials.md: run WRITE=1 cargo test -p counterfoil --test denials"
    );
}
