"""R-METER, R-LIM: the state machine. `decide` reads the state and returns (entry, outcome); `fold`
applies an entry. Nothing else changes the state."""

from copy import deepcopy

from . import logs, receipts
from .amounts import GRID, amount, bill, compared, exact
from .conditions import evaluate
from .document import is_control
from .entries import attributes as attribute_bytes
from .entries import encode
from .plans import read
from .receipts import CALL, PERIOD, TRUE_UP, text, u
from .refused import Refused, need
from .signing import sha256
from .windows import LAST, contains, later, window

ZERO = bytes(32)
RELEASED = b"\xff" * 32


def closes_at(plan, w):
    """A window closes at its end plus the grace; one without end never does."""
    at = w[1] + plan.times["grace"]
    return None if at > LAST else at


class Account:
    """Counters of one subscription."""

    def __init__(self, plan, started):
        self.started = started
        self.counters = [{} for _ in plan.charges]  # window → [units, billed, holds' units]
        self.billed = [{} for _ in plan.charges]    # window → what it was billed, never forgotten
        self.spent = [{} for _ in plan.limits]      # window → exact, never forgotten
        self.rates = [0 for _ in plan.limits]

    def counter(self, index, w):
        return self.counters[index].get(w, [0, 0, []])


class State:
    def __init__(self):
        self.entries = 0
        self.instance = None
        self.plans = {}
        self.subscriptions = {}
        self.lanes = {}
        self.imports = {}
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


def reserved(hold):
    return hold["state"] in ("open", "unknown")


def slot(state):
    return state.base + len(state.log)


# Rating and limits.


def rate(sub, units, at):
    """The lines of a call: each charge pays max(0, F(after) − B), or its G(units)."""
    lines = []
    for index, quantity in units:
        charge = sub["plan"].charges[index]
        w = window(charge["period"], at, sub["started_at"])
        before, billed, _ = sub["account"].counter(index, w)
        price = charge["tariff"].pays(before, billed, quantity)
        lines.append({"item": "line", "charge": charge["id"], "window": w, "units_before": before,
                      "units": quantity, "billed_before": billed, "amount": price})
    return lines


def index_of(plan, charge):
    return [c["id"] for c in plan.charges].index(charge)


def reserve_of(plan, account, index, w):
    """The most that a counter's outstanding units can still cost."""
    units, billed, held = account.counter(index, w)
    tariff = plan.charges[index]["tariff"]
    if tariff.per_call:
        return exact(sum(tariff.call(quantity) for quantity in held))
    return max(0, tariff.highest(units, sum(held)) - billed) if held else 0


def aggregate(plan, account):
    return exact(sum(reserve_of(plan, account, i, w)
                     for i, ws in enumerate(account.counters) for w in ws))


def worst_of(plan, account, hold):
    """The most that one hold can add, wherever the others leave the counters."""
    total = 0
    for index, quantity in hold["units"]:
        charge = plan.charges[index]
        w = window(charge["period"], hold["at"], account.started)
        units, _, held = account.counter(index, w)
        others = max(0, sum(held) - quantity)
        total += charge["tariff"].worst_increase(units, others, quantity)
    return exact(total)


def limit_reserve(plan, account, holds, w):
    """What the holds authorised in a limit's window may still cost."""
    holds = [hold for hold in holds if reserved(hold)]
    inside = [hold for hold in holds if contains(w, hold["at"])]
    if plan.rounding == "carry":
        everything = aggregate(plan, account)
        if everything == 0 or len(inside) == len(holds):
            return everything
        return min(everything, sum(worst_of(plan, account, hold) for hold in inside))
    return exact(sum(compared(plan.rounding, worst_of(plan, account, hold)) for hold in inside))


def one_limit(plan, account, holds, index, w, more):
    limit = plan.limits[index]
    spent = account.spent[index].get(w, 0)
    held = limit_reserve(plan, account, holds, w)
    if exact(spent + held + more) <= limit["most"]:
        return None
    return {"limit": index, "window": w, "committed": spent + held + more,
            "available": max(0, max(0, limit["most"] - spent) - held)}


