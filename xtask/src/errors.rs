//! `errors`: the table of error codes in docs/ERRORS.md, from the table in the core's source.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::args::Args;
use crate::session::Session;
use crate::tools::{Outcome, keep};

const SOURCE: &str = "core/src/error.rs";
const DOCUMENT: &str = "docs/ERRORS.md";

const HEAD: &str = "\
# Error codes

Every failure has a *code*, which never changes its meaning and is the same in every language, a
*place* (a JSON Pointer, a file and byte, a lane and sequence), the *offending value* cut to a
readable length, and a message. Programs should look at the code; the message is for people and may
be reworded. A refused call is not an error: it is a [denial](denials.md), with its own reasons.

`cargo xtask errors` writes this page from `core/src/error.rs`.

| code | message | meaning | what helps |
| --- | --- | --- | --- |
";

/// One row of the table.
#[derive(Debug, PartialEq)]
struct Row {
    code: String,
    message: String,
    meaning: String,
    /// What changes the answer, in one line.
    helps: String,
}

/// `errors [--check]`.
pub(crate) fn run(_: &mut Session, mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.done()?;
    let source = fs::read_to_string(SOURCE).map_err(|e| format!("{SOURCE}: {e}"))?;
    let mut text = HEAD.to_string();
    for Row { code, message, meaning, helps } in rows(&source)? {
        let (meaning, helps) = (meaning.replace('|', "\\|"), helps.replace('|', "\\|"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{code}` | {message} | {meaning} | {helps} |");
    }
    fs::create_dir_all("docs").map_err(|e| e.to_string())?;
    keep(Path::new(DOCUMENT), &text, check, "cargo xtask errors")
}

/// Reads the rows between `codes! {` and `}`: doc lines, the last of which begin with `Helps: `, then
/// `Variant = "code", "message";`. A line of any other form is an error, so that no code, and nothing of
/// what helps, can be left out.
fn rows(source: &str) -> Outcome<Vec<Row>> {
    let (_, table) = source.split_once("\ncodes! {\n").ok_or("no `codes!` table in the source")?;
    let mut rows = Vec::new();
    let (mut meaning, mut helps) = (String::new(), String::new());
    for line in table.lines().take_while(|line| *line != "}").map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            let doc = doc.trim();
            let (text, doc) = match doc.strip_prefix("Helps: ") {
                Some(doc) => (&mut helps, doc),
                None if helps.is_empty() => (&mut meaning, doc),
                None => (&mut helps, doc),
            };
            if !text.is_empty() && !doc.is_empty() {
                text.push(' ');
            }
            text.push_str(doc);
        } else if !line.is_empty() {
            let words: Vec<&str> = line.split('"').collect();
            let [_, code, _, message, ";"] = words[..] else {
                return Err(format!("{SOURCE}: not a row of the table: {line}"));
            };
            if meaning.is_empty() || helps.is_empty() {
                return Err(format!("{SOURCE}: {code} does not say what it means, or what helps"));
            }
            let (meaning, helps) = (std::mem::take(&mut meaning), std::mem::take(&mut helps));
            rows.push(Row { code: code.into(), message: message.into(), meaning, helps });
        }
    }
    if rows.is_empty() { Err(format!("{SOURCE}: empty table")) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_meaning_and_nothing_is_left_out() {
        let source = "x\ncodes! {\n    /// Too\n    /// long.\n    ///\n    /// Helps: a\n    /// knife.\n    A = \"a_b\", \"too long\";\n\n}\ny";
        let row = Row {
            code: "a_b".into(),
            message: "too long".into(),
            meaning: "Too long.".into(),
            helps: "a knife.".into(),
        };
        assert_eq!(rows(source), Ok(vec![row]));
        assert!(rows("\ncodes! {\n    A = \"a\", \"no meaning\";\n}").is_err());
        assert!(rows("\ncodes! {\n    /// Odd.\n    A => \"a\";\n}").is_err());
        assert!(rows("no table").is_err());
    }
}
