//! A few values, one per open window.

use alloc::vec::Vec;

use crate::time::{Timestamp, Window};

/// Values keyed by window, ascending by start. There are one or two at a time: a window leaves when
/// it is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows<T>(Vec<(Window, T)>);

impl<T> Default for Windows<T> {
    fn default() -> Self {
        Windows(Vec::new())
    }
}

impl<T: Default> Windows<T> {
    pub(crate) fn get(&self, window: Window) -> Option<&T> {
        self.0.iter().rev().find(|(w, _)| *w == window).map(|(_, value)| value)
    }

    /// The window's value, made if it is new; the flag says so.
    pub(crate) fn open(&mut self, window: Window) -> (Option<&mut T>, bool) {
        let found = self.0.binary_search_by_key(&window.start, |(w, _)| w.start);
        let (at, new) = match found {
            Ok(at) => (at, false),
            Err(at) => {
                self.0.insert(at, (window, T::default()));
                (at, true)
            }
        };
        (self.0.get_mut(at).map(|(_, value)| value), new)
    }

    pub(crate) fn get_mut(&mut self, window: Window) -> Option<&mut T> {
        self.0.iter_mut().rev().find(|(w, _)| *w == window).map(|(_, value)| value)
    }

    /// The window that the instant lies in, if there is one.
    pub(crate) fn containing(&self, at: Timestamp) -> Option<Window> {
        self.0.iter().rev().map(|(window, _)| *window).find(|window| window.contains(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Window, T)> {
        self.0.iter()
    }

    /// The newest window.
    pub(crate) fn newest(&self) -> Option<&(Window, T)> {
        self.0.last()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Drops windows that `gone` says are done with.
    pub(crate) fn drop_where(&mut self, mut gone: impl FnMut(Window, &T) -> bool) {
        self.0.retain(|(window, value)| !gone(*window, value));
    }

    /// Restores one window from a snapshot; they come in order.
    pub(crate) fn push(&mut self, window: Window, value: T) {
        self.0.push((window, value));
    }

    /// Whether a window starts at this instant.
    pub(crate) fn starts_at(&self, start: Timestamp) -> Option<&(Window, T)> {
        self.0.iter().find(|(window, _)| window.start == start)
    }
}
