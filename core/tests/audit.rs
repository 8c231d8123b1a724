//! An auditor finds what was damaged, and what a seller who signs anything would like to hide.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, HOUR, Host, Terms, a, at, audit, audit_from, key, receipt, renamed, usage};
use counterfoil::{
    Amount, Error, Exact, Signature,
    audit::Auditor,
    entry::{Entry, ReceiptEntry, ReleaseReason},
    log::{Checkpoint, Frontier, LaneState, lanes_root},
    meter::Command,
    receipt::Item,
};
use std::{collections::BTreeMap, sync::Arc};

fn code(error: &Error) -> &'static str {
    error.code().as_str()
}

fn terms() -> Terms {
    let charges = r#"[
        {"id":"a","meter":"a","model":"graduated","window":"day","free":3,
         "tiers":[{"up_to":10,"price":"0.004"},{"price":"0.001"}]},
        {"id":"b","meter":"b","model":"volume","window":"day",
         "tiers":[{"up_to":20,"price":"0.05"},{"price":"0.01"}]},
        {"id":"fee","model":"flat","window":"day","price":"0.02","zero":true},
        {"id":"least","meter":"b","model":"per_unit","window":"day","price":"0.0001","minimum":"0.01"}]"#;
    Terms::new()
        .with("charges", charges)
        .with("limits", r#"[{"id":"cap","spend":"2","window":"day"},{"id":"pace","rate":{"calls":30,"every":"minute","burst":5}}]"#)
        .with("condition", r#"{"not":{"attribute":"region","in":["moon"]}}"#)
}

/// A ledger with every kind of entry: holds, imports, denials, releases, late calls, true-ups,
/// periods, credits, checkpoints, money, a restore.
fn ledger(terms: &Terms, days: u64) -> Host {
    let plan = terms.plan();
    let mut host = Host::new();
    let one = host.subscribe_as(&plan, "one", at(0));
    let two = host.subscribe_as(&plan, "two", at(0));
    for n in 0..days * 6 {
        let now = n * 4 * HOUR;
        host.due(at(now));
        let id = format!("{n}");
        let mut used = usage(&[("a", n % 7), ("b", 3 + n % 5)]);
        used.set_attribute("region", "eu").unwrap();
        host.authorize(one, &id, used.clone(), at(now)).unwrap();
        match n % 4 {
            0 => drop(host.release(one, &id, ReleaseReason::Released, at(now + 1)).unwrap()),
            1 => {
                host.due(at(now + 700_000));
                host.settle(one, &id, used.clone(), at(now + 700_000)).unwrap();
            }
            _ => drop(host.settle(one, &id, used.clone(), at(now + 1)).unwrap()),
        }
        host.import(two, used.clone(), at(now + 2)).unwrap();
        if n % 5 == 0 {
            used.set_attribute("region", "moon").unwrap();
            host.import(two, used, at(now + 3)).unwrap();
        }
        if n % 4 == 3 {
            let receipts = host.recorded();
            let cost = |receipt: &&ReceiptEntry| {
                let lane = host.meter.lane(&receipt.head.lane).unwrap();
                lane.subscription == two && receipt.head.charge.atomic() > 5
            };
            let last = receipts.iter().rev().find(cost).unwrap();
            let part = Exact::new(0, 300_000_000_000_000_000).unwrap();
            let amount = (n % 8 == 3).then_some(part);
            // From the second time on, nothing may be left of it.
            let done = host.credit(two, &id, last, amount, at(now + 3));
            assert!(done.is_ok() || n > 7);
        }
        if n == 9 {
            host.collect(host.lane(one), 50, 1, at(now + 4)).unwrap();
            host.run(&Command::Checkpoint, at(now + 5)).unwrap();
            host.begin("log.restored", at(now + 5));
            host.subscribe_as(&plan, "one", at(now + 5));
            host.subscribe_as(&plan, "two", at(now + 5));
        }
    }
    host.due(at((days + 2) * DAY));
    let _ = host.run(&Command::Checkpoint, at((days + 2) * DAY)).unwrap();
    host
}

fn checkpointed() -> Terms {
    terms().checkpoints(8, "5", DAY)
}

#[test]
fn honest_ledgers_audit_clean_in_both_modes() {
    for terms in [terms(), checkpointed()] {
        let host = ledger(&terms, 30);
        let auditor = host.audit().unwrap();
        let counts = auditor.counts();
        assert_eq!(counts.entries, host.ledger.len() as u64);
        assert!(counts.receipts > 300 && counts.denied > 20, "{counts:?}");
        assert_eq!(auditor.log_size(), host.meter.log_size());
        assert_eq!(auditor.unproven(), 0);
        assert!(auditor.lanes().eq(host.meter.lanes()));
        assert_eq!(auditor.into_meter().snapshot(), host.meter.snapshot());
    }
}

/// Which kinds of entry still audit clean after one of their bits was flipped, and at which bytes.
fn undetected(host: &Host) -> BTreeMap<&'static str, Vec<usize>> {
    let mut missed: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    // Each kind of entry a few times; the entries before it are audited once.
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut before = Auditor::new();
    for (n, bytes) in host.ledger.iter().enumerate() {
        let entry = Entry::from_bytes(bytes).unwrap();
        let receipt = matches!(entry, Entry::Receipt(_));
        let name = match &entry {
            Entry::Receipt(receipt) => receipt.head.kind.as_str(),
            other => other.name(),
        };
        let times = seen.entry(name).or_default();
        *times += 1;
        for byte in 0..if *times > 2 { 0 } else { bytes.len() } {
            // Receipts in every bit, the others in one bit of each byte.
            for bit in if receipt { 0..8 } else { byte % 8..byte % 8 + 1 } {
                let mut flipped = bytes.clone();
                flipped[byte] ^= 1 << bit;
                let rest = core::iter::once(&flipped).chain(&host.ledger[n + 1..]);
                match audit_from(before.clone(), rest, &host.signatures) {
                    Err(error) => assert!(error.place().is_some(), "{name} {byte}: {error}"),
                    Ok(_) => missed.entry(name).or_default().push(byte),
                }
            }
        }
        before = audit_from(before, [bytes], &host.signatures).unwrap();
    }
    missed
}

