"""Runs the vectors of ``spec/vectors`` through the package, one arm per operation of
``spec/surface.json``.

    python3 conformance.py FOLDER [--counts FILE]   every vector below a folder
    python3 conformance.py --print FILE             one vector with what the package computes
    python3 conformance.py --stream                 a vector a line: `ok`, or what differs
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Callable

import conformance_values as values
import counterfoil as c
from conformance_values import (
    Broken, data, instant, known, number, opened, outcome, resolved, shared_place,
)


class Journal(c.MemoryJournal):
    """A journal that works, fails, or leaves in doubt."""

    mode = "works"
    doubtful: bytes | None = None

    def append(self, entry: bytes) -> None:
        if self.mode == "fails":
            raise OSError("the disk is full")
        if self.mode == "doubt":
            self.doubtful = entry
            raise c.InDoubt("the disk did not answer")
        super().append(entry)


class Host:
    """What a vector calls a meter."""

    def __init__(self, salt_key: bytes, entries: list[bytes] = []) -> None:
        self.journal = Journal(entries)
        self.meter = c.Meter(self.journal, salt_key)
        for entry in entries:
            self.meter.replay(entry)


# Operations: what each may be given, and what it does

Arm = Callable[..., Any]
ARMS: dict[str, tuple[list[str], list[str], Arm]] = {}


def arm(op: str, needs: str, may: str = "") -> Callable[[Arm], Arm]:
    def add(run: Arm) -> Arm:
        ARMS[op] = (needs.split(), may.split(), run)
        return run

    return add


class Script:
    """The objects of one vector, by name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.outs: dict[str, Any] = {}

    def run(self, step: dict[str, Any]) -> Any:
        known(step, ["op", "in", "as", "out", "error"])
        if step["op"] not in ARMS:
            raise Broken(f"unknown operation {step['op']}")
        needs, may, run = ARMS[step["op"]]
        given = resolved(step["in"], self.outs)
        known(given, needs + may)
        for name in needs:
            if name not in given:
                raise Broken(f"`{name}` is missing")
        self.made: Any = None
        host = self.objects.get(given["meter"]) if "meter" in given else None
        if host:
            host.journal.mode = given.pop("journal", "works")
        try:
            out = run(self, **given)
        except (KeyError, TypeError, AttributeError) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error
        if "as" in step:
            self.outs[step["as"]] = out
            if self.made is not None:
                self.objects[step["as"]] = self.made
        return out

    def get(self, name: str, kind: type) -> Any:
        if not isinstance(self.objects.get(name), kind):
            raise Broken(f"no {kind.__name__} called {name}")
        return self.objects[name]

    def meter(self, name: str) -> c.Meter:
        return self.get(name, Host).meter

    def keep(self, done: Any) -> Any:
        """Remembers what a later step may refer to."""
        match done:
            case c.Issued():
                self.made = done.receipt
            case c.Checkpointed():
                self.made = done.checkpoint
        return done


@arm("money.round", "rounding exact carried")
def _(s, rounding, exact, carried):
    billed = c.bill(c.Rounding[rounding.upper()], exact, number(carried))
    return {"amount": str(billed.amount), "remainder": str(billed.remainder)}


@arm("usage.read", "surface body")
def _(s, surface, body):
    read = c.read_usage(surface, body)
    return {"meters": {m: str(n) for m, n in read.meters.items()}, "attributes": read.attributes}


@arm("usage.map", "mapping event")
def _(s, mapping, event):
    read = c.map_usage(mapping, event)
    return {"meters": {m: str(n) for m, n in read.meters.items()}, "attributes": read.attributes}


@arm("usage.stream", "surface events")
def _(s, surface, events):
    stream = c.UsageStream(surface)
    for event in events:
        stream.feed(event)
    read = stream.usage()
    return {"complete": stream.is_complete(), "basis": read.basis,
            "meters": {m: str(n) for m, n in read.meters.items()}, "attributes": read.attributes}


@arm("plan.load", "text")
def _(s, text):
    plan = s.made = c.Plan.from_json(text)
    currency = plan.currency()
    return {"id": plan.id(), "name": plan.name(), "authority": plan.authority(),
            "currency": currency.id, "decimals": str(currency.decimals)}


