"""How commands print: tables for people, one JSON document for programs, numbers with their digits."""

import json
import os
import sys
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from jumun.model.money import WIDE

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
PLACES: Final = {"KRW": 0, "USD": 2}
AVERAGE_PLACES: Final = 2
ENDLESS: Final = 100_000  # columns: what a table would like to be wide


def out() -> Console:
    """The console on stdout; its width is COLUMNS, else the terminal's, else 160."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = max(console.width, 160)
    return console


def as_json(value: object) -> None:
    """Print one JSON document: Decimals as text, so that no reader makes a float of money."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def as_json_line(value: object) -> None:
    """Print one JSON document on one line, at once: for a reader that follows."""
    print(json.dumps(value, default=_plain, ensure_ascii=False), flush=True)


def table(*columns: str, whole: tuple[str, ...] = ()) -> Table:
    """Return an empty table for text that may wrap; what is in the columns `whole` never does."""
    made = _bare(1)
    for name in columns:
        made.add_column(name, no_wrap=name in whole, overflow="fold")
    return made


def pairs(title: str | None = None) -> Table:
    """Return an empty table of names and values, without a head."""
    made = _bare(1, title)
    made.show_header = False
    made.add_column("name", no_wrap=True)
    made.add_column("value", overflow="fold")
    return made


class Figures:
    """A table of numbers, of which none is ever wrapped or cut: what does not fit is left out or stacked.

    `left` are the columns of words. `optional` are those that a narrow screen goes without, first the first.
    When the rest is still too wide, every row becomes a line of its own with named figures.
    """

    def __init__(
        self,
        *columns: str,
        left: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        title: str | None = None,
    ) -> None:
        self._columns = columns
        self._left = left
        self._optional = optional
        self._title = title
        self._rows: list[tuple[str, ...]] = []

    def add(self, *cells: str) -> None:
        """Add a row, one text a column."""
        assert len(cells) == len(self._columns), f"{len(cells)} cells for {len(self._columns)} columns"
        self._rows.append(cells)

    def fitting(self, console: Console) -> Table | None:
        """Return the fullest table that fits the console, or None when none does."""
        for count in range(len(self._optional) + 1):
            for space in (1, 0):
                made = self._made(frozenset(self._optional[:count]), space)
                endless = console.options.update(max_width=ENDLESS)
                if Measurement.get(console, endless, made).maximum <= console.width:
                    return made
        return None

    @property
    def has_rows(self) -> bool:
        """Whether anything was added."""
        return bool(self._rows)

    def show(self, console: Console) -> None:
        """Print it."""
        made = self.fitting(console)
        if made is not None:
            console.print(made)
            return
        if self._title is not None:
            console.print(f"\n{self._title}", style="bold")
        for cells in self._rows:
            named = list(zip(self._columns, cells, strict=True))
            console.print(" ".join(cell for name, cell in named if name in self._left), soft_wrap=True)
            for name, cell in named:
                if name not in self._left:
                    console.print(f"  {name} {cell}", soft_wrap=True)

    def _made(self, without: frozenset[str], space: int) -> Table:
        made = _bare(space, self._title)
        kept = [number for number, name in enumerate(self._columns) if name not in without]
        for number in kept:
            name = self._columns[number]
            made.add_column(name.strip(), justify="left" if name in self._left else "right", no_wrap=True)
        for cells in self._rows:
            made.add_row(*(cells[number] for number in kept))
        return made


def _bare(space: int, title: str | None = None) -> Table:
    return Table(
        box=SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, space, 0, 0),
    )


def money(value: Decimal | None, currency: str) -> str:
    """Return an amount to the won or the cent, half up, with thousands separators; '?' for unknown.

    For tables: the books are exact, and `--json` shows every digit of them.
    """
    return "?" if value is None else _grouped(value, PLACES.get(currency, 2))


def exact(value: Decimal | None, currency: str) -> str:
    """Return an amount or a price with every place it has, at least to the won or cent; '?' for unknown."""
    if value is None:
        return "?"
    return f"{value:,.{max(PLACES.get(currency, 2), _places(value))}f}"


def average(value: Decimal | None, currency: str) -> str:
    """Return a price that was divided out, two places beyond the won or the cent; '?' for unknown."""
    if value is None:
        return "?"
    places = PLACES.get(currency, 2)
    rounded = _rounded(value, places + AVERAGE_PLACES)
    return f"{rounded:,.{max(places, _places(rounded))}f}"


def qty(value: Decimal) -> str:
    """Return a quantity without needless zeros."""
    return f"{value.normalize(WIDE):,f}" if value else "0"


def status_text(status: str) -> str:
    """Return a status as people see it; ERROR means that the outcome is unknown."""
    return "UNKNOWN" if status == "ERROR" else status


def when(ts_ns: int, *, zone: ZoneInfo | None = None) -> str:
    """Return an instant to the millisecond, in UTC unless a venue's zone is given."""
    moment = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone(zone or UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns // 1_000_000 % 1000:03d}"


def age(seconds: str) -> str:
    """Return how long ago in its two largest units, such as 45 s or 3 h 20 min; '?' for unknown."""
    if not seconds:
        return "?"
    left, told = int(Decimal(seconds)), list[str]()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or told or unit == "s":
            told.append(f"{count} {unit}")
        if len(told) == 2:
            break
    return " ".join(told)


def seconds(value: Decimal | None) -> str:
    """Return a time to the millisecond; '?' for unknown."""
    return "?" if value is None else f"{_rounded(value, 3):,.3f} s"


def share(value: Decimal | None) -> str:
    """Return a fraction as a percentage with two places; '?' for unknown."""
    return "?" if value is None else f"{_rounded(value * 100, 2):,.2f} %"


def warn(text: str) -> None:
    """Print a sentence on stderr."""
    print(text, file=sys.stderr)


def _grouped(value: Decimal, places: int) -> str:
    return f"{_rounded(value, places):,.{places}f}"


def _rounded(value: Decimal, places: int) -> Decimal:
    """Half up, as people round; + 0 makes zero of minus zero."""
    return WIDE.add(value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=WIDE), 0)


def _places(value: Decimal) -> int:
    exponent = value.normalize(WIDE).as_tuple().exponent if value else 0
    assert isinstance(exponent, int), "books hold finite amounts"
    return max(-exponent, 0)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    raise TypeError(f"{type(value).__name__} has no JSON form; give it one in printing._plain")
