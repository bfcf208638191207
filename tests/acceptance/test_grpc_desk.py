"""Changing orders, and the desk's questions about books, through the doors of the running service."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import grpc
import pytest

from jumun.doors.grpc.gen import desk_pb2
from jumun.doors.grpc.gen import order_pb2 as pb
from tests.acceptance.asking import (
    TIMEOUT_S,
    Stub,
    a_request,
    channel_to,
    desk_stub,
    orders_stub,
    reason_of,
    until,
)
from tests.acceptance.conftest import wait_ready
from tests.acceptance.processes import Rig


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One service beside one exchange process with moving prices."""
    rig = Rig(tmp_path_factory.mktemp("desk"), pace=20.0)
    try:
        rig.start_exchange()
        rig.start_service()
        wait_ready(rig)
        yield rig
    finally:
        rig.stop()


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value)


async def changed(stub: Stub, order_id: str, price: str, quantity: str) -> pb.OrderResponse:
    """Wait until the new terms are in force."""
    while True:
        order: pb.OrderResponse = await stub.GetOrder(
            pb.GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S
        )
        if (order.price_text, order.quantity_text) == (price, quantity):
            return order


@pytest.mark.req("S002-33", "S002-34")
async def test_a_working_order_gets_another_price_and_a_lower_quantity_at_the_exchange_too(
    running: Rig,
) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        request = a_request(quantity=5)
        made = await stub.CreateOrder(request, timeout=TIMEOUT_S)
        await until(stub, request.id, "ACCEPTED")
        modify = pb.ModifyOrderRequest(order_id=request.id, price_text="44950", quantity_text="3")
        await stub.ModifyOrder(modify, timeout=TIMEOUT_S)
        order = await changed(stub, request.id, "44950", "3")
        assert order.canonical_status == "ACCEPTED"
    working = [
        (record.price, record.qty)
        for record in running.oracle().orders
        if record.tag.startswith(made.oms_order_id) and record.state.value == "WORKING"
    ]
    assert working == [(Decimal(44_950), Decimal(3))]


