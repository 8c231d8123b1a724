"""R-COND: the condition tree. Evaluation names the clause that decided."""

from .refused import need


def read(node, left=None):
    left = [256] if left is None else left
    left[0] -= 1
    need(left[0] >= 0, "plan_invalid", node.pointer)
    fields = node.fields()
    for kind in ("all", "any", "not", "attribute"):
        found = fields.get(kind)
        if found is None:
            continue
        if kind == "not":
            condition = ("not", read(found, left))
        elif kind == "attribute":
            condition = ("in", found.text(), sorted_set(fields.must("in")))
        else:
            condition = (kind, [read(part, left) for part in found.items()])
        fields.finish()
        return condition
    raise node.refused("plan_invalid")


def sorted_set(node):
    values = []
    for item in node.items():
        value = item.text()
        need(not values or values[-1].encode() < value.encode(), "plan_order", item.pointer)
        values.append(value)
    need(values, "plan_invalid", node.pointer)
    return values


def evaluate(condition, attributes, path=""):
    """(whether it holds, the path of the clause that decided)."""
    kind = condition[0]
    if kind == "all":
        for i, part in enumerate(condition[1]):
            holds, clause = evaluate(part, attributes, f"{path}/all/{i}")
            if not holds:
                return False, clause
        return True, path
    if kind == "any":
        for i, part in enumerate(condition[1]):
            holds, clause = evaluate(part, attributes, f"{path}/any/{i}")
            if holds:
                return True, clause
        return False, path
    if kind == "not":
        holds, clause = evaluate(condition[1], attributes, f"{path}/not")
        return not holds, clause
    return attributes.get(condition[1]) in condition[2], path
