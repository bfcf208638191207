"""Closes a position with one order that cannot double (S000-21).

Three things hold it: the idempotency key is made of account, symbol and what the position is now, so a
repeat returns the order that is there; while a closing order is open, that one is the answer; and the desk
sells no share that another open order has reserved (I-34).

Whose shares they are: one strategy's are closed by an order that is booked to it. A whole position is closed
by one order, booked to the only strategy that holds the symbol. Where several do it is booked to
`close-position`, whose sub-ledger then holds what theirs hold with the other sign, so that all still sum to
the account: nobody can say which of them sold at which price. `strategy_id` closes one after the other.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from jumun.model.errors import BadInput, OrderDenied
from jumun.model.ids import AccountId, UserId
from jumun.model.money import ZERO
from jumun.model.orders import Order, OrderType, Side
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.decide_submit import key_of
from jumun.rules.draft import Decision
from jumun.rules.policy import Denial

if TYPE_CHECKING:
    from jumun.services.order_engine import OrderEngine

CLOSING: Final = "close-position"  # the strategy version that marks a closing order
TRIES_MAX: Final = 50  # closing orders that may end without closing the same position, before a person looks
LOOKS_MAX: Final = 5  # times the position may change while the store is asked


class Closer:
    """One question at a time, so that nothing of ours comes between a look and its order."""

    def __init__(self, engine: "OrderEngine") -> None:
        self._engine = engine
        self._lock = asyncio.Lock()

    async def close(
        self, symbol: str, account_id: AccountId, by: UserId, strategy_id: str | None = None
    ) -> Decision:
        """Return the decision that holds the closing order, or why there is none (nothing held, or refused).

        With a strategy it closes that strategy's shares alone. Raises OrderDenied where every share is in
        open orders, or where orders keep ending without closing.
        """
        async with self._lock:
            for _ in range(LOOKS_MAX):
                held = self._held(symbol, account_id, strategy_id)
                if held is None or not held.qty:
                    return nothing_held(symbol, account_id, strategy_id)
                open_one = self._open_one(held, strategy_id)
                if open_one is not None:
                    return Decision(order=open_one, existing=True)
                intent = await self._intent(held, by, strategy_id)
                if self._held(symbol, account_id, strategy_id) != held:
                    continue  # it traded while the store was asked: look again
                return await self._engine.submit(intent)
            raise OrderDenied(
                f"{symbol} of {account_id} changed {LOOKS_MAX} times while it was closed; ask again",
                reason=Reason.OVERLOADED,
            )

    def _held(self, symbol: str, account_id: AccountId, strategy_id: str | None) -> Position | None:
        book = self._engine.desk.book
        if strategy_id is None:
            return book.positions.get((account_id, symbol))
        return book.strategies.get((account_id, strategy_id, symbol))

    def _open_one(self, held: Position, strategy_id: str | None) -> Order | None:
        """Return the closing order that works already; one of a strategy's shares is none of the whole."""
        book = self._engine.desk.book
        meant = (strategy_id,) if strategy_id is not None else (CLOSING, self._owner(held))
        for order_id in book.open_by_symbol.get((held.account_id, held.symbol), {}):
            order = book.open[order_id]
            is_closing = order.strategy_version == CLOSING and order.side is _side(held)
            if is_closing and order.strategy_id in meant:
                return order
        return None

    async def _intent(self, held: Position, by: UserId, strategy_id: str | None) -> ApprovedOrderIntent:
        """Return the intent with the first key that no ended order has."""
        version = version_of(held, strategy_id or "")
        qty = self._free(held, strategy_id)
        for number in range(TRIES_MAX):
            intent = ApprovedOrderIntent(
                account_id=held.account_id,
                symbol=held.symbol,
                side=_side(held),
                order_type=OrderType.MARKET,
                qty=qty,
                price=None,
                strategy_id=self._owner(held) if strategy_id is None else strategy_id,
                strategy_version=CLOSING,
                signal_ts_ns=0,  # no signal: the position itself is what is acted on
                leg=f"{version}.{number}",
                user_id=by,
            )
            key = key_of(intent)
            made = self._engine.desk.book.order_by_key(key) or await self._engine.lookup.find(key)
            if made is None or not made.status.is_final:
                return intent
        raise OrderDenied(
            f"{TRIES_MAX} orders to close {held.symbol} of {held.account_id} ended without closing it; "
            "look at why in `jumun orders`"
        )

    def _free(self, held: Position, strategy_id: str | None) -> Decimal:
        """Shares that no open order works on: of the account, and of the strategy where one is meant."""
        book = self._engine.desk.book
        place = (held.account_id, held.symbol)
        if held.qty < ZERO:
            coming = book.shares_coming.get(place, ZERO)
            free = -held.qty - (coming if strategy_id is None else self._working(held, strategy_id))
        elif strategy_id is None:
            free = book.shares_free(*place)
        else:
            free = min(book.shares_free(*place), held.qty - self._working(held, strategy_id))
        if free <= ZERO:
            whose = f" of {strategy_id}" if strategy_id else ""
            raise OrderDenied(
                f"all {abs(held.qty):f} shares of {held.symbol}{whose} are in open orders; "
                f"cancel them with `jumun cancel-all --symbol {held.symbol}` first",
                reason=Reason.SHARES,
            )
        return free

    def _working(self, held: Position, strategy_id: str) -> Decimal:
        """Shares that the strategy's own open orders would close."""
        book = self._engine.desk.book
        orders = [book.open[name] for name in book.open_by_symbol.get((held.account_id, held.symbol), {})]
        closing = [order for order in orders if (order.strategy_id, order.side) == (strategy_id, _side(held))]
        return sum((order.qty_left for order in closing), ZERO)

    def _owner(self, held: Position) -> str:
        """The strategy whose shares these are, where they are one's alone: its sub-ledger is closed too."""
        owners = [
            strategy_id
            for (account_id, strategy_id, symbol), sub in self._engine.desk.book.strategies.items()
            if (account_id, symbol) == (held.account_id, held.symbol) and sub.qty
        ]
        return owners[0] if len(owners) == 1 and owners[0] else CLOSING


def nothing_held(symbol: str, account_id: str, strategy_id: str | None = None) -> Decision:
    """Return the decision about a position that is not there."""
    where = f" of {account_id}" if account_id else ""
    whose = f" by {strategy_id}" if strategy_id else ""
    how = "positions --by-strategy" if strategy_id else "positions"
    text = f"no shares of {symbol}{where} are held{whose}, so nothing is sold; look at `jumun {how}`"
    return Decision(denial=Denial(Reason.SHARES, text))


def version_of(held: Position, strategy_id: str = "") -> str:
    """Return what a position is now, as a short text: any fill or entry makes it another.

    Two strategies may hold the same shares at the same cost, and their closing orders are two.
    """
    parts = [f"{part.normalize():f}" for part in (held.qty, held.cost_basis, held.realised_gross, held.costs)]
    text = "|".join([*parts, *([strategy_id] if strategy_id else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def account_of(positions: Iterable[Position], symbol: str) -> AccountId | None:
    """Return the one account that holds a symbol; None where none does. Raises BadInput for several."""
    holders = sorted({held.account_id for held in positions if held.symbol == symbol and held.qty})
    if len(holders) > 1:
        raise BadInput(f"{symbol} is held by {', '.join(holders)}; name the account")
    return holders[0] if holders else None


def _side(held: Position) -> Side:
    return Side.SELL if held.qty > ZERO else Side.BUY
