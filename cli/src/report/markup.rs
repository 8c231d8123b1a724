//! The one way to write markup. What is raw must be part of the source code (`&'static str`);
//! everything else is escaped. Tags are closed and attributes quoted, so the page is well-formed
//! XML as well as HTML.

use std::fmt::{self, Display, Write};

use super::text::short;

/// Markup under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Appends markup that stands in the source code.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends a value as text. It is equally safe within a quoted attribute.
    pub(super) fn text(&mut self, value: impl Display) -> &mut Self {
        // Writing to a `String` does not fail, and neither do the `Display`s used here.
        let _ = write!(Escaped(&mut self.0), "{value}");
        self
    }

    /// Appends ` name="value"`.
    pub(super) fn attr(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// Appends a name that somebody chose: isolated, so that right-to-left characters in it do not
    /// reorder what stands beside it, and with places where a narrow column may break it. A long
    /// hexadecimal id is shortened; the pointer shows all of it.
    pub(super) fn name(&mut self, value: impl Display) -> &mut Self {
        let name = value.to_string();
        if name.starts_with("0x") && short(&name) != name {
            return self.raw("<bdi").attr("title", &name).raw(">").wrap("", short(&name), "</bdi>");
        }
        self.raw("<bdi>");
        for piece in name.split_inclusive(['_', '/', '.', ':', '@']) {
            self.text(piece);
            if !piece.ends_with(char::is_alphanumeric) {
                self.raw("<wbr/>");
            }
        }
        self.raw("</bdi>")
    }

    /// Appends `<tag>value</tag>`, from the two static halves.
    pub(super) fn wrap(
        &mut self,
        open: &'static str,
        value: impl Display,
        close: &'static str,
    ) -> &mut Self {
        self.raw(open).text(value).raw(close)
    }

    /// The markup.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\t' | '\n' | '\r' => self.0.push(' '),
                // Not characters of XML: shown as what they are, unreadable.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    self.0.push('\u{fffd}');
                }
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_source_code_is_escaped() {
        let mut h = Html::default();
        h.raw("<p").attr("title", "a\" onclick='x'").raw(">").text("<script>&\u{0}").raw("</p>");
        assert_eq!(
            h.finish(),
            "<p title=\"a&quot; onclick=&#39;x&#39;\">&lt;script&gt;&amp;\u{fffd}</p>"
        );
    }
}
