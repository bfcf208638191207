"""Equity day by day, from the ledger and daily closes: what drawdown and the result of a day come from.

The fold keeps the newest dates apart and melts the older ones into the state they led to, so it stays
small however long the ledger is.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from jumun.model.events import CostsCorrected, EntryBooked, Event, FillBooked, FillReversed, OpeningBooked
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.money import EXACT, ZERO, Currency, exact_product, exact_sum
from jumun.rules.ledger import cash_change
from jumun.rules.risk_metrics import DayValue

_Cash = tuple[AccountId, Currency]
_Shares = tuple[AccountId, Currency, str]
_Key = TypeVar("_Key")

DATES_MAX: Final = 400  # more than a year and a half of trading days


class _Changes(msgspec.Struct):
    """What one date moved, or all the melted ones: cash and shares, and how much of it came from outside."""

    cash: dict[_Cash, Decimal] = {}
    shares: dict[_Shares, Decimal] = {}
    cash_in: dict[_Cash, Decimal] = {}
    shares_in: dict[_Shares, Decimal] = {}


class DailyLedger:
    """A fold over ledger rows, in any order of dates."""

    def __init__(self, dates_max: int = DATES_MAX) -> None:
        self._dates_max = dates_max
        self._melted = _Changes()
        self._melted_to = ""  # the newest date that is melted
        self._dates: dict[str, _Changes] = {}

    def add(self, rows: Iterable[LedgerRow]) -> None:
        """Take rows in. A row of a date that is melted already goes there too."""
        for row in rows:
            changes = self._melted
            if row.trade_date > self._melted_to:
                changes = self._dates.setdefault(row.trade_date, _Changes())
            _post(changes, row)
        while len(self._dates) > self._dates_max:
            oldest = min(self._dates)
            _melt(self._dates.pop(oldest), self._melted)
            self._melted_to = oldest

    def days(
        self,
        accounts: Iterable[AccountId],
        currency: Currency,
        closes: Mapping[str, Mapping[str, Decimal]],
    ) -> tuple[DayValue, ...] | str:
        """Return equity at the close of each day in one currency, oldest first; or why it is not known.

        `closes` are as traded, by symbol and date. Days are those of the ledger and of the closes, up to the
        newest close; a symbol without a close on a day keeps the one before it.
        """
        wanted = frozenset(accounts)
        state = _Changes()
        _melt(self._melted, state)
        found: list[DayValue] = []
        prices = _Carried(closes)
        dates = self._all_dates(closes)
        for day in dates:
            prices.go_to(day)
            moved = self._dates.get(day, _Changes())
            _melt(moved, state)
            held = _shares_of(state.shares, wanted, currency)
            came = _shares_of(moved.shares_in, wanted, currency)
            for symbol in sorted({**held, **came}):
                if symbol not in prices.now:
                    return f"{symbol} has no close on {day} or before; load its history from then on"
            cash_in = _cash_of(moved.cash_in, wanted, currency)
            equity = EXACT.add(_cash_of(state.cash, wanted, currency), prices.value(held))
            found.append(DayValue(date=day, equity=equity, flow=EXACT.add(cash_in, prices.value(came))))
        if self._melted_to and found:
            # What was there before the window is what the window starts with.
            first = found[0]
            found[0] = msgspec.structs.replace(first, flow=first.equity)
        return tuple(found)

    def symbols(self, accounts: Iterable[AccountId], currency: Currency) -> frozenset[str]:
        """Return every symbol of these accounts that `days` needs closes of."""
        wanted = frozenset(accounts)
        return frozenset(
            symbol
            for changes in (self._melted, *self._dates.values())
            for account_id, money, symbol in changes.shares
            if account_id in wanted and money is currency
        )

    def _all_dates(self, closes: Mapping[str, Mapping[str, Decimal]]) -> list[str]:
        if not self._dates:
            return []
        first = min(self._dates)
        own = set(self._dates)
        quoted = {day for days in closes.values() for day in days if day >= first}
        newest = max(quoted, default=max(own))
        return sorted(day for day in own | quoted if day <= newest)


class _Carried:
    """The newest close of each symbol up to a day that only moves forward."""

    def __init__(self, closes: Mapping[str, Mapping[str, Decimal]]) -> None:
        self._left = sorted(
            ((day, symbol, close) for symbol, days in closes.items() for day, close in days.items()),
            reverse=True,
        )
        self.now: dict[str, Decimal] = {}

    def go_to(self, day: str) -> None:
        while self._left and self._left[-1][0] <= day:
            _, symbol, close = self._left.pop()
            self.now[symbol] = close

    def value(self, shares: Mapping[str, Decimal]) -> Decimal:
        return exact_sum(exact_product(qty, self.now[symbol]) for symbol, qty in shares.items())


def rows_of(event: Event) -> tuple[LedgerRow, ...]:
    """Return the ledger rows of an event."""
    if isinstance(event, FillBooked | FillReversed | CostsCorrected):
        return event.ledger
    if isinstance(event, OpeningBooked | EntryBooked):
        return event.rows
    return ()


def _post(changes: _Changes, row: LedgerRow) -> None:
    outside = LedgerAccount.OUTSIDE in (row.debit, row.credit)
    cash = cash_change((row,))
    if cash:
        _add(changes.cash, (row.account_id, row.currency), cash)
        if outside:
            _add(changes.cash_in, (row.account_id, row.currency), cash)
    if row.qty:
        _add(changes.shares, (row.account_id, row.currency, row.symbol), row.qty)
        if outside and row.kind is not LedgerKind.SPLIT:  # a split brings shares and no value
            _add(changes.shares_in, (row.account_id, row.currency, row.symbol), row.qty)


def _melt(source: _Changes, target: _Changes) -> None:
    for name in ("cash", "shares", "cash_in", "shares_in"):
        sums = getattr(target, name)
        for key, amount in getattr(source, name).items():
            _add(sums, key, amount)


def _add(sums: dict[_Key, Decimal], key: _Key, amount: Decimal) -> None:
    total = EXACT.add(sums.get(key, ZERO), amount)
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


def _cash_of(sums: Mapping[_Cash, Decimal], accounts: frozenset[AccountId], currency: Currency) -> Decimal:
    return exact_sum(
        amount for (account_id, money), amount in sums.items() if account_id in accounts and money is currency
    )


def _shares_of(
    sums: Mapping[_Shares, Decimal], accounts: frozenset[AccountId], currency: Currency
) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for (account_id, money, symbol), qty in sums.items():
        if account_id in accounts and money is currency:
            _add(found, symbol, qty)
    return found
