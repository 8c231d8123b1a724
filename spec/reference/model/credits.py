"""R-CRED: giving back what a receipt cost, last paid first."""

from . import grants, meters, receipts
from .amounts import GRID, amount, bill
from .document import is_control
from .receipts import CALL, CREDIT, PART, PERIOD
from .refused import need


def given_back(sub, digest):
    """What the credits of a receipt gave back: (money, {(grant, given at): amount})."""
    money, draws = 0, {}
    for entry in sub["credits"].values():
        if entry["head"]["subject"] == digest:
            money += entry["body"]["items"][0]["exact"]
            for grant, back in returns(entry):
                draws[grant] = draws.get(grant, 0) + back
    return money, draws


def returns(entry):
    """What a credit gives back to grants: ((grant, given at), amount); of units, whole ones."""
    return [part(item) for item in entry["body"]["items"][1:]]


def part(item):
    in_units = "units" in item
    return ((item["grant"], item["given_at"]),
            item["units"] * GRID if in_units else item["amount"])


def charged(head, items):
    """R-CRED-002: what a receipt was charged, exact."""
    price = next((item for item in items if item["item"] == "price"), None)
    need(price is not None, "body_mismatch")
    cost = head["charge"] * GRID + price["remainder_after"] - price["remainder_before"]
    need(cost >= 0, "amount_overflow")
    return cost


def is_running(sub, head):
    """Whether the call of a part still has a hold."""
    hold = sub["holds"].get(head["subject"])
    return hold is not None and hold["at"] == head["authorized_at"]


def left_of_call(sub, head):
    """R-CRED-010: what is left of the money of a call in parts; None of another."""
    made = sub["parted"].get((head["subject"], head["authorized_at"]))
    if made is None:
        return None
    left = 0
    for e in made:
        back, _ = given_back(sub, receipts.head_digest(e["head"]))
        left += charged(e["head"], e["body"]["items"]) - back
        left -= sum(item["exact"] for item in e["body"]["items"] if item["item"] == "surplus")
    return left


def left_of(sub, head, items):
    """What is left of a receipt's money, in lanes of any state."""
    before, _ = given_back(sub, receipts.head_digest(head))
    left = max(0, charged(head, items) - before)
    of_call = left_of_call(sub, head)
    return left if of_call is None else min(left, of_call)


def live(sub, grant, at):
    given = sub["account"].grants.find(*grant)
    if given and not given.forgotten and not given.voided and grants.covers(given, at):
        return given
    return None


def credit(state, key, id_, name, document, wanted, reason, now):
    head, signature, body = document
    sub, lane = meters.current(state, id_)
    meters.need_whole(sub)
    digest = receipts.head_digest(head)
    if name in sub["credits"]:
        made = sub["credits"][name]
        first = made["body"]["items"][0]
        same = (made["head"]["subject"], first["amount"], first["reason"])
        need(same == (digest, wanted, reason), "credit_conflict")
        return None, {"replayed": {"state": "settled",
                                   "receipt": receipts.head_digest(made["head"])}}
    for value in (name, reason):
        need(1 <= len(value.encode()) <= 256 and not any(map(is_control, value)), "text_invalid")
    receipts.verify(head, signature, body, meters.the_instance(state)["signer"])
    need(body is not None and head["kind"] in (CALL, PART, PERIOD), "credit_invalid")
    its_lane = state.lanes.get(head["lane"])
    ours = (its_lane is not None and meters.root(its_lane["open"]) == id_
            and head["sequence"] <= its_lane["sequence"])
    of, stated, _ = state.came_back.get(head["lane"], (None, 0, None))
    need(ours or (of == id_ and head["sequence"] <= stated), "credit_invalid")
    need(not is_running(sub, head), "credit_invalid")
    items = draft(sub, lane, (head, body, digest), name, wanted, reason, now)
    salt = receipts.receipt_salt(key, sub["lane"], lane["sequence"] + 1)
    issued_at = max(now, lane["issued_at"])
    atomic, _ = bill(sub["plan"].rounding, items[0]["exact"], lane["credited_remainder"])
    new_body = {"salt": salt, "items": items}
    new_head = meters.next_head(sub, lane, new_body, CREDIT, digest, issued_at, issued_at, 0,
                                lane["cumulative"], amount(lane["credited"] + atomic))
    entry = {"head": new_head, "body": new_body, "import": None,
             "corrects": {"head": head, "signature": signature, "body": body}}
    return meters.receipt_outcome(state, entry)