@arm("plan.quote", "plan usage at")
def _(s, plan, usage, at):
    quote = s.get(plan, c.Plan).quote(values.usage(usage), instant(at))
    return {"first": quote.first, "ceiling": quote.ceiling,
            "lines": [{"charge": line.charge, "meter": line.meter, "units": str(line.units),
                       "amount": line.amount} for line in quote.lines]}


@arm("key.load", "secret")
def _(s, secret):
    key = s.made = c.LocalKey(data(secret))
    return {"address": key.address()}


@arm("key.sign", "key digest")
def _(s, key, digest):
    return {"signature": s.get(key, c.LocalKey).sign(digest)}


@arm("meter.new", "saltKey")
def _(s, saltKey):
    s.made = Host(data(saltKey))
    return {}


@arm("meter.begin", "meter origin signer now", "journal")
def _(s, meter, origin, signer, now):
    s.meter(meter).begin(origin, signer, now=instant(now))
    return {}


@arm("meter.addPlan", "meter plan now", "journal")
def _(s, meter, plan, now):
    s.meter(meter).add_plan(s.get(plan, c.Plan), now=instant(now))
    return {}


@arm("meter.subscribe", "meter plan payer account startedAt now", "rail journal")
def _(s, meter, plan, payer, account, startedAt, now, rail=None):
    return opened(s.meter(meter).subscribe(plan, payer=payer, account=account, rail=rail,
                                           started_at=instant(startedAt), now=instant(now)))


@arm("meter.authorize", "meter subscription id most now", "createdAt content retry journal")
def _(s, meter, subscription, id, most, now, createdAt=None, content=None, retry=False):
    created = None if createdAt is None else instant(createdAt)
    return outcome(s.meter(meter).authorize(subscription, id, values.usage(most), created_at=created,
                                            content=content, retry=retry, now=instant(now)))


@arm("meter.settle", "meter subscription id usage now", "content journal")
def _(s, meter, subscription, id, usage, now, content=None):
    return outcome(s.keep(s.meter(meter).settle(
        subscription, id, values.usage(usage), content=content, now=instant(now))))


@arm("meter.settlePart", "meter subscription id usage now", "content journal")
def _(s, meter, subscription, id, usage, now, content=None):
    return outcome(s.keep(s.meter(meter).settle_part(
        subscription, id, values.usage(usage), content=content, now=instant(now))))


@arm("meter.settleUnfinished", "meter subscription id now", "journal")
def _(s, meter, subscription, id, now):
    return outcome(s.keep(s.meter(meter).settle_unfinished(subscription, id, now=instant(now))))


@arm("meter.extend", "meter subscription id now", "most journal")
def _(s, meter, subscription, id, now, most=None):
    most = None if most is None else values.usage(most)
    extended = s.meter(meter).extend(subscription, id, most, now=instant(now))
    if isinstance(extended, c.Extended):
        return {"extended": {"subject": extended.subject, "deadline": str(extended.deadline)}}
    return outcome(extended)


@arm("meter.holds", "meter subscription")
def _(s, meter, subscription):
    holds = s.meter(meter).holds(subscription)
    if holds is None:
        raise c.Error("subscription_unknown", "no such subscription", None, None)
    return {"holds": [{"subject": one.subject, "state": one.state,
                       "authorizedAt": str(one.authorized_at), "deadline": str(one.deadline),
                       "parts": str(one.parts), "charged": one.charged} for one in holds]}


@arm("meter.leases", "meter subscription")
def _(s, meter, subscription):
    leases = s.meter(meter).leases(subscription)
    if leases is None:
        raise c.Error("subscription_unknown", "no such subscription", None, None)
    return {"leases": [{
        "lease": one.lease, "holder": one.holder, "at": str(one.at), "until": str(one.until),
        "reclaimedAt": str(one.reclaimed_at),
        "charges": [{"charge": lent.charge, "counter": str(lent.counter),
                     "units": str(lent.units), "used": str(lent.used)} for lent in one.charges],
        "limits": [{"limit": share.limit, "most": str(share.most)} for share in one.limits],
        "stated": None if one.stated is None else {
            "sequence": str(one.stated.sequence), "cumulative": one.stated.cumulative,
            "at": str(one.stated.at)},
    } for one in leases]}


