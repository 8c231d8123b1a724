"""R-METER, R-LIM: the state machine. `decide` reads the state and returns (entry, outcome); `fold`
applies an entry. Nothing else changes the state."""

from copy import deepcopy

from . import across, aggregates, conditions, credits, evidence, grants, leases, logs, receipts
from .amounts import GRID, amount, bill, compared, exact
from .document import is_control
from .entries import attributes as attribute_bytes
from .entries import encode
from .plans import REQUESTS, read
from .receipts import CALL, CREDIT, PART, PERIOD, TRUE_UP, text, u
from .refused import Refused, need
from .signing import sha256
from .terms import charge_in, is_fee
from .usages import Usage
from .windows import ALWAYS, LAST, contains, later, window

ZERO = bytes(32)
RELEASED = b"\xff" * 32


def closes_at(plan, w):
    """A window closes at its end plus the grace; one without end never does."""
    at = w[1] + plan.times["grace"]
    return None if at > LAST else at


class Account:
    """Counters of one subscription."""

    def __init__(self, plan, started, switched=False):
        self.started = started
        self.family = None                          # with whom it shares limits
        self.paid_from = plan.term.paid_from(started, switched)
        self.until = plan.term.first_end(started)   # None: it does not end
        self.counted = [{} for _ in plan.limits]    # (part, value) → money or units
        self.rates = [{} for _ in plan.limits]      # value → state of the rate
        self.grants = grants.Grants(plan, started)
        self.counters = [{} for _ in plan.charges]  # window → [counter, billed, holds, calls]
        self.granted = [{} for _ in plan.charges + plan.commitments]  # window → what grants paid
        # window → what it was billed at most, never forgotten: of charges, then of commitments; and of
        # commitments what it is billed now
        self.billed = [{} for _ in plan.charges + plan.commitments]
        self.lent = [{} for _ in plan.charges]      # window → leases that are out; whether one came back
        self.committed = self.billed[:len(plan.charges)] + [{} for _ in plan.commitments]

    def counter(self, index, w):
        return self.counters[index].get(w, [0, 0, [], []])


class State:
    def __init__(self):
        self.entries = 0
        self.instance = None
        self.plans = {}
        self.subscriptions = {}
        self.lanes = {}
        self.imports = {}
        self.leases = {}        # those that are out
        self.came_back = {}     # lane of a lease that was taken back → (subscription, last sequence, digest
                                # of the last statement)
        self.log = []           # hashed leaves of the current origin
        self.base = 0
        self.checkpoints = 0
        self.checkpointed = 0
        self.left_unproven = 0  # of earlier origins
        self.latest = 0
        self.prove_by = None
        self.prove_now = False


# Reading.


def the_instance(state):
    need(state.instance is not None, "entry_misplaced")
    return state.instance


def the_subscription(state, id_):
    need(id_ in state.subscriptions, "subscription_unknown")
    return state.subscriptions[id_]


def current(state, id_):
    """A subscription whose lane belongs to the current log, and that lane."""
    sub = the_subscription(state, id_)
    lane = state.lanes[sub["lane"]]
    need(lane["open"]["origin"] == the_instance(state)["origin"], "subscription_unknown")
    return sub, lane


def root(lane):
    """Under which id a meter keeps what a lane meters against."""
    return lane["subscription"] if lane["lease"] == ZERO else lane["lease"]


def need_whole(sub):
    need(sub["lease"] is None, "lease_refused")


def log_leaf(state, digest, at):
    state.log.append(logs.leaf(digest))
    state.latest = max(state.latest, at)


def reserved(hold):
    return hold["state"] in ("open", "unknown")


def slot(state):
    return state.base + len(state.log)


# Rating and limits.


def rate(sub, units, attributes, at, parts=None):
    """The lines of a call: each charge pays max(0, F(after) − B), or its G(units). What earlier parts
    of the call have in the counters is not in c and B, and is in the lines, if only with 0 units."""
    lines, own = [], parts["lines"] if parts else {}
    units = dict(units)
    for index in sorted({*units, *own}):
        charge = sub["plan"].charges[index]
        w = window(charge["period"], at, sub["started_at"])
        before, billed, _, calls = sub["account"].counter(index, w)
        charge = charge_in(sub["account"], charge, w)
        if index in own:
            before, billed = before - own[index][0], billed - own[index][1]
        call = (at, aggregates.value_of(charge, attributes), units.get(index, 0))
        quantity = aggregates.line_units(charge, before, calls, call)
        price = aggregates.pays(charge, before, billed, quantity)
        lines.append({"item": "line", "charge": charge["id"], "window": w, "units_before": before,
                      "units": quantity, "billed_before": billed, "amount": price})
    return lines


def index_of(plan, charge):
    """The number of a line: charges first, then commitments."""
    return [c["id"] for c in plan.charges + plan.commitments].index(charge)


def reserve_of(plan, account, index, w):
    """The most that a counter's outstanding units can still cost."""
    units, billed, held, calls = account.counter(index, w)
    if not held and leases.came_back(account, index, w):
        return leases.short_of(plan, account, index, w)
    charge = charge_in(account, plan.charges[index], w)
    return aggregates.reserve(charge, units, billed, calls, held)


def used_of_charge(hold, index):
    """The units that parts of a running call have used."""
    return hold["parts"]["lines"].get(index, (0, 0))[0] if hold["parts"] else 0


def held_call(plan, hold, index, quantity):
    """A hold in a counter: (authorized_at, value, units, units that its parts used of them)."""
    return (hold["at"], aggregates.value_of(plan.charges[index], hold["attributes"]), quantity,
            min(quantity, used_of_charge(hold, index)))


def aggregate(plan, account):
    return exact(sum(reserve_of(plan, account, i, w)
                     for i, ws in enumerate(account.counters) for w in ws))


def worst_of(plan, account, hold):
    """The most that one hold can still be charged, wherever the others leave the counters."""
    total = 0
    for index, quantity in hold["units"]:
        charge = plan.charges[index]
        w = window(charge["period"], hold["at"], account.started)
        units, billed, held, calls = account.counter(index, w)
        charge = charge_in(account, charge, w)
        call = held_call(plan, hold, index, quantity)
        total += aggregates.worst(charge, units, billed, calls, held, call)
    parts = hold["parts"]
    if parts is None:
        return compared(plan.rounding, exact(total))
    total += sum(amount for _, amount in parts["lines"].values())
    return max(0, compared(plan.rounding, exact(total)) - parts["charged"] - parts["uncollected"])


# A limit counts a call in a window of its own period, under a value of its attribute `per`.


def covers(limit, attributes):
    return all(attributes.get(name) in values for name, values in limit["match"].items())


def value_of(limit, attributes):
    return attributes.get(limit["per"], "") if limit["per"] else ""


def part_of(account, limit, at):
    """Where the limit keeps what a call adds: a window, or a bucket of a rolling one."""
    rolling = limit.get("rolling")
    if rolling:
        return rolling.bucket(rolling.number(at))
    return window(limit.get("period"), at, account.started)


def place_of(account, limit, attributes, at):
    """(window, value) under which the limit counts a call, or None if it does not cover it."""
    if not covers(limit, attributes):
        return None
    rolling = limit.get("rolling")
    w = rolling.window(rolling.number(at)) if rolling else part_of(account, limit, at)
    return w, value_of(limit, attributes)


def places_of(account, index, limit, holds, attributes, at):
    """Every place that a call adds to in which it may be short: its own, and, where the limit rolls,
    those that end with a later bucket in which something is."""
    own = place_of(account, limit, attributes, at)
    rolling = limit.get("rolling")
    if own is None or not rolling:
        return [] if own is None else [own]
    places, first = [own], rolling.number(at)
    for number in range(first + 1, first + rolling.buckets + 1):
        if used(account, index, limit, holds, rolling.bucket(number), own[1]):
            places.append((rolling.window(number), own[1]))
    return places


def used(account, index, limit, holds, part, value):
    """Whether something of the value is counted or reserves in a part."""
    counted = across.counted(account, index, limit)
    return any((part, value) in sums for sums in counted) or bool(
        holds_in(account, limit, across.holds(account, limit, holds), (part, value)))


def parts_in(account, index, limit, holds, w):
    """The parts of a window in which something is counted or reserves, ascending."""
    parts = {part for sums in across.counted(account, index, limit) for part, _ in sums}
    parts |= {part_of(account, limit, hold["at"]) for hold in across.holds(account, limit, holds)
              if reserved(hold) and covers(limit, hold["attributes"])}
    return sorted(part for part in parts if w[0] <= part[0] and part[1] <= w[1])


def counted_in(account, index, limit, place):
    (start, end), value = place
    return exact(sum(more for sums in across.counted(account, index, limit)
                     for (part, of), more in sums.items()
                     if of == value and start <= part[0] and part[1] <= end))


def holds_in(account, limit, holds, place):
    """The holds that reserve in a window and value."""
    (start, end), value = place
    found = []
    for hold in holds:
        if reserved(hold) and covers(limit, hold["attributes"]):
            part = part_of(account, limit, hold["at"])
            if start <= part[0] and part[1] <= end and value_of(limit, hold["attributes"]) == value:
                found.append(hold)
    return found


def quantity_of(plan, limit, meters, charged, granted):
    """The units of a limit's meter in a call with these quantities; of a derived meter, what its charges
    count of it, {index: units}, and what grants paid of it, {meter: units}."""
    meter = limit["meter"]
    if meter == REQUESTS:
        return meters.get(REQUESTS, 0) or 1
    if meter not in plan.derived:
        return meters.get(meter, 0)
    counted = [units for index, units in charged.items() if plan.charges[index]["meter"] == meter]
    return max(counted, default=0) + granted.get(meter, 0)


def quantity_of_parts(plan, limit, parts):
    """What the parts of a running call counted of a limit's meter."""
    if not parts:
        return 0
    charged = {index: units for index, (units, _) in parts["lines"].items()}
    return quantity_of(plan, limit, parts["quantities"], charged, parts["granted"])


