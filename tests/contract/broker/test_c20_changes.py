"""C-20 to C-37: modifies and cancels, also of orders that have moved on, and with answers that are lost."""

from decimal import Decimal

import pytest

from jumun.exchange.scripted import IgnoreCancels, carry_out
from jumun.model.orders import BrokerRef, Side
from jumun.model.reports import (
    BrokerState,
    CancelAccepted,
    CancelRefused,
    FillNotice,
    ModifyAccepted,
    ModifyRefused,
    ModifyRequest,
    NotSent,
    OrderReport,
    Unknown,
)
from tests.contract.broker.cases import DIFFERS, case, declined
from tests.contract.broker.places import QTY
from tests.contract.broker.stands import Fault, Stand, key, no, yes


async def _modified(stand: Stand, request: ModifyRequest) -> BrokerRef:
    outcome = await stand.broker.modify(request, yes)
    assert isinstance(outcome, ModifyAccepted), outcome
    assert outcome.raw
    return outcome.ref


async def _repriced(stand: Stand, price: Decimal) -> None:
    order = await stand.accepted()
    ref = await _modified(stand, stand.modify_of(order.ref, price=price))
    assert ref != order.ref
    old, new = await stand.history()
    assert (old.ref, old.state, old.qty_filled) == (order.ref, BrokerState.REPLACED, 0)
    assert (new.ref, new.replaces, new.state) == (ref, order.ref, BrokerState.WORKING)
    assert (new.qty, new.qty_filled, new.price, new.side) == (QTY, 0, price, Side.BUY)
    await stand.heard.state(old.ref, "REPLACED")
    announced = await stand.heard.state(new.ref, "WORKING")
    assert (announced.replaces, announced.price) == (order.ref, price)
    assert [one.price for one in stand.market.modifies] == [price]


@case("C-20", "a higher price moves the order to a new number that names the old one")
@pytest.mark.req("S002-37", "I-11")
async def test_c20_a_higher_price_moves_the_order_to_a_new_number(stand: Stand) -> None:
    await _repriced(stand, stand.place.low + stand.place.tick)


@case("C-21", "a lower price moves the order to a new number that names the old one")
@pytest.mark.req("S002-37", "I-11")
async def test_c21_a_lower_price_moves_the_order_to_a_new_number(stand: Stand) -> None:
    await _repriced(stand, stand.place.low - stand.place.tick)


@case("C-22", "a lower quantity leaves so many shares at work, under whichever number")
@pytest.mark.req("I-11")
async def test_c22_a_lower_quantity_leaves_so_many_at_work(stand: Stand) -> None:
    order = await stand.accepted()
    request = stand.modify_of(order.ref, qty=6)
    if await declined(stand, "C-22", request):
        assert (await stand.listed(order.ref)).qty == QTY, "it stands as it was"
        return
    ref = await _modified(stand, request)
    listed = await stand.listed(ref)
    assert (listed.state, listed.qty, listed.price) == (BrokerState.WORKING, 6, stand.place.low)
    keeps_number = stand.name in DIFFERS["C-22"]
    assert (ref == order.ref) is keeps_number
    assert listed.replaces == (None if keeps_number else order.ref), "the new number leads to the one order"
    stand.print_price(stand.place.low, volume=100)
    await stand.heard.of(FillNotice)
    orders = await stand.history()
    assert sum(one.qty_filled for one in orders) == 6
    # A list that names 10 ordered, 6 filled and 4 cancelled cannot say which of the two came last.
    ended = await stand.listed(ref)
    assert ended.state is (BrokerState.CANCELLED if keeps_number else BrokerState.FILLED)
    assert ended.qty_filled == 6


@case("C-23", "a modify never enlarges an order")
@pytest.mark.req("I-03")
async def test_c23_a_modify_never_enlarges(stand: Stand) -> None:
    order = await stand.accepted()
    outcome = await stand.broker.modify(stand.modify_of(order.ref, qty=11), yes)
    assert isinstance(outcome, ModifyRefused)
    assert outcome.code
    (listed,) = await stand.history()
    assert (listed.state, listed.qty) == (BrokerState.WORKING, QTY)


@case("C-24", "a modify moves what is left; fills that crossed it stay with the old number")
@pytest.mark.req("F-49", "I-03")
async def test_c24_a_fill_that_crosses_the_modify_is_not_counted_twice(stand: Stand) -> None:
    order = await stand.accepted()
    stand.print_price(stand.place.low, volume=4, quote=0)  # the modify is written before anybody heard of it
    price = stand.place.low - stand.place.tick
    ref = await _modified(stand, stand.modify_of(order.ref, price=price))
    old, new = await stand.history()
    assert (old.ref, old.state, old.qty_filled) == (order.ref, BrokerState.REPLACED, 4)
    assert (new.ref, new.qty, new.qty_filled, new.state) == (ref, 6, 0, BrokerState.WORKING)
    stand.print_price(price, volume=100)
    fills = await stand.heard.of(FillNotice, 2)
    assert [(one.ref, one.qty) for one in fills] == [(order.ref, 4), (ref, 6)]


