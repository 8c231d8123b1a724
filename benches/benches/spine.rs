//! A call through the meter, beside the hashing and signing that it cannot do without.

use std::hint::black_box;
use std::time::Duration;

use counterfoil::crypto::recover;
use counterfoil::entry::ReleaseReason;
use counterfoil::meter::{Command, Outcome, Request, Subscribe};
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, Meter, Plan, Timestamp, Usage};
use counterfoil_bench::{Hashing, Host, plan, signer, start};
use criterion::{Criterion, criterion_group, criterion_main};
use k256::ecdsa::SigningKey;

/// Four models in three service tiers: twelve prices for each of four meters, and for input that many
/// again above 200,000 tokens; images by tiers.
fn matrix() -> Plan {
    let mut charges = vec![
        r#"{"id":"images","meter":"images","model":"graduated","window":"month",
            "tiers":[{"up_to":1000,"price":"0.04"},{"price":"0.03"}]}"#
            .into(),
    ];
    for (meter, price) in [
        ("input_tokens", 1_250),
        ("cached_input_tokens", 125),
        ("output_tokens", 10_000),
        ("reasoning_tokens", 12_000),
    ] {
        for cell in 0..12 {
            let (model, tier) = (cell / 3, ["batch", "priority", "standard"][cell % 3]);
            for long in [false, true].into_iter().filter(|long| !long || meter == "input_tokens") {
                let context = r#""context":{"meter":"input_tokens","above":200000},"#;
                charges.push(format!(
                    r#"{{"id":"c{}","meter":"{meter}",{}"match":{{"model":["m{model}"],
                        "service_tier":["{tier}"]}},"model":"per_unit","per":1000000,"price":"{}"}}"#,
                    charges.len(),
                    if long { context } else { "" },
                    price + cell
                ));
            }
        }
    }
    let document = format!(
        r#"{{"format":"counterfoil/plan/1","name":"Matrix",
            "authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","currency":{{"iso4217":"USD"}},
            "meters":{{"cached_input_tokens":"token","images":"image","input_tokens":"token",
              "output_tokens":"token","reasoning_tokens":"token"}},
            "charges":[{}],"payees":[{{"payee":"seller","weight":1}}]}}"#,
        charges.join(",")
    );
    Plan::from_json(document.as_bytes()).expect("a plan")
}

fn matrix_call() -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Reported);
    for (meter, quantity) in [
        ("cached_input_tokens", 150_000),
        ("images", 3),
        ("input_tokens", 250_000),
        ("output_tokens", 4_000),
        ("reasoning_tokens", 2_500),
    ] {
        usage.set(meter, quantity).expect("a quantity");
    }
    usage.set_attribute("model", "m2").expect("a model");
    usage.set_attribute("service_tier", "priority").expect("a tier");
    usage
}

fn rating(c: &mut Criterion) {
    let plan = plan(Host::CHECKPOINT);
    let host = Host::new(Host::CHECKPOINT);
    let mut group = c.benchmark_group("rate");
    group.bench_function("call", |b| {
        b.iter(|| plan.price(black_box(host.used()), Timestamp::MIN).expect("a price"));
    });
    group.bench_function("quote", |b| {
        b.iter(|| plan.quote(black_box(host.used()), Timestamp::MIN).expect("a quote"));
    });
    let (plan, usage, at) = (matrix(), matrix_call(), Timestamp::MIN);
    assert!(!plan.price(&usage, at).expect("a price").is_zero());
    group.bench_function("matrix", |b| {
        b.iter(|| plan.price(black_box(&usage), at).expect("a price"));
    });
    group.finish();
}

