"""kill -9 of the real service at a random moment, against an exchange process that remembers everything.

Nothing acknowledged is missing, nothing is sent twice, books equal the exchange's. `--kills N` runs more.
"""

import asyncio
import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import apsw
import grpc
import pytest

from jumun.doors.grpc.gen import order_pb2, order_pb2_grpc
from jumun.exchange.protocol import OracleTold, Step
from jumun.model.ids import uuid7
from tests.acceptance.processes import Rig, ask

ORDERS: Final = 500
SETTLE_LOOKS: Final = 120  # half a second apart
IN_FLIGHT: Final = 40
SEEN_AT: Final = int(time.time())  # of the first signal; one a second from there on
CALM_S: Final = 90.0  # two histories further apart than the visibility delay, with room for a busy machine
PRICES: Final = {"005930": 58_000, "000660": 248_000, "069500": 38_500, "247540": 96_000}
TICKS: Final = {"005930": 100, "000660": 500, "069500": 5, "247540": 100}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per kill, each with its own seed."""
    if "kill_seed" in metafunc.fixturenames:
        metafunc.parametrize("kill_seed", range(metafunc.config.getoption("--kills")))


@pytest.mark.req(
    "S002-59", "S002-60", "S002-61", "S002-70", "I-07", "I-21", "I-22", "I-23", "I-38", "F-68", "F-69"
)
async def test_a_killed_service_loses_nothing_and_sends_nothing_twice(kill_seed: int, tmp_path: Path) -> None:
    chance = random.Random(kill_seed)
    rig = Rig(tmp_path)
    try:
        rig.start_exchange()
        rig.start_service()
        await _ready(rig)
        _move_prices(rig, chance)
        requests = _requests(chance)
        acknowledged: dict[str, str] = {}
        kill_after = chance.randrange(10, ORDERS - 10)
        await _send(rig, requests, acknowledged, kill_after)
        rig.start_service()
        await _ready(rig)
        _move_prices(rig, chance)
        await _send(
            rig, requests, acknowledged, kill_after=None
        )  # everything once more: same ids, same orders
        _move_prices(rig, chance)
        await _calm(rig)
        _compare(rig, acknowledged)
    finally:
        rig.stop()


def _requests(chance: random.Random) -> list[order_pb2.OrderRequest]:
    """Orders of every look: many alike, some that trade at once, some that rest, some that are refused."""
    requests = []
    for number in range(ORDERS):
        symbol = chance.choice(list(PRICES))
        side = order_pb2.SIDE_SELL if chance.random() < 0.35 else order_pb2.SIDE_BUY
        away = chance.choice([-3, -1, 0, 1, 2, 3]) * TICKS[symbol]
        market = chance.random() < 0.2
        requests.append(
            order_pb2.OrderRequest(
                id=uuid7(number * 1_000_000, chance.getrandbits(74)),
                symbol=symbol,
                side=order_pb2.SELL if side == order_pb2.SIDE_SELL else order_pb2.BUY,
                side_choice=side,
                type=order_pb2.MARKET if market else order_pb2.LIMIT,
                price=0 if market else PRICES[symbol] + away,
                quantity=chance.choice([1, 1, 1, 2, 3]),
                strategy_id="kill",
                timestamp=SEEN_AT + number,
            )
        )
    return requests


async def _asked(stub: Any, request: order_pb2.OrderRequest) -> order_pb2.OrderResponse:
    """Send; while a kill's open outcomes are being settled, come again with the same id."""
    for _ in range(SETTLE_LOOKS):
        try:
            return await stub.CreateOrder(request, timeout=30)  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError as error:
            if "TOO_MANY_UNKNOWN" not in (error.details() or ""):
                raise
        await asyncio.sleep(0.5)
    pytest.fail(f"{request.id}: the open outcomes of a kill were not settled")


async def _send(
    rig: Rig, requests: list[order_pb2.OrderRequest], acknowledged: dict[str, str], kill_after: int | None
) -> None:
    """Send everything, IN_FLIGHT at a time; kill the service once `kill_after` have been answered."""
    answered = 0
    slots = asyncio.Semaphore(IN_FLIGHT)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rig.grpc_port}") as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]

        async def one(request: order_pb2.OrderRequest) -> None:
            nonlocal answered
            async with slots:
                try:
                    reply = await _asked(stub, request)
                except grpc.aio.AioRpcError as error:
                    if kill_after is None:
                        pytest.fail(f"{request.id} failed without a kill: {error.details()}")
                    return
                before = acknowledged.setdefault(request.id, reply.oms_order_id)
                assert before == reply.oms_order_id, f"{request.id} became two orders"
                answered += 1
                if answered == kill_after:
                    assert rig.service is not None
                    rig.service.kill()

        await asyncio.gather(*(one(request) for request in requests))


