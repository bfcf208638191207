"""OrderQueue: who goes first, no order twice, and nobody starves behind somebody else's obstacle."""

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.ids import OrderId
from jumun.model.orders import Order, OrderType, Side
from jumun.services.order_queue import Lane, OrderQueue
from jumun.testing.builders import an_order


def free(_: OrderId) -> Hashable | None:
    return None


def drain(queue: OrderQueue) -> list[OrderId]:
    taken = []
    while (order_id := queue.take(free)) is not None:
        taken.append(order_id)
    return taken


@pytest.mark.req("S000-14", "S000-37", "S000-38", "S000-39")
@pytest.mark.parametrize(
    ("order_type", "side", "priority"),
    [
        (OrderType.LIMIT, Side.BUY, 100),
        (OrderType.MARKET, Side.BUY, 80),
        (OrderType.LIMIT, Side.SELL, 95),
        (OrderType.MARKET, Side.SELL, 75),
    ],
)
def test_the_priorities_are_those_of_the_specification(
    order_type: OrderType, side: Side, priority: int
) -> None:
    assert OrderQueue().priority(an_order(order_type=order_type, side=side)) == priority


@pytest.mark.req("S000-41")
def test_a_strategy_can_have_a_base_priority_of_its_own() -> None:
    queue = OrderQueue(strategy_priorities={"urgent": 10})
    assert queue.priority(an_order(strategy_id="urgent", order_type=OrderType.MARKET)) == -10
    assert queue.priority(an_order(strategy_id="calm")) == 100


@pytest.mark.req("S000-96", "S000-97", "S000-98")
def test_the_defaults_are_those_of_the_specification() -> None:
    queue = OrderQueue()
    assert (queue.max_queue_size, queue.max_concurrent_orders, queue.priority_timeout) == (1000, 10, 300)


@pytest.mark.req("I-46")
def test_a_sale_goes_in_the_lane_that_reduces() -> None:
    assert OrderQueue().lane(an_order(side=Side.SELL)) is Lane.REDUCE
    assert OrderQueue().lane(an_order()) is Lane.NEW


ORDERS = st.lists(
    st.tuples(st.sampled_from([OrderType.LIMIT, OrderType.MARKET]), st.sampled_from(Side)), max_size=30
)


@pytest.mark.req("S000-13", "S000-40")
@given(kinds=ORDERS)
def test_a_lower_number_goes_first_and_equal_numbers_in_the_order_they_came(
    kinds: list[tuple[OrderType, Side]],
) -> None:
    queue = OrderQueue(max_concurrent_orders=100)  # fewer in line: no sell has to be given its turn
    orders = [an_order(n, order_type=kind, side=side) for n, (kind, side) in enumerate(kinds)]
    for order in orders:
        assert queue.add_order(order)
    assert drain(queue) == [order.order_id for order in sorted(orders, key=queue.priority)]
    assert len(queue) == 0


@pytest.mark.req("I-46", "S000-40")
def test_a_flood_of_urgent_buys_gives_a_sell_its_turn_after_as_many_as_go_at_once() -> None:
    queue = OrderQueue(max_concurrent_orders=3)
    sale = an_order(99, side=Side.SELL)
    buys = [an_order(n, order_type=OrderType.MARKET) for n in range(5)]
    for order in [sale, *buys]:
        queue.add_order(order)
    assert drain(queue) == [order.order_id for order in [*buys[:3], sale, *buys[3:]]]


@pytest.mark.req("S000-13", "I-07")
def test_no_order_stands_in_line_twice() -> None:
    queue, order = OrderQueue(), an_order()
    assert queue.add_order(order)
    assert not queue.add_order(order)
    assert len(queue) == 1
    assert drain(queue) == [order.order_id]
    assert order.order_id not in queue


