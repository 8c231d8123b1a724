"""R-LANE, R-RCPT: lane openings, heads, bodies, and their forms."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from . import logs
from .amounts import GRID, exact_of, text_of
from .document import Node, Number, parse, quoted
from .refused import Refused, need
from .signing import COUNTERFOIL, check, check_form, sha256
from .usages import SURFACES

RECEIPT = ("Receipt(bytes32 lane,uint64 sequence,bytes32 previous,uint8 kind,bytes32 subject,"
           "uint64 authorizedAt,uint64 issuedAt,bytes32 body,uint128 charge,uint128 cumulative,"
           "uint128 credited)")
LANE = ("LaneOpen(bytes32 plan,bytes32 subscription,bytes32 payer,uint32 number,bytes32 parent,"
        "bytes32 rail,bytes32 lease,string origin,uint64 openedAt,uint128 cumulative,"
        "uint64 cumulativeRemainder,uint128 credited,uint64 creditedRemainder)")

# (name, bytes) of a head's fields, in order.
HEAD = [("lane", 32), ("sequence", 8), ("previous", 32), ("kind", 1), ("subject", 32),
        ("authorized_at", 8), ("issued_at", 8), ("body", 32), ("charge", 16), ("cumulative", 16),
        ("credited", 16)]
CALL, PART, PERIOD, TRUE_UP, CREDIT = 1, 2, 3, 4, 5
KINDS = {CALL: "call", PART: "part", PERIOD: "period", TRUE_UP: "true_up", CREDIT: "credit"}
BASES = {"reported": 1, "measured": 2, "estimated": 3}


def u(value, size):
    return value.to_bytes(size, "big")


def blob(data):
    return u(len(data), 4) + data


def text(value):
    return blob(value.encode())


def exact(value):
    return u(value // GRID, 16) + u(value % GRID, 8)


def window(value):
    return u(value[0], 8) + u(value[1], 8)


def head_bytes(head):
    return b"".join(head[name] if isinstance(head[name], bytes) else u(head[name], size)
                    for name, size in HEAD)


def head_digest(head):
    return COUNTERFOIL.digest(RECEIPT, *(head[name] for name, _ in HEAD))


def lane_bytes(lane):
    return (lane["plan"] + lane["subscription"] + lane["payer"] + u(lane["number"], 4)
            + lane["parent"] + lane["rail"] + lane["lease"] + text(lane["origin"])
            + u(lane["opened_at"], 8) + u(lane["cumulative"], 16) + u(lane["cumulative_remainder"], 8)
            + u(lane["credited"], 16) + u(lane["credited_remainder"], 8))


def lane_digest(lane):
    return COUNTERFOIL.digest(
        LANE, lane["plan"], lane["subscription"], lane["payer"], lane["number"], lane["parent"],
        lane["rail"], lane["lease"], lane["origin"], lane["opened_at"], lane["cumulative"],
        lane["cumulative_remainder"], lane["credited"], lane["credited_remainder"])


def lane_typed_data(lane):
    """R-LANE-003, R-SIGN-002: what a wallet is shown."""
    fields = [field.split(" ") for field in LANE[len("LaneOpen("):-1].split(",")]
    message = {}
    for _, name in fields:
        value = lane["".join("_" + c.lower() if c.isupper() else c for c in name)]
        message[name] = hexed(value) if isinstance(value, bytes) else str(value)
    members = [["string", "name"], ["string", "version"]]
    named = [[{"name": name, "type": kind} for kind, name in group] for group in (members, fields)]
    return {"types": {"EIP712Domain": named[0], "LaneOpen": named[1]}, "primaryType": "LaneOpen",
            "domain": {"name": "Counterfoil", "version": "1"}, "message": message}


def item_bytes(item):
    kind = item["item"]
    if kind == "quantity":
        return b"\x01" + text(item["meter"]) + u(item["quantity"], 8)
    if kind == "line":
        return (b"\x02" + text(item["charge"]) + window(item["window"]) + u(item["units_before"], 8)
                + u(item["units"], 8) + exact(item["billed_before"]) + exact(item["amount"]))
    if kind == "price":
        return (b"\x03" + exact(item["exact"]) + u(item["remainder_before"], 8)
                + u(item["remainder_after"], 8) + exact(item["uncollected"]) + u(item["late"], 1))
    if kind == "attribute":
        return b"\x04" + text(item["name"]) + text(item["value"])
    if kind == "source":
        return b"\x05" + text(item["surface"]) + u(BASES[item["basis"]], 1) + item["content"]
    if kind == "draw_units":
        return (b"\x07" + text(item["grant"]) + u(item["given_at"], 8) + text(item["meter"])
                + u(item["units"], 8) + u(item["balance"], 8))
    if kind == "draw":
        return (b"\x08" + text(item["grant"]) + u(item["given_at"], 8) + exact(item["amount"])
                + exact(item["balance"]))
    if kind == "part":
        return b"\x09" + u(item["number"], 8) + exact(item["charged"]) + exact(item["uncollected"])
    if kind == "surplus":
        return (b"\x0a" + exact(item["exact"]) + u(item["remainder_before"], 8)
                + u(item["remainder_after"], 8))
    if kind == "credit":
        wanted = item["amount"]
        asked = b"\0" if wanted is None else b"\x01" + exact(wanted)
        return (b"\x10" + text(item["id"]) + text(item["reason"]) + asked + exact(item["exact"])
                + u(item["remainder_before"], 8) + u(item["remainder_after"], 8))
    if kind == "returned_units":
        return (b"\x11" + text(item["grant"]) + u(item["given_at"], 8) + text(item["meter"])
                + u(item["units"], 8) + u(item["balance"], 8))
    if kind == "returned":
        return (b"\x12" + text(item["grant"]) + u(item["given_at"], 8) + exact(item["amount"])
                + exact(item["balance"]))
    return (b"\x06" + text(item["charge"]) + window(item["window"]) + u(item["units"], 8)
            + exact(item["billed"]) + exact(item["due"]) + exact(item["exact"])
            + u(item["remainder_before"], 8) + u(item["remainder_after"], 8))


def leaf_salt(salt, index):
    """Half of SHA-256(salt ‖ index / 2): the first half for even items."""
    pair = sha256(salt, u(index // 2, 4))
    return pair[16:] if index % 2 else pair[:16]


def item_leaf(salt, item, index, count):
    """A leaf says its position and how many there are: a root alone fixes neither."""
    return sha256(b"\0", u(index, 2), u(count, 2), salt, item_bytes(item))


def leaves(body):
    items, salt = body["items"], body["salt"]
    return [item_leaf(leaf_salt(salt, i), item, i, len(items)) for i, item in enumerate(items)]


def body_root(body):
    return logs.root(leaves(body))


def body_bytes(body):
    return body["salt"] + u(len(body["items"]), 4) + b"".join(map(item_bytes, body["items"]))


def receipt_salt(key, lane, sequence):
    return sha256(key, lane, u(sequence, 8))


def typed_data(kind, message):
    """An EIP-712 document of the domain Counterfoil."""
    name, _, rest = kind.partition("(")
    fields = [{"name": field.split(" ")[1], "type": field.split(" ")[0]}
              for field in rest.rstrip(")").split(",")]
    domain = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
    return {"types": {"EIP712Domain": domain, name: fields}, "primaryType": name,
            "domain": {"name": "Counterfoil", "version": "1"}, "message": message}


def lane_json(lane):
    return {camel(name): hexed(value) if isinstance(value, bytes) else str(value)
            for name, value in lane.items()}


# The header form.


def header(head, signature):
    kind = b"\x01" if signature else b"\x02"
    data = kind + b"\0" + head_bytes(head) + (signature or b"")
    return urlsafe_b64encode(data).decode().rstrip("=")


def from_header(value):
    need(len(value) <= 400, "bytes_invalid")
    try:
        need(value.isascii() and "=" not in value and "+" not in value and "/" not in value,
             "bytes_invalid")
        data = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except ValueError as error:
        raise Refused("bytes_invalid") from error
    need(urlsafe_b64encode(data).decode().rstrip("=") == value, "bytes_invalid")
    need(len(data) >= 2, "bytes_invalid")
    need(data[1] == 0 and data[0] in (1, 2), "bytes_version")
    length = sum(size for _, size in HEAD)
    need(len(data) >= 2 + length, "bytes_invalid")
    head, at = {}, 2
    for name, size in HEAD:
        part = data[at:at + size]
        head[name] = part if size == 32 else int.from_bytes(part, "big")
        if name == "kind":
            need(head[name] in KINDS, "bytes_version")
        if name in ("authorized_at", "issued_at"):
            need(head[name] <= 253_402_300_799_999, "time_invalid")
        at += size
    signature = None
    if data[0] == 1:
        need(len(data) >= at + 65, "bytes_invalid")
        signature = data[at:at + 65]
        check_form(signature)
        at += 65
    need(len(data) == at, "bytes_invalid")
    return head, signature


# The JSON form.


def hexed(data):
    return "0x" + data.hex()


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def head_json(head):
    return {camel(name): hexed(head[name]) if size == 32 else str(head[name])
            for name, size in HEAD}


EXACTS = ("exact", "charged", "uncollected", "billed_before", "amount", "billed", "due")


def item_json(item):
    out = {}
    for name, value in item.items():
        if value is None:
            pass
        elif name in EXACTS or (name == "balance" and item["item"] in ("draw", "returned")):
            value = text_of(value)
        elif name == "window":
            value = {"start": str(value[0]), "end": str(value[1])}
        elif isinstance(value, bytes):
            value = hexed(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        out[camel(name)] = value
    return out


def compact(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return "{" + ",".join(quoted(k) + ":" + compact(v) for k, v in value.items()) + "}"


def to_json(head, signature, body):
    return compact({
        "format": "counterfoil/receipt/0",
        "head": head_json(head),
        "signature": hexed(signature) if signature else None,
        "body": None if body is None else {
            "salt": hexed(body["salt"]), "items": [item_json(i) for i in body["items"]]},
    })


def hex_of(node, size):
    value = node.text()
    good = value.startswith("0x") and len(value) == 2 + 2 * size
    good = good and all(c in "0123456789abcdefABCDEF" for c in value[2:])
    need(good, "hex_invalid", node.pointer)
    return bytes.fromhex(value[2:])


def int_of(node, bits):
    value = node.text()
    good = value.isascii() and value.isdigit() and str(int(value)) == value
    need(good and int(value) < 2**bits, "decimal_invalid", node.pointer)
    return int(value)


def time_of(node):
    value = int_of(node, 64)
    need(value <= 253_402_300_799_999, "time_invalid", node.pointer)
    return value


def from_json(document):
    fields = Node(parse(document)).fields()
    form = fields.must("format")
    need(form.text() == "counterfoil/receipt/0", "bytes_version", form.pointer)
    head = head_of(fields.must("head"))
    node = fields.must("signature")
    signature = None
    if node.value is not None:
        signature = hex_of(node, 65)
        try:
            check_form(signature)
        except Refused as refused:
            raise Refused(refused.code, node.pointer) from None
    node = fields.must("body")
    body = None
    if node.value is not None:
        inner = node.fields()
        salt = hex_of(inner.must("salt"), 32)
        body = {"salt": salt, "items": [item_of(i) for i in inner.must("items").items()]}
        inner.finish()
    fields.finish()
    return head, signature, body


def head_of(node):
    fields = node.fields()
    kind = fields.must("kind")
    head = {}
    for name, size in HEAD:
        field = fields.must(camel(name))
        if size == 32:
            head[name] = hex_of(field, 32)
        elif name == "kind":
            head[name] = int_of(kind, 64)
            need(head[name] in KINDS, "bytes_version", kind.pointer)
        elif name in ("authorized_at", "issued_at"):
            head[name] = time_of(field)
        else:
            head[name] = int_of(field, size * 8)
    fields.finish()
    return head


ITEMS = {
    "quantity": [("meter", "text"), ("quantity", "int")],
    "line": [("charge", "text"), ("window", "window"), ("units_before", "int"), ("units", "int"),
             ("billed_before", "exact"), ("amount", "exact")],
    "price": [("exact", "exact"), ("remainder_before", "int"), ("remainder_after", "int"),
              ("uncollected", "exact"), ("late", "flag")],
    "draw_units": [("grant", "text"), ("given_at", "time"), ("meter", "text"), ("units", "int"),
                   ("balance", "int")],
    "draw": [("grant", "text"), ("given_at", "time"), ("amount", "exact"), ("balance", "exact")],
    "part": [("number", "int"), ("charged", "exact"), ("uncollected", "exact")],
    "surplus": [("exact", "exact"), ("remainder_before", "int"), ("remainder_after", "int")],
    "attribute": [("name", "text"), ("value", "text")],
    "source": [("surface", "surface"), ("basis", "basis"), ("content", "hash")],
    "correction": [("charge", "text"), ("window", "window"), ("units", "int"), ("billed", "exact"),
                   ("due", "exact"), ("exact", "exact"), ("remainder_before", "int"),
                   ("remainder_after", "int")],
    "credit": [("id", "text"), ("reason", "text"), ("amount", "exact or null"),
               ("exact", "exact"), ("remainder_before", "int"), ("remainder_after", "int")],
    "returned_units": [("grant", "text"), ("given_at", "time"), ("meter", "text"),
                     ("units", "int"), ("balance", "int")],
    "returned": [("grant", "text"), ("given_at", "time"), ("amount", "exact"),
               ("balance", "exact")],
}


def item_of(node):
    fields = node.fields()
    kind = fields.must("item")
    need(kind.text() in ITEMS, "json_unknown_field", kind.pointer)
    item = {"item": kind.value}
    for name, form in ITEMS[kind.value]:
        item[name] = value_of(fields.must(camel(name)), form)
    fields.finish()
    return item


def value_of(node, form):
    if form == "int":
        return int_of(node, 64)
    if form == "time":
        return time_of(node)
    if form == "hash":
        return hex_of(node, 32)
    if form == "flag":
        return node.boolean()
    if form == "window":
        fields = node.fields()
        pair = (time_of(fields.must("start")), time_of(fields.must("end")))
        fields.finish()
        need(pair[0] < pair[1], "time_invalid", node.pointer)
        return pair
    if form == "exact or null" and node.value is None:
        return None
    value = node.text()
    if form in ("exact", "exact or null"):
        try:
            return exact_of(value)
        except Refused as refused:
            raise Refused(refused.code, node.pointer) from None
    if form == "basis":
        need(value in BASES, "json_type", node.pointer)
    if form == "surface":
        need(value in SURFACES, "usage_surface", node.pointer)
    return value


def verify(head, signature, body, signer):
    """A receipt whose head is signed by `signer` and whose body, if it is there, is the head's."""
    need(signature is not None, "signature_missing")
    check(head_digest(head), signature, signer)
    need(body is None or body_root(body) == head["body"], "body_mismatch")


def follows(head, before):
    good = (before["lane"] == head["lane"] and before["sequence"] + 1 == head["sequence"]
            and head["previous"] == head_digest(before) and head["issued_at"] >= before["issued_at"]
            and before["cumulative"] + head["charge"] == head["cumulative"]
            and head["credited"] >= before["credited"])
    need(good, "audit_chain")
