"""The gRPC door beside an echo server of the same message: what the door costs, and what is left to do.

Three servers, each a process of its own, answer the same requests of the same client in the same run:

- echo: grpc.aio, reads the request and answers a message like ours; nothing else;
- door: our whole door (reading, checking, keys, answers) before a desk that says yes at once;
- service: the door, the desk and the store: every answer is durable. Nothing is sent to a broker here:
  `make bench` measures that path.

The client is written in Python too and often is the limit, so beside orders a second the processor time of
the server is counted: it says how many orders a core could take.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import grpc

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.gen import order_pb2_grpc

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "bench" / "grpc.md"
SERVERS: Final = ("echo", "door", "service")
ROUNDS: Final = 3
A_MESSAGE: Final = 100
UNARY_AT_ONCE: Final = 64
READY_S: Final = 60.0
STRATEGY: Final = "momentum"


# ---- the client -------------------------------------------------------------------------------------


def request(number: int) -> pb.OrderRequest:
    """An order of a strategy worker; every number is an order of its own."""
    return pb.OrderRequest(
        id=str(UUID(int=number)),
        symbol="005930",
        side=pb.BUY,
        type=pb.LIMIT,
        price=45_000.0,
        quantity=1 + number % 9,
        strategy_id=STRATEGY,
        timestamp=int(time.time()),
    )


async def unary(stub: Any, first: int, count: int) -> None:
    """CreateOrder, some at once."""
    slots = asyncio.Semaphore(UNARY_AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            answer = await stub.CreateOrder(request(number))
            assert answer.status == pb.PENDING, answer

    await asyncio.gather(*(one(number) for number in range(first, first + count)))


async def stream(stub: Any, first: int, count: int) -> None:
    """StreamOrders, one order a message."""

    async def sent() -> AsyncIterator[pb.OrderRequest]:
        for number in range(first, first + count):
            yield request(number)

    answered = 0
    async for answer in stub.StreamOrders(sent()):
        assert answer.status == pb.PENDING, answer
        answered += 1
    assert answered == count


async def bulk(stub: Any, first: int, count: int) -> None:
    """BulkOrders, A_MESSAGE orders a message."""

    async def sent() -> AsyncIterator[pb.OrderBatch]:
        for start in range(first, first + count, A_MESSAGE):
            yield pb.OrderBatch(orders=[request(number) for number in range(start, start + A_MESSAGE)])

    answered = 0
    async for reply in stub.BulkOrders(sent()):
        assert all(outcome.status == pb.PENDING for outcome in reply.outcomes), reply.outcomes[0]
        answered += len(reply.outcomes)
    assert answered == count


Load = Callable[[Any, int, int], Awaitable[None]]
LOADS: Final[dict[str, tuple[Load, int]]] = {
    "unary": (unary, 1_500),
    "stream, one order a message": (stream, 3_000),
    f"stream, {A_MESSAGE} orders a message": (bulk, 20_000),
}


# ---- the servers ------------------------------------------------------------------------------------


class Echo(order_pb2_grpc.OrderServiceServicer):
    """Answers a message like ours."""

    def __init__(self) -> None:
        from jumun.doors.grpc import translate
        from jumun.testing.builders import an_order

        self._answer = translate.response_of(an_order(client_order_id=str(UUID(int=1))), request_id="r" * 36)
        self._outcome = pb.OrderOutcome(
            request_id=self._answer.request_id,
            order_id=self._answer.order_id,
            oms_order_id=self._answer.oms_order_id,
            canonical_status=self._answer.canonical_status,
        )

    async def CreateOrder(self, request: pb.OrderRequest, context: object) -> pb.OrderResponse:
        """One answer."""
        return self._answer

    async def StreamOrders(
        self, requests: AsyncIterator[pb.OrderRequest], context: object
    ) -> AsyncIterator[pb.OrderResponse]:
        """One answer a request."""
        async for _ in requests:
            yield self._answer

    async def BulkOrders(
        self, batches: AsyncIterator[pb.OrderBatch], context: object
    ) -> AsyncIterator[pb.OrderBatchReply]:
        """One answer a batch, with an outcome an order."""
        async for batch in batches:
            yield pb.OrderBatchReply(outcomes=[self._outcome] * len(batch.orders))


def ready_desk() -> Any:
    """An engine whose desk says yes at once, and has no store."""
    from jumun.model.instruments import InstrumentMaster
    from jumun.rules.draft import Decision
    from jumun.services.desk import Ticket
    from jumun.system import SystemClock
    from jumun.testing.builders import an_order

    decision = Decision(order=an_order(client_order_id=str(UUID(int=1))))

    async def no_keys(keys: object) -> dict[str, object]:
        return {}

    async def offer(command: object) -> Ticket:
        durable = asyncio.get_running_loop().create_future()
        durable.set_result(decision)
        return Ticket(decision, durable)

    book = SimpleNamespace(order_by_key=lambda key: None)
    policy = SimpleNamespace(instruments=InstrumentMaster(()))
    return SimpleNamespace(
        desk=SimpleNamespace(book=book, offer=offer, policy=policy, stored_seq=0),
        journal=SimpleNamespace(orders_by_keys=no_keys),
        clock=SystemClock(),
        listeners=[],
    )


async def durable_desk(folder: Path) -> Any:
    """The real engine on a real store. Nothing is sent: no slot for a send is ever free."""
    import gc

    from jumun.brokers.paper import LocalLink, PaperBroker, paper_traits
    from jumun.exchange.market import Market
    from jumun.exchange.sample_world import sample_world
    from jumun.services.order_engine import OrderEngine
    from jumun.services.order_queue import OrderQueue
    from jumun.store.sqlite import SqliteJournal
    from jumun.system import SystemClock, SystemIds
    from tools.bench_stage import CASH, opening
    from tools.bench_stage import policy as bench_policy

    clock = SystemClock()
    market = Market(sample_world())
    account_id = opening().account_id
    market.open_account(account_id, cash={"KRW": CASH}, now_ns=clock.now_ns())
    broker = PaperBroker(LocalLink(market, clock), paper_traits(), clock)
    engine = OrderEngine(
        broker_client=broker,
        journal=SqliteJournal(folder / "grpc.db", label="bench"),
        policy=bench_policy(broker.traits, market),
        clock=clock,
        ids=SystemIds(),
        prices=broker,
        order_queue=OrderQueue(10_000_000, 1, 3_600),
        openings=[opening()],
        verify_behind=False,
    )
    await engine.start()
    base = market.world.bases["005930"]
    market.step("005930", base, Decimal(10) ** 9, clock.now_ns(), quote_qty=Decimal(10) ** 9)
    engine.desk._sending["the only slot"] = None  # type: ignore[index]
    gc.freeze()  # as the service does
    return engine


async def serve(kind: str, told: Connection, folder: Path) -> None:
    """Run one server until the process is ended."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    service: object = Echo()
    if kind != "echo":
        from jumun.doors.gate import Gate
        from jumun.doors.grpc.order_service import OrderService
        from jumun.services.intake import Intake

        engine = ready_desk() if kind == "door" else await durable_desk(folder)
        gate = Gate(engine, Intake(accounts()), environment="sim", prices="none")
        gate.open()
        service = OrderService(gate)
    from jumun.doors.grpc.server import OPTIONS

    server = grpc.aio.server(options=OPTIONS)
    order_pb2_grpc.add_OrderServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told.send(port)
    await server.wait_for_termination()


