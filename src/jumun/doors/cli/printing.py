"""How commands print: tables for people, one JSON document for programs, numbers with their digits."""

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
PLACES = {"KRW": 0, "USD": 2}


def out() -> Console:
    """The console on stdout; its width is the terminal's, 80 or more where there is none."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = max(console.width, 160)
    return console


def as_json(value: object) -> None:
    """Print one JSON document: Decimals as text, so that no reader makes a float of money."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def table(
    *columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = (), title: str | None = None
) -> Table:
    """Return an empty table in the house style; `right` names number columns, `whole` what never wraps."""
    made = Table(
        box=SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        made.add_column(name, justify=justify, no_wrap=name in right or name in whole, overflow="fold")
    return made


def money(value: Decimal | None, currency: str) -> str:
    """Return an amount with thousands separators, at least to the won or the cent; '' for unknown.

    More places are shown where the amount has them: the books are exact, and so is what is shown of them.
    """
    if value is None:
        return "?"
    places = max(PLACES.get(currency, 2), -_exponent(value.normalize()) if value else 0)
    return f"{value:,.{places}f}"


def qty(value: Decimal) -> str:
    """Return a quantity without needless zeros."""
    return f"{value.normalize():,f}" if value else "0"


def status_text(status: str) -> str:
    """Return a status as people see it; ERROR means that the outcome is unknown."""
    return "UNKNOWN" if status == "ERROR" else status


def when(ts_ns: int, *, zone: ZoneInfo | None = None) -> str:
    """Return an instant to the millisecond, in UTC unless a venue's zone is given."""
    moment = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(zone or UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns // 1_000_000 % 1000:03d}"


def warn(text: str) -> None:
    """Print a sentence on stderr."""
    print(text, file=sys.stderr)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "books hold finite amounts"
    return min(exponent, 0)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no JSON form; give it one in printing._plain")
