//! Any bytes are a frame, an end, torn or damaged; a frame that was written reads back.
#![no_main]

use counterfoil::entry::frame::{self, Read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for index in [0, 1, u64::MAX] {
        if let Ok(Read::Frame { payload, len }) = frame::read(data, index) {
            let mut again = Vec::new();
            frame::write(&mut again, index, payload).expect("what was read can be written");
            assert_eq!(again, &data[..len]);
        }
        let _ = frame::is_torn(data, index);
    }
    let mut written = Vec::new();
    if frame::write(&mut written, 7, data).is_ok() {
        let Ok(Read::Frame { payload, .. }) = frame::read(&written, 7) else {
            panic!("unreadable")
        };
        assert_eq!(payload, data);
    }
});
