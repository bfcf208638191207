"""PositionManager: what is held, what it is worth, what it may lose, and closing it (S000-18 to S000-22).

With a desk the books are the desk's: fills reach them through the broker's reports and nowhere else, and
this class reads and asks. Without one (specification 000's example) it keeps positions of its own in memory,
by the same ledger rules.
"""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from jumun.model.errors import BadInput, OrderDenied
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.money import ZERO, Currency, exact_product
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.ports.outside import DailyClose, PriceHistory
from jumun.rules.daily_equity import DATES_MAX, DailyLedger, rows_of
from jumun.rules.draft import Decision
from jumun.rules.portfolio import Figures, FxRate, factors, figures, marked, total_result, value_of
from jumun.rules.risk_metrics import (
    AtRisk,
    DayValue,
    Drawdown,
    Figure,
    at_risk,
    drawdown,
    not_known,
    results_by_day,
)
from jumun.services.closing import Closer, account_of, nothing_held
from jumun.services.own_positions import FillLike, OwnPositions
from jumun.services.trackers import Number
from jumun.services.views import BookView, book_view

if TYPE_CHECKING:
    from jumun.services.order_engine import OrderEngine

OPERATOR: Final = UserId("operator")
NO_HISTORY: Final = "no price history is connected; name a folder of daily closes in OMS_PRICE_HISTORY"
NO_RATE: Final = "there is more than one currency and no rate between them; give the rates with their time"


