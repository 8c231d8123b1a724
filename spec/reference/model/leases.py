"""R-LEASE: shares of a subscription that other meters use. As in `meters`, what decides returns
(entry, outcome), and what folds changes the state."""

from . import entries, files, meters, receipts
from .amounts import GRID, exact
from .receipts import text, u, window as window_bytes
from .refused import need
from .signing import COUNTERFOIL, check, check_form, sha256
from .windows import LAST, contains, window

LEASE = ("Lease(bytes32 plan,bytes32 subscription,bytes32 payer,uint64 startedAt,bytes32 parent,"
         "uint32 number,string holder,uint64 at,uint64 until,bytes32 terms)")
STATEMENT = ("LeaseStatement(bytes32 lease,bytes32 lane,uint64 sequence,bytes32 head,"
             "uint128 cumulative,uint64 cumulativeRemainder,uint64 at,uint8 closed,bytes32 used)")


# Forms.


def terms_bytes(lease):
    data = u(len(lease["charges"]), 4)
    for i in lease["charges"]:
        data += (text(i["charge"]) + window_bytes(i["window"]) + u(i["from"], 8) + u(i["units"], 8)
                 + receipts.exact(i["billed"]))
    data += u(len(lease["limits"]), 4)
    for share in lease["limits"]:
        data += text(share["limit"]) + u(share["most"], 8)
    return data + entries.attributes(lease["attributes"])


def lease_bytes(lease):
    return (b"\x28\0" + lease["plan"] + lease["subscription"] + lease["payer"]
            + u(lease["started_at"], 8) + lease["parent"] + u(lease["number"], 4)
            + text(lease["holder"]) + u(lease["at"], 8) + u(lease["until"], 8) + terms_bytes(lease))


def lease_digest(lease):
    return COUNTERFOIL.digest(
        LEASE, lease["plan"], lease["subscription"], lease["payer"], lease["started_at"],
        lease["parent"], lease["number"], lease["holder"], lease["at"], lease["until"],
        sha256(terms_bytes(lease)))


def used_bytes(s):
    return b"".join(u(len(s[name]), 4) + b"".join(u(n, 8) for n in s[name])
                    for name in ("units", "counted"))


def statement_bytes(s):
    return (b"\x29\0" + s["lease"] + s["lane"] + u(s["sequence"], 8) + s["head"]
            + u(s["cumulative"], 16) + u(s["cumulative_remainder"], 8) + u(s["at"], 8)
            + u(s["closed"], 1) + used_bytes(s))


def statement_digest(s):
    return COUNTERFOIL.digest(
        STATEMENT, s["lease"], s["lane"], s["sequence"], s["head"], s["cumulative"],
        s["cumulative_remainder"], s["at"], int(s["closed"]), sha256(used_bytes(s)))


def read_window(r):
    start, end = r.time(), r.time()
    need(start < end, "bytes_invalid")
    return start, end


def read_exact(r):
    whole, rest = r.u(16), r.u(8)
    need(rest < GRID, "bytes_invalid")
    return whole * GRID + rest


def read_lease(data):
    r = files.Reader(data)
    need((r.u(1), r.u(1)) == (40, 0), "bytes_version")
    lease = {"plan": r.raw(32), "subscription": r.raw(32), "payer": r.raw(32),
             "started_at": r.time(), "parent": r.raw(32), "number": r.u(4), "holder": r.text(),
             "at": r.time(), "until": r.time()}
    lease["charges"] = [
        {"charge": r.text(), "window": read_window(r), "from": r.u(8), "units": r.u(8),
         "billed": read_exact(r)} for _ in range(r.count(60))]
    lease["limits"] = [{"limit": r.text(), "most": r.u(8)} for _ in range(r.count(12))]
    lease["attributes"] = {}
    last = None
    for _ in range(r.count(8)):
        name = r.text()
        need(last is None or last.encode() < name.encode(), "bytes_invalid")
        lease["attributes"][name], last = r.text(), name
    need(not r.data, "bytes_invalid")
    return lease


def read_statement(data):
    r = files.Reader(data)
    need((r.u(1), r.u(1)) == (41, 0), "bytes_version")
    s = {"lease": r.raw(32), "lane": r.raw(32), "sequence": r.u(8), "head": r.raw(32),
         "cumulative": r.u(16), "cumulative_remainder": r.u(8), "at": r.time(),
         "closed": r.flag()}
    for name in ("units", "counted"):
        s[name] = [r.u(8) for _ in range(r.count(8))]
    need(not r.data, "bytes_invalid")
    return s


