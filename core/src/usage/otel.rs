//! OpenTelemetry's attributes of a generative call, as one flat object. Every part lies inside its
//! total.
//!
//! Source: OpenTelemetry semantic conventions, `gen_ai` attribute registry.

use crate::usage::dialect::{Dialect, Total, must};

/// The attributes of a span or event.
pub(super) const GEN_AI: Dialect = Dialect {
    usage: &[""],
    attributes: &[("model", "gen_ai.request.model"), ("model", "gen_ai.response.model")],
    input: &[must(&["gen_ai.usage.input_tokens"])],
    output: &[must(&["gen_ai.usage.output_tokens"])],
    total: Total::None,
    splits: &[],
    parts: &[
        (&["gen_ai.usage.cache_read.input_tokens"], "cached_input_tokens"),
        (&["gen_ai.usage.cache_creation.input_tokens"], "cache_write_tokens"),
        (&["gen_ai.usage.reasoning.output_tokens"], "reasoning_tokens"),
    ],
    lists: &[],
};
