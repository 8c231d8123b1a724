//! The example plans: each is a plan, and each call that their README prices costs what it says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{counterfoil, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plans")
}

/// The words of a command line in which single quotes hold one word together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_call_of_the_readme_costs_what_it_says() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let mut priced = BTreeSet::new();
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let (command, told) = block.split_once('\n').unwrap();
        let words = words(command.strip_prefix("$ counterfoil ").unwrap());
        let ran = run(counterfoil(&words).current_dir(folder())).ok();
        assert_eq!(ran.out, told, "{command}");
        priced.insert(words[2].clone());
    }
    assert!(priced.len() >= 7, "{priced:?}");
}

#[test]
fn every_file_is_a_plan_and_stands_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".json") {
            run(counterfoil(["plan", "check"]).arg(&path)).ok();
            assert!(readme.contains(&format!("({name})")), "{name}");
        }
    }
}