def accounts() -> Any:
    """The one account of the benchmark."""
    from jumun.model.ids import UserId
    from jumun.model.money import Currency
    from jumun.model.positions import Account
    from tools.bench_stage import ACCOUNT

    account = Account(
        account_id=ACCOUNT,
        base_currency=Currency.KRW,
        users=(UserId("bench"),),
        may_buy=True,
        may_sell=True,
        cost_plans={},
    )
    return {ACCOUNT: account}


def run_server(kind: str, told: Connection, folder: str, profile: str) -> None:
    """The main function of a server process."""
    if profile:
        import cProfile
        import signal

        profiler = cProfile.Profile()

        def end(*_: object) -> None:
            profiler.disable()
            profiler.dump_stats(profile)
            os._exit(0)

        signal.signal(signal.SIGTERM, end)
        profiler.enable()
    asyncio.run(serve(kind, told, Path(folder)))


# ---- the run ----------------------------------------------------------------------------------------


class Server:
    """One server process."""

    def __init__(self, kind: str, folder: str, profile: str = "") -> None:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        self.process = context.Process(target=run_server, args=(kind, theirs, folder, profile), daemon=True)
        self.process.start()
        assert mine.poll(READY_S), f"the {kind} server did not start"
        self.port: int = mine.recv()

    def cpu_s(self) -> float:
        """Processor time so far, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.join(READY_S)


async def measured(server: Server, load: Load, first: int, count: int) -> tuple[float, float]:
    """Return orders a second, and microseconds of the server's processor an order."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)  # type: ignore[no-untyped-call]
        cpu_s, began = server.cpu_s(), time.perf_counter()
        await load(stub, first, count)
        seconds = time.perf_counter() - began
        return count / seconds, (server.cpu_s() - cpu_s) / count * 1e6


def measure(rounds: int) -> str:
    """Run every load against every server, interleaved, and return the table."""
    lines = []
    work = ROOT / ".bench"  # on the disk of the project, out of the way of git
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        servers = {kind: Server(kind, folder) for kind in SERVERS}
        number = 1
        try:
            for name, (load, count) in LOADS.items():
                found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in SERVERS}
                for round_number in range(rounds + 1):
                    for kind, server in servers.items():
                        size = count if round_number else count // 10  # the first round warms up
                        size = max(size // A_MESSAGE, 1) * A_MESSAGE
                        figures = asyncio.run(measured(server, load, number, size))
                        number += size
                        if round_number:
                            found[kind].append(figures)
                lines.append(line(name, found))
        finally:
            for server in servers.values():
                server.stop()
    return "\n".join(lines)


def line(name: str, found: dict[str, list[tuple[float, float]]]) -> str:
    """One line of the table: medians."""
    rate = {kind: statistics.median(rate for rate, _ in figures) for kind, figures in found.items()}
    cpu = {kind: statistics.median(cpu for _, cpu in figures) for kind, figures in found.items()}
    cells = [f"{rate[kind]:,.0f} | {cpu[kind]:,.0f}" for kind in SERVERS]
    ratios = [f"{rate[kind] / rate['echo']:.2f}" for kind in SERVERS[1:]]
    return f"| {name} | {' | '.join(cells)} | {' | '.join(ratios)} |"


def main(record: bool = True, rounds: int = ROUNDS) -> str:
    """Measure, print a table, and append it to bench/grpc.md when `record`; return the text."""
    head = (
        f"### {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, grpcio {grpc.__version__}\n\n"
        f"Medians of {rounds} interleaved rounds; unary with {UNARY_AT_ONCE} at once. CPU is the server's, "
        "in µs an order.\n\n"
        "| load | echo orders/s | CPU | door orders/s | CPU | service orders/s | CPU | door/echo | "
        "service/echo |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    text = head + measure(rounds) + "\n"
    print(text)
    if record:
        with PAGE.open("a", encoding="utf-8") as page:
            page.write("\n" + text)
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-record", action="store_true", help="print only")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    main(record=not options.no_record, rounds=options.rounds)
