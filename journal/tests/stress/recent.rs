//! The latest calls, to come back to them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::call::Call;

/// How many calls are remembered.
const MOST: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<Arc<Call>>>);

impl Recent {
    pub(crate) fn remember(&self, call: &Arc<Call>) {
        let mut calls = self.0.lock().unwrap();
        calls.push_back(Arc::clone(call));
        if calls.len() > MOST {
            calls.pop_front();
        }
    }

    /// One of the latest calls; all that are remembered are equally likely where `latest` is large.
    pub(crate) fn one(&self, random: u64, latest: usize) -> Option<Arc<Call>> {
        let calls = self.0.lock().unwrap();
        let back = usize::try_from(random).unwrap() % latest.min(calls.len()).max(1);
        calls.iter().rev().nth(back).cloned()
    }

    /// All that are remembered.
    pub(crate) fn all(&self) -> Vec<Arc<Call>> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}