def room(plan, account, holds, at, more):
    """None where every spend limit of the instant has room; otherwise the one that leaves least."""
    least = None
    for index, limit in enumerate(plan.limits):
        if "most" in limit:
            w = window(limit["period"], at, account.started)
            short = one_limit(plan, account, holds, index, w, more)
            if short and (least is None or short["available"] < least["available"]):
                least = short
    return least


def admit(plan, account, holds, at, more):
    """As `room`; and the limits of the other holds' windows must still have room for those."""
    own = room(plan, account, holds, at, more)
    if own:
        return own
    for index, limit in enumerate(plan.limits):
        if "most" not in limit:
            continue
        for hold in filter(reserved, holds):
            w = window(limit["period"], hold["at"], account.started)
            if w != window(limit["period"], at, account.started):
                short = one_limit(plan, account, holds, index, w, 0)
                if short:
                    return short
    return None


def check_windows(sub, at, now):
    plan = sub["plan"]
    for part in plan.charges + [limit for limit in plan.limits if "most" in limit]:
        closes = closes_at(plan, window(part["period"], at, sub["started_at"]))
        need(closes is None or closes > now, "window_closed")


def deny(code, rule, needed=None, available=None, retry_at=None):
    return {"code": code, "rule": rule, "needed": needed, "available": available,
            "retry_at": retry_at}


def deny_by_terms(sub, attributes, at):
    plan = sub["plan"]
    need(at >= sub["started_at"], "clock_skew")
    ends = plan.ends(sub["started_at"])
    if ends is not None and ends <= at:
        return deny("term_ended", "duration")
    if plan.condition:
        holds, clause = evaluate(plan.condition, attributes)
        if not holds:
            return deny("condition_failed", "condition" + clause)
    return None


def deny_by_limit(plan, short, needed):
    limit = plan.limits[short["limit"]]
    w = short["window"]
    retry = w[1] if closes_at(plan, w) is not None else None
    return deny("limit_reached", "limits/" + limit["id"], needed, short["available"], retry)


def deny_by_rate(plan, account, at):
    for limit, state in zip(plan.limits, account.rates):
        if "rate" in limit:
            _, retry = limit["rate"].decide(state, at)
            if retry is not None:
                need(retry <= LAST, "time_invalid")
                return deny("rate_exceeded", "limits/" + limit["id"], retry_at=retry)
    return None


# Drafting receipts.


def draft_call(state, id_, subject, usage, attributes, content, at, issued_at, salt, mark):
    """(entry, what the call needs, the limit that cuts it or None)."""
    sub, lane = current(state, id_)
    plan, account = sub["plan"], sub["account"]
    check_windows(sub, at, issued_at)
    units = plan.charged_units(usage, attributes, at)
    lines = rate(sub, units, at)
    price = exact(sum(line["amount"] for line in lines))
    needed = compared(plan.rounding, price)
    hold = sub["holds"].get(subject)
    short = room_for(sub, hold, units, lines, at, needed, mark is not None)
    atomic, item = priced(plan, lane, price, short, bool(hold) and not reserved(hold))
    items = [{"item": "quantity", "meter": m, "quantity": q} for m, q in usage.items()]
    items += lines
    items.append(item)
    items += [{"item": "attribute", "name": n, "value": v} for n, v in sorted(
        attributes.items(), key=lambda pair: pair[0].encode())]
    items.append({"item": "source", "surface": usage.surface, "basis": usage.basis,
                  "content": content})
    body = {"salt": salt, "items": items}
    head = next_head(sub, lane, body, CALL, subject, at, issued_at, atomic,
                     amount(lane["cumulative"] + atomic), lane["credited"])
    return {"head": head, "body": body, "import": mark}, needed, short


def room_for(sub, hold, units, lines, at, needed, imported):
    """Whether the limits have room for a call beside every other hold."""
    plan, account = sub["plan"], sub["account"]
    holds = list(sub["holds"].values())
    if not any(map(reserved, holds)):
        return room(plan, account, [], at, needed)
    most = dict(hold["units"]) if hold and reserved(hold) else {}
    if hold and reserved(hold) and all(used <= most.get(i, -1) for i, used in units):
        if room(plan, account, holds, at, 0) is None:
            return None
    account = deepcopy(account)
    if hold and reserved(hold):
        change_outstanding(plan, account, hold, -1)
    advance(plan, account, lines, 0, at)
    others = [other for other in holds if other is not hold]
    return (admit if imported else room)(plan, account, others, at, needed)


