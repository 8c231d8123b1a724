//! Receipts as a buyer gets them: header, JSON, proofs, single items.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod common;

use common::{DAY, Host, Terms, a, at, key, usage};
use counterfoil::{
    Amount, Digest, Error, Exact, LocalKey, Receipt, Timestamp, VerifiedReceipt,
    log::inclusion_proof,
    meter::Command,
    receipt::{Body, Head, Item, Kind},
    time::Window,
    usage::{Basis, Surface},
};
use proptest::prelude::*;

fn code(error: &Error) -> &'static str {
    error.code().as_str()
}

/// Three receipts of one lane.
fn three(terms: &Terms) -> Host {
    let mut host = Host::new();
    let sub = host.subscribe(&terms.plan());
    for n in 0..3 {
        host.call(sub, &format!("{n}"), usage(&[("a", 3 + n)]), at(n));
    }
    host
}

fn verified(receipt: &Receipt) -> VerifiedReceipt {
    receipt.clone().verify(key().address()).unwrap()
}

#[test]
fn a_header_has_358_characters_signed_and_271_unsigned() {
    let (receipt, _) = &three(&Terms::new()).receipts[0];
    let header = receipt.head.to_header(receipt.signature.as_ref());
    assert_eq!((header.len(), receipt.head.to_header(None).len()), (358, 271));
    let (head, signature) = Head::from_header(&header).unwrap();
    assert_eq!((&head, signature), (&receipt.head, receipt.signature));
    let alone = Receipt { head, signature, body: None };
    assert_eq!(verified(&alone).head(), &receipt.head);
    for wrong in [
        String::new(),
        header[..357].to_owned(),
        format!("{header}="),
        format!("{header}AA"),
        header.replace(|c: char| c.is_ascii_lowercase(), "+"),
        "A".repeat(401),
    ] {
        assert!(Head::from_header(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_receipt_needs_its_signature_its_key_and_its_body() {
    let host = three(&Terms::new());
    let (receipt, _) = &host.receipts[0];
    assert_eq!(verified(receipt).digest(), receipt.head.digest());
    let other = LocalKey::from_bytes(&[0x22; 32]).unwrap().address();
    let fails = |receipt: Receipt, signer| code(&receipt.verify(signer).unwrap_err());
    assert_eq!(fails(receipt.clone(), other), "signature_wrong_key");
    let signer = key().address();
    assert_eq!(fails(Receipt { signature: None, ..receipt.clone() }, signer), "signature_missing");
    let body = host.receipts[1].0.body.clone();
    assert_eq!(fails(Receipt { body, ..receipt.clone() }, signer), "body_mismatch");
    let mut cheaper = receipt.clone();
    cheaper.head.charge = Amount::ZERO;
    assert_eq!(fails(cheaper, signer), "signature_wrong_key");
}

#[test]
fn an_unsigned_head_is_proven_by_a_signed_checkpoint() {
    let mut host = three(&Terms::new().checkpoints(100, "1000", DAY));
    host.run(&Command::Checkpoint, at(9)).unwrap();
    let checkpoint = host.checkpoints[0].clone();
    let signature = host.signatures[&(true, 0)];
    let stranger = LocalKey::from_bytes(&[0x22; 32]).unwrap().address();
    assert!(checkpoint.clone().verify(&signature, stranger).is_err());
    let checkpoint = checkpoint.verify(&signature, key().address()).unwrap();
    for (receipt, position) in &host.receipts {
        let unproven = receipt.clone().verify(key().address()).unwrap_err();
        assert_eq!(code(&unproven), "signature_missing");
        let proof = inclusion_proof(&host.heads, *position).unwrap();
        let proven = receipt.clone().verify_in(&checkpoint, &proof).unwrap();
        assert_eq!(proven.body(), receipt.body.as_ref());
        let elsewhere = inclusion_proof(&host.heads, position - 1).unwrap();
        let error = receipt.clone().verify_in(&checkpoint, &elsewhere).unwrap_err();
        assert_eq!(code(&error), "proof_invalid");
        let body = Some(Body { salt: Digest::ZERO, items: Vec::new() });
        let error = Receipt { body, ..receipt.clone() }.verify_in(&checkpoint, &proof).unwrap_err();
        assert_eq!(code(&error), "body_mismatch");
    }
}

#[test]
fn receipts_follow_each_other_in_their_lane() {
    let mut host = three(&Terms::new());
    let other = host.subscribe_as(&Terms::new().plan(), "another", at(3));
    host.call(other, "r", a(1), at(4));
    let all: Vec<_> = host.receipts.iter().map(|(receipt, _)| verified(receipt)).collect();
    all[1].follows(&all[0]).unwrap();
    all[2].follows(&all[1]).unwrap();
    for (later, earlier, field) in
        [(2, 0, "sequence"), (0, 1, "sequence"), (1, 1, "sequence"), (3, 2, "lane")]
    {
        let error = all[later].follows(&all[earlier]).unwrap_err();
        assert_eq!(code(&error), "audit_chain");
        assert!(error.place().unwrap().ends_with(field), "{error}");
    }
    // A fork, and totals that do not follow, signed by the seller.
    type Change = fn(&mut Head);
    let changes: [(&str, Change); 6] = [
        ("previous", |head| head.previous = head.body),
        ("issuedAt", |head| head.issued_at = Timestamp::MIN),
        ("cumulative", |head| head.cumulative = Amount::ZERO),
        ("sequence", |head| head.sequence = 9),
        ("credited", |head| head.credited = Amount::MAX),
        ("credited", |head| head.kind = Kind::TrueUp),
    ];
    for (field, change) in changes {
        let mut forged = host.receipts[1].0.clone();
        change(&mut forged.head);
        forged.signature = Some(key().sign(&forged.head.digest()));
        let error = verified(&forged).follows(&all[0]).unwrap_err();
        assert!(error.place().unwrap().ends_with(field), "{error}");
    }
}

#[test]
fn one_item_is_shown_and_cannot_stand_anywhere_else() {
    for count in 1..12_usize {
        let body = Body {
            salt: Digest::new([9; 32]),
            items: (0..count)
                .map(|n| Item::Quantity { meter: "a".into(), quantity: n as u64 / 2 })
                .collect(),
        };
        let root = body.root();
        assert_eq!(code(&body.disclose(count).unwrap_err()), "log_range");
        for index in 0..count {
            let shown = body.disclose(index).unwrap();
            assert_eq!(shown.verify(&root).unwrap(), &body.items[index]);
            for (moved, of) in (0..14).flat_map(|moved| (0..14).map(move |of| (moved, of))) {
                let mut other = shown.clone();
                (other.index, other.count) = (moved, of);
                assert_eq!(other.verify(&root).is_ok(), (moved, of) == (index, count));
            }
            let mut other = shown.clone();
            other.item = Item::Quantity { meter: "a".into(), quantity: 99 };
            assert_eq!(code(&other.verify(&root).unwrap_err()), "proof_invalid");
            let mut other = shown.clone();
            other.salt[0] ^= 1;
            assert!(other.verify(&root).is_err());
        }
    }
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::new)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.millis()).prop_map(|ms| Timestamp::from_millis(ms).unwrap())
}

fn exact() -> impl Strategy<Value = Exact> {
    (any::<u128>(), 0..1_000_000_000_000_000_000_u64).prop_map(|(w, f)| Exact::new(w, f).unwrap())
}

fn head() -> impl Strategy<Value = Head> {
    (
        (digest(), any::<u64>(), digest(), any::<bool>(), digest()),
        (instant(), instant(), digest(), any::<u128>(), any::<u128>(), any::<u128>()),
    )
        .prop_map(|((lane, sequence, previous, call, subject), rest)| {
            let (authorized_at, issued_at, body, charge, cumulative, credited) = rest;
            let [charge, cumulative, credited] =
                [charge, cumulative, credited].map(Amount::from_atomic);
            let kind = if call { Kind::Call } else { Kind::TrueUp };
            Head {
                lane,
                sequence,
                previous,
                kind,
                subject,
                authorized_at,
                issued_at,
                body,
                charge,
                cumulative,
                credited,
            }
        })
}

fn window() -> impl Strategy<Value = Window> {
    (0..Timestamp::MAX.millis()).prop_map(|start| Window {
        start: Timestamp::from_millis(start).unwrap(),
        end: Timestamp::from_millis(start + 1).unwrap(),
    })
}

fn item() -> impl Strategy<Value = Item> {
    let text = "[a-z\"\\\\é☃ ]{0,12}";
    prop_oneof![
        (text, any::<u64>()).prop_map(|(meter, quantity)| Item::Quantity { meter, quantity }),
        (text, window(), any::<u64>(), any::<u64>(), exact(), exact()).prop_map(
            |(charge, window, units_before, units, billed_before, amount)| Item::Line {
                charge,
                window,
                units_before,
                units,
                billed_before,
                amount
            }
        ),
        (exact(), any::<u64>(), any::<u64>(), exact(), any::<bool>()).prop_map(
            |(exact, remainder_before, remainder_after, uncollected, late)| Item::Price {
                exact,
                remainder_before,
                remainder_after,
                uncollected,
                late
            }
        ),
        (text, window(), text, any::<u64>(), any::<u64>()).prop_map(
            |(grant, given, meter, units, balance)| Item::DrawUnits {
                grant,
                given_at: given.start,
                meter,
                units,
                balance
            }
        ),
        (text, window(), exact(), exact()).prop_map(|(grant, given, amount, balance)| {
            Item::Draw { grant, given_at: given.start, amount, balance }
        }),
        (text, text).prop_map(|(name, value)| Item::Attribute { name, value }),
        digest().prop_map(|content| Item::Source {
            surface: Surface::Plain,
            basis: Basis::Estimated,
            content
        }),
        (text, window(), any::<u64>(), exact(), exact(), exact(), any::<u64>()).prop_map(
            |(charge, window, units, billed, due, exact, remainder)| Item::Correction {
                charge,
                window,
                units,
                billed,
                due,
                exact,
                remainder_before: remainder,
                remainder_after: remainder / 3
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_gives_back_what_it_was_made_from(
        head in head(), salt in digest(), items in prop::collection::vec(item(), 0..20),
        signed in any::<bool>(), with_body in any::<bool>(),
    ) {
        let signature = signed.then(|| key().sign(&head.digest()));
        prop_assert_eq!(Head::from_bytes(&head.to_bytes(signature.as_ref())).unwrap(), (head.clone(), signature));
        prop_assert_eq!(Head::from_header(&head.to_header(signature.as_ref())).unwrap(), (head.clone(), signature));
        let body = with_body.then_some(Body { salt, items });
        let receipt = Receipt { head, signature, body };
        let json = receipt.to_json();
        prop_assert_eq!(&Receipt::from_json(json.as_bytes()).unwrap(), &receipt);
        // A second reader agrees that it is JSON.
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }

    #[test]
    fn junk_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (Head::from_bytes(&bytes).is_ok(), Receipt::from_json(&bytes).is_ok());
        let _ = counterfoil::entry::Entry::from_bytes(&bytes).is_ok();
    }

    #[test]
    fn a_flipped_bit_of_a_header_verifies_nothing(byte in 0..268_usize, bit in 0..8_u8) {
        let host = three(&Terms::new());
        let (receipt, _) = &host.receipts[2];
        let mut bytes = receipt.head.to_bytes(receipt.signature.as_ref());
        bytes[byte] ^= 1 << bit;
        if let Ok((head, signature)) = Head::from_bytes(&bytes) {
            let forged = Receipt { head, signature, body: None };
            prop_assert!(forged.verify(key().address()).is_err());
        }
    }
}

#[test]
fn a_json_receipt_with_a_flaw_is_refused_with_its_place() {
    let (receipt, _) = &three(&Terms::new()).receipts[0];
    let json = receipt.to_json();
    for (from, to, wrong, place) in [
        ("counterfoil/receipt/0", "counterfoil/receipt/9", "bytes_version", "/format"),
        (r#""sequence":"1""#, r#""sequence":1"#, "json_type", "/head/sequence"),
        (r#""sequence":"1""#, r#""sequence":"01""#, "decimal_invalid", "/head/sequence"),
        (r#""sequence":"1""#, r#""sequence":"-1""#, "decimal_invalid", "/head/sequence"),
        (r#""kind":"1""#, r#""kind":"9""#, "bytes_version", "/head/kind"),
        (r#""charge":"#, r#""charged":"#, "json_missing_field", "/head/charge"),
        (r#""item":"source""#, r#""item":"sauce""#, "json_unknown_field", "/body/items/3/item"),
        (r#""late":false"#, r#""late":0"#, "json_type", "/body/items/2/late"),
        (r#""exact":"3""#, r#""exact":"3.0""#, "decimal_invalid", "/body/items/2/exact"),
        (r#"{"format""#, r#"{"more":1,"format""#, "json_unknown_field", "/more"),
    ] {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json, "{from}");
        let error = Receipt::from_json(changed.as_bytes()).unwrap_err();
        assert_eq!((code(&error), error.place()), (wrong, Some(place)), "{from} → {to}");
    }
    for cut in 0..json.len() {
        assert!(Receipt::from_json(&json.as_bytes()[..cut]).is_err());
    }
}
