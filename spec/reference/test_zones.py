"""The model's zones against Python's own, where this machine has a database of zones.

Run by `cargo xtask vectors --check`. The model itself asks no database: rule and transitions are taken from
the database's files here, as a plan would contain them.
"""

import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from model.windows import Cycle  # noqa: E402
from model.zones import Zone, read_rule  # noqa: E402

zoneinfo = pytest.importorskip("zoneinfo", reason="Python has no zoneinfo")

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FIRST, LAST = datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2090, 1, 1, tzinfo=timezone.utc)


def millis(t):
    return (t - EPOCH) // timedelta(milliseconds=1)


def file_of(name):
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / name
        if path.is_file():
            return path.read_bytes()
    try:
        from importlib import resources
        return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    except (ImportError, OSError):
        return None


def names():
    """Sixty zones, over all of them."""
    found = sorted(n for n in zoneinfo.available_timezones() if file_of(n) and "/" in n)
    return found[::max(1, len(found) // 60)]


NAMES = names()


def test_a_zone_without_a_database():
    if not NAMES:
        print("NOT RUN: the model's zones against a database (this machine has none)")
    berlin = Zone("CET-1CEST,M3.5.0,M10.5.0/3", ())
    for text, hours in [("2026-03-29T00:59:59+00:00", 1), ("2026-03-29T01:00:00+00:00", 2),
                        ("2026-10-25T00:59:59+00:00", 2), ("2026-10-25T01:00:00+00:00", 1)]:
        t = millis(datetime.fromisoformat(text))
        assert berlin.wall(t) - t == hours * 3_600_000


def offset(zone, t):
    return t.astimezone(zone).utcoffset() // timedelta(milliseconds=1)


def changes(zone):
    """[(instant, offset before it)] between FIRST and LAST, to the second."""
    found, t, step = [], FIRST, timedelta(days=1)
    while t < LAST:
        if offset(zone, t) != offset(zone, t + step):
            low, high = t, t + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
            found.append((millis(high), offset(zone, low)))
        t += step
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_zone_agrees_with_the_database(name):
    theirs = zoneinfo.ZoneInfo(name)
    rule = file_of(name).rstrip(b"\n").rsplit(b"\n", 1)[1].decode()
    assert read_rule(rule) is not None, rule
    known = changes(theirs)
    # The rule alone where it is enough; else what was in force until one change after it was not.
    bare = Zone(rule, ())
    wrong = [i for i, (at, before) in enumerate(known)
             if bare.wall(at - 1) != at - 1 + before
             or bare.wall(at) != at + offset(theirs, EPOCH + timedelta(milliseconds=at))]
    ours = Zone(rule, tuple(known[:wrong[-1] + 2])) if wrong else bare
    for at, _ in known:
        for t in (at - 1, at, at + 40 * 86_400_000):
            assert ours.wall(t) - t == offset(theirs, EPOCH + timedelta(milliseconds=t)), (name, t)

    days = Cycle("day", zone=ours)
    for day in (date(2024, 1, 1) + timedelta(days=n) for n in range(3 * 366)):
        def midnight(day):
            return millis(datetime(day.year, day.month, day.day, tzinfo=theirs).astimezone(timezone.utc))
        start, end = midnight(day), midnight(day + timedelta(days=1))
        assert days.window(start, 0) == (start, end), (name, day)