# What windows cost without a call: R-METER-090 to -094.

START, CLOSE = 1, 2


def term_windows(sub, charge, until):
    """The windows of a charge within the subscription's term, up to an instant."""
    ends = sub["plan"].ends(sub["started_at"])
    at = sub["started_at"]
    while at <= until and at < LAST and (ends is None or at < ends):
        w = window(charge["period"], at, sub["started_at"])
        yield w, at, min(w[1], LAST if ends is None else ends) - 1
        at = w[1]


def unbilled(sub, index, edge, until):
    """The windows that lack what an edge asks for: (window, authorized at, due, total)."""
    charge = sub["plan"].charges[index]
    tariff = charge["tariff"]
    total = tariff.due_at_start() if edge == START else tariff.minimum
    if total == 0:
        return
    for w, first, last in term_windows(sub, charge, until):
        if sub["account"].billed[index].get(w, 0) < total:
            if edge == START:
                yield w, first, first, total
            else:
                yield w, last, closes_at(sub["plan"], w), total


def periods_of(state, now):
    """(due, subscription, charge, edge) of the first window of each."""
    for id_, sub in state.subscriptions.items():
        for index in range(len(sub["plan"].charges)):
            for edge in (START, CLOSE):
                found = next(unbilled(sub, index, edge, now), None)
                if found and found[2] is not None and found[2] <= now:
                    yield found[2], id_, index, edge


def draft_period(state, id_, index, edge, issued_at, salt):
    sub, lane = current(state, id_)
    plan, account = sub["plan"], sub["account"]
    charge = plan.charges[index]
    w, at, _, total = next(unbilled(sub, index, edge, issued_at))
    units, billed, _ = account.counter(index, w)
    line = {"item": "line", "charge": charge["id"], "window": w, "units_before": units,
            "units": 0, "billed_before": billed, "amount": total - billed}
    after = deepcopy(account)
    advance(plan, after, [line], 0, at)
    needed = compared(plan.rounding, line["amount"])
    short = room(plan, after, list(sub["holds"].values()), at, needed)
    atomic, price = priced(plan, lane, line["amount"], short, False)
    body = {"salt": salt, "items": [line, price]}
    subject = sha256(b"counterfoil/period/0\n", u(edge, 1), u(w[0], 8), charge["id"].encode())
    head = next_head(sub, lane, body, PERIOD, subject, at, issued_at, atomic,
                     amount(lane["cumulative"] + atomic), lane["credited"])
    return {"head": head, "body": body, "import": None}


def priced(plan, lane, price, short, late):
    """(what is charged, the item that says so), cut to what a short limit leaves."""
    charged = price
    if short:
        available = short["available"]
        if plan.rounding != "carry":
            available = available // GRID * GRID
        charged = min(price, available)
    atomic, remainder = bill(plan.rounding, charged, lane["cumulative_remainder"])
    return atomic, {"item": "price", "exact": charged,
                    "remainder_before": lane["cumulative_remainder"],
                    "remainder_after": remainder, "uncollected": price - charged, "late": late}


def draft_true_up(state, id_, index, w, issued_at, salt):
    sub, lane = current(state, id_)
    plan = sub["plan"]
    charge = plan.charges[index]
    units, billed, _ = sub["account"].counter(index, w)
    due = charge["tariff"].due_at_close(units, billed)
    charged = lane["cumulative"] * GRID + lane["cumulative_remainder"]
    returned = lane["credited"] * GRID + lane["credited_remainder"]
    back = min(compared(plan.rounding, max(0, billed - due)), max(0, charged - returned))
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
        counter = account.counters[index].setdefault(w, [0, 0, []])
        if sign < 0:
            counter[2].remove(quantity)
            continue
        need(sum(counter[2]) + quantity < 2**64, "amount_overflow")
        counter[2].append(quantity)
        reserve_of(plan, account, index, w)  # what cannot be reserved is refused


