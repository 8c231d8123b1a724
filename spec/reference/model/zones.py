"""R-TIME-010 to -013: time zones, each as the table of all its offsets from 1960 to 10010."""

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache

from .refused import need

DAY = 86_400_000
FIRST_YEAR, LAST_YEAR = 1960, 10_010
FOREVER = 10**18


def leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_days(year):
    return [31, 29 if leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def new_year(year):
    """Days from 1970-01-01 to 1 January of a year after it or at most 100 before it."""
    if year < 1970:
        return -sum(366 if leap(y) else 365 for y in range(year, 1970))
    before = year - 1
    return 365 * (year - 1970) + (before // 4 - 492) - (before // 100 - 19) + (before // 400 - 4)


def day_number(year, month, day):
    return month_start(year, month) + day - 1


@lru_cache(maxsize=100_000)
def month_start(year, month):
    return new_year(year) + sum(month_days(year)[:month - 1])


def date_of(number):
    """(year, month, day) of a day after 1970-01-01, or at most a few years before it."""
    year = 1970 + number // 366
    while new_year(year + 1) <= number:
        year += 1
    rest, month = number - new_year(year), 1
    for length in month_days(year):
        if rest < length:
            return year, month, rest + 1
        rest, month = rest - length, month + 1
    raise AssertionError(number)


NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
CLOCK = r"[+-]?[0-9]{1,3}(?::[0-9]{1,2}(?::[0-9]{1,2})?)?"
DATE = rf"(?:J[0-9]{{1,3}}|[0-9]{{1,3}}|M[0-9]{{1,2}}\.[0-9]\.[0-9])(?:/{CLOCK})?"
RULE = re.compile(rf"{NAME}({CLOCK})(?:{NAME}({CLOCK})?,({DATE}),({DATE}))?", re.ASCII)


def clock(text, most):
    """`[+|-]hh[:mm[:ss]]` in milliseconds, or None."""
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    hour, minute, second = (parts + [0, 0])[:3]
    if hour > most or minute > 59 or second > 59:
        return None
    value = ((hour * 60 + minute) * 60 + second) * 1000
    return -value if text.startswith("-") else value


def read_date(text):
    """A day of the year and a time, as a function of the year; or None."""
    day, _, time = text.partition("/")
    time = clock(time or "2", 167)
    if time is None:
        return None
    if day.startswith("J"):
        n = int(day[1:])
        if not 1 <= n <= 365:
            return None
        return lambda year: (new_year(year) + n - (0 if leap(year) and n > 59 else 1)) * DAY + time
    if day.startswith("M"):
        month, week, weekday = map(int, day[1:].split("."))
        if not (1 <= month <= 12 and 1 <= week <= 5 and weekday <= 6):
            return None

        def found(year):
            # Day 0 was a Thursday; Sunday is 0.
            start = month_start(year, month)
            first = start + (weekday - 4 - start) % 7
            days = range(first, start + month_days(year)[month - 1], 7)
            return days[min(week, len(days)) - 1] * DAY + time
        return found
    n = int(day)
    return (lambda year: (new_year(year) + n) * DAY + time) if n <= 365 else None


def read_rule(text):
    """(standard offset, None or (offset, starts, ends)); None for what is no rule."""
    match = RULE.fullmatch(text) if len(text.encode()) <= 128 else None
    if match is None:
        return None
    standard, summer, starts, ends = match.groups()
    standard = clock(standard, 24)
    if standard is None:
        return None
    if starts is None:
        return -standard, None
    summer = standard - 3_600_000 if summer is None else clock(summer, 24)
    starts, ends = read_date(starts), read_date(ends)
    if summer is None or starts is None or ends is None:
        return None
    return -standard, (-summer, starts, ends)


def read_offset(text):
    """`±hh:mm` or `±hh:mm:ss` in milliseconds, or None."""
    match = re.fullmatch(r"([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?", text, re.ASCII)
    if match is None:
        return None
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    total = (hour * 60 + minute) * 60 + second
    if hour > 24 or minute > 59 or second > 59 or match[4] == "00":
        return None
    if match[1] == "-":
        return -total * 1000 if total else None
    return total * 1000


class Zone:
    def __init__(self, rule, transitions):
        """`transitions`: [(until, offset)], before the rule."""
        standard, summer = read_rule(rule)
        changes = [(-FOREVER, standard)]
        if summer:
            offset, starts, ends = summer
            events = []
            for year in range(FIRST_YEAR, LAST_YEAR):
                events.append((starts(year) - standard, year, 0, offset))
                events.append((ends(year) - offset, year, 1, standard))
            # Of events at one instant the last in this order decides.
            changes += [(at, value) for at, _, _, value in sorted(events)]
        if transitions:
            last = transitions[-1][0]
            now = [value for at, value in changes if at <= last][-1]
            later = [(at, value) for at, value in changes if at > last]
            starts = [-FOREVER] + [until for until, _ in transitions]
            changes = list(zip(starts, [value for _, value in transitions] + [now])) + later
        self.starts = [at for at, _ in changes]
        self.offsets = [value for _, value in changes]
        ends = self.starts[1:] + [FOREVER]
        # The latest local time that was shown by the end of each part.
        self.shown, latest = [], -FOREVER * 2
        for start, end, value in zip(self.starts, ends, self.offsets):
            if start < end:
                latest = max(latest, end - 1 + value)
            self.shown.append(latest)

    def wall(self, t):
        return t + self.offsets[bisect_right(self.starts, t) - 1]

    def first(self, wall):
        """The first instant at which the clock shows this or more."""
        part = bisect_left(self.shown, wall)
        return max(self.starts[part], wall - self.offsets[part])


@lru_cache(maxsize=256)
def zone_of(rule, transitions):
    return Zone(rule, transitions)


def read(node, instant_of):
    """The member `zone` of a plan."""
    fields = node.fields()
    name = fields.must("name")
    rule = fields.must("rule")
    name_text, rule_text = name.text(), rule.text()
    good = re.fullmatch(r"[A-Za-z0-9_+/-]{1,128}", name_text, re.ASCII)
    need(good is not None, "text_invalid", name.pointer)
    need(read_rule(rule_text) is not None, "plan_invalid", rule.pointer)
    transitions, listed = [], fields.get("transitions")
    for item in listed.items() if listed else []:
        inner = item.fields()
        until = inner.must("until")
        end = instant_of(until)
        offset = inner.must("offset")
        value = read_offset(offset.text())
        need(value is not None, "plan_invalid", offset.pointer)
        inner.finish()
        need(not transitions or transitions[-1][0] < end, "plan_order", until.pointer)
        need(len(transitions) < 1000, "plan_invalid", listed.pointer)
        transitions.append((end, value))
    fields.finish()
    return zone_of(rule_text, tuple(transitions))
