//! Any bytes are a head or are refused; a head reads back from both of its forms.
#![no_main]

use counterfoil::receipt::Head;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((head, signature)) = Head::from_bytes(data) {
        assert_eq!(head.to_bytes(signature.as_ref()), data);
        let header = head.to_header(signature.as_ref());
        assert!(header.len() <= 400);
        assert_eq!(Head::from_header(&header), Ok((head, signature)));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok((head, signature)) = Head::from_header(text) {
            assert_eq!(head.to_header(signature.as_ref()), text);
        }
    }
});
