//! A body or two of each surface, and what every surface has in common.

use alloc::{format, string::String, vec::Vec};

use super::{Surface, Usage};
use crate::{
    error::{Code, Result},
    json::{Limits, parse},
};

fn read(surface: Surface, text: &str) -> Result<Usage> {
    Usage::from_json(surface, &parse(text.as_bytes(), &Limits::default()).unwrap())
}

fn meters(surface: Surface, text: &str) -> Vec<(String, u64)> {
    let usage = read(surface, text).unwrap();
    usage.iter().map(|(meter, quantity)| (String::from(meter), quantity)).collect()
}

fn refused(surface: Surface, text: &str) -> (Code, String) {
    let e = read(surface, text).unwrap_err();
    (e.code(), String::from(e.place().unwrap_or_default()))
}

#[test]
fn names_are_unique_and_read_back() {
    for surface in Surface::ALL {
        assert_eq!(surface.as_str().parse::<Surface>().unwrap(), *surface);
    }
}

#[test]
fn the_same_counts_mean_other_things_under_other_surfaces() {
    // One body in OpenAI's words; what is cached lies in the prompt, or beside it.
    let body = |total: u64| {
        format!(
            r#"{{"usage":{{"prompt_tokens":100,"completion_tokens":10,"total_tokens":{total},
                "prompt_tokens_details":{{"cached_tokens":80}}}}}}"#
        )
    };
    let inside = read(Surface::OpenAiChat, &body(110)).unwrap();
    assert_eq!((inside.get("input_tokens"), inside.get("cached_input_tokens")), (100, 80));
    let beside = read(Surface::SnowflakeChat, &body(190)).unwrap();
    assert_eq!((beside.get("input_tokens"), beside.get("cached_input_tokens")), (180, 80));
    // The total says so when the wrong one is named.
    let wrong = (Code::UsageTotal, String::from("/usage/total_tokens"));
    assert_eq!(refused(Surface::SnowflakeChat, &body(110)), wrong);
    assert_eq!(refused(Surface::OpenAiChat, &body(190)), wrong);
}

#[test]
fn thinking_beside_the_output_is_added() {
    let body = r#"{"usage":{"prompt_tokens":181,"completion_tokens":27,"total_tokens":227,
        "completion_tokens_details":{"reasoning_tokens":19}}}"#;
    let usage = read(Surface::XaiChat, body).unwrap();
    assert_eq!((usage.get("output_tokens"), usage.get("reasoning_tokens")), (46, 19));
    let body = r#"{"usageMetadata":{"promptTokenCount":17,"toolUsePromptTokenCount":119,
        "candidatesTokenCount":201,"thoughtsTokenCount":213,"totalTokenCount":550}}"#;
    let usage = read(Surface::GeminiGenerate, body).unwrap();
    assert_eq!((usage.get("input_tokens"), usage.get("output_tokens")), (136, 414));
}

#[test]
fn an_image_answer_is_image_tokens_unless_it_says_otherwise() {
    let of = |details: &str| {
        meters(
            Surface::OpenAiImages,
            &format!(
                r#"{{"usage":{{"input_tokens":50,"output_tokens":40,"total_tokens":90{details}}}}}"#
            ),
        )
    };
    let expected = |image| {
        Vec::from([
            (String::from("image_output_tokens"), image),
            (String::from("input_tokens"), 50),
            (String::from("output_tokens"), 40),
        ])
    };
    assert_eq!(of(""), expected(40));
    assert_eq!(
        of(r#","output_tokens_details":{"image_tokens":30,"text_tokens":10}"#),
        expected(30)
    );
    assert_eq!(of(r#","output_tokens_details":{"image_tokens":0}"#), expected(0));
}

#[test]
fn whoever_says_a_thing_twice_says_the_same() {
    let body = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
        "num_cached_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}"#;
    let at = (Code::UsageContradiction, String::from("/usage/num_cached_tokens"));
    assert_eq!(refused(Surface::MistralChat, body), at);
    let body = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
        "prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":7}}"#;
    let at = (Code::UsageContradiction, String::from("/usage/prompt_cache_miss_tokens"));
    assert_eq!(refused(Surface::DeepSeekChat, body), at);
}
