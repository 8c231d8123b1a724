//! Entries and their frames.

use counterfoil::{
    Digest,
    entry::{
        Entry,
        frame::{self, Read},
    },
    meter::Signed,
};
use serde_json::json;

use super::{Objects, a_meter};
use crate::{
    input::{Input, Outcome, fault},
    output::{bytes, text},
};

pub(super) fn read(input: &mut Input) -> Outcome {
    let bytes = input.bytes("bytes")?;
    let entry = Entry::from_bytes(&bytes)?;
    if entry.to_bytes() != bytes {
        return fault("an entry is written in other bytes than it was read from");
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

pub(super) fn lane_typed_data(input: &mut Input, objects: &Objects) -> Outcome {
    let host = a_meter(input, "meter", objects)?;
    let lane: Digest = input.parsed("lane")?;
    for entry in &host.entries {
        if let Entry::Open(opening) = Entry::from_bytes(entry)?
            && opening.lane.digest() == lane
        {
            let typed = Signed::Lane(opening.lane.clone()).typed_data();
            return Ok(json!({"json": typed.compact()}));
        }
    }
    fault(format!("no lane {lane}"))
}
