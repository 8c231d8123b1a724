//! The command line. Its commands are not here yet.
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "a test that overflows fails, as it should"
    )
)]

#[allow(dead_code, unused_imports, reason = "the command that writes a report is about to land")]
mod report;

fn main() {
    println!("counterfoil {}", env!("CARGO_PKG_VERSION"));
}