@pytest.mark.req("S002-35")
@pytest.mark.parametrize(
    ("terms", "code", "reason"),
    [
        ({}, grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_CHANGE"),
        ({"price_text": "NaN"}, grpc.StatusCode.INVALID_ARGUMENT, "BAD_NUMBER"),
        ({"price_text": "-45000"}, grpc.StatusCode.INVALID_ARGUMENT, "PRICE_NOT_POSITIVE"),
        ({"quantity_text": "0"}, grpc.StatusCode.INVALID_ARGUMENT, "QTY_NOT_POSITIVE"),
        ({"user_id": "somebody", "price_text": "44950"}, grpc.StatusCode.NOT_FOUND, "UNKNOWN_ORDER"),
    ],
)
async def test_a_modify_that_cannot_be_is_refused_with_its_reason_and_the_order_stays_as_it_was(
    running: Rig, terms: dict[str, str], code: grpc.StatusCode, reason: str
) -> None:
    async with channel_to(running) as channel:
        stub = orders_stub(channel)
        request = a_request()
        await stub.CreateOrder(request, timeout=TIMEOUT_S)
        await until(stub, request.id, "ACCEPTED")
        modify = pb.ModifyOrderRequest(order_id=request.id, **terms)
        assert await refused(stub.ModifyOrder(modify, timeout=TIMEOUT_S)) == (code, reason)
        order = await stub.GetOrder(pb.GetOrderRequest(order_id=request.id), timeout=TIMEOUT_S)
        assert (order.price_text, order.quantity_text) == ("45000", "1")


@pytest.mark.req("S000-105")
async def test_every_open_order_of_one_symbol_is_cancelled_and_those_of_others_go_on(running: Rig) -> None:
    async with channel_to(running) as channel:
        stub, desk = orders_stub(channel), desk_stub(channel)
        ours = [a_request(symbol="035420", price=150_000.0) for _ in range(3)]
        other = a_request(symbol="000660", price=200_000.0)
        for request in (*ours, other):
            await stub.CreateOrder(request, timeout=TIMEOUT_S)
            await until(stub, request.id, "ACCEPTED")
        asked = await desk.CancelAll(desk_pb2.CancelAllRequest(symbol="035420"), timeout=TIMEOUT_S)
        assert asked.asked == 3
        for request in ours:
            await until(stub, request.id, "CANCELLED")
        assert (await until(stub, other.id, "ACCEPTED")).canonical_status == "ACCEPTED"


@pytest.mark.req("S000-21", "S000-107", "S000-108", "S000-109")
async def test_a_position_is_closed_by_one_order_however_often_it_is_asked_and_the_figures_tell_of_it(
    running: Rig,
) -> None:
    async with channel_to(running) as channel:
        stub, desk = orders_stub(channel), desk_stub(channel)
        bought = a_request(symbol="069500", type=pb.MARKET, price=38_500.0, quantity=4)
        await stub.CreateOrder(bought, timeout=TIMEOUT_S)
        await until(stub, bought.id, "FILLED")
        summary = json.loads(
            (await desk.Portfolio(desk_pb2.PortfolioRequest(), timeout=TIMEOUT_S)).json, parse_float=str
        )
        assert summary["total_positions"] == 1
        closing = [
            await desk.ClosePosition(desk_pb2.ClosePositionRequest(symbol="069500"), timeout=TIMEOUT_S)
            for _ in range(2)
        ]
        assert closing[0].side == "SELL", closing[0].text
        assert Decimal(closing[0].quantity) == 4
        await until(stub, closing[0].order_id, "FILLED")
        sold = [
            arrival
            for arrival in running.oracle().arrivals
            if arrival.order.symbol == "069500" and arrival.order.side.value == "SELL"
        ]
        assert len(sold) == 1, "a second closing order would have sold what nobody holds"
        status = json.loads(
            (
                await desk.ExecutionStatus(
                    desk_pb2.ExecutionStatusRequest(order_id=bought.id), timeout=TIMEOUT_S
                )
            ).json
        )
        assert Decimal(status["fill_ratio"]) == 1
        stats = json.loads(
            (await desk.ExecutionStats(desk_pb2.ExecutionStatsRequest(), timeout=TIMEOUT_S)).json
        )
        assert stats["total_fills"] >= 2
        risk = json.loads((await desk.Risk(desk_pb2.PortfolioRequest(), timeout=TIMEOUT_S)).json)
        assert "value_at_risk_95" in risk


@pytest.mark.req("I-29", "I-30")
async def test_a_documented_entry_is_booked_once_however_often_it_is_sent(running: Rig) -> None:
    paid = desk_pb2.DividendEntry(symbol="005930", gross="12345", tax="1900", net="10445")
    entry = desk_pb2.BookEntryRequest(
        document=f"dividend-{uuid4()}",
        by="demo",
        text="from the statement",
        trade_date="2026-11-20",
        dividend=paid,
    )
    async with channel_to(running) as channel:
        desk = desk_stub(channel)
        for moved in ({"quantity": "1", "cost": "58000"}, {"quantity": "-1"}):  # held once, so it can pay
            shares = desk_pb2.MovedEntry(what="005930", **moved)
            held = desk_pb2.BookEntryRequest(
                document=f"shares-{uuid4()}", by="demo", text="t", trade_date="2026-11-20", transfer=shares
            )
            await desk.BookEntry(held, timeout=TIMEOUT_S)
        first = await desk.BookEntry(entry, timeout=TIMEOUT_S)
        again = await desk.BookEntry(entry, timeout=TIMEOUT_S)
    assert (first.booked, first.existing) == (2, False)
    assert [(row.kind, row.amount, row.debit, row.credit) for row in first.rows] == [
        ("DIVIDEND", "12345", "CASH", "INCOME"),
        ("TAX", "1900", "TAXES", "CASH"),
    ]
    assert (again.booked, again.existing, len(again.rows)) == (0, True, 0)


def a_transfer(**changes: str) -> dict[str, Any]:
    fields = {"what": "CASH:KRW", "quantity": "5"} | changes
    return {"transfer": desk_pb2.MovedEntry(**fields)}


@pytest.mark.req("F-96", "I-53")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"transfer": None}, "BAD_INPUT"),
        (a_transfer(quantity="NaN"), "BAD_NUMBER"),
        (a_transfer(quantity="0"), "BAD_INPUT"),
        (a_transfer(what="CASH:EUR"), "BAD_INPUT"),
        (a_transfer(what="NOPE", cost="5"), "UNKNOWN_SYMBOL"),
        (a_transfer(what="005930"), "BAD_INPUT"),
        ({"trade_date": "yesterday"}, "BAD_TIME"),
        ({"settlement_date": "2026-11-19"}, "BAD_INPUT"),
        ({"document": ""}, "BAD_INPUT"),
        ({"by": ""}, "BAD_INPUT"),
        ({"text": " "}, "BAD_INPUT"),
        ({"account_id": "NOPE"}, "UNKNOWN_ACCOUNT"),
    ],
)
async def test_an_entry_that_cannot_be_read_books_nothing(
    running: Rig, change: dict[str, Any], reason: str
) -> None:
    fields = {"document": f"odd-{uuid4()}", "by": "demo", "text": "a test", "trade_date": "2026-11-20"}
    entry = desk_pb2.BookEntryRequest(**(fields | a_transfer() | change))
    async with channel_to(running) as channel:
        code, named = await refused(desk_stub(channel).BookEntry(entry, timeout=TIMEOUT_S))
    assert (code, named) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_where_the_books_agree_there_is_no_break_and_an_unknown_one_is_not_found(running: Rig) -> None:
    async with channel_to(running) as channel:
        desk = desk_stub(channel)
        settle = desk_pb2.SettleBreakRequest(break_id="no-such", by="demo", text="a test")
        assign = desk_pb2.AssignBreakRequest(break_id="no-such", owner="demo", text="a test")
        for call in (
            desk.SettleBreak(settle, timeout=TIMEOUT_S),
            desk.AssignBreak(assign, timeout=TIMEOUT_S),
        ):
            assert await refused(call) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_BREAK")
        nobody = desk_pb2.SettleBreakRequest(break_id="no-such", text="a test")
        code, _ = await refused(desk.SettleBreak(nobody, timeout=TIMEOUT_S))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
