"""Exact numbers: what enters the core, what is refused, and amounts that keep their currency."""

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.money import (
    AMOUNT_DIGITS,
    AMOUNT_SCALE,
    PRICE_DIGITS,
    PRICE_SCALE,
    QTY_DIGITS,
    QTY_SCALE,
    BadNumber,
    Currency,
    CurrencyMismatch,
    Money,
    decimal_of_double,
    exact_product,
    exact_sum,
    fits_scale,
    to_decimal,
)
from jumun.model.reasons import Reason


@pytest.mark.req("C-6", "I-31")
@pytest.mark.parametrize(
    ("value", "exact"),
    [("70000", "70000"), ("-12.50", "-12.50"), ("+0.1", "0.1"), (7, "7"), (Decimal("0.1"), "0.1")],
)
def test_text_whole_numbers_and_decimals_are_taken_exactly(value: object, exact: str) -> None:
    number = to_decimal(value, field="price")
    assert number == Decimal(exact)
    assert str(number) == exact


@pytest.mark.req("I-31", "F-96", "C-44")
@pytest.mark.parametrize(
    "value",
    [
        0.1,
        70000.0,
        float("nan"),
        True,
        None,
        b"1",
        [1],
        "",
        " 1",
        "1 ",
        "1_000",
        "1,000",
        "1e5",
        "NaN",
        "Infinity",
        "0x10",
        "١٢",
        ".5",
        "5.",
        "--1",
        "1\n",
        "9" * 65,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
    ],
)
def test_anything_that_is_not_an_exact_number_is_refused(value: object) -> None:
    with pytest.raises(BadNumber, match="price") as refusal:
        to_decimal(value, field="price")
    assert refusal.value.reason is Reason.BAD_NUMBER
    assert "send" in str(refusal.value)


@pytest.mark.req("C-44", "I-31")
@pytest.mark.parametrize(
    ("double", "exact"),
    [(0.1, "0.1"), (230.15, "230.15"), (1e-7, "0.0000001"), (-3.0, "-3"), (70_000, "70000")],
)
def test_a_double_is_read_as_its_shortest_text(double: float, exact: str) -> None:
    assert decimal_of_double(double, field="price") == Decimal(exact)


@pytest.mark.req("F-96")
@pytest.mark.parametrize("double", [float("nan"), float("inf"), float("-inf"), True, "1", None])
def test_a_double_that_is_no_number_is_refused(double: float) -> None:
    with pytest.raises(BadNumber, match="price"):
        decimal_of_double(double, field="price")


@pytest.mark.req("C-44")
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_the_way_through_its_text(double: float) -> None:
    assert float(decimal_of_double(double, field="price")) == double


@pytest.mark.req("C-6", "C-5")
@pytest.mark.parametrize(
    ("value", "scale", "digits", "fits"),
    [
        ("0.00000001", PRICE_SCALE, PRICE_DIGITS, True),
        ("0.000000001", PRICE_SCALE, PRICE_DIGITS, False),
        ("1.230000000000", 2, 20, True),
        ("999999999999.99999999", PRICE_SCALE, PRICE_DIGITS, True),
        ("1000000000000", PRICE_SCALE, PRICE_DIGITS, False),
        ("0.000001", QTY_SCALE, QTY_DIGITS, True),
        ("0.0000001", QTY_SCALE, QTY_DIGITS, False),
        ("9999999999999999.9999", AMOUNT_SCALE, AMOUNT_DIGITS, True),
        ("0.00001", AMOUNT_SCALE, AMOUNT_DIGITS, False),
        ("-12.5", AMOUNT_SCALE, AMOUNT_DIGITS, True),
        ("0E-30", AMOUNT_SCALE, AMOUNT_DIGITS, True),
        ("1E+3", AMOUNT_SCALE, AMOUNT_DIGITS, True),
        ("NaN", AMOUNT_SCALE, AMOUNT_DIGITS, False),
        ("Infinity", AMOUNT_SCALE, AMOUNT_DIGITS, False),
    ],
)
def test_a_number_fits_its_column_or_says_so(value: str, scale: int, digits: int, fits: bool) -> None:
    assert fits_scale(Decimal(value), scale, digits) is fits


@pytest.mark.req("C-6")
@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-10_000, max_value=10_000))
def test_what_fits_a_column_is_unchanged_by_storing_it(value: Decimal) -> None:
    stored = value.quantize(Decimal("0.0001"))
    assert fits_scale(value, AMOUNT_SCALE, AMOUNT_DIGITS) is (stored == value)


@pytest.mark.req("I-04")
def test_a_product_keeps_every_digit_the_default_context_would_drop() -> None:
    price, qty = Decimal("123456789012.12345678"), Decimal("123456789012.123456")
    whole = 12345678901212345678 * 123456789012123456
    assert exact_product(price, qty) == Decimal(f"{whole}E-14")
    assert exact_product(price, qty) != price * qty, "28 digits are not enough here"
    with pytest.raises(Inexact):
        exact_product(Decimal("1." + "3" * 50), Decimal("1." + "7" * 50))


def test_a_sum_of_nothing_is_nothing_and_large_sums_keep_the_last_won() -> None:
    assert exact_sum([]) == 0
    assert exact_sum([Decimal("1E+30"), Decimal("0.0001")]) == Decimal("1" + "0" * 30 + ".0001")


@pytest.mark.req("C-6")
def test_amounts_of_one_currency_add_subtract_and_compare() -> None:
    five, two = Money(Decimal(5), Currency.KRW), Money(Decimal(2), Currency.KRW)
    assert five + two == Money(Decimal(7), Currency.KRW)
    assert five - two == Money(Decimal(3), Currency.KRW)
    assert -two == Money(Decimal(-2), Currency.KRW)
    assert two < five
    assert two <= two + Money.zero(Currency.KRW)
    assert str(Money(Decimal("1234567.50"), Currency.USD)) == "1,234,567.50 USD"


@pytest.mark.req("C-6")
@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__"])
def test_won_and_dollars_never_mix(operation: str) -> None:
    won, dollars = Money(Decimal(1), Currency.KRW), Money(Decimal(1), Currency.USD)
    with pytest.raises(CurrencyMismatch, match="1 KRW and 1 USD") as refusal:
        getattr(won, operation)(dollars)
    assert refusal.value.reason is Reason.CURRENCY_MISMATCH
    assert won != dollars


@pytest.mark.req("I-31")
@pytest.mark.parametrize("amount", [1.5, 1, "1", Decimal("NaN")])
def test_money_is_never_built_from_a_float(amount: Decimal) -> None:
    with pytest.raises(BadNumber, match="money amount"):
        Money(amount, Currency.KRW)
