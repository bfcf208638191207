"""Closes a position with one order that cannot double (S000-21).

Three things hold it: the idempotency key is made of account, symbol and what the position is now, so a
repeat returns the order that is there; while a closing order is open, that one is the answer; and the desk
sells no share that another open order has reserved (I-34).
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

    async def close(self, symbol: str, account_id: AccountId, by: UserId) -> Decision:
        """Return the decision that holds the closing order, or why there is none (nothing held, or refused).

        Raises OrderDenied where every share is in open orders, or where orders keep ending without closing.
        """
        async with self._lock:
            for _ in range(LOOKS_MAX):
                held = self._engine.desk.book.positions.get((account_id, symbol))
                if held is None or not held.qty:
                    return nothing_held(symbol, account_id)
                open_one = self._open_one(held)
                if open_one is not None:
                    return Decision(order=open_one, existing=True)
                intent = await self._intent(held, by)
                if self._engine.desk.book.positions.get((account_id, symbol)) != held:
                    continue  # it traded while the store was asked: look again
                return await self._engine.submit(intent)
            raise OrderDenied(
                f"{symbol} of {account_id} changed {LOOKS_MAX} times while it was closed; ask again",
                reason=Reason.OVERLOADED,
            )

    def _open_one(self, held: Position) -> Order | None:
        book = self._engine.desk.book
        for order_id in book.open_by_symbol.get((held.account_id, held.symbol), {}):
            order = book.open[order_id]
            if order.strategy_version == CLOSING and order.side is _side(held):
                return order
        return None

    async def _intent(self, held: Position, by: UserId) -> ApprovedOrderIntent:
        """Return the intent with the first key that no ended order has."""
        version = version_of(held)
        qty = self._free(held)
        for number in range(TRIES_MAX):
            intent = ApprovedOrderIntent(
                account_id=held.account_id,
                symbol=held.symbol,
                side=_side(held),
                order_type=OrderType.MARKET,
                qty=qty,
                price=None,
                strategy_id=self._owner(held),
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

    def _free(self, held: Position) -> Decimal:
        book = self._engine.desk.book
        place = (held.account_id, held.symbol)
        if held.qty > ZERO:
            free = book.shares_free(*place)
        else:
            free = -held.qty - book.shares_coming.get(place, ZERO)
        if free <= ZERO:
            raise OrderDenied(
                f"all {abs(held.qty):f} shares of {held.symbol} are in open orders; "
                f"cancel them with `jumun cancel-all --symbol {held.symbol}` first",
                reason=Reason.SHARES,
            )
        return free

    def _owner(self, held: Position) -> str:
        """The strategy whose shares these are, where they are one's alone: its sub-ledger is closed too."""
        owners = [
            strategy_id
            for (account_id, strategy_id, symbol), sub in self._engine.desk.book.strategies.items()
            if (account_id, symbol) == (held.account_id, held.symbol) and sub.qty
        ]
        return owners[0] if len(owners) == 1 and owners[0] else CLOSING


def nothing_held(symbol: str, account_id: str) -> Decision:
    """Return the decision about a position that is not there."""
    where = f" of {account_id}" if account_id else ""
    text = f"no shares of {symbol}{where} are held, so nothing is sold; look at `jumun positions`"
    return Decision(denial=Denial(Reason.SHARES, text))


def version_of(held: Position) -> str:
    """Return what a position is now, as a short text: any fill or entry makes it another."""
    parts = (held.qty, held.cost_basis, held.realised_gross, held.costs)
    text = "|".join(f"{part.normalize():f}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def account_of(positions: Iterable[Position], symbol: str) -> AccountId | None:
    """Return the one account that holds a symbol; None where none does. Raises BadInput for several."""
    holders = sorted({held.account_id for held in positions if held.symbol == symbol and held.qty})
    if len(holders) > 1:
        raise BadInput(f"{symbol} is held by {', '.join(holders)}; name the account")
    return holders[0] if holders else None


def _side(held: Position) -> Side:
    return Side.SELL if held.qty > ZERO else Side.BUY
