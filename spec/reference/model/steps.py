"""Running a vector: one function per operation of surface.json, texts in and texts out."""

from . import (amounts, credits, document, evidence, files, grants, leases, logs, meters, plans,
               receipts,
               settlements, signing, streams, usages, windows, x402)
from .plans import payee_key, payee_of
from .receipts import hexed
from .refused import Refused, need
from .usages import Usage


def data(value, size=None):
    try:
        raw = bytes.fromhex(value.removeprefix("0x"))
    except ValueError as error:
        raise Refused("hex_invalid") from error
    need(value.startswith("0x") and (size is None or len(raw) == size), "hex_invalid")
    return raw


def digest(value):
    return data(value, 32)


def address(value):
    return signing.checked_address(value)


def time(value):
    return windows.instant(int(value))


def usage_of(given):
    usage = Usage(given.get("surface", "plain"), given.get("basis", "measured"))
    need(usage.surface in usages.SURFACES, "usage_surface")
    for meter, quantity in given["meters"].items():
        usage.set(meter, int(quantity))
    for name, value in given.get("attributes", {}).items():
        usage.set_attribute(name, value)
    return usage


def optional(value, write):
    return None if value is None else write(value)


def sign_text(sign):
    return {"slot": str(sign["slot"]), "digest": hexed(sign["digest"]),
            "signer": signing.checksummed(sign["signer"]), "checkpoint": sign["checkpoint"]}


def denial_text(d):
    start, end = d["window"] or (None, None)
    return {"code": d["code"], "rule": d["rule"], "value": d["value"],
            "start": optional(start, str), "end": optional(end, str), "meter": d["meter"],
            **{name: optional(d[name], amounts.text_of)
               for name in ("most", "spent", "needed", "available")},
            "retryAt": optional(d["retry_at"], str)}


def receipt_text(r):
    head, items = r["entry"]["head"], r["entry"]["body"]["items"]
    price = next((i for i in items if i["item"] == "price"), None)
    back = next((i for i in items if i["item"] in ("correction", "credit")), None)
    return {
        "digest": hexed(r["digest"]), "position": str(r["position"]), "lane": hexed(head["lane"]),
        "sequence": str(head["sequence"]), "kind": receipts.KINDS[head["kind"]],
        "subject": hexed(head["subject"]), "authorizedAt": str(head["authorized_at"]),
        "issuedAt": str(head["issued_at"]), "charge": str(head["charge"]),
        "cumulative": str(head["cumulative"]), "credited": str(head["credited"]),
        "exact": amounts.text_of((price or back)["exact"]),
        "remainder": str((price or back)["remainder_after"]),
        "uncollected": amounts.text_of(price["uncollected"] if price else 0),
        "late": bool(price and price["late"]), "body": hexed(head["body"]),
        "sign": optional(r["sign"], sign_text),
        "crossed": [{"limit": c["limit"], "value": c["value"],
                     "fraction": amounts.text_of(c["fraction"]), "start": str(c["window"][0]),
                     "end": str(c["window"][1])} for c in r["crossed"]]}


def opened_text(o):
    return {"subscription": hexed(o["subscription"]), "lane": hexed(o["lane"]),
            "sign": optional(o["sign"], sign_text)}


