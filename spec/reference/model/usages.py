"""R-USE: usage surfaces and what is inside what."""

import re

from .document import Node, is_control, is_name, parse
from .refused import Refused, need

# R-USE-002: each meter and its wholes, in the order of the table.
WHOLES = {
    "input_tokens": (), "output_tokens": (),
    **dict.fromkeys((
        "audio_input_tokens", "cache_write_tokens", "cached_input_tokens", "citation_tokens",
        "image_input_tokens", "tool_use_input_tokens", "video_input_tokens"), ("input_tokens",)),
    **dict.fromkeys((
        "accepted_prediction_tokens", "audio_output_tokens", "image_output_tokens",
        "reasoning_tokens", "rejected_prediction_tokens", "video_output_tokens"),
        ("output_tokens",)),
    "cache_write_1h_tokens": ("cache_write_tokens",),
    "cache_write_5m_tokens": ("cache_write_tokens",),
    "cached_audio_input_tokens": ("cached_input_tokens", "audio_input_tokens"),
    "cached_image_input_tokens": ("cached_input_tokens", "image_input_tokens"),
    "cached_video_input_tokens": ("cached_input_tokens", "video_input_tokens"),
}


def above(meter):
    """Everything that a meter lies in."""
    found = set(WHOLES.get(meter, ()))
    for whole in WHOLES.get(meter, ()):
        found |= above(whole)
    return found


def nearest(meter, priced):
    """The priced meters that it lies in, but those that hold another of them."""
    found = {whole for whole in above(meter) if priced(whole)}
    return {whole for whole in found if not any(whole in above(other) for other in found)}


def root(meter):
    """The whole that is itself no part."""
    while WHOLES.get(meter):
        meter = WHOLES[meter][0]
    return meter


class Usage:
    def __init__(self, surface="plain", basis="measured"):
        self.surface = surface
        self.basis = basis
        self.meters = {}
        self.attributes = {}

    def set(self, meter, quantity, place=None):
        need(is_name(meter), "text_invalid", place)
        need(0 <= quantity < 2**63, "usage_quantity", place)
        need(meter in self.meters or len(self.meters) < 64, "usage_quantity", place)
        self.meters[meter] = quantity

    def set_attribute(self, name, value, place=None):
        good = is_name(name) and len(value.encode()) <= 1024 and not any(map(is_control, value))
        need(good, "text_invalid", place)
        need(name in self.attributes or len(self.attributes) < 64, "text_invalid", place)
        self.attributes[name] = value

    def items(self):
        return sorted(self.meters.items())

    def uncovered(self, priced):
        for meter, quantity in self.items():
            if quantity and not priced(meter) and len(nearest(meter, priced)) != 1:
                return meter
        return None

    def disjoint(self, priced):
        """What is charged: priced meters less their priced parts."""
        for meter, quantity in self.items():
            if not quantity:
                continue
            fits = all(quantity <= self.meters[w] for w in above(meter) if w in self.meters)
            there = all(w in self.meters for w in nearest(meter, priced))
            need(fits and there, "usage_contradiction", "/" + meter)
        left = {meter: q for meter, q in self.items() if priced(meter)}
        for part in reversed(WHOLES):
            if part not in left:
                continue
            for whole in above(part) & left.keys():
                left[whole] -= left[part]
                need(left[whole] >= 0, "usage_contradiction", "/" + part)
        return {meter: q for meter, q in left.items() if q}


SURFACES = (
    "openai.chat", "openai.responses", "openai.realtime", "openai.images", "anthropic.messages",
    "gemini.generate", "bedrock.converse", "mistral.chat", "deepseek.chat", "groq.chat",
    "openrouter.chat", "xai.chat", "cohere.chat", "perplexity.chat", "snowflake.chat",
    "otel.genai", "plain")


def read(surface, text):
    need(surface in SURFACES, "usage_surface")
    return read_body(surface, parse(text))


def read_body(surface, body):
    reader = globals()[surface.replace(".", "_")]
    usage = reader(Node(body))
    usage.surface, usage.basis = surface, "reported"
    return usage


def plain(node):
    usage = Usage()
    for meter, quantity in node.fields().all():
        usage.set(meter, quantity.quantity(), quantity.pointer)
    return usage


