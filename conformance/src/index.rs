//! The index of all vectors, and what it tells: what has no vector yet, and who ran everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::{Counts, Report, run::pretty};

/// The index of these vectors, as a file.
///
/// # Errors
/// None that a well-formed report can cause.
pub fn index(reports: &[(String, Report)]) -> Result<String, String> {
    let steps = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(op, n)| (op.clone(), json!(n))).collect::<Map<_, _>>()
    };
    let total = |internal_too: bool| {
        let mut counts = Counts::default();
        reports
            .iter()
            .filter(|(_, r)| internal_too || !r.internal)
            .for_each(|(_, r)| counts.add(r));
        json!({"vectors": counts.vectors, "steps": steps(&counts.steps)})
    };
    let vectors: Vec<Value> = reports
        .iter()
        .map(|(file, report)| {
            json!({
                "id": report.id,
                "file": file,
                "scope": if report.internal { "internal" } else { "all" },
                "rules": report.rules,
                "steps": steps(&report.steps),
            })
        })
        .collect();
    pretty(&json!({
        "format": "counterfoil/vector-index/0",
        "totals": {"all": total(false), "with internal": total(true)},
        "vectors": vectors,
    }))
}

/// What has no vector: rules, operations. And vectors that name a rule that there is not.
///
/// # Errors
/// For a specification that cannot be read.
pub fn gaps(
    spec: &Path,
    reports: &[(String, Report)],
    operations: &[String],
) -> Result<Vec<String>, String> {
    let stated = rules(spec)?;
    let shown: BTreeSet<&String> = reports.iter().flat_map(|(_, r)| &r.rules).collect();
    let run: BTreeSet<&String> = reports.iter().flat_map(|(_, r)| r.steps.keys()).collect();
    let mut gaps = Vec::new();
    for (rule, _) in stated.iter().filter(|(rule, asks)| **asks && !shown.contains(rule)) {
        gaps.push(format!("{rule} has no vector"));
    }
    for op in operations.iter().filter(|op| !run.contains(op)) {
        gaps.push(format!("{op} has no vector"));
    }
    for (_, report) in reports {
        if report.rules.is_empty() {
            gaps.push(format!("{} names no rule", report.id));
        }
        for rule in report.rules.iter().filter(|rule| !stated.contains_key(*rule)) {
            gaps.push(format!("{} names {rule}, which is no rule", report.id));
        }
    }
    Ok(gaps)
}

/// The rules that the documents of the specification state: `**R-ROOM-nnn**` where a line begins; and
/// whether they ask for a vector: one that says right there that it is informative or withdrawn does
/// not.
fn rules(spec: &Path) -> Result<BTreeMap<String, bool>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", spec.display());
    let mut rules = BTreeMap::new();
    for item in fs::read_dir(spec).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        if path.extension().is_none_or(|e| e != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        for line in text.lines() {
            let Some((rule, rest)) = line.strip_prefix("**").and_then(|l| l.split_once("**"))
            else {
                continue;
            };
            let asks = !["(informative)", "*withdrawn*"].iter().any(|w| rest.trim().starts_with(w));
            if rule.starts_with("R-") {
                rules.insert(rule.to_owned(), asks);
            }
        }
    }
    if rules.is_empty() {
        return Err(format!("{}: no rules", spec.display()));
    }
    Ok(rules)
}

/// Compares the steps that a conformance program ran, by operation, with the index. Rust runs the
/// internal vectors, too.
///
/// # Errors
/// Every operation whose count differs.
pub fn compare(index: &str, language: &str, counts: &str) -> Result<String, String> {
    let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
    let part = if language == "rust" { "with internal" } else { "all" };
    let wanted = read(index)?["totals"][part]["steps"].as_object().cloned().unwrap_or_default();
    let ran = read(counts)?.as_object().cloned().ok_or("counts are an object")?;
    let operations: BTreeSet<&String> = wanted.keys().chain(ran.keys()).collect();
    let count = |of: &Map<String, Value>, op: &String| of.get(op).and_then(Value::as_u64);
    let differences: Vec<String> = operations
        .into_iter()
        .filter(|op| count(&wanted, op) != count(&ran, op))
        .map(|op| {
            let [ran, wanted] = [&ran, &wanted].map(|of| count(of, op).unwrap_or(0));
            format!("{op}: {ran} of {wanted} steps")
        })
        .collect();
    if !differences.is_empty() {
        return Err(format!("{language}: {}", differences.join(", ")));
    }
    let total: u64 = ran.values().filter_map(Value::as_u64).sum();
    Ok(format!("{language}: {total} steps of {} operations", ran.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_differ_are_named() {
        let index = r#"{"totals":{"all":{"steps":{"a":1,"b":2}}}}"#;
        let same = compare(index, "node", r#"{"a":1,"b":2}"#).unwrap();
        assert_eq!(same, "node: 3 steps of 2 operations");
        let why = compare(index, "node", r#"{"a":1,"b":1,"c":1}"#).unwrap_err();
        assert_eq!(why, "node: b: 1 of 2 steps, c: 1 of 0 steps");
    }

    #[test]
    fn the_rules_are_found() {
        let rules = rules(&crate::spec()).unwrap();
        assert_eq!(rules.get("R-AMT-001"), Some(&true));
        assert_eq!(rules.get("R-RATE-008"), Some(&false));
    }
}