def outcome_text(outcome):
    """The one member of an outcome of several kinds."""
    (kind, value), = outcome.items()
    if kind == "receipt":
        return {kind: receipt_text(value)}
    if kind == "denied":
        return {kind: denial_text(value)}
    if kind == "replayed":
        return {kind: {"state": value["state"], "receipt": optional(value["receipt"], hexed)}}
    if kind == "released":
        return {kind: {"subject": hexed(value["subject"])}}
    if kind == "opened":
        return {kind: opened_text(value)}
    if kind == "extended":
        return {kind: {"subject": hexed(value["subject"]), "deadline": str(value["deadline"])}}
    if kind == "authorized":
        return {kind: {"subject": hexed(value["subject"]), "lane": hexed(value["lane"]),
                       "deadline": str(value["deadline"]),
                       "reserved": amounts.text_of(value["reserved"])}}
    if kind == "checkpoint":
        c = value["checkpoint"]
        return {kind: {"origin": c["origin"], "size": str(c["size"]), "root": hexed(c["root"]),
                       "lanes": hexed(c["lanes"]), "time": str(c["time"]),
                       "sign": sign_text(value["sign"])}}
    if kind == "leased":
        return {kind: {"lease": hexed(leases.lease_digest(value["lease"])),
                       "bytes": hexed(leases.lease_bytes(value["lease"])),
                       "sign": sign_text(value["sign"])}}
    if kind == "reclaimed":
        return {kind: {"lease": hexed(value["lease"])}}
    return {kind: {}}