class Body:
    """A body under a surface: the usage so far, and what is read next."""

    def __init__(self, node, places=("usage",), attributes=("model", "service_tier")):
        node.fields()
        self.usage = Usage()
        self.here = None
        for place in places:
            self.here = self.here or at(node, place)
        if self.here is None:
            raise Refused("usage_missing", "/" + places[0])
        self.here.fields()
        for attribute in attributes:
            name, place = attribute if isinstance(attribute, tuple) else (attribute, attribute)
            text = at(node, place)
            if text is not None:
                self.usage.set_attribute(name, text.text(), text.pointer)

    def count(self, *names):
        """A count that may not be there; several names say the same."""
        found = [node for node in (at(self.here, name) for name in names) if node is not None]
        for node in found:
            need(node.integer() == found[0].integer(), "usage_contradiction", node.pointer)
        return found[0] if found else None

    def quantity(self, *names):
        found = self.count(*names)
        return found.integer() if found else 0

    def must(self, name):
        node = at(self.here, name, nulls=True)
        if node is None:
            raise Refused("json_missing_field", self.here.pointer + "/" + name)
        return node.integer()

    def put(self, meter, quantity):
        if quantity or self.usage.meters.get(meter):
            self.usage.set(meter, quantity)

    def side(self, first, *rest):
        """The sum of a required count (None: of none) and of parts that may stand beside it."""
        total = 0 if first is None else self.must(first)
        for meter, *names in rest:
            quantity = self.quantity(*names)
            self.put(meter, quantity)
            total += quantity
        return total

    def whole(self, inputs, outputs):
        self.usage.set("input_tokens", inputs)
        self.usage.set("output_tokens", outputs)

    def total(self, name, *aside):
        sums = [self.usage.meters["input_tokens"] + self.usage.meters["output_tokens"]]
        sums.append(sums[0] - sum(self.usage.meters.get(meter, 0) for meter in aside))
        need(self.must(name) in sums, "usage_total", f"{self.here.pointer}/{name}")

    def part(self, meter, *names):
        node = self.count(*names)
        if node is not None:
            self.put(meter, node.integer())
            self.fits(meter, node)

    def fits(self, meter, node):
        meters = self.usage.meters
        for whole in above(meter):
            need(meters.get(meter, 0) <= meters.get(whole, 0), "usage_contradiction", node.pointer)

    def split(self, of, when, *names):
        node = at(self.here, when)
        if node is not None:
            parts = sum(self.quantity(name) for name in names)
            need(parts == self.quantity(of), "usage_contradiction", node.pointer)

    def list(self, name, kind, count, of, meters, exact=False):
        node = at(self.here, name)
        if node is None:
            return
        sums, total = dict.fromkeys(meters, 0), 0
        for item in node.items():
            label, units = at(item, kind), 0
            label = None if label is None else label.text()
            found = at(item, count)
            units = 0 if found is None else found.integer()
            total += units
            if label in sums:
                sums[label] += units
        whole = self.quantity(*of)
        need(total == whole if exact else total <= whole, "usage_contradiction", node.pointer)
        for label, meter in meters.items():
            self.put(meter, sums[label])
            self.fits(meter, node)


def at(node, path, nulls=False):
    """What stands at a path of members, null being nothing."""
    for name in path.split("/") if path else ():
        if node is None or node.value is None:
            return None
        node = node.fields().get(name)
    return None if node is None or (node.value is None and not nulls) else node


def openai(node, inputs, outputs, details, parts, **how):
    body = Body(node, **how)
    body.whole(body.must(inputs), body.must(outputs))
    body.total("total_tokens")
    place = dict(zip("io", details))
    for side, name, meter in parts:
        body.part(meter, f"{place[side]}/{name}")
    return body.usage


CHAT = (("i", "cached_tokens", "cached_input_tokens"),
        ("i", "cache_write_tokens", "cache_write_tokens"),
        ("i", "audio_tokens", "audio_input_tokens"),
        ("i", "image_tokens", "image_input_tokens"),
        ("o", "reasoning_tokens", "reasoning_tokens"),
        ("o", "audio_tokens", "audio_output_tokens"))
PREDICTED = (("o", "accepted_prediction_tokens", "accepted_prediction_tokens"),
             ("o", "rejected_prediction_tokens", "rejected_prediction_tokens"))


def openai_chat(node, places=("usage",)):
    return openai(node, "prompt_tokens", "completion_tokens",
                  ("prompt_tokens_details", "completion_tokens_details"), CHAT + PREDICTED,
                  places=places)


def groq_chat(node):
    return openai_chat(node, ("usage", "x_groq/usage"))