#[test]
fn a_flipped_bit_in_a_receipt_is_found_and_named() {
    for terms in [terms(), checkpointed()] {
        let missed = undetected(&ledger(&terms, 2));
        for kind in ["call", "period", "true_up", "credit", "open", "plan", "checkpoint"] {
            assert_eq!(missed.get(kind), None, "{missed:?}");
        }
        // What no signature covers, and the frame's checksum alone protects from accidents: a
        // hold's input digest and attributes that no receipt repeats, a denial's reasons, the
        // instants of releases, and notes of money that came in.
        assert!(
            missed.keys().all(|kind| {
                ["instance", "hold", "denied", "release", "collected"].contains(kind)
            }),
            "{missed:?}"
        );
    }
}

#[test]
fn receipts_removed_repeated_reordered_and_forked_are_named() {
    for terms in [terms(), checkpointed()] {
        let host = ledger(&terms, 3);
        let places: Vec<usize> = (0..host.ledger.len())
            .filter(|n| matches!(Entry::from_bytes(&host.ledger[*n]).unwrap(), Entry::Receipt(_)))
            .collect();
        let fails = |ledger: &[Vec<u8>], what: &str| match audit(ledger, &host.signatures) {
            Err(error) => assert!(error.place().is_some(), "{what}: {error}"),
            Ok(_) => panic!("{what} and not found"),
        };
        for pair in places.windows(2) {
            let (n, next) = (pair[0], pair[1]);
            let mut removed = host.ledger.clone();
            removed.remove(n);
            fails(&removed, &format!("removed {n} {next} of {}", host.ledger.len()));
            let mut repeated = host.ledger.clone();
            repeated.insert(next, host.ledger[n].clone());
            fails(&repeated, &format!("repeated {n} {next} of {}", host.ledger.len()));
            let mut swapped = host.ledger.clone();
            swapped.swap(n, next);
            fails(&swapped, &format!("swapped {n} {next} of {}", host.ledger.len()));
        }
        // The last receipt is missed by the checkpoint over it, and by its signature.
        let last = *places.last().unwrap();
        let mut removed = host.ledger.clone();
        removed.remove(last);
        fails(&removed, "the last one removed");
    }
}

/// A cheating seller's ledger: one call each, with the receipt changed, hashed and signed again.
fn cheat(terms: &Terms, what: &str, change: impl Fn(&mut ReceiptEntry)) -> Error {
    let mut host = Host::new();
    let sub = host.subscribe(&terms.plan());
    host.call(sub, "1", usage(&[("a", 12), ("b", 2)]), at(0));
    host.call(sub, "2", usage(&[("a", 12), ("b", 2)]), at(10_000));
    resign(&mut host, change);
    host.audit().map(|_| ()).expect_err(what)
}

