"""Numbers, dates and times as KIS writes them: text, Korean time, no zone mark."""

from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from jumun.model.instruments import Venue
from jumun.model.money import WIDE

NS: Final = 1_000_000_000
ZERO: Final = Decimal(0)
SEOUL: Final = ZoneInfo("Asia/Seoul")
NEW_YORK: Final = ZoneInfo("America/New_York")
HUNDRED: Final = Decimal(100)


def korean(ts_ns: int) -> datetime:
    """Return an instant as Korean wall clock time."""
    return datetime.fromtimestamp(ts_ns // NS, tz=UTC).astimezone(SEOUL)


def local(venue: Venue, ts_ns: int) -> datetime:
    """Return an instant as wall clock time of a venue."""
    return datetime.fromtimestamp(ts_ns // NS, tz=UTC).astimezone(NEW_YORK if venue is Venue.US else SEOUL)


def hms(at: datetime) -> str:
    """Return HHMMSS."""
    return at.strftime("%H%M%S")


def ymd(day: date) -> str:
    """Return YYYYMMDD."""
    return day.strftime("%Y%m%d")


def compact(iso_date: str) -> str:
    """Return YYYYMMDD of an ISO date."""
    return iso_date.replace("-", "")


def read_day(text: str) -> date | None:
    """Return the date of a YYYYMMDD text, None for anything else."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def whole(number: Decimal) -> str:
    """Return won or shares: digits only, rounded half up."""
    return format(number.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=WIDE), "f")


def plain(number: Decimal, places: int = 8) -> str:
    """Return a number without needless zeros, cut to `places`."""
    if number == number.to_integral_value():
        return whole(number)
    return format(
        number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN, context=WIDE).normalize(), "f"
    )


def fixed(number: Decimal, places: int) -> str:
    """Return a number with exactly so many decimals, rounded half up."""
    return format(number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=WIDE), "f")


def ratio(part: Decimal, base: Decimal) -> Decimal:
    """Return how many percent `part` is of `base`; nothing of nothing is 0."""
    return WIDE.multiply(WIDE.divide(part, base), HUNDRED) if base else ZERO


def average(amount: Decimal, qty: Decimal) -> Decimal:
    """Return amount by quantity; 0 where there is no quantity."""
    return WIDE.divide(amount, qty) if qty else ZERO