@arm("meter.release", "meter subscription id reason now", "journal")
def _(s, meter, subscription, id, reason, now):
    unknown = {"released": False, "unknown": True}[reason]
    return {"subject": s.meter(meter).release(subscription, id, unknown=unknown,
                                              now=instant(now)).subject}


@arm("meter.import", "meter subscription at usage input ordinal offset digest", "content journal")
def _(s, meter, subscription, at, usage, input, ordinal, offset, digest, content=None):
    mark = c.Mark(input=input, ordinal=number(ordinal), offset=number(offset), digest=digest)
    return outcome(s.keep(s.meter(meter).import_record(
        subscription, values.usage(usage), mark, at=instant(at), content=content)))


@arm("meter.due", "meter now", "journal")
def _(s, meter, now):
    return outcome(s.keep(s.meter(meter).due(now=instant(now))))


@arm("meter.checkpoint", "meter", "journal")
def _(s, meter):
    return outcome(s.keep(s.meter(meter).checkpoint()))


@arm("meter.collect", "meter lane amount fee reference at", "journal")
def _(s, meter, lane, amount, fee, reference, at):
    s.meter(meter).collect(lane, number(amount), fee=number(fee), reference=reference,
                           at=instant(at))
    return {}


@arm("meter.grant", "meter subscription terms now", "journal")
def _(s, meter, subscription, terms, now):
    s.meter(meter).grant(subscription, terms, now=instant(now))
    return {}


@arm("meter.void", "meter subscription grant now", "journal")
def _(s, meter, subscription, grant, now):
    return {"refund": str(s.meter(meter).void(subscription, grant, now=instant(now)).refund)}


@arm("meter.cancel", "meter subscription now", "journal")
def _(s, meter, subscription, now):
    ends_at = s.meter(meter).cancel(subscription, now=instant(now)).ends_at
    return {"endsAt": None if ends_at is None else str(ends_at)}


@arm("meter.switch", "meter subscription plan now", "journal")
def _(s, meter, subscription, plan, now):
    return opened(s.meter(meter).switch(subscription, plan, now=instant(now)))


@arm("meter.present", "meter subscription evidence now", "journal")
def _(s, meter, subscription, evidence, now):
    s.meter(meter).present(subscription, evidence, now=instant(now))
    return {}


@arm("evidence.sign", "key payer seller statement issuedAt expiresAt", "attestor")
def _(s, key, payer, seller, statement, issuedAt, expiresAt, attestor=None):
    key = s.get(key, c.LocalKey)
    evidence = c.Evidence(payer=payer, seller=seller, statement=statement,
                          issued_at=instant(issuedAt), expires_at=instant(expiresAt))
    digest = c.evidence_digest(evidence)
    signed = c.VerifiedEvidence.verify(evidence, attestor or key.address(), key.sign(digest))
    return {"digest": digest, "typedData": c.evidence_typed_data(evidence),
            "json": signed.to_json()}


@arm("evidence.read", "text")
def _(s, text):
    read = c.VerifiedEvidence.from_json(text)
    stated = read.evidence()
    return {"digest": read.digest(), "attestor": read.attestor(), "payer": stated.payer,
            "seller": stated.seller, "statement": stated.statement,
            "issuedAt": str(stated.issued_at), "expiresAt": str(stated.expires_at)}


@arm("meter.credit", "meter subscription id json amount reason now", "journal")
def _(s, meter, subscription, id, json, amount, reason, now):
    return outcome(s.keep(s.meter(meter).credit(
        subscription, id, c.Receipt.from_json(json), amount=amount, reason=reason,
        now=instant(now))))


@arm("meter.lease", "meter subscription holder until units now", "limits attributes journal")
def _(s, meter, subscription, holder, until, units, now, limits={}, attributes={}):
    count = lambda given: {name: number(n) for name, n in given.items()}  # noqa: E731
    return outcome(s.meter(meter).lease(
        subscription, holder=holder, until=instant(until), units=count(units),
        limits=count(limits), attributes=attributes, now=instant(now)))


