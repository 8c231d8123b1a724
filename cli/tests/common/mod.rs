//! A folder with a key, a plan and a log, and the program run on them.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use counterfoil::LocalKey;
use counterfoil::json::{Limits, Value, parse};

/// What a run of the program left.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn ok(self) -> Self {
        assert_eq!(self.exit, 0, "{}{}", self.out, self.err);
        self
    }

    /// The code of the error that it ended with, and where.
    pub fn error(&self) -> (String, String) {
        let line = self.err.lines().last().unwrap_or_default();
        let value = json(line);
        let text = |place| value.root().at(place).unwrap().text().map(String::from);
        let place = text("/error/place").unwrap_or_default();
        (text("/error/code").unwrap(), place)
    }

    pub fn number(&self, pointer: &str) -> u64 {
        json(&self.out).root().at(pointer).unwrap().integer().unwrap()
    }

    pub fn is_complete(&self) -> bool {
        json(&self.out).root().at("/complete").unwrap().boolean().unwrap()
    }
}

pub fn json(text: &str) -> Value {
    let limits = Limits { bytes: 64 << 20, values: 1_000_000, ..Limits::default() };
    parse(text.as_bytes(), &limits).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

pub fn counterfoil<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
    command.args(args);
    command
}

pub fn run(command: &mut Command) -> Ran {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let err = text(done.stderr);
    assert!(!err.contains("panicked"), "{err}");
    Ran { exit: done.status.code().unwrap(), out: text(done.stdout), err }
}

pub const EACH: &str = r#"{ "mode": "each" }"#;
pub const CHECKPOINTS: &str =
    r#"{ "mode": "checkpoint", "receipts": 10, "value": "1000", "ms": 600000 }"#;

pub struct Bench {
    pub tmp: tempfile::TempDir,
    pub key: LocalKey,
}

impl Bench {
    pub fn new(signing: &str) -> Bench {
        let tmp = tempfile::tempdir().unwrap();
        let bench = Bench { tmp, key: LocalKey::from_bytes(&[7; 32]).unwrap() };
        bench.write_key("seller.key", 7);
        bench.write("plan.json", bench.plan(signing));
        bench
    }

    pub fn write_key(&self, name: &str, byte: u8) -> PathBuf {
        let path = self.write(name, format!("0x{}\n", format!("{byte:02x}").repeat(32)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        path
    }

    /// A graduated tier, an allowance, a spend limit and a condition.
    pub fn plan(&self, signing: &str) -> String {
        let authority = self.key.address();
        format!(
            r#"{{
  "format": "counterfoil/plan/1", "name": "Test plan", "authority": "{authority}",
  "currency": {{ "network": "eip155:8453", "token": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "decimals": 6 }},
  "meters": {{ "input_tokens": "token", "cached_input_tokens": "token", "output_tokens": "token" }},
  "charges": [
    {{ "id": "input", "meter": "input_tokens", "window": "day", "free": 1000, "model": "graduated", "per": 1000000,
      "tiers": [{{ "up_to": 20000, "price": "2.5" }}, {{ "price": "2" }}] }},
    {{ "id": "cached", "meter": "cached_input_tokens", "model": "per_unit", "price": "1.25", "per": 1000000 }},
    {{ "id": "output", "meter": "output_tokens", "model": "per_unit", "price": "10", "per": 1000000 }}
  ],
  "limits": [{{ "id": "daily", "spend": "0.2", "window": "day" }}],
  "condition": {{ "attribute": "purpose", "in": ["evaluation", "inference"] }},
  "payees": [
    {{ "payee": "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "weight": 30 }},
    {{ "payee": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "weight": 70 }}
  ],
  "signing": {signing},
  "times": {{ "hold": 600000, "grace": 3600000, "skew": 300000, "replay": 86400000 }}
}}"#
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    /// `counterfoil --json …` in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = counterfoil(["--json"]);
        command.current_dir(self.tmp.path()).args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    /// `counterfoil meter` of chat completions.
    pub fn meter(&self, ledger: &str, log: &str, more: &[&str]) -> Ran {
        run(&mut self.meter_command(ledger, log, more))
    }

    pub fn meter_command(&self, ledger: &str, log: &str, more: &[&str]) -> Command {
        let mut command =
            self.command(&["meter", "--plan", "plan.json", "--key", "seller.key", "--ledger"]);
        command.args([ledger, "--surface", "openai.chat"]).args(more).arg(log);
        command
    }

    pub fn verify(&self, ledger: &str) -> Ran {
        self.run(&["verify", "--plan", "plan.json", ledger])
    }

    /// The lanes of a ledger: (subscriber, number, lane, receipts, charged).
    pub fn lanes(&self, ledger: &str) -> Vec<(String, u64, String, u64, u128)> {
        let overview = json(&self.run(&["inspect", ledger]).ok().out);
        let mut lanes = Vec::new();
        for subscriber in overview.root().at("/subscribers").unwrap().items().unwrap() {
            let name = subscriber.at("/subscriber").unwrap().text().unwrap().to_string();
            for lane in subscriber.at("/lanes").unwrap().items().unwrap() {
                let text = |at| lane.at(at).unwrap().text().unwrap().to_string();
                let number = |at| lane.at(at).unwrap().integer().unwrap();
                lanes.push((
                    name.clone(),
                    number("/number"),
                    text("/lane"),
                    number("/receipts"),
                    text("/charged").parse().unwrap(),
                ));
            }
        }
        lanes
    }
}

/// The record of a call: one a minute from a fixed day on, of three subscribers in turn.
pub fn line(n: u64) -> String {
    let (input, output) = (500 + n * 37 % 4000, 20 + n * 13 % 700);
    let cached = input / 5;
    let (day, hour, minute) = (1 + n / 1440, n / 60 % 24, n % 60);
    let subscriber = ["acme", "zeta", "übung"][usize::try_from(n % 3).unwrap()];
    let purpose = if n % 17 == 3 { "training" } else { "inference" };
    format!(
        "{{\"at\":\"2026-03-{day:02}T{hour:02}:{minute:02}:00Z\",\"subscriber\":\"{subscriber}\",\
         \"attributes\":{{\"purpose\":\"{purpose}\"}},\"body\":{{\"model\":\"m\",\"usage\":{{\
         \"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{},\
         \"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}}}}}}}\n",
        input + output
    )
}

pub fn lines(range: std::ops::Range<u64>) -> String {
    range.map(line).collect()
}

/// Every file of a ledger that is evidence: its segments and signatures.
pub fn evidence(ledger: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in ["segments", "signatures"] {
        for item in fs::read_dir(ledger.join(folder)).unwrap() {
            let path = item.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
            files.push((name, fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Fails unless both ledgers hold the same evidence.
pub fn assert_same(left: &Path, right: &Path) {
    for ((name, a), (other, b)) in evidence(left).into_iter().zip(evidence(right)) {
        assert_eq!(name, other);
        let at = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        assert!(a == b, "{name}: {} and {} bytes, differ at {at}", a.len(), b.len());
    }
    assert_eq!(evidence(left).len(), evidence(right).len());
}

pub fn segment(ledger: &Path) -> PathBuf {
    ledger.join("segments/00000000000000000000.cfl")
}

/// Copies a ledger as a person would: the whole folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
