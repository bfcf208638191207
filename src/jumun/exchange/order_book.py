"""One symbol's limit order book: price first, then time. Deterministic: lists and sequence numbers only.

Market orders stand in front of every limit. Background quotes are ordinary entries that belong to nobody.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Self

import msgspec

from jumun.model.orders import Side

ZERO: Final = Decimal(0)


class BookOrder(msgspec.Struct, kw_only=True):
    """One entry of the book. `worst` is the least favourable price it may trade at; None means any.

    A market order has no `price`: its `worst` is the cap its cash was reserved at. An entry without a key is
    a background quote. `at_print` marks an order taken in an auction: the next print decides its price.
    """

    key: str
    side: Side
    price: Decimal | None
    worst: Decimal | None
    qty_left: Decimal
    at_print: bool = False
    rank: tuple[int, Decimal, int] = (0, ZERO, 0)

    @property
    def is_quote(self) -> bool:
        """Whether this is background liquidity rather than somebody's order."""
        return not self.key

    def accepts(self, price: Decimal) -> bool:
        """Whether a trade at `price` respects this order's limit (I-05)."""
        if self.worst is None:
            return True
        return price <= self.worst if self.side is Side.BUY else price >= self.worst


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that changed hands. A key is empty where the background took the other side."""

    buyer: str
    seller: str
    qty: Decimal
    price: Decimal


class OrderBook:
    """Resting orders of one symbol, best first on both sides."""

    __slots__ = ("_by_key", "_queues", "_sequence")

    def __init__(self) -> None:
        self._queues: dict[Side, list[BookOrder]] = {Side.BUY: [], Side.SELL: []}
        self._by_key: dict[str, BookOrder] = {}
        self._sequence = 0

    def resting(self, side: Side) -> tuple[BookOrder, ...]:
        """Return one side, best first."""
        return tuple(self._queues[side])

    def find(self, key: str) -> BookOrder | None:
        """Return the resting order of `key`."""
        return self._by_key.get(key)

    def available(self, taker: BookOrder, reference: Decimal | None) -> Decimal:
        """Return the shares `taker` could take at once; what a fill-or-kill order asks first."""
        makers = self._queues[_other(taker.side)]
        return sum((m.qty_left for m in makers if _trade_price(taker, m, reference) is not None), ZERO)

    def take(self, taker: BookOrder, reference: Decimal | None) -> list[Trade]:
        """Match `taker` against the other side at the makers' prices; what is left stays in `taker`.

        `reference` prices a meeting of two market orders; without one they wait for a print.
        """
        trades: list[Trade] = []
        makers = self._queues[_other(taker.side)]
        while taker.qty_left > ZERO:
            meeting = _first_meeting(taker, makers, reference)
            if meeting is None:
                break
            maker, price = meeting
            trades.append(self._trade(taker, maker, min(taker.qty_left, maker.qty_left), price))
        return trades

    def first_price(self, taker: BookOrder, reference: Decimal | None) -> Decimal | None:
        """Return the price `taker` would first trade at; None when nobody meets it."""
        meeting = _first_meeting(taker, self._queues[_other(taker.side)], reference)
        return None if meeting is None else meeting[1]

    def __len__(self) -> int:
        return len(self._by_key)

    def rest(self, order: BookOrder) -> None:
        """Put what is left of `order` behind everything of its price."""
        assert order.qty_left > ZERO, "an order without shares cannot rest"
        self._sequence += 1
        order.rank = _rank(order, self._sequence)
        insort(self._queues[order.side], order, key=_rank_of)
        if order.key:
            assert order.key not in self._by_key, f"{order.key} already rests"
            self._by_key[order.key] = order

    def remove(self, key: str) -> BookOrder | None:
        """Take an order out of the book; None when it does not rest."""
        order = self._by_key.get(key)
        if order is not None:
            self._drop(order)
        return order

    def cut(self, key: str, qty_left: Decimal, new_key: str) -> None:
        """Lower what an order has left, under the same or a new key; it keeps its place in the queue."""
        order = self._by_key.pop(key)
        assert ZERO < qty_left <= order.qty_left, f"{key} would grow, or end, by a reduction"
        order.qty_left = qty_left
        order.key = new_key
        self._by_key[new_key] = order

    def clear_quotes(self) -> None:
        """Withdraw all background liquidity."""
        for side, queue in self._queues.items():
            self._queues[side] = [order for order in queue if not order.is_quote]

    def quote(self, side: Side, price: Decimal, qty: Decimal) -> bool:
        """Place background liquidity, unless it would cross a client's order left over by the last print.

        A crossing quote would trade at once: volume the print did not have.
        """
        quote = BookOrder(key="", side=side, price=price, worst=price, qty_left=qty)
        if _first_meeting(quote, self._queues[_other(side)], price) is not None:
            return False
        self.rest(quote)
        return True

    def print_at(self, price: Decimal, volume: Decimal) -> list[Trade]:
        """Let the market trade at `price`: each side may take up to `volume` from the background.

        A resting limit order fills at its own limit, the price it was quoted at when the market came through;
        market orders and orders of an auction fill at the print. Then the clients left over are crossed.
        """
        self.clear_quotes()
        trades: list[Trade] = []
        for side in (Side.BUY, Side.SELL):
            trades += self._sweep(side, price, volume)
        trades += self._uncross(price)
        for queue in self._queues.values():
            for order in queue:
                order.at_print = False
        return trades

    def cross_all(self, price: Decimal) -> list[Trade]:
        """Trade everybody who accepts `price` at it, best first; the background comes last of its price."""
        trades: list[Trade] = []
        buys = [order for order in self._queues[Side.BUY] if order.accepts(price)]
        sells = [order for order in self._queues[Side.SELL] if order.accepts(price)]
        at_buy = at_sell = 0
        while at_buy < len(buys) and at_sell < len(sells):
            buy, sell = buys[at_buy], sells[at_sell]
            qty = min(buy.qty_left, sell.qty_left)
            trades.append(Trade(buyer=buy.key, seller=sell.key, qty=qty, price=price))
            self._reduce(buy, qty)
            self._reduce(sell, qty)
            at_buy += buy.qty_left == ZERO
            at_sell += sell.qty_left == ZERO
        self.end_auction()
        return trades

    def end_auction(self) -> None:
        """What is left of an auction's orders goes on as ordinary orders; its background leaves."""
        self.clear_quotes()
        for queue in self._queues.values():
            for order in queue:
                order.at_print = False

    def dump(self) -> tuple[int, list[BookOrder]]:
        """Return the sequence and every entry, for a snapshot."""
        return self._sequence, [*self._queues[Side.BUY], *self._queues[Side.SELL]]

    @classmethod
    def load(cls, sequence: int, entries: Iterable[BookOrder]) -> Self:
        """Return the book of a snapshot; the entries come in their order, as `dump` gave them."""
        book = cls()
        book._sequence = sequence
        for entry in entries:
            book._queues[entry.side].append(entry)
            if entry.key:
                book._by_key[entry.key] = entry
        return book

    def _sweep(self, side: Side, price: Decimal, volume: Decimal) -> list[Trade]:
        trades: list[Trade] = []
        left, queue = volume, self._queues[side]
        # A capped market order stands in front and may refuse the print: it is passed by.
        for order in [order for order in queue if order.accepts(price)]:
            if left <= ZERO:
                break
            own = order.price is not None and not order.at_print
            at = order.price if own and order.price is not None else price
            qty = min(order.qty_left, left)
            left -= qty
            trades.append(_background_trade(order, qty, at))
            self._reduce(order, qty)
        return trades

    def _uncross(self, price: Decimal) -> list[Trade]:
        """Trade clients of an auction with each other where the print's volume did not reach them."""
        trades: list[Trade] = []
        buys, sells = self._queues[Side.BUY], self._queues[Side.SELL]
        while buys and sells:
            buy, sell = buys[0], sells[0]
            at = _meet(buy, sell, price)
            if at is None:
                break
            trades.append(self._trade(buy, sell, min(buy.qty_left, sell.qty_left), at))
            if buy.qty_left == ZERO and buys and buys[0] is buy:
                self._drop(buy)
        return trades

    def _trade(self, taker: BookOrder, maker: BookOrder, qty: Decimal, price: Decimal) -> Trade:
        taker.qty_left -= qty
        self._reduce(maker, qty)
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        return Trade(buyer=buyer.key, seller=seller.key, qty=qty, price=price)

    def _reduce(self, order: BookOrder, qty: Decimal) -> None:
        order.qty_left -= qty
        assert order.qty_left >= ZERO, f"{order.key} traded more than it had"
        if order.qty_left == ZERO:
            self._drop(order)

    def _drop(self, order: BookOrder) -> None:
        queue = self._queues[order.side]
        index = bisect_left(queue, order.rank, key=_rank_of)
        assert queue[index] is order, "the book is out of order"
        del queue[index]
        self._by_key.pop(order.key, None)


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _rank_of(order: BookOrder) -> tuple[int, Decimal, int]:
    return order.rank


