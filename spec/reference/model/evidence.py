"""R-COND-020 to -025: what attestors state, and what a subscription has been shown of it."""

from .document import Node, parse
from .plans import title
from .receipts import compact, hexed, time_of, typed_data
from .refused import Refused, need
from .signing import COUNTERFOIL, check, check_form, checked_address, checksummed
from .windows import later

TYPE = ("Evidence(bytes32 payer,address seller,string statement,uint64 issuedAt,"
        "uint64 expiresAt)")


def digest_of(e):
    return COUNTERFOIL.digest(TYPE, e["payer"], e["seller"], e["statement"], e["issued_at"],
                              e["expires_at"])


def message(e):
    return {"payer": hexed(e["payer"]), "seller": checksummed(e["seller"]),
            "statement": e["statement"], "issuedAt": str(e["issued_at"]),
            "expiresAt": str(e["expires_at"])}


def typed(e):
    return compact(typed_data(TYPE, message(e)))


def to_json(e):
    return compact({"format": "counterfoil/evidence/0", **message(e),
                    "attestor": checksummed(e["attestor"]), "signature": hexed(e["signature"])})


def placed(at, verify, *given):
    try:
        return verify(*given)
    except Refused as refused:
        raise Refused(refused.code, at) from refused


def verify(e):
    """R-COND-021, -022: what the signature must be of."""
    title(Node(e["statement"], "/statement"))
    need(e["issued_at"] <= e["expires_at"], "time_invalid", "/expiresAt")
    placed("/signature", check, digest_of(e), e["signature"], e["attestor"])
    return e


def from_json(text):
    fields = Node(parse(text)).fields()
    form = fields.must("format")
    need(form.text() == "counterfoil/evidence/0", "bytes_version", form.pointer)

    def data(name, size):
        node = fields.must(name)
        value = node.text()
        good = value.startswith("0x") and len(value) == 2 + 2 * size
        good = good and all(c in "0123456789abcdefABCDEF" for c in value[2:])
        need(good, "hex_invalid", node.pointer)
        return bytes.fromhex(value[2:])

    def address(name):
        node = fields.must(name)
        return checked_address(node.text(), node.pointer)

    e = {"payer": data("payer", 32), "seller": address("seller"),
         "statement": title(fields.must("statement")), "issued_at": time_of(fields.must("issuedAt")),
         "expires_at": time_of(fields.must("expiresAt")), "attestor": address("attestor"),
         "signature": data("signature", 65)}
    placed("/signature", check_form, e["signature"])
    fields.finish()
    return verify(e)


def asked(condition, wanted):
    """Whether a clause asks for it."""
    if condition is None:
        return False
    kind, *rest = condition
    if kind in ("all", "any"):
        return any(asked(part, wanted) for part in rest[0])
    if kind == "at_least":
        return any(asked(part, wanted) for part in rest[1])
    if kind == "not":
        return asked(rest[0], wanted)
    return kind == "evidence" and tuple(rest) == wanted


def is_new(sub, e, now):
    """R-COND-024: False for what was presented last."""
    need(e["payer"] == sub["payer"], "evidence_refused", "/payer")
    need(e["seller"] == sub["plan"].authority, "evidence_refused", "/seller")
    wanted = e["attestor"], e["statement"]
    need(asked(sub["plan"].condition, wanted), "evidence_refused", "/statement")
    known = sub["evidence"].get(wanted)
    if known == (e["issued_at"], e["expires_at"]):
        return False
    need(known is None or known[0] < e["issued_at"], "evidence_refused", "/issuedAt")
    revoked = e["issued_at"] == e["expires_at"]
    need(revoked or now < e["expires_at"], "evidence_refused", "/expiresAt")
    return True


def present(sub, id_, document, now):
    e = from_json(document)
    need(e["issued_at"] <= later(now, sub["plan"].times["skew"]), "clock_skew", "/issuedAt")
    if not is_new(sub, e, now):
        return None, {}
    kept = {name: e[name] for name in ("attestor", "statement", "issued_at", "expires_at", "signature")}
    return ("presented", {"subscription": id_, **kept, "at": now}), {}


def fold_presented(sub, entry):
    e = verify({**entry, "payer": sub["payer"], "seller": sub["plan"].authority})
    need(is_new(sub, e, entry["at"]), "entry_misplaced")
    sub["evidence"][e["attestor"], e["statement"]] = e["issued_at"], e["expires_at"]
