"""R-TIME: instants are Unix milliseconds; windows are half-open pairs of them."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache

from .refused import need
from .zones import DAY, date_of, day_number, month_days

LAST = 253_402_300_799_999
ALWAYS = (0, LAST)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
PERIODS = ("hour", "day", "week", "month", "year")
# About how long each is, and how much it is in the unit that it is counted in.
LENGTH = {"hour": 3_600_000, "day": DAY, "week": 7 * DAY, "month": 2_629_746_000,
          "year": 31_556_952_000}


def instant(millis):
    need(0 <= millis <= LAST, "time_invalid")
    return millis


def later(millis, more):
    return instant(millis + more)


class Cycle:
    """Windows of so many periods, counted from an anchor: "calendar", "start" or an instant."""

    def __init__(self, every, count=1, anchor="calendar", zone=None):
        self.every, self.count, self.anchor, self.zone = every, count, anchor, zone
        if every == "hour":
            self.zone = None
        self.window = lru_cache(maxsize=1024)(self._window)

    def turn(self, origin, k):
        """The local time at which window k starts, from the anchor's local time."""
        k *= self.count
        if self.every in ("hour", "day", "week"):
            return origin + k * LENGTH[self.every]
        year, month, day = date_of(origin // DAY)
        months = year * 12 + month - 1 + k * (12 if self.every == "year" else 1)
        year, month = months // 12, months % 12 + 1
        day = min(day, month_days(year)[month - 1])
        return day_number(year, month, day) * DAY + origin % DAY

    def _window(self, at, started):
        if self.anchor == "calendar":
            origin = -3 * DAY if self.every == "week" else 0
        else:
            origin = started if self.anchor == "start" else self.anchor
            origin = self.zone.wall(origin) if self.zone else origin

        def starts(k):
            local = self.turn(origin, k)
            return self.zone.first(local) if self.zone else local

        at = min(at, LAST - 1)
        k = (at - origin) // (LENGTH[self.every] * self.count)
        while starts(k + 1) <= at:
            k += 1
        while starts(k) > at:
            k -= 1
        return max(0, starts(k)), min(LAST, starts(k + 1))


class Rolling:
    """Windows that end with the bucket of an instant, and have so many whole ones before it."""

    def __init__(self, length, buckets):
        self.size, self.buckets = length // buckets, buckets

    def number(self, at):
        return min(at, LAST - 1) // self.size

    def bucket(self, number):
        return number * self.size, min(LAST, (number + 1) * self.size)

    def window(self, number):
        return max(0, (number - self.buckets) * self.size), self.bucket(number)[1]

    def leaves(self, bucket):
        """The end of the last window that has a bucket."""
        return min(LAST, bucket[0] + (self.buckets + 1) * self.size)


def window(cycle, at, started):
    """The window that contains an instant; without a cycle, always."""
    return cycle.window(at, started) if cycle else ALWAYS


def contains(window_, at):
    start, end = window_
    return start <= at < end or (at == end == LAST)


def iso(at):
    return (EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
