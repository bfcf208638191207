"""The bad weather: seeded, counted, bounded, and off by default."""

import asyncio
from decimal import Decimal
from random import Random

import msgspec
import pytest

from jumun.brokers.paper import FaultPlan, FaultyLink, LocalLink, PaperBroker, paper_traits
from jumun.brokers.paper.link import Gap, LinkNotice
from jumun.exchange.protocol import OpenAccount, Step
from jumun.exchange.service import answer
from jumun.model.errors import BrokerUnavailable, ConfigError
from jumun.model.orders import OrderType
from jumun.model.reports import Accepted, ModifyAccepted, NotSent, Rejected, SubmitOutcome, Unknown
from tests.contract.broker.houses import (
    ACCOUNT,
    PRICE,
    SYMBOL,
    TODAY,
    WAIT_S,
    Heard,
    LocalHouse,
    ManualClock,
    a_cancel,
    a_modify,
    a_request,
    accepted,
    only,
    yes,
)
from tests.contract.broker.running import running

EVERYTHING = FaultPlan(
    not_sent=0.1,
    request_lost=0.1,
    reply_reset=0.1,
    server_error=0.1,
    reply_garbled=0.1,
    reply_late=0.1,
    refused=0.1,
    notice_lost=0.1,
    notice_doubled=0.1,
    notice_late=0.1,
    notice_garbled=0.1,
    disconnect=0.05,
    history_lag=0.2,
    history_stale=0.2,
    balance_stale=0.2,
    stale_ms_max=1_000,
    history_empty=0.1,
    balance_empty=0.1,
    reply_swapped=0.1,
    history_page_lost=0.4,
    history_fails=0.1,
    balance_fails=0.1,
)


async def a_day(seed: int) -> tuple[dict[str, int], list[str]]:
    """Send orders through the weather of a seed; return what struck and how each order ended."""
    house = LocalHouse()
    answer(house.market, OpenAccount(account_id=ACCOUNT, cash={"KRW": Decimal(10**9)}), house.clock.ns)
    answer(house.market, Step(symbol=SYMBOL, price=PRICE, volume=Decimal(0)), house.clock.ns)
    link = FaultyLink(LocalLink(house.market, house.clock), EVERYTHING, Random(seed), house.clock)
    broker = PaperBroker(link, paper_traits(), house.clock)
    await broker.connect()
    ends: list[str] = []
    for number in range(150):
        ends.append(type(await broker.submit(a_request(order_id=f"o{number}", qty=1), yes)).__name__)
        ends.append(await _asked(broker))
        for _ in range(5):
            await asyncio.sleep(0)  # lets the notices through; virtual time needs no more than turns
    await broker.close()
    return link.struck, ends


async def _asked(broker: PaperBroker) -> str:
    try:
        return str(len((await broker.history(ACCOUNT, TODAY)).orders))
    except BrokerUnavailable as error:
        return str(error)


@pytest.mark.req("I-63")
async def test_the_same_seed_strikes_the_same_and_another_does_not() -> None:
    first, again, other = await a_day(1), await a_day(1), await a_day(2)
    assert first == again
    assert first != other


async def test_every_fault_of_the_plan_can_strike_and_is_counted() -> None:
    struck, _ = await a_day(3)
    expected = {
        name
        for name in msgspec.structs.asdict(EVERYTHING)
        if getattr(EVERYTHING, name) and not name.endswith(("_min", "_max"))
    }
    silent = {name for name in expected if not struck[name]}
    assert {name for name in silent if not name.startswith("balance_")} == set()  # nobody asks for balances


async def test_without_a_plan_nothing_strikes() -> None:
    async with running(LocalHouse()) as house:
        for number in range(20):
            await accepted(house, a_request(order_id=f"o{number}", qty=1))
        assert set(house.faults.struck.values()) == {0}


@pytest.mark.req("F-01", "F-02", "F-04", "F-07", "I-07")
@pytest.mark.parametrize(
    ("fault", "outcome", "arrived"),
    [
        ("not_sent", NotSent, 0),
        ("request_lost", Unknown, 0),
        ("request_vanishes", Unknown, 0),
        ("refused", Rejected, 0),
        ("reply_lost", Unknown, 1),
        ("reply_reset", Unknown, 1),
        ("server_error", Unknown, 1),
        ("reset_early", Unknown, 1),
        ("reply_garbled", Unknown, 1),
        ("reply_late", Accepted, 1),
    ],
)
async def test_each_fault_ends_as_it_should_and_only_what_was_sent_arrives(
    fault: str, outcome: type[SubmitOutcome], arrived: int
) -> None:
    async with running(LocalHouse()) as house:
        house.faults.become(only(fault))
        broker = house.a_broker(house.faults, answer_timeout_s=0.02)
        assert isinstance(await broker.submit(a_request(), yes), outcome)
        await house.faults.arrive()
        assert len(house.arrivals) == arrived
        assert house.faults.struck[fault] == 1