# What intervals and shares mean in a plan.


def divisible(charge):
    return (charge["aggregate"] in ("sum", "count") and not charge["tariff"].per_call
            and charge["tariff"].model != "volume" and not charge["tariff"].prorate)


def intervals(plan, lease):
    """(index of the charge, interval) of each."""
    last = -1
    for interval in lease["charges"]:
        index = next((i for i, c in enumerate(plan.charges) if c["id"] == interval["charge"]), None)
        good = (index is not None and index > last and divisible(plan.charges[index])
                and interval["from"] + interval["units"] < 2**64)
        need(good, "lease_invalid")
        last = index
        yield index, interval


def shares(plan, lease):
    """(index of the limit, most, whether it is hard) of each."""
    last = -1
    for share in lease["limits"]:
        index = next((i for i, x in enumerate(plan.limits) if x["id"] == share["limit"]), None)
        good = index is not None and index > last and plan.limits[index]["kind"] == "units"
        need(good, "lease_invalid")
        last = index
        yield index, share["most"], not plan.limits[index]["soft"]


def cost(plan, index, interval, units):
    """What so many of its units cost."""
    if units == 0:
        return 0
    total = plan.charges[index]["tariff"].total(interval["from"] + units)
    return exact(max(0, total - interval["billed"]))


def m_of(plan, index, interval):
    return cost(plan, index, interval, interval["units"])


def over_at(plan, lease):
    """When it may be reclaimed."""
    return min(LAST, lease["until"] + plan.times["grace"])


# Lending.


def check_lendable(plan, units, limits, attributes):
    need(plan.rounding == "carry" and plan.late != "mark", "lease_refused")
    need(units, "lease_refused")
    charges = {charge["id"]: charge for charge in plan.charges}
    for id_, wanted in sorted(units.items(), key=lambda pair: pair[0].encode()):
        need(id_ in charges, "plan_reference")
        need(divisible(charges[id_]), "lease_refused")
        index = plan.charges.index(charges[id_])
        committed = any(index in commitment["charges"] for commitment in plan.commitments)
        need(not committed and wanted > 0, "lease_refused")
    known = {limit["id"]: limit for limit in plan.limits}
    for id_ in sorted(limits, key=str.encode):
        need(id_ in known, "plan_reference")
        limit = known[id_]
        good = limit["kind"] == "units" and not limit["soft"] and meters.covers(limit, attributes)
        need(good, "lease_refused")
    for limit in plan.limits:
        whole = (limit["kind"] in ("rate", "concurrency") or "credit" in limit
                 or limit.get("rolling") or limit["across"])
        need(not (whole and ("credit" in limit or meters.covers(limit, attributes))),
             "lease_refused")


def lend(state, g, now):
    """R-LEASE-010. What is asked for: subscription, holder, until, units, limits, attributes."""
    sub, lane = meters.current(state, g["subscription"])
    plan, account, attributes = sub["plan"], sub["account"], g["attributes"]
    need(sub["lease"] is None, "lease_refused")
    meters.check_origin_text(g["holder"])
    need(g["holder"] != meters.the_instance(state)["origin"], "lease_refused")
    check_lendable(plan, g["units"], g["limits"], attributes)
    need(now >= sub["started_at"], "clock_skew")
    meters.check_windows(sub, now, lane["issued_at"])
    end = account.until
    if end is not None and end <= now:
        return None, {"denied": meters.deny("term_ended", "term")}
    need(now >= account.paid_from, "lease_refused")
    need(now < g["until"] and g["until"] + plan.times["grace"] < LAST, "time_invalid")
    lent = [(i, g["units"][c["id"]]) for i, c in enumerate(plan.charges) if c["id"] in g["units"]]
    lines = meters.rate(sub, lent, attributes, now)
    ends = [line["window"][1] for line in lines]
    for limit in plan.limits:
        if limit["kind"] in ("spend", "units") and meters.covers(limit, attributes):
            ends.append(window(limit["period"], now, sub["started_at"])[1])
    need(all(g["until"] <= e for e in ends + ([] if end is None else [end])), "lease_refused")
    for line, (index, _) in zip(lines, lent):
        need(line["billed_before"] >= plan.charges[index]["tariff"].due_at_start(), "lease_refused")
    lease = {
        "plan": plan.id, "subscription": g["subscription"], "payer": sub["payer"],
        "started_at": sub["started_at"], "parent": sub["lane"], "number": sub["leased"] + 1,
        "holder": g["holder"], "at": now, "until": g["until"],
        "charges": [{"charge": line["charge"], "window": line["window"],
                     "from": line["units_before"], "units": line["units"],
                     "billed": line["billed_before"]} for line in lines],
        "limits": [{"limit": x["id"], "most": g["limits"].get(x["id"], 0)} for x in plan.limits
                   if x["kind"] == "units" and meters.covers(x, attributes)],
        "attributes": attributes}
    holds = list(sub["holds"].values())
    needed = exact(sum(line["amount"] for line in lines))
    limited = [(i, most) for i, most, _ in shares(plan, lease) if most]
    denial = meters.deny_by_values(plan, account, holds, attributes, now)
    if denial is None:
        short = meters.room_for(state, sub, None, attributes, [], lines, now, needed, True, [],
                                lane["issued_at"], False)
        denial = meters.deny_by_money(sub, holds, short, needed) if short else None
        denial = denial or meters.deny_by_units(plan, account, holds, limited, attributes, now)
    if denial:
        return None, {"denied": denial}
    return ("leased", {"lease": lease}), {"leased": {
        "lease": lease, "sign": meters.sign_request(state, "lease", lease_digest(lease))}}


