"""R-GRANT: what is left of grants, and what calls draw on them."""

from .amounts import GRID, exact, quotient
from .document import Node, canonical, parse
from .refused import need
from .windows import LAST, window

MOST_DRAWN = 256


def closes_after(plan, end):
    """The instant at which what ends at `end` closes, or None."""
    at = end + plan.times["grace"]
    return None if at > LAST else at


def meters_of(usable):
    """The meters whose units these grants pay."""
    return {given.terms["meter"] for given in usable} - {None}


class Given:
    """A grant of a subscription; of a recurring one, that of one window."""

    def __init__(self, terms, given_at, expires_at, document=None):
        self.terms, self.document = terms, document
        self.given_at, self.expires_at = given_at, expires_at
        self.drawn = 0
        self.reserved = 0   # units
        self.voided = False
        self.seen = 0       # the issue time of its last use
        self.forgotten = False

    def order(self):
        none_last = (1, 0) if self.expires_at is None else (0, self.expires_at)
        return self.terms["priority"], none_last, self.given_at, self.terms["id"]


class Grants:
    def __init__(self, plan, start):
        self.plan, self.start = plan, start
        self.all = []
        self.stopped = set()
        for terms in plan.grants:
            if terms["window"] is None:
                end = None if terms["expires"] is None else start + terms["expires"]
                self.all.append(Given(terms, start, end if end is None or end <= LAST else None))

    def none(self):
        """Nothing is given, in no window either."""
        self.all, self.stopped = [], {terms["id"] for terms in self.plan.grants}

    def __deepcopy__(self, _):
        return self  # trying a hold or a price changes no grant

    def find(self, id_, given_at):
        for given in self.all:
            if given.terms["id"] == id_ and given.given_at == given_at:
                return given
        return None

    def of_window(self, terms, w):
        """A recurring grant in a window of its period, or None where it is not given."""
        given_at = max(w[0], self.start)
        found = self.find(terms["id"], given_at)
        if found:
            return found
        if terms["id"] in self.stopped or w[1] <= self.start:
            return None
        ends = [] if w[1] == LAST else [w[1]]
        if terms["expires"] is not None and given_at + terms["expires"] <= LAST:
            ends.append(given_at + terms["expires"])
        return Given(terms, given_at, min(ends) if ends else None)

    def balance(self, given, issued_at):
        """What is left, reserved units included, on the grid."""
        if given.voided:
            return given.reserved * GRID
        return given.terms["amount"] + self.rolled_into(given, issued_at) - given.drawn

    def rolled_into(self, given, issued_at):
        """R-GRANT-004: what the windows before leave to this one, once the last of them is closed."""
        rule, period = given.terms["rollover"], given.terms["window"]
        w = window(period, given.given_at, self.start)
        if rule is None or w[0] <= self.start:
            return 0
        before = window(period, w[0] - 1, self.start)
        closes = closes_after(self.plan, before[1])
        if closes is None or closes > issued_at:
            return 0
        # From the first window on; windows without use are passed over where nothing changes.
        low, high = rule
        used = {g.given_at: g for g in self.all if g.terms is given.terms}
        rolled, w_now = 0, window(period, self.start, self.start)
        while w_now[0] < w[0]:
            here = used.get(max(w_now[0], self.start))
            left = given.terms["amount"] + rolled - (here.drawn if here else 0)
            rolled_next = min(high, max(low, left))
            later = [at for at in used if at > w_now[0] and at < w[0]]
            if here is None and rolled_next == rolled and w_now[0] > self.start:
                # The same until a window that was used, or this one.
                w_now = window(period, min(later, default=w[0]), self.start)
                continue
            rolled, w_now = rolled_next, window(period, w_now[1], self.start)
        return rolled

    def free(self, given, issued_at):
        return self.balance(given, issued_at) // GRID - given.reserved

    def usable(self, attributes, at, issued_at):
        """R-GRANT-005, -006."""
        candidates = [g for g in self.all if g.terms["window"] is None]
        for terms in self.plan.grants:
            if terms["window"] is not None and at >= self.start:
                candidates.append(self.of_window(terms, window(terms["window"], at, self.start)))
        usable = [g for g in candidates if g is not None and self.may(g, at, issued_at)
                  and self.balance(g, issued_at) > 0 and matches(g.terms, attributes)]
        return sorted(usable, key=Given.order)[:MOST_DRAWN]

    def may(self, given, at, issued_at):
        return covers(given, at) and not self.closed(given, issued_at)

    def closed(self, given, issued_at):
        closes = given.expires_at is not None and closes_after(self.plan, given.expires_at)
        return closes not in (False, None) and closes <= issued_at

    def use(self, id_, given_at, at, issued_at):
        """The grant that an entry names, kept from now on."""
        given = self.find(id_, given_at)
        if given is None:
            for terms in self.plan.grants:
                if terms["id"] == id_ and terms["window"] is not None:
                    made = self.of_window(terms, window(terms["window"], at, self.start))
                    if made and made.given_at == given_at:
                        self.all.append(made)
                        given = made
        need(given is not None and self.may(given, at, issued_at), "entry_misplaced")
        given.seen = max(given.seen, issued_at)
        return given

    def knows(self, id_):
        return (id_ in [g.terms["id"] for g in self.all]
                or id_ in [terms["id"] for terms in self.plan.grants])

    def recurs(self, id_):
        return any(t["id"] == id_ and t["window"] is not None for t in self.plan.grants)

    def is_voided(self, id_):
        if self.recurs(id_):
            return id_ in self.stopped
        return all(g.voided for g in self.all if g.terms["id"] == id_)

    def void(self, id_):
        if self.recurs(id_):
            self.stopped.add(id_)
        for given in self.all:
            if given.terms["id"] == id_:
                given.voided = True

    def shown(self):
        return sorted((g for g in self.all if not g.forgotten), key=Given.order)

    def forget(self, now):
        """R-GRANT-043."""
        for given in list(self.all):
            if not self.closed(given, now) or given.reserved:
                continue
            taken_over = any(
                g.terms is given.terms and g.given_at > given.given_at and not g.forgotten
                and self.rolled_by(g) for g in self.all)
            if given.terms["rollover"] and not given.voided and not taken_over:
                continue
            given.forgotten = True
            if given.terms["window"] is None:
                self.all.remove(given)

    def rolled_by(self, given):
        """Whether a use of the grant came after the window before it had closed."""
        w = window(given.terms["window"], given.given_at, self.start)
        if w[0] <= self.start:
            return False
        closes = closes_after(self.plan, window(given.terms["window"], w[0] - 1, self.start)[1])
        return closes is not None and closes <= given.seen