def limited(plan, meters, charged, attributes):
    """What a hold says of limits on units: [(index, units)]. `charged` is what charges count before
    grants pay: [(index, units)]."""
    found = [(i, quantity_of(plan, limit, meters, dict(charged), {}))
             for i, limit in enumerate(plan.limits)
             if limit["kind"] == "units" and covers(limit, attributes)]
    return [(i, units) for i, units in found if units > 0]


def limit_reserve(plan, account, holds, inside):
    """What the holds inside a limit's place may still cost."""
    if plan.rounding == "carry":
        everything = aggregate(plan, account)
        if everything == 0 or len(inside) == len([hold for hold in holds if reserved(hold)]):
            return everything
        return min(everything, sum(worst_of(plan, account, hold) for hold in inside)
                   + leases.short(plan, account))
    return exact(sum(worst_of(plan, account, hold) for hold in inside))


def reserve_of_others(account, limit, place):
    """What the holds of those that share a limit may still cost there."""
    return exact(sum(limit_reserve(plan, other, holds, holds_in(other, limit, holds, place))
                     for plan, other, holds, _ in across.others(account, limit)))


def one_limit(plan, account, holds, index, place, more):
    limit = plan.limits[index]
    spent = counted_in(account, index, limit, place)
    others = reserve_of_others(account, limit, place)
    if plan.rounding == "carry" and spent + others + aggregate(plan, account) + more <= limit["most"]:
        return None
    held = others + limit_reserve(plan, account, holds, holds_in(account, limit, holds, place))
    if exact(spent + held + more) <= limit["most"]:
        return None
    return {"limit": index, "place": place, "spent": spent, "most": limit["most"], "committed": spent + held + more,
            "available": max(0, max(0, limit["most"] - spent) - held)}


def hard_spends(plan):
    return [(i, limit) for i, limit in enumerate(plan.limits)
            if limit["kind"] == "spend" and not limit["soft"]]


def room(plan, account, holds, attributes, at, more):
    """None where every spend limit of the call has room; otherwise the one that leaves least."""
    least = None
    for index, limit in hard_spends(plan):
        for place in places_of(account, index, limit, holds, attributes, at):
            short = one_limit(plan, account, holds, index, place, more)
            if short and (least is None or short["available"] < least["available"]):
                least = short
    return least


def admit(plan, account, holds, attributes, at, more):
    """As `room`; and the other windows and values must still have room for the holds there."""
    own = room(plan, account, holds, attributes, at, more)
    if own:
        return own
    for index, limit in hard_spends(plan):
        places = set()
        for hold in filter(reserved, holds):
            places |= set(places_of(account, index, limit, holds, hold["attributes"], hold["at"]))
        places -= set(places_of(account, index, limit, holds, attributes, at))
        for place in sorted(places, key=lambda p: (p[0], p[1].encode())):
            short = one_limit(plan, account, holds, index, place, 0)
            if short:
                return short
    return None


def check_windows(sub, at, now):
    plan = sub["plan"]
    windows = [window(part["period"], at, sub["started_at"])
               for part in plan.charges + plan.commitments]
    windows += [part_of(sub["account"], limit, at) for limit in plan.limits
                if limit["kind"] in ("spend", "units")]
    for w in windows:
        closes = closes_at(plan, w)
        need(closes is None or closes > now, "window_closed")
    across.check_windows(sub, at)
    if sub["lease"]:
        need(leases.over_at(plan, sub["lease"]) > now, "window_closed")


def deny(code, rule, **more):
    names = ("value", "window", "meter", "most", "spent", "needed", "available", "retry_at")
    return {"code": code, "rule": rule, **dict.fromkeys(names), **more}


def deny_by(code, limit, value, **more):
    """A denial of a limit, which names the value where the limit has `per`."""
    shared = "/across" if limit["across"] else ""
    return deny(code, "limits/" + limit["id"] + shared, value=value if limit["per"] else None, **more)


def ends(plan, w):
    return w[1] if closes_at(plan, w) is not None else None


def deny_by_terms(sub, attributes, at):
    plan = sub["plan"]
    need(at >= sub["started_at"], "clock_skew")
    end = sub["account"].until
    if end is not None and end <= at:
        return deny("term_ended", "term")
    if plan.condition:
        call = conditions.Call(attributes, at, plan.zone, sub["payer"], sub["evidence"])
        if not conditions.holds(plan.condition, call):
            path, value, changes_at = conditions.decided(plan.condition, call)
            return deny("condition_failed", "condition" + path, value=value, retry_at=changes_at)
    return None


def deny_by_values(plan, account, holds, attributes, at):
    """A new value, where a limit has as many as it may."""
    for index, limit in enumerate(plan.limits):
        place = place_of(account, limit, attributes, at)
        if limit["kind"] not in ("spend", "units") or not limit["per"] or place is None:
            continue
        known = values_in(account, index, limit, holds, place[0])
        if place[1] not in known and len(known) >= limit["values"]:
            return deny_by("values_reached", limit, place[1], window=place[0],
                           most=limit["values"] * GRID, spent=len(known) * GRID, needed=GRID,
                           available=0, retry_at=fewer_values(plan, account, index, holds, place[0]))
    return None


def values_in(account, index, limit, holds, w):
    known = {value for sums in across.counted(account, index, limit) for part, value in sums
             if w[0] <= part[0] and part[1] <= w[1]}
    for hold in filter(reserved, across.holds(account, limit, holds)):
        if covers(limit, hold["attributes"]):
            part = part_of(account, limit, hold["at"])
            if w[0] <= part[0] and part[1] <= w[1]:
                known.add(value_of(limit, hold["attributes"]))
    return known


def fewer_values(plan, account, index, holds, w):
    """R-LIM-045: when the window has room for one more value."""
    limit = plan.limits[index]
    if not limit.get("rolling"):
        return ends(plan, w)
    for part in parts_in(account, index, limit, holds, w):
        rest = (part[1], w[1])
        if len(values_in(account, index, limit, holds, rest)) < limit["values"]:
            return leaves(plan, limit, part)


def leaves(plan, limit, part):
    """When a bucket leaves the last window that has it."""
    return ends(plan, (part[0], limit["rolling"].leaves(part)))


def retry(plan, account, index, holds, place, missing):
    """R-LIM-044: when so much of what is counted has left, or else all of it."""
    limit, ((start, end), value) = plan.limits[index], place
    if not limit.get("rolling"):
        return ends(plan, (start, end))
    last, left = None, 0
    for part in parts_in(account, index, limit, holds, (start, end)):
        if used(account, index, limit, holds, part, value) and leaves(plan, limit, part):
            last = leaves(plan, limit, part)
            left += sum(sums.get((part, value), 0)
                        for sums in across.counted(account, index, limit))
            if left >= missing:
                break
    return last


def deny_by_unique(plan, account, units, attributes, at):
    """A new value, where a charge tells as many apart as it may."""
    for index, _ in units:
        charge = plan.charges[index]
        if charge["aggregate"] != "unique":
            continue
        w = window(charge["period"], at, account.started)
        _, _, held, calls = account.counter(index, w)
        known = {call[1] for call in calls + held}
        value = aggregates.value_of(charge, attributes)
        if value not in known and len(known) >= charge["values"]:
            return deny("values_reached", "charges/" + charge["id"], value=value, window=w,
                        most=charge["values"] * GRID, spent=len(known) * GRID, needed=GRID,
                        available=0, retry_at=ends(plan, w))
    return None


def deny_by_money(sub, holds, short, needed):
    plan, account = sub["plan"], sub["account"]
    w, value = short["place"]
    missing = short["committed"] - short["most"]
    money = dict(window=w, most=short["most"], spent=short["spent"], needed=needed,
                 available=short["available"])
    if short["limit"] == len(plan.limits):
        retry_at = account.paid_from if account.paid_from < LAST else None
        return deny("limit_reached", "term/trial", retry_at=retry_at, **money)
    return deny_by("limit_reached", plan.limits[short["limit"]], value, **money,
                   retry_at=retry(plan, account, short["limit"], holds, short["place"], missing))


def held_units(plan, index, hold):
    """What a hold holds of a limit on units, beside what its parts counted."""
    used = quantity_of_parts(plan, plan.limits[index], hold["parts"])
    return max(0, dict(hold["limited"]).get(index, 0) - used)


def deny_by_units(plan, account, holds, units, attributes, at):
    for index, quantity in units:
        limit = plan.limits[index]
        if limit["soft"]:
            continue
        for place in places_of(account, index, limit, holds, attributes, at):
            spent = counted_in(account, index, limit, place)
            held = sum(held_units(of, number, hold) for of, other, theirs, number
                       in [(plan, account, holds, index)] + across.others(account, limit)
                       for hold in holds_in(other, limit, theirs, place))
            missing = spent + held + quantity - limit["most"]
            if missing <= 0:
                continue
            return deny_by(
                "limit_reached", limit, place[1], window=place[0], meter=limit["meter"],
                most=limit["most"] * GRID, spent=spent * GRID, needed=quantity * GRID,
                available=max(0, limit["most"] - spent - held) * GRID,
                retry_at=retry(plan, account, index, holds, place, missing)
                if quantity <= limit["most"] else None)
    return None


def deny_by_concurrency(plan, account, holds, attributes):
    for limit in plan.limits:
        if limit["kind"] == "concurrency" and covers(limit, attributes):
            value = value_of(limit, attributes)
            all_ = across.holds(account, limit, holds)
            same = [hold for hold in filter(reserved, all_) if covers(limit, hold["attributes"])
                    and value_of(limit, hold["attributes"]) == value]
            if len(same) >= limit["most"]:
                return deny_by("concurrency_reached", limit, value, most=limit["most"] * GRID,
                               spent=len(same) * GRID, needed=GRID, available=0,
                               retry_at=min(hold["deadline"] for hold in same))
    return None


