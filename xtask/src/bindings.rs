//! `bindings`, `python`, `kotlin`, `swift`: the native library, the sources generated for it, and the
//! tests of each language.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::session::{Language, Session};
use crate::tools::{Outcome, cargo, present, run as run_command, scratch, target};

const FOLDER: &str = "bindings-uniffi";
const PACKAGE: &str = "counterfoil-uniffi";

/// All three; the library and the generator are built once.
pub(crate) fn run(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let done = [test_python(session), test_kotlin(session), test_swift(session)];
    let failed: Vec<String> = done.into_iter().filter_map(Result::err).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

pub(crate) fn python(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    test_python(session)
}

pub(crate) fn kotlin(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    test_kotlin(session)
}

pub(crate) fn swift(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    test_swift(session)
}

fn test_python(session: &mut Session) -> Outcome {
    let Some(python) = crate::python::python(session, "python bindings")? else { return Ok(()) };
    let folder = Path::new(FOLDER).join("python");
    let made = generate("python")?;
    copy(&made.join("counterfoil_ffi.py"), &folder.join("counterfoil/_native.py"))?;
    install_library(&folder.join("counterfoil"))?;
    let mut types = Command::new(&python);
    types.args(["-m", "mypy", "--config-file"]).arg(folder.join("mypy.ini"));
    run_command(types.env("MYPYPATH", &folder))?;
    let mut tests = Command::new(&python);
    tests.args(["-m", "pytest", "--quiet"]).arg(folder.join("tests"));
    session.test(Language::Python, &mut tests)
}

fn test_kotlin(session: &mut Session) -> Outcome {
    if !present("java") || !present("mvn") {
        return session.not_run("kotlin", "install a JDK, 11 or later, and Maven");
    }
    let folder = Path::new(FOLDER).join("kotlin");
    let made = generate("kotlin")?;
    let sources = folder.join("target/uniffi/org/counterfoil");
    copy(&made.join("org/counterfoil/counterfoil_ffi.kt"), &sources.join("Native.kt"))?;
    install_library(&folder.join("target/native"))?;
    let mut tests = Command::new("mvn");
    tests.args(["-B", "-ntp", "-Dstyle.color=never", "test", "-f"]).arg(folder.join("pom.xml"));
    session.test(Language::Kotlin, &mut tests)
}

fn test_swift(session: &mut Session) -> Outcome {
    let folder = Path::new(FOLDER).join("swift");
    let program = folder.join("swift.sh");
    let here = Command::new(&program).arg("--present").status();
    if !here.is_ok_and(|status| status.success()) {
        if !session.strict {
            let how = format!("install Swift 6, or `sudo {} --install`", program.display());
            return session.not_run("swift", &how);
        }
        run_command(Command::new(&program).arg("--install"))?;
    }
    let made = generate("swift")?;
    copy(&made.join("Native.swift"), &folder.join("Sources/Counterfoil/Native.swift"))?;
    copy(&made.join("CounterfoilFFI.h"), &folder.join("Sources/CounterfoilFFI/CounterfoilFFI.h"))?;
    install_library(&folder.join("native"))?;
    let mut build = Command::new(&program);
    run_command(build.args(["build", "--product", "Conformance"]))?;
    session.test(Language::Swift, Command::new(&program).arg("test"))
}

/// The sources of one language for the library as it is now. The generator takes minutes to compile
/// for the first time: always in the dev profile, which is good enough for a tenth of a second's work.
fn generate(language: &str) -> Outcome<PathBuf> {
    run_command(cargo().args(["build", "--package", PACKAGE, "--lib"]))?;
    let mut generator = cargo();
    generator.args(["build", "--package", PACKAGE, "--features", "bindgen"]);
    run_command(generator.args(["--bin", "uniffi-bindgen"]))?;
    let folder = scratch(&format!("uniffi-{language}"))?;
    let mut command = Command::new(target()?.join("debug/uniffi-bindgen"));
    command.arg("generate").arg(library()?).args(["--language", language, "--no-format"]);
    run_command(command.arg("--out-dir").arg(&folder))?;
    Ok(folder)
}

/// The native library in the dev profile: small, quickly built, and fast enough for all vectors.
fn library() -> Outcome<PathBuf> {
    Ok(target()?.join("debug").join(format!("{DLL_PREFIX}counterfoil_ffi{DLL_SUFFIX}")))
}

fn install_library(folder: &Path) -> Outcome {
    let library = library()?;
    let name = library.file_name().ok_or("no library")?;
    copy(&library, &folder.join(name))
}

/// Copies what has changed: an untouched file is not compiled again.
fn copy(from: &Path, to: &Path) -> Outcome {
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    let bytes = fs::read(from).map_err(|e| failed(from, e))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let parent = to.parent().ok_or("no folder")?;
    fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
    // A library that a running program has mapped is replaced, not overwritten.
    let _ = fs::remove_file(to);
    fs::write(to, bytes).map_err(|e| failed(to, e))
}
