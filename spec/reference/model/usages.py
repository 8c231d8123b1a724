"""R-USE: usage surfaces and what is inside what."""

from .document import Node, is_control, is_name, parse
from .refused import Refused, need

PARENTS = {
    "audio_input_tokens": "input_tokens",
    "audio_output_tokens": "output_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
    "cache_write_5m_tokens": "cache_write_tokens",
    "cache_write_tokens": "input_tokens",
    "cached_input_tokens": "input_tokens",
    "image_input_tokens": "input_tokens",
    "reasoning_tokens": "output_tokens",
}


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
            if quantity and not priced(meter) and priced_ancestor(meter, priced) is None:
                return meter
        return None

    def disjoint(self, priced):
        """What is charged: priced meters less their priced parts."""
        for meter, quantity in self.items():
            whole = PARENTS.get(meter)
            if whole in self.meters:
                need(quantity <= self.meters[whole], "usage_contradiction", "/" + meter)
        left = {meter: q for meter, q in self.items() if priced(meter)}
        for part, quantity in self.items():
            whole = priced_ancestor(part, priced)
            if priced(part) and whole is not None and quantity:
                need(whole in left and left[whole] >= quantity,
                     "usage_contradiction", "/" + part)
                left[whole] -= quantity
        return {meter: q for meter, q in left.items() if q}


def root(meter):
    """The whole that is itself no part."""
    while meter in PARENTS:
        meter = PARENTS[meter]
    return meter


def priced_ancestor(meter, priced):
    whole = PARENTS.get(meter)
    while whole is not None and not priced(whole):
        whole = PARENTS.get(whole)
    return whole


SURFACES = ("openai.chat", "openai.responses", "anthropic.messages", "plain")


def read(surface, text):
    readers = {
        "openai.chat": lambda n: openai(n, surface, "prompt_tokens", "completion_tokens"),
        "openai.responses": lambda n: openai(n, surface, "input_tokens", "output_tokens"),
        "anthropic.messages": anthropic,
        "plain": plain,
    }
    need(surface in readers, "usage_surface")
    return readers[surface](Node(parse(text)))


def plain(node):
    usage = Usage("plain", "reported")
    for meter, quantity in node.fields().all():
        usage.set(meter, quantity.quantity(), quantity.pointer)
    return usage


def opened(node, surface):
    fields = node.fields()
    usage = Usage(surface, "reported")
    found = fields.maybe("usage")
    need(found is not None, "usage_missing", "/usage")
    for name in ("model", "service_tier"):
        value = fields.maybe(name)
        if value is not None:
            usage.set_attribute(name, value.text(), value.pointer)
    return usage, found


def openai(node, surface, input_name, output_name):
    usage, found = opened(node, surface)
    fields = found.fields()
    whole = fields.must(input_name).integer()
    out = fields.must(output_name).integer()
    total = fields.must("total_tokens")
    need(whole + out == total.integer(), "usage_total", total.pointer)
    usage.set("input_tokens", whole)
    usage.set("output_tokens", out)
    for details, limit, parts in (
        (input_name + "_details", whole, (
            ("cached_tokens", "cached_input_tokens"), ("cache_write_tokens", "cache_write_tokens"),
            ("audio_tokens", "audio_input_tokens"), ("image_tokens", "image_input_tokens"))),
        (output_name + "_details", out, (
            ("reasoning_tokens", "reasoning_tokens"), ("audio_tokens", "audio_output_tokens"))),
    ):
        inner = fields.maybe(details)
        if inner is None:
            continue
        for name, meter in parts:
            part = inner.fields().maybe(name)
            if part is None:
                continue
            need(part.integer() <= limit, "usage_contradiction", part.pointer)
            if part.integer():
                usage.set(meter, part.integer())
    return usage


def anthropic(node):
    usage, found = opened(node, "anthropic.messages")
    fields = found.fields()
    fresh = fields.must("input_tokens").integer()
    out = fields.must("output_tokens").integer()
    total = fields.maybe("total_tokens")
    if total is not None:
        raise Refused("usage_surface", total.pointer)
    written, cached = (count(fields, f"cache_{kind}_input_tokens") for kind in ("creation", "read"))
    usage.set("input_tokens", fresh + written + cached)
    usage.set("output_tokens", out)
    for meter, quantity in (("cached_input_tokens", cached), ("cache_write_tokens", written)):
        if quantity:
            usage.set(meter, quantity)
    parts = fields.maybe("cache_creation")
    if parts is not None:
        inner = parts.fields()
        short, long = (count(inner, f"ephemeral_{ttl}_input_tokens") for ttl in ("5m", "1h"))
        need(short + long == written, "usage_contradiction", parts.pointer)
        for meter, quantity in (("cache_write_5m_tokens", short), ("cache_write_1h_tokens", long)):
            if quantity:
                usage.set(meter, quantity)
    details = fields.maybe("output_tokens_details")
    thinking = details.fields().maybe("thinking_tokens") if details is not None else None
    if thinking is not None:
        need(thinking.integer() <= out, "usage_contradiction", thinking.pointer)
        if thinking.integer():
            usage.set("reasoning_tokens", thinking.integer())
    tools = fields.maybe("server_tool_use")
    if tools is not None:
        inner = tools.fields()
        for name, meter in (("web_search_requests", "web_searches"),
                            ("web_fetch_requests", "web_fetches")):
            if count(inner, name):
                usage.set(meter, count(inner, name))
    tier = fields.maybe("service_tier")
    if tier is not None:
        usage.set_attribute("service_tier", tier.text(), tier.pointer)
    return usage


def count(fields, name):
    node = fields.maybe(name)
    return 0 if node is None else node.integer()
