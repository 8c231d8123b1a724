//! Settlement: sums, what was collected, and claims from vouchers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use common::{Bench, CHECKPOINTS, EACH, evidence, json, lines};
use counterfoil::json::Value;
use counterfoil::x402::{ChannelConfig, Contract, Voucher};
use counterfoil::{Address, LocalKey};

fn number(value: &Value, pointer: &str) -> u128 {
    value.root().at(pointer).unwrap().text().unwrap().parse().unwrap()
}

/// The first settlement of a document, with its sums checked.
fn settlement(text: &str) -> Value {
    let document = json(text);
    let one = document.root().at("/settlements/0").unwrap().value().clone();
    let total = |name: &str| number(&one, &format!("/totals/{name}"));
    assert_eq!(
        total("gross") + total("owed"),
        total("credited") + total("collected") + total("claimable")
    );
    assert_eq!(
        total("payouts") + total("fees") + total("residue") + total("held"),
        total("collected") + total("spent")
    );
    let payees = one
        .root()
        .at("/payees")
        .unwrap()
        .items()
        .unwrap()
        .map(|payee| payee.at("/payable").unwrap().text().unwrap().parse::<u128>().unwrap());
    assert_eq!(payees.sum::<u128>(), total("payouts"));
    one
}

fn bench(signing: &str) -> Bench {
    let bench = Bench::new(signing);
    bench.write("log.jsonl", lines(0..60));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    bench
}

fn collected(lines: &[(&str, u128, u128)]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|(lane, amount, fee)| {
            format!(
                "{{\"lane\":\"{lane}\",\"amount\":\"{amount}\",\"fee\":\"{fee}\",\
                 \"reference\":\"0xabc\",\"at\":\"2026-04-01T00:00:00Z\"}}"
            )
        })
        .collect();
    format!("{{\"collected\":[{}]}}", lines.join(","))
}

fn collect(bench: &Bench, lines: &[(&str, u128, u128)]) -> common::Ran {
    bench.write("collected.json", collected(lines));
    bench.run(&["settle", "ledger", "--key", "seller.key", "--collected", "collected.json"])
}

#[test]
fn everything_at_once_pays_out_everything() {
    for signing in [EACH, CHECKPOINTS] {
        let bench = bench(signing);
        let lanes = bench.lanes("ledger");
        let charged: u128 = lanes.iter().map(|lane| lane.4).sum();
        let one = settlement(&bench.run(&["settle", "ledger", "--final"]).ok().out);
        assert_eq!(number(&one, "/totals/gross"), charged);
        assert_eq!(number(&one, "/totals/payouts"), charged);
        assert_eq!(number(&one, "/totals/residue"), 0);
        // To a file, the same document; and a word about it.
        let out = bench.run(&["settle", "ledger", "--final", "--out", "s.json"]).ok().out;
        assert_eq!(json(&out).root().at("/settlement").unwrap().text(), Ok("s.json"));
        let file = std::fs::read_to_string(bench.path("s.json")).unwrap();
        assert_eq!(settlement(&file), one);
    }
}

#[test]
fn what_was_collected_is_recorded_once_and_grows() {
    let bench = bench(EACH);
    let lanes = bench.lanes("ledger");
    let (lane, charged) = (lanes[0].2.as_str(), lanes[0].4);
    let nothing = settlement(&bench.run(&["settle", "ledger"]).ok().out);
    assert_eq!(number(&nothing, "/totals/payouts"), 0);

    let half = settlement(&collect(&bench, &[(lane, charged / 2, 10)]).ok().out);
    assert_eq!(number(&half, "/totals/collected"), charged / 2);
    assert_eq!(number(&half, "/totals/fees"), 10);
    let before = evidence(&bench.path("ledger"));
    let again = collect(&bench, &[(lane, charged / 2, 10)]).ok();
    assert_eq!(settlement(&again.out), half);
    assert_eq!(evidence(&bench.path("ledger")), before, "recorded once");

    let whole = settlement(&collect(&bench, &[(lane, charged, 10)]).ok().out);
    assert_eq!(number(&whole, "/totals/collected"), charged);
    for payee in 0..2 {
        let place = format!("/payees/{payee}/payable");
        assert!(number(&whole, &place) >= number(&half, &place), "payouts are cumulative");
    }
    // More than is due is owed back, and no payee's.
    let more = settlement(&collect(&bench, &[(lane, charged + 5, 10)]).ok().out);
    assert_eq!(number(&more, "/totals/owed"), 5);
    assert_eq!(number(&more, "/totals/payouts"), number(&whole, "/totals/payouts"));
    bench.verify("ledger").ok();
    // Metering goes on after it.
    bench.append("log.jsonl", lines(60..63));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    bench.verify("ledger").ok();
}

