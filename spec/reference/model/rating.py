"""R-RATE: each charge is F(counter), or G(units) of one call; R-LIM: the exact GCRA.

Worst cases are found by trying every place where the function bends, and the places a quantity away
from those: F is piecewise linear with steps, so nothing else can be extreme.
"""

from .amounts import GRID, exact, quotient
from .refused import need

TOP = 2**63 - 1


class Tariff:
    """A model that is a function of the counter, with its free units, which come first and do not
    advance tiers, and with what stands around it."""

    per_call = False

    def __init__(self, model, free, price=0, size=1, tiers=()):
        self.model = model
        self.free = free
        self.price = price
        self.size = size
        self.tiers = list(tiers)  # (upper bound inclusive or None, exact price of one unit, flat)
        self.zero = False
        self.prorate = False
        self.off = 0
        self.cap = None
        self.minimum = 0

    def check(self, place):
        if self.model in ("graduated", "volume"):
            bounds = [tier[0] for tier in self.tiers]
            good = bounds and bounds[-1] is None and None not in bounds[:-1]
            need(good and all(a < b for a, b in zip(bounds, bounds[1:-1])), "plan_tiers", place)

    def first(self):
        """What `zero` makes due in a window without a unit."""
        if self.model == "flat":
            return self.price
        return self.tiers[0][2] if self.tiers else 0

    def raw(self, counter, zero):
        """F before discount and cap, without the bound of amounts."""
        units = max(0, counter - self.free)
        if units == 0:
            return self.first() if zero else 0
        if self.model == "flat":
            return self.price
        if self.model == "per_unit":
            return units * self.price
        if self.model == "package":
            return -(-units // self.size) * self.price
        lower, total = 0, 0
        for bound, price, flat in self.tiers:
            inside = bound is None or units <= bound
            if self.model == "volume" and inside:
                return units * price + flat
            if self.model == "graduated":
                total += flat + ((units if inside else bound) - lower) * price
                if inside:
                    return total
            lower = bound
        raise AssertionError("the last tier is open")

    def capped(self, value):
        return value if self.cap is None else min(value, self.cap)

    def apply(self, value):
        return self.capped(max(0, exact(value) - self.off))

    def total(self, counter):
        """F(counter)."""
        need(counter < 2**64, "amount_overflow")
        return self.apply(self.raw(counter, self.zero))

    def pays(self, counter, billed, units):
        need(counter + units < 2**64, "amount_overflow")
        return max(0, self.total(counter + units) - billed)

    def due_at_start(self):
        return self.total(0)

    def due_at_close(self, counter, billed):
        return max(self.total(counter), self.minimum)

    def bends(self):
        """Counters at which F bends or steps, one before and one after each."""
        bounds = [self.free] + [self.free + tier[0] for tier in self.tiers if tier[0] is not None]
        return [b + d for b in bounds for d in (0, 1)]

    def highest(self, counter, outstanding):
        """The highest F that the counter can reach."""
        need(counter + outstanding < 2**64, "amount_overflow")
        places = [counter, counter + outstanding]
        places += [b for b in self.bends() if counter <= b <= counter + outstanding]
        return self.apply(max(self.raw(c, self.zero) for c in places))

    def worst_increase(self, counter, others, quantity):
        """The most that a call of at most `quantity` adds, wherever others leave the counter. It may
        be the one that pays what is due without any unit."""
        need(counter + others + quantity < 2**64, "amount_overflow")
        first, last = counter, counter + others
        bends = self.bends()
        starts = {first, last}
        for b in bends:
            starts |= {b, b - quantity}
        if self.model == "package":
            # A whole package further on everything repeats.
            base = max(first, self.free)
            starts |= {base + d for d in range(min(self.size, 3))}
            starts |= {self.free + -(-(base - self.free) // self.size) * self.size + d
                       for d in (0, 1, self.size - 1)}
        worst = 0
        for start in sorted(s for s in starts if first <= s <= last):
            ends = {start, start + quantity}
            ends |= {b for b in bends if start <= b <= start + quantity}
            low = self.raw(start, False)
            worst = max(worst, *(self.raw(end, self.zero) - low for end in ends))
        return self.capped(exact(worst))

    def worst_single(self, quantity):
        """The most that a call can cost at any position of the counter."""
        need(quantity <= TOP + 1, "amount_overflow")
        return self.worst_increase(0, TOP, quantity)

    def can_fall(self):
        return self.model == "volume" and any(
            self.raw(self.free + b + 1, False) < self.raw(self.free + b, False)
            for b, _, _ in self.tiers if b is not None)


class PerCall:
    """G(units) of one call, wherever the counter stands. `price` is what one unit is worth."""

    per_call = True
    free = minimum = 0
    zero = prorate = False

    def __init__(self, model, price, rate=0, fixed=0, least=0, most=None):
        self.model = model  # percentage, markup, margin, dynamic
        self.price = price
        self.rate = rate    # percentage: price × rate; markup: price × (1 + rate); both exact
        self.fixed = fixed
        self.least = least
        self.most = most

    def call(self, units):
        if units == 0:
            return 0
        value = exact(units * self.price)
        if self.model == "dynamic":
            need(self.least <= value <= self.most, "price_out_of_bounds")
            return value
        if self.model == "margin":
            return exact(quotient(value, GRID - self.rate))
        if self.model == "markup":
            return exact(value + value * self.rate // GRID)
        value = max(exact(value * self.rate // GRID + self.fixed), self.least)
        return value if self.most is None else min(value, self.most)

    def pays(self, counter, billed, units):
        need(counter + units < 2**64, "amount_overflow")
        return self.call(units)

    def due_at_start(self):
        return 0

    def due_at_close(self, counter, billed):
        return billed

    def worst_increase(self, counter, others, quantity):
        need(counter + others + quantity < 2**64, "amount_overflow")
        return self.call(quantity)

    def worst_single(self, quantity):
        need(quantity <= TOP + 1, "amount_overflow")
        return self.call(quantity)

    def can_fall(self):
        return False


class Rate:
    """GCRA with the state scaled by the number of calls, so that no period is divided."""

    def __init__(self, calls, period, burst):
        self.calls = calls
        self.period = period
        self.burst = burst

    def decide(self, state, now):
        """(new state, None) or (None, earliest instant)."""
        at = now * self.calls
        slack = (self.burst - 1) * self.period
        if state - slack > at:
            return None, -(-(state - slack) // self.calls)
        return max(state, at) + self.period, None


