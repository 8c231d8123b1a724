//! Every command on a root of shards, and on ledgers whose first entries are in an archive.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Bench, EACH, json};
use counterfoil::crypto::sha256;
use counterfoil::json::Value;
use counterfoil::meter::{Command, Outcome, Request, Settle, Subscribe};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, LocalKey, Plan, Timestamp, Usage};
use counterfoil_journal::{Options, Shards};

const SUBSCRIBERS: u64 = 9;
const CALLS: u64 = 20;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_775_000_000_000 + ms).unwrap()
}

/// A root of three shards, metered by the library: the origin is `many`.
fn root(bench: &Bench, name: &str) {
    let plan = Plan::from_json(bench.plan(EACH).as_bytes()).unwrap();
    let key = LocalKey::from_bytes(&[7; 32]).unwrap();
    let salt = *sha256(&[b"counterfoil/salt/0\n", &[7; 32]]).bytes();
    let options = Options { segment_bytes: 8_000, fsync: false };
    let shards = Shards::open(bench.path(name), 3, Arc::new(key), salt, options).unwrap();
    shards.begin("many", at(0)).unwrap();
    shards.submit_all(&Command::AddPlan(Box::new(plan.clone())), at(0)).unwrap();
    for n in 0..SUBSCRIBERS {
        let subscribe = Subscribe {
            plan: plan.id(),
            payer: None,
            account: Some(format!("buyer {n}")),
            started_at: at(0),
            rail: Digest::ZERO,
        };
        let opened = shards.submit(&Command::Subscribe(subscribe), at(1)).unwrap();
        let Outcome::Opened { subscription, .. } = opened else { panic!("{opened:?}") };
        for call in 0..CALLS {
            let mut usage = Usage::new(Surface::Plain, Basis::Measured);
            usage.set("input_tokens", 100 + 7 * n + call).unwrap();
            usage.set("output_tokens", 40 + call).unwrap();
            usage.set_attribute("purpose", "inference").unwrap();
            let (id, most) = (format!("call {call}"), usage.clone());
            let request = Request { subscription, id: id.clone(), created_at: None, most };
            let now = at(1000 * call + n);
            shards.submit(&Command::Authorize(request), now).unwrap();
            let settle = Settle { subscription, id, usage, content: Digest::ZERO };
            let settled = shards.submit(&Command::Settle(settle), now).unwrap();
            assert!(matches!(settled, Outcome::Receipt { .. }), "{settled:?}");
        }
    }
    shards.submit_all(&Command::Checkpoint, at(50_000)).unwrap();
    shards.close().unwrap();
}

fn number(value: &Value, pointer: &str) -> u128 {
    value.root().at(pointer).unwrap().text().unwrap().parse().unwrap()
}

/// Each lane of each shard of an overview: (lane, charged).
fn lanes(overview: &str) -> Vec<(String, u128)> {
    let mut lanes = Vec::new();
    for shard in json(overview).root().at("/shards").unwrap().items().unwrap() {
        for subscriber in shard.at("/subscribers").unwrap().items().unwrap() {
            let lane = subscriber.at("/lanes/0").unwrap();
            let text = |at| lane.at(at).unwrap().text().unwrap().to_string();
            lanes.push((text("/lane"), text("/charged").parse().unwrap()));
        }
    }
    lanes
}

