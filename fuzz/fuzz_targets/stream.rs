//! Any lines are taken or refused as the events of a stream, of the surface that the first byte picks; one
//! that is refused changes nothing.
#![no_main]

use counterfoil::usage::{Basis, Stream, Surface};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, lines)) = data.split_first() else { return };
    let surface = Surface::ALL[usize::from(*first) % Surface::ALL.len()];
    let Ok(mut stream) = Stream::new(surface) else { return };
    for line in lines.split(|byte| *byte == b'\n') {
        let before = (stream.is_complete(), stream.usage().ok());
        if stream.feed(line).is_err() {
            assert_eq!((stream.is_complete(), stream.usage().ok()), before);
        }
        if let Ok(usage) = stream.usage() {
            assert_eq!(usage.basis() == Basis::Reported, stream.is_complete());
        }
    }
});