def need_none_out(state, id_):
    """R-LEASE-025: the subscription does not end before its time."""
    need(meters.the_subscription(state, id_)["lease"] is None, "lease_refused")
    need(all(out["lease"]["subscription"] != id_ for out in state.leases.values()), "lease_refused")


def lend_again(state, lease):
    """R-LEASE-042."""
    outcome = lend(state, {
        "subscription": lease["subscription"], "holder": lease["holder"], "until": lease["until"],
        "units": {i["charge"]: i["units"] for i in lease["charges"]},
        "limits": {share["limit"]: share["most"] for share in lease["limits"] if share["most"]},
        "attributes": lease["attributes"]}, lease["at"])[1]
    need("leased" in outcome and outcome["leased"]["lease"] == lease, "audit_mismatch")


def count(plan, account, lease, money, units, sign):
    """Moves what limits have counted in the window of the lease."""
    for index, limit in enumerate(plan.limits):
        place = meters.place_of(account, limit, lease["attributes"], lease["at"]) \
            if limit["kind"] in ("spend", "units") else None
        more = money if limit["kind"] == "spend" else units.get(index)
        if place is not None and more is not None:
            sums = account.counted[index]
            sums[place] = max(0, exact(sums.get(place, 0) + sign * more))


def fold_leased(state, e):
    lease = e["lease"]
    sub = meters.the_subscription(state, lease["subscription"])
    plan, account = sub["plan"], sub["account"]
    need(sub["lease"] is None, "lease_refused")
    need(sub["lane"] == lease["parent"] and lease["number"] == sub["leased"] + 1, "entry_misplaced")
    money = 0
    for index, interval in intervals(plan, lease):
        w, m = interval["window"], m_of(plan, index, interval)
        counter = account.counters[index].setdefault(w, [0, 0, [], []])
        need(counter[:2] == [interval["from"], interval["billed"]], "entry_misplaced")
        counter[0] += interval["units"]
        counter[1] = exact(counter[1] + m)
        account.lent[index].setdefault(w, {"out": [], "back": False})["out"].append(m)
        money += m
    count(plan, account, lease, money, {i: most for i, most, _ in shares(plan, lease)}, 1)
    sub["leased"] += 1
    id_ = lease_digest(lease)
    meters.log_leaf(state, id_, lease["at"])
    state.leases[id_] = {"lease": lease, "stated": None}


# Using.


def accept(state, data, signature, rail, now):
    origin = meters.the_instance(state)["origin"]
    lease = read_lease(data)
    id_ = lease_digest(lease)
    need(lease["plan"] in state.plans, "plan_unknown")
    check_form(signature)
    check(id_, signature, state.plans[lease["plan"]].authority)
    if id_ in state.subscriptions:
        return None, {"subscription": id_, "lane": state.subscriptions[id_]["lane"], "sign": None}
    need(lease["holder"] == origin, "lease_invalid")
    need(now < lease["until"], "lease_closed")
    lane = {"plan": lease["plan"], "subscription": lease["subscription"], "payer": lease["payer"],
            "number": lease["number"], "parent": lease["parent"], "rail": rail, "lease": id_,
            "origin": origin, "opened_at": max(now, lease["at"]), "cumulative": 0,
            "cumulative_remainder": 0, "credited": 0, "credited_remainder": 0}
    leased_account(state.plans[lease["plan"]], lease)  # what no lender makes is refused
    return meters.opening(state, lane, None, meters.ZERO, lease["started_at"],
                          lease=(lease, signature))


