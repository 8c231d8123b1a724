//! `mutants` and `explore`: the core made wrong on purpose, one line at a time, must be found out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::Args;
use crate::differential;
use crate::python::python;
use crate::session::Session;
use crate::tools::{Outcome, cargo, output, run as run_command, scratch, target};

pub(crate) const EXPLORE_OPTIONS: &str = "[--deeper 1] [--guards]";

/// One line of the core made wrong.
struct Mutant {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

/// `mutants`: each must be found by the differential test within ten thousand cases.
pub(crate) fn mutants(session: &mut Session, args: Args) -> Outcome {
    args.done()?;
    let Some(python) = python(session, "mutants")? else { return Ok(()) };
    each_of(RATING, |folder| differ(&python, folder))
}

/// `explore`: every reachable state of small meters, further than the tests go; with `--guards`, the
/// same with each guard taken out, which must fail.
pub(crate) fn explore(_: &mut Session, mut args: Args) -> Outcome {
    let deeper = args.number("--deeper", 1)?;
    let guards = args.flag("--guards");
    args.done()?;
    if guards {
        return each_of(GUARDS, break_a_law);
    }
    let mut test = cargo();
    test.args(["test", "--release", "--package", "counterfoil", "--lib", "explore"]);
    run_command(test.args(["--", "--nocapture"]).env("COUNTERFOIL_EXPLORE", deeper.to_string()))
}

/// Makes each line wrong in a copy of the sources, and prints how it was found.
fn each_of(mutants: &[Mutant], find: impl Fn(&Path) -> Outcome<String>) -> Outcome {
    let folder = scratch("mutants")?;
    copy_sources(&folder)?;
    for mutant in mutants {
        let path = folder.join(mutant.file);
        let source = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if source.matches(mutant.right).count() != 1 {
            return Err(format!("{}: not exactly one `{}`", mutant.file, mutant.right));
        }
        let write = |text: &str| fs::write(&path, text).map_err(|e| e.to_string());
        write(&source.replace(mutant.right, mutant.wrong))?;
        let found = find(&folder);
        write(&source)?;
        println!("{}: {}", mutant.what, found.map_err(|e| format!("{}: {e}", mutant.what))?);
    }
    Ok(())
}

/// The case of the differential test that finds the mutant.
fn differ(python: &Path, folder: &Path) -> Outcome<String> {
    let built = target()?.join("mutants");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--package", differential::PACKAGE]);
    output(build.current_dir(folder).env("CARGO_TARGET_DIR", &built))?;
    let program = built.join("release").join(differential::PACKAGE);
    let out = differential::command(python, 10_000, 1, &program)
        .stderr(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&out.stdout);
    match (out.status.success(), said.lines().last()) {
        (false, Some(line)) if line.starts_with("case ") => Ok(line.into()),
        _ => Err("not found within 10000 cases".into()),
    }
}

/// What the exploration says of the mutant.
fn break_a_law(folder: &Path) -> Outcome<String> {
    let built = target()?.join("mutants");
    let test = |more: &[&str]| {
        let mut test = cargo();
        test.args(["test", "--package", "counterfoil", "--lib"]).args(more);
        test.current_dir(folder).env("CARGO_TARGET_DIR", &built);
        test
    };
    output(&mut test(&["--no-run"]))?;
    let out = test(&["explore", "--", "--nocapture"]).output().map_err(|e| e.to_string())?;
    if out.status.success() {
        return Err("every state keeps the laws without it".into());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    lines.nth(1).map(String::from).ok_or_else(|| format!("the exploration did not run: {said}"))
}

/// What the runner is built from.
fn copy_sources(folder: &Path) -> Outcome {
    let files = output(Command::new("git").args([
        "ls-files",
        "--",
        "Cargo.toml",
        "Cargo.lock",
        "core",
        "conformance",
        "journal",
        "cli",
        "xtask",
        "benches",
        "bindings-wasm",
        "bindings-uniffi",
        "examples",
        "README.md",
        "spec/surface.json",
    ]))?;
    for file in files.lines() {
        let to: PathBuf = folder.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| e.to_string())?;
        }
        // Symbolic links to licences are of no use to a build.
        if Path::new(file).is_file() {
            fs::copy(file, &to).map_err(|e| format!("{file}: {e}"))?;
        }
    }
    Ok(())
}

