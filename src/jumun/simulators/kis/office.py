"""The house's one counter to the market: everything the inquiries look at, and requests told as they happen.

Whoever listens to the market after the house was built hears of a request before what it caused: the house
hears the market first and tells its own listeners at that moment.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TypeVar

from jumun.exchange.accounts import CostBook
from jumun.exchange.market import Market
from jumun.exchange.records import MarketEvent, OrderRecord
from jumun.exchange.snapshot import AccountState
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import Side
from jumun.rules.bands import PriceBand, price_band
from jumun.rules.sessions import phase_at
from jumun.simulators.kis.day_prices import Board
from jumun.simulators.kis.figures import ZERO, local
from jumun.simulators.kis.messages import BAD_ACCOUNT, KisRefused
from jumun.simulators.kis.positions import Positions
from jumun.simulators.kis.records import Records
from jumun.simulators.kis.requests import RequestTaken
from jumun.simulators.kis.rows import Row, Rows
from jumun.simulators.kis.switches import KisSwitches

Listener = Callable[[RequestTaken], None]
Act = Callable[[tuple[MarketEvent, ...]], RequestTaken | None]
T = TypeVar("T")


class Office:
    """One market, seen by one house."""

    def __init__(self, market: Market, switches: KisSwitches) -> None:
        self.market = market
        self.switches = switches
        self.records = Records(market)
        self._rows = Rows(market, self.records, switches)
        self.board = Board(market)
        self.positions = Positions(market)
        self.costs = CostBook(
            {currency.value: plan for currency, plan in market.world.plans.items()}, market.world.overrides
        )
        self._listeners: list[Listener] = []
        self._act: Act | None = None
        self._told: RequestTaken | None = None
        market.listen(self._hear)

    def on_request(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every request that KIS took; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def carry_out(self, call: Callable[[], T], act: Act) -> tuple[T, RequestTaken | None]:
        """Make one call to the market; `act` makes of its events what is told of the request.

        It is told before anyone else hears those events; also when there are none (a cancel the exchange
        ignores, F-50). Returns what the market answered and what was told.
        """
        self._act, self._told = act, None
        answer = call()
        self._settle(())
        return answer, self._told

    def tell(self, request: RequestTaken) -> None:
        """Tell of a request now."""
        for listener in tuple(self._listeners):
            listener(request)

    def _hear(self, events: tuple[MarketEvent, ...]) -> None:
        for event in events:
            self._rows.forget(self.records.hear(event))
            self.board.hear(event)
            self.positions.hear(event)
        self._settle(events)

    def _settle(self, events: tuple[MarketEvent, ...]) -> None:
        act, self._act = self._act, None
        if act is None:
            return
        self._told = act(events)
        if self._told is not None:
            self.tell(self._told)

    # ---- looking ------------------------------------------------------------------------------------------

    def instrument(self, symbol: str, *, overseas: bool) -> Instrument | None:
        """Return an issue of that side of the house."""
        if symbol not in self.market.master:
            return None
        found = self.market.master.get(symbol)
        return found if (found.venue is Venue.US) is overseas else None

    def account(self, account_id: str) -> AccountState:
        """Return an account with what its open orders hold back; raises KisRefused when it is not open."""
        for state in self.market.dump().accounts:
            if state.account_id == account_id:
                return state
        raise KisRefused(BAD_ACCOUNT)

    def today(self, venue: Venue = Venue.KRX) -> date:
        """Return the calendar date at a venue."""
        return local(venue, self.market.now_ns).date()

    def trade_day(self, venue: Venue) -> date:
        """Return the trading day of an order sent now; that of a US evening may be the next one."""
        return phase_at(venue, self.market.now_ns, self.market.world.overrides)[1]

    def rows(self, account_id: str, trade_date: str, *, overseas: bool) -> list[Row]:
        """Return what KIS lists of a day, oldest first."""
        return self._rows.of_day(account_id, trade_date, overseas=overseas)

    def change_switches(self, switches: KisSwitches) -> None:
        """Behave otherwise from now on."""
        self.switches = self._rows.switches = switches
        self._rows.forget_all()

    def forget_before(self, trade_date: str) -> int:
        """Drop ended orders of earlier days, here and in the market; return how many orders went."""
        gone = self.market.forget_before(trade_date)
        self.records.forget_before(trade_date)
        self._rows.forget_all()
        return gone

    def band(self, instrument: Instrument, day: date) -> PriceBand | None:
        """Return the day's price limits; None in the US and where no base is known."""
        base = self.market.base_of(instrument.symbol, day.isoformat())
        return None if base is None else price_band(instrument, base, day)

    def best(self, instrument: Instrument, venue: Venue, side: Side) -> Decimal | None:
        """Return the best price on one side of the book; None where nobody offers one."""
        book = self.market.book_of(instrument.symbol, venue)
        return next((entry.price for entry in book.resting(side) if entry.price is not None), None)


def cash_free(state: AccountState, currency: str) -> Decimal:
    """Return the cash no open order holds back."""
    held = sum((amount for of, amount in state.cash_held.values() if of == currency), ZERO)
    return state.cash.get(currency, ZERO) - held


def shares_free(state: AccountState, symbol: str) -> Decimal:
    """Return the shares no open sell holds back."""
    held = sum((qty for of, qty in state.shares_held.values() if of == symbol), ZERO)
    return state.holdings.get(symbol, ZERO) - held


def is_overseas(record: OrderRecord) -> bool:
    """Whether an order belongs to the overseas side of the house."""
    return record.venue is Venue.US
