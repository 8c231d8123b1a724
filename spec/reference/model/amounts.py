"""R-AMT: exact amounts, rounding, shares.

An exact amount is an integer number of 10^-18 atomic units: `GRID` of them are one atomic unit.
"""

import re

from .refused import Refused, need

GRID = 10**18
MOST = 2**128 * GRID - 1


def exact(value):
    """An exact amount in range."""
    need(0 <= value <= MOST, "amount_overflow")
    return value


def amount(value):
    """A whole amount of atomic units in range."""
    need(0 <= value < 2**128, "amount_overflow")
    return value


DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def decimal(text, scale, place=None):
    """A canonical decimal times 10^scale, which must be whole."""
    need(DECIMAL.fullmatch(text) is not None, "decimal_invalid", place)
    whole, _, fraction = text.partition(".")
    need(len(fraction) <= scale, "decimal_too_fine", place)
    return int(whole + fraction.ljust(scale, "0"))


def money(text, decimals, place=None):
    """An amount in major units as an exact amount."""
    value = decimal(text, decimals + 18, place)
    need(value <= MOST, "amount_overflow", place)
    return value


def unit_price(text, decimals, per, place=None):
    """The exact price of one unit, given the price of `per`."""
    value = money(text, decimals, place)
    need(value % per == 0, "decimal_too_fine", place)
    return value // per


def fraction(text, place=None):
    """A fraction from 0 to 10 in steps of 10^-18."""
    value = decimal(text, 18, place)
    need(value <= 10 * GRID, "amount_overflow", place)
    return value


def part(value, share, place=None):
    """So many steps of 10^-18 of a value, which must lie on the grid."""
    need(value * share % GRID == 0, "decimal_too_fine", place)
    return value * share // GRID


def quotient(value, share):
    """A value over a fraction, to the nearest step of the grid, ties to the even one."""
    whole, rest = divmod(value * GRID, share)
    return whole + (2 * rest > share or (2 * rest == share and whole % 2 == 1))


def text_of(value):
    """An exact amount as a decimal string of atomic units."""
    whole, fraction = divmod(value, GRID)
    return str(whole) if fraction == 0 else f"{whole}." + f"{fraction:018}".rstrip("0")


def exact_of(text):
    """Reads `text_of` back."""
    return exact(decimal(text, 18))


def half_even(value):
    """The nearest whole number of atomic units, ties to the even one."""
    whole, rest = divmod(value, GRID)
    return whole + (2 * rest > GRID or (2 * rest == GRID and whole % 2 == 1))


def bill(rounding, value, carried):
    """(atomic units to charge, remainder to carry)."""
    if rounding == "carry":
        need(carried < GRID, "amount_overflow")
        whole, rest = divmod(exact(value + carried), GRID)
        return amount(whole), rest
    need(carried == 0, "decimal_too_fine")
    return amount(compared(rounding, value) // GRID), 0


def compared(rounding, value):
    """What limits compare: the exact amount under carry, the rounded one otherwise."""
    if rounding == "carry":
        return value
    whole = {
        "up": -(-value // GRID),
        "down": value // GRID,
        "half_even": half_even(value),
    }[rounding]
    return exact(amount(whole) * GRID)


def shares(weights):
    """Weights by payee key, normalised to sum to GRID by largest remainder, ties by key."""
    total = sum(weight for _, weight in weights)
    keys = [key for key, _ in weights]
    if not weights or total == 0 or len(set(keys)) != len(keys):
        raise Refused("shares_invalid")
    floors = [weight * GRID // total for _, weight in weights]
    rests = [weight * GRID % total for _, weight in weights]
    missing = GRID - sum(floors)
    order = sorted(range(len(weights)), key=lambda i: (-rests[i], keys[i]))
    for i in order[:missing]:
        floors[i] += 1
    return floors


def closing_payouts(total, parts):
    """Floors of (key, accumulator) in units of 10^-36, and the missing units by largest remainder."""
    unit = GRID * GRID
    floors = [sum_ // unit for _, sum_ in parts]
    missing = total - sum(floors)
    rests = [(-(sum_ % unit), key, i) for i, (key, sum_) in enumerate(parts) if sum_ % unit]
    need(0 <= missing <= len(rests), "shares_invalid")
    for _, _, i in sorted(rests)[:missing]:
        floors[i] += 1
    return floors
