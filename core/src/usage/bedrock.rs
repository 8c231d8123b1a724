//! Amazon Bedrock Converse. Cache reads and writes stand beside `inputTokens`.

use crate::usage::dialect::{Dialect, List, Total, may, must};

const WRITTEN: &[&str] = &["cacheWriteInputTokens", "cacheWriteInputTokenCount"];

/// An answer of Converse, or the `metadata` event of its stream.
pub(super) const CONVERSE: Dialect = Dialect {
    usage: &["usage"],
    attributes: &[("service_tier", "serviceTier/type")],
    input: &[
        must(&["inputTokens"]),
        may(WRITTEN).part("cache_write_tokens"),
        may(&["cacheReadInputTokens", "cacheReadInputTokenCount"]).part("cached_input_tokens"),
    ],
    output: &[must(&["outputTokens"])],
    total: Total::Required("totalTokens"),
    splits: &[],
    parts: &[],
    lists: &[List {
        from: "cacheDetails",
        kind: "ttl",
        count: "inputTokens",
        of: WRITTEN,
        whole: true,
        meters: &[("5m", "cache_write_5m_tokens"), ("1h", "cache_write_1h_tokens")],
    }],
};