/// Changes the last receipt and makes everything that follows from it anew: the body's root, the
/// signature, the checkpoint.
fn resign(host: &mut Host, change: impl Fn(&mut ReceiptEntry)) {
    let n = (0..host.ledger.len())
        .rfind(|n| matches!(Entry::from_bytes(&host.ledger[*n]).unwrap(), Entry::Receipt(_)))
        .unwrap();
    let Entry::Receipt(receipt) = Entry::from_bytes(&host.ledger[n]).unwrap() else { panic!() };
    let mut receipt = Arc::unwrap_or_clone(receipt);
    change(&mut receipt);
    receipt.head.body = receipt.body.root();
    receipt.digest = receipt.head.digest();
    *host.heads.last_mut().unwrap() = receipt.digest;
    let mut log = Frontier::new();
    host.heads.iter().for_each(|head| log.append(head).unwrap());
    let head = &receipt.head;
    let state = LaneState {
        sequence: head.sequence,
        head: receipt.digest,
        cumulative: head.cumulative.atomic(),
        credited: head.credited.atomic(),
    };
    let checkpoint = Checkpoint {
        origin: host.meter.origin().unwrap().to_owned(),
        size: log.size(),
        root: log.root(),
        lanes: lanes_root(&BTreeMap::from([(head.lane, state)])).unwrap(),
        time: head.issued_at,
    };
    let sign = |digest| -> Signature { key().sign(&digest) };
    host.signatures.insert((false, log.size() - 1), sign(receipt.digest));
    host.signatures.insert((true, 0), sign(checkpoint.digest()));
    host.ledger.truncate(n);
    host.ledger.push(Entry::Receipt(Arc::new(receipt)).to_bytes());
    host.ledger.push(Entry::Checkpoint(checkpoint).to_bytes());
}

fn exact(text: &str) -> Exact {
    text.parse().unwrap()
}

#[test]
fn an_unchanged_receipt_signed_again_passes() {
    let mut host = Host::new();
    let sub = host.subscribe(&terms().plan());
    host.call(sub, "1", a(12), at(0));
    resign(&mut host, |_| {});
    host.audit().unwrap();
}

#[test]
fn a_period_is_made_again() {
    type Change = fn(&mut ReceiptEntry);
    let cheats: [(&str, &str, Change); 5] = [
        ("a higher fee", "line fee", |r| {
            if let Item::Line { amount, .. } = &mut r.body.items[0] {
                *amount = amount.checked_add(exact("1")).unwrap();
            }
        }),
        ("another window", "authorizedAt", |r| {
            r.head.authorized_at = at(0);
        }),
        ("a fee that is not due", "no window is due", |r| {
            if let Item::Line { charge, .. } = &mut r.body.items[0] {
                *charge = "a".to_owned();
            }
        }),
        ("the other edge", "no window is due", |r| r.head.subject = r.head.body),
        ("nothing", "line", |r| drop(r.body.items.remove(0))),
    ];
    for (what, found, change) in cheats {
        let mut host = Host::new();
        let sub = host.subscribe(&terms().plan());
        host.call(sub, "1", a(12), at(0));
        host.due(at(2 * DAY));
        resign(&mut host, change);
        let error = host.audit().unwrap_err().to_string();
        assert!(error.contains(found), "{what}: {error}");
    }
}