async def _ready(rig: Rig) -> None:
    """Wait until the service accepts orders."""
    for _ in range(600):
        done = await asyncio.to_thread(_http_status, rig.http_port)
        if done == 200:
            return
        await asyncio.sleep(0.1)
    assert rig.service is not None
    raise AssertionError(f"never ready:\n{rig.service.text()}")


def _http_status(port: int) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _move_prices(rig: Rig, chance: random.Random) -> None:
    for symbol, price in PRICES.items():
        moved = price + chance.choice([-1, 0, 1]) * TICKS[symbol]
        ask(
            rig.exchange_port,
            Step(symbol=symbol, price=Decimal(moved), volume=Decimal(50), quote_qty=Decimal(200)),
        )


async def _calm(rig: Rig) -> None:
    """Wait until nothing is unknown, waiting or in flight."""
    query = "SELECT count(*) FROM orders WHERE status IN ('NEW', 'ERROR', 'SENT')"
    for _ in range(int(CALM_S / 0.25)):
        if not _rows(rig, query)[0][0] and not _differences(rig):
            return
        await asyncio.sleep(0.25)
    left = _rows(rig, "SELECT order_id, status, reason FROM orders WHERE status IN ('NEW','ERROR','SENT')")
    assert rig.service is not None
    raise AssertionError(f"never calm: {left[:5]} {_differences(rig)}\n{rig.service.text()[-3000:]}")


def _compare(rig: Rig, acknowledged: dict[str, str]) -> None:
    oracle = rig.oracle()
    stored = {row[0] for row in _rows(rig, "SELECT order_id FROM orders")}
    missing = [order_id for order_id in acknowledged.values() if order_id and order_id not in stored]
    assert not missing, f"{len(missing)} acknowledged orders are gone, first {missing[0]}"
    taken = Counter(arrival.order.tag.split("/")[0] for arrival in oracle.arrivals)
    twice = {tag: count for tag, count in taken.items() if count > 1}
    assert not twice, f"reached the exchange more than once: {twice}"
    assert set(taken) <= stored, "the exchange has orders that the store does not know"
    _compare_orders(rig, oracle)
    assert not _differences(rig)
    assert oracle.executions, "nothing traded: the run showed nothing"


def _compare_orders(rig: Rig, oracle: OracleTold) -> None:
    ours = {
        (row[0], row[1]): (Decimal(row[2]), row[3])
        for row in _rows(
            rig,
            "SELECT m.trade_date, m.broker_order_no, o.qty_filled, o.status FROM broker_order_map m"
            " JOIN orders o USING (order_id)",
        )
    }
    theirs = {(order.trade_date, order.number): order for order in oracle.orders}
    assert set(ours) == set(theirs), "orders at the exchange and orders in our books differ"
    for key, order in theirs.items():
        filled, status = ours[key]
        assert filled == order.qty_filled, (
            f"{key}: we booked {filled}, the exchange filled {order.qty_filled}"
        )
        assert (status in ("FILLED", "CANCELLED")) == (not order.is_open), f"{key}: {status} / {order.state}"


def _differences(rig: Rig) -> list[str]:
    """Positions and cash of the store beside the exchange's."""
    [balance] = rig.oracle().balances
    held = {row[0]: Decimal(row[1]) for row in _rows(rig, "SELECT symbol, qty FROM positions")}
    cash: dict[str, Decimal] = {}
    for currency, debit, credit, amount in _rows(rig, "SELECT currency, debit, credit, amount FROM ledger"):
        sign = (debit == "CASH") - (credit == "CASH")
        cash[currency] = cash.get(currency, Decimal(0)) + sign * Decimal(amount)
    found = [
        f"{symbol}: {held.get(symbol, 0)} / {balance.holdings.get(symbol, 0)}"
        for symbol in sorted({*held, *balance.holdings})
        if held.get(symbol, Decimal(0)) != balance.holdings.get(symbol, Decimal(0))
    ]
    found += [
        f"{currency}: {cash.get(currency, 0)} / {amount}"
        for currency, amount in balance.cash.items()
        if cash.get(currency, Decimal(0)) != amount
    ]
    return found


def _rows(rig: Rig, query: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(rig.store), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5_000)
        return list(connection.execute(query))
    finally:
        connection.close()