@case("C-25", "a filled order cannot be modified")
@pytest.mark.req("F-46")
async def test_c25_a_filled_order_cannot_be_modified(stand: Stand) -> None:
    order = await stand.accepted(stand.order(price=stand.place.ask))
    await stand.heard.of(FillNotice)
    request = stand.modify_of(order.ref, price=stand.place.low, price_before=stand.place.ask)
    outcome = await stand.broker.modify(request, yes)
    assert isinstance(outcome, ModifyRefused)
    assert outcome.code
    (listed,) = await stand.history()
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)


@case("C-26", "a modify that the exchange refuses, at KIS after KIS took it, leaves the old terms in force")
@pytest.mark.req("F-51")
async def test_c26_a_modify_the_exchange_refuses_leaves_the_old_terms(stand: Stand) -> None:
    stand.exchange_refuses_after_taking()
    order = await stand.accepted()
    before = stand.orders_sent
    stand.market.halt(stand.place.symbol, stand.clock.now_ns())
    price = stand.place.low + stand.place.tick
    outcome = await stand.broker.modify(stand.modify_of(order.ref, price=price), yes)
    assert stand.orders_sent == before + 1
    assert isinstance(outcome, ModifyRefused), outcome
    assert outcome.text
    assert (outcome.code == "REFUSED_BY_EXCHANGE") is stand.takes_before_the_exchange
    (listed,) = await stand.history()
    assert (listed.state, listed.price, listed.qty) == (BrokerState.WORKING, stand.place.low, QTY)
    assert stand.market.orders[key(order.ref)].is_open


@case("C-27", "a modify without permit is not sent")
@pytest.mark.req("I-45")
async def test_c27_a_modify_without_permit_never_leaves(stand: Stand) -> None:
    order = await stand.accepted()
    before = stand.orders_sent
    price = stand.place.low + stand.place.tick
    assert isinstance(await stand.broker.modify(stand.modify_of(order.ref, price=price), no), NotSent)
    assert (stand.orders_sent, stand.market.modifies) == (before, [])


@case("C-28", "every number of a chain of modifies leads to the one order, and the last one can be cancelled")
@pytest.mark.req("I-11")
async def test_c28_a_chain_of_modifies_leads_to_one_order(stand: Stand) -> None:
    place = stand.place
    order = await stand.accepted()
    second = await _modified(stand, stand.modify_of(order.ref, price=place.low + place.tick))
    request = stand.modify_of(second, price=place.low, price_before=place.low + place.tick)
    third = await _modified(stand, request)
    outcome = await stand.broker.cancel(stand.cancel_of(third))
    assert isinstance(outcome, CancelAccepted)
    await _ended(stand, third, outcome)
    chain = {one.ref: one.replaces for one in await stand.history()}
    assert chain == {order.ref: None, second: order.ref, third: second}
    states = [one.state for one in await stand.history()]
    assert states == [BrokerState.REPLACED, BrokerState.REPLACED, BrokerState.CANCELLED]


async def _ended(stand: Stand, ref: BrokerRef, outcome: CancelAccepted) -> None:
    """The proof comes with the answer or by notice."""
    if outcome.report is None:
        await stand.heard.state(ref, "CANCELLED")
    else:
        assert (outcome.report.ref, outcome.report.state) == (ref, BrokerState.CANCELLED)


@case("C-29", "a working order is cancelled, and the market cannot fill it any more")
async def test_c29_a_working_order_is_cancelled(stand: Stand) -> None:
    order = await stand.accepted()
    outcome = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(outcome, CancelAccepted)
    await _ended(stand, order.ref, outcome)
    stand.print_price(stand.place.low, volume=100)
    (listed,) = await stand.history()
    assert (listed.ref, listed.state, listed.qty_filled) == (order.ref, BrokerState.CANCELLED, 0)


@case("C-30", "a cancel after a part has filled keeps what has filled")
async def test_c30_a_cancel_keeps_what_has_filled(stand: Stand) -> None:
    order = await stand.accepted()
    stand.print_price(stand.place.low, volume=4, quote=0)
    await stand.heard.of(FillNotice)
    outcome = await stand.broker.cancel(stand.cancel_of(order.ref, 6))
    assert isinstance(outcome, CancelAccepted)
    await _ended(stand, order.ref, outcome)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 4)
    assert listed.amount_filled == 4 * stand.place.low


