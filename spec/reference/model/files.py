"""R-ENT: reading entries, and the frames that carry them in a file."""

from zlib import crc32

from . import leases
from .receipts import u
from .refused import Refused, need
from .signing import check_form
from .usages import Usage
from .windows import LAST

HEADER = 16
MOST = 16 << 20


class Reader:
    """Takes fields from bytes."""

    def __init__(self, data):
        self.data = data

    def raw(self, n):
        need(len(self.data) >= n, "bytes_invalid")
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def u(self, n):
        return int.from_bytes(self.raw(n), "big")

    def count(self, least):
        n = self.u(4)
        need(n * least <= len(self.data), "bytes_invalid")
        return n

    def text(self):
        try:
            return self.raw(self.count(1)).decode()
        except UnicodeDecodeError as error:
            raise Refused("bytes_invalid") from error

    def time(self):
        at = self.u(8)
        need(at <= LAST, "time_invalid")
        return at

    def flag(self):
        value = self.u(1)
        need(value in (0, 1), "bytes_invalid")
        return value == 1

    def exact(self):
        self.raw(16)
        need(self.u(8) < 10**18, "bytes_invalid")

    def window(self):
        need(self.time() < self.time(), "bytes_invalid")

    def maybe(self, read):
        if self.flag():
            read()


def read_entry(data):
    """The name of the entry that the bytes are. Heads and bodies of receipts are read elsewhere."""
    r = Reader(data)
    kind, version = r.u(1), r.u(1)
    need(version == 0, "bytes_version")
    need(kind in READERS, "bytes_version")
    name, read = READERS[kind]
    read(r)
    need(not r.data, "bytes_invalid")
    return name


def read_instance(r):
    r.text(), r.raw(20), r.time()


def read_plan(r):
    r.raw(r.count(1))


def read_pairs(r):
    for _ in ("units", "limits"):
        for _ in range(r.count(12)):
            r.u(4), r.u(8)


def read_reserves(r):
    for _ in range(r.count(20)):
        r.text(), r.time(), r.u(8)


def read_quantities(r):
    usage, last = Usage(), ""
    for _ in range(r.count(12)):
        meter = r.text()
        need(last.encode() < meter.encode(), "bytes_invalid")
        usage.set(meter, r.u(8))
        last = meter


def read_held(r):
    read_pairs(r), read_reserves(r), read_quantities(r)


def read_extended(r):
    r.raw(64), r.time(), r.time(), r.maybe(lambda: read_held(r))


def read_hold(r):
    r.raw(96), r.time(), r.time(), read_pairs(r)
    last = None
    for _ in range(r.count(8)):
        name = r.text().encode()
        need(last is None or last < name, "bytes_invalid")
        last = name
        r.text()
    read_reserves(r), read_quantities(r)


def read_denied(r):
    r.raw(64), r.time()
    need(r.u(1) in (1, 2, 3, 4, 5, 6, 7), "bytes_invalid")
    r.text()
    r.maybe(r.text), r.maybe(r.window), r.maybe(r.text)
    r.maybe(r.exact), r.maybe(r.exact), r.maybe(r.exact), r.maybe(r.exact), r.maybe(r.time)
    r.raw(80)


def read_release(r):
    r.raw(64), r.time()
    need(r.u(1) in (1, 2, 3), "bytes_invalid")


def read_checkpoint(r):
    r.text(), r.u(8), r.raw(64), r.time()


def read_collected(r):
    r.raw(64), r.text(), r.time()


def read_granted(r):
    r.raw(32), r.raw(r.count(1)), r.time()


def read_voided(r):
    r.raw(32), r.text(), r.time(), r.raw(16)


def read_cancelled(r):
    r.raw(32), r.time(), r.time()


def read_leased(r):
    leases.read_lease(r.raw(r.count(1)))


def read_stated(r):
    leases.read_statement(r.raw(r.count(1)))


def read_absorbed(r):
    read_stated(r), check_form(r.raw(65)), r.time()


def read_reclaimed(r):
    r.raw(32), r.time()


def read_presented(r):
    r.raw(52), r.text(), r.time(), r.time(), check_form(r.raw(65)), r.time()


READERS = {1: ("instance", read_instance), 2: ("plan", read_plan), 4: ("hold", read_hold),
           5: ("denied", read_denied), 7: ("release", read_release),
           8: ("checkpoint", read_checkpoint), 9: ("collected", read_collected), 10: ("granted", read_granted),
           11: ("voided", read_voided), 12: ("cancelled", read_cancelled),
           13: ("leased", read_leased), 14: ("stated", read_stated),
           15: ("absorbed", read_absorbed), 16: ("reclaimed", read_reclaimed),
           17: ("extended", read_extended), 18: ("presented", read_presented)}


# Frames: length u32 ‖ index u64 ‖ CRC-32 u32 ‖ payload.


def frame(index, payload):
    need(1 <= len(payload) <= MOST, "bytes_invalid")
    head = u(len(payload), 4) + u(index, 8)
    return head + u(crc32(head + payload), 4) + payload


def read_frame(data, index):
    """("frame", payload, length), ("end",) or ("torn",)."""
    if len(data) < HEADER:
        return ("torn",) if data else ("end",)
    length = int.from_bytes(data[:4], "big")
    need(1 <= length <= MOST and data[4:12] == u(index, 8), "ledger_corrupt")
    payload = data[HEADER:HEADER + length]
    if len(payload) < length:
        return ("torn",)
    need(frame(index, payload) == data[:HEADER + length], "ledger_corrupt")
    return "frame", payload, HEADER + length


def is_torn(tail, index):
    """Whether an interrupted write leaves this behind: at most one frame, and nothing whole."""
    written = len(tail.rstrip(b"\0"))
    if written < HEADER or len(tail) < HEADER:
        return True
    length = int.from_bytes(tail[:4], "big")
    if not 1 <= length <= MOST or tail[4:12] != u(index, 8):
        return False
    if written > HEADER + length:
        return False
    for start in range(len(tail)):
        for later in range(index, index + len(tail) // HEADER + 1):
            try:
                if read_frame(tail[start:], later)[0] == "frame":
                    return False
            except Refused:
                continue
    return True


def segment(entries):
    """The first segment file: a header of 16 bytes and the frames."""
    head = b"CFLEDGER" + u(0, 4) + u(0, 4)
    return head + b"".join(frame(i, entry) for i, entry in enumerate(entries))
