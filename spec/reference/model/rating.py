"""R-RATE: each charge is F(counter); R-LIM: the exact GCRA.

Worst cases are found by trying every place where the function bends, and the places a quantity away
from those: F is piecewise linear with steps, so nothing else can be extreme.
"""

from .amounts import exact
from .refused import need

TOP = 2**63 - 1


class Tariff:
    """A model and its free units, which come first and do not advance tiers."""

    def __init__(self, model, free, price=0, size=1, tiers=()):
        self.model = model
        self.free = free
        self.price = price
        self.size = size
        self.tiers = list(tiers)  # (upper bound inclusive or None, exact price of one unit)

    def check(self, place):
        if self.model in ("graduated", "volume"):
            bounds = [bound for bound, _ in self.tiers]
            good = bounds and bounds[-1] is None and None not in bounds[:-1]
            need(good and all(a < b for a, b in zip(bounds, bounds[1:-1])), "plan_tiers", place)

    def raw(self, counter):
        """F without the bound of amounts."""
        units = max(0, counter - self.free)
        if self.model == "flat":
            return self.price if units else 0
        if self.model == "per_unit":
            return units * self.price
        if self.model == "package":
            return -(-units // self.size) * self.price
        if self.model == "graduated":
            total, lower = 0, 0
            for bound, price in self.tiers:
                upper = units if bound is None else min(units, bound)
                total += max(0, upper - lower) * price
                lower = bound if bound is not None else lower
            return total
        for bound, price in self.tiers:
            if bound is None or units <= bound:
                return units * price
        raise AssertionError("the last tier is open")

    def total(self, counter):
        """F(counter)."""
        need(counter < 2**64, "amount_overflow")
        return exact(self.raw(counter))

    def bends(self):
        """Counters at which F bends or steps, one before and one after each."""
        bounds = [self.free] + [self.free + b for b, _ in self.tiers if b is not None]
        return [b + d for b in bounds for d in (0, 1)]

    def highest(self, counter, outstanding):
        """The highest F that the counter can reach."""
        need(counter + outstanding < 2**64, "amount_overflow")
        places = [counter, counter + outstanding]
        places += [b for b in self.bends() if counter <= b <= counter + outstanding]
        return exact(max(self.raw(c) for c in places))

    def worst_increase(self, counter, others, quantity):
        """The most that F can rise by a call of at most `quantity`, wherever others leave it."""
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
            ends = {start + quantity}
            ends |= {b for b in bends if start <= b <= start + quantity}
            worst = max(worst, *(self.raw(end) - self.raw(start) for end in ends))
        return exact(worst)

    def worst_single(self, quantity):
        """The most that a call can cost at any position of the counter."""
        need(quantity <= TOP + 1, "amount_overflow")
        return self.worst_increase(0, TOP, quantity)

    def can_fall(self):
        return self.model == "volume" and any(
            self.raw(self.free + b + 1) < self.raw(self.free + b)
            for b, _ in self.tiers if b is not None)


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


