//! The surface table: which operations there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// `spec/surface.json`.
#[derive(Debug)]
pub struct Surface {
    operations: BTreeMap<String, Operation>,
}

#[derive(Debug)]
struct Operation {
    internal: bool,
    /// The members of its `in`.
    members: BTreeSet<String>,
}

impl Surface {
    /// Reads the table.
    ///
    /// # Errors
    /// Says what is malformed.
    pub fn read(text: &str) -> Result<Surface, String> {
        let document: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if document["format"] != "counterfoil/surface/0" {
            return Err("not a surface of a known format".into());
        }
        let rows = document["operations"].as_array().ok_or("no operations")?;
        let mut operations = BTreeMap::new();
        for row in rows {
            let op = row["op"].as_str().ok_or("an operation without a name")?;
            let internal = match row["scope"].as_str() {
                Some("all") => false,
                Some("internal") => true,
                _ => return Err(format!("{op}: no scope")),
            };
            let members = row["in"].as_object().ok_or_else(|| format!("{op}: no input"))?;
            let members = members.keys().cloned().collect();
            let operation = Operation { internal, members };
            if operations.insert(op.to_owned(), operation).is_some() {
                return Err(format!("{op} twice"));
            }
        }
        Ok(Surface { operations })
    }

    /// Whether an operation runs in Rust and in the model only.
    ///
    /// # Errors
    /// For an operation that is not in the table.
    pub fn is_internal(&self, op: &str) -> Result<bool, String> {
        Ok(self.operation(op)?.internal)
    }

    fn operation(&self, op: &str) -> Result<&Operation, String> {
        let found = self.operations.get(op);
        found.ok_or_else(|| format!("no operation `{op}` in spec/surface.json"))
    }

    /// Refuses members that an operation's `in` does not have.
    ///
    /// # Errors
    /// Names the first one.
    pub fn check_input(&self, op: &str, input: &Value) -> Result<(), String> {
        let operation = self.operation(op)?;
        let mut members = input.as_object().into_iter().flatten();
        match members.find(|(name, _)| !operation.members.contains(*name)) {
            Some((name, _)) => Err(format!("{op} has no member `{name}`")),
            None => Ok(()),
        }
    }

    /// Every operation, by name.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }
}
