//! Writes the JavaScript and the types beside a WebAssembly module, and prints how large it is.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use flate2::{Compression, write::GzEncoder};
use wasm_bindgen_cli_support::Bindgen;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [module, folder] = words.as_slice() else {
        eprintln!("usage: counterfoil-wasm-build MODULE.wasm FOLDER");
        return ExitCode::from(2);
    };
    match build(Path::new(module), Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// One form serves Node and browsers: an ES module that is given the WebAssembly module when it starts.
fn build(module: &Path, folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Bindgen::new()
        .input_path(module)
        .out_name("counterfoil")
        .typescript(true)
        .web(true)?
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)?;
    for name in ["counterfoil_bg.wasm", "counterfoil.js"] {
        let bytes = fs::read(folder.join(name))?;
        println!("{name}: {} bytes, gzip {}", bytes.len(), compressed(&bytes)?);
    }
    Ok(())
}

/// How many bytes are left after gzip -9.
fn compressed(bytes: &[u8]) -> Result<usize, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
