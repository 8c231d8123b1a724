"""R-TERM: how long a subscription lasts, its trial, and fees for a part of a window."""

from .amounts import GRID, exact, quotient
from .document import is_name
from .rating import Tariff
from .refused import need
from .windows import LAST, Cycle, later

YEAR = 366 * 86_400_000


class Length:
    """So many milliseconds, or so many periods of the calendar from a start."""

    def __init__(self, millis=None, cycle=None):
        self.millis, self.cycle = millis, cycle

    def end(self, start, at):
        """The end of the length that contains an instant, lengths following each other from the start;
        None past the last instant."""
        at = max(at, start)
        if self.cycle:
            end = self.cycle.window(at, start)[1]
        else:
            end = start + ((at - start) // self.millis + 1) * self.millis
        return end if end < LAST else None


class Term:
    def __init__(self):
        self.length = self.trial = self.once = None
        self.renews = self.immediate = False
        self.notice = 0

    def first_end(self, start):
        """The end of a subscription that nobody cancels."""
        return None if self.length is None or self.renews else self.length.end(start, start)

    def cancelled(self, start, at):
        """The end of a subscription that is cancelled at an instant."""
        at = later(max(start, at), self.notice)
        return at if self.immediate or self.length is None else self.length.end(start, at)

    def paid_from(self, start, switched):
        if self.trial is None or switched:
            return start
        end = self.trial.end(start, start)
        return LAST if end is None else end


def one_of(node, first, second):
    need(node.text() in (first, second), "plan_invalid", node.pointer)
    return node.value == second


def read_length(node, zone, positive, read_period):
    if not isinstance(node.value, dict):
        return Length(positive(node))
    fields = node.fields()
    every = read_period(fields.must("every"))
    counted = fields.get("count")
    count = positive(counted) if counted else 1
    fields.finish()
    need(count <= 366, "plan_invalid", counted.pointer if counted else None)
    return Length(cycle=Cycle(every, count, "start", zone))


def read_term(node, zone, charges, positive, read_period):
    term = Term()
    if node is None:
        return term
    fields = node.fields()
    length = fields.get("length")
    if length:
        term.length = read_length(length, zone, positive, read_period)
        renewal = fields.get("renewal")
        term.renews = bool(renewal) and one_of(renewal, "none", "auto")
    trial = fields.get("trial")
    if trial:
        term.trial = read_length(trial, zone, positive, read_period)
        good = all(c["tariff"].model == "flat" or not c["tariff"].due_at_start() for c in charges)
        need(good, "plan_invalid", trial.pointer)
    once = fields.get("once")
    if once:
        need(is_name(once.text()), "text_invalid", once.pointer)
        term.once = once.value
    cancellation = fields.get("cancellation")
    if cancellation:
        term.immediate = one_of(cancellation, "at_end", "immediate")
    notice = fields.get("notice")
    if notice:
        term.notice = positive(notice)
        need(term.notice <= YEAR, "plan_invalid", notice.pointer)
    fields.finish()
    return term


def is_fee(charge):
    """What is due in every window, whatever is used."""
    return charge["tariff"].model == "flat" and charge["tariff"].due_at_start() > 0


def charge_in(account, charge, w):
    """A charge as it is in one window: a fee may be due for a part of it only."""
    tariff = charge["tariff"]
    if not tariff.prorate:
        return charge
    end = w[1] if account.until is None else min(w[1], account.until)
    covered = max(0, end - max(w[0], account.paid_from))
    if covered == w[1] - w[0]:
        return charge
    # quotient(v, s) is v · GRID / s: half-even.
    due = exact(part(tariff.due_at_start(), covered, w[1] - w[0]))
    flat = Tariff("flat", 0, due)
    flat.zero = flat.prorate = True
    return {**charge, "tariff": flat}


def part(value, over, under):
    """value · over / under, to the nearest step of the grid, ties to the even one."""
    return quotient(value * over, under * GRID)