@case("C-31", "a filled order cannot be cancelled, and its fills stand")
@pytest.mark.req("I-18", "F-46")
async def test_c31_a_filled_order_cannot_be_cancelled(stand: Stand) -> None:
    order = await stand.accepted(stand.order(price=stand.place.ask))
    await stand.heard.of(FillNotice)
    outcome = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(outcome, CancelRefused)
    assert outcome.code
    assert outcome.text
    (listed,) = await stand.history()
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)


@case("C-32", "a cancel may be repeated without harm, also when the first answer was lost")
async def test_c32_a_cancel_may_be_repeated(stand: Stand) -> None:
    order = await stand.accepted()
    async with stand.weather(Fault.ANSWER_RESET):
        assert isinstance(await stand.broker.cancel(stand.cancel_of(order.ref)), Unknown)
    again = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(again, CancelRefused)
    (listed,) = await stand.history()
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 0)


@case("C-33", "a number that a modify replaced is dead; the order lives on under the new one")
async def test_c33_a_replaced_number_is_dead(stand: Stand) -> None:
    order = await stand.accepted()
    price = stand.place.low + stand.place.tick
    ref = await _modified(stand, stand.modify_of(order.ref, price=price))
    assert isinstance(await stand.broker.cancel(stand.cancel_of(order.ref)), CancelRefused)
    outcome = await stand.broker.modify(stand.modify_of(order.ref, price=price), yes)
    assert isinstance(outcome, ModifyRefused)
    assert (await stand.listed(ref)).state is BrokerState.WORKING


@case("C-34", "a cancel that was taken proves nothing while the order works on")
@pytest.mark.req("F-50", "I-20")
async def test_c34_a_cancel_that_was_taken_proves_nothing(stand: Stand) -> None:
    order = await stand.accepted()
    carry_out(stand.market, IgnoreCancels(count=1), stand.clock.now_ns())
    outcome = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(outcome, CancelAccepted)
    assert outcome.report is None or outcome.report.state is BrokerState.WORKING
    assert (await stand.listed(order.ref)).state is BrokerState.WORKING
    ended = [one for one in stand.heard.reports if isinstance(one, OrderReport) and one.state == "CANCELLED"]
    assert ended == []


@case("C-35", "a modify whose answer is lost is unknown, and the list names what it replaced")
@pytest.mark.req("F-49", "I-15", "I-21")
@pytest.mark.parametrize("fault", [Fault.ANSWER_RESET, Fault.SERVER_ERROR, Fault.ANSWER_GARBLED])
async def test_c35_a_modify_whose_answer_is_lost_is_unknown(stand: Stand, fault: Fault) -> None:
    order = await stand.accepted()
    price = stand.place.low + stand.place.tick
    async with stand.weather(fault):
        outcome = await stand.broker.modify(stand.modify_of(order.ref, price=price), yes)
    assert isinstance(outcome, Unknown), outcome
    old, new = await stand.history()
    assert (old.ref, old.state) == (order.ref, BrokerState.REPLACED)
    assert (new.replaces, new.price, new.state) == (order.ref, price, BrokerState.WORKING)
    assert len(stand.market.modifies) == 1


@case("C-36", "a modify that never arrived leaves the old terms in force")
@pytest.mark.req("F-01", "F-02", "I-15")
@pytest.mark.parametrize(("fault", "kind"), [(Fault.NOT_SENT, NotSent), (Fault.REQUEST_LOST, Unknown)])
async def test_c36_a_modify_that_never_arrived_leaves_the_old_terms(
    stand: Stand, fault: Fault, kind: type[object]
) -> None:
    order = await stand.accepted()
    price = stand.place.low + stand.place.tick
    async with stand.weather(fault):
        outcome = await stand.broker.modify(stand.modify_of(order.ref, price=price), yes)
    assert isinstance(outcome, kind), outcome
    (listed,) = await stand.history()
    assert (listed.ref, listed.state, listed.price) == (order.ref, BrokerState.WORKING, stand.place.low)
    assert stand.market.modifies == []


@case("C-37", "a cancel that never arrived leaves the order at work")
@pytest.mark.req("F-01", "F-02", "I-18")
@pytest.mark.parametrize(("fault", "kind"), [(Fault.NOT_SENT, NotSent), (Fault.REQUEST_LOST, Unknown)])
async def test_c37_a_cancel_that_never_arrived_leaves_the_order_at_work(
    stand: Stand, fault: Fault, kind: type[object]
) -> None:
    order = await stand.accepted()
    async with stand.weather(fault):
        outcome = await stand.broker.cancel(stand.cancel_of(order.ref))
    assert isinstance(outcome, kind), outcome
    assert (await stand.listed(order.ref)).state is BrokerState.WORKING
