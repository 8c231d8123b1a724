//! OpenAI's own APIs. Every part lies inside its total. Azure answers with the same bodies.

use crate::usage::dialect::{Dialect, Total, must};

/// A chat completion, or the last chunk of a stream with `include_usage`.
pub(super) const CHAT: Dialect = Dialect {
    usage: &["usage"],
    attributes: &[("model", "model"), ("service_tier", "service_tier")],
    input: &[must(&["prompt_tokens"])],
    output: &[must(&["completion_tokens"])],
    total: Total::Required("total_tokens"),
    splits: &[],
    parts: &[
        (&["prompt_tokens_details/cached_tokens"], "cached_input_tokens"),
        (&["prompt_tokens_details/cache_write_tokens"], "cache_write_tokens"),
        (&["prompt_tokens_details/audio_tokens"], "audio_input_tokens"),
        (&["prompt_tokens_details/image_tokens"], "image_input_tokens"),
        (&["completion_tokens_details/reasoning_tokens"], "reasoning_tokens"),
        (&["completion_tokens_details/audio_tokens"], "audio_output_tokens"),
        (&["completion_tokens_details/accepted_prediction_tokens"], "accepted_prediction_tokens"),
        (&["completion_tokens_details/rejected_prediction_tokens"], "rejected_prediction_tokens"),
    ],
    lists: &[],
};

/// A response, or the `response` of its `response.completed` or `response.incomplete` event.
pub(super) const RESPONSES: Dialect = Dialect {
    input: &[must(&["input_tokens"])],
    output: &[must(&["output_tokens"])],
    parts: &[
        (&["input_tokens_details/cached_tokens"], "cached_input_tokens"),
        (&["input_tokens_details/cache_write_tokens"], "cache_write_tokens"),
        (&["input_tokens_details/audio_tokens"], "audio_input_tokens"),
        (&["input_tokens_details/image_tokens"], "image_input_tokens"),
        (&["output_tokens_details/reasoning_tokens"], "reasoning_tokens"),
        (&["output_tokens_details/audio_tokens"], "audio_output_tokens"),
    ],
    ..CHAT
};

/// The `response` of a realtime `response.done` event: it says how much of what is cached is audio.
pub(super) const REALTIME: Dialect = Dialect {
    parts: &[
        (&["input_token_details/cached_tokens"], "cached_input_tokens"),
        (&["input_token_details/audio_tokens"], "audio_input_tokens"),
        (&["input_token_details/image_tokens"], "image_input_tokens"),
        (&["input_token_details/cached_tokens_details/audio_tokens"], "cached_audio_input_tokens"),
        (&["input_token_details/cached_tokens_details/image_tokens"], "cached_image_input_tokens"),
        (&["output_token_details/reasoning_tokens"], "reasoning_tokens"),
        (&["output_token_details/audio_tokens"], "audio_output_tokens"),
    ],
    ..RESPONSES
};

/// An answer of the images API: its output is images, unless it says how much of it is not.
pub(super) const IMAGES: Dialect = Dialect {
    output: &[must(&["output_tokens"]).part("image_output_tokens")],
    parts: &[
        (&["input_tokens_details/cached_tokens"], "cached_input_tokens"),
        (&["input_tokens_details/image_tokens"], "image_input_tokens"),
        (&["output_tokens_details/image_tokens"], "image_output_tokens"),
    ],
    ..RESPONSES
};
