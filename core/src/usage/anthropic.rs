//! Anthropic messages. Cache reads and writes stand beside `input_tokens`, not in it.

use crate::usage::dialect::{Dialect, Split, Total, may, must};

/// A message, of `/v1/messages`.
pub(super) const MESSAGES: Dialect = Dialect {
    usage: &["usage"],
    attributes: &[
        ("model", "model"),
        ("service_tier", "service_tier"),
        ("service_tier", "usage/service_tier"),
    ],
    input: &[
        must(&["input_tokens"]),
        may(&["cache_creation_input_tokens"]).part("cache_write_tokens"),
        may(&["cache_read_input_tokens"]).part("cached_input_tokens"),
    ],
    output: &[must(&["output_tokens"])],
    // A body of an OpenAI surface has a total, an Anthropic one never: the convention differs.
    total: Total::Refused("total_tokens"),
    splits: &[Split {
        when: "cache_creation",
        parts: &[
            "cache_creation/ephemeral_5m_input_tokens",
            "cache_creation/ephemeral_1h_input_tokens",
        ],
        of: &["cache_creation_input_tokens"],
    }],
    parts: &[
        (&["cache_creation/ephemeral_5m_input_tokens"], "cache_write_5m_tokens"),
        (&["cache_creation/ephemeral_1h_input_tokens"], "cache_write_1h_tokens"),
        (&["output_tokens_details/thinking_tokens"], "reasoning_tokens"),
        (&["server_tool_use/web_search_requests"], "web_searches"),
        (&["server_tool_use/web_fetch_requests"], "web_fetches"),
    ],
    lists: &[],
};
