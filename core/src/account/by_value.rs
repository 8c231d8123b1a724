//! Values of an attribute, each with what is kept of it.

use alloc::{collections::BTreeMap, string::String};

/// What a limit keeps, by value of its attribute. A limit without `per` has the one value "", which is
/// kept beside the others: it is looked up several times in every call, and needs neither a search nor
/// an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByValue<T> {
    empty: Option<T>,
    others: BTreeMap<String, T>,
}

impl<T> Default for ByValue<T> {
    fn default() -> Self {
        ByValue { empty: None, others: BTreeMap::new() }
    }
}

impl<T> ByValue<T> {
    pub(crate) fn get(&self, value: &str) -> Option<&T> {
        if value.is_empty() { self.empty.as_ref() } else { self.others.get(value) }
    }

    pub(crate) fn get_mut(&mut self, value: &str) -> Option<&mut T> {
        if value.is_empty() { self.empty.as_mut() } else { self.others.get_mut(value) }
    }

    pub(crate) fn contains(&self, value: &str) -> bool {
        self.get(value).is_some()
    }

    /// What is kept of the value, made if it is new.
    pub(crate) fn open(&mut self, value: &str, new: impl FnOnce() -> T) -> Option<&mut T> {
        if value.is_empty() {
            return Some(self.empty.get_or_insert_with(new));
        }
        if !self.others.contains_key(value) {
            self.others.insert(String::from(value), new());
        }
        self.others.get_mut(value)
    }

    pub(crate) fn remove(&mut self, value: &str) -> Option<T> {
        if value.is_empty() { self.empty.take() } else { self.others.remove(value) }
    }

    /// By value, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let others = self.others.iter().map(|(value, kept)| (value.as_str(), kept));
        self.empty.iter().map(|kept| ("", kept)).chain(others)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(value, _)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.others.len().saturating_add(usize::from(self.empty.is_some()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.empty.is_none() && self.others.is_empty()
    }
}
