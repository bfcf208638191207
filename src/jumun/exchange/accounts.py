"""Accounts at the house in front of the exchange: cash, shares, and what open orders hold back of both.

Cash counts trades at once, settled or not. A buy holds back its worst price times what is left plus the
costs of that, as KIS does for orders without a price at the upper limit (krx_market.md 4.1).
"""

from datetime import date
from decimal import Decimal
from typing import Final, Self

from jumun.exchange.records import AccountBalance, OrderRecord
from jumun.exchange.snapshot import AccountState
from jumun.model.instruments import Instrument
from jumun.model.money import EXACT
from jumun.model.orders import Side
from jumun.rules.cost_tables import CostPlan
from jumun.rules.costs import cost_delta, order_costs, total_of
from jumun.rules.settlement import settlement_date
from jumun.rules.trading_days import Overrides

ZERO: Final = Decimal(0)


class CostBook:
    """Costs of orders by the market's plans and dates, per order on the summed value."""

    __slots__ = ("_overrides", "_plans")

    def __init__(self, plans: dict[str, CostPlan], overrides: Overrides) -> None:
        self._plans = plans
        self._overrides = overrides

    def settles(self, instrument: Instrument, trade_date: str) -> date:
        """Return the settlement date; raises NoCalendar outside the calendars."""
        return settlement_date(instrument.market, date.fromisoformat(trade_date), self._overrides)

    def total(
        self, instrument: Instrument, side: Side, value: Decimal, qty: Decimal, trade_date: str
    ) -> Decimal:
        """Return the costs of an order that traded for `value`; raises NoCostTable outside coverage."""
        items = order_costs(
            self._plans[instrument.currency],
            instrument,
            side,
            value,
            qty,
            date.fromisoformat(trade_date),
            self.settles(instrument, trade_date),
        )
        return total_of(items)

    def of_rest(self, instrument: Instrument, record: OrderRecord, worst: Decimal) -> Decimal:
        """Return what the open rest of an order can still cost at its `worst` price, by its whole chain."""
        value = EXACT.add(record.amount_earlier, record.amount_filled)
        qty = EXACT.add(record.qty_earlier, record.qty_filled)
        left = record.qty_left
        rest = EXACT.multiply(worst, left)
        whole = self.total(
            instrument, record.side, EXACT.add(value, rest), EXACT.add(qty, left), record.trade_date
        )
        so_far = self.total(instrument, record.side, value, qty, record.trade_date)
        return EXACT.subtract(whole, so_far)

    def added(self, instrument: Instrument, before: OrderRecord, after: OrderRecord) -> dict[str, Decimal]:
        """Return what the fill between two states of an order adds, by kind; zero items are left out."""
        items = cost_delta(
            self._plans[instrument.currency],
            instrument,
            after.side,
            value_before=EXACT.add(before.amount_earlier, before.amount_filled),
            qty_before=EXACT.add(before.qty_earlier, before.qty_filled),
            value_after=EXACT.add(after.amount_earlier, after.amount_filled),
            qty_after=EXACT.add(after.qty_earlier, after.qty_filled),
            trade_date=date.fromisoformat(after.trade_date),
            settlement_date=self.settles(instrument, after.trade_date),
        )
        return {item.kind.value: item.amount for item in items if item.amount}


class _Holds:
    """Amounts held back by order, with their sums by what they are of."""

    __slots__ = ("by_key", "totals")

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, Decimal]] = {}
        self.totals: dict[str, Decimal] = {}

    def put(self, key: str, of: str, amount: Decimal) -> None:
        assert amount >= ZERO, f"{key} would hold back {amount}"
        self.drop(key)
        self.by_key[key] = (of, amount)
        self.totals[of] = EXACT.add(self.totals.get(of, ZERO), amount)

    def drop(self, key: str) -> None:
        known = self.by_key.pop(key, None)
        if known is not None:
            of, amount = known
            self.totals[of] = EXACT.subtract(self.totals[of], amount)


class Account:
    """One account. Everything is exact; nothing here decides, `Market` does."""

    __slots__ = ("_cash_held", "_shares_held", "account_id", "cash", "holdings")

    def __init__(self, account_id: str, cash: dict[str, Decimal], holdings: dict[str, Decimal]) -> None:
        self.account_id = account_id
        self.cash = dict(cash)
        self.holdings = {symbol: qty for symbol, qty in holdings.items() if qty}
        self._cash_held = _Holds()
        self._shares_held = _Holds()

    def cash_free(self, currency: str) -> Decimal:
        """Return the cash no open order holds back."""
        return EXACT.subtract(self.cash.get(currency, ZERO), self._cash_held.totals.get(currency, ZERO))

    def shares_free(self, symbol: str) -> Decimal:
        """Return the shares no open sell holds back."""
        return EXACT.subtract(self.holdings.get(symbol, ZERO), self._shares_held.totals.get(symbol, ZERO))

    def hold_cash(self, key: str, currency: str, amount: Decimal) -> None:
        """Hold back `amount` for an order; replaces what it held before."""
        self._cash_held.put(key, currency, amount)

    def hold_shares(self, key: str, symbol: str, qty: Decimal) -> None:
        """Hold back shares for an order; replaces what it held before."""
        self._shares_held.put(key, symbol, qty)

    def held_for(self, key: str) -> Decimal:
        """Return the cash held back for one order."""
        known = self._cash_held.by_key.get(key)
        return ZERO if known is None else known[1]

    def release(self, key: str) -> None:
        """Give back what an ended order held."""
        self._cash_held.drop(key)
        self._shares_held.drop(key)

    def book(self, currency: str, cash_change: Decimal, symbol: str, qty_change: Decimal) -> None:
        """Move cash and shares of one fill."""
        cash = EXACT.add(self.cash.get(currency, ZERO), cash_change)
        shares = EXACT.add(self.holdings.get(symbol, ZERO), qty_change)
        assert cash >= ZERO or cash_change > ZERO, f"{self.account_id} spent {currency} it did not have"
        assert shares >= ZERO, f"{self.account_id} sold {symbol} it did not have"
        self.cash[currency] = cash
        if shares:
            self.holdings[symbol] = shares
        else:
            self.holdings.pop(symbol, None)

    def dump(self) -> AccountState:
        """Return everything, for a snapshot."""
        return AccountState(
            account_id=self.account_id,
            cash=dict(self.cash),
            holdings=dict(self.holdings),
            cash_held=dict(self._cash_held.by_key),
            shares_held=dict(self._shares_held.by_key),
        )

    @classmethod
    def load(cls, state: AccountState) -> Self:
        """Return the account of a snapshot."""
        account = cls(state.account_id, state.cash, state.holdings)
        for key, (currency, amount) in state.cash_held.items():
            account.hold_cash(key, currency, amount)
        for key, (symbol, qty) in state.shares_held.items():
            account.hold_shares(key, symbol, qty)
        return account

    def balance(self) -> AccountBalance:
        """Return cash and holdings, in a fixed order."""
        return AccountBalance(
            account_id=self.account_id,
            cash=dict(sorted(self.cash.items())),
            holdings=dict(sorted(self.holdings.items())),
        )

    def held(self) -> dict[str, Decimal]:
        """Return what is held back, cash and shares alike, by order key."""
        holds = self._cash_held.by_key | self._shares_held.by_key
        return {key: amount for key, (_, amount) in sorted(holds.items())}