def decide_rate(limit, states, value, at):
    """(state after the call, None, None) or (None, code, retry)."""
    rate = limit["rate"]
    if value not in states and len([t for t in states.values() if t > at * rate.calls]) >= limit["values"]:
        return None, "values_reached", -(-min(states.values()) // rate.calls)
    state, retry = rate.decide(states.get(value, 0), at)
    return state, None if retry is None else "rate_exceeded", retry


def deny_by_rate(plan, account, attributes, at):
    for limit, states in zip(plan.limits, account.rates):
        if limit["kind"] == "rate" and covers(limit, attributes):
            value = value_of(limit, attributes)
            _, code, retry = decide_rate(limit, states, value, at)
            if code is not None:
                need(retry <= LAST, "time_invalid")
                many = code == "values_reached"
                return deny_by(code, limit, value, retry_at=retry, **(dict(
                    most=limit["values"] * GRID, spent=limit["values"] * GRID, needed=GRID,
                    available=0) if many else {}))
    return None


# Drafting receipts.


def chargeable(sub, units, at):
    """R-TERM-021: in a trial a call has no part in fees."""
    if at >= sub["account"].paid_from:
        return units
    return [(index, n) for index, n in units if not is_fee(sub["plan"].charges[index])]


def draft_call(state, id_, subject, usage, attributes, content, at, issued_at, salt, mark,
               goes_on=False):
    """(entry, what the call needs, the limit that cuts it or None)."""
    sub, lane = current(state, id_)
    plan, account = sub["plan"], sub["account"]
    need(not sub["closed"], "lease_closed")
    if goes_on:
        need_whole(sub)
    check_windows(sub, at, issued_at)
    hold = sub["holds"].get(subject)
    parts = hold["parts"] if hold else None
    if parts:
        need(all(usage.meters.get(m, 0) >= q for m, q in parts["quantities"].items()),
             "usage_contradiction")
    units = chargeable(sub, plan.charged_units(usage, attributes, at), at)
    if parts:
        units = [(index, left) for index, left in (
            (index, quantity - paid_of(plan, parts, index)) for index, quantity in units) if left > 0]
    late = bool(hold) and not reserved(hold)
    marked = late and plan.late == "mark"
    usable = [] if marked else account.grants.usable(attributes, at, issued_at)
    own = hold["reserved"] if hold and reserved(hold) else []
    granted, units = grants.draw_units(plan, account.grants, usable, own, units, issued_at)
    if goes_on:
        # What is a reading of the whole call is for its end.
        units = [(index, n) for index, n in units
                 if plan.charges[index]["aggregate"] in ("sum", "count")
                 and not plan.charges[index]["tariff"].prorate]
    lines = rate(sub, units, hold["attributes"] if hold else attributes, at, parts)
    if parts and goes_on:
        keep_billed(plan, lines, parts)
    price = exact(sum(line["amount"] for line in lines))
    whole = compared(plan.rounding, price)
    due = whole if goes_on or parts else price
    if parts:
        due = max(0, due - parts["charged"] - parts["uncollected"])
    needed = compared(plan.rounding, due)
    authorized = hold["attributes"] if hold else attributes
    if sub["lease"]:
        short, available = None, leases.left(sub, lines, at)
    else:
        short = room_for(state, sub, hold, authorized, units, lines, at, needed, mark is not None,
                         usable, issued_at, goes_on)
        available = short["available"] if short else None
    if marked:
        available = 0
    atomic, paid = priced(plan, account, lane, due, increases(plan, lines, parts), available, usable,
                          issued_at, late)
    if parts or goes_on:
        paid.insert(0, {"item": "part", "number": parts["number"] + 1 if parts else 1,
                        "charged": parts["charged"] if parts else 0,
                        "uncollected": parts["uncollected"] if parts else 0})
    credited = lane["credited"]
    if parts and not goes_on:
        # What parts charged above the price of the whole goes back, as far as money paid it.
        over = min(max(0, parts["charged"] - whole), max(0, parts["charged"] - parts["drawn"]),
                   net_of(lane))
        if over:
            back, remainder = bill(plan.rounding, over, lane["credited_remainder"])
            credited = amount(credited + back)
            paid.append({"item": "surplus", "exact": over,
                         "remainder_before": lane["credited_remainder"],
                         "remainder_after": remainder})
    items = [{"item": "quantity", "meter": m, "quantity": q} for m, q in usage.items()]
    items += granted + lines + paid
    items += [{"item": "attribute", "name": n, "value": v} for n, v in sorted(
        attributes.items(), key=lambda pair: pair[0].encode())]
    items.append({"item": "source", "surface": usage.surface, "basis": usage.basis,
                  "content": content})
    body = {"salt": salt, "items": items}
    head = next_head(sub, lane, body, PART if goes_on else CALL, subject, at, issued_at, atomic,
                     amount(lane["cumulative"] + atomic), credited)
    return {"head": head, "body": body, "import": mark}, needed, short


def paid_of(plan, parts, index):
    """Units of a charge that grants paid for earlier parts."""
    charge = plan.charges[index]
    return parts["granted"].get(charge["meter"], 0) if charge["aggregate"] == "sum" else 0


def keep_billed(plan, lines, parts):
    """Where the sum of the lines fell, those that fell keep of it, in order, what is missing."""
    missing = sum(a for _, a in parts["lines"].values()) - sum(line["amount"] for line in lines)
    for line in lines:
        before = parts["lines"].get(index_of(plan, line["charge"]), (0, 0))[1]
        kept = max(0, min(before - line["amount"], missing))
        line["amount"] += kept
        missing -= kept


def increases(plan, lines, parts):
    """[charge, what its line adds to what earlier parts were billed]."""
    own = parts["lines"] if parts else {}
    found = []
    for line in lines:
        index = index_of(plan, line["charge"])
        found.append([index, max(0, line["amount"] - own.get(index, (0, 0))[1])])
    return found


def net_of(lane, elsewhere=0):
    return max(0, elsewhere + (lane["cumulative"] - lane["credited"]) * GRID
               + lane["cumulative_remainder"] - lane["credited_remainder"])


def credit_room(state, sub, account, holds, usable, charges, more, at, issued_at):
    """R-GRANT-032, R-TERM-023: the credit limit that leaves the least, where one has no room."""
    plan = sub["plan"]
    holds = [hold for hold in holds if reserved(hold)]
    credits = [(index, limit["credit"]) for index, limit in enumerate(plan.limits)
               if "credit" in limit]
    if at < account.paid_from:
        credits.append((len(plan.limits), 0))
    least = None
    for index, credit in credits:
        most = credit + grants.backing(plan, account.grants, usable, charges, holds, issued_at)
        owed = grants.owed(state, sub)
        held = limit_reserve(plan, account, holds, holds)
        if exact(owed + held + more) > most:
            short = {"limit": index, "place": (ALWAYS, ""), "spent": owed,
                     "committed": owed + held + more,
                     "available": max(0, max(0, most - owed) - held), "most": most}
            if least is None or short["available"] < least["available"]:
                least = short
    return least


def tighter(a, b):
    """Of two limits that are short the one that leaves less, of equals the first in the plan."""
    found = [short for short in (a, b) if short]
    return min(found, key=lambda short: (short["available"], short["limit"]), default=None)


def room_for(state, sub, hold, attributes, units, lines, at, needed, imported, usable, issued_at,
             goes_on):
    """Whether the limits have room for a call beside every other hold."""
    plan, account = sub["plan"], sub["account"]
    holds = list(sub["holds"].values())
    charges = [index_of(plan, line["charge"]) for line in lines]

    def credit(account, holds, more):
        return credit_room(state, sub, account, holds, usable, charges, more, at, issued_at)

    if not any(map(reserved, holds)) and leases.short(plan, account) == 0:
        return tighter(room(plan, account, [], attributes, at, needed),
                       credit(account, [], needed))
    most = dict(hold["units"]) if hold and reserved(hold) else {}
    whole = not goes_on and not (hold and hold["parts"])
    if whole and hold and reserved(hold) and all(used <= most.get(i, -1) for i, used in units):
        if (room(plan, account, holds, attributes, at, 0) is None
                and credit(account, holds, 0) is None):
            return None
    account = deepcopy(account)
    if hold and reserved(hold):
        change_outstanding(plan, account, hold, -1)
    rewind(plan, account, hold)
    advance(plan, account, lines, at, attributes)
    others = [other for other in holds if other is not hold]
    spend = (admit if imported else room)(plan, account, others, attributes, at, needed)
    return tighter(spend, credit(account, others, needed))


# What windows cost without a call: R-METER-090 to -094.

START, CLOSE, RETURN = 1, 2, 3


def term_windows(sub, charge, until):
    """The windows of a charge in which the subscription is paid for, up to an instant."""
    ends, at = sub["account"].until, sub["account"].paid_from
    while at <= until and at < LAST and (ends is None or at < ends):
        w = window(charge["period"], at, sub["started_at"])
        yield w, at, min(w[1], LAST if ends is None else ends) - 1
        at = w[1]


def unbilled(sub, index, edge, until):
    """The windows that lack what an edge asks for: (window, authorized at, due, total)."""
    account, charges = sub["account"], sub["plan"].charges
    line = (charges + sub["plan"].commitments)[index]

    def asked(w):
        if index >= len(charges):
            return line["minimum"] if edge == CLOSE else 0
        tariff = (charge_in(account, line, w) if w else line)["tariff"]
        return tariff.due_at_start() if edge == START else tariff.minimum

    if asked(None) == 0:
        return
    for w, first, last in term_windows(sub, line, until):
        total = asked(w)
        if account.billed[index].get(w, 0) < total:
            if edge == START:
                yield w, first, first, total
            else:
                yield w, last, closes_at(sub["plan"], w), total


def periods_of(state, now):
    """(due, subscription, charge, edge) of the first window of each."""
    for id_, sub in state.subscriptions.items():
        if sub["lease"]:
            continue
        for index in range(len(sub["account"].billed)):
            found = first_short(sub, index) if index < len(sub["plan"].charges) else None
            if found and found[0] <= now:
                yield found[0], id_, index, RETURN
            for edge in (START, CLOSE):
                found = next(unbilled(sub, index, edge, now), None)
                if found and found[2] is not None and found[2] <= now:
                    yield found[2], id_, index, edge


def first_short(sub, index):
    """R-LEASE-035: the first window that is short and of which no lease is out."""
    account = sub["account"]
    return next((w for w in sorted(account.lent[index]) if not leases.out(account, index, w)
                 and leases.short_of(sub["plan"], account, index, w)), None)


def draft_period(state, id_, index, edge, issued_at, salt):
    sub, lane = current(state, id_)
    plan, account = sub["plan"], sub["account"]
    charge = (plan.charges + plan.commitments)[index]
    if edge == RETURN:
        w = first_short(sub, index)
        ends = account.until
        at = min(issued_at, min(w[1], LAST if ends is None else ends) - 1)
        total = account.counter(index, w)[1] + leases.short_of(plan, account, index, w)
    else:
        w, at, _, total = next(unbilled(sub, index, edge, issued_at))
    units, billed = 0, account.committed[index].get(w, 0)
    if index < len(plan.charges):
        units, billed, _, _ = account.counter(index, w)
    line = {"item": "line", "charge": charge["id"], "window": w, "units_before": units,
            "units": 0, "billed_before": billed, "amount": total - billed}
    holds = list(sub["holds"].values())
    usable = account.grants.usable({}, at, issued_at)
    after = deepcopy(account)
    advance(plan, after, [line], at)
    needed = compared(plan.rounding, line["amount"])
    short = tighter(room(plan, after, holds, {}, at, needed), credit_room(
        state, sub, after, holds, usable, [index], needed, at, issued_at))
    atomic, paid = priced(plan, account, lane, line["amount"], increases(plan, [line], None),
                          short["available"] if short else None, usable, issued_at, False)
    body = {"salt": salt, "items": [line] + paid}
    subject = sha256(b"counterfoil/period/0\n", u(edge, 1), u(w[0], 8),
                     u(units, 8) if edge == RETURN else b"", charge["id"].encode())
    head = next_head(sub, lane, body, PERIOD, subject, at, issued_at, atomic,
                     amount(lane["cumulative"] + atomic), lane["credited"])
    return {"head": head, "body": body, "import": None}


def priced(plan, account, lane, price, lines, available, usable, issued_at, late):
    """(what is billed, the items that say so): cut to what a short limit or a lease leaves, less what
    grants pay of the lines, [charge, amount]."""
    charged = price
    if available is not None:
        if plan.rounding != "carry":
            available = available // GRID * GRID
        charged = min(price, available)
    draws, net = grants.draw_money(
        plan, account.grants, usable, lines,
        compared(plan.rounding, charged), issued_at)
    atomic, remainder = bill(plan.rounding, net, lane["cumulative_remainder"])
    return atomic, [{"item": "price", "exact": charged,
                     "remainder_before": lane["cumulative_remainder"],
                     "remainder_after": remainder, "uncollected": price - charged,
                     "late": late}] + draws


def draft_true_up(state, id_, index, w, issued_at, salt):
    sub, lane = current(state, id_)
    plan = sub["plan"]
    charge = plan.charges[index]
    units, billed, _, _ = sub["account"].counter(index, w)
    need(not leases.out(sub["account"], index, w), "entry_misplaced")
    due = charge_in(sub["account"], charge, w)["tariff"].due_at_close(units, billed)
    own = billed - sub["account"].granted[index].get(w, 0)
    back = min(compared(plan.rounding, max(0, billed - due)),
               compared(plan.rounding, max(0, own)), net_of(lane, sub["returned"]))
    atomic, remainder = bill(plan.rounding, back, lane["credited_remainder"])
    body = {"salt": salt, "items": [{
        "item": "correction", "charge": charge["id"], "window": w, "units": units,
        "billed": billed, "due": due, "exact": back,
        "remainder_before": lane["credited_remainder"], "remainder_after": remainder}]}
    subject = sha256(b"counterfoil/window/0\n", u(w[0], 8), charge["id"].encode())
    head = next_head(sub, lane, body, TRUE_UP, subject, issued_at, issued_at, 0,
                     lane["cumulative"], amount(lane["credited"] + atomic))
    return {"head": head, "body": body, "import": None}


def next_head(sub, lane, body, kind, subject, at, issued_at, charge, cumulative, credited):
    return {"lane": sub["lane"], "sequence": lane["sequence"] + 1, "previous": lane["head"],
            "kind": kind, "subject": subject, "authorized_at": at, "issued_at": issued_at,
            "body": receipts.body_root(body), "charge": charge, "cumulative": cumulative,
            "credited": credited}


# Changing an account.


def change_outstanding(plan, account, hold, sign):
    for index, quantity in hold["units"]:
        w = window(plan.charges[index]["period"], hold["at"], account.started)
        call = held_call(plan, hold, index, quantity)
        if call[3] and call[3] == quantity:
            continue  # nothing is outstanding, and the window may be gone
        counter = account.counters[index].setdefault(w, [0, 0, [], []])
        if sign < 0:
            counter[2].remove(call)
            continue
        need(aggregates.outstanding(counter[2]) + call[2] - call[3] < 2**64, "amount_overflow")
        counter[2].append(call)
        reserve_of(plan, account, index, w)  # what cannot be reserved is refused


def rewind(plan, account, hold):
    """Takes what a running call has in the counters out of them."""
    if hold and hold["parts"]:
        for index, (units, billed) in hold["parts"]["lines"].items():
            w = window(plan.charges[index]["period"], hold["at"], account.started)
            counter = account.counters[index][w]
            counter[0] -= units
            counter[1] -= billed
            for number, commitment in enumerate(plan.commitments, len(plan.charges)):
                if index in commitment["charges"]:
                    w = window(commitment["period"], hold["at"], account.started)
                    account.committed[number][w] -= billed


def advance(plan, account, lines, at, attributes=None):
    """Counts the lines of a call, or, without attributes, of a window that is billed without one."""
    for line in lines:
        index = index_of(plan, line["charge"])
        for number, commitment in enumerate(plan.commitments, len(plan.charges)):
            if index in commitment["charges"] or index == number:
                w = window(commitment["period"], at, account.started)
                billed = account.committed[number]
                billed[w] = exact(billed.get(w, 0) + line["amount"])
                account.billed[number][w] = max(account.billed[number].get(w, 0), billed[w])
        if index >= len(plan.charges):
            continue
        counter = account.counters[index].setdefault(line["window"], [0, 0, [], []])
        if attributes is not None:
            charge = plan.charges[index]
            counter[0] = aggregates.after(charge, counter[0], line["units"])
            counter[3].append((at, aggregates.value_of(charge, attributes), line["units"]))
        counter[1] = exact(counter[1] + line["amount"])
        was = account.billed[index].get(line["window"], 0)
        lent = sum(leases.out(account, index, line["window"]))
        account.billed[index][line["window"]] = max(was, counter[1] - lent)


def counts(plan, account, e, attributes, parts=None):
    """What limits count of a call's receipt: [(index, place, money or units)]."""
    head, items = e["head"], e["body"]["items"]
    price = next(item["exact"] for item in items if item["item"] == "price")
    money = compared(plan.rounding, price)  # before grants pay
    if parts and head["kind"] == CALL:  # what its parts were counted above its price
        whole = compared(plan.rounding, sum(i["amount"] for i in items if i["item"] == "line"))
        money -= max(0, parts["charged"] - whole)
    meters = {i["meter"]: i["quantity"] for i in items if i["item"] == "quantity"}
    charges = [charge["id"] for charge in plan.charges]
    charged = {charges.index(i["charge"]): i["units"] for i in items
               if i["item"] == "line" and i["charge"] in charges}
    granted = dict(parts["granted"]) if parts else {}
    for item in items:
        if item["item"] == "draw_units":
            granted[item["meter"]] = granted.get(item["meter"], 0) + item["units"]
    found = []
    for index, limit in enumerate(plan.limits):
        place = place_of(account, limit, attributes, head["authorized_at"])
        if place is not None and limit["kind"] == "spend":
            found.append((index, place, money))
        if place is not None and limit["kind"] == "units" and head["kind"] != PERIOD:
            used = quantity_of(plan, limit, meters, charged, granted)
            found.append((index, place, used - quantity_of_parts(plan, limit, parts)))
    return found


def count(plan, account, e, attributes, parts=None):
    for index, place, more in counts(plan, account, e, attributes, parts):
        sums = account.counted[index]
        part = (part_of(account, plan.limits[index], e["head"]["authorized_at"]), place[1])
        sums[part] = exact(sums.get(part, 0) + more)


def crossings(plan, account, e, attributes, parts=None):
    """The shares of limits that a call reaches."""
    crossed = []
    for index, place, more in counts(plan, account, e, attributes, parts):
        limit = plan.limits[index]
        before = counted_in(account, index, limit, place)
        for share in limit["notify"]:
            if before * GRID < share * limit["most"] <= (before + more) * GRID:
                crossed.append({"limit": limit["id"], "value": place[1] if limit["per"] else None,
                                "fraction": share, "window": place[0]})
    return crossed


def advance_rates(plan, account, attributes, at):
    for limit, states in zip(plan.limits, account.rates):
        if limit["kind"] == "rate" and covers(limit, attributes):
            value = value_of(limit, attributes)
            states[value], code, _ = decide_rate(limit, states, value, at)
            need(code is None, "entry_misplaced")
            for empty in [v for v, t in states.items() if t <= at * limit["rate"].calls]:
                del states[empty]


def owes(plan, account, index, w):
    units, billed, _, _ = account.counter(index, w)
    tariff = charge_in(account, plan.charges[index], w)["tariff"]
    return billed > tariff.due_at_close(units, billed)


def forget_closed(sub, now):
    """Drops closed windows, never the latest, none that owes a true-up and none that is still to be
    billed or comes after such a one. (What limits count is never asked for again once it may be
    forgotten, so it is kept here.)"""
    plan, account = sub["plan"], sub["account"]
    account.grants.forget(now)
    for index, counters in enumerate(account.counters):
        for w in sorted(counters)[:-1]:
            closes = closes_at(plan, w)
            if (closes is not None and closes <= now and not counters[w][2]
                    and not leases.out(account, index, w)
                    and not leases.short_of(plan, account, index, w)
                    and not owes(plan, account, index, w) and not awaits(sub, index, w)):
                del counters[w]


def awaits(sub, index, w):
    return not sub["lease"] and any(
        next(unbilled(sub, index, edge, w[1] - 1), None) for edge in (START, CLOSE))


# Deciding.


def sign_request(state, kind, digest):
    number = state.checkpoints if kind == "checkpoint" else slot(state)
    return {"slot": number, "digest": digest, "signer": the_instance(state)["signer"],
            "checkpoint": kind == "checkpoint"}


def check_origin(state, origin):
    """Two logs of one origin could contradict each other."""
    origins = {lane["open"]["origin"] for lane in state.lanes.values()}
    origins |= {state.instance["origin"]} if state.instance else set()
    need(origin not in origins, "entry_misplaced")


def check_origin_text(origin):
    good = 1 <= len(origin) <= 100 and not any(c.isspace() or is_control(c) for c in origin)
    need(good, "text_invalid")


def begin(state, origin, signer, now):
    check_origin_text(origin)
    check_origin(state, origin)
    return ("instance", {"origin": origin, "signer": signer, "at": now}), {}


def add_plan(state, plan):
    need(plan.authority == the_instance(state)["signer"], "signature_wrong_key")
    if plan.id in state.plans:
        return None, {}
    return ("plan", {"document": plan.canonical}), {}


def subscription_id(plan, payer, start):
    return sha256(b"counterfoil/subscription/0\n", plan, payer, u(start, 8))


def subscribe(state, key, plan_id, payer, account, started_at, rail, now):
    origin = the_instance(state)["origin"]
    need(plan_id in state.plans, "plan_unknown")
    salt = ZERO
    if payer is not None:
        payer = payer.rjust(32, b"\0")
    else:
        need(account is not None, "subscription_conflict")
        good = 1 <= len(account.encode()) <= 256 and not any(map(is_control, account))
        need(good, "text_invalid")
        salt = sha256(key, b"payer", account.encode())
        payer = sha256(salt, account.encode())
    id_ = subscription_id(plan_id, payer, started_at)
    sub = state.subscriptions.get(id_)
    if sub:
        return subscribed(state, id_, rail, now)
    once = state.plans[plan_id].term.once
    need(once is None or not has_subscribed(state, payer, once), "subscription_conflict")
    lane = first_lane(plan_id, id_, payer, rail, origin, now)
    return opening(state, lane, account, salt, started_at)


def has_subscribed(state, payer, once):
    return any(not sub["lease"] and sub["payer"] == payer and sub["plan"].term.once == once
               for sub in state.subscriptions.values())


def subscribed(state, id_, rail, now):
    """The lane of a subscription that exists; its next one where that belongs to an earlier log."""
    sub = state.subscriptions[id_]
    last = state.lanes[sub["lane"]]
    if last["open"]["origin"] != state.instance["origin"]:
        return reopen(state, sub, rail, now)
    need(last["open"]["rail"] == rail, "subscription_conflict")
    return None, {"subscription": id_, "lane": sub["lane"], "sign": None}


def first_lane(plan_id, id_, payer, rail, origin, now):
    return {"plan": plan_id, "subscription": id_, "payer": payer, "number": 0, "parent": ZERO,
            "rail": rail, "lease": ZERO, "origin": origin, "opened_at": now, "cumulative": 0,
            "cumulative_remainder": 0, "credited": 0, "credited_remainder": 0}


def switch(state, id_, plan_id, now):
    sub = the_subscription(state, id_)
    need(sub["lease"] is None, "lease_refused")
    need(plan_id in state.plans, "plan_unknown")
    rail = state.lanes[sub["lane"]]["open"]["rail"]
    if sub["switched_to"]:
        other = state.subscriptions[sub["switched_to"]]
        need(other["plan"].id == plan_id, "subscription_conflict")
        rail = state.lanes[other["lane"]]["open"]["rail"]
        return subscribed(state, sub["switched_to"], rail, now)
    need(plan_id != sub["plan"].id, "subscription_conflict")
    need(now >= sub["started_at"], "clock_skew")
    until = sub["account"].until
    need(until is None or now < until, "subscription_conflict")
    new = subscription_id(plan_id, sub["payer"], now)
    need(new not in state.subscriptions, "subscription_conflict")
    leases.need_none_out(state, id_)
    lane = first_lane(plan_id, new, sub["payer"], rail, state.instance["origin"], now)
    return opening(state, lane, sub["name"], sub["payer_salt"], now, id_)


def cancel(state, id_, now):
    sub = the_subscription(state, id_)
    need(sub["lease"] is None, "lease_refused")
    ends, until = sub["plan"].term.cancelled(sub["started_at"], now), sub["account"].until
    if ends is None or (until is not None and until <= ends):
        return None, {"ends_at": until}
    leases.need_none_out(state, id_)
    return ("cancelled", {"subscription": id_, "at": now, "ends_at": ends}), {"ends_at": ends}


def reopen(state, sub, rail, now):
    """The next lane of a subscription whose last one belongs to an earlier log."""
    last = state.lanes[sub["lane"]]
    lane = dict(last["open"], number=last["open"]["number"] + 1, parent=sub["lane"], rail=rail,
                origin=state.instance["origin"], opened_at=max(now, last["issued_at"]),
                cumulative=last["cumulative"], cumulative_remainder=last["cumulative_remainder"],
                credited=last["credited"], credited_remainder=last["credited_remainder"])
    return opening(state, lane, sub["name"], sub["payer_salt"], sub["started_at"])


def opening(state, lane, account, salt, started_at, switched_from=None, lease=None):
    if lane["parent"] == ZERO:
        across.check_start(state, state.plans[lane["plan"]], lane["payer"], started_at)
    digest = receipts.lane_digest(lane)
    entry = {"lane": lane, "account": account, "payer_salt": salt, "started_at": started_at,
             "switched_from": switched_from, "lease": lease}
    return ("open", entry), {"subscription": root(lane), "lane": digest,
                             "sign": sign_request(state, "lane", digest)}


def request_subject(id_):
    return sha256(b"counterfoil/request/0\n", id_.encode())


def check_request_id(id_):
    need(1 <= len(id_.encode()) <= 256, "text_invalid")


def quantities(usage):
    return b"".join(text(m) + u(q, 8) for m, q in usage.items())


def original(sub, digest, now):
    """The request that a retry joins: the newest of the same input that was not released."""
    window = sub["plan"].times["retry"]
    if window is None:
        return None
    found = [(known["at"], subject) for subject, known in sub["remembered"].items()
             if known["input"] == digest and known["receipt"] != RELEASED
             and known["at"] + window >= now]
    return max(found)[1] if found else None


def authorize(state, id_, request, created_at, content, retry, most, now):
    check_request_id(request)
    sub, lane = current(state, id_)
    plan = sub["plan"]
    if created_at is not None:
        need(later(created_at, plan.times["replay"]) >= now, "request_too_old")
        need(later(now, plan.times["skew"]) >= created_at, "clock_skew")
    subject = request_subject(request)
    digest = sha256(u(len(most.meters), 4), quantities(most), attribute_bytes(most.attributes),
                    content)
    known = sub["remembered"].get(subject)
    if known is None and retry and content != ZERO:
        joined = original(sub, digest, now)
        if joined:
            subject, known = joined, sub["remembered"][joined]
    if known:
        need(known["input"] == digest, "request_conflict")
        if subject in sub["holds"]:
            return None, {"replayed": {"state": "held", "receipt": None}}
        if known["receipt"] == RELEASED:
            return None, {"replayed": {"state": "released", "receipt": None}}
        return None, {"replayed": {"state": "settled", "receipt": known["receipt"]}}
    held = held_of(sub, most, now, lane["issued_at"])
    hold = {"lane": sub["lane"], "subject": subject, "input": digest, "at": now,
            "deadline": later(now, plan.times["hold"]), **held,
            "attributes": dict(most.attributes), "state": "open", "parts": None}
    raised, denial = admit_hold(state, id_, hold)
    if denial:
        return None, {"denied": denial}
    entry = {"lane": sub["lane"], "subject": subject, "input": digest, "authorized_at": now,
             "deadline": hold["deadline"], "attributes": hold["attributes"], **held}
    return ("hold", entry), {"authorized": {
        "subject": subject, "lane": sub["lane"], "deadline": hold["deadline"], "reserved": raised}}


def held_of(sub, most, at, issued_at, hold=None):
    """What a hold says of a call that may use so much. `hold` is the one whose place it takes."""
    plan, account = sub["plan"], sub["account"]
    usable = account.grants.usable(most.attributes, at, issued_at)
    units = plan.held_units(most, most.attributes, at, grants.meters_of(usable))
    units = chargeable(sub, units, at)
    limited_by = limited(plan, most.meters, units, most.attributes)
    if hold and hold["parts"]:
        units = [(i, n - paid_of(plan, hold["parts"], i)) for i, n in units]
        units = [(i, n) for i, n in units if n > 0]
    own = hold["reserved"] if hold else []
    granted, units = grants.draw_units(plan, account.grants, usable, own, units, issued_at)
    return {"most": dict(most.meters), "units": units, "limited": limited_by,
            "reserved": [(draw["grant"], draw["given_at"], draw["units"]) for draw in granted]}


def admit_hold(state, id_, hold):
    """(how much the hold raises the reserve, None) or (None, denial)."""
    sub, lane = current(state, id_)
    plan = sub["plan"]
    need(not sub["closed"], "lease_closed")
    check_windows(sub, hold["at"], lane["issued_at"])
    denial = deny_by_terms(sub, hold["attributes"], hold["at"]) or leases.deny(sub, hold)
    if denial:
        return None, denial
    holds, attributes, at = list(sub["holds"].values()), hold["attributes"], hold["at"]
    denial = (deny_by_values(plan, sub["account"], holds, attributes, at)
              or deny_by_unique(plan, sub["account"], hold["units"], attributes, at))
    if denial:
        return None, denial
    account = deepcopy(sub["account"])
    before = aggregate(plan, account)
    change_outstanding(plan, account, hold, 1)
    raised = max(0, aggregate(plan, account) - before)
    usable = account.grants.usable(attributes, at, lane["issued_at"])
    short = tighter(
        admit(plan, account, holds + [hold], attributes, at, 0),
        credit_room(state, sub, account, holds + [hold], usable,
                    [index for index, _ in hold["units"]], 0, at, lane["issued_at"]))
    if short:
        return None, deny_by_room(sub, holds, short)
    denial = (deny_by_units(plan, account, holds, hold["limited"], attributes, at)
              or deny_by_concurrency(plan, account, holds, attributes)
              or deny_by_rate(plan, account, attributes, at))
    return (None, denial) if denial else (raised, None)


def deny_by_room(sub, holds, short):
    """What is left, and what is asked for, as the holds are now."""
    plan = sub["plan"]
    inside = list(filter(reserved, holds))
    limit = plan.limits[short["limit"]] if short["limit"] < len(plan.limits) else None
    if limit and limit["kind"] == "spend":
        inside = holds_in(sub["account"], limit, holds, short["place"])
    before = short["spent"] + limit_reserve(plan, sub["account"], holds, inside)
    if limit and limit["kind"] == "spend":
        before += reserve_of_others(sub["account"], limit, short["place"])
    needed = max(0, short["committed"] - before)
    left = dict(short, available=max(0, short["most"] - before))
    return deny_by_money(sub, holds, left, needed)


def deny_wider(state, id_, hold, held):
    """Why a hold may not hold so much, if it may not."""
    sub, lane = current(state, id_)
    plan, at, attributes = sub["plan"], hold["at"], hold["attributes"]
    need(not sub["closed"], "lease_closed")
    check_windows(sub, at, lane["issued_at"])
    used = hold["parts"]["lines"] if hold["parts"] else {}

    def left(units):
        return {i: max(0, n - used.get(i, (0, 0))[0]) for i, n in units}

    before = left(hold["units"])
    added = [(i, n - before.get(i, 0)) for i, n in left(held["units"]).items()]
    denial = leases.deny(sub, {**hold, "units": [(i, n) for i, n in added if n > 0]})
    if denial:
        return denial
    denial = deny_by_unique(plan, sub["account"], held["units"], attributes, at)
    if denial:
        return denial
    wider, holds = {**hold, **held}, list(sub["holds"].values())
    account = deepcopy(sub["account"])
    change_outstanding(plan, account, hold, -1)
    change_outstanding(plan, account, wider, 1)
    tried = [wider if other is hold else other for other in holds]
    usable = account.grants.usable(attributes, at, lane["issued_at"])
    short = tighter(
        admit(plan, account, tried, attributes, at, 0),
        credit_room(state, sub, account, tried, usable, [index for index, _ in held["units"]], 0,
                    at, lane["issued_at"]))
    if short:
        return deny_by_room(sub, holds, short)
    more = [(i, held_units(plan, i, wider) - held_units(plan, i, hold)) for i, _ in held["limited"]]
    return deny_by_units(plan, sub["account"], holds, [(i, n) for i, n in more if n > 0],
                         attributes, at)


def receipt_outcome(state, entry, crossed=()):
    head = entry["head"]
    digest = receipts.head_digest(head)
    plan = state.plans[state.lanes[head["lane"]]["open"]["plan"]]
    signed = plan.signing["mode"] == "each"
    return ("receipt", entry), {"receipt": {
        "entry": entry, "digest": digest, "position": slot(state),
        "sign": sign_request(state, "head", digest) if signed else None,
        "crossed": list(crossed)}}


def used_digest(usage, content):
    return sha256(text(usage.surface), u(receipts.BASES[usage.basis], 1), content,
                  quantities(usage))


def settle(state, key, id_, request, usage, content, now, goes_on=False):
    check_request_id(request)
    sub, lane = current(state, id_)
    subject = request_subject(request)
    hold = sub["holds"].get(subject)
    if hold is None:
        known = sub["remembered"].get(subject)
        need(known and known["receipt"] not in (ZERO, RELEASED), "hold_unknown")
        need(not goes_on and known["used"] == used_digest(usage, content), "request_conflict")
        return None, {"replayed": {"state": "settled", "receipt": known["receipt"]}}
    parts = hold["parts"]
    if goes_on and parts and parts["used"] == used_digest(usage, content):
        return None, {"replayed": {"state": "settled", "receipt": parts["receipt"]}}
    attributes = {**usage.attributes, **hold["attributes"]}
    issued_at = max(now, lane["issued_at"], hold["at"])
    salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
    entry, _, _ = draft_call(state, id_, subject, usage, attributes, content, hold["at"],
                             issued_at, salt, None, goes_on)
    return receipt_outcome(state, entry, crossings(
        sub["plan"], sub["account"], entry, hold["attributes"], parts))


def settle_unfinished(state, key, id_, request, now):
    """A call ended, and nobody knows what it used."""
    check_request_id(request)
    sub, _ = current(state, id_)
    subject = request_subject(request)
    hold = sub["holds"].get(subject)
    if hold is None:
        known = sub["remembered"].get(subject)
        need(known and known["receipt"] not in (ZERO, RELEASED), "hold_unknown")
        return None, {"replayed": {"state": "settled", "receipt": known["receipt"]}}
    read = hold["parts"]["quantities"] if hold["parts"] else {}
    most = hold["most"]
    within = all(q <= most.get(meter, 0) for meter, q in read.items())
    usage = Usage("plain", "estimated")
    usage.meters = dict(most if sub["plan"].unfinished == "held" and within else read)
    return settle(state, key, id_, request, usage, ZERO, now)


def extended(plan, hold, now):
    later_on = min(later(now, plan.times["hold"]), later(hold["at"], plan.times["grace"]))
    return max(hold["deadline"], later_on)


def extend(state, id_, request, most, now):
    sub = the_subscription(state, id_)
    subject = request_subject(request)
    hold = sub["holds"].get(subject)
    need(hold is not None and reserved(hold) and now < hold["deadline"], "hold_unknown")
    deadline = extended(sub["plan"], hold, now)
    wider = Usage()
    wider.meters, wider.attributes = dict(hold["most"]), hold["attributes"]
    for meter, quantity in most.items() if most else []:
        if quantity > wider.meters.get(meter, 0):
            wider.set(meter, quantity)
    held = None
    if wider.meters != hold["most"]:
        _, lane = current(state, id_)
        held = held_of(sub, wider, hold["at"], lane["issued_at"], hold)
        denial = deny_wider(state, id_, hold, held)
        if denial:
            return None, {"denied": dict(denial, retry_at=None)}
    if held is None and deadline == hold["deadline"]:
        return None, {"extended": {"subject": subject, "deadline": deadline}}
    entry = {"lane": hold["lane"], "subject": subject, "at": now, "deadline": deadline,
             "held": held}
    return ("extended", entry), {"extended": {"subject": subject, "deadline": deadline}}


def release(state, id_, request, reason, now):
    sub = the_subscription(state, id_)
    subject = request_subject(request)
    hold = sub["holds"].get(subject)
    need(hold is not None, "hold_unknown")
    need(reason == "released" or reserved(hold), "hold_unknown")
    if reason == "unknown" and hold["state"] == "unknown":
        return None, {"subject": subject}
    entry = {"lane": hold["lane"], "subject": subject, "at": now, "reason": reason}
    return ("release", entry), {"subject": subject}


def import_subject(mark):
    """The whole place of the record, so that a signed head binds all of it."""
    return sha256(b"counterfoil/import/0\n", mark["input"], u(mark["ordinal"], 8),
                  u(mark["offset"], 8), mark["digest"])


def import_(state, key, id_, at, usage, content, mark):
    sub, lane = current(state, id_)
    need_whole(sub)
    before = state.imports.get(mark["input"])
    if before and mark["ordinal"] <= before["ordinal"]:
        return None, {"nothing": {}}
    plan = sub["plan"]
    subject = import_subject(mark)
    issued_at = max(at, lane["issued_at"])
    check_windows(sub, at, issued_at)
    units = plan.charged_units(usage, usage.attributes, at)
    holds = list(sub["holds"].values())
    denial = (deny_by_terms(sub, usage.attributes, at)
              or deny_by_values(plan, sub["account"], holds, usage.attributes, at)
              or deny_by_unique(plan, sub["account"], units, usage.attributes, at))
    if denial is None:
        salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
        entry, needed, short = draft_call(state, id_, subject, usage, usage.attributes, content,
                                          at, issued_at, salt, mark)
        denial = deny_by_money(sub, holds, short, needed) if short else None
        units = limited(plan, usage.meters, units, usage.attributes)
        denial = (denial or deny_by_units(plan, sub["account"], holds, units, usage.attributes, at)
                  or deny_by_rate(plan, sub["account"], usage.attributes, at))
        if denial is None:
            return receipt_outcome(state, entry, crossings(
                plan, sub["account"], entry, usage.attributes))
    entry = {"lane": sub["lane"], "subject": subject, "at": at, "denial": denial, "import": mark}
    return ("denied", entry), {"denied": denial}


def due(state, key, now):
    """The first thing that is due: an expired hold, then a closing window, then a checkpoint."""
    expired = sorted((hold["deadline"], id_, subject) for id_, sub in state.subscriptions.items()
                     for subject, hold in sub["holds"].items() if reserved(hold))
    if expired and expired[0][0] <= now:
        _, id_, subject = expired[0]
        hold = state.subscriptions[id_]["holds"][subject]
        entry = {"lane": hold["lane"], "subject": subject, "at": now, "reason": "expired"}
        return ("release", entry), {"released": {"subject": subject}}
    over = leases.reclaim(state, now)
    if over:
        return over
    # At one instant, of one charge: what starts, what leases left unbilled, what is trued up, what
    # lacks its minimum.
    order = {START: 0, RETURN: 1, "true_up": 2, CLOSE: 3}
    ready = [(due_at, id_, index, order[edge], None) for due_at, id_, index, edge
             in periods_of(state, now)]
    ready += [(closes, id_, index, order["true_up"], w) for closes, id_, index, w in closings_of(state)
              if closes <= now]
    if ready:
        _, id_, index, what, w = min(ready)
        sub = state.subscriptions[id_]
        lane = state.lanes[sub["lane"]]
        if lane["open"]["origin"] != state.instance["origin"]:
            entry, outcome = reopen(state, sub, lane["open"]["rail"], now)
            return entry, {"opened": outcome}
        salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
        issued_at = max(now, lane["issued_at"])
        if what == order["true_up"]:
            return receipt_outcome(state, draft_true_up(state, id_, index, w, issued_at, salt))
        edge = next(edge for edge, place in order.items() if place == what)
        entry = draft_period(state, id_, index, edge, issued_at, salt)
        return receipt_outcome(state, entry, crossings(sub["plan"], sub["account"], entry, {}))
    if state.prove_now or (state.prove_by is not None and state.prove_by <= now):
        return checkpoint(state)
    return None, {"nothing": {}}


def trued_up_at(sub, index, w):
    """When a window that owes is trued up: a fee with the end that made it smaller."""
    if sub["plan"].charges[index]["tariff"].prorate:
        return sub["account"].until
    return closes_at(sub["plan"], w)


def closings_of(state):
    for id_, sub in state.subscriptions.items():
        if sub["lease"]:
            continue
        for index, counters in enumerate(sub["account"].counters):
            for w in counters:
                closes = trued_up_at(sub, index, w)
                if closes is not None and owes(sub["plan"], sub["account"], index, w):
                    yield closes, id_, index, w


def lanes_root(state):
    origin = state.instance["origin"]
    return logs.lanes_root({
        id_: (lane["sequence"], lane["head"], lane["cumulative"], lane["credited"])
        for id_, lane in state.lanes.items() if lane["open"]["origin"] == origin})


def checkpoint(state):
    instance = the_instance(state)
    if len(state.log) == state.checkpointed:
        return None, {"nothing": {}}
    entry = {"origin": instance["origin"], "size": len(state.log), "root": logs.root(state.log),
             "lanes": lanes_root(state), "time": state.latest}
    sign = sign_request(state, "checkpoint", logs.checkpoint_digest(entry))
    return ("checkpoint", entry), {"checkpoint": {"checkpoint": entry, "sign": sign}}


def collect(state, entry):
    need(entry["lane"] in state.lanes, "collected_invalid")
    need(len(entry["reference"].encode()) <= 256, "text_invalid")
    lane = state.lanes[entry["lane"]]
    good = entry["amount"] >= lane["collected"] and lane["fee"] <= entry["fee"] <= entry["amount"]
    need(good, "collected_invalid")
    return ("collected", entry), {}


# Folding.


def fold(state, kind, e):
    if kind in LEASES:
        getattr(leases, "fold_" + kind)(state, e)
    else:
        FOLDS[kind](state, e)
    state.entries += 1


def fold_instance(state, e):
    check_origin(state, e["origin"])
    state.left_unproven += len(state.log) - state.checkpointed
    state.base = slot(state)
    state.log, state.checkpointed = [], 0
    state.latest = max(state.latest, e["at"])
    state.prove_by, state.prove_now = None, False
    state.instance = e


def fold_plan(state, e):
    the_instance(state)
    plan = read(e["document"].decode())
    need(plan.id not in state.plans, "entry_misplaced")
    state.plans[plan.id] = plan


def fold_open(state, e):
    lane = e["lane"]
    digest = receipts.lane_digest(lane)
    need(digest not in state.lanes, "entry_misplaced")
    sub = state.subscriptions.get(root(lane))
    before = e["switched_from"]
    if e["lease"]:
        leases.check_open(state, e)
    if sub:
        need(before is None, "entry_misplaced")
        sub["lane"] = digest
    else:
        plan = state.plans[lane["plan"]]
        lease = e["lease"] and e["lease"][0]
        if before:
            end_by_switch(state, e)
        elif not lease:
            once = plan.term.once
            need(once is None or not has_subscribed(state, lane["payer"], once), "entry_misplaced")
        if not lease:
            across.check_start(state, plan, lane["payer"], e["started_at"])
        state.subscriptions[root(lane)] = {
            "plan": plan, "payer": lane["payer"], "payer_salt": e["payer_salt"],
            "name": e["account"], "started_at": e["started_at"],
            "account": leases.leased_account(plan, lease) if lease else Account(
                plan, e["started_at"], bool(before)), "switched_to": None,
            "lease": lease, "closed": False, "leased": 0, "returned": 0,
            "lane": digest, "holds": {}, "remembered": {}, "forgetting": set(), "denied": 0,
            "credits": {}, "parted": {}, "evidence": {}}
        if not lease:
            account = state.subscriptions[root(lane)]["account"]
            account.family = across.Family(state, root(lane))
            across.share_rates(state, plan, lane["payer"], account)
    state.log.append(logs.leaf(digest))
    state.latest = max(state.latest, lane["opened_at"])
    state.lanes[digest] = {
        "open": lane, "sequence": 0, "head": digest, "cumulative": lane["cumulative"],
        "cumulative_remainder": lane["cumulative_remainder"], "credited": lane["credited"],
        "credited_remainder": lane["credited_remainder"], "issued_at": lane["opened_at"],
        "unproven": (0, 0, 0), "collected": 0, "fee": 0}


def end_by_switch(state, e):
    old, lane = the_subscription(state, e["switched_from"]), e["lane"]
    until = old["account"].until
    good = (old["switched_to"] is None and old["payer"] == lane["payer"] and old["payer_salt"] == e["payer_salt"]
            and old["plan"].id != lane["plan"] and old["started_at"] <= e["started_at"]
            and (until is None or e["started_at"] < until))
    need(good, "entry_misplaced")
    leases.need_none_out(state, e["switched_from"])
    old["account"].until = e["started_at"]
    old["switched_to"] = lane["subscription"]


def fold_cancelled(state, e):
    sub = the_subscription(state, e["subscription"])
    until = sub["account"].until
    ends = sub["plan"].term.cancelled(sub["started_at"], e["at"])
    need(ends == e["ends_at"] and (until is None or ends < until), "entry_misplaced")
    leases.need_none_out(state, e["subscription"])
    sub["account"].until = ends


def forgotten_at(plan, at):
    kept = max(plan.times["replay"], plan.times["hold"] + plan.times["grace"])
    return min(LAST, at + kept)


def fold_hold(state, e):
    sub = state.subscriptions[root(state.lanes[e["lane"]]["open"])]
    plan = sub["plan"]
    need(e["subject"] not in sub["holds"], "entry_misplaced")
    at = e["authorized_at"]
    hold = {"lane": e["lane"], "subject": e["subject"], "input": e["input"], "at": at,
            "deadline": e["deadline"], "units": e["units"], "limited": e["limited"],
            "reserved": e["reserved"], "most": e["most"], "attributes": e["attributes"],
            "state": "open", "parts": None}
    change_outstanding(plan, sub["account"], hold, 1)
    for name, given_at, units in e["reserved"]:
        issued_at = state.lanes[e["lane"]]["issued_at"]
        sub["account"].grants.use(name, given_at, at, issued_at).reserved += units
    advance_rates(plan, sub["account"], e["attributes"], at)
    for until, subject in sorted(sub["forgetting"]):
        if until <= at:
            sub["forgetting"].remove((until, subject))
            if not (subject in sub["holds"] and reserved(sub["holds"][subject])):
                sub["remembered"].pop(subject, None)
                sub["holds"].pop(subject, None)
    sub["forgetting"].add((forgotten_at(plan, at), e["subject"]))
    sub["remembered"][e["subject"]] = {"input": e["input"], "at": at, "receipt": ZERO,
                                       "used": ZERO}
    # Ascending by subject: the order in which limits are asked.
    sub["holds"] = dict(sorted({**sub["holds"], e["subject"]: hold}.items()))


def forget_ended(sub, subject, at):
    if (forgotten_at(sub["plan"], at), subject) not in sub["forgetting"]:
        sub["remembered"].pop(subject, None)
        sub["holds"].pop(subject, None)


def fold_denied(state, e):
    sub = state.subscriptions[root(state.lanes[e["lane"]]["open"])]
    sub["denied"] += 1
    remember_mark(state, e["import"])


def check_mark(state, mark):
    before = state.imports.get(mark["input"])
    need(before is None or (mark["ordinal"] > before["ordinal"]
                            and mark["offset"] > before["offset"]), "entry_misplaced")


def remember_mark(state, mark):
    check_mark(state, mark)
    state.imports[mark["input"]] = mark


def fold_release(state, e):
    sub = state.subscriptions[root(state.lanes[e["lane"]]["open"])]
    hold = sub["holds"][e["subject"]]
    if e["reason"] == "unknown":
        hold["state"] = "unknown"
        return
    if reserved(hold):
        change_outstanding(sub["plan"], sub["account"], hold, -1)
        give_back(sub["account"], hold)
    if e["reason"] == "expired":
        hold["state"] = "expired"
    else:
        del sub["holds"][e["subject"]]
        if e["subject"] in sub["remembered"]:
            sub["remembered"][e["subject"]]["receipt"] = RELEASED
    forget_ended(sub, e["subject"], hold["at"])


def fold_extended(state, e):
    sub = state.subscriptions[root(state.lanes[e["lane"]]["open"])]
    hold = sub["holds"][e["subject"]]
    held = e["held"]
    grows = hold["deadline"] < e["deadline"] or held is not None
    need(reserved(hold) and e["at"] < hold["deadline"] <= e["deadline"] and grows,
         "entry_misplaced")
    hold["deadline"] = e["deadline"]
    if held is None:
        return
    plan, account = sub["plan"], sub["account"]
    need(held["most"] != hold["most"] and all(
        q <= held["most"].get(meter, 0) for meter, q in hold["most"].items()), "entry_misplaced")
    change_outstanding(plan, account, hold, -1)
    before = {(name, at): units for name, at, units in hold["reserved"]}
    after = {(name, at): units for name, at, units in held["reserved"]}
    issued_at = state.lanes[sub["lane"]]["issued_at"]
    for (name, at), units in after.items():
        more = units - before.get((name, at), 0)
        if more > 0:
            account.grants.use(name, at, hold["at"], issued_at).reserved += more
    for (name, at), units in before.items():
        account.grants.find(name, at).reserved -= max(0, units - after.get((name, at), 0))
    hold.update(held)
    change_outstanding(plan, account, hold, 1)


def give_back(account, hold):
    for name, given_at, units in hold["reserved"]:
        account.grants.find(name, given_at).reserved -= units


def fold_receipt(state, e):
    head, items = e["head"], e["body"]["items"]
    lane = state.lanes[head["lane"]]
    sub = state.subscriptions[root(lane["open"])]
    plan, account = sub["plan"], sub["account"]
    good = (head["sequence"] == lane["sequence"] + 1 and sub["lane"] == head["lane"]
            and head["previous"] == lane["head"]
            and head["issued_at"] >= max(lane["issued_at"], head["authorized_at"])
            and lane["cumulative"] + head["charge"] == head["cumulative"]
            and head["credited"] >= lane["credited"])
    need(good, "audit_chain")
    digest = receipts.head_digest(head)
    if any(item["item"] == "part" for item in items):
        call = (head["subject"], head["authorized_at"])
        sub["parted"].setdefault(call, []).append(e)
    if head["kind"] == CALL:
        fold_call(state, sub, e, digest)
    elif head["kind"] == PART:
        fold_part(sub, e, digest)
    elif head["kind"] == PERIOD:
        fold_period(sub, e)
    elif head["kind"] == CREDIT:
        credits.fold(sub, e)
    else:
        for item in items:
            if item["item"] == "correction":
                index = index_of(plan, item["charge"])
                w = item["window"]
                need(not awaits(sub, index, w), "entry_misplaced")
                closes = closes_at(plan, w)
                if closes is not None and closes <= head["issued_at"]:
                    account.counters[index].pop(w, None)
                else:  # late calls may still come
                    account.counters[index][w][1] = account.billed[index][w] = item["due"]
    state.log.append(logs.leaf(digest))
    state.latest = max(state.latest, head["issued_at"])
    lane.update(sequence=head["sequence"], head=digest, cumulative=head["cumulative"],
                credited=head["credited"], issued_at=head["issued_at"])
    for item in items:
        if item["item"] == "price":
            lane["cumulative_remainder"] = item["remainder_after"]
        if item["item"] in ("correction", "credit", "surplus"):
            lane["credited_remainder"] = item["remainder_after"]
    signing = plan.signing
    if signing["mode"] == "checkpoint":
        since, count, value = lane["unproven"]
        if since != state.checkpoints:
            count, value = 0, 0
        count, value = count + 1, value + head["charge"] * GRID
        lane["unproven"] = (state.checkpoints, count, value)
        if count >= signing["receipts"] or value >= signing["value"]:
            state.prove_now = True
        by = min(LAST, head["issued_at"] + signing["ms"])
        state.prove_by = by if state.prove_by is None else min(state.prove_by, by)
    if e["import"]:
        remember_mark(state, e["import"])


def fold_call(state, sub, e, digest):
    head, plan, account = e["head"], sub["plan"], sub["account"]
    subject, items = head["subject"], e["body"]["items"]
    lines = [item for item in items if item["item"] == "line"]
    hold = sub["holds"].pop(subject, None)
    parts = hold["parts"] if hold else None
    take_draws(plan, account, e, lines, parts)
    need((hold is None) == (e["import"] is not None), "entry_misplaced")
    if hold:
        if reserved(hold):
            change_outstanding(plan, account, hold, -1)
            give_back(account, hold)
        if subject in sub["remembered"]:
            sub["remembered"][subject].update(receipt=digest, used=used_of(items))
        forget_ended(sub, subject, hold["at"])
    attributes = hold["attributes"] if hold else {
        i["name"]: i["value"] for i in items if i["item"] == "attribute"}
    rewind(plan, account, hold)
    advance(plan, account, lines, head["authorized_at"], attributes)
    count(plan, account, e, attributes, parts)
    if e["import"]:
        advance_rates(plan, account, attributes, head["authorized_at"])
    forget_closed(sub, head["issued_at"])


def fold_part(sub, e, digest):
    head, plan, account = e["head"], sub["plan"], sub["account"]
    items = e["body"]["items"]
    lines = [item for item in items if item["item"] == "line"]
    need(head["subject"] in sub["holds"] and not e["import"], "entry_misplaced")
    hold = sub["holds"][head["subject"]]
    parts = hold["parts"]
    take_draws(plan, account, e, lines, parts)
    if reserved(hold):
        change_outstanding(plan, account, hold, -1)
        give_back(account, hold)
        drawn = {(i["grant"], i["given_at"]): i["units"] for i in items if i["item"] == "draw_units"}
        left = [(name, at, units - drawn.get((name, at), 0)) for name, at, units in hold["reserved"]]
        hold["reserved"] = [part for part in left if part[2] > 0]
        for name, at, units in hold["reserved"]:
            account.grants.find(name, at).reserved += units
    rewind(plan, account, hold)
    advance(plan, account, lines, head["authorized_at"], hold["attributes"])
    count(plan, account, e, hold["attributes"], parts)
    price = next(item for item in items if item["item"] == "price")
    before = parts or {"number": 0, "granted": {}, "charged": 0, "uncollected": 0, "drawn": 0}
    granted = dict(before["granted"])
    for item in items:
        if item["item"] == "draw_units":
            granted[item["meter"]] = granted.get(item["meter"], 0) + item["units"]
    hold["parts"] = {
        "number": before["number"] + 1, "receipt": digest, "used": used_of(items),
        "quantities": {i["meter"]: i["quantity"] for i in items if i["item"] == "quantity"},
        "lines": {index_of(plan, i["charge"]): (i["units"], i["amount"]) for i in lines},
        "granted": granted, "charged": exact(before["charged"] + price["exact"]),
        "uncollected": exact(before["uncollected"] + price["uncollected"]),
        "drawn": before["drawn"] + sum(i["amount"] for i in items if i["item"] == "draw")}
    if reserved(hold):
        change_outstanding(plan, account, hold, 1)
    forget_closed(sub, head["issued_at"])


def fold_period(sub, e):
    plan, account = sub["plan"], sub["account"]
    lines = [item for item in e["body"]["items"] if item["item"] == "line"]
    take_draws(plan, account, e, lines)
    advance(plan, account, lines, e["head"]["authorized_at"])
    count(plan, account, e, {})
    forget_closed(sub, e["head"]["issued_at"])


def take_draws(plan, account, e, lines, parts=None):
    """What grants paid of a receipt leaves them."""
    head = e["head"]
    unpaid = increases(plan, lines, parts)
    asked = deepcopy(unpaid)
    for item in e["body"]["items"]:
        if item["item"] in ("draw", "draw_units"):
            given = account.grants.use(item["grant"], item["given_at"], head["authorized_at"],
                                       head["issued_at"])
            if item["item"] == "draw":
                given.drawn += item["amount"]
                grants.pay_lines(given.terms, unpaid, item["amount"])
            else:
                given.drawn += item["units"] * GRID
    for line, (index, more), (_, left) in zip(lines, asked, unpaid):
        paid = account.granted[index]
        paid[line["window"]] = paid.get(line["window"], 0) + more - left


def used_of(items):
    source = next(i for i in items if i["item"] == "source")
    return sha256(text(source["surface"]), u(receipts.BASES[source["basis"]], 1),
                  source["content"],
                  *(text(i["meter"]) + u(i["quantity"], 8) for i in items
                    if i["item"] == "quantity"))


def fold_granted(state, e):
    grants.fold_granted(the_subscription(state, e["subscription"]), e)


def fold_voided(state, e):
    grants.fold_voided(the_subscription(state, e["subscription"]), e)


def fold_presented(state, e):
    evidence.fold_presented(the_subscription(state, e["subscription"]), e)


def fold_checkpoint(state, e):
    state.checkpoints += 1
    state.checkpointed = e["size"]
    state.prove_by, state.prove_now = None, False


def fold_collected(state, e):
    lane = state.lanes[e["lane"]]
    lane["collected"], lane["fee"] = e["amount"], e["fee"]


LEASES = ["leased", "stated", "absorbed", "reclaimed"]
FOLDS = {"instance": fold_instance, "plan": fold_plan, "open": fold_open, "hold": fold_hold,
         "denied": fold_denied, "receipt": fold_receipt, "release": fold_release,
         "checkpoint": fold_checkpoint, "collected": fold_collected, "granted": fold_granted,
         "voided": fold_voided, "cancelled": fold_cancelled, "extended": fold_extended,
         "presented": fold_presented}


def audit(journal, signer, signed):
    """Folds a journal that somebody else kept, and refuses what does not follow. So many checkpoints
    were signed."""
    state = State()
    for n, (kind, entry) in enumerate(journal):
        if kind == "hold" and entry["lane"] in state.lanes:
            sub = state.subscriptions[root(state.lanes[entry["lane"]]["open"])]
            refused = deny_by_terms(sub, entry["attributes"], entry["authorized_at"])
            need(refused is None, "audit_mismatch", f"entry {n}")
        if kind == "open":
            need(entry["lane"]["plan"] in state.plans, "plan_unknown")
        if kind in ("open", "receipt", "checkpoint", "leased", "stated"):
            need(the_instance(state)["signer"] == signer, "signature_wrong_key")
        if kind == "checkpoint":
            again = {"origin": state.instance["origin"], "size": len(state.log),
                     "root": logs.root(state.log), "lanes": lanes_root(state),
                     "time": state.latest}
            need(again == entry, "audit_mismatch")
            need(state.checkpoints < signed, "signature_missing")
        if kind == "leased":
            leases.lend_again(state, entry["lease"])
        try:
            fold(state, kind, deepcopy(entry))
        except KeyError as error:
            raise Refused("entry_misplaced") from error
    return state


class Meter:
    """A meter over a journal in memory."""

    def __init__(self, key):
        self.key = key
        self.state = State()
        self.journal = []  # (kind, entry)
        self.doubt = None

    def step(self, decide, journal):
        """Proposes, records and confirms."""
        need(self.doubt is None, "meter_stalled")
        entry, outcome = decide(self.state)
        if entry is not None:
            if journal == "fails":
                raise Refused("step_abandoned")
            if journal == "doubt":
                self.doubt = entry
                raise Refused("meter_stalled")
            self.record(entry)
        return outcome

    def record(self, entry):
        if entry[1].get("import"):
            check_mark(self.state, entry[1]["import"])  # before anything changes
        fold(self.state, *entry)
        self.journal.append(entry)

    def recover(self, written):
        entry, self.doubt = self.doubt, None
        if entry is not None and written:
            self.record(entry)

    def bytes(self):
        return [encode(kind, entry) for kind, entry in self.journal]

    def folded(self, key, count=None):
        fresh = Meter(key)
        for entry in self.journal[:count]:
            fresh.record(deepcopy(entry))
        return fresh
