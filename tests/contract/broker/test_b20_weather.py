"""B-20 to B-32: lines that break, answers that get lost, restarts, other clients, and the next day."""

import asyncio
from decimal import Decimal
from random import Random

import pytest

from jumun.brokers.paper import FaultPlan, LocalLink
from jumun.exchange.protocol import Advance
from jumun.model.errors import BrokerUnavailable
from jumun.model.orders import OrderType
from jumun.model.reports import (
    Accepted,
    BrokerState,
    CancelAccepted,
    FillNotice,
    NotSent,
    StreamGap,
    Unknown,
    UnreadableNotice,
)
from tests.contract.broker.houses import (
    ACCOUNT,
    DAY_NS,
    NO_FAULTS,
    PRICE,
    TODAY,
    TOMORROW,
    House,
    LocalHouse,
    a_cancel,
    a_request,
    accepted,
    cancel_of,
    only,
    yes,
)
from tests.contract.broker.running import running


@pytest.mark.req("F-01", "I-07")
async def test_b20_while_the_line_is_down_nothing_is_sent(house: House) -> None:
    async with running(house):
        await house.cut()
        assert isinstance(await house.broker.submit(a_request(), yes), NotSent)
        with pytest.raises(BrokerUnavailable):
            await house.broker.history(ACCOUNT, TODAY)
        await house.mend()
        assert house.arrivals == []


@pytest.mark.req("F-02", "F-03", "F-06", "F-08", "I-07", "I-15")
@pytest.mark.parametrize("fault", ["reply_reset", "server_error", "reply_garbled"])
async def test_b21_an_answer_lost_after_acceptance_is_unknown_and_the_history_shows_the_order(
    house: House, fault: str
) -> None:
    async with running(house):
        house.faults.become(only(fault))
        outcome = await house.broker.submit(a_request(), yes)
        house.faults.become(NO_FAULTS)
        assert isinstance(outcome, Unknown)
        assert len((await house.broker.history(ACCOUNT, TODAY)).orders) == 1
        assert len(house.arrivals) == 1


@pytest.mark.req("F-03", "F-18")
async def test_b22_silence_ends_as_unknown_after_the_bound(house: House) -> None:
    async with running(house):
        impatient = house.a_broker(house.faults, answer_timeout_s=0.02)
        house.faults.become(FaultPlan(reply_lost=1.0))
        outcome = await impatient.submit(a_request(), yes)
        assert isinstance(outcome, Unknown)
        assert len(house.arrivals) == 1


@pytest.mark.req("F-02", "F-04")
@pytest.mark.parametrize("fault", ["request_lost", "refused"])
async def test_b23_a_request_that_never_arrived_is_in_no_history(house: House, fault: str) -> None:
    async with running(house):
        house.faults.become(only(fault))
        outcome = await house.broker.submit(a_request(), yes)
        house.faults.become(NO_FAULTS)
        assert not isinstance(outcome, Accepted | NotSent)
        assert (await house.broker.history(ACCOUNT, TODAY)).orders == ()


@pytest.mark.req("F-19", "I-38")
async def test_b24_an_interruption_shows_as_a_gap_and_open_orders_survive_it(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=PRICE - 1_000))
        await house.cut()
        await house.mend()
        await house.heard.until(lambda all_: any(isinstance(r, StreamGap) for r in all_))
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.ref, listed.state) == (order.ref, BrokerState.WORKING)
        house.print_price(PRICE - 1_000, volume=Decimal(10))
        reports = await house.heard.until(lambda all_: isinstance(all_[-1], FillNotice))
        gap = next(index for index, report in enumerate(reports) if isinstance(report, StreamGap))
        assert gap < len(reports) - 1, "the stream goes on behind the gap"


@pytest.mark.req("F-36", "I-39")
async def test_b25_a_history_of_many_pages_is_complete_or_not_at_all(house: House) -> None:
    async with running(house):
        for number in range(230):
            await accepted(house, a_request(order_id=f"order-{number}", qty=1, price=PRICE - 1_000))
        assert len((await house.broker.history(ACCOUNT, TODAY)).orders) == 230
        house.faults.become(FaultPlan(history_page_lost=1.0))
        with pytest.raises(BrokerUnavailable, match="page at 100 was lost"):
            await house.broker.history(ACCOUNT, TODAY)


@pytest.mark.req("F-37", "I-39")
async def test_b26_a_failed_question_says_nothing(house: House) -> None:
    async with running(house):
        house.faults.become(FaultPlan(history_fails=1.0, balance_fails=1.0))
        with pytest.raises(BrokerUnavailable):
            await house.broker.history(ACCOUNT, TODAY)
        with pytest.raises(BrokerUnavailable):
            await house.broker.balance(ACCOUNT)


