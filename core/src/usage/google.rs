//! Gemini. What is 0 is left out; thoughts and tool-use prompts stand beside their totals.

use crate::usage::dialect::{Dialect, List, Total, may};

/// An answer of `generateContent`, or the last chunk of `streamGenerateContent`.
pub(super) const GENERATE: Dialect = Dialect {
    usage: &["usageMetadata"],
    attributes: &[("model", "modelVersion")],
    input: &[
        may(&["promptTokenCount"]),
        may(&["toolUsePromptTokenCount"]).part("tool_use_input_tokens"),
    ],
    output: &[
        may(&["candidatesTokenCount"]),
        may(&["thoughtsTokenCount"]).part("reasoning_tokens"),
    ],
    total: Total::Required("totalTokenCount"),
    splits: &[],
    parts: &[(&["cachedContentTokenCount"], "cached_input_tokens")],
    lists: &[
        modalities(
            "promptTokensDetails",
            &["promptTokenCount"],
            &[
                ("AUDIO", "audio_input_tokens"),
                ("IMAGE", "image_input_tokens"),
                ("VIDEO", "video_input_tokens"),
            ],
        ),
        modalities(
            "cacheTokensDetails",
            &["cachedContentTokenCount"],
            &[
                ("AUDIO", "cached_audio_input_tokens"),
                ("IMAGE", "cached_image_input_tokens"),
                ("VIDEO", "cached_video_input_tokens"),
            ],
        ),
        modalities(
            "candidatesTokensDetails",
            &["candidatesTokenCount"],
            &[
                ("AUDIO", "audio_output_tokens"),
                ("IMAGE", "image_output_tokens"),
                ("VIDEO", "video_output_tokens"),
            ],
        ),
    ],
};

const fn modalities(
    from: &'static str,
    of: &'static [&'static str],
    meters: &'static [(&'static str, &'static str)],
) -> List {
    List { from, kind: "modality", count: "tokenCount", of, whole: false, meters }
}