def check_open(state, e):
    lease, signature = e["lease"]
    check(lease_digest(lease), signature, state.plans[lease["plan"]].authority)


def leased_account(plan, lease):
    account = meters.Account(plan, lease["started_at"], True)
    account.grants.none()
    for index, interval in intervals(plan, lease):
        account.counters[index][interval["window"]] = [interval["from"], interval["billed"], [], []]
    for index, most, hard in shares(plan, lease):
        need(not hard or most <= plan.limits[index]["most"], "lease_invalid")
        place = meters.place_of(account, plan.limits[index], lease["attributes"], lease["at"])
        if hard and place is not None:
            account.counted[index][place] = plan.limits[index]["most"] - most
    return account


def interval_of(lease, charge, at):
    return next((i for i in lease["charges"]
                 if i["charge"] == charge and contains(i["window"], at)), None)


def deny(sub, hold):
    """R-LEASE-022."""
    lease, plan = sub["lease"], sub["plan"]
    if lease is None:
        return None
    if hold["at"] >= lease["until"]:
        return meters.deny("lease_exhausted", "lease/until")
    for limit in plan.limits:
        names = sorted(limit["match"], key=str.encode) + ([limit["per"]] if limit["per"] else [])
        for name in names:
            if hold["attributes"].get(name) != lease["attributes"].get(name):
                return meters.deny("lease_exhausted", "lease/attributes/" + name)
    for index, units in hold["units"]:
        charge = plan.charges[index]
        interval = interval_of(lease, charge["id"], hold["at"])
        most, used, held, w = 0, 0, 0, None
        if interval:
            w, most = interval["window"], interval["units"]
            counter, _, outstanding, _ = sub["account"].counter(index, w)
            used, held = max(0, counter - interval["from"]), sum(call[2] for call in outstanding)
        if used + held + units > most:
            return meters.deny(
                "lease_exhausted", "lease/charges/" + charge["id"], window=w, meter=charge["meter"],
                most=most * GRID, spent=used * GRID, needed=units * GRID,
                available=max(0, most - used - held) * GRID)
    return None


def left(sub, lines, at):
    """R-LEASE-023: what a call's lines may charge."""
    total = 0
    for line in lines:
        interval = interval_of(sub["lease"], line["charge"], at)
        if interval:
            index = meters.index_of(sub["plan"], line["charge"])
            rest = m_of(sub["plan"], index, interval) - (line["billed_before"] - interval["billed"])
            total += min(line["amount"], max(0, rest))
    return total


# Coming back.


def statement_of(state, id_, closed, at):
    sub = state.subscriptions.get(id_)
    need(sub is not None and sub["lease"] is not None, "lease_unknown")
    lane = state.lanes[sub["lane"]]
    need(lane["open"]["origin"] == meters.the_instance(state)["origin"], "lease_unknown")
    need(not sub["closed"], "lease_closed")
    need(not (closed and any(map(meters.reserved, sub["holds"].values()))), "lease_refused")
    lease, plan, account = sub["lease"], sub["plan"], sub["account"]
    units = [min(i["units"], account.counter(index, i["window"])[0] - i["from"])
             for index, i in intervals(plan, lease)]
    counted = []
    for index, most, hard in shares(plan, lease):
        limit = plan.limits[index]
        place = meters.place_of(account, limit, lease["attributes"], lease["at"])
        sum_ = account.counted[index].get(place, 0)
        counted.append(min(most, sum_ - (limit["most"] - most)) if hard else sum_)
    return {"lease": id_, "lane": sub["lane"], "sequence": lane["sequence"], "head": lane["head"],
            "cumulative": lane["cumulative"], "cumulative_remainder": lane["cumulative_remainder"],
            "at": at, "closed": closed, "units": units, "counted": counted}


def statement(state, id_, closing, now):
    s = statement_of(state, id_, closing, max(now, state.latest))
    return ("stated", {"statement": s}), {"stated": {
        "statement": s, "sign": meters.sign_request(state, "statement", statement_digest(s))}}


def fold_stated(state, e):
    s = e["statement"]
    again = statement_of(state, s["lease"], s["closed"], s["at"])
    need(again == s and s["at"] >= state.latest, "entry_misplaced")
    if s["closed"]:
        state.subscriptions[s["lease"]]["closed"] = True
    meters.log_leaf(state, statement_digest(s), s["at"])


