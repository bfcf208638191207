"""Fields of KIS's replies, read strictly: text in, exact values out, else UnreadableReply (F-41, I-39).

KIS sends every value as text, padded with blanks or zeros. Blanks around a value and zeros before it mean
nothing; a blank where a number belongs, a sign, a comma or a JSON number is not guessed at.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import ROUND_DOWN, Decimal
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from jumun.model.errors import UnreadableReply
from jumun.model.ids import BrokerOrderNo
from jumun.model.money import WIDE, BadNumber, to_decimal

KOREA: Final = ZoneInfo("Asia/Seoul")
NEW_YORK: Final = ZoneInfo("America/New_York")
NS: Final = 1_000_000_000
RAW_MAX: Final = 4_000  # characters of evidence kept of one row or reply
ZERO: Final = Decimal(0)
Meaning = TypeVar("Meaning")

_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_BRANCH = re.compile(r"[0-9]{1,5}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_TIME = re.compile(r"[0-9]{6}", re.ASCII)
_SYMBOL = re.compile(r"[0-9A-Z][0-9A-Z./\-]{0,11}", re.ASCII)
_PERSONAL: Final = frozenset(
    {"ctac_tlno", "inqr_ip_addr"}
)  # a telephone and an address: no evidence of a trade
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


class Fields:
    """One object of a reply by the names of its fields; every method names the field that it cannot read."""

    __slots__ = ("_what", "values")

    def __init__(self, values: Mapping[str, object], what: str) -> None:
        """Read `values`; `what` names the object in refusals, such as "row 3 of inquire-daily-ccld"."""
        self.values = values
        self._what = what

    @property
    def raw(self) -> str:
        """The object as it came, as JSON, without what is private; the evidence of whatever it proves."""
        kept = {name: value for name, value in self.values.items() if name not in _PERSONAL}
        return msgspec.json.encode(kept).decode()[:RAW_MAX]

    def unreadable(self, problem: str) -> UnreadableReply:
        """Return the error for this object: what, which one, and that nothing follows from it."""
        return UnreadableReply(f"{self._what}: {problem}; nothing is concluded from this reply", raw=self.raw)

    def optional(self, *names: str) -> str:
        """Return the first field of these names that is there, without its blanks; "" when none is."""
        for name in names:
            if name in self.values:
                value = self.values[name]
                if not isinstance(value, str):
                    raise self.unreadable(f"{name} is {type(value).__name__} and not text")
                return value.strip(" ")
        return ""

    def text(self, *names: str) -> str:
        """Return a field that must be there and hold something, whichever of `names` it has."""
        value = self.optional(*names)
        if not value:
            raise self.unreadable(f"{names[0]} is missing or blank")
        return value

    def signed(self, *names: str) -> Decimal:
        """Return an amount that may be below zero."""
        text = self.text(*names)
        try:
            value = to_decimal(text, field=names[0])
        except BadNumber as error:
            raise self.unreadable(str(error)) from None
        return tidy(value)

    def number(self, *names: str) -> Decimal:
        """Return an amount or price of zero or more."""
        value = self.signed(*names)
        if value < 0:
            raise self.unreadable(f"{names[0]} is {value}, below zero")
        return value

    def shares(self, *names: str) -> Decimal:
        """Return whole shares, zero or more."""
        value = self.number(*names)
        if value != value.to_integral_value(rounding=ROUND_DOWN):
            raise self.unreadable(f"{names[0]} is {value}, no whole number of shares")
        return value

    def one_of(self, table: Mapping[str, Meaning], *names: str) -> Meaning:
        """Return what a code means by a closed table; an unknown code is never guessed."""
        code = self.text(*names)
        if code not in table:
            known = ", ".join(sorted(table))
            raise self.unreadable(f"{names[0]} is {code!r}, which is none of {known}")
        return table[code]

    def yes(self, name: str) -> bool:
        """Return whether a flag says Y; N and blank are no, anything else is unreadable."""
        flag = self.optional(name)
        if flag not in ("Y", "N", ""):
            raise self.unreadable(f"{name} is {flag!r} and neither Y nor N")
        return flag == "Y"

    def symbol(self, name: str) -> str:
        """Return an issue's code, whatever kind of issue it is."""
        value = self.text(name)
        if not _SYMBOL.fullmatch(value):
            raise self.unreadable(f"{name} is {value!r}, which is no symbol")
        return value

    def order_number(self, *names: str) -> BrokerOrderNo:
        """Return an order number in its one spelling: ten digits."""
        found = self.parent_number(*names)
        if not found:
            raise self.unreadable(f"{names[0]} names no order")
        return found

    def parent_number(self, *names: str) -> BrokerOrderNo:
        """Return the number of another order; blank or zeros mean none, which is ""."""
        value = self.optional(*names)
        if value and not _NUMBER.fullmatch(value):
            raise self.unreadable(f"{names[0]} is {value!r}, which is no order number")
        return BrokerOrderNo(value.zfill(10) if value.strip("0") else "")

    def branch(self, *names: str) -> str:
        """Return a branch in its one spelling: five digits."""
        value = self.text(*names)
        if not _BRANCH.fullmatch(value):
            raise self.unreadable(f"{names[0]} is {value!r}, which is no branch")
        return value.zfill(5)

    def day(self, name: str) -> date:
        """Return a date written YYYYMMDD."""
        value = self.text(name)
        try:
            if not _DATE.fullmatch(value):
                raise ValueError
            return date(int(value[:4]), int(value[4:6]), int(value[6:]))
        except ValueError:
            raise self.unreadable(f"{name} is {value!r}, which is no date") from None

    def clock(self, name: str) -> time:
        """Return a time of day written HHMMSS."""
        value = self.text(name)
        try:
            if not _TIME.fullmatch(value):
                raise ValueError
            return time(int(value[:2]), int(value[2:4]), int(value[4:]))
        except ValueError:
            raise self.unreadable(f"{name} is {value!r}, which is no time of day") from None


def tidy(value: Decimal) -> Decimal:
    """Return the same number without needless zeros and without an exponent: 190.00000000 is 190."""
    if value == value.to_integral_value(rounding=ROUND_DOWN):
        return Decimal(int(value))
    return value.normalize(WIDE)


def korean_ns(day: date, at: time) -> int:
    """Return UTC nanoseconds of a wall clock in Seoul; Korea has no summer time."""
    return _ns(datetime.combine(day, at, tzinfo=KOREA))


def clipped(body: bytes) -> str:
    """Return the beginning of a reply as text, whatever its bytes are."""
    return body[:RAW_MAX].decode("utf-8", "backslashreplace")


def _ns(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS
