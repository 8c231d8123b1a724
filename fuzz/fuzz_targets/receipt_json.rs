//! Any bytes are a receipt or are refused; a receipt reads back from its JSON form.
#![no_main]

use counterfoil::{Address, Receipt};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(receipt) = Receipt::from_json(data) else { return };
    let again =
        Receipt::from_json(receipt.to_json().as_bytes()).expect("what we write is a receipt");
    assert_eq!(receipt, again);
    assert!(receipt.verify(Address::ZERO).is_err());
});
