"""Money to its ends, and errors that say what and where."""

import pytest

import counterfoil as c

MOST = 2**128 - 1


def test_money_reaches_from_nothing_to_the_most():
    for amount in (0, 1, 2**53 + 1, 2**64, 10**38, MOST):
        billed = c.bill(c.Rounding.CARRY, str(amount), 0)
        assert billed.amount == amount and isinstance(billed.amount, int)
    billed = c.bill(c.Rounding.CARRY, f"{MOST}.999999999999999999", 0)
    assert (billed.amount, billed.remainder) == (MOST, 10**18 - 1)


@pytest.mark.parametrize(
    ("exact", "code"),
    [(f"{MOST + 1}", "amount_overflow"), ("-1", "decimal_invalid"), ("1e3", "decimal_invalid"),
     ("0.0000000000000000001", "decimal_too_fine"), ("", "decimal_invalid")],
)
def test_what_is_no_amount_is_refused_by_code(exact, code):
    with pytest.raises(c.Error) as failed:
        c.bill(c.Rounding.CARRY, exact, 0)
    assert failed.value.code == code


@pytest.mark.parametrize("amount", [-1, MOST + 1])
def test_an_integer_that_is_no_amount_is_refused_by_code(shop, amount):
    [lane] = shop.meter.lanes()
    with pytest.raises(c.Error) as failed:
        shop.meter.collect(lane.lane, amount, reference="x")
    assert failed.value.code in ("amount_overflow", "decimal_invalid")


@pytest.mark.parametrize("instant", [-1, 2**62])
def test_an_impossible_instant_is_refused_by_code(shop, instant):
    with pytest.raises(c.Error) as failed:
        shop.meter.due(now=instant)
    assert failed.value.code == "time_invalid"


def test_an_error_says_what_where_and_on_which_input():
    with pytest.raises(c.Error) as failed:
        c.Plan.from_json('{"format": "counterfoil/plan/1", "prise": 1}')
    error = failed.value
    assert error.code.startswith("json_") and error.place.startswith("/")
    assert str(error) == error.reason and error.place in str(error)
    with pytest.raises(c.Error) as failed:
        c.LocalKey(bytes(31))
    assert failed.value.code == "key_invalid"
    with pytest.raises(c.Error) as failed:
        c.LocalKey(bytes(31) + b"\1").sign("0x12")
    assert (failed.value.code, failed.value.offending) == ("hex_invalid", "0x12")
