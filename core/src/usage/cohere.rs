//! Cohere chat. It bills `billed_units`; `tokens` also counts what it does not bill.

use crate::usage::dialect::{Dialect, Total, must};

/// An answer of `/v2/chat` (usage in `usage`) or `/v1/chat` (in `meta`).
pub(super) const CHAT: Dialect = Dialect {
    usage: &["usage", "meta"],
    attributes: &[("model", "model")],
    input: &[must(&["billed_units/input_tokens"])],
    output: &[must(&["billed_units/output_tokens"])],
    total: Total::None,
    splits: &[],
    parts: &[(&["billed_units/search_units"], "search_units")],
    lists: &[],
};
