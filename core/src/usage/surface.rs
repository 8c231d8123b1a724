//! The surfaces.

use core::{fmt, str::FromStr};

use crate::{
    error::{Code, Error, Result},
    json::{Node, Value},
    usage::{Basis, Usage, anthropic, openai},
};

/// An API and its vendor: the key under which a usage object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// OpenAI chat completions: cached tokens inside `prompt_tokens`, reasoning inside
    /// `completion_tokens`, total = prompt + completion.
    OpenAiChat,
    /// OpenAI responses: the same inclusion under `input_tokens` and `output_tokens`.
    OpenAiResponses,
    /// Anthropic messages: cache reads and writes *beside* `input_tokens`, thinking inside
    /// `output_tokens`, no total.
    AnthropicMessages,
    /// A map from meter to quantity, already in this crate's convention.
    Plain,
}

impl Surface {
    /// Every surface.
    pub const ALL: &'static [Surface] = &[
        Surface::OpenAiChat,
        Surface::OpenAiResponses,
        Surface::AnthropicMessages,
        Surface::Plain,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Surface::OpenAiChat => "openai.chat",
            Surface::OpenAiResponses => "openai.responses",
            Surface::AnthropicMessages => "anthropic.messages",
            Surface::Plain => "plain",
        }
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
    /// Reads the usage of a response body under a surface: the whole body, whose member `usage` holds
    /// the quantities and whose `model` and `service_tier` become attributes. For
    /// [`Surface::Plain`] the map itself.
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
        match surface {
            Surface::OpenAiChat => openai::chat(body),
            Surface::OpenAiResponses => openai::responses(body),
            Surface::AnthropicMessages => anthropic::messages(body),
            Surface::Plain => {
                let mut usage = Usage::new(Surface::Plain, Basis::Reported);
                for (meter, quantity) in body.fields()?.iter() {
                    usage.set(meter, quantity.quantity()?).map_err(|e| e.at(quantity.pointer()))?;
                }
                Ok(usage)
            }
        }
    }
}

/// The `usage` object of a response body, and `model` and `service_tier` as attributes.
pub(super) fn open<'a>(surface: Surface, body: Node<'a>) -> Result<(Usage, Node<'a>)> {
    let mut fields = body.fields()?;
    let mut usage = Usage::new(surface, Basis::Reported);
    let found = fields.maybe("usage").ok_or_else(|| {
        Error::new(Code::UsageMissing).at(alloc::format!("{}/usage", body.pointer()))
    })?;
    for name in ["model", "service_tier"] {
        if let Some(value) = fields.maybe(name) {
            usage.set_attribute(name, value.text()?).map_err(|e| e.at(value.pointer()))?;
        }
    }
    Ok((usage, found))
}