def covers(given, at):
    return given.given_at <= at and (given.expires_at is None or at < given.expires_at)


def matches(terms, attributes):
    return all(attributes.get(name) in values for name, values in terms["match"].items())


def pays(terms, charge):
    return terms["charges"] is None or charge in terms["charges"]


def draw_units(plan, grants, usable, own, units, issued_at):
    """R-GRANT-010: (draws, the units that are left to charge)."""
    left, draws = dict(units), []
    for given in usable:
        meter = given.terms["meter"]
        counting = [i for i in left if plan.charges[i]["meter"] == meter
                    and plan.charges[i]["aggregate"] == "sum"]
        if meter is None or not counting:
            continue
        held = sum(n for id_, at, n in own if (id_, at) == (given.terms["id"], given.given_at))
        taken = min(left[counting[0]], grants.free(given, issued_at) + held)
        if taken <= 0:
            continue
        for index in counting:
            left[index] -= taken
            if left[index] == 0:
                del left[index]
        after = (given.reserved - held if given.voided
                 else grants.balance(given, issued_at) // GRID - taken)
        draws.append({"item": "draw_units", "grant": given.terms["id"],
                      "given_at": given.given_at, "meter": meter, "units": taken,
                      "balance": after})
    return draws, list(left.items())


def whole(plan, value):
    """What grants can pay of an amount."""
    return value if plan.rounding == "carry" else value // GRID * GRID


def draw_money(plan, grants, usable, lines, price, issued_at):
    """R-GRANT-020: (draws, what is left to bill). `lines` are (charge, amount)."""
    unpaid = [[index, value] for index, value in lines if value]
    rest, draws = price, []
    for given in usable:
        if given.terms["meter"] is not None or rest == 0:
            continue
        inside = [line for line in unpaid if pays(given.terms, line[0])]
        everything = all(line in inside or line[1] == 0 for line in unpaid)
        most = rest if everything else min(rest, sum(line[1] for line in inside))
        balance = grants.balance(given, issued_at)
        paid = whole(plan, min(balance, most))
        if paid == 0:
            continue
        rest -= paid
        draws.append({"item": "draw", "grant": given.terms["id"], "given_at": given.given_at,
                      "amount": paid, "balance": balance - paid})
        pay_lines(given.terms, unpaid, paid)
    return draws, rest


def pay_lines(terms, lines, amount):
    """Takes what a grant pays off the lines, [charge, what is left], that it may pay."""
    for line in lines:
        if pays(terms, line[0]):
            part = min(amount, line[1])
            line[1] -= part
            amount -= part


# Credit limits.


def owed(state, sub):
    """R-GRANT-030: billed, less what was credited and collected, ever."""
    lane = state.lanes[sub["lane"]]
    left = max(0, lane["cumulative"] * GRID + lane["cumulative_remainder"]
               - lane["credited"] * GRID - lane["credited_remainder"])
    while lane is not None:
        left = max(0, left - lane["collected"] * GRID)
        lane = state.lanes.get(lane["open"]["parent"])
    return left


def backing(plan, grants, usable, charges, holds, issued_at):
    """R-GRANT-031."""
    total = 0
    for given in usable:
        if given.terms["meter"] is not None or not all(pays(given.terms, i) for i in charges):
            continue
        if all(covers(given, hold["at"]) and matches(given.terms, hold["attributes"])
               and all(pays(given.terms, i) for i, _ in hold["units"])
               for hold in holds if hold["units"]):
            total += whole(plan, grants.balance(given, issued_at))
    return exact(total)


# The commands.


def read_terms(plan, text):
    """A command's terms: (terms, their canonical form)."""
    root = Node(parse(text))
    form = canonical(root)
    return plan.read_grant_command(Node(parse(form))), form


def grant(sub, id_, text, now):
    need(sub["lease"] is None, "lease_refused")
    plan, grants = sub["plan"], sub["account"].grants
    terms, form = read_terms(plan, text)
    known = next((g for g in grants.all if g.terms["id"] == terms["id"] and g.document), None)
    if known and known.document == form:
        return None, {}
    need(not grants.knows(terms["id"]), "grant_conflict")
    end = terms["expires_at"]
    need(end is None or end > now, "time_invalid", "/expires_at")
    return ("granted", {"subscription": id_, "terms": form.encode(), "at": now}), {}


def worth(terms, amount):
    """R-GRANT-052: what the first part of a paid grant is worth, on the grid."""
    if terms["meter"] is None:
        return amount
    return quotient(terms["price"] * (amount // GRID), terms["amount"])


def refund(all_, name):
    """R-GRANT-053."""
    total = 0
    for given in all_.all:
        if given.terms["id"] == name and given.terms["price"] is not None and not given.voided:
            size = given.terms["amount"]
            total += (worth(given.terms, size - given.reserved * GRID)
                      - worth(given.terms, given.drawn)) // GRID
    return total


def void(sub, id_, name, now):
    need(sub["lease"] is None, "lease_refused")
    grants = sub["account"].grants
    need(grants.knows(name), "grant_unknown")
    if grants.is_voided(name):
        return None, {"refund": 0}
    return ("voided", {"subscription": id_, "grant": name, "at": now,
                       "refund": refund(grants, name)}), {"refund": refund(grants, name)}


def fold_granted(sub, e):
    terms, form = read_terms(sub["plan"], e["terms"].decode())
    grants = sub["account"].grants
    good = (form.encode() == e["terms"] and not grants.knows(terms["id"])
            and (terms["expires_at"] is None or terms["expires_at"] > e["at"]))
    need(good, "entry_misplaced")
    grants.all.append(Given(terms, e["at"], terms["expires_at"], form))


def fold_voided(sub, e):
    grants = sub["account"].grants
    need(grants.knows(e["grant"]) and not grants.is_voided(e["grant"])
         and e["refund"] == refund(grants, e["grant"]), "entry_misplaced")
    grants.void(e["grant"])
