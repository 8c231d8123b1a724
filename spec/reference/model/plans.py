"""R-PLAN: the plan document."""

import hashlib
from functools import lru_cache

from . import conditions, currencies, selectors
from .amounts import GRID, fraction, money, part, shares, unit_price
from .document import Node, Number, canonical, is_control, is_name, parse
from .rating import PerCall, Rate, Tariff
from .refused import Refused, need
from .signing import checked_address
from .windows import LAST, PERIODS, Cycle, later
from .zones import read as read_zone

REQUESTS = "requests"
EVERY = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
YEAR = 366 * 86_400_000


class Plan:
    """A plan, read and valid."""

    def __init__(self, text):
        tree = parse(text, most_bytes=256 * 1024)
        root = Node(tree)
        fields = root.fields()
        form = fields.must("format")
        need(form.text() == "counterfoil/plan/1", "plan_format", form.pointer)
        self.canonical = canonical(root).encode()
        self.id = hashlib.sha256(b"counterfoil/plan/1\n" + self.canonical).digest()
        self.name = title(fields.must("name"))
        authority = fields.must("authority")
        self.authority = checked_address(authority.text(), authority.pointer)
        need(self.authority != bytes(20), "plan_invalid", authority.pointer)
        self.currency = currencies.read(fields.must("currency"))
        self.decimals = self.currency["decimals"]
        zone = fields.get("zone")
        self.zone = read_zone(zone, read_instant) if zone else None
        self.meters = self.read_meters(fields.must("meters"))
        self.charges = self.read_parts(fields.must("charges"), self.read_charge)
        need(self.charges, "plan_invalid", "/charges")
        selectors.check(self.charges)
        limits = fields.get("limits")
        self.limits = self.read_parts(limits, self.read_limit) if limits else []
        condition = fields.get("condition")
        self.condition = conditions.read(condition) if condition else None
        self.payees, self.shares = read_payees(fields.must("payees"))
        duration = fields.get("duration")
        self.duration = positive(duration) if duration else None
        rounding = fields.get("rounding")
        self.rounding = rounding.text() if rounding else "carry"
        need(self.rounding in ("carry", "up", "down", "half_even"), "plan_invalid", "/rounding")
        self.signing = self.read_signing(fields.get("signing"))
        self.times = read_times(fields.get("times"))
        fields.finish()

    def read_meters(self, node):
        meters = {}
        for name, unit in node.fields().all():
            need(is_name(name), "text_invalid", unit.pointer)
            meters[name] = title(unit)
        return meters

    def read_parts(self, node, read):
        parts = []
        for item in node.items():
            part = read(item)
            need(part["id"] not in [p["id"] for p in parts], "plan_order", item.pointer + "/id")
            parts.append(part)
            need(len(parts) <= 64, "plan_invalid", node.pointer)
        return parts

    def read_charge(self, node):
        fields = node.fields()
        id_ = name_of(fields.must("id"))
        model = fields.must("model").text()
        meter = REQUESTS if model == "flat" else name_of(fields.must("meter"))
        alone = model in ("flat", "percentage", "cost_plus", "dynamic")
        aggregate = None if alone else fields.get("aggregate")
        need(not aggregate or aggregate.text() in ("sum", "count"), "plan_invalid",
             aggregate and aggregate.pointer)
        selector = selectors.read(fields)
        if model == "volume":
            fields.must("window")
        period = read_window(fields, self.zone)
        if model in ("percentage", "cost_plus", "dynamic"):
            tariff = self.read_per_call(node, fields, model)
        else:
            tariff = self.read_tariff(node, fields, model)
        if tariff.due_at_start() or tariff.minimum:
            need(not (selector and "effective" in selector), "plan_invalid",
                 node.pointer + "/effective")
        fields.finish()
        need(meter == REQUESTS or meter in self.meters, "plan_reference", node.pointer + "/meter")
        if selector and "context" in selector:
            context = selector["context"][0]
            need(context in self.meters, "plan_reference", node.pointer + "/context/meter")
        return {"id": id_, "meter": meter, "selector": selector, "period": period,
                "tariff": tariff, "count": bool(aggregate) and aggregate.value == "count"}

    def read_tariff(self, node, fields, model):
        """A function of the counter: R-PLAN-007, -035 to -037."""
        free = fields.get("free")
        free = free.integer() if free else 0
        zero = fields.get("zero") if model in ("flat", "graduated", "volume") else None
        due = zero.boolean() if zero else False
        discount = fields.get("discount")
        kept = GRID
        if discount:
            kept -= fraction(discount.text(), discount.pointer)
            need(kept > 0, "plan_invalid", discount.pointer)
        if model == "flat":
            tariff = Tariff(model, free, self.read_money(fields.must("price"), kept))
        elif model == "per_unit":
            per = read_per(fields)
            tariff = Tariff(model, free, self.read_price(fields.must("price"), per, kept))
        elif model in ("graduated", "volume"):
            tariff = Tariff(model, free, tiers=self.read_tiers(fields, kept))
        elif model == "package":
            size = positive(fields.must("size"))
            tariff = Tariff(model, free, self.read_money(fields.must("price"), kept), size)
        else:
            raise fields.must("model").refused("plan_invalid")
        tariff.check(node.pointer + "/tiers")
        if due:
            need(tariff.first() > 0, "plan_invalid", zero.pointer)
            tariff.zero = True
        tariff.off = self.maybe_money(fields, "off", 0)
        tariff.cap = self.maybe_money(fields, "cap", None)
        tariff.minimum = self.maybe_money(fields, "minimum", 0)
        if fields.get("minimum"):
            fields.must("window")
        good = tariff.cap is None or tariff.minimum <= tariff.cap
        need(good, "plan_invalid", node.pointer + "/minimum")
        return tariff

    def read_per_call(self, node, fields, model):
        """A price of one call: R-PLAN-038 to -040."""
        per = read_per(fields)
        worth = self.read_price(fields.must("price"), per, GRID)
        if model == "percentage":
            rate = fields.must("rate")
            steps = fraction(rate.text(), rate.pointer)
            need(steps <= GRID, "plan_invalid", rate.pointer)
            fixed = self.maybe_money(fields, "fixed", 0)
            least = self.maybe_money(fields, "min", 0)
            most = self.maybe_money(fields, "max", None)
            need(most is None or least <= most, "plan_invalid", node.pointer + "/max")
            part(worth, steps, rate.pointer)
            return PerCall(model, worth, steps, fixed, least, most)
        if model == "dynamic":
            least = self.maybe_money(fields, "min", 0)
            most = self.read_money(fields.must("max"), GRID)
            need(least <= most, "plan_invalid", node.pointer + "/max")
            return PerCall(model, worth, least=least, most=most)
        for name, most in (("markup", 9 * GRID), ("margin", GRID - 1)):
            given = fields.get(name)
            if given:
                steps = fraction(given.text(), given.pointer)
                need(steps <= most, "plan_invalid", given.pointer)
                if name == "markup":
                    part(worth, steps, given.pointer)
                return PerCall(name, worth, steps)
        raise node.refused("plan_invalid")

    def maybe_money(self, fields, name, default):
        node = fields.get(name)
        return self.read_money(node, GRID) if node else default

    def read_money(self, node, kept):
        """Money after a discount that leaves so much of it."""
        return part(money(node.text(), self.decimals, node.pointer), kept, node.pointer)

    def read_price(self, node, per, kept):
        """The price of one unit after a discount."""
        value = unit_price(node.text(), self.decimals, per, node.pointer)
        return part(value, kept, node.pointer)

    def read_tiers(self, fields, kept):
        per = read_per(fields)
        node = fields.must("tiers")
        tiers = []
        for item in node.items():
            need(len(tiers) < 64, "plan_tiers", node.pointer)
            inner = item.fields()
            bound = inner.get("up_to")
            bound = positive(bound) if bound else None
            value = self.read_price(inner.must("price"), per, kept)
            flat = inner.get("flat")
            flat = self.read_money(flat, kept) if flat else 0
            inner.finish()
            tiers.append((bound, value, flat))
        return tiers

    def read_limit(self, node):
        fields = node.fields()
        limit = {"id": name_of(fields.must("id"))}
        spend, rate = fields.get("spend"), None
        if spend:
            limit["most"] = money(spend.text(), self.decimals, spend.pointer)
            limit["period"] = read_window(fields, self.zone)
        else:
            rate = fields.get("rate")
            need(rate is not None, "plan_invalid", node.pointer)
            limit["rate"] = read_rate(rate)
        fields.finish()
        return limit

    def read_signing(self, node):
        if node is None:
            return {"mode": "each"}
        fields = node.fields()
        mode = fields.must("mode")
        signing = {"mode": mode.text()}
        if signing["mode"] == "checkpoint":
            signing["receipts"] = positive(fields.must("receipts"))
            value = fields.must("value")
            signing["value"] = money(value.text(), self.decimals, value.pointer)
            signing["ms"] = positive(fields.must("ms"))
        else:
            need(signing["mode"] == "each", "plan_invalid", mode.pointer)
        fields.finish()
        return signing

    def ends(self, start):
        return None if self.duration is None else later(start, self.duration)

    def quote(self, usage, at):
        first, ceiling, lines = 0, 0, []
        for index, units in self.charged_units(usage, usage.attributes, at):
            charge = self.charges[index]
            value = charge["tariff"].pays(0, 0, units)
            first += value
            ceiling += charge["tariff"].worst_single(units)
            lines.append((charge["id"], charge["meter"], units, value))
        return first, ceiling, lines

    def counting(self, usage, attributes, at):
        """The indices of the charges that count in a call, in the order of the plan."""
        meters = {charge["meter"] for charge in self.charges}
        chosen = [selectors.choose(self.charges, meter, usage, attributes, at) for meter in meters]
        return [i for i, c in enumerate(self.charges) if c["selector"] is None or i in chosen]

    def charged_units(self, usage, attributes, at):
        """[(index of the charge, units)] for every charge that counts something."""
        counting = self.counting(usage, attributes, at)
        priced = {self.charges[i]["meter"] for i in counting}
        # Every call counts itself: `requests` needs no price.
        covered = usage.uncovered(lambda meter: meter == REQUESTS or meter in priced)
        need(covered is None, "usage_unpriced")
        disjoint = usage.disjoint(lambda meter: meter in priced)
        charged = []
        for index in counting:
            meter = self.charges[index]["meter"]
            if meter == REQUESTS:
                units = usage.meters.get(REQUESTS, 0) or 1
            else:
                units = disjoint.get(meter, 0)
            if units:
                charged.append((index, 1 if self.charges[index]["count"] else units))
        return charged