class PositionManager:
    """See the module. Amounts are exact decimals; None is what is not known, never 0."""

    def __init__(
        self,
        engine: "OrderEngine | None" = None,
        *,
        history: PriceHistory | None = None,
        currency: Currency = Currency.KRW,
    ) -> None:
        self._engine: OrderEngine | None = None
        self._closer: Closer | None = None
        self._history = history
        self._own = OwnPositions(currency)
        self._daily = DailyLedger()
        self._daily_seq = 0
        self._reading = asyncio.Lock()
        if engine is not None:
            self.attach(engine)

    def attach(self, engine: "OrderEngine") -> None:
        """Read this desk's books from now on; it must hold no positions of its own."""
        if self._engine is engine:
            return
        assert self._engine is None, "a PositionManager belongs to one desk"
        if self._own.all():
            raise BadInput("this PositionManager keeps positions of its own already; give the desk a new one")
        self._engine = engine
        self._closer = Closer(engine)

    # ---- positions ----------------------------------------------------------------------------

    async def update_position(self, symbol: str, fill: FillLike) -> Position:
        """Return the position that a fill led to (S000-42).

        With a desk this changes nothing: the desk booked the fill when the broker reported it, and a fill
        that it did not book is refused, because shares that only we believe in are a break. Without a desk
        the fill is counted here, once per fill id; the position is made where there is none.
        """
        if self._engine is None:
            return await self._own.update(symbol, fill)
        order_id = OrderId(getattr(fill, "order_id", ""))
        for booked in await self._engine.journal.fills_of(order_id):
            if booked.fill_id == fill.fill_id and booked.symbol == symbol:
                position = await self.get_position(symbol, booked.account_id)
                assert position is not None, f"{booked.fill_id} is booked and {symbol} has no position"
                return position
        raise BadInput(
            f"fill {fill.fill_id!r} of {symbol} is not in the books; fills come from the broker's reports "
            "(engine.hear), and other entries from engine.book_entry"
        )

    async def update_market_price(self, symbol: str, price: Number) -> None:
        """Value a symbol at this price, where no desk does it."""
        if self._engine is not None:
            raise BadInput("the desk values positions itself; send prices to engine.handle_market_data")
        self._own.mark(symbol, price)

    async def get_position(self, symbol: str, account_id: AccountId | None = None) -> Position | None:
        """Return a position at the newest price; None where nothing was ever held (S000-106).

        Without an account it is the one account that has the symbol; raises BadInput where several do.
        """
        if self._engine is None:
            return self._own.get(symbol)
        found = [held for held in self._positions(account_id) if held.symbol == symbol]
        if len(found) > 1:
            holding = [held for held in found if held.qty]
            if len(holding) != 1:
                accounts = ", ".join(sorted(held.account_id for held in found))
                raise BadInput(f"{symbol} is in the books of {accounts}; name the account")
            found = holding
        return found[0] if found else None

    async def get_all_positions(self, account_id: AccountId | None = None) -> tuple[Position, ...]:
        """Return the positions that hold shares, at the newest prices."""
        return tuple(held for held in self._positions(account_id) if held.qty)

    async def get_book(self, account_id: AccountId | None = None, source: str = "") -> BookView:
        """Return positions, cash, results and whose shares they are, at the newest prices of `source`.

        Raises OrderDenied where there is no desk: cash and sub-ledgers are the desk's.
        """
        if self._engine is None:
            raise OrderDenied(
                "this PositionManager has no desk, so it has no cash and no strategies; make it with "
                "PositionManager(engine)",
                reason=Reason.NOT_READY,
            )
        book = self._engine.desk.book
        return book_view(
            records=book.seq,
            positions=self._positions(account_id),
            cash={key: amount for key, amount in book.cash.items() if account_id in (None, key[0])},
            open_orders=[o for o in book.open.values() if account_id in (None, o.account_id)],
            marks={},
            marks_source=source,
            marks_ts_ns=None,
            strategies={key: sub for key, sub in book.strategies.items() if account_id in (None, key[0])},
        )

    async def close_position(
        self,
        symbol: str,
        account_id: AccountId | None = None,
        by: UserId = OPERATOR,
        strategy_id: str | None = None,
    ) -> Decision:
        """Sell (or buy back) all that is free of a position, at the market, with one order (S000-21).

        With a strategy it is that strategy's shares alone, and the order is booked to it. Without one the
        order is booked to the only strategy that holds the symbol, or to `close-position` where several do.

        Asked again while that order is open, it returns the same order. A denial says that nothing is held,
        or why the desk refused. Raises BadInput where several accounts hold the symbol, OrderDenied where
        every share is in open orders.
        """
        if self._engine is None or self._closer is None:
            raise OrderDenied(
                "this PositionManager has no desk, so nothing can be sent; make it with "
                "PositionManager(engine)",
                reason=Reason.NOT_READY,
            )
        holder = account_id or account_of(self._engine.desk.book.positions.values(), symbol)
        if holder is None:
            return nothing_held(symbol, "")
        return await self._closer.close(symbol, holder, by, strategy_id)

    # ---- what it is worth ---------------------------------------------------------------------

    async def get_portfolio_summary(
        self,
        account_id: AccountId | None = None,
        *,
        base: Currency | None = None,
        rates: Iterable[FxRate] = (),
    ) -> dict[str, object]:
        """Return the portfolio of one account, or of all (S000-107): totals, by currency, strategy, symbol.

        What is held is told in `base`; without it, in the one currency that positions have. Where they have
        more, or cash has another, the figures that need a rate are None unless `rates` holds it, and
        `reason` says so; the rates are told back, with their time.
        """
        held, cash, given = self._positions(account_id), self._cash(account_id), tuple(rates)
        worth = _worth(held, cash, base, given)
        parts, whole = worth.holdings, worth.whole
        kinds = sorted({position.currency for position in held} | set(cash))
        return {
            "total_positions": sum(bool(position.qty) for position in held),
            "total_pnl": None if parts is None else parts.total_pnl,
            "currency": None if worth.into is None else worth.into.value,
            "market_value": None if parts is None else parts.market_value,
            "unrealised": None if parts is None else parts.unrealised,
            "realised_net": None if parts is None else parts.realised_net,
            "cash": None if whole is None else whole.cash,
            "equity": None if whole is None else whole.equity,
            "exposure": _exposure(worth),
            "concentration": _concentration(parts),
            "unpriced": sorted({p.symbol for p in held if p.qty and p.mark is None}),
            "reason": _why(parts) or _why(whole),
            "rates": given,
            "by_currency": {money.value: _figures_of(money, held, cash) for money in kinds},
            "by_symbol": {(p.account_id, p.symbol): total_result(p) for p in held},
            "by_strategy": self._by_strategy(account_id),
        }

    async def calculate_risk_metrics(
        self,
        account_id: AccountId | None = None,
        *,
        base: Currency | None = None,
        rates: Iterable[FxRate] = (),
        days: int = DATES_MAX,
    ) -> dict[str, object]:
        """Return what may be lost (S000-22, S000-82), in `base` or the one currency that positions have.

        `value_at_risk_95` is the historical one, `value_at_risk_95_parametric` the normal one, both for one
        day; `volatility` and the drawdowns are fractions. A figure that cannot be had is None, and `missing`
        says why. Drawdown is by currency: what a rate was on a past day is not known here.
        """
        held, cash = await self.get_all_positions(account_id), self._cash(account_id)
        worth = _worth(held, cash, base, tuple(rates))
        risk = await self._at_risk(held, worth, days)
        kinds = sorted({position.currency for position in self._positions(account_id)} | set(cash))
        falls = {money.value: await self._drawdown(account_id, money, days) for money in kinds}
        worst, now = _one_fall(falls)
        found = {
            "value_at_risk_95": risk.historical_95,
            "value_at_risk_95_parametric": risk.parametric_95,
            "volatility": risk.volatility,
            "volatility_annual": risk.volatility_annual,
            "max_drawdown": worst,
            "current_drawdown": now,
        }
        return {
            **{name: figure.value for name, figure in found.items()},
            "missing": {name: figure.why for name, figure in found.items() if figure.value is None},
            "days": risk.days,
            "currency": None if worth.into is None else worth.into.value,
            "concentration": _concentration(worth.holdings),
            "exposure": _exposure(worth),
            "drawdown_by_currency": falls,
        }

    async def get_daily_results(
        self, account_id: AccountId | None = None, currency: Currency = Currency.KRW, days: int = DATES_MAX
    ) -> tuple[tuple[str, Decimal], ...]:
        """Return the result of each day by closes, oldest first, deposits taken out (I-36).

        Raises BadInput where a close that it needs is not known: a day's result is exact or it is not told.
        """
        values = await self._daily_values(account_id, currency, days)
        if isinstance(values, str):
            raise BadInput(values)
        return results_by_day(values)

    # ---- where it comes from ------------------------------------------------------------------

    def _positions(self, account_id: AccountId | None) -> tuple[Position, ...]:
        engine = self._engine
        if engine is None:
            return self._own.all()
        held = [p for p in engine.desk.book.positions.values() if account_id in (None, p.account_id)]
        return marked(held, self._marks(held))

    def _marks(self, held: Iterable[Position]) -> dict[str, Decimal]:
        assert self._engine is not None, "marks are the desk's"
        marks = {}
        for symbol in {position.symbol for position in held if position.qty}:
            quote = self._engine.desk.prices.quote(symbol)
            if quote is not None and quote.last is not None:
                marks[symbol] = quote.last
        return marks

    def _cash(self, account_id: AccountId | None) -> dict[Currency, Decimal]:
        cash: dict[Currency, Decimal] = {}
        if self._engine is not None:
            for (account, money), amount in self._engine.desk.book.cash.items():
                if account_id in (None, account):
                    cash[Currency(money)] = cash.get(Currency(money), ZERO) + amount
        return cash

    def _by_strategy(self, account_id: AccountId | None) -> dict[str, dict[str, Figures | None]]:
        """Sub-ledgers of the fills, by strategy and currency; together they are the account's."""
        if self._engine is None:
            return {}
        groups: dict[str, list[Position]] = {}
        for (account, strategy_id, _), sub in self._engine.desk.book.strategies.items():
            if account_id in (None, account):
                groups.setdefault(strategy_id, []).append(sub)
        return {
            strategy_id: {
                money.value: _figures_of(money, self._marked_like_the_account(subs), {})
                for money in sorted({sub.currency for sub in subs})
            }
            for strategy_id, subs in sorted(groups.items())
        }

    def _marked_like_the_account(self, subs: list[Position]) -> tuple[Position, ...]:
        assert self._engine is not None, "sub-ledgers are the desk's"
        positions = self._engine.desk.book.positions
        kept = {sub.symbol: positions[sub.account_id, sub.symbol].mark for sub in subs}
        marks = {symbol: mark for symbol, mark in kept.items() if mark is not None} | self._marks(subs)
        return tuple(replace(sub, mark=marks.get(sub.symbol)) for sub in subs)

    async def _at_risk(self, held: tuple[Position, ...], worth: "_Worth", days: int) -> AtRisk:
        why = _why(worth.holdings) or (NO_HISTORY if held and self._history is None else "")
        if why:
            return not_known(why)
        values: dict[str, Decimal] = {}
        for position in held:
            value = exact_product(value_of(position), worth.in_one[position.currency])
            values[position.symbol] = values.get(position.symbol, ZERO) + value
        closes = await self._closes(values, days)
        return at_risk(
            values, {name: {close.date: close.adjusted for close in line} for name, line in closes.items()}
        )

    async def _closes(self, symbols: Iterable[str], days: int) -> dict[str, tuple[DailyClose, ...]]:
        if self._history is None:
            return {}
        return {symbol: tuple(await self._history.closes(symbol, days)) for symbol in symbols}

    async def _drawdown(self, account_id: AccountId | None, currency: Currency, days: int) -> Drawdown:
        values = await self._daily_values(account_id, currency, days)
        if isinstance(values, str):
            gap = Figure(None, values)
            return Drawdown(worst=gap, now=gap)
        return drawdown(values)

    async def _daily_values(
        self, account_id: AccountId | None, currency: Currency, days: int
    ) -> tuple[DayValue, ...] | str:
        if self._engine is None:
            return "without a desk there is no ledger of days; make it with PositionManager(engine)"
        await self._read_ledger()
        accounts = [account_id] if account_id is not None else list(self._engine.desk.policy.accounts)
        symbols = self._daily.symbols(accounts, currency)
        if symbols and self._history is None:
            return NO_HISTORY
        closes = await self._closes(sorted(symbols), days)
        traded: Mapping[str, Mapping[str, Decimal]] = {
            symbol: {close.date: close.close for close in line} for symbol, line in closes.items()
        }
        return self._daily.days(accounts, currency, traded)

    async def _read_ledger(self) -> None:
        """Fold what the journal has and this has not seen: the whole of it at the first question."""
        assert self._engine is not None, "the journal is the desk's"
        async with self._reading:
            async for record in self._engine.journal.tail(self._daily_seq):
                self._daily.add(rows_of(record.event))
                self._daily_seq = record.seq


