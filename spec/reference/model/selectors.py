"""R-PLAN-020 to -028: which calls a charge is for.

A selector is a dict of dimensions: ("match", attribute) → set of values, "context" → (meter, above,
up to), "effective" → (from, until), "hours" → set of minutes of the week, from Monday.
"""

import re

from .document import is_name
from .refused import need
from .usages import root
from .windows import LAST

ENDLESS = 2**64
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read(fields):
    """The dimensions of a charge, or None where it has no selector."""
    names = ("match", "context", "effective", "hours")
    match, context, effective, hours = (fields.get(name) for name in names)
    if match is None and context is None and effective is None and hours is None:
        return None
    selector = {}
    if match is not None:
        selector.update(read_match(match))
    if context is not None:
        inner = context.fields()
        meter = inner.must("meter")
        need(is_name(meter.text()), "text_invalid", meter.pointer)
        above, up_to = inner.get("above"), inner.get("up_to")
        low = -1 if above is None else above.integer()
        high = ENDLESS
        if up_to is not None:
            high = up_to.integer()
            need(high >= 1, "plan_invalid", up_to.pointer)
        inner.finish()
        good = (above is not None or up_to is not None) and low < high
        need(good, "plan_invalid", context.pointer)
        selector["context"] = (meter.value, low, high)
    if effective is not None:
        start, end = read_effective(effective)
        selector["effective"] = (0 if start is None else start, ENDLESS if end is None else end)
    if hours is not None:
        selector["hours"] = read_hours(hours)
    return selector


def read_effective(node):
    """(from, until), either of them None where it is not there."""
    fields, span = node.fields(), []
    for name in ("from", "until"):
        bound = fields.get(name)
        span.append(None if bound is None else bound.integer())
        need(bound is None or span[-1] <= LAST, "time_invalid", bound and bound.pointer)
    fields.finish()
    start, end = span
    good = (start, end) != (None, None) and (end is None or (start or 0) < end)
    need(good, "plan_invalid", node.pointer)
    return start, end


def read_match(match):
    """The dimensions of a `match`."""
    dimensions = {}
    for name, node in match.fields().all():
        need(is_name(name), "text_invalid", node.pointer)
        values = []
        for item in node.items():
            value = item.text()
            good = not values or values[-1].encode() < value.encode()
            need(good, "plan_order", item.pointer)
            values.append(value)
        need(values, "plan_invalid", node.pointer)
        dimensions["match", name] = set(values)
    return dimensions


def read_time(node):
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", node.text(), re.ASCII)
    need(match is not None, "plan_invalid", node.pointer)
    return int(match[1]) * 60 + int(match[2])


def read_hours(node):
    """R-PLAN-052, R-TIME-020: the minutes of the week that some range takes in."""
    minutes, count = set(), 0
    for item in node.items():
        inner = item.fields()
        days, listed = list(range(7)), inner.get("days")
        if listed is not None:
            days = []
            for day in listed.items():
                need(day.text() in DAYS, "plan_invalid", day.pointer)
                number = DAYS.index(day.value)
                need(not days or days[-1] < number, "plan_order", day.pointer)
                days.append(number)
            need(days, "plan_invalid", listed.pointer)
        start, end = read_time(inner.must("from")), read_time(inner.must("until"))
        inner.finish()
        count += 1
        need(count <= 32, "plan_invalid", node.pointer)
        if end <= start:
            end += 1440
        for day in days:
            minutes |= {(day * 1440 + minute) % 10_080 for minute in range(start, end)}
    need(count, "plan_invalid", node.pointer)
    return minutes


def minute_of_week(at, zone):
    """What the clock on the wall shows, from midnight on Monday. Day 0 was a Thursday."""
    wall = zone.wall(at) if zone else at
    return (wall // 60_000 + 3 * 1440) % 10_080


def lies_in(dimension, allowed, usage, attributes, at, zone):
    if dimension == "hours":
        return minute_of_week(at, zone) in allowed
    if dimension == "context":
        meter, low, high = allowed
        return low < usage.meters.get(meter, 0) <= high
    if dimension == "effective":
        return allowed[0] <= at < allowed[1]
    return attributes.get(dimension[1]) in allowed


def choose(charges, meter, usage, attributes, at, zone):
    """The index of the most specific charge of a meter that applies, or None."""
    applying = [i for i, c in enumerate(charges) if c["meter"] == meter
                and c["selector"] is not None
                and all(lies_in(d, allowed, usage, attributes, at, zone)
                        for d, allowed in c["selector"].items())]
    best = max(applying, key=lambda i: len(charges[i]["selector"]), default=None)
    # The law: it has the dimensions of every other, and more.
    assert all(i == best or set(charges[i]["selector"]) < set(charges[best]["selector"])
               for i in applying)
    return best


def meet(a, b):
    """What lies in both, dimension by dimension; None where nothing can."""
    both = {**a, **b}
    for dimension in set(a) & set(b):
        if dimension == "context":
            both[dimension] = (a[dimension][0], max(a[dimension][1], b[dimension][1]),
                               min(a[dimension][2], b[dimension][2]))
            if both[dimension][1] >= both[dimension][2]:
                return None
        elif dimension == "effective":
            both[dimension] = (max(a[dimension][0], b[dimension][0]),
                               min(a[dimension][1], b[dimension][1]))
            if both[dimension][0] >= both[dimension][1]:
                return None
        else:
            both[dimension] = a[dimension] & b[dimension]
            if not both[dimension]:
                return None
    return both


def decides(third, both):
    """A charge with all the dimensions of both that takes in what they share."""
    return third.keys() == both.keys() and meet(third, both) == both


def check(charges, derived):
    """No two charges of a meter may leave open which of them counts."""
    for number, charge in enumerate(charges):
        place = f"/charges/{number}"
        check_context(charges, derived, charge, place)
        check_one(charges, number, place)


def check_one(charges, number, place):
    """One charge, or weight, with every earlier one of its meter."""
    charge = charges[number]
    if charge["selector"] is None:
        return
    same = [c["selector"] for c in charges
            if c["meter"] == charge["meter"] and c["selector"] is not None]
    for earlier in charges[:number]:
        if earlier["meter"] != charge["meter"] or earlier["selector"] is None:
            continue
        a, b = earlier["selector"], charge["selector"]
        if set(a) < set(b) or set(b) < set(a):
            continue
        both = meet(a, b)
        good = both is None or (set(a) != set(b) and any(decides(t, both) for t in same))
        need(good, "plan_ambiguous", place)


def plain(charge):
    """Whether every unit has one price, wherever the counter stands."""
    tariff = charge["tariff"]
    return (charge["aggregate"] == "sum" and tariff.model == "per_unit" and tariff.free == 0
            and (tariff.off, tariff.cap, tariff.minimum) == (0, None, 0))


def check_context(charges, derived, charge, place):
    """A whole and its parts: contexts of one meter, and then a plain price for every unit."""
    family = [c for c in charges if root(c["meter"]) == root(charge["meter"])]
    contexts = [c["selector"]["context"][0] for c in family
                if c["selector"] and "context" in c["selector"]]
    if not contexts:
        return
    weighted = {root(w["meter"]) for weights in derived.values() for w in weights}
    need(charge["meter"] not in derived and root(charge["meter"]) not in weighted,
         "plan_invalid", place)
    need(plain(charge), "plan_invalid", place)
    if charge["selector"] and "context" in charge["selector"]:
        need(charge["selector"]["context"][0] == contexts[0], "plan_invalid",
             place + "/context/meter")