def openai_responses(node):
    return openai(node, "input_tokens", "output_tokens",
                  ("input_tokens_details", "output_tokens_details"), CHAT)


def openai_realtime(node):
    joint = (("i", "cached_tokens_details/audio_tokens", "cached_audio_input_tokens"),
             ("i", "cached_tokens_details/image_tokens", "cached_image_input_tokens"))
    parts = tuple(part for part in CHAT if part[1] != "cache_write_tokens")
    return openai(node, "input_tokens", "output_tokens",
                  ("input_token_details", "output_token_details"), parts[:3] + joint + parts[3:])


def openai_images(node):
    body = Body(node)
    body.whole(body.must("input_tokens"), body.must("output_tokens"))
    body.put("image_output_tokens", body.must("output_tokens"))
    body.total("total_tokens")
    body.part("cached_input_tokens", "input_tokens_details/cached_tokens")
    body.part("image_input_tokens", "input_tokens_details/image_tokens")
    body.part("image_output_tokens", "output_tokens_details/image_tokens")
    return body.usage


def anthropic_messages(node):
    body = Body(node, attributes=("model", "service_tier", ("service_tier", "usage/service_tier")))
    body.whole(body.side("input_tokens",
                         ("cache_write_tokens", "cache_creation_input_tokens"),
                         ("cached_input_tokens", "cache_read_input_tokens")),
               body.must("output_tokens"))
    total = at(body.here, "total_tokens")
    if total is not None:
        raise Refused("usage_surface", total.pointer)
    written = [f"cache_creation/ephemeral_{ttl}_input_tokens" for ttl in ("5m", "1h")]
    body.split("cache_creation_input_tokens", "cache_creation", *written)
    body.part("cache_write_5m_tokens", written[0])
    body.part("cache_write_1h_tokens", written[1])
    body.part("reasoning_tokens", "output_tokens_details/thinking_tokens")
    body.part("web_searches", "server_tool_use/web_search_requests")
    body.part("web_fetches", "server_tool_use/web_fetch_requests")
    return body.usage


def gemini_generate(node):
    body = Body(node, ("usageMetadata",), (("model", "modelVersion"),))
    inputs = body.quantity("promptTokenCount")
    inputs += body.side(None, ("tool_use_input_tokens", "toolUsePromptTokenCount"))
    outputs = body.quantity("candidatesTokenCount")
    outputs += body.side(None, ("reasoning_tokens", "thoughtsTokenCount"))
    body.whole(inputs, outputs)
    body.total("totalTokenCount")
    body.part("cached_input_tokens", "cachedContentTokenCount")
    for name, of, before, side in (("promptTokensDetails", "promptTokenCount", "", "input"),
                                   ("cacheTokensDetails", "cachedContentTokenCount", "cached_",
                                    "input"),
                                   ("candidatesTokensDetails", "candidatesTokenCount", "",
                                    "output")):
        meters = {kind: f"{before}{kind.lower()}_{side}_tokens"
                  for kind in ("AUDIO", "IMAGE", "VIDEO")}
        body.list(name, "modality", "tokenCount", (of,), meters)
    return body.usage


def bedrock_converse(node):
    body = Body(node, attributes=(("service_tier", "serviceTier/type"),))
    written = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
    cached = ("cacheReadInputTokens", "cacheReadInputTokenCount")
    body.whole(body.side("inputTokens", ("cache_write_tokens", *written),
                         ("cached_input_tokens", *cached)),
               body.must("outputTokens"))
    body.total("totalTokens")
    body.list("cacheDetails", "ttl", "inputTokens", written,
              {"5m": "cache_write_5m_tokens", "1h": "cache_write_1h_tokens"}, exact=True)
    return body.usage


def mistral_chat(node):
    body = Body(node)
    body.whole(body.must("prompt_tokens"), body.must("completion_tokens"))
    body.total("total_tokens")
    body.part("cached_input_tokens", "prompt_tokens_details/cached_tokens", "num_cached_tokens")
    body.part("audio_seconds", "prompt_audio_seconds")
    return body.usage


def deepseek_chat(node):
    body = Body(node)
    body.whole(body.must("prompt_tokens"), body.must("completion_tokens"))
    body.total("total_tokens")
    body.split("prompt_tokens", "prompt_cache_miss_tokens",
               "prompt_cache_hit_tokens", "prompt_cache_miss_tokens")
    body.part("cached_input_tokens", "prompt_cache_hit_tokens",
              "prompt_tokens_details/cached_tokens")
    body.part("reasoning_tokens", "completion_tokens_details/reasoning_tokens")
    return body.usage


