//! The crates of this workspace, read from its manifests so that no list can go stale.

use std::fs;
use std::path::PathBuf;

use crate::tools::Outcome;

/// One crate of the workspace.
pub(crate) struct Crate {
    /// As in its manifest.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Whether it goes to crates.io.
    pub(crate) published: bool,
}

impl Crate {
    /// A library whose public API is a promise.
    pub(crate) fn is_public_library(&self) -> bool {
        self.published && self.folder.join("src/lib.rs").exists()
    }
}

/// Every crate of the workspace, in the order of the root manifest.
pub(crate) fn crates() -> Outcome<Vec<Crate>> {
    let root = read("Cargo.toml".into())?;
    members(&root)
        .map(|folder| {
            let folder = PathBuf::from(folder);
            let manifest = read(folder.join("Cargo.toml"))?;
            let name = manifest.lines().find_map(|l| l.strip_prefix("name = "));
            let name = name.ok_or_else(|| format!("{}: no name", folder.display()))?;
            let name = name.trim_matches('"').to_string();
            let published = !manifest.lines().any(|l| l == "publish = false");
            Ok(Crate { name, folder, published })
        })
        .collect()
}

/// The quoted words of `members = [ … ]`.
fn members(root: &str) -> impl Iterator<Item = &str> {
    let list = root.split("members = [").nth(1).and_then(|rest| rest.split(']').next());
    list.unwrap_or("").split('"').skip(1).step_by(2)
}

fn read(path: PathBuf) -> Outcome<String> {
    fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_on_one_line_and_on_many_are_found() {
        let one = "[workspace]\nmembers = [\"core\", \"xtask\"]\nexclude = [\"fuzz\"]";
        assert_eq!(members(one).collect::<Vec<_>>(), ["core", "xtask"]);
        let many = "members = [\n  \"core\",\n  \"cli\", # the binary\n]\n";
        assert_eq!(members(many).collect::<Vec<_>>(), ["core", "cli"]);
    }
}
