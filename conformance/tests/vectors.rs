//! Every vector of the specification.

use counterfoil_conformance::{Mode, Surface, files, run_files, run_text, spec};

fn surface() -> Surface {
    Surface::read(&std::fs::read_to_string(spec().join("surface.json")).unwrap()).unwrap()
}

#[test]
fn every_vector_gives_its_result_and_every_operation_is_run() {
    let paths = files(&spec().join("vectors")).unwrap();
    let counts = run_files(&paths, Mode::Check).unwrap_or_else(|why| panic!("{why}"));
    let missing: Vec<_> = surface()
        .operations()
        .filter(|op| !counts.steps.contains_key(*op))
        .map(String::from)
        .collect();
    assert!(missing.is_empty(), "operations without a vector: {missing:?}");
}

fn vector(step: &str) -> String {
    format!(
        r#"{{"format":"counterfoil/vector/0","id":"x-y","title":"t","rules":[],"scope":"all","steps":[{step}]}}"#
    )
}

#[test]
fn a_wrong_result_differs() {
    let step = r#"{"op":"money.round","in":{"rounding":"up","exact":"0.5","carried":"0"},"out":{"amount":"0","remainder":"0"}}"#;
    let report = run_text(&vector(step), &surface(), Mode::Check).unwrap();
    assert_eq!(report.differences.len(), 1);
    let report = run_text(
        &vector(&step.replace(r#""amount":"0""#, r#""amount":"1""#)),
        &surface(),
        Mode::Check,
    )
    .unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
}

#[test]
fn a_vector_of_another_form_is_refused() {
    for step in [
        r#"{"op":"money.rounds","in":{}}"#,
        r#"{"op":"money.split","in":{"weights":[],"parts":[]}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"1","carried":"0","more":"0"}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"1","carried":0}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"1","carried":"00"}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"@a.b","carried":"0"}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"1","carried":"0"},"outs":{}}"#,
        r#"{"op":"money.round","in":{"rounding":"up","exact":"1","exact":"1","carried":"0"}}"#,
        r#"{"op":"plan.quote","in":{"plan":"p","usage":{"meters":{}},"at":"0"}}"#,
    ] {
        assert!(run_text(&vector(step), &surface(), Mode::Check).is_err(), "{step}");
    }
}