@arm("meter.accept", "meter lease signature now", "rail journal")
def _(s, meter, lease, signature, now, rail=None):
    return opened(s.meter(meter).accept(data(lease), signature, rail=rail, now=instant(now)))


@arm("meter.statement", "meter lease closing now", "journal")
def _(s, meter, lease, closing, now):
    stated = s.meter(meter).statement(lease, closing=closing, now=instant(now))
    return {"statement": "0x" + stated.statement.hex(), "sign": values.sign(stated.sign)}


@arm("meter.absorb", "meter statement signature now", "journal")
def _(s, meter, statement, signature, now):
    s.meter(meter).absorb(data(statement), signature, now=instant(now))
    return {}


@arm("meter.recover", "meter written")
def _(s, meter, written):
    host = s.get(meter, Host)
    if written and host.journal.doubtful is not None:
        host.journal.entries.append(host.journal.doubtful)
    host.journal.doubtful = None
    host.meter.recover(len(host.journal.entries))
    return {"entries": str(host.meter.entries)}


@arm("meter.entries", "meter")
def _(s, meter):
    entries = s.get(meter, Host).journal.entries
    joined = b"".join(len(entry).to_bytes(4, "big") + entry for entry in entries)
    return {"count": str(len(entries)), "sha256": "0x" + hashlib.sha256(joined).hexdigest()}


@arm("meter.replay", "meter saltKey")
def _(s, meter, saltKey):
    s.made = Host(data(saltKey), s.get(meter, Host).journal.entries)
    return {"entries": str(s.made.meter.entries)}


@arm("meter.restore", "meter saltKey entries")
def _(s, meter, saltKey, entries):
    s.made = Host(data(saltKey), s.get(meter, Host).journal.entries[: number(entries)])
    return {"entries": str(s.made.meter.entries)}


@arm("meter.lane", "meter lane")
def _(s, meter, lane):
    totals = s.meter(meter).lane(lane)
    if totals is None:
        raise c.Error("entry_misplaced", "no such lane", None, None)
    return {"number": str(totals.number), "sequence": str(totals.sequence), "head": totals.head,
            "cumulative": totals.cumulative, "credited": totals.credited,
            "collected": str(totals.collected), "fee": str(totals.fee)}


@arm("meter.subscription", "meter subscription")
def _(s, meter, subscription):
    view = s.meter(meter).subscription(subscription)
    if view is None:
        raise c.Error("subscription_unknown", "no such subscription", None, None)
    return {"lane": view.lane, "denied": str(view.denied), "holds": str(view.holds),
            "endsAt": None if view.ends_at is None else str(view.ends_at),
            "reserved": view.reserved,
            "counters": [{"charge": one.charge, "start": str(one.window.start),
                          "end": str(one.window.end), "units": str(one.units),
                          "billed": one.billed} for one in view.counters],
            "grants": [{"grant": one.grant, "kind": one.kind, "meter": one.meter,
                        "givenAt": str(one.given_at),
                        "expiresAt": None if one.expires_at is None else str(one.expires_at),
                        "balance": one.balance, "reserved": str(one.reserved)}
                       for one in view.grants]}


def signed(s: Script, receipt: str, key: str | None) -> c.Receipt:
    found: c.Receipt = s.get(receipt, c.Receipt)
    return found.signed(s.get(key, c.LocalKey).sign(found.digest())) if key else found


@arm("receipt.header", "receipt key")
def _(s, receipt, key):
    return {"header": signed(s, receipt, key).to_header()}


@arm("receipt.json", "receipt key")
def _(s, receipt, key):
    return {"json": signed(s, receipt, key).to_json()}


@arm("receipt.verify", "signer", "header json change")
def _(s, signer, header=None, json=None, change=None):
    if (header is None) == (json is None):
        raise Broken("give `header` or `json`")
    text = json if header is None else header
    if change is not None:
        known(change, ["find", "with"])
        text = text.replace(change["find"], change["with"], 1)
    read = c.Receipt.from_json(text) if header is None else c.Receipt.from_header(text)
    verified = s.made = read.verify(signer)
    head = verified.head()
    return {"digest": verified.digest(), "sequence": str(head.sequence),
            "charge": str(head.charge), "cumulative": str(head.cumulative),
            "hasBody": verified.items() is not None}


