"""Reading what a replay is fed: signals, bars and instruments. A broken row is refused with its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from jumun.exchange.bars import BadRow, InOrder, Row, place_of, read_bars, read_table, refusal
from jumun.exchange.prices import Bar
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.errors import BadInput, ConfigError, OmsError
from jumun.model.instruments import Instrument, InstrumentMaster, Market, Venue, parse_product
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.rules.sessions import session_on
from jumun.rules.settlement import settlement_date
from jumun.rules.signals import FIELDS, signal_from
from jumun.rules.trading_days import NO_OVERRIDES

REQUIRED: Final = (
    *("symbol", "side", "quantity", "order_type", "price"),
    *("strategy_id", "strategy_version", "account_id", "signal_ts"),
)
INSTRUMENT_COLUMNS: Final = ("symbol", "market", "product")
SHOWN_MAX: Final = 40  # characters of somebody else's text in a sentence


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """A signals file: what could be read, and what could not."""

    good: list[TradingSignal]
    places: list[str]  # where each good one stands, as people read it
    refused: list[BadRow]


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars by symbol, in order of their days, and the rows that were refused."""

    by_symbol: dict[str, list[Bar]]
    refused: list[BadRow]


def read_signals(path: Path, check: Callable[[TradingSignal], None] | None = None) -> Signals:
    """Read a signals CSV; `check` refuses a signal by raising OmsError.

    Raises ConfigError when the file cannot be opened or its columns are wrong.
    """
    good: list[TradingSignal] = []
    places: list[str] = []
    refused: list[BadRow] = []
    for line, row in read_table(path, REQUIRED, FIELDS):
        try:
            signal = _signal(row)
            if check is not None:
                check(signal)
        except OmsError as error:
            refused.append(refusal(path, line, error))
            continue
        good.append(signal)
        places.append(place_of(path, line))
    return Signals(good=good, places=places, refused=refused)


def read_prices(paths: tuple[Path, ...], master: InstrumentMaster) -> Bars:
    """Read bars from all files; a symbol the master does not hold is refused once per row.

    Raises ConfigError for a file given twice, which would double what trades, and as `read_table` does.
    """
    _require_each_once(paths)
    by_symbol: dict[str, list[Bar]] = {}
    refused: list[BadRow] = []
    order, owner = InOrder(), dict[str, Path]()
    for path in paths:

        def take(bar: Bar, place: str, path: Path = path) -> None:
            _require_session(bar, master)
            order.take(bar, place)
            _require_one_file(bar.symbol, path, owner)

        for row in read_bars(path, take):
            if isinstance(row, BadRow):
                refused.append(row)
            else:
                by_symbol.setdefault(row.symbol, []).append(row)
    return Bars(by_symbol=by_symbol, refused=refused)


def read_master(path: Path | None) -> InstrumentMaster:
    """Return the sample instruments, with those of `path` in their place or beside them.

    Raises ConfigError: an instrument decides ticks and taxes, so one broken row refuses the file.
    """
    rows = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    if path is not None:
        given: dict[str, int] = {}
        for line, row in read_table(path, INSTRUMENT_COLUMNS, frozenset({*INSTRUMENT_COLUMNS, "name"})):
            try:
                instrument = _instrument(row)
                _require_new(instrument.symbol, given)
            except OmsError as error:
                raise ConfigError(f"{place_of(path, line)}: {error}", reason=Reason.BAD_INPUT) from error
            given[instrument.symbol] = line
            rows[instrument.symbol] = instrument
    return InstrumentMaster(rows.values())


def _signal(row: Row | BadInput) -> TradingSignal:
    if isinstance(row, BadInput):
        raise row
    fields = {name: value.strip() for name, value in row.items()}
    for name, value in fields.items():
        if not (value.isascii() and value.isprintable()) or "|" in value:
            raise BadInput(
                f"{name} {value[:SHOWN_MAX]!r} holds '|' or a character that is not plain ASCII; correct it",
                reason=Reason.BAD_SIGNAL,
            )
    return signal_from(fields)


def _instrument(row: Row | BadInput) -> Instrument:
    if isinstance(row, BadInput):
        raise row
    word = row["market"].strip()
    if word not in Market.__members__:
        raise BadInput(f"market {word!r} is unknown; use one of {', '.join(Market.__members__)}")
    market = Market[word]
    is_us = market is Market.US
    return Instrument(
        symbol=row["symbol"].strip(),
        market=market,
        product=parse_product(row["product"].strip()),
        currency=Currency.USD if is_us else Currency.KRW,
        venue=Venue.US if is_us else Venue.KRX,
        name=row.get("name", "").strip(),
    )


def _require_session(bar: Bar, master: InstrumentMaster) -> None:
    """Refuse a day on which nothing can trade, or whose trades settle on a day no calendar knows."""
    instrument = master.get(bar.symbol)
    if session_on(instrument.venue, bar.day, NO_OVERRIDES) is None:
        raise BadInput(
            f"{bar.symbol} has a bar of {bar.day}, when {instrument.venue} was closed; correct the date",
            reason=Reason.SESSION_CLOSED,
        )
    settlement_date(instrument.market, bar.day, NO_OVERRIDES)


def _require_one_file(symbol: str, path: Path, owner: dict[str, Path]) -> None:
    first = owner.setdefault(symbol, path)
    if first != path:
        raise BadInput(f"{symbol} was already read from {first.name}; give each symbol in one file")


def _require_each_once(paths: tuple[Path, ...]) -> None:
    seen: dict[Path, Path] = {}
    for path in paths:
        first = seen.setdefault(path.resolve(), path)
        if first is not path:
            raise ConfigError(
                f"{path} was given twice (the first time as {first}); give each price file once",
                reason=Reason.BAD_INPUT,
            )


def _require_new(symbol: str, given: dict[str, int]) -> None:
    if symbol in given:
        raise BadInput(f"{symbol} came already in line {given[symbol]}; keep one of the two")
