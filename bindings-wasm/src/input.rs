//! Reading arguments: checked, never coerced.

use std::collections::BTreeMap;

use counterfoil::{Amount, Code, Digest, Error, Timestamp};
use js_sys::{Array, BigInt, Number, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::error::{Result, Thrown};

/// A value of another JavaScript type than the argument has.
fn expected(value: &JsValue, what: &'static str) -> Thrown {
    let kind = value.js_typeof().as_string().unwrap_or_default();
    Error::new(Code::JsonType).value(kind).because(what).into()
}

/// A string, which must be well-formed: half a surrogate pair would silently become another text.
pub(crate) fn text(value: &JsValue) -> Result<String> {
    let text = value.as_string().ok_or_else(|| expected(value, "expected a string"))?;
    // Compared as JavaScript does: what was replaced in reading is another string.
    let again = JsValue::from(&text);
    if text.contains('\u{fffd}') && again != *value {
        return Err(Error::new(Code::JsonEncoding).value(text).into());
    }
    Ok(text)
}

/// A string that the core reads: a digest, an address, a signature, an exact amount.
pub(crate) fn parsed<T: std::str::FromStr<Err = Error>>(value: &JsValue) -> Result<T> {
    Ok(text(value)?.parse()?)
}

/// A document: text, or the bytes of one.
pub(crate) fn document(value: &JsValue) -> Result<Vec<u8>> {
    match value.dyn_ref::<Uint8Array>() {
        Some(bytes) => Ok(bytes.to_vec()),
        None if value.is_string() => Ok(text(value)?.into_bytes()),
        None => Err(expected(value, "expected a string or a Uint8Array")),
    }
}

/// Bytes of any length.
pub(crate) fn bytes(value: &JsValue) -> Result<Vec<u8>> {
    match value.dyn_ref::<Uint8Array>() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(expected(value, "expected a Uint8Array")),
    }
}

/// The 32 bytes of a secret.
pub(crate) fn secret(value: &JsValue) -> Result<[u8; 32]> {
    let bytes = bytes(value)?;
    bytes.try_into().map_err(|_| Error::new(Code::KeyInvalid).because("expected 32 bytes").into())
}

/// A `bigint`, or a number that is an exact integer, as a `bigint`.
fn integer(value: &JsValue, code: Code) -> Result<JsValue> {
    if value.is_bigint() {
        Ok(value.clone())
    } else if Number::is_safe_integer(value) {
        match BigInt::new(value) {
            Ok(integer) => Ok(integer.into()),
            Err(error) => Err(Thrown::Host(error.into())),
        }
    } else if value.as_f64().is_some() {
        Err(Error::new(code).because("not an exact integer: use a bigint").into())
    } else {
        Err(expected(value, "expected a bigint or an integer"))
    }
}

/// Says which `bigint` does not fit.
fn misfit(value: &JsValue, code: Code) -> Thrown {
    let digits = value.dyn_ref::<BigInt>().and_then(|integer| integer.to_string(10).ok());
    let shown = digits.and_then(|digits| digits.as_string()).unwrap_or_default();
    Error::new(code).value(shown).into()
}

/// A count, position or size below 2^64.
pub(crate) fn count(value: &JsValue) -> Result<u64> {
    quantity_of(value, Code::JsonNumber)
}

/// A quantity of usage. The core refuses 2^63 and more.
pub(crate) fn quantity(value: &JsValue) -> Result<u64> {
    quantity_of(value, Code::UsageQuantity)
}

fn quantity_of(value: &JsValue, code: Code) -> Result<u64> {
    let integer = integer(value, code)?;
    u64::try_from(integer).map_err(|value| misfit(&value, code))
}

/// Money in atomic units: always a `bigint`.
pub(crate) fn amount(value: &JsValue) -> Result<Amount> {
    if !value.is_bigint() {
        return Err(expected(value, "money is a bigint"));
    }
    u128::try_from(value.clone())
        .map(Amount::from_atomic)
        .map_err(|value| misfit(&value, Code::AmountOverflow))
}

