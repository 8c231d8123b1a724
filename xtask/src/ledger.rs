//! Ledgers made for a task, and which of their files are evidence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{Cli, Input};
use crate::tools::{Outcome, run};

/// Files that do not depend on keys, plan and commands alone: they speed up or describe a restart.
const NOT_EVIDENCE: [&str; 3] = ["lock", "snapshot", "repair"];

/// A key, a ledger and its settlement, in one folder.
pub(crate) struct Made {
    pub(crate) key: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) settlement: PathBuf,
}

impl Made {
    /// Names the files in `folder`, makes the key, and puts its address into a copy of the input's
    /// plan: a plan names whose signatures count.
    pub(crate) fn with_key(cli: &Cli, folder: &Path, input: &mut Input) -> Outcome<Self> {
        let made = Made {
            key: folder.join("seller.key"),
            ledger: folder.join("ledger"),
            settlement: folder.join("settlement.json"),
        };
        let address = address(&mut cli.keygen(&made.key))?;
        let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
        let plan = fs::read_to_string(&input.plan).map_err(|e| failed(&input.plan, e))?;
        let own = with_authority(&plan, &address)
            .ok_or_else(|| format!("{}: no authority", input.plan.display()))?;
        input.plan = folder.join("plan.json");
        fs::write(&input.plan, own).map_err(|e| failed(&input.plan, e))?;
        Ok(made)
    }

    /// Meters, verifies and settles `input`.
    pub(crate) fn settle(&self, cli: &Cli, input: &Input) -> Outcome {
        run(&mut cli.meter(input, &self.key, &self.ledger))?;
        run(&mut cli.verify(&input.plan, &self.ledger))?;
        run(&mut cli.settle(&self.ledger, &self.settlement))
    }
}

/// Makes a key, shows what `keygen` says, and reads the address out of it.
fn address(keygen: &mut Command) -> Outcome<String> {
    let out = keygen.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stdout);
    print!("{said}{}", String::from_utf8_lossy(&out.stderr));
    let address = said.lines().find_map(|line| line.strip_prefix("address "));
    match address {
        Some(address) if out.status.success() => Ok(address.trim().into()),
        _ => Err("keygen failed".into()),
    }
}

/// The plan with another authority, everything else as it stands.
fn with_authority(plan: &str, address: &str) -> Option<String> {
    let key = "\"authority\"";
    let after = plan.find(key)? + key.len();
    let start = after + plan.get(after..)?.find('"')? + 1;
    let end = start + plan.get(start..)?.find('"')?;
    Some(format!("{}{address}{}", plan.get(..start)?, plan.get(end..)?))
}

/// The evidence in a ledger: its segments and signature files, sorted, relative to its folder.
pub(crate) fn evidence(ledger: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![ledger.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |e| format!("{}: {e}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if NOT_EVIDENCE.iter().any(|other| name.trim_start_matches('.').starts_with(other)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(ledger).unwrap_or(&path).to_path_buf());
            }
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: no files", ledger.display())) } else { Ok(files) }
}

/// Fails unless both ledgers hold the same evidence, byte for byte. Returns its size in bytes.
pub(crate) fn same(left: &Path, right: &Path) -> Outcome<u64> {
    let (names, others) = (evidence(left)?, evidence(right)?);
    if names != others {
        return Err(format!("{} and {} have other files", left.display(), right.display()));
    }
    let mut size = 0;
    for name in &names {
        let read = |folder: &Path| fs::read(folder.join(name)).map_err(|e| e.to_string());
        let (a, b) = (read(left)?, read(right)?);
        if a != b {
            let at = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
            let (left, right) = (left.display(), right.display());
            return Err(format!("{left} and {right} differ in {} at byte {at}", name.display()));
        }
        size += a.len() as u64;
    }
    Ok(size)
}
