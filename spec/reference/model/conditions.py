"""R-COND: the condition tree. Evaluation names the clause that decided."""

import re
from bisect import bisect_right
from collections import namedtuple

from .document import is_control
from .refused import need
from .selectors import minute_of_week, read_effective, read_hours
from .signing import checked_address
from .windows import LAST

# What a condition looks at.
Call = namedtuple("Call", "attributes at zone payer evidence")
# The path of the clause that decides, its attribute's value in the call, when time changes it.
Decided = namedtuple("Decided", "path value changes_at")

KINDS = ("all", "any", "not", "at_least", "attribute", "effective", "hours", "payer",
         "evidence")
WHOLE = re.compile("0|[1-9][0-9]*", re.ASCII)


def read(node, left=None):
    left = [256] if left is None else left
    left[0] -= 1
    need(left[0] >= 0, "plan_invalid", node.pointer)
    fields = node.fields()
    for kind in KINDS:
        found = fields.get(kind)
        if found is not None:
            break
    else:
        raise node.refused("plan_invalid")
    if kind in ("all", "any"):
        condition = (kind, [read(part, left) for part in found.items()])
    elif kind == "not":
        condition = ("not", read(found, left))
    elif kind == "at_least":
        return read_at_least(fields, found, left)
    elif kind == "attribute":
        return read_comparison(node, fields, found.text())
    elif kind == "effective":
        condition = ("effective", *read_effective(found))
    elif kind == "hours":
        condition = ("hours", read_hours(found))
    elif kind == "payer":
        condition = ("payer", payers(found))
    else:
        condition = ("evidence", *wanted(found))
    fields.finish()
    return condition


def read_at_least(fields, least, left):
    """R-COND-010."""
    count, parts = least.integer(), []
    for item in fields.must("of").items():
        part = read(item, left)
        need(part not in parts, "plan_order", item.pointer)
        parts.append(part)
    fields.finish()
    need(1 <= count <= len(parts), "plan_invalid", least.pointer)
    return "at_least", count, parts


def read_comparison(node, fields, name):
    """R-COND-002, -011, -012."""
    values, prefix, low, high = fields.get("in"), None, None, None
    if values is None:
        prefix = fields.get("prefix")
    if values is None and prefix is None:
        low, high = fields.get("from"), fields.get("up_to")
    if values is not None:
        condition = ("in", name, sorted_set(values))
    elif prefix is not None:
        need(prefix.text() != "", "plan_invalid", prefix.pointer)
        condition = ("prefix", name, prefix.value)
    else:
        if low is None and high is None:
            fields.must("in")
        low = None if low is None else low.integer()
        high = None if high is None else high.integer()
        condition = ("range", name, low, high)
    fields.finish()
    need(low is None or high is None or low <= high, "plan_invalid", node.pointer)
    return condition


def payers(node):
    """R-COND-014."""
    found = []
    for item in node.items():
        text = item.text()
        if re.fullmatch("0x[0-9a-fA-F]{64}", text):
            payer = bytes.fromhex(text[2:])
        else:
            payer = bytes(12) + checked_address(text, item.pointer)
        need(not found or found[-1] < payer, "plan_order", item.pointer)
        found.append(payer)
    need(found, "plan_invalid", node.pointer)
    return found


def wanted(node):
    """R-COND-020: (attestor, statement)."""
    fields = node.fields()
    attestor = fields.must("attestor")
    address = checked_address(attestor.text(), attestor.pointer)
    statement = fields.must("statement")
    text = statement.text()
    good = 1 <= len(text) <= 200 and not any(map(is_control, text))
    need(good, "text_invalid", statement.pointer)
    fields.finish()
    return address, text


def sorted_set(node):
    values = []
    for item in node.items():
        value = item.text()
        need(not values or values[-1].encode() < value.encode(), "plan_order", item.pointer)
        values.append(value)
    need(values, "plan_invalid", node.pointer)
    return values


def holds(condition, call):
    """R-COND-003, -010 to -014."""
    kind, *rest = condition
    if kind == "all":
        return all(holds(part, call) for part in rest[0])
    if kind == "any":
        return any(holds(part, call) for part in rest[0])
    if kind == "not":
        return not holds(rest[0], call)
    if kind == "at_least":
        return sum(holds(part, call) for part in rest[1]) >= rest[0]
    if kind == "effective":
        start, end = rest
        return (start is None or start <= call.at) and (end is None or call.at < end)
    if kind == "hours":
        return minute_of_week(call.at, call.zone) in rest[0]
    if kind == "payer":
        return call.payer in rest[0]
    if kind == "evidence":
        return counts(rest, call) is not None
    value = call.attributes.get(rest[0])
    if value is None:
        return False
    if kind == "in":
        return value in rest[1]
    if kind == "prefix":
        return value.startswith(rest[1])
    if not WHOLE.fullmatch(value) or int(value) >= 2**64:
        return False
    return (rest[1] is None or rest[1] <= int(value)) and (rest[2] is None or int(value) <= rest[2])


def counts(wanted_, call):
    """R-COND-025: when the evidence expires, if there is some that counts."""
    issued_at, expires_at = call.evidence.get(tuple(wanted_), (0, 0))
    return expires_at if issued_at < expires_at and call.at < expires_at else None


def decided(condition, call, path=""):
    """R-COND-004, -015, -016."""
    kind, *rest = condition
    if kind in ("all", "any"):
        for i, part in enumerate(rest[0]):
            if holds(part, call) == (kind == "any"):
                return decided(part, call, f"{path}/{kind}/{i}")
    if kind == "not":
        return decided(rest[0], call, path + "/not")
    value, changes_at = None, None
    if kind in ("in", "prefix", "range"):
        value = call.attributes.get(rest[0])
    if kind == "effective":
        changes_at = min((t for t in rest if t is not None and t > call.at), default=None)
    if kind == "hours":
        changes_at = next_change(rest[0], call.at, call.zone)
    if kind == "evidence":
        changes_at = counts(rest, call)
    return Decided(path, value, changes_at)


def next_change(minutes, at, zone):
    """Minute by minute, and at every change of the zone."""
    if len(minutes) in (0, 10_080):
        return None
    now, t = minute_of_week(at, zone) in minutes, at
    while True:
        wall = zone.wall(t) if zone else t
        following = t + 60_000 - wall % 60_000
        if zone:
            after = zone.starts[bisect_right(zone.starts, t):]
            following = min([following, *after[:1]])
        t = following
        if t > LAST:
            return None
        if (minute_of_week(t, zone) in minutes) != now:
            return t
