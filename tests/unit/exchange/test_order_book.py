"""Price first, then time; nobody trades beyond a limit, and no share appears or disappears."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.exchange.order_book import BookOrder, OrderBook, Trade
from jumun.model.orders import Side

D = Decimal


def entry(key: str, side: Side, price: int | None, qty: int, cap: int | None = None) -> BookOrder:
    limit = None if price is None else Decimal(price)
    worst = limit if limit is not None else (None if cap is None else Decimal(cap))
    return BookOrder(key=key, side=side, price=limit, worst=worst, qty_left=Decimal(qty))


def test_the_better_price_trades_first_and_the_earlier_order_at_the_same_price() -> None:
    book = OrderBook()
    for key, price in (("late and dear", 101), ("first", 100), ("second", 100)):
        book.rest(entry(key, Side.SELL, price, 5))
    trades = book.take(entry("buyer", Side.BUY, 101, 12), None)
    assert [(t.seller, t.qty, t.price) for t in trades] == [
        ("first", D(5), D(100)),
        ("second", D(5), D(100)),
        ("late and dear", D(2), D(101)),
    ]


def test_a_market_order_stands_in_front_of_every_limit() -> None:
    book = OrderBook()
    book.rest(entry("limit", Side.BUY, 105, 5))
    book.rest(entry("market", Side.BUY, None, 5, cap=130))
    (first, second) = book.take(entry("seller", Side.SELL, 100, 7), Decimal(102))
    assert (first.buyer, first.price) == ("market", D(102))
    assert (second.buyer, second.qty, second.price) == ("limit", D(2), D(105))


def test_a_capped_market_order_is_passed_by_when_the_print_is_beyond_its_cap() -> None:
    book = OrderBook()
    book.rest(entry("capped", Side.BUY, None, 5, cap=130))
    book.rest(entry("limit", Side.BUY, 140, 5))
    (trade,) = book.print_at(Decimal(135), Decimal(100))
    assert (trade.buyer, trade.price) == ("limit", D(140))


def test_two_market_orders_wait_for_a_price() -> None:
    book = OrderBook()
    book.rest(entry("buyer", Side.BUY, None, 5, cap=130))
    assert book.take(entry("seller", Side.SELL, None, 5), None) == []


def test_a_print_gives_no_more_than_its_volume_to_each_side() -> None:
    book = OrderBook()
    book.rest(entry("a", Side.BUY, 101, 6))
    book.rest(entry("b", Side.BUY, 100, 6))
    book.rest(entry("c", Side.BUY, 99, 6))
    trades = book.print_at(Decimal(100), Decimal(8))
    assert [(t.buyer, t.qty, t.price) for t in trades] == [("a", D(6), D(101)), ("b", D(2), D(100))]


def test_a_quote_never_trades_with_what_the_print_left_over() -> None:
    book = OrderBook()
    book.rest(entry("left over", Side.BUY, 100, 5))
    assert not book.quote(Side.SELL, Decimal(100), Decimal(50))
    assert book.quote(Side.SELL, Decimal(101), Decimal(50))
    assert [o.qty_left for o in book.resting(Side.BUY)] == [5]


def test_orders_of_an_auction_trade_with_each_other_at_the_print() -> None:
    book = OrderBook()
    for order in (entry("buyer", Side.BUY, 110, 5), entry("seller", Side.SELL, 90, 5)):
        order.at_print = True
        book.rest(order)
    (trade,) = book.print_at(Decimal(100), Decimal(0))
    assert (trade.buyer, trade.seller, trade.price) == ("buyer", "seller", D(100))


def test_a_removed_order_trades_no_more() -> None:
    book = OrderBook()
    book.rest(entry("a", Side.BUY, 100, 5))
    assert book.remove("a") is not None
    assert book.remove("a") is None
    assert book.take(entry("seller", Side.SELL, 90, 5), None) == []


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.one_of(st.none(), st.integers(90, 110)),
        st.integers(1, 20),
        st.integers(90, 110),
        st.integers(0, 30),
    ),
    max_size=40,
)


@pytest.mark.req("I-01", "I-05")
@given(ORDERS)
def test_shares_are_conserved_and_nobody_trades_beyond_a_limit_or_past_a_better_price(
    steps: list[tuple[Side, int | None, int, int, int]],
) -> None:
    book, entered, traded = OrderBook(), dict[str, BookOrder](), dict[str, Decimal]()
    quantities = dict[str, int]()
    for index, (side, price, qty, printed, volume) in enumerate(steps):
        taker = entry(f"o{index}", side, price, qty, cap=130 if side is Side.BUY else None)
        entered[taker.key], quantities[taker.key] = taker, qty
        before = {s: book.resting(s) for s in Side}
        left = {o.key: o.qty_left for o in (*before[Side.BUY], *before[Side.SELL])}
        trades = book.take(taker, Decimal(100))
        if taker.qty_left:
            book.rest(taker)
        _count(trades, traded, entered)
        _require_best_first(trades, side, before, left)
        if volume > 20:
            printed_trades = book.print_at(Decimal(printed), Decimal(volume))
            for mine in ("buyer", "seller"):
                got = sum(t.qty for t in printed_trades if getattr(t, mine) and not (t.buyer and t.seller))
                assert got <= volume
            _count(printed_trades, traded, entered)
    for key, order in entered.items():
        assert traded.get(key, Decimal(0)) + order.qty_left == quantities[key]
        assert (order.qty_left == 0) is (book.find(key) is None)
    crossed = [
        (b, s)
        for b in book.resting(Side.BUY)
        for s in book.resting(Side.SELL)
        if b.price is not None and s.price is not None and b.price >= s.price
    ]
    assert crossed == []


def _count(trades: list[Trade], traded: dict[str, Decimal], entered: dict[str, BookOrder]) -> None:
    for trade in trades:
        for key in filter(None, (trade.buyer, trade.seller)):
            traded[key] = traded.get(key, Decimal(0)) + trade.qty
            assert entered[key].accepts(trade.price)


def _require_best_first(
    trades: list[Trade], side: Side, before: dict[Side, tuple[BookOrder, ...]], left: dict[str, Decimal]
) -> None:
    """Makers are used up in the order of the book: one behind another trades only when that one is done."""
    makers = [o.key for o in before[Side.SELL if side is Side.BUY else Side.BUY]]
    used = [t.seller if side is Side.BUY else t.buyer for t in trades]
    assert used == makers[: len(used)]
    for trade, key in list(zip(trades, used, strict=True))[:-1]:
        assert trade.qty == left[key]
