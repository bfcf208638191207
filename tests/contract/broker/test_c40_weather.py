"""C-40 to C-58: answers, lines and notices that get lost, and exchanges that change their mind."""

import asyncio

import pytest

from jumun.model.errors import BrokerUnavailable
from jumun.model.reports import (
    Accepted,
    BrokerState,
    FillNotice,
    LookAgain,
    NotSent,
    OrderReport,
    Rejected,
    StreamGap,
    Unknown,
    UnreadableNotice,
)
from tests.contract.broker.cases import DIFFERS, case
from tests.contract.broker.places import NS, QTY, TODAY
from tests.contract.broker.stands import Fault, Stand, key, yes


@case("C-40", "an answer lost after acceptance is unknown, never refused, and the list shows the order")
@pytest.mark.req("F-02", "F-03", "F-06", "F-08", "I-07", "I-15")
@pytest.mark.parametrize("fault", [Fault.ANSWER_RESET, Fault.SERVER_ERROR, Fault.ANSWER_GARBLED])
async def test_c40_an_answer_lost_after_acceptance_is_unknown(stand: Stand, fault: Fault) -> None:
    async with stand.weather(fault):
        outcome = await stand.broker.submit(stand.order(), yes)
    assert isinstance(outcome, Unknown), outcome
    assert outcome.text
    (listed,) = await stand.history()
    assert (listed.state, listed.qty, listed.price) == (BrokerState.WORKING, QTY, stand.place.low)
    await stand.heard.state(listed.ref, "WORKING")
    assert len(stand.arrivals) == 1, "sent once and never again"


@case("C-41", "a request that was lost on its way is unknown too, and is in no list")
@pytest.mark.req("F-02", "F-04", "I-15")
async def test_c41_a_lost_request_is_unknown_and_in_no_list(stand: Stand) -> None:
    async with stand.weather(Fault.REQUEST_LOST):
        outcome = await stand.broker.submit(stand.order(), yes)
    assert isinstance(outcome, Unknown), outcome
    assert await stand.history() == ()
    assert stand.arrivals == []


@case("C-42", "a refused connection is known to have sent nothing, and the next order works")
@pytest.mark.req("F-01", "I-07")
async def test_c42_a_refused_connection_sent_nothing(stand: Stand) -> None:
    async with stand.weather(Fault.NOT_SENT):
        outcome = await stand.broker.submit(stand.order(), yes)
    assert isinstance(outcome, NotSent), outcome
    assert stand.arrivals == []
    order = await stand.accepted()
    assert [one.ref for one in await stand.history()] == [order.ref]


@case("C-43", "an accepted order that the exchange rejects later is announced and listed as rejected")
@pytest.mark.req("F-51")
async def test_c43_an_order_may_be_rejected_after_it_was_accepted(stand: Stand) -> None:
    order = await stand.accepted()
    stand.market.refuse_later(key(order.ref), stand.clock.now_ns())
    told = await stand.heard.state(order.ref, "REJECTED")
    assert told.qty_filled == 0
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.REJECTED, 0)


@case("C-44", "while the line is cut nothing is sent and nothing is concluded")
@pytest.mark.req("F-01", "I-07", "I-39")
async def test_c44_while_the_line_is_cut_nothing_is_sent(stand: Stand) -> None:
    await stand.cut()
    assert isinstance(await stand.broker.submit(stand.order(), yes), NotSent)
    with pytest.raises(BrokerUnavailable):
        await stand.history()
    with pytest.raises(BrokerUnavailable):
        await stand.balance()
    stand.skip(3 * NS)  # what was heard before the cut proves nothing any more
    with pytest.raises(BrokerUnavailable):
        await stand.broker.ping()
    await stand.mend()
    assert stand.arrivals == []
    await stand.broker.ping()


