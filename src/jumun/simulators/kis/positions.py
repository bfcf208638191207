"""What the market's accounts do not say and KIS shows: purchase prices, today's trades, cash by settlement.

Exact from the market's fills: quantities, amounts, costs, and cash of D, D+1 and D+2 by settlement date. An
approximation: shares an account brought along, or was given without a fill, are counted at the base price of
that moment, and purchase prices are moving averages without costs.
"""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import (
    AccountAdjusted,
    AccountOpened,
    Bust,
    Executed,
    Execution,
    MarketEvent,
    TradeBusted,
)
from jumun.model.instruments import Venue
from jumun.model.money import EXACT, WIDE
from jumun.model.orders import Side
from jumun.rules.trading_days import NoCalendar, Overrides, next_session
from jumun.simulators.kis.figures import ZERO, average

KEPT_DAYS: Final = 15  # how long fills are remembered; settlement takes two business days


class Lot(msgspec.Struct):
    """Shares of one symbol and what they cost, fees aside."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        """The moving average purchase price."""
        return average(self.cost, self.qty)

    def add(self, qty: Decimal, price: Decimal) -> None:
        """Put shares in at a price."""
        self.qty = EXACT.add(self.qty, qty)
        self.cost = WIDE.add(self.cost, WIDE.multiply(qty, price))

    def take(self, qty: Decimal) -> Decimal:
        """Take shares out at the average; return what they had cost."""
        gone = WIDE.multiply(self.average, min(qty, self.qty))
        self.qty = max(EXACT.subtract(self.qty, qty), ZERO)
        self.cost = WIDE.subtract(self.cost, gone) if self.qty else ZERO
        return gone


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, or one taken back (then everything is negative)."""

    execution_id: str
    trade_date: str
    settles: str
    symbol: str
    currency: str
    side: Side
    qty: Decimal
    amount: Decimal
    costs: Decimal
    cash: Decimal
    realised: Decimal = ZERO  # sold above what it had cost, before costs


class Traded(msgspec.Struct, kw_only=True):
    """Sums over flows."""

    bought_qty: Decimal = ZERO
    sold_qty: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    costs: Decimal = ZERO
    realised: Decimal = ZERO