/// Rating rules.
const RATING: &[Mutant] = &[
    Mutant {
        what: "a graduated tier reaches one unit too far",
        file: "core/src/rating/graduated.rs",
        right: "tier.up_to.unwrap_or(u64::MAX).min(after)",
        wrong: "tier.up_to.map_or(u64::MAX, |upper| upper.saturating_add(1)).min(after)",
    },
    Mutant {
        what: "the unit at a volume tier's bound falls into the next",
        file: "core/src/rating/volume.rs",
        right: "is_some_and(|upper| upper < units)",
        wrong: "is_some_and(|upper| upper <= units)",
    },
    Mutant {
        what: "a package is begun one unit early",
        file: "core/src/rating/package.rs",
        right: "price.checked_mul(units.div_ceil(size.max(1)))",
        wrong: "price.checked_mul(units.saturating_add(1).div_ceil(size.max(1)))",
    },
    Mutant {
        what: "one free unit too few",
        file: "core/src/rating/tariff.rs",
        right: "counter.saturating_sub(self.free)",
        wrong: "counter.saturating_sub(self.free.saturating_sub(1))",
    },
    Mutant {
        what: "a flat amount falls due with the second unit",
        file: "core/src/rating/flat.rs",
        right: "if units == 0 { Exact::ZERO }",
        wrong: "if units <= 1 { Exact::ZERO }",
    },
    Mutant {
        what: "a rate admits one call more at once",
        file: "core/src/rating/gcra.rs",
        right: "call.saturating_mul(u128::from(self.burst))",
        wrong: "call.saturating_mul(u128::from(self.burst).saturating_add(1))",
    },
];