def draft(sub, lane, corrected, name, wanted, reason, now):
    """R-CRED-005, -006: the items of the receipt."""
    head, body, digest = corrected
    plan, issued_at = sub["plan"], max(now, lane["issued_at"])
    _, back = given_back(sub, digest)
    uncredited = meters.net_of(lane, sub["returned"])
    money = min(left_of(sub, head, body["items"]), uncredited)
    left = []  # the last draw first
    for item in reversed(body["items"]):
        if item["item"] in ("draw", "draw_units"):
            grant, paid = part(item)
            paid -= back.get(grant, 0)
            if paid > 0 and live(sub, grant, issued_at):
                left.append((item, grant, paid))
    most = money + sum(paid for item, _, paid in left if item["item"] == "draw")
    if wanted is None:
        need(most or left, "credit_exceeded")
    else:
        need(wanted > 0 and grants.whole(plan, wanted) == wanted, "credit_invalid")
        need(wanted <= most, "credit_exceeded")
    rest = most if wanted is None else wanted
    money = min(money, rest)
    rest -= money
    _, remainder = bill(plan.rounding, money, lane["credited_remainder"])
    items = [{"item": "credit", "id": name, "reason": reason, "amount": wanted, "exact": money,
              "remainder_before": lane["credited_remainder"], "remainder_after": remainder}]
    all_ = sub["account"].grants
    for item, grant, paid in left:
        given = live(sub, grant, issued_at)
        balance = all_.balance(given, given.seen)
        if item["item"] == "draw" and min(rest, paid):
            items.append({"item": "returned", "grant": grant[0], "given_at": grant[1],
                          "amount": min(rest, paid), "balance": balance + min(rest, paid)})
            rest -= min(rest, paid)
        if item["item"] == "draw_units" and wanted is None:
            items.append({"item": "returned_units", "grant": grant[0], "given_at": grant[1],
                          "meter": item["meter"], "units": paid // GRID,
                          "balance": (balance + paid) // GRID})
    return items


def fold(sub, e):
    """R-CRED-009."""
    corrected, items = e["corrects"], e["body"]["items"]
    digest, first = e["head"]["subject"], items[0]
    paid = dict(part(item) for item in corrected["body"]["items"]
                if item["item"] in ("draw", "draw_units"))
    before, back = given_back(sub, digest)
    need(receipts.head_digest(corrected["head"]) == digest and first["id"] not in sub["credits"]
         and not is_running(sub, corrected["head"])
         and first["exact"] <= left_of(sub, corrected["head"], corrected["body"]["items"]),
         "entry_misplaced")
    for grant, more in returns(e):
        given = live(sub, grant, e["head"]["issued_at"])
        need(given is not None and back.get(grant, 0) + more <= paid.get(grant, 0)
             and more <= given.drawn, "entry_misplaced")
        given.drawn -= more
    # What was charged for the lines goes back from the last one on.
    skipped, more = before, first["exact"]
    for line in reversed(corrected["body"]["items"]):
        if line["item"] == "line":
            own = min(max(0, line["amount"] - skipped), more)
            index, account = meters.index_of(sub["plan"], line["charge"]), sub["account"]
            granted, w = account.granted[index], line["window"]
            if index < len(account.counters) and w in account.counters[index]:
                own = min(own, max(0, account.counter(index, w)[1] - granted.get(w, 0)))
            skipped, more = max(0, skipped - line["amount"]), more - own
            granted[w] = granted.get(w, 0) + own
    sub["credits"][first["id"]] = e
