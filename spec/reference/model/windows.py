"""R-TIME: instants are Unix milliseconds; windows are half-open pairs of them."""

from datetime import datetime, timedelta, timezone

from .refused import need

LAST = 253_402_300_799_999
ALWAYS = (0, LAST)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def instant(millis):
    need(0 <= millis <= LAST, "time_invalid")
    return millis


def later(millis, more):
    return instant(millis + more)


def window(period, at):
    """The calendar window in UTC that contains an instant; `None` is always."""
    if period is None:
        return ALWAYS
    t = EPOCH + timedelta(milliseconds=at)
    day = t.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "hour":
        start = t.replace(minute=0, second=0, microsecond=0)
        length = timedelta(hours=1)
    elif period == "day":
        start, length = day, timedelta(days=1)
    elif period == "week":
        # Weeks start on Monday; the first one is cut at the epoch, a Thursday.
        days = (day - EPOCH).days
        start_day = days - (days + 3) % 7
        return max(0, start_day * 86_400_000), min(LAST, (start_day + 7) * 86_400_000)
    elif period == "month":
        start = day.replace(day=1)
        if (start.year, start.month) == (9999, 12):
            return millis(start), LAST
        end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        return millis(start), millis(end)
    else:
        start = day.replace(month=1, day=1)
        end = LAST if start.year == 9999 else millis(start.replace(year=start.year + 1))
        return millis(start), end
    return millis(start), min(LAST, millis(start) + int(length.total_seconds()) * 1000)


def millis(t):
    return (t - EPOCH) // timedelta(milliseconds=1)


def contains(window_, at):
    start, end = window_
    return start <= at < end or (at == end == LAST)


def iso(at):
    return (EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
