//! Running one vector.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    arms::{self, Objects},
    input::{Outcome, Stop, fault},
    output,
    surface::Surface,
    vector::{Expected, Step, Vector, resolve},
};

/// Whether results are compared or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A step must have a result, and the core must give the same.
    Check,
    /// The core's results are written into the vector.
    Print,
}

/// What running a vector came to.
#[derive(Debug)]
pub struct Report {
    /// The vector's id.
    pub id: String,
    /// The rules that it shows.
    pub rules: Vec<String>,
    /// Whether it runs in Rust and in the model only.
    pub internal: bool,
    /// How many steps of each operation ran.
    pub steps: BTreeMap<String, u64>,
    /// The file with the core's results.
    pub text: String,
    /// Where expectation and result differ.
    pub differences: Vec<String>,
}

/// Runs the vector in `text`.
///
/// # Errors
/// Says what is wrong with the vector itself, as opposed to a result that differs.
pub fn run_text(text: &str, surface: &Surface, mode: Mode) -> Result<Report, String> {
    // Names that occur twice are lost on most readers: the core's own refuses them.
    counterfoil::json::parse(text.as_bytes(), &counterfoil::json::Limits::default())
        .map_err(|e| e.to_string())?;
    let mut document: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let vector = Vector::read(document.clone()).map_err(describe)?;
    let mut run = Run::default();
    let mut report = Report {
        id: vector.id,
        rules: vector.rules,
        internal: vector.internal,
        steps: BTreeMap::new(),
        text: String::new(),
        differences: Vec::new(),
    };
    for (number, step) in vector.steps.into_iter().enumerate() {
        let place = format!("step {number} ({})", step.op);
        if surface.is_internal(&step.op)? && !vector.internal {
            return Err(format!("{place}: an internal operation in a vector for all"));
        }
        surface.check_input(&step.op, &step.input)?;
        *report.steps.entry(step.op.clone()).or_default() += 1;
        let expected = step.expected.clone();
        let result = run.step(step).map_err(|stop| format!("{place}: {}", describe(stop)))?;
        match expected {
            _ if mode == Mode::Print => {}
            Some(expected) if agrees(&expected, &result) => {}
            Some(expected) => report
                .differences
                .push(format!("{place}:\n    expected {expected:?}\n    got      {result:?}")),
            None => report.differences.push(format!("{place}: no result is expected")),
        }
        fill(&mut document, number, result);
    }
    report.text = pretty(&document)?;
    Ok(report)
}

/// Objects and outs of the steps so far.
#[derive(Default)]
struct Run {
    objects: Objects,
    outs: Map<String, Value>,
}

impl Run {
    fn step(&mut self, step: Step) -> Outcome<Expected> {
        if let Some(name) = &step.name
            && self.outs.contains_key(name)
        {
            return fault(format!("`{name}` is taken"));
        }
        let input = resolve(step.input, &self.outs)?;
        match arms::run(&step.op, input, &mut self.objects) {
            Ok((out, object)) => {
                if let Some(name) = step.name {
                    if let Some(object) = object {
                        self.objects.insert(name.clone(), object);
                    }
                    self.outs.insert(name, out.clone());
                }
                Ok(Expected::Out(out))
            }
            Err(Stop::Refused(error)) => Ok(Expected::Error(output::error(&error))),
            Err(stop) => Err(stop),
        }
    }
}

/// Whether a result is the expected one. An error without a place may come from anywhere.
fn agrees(expected: &Expected, result: &Expected) -> bool {
    match (expected, result) {
        (Expected::Error(expected), Expected::Error(result)) => {
            expected["code"] == result["code"]
                && expected.get("place").is_none_or(|place| result.get("place") == Some(place))
                && expected.as_object().is_some_and(|members| {
                    members.keys().all(|name| name == "code" || name == "place")
                })
        }
        _ => expected == result,
    }
}

fn fill(document: &mut Value, number: usize, result: Expected) {
    let Some(step) = document["steps"][number].as_object_mut() else { return };
    step.shift_remove("out");
    step.shift_remove("error");
    match result {
        Expected::Out(out) => step.insert("out".into(), out),
        Expected::Error(error) => step.insert("error".into(), error),
    };
}

/// The form of every vector file: indented by one space, and a line feed at the end.
pub(crate) fn pretty(document: &Value) -> Result<String, String> {
    use serde_json::ser::{PrettyFormatter, Serializer};
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(b" ");
    serde::Serialize::serialize(document, &mut Serializer::with_formatter(&mut bytes, formatter))
        .map_err(|e| e.to_string())?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|e| e.to_string())
}

fn describe(stop: Stop) -> String {
    match stop {
        Stop::Refused(error) => format!("{error:?}"),
        Stop::Fault(why) => why,
    }
}