@lru_cache(maxsize=64)
def read(text):
    """Plans are immutable, so one document is read once."""
    return Plan(text)


def title(node):
    text = node.text()
    good = 1 <= len(text) <= 200 and not any(map(is_control, text))
    need(good, "text_invalid", node.pointer)
    return text


def name_of(node):
    need(is_name(node.text()), "text_invalid", node.pointer)
    return node.value


def positive(node):
    value = node.integer()
    need(value >= 1, "plan_invalid", node.pointer)
    return value


def read_instant(node):
    value = node.integer()
    need(value <= LAST, "time_invalid", node.pointer)
    return value


def read_period(node):
    need(node.text() in PERIODS, "plan_invalid", node.pointer)
    return node.value


def read_window(fields, zone):
    node = fields.get("window")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        return Cycle(read_period(node), zone=zone)
    inner = node.fields()
    every = read_period(inner.must("every"))
    counted = inner.get("count")
    count = positive(counted) if counted else 1
    anchor = inner.must("anchor")
    if isinstance(anchor.value, str) and not isinstance(anchor.value, Number):
        need(anchor.value == "start", "plan_invalid", anchor.pointer)
        origin = "start"
    else:
        origin = read_instant(anchor)
    inner.finish()
    need(count <= 366, "plan_invalid", counted.pointer if counted else None)
    return Cycle(every, count, origin, zone)


