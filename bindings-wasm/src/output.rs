//! Making plain objects.

use counterfoil::Timestamp;
use js_sys::{Array, Number, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

/// A plain object that is being made. What is absent is not set.
pub(crate) struct Record(Object);

impl Record {
    pub(crate) fn new() -> Record {
        Record(Object::new())
    }

    /// An object with a `kind`.
    pub(crate) fn of(kind: &str) -> Record {
        Record::new().set("kind", kind)
    }

    pub(crate) fn set(self, name: &str, value: impl Into<JsValue>) -> Record {
        // A new plain object takes every member.
        let _ = Reflect::set(&self.0, &name.into(), &value.into());
        self
    }

    pub(crate) fn text(self, name: &str, value: impl ToString) -> Record {
        self.set(name, value.to_string())
    }

    pub(crate) fn instant(self, name: &str, at: Timestamp) -> Record {
        self.set(name, instant(at))
    }

    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<JsValue>>) -> Record {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    pub(crate) fn maybe_text(self, name: &str, value: Option<impl ToString>) -> Record {
        self.maybe(name, value.map(|value| value.to_string()))
    }
}

impl From<Record> for JsValue {
    fn from(record: Record) -> JsValue {
        record.0.into()
    }
}

/// An instant as a number: at most 48 bits, hence exact.
pub(crate) fn instant(at: Timestamp) -> Number {
    Number::from(at.millis() as f64)
}

/// An array of what is made of each item.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, make: impl Fn(T) -> JsValue) -> JsValue {
    items.into_iter().map(make).collect::<Array>().into()
}

/// An array of texts.
pub(crate) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> JsValue {
    list(items, |item| item.to_string().into())
}

/// A map of texts.
pub(crate) fn map<K: AsRef<str>, V: Into<JsValue>>(
    items: impl IntoIterator<Item = (K, V)>,
) -> JsValue {
    items
        .into_iter()
        .fold(Record::new(), |record, (name, value)| record.set(name.as_ref(), value))
        .into()
}

/// Bytes of its own.
pub(crate) fn bytes(bytes: &[u8]) -> Uint8Array {
    Uint8Array::from(bytes)
}
