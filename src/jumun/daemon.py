"""`jumun serve` as a process: the order in which things start and stop, and what signals mean."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from random import Random
from typing import TYPE_CHECKING, Any, Final

import structlog

from jumun import app
from jumun.brokers.paper import PaperBroker, SocketLink, paper_traits
from jumun.config import Settings
from jumun.doors.gate import Gate
from jumun.doors.grpc.desk_service import DeskService
from jumun.doors.grpc.order_service import OrderService
from jumun.doors.grpc.server import GrpcDoor
from jumun.doors.http.metrics import Metrics
from jumun.doors.http.server import HttpDoor
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.protocol import OpenAccount, Refused
from jumun.model.commands import HaltTrading
from jumun.model.errors import BrokerUnavailable, ConfigError, OmsError
from jumun.model.reasons import Reason
from jumun.ports.broker import BrokerTraits
from jumun.ports.outside import Clock
from jumun.services.intake import Intake
from jumun.services.marks import Marker
from jumun.services.order_engine import OrderEngine
from jumun.services.steady_clock import SteadyClock
from jumun.simulators.exchange_process import HOST, ExchangeServer, PriceDriver
from jumun.store.starts import Starts
from jumun.system import SystemClock, tune_collector

if TYPE_CHECKING:
    from jumun.brokers.kis.broker import KISBrokerClient

OPEN_ACCOUNT_S: Final = 10.0  # as long as an order may wait for its answer
EXCHANGE_KEEP_DAYS: Final = 30  # of ended orders: far longer than anybody asks for a day's list
HEALTH_LOOK_S: Final = 0.5  # how late a health check may learn of a halt
CLOCK_LOOK_S: Final = 0.5  # how late the inner exchange may notice an expiry

log = structlog.get_logger()


class SimBroker(PaperBroker):
    """The paper broker of the service: it opens the accounts with the cash that the books open with."""

    def __init__(
        self, link: SocketLink, traits: BrokerTraits, clock: Clock, accounts: tuple[OpenAccount, ...]
    ) -> None:
        super().__init__(link, traits, clock)
        self._socket = link
        self._to_open = accounts

    async def connect(self) -> None:
        """Connect, and open each account where it is not open yet; raises BrokerUnavailable."""
        await super().connect()
        for account in self._to_open:
            try:
                async with asyncio.timeout(OPEN_ACCOUNT_S):
                    told = await self._socket.call(account, lambda: True)
            except TimeoutError as error:
                raise BrokerUnavailable(
                    f"the exchange does not answer about {account.account_id}; look at it, or start it again"
                ) from error
            if isinstance(told, Refused):
                raise BrokerUnavailable(f"the exchange does not open {account.account_id}: {told.text}")


class InnerExchange:
    """The simulated exchange inside the service, on a loopback port of its own, with its ledger on disk.

    It is reached like the one of another process, so that nothing is told to the desk before it is durable.
    """

    def __init__(self, settings: Settings) -> None:
        world = app.world_of(settings)
        path = settings.exchange_ledger_path
        try:
            self._ledger, market = LedgerFile.open(path, world, keep_days=EXCHANGE_KEEP_DAYS)
        except ConfigError as error:
            raise ConfigError(
                f"the exchange inside the service keeps {path}, made with another OMS_SIM_SESSIONS, "
                "OMS_SIM_SWITCHES or calendar; set them as they were, or name another OMS_STORE_PATH"
            ) from error
        self._server = ExchangeServer(market, self._ledger, SystemClock().now_ns)
        self._driver = PriceDriver(self._server, settings.oms_sim_seed)
        self._pace = float(settings.oms_sim_pace)
        self._symbols = len(world.instruments)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> tuple[str, int]:
        """Listen on a free port and return the address."""
        await self._server.start(HOST, 0)
        self._server.pass_time()
        if self._pace:
            for _ in range(self._symbols):  # every symbol has a price from the first moment
                self._driver.step()
        self.tasks = [
            asyncio.create_task(self._server.run(), name="exchange-commit"),
            asyncio.create_task(self._pass_time(), name="exchange-time"),
        ]
        if self._pace:
            self.tasks.append(asyncio.create_task(self._drive(), name="exchange-prices"))
        host, port = self._server.address
        return host, port

    async def stop(self) -> None:
        """Make everything durable and hang up."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        await self._server.stop()
        self._ledger.close()

    async def _pass_time(self) -> None:
        while True:
            self._server.pass_time()
            await asyncio.sleep(CLOCK_LOOK_S)

    async def _drive(self) -> None:
        while True:
            await asyncio.sleep(1 / self._pace)
            self._driver.step()


