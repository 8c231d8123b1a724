//! Typed readers that know their JSON Pointer.

use alloc::{format, string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    json::{Object, Value},
};

/// A value in its document.
///
/// A node knows the document's root and finds its JSON Pointer only when an error wants it: reading
/// allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    root: &'a Value,
    value: &'a Value,
}

impl Value {
    /// The document as a node.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { root: self, value: self }
    }
}

impl<'a> Node<'a> {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// The JSON Pointer (RFC 6901) of the value in its document; empty for the root.
    #[must_use]
    pub fn pointer(&self) -> String {
        let mut path = Vec::new();
        find(self.root, self.value, &mut path);
        let mut pointer = String::new();
        for step in path.iter().rev() {
            pointer.push('/');
            pointer.push_str(step);
        }
        pointer
    }

    /// An error at this place, with this value.
    #[must_use]
    pub fn error(&self, code: Code) -> Error {
        let error = Error::new(code).at(self.pointer());
        match self.value {
            Value::String(text) => error.value(text),
            Value::Array(_) | Value::Object(_) => error.value(self.value.type_name()),
            other => error.value(other.compact()),
        }
    }

    fn expected(&self, what: &'static str) -> Error {
        self.error(Code::JsonType).because(what)
    }

    fn child(&self, value: &'a Value) -> Node<'a> {
        Node { root: self.root, value }
    }

    /// The value at a JSON Pointer (RFC 6901) below this one; the empty pointer is this value.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<Node<'a>> {
        if pointer.is_empty() {
            return Some(*self);
        }
        let mut value = self.value;
        for step in pointer.strip_prefix('/')?.split('/') {
            value = match value {
                Value::Object(object) => object.get(&unescape(step))?,
                // RFC 6901: no sign and no leading zero.
                Value::Array(items) => {
                    items.get(usize::try_from(exact_integer(step, 1 << 32)?).ok()?)?
                }
                _ => return None,
            };
        }
        Some(self.child(value))
    }

    /// A string.
    ///
    /// # Errors
    /// `json_type`.
    pub fn text(&self) -> Result<&'a str> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.expected("expected a string")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// `json_type`.
    pub fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.expected("expected true or false")),
        }
    }

    /// A JSON number that is an exact non-negative integer below 2^53, without exponent or fraction.
    ///
    /// # Errors
    /// `json_type` for another type, `json_number` for another number.
    pub fn integer(&self) -> Result<u64> {
        match self.value {
            Value::Number(lexeme) => {
                exact_integer(lexeme, 1 << 53).ok_or_else(|| self.error(Code::JsonNumber))
            }
            _ => Err(self.expected("expected a whole number")),
        }
    }

    /// A quantity: a number as [`Node::integer`] reads it, or a string of decimal digits; below 2^63.
    ///
    /// # Errors
    /// `json_type` for another type, `usage_quantity` for another number.
    pub fn quantity(&self) -> Result<u64> {
        let read = match self.value {
            Value::Number(lexeme) => exact_integer(lexeme, 1 << 53),
            Value::String(lexeme) => exact_integer(lexeme, 1 << 63),
            _ => return Err(self.expected("expected a whole number or a string of digits")),
        };
        read.ok_or_else(|| self.error(Code::UsageQuantity))
    }

    /// The items of an array.
    ///
    /// # Errors
    /// `json_type`.
    pub fn items(&self) -> Result<impl Iterator<Item = Node<'a>> + use<'a>> {
        match self.value {
            Value::Array(items) => {
                let root = self.root;
                Ok(items.iter().map(move |value| Node { root, value }))
            }
            _ => Err(self.expected("expected an array")),
        }
    }

    /// The members of an object.
    ///
    /// # Errors
    /// `json_type`.
    pub fn fields(&self) -> Result<Fields<'a>> {
        match self.value {
            Value::Object(object) => Ok(Fields { node: *self, object, asked: Vec::new() }),
            _ => Err(self.expected("expected an object")),
        }
    }
}