@pytest.mark.req("S000-16", "I-07")
def test_an_order_taken_out_of_line_is_not_sent_and_coming_back_it_stands_at_the_end() -> None:
    queue, first, second = OrderQueue(), an_order(1), an_order(2)
    queue.add_order(first)
    queue.add_order(second)
    queue.discard(first.order_id)
    assert first.order_id not in queue
    queue.add_order(first)
    assert drain(queue) == [second.order_id, first.order_id]
    queue.discard(first.order_id)


@pytest.mark.req("F-03", "S000-40")
def test_an_obstacle_stops_only_those_behind_it_however_many_they_are() -> None:
    queue = OrderQueue()
    held = [an_order(n) for n in range(500)]
    other = an_order(999, symbol="000660", side=Side.BUY)
    for order in [*held, other]:
        queue.add_order(order)
    stopped = {order.order_id for order in held}
    assert queue.take(lambda order_id: "held" if order_id in stopped else None) == other.order_id
    assert queue.take(free) is None, "they are aside until the obstacle is gone"
    assert queue.has_aside
    assert len(queue) == 500
    queue.release_all("held")
    assert drain(queue) == [order.order_id for order in held]
    assert not queue.has_aside


@pytest.mark.req("F-03", "I-11")
def test_behind_a_look_alike_they_come_back_one_at_a_time_best_first() -> None:
    queue = OrderQueue()
    orders = [an_order(1), an_order(2, side=Side.SELL), an_order(3)]
    for order in orders:
        queue.add_order(order)
    assert queue.take(lambda _: "shape") is None
    queue.release("shape")
    assert queue.take(free) == orders[1].order_id
    assert queue.take(free) is None
    queue.discard(orders[0].order_id)
    queue.release("shape")
    assert queue.take(free) == orders[2].order_id
    queue.release("shape")
    assert not queue.has_aside
    queue.release("nobody")


class Desk:
    """The queue's other half, in small: what is in flight stops its look-alikes."""

    def __init__(self) -> None:
        self.queue = OrderQueue()
        self.symbols: dict[OrderId, str] = {}
        self.flying: dict[str, OrderId] = {}
        self.sent: list[OrderId] = []

    def add(self, order: Order) -> None:
        self.symbols[order.order_id] = order.symbol
        self.queue.add_order(order)

    def pump(self) -> None:
        while (order_id := self.queue.take(self._obstacle)) is not None:
            self.flying[self.symbols[order_id]] = order_id
            self.sent.append(order_id)

    def land(self, symbol: str) -> None:
        self.flying.pop(symbol, None)
        self.queue.release(symbol)

    def _obstacle(self, order_id: OrderId) -> Hashable | None:
        symbol = self.symbols[order_id]
        return symbol if symbol in self.flying else None


SYMBOLS = ["A", "B", "C"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SYMBOLS)),
        st.tuples(st.just("land"), st.sampled_from(SYMBOLS)),
        st.tuples(st.just("drop"), st.integers(0, 40)),
        st.tuples(st.just("pump"), st.none()),
    ),
    max_size=60,
)


@pytest.mark.req("S000-15", "S000-17", "I-07", "F-03", "I-47")
@given(steps=STEPS)
def test_every_order_is_sent_once_unless_it_is_taken_out_of_line(
    steps: list[tuple[str, str | int | None]],
) -> None:
    desk, added, dropped = Desk(), list[Order](), set[OrderId]()
    for step, what in steps:
        if step == "add":
            order = an_order(len(added), symbol=str(what))
            added.append(order)
            desk.add(order)
        elif step == "land":
            desk.land(str(what))
        elif step == "pump":
            desk.pump()
        elif isinstance(what, int) and what < len(added) and added[what].order_id in desk.queue:
            desk.queue.discard(added[what].order_id)
            dropped.add(added[what].order_id)
            if added[what].symbol not in desk.flying:
                desk.queue.release(added[what].symbol)  # as the desk does for any order that changed
    for _ in range(len(added) + 1):
        desk.pump()
        for symbol in SYMBOLS:
            desk.land(symbol)
    assert sorted(desk.sent) == sorted(o.order_id for o in added if o.order_id not in dropped)
    assert len(desk.queue) == 0
