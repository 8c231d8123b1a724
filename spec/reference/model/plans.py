"""R-PLAN: the plan document."""

import hashlib
from functools import lru_cache

from . import across, aggregates, conditions, currencies, derived, selectors, usages
from .amounts import GRID, exact, fraction, money, part, shares, unit_price
from .document import Node, Number, canonical, is_control, is_name, parse
from .rating import PerCall, Rate, Tariff
from .refused import Refused, need
from .signing import checked_address
from .terms import read_term
from .windows import LAST, LENGTH, PERIODS, Cycle, Rolling
from .zones import read as read_zone

REQUESTS = "requests"
EVERY = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
YEAR = 366 * 86_400_000


class Plan:
    """A plan, read and valid."""

    def __init__(self, text):
        tree = parse(text, most_bytes=256 * 1024)
        root = Node(tree)
        self.root = root
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
        node = fields.get("derived")
        self.derived = derived.read(node, self.meters, name_of, title, positive) if node else {}
        self.charges = self.read_parts(fields.must("charges"), self.read_charge)
        need(self.charges, "plan_invalid", "/charges")
        selectors.check(self.charges, self.derived)
        node = fields.get("commitments")
        self.commitments = self.read_parts(node, self.read_commitment) if node else []
        limits = fields.get("limits")
        self.limits = self.read_parts(limits, self.read_limit) if limits else []
        grants = fields.get("grants")
        self.grants = self.read_parts(grants, self.read_grant) if grants else []
        condition = fields.get("condition")
        self.condition = conditions.read(condition) if condition else None
        self.payees, self.shares = read_payees(fields.must("payees"))
        self.term = read_term(fields.get("term"), self.zone, self.charges, positive, read_period)
        rounding = fields.get("rounding")
        self.rounding = rounding.text() if rounding else "carry"
        need(self.rounding in ("carry", "up", "down", "half_even"), "plan_invalid", "/rounding")
        self.signing = self.read_signing(fields.get("signing"))
        self.times, self.late = read_times(fields.get("times"))
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
        aggregate, of, most = read_aggregate(None if alone else fields.get("aggregate"), fields)
        selector = selectors.read(fields)
        if model == "volume" or aggregate == "latest":
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
        known = meter == REQUESTS or meter in self.meters or meter in self.derived
        need(known, "plan_reference", node.pointer + "/meter")
        if selector and "context" in selector:
            context = selector["context"][0]
            need(context in self.meters, "plan_reference", node.pointer + "/context/meter")
        return {"id": id_, "meter": meter, "selector": selector, "period": period,
                "tariff": tariff, "aggregate": aggregate, "of": of, "values": most}

    def read_tariff(self, node, fields, model):
        """A function of the counter: R-PLAN-007, -035 to -037."""
        free = fields.get("free")
        free = free.integer() if free else 0
        zero = fields.get("zero") if model in ("flat", "graduated", "volume") else None
        due = zero.boolean() if zero else False
        prorate = fields.get("prorate") if model == "flat" else None
        if prorate and prorate.boolean():
            need(due, "plan_invalid", prorate.pointer)
            fields.must("window")
        prorate = bool(prorate) and prorate.value
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
        tariff.prorate = prorate
        tariff.off = self.maybe_money(fields, "off", 0)
        tariff.cap = self.maybe_money(fields, "cap", None)
        if not prorate:
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

    def read_commitment(self, node):
        """R-PLAN-120."""
        fields = node.fields()
        id_ = name_of(fields.must("id"))
        scope = fields.must("charges")
        charges = self.read_scope(scope)
        for index in charges:
            charge = self.charges[index]
            moving = (charge["tariff"].model == "volume" or charge["aggregate"] == "latest"
                      or charge["tariff"].prorate)
            need(not moving and not charge["tariff"].minimum, "plan_invalid", scope.pointer)
        fields.must("window")
        period = read_window(fields, self.zone)
        least = fields.must("minimum")
        minimum = self.read_money(least, GRID)
        need(minimum > 0, "plan_invalid", least.pointer)
        fields.finish()
        need(id_ not in [c["id"] for c in self.charges], "plan_order", node.pointer + "/id")
        return {"id": id_, "charges": charges, "period": period, "minimum": minimum}

    def read_limit(self, node):
        fields = node.fields()
        limit = {"id": name_of(fields.must("id")), "soft": False, "notify": [], "values": 10_000,
                 "across": None}
        spend, meter, concurrency, rate = (None,) * 4
        if spend := fields.get("spend"):
            limit["kind"] = "spend"
            limit["most"] = money(spend.text(), self.decimals, spend.pointer)
            read_limit_window(limit, fields, self.zone)
        elif meter := fields.get("meter"):
            limit["kind"] = "units"
            limit["meter"] = name_of(meter)
            if limit["meter"] != REQUESTS and limit["meter"] not in self.meters:
                counting = [c for c in self.charges if c["meter"] == limit["meter"]]
                need(counting, "plan_reference", meter.pointer)
                summed = all(c["aggregate"] == "sum" for c in counting)
                need(summed, "plan_invalid", meter.pointer)
            limit["most"] = fields.must("most").integer()
            read_limit_window(limit, fields, self.zone)
        elif credit := fields.get("credit"):
            limit["kind"] = "credit"
            limit["match"], limit["per"] = {}, None
            limit["credit"] = money(credit.text(), self.decimals, credit.pointer)
            fields.finish()
            return limit
        elif concurrency := fields.get("concurrency"):
            limit["kind"] = "concurrency"
            limit["most"] = positive(concurrency)
        else:
            rate = fields.get("rate")
            need(rate is not None, "plan_invalid", node.pointer)
            limit["kind"] = "rate"
            limit["rate"] = read_rate(rate)
        match = fields.get("match")
        limit["match"] = read_cover(match) if match else {}
        per = fields.get("per")
        limit["per"] = name_of(per) if per else None
        if per and limit["kind"] != "concurrency" and (values := fields.get("values")):
            limit["values"] = positive(values)
            need(limit["values"] <= 10_000, "plan_invalid", values.pointer)
        if limit["kind"] in ("spend", "units"):
            soft = fields.get("soft")
            limit["soft"] = soft.boolean() if soft else False
            notify = fields.must("notify") if limit["soft"] else fields.get("notify")
            limit["notify"] = read_notify(notify, limit) if notify else []
        if shared := fields.get("across"):
            limit["across"] = across.read(shared, limit, node, self.root)
        fields.finish()
        return limit

    def read_grant(self, node):
        """R-PLAN-070 to -073."""
        fields = node.fields()
        grant = self.read_grant_terms(fields)
        grant["window"] = read_window(fields, self.zone)
        expires, rollover = fields.get("expires"), None
        grant["expires"] = positive(expires) if expires else None
        if grant["window"] is not None:
            rollover = fields.get("rollover")
        if rollover:
            need(expires is None, "plan_invalid", rollover.pointer)
            grant["rollover"] = self.read_rollover(rollover, grant)
        fields.finish()
        return grant

    def read_grant_command(self, node):
        """R-GRANT-040: terms that a command gives."""
        fields = node.fields()
        grant = self.read_grant_terms(fields, ("paid",))
        if grant["kind"] == "paid":
            self.read_purchase(fields, grant)
        at = fields.get("expires_at")
        if at:
            grant["expires_at"] = at.integer()
            need(grant["expires_at"] <= LAST, "time_invalid", at.pointer)
        fields.finish()
        return grant

    def read_purchase(self, fields, grant):
        """R-GRANT-050."""
        price = fields.must("money" if grant["meter"] is None else "price")
        grant["price"] = money(price.text(), self.decimals, price.pointer)
        need(grant["price"] > 0 and grant["price"] % GRID == 0, "plan_invalid", price.pointer)
        if grant["meter"] is not None:
            exact(grant["price"] * grant["amount"] // GRID)
        reference = fields.must("reference")
        need(1 <= len(reference.text().encode()) <= 256
             and not any(map(is_control, reference.value)), "text_invalid", reference.pointer)

    def read_grant_terms(self, fields, more=()):
        grant = {"id": name_of(fields.must("id"))}
        kind = fields.must("kind")
        need(kind.text() in ("promotional", "trial", "included", *more), "plan_invalid", kind.pointer)
        grant.update(kind=kind.value, meter=None, charges=None, window=None, expires=None,
                     rollover=None, expires_at=None, price=None)
        node = fields.get("money")
        if node:
            grant["amount"] = money(node.text(), self.decimals, node.pointer)
            need(grant["amount"] > 0, "plan_invalid", node.pointer)
            scope = fields.get("charges")
            if scope:
                grant["charges"] = self.read_scope(scope)
        else:
            meter = fields.must("meter")
            grant["meter"] = name_of(meter)
            need(any(c["meter"] == meter.value for c in self.charges), "plan_reference",
                 meter.pointer)
            grant["amount"] = positive(fields.must("units")) * GRID
        match = fields.get("match")
        grant["match"] = read_match(match) if match else {}
        priority = fields.get("priority")
        grant["priority"] = priority.integer() if priority else 100
        need(grant["priority"] <= 1000, "plan_invalid", priority and priority.pointer)
        return grant

    def read_scope(self, node):
        ids, before = [c["id"] for c in self.charges], None
        scope = set()
        for item in node.items():
            name = name_of(item)
            need(name in ids, "plan_reference", item.pointer)
            need(before is None or before < name, "plan_order", item.pointer)
            scope.add(ids.index(name))
            before = name
        need(scope, "plan_invalid", node.pointer)
        return scope

    def read_rollover(self, node, grant):
        def read(member):
            if grant["meter"] is None:
                return money(member.text(), self.decimals, member.pointer)
            return member.integer() * GRID
        fields = node.fields()
        low = read(fields.must("min"))
        top = fields.must("max")
        high = read(top)
        fields.finish()
        need(low <= high, "plan_invalid", node.pointer)
        need(high <= 1000 * grant["amount"], "plan_invalid", top.pointer)
        return low, high

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

    def quote(self, usage, at):
        first, ceiling, lines = 0, 0, []
        for index, units in self.charged_units(usage, usage.attributes, at):
            charge = self.charges[index]
            value = aggregates.pays(charge, 0, 0, units)
            first += value
            lines.append((charge["id"], charge["meter"], units, value))
        for index, units in self.held_units(usage, usage.attributes, at, set()):
            ceiling += aggregates.worst_single(self.charges[index], units)
        return first, ceiling, lines

    def counting(self, usage, attributes, at):
        """The indices of the charges that count in a call, in the order of the plan."""
        meters = {charge["meter"] for charge in self.charges}
        chosen = [selectors.choose(self.charges, meter, usage, attributes, at, self.zone)
                  for meter in meters]
        return [i for i, c in enumerate(self.charges) if c["selector"] is None or i in chosen]

    def weights(self, counting, usage, attributes, at):
        """{derived meter: its weights that count in a call}: of those that a charge counts."""
        charged = {self.charges[i]["meter"] for i in counting}
        return {name: derived.counting(weights, usage, attributes, at)
                for name, weights in self.derived.items() if name in charged}

    def charged_units(self, usage, attributes, at):
        """[(index of the charge, units)] for every charge that counts something."""
        counting = self.counting(usage, attributes, at)
        weights = self.weights(counting, usage, attributes, at)
        units = self.disjoint_units(usage, counting, weights)
        return self.units_of(usage, counting, weights, units)

    def disjoint_units(self, usage, counting, weights):
        """{meter: units} of every meter that has a price in a call, and `requests`."""
        priced = {self.charges[i]["meter"] for i in counting} - set(self.derived)
        priced |= {weight["meter"] for some in weights.values() for weight in some}
        # Every call counts itself: `requests` needs no price.
        covered = usage.uncovered(lambda meter: meter == REQUESTS or meter in priced)
        need(covered is None, "usage_unpriced")
        units = usage.disjoint(lambda meter: meter in priced)
        units[REQUESTS] = usage.meters.get(REQUESTS, 0) or 1
        return units

    def says(self, usage, meter, weights):
        """Whether a usage has the meter, be it 0."""
        meters = [w["meter"] for w in weights[meter]] if meter in self.derived else [meter]
        return any(m == REQUESTS or m in usage.meters for m in meters)

    def units_of(self, usage, counting, weights, units):
        """What charges make of the units of meters."""
        charged = []
        for index in counting:
            meter = self.charges[index]["meter"]
            count = units.get(meter, 0)
            if meter in self.derived:
                count = sum(w["weight"] * units.get(w["meter"], 0) for w in weights[meter])
                need(count < 2**63, "usage_quantity")
            kind = self.charges[index]["aggregate"]
            if count or kind == "latest" and self.says(usage, meter, weights):
                charged.append((index, 1 if kind in ("count", "unique") else count))
        return charged

    def held_units(self, usage, attributes, at, granted):
        """[(index of the charge, units)] that bound every call of at most this usage, where
        grants may pay units of these meters."""
        counting = self.counting(usage, attributes, at)
        weights = self.weights(counting, usage, attributes, at)
        units = self.disjoint_units(usage, counting, weights)
        sized = []
        named = {charge["meter"] for charge in self.charges} - set(self.derived)
        named |= {w["meter"] for some in self.derived.values() for w in some}
        for root in {usages.root(meter) for meter in named}:
            family = {meter for meter in named if usages.root(meter) == root}
            contexts = [c["selector"]["context"] for c in self.charges if c["meter"] in family
                        and c["selector"] and "context" in c["selector"]]
            if not contexts and len(family) < 2:
                continue
            full = family & granted or any(len(usages.WHOLES.get(m, ())) > 1 for m in family)
            units = {m: u for m, u in units.items() if m not in family}
            if not contexts:
                filled = self.fill(family, counting, weights, usage.meters, full)
                units.update(filled[1])
                continue
            meter = contexts[0][0]
            bounds = {bound for _, low, high in contexts for bound in (low, high)}
            sizes = [usage.meters.get(meter, 0)] + sorted(
                bound for bound in bounds if 0 <= bound < usage.meters.get(meter, 0))
            fillings = []
            for size in sizes:
                smaller = usages.Usage()
                smaller.meters = {**usage.meters, meter: size}
                chosen = self.counting(smaller, attributes, at)
                room = usage.meters if full else smaller.meters
                cost, filled = self.fill(family, chosen, {}, room, full)
                held = [(i, filled.get(self.charges[i]["meter"], 0)) for i in chosen]
                fillings.append((cost, [(i, count) for i, count in held if count]))
            if full:
                sized += {pair for _, held in fillings for pair in held}
            else:
                sized += max(fillings, key=lambda filling: filling[0])[1]  # of equals the first
        return sorted(self.units_of(usage, counting, weights, units) + sized)

    def fill(self, family, counting, weights, meters, full):
        """(what the dearest call costs, its units by meter)."""
        prices, kinds, simple = {}, set(), not full
        for i in counting:
            charge = self.charges[i]
            if charge["meter"] in family:
                tariff = charge["tariff"]
                simple = simple and selectors.plain(charge)
                prices.setdefault(charge["meter"], []).append(tariff.price)
                kinds.add(None)
        for name, some in weights.items():
            for weight in some:
                if weight["meter"] in family:
                    prices.setdefault(weight["meter"], []).append(weight["weight"] * GRID)
                    kinds.add(name)
        room = {meter: meters.get(meter, 0) or int(meter == REQUESTS) for meter in prices}
        if not simple or len(kinds) > 1:
            return 0, room
        prices = {meter: exact(sum(some)) for meter, some in prices.items()}
        cost, units = 0, {}
        for meter in sorted(prices, key=lambda m: (-prices[m], -len(usages.above(m)), m)):
            limited = [m for m in {meter} | usages.above(meter) if m in room]
            units[meter] = min(room[m] for m in limited)
            for m in limited:
                room[m] -= units[meter]
            cost = exact(cost + units[meter] * prices[meter])
        return cost, units


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
    last = inner.get("last")
    need(last is None, "plan_invalid", last and last.pointer)
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


def read_limit_window(limit, fields, zone):
    """R-PLAN-110: a limit's window, which may roll."""
    node = fields.get("window")
    if node is None or not isinstance(node.value, dict) or node.fields().get("last") is None:
        limit["period"] = read_window(fields, zone)
        return
    inner = node.fields()
    last = inner.must("last")
    period = read_period(last)
    counted = inner.get("count")
    count = positive(counted) if counted else 1
    parts = inner.must("buckets")
    buckets = positive(parts)
    inner.finish()
    need(period in ("hour", "day", "week"), "plan_invalid", last.pointer)
    need(count <= 366, "plan_invalid", counted and counted.pointer)
    length = LENGTH[period] * count
    need(buckets <= 100 and length % buckets == 0, "plan_invalid", parts.pointer)
    limit["rolling"] = Rolling(length, buckets)


def read_aggregate(node, fields):
    """R-PLAN-043: (its name, the attribute and how many values, for `unique`)."""
    kind = node.text() if node else "sum"
    need(kind in ("sum", "count", "max", "latest", "unique"), "plan_invalid", node and node.pointer)
    if kind != "unique":
        return kind, None, None
    of = name_of(fields.must("of"))
    most = fields.must("values")
    values = positive(most)
    need(values <= 10_000, "plan_invalid", most.pointer)
    return kind, of, values


def read_per(fields):
    node = fields.get("per")
    return positive(node) if node else 1


def read_match(node):
    """Attributes and the sets of values that match."""
    match = {}
    for name, values in node.fields().all():
        need(is_name(name), "text_invalid", values.pointer)
        match[name] = conditions.sorted_set(values)
    need(match, "plan_invalid", node.pointer)
    return match


def read_cover(node):
    """Attribute → the values that match."""
    match = {}
    for name, values in node.fields().all():
        need(is_name(name), "text_invalid", values.pointer)
        match[name] = conditions.sorted_set(values)
    return match


def read_notify(node, limit):
    """Shares of a limit in steps of 10^-18, ascending."""
    shares_ = []
    for item in node.items():
        need(len(shares_) < 16, "plan_invalid", node.pointer)
        share = money(item.text(), 0, item.pointer)
        need(0 < share <= 10 * GRID, "plan_invalid", item.pointer)
        need(not shares_ or shares_[-1] < share, "plan_order", item.pointer)
        if limit["kind"] == "spend":
            need(-(-limit["most"] * share // GRID) < 2**128 * GRID, "amount_overflow", item.pointer)
        shares_.append(share)
    need(shares_, "plan_invalid", node.pointer)
    return shares_


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
    late = "charge"
    if node is None:
        return times, late
    fields = node.fields()
    for name in times:
        value = fields.get(name)
        if value is not None:
            times[name] = positive(value)
            need(times[name] <= YEAR, "plan_invalid", value.pointer)
    value = fields.get("late")
    if value is not None:
        late = value.text()
        need(late in ("charge", "mark"), "plan_invalid", value.pointer)
    fields.finish()
    need(times["grace"] >= times["hold"], "plan_invalid", node.pointer)
    return times, late