/// An object that is being read: what was not asked for is refused at the end.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    node: Node<'a>,
    object: &'a Object,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// A member that must be there.
    ///
    /// # Errors
    /// `json_missing_field`, with the pointer that it would have.
    pub fn required(&mut self, name: &'static str) -> Result<Node<'a>> {
        self.optional(name).ok_or_else(|| {
            Error::new(Code::JsonMissingField)
                .at(format!("{}/{name}", self.node.pointer()))
                .value(name)
        })
    }

    /// A member that may be there.
    pub fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.asked.push(name);
        self.object.get(name).map(|value| self.node.child(value))
    }

    /// Like [`Fields::optional`], but `null` counts as absent, as providers use it.
    pub fn maybe(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.optional(name).filter(|node| *node.value() != Value::Null)
    }

    /// Every member, for an object that is a map.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let node = self.node;
        self.object.iter().map(move |(name, value)| (name, node.child(value)))
    }

    /// Refuses members that were not asked for.
    ///
    /// # Errors
    /// `json_unknown_field` at the first one.
    pub fn finish(self) -> Result<()> {
        for (name, value) in self.object.iter() {
            if !self.asked.contains(&name) {
                return Err(Error::new(Code::JsonUnknownField)
                    .at(self.node.child(value).pointer())
                    .value(name));
            }
        }
        Ok(())
    }
}

/// An integer in canonical digits, below `end`.
fn exact_integer(lexeme: &str, end: u64) -> Option<u64> {
    let canonical = lexeme == "0" || !lexeme.starts_with('0');
    let digits = !lexeme.is_empty() && lexeme.bytes().all(|b| b.is_ascii_digit());
    let value = lexeme.parse::<u64>().ok()?;
    (canonical && digits && value < end).then_some(value)
}

/// Finds a value in a document by identity and writes the steps to it, last one first.
fn find(here: &Value, wanted: &Value, path: &mut Vec<String>) -> bool {
    if core::ptr::eq(here, wanted) {
        return true;
    }
    match here {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if find(item, wanted, path) {
                    path.push(format!("{index}"));
                    return true;
                }
            }
        }
        Value::Object(object) => {
            for (name, value) in object.iter() {
                if find(value, wanted, path) {
                    path.push(name.replace('~', "~0").replace('/', "~1"));
                    return true;
                }
            }
        }
        _ => {}
    }
    false
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn doc(text: &str) -> Value {
        parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn pointers_are_found_and_escaped() {
        let d = doc(r#"{"a/b":[0,{"m~n":true}],"x":null}"#);
        let node = d.root().at("/a~1b/1/m~0n").unwrap();
        assert_eq!(node.pointer(), "/a~1b/1/m~0n");
        assert!(node.boolean().unwrap());
        for absent in ["/a~1b/7", "/a~1b/01", "/a~1b/+1", "/a~1b/-", "/x/0"] {
            assert!(d.root().at(absent).is_none());
        }
        assert_eq!(d.root().pointer(), "");
    }

    #[test]
    fn unknown_and_missing_members_are_named() {
        let d = doc(r#"{"o":{"known":1,"prise":2}}"#);
        let o = d.root().at("/o").unwrap();
        let mut fields = o.fields().unwrap();
        assert_eq!(fields.required("known").unwrap().integer().unwrap(), 1);
        let e = fields.required("price").unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::JsonMissingField, Some("/o/price")));
        let e = fields.finish().unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::JsonUnknownField, Some("/o/prise")));
    }

    #[test]
    fn integers_are_exact_or_refused() {
        for (text, ok) in [
            ("0", true),
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("1.0", false),
            ("1e3", false),
            ("-1", false),
            ("-0", false),
        ] {
            let d = doc(text);
            assert_eq!(d.root().integer().is_ok(), ok, "{text}");
        }
        assert_eq!(doc("\"9223372036854775807\"").root().quantity().unwrap(), i64::MAX as u64);
        for text in ["\"9223372036854775808\"", "\"01\"", "\"\"", "\"+1\"", "1.5", "-1"] {
            assert_eq!(doc(text).root().quantity().unwrap_err().code(), Code::UsageQuantity);
        }
    }
}
