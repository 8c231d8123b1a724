//! The RFC 8785 form.

use alloc::{string::String, vec::Vec};

use unicode_normalization::is_nfc;

use crate::{
    error::{Code, Result},
    json::{Node, Value, write::write_string},
};

impl Value {
    /// The RFC 8785 (JCS) form. Nothing is repaired: numbers must be exact non-negative integers below
    /// 2^53 in canonical digits, text must be in Unicode normalization form C.
    ///
    /// # Errors
    /// `json_number`, `text_invalid`, with the JSON Pointer.
    pub fn canonical(&self) -> Result<Vec<u8>> {
        self.root().canonical()
    }
}

impl Node<'_> {
    /// The RFC 8785 form of this part of a document.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>> {
        let mut out = String::new();
        write(&mut out, *self)?;
        Ok(out.into_bytes())
    }
}

fn write(out: &mut String, node: Node<'_>) -> Result<()> {
    match node.value() {
        Value::Number(lexeme) => {
            node.integer()?;
            out.push_str(lexeme);
        }
        Value::String(text) => {
            check_nfc(text, &node)?;
            write_string(out, text);
        }
        Value::Array(_) => {
            out.push('[');
            for (index, item) in node.items()?.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Value::Object(_) => {
            let mut members: Vec<_> = node.fields()?.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                check_nfc(name, &member)?;
                write_string(out, name);
                out.push(':');
                write(out, member)?;
            }
            out.push('}');
        }
        word => out.push_str(&word.compact()),
    }
    Ok(())
}

fn check_nfc(text: &str, node: &Node<'_>) -> Result<()> {
    if text.is_ascii() || is_nfc(text) {
        return Ok(());
    }
    Err(node.error(Code::TextInvalid).because("not in unicode normalization form c"))
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Code,
        json::{Limits, parse},
    };
    use alloc::string::String;

    fn canonical(text: &str) -> crate::Result<String> {
        let tree = parse(text.as_bytes(), &Limits::default()).unwrap();
        tree.canonical().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn orders_names_by_utf16_and_escapes_little() {
        // The ordering example of RFC 8785 section 3.2.3.
        let out = canonical(
            "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Dalet\",\"1\":\"One\",\
             \"\\ud83d\\ude00\":\"Smile\",\"\\u0080\":\"Control\",\"\\u00f6\":\"o\"}",
        );
        // U+FB33 is not in form C (it decomposes), so this very document is refused.
        assert_eq!(out.unwrap_err().code(), Code::TextInvalid);
        let out = canonical(
            "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb00\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6}",
        )
        .unwrap();
        assert_eq!(
            out,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb00}\":3}"
        );
        assert_eq!(
            canonical(r#" { "b" : [ true , null ] , "a" : "\u000f\n\/\"" } "#).unwrap(),
            "{\"a\":\"\\u000f\\n/\\\"\",\"b\":[true,null]}"
        );
    }

    #[test]
    fn repairs_nothing() {
        for (text, place) in [
            ("{\"a\":[1,1.5]}", "/a/1"),
            ("{\"a\":-1}", "/a"),
            ("{\"a\":1e3}", "/a"),
            ("{\"a\":9007199254740992}", "/a"),
        ] {
            let e = canonical(text).unwrap_err();
            assert_eq!((e.code(), e.place()), (Code::JsonNumber, Some(place)));
        }
        let e = canonical("{\"a\":\"e\\u0301\"}").unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::TextInvalid, Some("/a")));
    }
}
