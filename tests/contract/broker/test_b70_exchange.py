"""B-70 to B-79: what exchanges and houses do by themselves, as the broker tells it."""

from decimal import Decimal

import pytest

from jumun.exchange.protocol import Change
from jumun.exchange.scripted import (
    ACTS,
    Act,
    Adjust,
    BustTrade,
    Halt,
    IgnoreCancels,
    MassCancel,
    OverFill,
    RefuseLater,
)
from jumun.exchange.service import CHANGES
from jumun.model.instruments import Venue
from jumun.model.orders import BrokerRef, OrderType, TradingSession
from jumun.model.reports import (
    BrokerState,
    CancelAccepted,
    CostReport,
    FillNotice,
    ModifyAccepted,
    OrderReport,
    Rejected,
    TradeBust,
)
from jumun.ports.outside import Quote
from tests.contract.broker.houses import (
    ACCOUNT,
    PRICE,
    SYMBOL,
    TODAY,
    House,
    a_cancel,
    a_modify,
    a_request,
    accepted,
    yes,
)
from tests.contract.broker.running import running

LOW = PRICE - 1_000


def key(ref: BrokerRef) -> str:
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


@pytest.mark.req("F-53")
@pytest.mark.parametrize("price_new", [None, LOW - 100])
async def test_b70_a_fill_taken_back_is_announced_once_and_the_history_follows(
    house: House, price_new: Decimal | None
) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.print_price(LOW, volume=Decimal(10))
        house.control(BustTrade(execution_id=house.executions[0].execution_id, price_new=price_new))
        reports = await house.heard.until(lambda all_: isinstance(all_[-1], TradeBust))
        bust = reports[-1]
        assert isinstance(bust, TradeBust)
        assert (bust.ref, bust.qty, bust.price, bust.price_new) == (order.ref, 10, LOW, price_new)
        assert bust.identity
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        left = (0, 0) if price_new is None else (10, 10 * price_new)
        assert (listed.qty_filled, listed.amount_filled) == left


@pytest.mark.req("F-52")
async def test_b71_a_mass_cancel_is_announced_with_its_cause(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(price=LOW))
        house.control(MassCancel(text="exchange outage"))
        reports = await house.heard.until(lambda all_: len(all_) == 2)
        assert [(r.state, r.text) for r in reports[1:] if isinstance(r, OrderReport)] == [
            (BrokerState.CANCELLED, "exchange outage")
        ]


@pytest.mark.req("F-51")
async def test_b72_an_accepted_order_may_be_rejected_later(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.control(RefuseLater(key=key(order.ref)))
        reports = await house.heard.until(lambda all_: len(all_) == 2)
        assert getattr(reports[-1], "state", None) is BrokerState.REJECTED


@pytest.mark.req("F-50", "I-20")
async def test_b73_a_cancel_that_was_taken_proves_nothing_while_the_order_works(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.control(IgnoreCancels(count=1))
        outcome = await house.broker.cancel(a_cancel(order))
        assert isinstance(outcome, CancelAccepted)
        assert outcome.report is None or outcome.report.state is BrokerState.WORKING
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert listed.state is BrokerState.WORKING


@pytest.mark.req("F-62")
async def test_b74_an_over_fill_is_told_as_it_happened(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.control(OverFill(key=key(order.ref), qty=Decimal(13), price=LOW))
        reports = await house.heard.until(lambda all_: isinstance(all_[-1], FillNotice))
        assert getattr(reports[-1], "qty", None) == 13
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.qty, listed.qty_filled) == (10, 13)


@pytest.mark.req("F-54")
async def test_b75_shares_that_appear_from_nowhere_are_only_in_the_balance(house: House) -> None:
    async with running(house):
        house.control(Adjust(account_id=ACCOUNT, holdings={SYMBOL: Decimal(900)}))
        balance = await house.broker.balance(ACCOUNT)
        assert [holding.qty for holding in balance.holdings] == [1_000]
        assert house.heard.reports == []


@pytest.mark.req("F-48")
async def test_b76_during_a_halt_orders_rest_and_new_ones_are_rejected(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(price=LOW))
        house.control(Halt(symbol=SYMBOL))
        outcome = await house.broker.submit(a_request(order_id="order-2", price=LOW), yes)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "HALTED"
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert listed.state is BrokerState.WORKING


async def test_b77_a_session_the_broker_does_not_take_never_leaves(house: House) -> None:
    async with running(house):
        request = a_request(price=LOW, session=TradingSession.AFTER_MARKET)
        outcome = await house.broker.submit(request, yes)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "KIND_NOT_SUPPORTED"
        assert (Venue.KRX, TradingSession.AFTER_MARKET) not in house.broker.traits.sessions
        assert house.arrivals == []


async def test_b78_every_new_price_is_pushed_to_who_listens(house: House) -> None:
    async with running(house):
        heard: list[Quote] = []
        house.broker.on_price(heard.append)
        house.print_price(PRICE + 100)
        order = await accepted(house, a_request(order_type=OrderType.LIMIT, price=LOW))
        await house.heard.until(lambda all_: bool(all_))
        assert [quote.last for quote in heard] == [PRICE + 100]
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        assert isinstance(outcome, ModifyAccepted)


@pytest.mark.req("I-37", "F-63")
async def test_b79_a_frank_broker_names_what_a_number_cost_when_it_ends_and_in_every_list(
    frank_house: House,
) -> None:
    house = frank_house
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.print_price(LOW, volume=Decimal(4))
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert listed.costs == house.executions[0].costs
        await house.broker.cancel(a_cancel(order))
        reports = await house.heard.until(lambda all_: isinstance(all_[-1], CostReport))
        [told] = [report for report in reports if isinstance(report, CostReport)]
        assert (told.ref, told.costs) == (order.ref, house.executions[0].costs)
        assert (told.qty_filled, told.amount_filled) == (4, 4 * LOW)
        assert told.identity
        assert all(report.costs is None for report in reports if isinstance(report, OrderReport))
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.costs, listed.costs_ts_ns) == (told.costs, told.ts_event_ns)


@pytest.mark.req("I-37")
async def test_b79_other_brokers_name_no_costs(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(price=LOW))
        house.print_price(LOW, volume=Decimal(10))
        reports = await house.heard.until(lambda all_: isinstance(all_[-1], FillNotice))
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert listed.costs is None
        assert "charged" not in listed.raw
        assert not any(isinstance(report, CostReport) for report in reports)


def test_every_act_is_a_change_that_the_ledger_keeps() -> None:
    assert set(Act.__args__) == set(ACTS)
    assert set(CHANGES) == set(Change.__args__)