class Positions:
    """Lots and recent fills of every account."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._lots: dict[str, dict[str, Lot]] = {}
        self._flows: dict[str, list[Flow]] = {}
        for account_id in market.accounts():
            self._begin(account_id)
        for execution in market.executions:
            self._filled(execution)
        for bust in market.busts:
            self._busted(bust)

    def hear(self, event: MarketEvent) -> None:
        """Follow fills and what moves shares without one."""
        match event:
            case Executed(execution=execution):
                self._filled(execution)
            case TradeBusted(bust=bust):
                self._busted(bust)
            case AccountOpened() | AccountAdjusted():
                for symbol, qty in event.holdings.items():
                    lot = self._lot(event.account_id, symbol)
                    if qty > ZERO:
                        lot.add(qty, self._worth(symbol))
                    else:
                        lot.take(-qty)
            case _:
                return

    def lot(self, account_id: str, symbol: str) -> Lot:
        """Return the lot of a symbol; an empty one where nothing is held."""
        return self._lots.get(account_id, {}).get(symbol, Lot())

    def flows(self, account_id: str) -> list[Flow]:
        """Return the recent fills, oldest first."""
        return self._flows.get(account_id, [])

    def unsettled_symbols(self, account_id: str, today: str) -> set[str]:
        """Return what was traded and has not settled: KIS lists it although nothing is left of it."""
        return {flow.symbol for flow in self.flows(account_id) if flow.settles >= today}

    def traded(self, account_id: str, day: str, currency: str, symbol: str = "") -> Traded:
        """Return what an account traded on a day, in one currency, of one symbol or of all."""
        sums = Traded()
        for flow in self.flows(account_id):
            if flow.trade_date != day or flow.currency != currency or symbol not in ("", flow.symbol):
                continue
            if flow.side is Side.BUY:
                sums.bought_qty, sums.bought = sums.bought_qty + flow.qty, sums.bought + flow.amount
            else:
                sums.sold_qty, sums.sold = sums.sold_qty + flow.qty, sums.sold + flow.amount
            sums.costs, sums.realised = sums.costs + flow.costs, WIDE.add(sums.realised, flow.realised)
        return sums

    def not_settled_by(self, account_id: str, currency: str, day: str) -> Decimal:
        """Return the cash of fills that settle after a day: what the account counts and has not got then."""
        total = ZERO
        for flow in self.flows(account_id):
            if flow.currency == currency and flow.settles > day:
                total = EXACT.add(total, flow.cash)
        return total

    # ---- counting -----------------------------------------------------------------------------------------

    def _begin(self, account_id: str) -> None:
        """Count back to what an account held before the fills that are known."""
        before = dict(self._market.balance_of(account_id).holdings)
        moves: list[Execution | Bust] = [*self._market.executions, *self._market.busts]
        for move in moves:
            if move.account_id == account_id:
                before[move.symbol] = before.get(move.symbol, ZERO) - move.qty_change
        for symbol, qty in before.items():
            if qty > ZERO:
                self._lot(account_id, symbol).add(qty, self._worth(symbol))

    def _lot(self, account_id: str, symbol: str) -> Lot:
        return self._lots.setdefault(account_id, {}).setdefault(symbol, Lot())

    def _worth(self, symbol: str) -> Decimal:
        quote = self._market.quote(symbol)
        return ZERO if quote is None else quote.base or quote.last or ZERO

    def _filled(self, execution: Execution) -> None:
        lot = self._lot(execution.account_id, execution.symbol)
        amount = EXACT.multiply(execution.qty, execution.price)
        realised = ZERO
        if execution.side is Side.BUY:
            lot.add(execution.qty, execution.price)
        else:
            realised = WIDE.subtract(amount, lot.take(execution.qty))
        flow = Flow(
            execution_id=execution.execution_id,
            trade_date=execution.trade_date,
            settles=execution.settlement_date,
            symbol=execution.symbol,
            currency=execution.currency.value,
            side=execution.side,
            qty=execution.qty,
            amount=amount,
            costs=sum(execution.costs.values(), ZERO),
            cash=execution.cash_change,
            realised=realised,
        )
        self._keep(execution.account_id, flow)

    def _busted(self, bust: Bust) -> None:
        lot = self._lot(bust.account_id, bust.symbol)
        qty = bust.qty if bust.price_new is None else ZERO
        price = bust.price if bust.price_new is None else bust.price - bust.price_new
        amount = EXACT.multiply(bust.qty, price)
        if bust.side is Side.BUY:
            lot.qty = max(lot.qty - qty, ZERO)
            lot.cost = max(WIDE.subtract(lot.cost, amount), ZERO) if lot.qty else ZERO
        else:
            lot.add(qty, bust.price)
        settles = (
            one.settles for one in self.flows(bust.account_id) if one.execution_id == bust.execution_id
        )
        flow = Flow(
            execution_id=bust.execution_id,
            trade_date=bust.trade_date,
            settles=next(settles, bust.trade_date),  # a fill that is forgotten has settled
            symbol=bust.symbol,
            currency=bust.currency.value,
            side=bust.side,
            qty=-qty,
            amount=-amount,
            costs=sum(bust.costs.values(), ZERO),
            cash=bust.cash_change,
        )
        self._keep(bust.account_id, flow)

    def _keep(self, account_id: str, flow: Flow) -> None:
        flows = self._flows.setdefault(account_id, [])
        flows.append(flow)
        oldest = flows[0].trade_date
        if _days_between(oldest, flow.trade_date) > KEPT_DAYS:
            self._flows[account_id] = [
                one for one in flows if _days_between(one.trade_date, flow.trade_date) <= KEPT_DAYS
            ]


def _days_between(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def business_day_after(venue: Venue, day: date, overrides: Overrides) -> date:
    """Return D+1: the next day on which something settles, also for a market that never closes.

    Where no calendar reaches, the next day of the week it is.
    """
    real = msgspec.structs.replace(overrides, always_open=False)
    try:
        return next_session(venue, day, real)
    except NoCalendar:
        return date.fromordinal(day.toordinal() + 1)
