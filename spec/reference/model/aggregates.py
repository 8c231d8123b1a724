"""R-AGG: how the calls of a window make a counter. A call is (authorized_at, value, quantity); one that
is held is (authorized_at, value, units at most, units that its parts used)."""

from .amounts import exact
from .refused import need


def value_of(charge, attributes):
    """The value by which a charge tells calls apart; the same for all where it does not."""
    return attributes.get(charge["of"], "") if charge["aggregate"] == "unique" else None


def line_units(charge, counter, calls, call):
    """The units of a call's line, after these calls."""
    at, value, quantity = call
    if charge["aggregate"] == "latest":
        return counter if any(other > at for other, _, _ in calls) else quantity
    if charge["aggregate"] == "unique":
        return 0 if value in {known for _, known, _ in calls} else 1
    return quantity


def outstanding(held):
    return sum(quantity - used for _, _, quantity, used in held)


def after(charge, counter, units):
    """The counter after a line."""
    if charge["aggregate"] == "max":
        return max(counter, units)
    if charge["aggregate"] == "latest":
        return units
    need(counter + units < 2**64, "amount_overflow")
    return counter + units


def pays(charge, counter, billed, units):
    tariff = charge["tariff"]
    if tariff.per_call:
        return tariff.pays(counter, billed, units)
    return max(0, tariff.total(after(charge, counter, units)) - billed)


def reachable(charge, counter, calls, held):
    """The lowest and highest counter that open holds can reach, or None where they cannot move it."""
    kind = charge["aggregate"]
    if kind == "latest":
        latest = max((at for at, _, _ in calls), default=0)
        sizes = [quantity for at, _, quantity, _ in held if at >= latest]
        return (0, max(sizes)) if sizes else None
    if not held:
        return None
    if kind == "max":
        return counter, max([counter] + [quantity for _, _, quantity, _ in held])
    if kind == "unique":
        known = {value for _, value, _ in calls}
        return counter, counter + len({value for _, value, _, _ in held} - known)
    return counter, counter + outstanding(held)


def reserve(charge, counter, billed, calls, held):
    """R-LIM-004: the most that the open holds of a counter can still cost."""
    tariff = charge["tariff"]
    if tariff.per_call:
        return exact(sum(tariff.call(most) - tariff.call(used) for _, _, most, used in held))
    reached = reachable(charge, counter, calls, held)
    if reached is None:
        return 0
    low, high = reached
    return max(0, tariff.highest(low, high - low) - billed)


def worst(charge, counter, billed, calls, held, call):
    """R-LIM-005: the most that one open hold can add, wherever the others leave the counter."""
    kind, quantity = charge["aggregate"], call[2] - call[3]
    if charge["tariff"].per_call:
        return charge["tariff"].call(call[2]) - charge["tariff"].call(call[3])
    if kind in ("max", "latest"):
        return reserve(charge, counter, billed, calls, [call])
    others = max(0, outstanding(held) - quantity)
    if kind == "unique":
        known = {value for _, value, _ in calls}
        if call[1] in known:
            return 0
        others = len({value for _, value, _, _ in held} - known - {call[1]})
    return charge["tariff"].worst_increase(counter, others, quantity)


def worst_single(charge, quantity):
    """The most that a call can cost at any position of the counter."""
    if charge["aggregate"] in ("max", "latest"):
        return charge["tariff"].highest(0, quantity)
    return charge["tariff"].worst_single(quantity)