@case("C-45", "after a cut the stream says that there is a gap, the list what was missed, and it goes on")
@pytest.mark.req("F-19", "I-38")
async def test_c45_after_a_cut_the_stream_says_gap_and_goes_on(stand: Stand) -> None:
    order = await stand.accepted()
    await stand.heard.state(order.ref, "WORKING")
    await stand.cut()
    stand.print_price(stand.place.low, volume=4, quote=0)
    await stand.mend()
    await stand.heard.of(StreamGap)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.WORKING, 4)
    stand.print_price(stand.place.low, volume=6, quote=0)
    await stand.heard.until(lambda all_: isinstance(all_[-1], FillNotice))
    gap = next(at for at, one in enumerate(stand.heard.reports) if isinstance(one, StreamGap))
    fills = [(at, one.qty) for at, one in enumerate(stand.heard.reports) if isinstance(one, FillNotice)]
    assert [qty for _, qty in fills] == [6], "what happened during the cut is told by the list alone"
    assert gap < fills[0][0]
    assert (await stand.listed(order.ref)).state is BrokerState.FILLED


@case("C-46", "a notice that comes twice is told as it came, and the list counts it once")
@pytest.mark.req("F-20")
async def test_c46_a_doubled_notice_counts_once_in_the_list(stand: Stand) -> None:
    async with stand.weather(Fault.NOTICE_DOUBLED):
        order = await stand.accepted(stand.order(price=stand.place.ask))
        first, second = (await stand.heard.of(FillNotice, 2))[:2]
    assert (first.ref, first.qty, first.price) == (second.ref, second.qty, second.price)
    assert first.execution_id == second.execution_id
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)


@case("C-47", "a notice that comes late is told when it comes; the list knows before")
@pytest.mark.req("F-21", "F-22")
async def test_c47_a_late_notice_comes_after_the_list_knows(stand: Stand) -> None:
    async with stand.weather(Fault.NOTICE_LATE):
        order = await stand.accepted(stand.order(price=stand.place.ask))
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.FILLED, QTY)
    (fill,) = await stand.heard.of(FillNotice)
    assert (fill.ref, fill.qty) == (order.ref, QTY)
    assert fill.ts_event_ns <= stand.clock.now_ns()


@case("C-48", "a notice that cannot be read is raised with its bytes, and the list knows")
@pytest.mark.req("F-27", "F-28")
async def test_c48_an_unreadable_notice_is_raised_and_the_list_knows(stand: Stand) -> None:
    async with stand.weather(Fault.NOTICE_GARBLED):
        order = await stand.accepted()
        notice, *_ = await stand.heard.of(UnreadableNotice)
    assert notice.raw
    assert notice.text
    assert (await stand.listed(order.ref)).state is BrokerState.WORKING
    assert not [one for one in stand.heard.reports if isinstance(one, OrderReport | FillNotice)]


@case("C-49", "a notice that never comes is made up for by the list")
@pytest.mark.req("F-24")
async def test_c49_a_lost_notice_is_made_up_for_by_the_list(stand: Stand) -> None:
    async with stand.weather(Fault.NOTICE_LOST):
        order = await stand.accepted(stand.order(price=stand.place.ask))
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.amount_filled) == (BrokerState.FILLED, QTY * stand.place.ask)
    second = await stand.accepted(stand.order(order_id="order-2"))
    await stand.heard.state(second.ref, "WORKING")
    assert not [one for one in stand.heard.reports if isinstance(one, FillNotice)]


@case("C-50", "a list of many pages is complete or there is none")
@pytest.mark.req("F-36", "I-39")
async def test_c50_a_list_of_many_pages_is_complete_or_there_is_none(stand: Stand) -> None:
    stand.crowd(130)
    ours = await stand.accepted()
    orders = await stand.history()
    assert len(orders) == len({one.ref for one in orders}) == 131
    assert ours.ref in {one.ref for one in orders}
    async with stand.weather(Fault.PAGE_LOST):
        with pytest.raises(BrokerUnavailable):
            await stand.broker.history(stand.account, TODAY)
    assert len(await stand.history()) == 131


