"""A day of everything at once on virtual time: what each outcome claims must be what the exchange knows."""

import asyncio
from decimal import Decimal
from random import Random

import pytest

from jumun.brokers.paper import FaultPlan, FaultyLink, LocalLink, PaperBroker, paper_traits
from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import BrokerUnavailable
from jumun.model.reports import Accepted, NotSent, Rejected, SubmitOutcome, Unknown
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.contract.broker.houses import ACCOUNT, PRICE, START_NS, SYMBOL, TODAY, a_request, yes

STORM = FaultPlan(
    stall_ms_max=200,
    latency_ms_min=5,
    latency_ms_max=900,
    not_sent=0.05,
    request_lost=0.05,
    request_vanishes=0.05,
    reply_lost=0.05,
    reply_reset=0.05,
    reset_early=0.1,
    server_error=0.05,
    reply_garbled=0.05,
    reply_late=0.1,
    reply_late_ms_max=8_000,
    refused=0.05,
    notice_lost=0.05,
    notice_doubled=0.05,
    notice_late=0.2,
    notice_late_ms_max=3_000,
    notice_garbled=0.02,
    disconnect=0.02,
    outage_ms_max=2_000,
    history_lag=0.5,
    history_lag_ms_max=2_000,
    history_page_lost=0.1,
    history_fails=0.1,
    balance_fails=0.1,
)


class Day:
    """What happened on one stormy day."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.outcomes: dict[str, SubmitOutcome] = {}
        self.seen: dict[str, set[str]] = {}  # order numbers in the first history asked for after the bound
        self.struck: dict[str, int] = {}


async def storm(seed: int) -> Day:
    clock = VirtualClock()
    day = Day(Market(sample_world()))
    day.market.open_account(ACCOUNT, cash={"KRW": Decimal(10**11)}, now_ns=clock.now_ns())
    day.market.step(SYMBOL, PRICE, Decimal(0), clock.now_ns())
    link = FaultyLink(LocalLink(day.market, clock), STORM, Random(seed), clock)
    broker = PaperBroker(link, paper_traits(), clock)
    await broker.connect()

    async def send(number: int) -> None:
        await asyncio.sleep(number * 0.05)
        name = f"o{number}"
        day.outcomes[name] = await broker.submit(a_request(order_id=name, qty=1), yes)
        if isinstance(day.outcomes[name], Unknown):
            await asyncio.sleep(broker.traits.visible_after_ns / 1e9)
            day.seen[name] = await numbers(broker)

    async with asyncio.TaskGroup() as senders:
        for number in range(150):
            senders.create_task(send(number), name=f"sender-{number:03}")
    await link.arrive()
    await broker.close()
    day.struck = link.struck
    return day


async def numbers(broker: PaperBroker) -> set[str]:
    while True:
        try:
            return {str(order.ref.number) for order in (await broker.history(ACCOUNT, TODAY)).orders}
        except BrokerUnavailable:
            await asyncio.sleep(0.5)


@pytest.mark.req("F-01", "F-02", "F-03", "F-04", "F-05", "F-06", "F-08", "F-18", "F-35", "I-07", "I-19")
@pytest.mark.parametrize("seed", range(10))
def test_each_outcome_is_true_and_an_unknown_order_is_visible_after_the_bound_or_never_arrived(
    seed: int,
) -> None:
    day = run_virtual(storm(seed), START_NS)
    arrived: dict[str, list[str]] = {}
    for arrival in day.market.arrivals:
        arrived.setdefault(arrival.order.tag.split("/")[0], []).append(arrival.number)
    kinds = {type(outcome) for outcome in day.outcomes.values()}
    assert kinds == {Accepted, Rejected, NotSent, Unknown}
    for name, outcome in day.outcomes.items():
        came = arrived.get(name, [])
        assert len(came) <= 1, "nobody sends twice"
        match outcome:
            case Accepted(ref=ref):
                assert came == [ref.number]
            case NotSent():
                assert came == []
            case Rejected():
                assert came == [], "the only refusals of this day are the weather's"
            case Unknown():
                assert set(came) <= day.seen[name], f"{name} arrived and the bound was broken"


@pytest.mark.req("I-63")
def test_a_stormy_day_repeats_exactly() -> None:
    first, again = run_virtual(storm(7), START_NS), run_virtual(storm(7), START_NS)
    assert first.market.digest() == again.market.digest()
    assert first.outcomes == again.outcomes
    assert first.struck == again.struck
