"""C-60 to C-67: other people's hands, restarts and the next day."""

import pytest

from jumun.model.instruments import Venue
from jumun.model.reports import (
    BrokerState,
    CancelAccepted,
    FillNotice,
    LookAgain,
    ModifyAccepted,
    OrderReport,
    Unknown,
)
from tests.contract.broker.cases import DIFFERS, case
from tests.contract.broker.places import DAY_NS, QTY, TODAY, TOMORROW
from tests.contract.broker.stands import Fault, Stand, key, yes

SIX_HOURS_NS = DAY_NS // 4  # from ten o'clock to after the close


@case("C-60", "an order that somebody entered by hand is announced and listed beside ours")
@pytest.mark.req("F-34", "F-106", "I-42")
async def test_c60_an_order_by_hand_is_listed_beside_ours(stand: Stand) -> None:
    ours = await stand.accepted()
    stand.hand_orders(stand.place.low)
    orders = await stand.history()
    (theirs,) = (one for one in orders if one.ref != ours.ref)
    assert len(orders) == 2
    assert (theirs.symbol, theirs.qty, theirs.price) == (stand.place.symbol, QTY, stand.place.low)
    assert theirs.state is BrokerState.WORKING
    await stand.heard.state(theirs.ref, "WORKING")
    stand.print_price(stand.place.low, volume=100)
    fills = await stand.heard.of(FillNotice, 2)
    assert {(one.ref, one.qty) for one in fills} == {(ours.ref, QTY), (theirs.ref, QTY)}


@case("C-61", "a cancel of our order by somebody else is heard of and listed")
@pytest.mark.req("F-34", "I-42")
async def test_c61_a_cancel_by_hand_is_heard_of(stand: Stand) -> None:
    order = await stand.accepted()
    stand.hand_cancels(order.ref)
    told = await stand.heard.end_of(order.ref)
    assert isinstance(told, LookAgain if stand.name in DIFFERS["C-61"] else OrderReport)
    (listed,) = await stand.history()
    assert (listed.ref, listed.state) == (order.ref, BrokerState.CANCELLED)


@case("C-62", "a modify of our order by somebody else is heard of, and its new number leads to ours")
@pytest.mark.req("F-34", "I-11", "I-42")
async def test_c62_a_modify_by_hand_leads_to_our_order(stand: Stand) -> None:
    order = await stand.accepted()
    price = stand.place.low + stand.place.tick
    stand.hand_modifies(order.ref, price)
    old, new = await stand.history()
    assert (old.ref, old.state) == (order.ref, BrokerState.REPLACED)
    assert (new.replaces, new.price, new.state) == (order.ref, price, BrokerState.WORKING)
    told = await stand.heard.state(new.ref, "WORKING")
    assert told.replaces == order.ref
    stand.print_price(stand.place.low, volume=100)
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.ref, fill.qty) == (new.ref, QTY)


@case("C-63", "after a restart the list tells of open, filled, part filled, cancelled and unknown orders")
@pytest.mark.req("I-15", "I-22", "I-39")
async def test_c63_after_a_restart_the_list_tells_all(stand: Stand) -> None:
    place = stand.place
    filled = await stand.accepted(stand.order(order_id="order-1", price=place.ask))
    cancelled = await stand.accepted(stand.order(order_id="order-2"))
    assert isinstance(await stand.broker.cancel(stand.cancel_of(cancelled.ref)), CancelAccepted)
    part = await stand.accepted(stand.order(order_id="order-3", qty=9))
    stand.print_price(place.low, volume=4, quote=0)
    still = await stand.accepted(stand.order(order_id="order-4", price=place.low - place.tick))
    async with stand.weather(Fault.ANSWER_RESET):
        outcome = await stand.broker.submit(stand.order(order_id="order-5", qty=7), yes)
    assert isinstance(outcome, Unknown)
    await stand.restart()
    orders = {one.ref: one for one in await stand.history()}
    known = {filled.ref, cancelled.ref, part.ref, still.ref}
    (found,) = (one for ref, one in orders.items() if ref not in known)
    assert (found.qty, found.price, found.state) == (7, place.low, BrokerState.WORKING)
    assert {ref: (orders[ref].state.value, orders[ref].qty_filled) for ref in known} == {
        filled.ref: ("FILLED", QTY),
        cancelled.ref: ("CANCELLED", 0),
        part.ref: ("WORKING", 4),
        still.ref: ("WORKING", 0),
    }
    assert len(orders) == 5
    held = {one.symbol: one.qty for one in (await stand.balance()).holdings}
    assert held == {place.symbol: 100 + QTY + 4}
    stand.print_price(place.low, volume=5, quote=0)
    await stand.heard.until(
        lambda all_: any(isinstance(one, FillNotice) and one.ref == part.ref and one.qty == 5 for one in all_)
    )