@pytest.mark.req("F-35")
async def test_b27_an_order_may_be_missing_from_the_history_for_a_while_and_then_shows() -> None:
    async with running(LocalHouse()) as house:
        plan = FaultPlan(history_lag=1.0, history_lag_ms_max=2_000)
        link = type(house.faults)(LocalLink(house.market, house.clock), plan, Random(3), house.clock)
        slow = house.a_broker(link)
        await slow.connect()
        assert isinstance(await slow.submit(a_request(), yes), Accepted)
        assert (await slow.history(ACCOUNT, TODAY)).orders == ()
        house.clock.ns += slow.traits.visible_after_ns
        assert len((await slow.history(ACCOUNT, TODAY)).orders) == 1
        await slow.close()


@pytest.mark.req("F-34", "F-106", "I-42")
async def test_b28_an_order_entered_by_hand_is_in_the_history(house: House) -> None:
    async with running(house):
        ours = await accepted(house, a_request(price=PRICE - 1_000))
        house.other_client_buys(PRICE - 1_000)
        orders = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert len(orders) == 2
        assert sum(order.ref == ours.ref for order in orders) == 1


async def test_b29_a_cancel_by_somebody_else_is_announced(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=PRICE - 1_000))
        house.control(cancel_of(order))
        reports = await house.heard.until(lambda all_: len(all_) == 2)
        assert getattr(reports[-1], "state", None) is BrokerState.CANCELLED


@pytest.mark.req("I-64", "F-31", "F-55", "F-92")
async def test_b30_numbers_start_again_the_next_day_and_yesterdays_order_has_expired(house: House) -> None:
    async with running(house):
        first = await accepted(house, a_request(price=PRICE - 1_000))
        house.clock.ns += DAY_NS
        house.control(Advance())
        second = await accepted(house, a_request(order_id="order-2", price=PRICE - 1_000))
        assert first.ref.number == second.ref.number
        assert (first.ref.trade_date, second.ref.trade_date) == (TODAY, TOMORROW)
        (old,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        (new,) = (await house.broker.history(ACCOUNT, TOMORROW)).orders
        assert (old.state, new.state) == (BrokerState.EXPIRED, BrokerState.WORKING)
        reports = await house.heard.until(lambda all_: len(all_) == 3)
        assert [getattr(r, "state", None) for r in reports] == ["WORKING", "EXPIRED", "WORKING"]


@pytest.mark.req("F-20", "F-24", "F-28")
async def test_b31_notices_get_doubled_lost_and_garbled_while_the_history_stays_right(house: House) -> None:
    async with running(house):
        house.faults.become(FaultPlan(notice_doubled=1.0))
        await accepted(house, a_request(order_type=OrderType.MARKET))
        reports = await house.heard.until(lambda all_: len(all_) == 4)
        assert reports[2] == reports[3], "one fill, told twice"
        house.faults.become(FaultPlan(notice_garbled=1.0))
        await accepted(house, a_request(order_id="order-2", price=PRICE - 1_000))
        reports = await house.heard.until(lambda all_: len(all_) == 5)
        assert isinstance(reports[-1], UnreadableNotice)
        house.faults.become(FaultPlan(notice_lost=1.0))
        await accepted(house, a_request(order_id="order-3", price=PRICE - 1_000))
        assert len((await house.broker.history(ACCOUNT, TODAY)).orders) == 3
        assert len(reports) == 5


@pytest.mark.req("F-76")
async def test_b32_a_request_arrives_although_its_sender_was_cancelled() -> None:
    async with running(LocalHouse()) as house:
        house.faults.plan = FaultPlan(latency_ms_min=1, latency_ms_max=1)
        sending = asyncio.create_task(house.broker.submit(a_request(), yes))
        async with asyncio.timeout(10):
            while not house.faults.on_the_way:  # noqa: ASYNC110  # each turn lets the sender go on
                await asyncio.sleep(0)
        sending.cancel()
        await house.faults.arrive()
        assert len(house.arrivals) == 1


async def test_b33_a_cancel_may_be_repeated_without_harm(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=PRICE - 1_000))
        house.faults.become(FaultPlan(reply_reset=1.0))
        assert isinstance(await house.broker.cancel(a_cancel(order)), Unknown)
        house.faults.become(NO_FAULTS)
        assert not isinstance(await house.broker.cancel(a_cancel(order)), CancelAccepted | Unknown)
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert listed.state is BrokerState.CANCELLED
