"""R-JSON: strict JSON, typed readers that carry the JSON Pointer, and the RFC 8785 form."""

import json
import re
import unicodedata

from .refused import Refused, need


class Number(str):
    """A number as it was written."""

    def __new__(cls, lexeme):
        return super().__new__(cls, str(lexeme))


def parse(text, most_bytes=1 << 20, depth=32, values=100_000):
    """A document as dicts, lists, strings, Numbers, booleans and None."""
    need(len(text.encode("utf-8", "surrogatepass")) <= most_bytes, "json_too_large")
    check_bounds(text, depth)
    try:
        tree = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=Number,
            parse_float=Number,
            parse_constant=lambda _: (_ for _ in ()).throw(ValueError()),
        )
    except Refused:
        raise
    except ValueError as error:
        raise Refused("json_syntax") from error
    count = [values]
    check_tree(tree, count)
    return tree


def unique(pairs):
    names = [name for name, _ in pairs]
    need(len(set(names)) == len(names), "json_duplicate_key")
    return dict(pairs)


def check_bounds(text, depth):
    """Refuses nesting beyond the bound before anything recurses."""
    level, inside, escaped = 0, False, False
    for c in text:
        if inside:
            inside = escaped or c != '"'
            escaped = not escaped and c == "\\"
        elif c == '"':
            inside = True
        elif c in "[{":
            level += 1
            need(level <= depth, "json_too_deep")
        elif c in "]}":
            level -= 1


def check_tree(tree, count):
    count[0] -= 1
    need(count[0] >= 0, "json_too_many")
    if isinstance(tree, dict):
        for name, value in tree.items():
            count[0] -= 1
            check_text(name)
            check_tree(value, count)
    elif isinstance(tree, list):
        for value in tree:
            check_tree(value, count)
    elif isinstance(tree, str):
        check_text(tree)


SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(text):
    need(SURROGATE.search(text) is None, "json_encoding")


INTEGER = re.compile(r"0|[1-9][0-9]*")


def step(name):
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


class Node:
    """A value and its JSON Pointer."""

    def __init__(self, value, pointer=""):
        self.value = value
        self.pointer = pointer

    def refused(self, code):
        return Refused(code, self.pointer)

    def text(self):
        need(isinstance(self.value, str) and not isinstance(self.value, Number),
             "json_type", self.pointer)
        return self.value

    def boolean(self):
        need(isinstance(self.value, bool), "json_type", self.pointer)
        return self.value

    def integer(self):
        need(isinstance(self.value, Number), "json_type", self.pointer)
        need(INTEGER.fullmatch(self.value) is not None and int(self.value) < 2**53,
             "json_number", self.pointer)
        return int(self.value)

    def quantity(self):
        need(isinstance(self.value, str), "json_type", self.pointer)
        end = 2**53 if isinstance(self.value, Number) else 2**63
        need(INTEGER.fullmatch(self.value) is not None and int(self.value) < end,
             "usage_quantity", self.pointer)
        return int(self.value)

    def items(self):
        need(isinstance(self.value, list), "json_type", self.pointer)
        return [Node(v, self.pointer + step(i)) for i, v in enumerate(self.value)]

    def fields(self):
        need(isinstance(self.value, dict), "json_type", self.pointer)
        return Fields(self)


class Fields:
    """An object that is being read; `finish` refuses members that nobody asked for."""

    def __init__(self, node):
        self.node = node
        self.asked = set()

    def get(self, name):
        self.asked.add(name)
        if name not in self.node.value:
            return None
        return Node(self.node.value[name], self.node.pointer + step(name))

    def maybe(self, name):
        node = self.get(name)
        return None if node is None or node.value is None else node

    def must(self, name):
        node = self.get(name)
        if node is None:
            raise Refused("json_missing_field", self.node.pointer + step(name))
        return node

    def all(self):
        return [(name, Node(value, self.node.pointer + step(name)))
                for name, value in self.node.value.items()]

    def finish(self):
        for name in self.node.value:
            need(name in self.asked, "json_unknown_field", self.node.pointer + step(name))


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
ESCAPED = re.compile(r'["\\\x00-\x1f]')


def quoted(text):
    return '"' + ESCAPED.sub(lambda c: ESCAPES.get(c[0]) or f"\\u{ord(c[0]):04x}", text) + '"'


def canonical(node):
    """The RFC 8785 form; numbers are whole and below 2^53, texts in normalization form C."""
    value = node.value
    if isinstance(value, Number):
        node.integer()
        return str(value)
    if isinstance(value, str):
        check_nfc(value, node.pointer)
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in node.items()) + "]"
    if isinstance(value, dict):
        members = sorted(node.fields().all(), key=lambda m: m[0].encode("utf-16-be"))
        out = []
        for name, member in members:
            check_nfc(name, member.pointer)
            out.append(quoted(name) + ":" + canonical(member))
        return "{" + ",".join(out) + "}"
    return {True: "true", False: "false", None: "null"}[value]


def check_nfc(text, pointer):
    need(unicodedata.is_normalized("NFC", text), "text_invalid", pointer)


NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def is_name(text):
    return NAME.fullmatch(text) is not None


def is_control(c):
    return unicodedata.category(c) == "Cc"
