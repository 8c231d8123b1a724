"""R-LIM-050 to -055: limits that are across a payer's subscriptions."""

from .document import canonical
from .refused import need
from .windows import LAST, window


def read(node, limit, whole, root):
    """R-PLAN-065: the terms by which other plans share the limit."""
    need(node.text() == "payer", "plan_invalid", node.pointer)
    period = limit.get("period")
    need(period is None or period.anchor != "start", "plan_invalid", node.pointer)
    document = root.fields()
    parts = [whole, document.get("currency"), document.get("zone")]
    for name in ("meters", "derived"):
        named = document.get(name)
        parts.append(named and named.fields().get(limit.get("meter") or ""))
    return tuple(part and canonical(part) for part in parts)


class Family:
    """A subscription among those of its payer. A copy of an account is of the same family."""

    def __init__(self, state, id_):
        self.state, self.id = state, id_

    def __deepcopy__(self, memo):
        return self

    def others(self, terms):
        """The other subscriptions that have a limit in these terms: [(subscription, its index)]."""
        return [(sub, index) for id_, sub, index in members(
            self.state, self.state.subscriptions[self.id]["payer"], terms) if id_ != self.id]


def members(state, payer, terms):
    return [(id_, sub, index) for id_, sub in state.subscriptions.items()
            if sub["payer"] == payer and not sub["lease"]
            for index, limit in enumerate(sub["plan"].limits) if limit["across"] == terms]


def others(account, limit):
    """Who shares a limit with an account: (plan, account, holds, index of the limit)."""
    if not (limit["across"] and account.family):
        return []
    return [(sub["plan"], sub["account"], list(sub["holds"].values()), index)
            for sub, index in account.family.others(limit["across"])]


def counted(account, index, limit):
    """What a limit counted: in the subscription, and in each that shares it."""
    return [account.counted[index]] + [other.counted[j] for _, other, _, j in others(account, limit)]


def holds(account, limit, own):
    """The holds of the subscription and of those that share the limit."""
    return own + [hold for _, _, theirs, _ in others(account, limit) for hold in theirs]


def part(plan, limit, at, started):
    rolling = limit.get("rolling")
    return rolling.bucket(rolling.number(at)) if rolling else window(limit["period"], at, started)


def closes(plan, limit, at, started):
    """When the window of an instant closes under a plan; a window without end never does."""
    if limit["kind"] not in ("spend", "units"):
        return None
    closed = part(plan, limit, at, started)[1] + plan.times["grace"]
    return None if closed > LAST else closed


def latest(state, payer, terms):
    return max((state.lanes[sub["lane"]]["issued_at"] for _, sub, _ in members(state, payer, terms)),
               default=0)


def check_windows(sub, at):
    """R-LIM-053: a window is closed to all once it is closed at the latest issue time of any."""
    family = sub["account"].family
    for limit in sub["plan"].limits:
        if limit["across"] and family:
            closed = closes(sub["plan"], limit, at, sub["started_at"])
            now = latest(family.state, sub["payer"], limit["across"])
            need(closed is None or closed > now, "window_closed")


def check_start(state, plan, payer, started):
    """R-LIM-054: nor does a subscription start in a window that is closed for one of the others."""
    for limit in plan.limits:
        if limit["across"]:
            now = latest(state, payer, limit["across"])
            for _, sub, _ in members(state, payer, limit["across"]):
                closed = closes(sub["plan"], limit, started, started)
                need(closed is None or closed > now, "window_closed")


def share_rates(state, plan, payer, account):
    """Of a rate there is one set of states."""
    for index, limit in enumerate(plan.limits):
        if limit["across"]:
            _, first, j = members(state, payer, limit["across"])[0]
            account.rates[index] = first["account"].rates[j]