def check_statement(state, s, signature):
    need(s["lease"] in state.leases, "lease_unknown")
    lease, before = state.leases[s["lease"]]["lease"], state.leases[s["lease"]]["stated"]
    plan = state.plans[lease["plan"]]
    check_form(signature)
    check(statement_digest(s), signature, plan.authority)
    units, counted = list(intervals(plan, lease)), list(shares(plan, lease))
    good = len(units) == len(s["units"]) and len(counted) == len(s["counted"])
    good = good and all(n <= i["units"] for (_, i), n in zip(units, s["units"]))
    good = good and all(n <= most or not hard
                        for (_, most, hard), n in zip(counted, s["counted"]))
    need(good, "lease_invalid")
    charged = sum(cost(plan, index, i, n) for (index, i), n in zip(units, s["units"]))
    need(charged == s["cumulative"] * GRID + s["cumulative_remainder"], "lease_invalid")
    if before:
        grown = [(before[n], s[n]) for n in ("sequence", "at")]
        grown += list(zip(before["units"], s["units"])) + list(zip(before["counted"], s["counted"]))
        need(before["lane"] == s["lane"] and all(a <= b for a, b in grown), "lease_invalid")
        forked = before["sequence"] == s["sequence"] and before["head"] != s["head"]
        need(not forked, "audit_chain", f"lane {receipts.hexed(s['lane'])} receipt {s['sequence']}")


def absorb(state, data, signature, now):
    s = read_statement(data)
    if state.came_back.get(s["lane"], (None,))[-1] == statement_digest(s):
        return None, {}
    check_statement(state, s, signature)
    if state.leases[s["lease"]]["stated"] == s:
        return None, {}
    return ("absorbed", {"statement": s, "signature": signature, "at": now}), {}


def fold_absorbed(state, e):
    s = e["statement"]
    check_statement(state, s, e["signature"])
    state.leases[s["lease"]]["stated"] = s
    if s["closed"]:
        take_back(state, s["lease"])


def take_back(state, id_):
    known = state.leases.pop(id_)
    lease, stated = known["lease"], known["stated"]
    sub = state.subscriptions[lease["subscription"]]
    plan, account = sub["plan"], sub["account"]
    charged = unspent = 0
    for place, (index, interval) in enumerate(intervals(plan, lease)):
        w, m = interval["window"], m_of(plan, index, interval)
        used = stated["units"][place] if stated else 0
        paid = cost(plan, index, interval, used)
        counter = account.counters[index][w]
        counter[0] -= interval["units"] - used
        counter[1] -= m - paid
        account.lent[index][w]["out"].remove(m)
        account.lent[index][w]["back"] = True
        good = counter[1] - sum(out(account, index, w))
        account.billed[index][w] = max(account.billed[index].get(w, 0), good)
        charged += paid
        unspent += m - paid
    counted = stated["counted"] if stated else [0] * len(lease["limits"])
    every = list(zip(shares(plan, lease), counted))
    count(plan, account, lease, unspent, {i: most - n for (i, most, hard), n in every if hard}, -1)
    count(plan, account, lease, 0, {i: n for (i, _, hard), n in every if not hard}, 1)
    sub["returned"] += charged
    if stated:
        state.came_back[stated["lane"]] = (
            lease["subscription"], stated["sequence"], statement_digest(stated))


def reclaim(state, now):
    """R-LEASE-033: the first that is over."""
    over = sorted((over_at(state.plans[known["lease"]["plan"]], known["lease"]), id_)
                  for id_, known in state.leases.items())
    if over and over[0][0] <= now:
        id_ = over[0][1]
        return ("reclaimed", {"lease": id_, "at": now}), {"reclaimed": {"lease": id_}}
    return None


def fold_reclaimed(state, e):
    need(e["lease"] in state.leases, "lease_unknown")
    lease = state.leases[e["lease"]]["lease"]
    need(over_at(state.plans[lease["plan"]], lease) <= e["at"], "entry_misplaced")
    take_back(state, e["lease"])


# What is short: R-LEASE-034.


def short_of(plan, account, index, w):
    """What F lies above B, once a lease of the window came back."""
    if not came_back(account, index, w) or w not in account.counters[index]:
        return 0
    units, billed, _, _ = account.counter(index, w)
    return max(0, plan.charges[index]["tariff"].total(units) - billed)


def short(plan, account):
    return sum(short_of(plan, account, i, w)
               for i, windows in enumerate(account.lent) for w in windows)


def out(account, index, w):
    """What each lease that is out of a window may charge."""
    return account.lent[index].get(w, {"out": []})["out"] if index < len(account.lent) else []


def came_back(account, index, w):
    return account.lent[index].get(w, {"back": False})["back"]
