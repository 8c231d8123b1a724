"""R-SET: from receipts to who is owed what; the payout tree."""

from .amounts import GRID, amount, closing_payouts
from .grants import read_terms, worth
from .plans import payee_key
from .document import Number
from .receipts import CALL, CREDIT, PART, TRUE_UP, head_digest, hexed, lane_digest, u
from .refused import Refused, need
from .signing import checksummed, keccak256, sha256, word


def settle(meter, extent, closing):
    """Settles a meter's journal, which must be in one currency."""
    state = meter.state
    lanes, plans = {}, {}
    for id_, lane in sorted(state.lanes.items()):
        plan = state.plans[lane["open"]["plan"]]
        plans[id_] = plan
        lanes[id_] = lane_line(lane, extent)
    currencies = {(plan.currency["id"], plan.currency["decimals"]) for plan in plans.values()}
    need(len(currencies) == 1, "currency_mismatch")
    earned, reversed_ = {}, {}
    purchases, spent = purchases_of(meter), 0
    for kind, entry in meter.journal:
        if kind != "receipt":
            continue
        head = entry["head"]
        plan = plans[head["lane"]]
        for item in entry["body"]["items"]:
            bought = purchases.get((state.lanes[head["lane"]]["open"]["subscription"],
                                    item.get("grant"), item.get("given_at")))
            if bought:
                back = item["item"].startswith("returned")
                value = worth_of(bought["terms"], item, back)
                share(reversed_ if back else earned, plan, value)
                spent += -value if back else value
        if head["kind"] not in (TRUE_UP, CREDIT):
            price = next(i for i in entry["body"]["items"] if i["item"] == "price")
            before = (head["cumulative"] - head["charge"]) * GRID + price["remainder_before"]
            after = head["cumulative"] * GRID + price["remainder_after"]
            part = max(0, min(after, lanes[head["lane"]]["reach"]) - before)
            share(earned, plan, part)
        for item in entry["body"]["items"]:
            if item["item"] in ("correction", "credit", "surplus"):
                share(reversed_, plan, item["exact"])
    return totals(next(iter(plans.values())).currency, lanes, earned, reversed_, closing,
                  list(purchases.values()), -(-spent // GRID))


TOTALS = ("gross", "credited", "collected", "fees", "claimable", "owed", "held", "sold", "refunded",
          "spent", "unearned", "payouts", "residue")


def purchases_of(meter):
    """Every paid grant, by subscription, id and instant of giving: terms, and what its void refunded.
    An id that is forgotten may be given again."""
    found = {}
    for kind, entry in meter.journal:
        if kind == "granted":
            sub = meter.state.subscriptions[entry["subscription"]]
            terms, _ = read_terms(sub["plan"], entry["terms"].decode())
            if terms["price"] is not None:
                found[entry["subscription"], terms["id"], entry["at"]] = {
                    "terms": terms, "refund": 0}
        if kind == "voided":
            same = [key for key in found if key[:2] == (entry["subscription"], entry["grant"])]
            if same:
                found[max(same)]["refund"] = entry["refund"]
    return found


def worth_of(terms, item, back):
    """R-GRANT-052: what a draw, or what goes back, is worth."""
    if terms["meter"] is None:
        return item["amount"]
    balance, units, size = item["balance"] * GRID, item["units"] * GRID, terms["amount"]
    if back:
        balance -= units
    return worth(terms, size - balance) - worth(terms, size - balance - units)


def lane_line(lane, extent):
    opened = lane["open"]
    gross = amount(lane["cumulative"] - opened["cumulative"])
    credited = amount(lane["credited"] - opened["credited"])
    net = max(0, gross - credited)
    collected, fee = lane["collected"], lane["fee"]
    if extent == "everything":
        collected = max(collected, net)
    owed = max(0, collected + credited - gross)
    held = min(owed, collected - fee)
    distributed = collected - fee - held
    returned = (lane["credited"] * GRID + lane["credited_remainder"]
                - opened["credited"] * GRID - opened["credited_remainder"])
    return {"gross": gross, "credited": credited, "collected": collected, "fee": fee, "owed": owed,
            "held": held, "claimable": max(0, net - collected), "distributed": distributed,
            "reach": (opened["cumulative"] + distributed) * GRID + returned,
            "last": lane["sequence"], "head": lane["head"]}


def share(sums, plan, part):
    if part:
        for payee, portion in zip(plan.payees, plan.shares):
            sums[payee] = sums.get(payee, 0) + part * portion


def totals(currency, lanes, earned, reversed_, closing, purchases, spent):
    out = {name: sum(line[name] for line in lanes.values())
           for name in ("gross", "credited", "collected", "claimable", "owed", "held")}
    out["fees"] = sum(line["fee"] for line in lanes.values())
    out["sold"] = sum(bought["terms"]["price"] for bought in purchases) // GRID
    out["refunded"] = sum(bought["refund"] for bought in purchases)
    out["spent"] = spent
    out["unearned"] = out["sold"] - out["refunded"] - spent
    assert out["unearned"] >= 0
    distributed = sum(line["distributed"] for line in lanes.values()) + spent
    payees = sorted(set(earned) | set(reversed_), key=payee_key)
    unit = GRID * GRID
    parts = [(payee_key(p), max(0, earned.get(p, 0) - reversed_.get(p, 0))) for p in payees]
    if closing:
        # Credits are floored lane by lane: a little more may be in hand than was earned.
        most = -(-sum(part for _, part in parts) // unit)
        payable = closing_payouts(min(distributed, most), parts)
    else:
        payable = [part // unit for _, part in parts]
    out["payouts"] = sum(payable)
    out["residue"] = distributed - out["payouts"]
    out["payees"] = [
        {"payee": p, "payable": amount(n),
         "owed": max(0, reversed_.get(p, 0) - earned.get(p, 0)) // unit}
        for p, n in zip(payees, payable)]
    out["currency"] = currency["id"]
    out["root"] = payout_root(currency, out["payees"])
    out["commitment"] = sha256(b"counterfoil/settlement/0\n", *(
        id_ + u(min(1, line["last"]), 8) + u(line["last"], 8) + line["head"]
        for id_, line in sorted(lanes.items())))
    out["lanes"] = lanes
    assert out["gross"] + out["owed"] == out["credited"] + out["collected"] + out["claimable"]
    assert out["payouts"] + out["fees"] + out["residue"] + out["held"] == (
        out["collected"] + spent)
    return out


def document(meter, out, closing):
    """R-SET-015: the JSON form."""
    opened = next(iter(meter.state.lanes.values()))["open"]
    currency = meter.state.plans[opened["plan"]].currency
    lines = []
    for id_, lane in sorted(meter.state.lanes.items()):
        line, opened = out["lanes"][id_], lane["open"]
        lines.append({"lane": hexed(id_), "subscription": hexed(opened["subscription"]),
                      "payer": hexed(opened["payer"]), "rail": hexed(opened["rail"]),
                      "last": str(line["last"]), "head": hexed(line["head"]),
                      **{name: str(line[name])
                         for name in ("gross", "credited", "collected", "fee")}})
    return {"format": "counterfoil/settlement/0", "currency": currency["id"],
            "decimals": Number(currency["decimals"]), "closing": closing,
            "commitment": hexed(out["commitment"]),
            "totals": {name: str(out[name]) for name in TOTALS},
            "payees": [{"payee": payee_text(p["payee"]), "payable": str(p["payable"]),
                        "owed": str(p["owed"])} for p in out["payees"]],
            "payouts": payouts(currency, out["payees"]), "lanes": lines}


def payee_text(payee):
    kind, value = payee
    return checksummed(value) if kind == "address" else value


def payouts(currency, payees):
    """Root, the dump that StandardMerkleTree.load reads, and a proof per payee."""
    if currency["token"] is None:
        return None
    paid = sorted((p["payee"][1], p["payable"]) for p in payees
                  if p["payee"][0] == "address" and p["payable"])
    if not paid:
        return None
    token = currency["token"]
    hashes = [payout_leaf(payee, token, n) for payee, n in paid]
    nodes = payout_nodes(hashes)
    values, proofs = [], []
    for (payee, n), hashed in zip(paid, hashes):
        at = len(nodes) - 1 - nodes[::-1].index(hashed)
        fields = [checksummed(payee), checksummed(token), str(n)]
        values.append({"value": fields, "treeIndex": Number(at)})
        proof = []
        while at:
            proof.append(hexed(nodes[at + 1 if at % 2 else at - 1]))
            at = (at - 1) // 2
        proofs.append({"payee": fields[0], "token": fields[1], "cumulative": fields[2],
                       "proof": proof})
    return {"root": hexed(nodes[0]), "dump": {
        "format": "standard-v1", "leafEncoding": ["address", "address", "uint256"],
        "tree": [hexed(n) for n in nodes], "values": values}, "proofs": proofs}


# What two lanes charged: R-SET-030, -031.


def duplicates(journals):
    """[(subscription, subject, the lane that is kept, an extra one, whether that was given back)]; of a
    lane [id, issue time, [(sequence, digest)]]."""
    lanes, calls, credits = {}, {}, {}
    for kind, entry in (entry for journal in journals for entry in journal):
        if kind == "open":
            lanes[lane_digest(entry["lane"])] = entry["lane"]["subscription"]
        if kind == "receipt" and entry["head"]["kind"] in (CALL, PART):
            head = entry["head"]
            found = calls.setdefault((lanes[head["lane"]], head["subject"]), {})
            found.setdefault(head["lane"], {})[head_digest(head)] = entry
        if kind == "receipt" and entry["head"]["kind"] == CREDIT:
            found = credits.setdefault(entry["head"]["subject"], {})
            found[head_digest(entry["head"])] = entry["body"]["items"]

    def given_back(digest, entry):
        made = list(credits.get(digest, {}).values())
        if any(items[0]["amount"] is None for items in made):
            return True
        returned = [item for items in made for item in items]
        return spent(entry) == [sum(item.get("exact", item.get("amount")) or 0 for item in returned
                                    if item["item"] in ("credit", "returned")),
                                sum(item["units"] for item in returned
                                    if item["item"] == "returned_units")]

    found = []
    for (subscription, subject), by_lane in sorted(calls.items()):
        order = []
        for lane, receipts in by_lane.items():
            rows = sorted((e["head"]["sequence"], digest) for digest, e in receipts.items())
            first = min(receipts.values(), key=lambda e: e["head"]["sequence"])
            order.append((first["head"]["issued_at"], lane, rows))
        kept, *extras = sorted(order)
        for extra in extras:
            back = all(given_back(*pair) for pair in by_lane[extra[1]].items())
            found.append((subscription, subject, kept, extra, back))
    return found


def spent(entry):
    """[money, units of grants] of a receipt."""
    head, items = entry["head"], entry["body"]["items"]
    price = next(item for item in items if item["item"] == "price")
    money = head["charge"] * GRID + price["remainder_after"] - price["remainder_before"]
    return [money + sum(item["amount"] for item in items if item["item"] == "draw"),
            sum(item["units"] for item in items if item["item"] == "draw_units")]


# The payout tree, as OpenZeppelin's StandardMerkleTree makes it.


def payout_leaf(payee, token, cumulative):
    return keccak256(keccak256(word(payee), word(token), word(cumulative)))


def pair(a, b):
    return keccak256(min(a, b), max(a, b))


def payout_nodes(hashes):
    """The tree as an array, the root first; leaves stand at the end, the smallest last."""
    nodes = [None] * (len(hashes) - 1) + sorted(hashes, reverse=True)
    for i in range(len(hashes) - 2, -1, -1):
        nodes[i] = pair(nodes[2 * i + 1], nodes[2 * i + 2])
    return nodes


def payout_root(currency, payees):
    if currency["token"] is None:
        return None
    leaves = [payout_leaf(p["payee"][1], currency["token"], p["payable"]) for p in payees
              if p["payee"][0] == "address" and p["payable"]]
    return payout_nodes(leaves)[0] if leaves else None


def verify_payout(root, payee, token, cumulative, proof):
    here = payout_leaf(payee, token, cumulative)
    for sibling in proof:
        here = pair(here, sibling)
    if here != root:
        raise Refused("proof_invalid")