class Daemon:
    """One run of the service. `run` returns the exit code."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._signals = 0
        self._started = False
        self._error: BaseException | None = None  # what ended the run, where something failed
        self._exchange: InnerExchange | None = None
        self._kis: KISBrokerClient | None = None
        self._background: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Start, serve until told to stop or something fails, stop. Raises OmsError for a failed start."""
        settings = self._settings
        app.require_free(settings.oms_store_path)
        app.require_own(settings)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._told)
        engine, broker = await self._build()
        starts = Starts(settings.oms_store_path)
        engine.desk.halt_first = _halt_after(starts)
        gate = Gate(
            engine,
            Intake(engine.desk.policy.accounts),
            environment=settings.oms_environment.value,
            prices=app.price_source(settings),
        )
        gate.version, gate.started_ns = app.VERSION, engine.clock.now_ns()
        gate.store = str(settings.oms_store_path)
        gate.exchange = settings.kis_base_url if settings.oms_broker == "kis" else settings.oms_exchange
        if settings.oms_broker == "kis":
            gate.remedy = app.kis_remedy(settings)
        grpc_door, http_door = GrpcDoor(OrderService(gate), DeskService(gate)), HttpDoor(gate, Metrics(gate))
        code = 1
        try:
            await grpc_door.start(settings.oms_host, settings.oms_grpc_port)
            await http_door.start(
                settings.oms_host,
                settings.oms_http_port,
                idle_s=settings.server_read_timeout,
                write_s=settings.server_write_timeout,
            )
            log.info(
                "doors_opened", host=settings.oms_host, grpc_port=grpc_door.port, http_port=http_door.port
            )
            self._warn_when_open()
            if await self._start(engine):
                gate.open()
                await grpc_door.set_serving(serving=gate.unready() is None)
                self._spawn("marks", Marker(engine, broker, app.price_source(settings)).run())
                self._spawn("health", self._tell_health(gate, grpc_door))
                tune_collector()
                log.info("service_ready", grpc_port=grpc_door.port, http_port=http_door.port, pid=os.getpid())
            code = await self._until_told(engine)
        finally:
            gate.close()
            code = max(code, await self._end(engine, gate, grpc_door, http_door))
        _note_end(starts, code, self._error)
        log.info("service_stopped", exit_code=code)
        return code

    async def _build(self) -> tuple[OrderEngine, "SimBroker | KISBrokerClient"]:
        return await (self._build_kis() if self._settings.oms_broker == "kis" else self._build_sim())

    async def _build_kis(self) -> tuple[OrderEngine, "KISBrokerClient"]:
        """The desk at KIS. A first start asks KIS what the accounts hold; it must answer."""
        settings = self._settings
        clock = SteadyClock(SystemClock())
        broker = self._kis = app.kis_broker(settings, clock)
        try:
            openings = await app.kis_openings(settings, broker, clock.now_ns())
        except BaseException:  # also a cancelled start: the wire must not stay open
            await broker.leave()
            raise
        days = broker if broker.tells_days else None
        engine = app.build_engine(
            settings, broker, broker, clock, price_feed=broker, openings=openings, days=days
        )
        return engine, broker

    async def _build_sim(self) -> tuple[OrderEngine, SimBroker]:
        settings = self._settings
        if settings.oms_exchange:
            host, _, port_text = settings.oms_exchange.rpartition(":")
            port = int(port_text)
        else:
            self._exchange = InnerExchange(settings)
            host, port = await self._exchange.start()
        link = SocketLink(
            host, port, random=Random(os.urandom(8)), accounts=tuple(a.account_id for a in settings.accounts)
        )
        # One clock for both: no step of the wall clock makes an order look absent.
        clock = SteadyClock(SystemClock())
        broker = SimBroker(
            link, paper_traits(world=app.world_of(settings)), clock, app.exchange_accounts(settings)
        )
        return app.build_engine(settings, broker, broker, clock, price_feed=broker), broker

    async def _start(self, engine: OrderEngine) -> bool:
        """Start the engine; False when a stop was asked for first: the broker may keep it waiting."""
        starting = asyncio.create_task(engine.start(), name="start")
        await self._first_of([starting, *self._failing(engine)])
        if starting.done():
            await starting
            self._started = True
            return True
        starting.cancel()
        await asyncio.wait([starting])
        return False

    async def _until_told(self, engine: OrderEngine) -> int:
        await self._first_of(self._failing(engine))
        if self._stop.is_set():
            # A stop that was asked for does not make a failed store a good end.
            return 1 if engine.desk.failure is not None or engine.desk.emergency is not None else 0
        for failing in self._failing(engine):
            if failing.done() and not failing.cancelled():
                error = self._error = failing.exception()
                name = failing.get_name() if isinstance(failing, asyncio.Task) else "engine"
                log.error(
                    "service_failed",
                    part=name,
                    error=f"{type(error).__name__}: {error}",
                    next_step="start it again: the start recovers; keep this log",
                )
        return 1

    async def _first_of(self, others: list[asyncio.Future[None]]) -> None:
        """Wait until a stop is asked for or one of the others ends."""
        told: asyncio.Future[bool] = asyncio.ensure_future(self._stop.wait())
        waiting: list[asyncio.Future[Any]] = [told, *others]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()

    def _failing(self, engine: OrderEngine) -> list[asyncio.Future[None]]:
        """What must never end by itself."""
        inner = self._exchange.tasks if self._exchange is not None else []
        stopped = [engine.stopped] if engine.stopped is not None else []
        return [*inner, *self._background, *stopped]

    async def _end(self, engine: OrderEngine, gate: Gate, grpc_door: GrpcDoor, http_door: HttpDoor) -> int:
        """Drain and close within SERVER_SHUTDOWN_TIMEOUT; the next start asks for what is left open."""
        limit_s = float(self._settings.server_shutdown_timeout)
        code = 0
        for task in self._background:
            task.cancel()
        try:
            async with asyncio.timeout(limit_s):
                await grpc_door.drain()
                await gate.drained()
                await grpc_door.stop()
                await (engine.stop() if self._started else self._give_up(engine))
        except TimeoutError:
            log.error(
                "stop_timed_out",
                waited_s=limit_s,
                next_step="start it again: the broker is asked for what was in flight",
            )
            code = 1
            await self._give_up(engine)
        except OmsError as error:
            log.error("stop_failed", error=str(error), next_step="start it again: the start recovers")
            code = 1
            await engine.journal.close()
        if self._exchange is not None:
            await self._exchange.stop()
        if self._kis is not None:
            await self._kis.leave()
        await http_door.stop()
        return code

    async def _give_up(self, engine: OrderEngine) -> None:
        await engine.abandon()
        await engine.broker.close()
        await engine.journal.close()

    async def _tell_health(self, gate: Gate, door: GrpcDoor) -> None:
        while True:
            await door.set_serving(serving=gate.unready() is None)
            await asyncio.sleep(HEALTH_LOOK_S)

    def _spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        self._background.append(asyncio.get_running_loop().create_task(work, name=name))

    def _told(self) -> None:
        """The first signal asks for a stop, the second one gets it at once."""
        self._signals += 1
        if self._signals > 1:
            os._exit(1)
        log.info("stop_asked", next_step="a second signal ends the process at once")
        self._stop.set()

    def _warn_when_open(self) -> None:
        host = self._settings.oms_host
        if not host.startswith("127.") and host not in ("localhost", "::1"):
            log.warning(
                "doors_open_to_all", host=host, next_step="set OMS_HOST=127.0.0.1: there is no log-in"
            )


def _halt_after(starts: Starts) -> HaltTrading | None:
    """Note this start; return the halt that it begins with where those before it never ended in order."""
    try:
        why = starts.note(SystemClock().now_ns())
    except OSError as error:  # a full disk: the store says so too, and halts by itself
        log.warning("start_not_counted", error=str(error), next_step="make room beside the store")
        return None
    return None if why is None else HaltTrading(reason=Reason.CRASH_LOOP, text=why)


def _note_end(starts: Starts, code: int, error: BaseException | None) -> None:
    """Only an orderly end makes the starts before it count no more."""
    out_of_memory = isinstance(error, MemoryError)
    if code and not out_of_memory:
        return
    try:
        starts.ended(out_of_memory=out_of_memory)
    except OSError as problem:
        log.warning("end_not_noted", error=str(problem), next_step="make room beside the store")