@arm("receipt.follows", "receipt previous")
def _(s, receipt, previous):
    s.get(receipt, c.VerifiedReceipt).follows(s.get(previous, c.VerifiedReceipt))
    return {}


@arm("checkpoint.verify", "checkpoint key signer")
def _(s, checkpoint, key, signer):
    made = s.get(checkpoint, c.Checkpoint)
    signature = s.get(key, c.LocalKey).sign(c.checkpoint_digest(made))
    verified = c.VerifiedCheckpoint.verify(made, signature, signer)
    return {"digest": verified.digest(), "note": verified.note()}


@arm("log.root", "heads")
def _(s, heads):
    return {"root": c.log_root(heads)}


@arm("log.inclusion", "heads index")
def _(s, heads, index):
    return {"path": c.prove_inclusion(heads, number(index))}


@arm("log.verifyInclusion", "head index size path root")
def _(s, head, index, size, path, root):
    c.verify_inclusion(head, number(index), number(size), path, root)
    return {}


@arm("log.consistency", "heads oldSize")
def _(s, heads, oldSize):
    return {"path": c.prove_consistency(heads, number(oldSize))}


@arm("log.verifyConsistency", "oldSize oldRoot newSize newRoot path")
def _(s, oldSize, oldRoot, newSize, newRoot, path):
    c.verify_consistency(number(oldSize), oldRoot, number(newSize), newRoot, path)
    return {}


@arm("ledger.audit", "meter key", "change")
def _(s, meter, key, change=None):
    signer, entries = s.get(key, c.LocalKey), s.get(meter, Host).journal.entries
    # The slots of the ledger as it was: what each entry wanted signed.
    slots, fresh = {}, c.Meter(c.MemoryJournal(), bytes(32))
    for wanted in filter(None, map(fresh.replay, entries)):
        slots[wanted.is_checkpoint(), wanted.slot()] = signer.sign(wanted.digest())
    auditor = c.Auditor()
    for entry in damaged(list(entries), change or {}):
        expected = auditor.next(entry)
        if expected is not None:
            expected.check(slots.get((expected.is_checkpoint(), expected.slot())))
    counts = auditor.counts()
    return {"entries": str(counts.entries), "receipts": str(counts.receipts),
            "denied": str(counts.denied), "checkpoints": str(counts.checkpoints),
            "unproven": str(auditor.unproven())}


def damaged(entries: list[bytes], change: dict[str, Any]) -> list[bytes]:
    try:
        match change:
            case {"drop": at, **rest}:
                del entries[number(at)]
            case {"repeat": at, **rest}:
                entries.insert(number(at), entries[number(at)])
            case {"swap": at, **rest}:
                entries.insert(number(at), entries.pop(number(at) + 1))
            case {"entry": at, "flip": {"byte": byte, "mask": mask}, **rest}:
                entry = bytearray(entries[number(at)])
                entry[number(byte)] ^= number(mask)
                entries[number(at)] = bytes(entry)
            case {**rest}:
                pass
    except IndexError as error:
        raise Broken("a change beyond the journal") from error
    known(rest, [])
    return entries


@arm("ledger.settle", "meter extent closing")
def _(s, meter, extent, closing):
    host = s.get(meter, Host)
    batch = host.meter.batch(c.Extent[extent.upper()])
    for entry in host.journal.entries:
        batch.add(entry)
    settled = batch.settle(closing)
    totals = settled.totals()
    names = ["gross", "credited", "collected", "fees", "claimable", "owed", "held", "sold",
             "refunded", "spent", "unearned", "payouts", "residue"]
    return {"currency": settled.currency().id,
            **{name: str(getattr(totals, name)) for name in names},
            "payees": [{"payee": line.payee, "payable": str(line.payable),
                        "owed": str(line.owed)} for line in settled.payees()],
            "root": settled.root(), "commitment": settled.commitment()}