@case("C-64", "orders that were sent before a restart can be modified and cancelled after it")
@pytest.mark.req("I-11", "I-22")
@pytest.mark.parametrize("asks_first", [False, True])
async def test_c64_orders_from_before_a_restart_can_be_changed(stand: Stand, asks_first: bool) -> None:
    first = await stand.accepted()
    second = await stand.accepted(stand.order(order_id="order-2"))
    await stand.restart()
    if asks_first:
        assert len(await stand.history()) == 2
    price = stand.place.low + stand.place.tick
    outcome = await stand.broker.modify(stand.modify_of(first.ref, price=price), yes)
    assert isinstance(outcome, ModifyAccepted), outcome
    ended = await stand.broker.cancel(stand.cancel_of(second.ref))
    assert isinstance(ended, CancelAccepted), ended
    orders = {one.ref: one for one in await stand.history()}
    assert orders[first.ref].state is BrokerState.REPLACED
    assert (orders[outcome.ref].replaces, orders[outcome.ref].price) == (first.ref, price)
    assert orders[second.ref].state is BrokerState.CANCELLED


@case("C-65", "the next day numbers begin again, and yesterday's orders have expired")
@pytest.mark.req("I-64", "F-31", "F-55", "F-92")
async def test_c65_the_next_day_numbers_begin_again(stand: Stand) -> None:
    first = await stand.accepted()
    stand.print_price(stand.place.low, volume=4, quote=0)
    await stand.heard.of(FillNotice)
    stand.skip(DAY_NS)
    stand.print_price(stand.place.price)
    second = await stand.accepted(stand.order(order_id="order-2", trade_date=TOMORROW))
    assert (first.ref.trade_date, second.ref.trade_date) == (TODAY, TOMORROW)
    assert first.ref.number == second.ref.number, "the number alone names two orders"
    (old,) = await stand.history(TODAY)
    (new,) = await stand.history(TOMORROW)
    assert (old.ref, old.state, old.qty_filled) == (first.ref, BrokerState.EXPIRED, 4)
    assert (new.ref, new.state, new.qty_filled) == (second.ref, BrokerState.WORKING, 0)
    stand.print_price(stand.place.low, volume=3, quote=0)
    fills = await stand.heard.of(FillNotice, 2)
    assert [(one.ref, one.qty) for one in fills] == [(first.ref, 4), (second.ref, 3)]


@case("C-66", "after the session's end an order has expired without anybody asking, and what filled stands")
@pytest.mark.req("F-55")
async def test_c66_after_the_session_an_order_has_expired(stand: Stand) -> None:
    order = await stand.accepted()
    stand.print_price(stand.place.low, volume=4, quote=0)
    await stand.heard.of(FillNotice)
    stand.skip(DAY_NS // 24 * 11)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.EXPIRED, 4)


@case("C-67", "at the regular close an order ends at home and lives on into the evening at NXT")
@pytest.mark.req("F-56")
async def test_c67_at_the_close_an_order_ends_at_home_and_lives_on_at_nxt(stand: Stand) -> None:
    order = await stand.accepted()
    stand.skip(SIX_HOURS_NS)
    listed = await stand.listed(order.ref)
    if stand.place.trades_at is not Venue.NXT:
        assert listed.state is BrokerState.EXPIRED
        assert not stand.market.orders[key(order.ref)].is_open
        return
    assert listed.state is BrokerState.WORKING
    stand.print_price(stand.place.low, volume=100)
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.ref, fill.qty) == (order.ref, QTY)
    assert (await stand.listed(order.ref)).state is BrokerState.FILLED
