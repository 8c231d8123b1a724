"""Texts of vectors to values of the package, and back."""

from __future__ import annotations

from typing import Any

import counterfoil as c


class Broken(Exception):
    """The vector itself is wrong."""


def resolved(value: Any, outs: dict[str, Any]) -> Any:
    """The value with every `@name.member` replaced by that member of an earlier result."""
    match value:
        case str() if value.startswith("@"):
            found: Any = outs
            for part in value[1:].split("."):
                try:
                    found = found[int(part) if isinstance(found, list) else part]
                except (KeyError, IndexError, TypeError, ValueError):
                    raise Broken(f"`{value}` names nothing before this step") from None
            return found
        case list():
            return [resolved(one, outs) for one in value]
        case dict():
            return {name: resolved(one, outs) for name, one in value.items()}
    return value


def shared_place(place: str | None) -> str | None:
    """The place, where it is the same in every implementation."""
    if place is None or place == "":
        return place
    if place.startswith("entry "):
        return place.split(": ")[0]
    return place if place.startswith(("/", "lane ", "checkpoint ")) else None


def known(given: dict[str, Any], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise Broken(f"unknown member `{name}`")


def number(text: str) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        raise Broken(f"no integer: {text!r}")
    return int(text)


def instant(text: str) -> int:
    """An instant; one that no i64 holds is as impossible as the largest."""
    return min(number(text), 2**63 - 1)


def data(text: str) -> bytes:
    if not text.startswith("0x"):
        raise Broken(f"no bytes: {text!r}")
    return bytes.fromhex(text[2:])


def usage(given: dict[str, Any]) -> c.Usage:
    known(given, ["meters", "attributes", "surface", "basis"])
    top = 2**64 - 1
    return c.Usage(
        meters={meter: min(number(n), top) for meter, n in given["meters"].items()},
        attributes=given.get("attributes", {}),
        surface=given.get("surface", "plain"),
        basis=given.get("basis", "measured"),
    )


def channel(given: dict[str, str]) -> c.Channel:
    known(given, ["payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token",
                  "withdrawDelay", "salt"])
    return c.Channel(
        payer=given["payer"],
        payer_authorizer=given["payerAuthorizer"],
        receiver=given["receiver"],
        receiver_authorizer=given["receiverAuthorizer"],
        token=given["token"],
        withdraw_delay=number(given["withdrawDelay"]),
        salt=given["salt"],
    )


def sign(request: c.SignRequest | None) -> Any:
    return request and {
        "slot": str(request.slot()),
        "digest": request.digest(),
        "signer": request.signer(),
        "checkpoint": request.is_checkpoint(),
    }


def opened(done: c.Opened) -> Any:
    return {"subscription": done.subscription, "lane": done.lane, "sign": sign(done.sign)}


def receipt(issued: c.Issued) -> Any:
    head = issued.receipt.head()
    exact, remainder, uncollected, late = "0", 0, "0", False
    for item in issued.receipt.items():
        if isinstance(item, c.Item.PRICE):
            exact, remainder = item.exact, item.remainder_after
            uncollected, late = item.uncollected, item.late
        elif isinstance(item, (c.Item.CORRECTION, c.Item.CREDIT)):
            exact, remainder = item.exact, item.remainder_after
    return {
        "digest": issued.digest,
        "position": str(issued.position),
        "lane": head.lane,
        "sequence": str(head.sequence),
        "kind": head.kind,
        "subject": head.subject,
        "authorizedAt": str(head.authorized_at),
        "issuedAt": str(head.issued_at),
        "charge": str(head.charge),
        "cumulative": str(head.cumulative),
        "credited": str(head.credited),
        "exact": exact,
        "remainder": str(remainder),
        "uncollected": uncollected,
        "late": late,
        "body": head.body,
        "sign": sign(issued.sign),
        "crossed": [{"limit": crossed.limit, "value": crossed.value, "fraction": crossed.fraction,
                     "start": str(crossed.window.start), "end": str(crossed.window.end)}
                    for crossed in issued.crossed],
    }


def denied(denial: c.Denial) -> Any:
    window = denial.window
    return {
        "code": denial.code,
        "rule": denial.rule,
        "value": denial.value,
        "start": None if window is None else str(window.start),
        "end": None if window is None else str(window.end),
        "meter": denial.meter,
        "most": denial.most,
        "spent": denial.spent,
        "needed": denial.needed,
        "available": denial.available,
        "retryAt": None if denial.retry_at is None else str(denial.retry_at),
    }


def outcome(done: Any) -> Any:
    """The one member of a result of several kinds."""
    match done:
        case None:
            return {"nothing": {}}
        case c.Hold():
            return {"authorized": {"subject": done.subject, "lane": done.lane,
                                   "deadline": str(done.deadline), "reserved": done.reserved}}
        case c.Denial():
            return {"denied": denied(done)}
        case c.Replay():
            return {"replayed": {"state": done.state.name.lower(), "receipt": done.receipt}}
        case c.Issued():
            return {"receipt": receipt(done)}
        case c.Released():
            return {"released": {"subject": done.subject}}
        case c.Leased():
            return {"leased": {"lease": done.lease, "bytes": "0x" + done.bytes.hex(),
                               "sign": sign(done.sign)}}
        case c.Reclaimed():
            return {"reclaimed": {"lease": done.lease}}
        case c.Opened():
            return {"opened": opened(done)}
        case c.Checkpointed():
            made = done.checkpoint
            return {"checkpoint": {"origin": made.origin, "size": str(made.size),
                                   "root": made.root, "lanes": made.lanes,
                                   "time": str(made.time), "sign": sign(done.sign)}}
    raise Broken(f"no result: {done!r}")