def advance(plan, account, lines, spent, at):
    for line in lines:
        index = index_of(plan, line["charge"])
        counter = account.counters[index].setdefault(line["window"], [0, 0, []])
        counter[0] += line["units"]
        counter[1] = exact(counter[1] + line["amount"])
        account.billed[index][line["window"]] = counter[1]
    for limit, sums in zip(plan.limits, account.spent):
        if "most" in limit:
            w = window(limit["period"], at, account.started)
            sums[w] = exact(sums.get(w, 0) + spent)


def advance_rates(plan, account, at):
    for i, limit in enumerate(plan.limits):
        if "rate" in limit:
            account.rates[i], retry = limit["rate"].decide(account.rates[i], at)
            need(retry is None, "entry_misplaced")


def owes(plan, account, index, w):
    units, billed, _ = account.counter(index, w)
    tariff = plan.charges[index]["tariff"]
    return tariff.can_fall() and billed > tariff.due_at_close(units, billed)


def forget_closed(sub, now):
    """Drops closed windows, never the latest, none that owes a true-up and none that is still to be
    billed or comes after such a one. (What limits count is never asked for again once it may be
    forgotten, so it is kept here.)"""
    plan, account = sub["plan"], sub["account"]
    for index, counters in enumerate(account.counters):
        for w in sorted(counters)[:-1]:
            closes = closes_at(plan, w)
            if (closes is not None and closes <= now and not counters[w][2]
                    and not owes(plan, account, index, w) and not awaits(sub, index, w)):
                del counters[w]


def awaits(sub, index, w):
    return any(next(unbilled(sub, index, edge, w[1] - 1), None) for edge in (START, CLOSE))


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


def begin(state, origin, signer, now):
    good = 1 <= len(origin) <= 100 and not any(c.isspace() or is_control(c) for c in origin)
    need(good, "text_invalid")
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
        last = state.lanes[sub["lane"]]
        if last["open"]["origin"] != origin:
            return reopen(state, sub, rail, now)
        need(last["open"]["rail"] == rail, "subscription_conflict")
        return None, {"subscription": id_, "lane": sub["lane"], "sign": None}
    lane = {"plan": plan_id, "subscription": id_, "payer": payer, "number": 0, "parent": ZERO,
            "rail": rail, "lease": ZERO, "origin": origin, "opened_at": now, "cumulative": 0,
            "cumulative_remainder": 0, "credited": 0, "credited_remainder": 0}
    return opening(state, lane, account, salt, started_at)


def reopen(state, sub, rail, now):
    """The next lane of a subscription whose last one belongs to an earlier log."""
    last = state.lanes[sub["lane"]]
    lane = dict(last["open"], number=last["open"]["number"] + 1, parent=sub["lane"], rail=rail,
                origin=state.instance["origin"], opened_at=max(now, last["issued_at"]),
                cumulative=last["cumulative"], cumulative_remainder=last["cumulative_remainder"],
                credited=last["credited"], credited_remainder=last["credited_remainder"])
    return opening(state, lane, sub["name"], sub["payer_salt"], sub["started_at"])


def opening(state, lane, account, salt, started_at):
    digest = receipts.lane_digest(lane)
    entry = {"lane": lane, "account": account, "payer_salt": salt, "started_at": started_at}
    return ("open", entry), {"subscription": lane["subscription"], "lane": digest,
                             "sign": sign_request(state, "lane", digest)}


def request_subject(id_):
    return sha256(b"counterfoil/request/0\n", id_.encode())


def check_request_id(id_):
    need(1 <= len(id_.encode()) <= 256, "text_invalid")


def quantities(usage):
    return b"".join(text(m) + u(q, 8) for m, q in usage.items())


