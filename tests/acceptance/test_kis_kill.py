"""kill -9 of the service at KIS in each window of a send, a modify, a cancel and a recovery.

The simulated KIS lives on, fills orders while nobody listens, and knows what really happened. A fault holds a
window open, and the kill comes at a random moment in it. KIS carries no id of ours, so an order is told apart
by what it asks for. `--kis-kills N` runs more.
"""

import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import grpc
import msgspec
import pytest

from jumun.doors.grpc.gen import order_pb2, order_pb2_grpc
from jumun.exchange.protocol import OracleTold
from jumun.model.ids import uuid7
from tests.acceptance.conftest import http_get, wait_ready
from tests.acceptance.kis_processes import KisRig

SEND: Final = "order-cash"
CHANGE: Final = "order-rvsecncl"
LIST: Final = "inquire-daily-ccld"
BEFORE: Final = 8  # orders at work before the window
DURING: Final = 4  # of each kind of act inside it
CALL_S: Final = 20.0
OPEN_S: Final = 10.0  # until the window opens
CALM_S: Final = 120.0  # two lists further apart than VISIBLE_S, with room for a busy machine
VISIBLE_S: Final = 15  # the simulator's list shows an order at once
SEEN_AT: Final = int(time.time())
PRICES: Final = {"005930": 58_000, "000660": 248_000, "069500": 38_500, "247540": 96_000}
FALL: Final = -12  # ticks; modifies lower what was bid, too
TICKS: Final = {"005930": 100, "000660": 500, "069500": 5, "247540": 100}


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Where the kill strikes: up to `seconds` after `fault` did; while recovering where `starting`."""

    name: str
    fault: str = ""
    path: str = ""
    seconds: float = 1.5
    holds: bool = True  # the fault takes `seconds` of its own
    starting: bool = False

    def open(self, rig: KisRig) -> None:
        """Put the fault in force."""
        rig.fault(self.fault, path=self.path, seconds=self.seconds if self.holds else 0.0)


WINDOWS: Final = (
    Window(name="a send is on its way", fault="slow_request", path=SEND),
    Window(name="a send is carried out and its answer is on its way", fault="slow", path=SEND),
    Window(name="a send was lost on its way", fault="request_lost", path=SEND, holds=False),
    Window(name="a modify or a cancel is on its way", fault="slow_request", path=CHANGE),
    Window(name="a modify or a cancel is carried out, not answered", fault="slow", path=CHANGE),
    Window(name="the answer of a modify or a cancel was lost", fault="reply_lost", path=CHANGE, holds=False),
    Window(name="KIS took it and the exchange's word is on its way", fault="notice_late"),
    Window(name="anywhere"),
    Window(name="a recovery asks for the list", fault="slow", path=LIST, starting=True),
    Window(name="anywhere in a recovery", starting=True),
)


class Asked:
    """What the test asked of the desk: orders by their client id, and how often each may be modified."""

    def __init__(self) -> None:
        self.orders: list[order_pb2.OrderRequest] = []
        self.modified = Counter[str]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per kill, each with its own seed."""
    if "kis_seed" in metafunc.fixturenames:
        metafunc.parametrize("kis_seed", range(metafunc.config.getoption("--kis-kills")))


@pytest.mark.req("S002-46", "S002-59", "S002-60", "I-07", "I-21", "I-22", "I-23", "I-38", "F-68", "F-69")
def test_a_service_killed_at_kis_sends_nothing_twice_and_loses_no_fill(kis_seed: int, tmp_path: Path) -> None:
    chance = random.Random(kis_seed)
    window = WINDOWS[kis_seed % len(WINDOWS)]
    rig = KisRig(tmp_path, settings={"KIS_VISIBLE_AFTER": str(VISIBLE_S)})
    asked = Asked()
    try:
        rig.start_kis()
        _move_prices(rig, chance)
        rig.start_service()
        wait_ready(rig)
        _begin(rig, asked, chance)
        _kill_in(rig, asked, window, chance)
        _move_prices(rig, chance, falls=_bought(asked, chance))  # while nobody listens
        rig.start_service()
        if window.starting:
            _kill_the_start(rig, window, chance)
            _move_prices(rig, chance)
            rig.start_service()
        wait_ready(rig)
        _send_again(rig, asked)
        _move_prices(rig, chance)
        _calm(rig)
        _compare(rig, asked)
    except AssertionError as error:
        raise AssertionError(f"killed where {window.name} (seed {kis_seed}): {error}") from error
    finally:
        rig.stop()


# ---- acting ---------------------------------------------------------------------------------------------


