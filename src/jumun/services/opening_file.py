"""What an account opens with, from a CSV file: cash, and shares with what they cost.

    kind,name,quantity,cost
    CASH,KRW,10000000,
    SHARES,005930,100,5800000

`quantity` is money or shares, `cost` the whole cost basis of the shares in their currency. The file becomes
one documented entry, booked once under the account's opening document; a later change of it books nothing.
One broken row refuses the file: half an opening would be a wrong book.
"""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from jumun.model.errors import ConfigError, OmsError
from jumun.model.fills import LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster
from jumun.model.money import Currency, to_decimal
from jumun.model.positions import Position
from jumun.rules.corporate import Booked, cash_moved, shares_moved

COLUMNS: Final = ("kind", "name", "quantity", "cost")
ROWS_MAX: Final = 10_000
SHOWN_MAX: Final = 40  # characters of somebody else's text in a sentence
ZERO: Final = Decimal(0)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Shares an account brings along; `cost` is their whole cost basis in `currency`."""

    symbol: str
    currency: Currency
    qty: Decimal
    cost: Decimal


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What an account opens with."""

    cash: dict[Currency, Decimal] = {}
    holdings: tuple[Holding, ...] = ()


def read_opening(path: Path, instruments: InstrumentMaster) -> Opening:
    """Return what a file says; raises ConfigError naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"opening_file {path} cannot be read ({error}); make it a UTF-8 CSV of {','.join(COLUMNS)}"
        ) from error
    if not lines or tuple(word.strip() for word in lines[0]) != COLUMNS:
        raise ConfigError(f"opening_file {path}: the first line must be {','.join(COLUMNS)}")
    if len(lines) > ROWS_MAX:
        raise ConfigError(f"opening_file {path} has more than {ROWS_MAX} lines; split the account")
    cash: dict[Currency, Decimal] = {}
    holdings: dict[str, Holding] = {}
    for number, line in enumerate(lines[1:], 2):
        if not any(word.strip() for word in line):
            continue
        try:
            _take([word.strip() for word in line], cash, holdings, instruments)
        except OmsError as error:
            raise ConfigError(f"opening_file {path} line {number}: {error}") from error
    return Opening(cash=cash, holdings=tuple(holdings.values()))


def _take(
    line: list[str],
    cash: dict[Currency, Decimal],
    holdings: dict[str, Holding],
    instruments: InstrumentMaster,
) -> None:
    if len(line) != len(COLUMNS):
        raise ConfigError(f"it has {len(line)} fields; give {','.join(COLUMNS)}")
    kind, name, quantity, cost = line
    qty = to_decimal(quantity, field="quantity")
    if qty <= ZERO:
        raise ConfigError(f"quantity {qty:f} of {name[:SHOWN_MAX]} is not above zero; leave the line out")
    if kind == "CASH":
        if name not in Currency.__members__ or cost:
            raise ConfigError(
                f"cash in {name[:SHOWN_MAX]!r} with cost {cost[:SHOWN_MAX]!r} is unclear; name one of "
                f"{', '.join(Currency.__members__)} and leave cost empty"
            )
        if Currency[name] in cash:
            raise ConfigError(f"cash in {name} is given twice; keep one line")
        cash[Currency[name]] = qty
    elif kind == "SHARES":
        instrument = instruments.get(name)
        basis = to_decimal(cost, field="cost")
        if name in holdings or basis < ZERO:
            raise ConfigError(
                f"{name} is given twice or costs less than nothing; keep one line with its cost"
            )
        if qty % instrument.lot and not instrument.fractional:
            raise ConfigError(f"{qty:f} shares of {name} are no whole lots of {instrument.lot:f}; correct it")
        holdings[name] = Holding(symbol=name, currency=instrument.currency, qty=qty, cost=basis)
    else:
        raise ConfigError(f"kind {kind[:SHOWN_MAX]!r} is unknown; use CASH or SHARES")


def rows_of_opening(
    account_id: AccountId, opening: Opening, day: str, document: str
) -> tuple[LedgerRow, ...]:
    """Return the ledger rows of an opening: each amount comes from OUTSIDE (I-29, I-30)."""
    booked = Booked(account_id=account_id, document=document, trade_date=day, settlement_date=day)
    rows: list[LedgerRow] = []
    for currency, amount in opening.cash.items():
        rows += cash_moved(booked, currency, amount, LedgerKind.OPENING)
    for held in opening.holdings:
        flat = Position(account_id=account_id, symbol=held.symbol, currency=held.currency)
        rows += shares_moved(booked, flat, held.qty, held.cost, LedgerKind.OPENING)
    return tuple(rows)