#[test]
fn a_cheating_seller_is_re_rated() {
    type Change = fn(&mut ReceiptEntry);
    fn items(receipt: &mut ReceiptEntry, change: impl Fn(&mut Item)) {
        receipt.body.items.iter_mut().for_each(change);
    }
    let cheats: [(&str, &str, Change); 17] = [
        ("a higher charge", "charge", |r| {
            let more = Amount::from_atomic(1);
            r.head.charge = r.head.charge.checked_add(more).unwrap();
            r.head.cumulative = r.head.cumulative.checked_add(more).unwrap();
        }),
        ("a higher total", "cumulative", |r| {
            r.head.cumulative = r.head.cumulative.checked_add(Amount::from_atomic(1)).unwrap();
        }),
        ("a credit from nowhere", "credited", |r| r.head.credited = Amount::from_atomic(1)),
        ("another chain", "previous", |r| r.head.previous = r.head.body),
        ("a gap", "sequence", |r| r.head.sequence += 1),
        ("another request", "not authorised", |r| r.head.subject = r.head.body),
        ("another lane", "no such lane", |r| r.head.lane = r.head.body),
        ("an earlier window", "authorizedAt", |r| r.head.authorized_at = at(9_999)),
        ("issued before it was authorised", "issuedAt", |r| r.head.issued_at = at(9_999)),
        ("more usage", "line a", |r| {
            items(r, |i| {
                if let Item::Quantity { quantity, .. } = i {
                    *quantity += 1;
                }
            });
        }),
        ("another counter", "line a", |r| {
            items(r, |i| {
                if let Item::Line { units_before, .. } = i {
                    *units_before = 0;
                }
            });
        }),
        ("a higher price", "line a", |r| {
            items(r, |i| {
                if let Item::Line { amount, .. } = i {
                    *amount = amount.checked_add(exact("1")).unwrap();
                }
            });
        }),
        ("another window", "line a", |r| {
            items(r, |i| {
                if let Item::Line { window, .. } = i {
                    *window = counterfoil::time::Window::ALWAYS;
                }
            });
        }),
        ("another remainder", "price", |r| {
            items(r, |i| {
                if let Item::Price { remainder_after, .. } = i {
                    *remainder_after += 1;
                }
            });
        }),
        ("late", "price", |r| {
            items(r, |i| {
                if let Item::Price { late, .. } = i {
                    *late = true;
                }
            });
        }),
        ("an item twice", "price", |r| {
            let price = r.body.items.iter().position(|i| matches!(i, Item::Price { .. })).unwrap();
            let twice = r.body.items[price].clone();
            r.body.items.insert(price, twice);
        }),
        ("no source", "source", |r| {
            r.body.items.retain(|i| !matches!(i, Item::Source { .. }));
        }),
    ];
    for terms in [terms(), checkpointed()] {
        for (what, field, change) in &cheats {
            let error = cheat(&terms, what, change);
            let text = error.to_string();
            let named = error.place().is_some() && text.contains(field);
            assert!(named, "{what} is named {field}: {error}");
        }
    }
}

/// The receipt names the charge that priced it, and what that charge was chosen by.
#[test]
fn a_receipt_is_priced_by_the_charge_for_its_attributes() {
    let charges = r#"[
        {"id":"any","meter":"a","model":"per_unit","price":"0.01","match":{}},
        {"id":"large","meter":"a","model":"per_unit","price":"0.03","match":{"model":["large"]}},
        {"id":"long","meter":"a","model":"per_unit","price":"0.02","context":{"meter":"a","above":10}},
        {"id":"both","meter":"a","model":"per_unit","price":"0.09","match":{"model":["large"]},
         "context":{"meter":"a","above":10}}]"#;
    let sold = |change: &dyn Fn(&mut ReceiptEntry)| {
        let mut host = Host::new();
        let sub = host.subscribe(&Terms::new().with("charges", charges).plan());
        let mut used = a(10);
        used.set_attribute("model", "large").unwrap();
        host.import(sub, used, at(0)).unwrap();
        resign(&mut host, change);
        host.audit().map(|_| ())
    };
    sold(&|_| {}).unwrap();
    let rename = |to: &'static str| {
        move |r: &mut ReceiptEntry| {
            for item in &mut r.body.items {
                if let Item::Line { charge, .. } = item {
                    to.clone_into(charge);
                }
            }
        }
    };
    let error = sold(&rename("both")).unwrap_err();
    assert_eq!(code(&error), "audit_mismatch");
    assert!(error.place().unwrap().ends_with("line both"), "{error}");
    let error = sold(&|r| {
        for item in &mut r.body.items {
            if let Item::Attribute { value, .. } = item {
                "small".clone_into(value);
            }
        }
    })
    .unwrap_err();
    assert_eq!(code(&error), "audit_mismatch");
    assert!(error.place().unwrap().ends_with("line large"), "{error}");
    let error = sold(&|r| {
        for item in &mut r.body.items {
            if let Item::Quantity { quantity, .. } = item {
                *quantity = 11;
            }
        }
    })
    .unwrap_err();
    assert!(error.place().unwrap().ends_with("line large"), "{error}");
}

