//! Vendors that answer in the shape of OpenAI's chat completions, each with its own convention.

use crate::usage::{
    dialect::{Dialect, Split, Total, may, must},
    openai::CHAT,
};

/// Mistral: cached tokens inside the prompt, under one of two names; seconds of audio beside it.
pub(super) const MISTRAL: Dialect = Dialect {
    parts: &[
        (&["prompt_tokens_details/cached_tokens", "num_cached_tokens"], "cached_input_tokens"),
        (&["prompt_audio_seconds"], "audio_seconds"),
    ],
    ..CHAT
};

/// DeepSeek: what the cache had and what it had not are the prompt.
pub(super) const DEEPSEEK: Dialect = Dialect {
    splits: &[Split {
        when: "prompt_cache_miss_tokens",
        parts: &["prompt_cache_hit_tokens", "prompt_cache_miss_tokens"],
        of: &["prompt_tokens"],
    }],
    parts: &[
        (
            &["prompt_cache_hit_tokens", "prompt_tokens_details/cached_tokens"],
            "cached_input_tokens",
        ),
        (&["completion_tokens_details/reasoning_tokens"], "reasoning_tokens"),
    ],
    ..CHAT
};

/// Groq: as OpenAI, but its streams carry the usage in `x_groq`.
pub(super) const GROQ: Dialect = Dialect { usage: &["usage", "x_groq/usage"], ..CHAT };

/// OpenRouter: every vendor in OpenAI's convention. Its `cost` is a price, not a quantity, and is not
/// read.
pub(super) const OPENROUTER: Dialect = Dialect {
    parts: &[
        (&["prompt_tokens_details/cached_tokens"], "cached_input_tokens"),
        (&["prompt_tokens_details/cache_write_tokens"], "cache_write_tokens"),
        (&["prompt_tokens_details/audio_tokens"], "audio_input_tokens"),
        (&["prompt_tokens_details/image_tokens"], "image_input_tokens"),
        (&["prompt_tokens_details/video_tokens"], "video_input_tokens"),
        (&["completion_tokens_details/reasoning_tokens"], "reasoning_tokens"),
        (&["completion_tokens_details/audio_tokens"], "audio_output_tokens"),
        (&["completion_tokens_details/image_tokens"], "image_output_tokens"),
        (&["server_tool_use/web_search_requests"], "web_searches"),
    ],
    ..CHAT
};

/// xAI: reasoning stands beside `completion_tokens` and counts in the total.
pub(super) const XAI: Dialect = Dialect {
    output: &[
        must(&["completion_tokens"]),
        may(&["completion_tokens_details/reasoning_tokens"]).part("reasoning_tokens"),
    ],
    parts: &[
        (&["prompt_tokens_details/cached_tokens"], "cached_input_tokens"),
        (&["prompt_tokens_details/audio_tokens"], "audio_input_tokens"),
        (&["prompt_tokens_details/image_tokens"], "image_input_tokens"),
        (&["completion_tokens_details/audio_tokens"], "audio_output_tokens"),
        (&["num_sources_used"], "search_sources"),
    ],
    ..CHAT
};

/// Perplexity: citations stand beside the prompt, reasoning beside the completion, and the total may
/// leave both out.
pub(super) const PERPLEXITY: Dialect = Dialect {
    attributes: &[("model", "model"), ("search_context_size", "usage/search_context_size")],
    input: &[must(&["prompt_tokens"]), may(&["citation_tokens"]).part("citation_tokens")],
    output: &[must(&["completion_tokens"]), may(&["reasoning_tokens"]).part("reasoning_tokens")],
    total: Total::With("total_tokens", &["citation_tokens", "reasoning_tokens"]),
    parts: &[(&["num_search_queries"], "web_searches")],
    ..CHAT
};

/// Snowflake Cortex: OpenAI's names, but what was read from and written to the cache stands beside
/// `prompt_tokens`.
pub(super) const SNOWFLAKE: Dialect = Dialect {
    input: &[
        must(&["prompt_tokens"]),
        may(&["prompt_tokens_details/cached_tokens"]).part("cached_input_tokens"),
        may(&["prompt_tokens_details/cache_write_tokens"]).part("cache_write_tokens"),
    ],
    parts: &[],
    ..CHAT
};