def openrouter_chat(node):
    parts = (*CHAT[:4], ("i", "video_tokens", "video_input_tokens"), *CHAT[4:],
             ("o", "image_tokens", "image_output_tokens"), ("s", "web_search_requests",
                                                            "web_searches"))
    body = Body(node)
    body.whole(body.must("prompt_tokens"), body.must("completion_tokens"))
    body.total("total_tokens")
    place = {"i": "prompt_tokens_details", "o": "completion_tokens_details",
             "s": "server_tool_use"}
    for side, name, meter in parts:
        body.part(meter, f"{place[side]}/{name}")
    return body.usage


def xai_chat(node):
    body = Body(node)
    body.whole(body.must("prompt_tokens"),
               body.side("completion_tokens",
                         ("reasoning_tokens", "completion_tokens_details/reasoning_tokens")))
    body.total("total_tokens")
    for kind in ("cached", "audio", "image"):
        body.part(f"{kind}_input_tokens", f"prompt_tokens_details/{kind}_tokens")
    body.part("audio_output_tokens", "completion_tokens_details/audio_tokens")
    body.part("search_sources", "num_sources_used")
    return body.usage


def cohere_chat(node):
    body = Body(node, ("usage", "meta"), ("model",))
    body.whole(body.must("billed_units/input_tokens"), body.must("billed_units/output_tokens"))
    body.part("search_units", "billed_units/search_units")
    return body.usage


def perplexity_chat(node):
    body = Body(node, attributes=("model", ("search_context_size", "usage/search_context_size")))
    body.whole(body.side("prompt_tokens", ("citation_tokens", "citation_tokens")),
               body.side("completion_tokens", ("reasoning_tokens", "reasoning_tokens")))
    body.total("total_tokens", "citation_tokens", "reasoning_tokens")
    body.part("web_searches", "num_search_queries")
    return body.usage


def snowflake_chat(node):
    body = Body(node)
    body.whole(body.side("prompt_tokens",
                         ("cached_input_tokens", "prompt_tokens_details/cached_tokens"),
                         ("cache_write_tokens", "prompt_tokens_details/cache_write_tokens")),
               body.must("completion_tokens"))
    body.total("total_tokens")
    return body.usage


def otel_genai(node):
    body = Body(node, ("",), (("model", "gen_ai.request.model"), ("model", "gen_ai.response.model")))
    name = "gen_ai.usage."
    body.whole(body.must(name + "input_tokens"), body.must(name + "output_tokens"))
    body.part("cached_input_tokens", name + "cache_read.input_tokens")
    body.part("cache_write_tokens", name + "cache_creation.input_tokens")
    body.part("reasoning_tokens", name + "reasoning.output_tokens")
    return body.usage


POINTER = re.compile(r"(/([^~/]|~[01])*)*", re.S)


def mapped(text, event):
    """An event of the host's own, read as a mapping document says."""
    fields = Node(parse(text)).fields()
    form = fields.must("format")
    need(form.text() == "counterfoil/mapping/0", "usage_surface", form.pointer)
    meters = places(fields.must("meters"))
    attributes = fields.get("attributes")
    attributes = [] if attributes is None else places(attributes)
    fields.finish()
    usage, event = Usage("plain", "reported"), parse(event)
    for name, pointer, optional in meters:
        node = pointed(event, pointer, optional)
        if node is not None:
            usage.set(name, node.quantity(), pointer)
    for name, pointer, optional in attributes:
        node = pointed(event, pointer, optional)
        if node is not None:
            usage.set_attribute(name, node.text(), pointer)
    return usage


def places(node):
    found = []
    for name, place in node.fields().all():
        need(is_name(name), "text_invalid", place.pointer)
        optional = isinstance(place.value, dict)
        if optional:
            fields = place.fields()
            place = fields.must("optional")
            fields.finish()
        need(POINTER.fullmatch(place.text()), "text_invalid", place.pointer)
        found.append((name, place.value, optional))
    return found


def pointed(event, pointer, optional):
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(event, dict):
            event = event.get(step)
        elif isinstance(event, list) and re.fullmatch("0|[1-9][0-9]*", step):
            event = event[int(step)] if int(step) < len(event) else None
        else:
            event = None
    need(event is not None or optional, "usage_missing", pointer)
    return None if event is None else Node(event, pointer)