def authorize(state, id_, request, created_at, most, now):
    check_request_id(request)
    sub, lane = current(state, id_)
    plan = sub["plan"]
    if created_at is not None:
        need(later(created_at, plan.times["replay"]) >= now, "request_too_old")
        need(later(now, plan.times["skew"]) >= created_at, "clock_skew")
    subject = request_subject(request)
    digest = sha256(quantities(most), attribute_bytes(most.attributes))
    known = sub["remembered"].get(subject)
    if known:
        need(known["input"] == digest, "request_conflict")
        if subject in sub["holds"]:
            return None, {"replayed": {"state": "held", "receipt": None}}
        if known["receipt"] == RELEASED:
            return None, {"replayed": {"state": "released", "receipt": None}}
        return None, {"replayed": {"state": "settled", "receipt": known["receipt"]}}
    units = plan.charged_units(most, most.attributes, now)
    hold = {"lane": sub["lane"], "subject": subject, "input": digest, "at": now,
            "deadline": later(now, plan.times["hold"]), "units": units,
            "attributes": dict(most.attributes), "state": "open"}
    raised, denial = admit_hold(state, id_, hold)
    if denial:
        return None, {"denied": denial}
    entry = {"lane": sub["lane"], "subject": subject, "input": digest, "authorized_at": now,
             "deadline": hold["deadline"], "units": units, "attributes": hold["attributes"]}
    return ("hold", entry), {"authorized": {
        "subject": subject, "lane": sub["lane"], "deadline": hold["deadline"], "reserved": raised}}


def admit_hold(state, id_, hold):
    """(how much the hold raises the reserve, None) or (None, denial)."""
    sub, lane = current(state, id_)
    plan = sub["plan"]
    check_windows(sub, hold["at"], lane["issued_at"])
    denial = deny_by_terms(sub, hold["attributes"], hold["at"])
    if denial:
        return None, denial
    account = deepcopy(sub["account"])
    before = aggregate(plan, account)
    change_outstanding(plan, account, hold, 1)
    raised = max(0, aggregate(plan, account) - before)
    short = admit(plan, account, list(sub["holds"].values()) + [hold], hold["at"], 0)
    if short:
        # What is left, and what is asked for, without this hold.
        limit = plan.limits[short["limit"]]
        before = (sub["account"].spent[short["limit"]].get(short["window"], 0) + limit_reserve(
            plan, sub["account"], list(sub["holds"].values()), short["window"]))
        needed = max(0, short["committed"] - before)
        left = dict(short, available=max(0, limit["most"] - before))
        return None, deny_by_limit(plan, left, needed)
    denial = deny_by_rate(plan, account, hold["at"])
    return (None, denial) if denial else (raised, None)


def receipt_outcome(state, entry):
    head = entry["head"]
    digest = receipts.head_digest(head)
    plan = state.plans[state.lanes[head["lane"]]["open"]["plan"]]
    signed = plan.signing["mode"] == "each"
    return ("receipt", entry), {"receipt": {
        "entry": entry, "digest": digest, "position": slot(state),
        "sign": sign_request(state, "head", digest) if signed else None}}


def used_digest(usage, content):
    return sha256(text(usage.surface), u(receipts.BASES[usage.basis], 1), content,
                  quantities(usage))


