//! The surfaces.

use core::{fmt, str::FromStr};

use crate::{
    error::{Code, Error, Result},
    json::{Node, Value},
    usage::{
        Basis, Usage, anthropic, bedrock, cohere, dialect::Dialect, google, openai, openai_wire,
        otel, stream::Events,
    },
};

/// An API and its vendor: the key under which a usage object is read.
///
/// Azure answers in OpenAI's bodies and is read under OpenAI's surfaces; so is xAI's responses API,
/// and any other vendor or gateway whose bodies follow OpenAI's convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// OpenAI chat completions: cached tokens inside `prompt_tokens`, reasoning inside
    /// `completion_tokens`, total = prompt + completion.
    OpenAiChat,
    /// OpenAI responses: the same inclusion under `input_tokens` and `output_tokens`.
    OpenAiResponses,
    /// OpenAI realtime: as responses, and how much of what is cached is audio or image.
    OpenAiRealtime,
    /// OpenAI images: as responses, the output is image tokens.
    OpenAiImages,
    /// Anthropic messages: cache reads and writes *beside* `input_tokens`, thinking inside
    /// `output_tokens`, no total.
    AnthropicMessages,
    /// Gemini `generateContent`: cached inside the prompt, tool-use prompts and thoughts *beside*
    /// prompt and candidates, total = all four.
    GeminiGenerate,
    /// Amazon Bedrock Converse: cache reads and writes *beside* `inputTokens`, total = all.
    BedrockConverse,
    /// Mistral chat: as OpenAI chat; seconds of audio of their own.
    MistralChat,
    /// DeepSeek chat: as OpenAI chat; cache hits and misses are the prompt.
    DeepSeekChat,
    /// Groq chat: as OpenAI chat; in streams the usage may stand in `x_groq`.
    GroqChat,
    /// OpenRouter chat: as OpenAI chat for every vendor; its `cost` is not read.
    OpenRouterChat,
    /// xAI chat completions: reasoning *beside* `completion_tokens`, total = prompt + completion +
    /// reasoning.
    XaiChat,
    /// Cohere chat: `billed_units`, not `tokens`; no total.
    CohereChat,
    /// Perplexity: citations *beside* the prompt and reasoning *beside* the completion; the total
    /// has them or leaves them out.
    PerplexityChat,
    /// Snowflake Cortex chat: cache reads and writes *beside* `prompt_tokens`, total = all.
    SnowflakeChat,
    /// OpenTelemetry `gen_ai.usage.*` attributes, a flat object: every part inside its total.
    OtelGenAi,
    /// A map from meter to quantity, already in this crate's convention.
    Plain,
}

impl Surface {
    /// Every surface.
    pub const ALL: &'static [Surface] = &[
        Surface::OpenAiChat,
        Surface::OpenAiResponses,
        Surface::OpenAiRealtime,
        Surface::OpenAiImages,
        Surface::AnthropicMessages,
        Surface::GeminiGenerate,
        Surface::BedrockConverse,
        Surface::MistralChat,
        Surface::DeepSeekChat,
        Surface::GroqChat,
        Surface::OpenRouterChat,
        Surface::XaiChat,
        Surface::CohereChat,
        Surface::PerplexityChat,
        Surface::SnowflakeChat,
        Surface::OtelGenAi,
        Surface::Plain,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Surface::OpenAiChat => "openai.chat",
            Surface::OpenAiResponses => "openai.responses",
            Surface::OpenAiRealtime => "openai.realtime",
            Surface::OpenAiImages => "openai.images",
            Surface::AnthropicMessages => "anthropic.messages",
            Surface::GeminiGenerate => "gemini.generate",
            Surface::BedrockConverse => "bedrock.converse",
            Surface::MistralChat => "mistral.chat",
            Surface::DeepSeekChat => "deepseek.chat",
            Surface::GroqChat => "groq.chat",
            Surface::OpenRouterChat => "openrouter.chat",
            Surface::XaiChat => "xai.chat",
            Surface::CohereChat => "cohere.chat",
            Surface::PerplexityChat => "perplexity.chat",
            Surface::SnowflakeChat => "snowflake.chat",
            Surface::OtelGenAi => "otel.genai",
            Surface::Plain => "plain",
        }
    }

    /// How a body of this surface is read; a plain one has no dialect.
    fn dialect(self) -> Option<&'static Dialect> {
        Some(match self {
            Surface::OpenAiChat => &openai::CHAT,
            Surface::OpenAiResponses => &openai::RESPONSES,
            Surface::OpenAiRealtime => &openai::REALTIME,
            Surface::OpenAiImages => &openai::IMAGES,
            Surface::AnthropicMessages => &anthropic::MESSAGES,
            Surface::GeminiGenerate => &google::GENERATE,
            Surface::BedrockConverse => &bedrock::CONVERSE,
            Surface::MistralChat => &openai_wire::MISTRAL,
            Surface::DeepSeekChat => &openai_wire::DEEPSEEK,
            Surface::GroqChat => &openai_wire::GROQ,
            Surface::OpenRouterChat => &openai_wire::OPENROUTER,
            Surface::XaiChat => &openai_wire::XAI,
            Surface::CohereChat => &cohere::CHAT,
            Surface::PerplexityChat => &openai_wire::PERPLEXITY,
            Surface::SnowflakeChat => &openai_wire::SNOWFLAKE,
            Surface::OtelGenAi => &otel::GEN_AI,
            Surface::Plain => return None,
        })
    }
}

