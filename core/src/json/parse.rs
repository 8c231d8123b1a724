//! Bytes to tree.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    json::{Object, Value},
};

/// What a document may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub bytes: usize,
    /// Levels of arrays and objects. The reader recurses, so this bounds its stack.
    pub depth: usize,
    /// Values and member names together.
    pub values: usize,
}

impl Default for Limits {
    /// 1 MiB, 32 levels, 100,000 values.
    fn default() -> Self {
        Limits { bytes: 1 << 20, depth: 32, values: 100_000 }
    }
}

/// Objects with more members than this look names up in a set.
const FEW: usize = 16;

/// Reads one JSON document.
///
/// ```
/// use counterfoil::json::{Limits, parse};
///
/// let twice = parse(br#"{"a": {"b": 1, "b": 2}}"#, &Limits::default()).unwrap_err();
/// assert_eq!(twice.to_string(), "duplicate key: `b` at byte 15");
/// ```
///
/// # Errors
/// `json_too_large`, `json_too_deep`, `json_too_many`, `json_syntax`, `json_encoding`,
/// `json_duplicate_key`, each with the byte where it was noticed.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value> {
    if bytes.len() > limits.bytes {
        return Err(Error::new(Code::JsonTooLarge)
            .value(format!("{} bytes", bytes.len()))
            .because("the bound is in the reader's limits")
            .at(format!("byte {}", limits.bytes)));
    }
    let text = core::str::from_utf8(bytes).map_err(|e| {
        Error::new(Code::JsonEncoding).because("not utf-8").at(format!("byte {}", e.valid_up_to()))
    })?;
    let mut parser = Parser { text, at: 0, depth: limits.depth, values: limits.values };
    parser.space();
    let value = parser.value()?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.syntax("bytes after the document"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
}

