//! One vector: its steps in order, and what they should give.

use std::collections::BTreeMap;

use counterfoil::Error;
use serde_json::{Map, Value, json};

use crate::arms::{self, Objects};

/// Runs a vector and counts its steps by operation.
///
/// # Errors
/// What differs, or what is no vector.
pub(crate) fn run(vector: &Value, counts: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let vector = vector.as_object().ok_or("a vector is an object")?;
    known(vector, &["format", "id", "title", "rules", "scope", "steps"])?;
    if vector.get("format") != Some(&json!("counterfoil/vector/0")) {
        return Err("unknown format".into());
    }
    let steps = vector.get("steps").and_then(Value::as_array).ok_or("a vector has steps")?;
    let mut objects = Objects::default();
    for (number, step) in steps.iter().enumerate() {
        let step = step.as_object().ok_or("a step is an object")?;
        known(step, &["op", "in", "as", "out", "error"])?;
        let op = step.get("op").and_then(Value::as_str).ok_or("a step names its operation")?;
        let given = step.get("in").and_then(Value::as_object).ok_or("a step has `in`")?;
        let name = step.get("as").and_then(Value::as_str);
        let actual = arms::run(op, given, name, &mut objects)
            .map_err(|e| format!("step {number} {op}: {e}"))?;
        compare(step, actual).map_err(|e| format!("step {number} {op}: {e}"))?;
        *counts.entry(op.to_owned()).or_default() += 1;
    }
    Ok(())
}

/// The vector with the core's own results.
///
/// # Errors
/// What is no vector.
pub(crate) fn fill(vector: &Value) -> Result<Value, String> {
    let mut filled = vector.clone();
    let mut objects = Objects::default();
    let steps = filled.get_mut("steps").and_then(Value::as_array_mut).ok_or("no steps")?;
    for step in steps.iter_mut().filter_map(Value::as_object_mut) {
        let op = step.get("op").and_then(Value::as_str).unwrap_or_default().to_owned();
        let given = step.get("in").and_then(Value::as_object).cloned().unwrap_or_default();
        let name = step.get("as").and_then(Value::as_str).map(str::to_owned);
        let actual = arms::run(&op, &given, name.as_deref(), &mut objects)?;
        step.remove("out");
        step.remove("error");
        match actual {
            Ok(out) => step.insert("out".into(), out),
            Err(e) => step.insert(
                "error".into(),
                json!({
                "code": e.code().as_str(), "place": e.place(), "message": e.to_string()}),
            ),
        };
    }
    Ok(filled)
}

/// Refuses members that the format does not have.
pub(crate) fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown member `{name}`")),
        None => Ok(()),
    }
}

fn compare(step: &Map<String, Value>, actual: Result<Value, Error>) -> Result<(), String> {
    match (step.get("out"), step.get("error"), actual) {
        (Some(out), None, Ok(actual)) if *out == actual => Ok(()),
        (Some(out), None, Ok(actual)) => Err(difference(out, &actual, "")),
        (None, Some(error), Err(actual)) => {
            let code = error.get("code").and_then(Value::as_str);
            let place = error.get("place").and_then(Value::as_str);
            let same = code == Some(actual.code().as_str())
                && (place.is_none() || place == actual.place());
            if same { Ok(()) } else { Err(format!("expected {error}, got {actual:?}")) }
        }
        (_, _, Ok(actual)) => Err(format!("expected an error, got {actual}")),
        (_, _, Err(actual)) => Err(format!("expected a result, got {actual:?}")),
    }
}

/// The first member that differs.
fn difference(expected: &Value, actual: &Value, at: &str) -> String {
    if let (Some(a), Some(b)) = (expected.as_object(), actual.as_object()) {
        for (name, value) in a {
            let place = format!("{at}/{name}");
            match b.get(name) {
                Some(other) if other == value => {}
                Some(other) => return difference(value, other, &place),
                None => return format!("{place} is missing"),
            }
        }
        if let Some(name) = b.keys().find(|name| !a.contains_key(*name)) {
            return format!("{at}/{name} is too much");
        }
    }
    format!("{at}: expected {expected}, got {actual}")
}