/// A ledger whose entry at the first place that `pick` finds is changed by `change`.
fn altered(host: &Host, change: impl Fn(&mut Entry) -> bool) -> Error {
    let mut ledger = host.ledger.clone();
    for bytes in &mut ledger {
        let mut entry = Entry::from_bytes(bytes).unwrap();
        if change(&mut entry) {
            *bytes = entry.to_bytes();
            return audit(&ledger, &host.signatures).map(|_| ()).unwrap_err();
        }
    }
    panic!("nothing to change");
}

#[test]
fn holds_that_the_plan_refuses_are_found() {
    let mut host = Host::new();
    let sub = host.subscribe(&terms().plan());
    host.call(sub, "1", a(12), at(0));
    let error = altered(&host, |entry| match entry {
        Entry::Hold(hold) => {
            Arc::make_mut(&mut hold.units)[0].1 = 1_000_000;
            true
        }
        _ => false,
    });
    assert_eq!((code(&error), error.place()), ("audit_mismatch", Some("entry 3: limits/cap")));
    let error = altered(&host, |entry| match entry {
        Entry::Hold(hold) => {
            Arc::make_mut(&mut hold.attributes).insert("region".into(), "moon".into()).is_none()
        }
        _ => false,
    });
    assert_eq!((code(&error), error.place()), ("audit_mismatch", Some("entry 3: condition/not")));
    let error = altered(&host, |entry| match entry {
        Entry::Hold(hold) => {
            hold.deadline = at(1);
            true
        }
        _ => false,
    });
    assert_eq!((code(&error), error.place()), ("audit_mismatch", Some("entry 3: deadline")));
    // A receipt without its hold.
    let mut ledger = host.ledger.clone();
    ledger.retain(|bytes| !matches!(Entry::from_bytes(bytes).unwrap(), Entry::Hold(_)));
    let error = audit(&ledger, &host.signatures).map(|_| ()).unwrap_err();
    assert_eq!(code(&error), "entry_misplaced");
}