def _request(asked: Asked, chance: random.Random) -> order_pb2.OrderRequest:
    symbol = chance.choice(list(PRICES))
    number = len(asked.orders)
    is_sell = chance.random() < 0.2
    away = chance.choice([-4, -3, -2, -1, 0, 1, 2]) * TICKS[symbol]
    request = order_pb2.OrderRequest(
        id=uuid7(number * 1_000_000, chance.getrandbits(74)),
        symbol=symbol,
        side=order_pb2.SELL if is_sell else order_pb2.BUY,
        side_choice=order_pb2.SIDE_SELL if is_sell else order_pb2.SIDE_BUY,
        type=order_pb2.LIMIT,
        price=PRICES[symbol] + (away if not is_sell else 5 * TICKS[symbol]),
        quantity=chance.choice([1, 1, 2, 3, 5]),
        strategy_id="kill",
        timestamp=SEEN_AT + number,
    )
    asked.orders.append(request)
    return request


def _stub(channel: grpc.Channel) -> Any:
    return order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]


def _begin(rig: KisRig, asked: Asked, chance: random.Random) -> None:
    """Put some orders to work."""
    with grpc.insecure_channel(f"127.0.0.1:{rig.grpc_port}") as channel:
        stub = _stub(channel)
        for _ in range(BEFORE):
            stub.CreateOrder(_request(asked, chance), timeout=CALL_S)
    deadline = time.monotonic() + CALM_S
    while rig.rows("SELECT count(*) FROM orders WHERE status IN ('NEW', 'SENT', 'ERROR')")[0][0]:
        assert time.monotonic() < deadline, "the first orders never came to work"
        time.sleep(0.05)


def _kill_in(rig: KisRig, asked: Asked, window: Window, chance: random.Random) -> None:
    """Let orders be sent, modified and cancelled, and kill the service inside the window."""
    if window.fault and not window.starting:
        window.open(rig)
    with grpc.insecure_channel(f"127.0.0.1:{rig.grpc_port}") as channel:
        calls = _act(_stub(channel), rig, asked, chance)
        if window.fault and not window.starting:
            deadline = time.monotonic() + OPEN_S
            while not rig.struck(window.fault):
                assert time.monotonic() < deadline, "the window never opened"
                time.sleep(0.01)
            time.sleep(chance.uniform(0, window.seconds))
        else:
            time.sleep(chance.uniform(0, 0.5))
        assert rig.service is not None
        rig.service.kill()
        for call in calls:
            call.exception()  # waits; whatever came of it, the books will say
    if window.fault and not window.starting:
        time.sleep(
            chance.choice([0.0, window.seconds])
        )  # what is on its way may arrive before the next start
    rig.fair()


def _act(stub: Any, rig: KisRig, asked: Asked, chance: random.Random) -> list[Any]:
    working = rig.rows(
        "SELECT order_id, symbol, price, side FROM orders WHERE status IN ('ACCEPTED', 'PART_FILLED')"
    )
    chance.shuffle(working)
    calls = [stub.CreateOrder.future(_request(asked, chance), timeout=CALL_S) for _ in range(DURING)]
    for order_id, symbol, price, side in working[:DURING]:
        step = TICKS[symbol] if side == "SELL" else -TICKS[symbol]
        asked.modified[order_id] += 1
        change = order_pb2.ModifyOrderRequest(order_id=order_id, price_text=str(Decimal(price) + step))
        calls.append(stub.ModifyOrder.future(change, timeout=CALL_S))
    for order_id, *_ in working[DURING : 2 * DURING]:
        cancel = order_pb2.CancelOrderRequest(order_id=order_id)
        calls.append(stub.CancelOrder.future(cancel, timeout=CALL_S))
    return calls


def _kill_the_start(rig: KisRig, window: Window, chance: random.Random) -> None:
    """Kill the service while it recovers."""
    if window.fault:
        window.open(rig)
        deadline = time.monotonic() + OPEN_S
        while not rig.struck(window.fault):
            assert time.monotonic() < deadline, "the recovery never asked"
            time.sleep(0.01)
    time.sleep(chance.uniform(0, window.seconds))
    assert rig.service is not None
    rig.service.kill()
    rig.fair()


def _send_again(rig: KisRig, asked: Asked) -> None:
    """Everything once more, as a careful client does: same ids, same orders."""
    with grpc.insecure_channel(f"127.0.0.1:{rig.grpc_port}") as channel:
        for request in asked.orders:
            _asked(_stub(channel), request)


