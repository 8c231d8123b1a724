"""R-PLAN-029, -030: derived meters. A derived meter is a list of weights, each a dict like a charge: its
meter, its weight, its selector."""

from . import selectors
from .refused import need
from .usages import WHOLES

REQUESTS = "requests"


def read(node, meters, name_of, title, positive):
    """Derived meters by name."""
    derived = {}
    for name, member in node.fields().all():
        need(selectors.is_name(name), "text_invalid", member.pointer)
        taken = {*meters, REQUESTS, *WHOLES}
        need(name not in taken, "plan_order", member.pointer)
        fields = member.fields()
        title(fields.must("unit"))
        weights = fields.must("weights")
        found = []
        for item in weights.items():
            inner = item.fields()
            weight = {"meter": name_of(inner.must("meter")),
                      "weight": positive(inner.must("weight")), "selector": None}
            match = inner.get("match")
            if match is not None:
                weight["selector"] = selectors.read_match(match)
            inner.finish()
            good = weight["meter"] == REQUESTS or weight["meter"] in meters
            need(good, "plan_reference", item.pointer + "/meter")
            found.append(weight)
            need(len(found) <= 64, "plan_invalid", weights.pointer)
        need(found, "plan_invalid", weights.pointer)
        fields.finish()
        for number in range(len(found)):
            selectors.check_one(found, number, f"{weights.pointer}/{number}")
        derived[name] = found
        need(len(derived) <= 64, "plan_invalid", node.pointer)
    return derived


def counting(weights, usage, attributes, at):
    """The weights of one derived meter that count in a call."""
    chosen = [selectors.choose(weights, meter, usage, attributes, at, None)
              for meter in {weight["meter"] for weight in weights}]
    return [w for i, w in enumerate(weights) if w["selector"] is None or i in chosen]
