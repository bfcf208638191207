"""Exact numbers: money with its currency, and the only two ways a number enters the core.

`to_decimal` takes text, `int` and `Decimal`; `decimal_of_double` is for doors that receive a double and
goes through its shortest text. Everything else is refused: a float inside the core is how a won is lost.
"""

import re
from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from enum import StrEnum
from typing import ClassVar, Final, Self

import msgspec

from jumun.model.errors import OmsError
from jumun.model.reasons import Reason

PRICE_SCALE: Final = 8
QTY_SCALE: Final = 6
AMOUNT_SCALE: Final = 4
# The columns are NUMERIC(20,8), NUMERIC(18,6) and NUMERIC(20,4): digits left of the point follow from that.
PRICE_DIGITS: Final = 20
QTY_DIGITS: Final = 18
AMOUNT_DIGITS: Final = 20
TEXT_MAX: Final = 64  # longer than any column; a longer text is an attack or a mistake

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)

# The default context keeps 28 digits and rounds in silence; price times quantity can need 38.
# Nobody changes a flag on purpose here, so sharing one context between threads is harmless.
EXACT: Final = Context(
    prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact]
)
WIDE: Final = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?", re.ASCII)


class BadNumber(OmsError):
    """A value that is not an exact, finite number we accept."""

    default_reason: ClassVar[Reason] = Reason.BAD_NUMBER


class CurrencyMismatch(OmsError):
    """Two amounts of different currencies met in one sum."""

    default_reason: ClassVar[Reason] = Reason.CURRENCY_MISMATCH


class Currency(StrEnum):
    """The currencies we keep books in (ISO 4217)."""

    KRW = "KRW"
    USD = "USD"


def to_decimal(value: object, *, field: str) -> Decimal:
    """Return `value` as an exact `Decimal`; `field` names it in the refusal.

    Accepts `Decimal` (finite), `int`, and plain ASCII text such as "-12.50". Refuses float, bool, None, NaN,
    infinity, exponents in text, blanks, digit separators and anything over 64 characters. Raises BadNumber.
    """
    if isinstance(value, Decimal):
        return _finite(value, field)
    if isinstance(value, bool):
        raise BadNumber(f"{field} is a truth value ({value}), not a number; send digits")
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        return _from_text(value, field)
    kind = type(value).__name__
    raise BadNumber(f"{field} is a {kind}, which is not exact; send it as text, int or Decimal")


def decimal_of_double(value: float, *, field: str) -> Decimal:
    """Return a double as the shortest decimal text that reads back as the same double (0.1 is 0.1).

    For doors only. An `int` is taken as it is. NaN, infinity, bool and other types raise BadNumber.
    """
    if isinstance(value, int):
        return to_decimal(value, field=field)
    if not isinstance(value, float):
        raise BadNumber(f"{field} is a {type(value).__name__}, not a double; send a number")
    return _finite(Decimal(repr(value)), field)


def fits_scale(value: Decimal, scale: int, digits: int) -> bool:
    """Return whether `value` can be stored in NUMERIC(digits, scale) without losing anything.

    Trailing zeros cost nothing: 1.2300 fits scale 2. A non-finite value never fits.
    """
    if not value.is_finite():
        return False
    if not value:
        return True
    if value.adjusted() >= digits - scale:
        return False
    _, figures, exponent = value.as_tuple()
    assert isinstance(exponent, int), "finite values have an integer exponent"
    needless = len(figures) - len("".join(map(str, figures)).rstrip("0"))
    return exponent + needless >= -scale


def exact_product(left: Decimal, right: Decimal) -> Decimal:
    """Multiply without ever rounding; a result over 80 digits raises decimal.Inexact."""
    return EXACT.multiply(left, right)


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add without ever rounding; the empty sum is 0."""
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


class Money(msgspec.Struct, frozen=True, kw_only=False, gc=False):
    """An amount in one currency. `amount` is in whole units (won, dollars), never in cents.

    Arithmetic between currencies raises CurrencyMismatch: there is no implicit exchange rate.
    """

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise BadNumber(f"money amount is a {type(self.amount).__name__}; build it with to_decimal")
        _finite(self.amount, "money amount")

    @classmethod
    def zero(cls, currency: Currency) -> Self:
        """Return nothing of `currency`."""
        return cls(ZERO, currency)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(EXACT.subtract(self.amount, other.amount), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same_currency(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._same_currency(other)
        return self.amount <= other.amount

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency is not other.currency:
            raise CurrencyMismatch(
                f"{self} and {other} cannot be combined; convert one with a booked rate first"
            )


def _from_text(text: str, field: str) -> Decimal:
    if len(text) > TEXT_MAX:
        raise BadNumber(f"{field} has {len(text)} characters; send at most {TEXT_MAX}")
    if not _PLAIN_NUMBER.fullmatch(text):
        raise BadNumber(f"{field} is {text!r}, which is not a plain decimal number; send digits like 12.50")
    return Decimal(text)


def _finite(value: Decimal, field: str) -> Decimal:
    if not value.is_finite():
        raise BadNumber(f"{field} is {value}, which is not a finite number; send digits like 12.50")
    return value
