"""Reading what a replay is fed: signals, bars and instruments. A broken row is refused with its place."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from jumun.exchange.bars import BadRow, read_bars
from jumun.exchange.prices import Bar
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.errors import BadInput, ConfigError, OmsError
from jumun.model.instruments import Instrument, InstrumentMaster, Market, Venue, parse_product
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.rules.sessions import session_on
from jumun.rules.signals import FIELDS, signal_from
from jumun.rules.trading_days import NO_OVERRIDES

REQUIRED: Final = (
    *("symbol", "side", "quantity", "order_type", "price"),
    *("strategy_id", "strategy_version", "account_id", "signal_ts"),
)
INSTRUMENT_COLUMNS: Final = ("symbol", "market", "product")


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """A signals file: what could be read, and what could not."""

    good: list[TradingSignal]
    refused: list[BadRow]


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars by symbol, in order of their days, and the rows that were refused."""

    by_symbol: dict[str, list[Bar]]
    refused: list[BadRow]


def read_signals(path: Path) -> Signals:
    """Read a signals CSV. Raises ConfigError when it cannot be opened or lacks a column."""
    good: list[TradingSignal] = []
    refused: list[BadRow] = []
    for line, row in _rows(path, REQUIRED, FIELDS):
        try:
            good.append(_signal(row))
        except OmsError as error:
            refused.append(_refusal(path, line, error))
    return Signals(good=good, refused=refused)


def read_prices(paths: tuple[Path, ...], master: InstrumentMaster) -> Bars:
    """Read bars from all files; a symbol the master does not hold is refused once per row."""
    by_symbol: dict[str, list[Bar]] = {}
    refused: list[BadRow] = []
    owner: dict[str, Path] = {}
    for path in paths:
        for line, row in enumerate(read_bars(path), start=2):  # line 1 names the columns
            if isinstance(row, BadRow):
                refused.append(row)
                continue
            try:
                _require_session(row, master)
                _require_one_file(row.symbol, path, owner)
            except OmsError as error:
                refused.append(_refusal(path, line, error))
                continue
            by_symbol.setdefault(row.symbol, []).append(row)
    return Bars(by_symbol=by_symbol, refused=refused)


def read_master(path: Path | None) -> InstrumentMaster:
    """Return the sample instruments, with those of `path` in their place or beside them.

    Raises ConfigError: an instrument decides ticks and taxes, so one broken row refuses the file.
    """
    rows = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    if path is not None:
        for line, row in _rows(path, INSTRUMENT_COLUMNS, frozenset({*INSTRUMENT_COLUMNS, "name"})):
            try:
                instrument = _instrument(row)
            except OmsError as error:
                raise ConfigError(f"{path.name} line {line}: {error}") from error
            rows[instrument.symbol] = instrument
    return InstrumentMaster(rows.values())


def _signal(row: dict[str, str | None]) -> TradingSignal:
    if None in row or None in row.values():
        raise BadInput("the row has more or fewer fields than the first line; correct or remove it")
    for name, value in row.items():
        if value is not None and (not value.isascii() or "|" in value):
            raise BadInput(
                f"{name} {value!r} holds '|' or a character beyond ASCII; write it plainly",
                reason=Reason.BAD_SIGNAL,
            )
    return signal_from({name: (value or "").strip() for name, value in row.items()})


def _instrument(row: dict[str, str | None]) -> Instrument:
    if None in row or None in row.values():
        raise BadInput("the row has more or fewer fields than the first line; correct it")
    word = (row["market"] or "").strip()
    if word not in Market.__members__:
        raise BadInput(f"market {word!r} is unknown; use one of {', '.join(Market.__members__)}")
    market = Market[word]
    is_us = market is Market.US
    return Instrument(
        symbol=(row["symbol"] or "").strip(),
        market=market,
        product=parse_product((row["product"] or "").strip()),
        currency=Currency.USD if is_us else Currency.KRW,
        venue=Venue.US if is_us else Venue.KRX,
        name=(row.get("name") or "").strip(),
    )


def _rows(
    path: Path, required: tuple[str, ...], known: frozenset[str]
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield (line, row) of a CSV whose first line names its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            header = reader.fieldnames or ()
            missing = [name for name in required if name not in header]
            unknown = [name for name in header if name not in known]
            if missing or unknown:
                wrong = f"lacks {', '.join(missing)}" if missing else f"does not know {', '.join(unknown)}"
                raise ConfigError(f"{path} {wrong} in its first line; name {', '.join(required)} there")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read ({error}); give a readable CSV file") from error


def _require_session(bar: Bar, master: InstrumentMaster) -> None:
    venue = master.get(bar.symbol).venue
    if session_on(venue, bar.day, NO_OVERRIDES) is None:
        raise BadInput(
            f"{bar.symbol} has a bar of {bar.day}, when {venue} was closed; correct the date",
            reason=Reason.SESSION_CLOSED,
        )


def _require_one_file(symbol: str, path: Path, owner: dict[str, Path]) -> None:
    first = owner.setdefault(symbol, path)
    if first != path:
        raise BadInput(f"{symbol} was already read from {first.name}; give each symbol in one file")


def _refusal(path: Path, line: int, error: OmsError) -> BadRow:
    return BadRow(file=path.name, line=line, reason=error.reason, text=f"{path.name} line {line}: {error}")