/// An instant: a number of Unix milliseconds.
pub(crate) fn instant(value: &JsValue) -> Result<Timestamp> {
    if value.is_bigint() {
        return Err(expected(value, "an instant is a number of unix milliseconds"));
    }
    Ok(Timestamp::from_millis(quantity_of(value, Code::TimeInvalid)?)?)
}

/// True or false.
pub(crate) fn flag(value: &JsValue) -> Result<bool> {
    value.as_bool().ok_or_else(|| expected(value, "expected true or false"))
}

/// An array, whose items are read alike.
pub(crate) fn list<T>(value: &JsValue, read: impl Fn(&JsValue) -> Result<T>) -> Result<Vec<T>> {
    if !Array::is_array(value) {
        return Err(expected(value, "expected an array"));
    }
    let array: &Array = value.unchecked_ref();
    let mut items = Vec::new();
    for index in 0..array.length() {
        items.push(read(&array.get(index)).map_err(|e| e.under(&index.to_string()))?);
    }
    Ok(items)
}

/// An array of digests.
pub(crate) fn digests(value: &JsValue) -> Result<Vec<Digest>> {
    list(value, parsed)
}

/// An object used as a map.
pub(crate) fn entries(value: &JsValue) -> Result<Vec<(String, JsValue)>> {
    let object = object(value)?;
    let mut entries = Vec::new();
    for pair in Object::entries(object).iter() {
        let pair: Array = pair.unchecked_into();
        entries.push((text(&pair.get(0))?, pair.get(1)));
    }
    Ok(entries)
}

/// An object used as a map, each value read.
pub(crate) fn map<T>(
    value: &JsValue,
    read: impl Fn(&JsValue) -> Result<T>,
) -> Result<BTreeMap<String, T>> {
    let item = |(name, value): (String, JsValue)| match read(&value) {
        Ok(value) => Ok((name, value)),
        Err(error) => Err(error.under(&name)),
    };
    entries(value)?.into_iter().map(item).collect()
}

fn object(value: &JsValue) -> Result<&Object> {
    match value.dyn_ref::<Object>() {
        Some(object) if !Array::is_array(value) => Ok(object),
        _ => Err(expected(value, "expected an object")),
    }
}

/// An object with known members; `undefined` and `null` count as absent.
pub(crate) struct Members<'a> {
    object: &'a Object,
    asked: Vec<&'static str>,
}

impl<'a> Members<'a> {
    pub(crate) fn of(value: &'a JsValue) -> Result<Members<'a>> {
        Ok(Members { object: object(value)?, asked: Vec::new() })
    }

    fn member(&mut self, name: &'static str) -> Result<JsValue> {
        self.asked.push(name);
        Reflect::get(self.object, &name.into()).map_err(Thrown::Host)
    }

    /// A member that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&JsValue) -> Result<T>,
    ) -> Result<T> {
        match self.optional(name, read)? {
            Some(value) => Ok(value),
            None => Err(Thrown::from(Code::JsonMissingField).under(name)),
        }
    }

    /// A member that may be there.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&JsValue) -> Result<T>,
    ) -> Result<Option<T>> {
        let value = self.member(name)?;
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        read(&value).map(Some).map_err(|e| e.under(name))
    }

    /// A digest that may be there; zero where it is not.
    pub(crate) fn digest_or_zero(&mut self, name: &'static str) -> Result<Digest> {
        Ok(self.optional(name, parsed)?.unwrap_or(Digest::ZERO))
    }

    /// Refuses members that were not asked for: a misspelt one is never ignored.
    pub(crate) fn finish(self) -> Result<()> {
        for key in Object::keys(self.object).iter() {
            let name = key.as_string().unwrap_or_default();
            if !self.asked.contains(&name.as_str()) {
                let error = Error::new(Code::JsonUnknownField).value(&name);
                return Err(Thrown::from(error).under(&name));
            }
        }
        Ok(())
    }
}
