//! Entries and their frames.

use counterfoil::entry::{
    Entry,
    frame::{self, Read},
};
use serde_json::json;

use crate::{
    input::{Input, Outcome},
    output::{bytes, text},
};

pub(super) fn read(input: &mut Input) -> Outcome {
    let bytes = input.bytes("bytes")?;
    let entry = Entry::from_bytes(&bytes)?;
    if entry.to_bytes() != bytes {
        return crate::input::fault("an entry is written in other bytes than it was read from");
    }
    Ok(json!({"entry": entry.name()}))
}

pub(super) fn write_frame(input: &mut Input) -> Outcome {
    let (index, payload) = (input.integer("index")?, input.bytes("payload")?);
    let mut out = Vec::new();
    frame::write(&mut out, index, &payload)?;
    Ok(json!({"frame": bytes(&out)}))
}

pub(super) fn read_frame(input: &mut Input) -> Outcome {
    let (all, index) = (input.bytes("bytes")?, input.integer("index")?);
    Ok(match frame::read(&all, index)? {
        Read::Frame { payload, len } => {
            json!({"frame": {"payload": bytes(payload), "length": text(len)}})
        }
        Read::End => json!({"end": {}}),
        Read::Torn => json!({"torn": {}}),
    })
}

pub(super) fn torn(input: &mut Input) -> Outcome {
    let (tail, index) = (input.bytes("tail")?, input.integer("index")?);
    Ok(json!({"torn": frame::is_torn(&tail, index)}))
}
