//! Anthropic messages. Cache reads and writes stand beside `input_tokens`, not in it.

use crate::{
    error::{Code, Error, Result},
    json::{Fields, Node},
    usage::{Surface, Usage, surface::open},
};

pub(super) fn messages(body: Node<'_>) -> Result<Usage> {
    let (mut usage, found) = open(Surface::AnthropicMessages, body)?;
    let mut fields = found.fields()?;
    let fresh = fields.required("input_tokens")?.integer()?;
    let output = fields.required("output_tokens")?.integer()?;
    // A body of an OpenAI surface has a total, an Anthropic one never: the convention differs.
    if let Some(total) = fields.maybe("total_tokens") {
        return Err(total.error(Code::UsageSurface).because("this surface reports no total"));
    }
    let written = count(&mut fields, "cache_creation_input_tokens")?;
    let read = count(&mut fields, "cache_read_input_tokens")?;
    let input = fresh
        .checked_add(written)
        .and_then(|sum| sum.checked_add(read))
        .ok_or_else(|| Error::new(Code::UsageQuantity).at(found.pointer()))?;
    usage.set("input_tokens", input)?;
    usage.set("output_tokens", output)?;
    if read > 0 {
        usage.set("cached_input_tokens", read)?;
    }
    if written > 0 {
        usage.set("cache_write_tokens", written)?;
    }
    if let Some(parts) = fields.maybe("cache_creation") {
        let mut inner = parts.fields()?;
        let short = count(&mut inner, "ephemeral_5m_input_tokens")?;
        let long = count(&mut inner, "ephemeral_1h_input_tokens")?;
        if short.checked_add(long) != Some(written) {
            return Err(parts
                .error(Code::UsageContradiction)
                .because("5m and 1h writes differ from their total"));
        }
        if short > 0 {
            usage.set("cache_write_5m_tokens", short)?;
        }
        if long > 0 {
            usage.set("cache_write_1h_tokens", long)?;
        }
    }
    if let Some(details) = fields.maybe("output_tokens_details")
        && let Some(thinking) = details.fields()?.maybe("thinking_tokens")
    {
        let quantity = thinking.integer()?;
        if quantity > output {
            return Err(thinking.error(Code::UsageContradiction));
        }
        if quantity > 0 {
            usage.set("reasoning_tokens", quantity)?;
        }
    }
    if let Some(tools) = fields.maybe("server_tool_use") {
        let mut inner = tools.fields()?;
        for (from, meter) in
            [("web_search_requests", "web_searches"), ("web_fetch_requests", "web_fetches")]
        {
            let quantity = count(&mut inner, from)?;
            if quantity > 0 {
                usage.set(meter, quantity)?;
            }
        }
    }
    if let Some(tier) = fields.maybe("service_tier") {
        usage.set_attribute("service_tier", tier.text()?).map_err(|e| e.at(tier.pointer()))?;
    }
    Ok(usage)
}

/// A count that may be absent or null.
fn count(fields: &mut Fields<'_>, name: &'static str) -> Result<u64> {
    fields.maybe(name).map_or(Ok(0), |node| node.integer())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn read(text: &str) -> Result<Usage> {
        let body = parse(text.as_bytes(), &Limits::default()).unwrap();
        Usage::from_json(Surface::AnthropicMessages, &body)
    }

    #[test]
    fn input_is_made_whole() {
        let usage = read(
            r#"{"model":"c","usage":{"input_tokens":6,"cache_creation_input_tokens":574,
                "cache_creation":{"ephemeral_5m_input_tokens":574,"ephemeral_1h_input_tokens":0},
                "cache_read_input_tokens":20443,"output_tokens":489,
                "output_tokens_details":{"thinking_tokens":77},
                "server_tool_use":{"web_search_requests":2},"service_tier":"standard"}}"#,
        )
        .unwrap();
        assert_eq!(usage.get("input_tokens"), 6 + 574 + 20443);
        assert_eq!(usage.get("cache_write_5m_tokens"), 574);
        assert_eq!(usage.get("reasoning_tokens"), 77);
        assert_eq!(usage.get("web_searches"), 2);
    }

    #[test]
    fn another_surface_and_contradictions_are_refused() {
        let e =
            read(r#"{"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#).unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::UsageSurface, Some("/usage/total_tokens")));
        let e = read(
            r#"{"usage":{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":3,
                "cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":1}}}"#,
        )
        .unwrap_err();
        assert_eq!(e.code(), Code::UsageContradiction);
        let e = read(r#"{"usage":{"prompt_tokens":1}}"#).unwrap_err();
        assert_eq!((e.code(), e.place()), (Code::JsonMissingField, Some("/usage/input_tokens")));
    }
}