#[test]
fn a_collected_file_is_recorded_whole_or_not_at_all() {
    let bench = bench(EACH);
    let lanes = bench.lanes("ledger");
    let (one, two) = (lanes[0].2.as_str(), lanes[1].2.as_str());
    let unknown = format!("0x{}", "ab".repeat(32));
    collect(&bench, &[(one, 1000, 10)]).ok();
    let before = evidence(&bench.path("ledger"));
    for (lines, place) in [
        (vec![(two, 5, 0), (one, 999, 10)], "/collected/1"),
        (vec![(two, 5, 0), (one, 1000, 9)], "/collected/1"),
        (vec![(two, 5, 6)], "/collected/0"),
        (vec![(two, 5, 0), (unknown.as_str(), 5, 0)], "/collected/1"),
        (vec![(two, 5, 0), (two, 6, 0)], "/collected/1"),
    ] {
        let ran = collect(&bench, &lines);
        assert_eq!((ran.exit, ran.error().0.as_str()), (1, "collected_invalid"), "{}", ran.err);
        assert!(ran.error().1.ends_with(place), "{}", ran.err);
        assert!(ran.out.is_empty());
    }
    for (from, to, code) in [
        ("\"1\"", "1", "json_type"),
        ("\"1\"", "\"1.5\"", "decimal_too_fine"),
        ("\"1\"", "\"-1\"", "decimal_invalid"),
        ("\"reference\"", "\"ref\"", "json_missing_field"),
        ("\"at\"", "\"x\":1,\"at\"", "json_unknown_field"),
        ("2026-04-01T", "2026-04-31T", "time_invalid"),
    ] {
        bench.write("collected.json", collected(&[(two, 1, 0)]).replacen(from, to, 1));
        let ran = bench.run(&[
            "settle",
            "ledger",
            "--key",
            "seller.key",
            "--collected",
            "collected.json",
        ]);
        assert_eq!(ran.exit, 1, "{to}: {}", ran.err);
        assert_eq!(ran.error().0, code, "{to}: {}", ran.err);
    }
    bench.write_key("other.key", 9);
    bench.write("collected.json", collected(&[(two, 1, 0)]));
    let ran =
        bench.run(&["settle", "ledger", "--key", "other.key", "--collected", "collected.json"]);
    assert_eq!((ran.exit, ran.error().0.as_str()), (1, "signature_wrong_key"), "{}", ran.err);
    let ran = bench.run(&["settle", "ledger", "--collected", "collected.json"]);
    assert_eq!(ran.exit, 2, "without a key: {}", ran.err);
    assert_eq!(evidence(&bench.path("ledger")), before);
}