@arm("ledger.duplicates", "meters")
def _(s, meters):
    found = c.Duplicates()
    for name in meters:
        for entry in s.get(name, Host).journal.entries:
            found.add(entry)

    def charge(one):
        return {"lane": one.lane, "issuedAt": str(one.issued_at),
                "receipts": [{"sequence": str(made.sequence), "digest": made.digest}
                             for made in one.receipts]}

    return {"duplicates": [
        {"subscription": one.subscription, "subject": one.subject, "kept": charge(one.kept),
         "extra": charge(one.extra), "resolved": one.resolved} for one in found.list()]}


@arm("payout.verify", "root payee token cumulative proof")
def _(s, root, payee, token, cumulative, proof):
    c.verify_payout(root, c.Payout(payee=payee, token=token, cumulative=number(cumulative),
                                   proof=proof))
    return {}


@arm("x402.channel", "chainId channel")
def _(s, chainId, channel):
    return {"id": c.channel_id(number(chainId), values.channel(channel))}


@arm("x402.voucher", "chainId channel maxClaimable signature")
def _(s, chainId, channel, maxClaimable, signature):
    chain, parties = number(chainId), values.channel(channel)
    voucher = c.Voucher(channel=parties, max_claimable=number(maxClaimable), signature=signature)
    check = c.verify_voucher(chain, voucher)
    return {"digest": c.voucher_digest(chain, parties, voucher.max_claimable),
            "check": "verified" if isinstance(check, c.VoucherCheck.VERIFIED) else "ask_payer"}


@arm("x402.claim", "chainId rows")
def _(s, chainId, rows):
    claims = []
    for row in rows:
        known(row, ["channel", "maxClaimable", "signature", "totalClaimed"])
        voucher = c.Voucher(channel=values.channel(row["channel"]), signature=row["signature"],
                            max_claimable=number(row["maxClaimable"]))
        claims.append(c.ClaimRow(voucher=voucher, total_claimed=number(row["totalClaimed"])))
    return {"digest": c.claim_digest(number(chainId), claims),
            "calldata": "0x" + c.claim_calldata(claims).hex()}


# Vectors


def ran(script: Script, step: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"out": script.run(step)}
    except c.Error as e:
        place = shared_place(e.place)
        return {"error": {"code": e.code} | ({} if place is None else {"place": place})}


def run(vector: dict[str, Any], counts: Counter[str]) -> str | None:
    """What differs, if anything does."""
    known(vector, ["format", "id", "title", "rules", "scope", "steps"])
    if vector["format"] != "counterfoil/vector/0":
        raise Broken("unknown format")
    script = Script()
    for at, step in enumerate(vector["steps"]):
        got = ran(script, step)
        same = "out" in step and got.get("out") == step["out"]
        if "error" in step and "error" in got:
            wanted, failed = step["error"], got["error"]
            known(wanted, ["code", "place"])
            same = wanted["code"] == failed["code"] and (
                "place" not in wanted or wanted["place"] == failed.get("place"))
        if not same:
            wanted = step.get("out", step.get("error"))
            return f"step {at} {step['op']}: expected {wanted}, got {got}"
        counts[step["op"]] += 1
    return None


def stream() -> int:
    for line in sys.stdin:
        try:
            answer = run(json.loads(line), Counter()) or "ok"
        except Broken as broken:
            answer = f"broken: {broken}"
        print(answer, flush=True)
    return 0


def main(arguments: list[str]) -> int:
    if arguments == ["--stream"]:
        return stream()
    if arguments[:1] == ["--print"]:
        script, vector = Script(), json.loads(Path(arguments[1]).read_text())
        vector["steps"] = [
            {k: v for k, v in step.items() if k in ("op", "in", "as")} | ran(script, step)
            for step in vector["steps"]]
        print(json.dumps(vector, indent=1, ensure_ascii=False))
        return 0
    counts: Counter[str] = Counter()
    vectors = failed = 0
    for path in sorted(Path(arguments[0]).glob("*/*.json")):
        vector = json.loads(path.read_text())
        if vector["scope"] != "all":
            continue
        vectors += 1
        try:
            differs = run(vector, counts)
        except Broken as broken:
            differs = f"broken: {broken}"
        if differs:
            failed += 1
            print(f"{path}: {differs}", file=sys.stderr)
    if arguments[1:2] == ["--counts"]:
        Path(arguments[2]).write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")
    print(f"python: {counts.total()} steps in {vectors} vectors, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
