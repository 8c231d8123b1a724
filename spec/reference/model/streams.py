"""R-USE-040 to -046: the usage of a streamed answer."""

from . import usages
from .document import Node, parse
from .refused import Refused, need

CHAT = dict.fromkeys(
    ("openai.chat", "mistral.chat", "deepseek.chat", "groq.chat", "openrouter.chat", "xai.chat",
     "perplexity.chat", "snowflake.chat"), (("",), ("choices", "finish_reason")))
# Per surface: where bodies stand; what says that the answer stopped (an item's member, a path, or
# nothing, where any usage is the last).
STREAMED = {
    **CHAT,
    "openai.responses": (("response",), None), "openai.realtime": (("response",), None),
    "openai.images": (("",), None),
    "anthropic.messages": (("message", ""), "delta/stop_reason"),
    "gemini.generate": (("",), ("candidates", "finishReason")),
    "bedrock.converse": (("metadata", ""), None),
    "cohere.chat": (("delta", "response"), None),
}
# Where a body has its usage and its attributes, and the counts of the output, where they are not OpenAI's.
PLACES = {"gemini.generate": ("usageMetadata",), "groq.chat": ("usage", "x_groq/usage"),
          "cohere.chat": ("usage", "meta")}
MEMBERS = {"gemini.generate": ("modelVersion",), "bedrock.converse": ("serviceTier",),
           "cohere.chat": ("model",), "perplexity.chat": ("model",)}
OUTPUTS = {
    "openai.responses": (("output_tokens",),), "openai.realtime": (("output_tokens",),),
    "openai.images": (("output_tokens",),), "anthropic.messages": (("output_tokens",),),
    "gemini.generate": (("candidatesTokenCount",), ("thoughtsTokenCount",)),
    "bedrock.converse": (("outputTokens",),),
    "cohere.chat": (("billed_units/output_tokens",),),
    "xai.chat": (("completion_tokens",), ("completion_tokens_details/reasoning_tokens",)),
    "perplexity.chat": (("completion_tokens",), ("reasoning_tokens",)),
}


def read(surface, texts):
    """(whether the stream is complete, its usage)."""
    need(surface in usages.SURFACES, "usage_surface")
    need(surface in STREAMED, "usage_surface")
    bodies, last = STREAMED[surface]
    places = PLACES.get(surface, ("usage",))
    kept = {place.split("/")[0] for place in places}
    kept.update(MEMBERS.get(surface, ("model", "service_tier")))
    body, output, stopped, complete = {}, None, False, False
    for text in texts:
        if text.strip(" \t\n\r\f") == "[DONE]":
            stopped, complete = True, complete or bool(body)
            continue
        event = Node(parse(text))
        event.fields()
        found, usage = find(event, bodies, places)
        if last is None:
            stops, bare = True, False
        elif isinstance(last, str):
            stops, bare = usages.at(event, last) is not None, False
        else:
            items = usages.at(event, last[0])
            items = [] if items is None else list(items.items())
            stops = any(usages.at(item, last[1]) is not None for item in items)
            bare = not items
        stopped = stopped or stops
        if found is None:
            continue
        now = output_of(surface, usage)
        need(None in (now, output) or now >= output, "usage_contradiction", usage.pointer)
        output = output if now is None else now
        complete = stopped or bare
        for name, value in found.value.items():
            if name not in kept or value is None:
                continue
            if surface == "anthropic.messages" and isinstance(value, dict) and name in body \
                    and isinstance(body[name], dict):
                value = {**body[name], **{n: v for n, v in value.items() if v is not None}}
            body[name] = value
    if not body:
        raise Refused("usage_missing")
    usage = usages.read_body(surface, body)
    if not complete:
        usage.basis = "estimated"
    return complete, usage


def find(event, bodies, places):
    for path in bodies:
        body = usages.at(event, path)
        if body is None or not isinstance(body.value, dict):
            continue
        for place in places:
            usage = usages.at(body, place)
            if usage is not None:
                usage.fields()
                return body, usage
    return None, None


def output_of(surface, usage):
    found = [usages.at(usage, name)
             for names in OUTPUTS.get(surface, (("completion_tokens",),)) for name in names]
    found = [node.integer() for node in found if node is not None]
    need(sum(found) < 2**64, "usage_quantity")
    return sum(found) if found else None
