//! Known answers from outside: skipped where the shared folder is absent.

extern crate std;

use alloc::{string::String, vec::Vec};
use std::{fs, path::PathBuf};

use serde_json::Value;

use super::*;
use crate::crypto::{
    Address, Digest, Domain, LocalKey, Signature, StructHash, check, keccak256, type_hash,
    typed_digest,
};

fn vectors() -> Option<Value> {
    let shared = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let path = shared.join("vectors/x402_batch_settlement.json");
    match fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            std::println!("skipped: {}: {error}", path.display());
            None
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

fn parsed<T: core::str::FromStr<Err: core::fmt::Debug>>(value: &Value, pointer: &str) -> T {
    text(value, pointer).parse().unwrap()
}

fn config(value: &Value) -> ChannelConfig {
    ChannelConfig {
        payer: parsed(value, "/payer"),
        payer_authorizer: parsed(value, "/payerAuthorizer"),
        receiver: parsed(value, "/receiver"),
        receiver_authorizer: parsed(value, "/receiverAuthorizer"),
        token: parsed(value, "/token"),
        withdraw_delay: value["withdrawDelay"].as_u64().unwrap(),
        salt: *parsed::<Digest>(value, "/salt").bytes(),
    }
}

/// The well-known test key behind an address of the vectors.
fn test_key(address: Address) -> LocalKey {
    [
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    ]
    .iter()
    .map(|secret| LocalKey::from_bytes(secret.parse::<Digest>().unwrap().bytes()).unwrap())
    .find(|key| key.address() == address)
    .unwrap()
}

fn rows(all: &Value) -> Vec<ClaimRow> {
    let row = |case: &Value| {
        let row = &case["claimRow"];
        ClaimRow {
            voucher: Voucher {
                channel: config(&row["voucher"]["channel"]),
                max_claimable: parsed(row, "/voucher/maxClaimableAmount"),
                signature: parsed(row, "/signature"),
            },
            total_claimed: parsed(row, "/totalClaimed"),
        }
    };
    all["cases"].as_array().unwrap().iter().take(2).map(row).collect()
}

fn hex(bytes: &[u8]) -> String {
    crate::crypto::write_hex(bytes)
}

#[test]
fn contract_types_and_error_selectors() {
    let Some(all) = vectors() else { return };
    let contract = Contract::deployed(8453);
    assert_eq!(contract.address(), parsed(&all, "/contract"));
    for (name, hash) in [
        ("ChannelConfig", contract.types.channel_config),
        ("Voucher", contract.types.voucher),
        ("Refund", contract.types.refund),
        ("ClaimEntry", contract.types.claim_entry),
        ("ClaimBatch", contract.types.claim_batch),
    ] {
        assert_eq!(text(&all["typehashes"], &alloc::format!("/{name}")), alloc::format!("{hash}"));
    }
    for error in [
        ContractError::ClaimExceedsCeiling,
        ContractError::ClaimExceedsBalance,
        ContractError::EcdsaInvalidSignature,
        ContractError::InvalidSignature,
        ContractError::InvalidChannel,
        ContractError::WithdrawDelayOutOfRange,
    ] {
        assert_eq!(all["errorSelectors"][error.name()], hex(&error.selector()), "{error}");
    }
}

#[test]
fn channels_and_vouchers() {
    let Some(all) = vectors() else { return };
    for case in &all["cases"].as_array().unwrap()[..2] {
        let contract = Contract::deployed(case["chainId"].as_u64().unwrap());
        assert_eq!(*contract.separator(), parsed(case, "/domainSeparator"));
        let channel = config(&case["channelConfig"]);
        let voucher = Voucher {
            channel,
            max_claimable: parsed(case, "/voucher/maxClaimableAmount"),
            signature: parsed(case, "/voucher/signature"),
        };
        let VoucherCheck::Verified(verified) = voucher.verify(&contract).unwrap() else {
            panic!("the authorizer is a key")
        };
        assert_eq!(*verified.channel_id(), parsed(case, "/channelId"));
        assert_eq!(*verified.digest(), parsed(case, "/voucher/digest"));
        let signer: Address = parsed(case, "/voucher/signer");
        assert_eq!(signer, channel.payer_authorizer);
        assert_eq!(test_key(signer).sign(verified.digest()), voucher.signature);
    }
}

#[test]
fn batch_digest_signature_and_calldata() {
    let Some(all) = vectors() else { return };
    let (contract, rows, case) = (Contract::deployed(8453), rows(&all), &all["cases"][2]);
    let authorizer = rows[0].voucher.channel.receiver_authorizer;

    let digest = claim_batch_digest(&contract, &rows);
    assert_eq!(digest, parsed(case, "/claimBatch/digest"));
    let signature: Signature = parsed(case, "/claimBatch/signature");
    assert_eq!(test_key(authorizer).sign(&digest), signature);
    check(&digest, &signature, authorizer).unwrap();
    assert_eq!(
        hex(&claim_with_signature_calldata(&rows, &signature)),
        text(case, "/claimBatch/claimWithSignature_calldata")
    );
    assert_eq!(
        keccak256(&[&claim_calldata(&rows)]),
        parsed(case, "/claimBatch/claim_calldata_keccak")
    );

    let channel = &rows[0].voucher.channel;
    assert_eq!(
        hex(&settle_calldata(channel.receiver, channel.token)),
        text(case, "/settle_calldata")
    );
}

#[test]
fn refund_and_deposit() {
    let Some(all) = vectors() else { return };
    let (contract, rows, case) = (Contract::deployed(8453), rows(&all), &all["cases"][2]);
    let channel = &rows[0].voucher.channel;
    let channel_id = channel.channel_id(&contract);

    let nonce =
        case["refund"]["nonce"].as_u64().map_or_else(|| parsed(case, "/refund/nonce"), u128::from);
    let digest = refund_digest(&contract, &channel_id, nonce, parsed(case, "/refund/amount"));
    assert_eq!(digest, parsed(case, "/refund/digest"));
    assert_eq!(
        test_key(channel.receiver_authorizer).sign(&digest),
        parsed(case, "/refund/signature")
    );

    let deposit = &case["erc3009"];
    let salt: Digest = parsed(deposit, "/salt");
    let nonce = erc3009_deposit_nonce(&channel_id, salt.bytes());
    assert_eq!(nonce, parsed(deposit, "/nonce"));

    // The authorisation is in the token's domain, which the domain builder covers as well.
    let domain = Domain::new(text(deposit, "/domain/name"), text(deposit, "/domain/version"))
        .chain_id(deposit["domain"]["chainId"].as_u64().unwrap())
        .verifying_contract(parsed(deposit, "/domain/verifyingContract"));
    let number = |name: &str| {
        deposit[name]
            .as_u64()
            .map_or_else(|| parsed(deposit, &alloc::format!("/{name}")), u128::from)
    };
    let authorization = StructHash::new(&type_hash(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,\
         uint256 validBefore,bytes32 nonce)",
    ))
    .address(channel.payer)
    .address(parsed(&all, "/erc3009Collector"))
    .u128(number("value"))
    .u128(number("validAfter"))
    .u128(number("validBefore"))
    .word(nonce.bytes())
    .finish();
    let digest = typed_digest(&domain.separator(), &authorization);
    assert_eq!(digest, parsed(deposit, "/digest"));
    assert_eq!(test_key(channel.payer).sign(&digest), parsed(deposit, "/signature"));
}
