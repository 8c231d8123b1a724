//! The few options that tasks take.

use crate::tools::Outcome;

/// What stands after the task's name. Each reader removes what it understood.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Args(words)
    }

    /// Whether `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|w| w == name);
        at.map(|i| self.0.remove(i)).is_some()
    }

    /// The word after `--name`.
    pub(crate) fn value(&mut self, name: &str) -> Outcome<Option<String>> {
        let Some(at) = self.0.iter().position(|w| w == name) else { return Ok(None) };
        if at + 1 == self.0.len() {
            return Err(format!("{name} needs a value"));
        }
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    /// The number after `--name`, or `otherwise`.
    pub(crate) fn number(&mut self, name: &str, otherwise: u64) -> Outcome<u64> {
        match self.value(name)? {
            None => Ok(otherwise),
            Some(word) => word.parse().map_err(|_| format!("{name} needs a number, not {word}")),
        }
    }

    /// Everything not read yet.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0
    }

    /// Refuses what no reader understood.
    pub(crate) fn done(self) -> Outcome {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(format!("{word}: unknown option; see `cargo xtask help`")),
        }
    }
}
