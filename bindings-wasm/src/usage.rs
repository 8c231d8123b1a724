//! Usage: a plain object in both directions.

use counterfoil::{
    Code, Error, Usage,
    json::{Limits, parse},
    usage::{Basis, Mapping, Stream, Surface},
};
use wasm_bindgen::prelude::*;

use crate::{
    error::{Result, Thrown},
    input::{self, Members},
    output::{Record, map},
};

/// Reads `{surface, basis, meters, attributes}`.
pub(crate) fn usage(value: &JsValue) -> Result<Usage> {
    let mut members = Members::of(value)?;
    let surface = members.optional("surface", input::parsed)?.unwrap_or(Surface::Plain);
    let basis = members.optional("basis", basis)?.unwrap_or(Basis::Measured);
    let meters = members.required("meters", input::entries)?;
    let attributes = members.optional("attributes", input::entries)?.unwrap_or_default();
    members.finish()?;
    let mut usage = Usage::new(surface, basis);
    for (name, value) in &meters {
        let set = |usage: &mut Usage| Ok(usage.set(name, input::quantity(value)?)?);
        set(&mut usage).map_err(|e: Thrown| e.under(name).under("meters"))?;
    }
    for (name, value) in &attributes {
        let set = |usage: &mut Usage| Ok(usage.set_attribute(name, &input::text(value)?)?);
        set(&mut usage).map_err(|e: Thrown| e.under(name).under("attributes"))?;
    }
    Ok(usage)
}

fn basis(value: &JsValue) -> Result<Basis> {
    let name = input::text(value)?;
    Basis::parse(&name).ok_or_else(|| {
        let error = Error::new(Code::JsonType).value(name);
        error.because("reported, measured or estimated").into()
    })
}

/// Reads the usage of a provider's response body under a surface.
#[wasm_bindgen(js_name = readUsage, unchecked_return_type = "Usage")]
pub fn read_usage(
    #[wasm_bindgen(unchecked_param_type = "Surface")] surface: JsValue,
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] body: JsValue,
) -> std::result::Result<JsValue, Thrown> {
    let surface: Surface = input::parsed(&surface)?;
    let body = parse(&input::document(&body)?, &Limits::default())?;
    Ok(record(&Usage::from_json(surface, &body)?))
}

/// Reads the usage of an event of the host's own, as a mapping document says.
#[wasm_bindgen(js_name = mapUsage, unchecked_return_type = "Usage")]
pub fn map_usage(
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] mapping: JsValue,
    #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] event: JsValue,
) -> std::result::Result<JsValue, Thrown> {
    let mapping = Mapping::from_json(&input::document(&mapping)?)?;
    let event = parse(&input::document(&event)?, &Limits::default())?;
    Ok(record(&mapping.read(&event)?))
}

/// Reads the usage of a streamed answer from its events, in the order in which they come.
#[wasm_bindgen]
pub struct UsageStream(Stream);

#[wasm_bindgen]
impl UsageStream {
    /// A stream of this surface, of which nothing came yet.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Surface")] surface: JsValue,
    ) -> std::result::Result<UsageStream, Thrown> {
        Ok(UsageStream(Stream::new(input::parsed(&surface)?)?))
    }

    /// Takes the next event, what follows `data: `, or `[DONE]`. One that is refused changes nothing.
    pub fn feed(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "string | Uint8Array")] event: JsValue,
    ) -> std::result::Result<(), Thrown> {
        Ok(self.0.feed(&input::document(&event)?)?)
    }

    /// Whether the last usage that came is that of the whole answer.
    #[wasm_bindgen(getter)]
    pub fn complete(&self) -> bool {
        self.0.is_complete()
    }

    /// What was used: `reported`, or, of an answer that did not end, `estimated`.
    #[wasm_bindgen(unchecked_return_type = "Usage")]
    pub fn usage(&self) -> std::result::Result<JsValue, Thrown> {
        Ok(record(&self.0.usage()?))
    }
}

fn record(usage: &Usage) -> JsValue {
    Record::new()
        .set("surface", usage.surface().as_str())
        .set("basis", usage.basis().as_str())
        .set("meters", map(usage.iter()))
        .set(
            "attributes",
            map(usage.attributes().iter().map(|(name, value)| (name, value.as_str()))),
        )
        .into()
}
