//! OpenAI chat completions and responses. Parts are inside their totals on both.

use crate::{
    error::{Code, Result},
    json::Node,
    usage::{Surface, Usage, surface::open},
};

/// The names that the two APIs give to the same things.
struct Names {
    input: &'static str,
    input_details: &'static str,
    output: &'static str,
    output_details: &'static str,
}

/// A chat completion, or the final chunk of a stream with `include_usage`.
pub(super) fn chat(body: Node<'_>) -> Result<Usage> {
    let names = Names {
        input: "prompt_tokens",
        input_details: "prompt_tokens_details",
        output: "completion_tokens",
        output_details: "completion_tokens_details",
    };
    read(Surface::OpenAiChat, body, &names)
}

/// A response, or the `response` of its `response.completed` event.
pub(super) fn responses(body: Node<'_>) -> Result<Usage> {
    let names = Names {
        input: "input_tokens",
        input_details: "input_tokens_details",
        output: "output_tokens",
        output_details: "output_tokens_details",
    };
    read(Surface::OpenAiResponses, body, &names)
}

fn read(surface: Surface, body: Node<'_>, names: &Names) -> Result<Usage> {
    let (mut usage, found) = open(surface, body)?;
    let mut fields = found.fields()?;
    let input = fields.required(names.input)?.integer()?;
    let output = fields.required(names.output)?.integer()?;
    let total = fields.required("total_tokens")?;
    if input.checked_add(output) != Some(total.integer()?) {
        return Err(total.error(Code::UsageTotal));
    }
    usage.set("input_tokens", input)?;
    usage.set("output_tokens", output)?;
    if let Some(details) = fields.maybe(names.input_details) {
        part(&mut usage, details, "cached_tokens", "cached_input_tokens", input)?;
        part(&mut usage, details, "cache_write_tokens", "cache_write_tokens", input)?;
        part(&mut usage, details, "audio_tokens", "audio_input_tokens", input)?;
        part(&mut usage, details, "image_tokens", "image_input_tokens", input)?;
    }
    if let Some(details) = fields.maybe(names.output_details) {
        part(&mut usage, details, "reasoning_tokens", "reasoning_tokens", output)?;
        part(&mut usage, details, "audio_tokens", "audio_output_tokens", output)?;
    }
    Ok(usage)
}

/// A part of a total, where it is reported and not zero.
fn part(
    usage: &mut Usage,
    details: Node<'_>,
    from: &'static str,
    meter: &str,
    whole: u64,
) -> Result<()> {
    let Some(found) = details.fields()?.maybe(from) else { return Ok(()) };
    let quantity = found.integer()?;
    if quantity > whole {
        return Err(found.error(Code::UsageContradiction));
    }
    if quantity > 0 {
        usage.set(meter, quantity)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn chat_of(text: &str) -> Result<Usage> {
        Usage::from_json(Surface::OpenAiChat, &parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    #[test]
    fn reads_totals_parts_and_attributes() {
        let usage = chat_of(
            r#"{"model":"m-1","service_tier":null,"usage":{"prompt_tokens":4020,
                "prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},
                "completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":2},
                "total_tokens":4024,"new_member":[1.5]}}"#,
        )
        .unwrap();
        let read: alloc::vec::Vec<_> = usage.iter().collect();
        assert_eq!(
            read,
            [
                ("cached_input_tokens", 1024),
                ("input_tokens", 4020),
                ("output_tokens", 4),
                ("reasoning_tokens", 2)
            ]
        );
        assert_eq!(usage.attributes().len(), 1);
    }

    #[test]
    fn refuses_what_does_not_add_up_and_names_the_place() {
        for (text, code, place) in [
            (
                r#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":3}}"#,
                Code::UsageTotal,
                "/usage/total_tokens",
            ),
            (
                r#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,
                "prompt_tokens_details":{"cached_tokens":2}}}"#,
                Code::UsageContradiction,
                "/usage/prompt_tokens_details/cached_tokens",
            ),
            (
                r#"{"usage":{"prompt_tokens":1.5,"completion_tokens":1,"total_tokens":2}}"#,
                Code::JsonNumber,
                "/usage/prompt_tokens",
            ),
            (
                r#"{"usage":{"prompt_tokens":-1,"completion_tokens":1,"total_tokens":0}}"#,
                Code::JsonNumber,
                "/usage/prompt_tokens",
            ),
            (
                r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#,
                Code::JsonMissingField,
                "/usage/prompt_tokens",
            ),
            (r#"{"usage":null}"#, Code::UsageMissing, "/usage"),
        ] {
            let e = chat_of(text).unwrap_err();
            assert_eq!((e.code(), e.place()), (code, Some(place)), "{text}");
        }
    }
}