async def test_a_refusal_by_the_weather_never_touches_a_cancel() -> None:
    async with running(LocalHouse()) as house:
        order = await accepted(house, a_request(price=PRICE - 1_000))
        house.faults.become(FaultPlan(refused=1.0))
        await house.broker.cancel(a_cancel(order))
        assert house.faults.struck["refused"] == 0


@pytest.mark.req("I-45")
async def test_the_permit_is_asked_after_the_wait_and_not_before() -> None:
    async with running(LocalHouse()) as house:
        asked: list[bool] = []
        halted = False

        def permit() -> bool:
            asked.append(not halted)
            return not halted

        house.faults.plan = FaultPlan(stall_ms_max=20)
        sending = asyncio.create_task(house.broker.submit(a_request(), permit))
        await asyncio.sleep(0)
        halted = True  # the desk stops while the request waits for its turn
        assert isinstance(await sending, NotSent)
        assert asked == [False]
        assert house.arrivals == []


@pytest.mark.req("F-01")
async def test_a_wait_that_never_came_to_the_permit_has_sent_nothing() -> None:
    async with running(LocalHouse()) as house:
        house.faults.plan = FaultPlan(stall_ms_max=10_000_000)
        broker = house.a_broker(house.faults, answer_timeout_s=0.02)
        assert isinstance(await broker.submit(a_request(), yes), NotSent)
        assert house.arrivals == []


@pytest.mark.req("F-19")
async def test_an_outage_loses_its_notices_and_ends_with_a_gap() -> None:
    async with running(LocalHouse()) as house:
        house.faults.become(FaultPlan(disconnect=1.0, outage_ms_max=5))
        await accepted(house, a_request())
        reports = await house.heard.until(lambda all_: len(all_) > 0)
        assert [type(report).__name__ for report in reports] == ["StreamGap"]


@pytest.mark.req("F-21", "F-22")
async def test_late_notices_are_overtaken_and_none_is_lost() -> None:
    async with running(LocalHouse()) as house:
        house.faults.become(FaultPlan(notice_late=0.5, notice_late_ms_max=5))
        for number in range(40):
            await accepted(house, a_request(order_id=f"o{number}", qty=1, price=PRICE - 1_000))
        reports = await house.heard.until(lambda all_: len(all_) == 40)
        numbers = [report.ref.number for report in reports]  # type: ignore[union-attr]
        assert sorted(numbers) == [f"{number:010d}" for number in range(1, 41)]
        assert numbers != sorted(numbers)


@pytest.mark.req("F-68", "F-19")
async def test_after_a_crash_what_was_written_arrives_and_the_next_life_starts_with_a_gap() -> None:
    async with running(LocalHouse()) as house:
        house.faults.plan = FaultPlan(latency_ms_min=1, latency_ms_max=1)
        sending = asyncio.create_task(house.broker.submit(a_request(price=PRICE - 1_000), yes))
        async with asyncio.timeout(WAIT_S):
            while not house.faults.on_the_way:  # noqa: ASYNC110  # each turn lets the sender go on
                await asyncio.sleep(0)
        sending.cancel()
        closing = asyncio.create_task(house.faults.close())
        await asyncio.sleep(0)
        assert isinstance(await house.broker.submit(a_request(order_id="order-2"), yes), NotSent)
        await house.faults.open()
        await closing
        assert [arrival.order.tag for arrival in house.arrivals] == ["order-1/1"]
        next_life = Heard(house.broker)
        reports = await next_life.until(lambda all_: len(all_) == 2)
        assert [type(report).__name__ for report in reports] == ["StreamGap", "OrderReport"]
        await next_life.stop()


@pytest.mark.req("F-35")
def test_a_link_that_hides_orders_longer_than_the_traits_say_is_refused() -> None:
    clock = ManualClock()
    plan = FaultPlan(latency_ms_max=1_000, history_lag=0.1, history_lag_ms_max=2_001)
    link = FaultyLink(LocalLink(LocalHouse().market, clock), plan, Random(1), clock)
    with pytest.raises(ConfigError, match="visible_after_ns"):
        PaperBroker(link, paper_traits(), clock)
    with pytest.raises(ConfigError, match="slower"):
        link.become(FaultPlan(latency_ms_max=9_000))