#[test]
fn calls_above_a_limit_of_any_kind_are_found() {
    let keyed = |key: &str| {
        let mut usage = a(6);
        usage.set_attribute("key", key).unwrap();
        usage
    };
    for limit in [
        r#"{"id":"l","concurrency":1}"#,
        r#"{"id":"l","meter":"a","most":10}"#,
        r#"{"id":"l","meter":"a","most":10,"window":"day","match":{"key":["x","y"]}}"#,
        r#"{"id":"l","spend":"1","per":"key","values":1}"#,
    ] {
        let mut host = Host::new();
        let sub = host.subscribe(&Terms::new().with("limits", format!("[{limit}]")).plan());
        host.authorize(sub, "1", keyed("x"), at(0)).unwrap();
        host.release(sub, "1", ReleaseReason::Released, at(1)).unwrap();
        host.authorize(sub, "2", keyed("y"), at(2)).unwrap();
        host.audit().unwrap();
        // Without its release the first call would still be open when the second comes.
        let mut ledger = host.ledger.clone();
        ledger.retain(|bytes| !matches!(Entry::from_bytes(bytes).unwrap(), Entry::Release(_)));
        let error = audit(&ledger, &host.signatures).map(|_| ()).unwrap_err();
        let found = (code(&error), error.place());
        assert_eq!(found, ("audit_mismatch", Some("entry 4: limits/l")), "{limit}");
        // The same of two subscriptions that share the limit.
        let mut host = Host::new();
        let limit = limit.replacen(r#""id":"l""#, r#""id":"l","across":"payer""#, 1);
        let plan = Terms::new().with("limits", format!("[{limit}]")).plan();
        let subs = [host.subscribe(&plan), host.subscribe(&renamed(&plan, "Another"))];
        host.authorize(subs[0], "1", keyed("x"), at(0)).unwrap();
        host.release(subs[0], "1", ReleaseReason::Released, at(1)).unwrap();
        host.authorize(subs[1], "2", keyed("y"), at(2)).unwrap();
        host.audit().unwrap();
        let mut ledger = host.ledger.clone();
        ledger.retain(|bytes| !matches!(Entry::from_bytes(bytes).unwrap(), Entry::Release(_)));
        let error = audit(&ledger, &host.signatures).map(|_| ()).unwrap_err();
        let found = (code(&error), error.place());
        assert_eq!(found, ("audit_mismatch", Some("entry 6: limits/l/across")), "{limit}");
    }
    // A hold that says it holds units of a limit which does not count them.
    let mut host = Host::new();
    let limits = r#"[{"id":"m","spend":"9"},{"id":"l","meter":"a","most":10}]"#;
    let sub = host.subscribe(&Terms::new().with("limits", limits).plan());
    host.authorize(sub, "1", a(6), at(0)).unwrap();
    for limited in [vec![(0, 6)], vec![(2, 6)], vec![(1, 3), (1, 3)]] {
        let error = altered(&host, |entry| match entry {
            Entry::Hold(hold) => {
                hold.limited = limited.clone().into();
                true
            }
            _ => false,
        });
        assert_eq!(code(&error), "entry_misplaced");
    }
    // An import that a limit on units would have refused.
    let mut host = Host::new();
    let sub = host.subscribe(&Terms::new().with("limits", limits).plan());
    host.import(sub, a(6), at(0)).unwrap();
    host.import(sub, a(4), at(1)).unwrap();
    let receipt = host.recorded().pop().unwrap();
    let error = cheat_last(&mut host, receipt, 5);
    let place = error.place().unwrap().to_owned();
    assert!(code(&error) == "audit_mismatch" && place.ends_with(": limits/l"), "{place}");
}

/// The ledger's last receipt again, as if `units` of `a` had been used, with all hashes right.
fn cheat_last(host: &mut Host, mut receipt: ReceiptEntry, units: u64) -> Error {
    for item in &mut receipt.body.items {
        if let Item::Quantity { quantity, .. } = item {
            *quantity = units;
        }
    }
    receipt.head.body = receipt.body.root();
    receipt.digest = receipt.head.digest();
    let last = host.ledger.len() - 1;
    host.ledger[last] = Entry::Receipt(Arc::new(receipt)).to_bytes();
    audit(&host.ledger, &host.signatures).map(|_| ()).unwrap_err()
}

#[test]
fn an_import_mark_is_bound_by_the_head() {
    let mut host = Host::new();
    let sub = host.subscribe(&terms().plan());
    receipt(host.import(sub, a(12), at(0)).unwrap());
    for field in 0..4 {
        let error = altered(&host, |entry| match entry {
            Entry::Receipt(receipt) => {
                let mark = Arc::make_mut(receipt).import.as_mut().unwrap();
                match field {
                    0 => mark.ordinal += 1,
                    1 => mark.offset += 1,
                    2 => mark.digest = mark.input,
                    _ => mark.input = mark.digest,
                }
                true
            }
            _ => false,
        });
        assert!(error.to_string().contains("subject"), "{error}");
    }
}

#[test]
fn a_lane_starts_where_its_parent_stands() {
    let host = ledger(&terms(), 3);
    for field in 0..5 {
        let error = altered(&host, |entry| match entry {
            Entry::Open(open) if open.lane.number > 0 => {
                match field {
                    0 => open.lane.number += 1,
                    1 => open.lane.cumulative = Amount::MAX,
                    2 => open.lane.credited_remainder += 1,
                    3 => open.started_at = at(1),
                    _ => open.account = Some("somebody else".into()),
                }
                true
            }
            _ => false,
        });
        assert_eq!(code(&error), "entry_misplaced", "{field}: {error}");
    }
}

#[test]
fn signatures_are_asked_for_and_checked() {
    for terms in [terms(), checkpointed()] {
        let host = ledger(&terms, 2);
        for slot in host.signatures.keys() {
            let mut missing = host.signatures.clone();
            missing.remove(slot);
            let error = audit(&host.ledger, &missing).map(|_| ()).unwrap_err();
            assert_eq!(code(&error), "signature_missing");
            assert!(error.place().is_some());
            let mut wrong = host.signatures.clone();
            wrong.insert(*slot, key().sign(&counterfoil::Digest::ZERO));
            let error = audit(&host.ledger, &wrong).map(|_| ()).unwrap_err();
            assert_eq!(code(&error), "signature_wrong_key");
        }
    }
}

#[test]
fn what_a_restored_log_left_without_a_checkpoint_stays_unproven() {
    let mut host = Host::new();
    let plan = checkpointed().plan();
    let sub = host.subscribe(&plan);
    host.call(sub, "1", a(1), at(0));
    host.begin("log.restored", at(1));
    host.subscribe(&plan);
    host.run(&Command::Checkpoint, at(2)).unwrap();
    assert_eq!(host.audit().unwrap().unproven(), 2, "an opening and a receipt");
}