class Script:
    """The objects of one vector."""

    def __init__(self):
        self.objects = {}
        self.outs = {}

    def run(self, step):
        """The step's result, or raises Refused."""
        function = OPERATIONS[step["op"]]
        result, made = function(self, self.resolved(step["in"]))
        if "as" in step:
            self.outs[step["as"]] = result
            if made is not None:
                self.objects[step["as"]] = made
        return result

    def resolved(self, value):
        """`@name.member` stands for a member of what a step gave."""
        if isinstance(value, dict):
            return {name: self.resolved(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if not (isinstance(value, str) and value.startswith("@")):
            return value
        name, *path = value[1:].split(".")
        here = self.outs[name]
        for part in path:
            here = here[int(part)] if isinstance(here, list) else here[part]
        return here

    def object(self, given, name):
        return self.objects[given[name]]


OPERATIONS = {}


def operation(name):
    def register(function):
        OPERATIONS[name] = function
        return function
    return register


@operation("money.round")
def _(_, g):
    need(g["rounding"] in ("carry", "up", "down", "half_even"), "plan_invalid")
    value, rest = amounts.bill(g["rounding"], amounts.exact_of(g["exact"]), int(g["carried"]))
    return {"amount": str(value), "remainder": str(rest)}, None


@operation("money.split")
def _(_, g):
    weights = [(payee_key(payee_of(w["payee"])), int(w["weight"])) for w in g["weights"]]
    shares = amounts.shares(weights)
    sums = [sum(amounts.exact_of(part) * share for part in g["parts"]) for share in shares]
    unit = amounts.GRID**2
    payouts = [str(amounts.amount(s // unit)) for s in sums]
    return {"shares": [str(s) for s in shares], "payouts": payouts}, None


@operation("time.window")
def _(_, g):
    start, end = windows.window(windows.Cycle(g["period"]), time(g["at"]), 0)
    return {"start": str(start), "end": str(end)}, None


@operation("json.canonical")
def _(_, g):
    return {"canonical": document.canonical(document.Node(document.parse(g["text"])))}, None


@operation("usage.read")
def _(_, g):
    usage = usages.read(g["surface"], g["body"])
    return {"meters": {m: str(q) for m, q in usage.items()},
            "attributes": dict(sorted(usage.attributes.items()))}, None


@operation("usage.map")
def _(_, g):
    usage = usages.mapped(g["mapping"], g["event"])
    return {"meters": {m: str(q) for m, q in usage.items()},
            "attributes": dict(sorted(usage.attributes.items()))}, None


@operation("usage.stream")
def _(_, g):
    complete, usage = streams.read(g["surface"], g["events"])
    return {"complete": complete, "basis": usage.basis,
            "meters": {m: str(q) for m, q in usage.items()},
            "attributes": dict(sorted(usage.attributes.items()))}, None


@operation("plan.load")
def _(_, g):
    plan = plans.read(g["text"])
    return {"id": hexed(plan.id), "name": plan.name,
            "authority": signing.checksummed(plan.authority), "currency": plan.currency["id"],
            "decimals": str(plan.decimals)}, plan


@operation("plan.window")
def _(s, g):
    plan = s.object(g, "plan")
    charge = plan.charges[[c["id"] for c in plan.charges].index(g["charge"])]
    start, end = windows.window(charge["period"], time(g["at"]), time(g["startedAt"]))
    return {"start": str(start), "end": str(end)}, None


@operation("plan.quote")
def _(s, g):
    first, ceiling, lines = s.object(g, "plan").quote(usage_of(g["usage"]), time(g["at"]))
    return {"first": amounts.text_of(first), "ceiling": amounts.text_of(ceiling), "lines": [
        {"charge": c, "meter": m, "units": str(n), "amount": amounts.text_of(a)}
        for c, m, n, a in lines]}, None


@operation("key.load")
def _(_, g):
    key = signing.Key(data(g["secret"]))
    return {"address": signing.checksummed(key.address)}, key


@operation("key.sign")
def _(s, g):
    return {"signature": hexed(s.object(g, "key").sign(digest(g["digest"])))}, None


@operation("meter.new")
def _(_, g):
    return {}, meters.Meter(digest(g["saltKey"]))


def on_meter(s, g, decide):
    return s.object(g, "meter").step(decide, g.get("journal", "works"))


@operation("meter.begin")
def _(s, g):
    on_meter(s, g, lambda state: meters.begin(state, g["origin"], address(g["signer"]),
                                              time(g["now"])))
    return {}, None


@operation("meter.addPlan")
def _(s, g):
    on_meter(s, g, lambda state: meters.add_plan(state, s.object(g, "plan")))
    return {}, None


@operation("meter.subscribe")
def _(s, g):
    key = s.object(g, "meter").key
    out = on_meter(s, g, lambda state: meters.subscribe(
        state, key, digest(g["plan"]), optional(g.get("payer"), address), g.get("account"),
        time(g["startedAt"]), optional(g.get("rail"), digest) or meters.ZERO, time(g["now"])))
    return opened_text(out), None


@operation("meter.authorize")
def _(s, g):
    out = on_meter(s, g, lambda state: meters.authorize(
        state, digest(g["subscription"]), g["id"], optional(g.get("createdAt"), time),
        content_of(g), g.get("retry", False), usage_of(g["most"]), time(g["now"])))
    return outcome_text(out), None


@operation("meter.settle")
def _(s, g):
    return settled(s, g, goes_on=False)


@operation("meter.settlePart")
def _(s, g):
    return settled(s, g, goes_on=True)


def content_of(g):
    return optional(g.get("content"), digest) or meters.ZERO


def settled(s, g, goes_on):
    key = s.object(g, "meter").key
    out = on_meter(s, g, lambda state: meters.settle(
        state, key, digest(g["subscription"]), g["id"], usage_of(g["usage"]),
        content_of(g), time(g["now"]), goes_on))
    return outcome_text(out), out.get("receipt")


@operation("meter.extend")
def _(s, g):
    out = on_meter(s, g, lambda state: meters.extend(
        state, digest(g["subscription"]), g["id"], optional(g.get("most"), usage_of),
        time(g["now"])))
    return outcome_text(out), None


@operation("meter.settleUnfinished")
def _(s, g):
    key = s.object(g, "meter").key
    out = on_meter(s, g, lambda state: meters.settle_unfinished(
        state, key, digest(g["subscription"]), g["id"], time(g["now"])))
    return outcome_text(out), out.get("receipt")


@operation("meter.holds")
def _(s, g):
    sub = meters.the_subscription(s.object(g, "meter").state, digest(g["subscription"]))
    return {"holds": [{
        "subject": hexed(hold["subject"]), "state": hold["state"],
        "authorizedAt": str(hold["at"]), "deadline": str(hold["deadline"]),
        "parts": str(hold["parts"]["number"] if hold["parts"] else 0),
        "charged": amounts.text_of(hold["parts"]["charged"] if hold["parts"] else 0),
    } for hold in sub["holds"].values()]}, None


@operation("meter.release")
def _(s, g):
    out = on_meter(s, g, lambda state: meters.release(
        state, digest(g["subscription"]), g["id"], g["reason"], time(g["now"])))
    return {"subject": hexed(out["subject"])}, None


@operation("meter.import")
def _(s, g):
    key = s.object(g, "meter").key
    mark = {"input": digest(g["input"]), "ordinal": int(g["ordinal"]),
            "offset": int(g["offset"]), "digest": digest(g["digest"])}
    out = on_meter(s, g, lambda state: meters.import_(
        state, key, digest(g["subscription"]), time(g["at"]), usage_of(g["usage"]),
        content_of(g), mark))
    return outcome_text(out), out.get("receipt")


@operation("meter.due")
def _(s, g):
    key = s.object(g, "meter").key
    out = on_meter(s, g, lambda state: meters.due(state, key, time(g["now"])))
    return outcome_text(out), out.get("receipt") or out.get("checkpoint")


@operation("meter.checkpoint")
def _(s, g):
    out = on_meter(s, g, meters.checkpoint)
    return outcome_text(out), out.get("checkpoint")


@operation("meter.collect")
def _(s, g):
    entry = {"lane": digest(g["lane"]), "amount": int(g["amount"]), "fee": int(g["fee"]),
             "reference": g["reference"], "at": time(g["at"])}
    on_meter(s, g, lambda state: meters.collect(state, entry))
    return {}, None


@operation("meter.grant")
def _(s, g):
    id_ = digest(g["subscription"])
    on_meter(s, g, lambda state: grants.grant(
        meters.the_subscription(state, id_), id_, g["terms"], time(g["now"])))
    return {}, None


@operation("meter.void")
def _(s, g):
    id_ = digest(g["subscription"])
    out = on_meter(s, g, lambda state: grants.void(
        meters.the_subscription(state, id_), id_, g["grant"], time(g["now"])))
    return {"refund": str(out["refund"])}, None


@operation("meter.cancel")
def _(s, g):
    out = on_meter(s, g, lambda state: meters.cancel(
        state, digest(g["subscription"]), time(g["now"])))
    return {"endsAt": optional(out["ends_at"], str)}, None


@operation("meter.switch")
def _(s, g):
    out = on_meter(s, g, lambda state: meters.switch(
        state, digest(g["subscription"]), digest(g["plan"]), time(g["now"])))
    return opened_text(out), None


@operation("meter.present")
def _(s, g):
    id_ = digest(g["subscription"])
    on_meter(s, g, lambda state: evidence.present(
        meters.the_subscription(state, id_), id_, g["evidence"], time(g["now"])))
    return {}, None


@operation("evidence.sign")
def _(s, g):
    key = s.object(g, "key")
    e = {"payer": digest(g["payer"]), "seller": address(g["seller"]), "statement": g["statement"],
         "issued_at": time(g["issuedAt"]), "expires_at": time(g["expiresAt"]),
         "attestor": optional(g.get("attestor"), address) or key.address}
    e["signature"] = key.sign(evidence.digest_of(e))
    return {"digest": hexed(evidence.digest_of(e)), "typedData": evidence.typed(e),
            "json": evidence.to_json(evidence.verify(e))}, None


@operation("evidence.read")
def _(_, g):
    e = evidence.from_json(g["text"])
    return {"digest": hexed(evidence.digest_of(e)), "attestor": signing.checksummed(e["attestor"]),
            **evidence.message(e)}, None


@operation("meter.credit")
def _(s, g):
    key = s.object(g, "meter").key
    document_ = receipts.from_json(g["json"])
    out = on_meter(s, g, lambda state: credits.credit(
        state, key, digest(g["subscription"]), g["id"], document_,
        optional(g.get("amount"), amounts.exact_of), g["reason"], time(g["now"])))
    return outcome_text(out), out.get("receipt")


@operation("meter.lease")
def _(s, g):
    request = {"subscription": digest(g["subscription"]), "holder": g["holder"],
               "until": time(g["until"]), "attributes": g.get("attributes", {}),
               **{name: {id_: int(n) for id_, n in g.get(name, {}).items()}
                  for name in ("units", "limits")}}
    out = on_meter(s, g, lambda state: leases.lend(state, request, time(g["now"])))
    return outcome_text(out), None


@operation("meter.accept")
def _(s, g):
    out = on_meter(s, g, lambda state: leases.accept(
        state, data(g["lease"]), signature_of(g["signature"]),
        optional(g.get("rail"), digest) or meters.ZERO, time(g["now"])))
    return opened_text(out), None


@operation("meter.statement")
def _(s, g):
    out = on_meter(s, g, lambda state: leases.statement(
        state, digest(g["lease"]), g["closing"], time(g["now"])))["stated"]
    return {"statement": hexed(leases.statement_bytes(out["statement"])),
            "sign": sign_text(out["sign"])}, None


@operation("meter.absorb")
def _(s, g):
    on_meter(s, g, lambda state: leases.absorb(
        state, data(g["statement"]), signature_of(g["signature"]), time(g["now"])))
    return {}, None


@operation("meter.leases")
def _(s, g):
    state, of = s.object(g, "meter").state, digest(g["subscription"])
    plan = meters.the_subscription(state, of)["plan"]
    return {"leases": [{
        "lease": hexed(id_), "holder": out["lease"]["holder"], "at": str(out["lease"]["at"]),
        "until": str(out["lease"]["until"]),
        "reclaimedAt": str(leases.over_at(plan, out["lease"])),
        "charges": [{"charge": i["charge"], "counter": str(i["from"]), "units": str(i["units"]),
                     "used": str(out["stated"]["units"][n] if out["stated"] else 0)}
                    for n, i in enumerate(out["lease"]["charges"])],
        "limits": [{"limit": x["limit"], "most": str(x["most"])} for x in out["lease"]["limits"]],
        "stated": optional(out["stated"], lambda said: {
            "sequence": str(said["sequence"]),
            "cumulative": amounts.text_of(
                said["cumulative"] * amounts.GRID + said["cumulative_remainder"]),
            "at": str(said["at"])}),
    } for id_, out in sorted(state.leases.items()) if out["lease"]["subscription"] == of]}, None


@operation("meter.recover")
def _(s, g):
    meter = s.object(g, "meter")
    meter.recover(g["written"])
    return {"entries": str(len(meter.journal))}, None


@operation("meter.entries")
def _(s, g):
    entries = s.object(g, "meter").bytes()
    joined = b"".join(receipts.blob(entry) for entry in entries)
    return {"count": str(len(entries)), "sha256": hexed(signing.sha256(joined))}, None


@operation("meter.replay")
def _(s, g):
    fresh = s.object(g, "meter").folded(digest(g["saltKey"]))
    return {"entries": str(len(fresh.journal))}, fresh


@operation("meter.restore")
def _(s, g):
    fresh = s.object(g, "meter").folded(digest(g["saltKey"]), int(g["entries"]))
    return {"entries": str(len(fresh.journal))}, fresh


@operation("meter.lane")
def _(s, g):
    lane = s.object(g, "meter").state.lanes.get(digest(g["lane"]))
    need(lane is not None, "entry_misplaced")
    return {"number": str(lane["open"]["number"]), "sequence": str(lane["sequence"]),
            "head": hexed(lane["head"]),
            "cumulative": amounts.text_of(
                lane["cumulative"] * amounts.GRID + lane["cumulative_remainder"]),
            "credited": amounts.text_of(
                lane["credited"] * amounts.GRID + lane["credited_remainder"]),
            "collected": str(lane["collected"]), "fee": str(lane["fee"])}, None


@operation("lane.typedData")
def _(s, g):
    lane = s.object(g, "meter").state.lanes[digest(g["lane"])]["open"]
    document_ = receipts.typed_data(receipts.LANE, receipts.lane_json(lane))
    return {"json": receipts.compact(document_)}, None


def grant_text(all_, given):
    return {"grant": given.terms["id"], "kind": given.terms["kind"],
            "meter": given.terms["meter"], "givenAt": str(given.given_at),
            "expiresAt": optional(given.expires_at, str),
            "balance": amounts.text_of(all_.balance(given, given.seen)),
            "reserved": str(given.reserved)}


@operation("meter.subscription")
def _(s, g):
    sub = meters.the_subscription(s.object(g, "meter").state, digest(g["subscription"]))
    plan, account = sub["plan"], sub["account"]
    counters = []
    for charge, windows_ in zip(plan.charges, account.counters):
        if windows_:
            w = max(windows_)
            units, billed, _, _ = windows_[w]
            counters.append({"charge": charge["id"], "start": str(w[0]), "end": str(w[1]),
                             "units": str(units), "billed": amounts.text_of(billed)})
    holds = sum(map(meters.reserved, sub["holds"].values()))
    return {"lane": hexed(sub["lane"]), "denied": str(sub["denied"]), "holds": str(holds),
            "endsAt": optional(account.until, str),
            "reserved": amounts.text_of(meters.aggregate(plan, account)),
            "counters": counters, "grants": [grant_text(account.grants, g) for g in
                                             account.grants.shown()]}, None


def signed(s, g):
    receipt = s.object(g, "receipt")
    entry = receipt["entry"]
    key = s.objects[g["key"]] if g.get("key") else None
    return entry["head"], key.sign(receipt["digest"]) if key else None, entry["body"]


@operation("receipt.header")
def _(s, g):
    head, signature, _ = signed(s, g)
    return {"header": receipts.header(head, signature)}, None


@operation("receipt.json")
def _(s, g):
    return {"json": receipts.to_json(*signed(s, g))}, None


def damaged(received, change):
    """The text with the first place where `find` stands changed."""
    return received if change is None else received.replace(change["find"], change["with"], 1)


@operation("receipt.verify")
def _(_, g):
    for form in ("header", "json"):
        if form in g:
            g[form] = damaged(g[form], g.get("change"))
    if "header" in g:
        head, signature = receipts.from_header(g["header"])
        body = None
    else:
        head, signature, body = receipts.from_json(g["json"])
    receipts.verify(head, signature, body, address(g["signer"]))
    return {"digest": hexed(receipts.head_digest(head)), "sequence": str(head["sequence"]),
            "charge": str(head["charge"]), "cumulative": str(head["cumulative"]),
            "hasBody": body is not None}, head


@operation("receipt.follows")
def _(s, g):
    receipts.follows(s.object(g, "receipt"), s.object(g, "previous"))
    return {}, None


@operation("receipt.disclose")
def _(s, g):
    body = s.object(g, "receipt")["entry"]["body"]
    index = int(g["index"])
    hashed = receipts.leaves(body)
    need(index < len(hashed), "log_range")
    path = logs.path(hashed, index)
    assert logs.root_of_path(hashed[index], index, len(hashed), path) == receipts.body_root(body)
    return {"count": str(len(hashed)), "salt": hexed(receipts.leaf_salt(body["salt"], index)),
            "item": receipts.compact(receipts.item_json(body["items"][index])),
            "path": [hexed(p) for p in path]}, None


@operation("checkpoint.verify")
def _(s, g):
    checkpoint = s.object(g, "checkpoint")["checkpoint"]
    hashed = logs.checkpoint_digest(checkpoint)
    signing.check(hashed, s.object(g, "key").sign(hashed), address(g["signer"]))
    return {"digest": hexed(hashed), "note": logs.checkpoint_note(checkpoint)}, None


def heads_of(g):
    return [logs.leaf(digest(head)) for head in g["heads"]]


@operation("log.root")
def _(_, g):
    return {"root": hexed(logs.root(heads_of(g)))}, None


@operation("log.inclusion")
def _(_, g):
    return {"path": [hexed(p) for p in logs.path(heads_of(g), int(g["index"]))]}, None


@operation("log.verifyInclusion")
def _(_, g):
    logs.verify_inclusion(digest(g["head"]), int(g["index"]), int(g["size"]),
                          [digest(p) for p in g["path"]], digest(g["root"]))
    return {}, None


@operation("log.consistency")
def _(_, g):
    return {"path": [hexed(p) for p in logs.consistency(heads_of(g), int(g["oldSize"]))]}, None


@operation("log.verifyConsistency")
def _(_, g):
    logs.verify_consistency(int(g["oldSize"]), digest(g["oldRoot"]), int(g["newSize"]),
                            digest(g["newRoot"]), [digest(p) for p in g["path"]])
    return {}, None


def changed(journal, change):
    """The journal after one entry was dropped, repeated, or swapped with the next."""
    if change is None:
        return journal
    (kind, at), = change.items()
    at = int(at)
    if kind == "drop":
        del journal[at]
    elif kind == "repeat":
        journal.insert(at, journal[at])
    else:
        journal[at], journal[at + 1] = journal[at + 1], journal[at]
    return journal


@operation("ledger.audit")
def _(s, g):
    whole = s.object(g, "meter").journal
    journal = changed(list(whole), g.get("change"))
    signed = [kind for kind, _ in whole].count("checkpoint")
    state = meters.audit(journal, s.object(g, "key").address, signed)
    kinds = [kind for kind, _ in journal]
    return {"entries": str(len(kinds)), "receipts": str(kinds.count("receipt")),
            "denied": str(kinds.count("denied")), "checkpoints": str(kinds.count("checkpoint")),
            "unproven": str(state.left_unproven + len(state.log) - state.checkpointed)}, None


@operation("lane.typedData")
def _(s, g):
    wanted = digest(g["lane"])
    lane = next(e["lane"] for kind, e in s.object(g, "meter").journal
                if kind == "open" and receipts.lane_digest(e["lane"]) == wanted)
    return {"json": receipts.compact(receipts.lane_typed_data(lane))}, None


@operation("entry.read")
def _(_, g):
    return {"entry": files.read_entry(data(g["bytes"]))}, None


@operation("frame.write")
def _(_, g):
    return {"frame": hexed(files.frame(int(g["index"]), data(g["payload"])))}, None


@operation("frame.read")
def _(_, g):
    kind, *rest = files.read_frame(data(g["bytes"]), int(g["index"]))
    if kind != "frame":
        return {kind: {}}, None
    return {"frame": {"payload": hexed(rest[0]), "length": str(rest[1])}}, None


@operation("frame.torn")
def _(_, g):
    return {"torn": files.is_torn(data(g["tail"]), int(g["index"]))}, None


@operation("ledger.file")
def _(s, g):
    content = files.segment(s.object(g, "meter").bytes())
    return {"name": f"{0:020}.cfl", "length": str(len(content)),
            "sha256": hexed(signing.sha256(content))}, None


@operation("ledger.document")
def _(s, g):
    meter = s.object(g, "meter")
    out = settlements.settle(meter, g["extent"], g["closing"])
    return {"json": receipts.compact(settlements.document(meter, out, g["closing"]))}, None


@operation("receipt.verifyIn")
def _(s, g):
    checkpoint = s.object(g, "checkpoint")["checkpoint"]
    head = s.object(g, "receipt")["digest"]
    hashed = heads_of(g)
    path = logs.path(hashed, int(g["index"]))
    logs.verify_inclusion(head, int(g["index"]), checkpoint["size"], path, checkpoint["root"])
    return {"digest": hexed(head)}, None


@operation("log.lanes")
def _(_, g):
    lanes = [(digest(one["lane"]), (int(one["sequence"]), digest(one["head"]),
                                    int(one["cumulative"]), int(one["credited"])))
             for one in g["lanes"]]
    ids = [id_ for id_, _ in lanes]
    need(all(a < b for a, b in zip(ids, ids[1:])), "bytes_invalid")
    wanted = digest(g["lane"])
    out = {"root": hexed(logs.lanes_root(dict(lanes)))}
    if wanted in ids:
        hashed = logs.lane_leaves(dict(lanes))
        index = ids.index(wanted)
        out["present"] = {"index": str(index),
                          "path": [hexed(p) for p in logs.path(hashed, index)]}
    else:
        before = [id_ for id_ in ids if id_ < wanted]
        after = [id_ for id_ in ids if id_ > wanted]
        out["absent"] = {"before": hexed(before[-1]) if before else None,
                         "after": hexed(after[0]) if after else None}
    return out, None


@operation("ledger.settle")
def _(s, g):
    out = settlements.settle(s.object(g, "meter"), g["extent"], g["closing"])
    names = settlements.TOTALS
    text = {"currency": out["currency"], **{name: str(out[name]) for name in names}}
    text["payees"] = [
        {"payee": signing.checksummed(p["payee"][1]) if p["payee"][0] == "address"
         else p["payee"][1], "payable": str(p["payable"]), "owed": str(p["owed"])}
        for p in out["payees"]]
    text["root"] = optional(out["root"], hexed)
    text["commitment"] = hexed(out["commitment"])
    return text, None


@operation("ledger.duplicates")
def _(s, g):
    def charge(one):
        issued_at, lane, receipts_ = one
        return {"lane": hexed(lane), "issuedAt": str(issued_at),
                "receipts": [{"sequence": str(n), "digest": hexed(d)} for n, d in receipts_]}

    found = settlements.duplicates([s.objects[name].journal for name in g["meters"]])
    return {"duplicates": [
        {"subscription": hexed(subscription), "subject": hexed(subject), "kept": charge(kept),
         "extra": charge(extra), "resolved": back}
        for subscription, subject, kept, extra, back in found]}, None


@operation("payout.verify")
def _(_, g):
    settlements.verify_payout(digest(g["root"]), address(g["payee"]), address(g["token"]),
                              int(g["cumulative"]), [digest(p) for p in g["proof"]])
    return {}, None


def signature_of(value):
    signature = data(value, 65)
    signing.check_form(signature)
    return signature


def channel_of(given):
    return {"payer": address(given["payer"]), "payer_authorizer": address(given["payerAuthorizer"]),
            "receiver": address(given["receiver"]),
            "receiver_authorizer": address(given["receiverAuthorizer"]),
            "token": address(given["token"]), "withdraw_delay": int(given["withdrawDelay"]),
            "salt": digest(given["salt"])}


@operation("x402.channel")
def _(_, g):
    return {"id": hexed(x402.channel_id(int(g["chainId"]), channel_of(g["channel"])))}, None


@operation("x402.voucher")
def _(_, g):
    signature = signature_of(g["signature"])
    hashed, verdict = x402.verify_voucher(int(g["chainId"]), channel_of(g["channel"]),
                                          int(g["maxClaimable"]), signature)
    return {"digest": hexed(hashed), "check": verdict}, None


@operation("x402.claim")
def _(_, g):
    rows = [{"channel": channel_of(row["channel"]), "max_claimable": int(row["maxClaimable"]),
             "signature": signature_of(row["signature"]), "total_claimed": int(row["totalClaimed"])}
            for row in g["rows"]]
    return {"digest": hexed(x402.claim_digest(int(g["chainId"]), rows)),
            "calldata": hexed(x402.claim_calldata(rows))}, None