def _asked(stub: Any, request: order_pb2.OrderRequest) -> None:
    deadline = time.monotonic() + CALM_S
    while True:
        try:
            stub.CreateOrder(request, timeout=CALL_S)
        except grpc.RpcError as error:
            told = error.details() or ""
            assert "TOO_MANY_UNKNOWN" in told, f"{request.id}: {told}"
            assert time.monotonic() < deadline, f"{request.id}: the open outcomes of a kill were not settled"
            time.sleep(0.5)
        else:
            return


def _bought(asked: Asked, chance: random.Random) -> str:
    return chance.choice([order.symbol for order in asked.orders if order.side == order_pb2.BUY])


def _move_prices(rig: KisRig, chance: random.Random, falls: str = "") -> None:
    """Every price moves a little; one that `falls` goes below whatever was bid for it, so that some trade."""
    for symbol, price in PRICES.items():
        ticks = FALL if symbol == falls else chance.choice([-2, -1, 0, 1])
        rig.step(price + ticks * TICKS[symbol], symbol=symbol, qty=200)


# ---- judging --------------------------------------------------------------------------------------------


def _calm(rig: KisRig) -> None:
    """Wait until nothing is unknown or in flight, cancels and modifies included, and the books agree."""
    deadline = time.monotonic() + CALM_S
    while True:
        left = rig.rows(
            "SELECT order_id, status, reason FROM orders WHERE status IN ('NEW', 'SENT', 'ERROR')"
        )
        found = rig.differences() or _unlike(rig, rig.oracle())
        if not left and not found and http_get(rig.http_port, "/readyz")[0] == 200:
            return
        assert rig.service is not None
        assert time.monotonic() < deadline, f"never calm: {left[:5]} {found}\n{rig.service.text()[-3000:]}"
        time.sleep(0.25)


def _compare(rig: KisRig, asked: Asked) -> None:
    oracle = rig.oracle()
    wanted = Counter(_look_of(request) for request in asked.orders)
    arrived = Counter(
        (order.symbol, order.side.value, int(order.price or 0), int(order.qty))
        for order in (arrival.order for arrival in oracle.arrivals)
    )
    assert arrived <= wanted, f"sent twice: {arrived - wanted}"
    stored = rig.rows("SELECT order_id FROM orders")
    assert len(stored) == len(asked.orders), "an order of ours was taken for somebody else's, or is gone"
    owner = {(row[0], row[1]): row[2] for row in rig.rows(NUMBERS)}
    key_of = {order.key: (order.trade_date, order.number) for order in oracle.orders}
    modified = Counter(owner[key_of[arrival.key]] for arrival in oracle.modifies)
    assert modified <= asked.modified, f"modified twice: {modified - asked.modified}"
    for order_id, qty_filled in rig.rows("SELECT order_id, qty_filled FROM orders"):
        fills = rig.rows(f"SELECT qty FROM fills WHERE order_id = '{order_id}'")
        assert sum(Decimal(row[0]) for row in fills) == Decimal(qty_filled), order_id
    assert not _unlike(rig, oracle)
    assert not rig.differences()
    assert oracle.executions, "nothing traded: the run showed nothing"


NUMBERS: Final = "SELECT trade_date, broker_order_no, order_id FROM broker_order_map"


def _look_of(request: order_pb2.OrderRequest) -> tuple[str, str, int, int]:
    side = "SELL" if request.side_choice == order_pb2.SIDE_SELL else "BUY"
    return request.symbol, side, int(request.price), int(request.quantity)


def _unlike(rig: KisRig, oracle: OracleTold) -> list[str]:
    """Orders whose fills or end differ from the exchange's, every number of theirs counted."""
    owner = {(row[0], row[1]): row[2] for row in rig.rows(NUMBERS)}
    theirs: dict[str, tuple[Decimal, bool]] = {}
    found = []
    for order in oracle.orders:
        order_id = owner.get((order.trade_date, order.number))
        if order_id is None:
            found.append(f"{order.key} is not in our books")
            continue
        filled, is_open = theirs.get(order_id, (Decimal(0), False))
        theirs[order_id] = filled + order.qty_filled, is_open or order.is_open
    for order_id, qty_filled, status in rig.rows("SELECT order_id, qty_filled, status FROM orders"):
        filled, is_open = theirs.get(order_id, (Decimal(0), False))
        is_final = status in ("FILLED", "CANCELLED", "REJECTED")
        if filled != Decimal(qty_filled) or is_open is is_final:
            found.append(
                f"{order_id} {status} {qty_filled}; there {filled}, {'open' if is_open else 'ended'}"
            )
    return found