@case("C-51", "a balance that is not answered whole is none")
@pytest.mark.req("F-37", "I-39")
async def test_c51_a_balance_that_is_lost_is_none(stand: Stand) -> None:
    async with stand.weather(Fault.BALANCE_LOST):
        with pytest.raises(BrokerUnavailable):
            await stand.balance()
    assert {one.symbol: one.qty for one in (await stand.balance()).holdings} == {stand.place.symbol: 100}


@case("C-52", "an order that the exchange cancels unasked is heard of at once and listed as cancelled")
@pytest.mark.req("F-52")
async def test_c52_a_cancel_by_the_exchange_is_announced(stand: Stand) -> None:
    order = await stand.accepted()
    stand.print_price(stand.place.low, volume=4, quote=0)
    await stand.heard.of(FillNotice)
    stand.market.mass_cancel(stand.clock.now_ns())
    told = await stand.heard.end_of(order.ref)
    assert isinstance(told, LookAgain if stand.name in DIFFERS["C-52"] else OrderReport)
    listed = await stand.listed(order.ref)
    assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, 4)


@case("C-53", "in a halt a resting order stays, and a new one is rejected")
@pytest.mark.req("F-48")
async def test_c53_in_a_halt_orders_rest_and_new_ones_are_rejected(stand: Stand) -> None:
    order = await stand.accepted()
    stand.market.halt(stand.place.symbol, stand.clock.now_ns())
    outcome = await stand.broker.submit(stand.order(order_id="order-2"), yes)
    assert isinstance(outcome, Rejected), outcome
    assert "HALTED" in f"{outcome.code} {outcome.text}"
    assert (await stand.listed(order.ref)).state is BrokerState.WORKING
    assert len(await stand.history()) == 1


@case("C-54", "silence ends as unknown after the broker's bound; sent once, and the list shows it")
@pytest.mark.req("F-03", "F-18", "I-15")
async def test_c54_silence_ends_as_unknown(stand: Stand) -> None:
    async with stand.weather(Fault.SILENCE):
        outcome = await stand.broker.submit(stand.order(), yes)
    assert isinstance(outcome, Unknown), outcome
    assert outcome.text
    (listed,) = await stand.history()
    assert listed.state is BrokerState.WORKING
    assert len(stand.arrivals) == 1


@case("C-55", "a fill may be heard before the answer, which then names the same number")
@pytest.mark.req("F-05", "F-22")
async def test_c55_a_fill_may_be_heard_before_the_answer(stand: Stand) -> None:
    async with stand.weather(Fault.ANSWER_LATE):
        sending = asyncio.create_task(stand.broker.submit(stand.order(price=stand.place.ask), yes))
        (fill,) = await stand.heard.of(FillNotice)
        assert not sending.done()
        outcome = await sending
    assert isinstance(outcome, Accepted), outcome
    assert (fill.ref, fill.qty) == (outcome.ref, QTY)


@case("C-56", "a balance without rows that its totals contradict is none")
@pytest.mark.req("F-40", "I-39")
async def test_c56_a_balance_without_its_rows_is_none(stand: Stand) -> None:
    await stand.accepted(stand.order(price=stand.place.ask))
    await stand.heard.of(FillNotice)
    async with stand.weather(Fault.BALANCE_EMPTY):
        with pytest.raises(BrokerUnavailable):
            await stand.balance()


@case("C-57", "a list without its rows is none, also the first")
@pytest.mark.req("F-40", "I-39", "I-40")
async def test_c57_a_list_without_its_rows_is_none(stand: Stand) -> None:
    await stand.accepted()
    async with stand.weather(Fault.LIST_EMPTY):
        with pytest.raises(BrokerUnavailable):
            await stand.history()
    assert len(await stand.history()) == 1


@case("C-58", "a list that has lost rows it had is none")
@pytest.mark.req("F-35", "F-40", "F-41", "I-39")
async def test_c58_a_list_that_lost_rows_it_had_is_none(stand: Stand) -> None:
    await stand.accepted()
    assert len(await stand.history()) == 1
    async with stand.weather(Fault.LIST_EMPTY):
        with pytest.raises(BrokerUnavailable):
            await stand.history()
    assert len(await stand.history()) == 1