fn spine(c: &mut Criterion) {
    let mut group = c.benchmark_group("spine");
    group.bench_function("checkpoint", |b| {
        let mut host = Host::new(Host::CHECKPOINT);
        b.iter(|| host.call());
    });
    group.bench_function("each", |b| {
        let (mut host, key) = (Host::new(Host::EACH), signer());
        b.iter(|| {
            let call = host.call();
            key.sign(&call.sign.as_ref().expect("each head is signed").digest)
        });
    });
    group.bench_function("verify", |b| {
        let (key, mut host) = (signer(), Host::new(Host::EACH));
        let digest = host.call().receipt.digest;
        let signature = key.sign(&digest);
        b.iter(|| recover(black_box(&digest), &signature).expect("a signature"));
    });
    group.finish();
}

/// An authorize and a release under a limit per key that holds of all keys together exceed, so that the sum of what
/// those of the key may cost decides; 1,000 holds of ten keys are open.
fn admission(c: &mut Criterion) {
    let document = r#"{"format":"counterfoil/plan/1","name":"Keys",
        "authority":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","currency":{"iso4217":"USD"},
        "meters":{"input_tokens":"token","output_tokens":"token"},
        "charges":[
          {"id":"input","meter":"input_tokens","model":"per_unit","per":1000000,"price":"2.5"},
          {"id":"output","meter":"output_tokens","model":"graduated","per":1000000,
            "tiers":[{"up_to":1000000,"price":"10"},{"price":"8"}]}],
        "limits":[{"id":"key","spend":"200","window":"month","per":"key"}],
        "payees":[{"payee":"seller","weight":1}]}"#;
    let plan = Plan::from_json(document.as_bytes()).expect("a plan");
    let (mut meter, now) = (Meter::new([9; 32]), start());
    let subscribe = Subscribe {
        plan: plan.id(),
        payer: None,
        account: Some("acme".into()),
        started_at: now,
        rail: Digest::ZERO,
    };
    let mut subscription = Digest::ZERO;
    for command in [
        Command::Begin { origin: "example.com/keys".into(), signer: plan.authority() },
        Command::AddPlan(Box::new(plan)),
        Command::Subscribe(subscribe),
    ] {
        let step = meter.propose(&command, now).expect("a beginning");
        if let Outcome::Opened { subscription: id, .. } =
            meter.confirm(step.ticket).expect("a beginning")
        {
            subscription = id;
        }
    }
    let request = |number: u32| {
        let mut most = Usage::new(Surface::Plain, Basis::Estimated);
        most.set("input_tokens", 100_000).expect("a quantity");
        most.set("output_tokens", 4_000).expect("a quantity");
        most.set_attribute("key", &format!("key{}", number % 10)).expect("a key");
        let id = format!("request {number}");
        Command::Authorize(Request::new(subscription, id, most))
    };
    for number in 0..1_000 {
        let step = meter.propose(&request(number), now).expect("a hold");
        let outcome = meter.confirm(step.ticket).expect("a hold");
        assert!(matches!(outcome, Outcome::Authorized { .. }), "{outcome:?}");
    }
    let mut number = 1_000;
    c.benchmark_group("admission").bench_function("1000 holds", |b| {
        b.iter(|| {
            number += 1;
            let held = meter.propose(&request(number), now).expect("a hold");
            meter.confirm(held.ticket).expect("a hold");
            let id = format!("request {number}");
            let release = Command::Release { subscription, id, reason: ReleaseReason::Released };
            let released = meter.propose(&release, now).expect("a release");
            meter.confirm(released.ticket).expect("a release");
        });
    });
}

fn floors(c: &mut Criterion) {
    let mut group = c.benchmark_group("floor");
    group.bench_function("hashing", |b| {
        let mut host = Host::new(Host::CHECKPOINT);
        let call = host.call();
        let hashing = Hashing::of(&host, &call);
        b.iter(|| black_box(&hashing).run());
    });
    group.bench_function("sign", |b| {
        let key = SigningKey::from_slice(&[7; 32]).expect("a valid scalar");
        let mut digest = [0u8; 32];
        b.iter(|| {
            let (signature, id) = key.sign_prehash_recoverable(&digest);
            digest.copy_from_slice(&signature.to_bytes()[..32]);
            id
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = rating, floors, spine, admission
}
criterion_main!(benches);