/// What keeps calls apart, within limits, and charged once.
const GUARDS: &[Mutant] = &[
    Mutant {
        what: "a hold is not asked of the limits on money",
        file: "core/src/meter/decide/authorize.rs",
        right: "let (after, short) = tried?;",
        wrong: "let (after, _) = tried?; let short: Option<Room> = None;",
    },
    Mutant {
        what: "a hold that grows is not asked of the limits on money",
        file: "core/src/meter/decide/extend.rs",
        right: "if let (_, Some(room)) = tried? {",
        wrong: "if let (_, Some(room)) = tried.map(|(all, _)| (all, None))? {",
    },
    Mutant {
        what: "one more call may be open",
        file: "core/src/meter/decide/admit.rs",
        right: "if open >= most {",
        wrong: "if open > most {",
    },
    Mutant {
        what: "a request that comes again is not known",
        file: "core/src/meter/decide/authorize.rs",
        right: "subscription.remembered.get(&subject) {",
        wrong: "subscription.remembered.get(&subject).filter(|_| false) {",
    },
    Mutant {
        what: "another request of the same id is a replay",
        file: "core/src/meter/decide/authorize.rs",
        right: "if known.input != input {",
        wrong: "if false && known.input != input {",
    },
    Mutant {
        what: "a closed window is charged",
        file: "core/src/meter/draft.rs",
        right: "if closes_at(window, plan).is_some_and(|closes| closes <= now) {",
        wrong: "if false && closes_at(window, plan).is_some_and(|closes| closes <= now) {",
    },
    Mutant {
        what: "what exceeds its hold is not asked of the limits",
        file: "core/src/meter/draft.rs",
        right: "held == charge && used <= most",
        wrong: "held == charge && (true || used <= most)",
    },
    Mutant {
        what: "an expired hold frees what it reserved again",
        file: "core/src/meter/fold/hold.rs",
        right: "        if reserved {\n            subscription.end_hold",
        wrong: "        if true || reserved {\n            subscription.end_hold",
    },
    Mutant {
        what: "units of a grant are promised twice",
        file: "core/src/account/grants.rs",
        right: "self.units().saturating_sub(self.reserved)",
        wrong: "self.units()",
    },
    Mutant {
        what: "a grant pays at the instant of its expiry",
        file: "core/src/account/grants.rs",
        right: "self.expires_at.is_none_or(|expires| at < expires)",
        wrong: "self.expires_at.is_none_or(|expires| at <= expires)",
    },
    Mutant {
        what: "a grant that was taken back still pays",
        file: "core/src/account/grants.rs",
        right: "            given.voided = true;\n            given.keep_reserved();",
        wrong: "            given.voided = true;",
    },
    Mutant {
        what: "what open holds may cost is not reserved",
        file: "core/src/account/reserve.rs",
        right: ".try_fold(Exact::ZERO, |sum, (_, counter)| sum.checked_add(counter.reserve))",
        wrong: ".try_fold(Exact::ZERO, |sum, (_, counter)| sum.checked_add(counter.held))",
    },
    Mutant {
        what: "what calls of the payer's other subscriptions may cost is not reserved",
        file: "core/src/account/reserve.rs",
        right: "let mut others = state.sharing_with(subscription, limit);",
        wrong: "let mut others = state.sharing_with(subscription, limit).take(0);",
    },
    Mutant {
        what: "what the payer's other subscriptions were charged does not count",
        file: "core/src/account/reserve.rs",
        right: "self.state.tally(self.subscription, index)",
        wrong: "self.account.tallies.get(index)",
    },
    Mutant {
        what: "owed money does not count",
        file: "core/src/account/credit.rs",
        right: "let committed = owed.checked_add(reserved)?.checked_add(more)?;",
        wrong: "let committed = reserved.checked_add(more)?;",
    },
    Mutant {
        what: "a part that comes again is charged again",
        file: "core/src/meter/decide/settle.rs",
        right: "&& parts.used == usage_digest",
        wrong: "&& false && parts.used == usage_digest",
    },
    Mutant {
        what: "a credit that comes again is not known",
        file: "core/src/meter/decide/credit.rs",
        right: ".credits.get(&credit_subject(&credit.id)) {",
        wrong: ".credits.get(&credit_subject(&credit.id)).filter(|_| false) {",
    },
    Mutant {
        what: "a receipt is given back twice",
        file: "core/src/account/given_back.rs",
        right: "receipt.cost.minus_or_zero(returned)",
        wrong: "receipt.cost.minus_or_zero(Exact::ZERO)",
    },
    Mutant {
        what: "what a call's end gave back is given back again",
        file: "core/src/account/given_back.rs",
        right: ".map_or(left, |of_call| left.min(*of_call))",
        wrong: ".map_or(left, |_| left)",
    },
    Mutant {
        what: "a part is given back while its call goes on",
        file: "core/src/meter/state.rs",
        right: "|hold| hold.authorized_at == part.authorized_at",
        wrong: "|_| false && part.charge.is_zero()",
    },
    Mutant {
        what: "a credit revives a grant that has expired",
        file: "core/src/account/grants.rs",
        right: "!given.voided && given.covers(at)",
        wrong: "!given.voided",
    },
    Mutant {
        what: "a credit revives a grant that was taken back",
        file: "core/src/account/grants.rs",
        right: "!given.voided && given.covers(at)",
        wrong: "given.covers(at)",
    },
    Mutant {
        what: "the close of a window gives back what credits gave back",
        file: "core/src/account/counters.rs",
        right: "            self.add_granted(line, part)?;\n",
        wrong: "",
    },
    Mutant {
        what: "what follows a lost step stays",
        file: "core/src/meter/machine.rs",
        right: "step.ticket < ticket.0",
        wrong: "step.ticket != ticket.0",
    },
    Mutant {
        what: "a lost step counts",
        file: "core/src/meter/machine.rs",
        right: "ticket.0);\n        self.rebuild()",
        wrong: "ticket.0);\n        Ok(())",
    },
    Mutant {
        what: "what was in doubt and is not durable counts",
        file: "core/src/meter/machine.rs",
        right: "        self.pending.clear();\n        self.rebuild()?;\n",
        wrong: "        self.pending.clear();\n",
    },
    Mutant {
        what: "a meter in doubt goes on",
        file: "core/src/meter/machine.rs",
        right: "if self.stalled {",
        wrong: "if false && self.stalled {",
    },
    Mutant {
        what: "money that is lent is spent twice",
        file: "core/src/account/lent.rs",
        right: "LimitRule::Spend { .. } => Some(money),",
        wrong: "LimitRule::Spend { .. } => None,",
    },
    Mutant {
        what: "units that are lent are used twice",
        file: "core/src/account/lent.rs",
        right: "_ => units.iter().find(|(i, _)| *i == index)",
        wrong: "_ => units.iter().find(|(i, _)| false && *i == index)",
    },
    Mutant {
        what: "a call uses more than its lease has",
        file: "core/src/meter/decide/lease.rs",
        right: "if units > left {",
        wrong: "if false && units > left {",
    },
    Mutant {
        what: "a lease takes calls at its end",
        file: "core/src/meter/decide/lease.rs",
        right: "if at >= lease.until {",
        wrong: "if false && at >= lease.until {",
    },
    Mutant {
        what: "a lease takes calls after its last word",
        file: "core/src/meter/state.rs",
        right: "if self.closed { Err",
        wrong: "if false && self.closed { Err",
    },
    Mutant {
        what: "a lease that is over is charged",
        file: "core/src/meter/draft.rs",
        right: "subscription.account.windows(plan, at).chain(lease)",
        wrong: "subscription.account.windows(plan, at).chain(lease.take(0))",
    },
    Mutant {
        what: "a lease is taken back while its calls may be charged",
        file: "core/src/meter/fold/lease.rs",
        right: "closes_at(crate::time::Window { start: lease.at, end: lease.until }, plan)",
        wrong: "closes_at(crate::time::Window { start: lease.at, end: lease.until }, plan)\n        .min(Some(lease.until))",
    },
    Mutant {
        what: "a statement falls behind an earlier one",
        file: "core/src/meter/fold/lease.rs",
        right: "if let Some(before) = stated {",
        wrong: "if let Some(before) = stated.as_ref().filter(|_| false) {",
    },
    Mutant {
        what: "what a lease left unbilled has no place in a limit of some calls",
        file: "core/src/account/reserve.rs",
        right: "most_held.checked_add(books.counters.short()?)",
        wrong: "most_held.checked_add(Exact::ZERO)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that has moved would be noticed hours into a run otherwise.
    #[test]
    fn every_line_that_is_made_wrong_stands_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutant in RATING.iter().chain(GUARDS) {
            let source = fs::read_to_string(root.join(mutant.file)).unwrap();
            assert_eq!(source.matches(mutant.right).count(), 1, "{}", mutant.what);
        }
    }
}
