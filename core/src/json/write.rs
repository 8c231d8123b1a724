//! Tree to text.

use alloc::string::String;
use core::fmt::Write as _;

use crate::json::Value;

impl Value {
    /// The value on one line, members in their order.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut out = String::new();
        write(&mut out, self, None);
        out
    }

    /// The value over many lines, indented by two spaces, members in their order.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        write(&mut out, self, Some(0));
        out
    }
}

/// `level` is the indentation; `None` writes one line.
fn write(out: &mut String, value: &Value, level: Option<usize>) {
    let inner = level.map(|n| n.saturating_add(1));
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(lexeme) => out.push_str(lexeme),
        Value::String(text) => write_string(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            let mut open = '[';
            for item in items {
                out.push(open);
                line(out, inner);
                write(out, item, inner);
                open = ',';
            }
            line(out, level);
            out.push(']');
        }
        Value::Object(object) if object.is_empty() => out.push_str("{}"),
        Value::Object(object) => {
            let mut open = '{';
            for (name, member) in object.iter() {
                out.push(open);
                line(out, inner);
                write_string(out, name);
                out.push(':');
                if level.is_some() {
                    out.push(' ');
                }
                write(out, member, inner);
                open = ',';
            }
            line(out, level);
            out.push('}');
        }
    }
}

fn line(out: &mut String, level: Option<usize>) {
    if let Some(level) = level {
        out.push('\n');
        for _ in 0..level {
            out.push_str("  ");
        }
    }
}

/// A string with the escapes of RFC 8785 section 3.2.2.2.
pub(super) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
