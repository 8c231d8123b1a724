//! Any sequence of commands: no spend limit is passed, the state is the fold of its entries, and an
//! auditor accepts them all.
#![no_main]

use arbitrary::Arbitrary;
use counterfoil::audit::Auditor;
use counterfoil::entry::{Entry, ImportMark, ReleaseReason};
use counterfoil::meter::{Command, Import, Outcome, Request, Settle, Subscribe};
use counterfoil::receipt::Kind;
use counterfoil::usage::{Basis, Surface};
use counterfoil::{Digest, Exact, LocalKey, Meter, Plan, Timestamp, Usage};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Case {
    model: u8,
    rounding: u8,
    prices: [u8; 3],
    bounds: [u8; 2],
    free: u8,
    limit: u8,
    steps: Vec<(u16, Step)>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Authorize { id: u8, units: u8 },
    Settle { id: u8, units: u8 },
    Part { id: u8, units: u8 },
    Extend { id: u8, most: Option<u8> },
    SettleUnfinished { id: u8 },
    Release { id: u8, unknown: bool },
    Import { units: u8 },
    Due,
    Abandon { id: u8, units: u8 },
    Reopen,
}

fn plan(case: &Case, authority: &str) -> Option<Plan> {
    let [a, b, c] = case.prices.map(|p| format!("0.{p:03}1"));
    let (low, high) = (case.bounds[0].max(1), case.bounds[1]);
    let model = match case.model % 5 {
        0 => format!(r#""model":"flat","price":"{a}""#),
        1 => format!(r#""model":"per_unit","meter":"u","price":"{a}""#),
        2 => format!(r#""model":"package","meter":"u","price":"{a}","size":{low}"#),
        n => {
            let kind = if n == 3 { "graduated" } else { "volume" };
            let bounds =
                format!(r#"{{"up_to":{low},"price":"{a}"}},{{"up_to":{high},"price":"{b}"}}"#);
            format!(r#""model":"{kind}","meter":"u","tiers":[{bounds},{{"price":"{c}"}}]"#)
        }
    };
    let rounding = ["carry", "up", "down", "half_even"][usize::from(case.rounding % 4)];
    let text = format!(
        r#"{{"format":"counterfoil/plan/1","name":"fuzz","authority":"{authority}",
        "currency":{{"iso4217":"USD"}},"meters":{{"u":"unit"}},
        "charges":[{{"id":"c","window":"day","free":{},{model}}}],
        "limits":[{{"id":"l","spend":"{}","window":"day"}},{{"id":"h","spend":"{}","window":"hour"}}],
        "payees":[{{"payee":"us","weight":1}}],"rounding":"{rounding}",
        "times":{{"hold":60000,"grace":120000}}}}"#,
        case.free,
        case.limit,
        case.limit / 2
    );
    Plan::from_json(text.as_bytes()).ok()
}

fn usage(units: u8) -> Usage {
    let mut usage = Usage::new(Surface::Plain, Basis::Measured);
    usage.set("u", u64::from(units)).expect("a small quantity");
    usage
}

fuzz_target!(|case: Case| {
    let key = LocalKey::from_bytes(&[7; 32]).expect("a key");
    let Some(plan) = plan(&case, &key.address().to_string()) else { return };
    let mut now = Timestamp::from_millis(1_790_000_000_000).expect("an instant");
    let (mut meter, mut journal) = (Meter::new([1; 32]), Vec::new());
    let mut submit = |meter: &mut Meter, command: &Command, now| {
        let step = meter.propose(command, now)?;
        journal.extend(step.entry);
        meter.confirm(step.ticket)
    };
    let plan_id = plan.id();
    let begin = Command::Begin { origin: "fuzz".into(), signer: key.address() };
    submit(&mut meter, &begin, now).expect("begins");
    submit(&mut meter, &Command::AddPlan(Box::new(plan)), now).expect("knows its plan");
    let subscribe = Command::Subscribe(Subscribe {
        plan: plan_id,
        payer: None,
        account: Some("a".into()),
        started_at: now,
        rail: Digest::ZERO,
    });
    let Ok(Outcome::Opened { subscription, .. }) = submit(&mut meter, &subscribe, now) else {
        panic!("subscribes")
    };
    for (ordinal, (wait, step)) in (0_u64..).zip(case.steps.iter().take(40)) {
        now = now.checked_add(u64::from(*wait) * 50).expect("before the year 9999");
        let request = |id: u8, units| {
            Command::Authorize(Request::new(subscription, format!("r{}", id % 8), usage(units)))
        };
        let used = |id: u8, units| Settle {
            subscription,
            id: format!("r{}", id % 8),
            usage: usage(units),
            content: Digest::ZERO,
        };
        let command = match step {
            Step::Authorize { id, units } => request(*id, *units),
            Step::Settle { id, units } => Command::Settle(used(*id, *units)),
            Step::Part { id, units } => Command::SettlePart(used(*id, *units)),
            Step::Extend { id, most } => {
                let id = format!("r{}", id % 8);
                Command::Extend { subscription, id, most: most.map(usage) }
            }
            Step::SettleUnfinished { id } => {
                Command::SettleUnfinished { subscription, id: format!("r{}", id % 8) }
            }
            Step::Release { id, unknown } => Command::Release {
                subscription,
                id: format!("r{}", id % 8),
                reason: if *unknown { ReleaseReason::Unknown } else { ReleaseReason::Released },
            },
            Step::Import { units } => Command::Import(Import {
                subscription,
                at: now,
                usage: usage(*units),
                content: Digest::ZERO,
                mark: ImportMark {
                    input: Digest::ZERO,
                    ordinal,
                    offset: ordinal + 1,
                    digest: Digest::ZERO,
                },
            }),
            Step::Due => Command::Due,
            Step::Abandon { id, units } => {
                let before = meter.snapshot();
                if let Ok(step) = meter.propose(&request(*id, *units), now) {
                    meter.abandon(step.ticket).expect("it is pending");
                    assert!(meter.confirm(step.ticket).is_err());
                }
                assert_eq!(meter.snapshot(), before);
                continue;
            }
            Step::Reopen => {
                meter = Meter::from_snapshot(&meter.snapshot(), [1; 32]).expect("its own snapshot");
                continue;
            }
        };
        let _ = submit(&mut meter, &command, now);
    }

    // The fold of the entries is the state, and the audit finds nothing.
    let (mut again, mut auditor) = (Meter::new([1; 32]), Auditor::new());
    let mut spent = std::collections::BTreeMap::new();
    // One atomic unit more may have been carried in from the day before.
    let most = u128::from(case.limit) * 100 + 1;
    let mut credited = 0;
    for entry in &journal {
        again.replay(entry).expect("folds");
        let (entry, _) = auditor.next(entry).expect("audits");
        if let Entry::Receipt(receipt) = entry {
            let day = receipt.head.authorized_at.millis() / 86_400_000;
            let sum: &mut u128 = spent.entry(day).or_default();
            *sum += receipt.head.charge.atomic();
            assert!(*sum <= most, "{sum} above {most} on day {day}");
            // What the end of a call gives back of its parts may be spent again.
            let before = std::mem::replace(&mut credited, receipt.head.credited.atomic());
            if receipt.head.kind == Kind::Call {
                *sum = sum.saturating_sub(credited - before);
            }
        }
    }
    assert_eq!(again.snapshot(), meter.snapshot());
    let lane = meter.lanes().next().expect("a lane");
    assert!(lane.credited <= lane.cumulative || lane.cumulative == Exact::ZERO);
});
