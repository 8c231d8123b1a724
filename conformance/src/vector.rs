//! The form of a vector file.

use serde_json::{Map, Value};

use crate::input::{Input, Outcome, Stop, fault};

/// A script of operations.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) internal: bool,
    pub(crate) rules: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// One operation, and what is expected of it.
pub(crate) struct Step {
    pub(crate) op: String,
    pub(crate) input: Value,
    pub(crate) name: Option<String>,
    pub(crate) expected: Option<Expected>,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expected {
    Out(Value),
    Error(Value),
}

impl Vector {
    pub(crate) fn read(document: Value) -> Outcome<Vector> {
        let mut input = Input::new(document)?;
        if input.text("format")? != "counterfoil/vector/0" {
            return fault("not a vector of a known format");
        }
        let id = input.text("id")?;
        input.text("title")?;
        let rules = input.list("rules")?.into_iter().map(crate::input::text);
        let rules = rules.collect::<Outcome<Vec<_>>>()?;
        let internal = match input.text("scope")?.as_str() {
            "all" => false,
            "internal" => true,
            other => return fault(format!("no scope `{other}`")),
        };
        let steps =
            input.list("steps")?.into_iter().map(Step::read).collect::<Outcome<Vec<_>>>()?;
        input.finish()?;
        Ok(Vector { id, internal, rules, steps })
    }
}

impl Step {
    fn read(step: Value) -> Outcome<Step> {
        let mut input = Input::new(step)?;
        let op = input.text("op")?;
        let arguments = input.take("in")?;
        let name = input.maybe("as").map(crate::input::text).transpose()?;
        let expected = match (input.maybe("out"), input.maybe("error")) {
            (None, None) => None,
            (Some(out), None) => Some(Expected::Out(out)),
            (None, Some(error)) => Some(Expected::Error(error)),
            (Some(_), Some(_)) => return fault(format!("{op}: both out and error")),
        };
        input.finish()?;
        Ok(Step { op, input: arguments, name, expected })
    }
}

/// Replaces every `@name.member` in an input by that member of an earlier step's `out`.
pub(crate) fn resolve(value: Value, outs: &Map<String, Value>) -> Outcome<Value> {
    Ok(match value {
        Value::String(text) if text.starts_with('@') => find(&text, outs)?,
        Value::Array(items) => {
            let items = items.into_iter().map(|item| resolve(item, outs));
            Value::Array(items.collect::<Outcome<Vec<_>>>()?)
        }
        Value::Object(members) => {
            let members =
                members.into_iter().map(|(name, value)| Ok((name, resolve(value, outs)?)));
            Value::Object(members.collect::<Outcome<Map<_, _>>>()?)
        }
        other => other,
    })
}

fn find(reference: &str, outs: &Map<String, Value>) -> Outcome<Value> {
    let missing = || Stop::Fault(format!("`{reference}` names nothing before this step"));
    let mut steps = reference.trim_start_matches('@').split('.');
    let mut value = steps.next().and_then(|name| outs.get(name)).ok_or_else(missing)?;
    for step in steps {
        value = match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => None,
        }
        .ok_or_else(missing)?;
    }
    Ok(value.clone())
}