def read_per(fields):
    node = fields.get("per")
    return positive(node) if node else 1


def read_rate(node):
    fields = node.fields()
    calls = positive(fields.must("calls"))
    every = fields.must("every")
    need(every.text() in EVERY, "plan_invalid", every.pointer)
    burst = fields.get("burst")
    burst = positive(burst) if burst else 1
    fields.finish()
    return Rate(calls, EVERY[every.value], burst)


def payee_key(payee):
    """0x00 and the account's name, or 0x01 and the address."""
    kind, value = payee
    return b"\1" + value if kind == "address" else b"\0" + value.encode()


def payee_of(text, place=None):
    """`0x…` is an address, anything else an account."""
    if text.startswith("0x"):
        return "address", checked_address(text, place)
    good = 1 <= len(text) <= 64 and not any(map(is_control, text))
    need(good, "text_invalid", place)
    return "account", text


def read_payees(node):
    payees, weights = [], []
    for item in node.items():
        need(len(payees) < 1000, "plan_invalid", node.pointer)
        fields = item.fields()
        name = fields.must("payee")
        payee = payee_of(name.text(), name.pointer)
        weight = positive(fields.must("weight"))
        fields.finish()
        key = payee_key(payee)
        need(not payees or payee_key(payees[-1]) < key, "plan_order", name.pointer)
        payees.append(payee)
        weights.append((key, weight))
    try:
        return payees, shares(weights)
    except Refused as refused:
        raise Refused(refused.code, node.pointer) from None


def read_times(node):
    times = {"hold": 600_000, "grace": 3_600_000, "skew": 300_000, "replay": 86_400_000}
    if node is None:
        return times
    fields = node.fields()
    for name in times:
        value = fields.get(name)
        if value is not None:
            times[name] = positive(value)
            need(times[name] <= YEAR, "plan_invalid", value.pointer)
    fields.finish()
    need(times["grace"] >= times["hold"], "plan_invalid", node.pointer)
    return times


