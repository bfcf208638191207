"""A world that names its costs says what each number was charged when it ends, and when that changes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from jumun.exchange.market import Market
from jumun.exchange.records import CostsTold, MarketEvent, OrderRecord
from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import PLANS
from jumun.model.money import Currency
from jumun.rules.trading_days import ALWAYS_OPEN
from tests.unit.exchange.builders import ACCOUNT, NOON_NS, PRICE, SYMBOL, order, taken

D = Decimal


def a_frank_market(**changes: Any) -> tuple[Market, list[CostsTold]]:
    """A market that names its costs, and what it named."""
    world = msgspec.structs.replace(sample_world(ALWAYS_OPEN), reports_costs=True, **changes)
    market = Market(world)
    market.open_account(ACCOUNT, cash={"KRW": D(10_000_000_000)}, holdings={SYMBOL: D(100)}, now_ns=NOON_NS)
    told: list[CostsTold] = []

    def listen(events: tuple[MarketEvent, ...]) -> None:
        told.extend(event for event in events if isinstance(event, CostsTold))

    market.listen(listen)
    return market, told


def part_filled(market: Market, volume: int = 4) -> OrderRecord:
    """A buy of ten of which `volume` has traded."""
    record = taken(market.submit(order(), NOON_NS))
    market.step(SYMBOL, PRICE, D(volume), NOON_NS, quote_qty=D(0))
    return market.orders[record.key]


@pytest.mark.req("I-37", "F-63")
def test_costs_are_named_once_the_number_has_ended_and_are_those_that_were_taken() -> None:
    dearer = msgspec.structs.replace(PLANS[Currency.KRW], share_rate=D("0.005"))
    market, told = a_frank_market(plans={**PLANS, Currency.KRW: dearer})
    record = part_filled(market)
    assert told == [], "it works on"
    market.step(SYMBOL, PRICE, D(100), NOON_NS, quote_qty=D(0))
    [one] = told
    assert (one.number, one.qty, one.amount) == (record.number, 10, 10 * PRICE)
    assert one.costs == {"BROKERAGE": 10 * PRICE * D("0.005")}
    paid = D(10_000_000_000) - market.balance_of(ACCOUNT).cash["KRW"]
    assert paid == one.amount + one.costs["BROKERAGE"]


@pytest.mark.req("I-37", "F-52")
def test_a_cancel_ends_the_number_and_one_that_never_traded_is_not_charged() -> None:
    market, told = a_frank_market()
    record = part_filled(market)
    market.mass_cancel(NOON_NS)
    assert [(one.number, one.qty) for one in told] == [(record.number, 4)]
    taken(market.submit(order(), NOON_NS))
    market.mass_cancel(NOON_NS)
    assert len(told) == 1


@pytest.mark.req("F-53", "I-37")
def test_a_bust_of_an_ended_order_names_its_costs_anew() -> None:
    market, told = a_frank_market()
    part_filled(market, 10)
    market.bust(market.executions[0].execution_id, NOON_NS + 1)
    assert [(one.qty, sum(one.costs.values())) for one in told] == [(10, 82), (0, 0)]
    assert told[0].ts_ns < told[1].ts_ns
    assert told[0].identity != told[1].identity


@pytest.mark.req("F-49", "I-37")
@pytest.mark.parametrize("alone", [False, True])
def test_each_number_of_a_chain_names_its_own_part_whichever_way_it_is_rounded(alone: bool) -> None:
    market, told = a_frank_market(costs_per_number=alone)
    first = part_filled(market)
    market.modify(ACCOUNT, first.trade_date, first.branch, first.number, NOON_NS, price=PRICE - 100)
    assert [(one.number, one.qty) for one in told] == [(first.number, 4)]
    market.step(SYMBOL, PRICE - 100, D(100), NOON_NS, quote_qty=D(0))
    assert [one.qty for one in told] == [4, 6]
    by_number = [sum(done.costs.values()) for done in market.executions]
    assert [sum(one.costs.values()) for one in told] == by_number


def test_a_world_that_keeps_its_costs_to_itself_shows_no_trace_of_them() -> None:
    market, told = a_frank_market()
    market.world = msgspec.structs.replace(market.world, reports_costs=False)
    record = part_filled(market, 10)
    assert told == []
    assert b"charged" not in msgspec.json.encode(market.orders[record.key])
