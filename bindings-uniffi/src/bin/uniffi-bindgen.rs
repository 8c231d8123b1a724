//! Writes the language sources for a built library: see `cargo xtask bindings`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