#[test]
fn vouchers_become_claims() {
    let bench = Bench::new(EACH);
    let payer = LocalKey::from_bytes(&[3; 32]).unwrap();
    let contract = Contract::deployed(8453);
    let token: Address = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913".parse().unwrap();
    let channel = ChannelConfig {
        payer: payer.address(),
        payer_authorizer: payer.address(),
        receiver: bench.key.address(),
        receiver_authorizer: bench.key.address(),
        token,
        withdraw_delay: 86_400,
        salt: [5; 32],
    };
    let id = channel.channel_id(&contract);
    bench.write(
        "subscribers.json",
        format!("{{\"acme\":{{\"payer\":\"{}\",\"rail\":\"{id}\"}}}}", payer.address()),
    );
    bench.write("log.jsonl", lines(0..30));
    bench.meter("ledger", "log.jsonl", &["--subscribers", "subscribers.json"]).ok();
    bench.verify("ledger").ok();
    let overview = json(&bench.run(&["inspect", "ledger"]).ok().out);
    let subscribers = overview.root().at("/subscribers").unwrap();
    let acme = subscribers
        .items()
        .unwrap()
        .find(|s| s.at("/subscriber").unwrap().text().unwrap() == "acme")
        .expect("a subscriber with an address keeps its name");
    let charged: u128 = acme.at("/lanes/0/charged").unwrap().text().unwrap().parse().unwrap();

    let vouchers = |chain: u64, most: u128, key: &LocalKey, claimed: u128| {
        let signature = key.sign(&contract.voucher_digest(&id, most));
        let (a, r) = (payer.address(), bench.key.address());
        let salt = "05".repeat(32);
        format!(
            "{{\"chainId\":{chain},\"vouchers\":[{{\"channel\":{{\"payer\":\"{a}\",\"payerAuthorizer\":\"{a}\",\
             \"receiver\":\"{r}\",\"receiverAuthorizer\":\"{r}\",\"token\":\"{token}\",\"withdrawDelay\":86400,\
             \"salt\":\"0x{salt}\"}},\"maxClaimableAmount\":\"{most}\",\"signature\":\"{signature}\",\
             \"onchain\":{{\"balance\":\"100000000\",\"totalClaimed\":\"{claimed}\"}}}}]}}"
        )
    };
    let settle = |file: String| {
        bench.write("vouchers.json", file);
        bench.run(&["settle", "ledger", "--final", "--vouchers", "vouchers.json"])
    };
    let good = json(&settle(vouchers(8453, charged, &payer, 0)).ok().out);
    let batch = good.root().at("/claims/batches/0").unwrap();
    assert_eq!(batch.at("/rows/0/totalClaimed").unwrap().text().unwrap(), charged.to_string());
    let calldata = batch.at("/calldata").unwrap().text().unwrap().to_string();
    let voucher = Voucher {
        channel,
        max_claimable: charged,
        signature: payer.sign(&contract.voucher_digest(&id, charged)),
    };
    let row = counterfoil::x402::ClaimRow { voucher, total_claimed: charged };
    let hex: String = counterfoil::x402::claim_calldata(&[row])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(calldata, format!("0x{hex}"));

    // Too small a promise, another's signature: set aside with the contract's error, not claimed.
    for file in [vouchers(8453, charged - 1, &payer, 0), vouchers(8453, charged, &bench.key, 0)] {
        let bad = json(&settle(file).ok().out);
        assert_eq!(bad.root().at("/claims/batches").unwrap().items().unwrap().count(), 0);
        let quarantined = bad.root().at("/claims/quarantined/0/error").unwrap();
        assert!(!quarantined.text().unwrap().is_empty());
    }
    // Claimed already.
    let done = json(&settle(vouchers(8453, charged, &payer, charged)).ok().out);
    assert_eq!(done.root().at("/claims/batches").unwrap().items().unwrap().count(), 0);
    // Another network, another channel.
    let ran = settle(vouchers(84532, charged, &payer, 0));
    assert_eq!((ran.exit, ran.error().0.as_str()), (1, "voucher_invalid"), "{}", ran.err);
    let other = vouchers(8453, charged, &payer, 0).replace(&"05".repeat(32), &"06".repeat(32));
    let ran = settle(other);
    assert_eq!((ran.exit, ran.error().0.as_str()), (1, "voucher_invalid"), "{}", ran.err);
    assert!(ran.error().1.ends_with("/vouchers/0"), "{}", ran.err);
}

#[test]
fn closing_credits_what_windows_billed_too_much() {
    let bench = Bench::new(EACH);
    let graduated =
        "\"model\": \"graduated\", \"per\": 1000000,\n      \"tiers\": [{ \"up_to\": 20000";
    let volume = "\"model\": \"volume\", \"per\": 1000000,\n      \"tiers\": [{ \"up_to\": 20000";
    let plan = bench.plan(EACH);
    assert!(plan.contains(graduated));
    bench.write("plan.json", plan.replace(graduated, volume));
    // Volume: all units at 2 a million once there are more than 20000, so 2.5 was too much.
    bench.write("log.jsonl", lines(0..60));
    bench.meter("ledger", "log.jsonl", &[]).ok();
    let owed = |ledger: &str| bench.verify(ledger).ok().number("/true_ups_owed");
    assert_eq!(owed("ledger"), 3);

    let warned = bench.run(&["settle", "ledger", "--final"]).ok();
    assert!(warned.err.contains("3 windows still owe"), "{}", warned.err);
    let before = settlement(&warned.out);
    assert_eq!(number(&before, "/totals/credited"), 0);

    let closed = bench.run(&["settle", "ledger", "--final", "--key", "seller.key"]).ok();
    assert!(!closed.err.contains("owe"), "{}", closed.err);
    let after = settlement(&closed.out);
    assert!(number(&after, "/totals/credited") > 0);
    assert_eq!(number(&after, "/totals/gross"), number(&before, "/totals/gross"));
    assert_eq!(owed("ledger"), 0);
    // Once is enough.
    let again = bench.run(&["settle", "ledger", "--final", "--key", "seller.key"]).ok();
    assert_eq!(settlement(&again.out), after);
}
