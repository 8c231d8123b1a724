"""R-ENT: entries and their bytes: kind, version 0, fields."""

from . import leases
from .receipts import CREDIT, blob, body_bytes, exact, head_bytes, lane_bytes, text, u

KINDS = {"instance": 1, "plan": 2, "open": 3, "hold": 4, "denied": 5, "receipt": 6, "release": 7,
         "checkpoint": 8, "collected": 9, "granted": 10, "voided": 11, "cancelled": 12,
         "leased": 13, "stated": 14, "absorbed": 15, "reclaimed": 16, "extended": 17,
         "presented": 18}
DENIALS = {"limit_reached": 1, "condition_failed": 2, "rate_exceeded": 3, "term_ended": 4,
           "concurrency_reached": 5, "values_reached": 6, "lease_exhausted": 7}
REASONS = {"released": 1, "expired": 2, "unknown": 3}


def maybe(value, write):
    return b"\0" if value is None else b"\x01" + write(value)


def attributes(values):
    return u(len(values), 4) + b"".join(text(k) + text(v) for k, v in sorted(
        values.items(), key=lambda pair: pair[0].encode()))


def mark(m):
    return m["input"] + u(m["ordinal"], 8) + u(m["offset"], 8) + m["digest"]


def denial(d):
    counted = b"".join(maybe(d[name], exact) for name in ("most", "spent", "needed", "available"))
    return (u(DENIALS[d["code"]], 1) + text(d["rule"]) + maybe(d["value"], text)
            + maybe(d["window"], lambda w: u(w[0], 8) + u(w[1], 8)) + maybe(d["meter"], text)
            + counted + maybe(d["retry_at"], lambda at: u(at, 8)))


def pairs(units):
    return u(len(units), 4) + b"".join(u(index, 4) + u(quantity, 8) for index, quantity in units)


def quantities(meters):
    return u(len(meters), 4) + b"".join(text(m) + u(q, 8) for m, q in sorted(meters.items()))


def reserves(reserved):
    return u(len(reserved), 4) + b"".join(text(g) + u(at, 8) + u(n, 8) for g, at, n in reserved)


def held(e):
    return (pairs(e["units"]) + pairs(e["limited"]) + reserves(e["reserved"])
            + quantities(e["most"]))


def encode(kind, e):
    head = u(KINDS[kind], 1) + b"\0"
    if kind == "instance":
        return head + text(e["origin"]) + e["signer"] + u(e["at"], 8)
    if kind == "plan":
        return head + blob(e["document"])
    if kind == "open":
        return (head + lane_bytes(e["lane"]) + maybe(e["account"], text) + e["payer_salt"]
                + u(e["started_at"], 8) + maybe(e["switched_from"], bytes) + maybe(
                    e["lease"], lambda s: blob(leases.lease_bytes(s[0])) + s[1]))
    if kind == "hold":
        return (head + e["lane"] + e["subject"] + e["input"] + u(e["authorized_at"], 8)
                + u(e["deadline"], 8) + pairs(e["units"]) + pairs(e["limited"])
                + attributes(e["attributes"]) + reserves(e["reserved"]) + quantities(e["most"]))
    if kind == "denied":
        return (head + e["lane"] + e["subject"] + u(e["at"], 8) + denial(e["denial"])
                + mark(e["import"]))
    if kind == "receipt":
        body = head + head_bytes(e["head"]) + body_bytes(e["body"])
        if e["head"]["kind"] == CREDIT:
            corrected = e["corrects"]
            return (body + head_bytes(corrected["head"]) + corrected["signature"]
                    + body_bytes(corrected["body"]))
        return body + maybe(e["import"], mark)
    if kind == "release":
        return head + e["lane"] + e["subject"] + u(e["at"], 8) + u(REASONS[e["reason"]], 1)
    if kind == "checkpoint":
        return (head + text(e["origin"]) + u(e["size"], 8) + e["root"] + e["lanes"]
                + u(e["time"], 8))
    if kind == "granted":
        return head + e["subscription"] + blob(e["terms"]) + u(e["at"], 8)
    if kind == "voided":
        return head + e["subscription"] + text(e["grant"]) + u(e["at"], 8) + u(e["refund"], 16)
    if kind == "cancelled":
        return head + e["subscription"] + u(e["at"], 8) + u(e["ends_at"], 8)
    if kind == "leased":
        return head + blob(leases.lease_bytes(e["lease"]))
    if kind == "stated":
        return head + blob(leases.statement_bytes(e["statement"]))
    if kind == "absorbed":
        return (head + blob(leases.statement_bytes(e["statement"])) + e["signature"]
                + u(e["at"], 8))
    if kind == "reclaimed":
        return head + e["lease"] + u(e["at"], 8)
    if kind == "extended":
        return (head + e["lane"] + e["subject"] + u(e["at"], 8) + u(e["deadline"], 8)
                + maybe(e["held"], held))
    if kind == "presented":
        return (head + e["subscription"] + e["attestor"] + text(e["statement"])
                + u(e["issued_at"], 8) + u(e["expires_at"], 8) + e["signature"] + u(e["at"], 8))
    return (head + e["lane"] + u(e["amount"], 16) + u(e["fee"], 16) + text(e["reference"])
            + u(e["at"], 8))