def settle(state, key, id_, request, usage, content, now):
    check_request_id(request)
    sub, lane = current(state, id_)
    subject = request_subject(request)
    hold = sub["holds"].get(subject)
    if hold is None:
        known = sub["remembered"].get(subject)
        need(known and known["receipt"] not in (ZERO, RELEASED), "hold_unknown")
        need(known["used"] == used_digest(usage, content), "request_conflict")
        return None, {"replayed": {"state": "settled", "receipt": known["receipt"]}}
    attributes = {**usage.attributes, **hold["attributes"]}
    issued_at = max(now, lane["issued_at"], hold["at"])
    salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
    entry, _, _ = draft_call(state, id_, subject, usage, attributes, content, hold["at"],
                             issued_at, salt, None)
    return receipt_outcome(state, entry)


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
    before = state.imports.get(mark["input"])
    if before and mark["ordinal"] <= before["ordinal"]:
        return None, {"nothing": {}}
    plan = sub["plan"]
    subject = import_subject(mark)
    issued_at = max(at, lane["issued_at"])
    check_windows(sub, at, issued_at)
    plan.charged_units(usage, usage.attributes, at)
    denial = deny_by_terms(sub, usage.attributes, at)
    if denial is None:
        salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
        entry, needed, short = draft_call(state, id_, subject, usage, usage.attributes, content,
                                          at, issued_at, salt, mark)
        denial = deny_by_limit(plan, short, needed) if short else None
        denial = denial or deny_by_rate(plan, sub["account"], at)
        if denial is None:
            return receipt_outcome(state, entry)
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
    # At one instant, of one charge: what starts, what is trued up, what lacks its minimum.
    ready = [(due_at, id_, index, 2 * edge - 2, None) for due_at, id_, index, edge
             in periods_of(state, now)]
    ready += [(closes, id_, index, 1, w) for closes, id_, index, w in closings_of(state)
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
        if what == 1:
            entry = draft_true_up(state, id_, index, w, issued_at, salt)
        else:
            entry = draft_period(state, id_, index, what // 2 + 1, issued_at, salt)
        return receipt_outcome(state, entry)
    if state.prove_now or (state.prove_by is not None and state.prove_by <= now):
        return checkpoint(state)
    return None, {"nothing": {}}


def closings_of(state):
    for id_, sub in state.subscriptions.items():
        for index, counters in enumerate(sub["account"].counters):
            for w in counters:
                closes = closes_at(sub["plan"], w)
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
    sub = state.subscriptions.get(lane["subscription"])
    if sub:
        sub["lane"] = digest
    else:
        plan = state.plans[lane["plan"]]
        state.subscriptions[lane["subscription"]] = {
            "plan": plan, "payer": lane["payer"], "payer_salt": e["payer_salt"],
            "name": e["account"], "started_at": e["started_at"], "account": Account(plan, e["started_at"]),
            "lane": digest, "holds": {}, "remembered": {}, "forgetting": set(), "denied": 0}
    state.log.append(logs.leaf(digest))
    state.latest = max(state.latest, lane["opened_at"])
    state.lanes[digest] = {
        "open": lane, "sequence": 0, "head": digest, "cumulative": lane["cumulative"],
        "cumulative_remainder": lane["cumulative_remainder"], "credited": lane["credited"],
        "credited_remainder": lane["credited_remainder"], "issued_at": lane["opened_at"],
        "unproven": (0, 0, 0), "collected": 0, "fee": 0}


def forgotten_at(plan, at):
    kept = max(plan.times["replay"], plan.times["hold"] + plan.times["grace"])
    return min(LAST, at + kept)


def fold_hold(state, e):
    sub = state.subscriptions[state.lanes[e["lane"]]["open"]["subscription"]]
    plan = sub["plan"]
    need(e["subject"] not in sub["holds"], "entry_misplaced")
    at = e["authorized_at"]
    hold = {"lane": e["lane"], "subject": e["subject"], "input": e["input"], "at": at,
            "deadline": e["deadline"], "units": e["units"], "attributes": e["attributes"],
            "state": "open"}
    change_outstanding(plan, sub["account"], hold, 1)
    advance_rates(plan, sub["account"], at)
    for until, subject in sorted(sub["forgetting"]):
        if until <= at:
            sub["forgetting"].remove((until, subject))
            if not (subject in sub["holds"] and reserved(sub["holds"][subject])):
                sub["remembered"].pop(subject, None)
                sub["holds"].pop(subject, None)
    sub["forgetting"].add((forgotten_at(plan, at), e["subject"]))
    sub["remembered"][e["subject"]] = {"input": e["input"], "receipt": ZERO, "used": ZERO}
    sub["holds"][e["subject"]] = hold


def forget_ended(sub, subject, at):
    if (forgotten_at(sub["plan"], at), subject) not in sub["forgetting"]:
        sub["remembered"].pop(subject, None)
        sub["holds"].pop(subject, None)


def fold_denied(state, e):
    sub = state.subscriptions[state.lanes[e["lane"]]["open"]["subscription"]]
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
    sub = state.subscriptions[state.lanes[e["lane"]]["open"]["subscription"]]
    hold = sub["holds"][e["subject"]]
    if e["reason"] == "unknown":
        hold["state"] = "unknown"
        return
    if reserved(hold):
        change_outstanding(sub["plan"], sub["account"], hold, -1)
    if e["reason"] == "expired":
        hold["state"] = "expired"
    else:
        del sub["holds"][e["subject"]]
        if e["subject"] in sub["remembered"]:
            sub["remembered"][e["subject"]]["receipt"] = RELEASED
    forget_ended(sub, e["subject"], hold["at"])


def fold_receipt(state, e):
    head, items = e["head"], e["body"]["items"]
    lane = state.lanes[head["lane"]]
    sub = state.subscriptions[lane["open"]["subscription"]]
    plan, account = sub["plan"], sub["account"]
    good = (head["sequence"] == lane["sequence"] + 1 and sub["lane"] == head["lane"]
            and head["previous"] == lane["head"]
            and head["issued_at"] >= max(lane["issued_at"], head["authorized_at"])
            and lane["cumulative"] + head["charge"] == head["cumulative"]
            and head["credited"] >= lane["credited"])
    need(good, "audit_chain")
    digest = receipts.head_digest(head)
    if head["kind"] == CALL:
        fold_call(state, sub, e, digest)
    elif head["kind"] == PERIOD:
        fold_period(sub, e)
    else:
        for item in items:
            if item["item"] == "correction":
                index = index_of(plan, item["charge"])
                need(not awaits(sub, index, item["window"]), "entry_misplaced")
                account.counters[index].pop(item["window"], None)
    state.log.append(logs.leaf(digest))
    state.latest = max(state.latest, head["issued_at"])
    lane.update(sequence=head["sequence"], head=digest, cumulative=head["cumulative"],
                credited=head["credited"], issued_at=head["issued_at"])
    for item in items:
        if item["item"] == "price":
            lane["cumulative_remainder"] = item["remainder_after"]
        if item["item"] == "correction":
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
    hold = sub["holds"].pop(subject, None)
    need((hold is None) == (e["import"] is not None), "entry_misplaced")
    if hold:
        if reserved(hold):
            change_outstanding(plan, account, hold, -1)
        if subject in sub["remembered"]:
            sub["remembered"][subject].update(receipt=digest, used=used_of(items))
        forget_ended(sub, subject, hold["at"])
    lines = [item for item in items if item["item"] == "line"]
    advance(plan, account, lines, spent_by(plan, e), head["authorized_at"])
    if e["import"]:
        advance_rates(plan, account, head["authorized_at"])
    forget_closed(sub, head["issued_at"])


def spent_by(plan, e):
    """What spend limits count of a receipt."""
    price = next(item["exact"] for item in e["body"]["items"] if item["item"] == "price")
    return price if plan.rounding == "carry" else e["head"]["charge"] * GRID


def fold_period(sub, e):
    head, plan, account = e["head"], sub["plan"], sub["account"]
    lines = [item for item in e["body"]["items"] if item["item"] == "line"]
    advance(plan, account, lines, spent_by(plan, e), head["authorized_at"])
    forget_closed(sub, head["issued_at"])


def used_of(items):
    source = next(i for i in items if i["item"] == "source")
    return sha256(text(source["surface"]), u(receipts.BASES[source["basis"]], 1),
                  source["content"],
                  *(text(i["meter"]) + u(i["quantity"], 8) for i in items
                    if i["item"] == "quantity"))


def fold_checkpoint(state, e):
    state.checkpoints += 1
    state.checkpointed = e["size"]
    state.prove_by, state.prove_now = None, False


def fold_collected(state, e):
    lane = state.lanes[e["lane"]]
    lane["collected"], lane["fee"] = e["amount"], e["fee"]


FOLDS = {"instance": fold_instance, "plan": fold_plan, "open": fold_open, "hold": fold_hold,
         "denied": fold_denied, "receipt": fold_receipt, "release": fold_release,
         "checkpoint": fold_checkpoint, "collected": fold_collected}


def audit(journal, signer, signed):
    """Folds a journal that somebody else kept, and refuses what does not follow. So many checkpoints
    were signed."""
    state = State()
    for kind, entry in journal:
        if kind == "open":
            need(entry["lane"]["plan"] in state.plans, "plan_unknown")
        if kind in ("open", "receipt", "checkpoint"):
            need(the_instance(state)["signer"] == signer, "signature_wrong_key")
        if kind == "checkpoint":
            again = {"origin": state.instance["origin"], "size": len(state.log),
                     "root": logs.root(state.log), "lanes": lanes_root(state),
                     "time": state.latest}
            need(again == entry, "audit_mismatch")
            need(state.checkpoints < signed, "signature_missing")
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
