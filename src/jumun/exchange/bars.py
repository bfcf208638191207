"""Reads daily bars from CSV, plain or gzip. A broken row is refused with its place and reason.

Columns: date, open, high, low, close, volume, and optionally symbol; without it the symbol is the file name
up to the first underscore (`005930_daily.csv`). A zero open, high and low beside a close is a day without
trading.
"""

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

import msgspec

from jumun.exchange.prices import Bar
from jumun.model.errors import BadInput, ConfigError
from jumun.model.money import BadNumber, to_decimal
from jumun.model.reasons import Reason

COLUMNS: Final = ("date", "open", "high", "low", "close", "volume")
PRICES: Final = ("open", "high", "low", "close")


class BadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was refused: where, why, and one sentence for a person."""

    file: str
    line: int
    reason: Reason
    text: str


def read_bars(path: Path) -> Iterator[Bar | BadRow]:
    """Yield a bar or a refusal for each row, in the order of the file.

    Raises ConfigError when the file cannot be opened, is not text, or lacks a column.
    """
    try:
        with _open(path) as lines:
            yield from _rows(path, lines)
    except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read ({error}); give a readable .csv or .csv.gz file") from error


def symbol_of_file(path: Path) -> str:
    """Return the symbol a file is named for: what stands before the first underscore or dot."""
    return path.name.split(".", 1)[0].split("_", 1)[0]


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path, lines: TextIO) -> Iterator[Bar | BadRow]:
    reader = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path} has no column {', '.join(missing)}; its first line must name {COLUMNS}")
    default, last_seen = symbol_of_file(path), dict[str, date]()
    for row in reader:
        try:
            yield _in_order(_bar(row, default), last_seen)
        except BadInput as error:
            yield _refused(path, reader.line_num, error.reason, str(error))
        except BadNumber as error:
            yield _refused(path, reader.line_num, error.reason, str(error))


def _refused(path: Path, line: int, reason: Reason, text: str) -> BadRow:
    return BadRow(file=path.name, line=line, reason=reason, text=f"{path.name} line {line}: {text}")


def _bar(row: dict[str, str], default: str) -> Bar:
    if None in row or None in row.values():
        raise BadInput("the row has more or fewer fields than the first line; correct or remove it")
    try:
        day = date.fromisoformat(row["date"])
    except ValueError:
        raise BadInput(f"date is {row['date']!r}; write it like 2025-06-17", reason=Reason.BAD_TIME) from None
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


def _in_order(bar: Bar, last_seen: dict[str, date]) -> Bar:
    before = last_seen.get(bar.symbol)
    if before is not None and bar.day <= before:
        raise BadInput(
            f"{bar.symbol} {bar.day} comes after {before}; sort the file and keep one row a day",
            reason=Reason.BAD_TIME,
        )
    last_seen[bar.symbol] = bar.day
    return bar