class _Worth(NamedTuple):
    """What is held in one currency (`into`), without cash and with it; None where a rate is missing."""

    into: Currency | None
    in_one: dict[Currency, Decimal]
    holdings: Figures | None
    whole: Figures | None


def _worth(
    held: Iterable[Position],
    cash: Mapping[Currency, Decimal],
    base: Currency | None,
    rates: tuple[FxRate, ...],
) -> _Worth:
    positions = tuple(held)
    kinds = {position.currency for position in positions} or set(cash)
    into = base or (min(kinds) if len(kinds) == 1 else None) or next((rate.base for rate in rates), None)
    in_one = {} if into is None else factors(into, rates)
    return _Worth(into, in_one, figures(positions, {}, in_one), figures(positions, cash, in_one))


def _figures_of(
    money: Currency, held: Iterable[Position], cash: Mapping[Currency, Decimal]
) -> Figures | None:
    own = [position for position in held if position.currency is money]
    return figures(own, {money: cash.get(money, ZERO)}, {money: Decimal(1)})


def _why(total: Figures | None) -> str:
    if total is None:
        return NO_RATE
    if total.unpriced:
        return f"no price of {', '.join(total.unpriced)} is known; connect its prices"
    return ""


def _exposure(worth: _Worth) -> dict[str, Decimal | None]:
    names = ("long", "short", "gross", "net")
    parts: dict[str, Decimal | None] = {
        name: None if worth.holdings is None else getattr(worth.holdings, name) for name in names
    }
    return {**parts, "leverage": None if worth.whole is None else worth.whole.leverage}


def _concentration(total: Figures | None) -> dict[str, object]:
    return {
        "hhi": None if total is None else total.hhi,
        "largest_symbol": None if total is None else total.largest_symbol,
        "largest_share": None if total is None else total.largest_share,
    }


def _one_fall(falls: Mapping[str, Drawdown]) -> tuple[Figure, Figure]:
    """The drawdown of the one currency there is; with several each stands for itself."""
    if len(falls) == 1:
        (fall,) = falls.values()
        return fall.worst, fall.now
    why = "more than one currency; see drawdown_by_currency" if falls else "nothing was ever held"
    return Figure(None, why), Figure(None, why)
