//! `api`: the public API of each published library as text, so that a change shows in review.

use std::process::Command;

use crate::args::Args;
use crate::gates::optional;
use crate::session::Session;
use crate::tools::{self, Outcome, PUBLIC_API, cache, cargo, keep};
use crate::workspace;

/// `api [--check]`.
pub(crate) fn run(session: &mut Session, mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.done()?;
    let Some(program) = optional(session, &PUBLIC_API, "api")? else { return Ok(()) };
    for library in workspace::crates()?.iter().filter(|c| c.is_public_library()) {
        describe(&library.name)?;
        let description = cache().join("api/doc").join(library.name.replace('-', "_") + ".json");
        let mut command = Command::new(&program);
        // Three times simplified: no blanket, automatic or derived implementations.
        command.args(["-sss", "--color", "never", "--rustdoc-json"]).arg(description);
        let text = tools::output(&mut command)?;
        keep(&library.folder.join("api.txt"), &text, check, "cargo xtask api")?;
    }
    Ok(())
}

/// Has rustdoc describe a library in JSON. The form is unstable, so the compiler that the project is
/// built with is told to allow it (which spares a second toolchain), in a target folder of its own.
fn describe(package: &str) -> Outcome {
    let mut command = cargo();
    command.args(["rustdoc", "--lib", "--all-features", "--package", package]);
    command.arg("--target-dir").arg(cache().join("api")).env("RUSTC_BOOTSTRAP", "1");
    tools::run(command.args(["--", "-Z", "unstable-options", "--output-format", "json"]))
}
