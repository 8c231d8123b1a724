//! The page on surfaces names every surface, and every part with its wholes.

use std::collections::BTreeSet;

use counterfoil::usage::{Surface, WHOLES};

/// The rows of the table below a heading, each as its cells.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let after = document.split_once(heading).unwrap().1;
    let rows = after.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect())
        .collect()
}

/// What stands in code in a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/surfaces.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_surface_is_described() {
    let page = page();
    let rows = table(&page, "\n## The surfaces\n");
    let described: Vec<&str> = rows.iter().map(|row| names(&row[0])[0]).collect();
    let known: Vec<&str> = Surface::ALL.iter().map(|surface| surface.as_str()).collect();
    assert_eq!(described, known);
}

#[test]
fn every_part_stands_beside_its_wholes() {
    let page = page();
    let rows = table(&page, "\n## What is inside what\n");
    let described: BTreeSet<(&str, BTreeSet<&str>)> = rows
        .iter()
        .flat_map(|row| {
            names(&row[1]).into_iter().map(|part| (part, names(&row[0]).into_iter().collect()))
        })
        .collect();
    let known: BTreeSet<(&str, BTreeSet<&str>)> = WHOLES
        .iter()
        .filter(|(_, wholes)| !wholes.is_empty())
        .map(|(part, wholes)| (*part, wholes.iter().copied().collect()))
        .collect();
    assert_eq!(described, known);
}