impl Parser<'_> {
    fn error(&self, code: Code, at: usize) -> Error {
        Error::new(code).at(format!("byte {at}"))
    }

    fn syntax(&self, why: &'static str) -> Error {
        let shown: String = self.rest().chars().take(20).collect();
        let error = self.error(Code::JsonSyntax, self.at).because(why);
        if shown.is_empty() { error } else { error.value(shown) }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self, n: usize) {
        self.at = self.at.saturating_add(n).min(self.text.len());
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.advance(1);
        }
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance(1);
        }
    }

    fn count(&mut self) -> Result<()> {
        self.values =
            self.values.checked_sub(1).ok_or_else(|| self.error(Code::JsonTooMany, self.at))?;
        Ok(())
    }

    fn value(&mut self) -> Result<Value> {
        self.count()?;
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.syntax("no value starts here")),
            None => Err(self.syntax("the document ends too early")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if self.rest().starts_with(word) {
            self.advance(word.len());
            return Ok(value);
        }
        Err(self.syntax("no value starts here"))
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        self.depth =
            self.depth.checked_sub(1).ok_or_else(|| self.error(Code::JsonTooDeep, self.at))?;
        self.advance(1);
        let value = read(self)?;
        self.depth = self.depth.saturating_add(1);
        Ok(value)
    }

    fn array(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.syntax("expected a comma or the array's end"));
            }
        }
    }

    fn object(&mut self) -> Result<Value> {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.syntax("expected a member name"));
            }
            self.count()?;
            let name = self.string()?;
            let twice = if members.len() < FEW {
                members.iter().any(|(known, _)| *known == name)
            } else {
                if names.is_empty() {
                    names.extend(members.iter().map(|(known, _)| known.clone()));
                }
                !names.insert(name.clone())
            };
            if twice {
                return Err(self.error(Code::JsonDuplicateKey, start).value(name));
            }
            self.space();
            if !self.eat(b':') {
                return Err(self.syntax("expected a colon"));
            }
            self.space();
            let value = self.value()?;
            members.push((name, value));
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Object(Object::from_unique(members)));
            }
            if !self.eat(b',') {
                return Err(self.syntax("expected a comma or the object's end"));
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance(1);
        }
        self.at.saturating_sub(start)
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.syntax("expected a digit"));
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(self.syntax("expected a digit"));
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return Err(self.syntax("expected a digit"));
            }
        }
        if matches!(self.peek(), Some(b'0'..=b'9' | b'.')) {
            return Err(self.syntax("not a number"));
        }
        Ok(Value::Number(String::from(self.text.get(start..self.at).unwrap_or(""))))
    }

    /// A string from its opening quote on.
    fn string(&mut self) -> Result<String> {
        self.advance(1);
        let mut text = String::new();
        loop {
            let plain = self
                .rest()
                .bytes()
                .position(|b| b == b'"' || b == b'\\' || b < 0x20)
                .ok_or_else(|| {
                    self.error(Code::JsonSyntax, self.text.len()).because("the string has no end")
                })?;
            text.push_str(self.rest().get(..plain).unwrap_or(""));
            self.advance(plain);
            match self.peek() {
                Some(b'"') => {
                    self.advance(1);
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.syntax("control characters are escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        self.advance(1);
        let letter = self.peek();
        self.advance(1);
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.syntax("unknown escape")),
        })
    }

    /// `XXXX`, and the second half of a surrogate pair.
    fn unicode(&mut self) -> Result<char> {
        let start = self.at;
        let half = || Error::new(Code::JsonEncoding).because("half a surrogate pair");
        let first = self.hex4()?;
        let scalar = match first {
            0xd800..=0xdbff => {
                if !(self.eat(b'\\') && self.eat(b'u')) {
                    return Err(half().at(format!("byte {start}")));
                }
                let second = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(half().at(format!("byte {start}")));
                }
                0x1_0000_u32.saturating_add((first & 0x3ff) << 10).saturating_add(second & 0x3ff)
            }
            _ => first,
        };
        char::from_u32(scalar).ok_or_else(|| half().at(format!("byte {start}")))
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.syntax("expected four hexadecimal digits"))?;
        self.advance(4);
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};
    use proptest::prelude::*;

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            ".{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..5)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
            (Value::Number(a), serde_json::Value::Number(b)) => *a == b.to_string(),
            (Value::String(a), serde_json::Value::String(b)) => a == b,
            (Value::Array(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Object(a), serde_json::Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(k, v)| b.get(k).is_some_and(|theirs| same(v, theirs)))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(document in any_json()) {
            for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                let ours = parse(text.as_bytes(), &Limits::default()).unwrap();
                prop_assert!(same(&ours, &document), "{text}");
                let again = parse(ours.compact().as_bytes(), &Limits::default()).unwrap();
                prop_assert_eq!(&again, &ours);
                let again = parse(ours.pretty().as_bytes(), &Limits::default()).unwrap();
                prop_assert_eq!(&again, &ours);
            }
        }

        #[test]
        fn refuses_what_serde_json_refuses(
            document in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = document.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Err(e) = serde_json::from_slice::<serde_json::Value>(&bytes) {
                // A number too large for a float is one all the same: here it keeps its lexeme.
                let large = e.to_string().starts_with("number out of range");
                prop_assert!(large || parse(&bytes, &Limits::default()).is_err(), "{e}");
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &Limits::default());
        }
    }

    #[test]
    fn names_the_byte() {
        for (text, code, place) in [
            ("", Code::JsonSyntax, "byte 0"),
            ("{\"a\":1,}", Code::JsonSyntax, "byte 7"),
            ("[1 2]", Code::JsonSyntax, "byte 3"),
            ("01", Code::JsonSyntax, "byte 1"),
            ("1.", Code::JsonSyntax, "byte 2"),
            ("nul", Code::JsonSyntax, "byte 0"),
            ("\"abc", Code::JsonSyntax, "byte 4"),
            ("\"\\ud800\"", Code::JsonEncoding, "byte 3"),
            ("\"\\ud800\\u0041\"", Code::JsonEncoding, "byte 3"),
            ("\u{feff}1", Code::JsonSyntax, "byte 0"),
            ("{\"a\":1,\"\\u0061\":2}", Code::JsonDuplicateKey, "byte 7"),
        ] {
            let e = parse(text.as_bytes(), &Limits::default()).unwrap_err();
            assert_eq!((e.code(), e.place()), (code, Some(place)), "{text}");
        }
        let e = parse(b"\"\xff\"", &Limits::default()).unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::JsonEncoding, Some("byte 1")));
    }

    #[test]
    fn is_bounded_in_size_depth_and_count() {
        let limits = Limits::default();
        let deep = "[".repeat(1_000_000);
        assert_eq!(parse(deep.as_bytes(), &limits).unwrap_err().code(), Code::JsonTooDeep);
        let long = vec![b'"'; 10_000_000];
        assert_eq!(parse(&long, &limits).unwrap_err().code(), Code::JsonTooLarge);
        let many = alloc::format!("[{}0]", "0,".repeat(200_000));
        assert_eq!(parse(many.as_bytes(), &limits).unwrap_err().code(), Code::JsonTooMany);
        let shallow = alloc::format!("{}{}", "[".repeat(32), "]".repeat(32));
        assert!(parse(shallow.as_bytes(), &limits).is_ok());
        let wide: Vec<String> = (0..1000).map(|i| alloc::format!("\"k{i}\":{i}")).collect();
        let wide = alloc::format!("{{{},\"k7\":0}}", wide.join(","));
        assert_eq!(parse(wide.as_bytes(), &limits).unwrap_err().code(), Code::JsonDuplicateKey);
        assert_eq!(4.to_string(), "4");
    }
}
