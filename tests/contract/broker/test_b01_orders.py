"""B-01 to B-13: what an order, a cancel and a refusal look like from outside."""

from decimal import Decimal

import pytest

from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reports import (
    Accepted,
    BrokerState,
    CancelAccepted,
    CancelRefused,
    FillNotice,
    NotSent,
    OrderReport,
    Rejected,
)
from tests.contract.broker.houses import (
    ACCOUNT,
    PRICE,
    SYMBOL,
    TODAY,
    House,
    a_cancel,
    a_request,
    accepted,
    no,
    yes,
)
from tests.contract.broker.running import running


async def test_b01_an_order_is_accepted_with_a_number_of_today(house: House) -> None:
    async with running(house):
        outcome = await house.broker.submit(a_request(), yes)
        assert isinstance(outcome, Accepted)
        assert (outcome.ref.trade_date, outcome.ref.number) == (TODAY, "0000000001")
        assert outcome.raw


async def test_b02_a_limit_away_from_the_market_rests(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(price=PRICE - 1_000))
        (order,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (order.state, order.qty_filled) == (BrokerState.WORKING, Decimal(0))


async def test_b03_a_market_order_takes_from_the_quotes(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(order_type=OrderType.MARKET))
        (order,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert order.state is BrokerState.FILLED
        assert order.amount_filled == 10 * (PRICE + 100), "the ask stands one tick above the print"


async def test_b04_a_big_order_fills_in_part_and_the_rest_waits(house: House) -> None:
    async with running(house):
        house.print_price(PRICE, quote=Decimal(4))
        await accepted(house, a_request(price=PRICE + 100))
        reports = await house.heard.until(lambda all_: any(isinstance(r, FillNotice) for r in all_))
        (fill,) = (r for r in reports if isinstance(r, FillNotice))
        assert (fill.qty, fill.qty_cumulative) == (Decimal(4), Decimal(4))
        house.print_price(PRICE + 100, volume=Decimal(3))
        reports = await house.heard.until(lambda all_: sum(isinstance(r, FillNotice) for r in all_) == 2)
        (order,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (order.state, order.qty_filled) == (BrokerState.WORKING, Decimal(7))
        assert order.amount_filled == 7 * (PRICE + 100)


async def test_b05_a_working_order_can_be_cancelled(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=PRICE - 1_000))
        outcome = await house.broker.cancel(a_cancel(order))
        assert isinstance(outcome, CancelAccepted)
        assert outcome.report is not None
        assert outcome.report.state is BrokerState.CANCELLED
        house.print_price(PRICE - 1_000, volume=Decimal(100))
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.state, listed.qty_filled) == (BrokerState.CANCELLED, Decimal(0))


@pytest.mark.req("I-18", "F-46")
async def test_b06_a_filled_order_cannot_be_cancelled(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(order_type=OrderType.MARKET))
        outcome = await house.broker.cancel(a_cancel(order))
        assert isinstance(outcome, CancelRefused)
        assert outcome.code == "FINISHED"


async def test_b07_a_cancel_of_a_number_nobody_has_is_refused(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request())
        unknown = Accepted(ref=type(order.ref)(trade_date=TODAY, branch="0", number=order.ref.number), raw="")
        outcome = await house.broker.cancel(a_cancel(unknown))
        assert isinstance(outcome, CancelRefused)
        assert outcome.code == "NOT_FOUND"


@pytest.mark.req("F-07", "I-57")
@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("BAND", {"price": PRICE * 2}),
        ("TICK", {"price": PRICE + 1}),
        ("CASH", {"qty": 100_000}),
        ("SHARES", {"side": Side.SELL, "qty": 101}),
    ],
)
async def test_b08_an_impossible_order_is_rejected_with_its_reason(
    house: House, code: str, changes: dict[str, object]
) -> None:
    async with running(house):
        outcome = await house.broker.submit(a_request(**changes), yes)  # type: ignore[arg-type]
        assert isinstance(outcome, Rejected)
        assert outcome.code == code
        assert SYMBOL in outcome.text
        assert (await house.broker.history(ACCOUNT, TODAY)).orders == ()


async def test_b09_a_kind_the_broker_does_not_take_never_leaves(house: House) -> None:
    async with running(house):
        outcome = await house.broker.submit(a_request(tif=TimeInForce.GTC), yes)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "KIND_NOT_SUPPORTED"
        assert house.arrivals == []


@pytest.mark.req("I-45")
async def test_b10_an_order_without_permit_never_leaves(house: House) -> None:
    async with running(house):
        assert isinstance(await house.broker.submit(a_request(), no), NotSent)
        assert isinstance(await house.a_broker(house.bare).submit(a_request(), no), NotSent)
        assert house.arrivals == []


@pytest.mark.req("I-07")
async def test_b11_one_submit_arrives_once_and_the_oracle_knows_which_attempt_it_was(house: House) -> None:
    async with running(house):
        await accepted(house, a_request(order_id="order-7", attempt=2))
        assert [arrival.order.tag for arrival in house.arrivals] == ["order-7/2"]
        (order,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert "order-7" not in order.raw, "a broker that carries no reference must not leak ours"


@pytest.mark.req("I-05")
async def test_b12_notices_of_one_order_come_in_the_order_in_which_things_happened(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=PRICE - 100))
        house.print_price(PRICE - 100, volume=Decimal(4))
        house.print_price(PRICE - 100, volume=Decimal(5))
        await house.broker.cancel(a_cancel(order))
        reports = await house.heard.until(lambda all_: len(all_) == 4)
        told = [(r.state, r.qty_filled) if isinstance(r, OrderReport) else r.qty_cumulative for r in reports]  # type: ignore[union-attr]
        assert told == [(BrokerState.WORKING, 0), 4, 9, (BrokerState.CANCELLED, 9)]
        assert all(r.price <= PRICE - 100 for r in reports if isinstance(r, FillNotice))


async def test_b13_the_balance_follows_the_fills_to_the_won(house: House) -> None:
    async with running(house):
        before = await house.broker.balance(ACCOUNT)
        await accepted(house, a_request(order_type=OrderType.MARKET))
        after = await house.broker.balance(ACCOUNT)
        paid = 10 * (PRICE + 100)
        fee = Decimal(82)  # 581,000 won x 0.0140527 % = 81.65, nearest won
        assert before.cash["KRW"] - after.cash["KRW"] == paid + fee
        assert {holding.symbol: holding.qty for holding in after.holdings} == {SYMBOL: 110}