#[test]
fn every_command_takes_a_root_of_shards() {
    let bench = Bench::new(EACH);
    root(&bench, "root");

    let verified = bench.verify("root").ok();
    assert_eq!(verified.number("/receipts"), SUBSCRIBERS * CALLS);
    assert_eq!(verified.number("/checkpoints"), 3);
    let mut each = 0;
    for shard in ["root/0", "root/1", "root/2"] {
        let receipts = bench.verify(shard).ok().number("/receipts");
        assert!(receipts > 0, "every shard has subscribers");
        each += receipts;
    }
    assert_eq!(each, SUBSCRIBERS * CALLS);

    // One settlement of all, whose sums are those of each.
    let settled = |ledger: &str| {
        let document = json(&bench.run(&["settle", ledger, "--final"]).ok().out);
        let one = document.root().at("/settlements/0").unwrap().value().clone();
        (document.root().at("/origin").unwrap().text().unwrap().to_string(), one)
    };
    let (origin, all) = settled("root");
    assert_eq!((origin.as_str(), settled("root/1").0.as_str()), ("many", "many/1"));
    let gross = |value: &Value| number(value, "/totals/gross");
    let sum: u128 = ["root/0", "root/1", "root/2"].iter().map(|s| gross(&settled(s).1)).sum();
    assert_eq!(gross(&all), sum);
    let lanes = lanes(&bench.run(&["inspect", "root"]).ok().out);
    assert_eq!(lanes.iter().map(|(_, charged)| charged).sum::<u128>(), sum);
    assert_eq!(number(&all, "/totals/payouts"), sum, "floored once, not in each shard");

    // What was collected goes to each lane's shard, once.
    let lines: Vec<_> = lanes
        .iter()
        .map(|(lane, charged)| {
            format!(
                r#"{{"lane":"{lane}","amount":"{charged}","reference":"x","at":"2026-06-01T00:00:00Z"}}"#
            )
        })
        .collect();
    bench.write("collected.json", format!(r#"{{"collected":[{}]}}"#, lines.join(",")));
    let collect = || {
        let ran =
            bench.run(&["settle", "root", "--key", "seller.key", "--collected", "collected.json"]);
        number(
            json(&ran.ok().out).root().at("/settlements/0").unwrap().value(),
            "/totals/collected",
        )
    };
    assert_eq!(collect(), sum);
    let entries = bench.verify("root").ok().number("/entries");
    assert_eq!(collect(), sum);
    assert_eq!(bench.verify("root").ok().number("/entries"), entries, "nothing more");

    // A receipt is found whatever its shard; the report shows all of them.
    for (lane, _) in &lanes {
        let receipt = bench.run(&["inspect", "root", "--receipt", &format!("{lane}/3")]).ok();
        assert!(receipt.out.contains(lane));
    }
    let typed = json(&bench.run(&["inspect", "root", "--typed-data"]).ok().out);
    let openings = typed.root().at("/laneOpens").unwrap().items().unwrap().count();
    assert_eq!(openings as u64, SUBSCRIBERS);
    bench.run(&["report", "root", "--out", "report.html"]).ok();
    let page = fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("many") && page.contains("180\u{a0}receipts"));

    bench.run(&["backup", "root", "copy"]).ok();
    bench.verify("copy").ok();
    let again = bench.run(&["backup", "root", "copy"]);
    assert_eq!((again.exit, again.error().0.as_str()), (4, "ledger_exists"));
    // A log is metered into one ledger.
    bench.write("log.jsonl", common::lines(0..3));
    let metered = bench.meter("root", "log.jsonl", &[]);
    assert_eq!((metered.exit, metered.error().0.as_str()), (4, "ledger_exists"));

    // One damaged shard is damage.
    let path = bench.path("root/1/signatures/heads");
    let mut bytes = fs::read(&path).unwrap();
    bytes[70] ^= 4;
    fs::write(&path, bytes).unwrap();
    assert_eq!(bench.verify("root").exit, 3);
}

#[test]
fn what_needs_archived_entries_says_so_and_takes_the_archive() {
    let bench = Bench::new(EACH);
    root(&bench, "root");
    let settled = |args: &[&str]| bench.run(&[&["settle", "--final"], args].concat());
    let report = |args: &[&str]| {
        bench.run(&[&["report", "--out", "r.html"], args].concat()).ok();
        fs::read_to_string(bench.path("r.html")).unwrap()
    };
    let (settlement, page) = (settled(&["root"]).ok().out, report(&["root"]));
    let overview = bench.run(&["inspect", "root"]).ok().out;
    let lane = lanes(&overview).remove(0).0;
    let receipt = format!("{lane}/2");
    let shown = bench.run(&["inspect", "root", "--receipt", &receipt]).ok().out;

    let compacted = bench.run(&["compact", "root", "--archive", "archive"]).ok();
    assert!(compacted.number("/segments") > 3);
    let again = bench.run(&["compact", "root", "--archive", "archive"]).ok();
    assert_eq!(again.number("/segments"), 0);
    assert_eq!(again.number("/archived"), compacted.number("/archived"));

    for ran in [
        bench.verify("root"),
        settled(&["root"]),
        bench.run(&["report", "--out", "r.html", "root"]),
        bench.run(&["inspect", "root", "--receipt", &receipt]),
    ] {
        let (code, place) = ran.error();
        assert_eq!((ran.exit, code.as_str()), (4, "ledger_archived"), "{}", ran.err);
        assert!(place.starts_with("archive"), "{place}");
    }
    // Totals need none of them.
    assert_eq!(bench.run(&["inspect", "root"]).ok().out, overview);

    let both = ["root", "--archive", "archive"];
    let verified = bench.run(&[&["verify", "--plan", "plan.json"], &both[..]].concat()).ok();
    assert_eq!(verified.number("/receipts"), SUBSCRIBERS * CALLS);
    assert_eq!(settled(&both).ok().out, settlement);
    assert_eq!(report(&both), page);
    let found = bench.run(&[&["inspect", "--receipt", &receipt], &both[..]].concat()).ok();
    assert_eq!(found.out, shown);

    // One of them by itself, and its archive alone.
    bench.run(&["verify", "root/1", "--archive", "archive/1"]).ok();
    let alone = bench.verify("archive/1").ok();
    assert!(alone.number("/receipts") > 0 && alone.number("/unproven") > 0);
    let other = bench.run(&["verify", "root/1", "--archive", "archive/2"]);
    assert!([3, 4].contains(&other.exit), "{}", other.err);
    flip(&bench.path("archive/1/segments/00000000000000000000.cfl"));
    let damaged = bench.run(&[&["verify"], &both[..]].concat());
    assert_eq!(damaged.error().0, "ledger_corrupt");
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[300] ^= 1;
    fs::write(path, bytes).unwrap();
}
