"""Reads daily bars from CSV, plain or gzip. A broken row is refused with its place and reason.

Columns: date, open, high, low, close, volume, and optionally symbol; without it the symbol is the file name
up to the first underscore (`005930_daily.csv`). A zero open, high and low beside a close is a day without
trading. Lines are read one by one: no field holds a line end, so an open quote costs its own line only.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

import msgspec

from jumun.exchange.prices import Bar
from jumun.model.errors import BadInput, ConfigError, OmsError
from jumun.model.money import to_decimal
from jumun.model.reasons import Reason

COLUMNS: Final = ("date", "open", "high", "low", "close", "volume")
PRICES: Final = ("open", "high", "low", "close")
LINE_MAX: Final = 65_536  # characters; a longer line is refused without being held in memory
LISTED_MAX: Final = 20  # column names in a sentence
SHOWN_MAX: Final = 40  # characters of somebody else's text in a sentence

Row = dict[str, str]


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused: where, why, and one sentence for a person."""

    file: str
    line: int  # physical, counted from 1, blank lines included
    reason: Reason
    text: str


class InOrder:
    """Refuses a bar that came already and one older than the newest of its symbol.

    Only bars that were taken count: a refused row says nothing about those after it.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, date], str] = {}
        self._newest: dict[str, date] = {}

    def take(self, bar: Bar, place: str) -> None:
        """Remember the bar and its place; raises BadInput."""
        first = self._places.get((bar.symbol, bar.day))
        if first is not None:
            raise BadInput(
                f"the bar of {bar.symbol} on {bar.day} came already in {first}; keep one of the two"
            )
        newest = self._newest.get(bar.symbol)
        if newest is not None and bar.day < newest:
            raise BadInput(
                f"{bar.symbol} {bar.day} comes after {newest}; sort the file by date", reason=Reason.BAD_TIME
            )
        self._places[bar.symbol, bar.day] = place
        self._newest[bar.symbol] = bar.day


def read_bars(path: Path, take: Callable[[Bar, str], None] | None = None) -> Iterator[Bar | BadRow]:
    """Yield a bar or a refusal for each row, in the order of the file.

    `take` is given each bar that could be read and its place, and refuses it by raising OmsError; without
    one the bars of this file must be in order. Raises ConfigError as `read_table` does.
    """
    take = take or InOrder().take
    default = symbol_of_file(path)
    for line, row in read_table(path, COLUMNS):
        try:
            if isinstance(row, BadInput):
                raise row
            bar = _bar(row, default)
            take(bar, place_of(path, line))
        except OmsError as error:
            yield refusal(path, line, error)
        else:
            yield bar


def read_table(
    path: Path, required: tuple[str, ...], known: frozenset[str] | None = None
) -> Iterator[tuple[int, Row | BadInput]]:
    """Yield (physical line, row) of a CSV whose first line names its columns; blank lines are skipped.

    A line that is no row comes as the error to refuse it with. Raises ConfigError when the file cannot be
    opened, is not text, lacks a required column, names one twice, or has one that is not `known`.
    """
    try:
        with _open(path) as stream:
            lines = _lines(stream)
            header = _header(path, next(lines, (1, ""))[1], required, known)
            for line, text in lines:
                if text is None or text.strip():
                    yield line, _row(text, header)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error}); give a readable .csv or .csv.gz file") from error
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise _bad_file(f"{path} cannot be read ({error}); save it as UTF-8 text, plain or gzip") from error


def place_of(path: Path, line: int) -> str:
    """Return how a line is named to people."""
    return f"{path.name} line {line}"


def refusal(path: Path, line: int, error: OmsError) -> BadRow:
    """Return the refusal of a line for what `error` says."""
    return BadRow(file=path.name, line=line, reason=error.reason, text=f"{place_of(path, line)}: {error}")


def symbol_of_file(path: Path) -> str:
    """Return the symbol a file is named for: what stands before the first underscore or dot."""
    return path.name.split(".", 1)[0].split("_", 1)[0]


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _lines(stream: TextIO) -> Iterator[tuple[int, str | None]]:
    """Yield each physical line with its number, or None for one that is too long."""
    number = 0
    while piece := stream.readline(LINE_MAX + 1):
        number += 1
        whole = piece.endswith("\n") or len(piece) <= LINE_MAX
        while len(piece) > LINE_MAX and not piece.endswith("\n"):
            piece = stream.readline(LINE_MAX + 1)
        yield number, piece if whole else None


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise BadInput(f"the line is no CSV ({error}); close or remove its quotes") from error


def _row(text: str | None, header: list[str]) -> Row | BadInput:
    if text is None:
        return BadInput(f"the line is longer than {LINE_MAX} characters; correct or remove it")
    try:
        fields = _fields(text)
    except BadInput as error:
        return error
    if len(fields) != len(header):
        return BadInput(
            f"the row has {len(fields)} fields and the first line {len(header)}; correct or remove it"
        )
    return dict(zip(header, fields, strict=True))


def _header(
    path: Path, text: str | None, required: tuple[str, ...], known: frozenset[str] | None
) -> list[str]:
    try:
        header = [name.strip() for name in _fields(text or "")]
    except BadInput as error:
        raise _bad_file(f"{path} line 1: {error}") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _bad_file(f"{path} names the column {_listed(twice)} twice in its first line; keep one of them")
    missing = [name for name in required if name not in header]
    if len(missing) == len(required):
        raise _bad_file(f"{path} names none of its columns; its first line must hold {_listed(required)}")
    if missing:
        raise _bad_file(f"{path} lacks {_listed(missing)} in its first line; name {_listed(required)} there")
    unknown = [name for name in header if known is not None and name not in known]
    if unknown:
        raise _bad_file(f"{path} does not know {_listed(unknown)} of its first line; remove or rename it")
    return header


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name[:SHOWN_MAX] or "without a name" for name in names[:LISTED_MAX])


def _bad_file(text: str) -> ConfigError:
    return ConfigError(text, reason=Reason.BAD_INPUT)


def _bar(row: Row, default: str) -> Bar:
    try:
        day = date.fromisoformat(row["date"].strip())
    except ValueError:
        raise BadInput(
            f"date is {row['date'][:SHOWN_MAX]!r}; write it like 2025-06-17", reason=Reason.BAD_TIME
        ) from None
    open_, high, low, close = (to_decimal(row[name].strip(), field=name) for name in PRICES)
    volume = to_decimal(row["volume"].strip(), field="volume")
    symbol = row.get("symbol", default).strip()
    if not symbol:
        raise BadInput("symbol is empty; fill it in", reason=Reason.UNKNOWN_SYMBOL)
    traded = not (open_ == high == low == 0 and close > 0)
    if traded:
        _require_sane(open_, high, low, close)
    if volume < 0:
        raise BadInput(f"volume is {volume}; it cannot be negative", reason=Reason.BAD_NUMBER)
    return Bar(
        symbol=symbol, day=day, open=open_, high=high, low=low, close=close, volume=volume, traded=traded
    )


def _require_sane(open_: Decimal, high: Decimal, low: Decimal, close: Decimal) -> None:
    if low <= 0:
        raise BadInput(f"low is {low}; prices must be above zero", reason=Reason.PRICE_NOT_POSITIVE)
    if not low <= min(open_, close) <= max(open_, close) <= high:
        raise BadInput(
            f"open {open_}, high {high}, low {low}, close {close} contradict each other; correct the row",
            reason=Reason.BAD_NUMBER,
        )