impl Surface {
    /// How an event of the surface's streams is read, and the body in it.
    pub(super) fn streamed(self) -> Result<(&'static Dialect, &'static Events)> {
        let events = match self {
            Surface::OpenAiChat
            | Surface::MistralChat
            | Surface::DeepSeekChat
            | Surface::GroqChat
            | Surface::OpenRouterChat
            | Surface::XaiChat
            | Surface::PerplexityChat
            | Surface::SnowflakeChat => Some(&Events::CHAT),
            Surface::OpenAiResponses | Surface::OpenAiRealtime => Some(&Events::RESPONSES),
            Surface::OpenAiImages => Some(&Events::IMAGES),
            Surface::AnthropicMessages => Some(&Events::MESSAGES),
            Surface::GeminiGenerate => Some(&Events::GENERATE),
            Surface::BedrockConverse => Some(&Events::CONVERSE),
            Surface::CohereChat => Some(&Events::COHERE),
            Surface::OtelGenAi | Surface::Plain => None,
        };
        self.dialect().zip(events).ok_or_else(|| {
            Error::new(Code::UsageSurface).value(self).because("this surface has no streams")
        })
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Surface {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Surface::ALL
            .iter()
            .copied()
            .find(|surface| surface.as_str() == name)
            .ok_or_else(|| Error::new(Code::UsageSurface).value(name))
    }
}

impl Usage {
    /// Reads the usage of a response body under a surface: the whole body, of which the surface says
    /// where the quantities and the attributes `model` and `service_tier` stand. For
    /// [`Surface::Plain`] the map itself.
    ///
    /// When a body is refused, its usage is disputed and not lost: keep the body, and settle the call
    /// with a measured or estimated usage and SHA-256 of the body as its content, or release it.
    ///
    /// # Errors
    /// `usage_missing`, `usage_contradiction`, `usage_total`, `usage_quantity`, and the reader's
    /// `json_*` codes, each with the JSON Pointer.
    pub fn from_json(surface: Surface, body: &Value) -> Result<Usage> {
        Self::from_node(surface, body.root())
    }

    /// Like [`Usage::from_json`], for a body inside a larger document.
    ///
    /// # Errors
    /// The same.
    pub fn from_node(surface: Surface, body: Node<'_>) -> Result<Usage> {
        if let Some(dialect) = surface.dialect() {
            return dialect.read(surface, body);
        }
        let mut usage = Usage::new(surface, Basis::Reported);
        for (meter, quantity) in body.fields()?.iter() {
            usage.set(meter, quantity.quantity()?).map_err(|e| e.at(quantity.pointer()))?;
        }
        Ok(usage)
    }
}