@pytest.mark.parametrize("plan", [FaultPlan(reply_lost=1.5), FaultPlan(latency_ms_min=2)])
def test_an_impossible_plan_is_refused(plan: FaultPlan) -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError):
        FaultyLink(LocalLink(LocalHouse().market, clock), plan, Random(1), clock)


@pytest.mark.req("I-65")
async def test_a_bug_behind_the_link_reaches_the_reader_of_the_stream() -> None:
    class Broken(LocalLink):
        async def notices(self):  # type: ignore[no-untyped-def]
            yield Gap("first")
            raise ZeroDivisionError("a bug")

    clock = ManualClock()
    link = FaultyLink(Broken(LocalHouse().market, clock), FaultPlan(), Random(1), clock)
    await link.open()
    heard: list[LinkNotice] = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the reader itself is what raises
        async for notice in link.notices():
            heard.append(notice)
    assert heard == [Gap("first")]


@pytest.mark.req("F-17", "I-11")
async def test_an_answer_to_another_order_proves_nothing() -> None:
    async with running(LocalHouse()) as house:
        house.faults.become(FaultPlan(reply_swapped=1.0))
        first = await house.broker.submit(a_request(price=PRICE - 1_000), yes)
        assert isinstance(first, Accepted)
        mixed = await house.broker.submit(a_request(order_id="order-2", qty=7, price=PRICE - 1_000), yes)
        assert isinstance(mixed, Unknown)
        assert "not about it" in mixed.text
        assert len(house.arrivals) == 2


@pytest.mark.req("F-17")
async def test_a_cancel_or_modify_answered_for_another_order_is_unknown() -> None:
    async with running(LocalHouse()) as house:
        orders = [await accepted(house, a_request(order_id=f"o{n}", price=PRICE - 1_000)) for n in range(4)]
        house.faults.become(FaultPlan(reply_swapped=1.0))
        assert not isinstance(await house.broker.cancel(a_cancel(orders[0])), Unknown)
        assert isinstance(await house.broker.cancel(a_cancel(orders[1])), Unknown)
        changes = [a_modify(ref, price_before=PRICE - 1_000, price=PRICE - 900) for ref in orders[2:]]
        assert isinstance(await house.broker.modify(changes[0], yes), ModifyAccepted)
        assert isinstance(await house.broker.modify(changes[1], yes), Unknown)


@pytest.mark.req("F-38", "F-44", "I-19")
async def test_a_stale_answer_is_older_than_the_question_but_never_older_than_the_bound() -> None:
    house = LocalHouse()
    async with running(house):
        plan = FaultPlan(history_stale=1.0, balance_stale=1.0, stale_ms_max=2_000)
        link = FaultyLink(LocalLink(house.market, house.clock), plan, Random(3), house.clock)
        broker = house.a_broker(link)
        assert link.worst_case_ns == 2_000_000_000
        await broker.connect()
        await accepted(house, a_request(price=PRICE))
        assert [o.qty_filled for o in (await broker.history(ACCOUNT, TODAY)).orders] == [0]
        before = await broker.balance(ACCOUNT)
        house.print_price(PRICE, volume=Decimal(4))
        assert [o.qty_filled for o in (await broker.history(ACCOUNT, TODAY)).orders] == [0]
        assert (await broker.balance(ACCOUNT)).cash == before.cash
        house.clock.ns += 2_001 * 1_000_000
        assert [o.qty_filled for o in (await broker.history(ACCOUNT, TODAY)).orders] == [4]
        assert (await broker.balance(ACCOUNT)).cash != before.cash
        await broker.close()


@pytest.mark.req("F-40", "I-39")
@pytest.mark.parametrize("fault", ["history_empty", "balance_empty"])
async def test_rows_that_contradict_their_total_say_nothing(fault: str) -> None:
    async with running(LocalHouse()) as house:
        await accepted(house, a_request(price=PRICE))
        house.faults.become(only(fault))
        broker = house.broker
        asking = broker.history(ACCOUNT, TODAY) if fault == "history_empty" else broker.balance(ACCOUNT)
        with pytest.raises(BrokerUnavailable, match="nothing is concluded"):
            await asking


@pytest.mark.req("F-39", "I-04")
async def test_an_average_price_cut_to_whole_units_is_shown_and_not_used() -> None:
    house = LocalHouse()
    house.market.world = msgspec.structs.replace(house.market.world, truncates_averages=True)
    async with running(house):
        house.print_price(PRICE, quote=Decimal(3))
        await accepted(house, a_request(order_type=OrderType.MARKET))
        house.print_price(PRICE + 500, volume=Decimal(7))
        (order,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert order.amount_filled == 3 * (PRICE + 100) + 7 * (PRICE + 500)
        assert '"average_price":"58380"' in order.raw
