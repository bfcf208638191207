"""What a person books from a paper: dividends, splits, transfers and corrections, from texts to ledger rows.

`what` is a symbol, or CASH:<currency>, as in the list of breaks. Rows that depend on the position are counted
from it as it stands, so the caller makes sure that nothing moves it meanwhile: `require_still`.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from jumun.limits import TEXT_MAX
from jumun.model.errors import BadInput
from jumun.model.fills import LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.instruments import Instrument
from jumun.model.money import Currency
from jumun.model.orders import Order
from jumun.model.positions import Position
from jumun.rules import corporate
from jumun.services.intake import iso_date, name, number, optional_number

CASH: Final = "CASH:"
_RATIO: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})", re.ASCII)


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What every documented entry says of itself."""

    account_id: AccountId
    document: str
    trade_date: str
    settlement_date: str

    @classmethod
    def read(cls, account_id: AccountId, document: str, date: str, settles: str) -> "Paper":
        """Check the texts; raises BadInput naming the field. Without `settles` it settles on its date."""
        day = iso_date(date, "date")
        settled = iso_date(settles, "settles") if settles else day
        if settled < day:
            raise BadInput(f"settles {settled} is before date {day}; exchange or correct them")
        return cls(
            account_id=account_id,
            document=name(document, "document"),
            trade_date=day,
            settlement_date=settled,
        )

    @property
    def _booked(self) -> corporate.Booked:
        return corporate.Booked(
            account_id=self.account_id,
            document=self.document,
            trade_date=self.trade_date,
            settlement_date=self.settlement_date,
        )

    def dividend(self, position: Position, gross: str, tax: str, net: str) -> tuple[LedgerRow, ...]:
        """Return the rows of a cash dividend; raises BadInput unless gross less tax is net."""
        figures = (number(gross, "gross"), number(tax, "tax"), number(net, "net"))
        return corporate.dividend(self._booked, position, *figures)

    def split(
        self, position: Position, instrument: Instrument, ratio: str, cash: str
    ) -> tuple[LedgerRow, ...]:
        """Return the rows of `ratio` new:old, e.g. 50:1; `cash` is what was paid for a fraction, or empty."""
        found = _RATIO.fullmatch(ratio.strip())
        if found is None:
            raise BadInput(f"ratio {ratio[:TEXT_MAX]!r} is none; write new:old, e.g. 50:1")
        paid = optional_number(cash, "cash-for-fraction")
        new, old = int(found[1]), int(found[2])
        return corporate.split(self._booked, position, new, old, cash_for_fraction=paid, step=instrument.lot)

    def cash(self, currency: Currency, quantity: str, kind: LedgerKind) -> tuple[LedgerRow, ...]:
        """Return the rows that bring cash in, or take it out below zero."""
        return corporate.cash_moved(self._booked, currency, number(quantity, "quantity"), kind)

    def shares(self, position: Position, quantity: str, cost: str, kind: LedgerKind) -> tuple[LedgerRow, ...]:
        """Return the rows that bring shares in with their whole cost, or take them out below zero.

        A correction without a quantity sets what the shares held cost.
        """
        basis = optional_number(cost, "cost")
        if not quantity and basis is not None and kind is LedgerKind.CORRECTION:
            return corporate.basis_corrected(self._booked, position, basis)
        return corporate.shares_moved(self._booked, position, number(quantity, "quantity"), basis, kind)


def currency_of(what: str) -> Currency | None:
    """Return the currency of CASH:<currency>, or None for a symbol; raises BadInput for an unknown one."""
    if not what.startswith(CASH):
        return None
    word = what.removeprefix(CASH)
    if word not in Currency.__members__:
        raise BadInput(f"{what[:TEXT_MAX]!r} is no cash of ours; use CASH:{' or CASH:'.join(Currency)}")
    return Currency[word]


def require_still(symbol: str, account_id: AccountId, open_orders: Sequence[Order]) -> None:
    """Raise BadInput while an order could fill between our count and its booking."""
    working = [order for order in open_orders if (order.account_id, order.symbol) == (account_id, symbol)]
    if working:
        raise BadInput(
            f"{len(working)} open orders of {symbol} could still change its position; run "
            f"`jumun cancel-all --symbol {symbol}` first"
        )


def flat(account_id: AccountId, instrument: Instrument) -> Position:
    """Return the position of an instrument that is not held."""
    return Position(account_id=account_id, symbol=instrument.symbol, currency=instrument.currency)