def _rank(order: BookOrder, sequence: int) -> tuple[int, Decimal, int]:
    if order.price is None:
        return (0, ZERO, sequence)
    return (1, -order.price if order.side is Side.BUY else order.price, sequence)


def _trade_price(taker: BookOrder, maker: BookOrder, reference: Decimal | None) -> Decimal | None:
    """Return the price two orders meet at, None when they do not: the maker's, where it has one."""
    if maker.price is not None:
        return maker.price if taker.accepts(maker.price) else None
    buy, sell = (taker, maker) if taker.side is Side.BUY else (maker, taker)
    wanted = taker.price if taker.price is not None else reference
    return None if wanted is None else _meet(buy, sell, reference if reference is not None else wanted)


def _first_meeting(
    taker: BookOrder, makers: list[BookOrder], reference: Decimal | None
) -> tuple[BookOrder, Decimal] | None:
    """Return the best maker that trades with `taker`, and at what price.

    A capped market order in front may refuse a price the limit order behind it takes: it is passed by.
    """
    for maker in makers:
        price = _trade_price(taker, maker, reference)
        if price is not None:
            return maker, price
        if maker.price is not None:
            return None
    return None


def _meet(buy: BookOrder, sell: BookOrder, wanted: Decimal) -> Decimal | None:
    """Return the price closest to `wanted` that both accept, None when their limits do not cross."""
    price = wanted
    if sell.worst is not None and price < sell.worst:
        price = sell.worst
    if buy.worst is not None and price > buy.worst:
        price = buy.worst
    return price if buy.accepts(price) and sell.accepts(price) else None


def _background_trade(order: BookOrder, qty: Decimal, price: Decimal) -> Trade:
    is_buy = order.side is Side.BUY
    return Trade(buyer=order.key if is_buy else "", seller="" if is_buy else order.key, qty=qty, price=price)
