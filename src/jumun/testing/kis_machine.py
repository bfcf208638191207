"""The machine the desk runs on in a simulated day on KIS: one life after another; disk and KIS go on.

Every life has an engine, a journal handle, a broker and a wire of its own. A dead one writes nothing more.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import msgspec

from jumun.brokers.kis.broker import KISBrokerClient, kis_traits
from jumun.brokers.kis.budget import Budget
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.inquiries import Inquiries
from jumun.brokers.kis.quotes import Quotes
from jumun.brokers.kis.stream import KisStream
from jumun.brokers.kis.switches import DEFAULTS
from jumun.brokers.kis.tokens import Tokens
from jumun.model.errors import OmsError
from jumun.ports.wire import HttpCall
from jumun.services.order_engine import OrderEngine
from jumun.services.steady_clock import SteadyClock
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import StoredRecord
from jumun.testing.invariants import Checks
from jumun.testing.kis_account import opening, policy_of
from jumun.testing.kis_books import KisBooks
from jumun.testing.kis_link import Graves, Meter, Watch, WatchedWire, point_of
from jumun.testing.kis_oracle import Oracle
from jumun.testing.kis_scenario import NS, SETTLES_AFTER_S, VISIBLE_AFTER_S, KisScenario
from jumun.testing.kis_stack import access_to
from jumun.testing.kis_wire import KisWire
from jumun.testing.virtual_loop import SeededIds, VirtualClock
from jumun.testing.world_desk import Crashed, WatchedDisk

RESTART_S: Final = (1.1, 4.0)  # a process takes over a second; KIS counts the calls of both lives
READY_WITHIN_S: Final = 900.0
READY_LOOK_S: Final = 0.1
SNAPSHOT_EVERY: Final = 200

_Result = TypeVar("_Result")


class Life:
    """One incarnation of the desk."""

    def __init__(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.is_dead = False
        self.died: asyncio.Future[str] = loop.create_future()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.calls: dict[asyncio.Task[Any], None] = {}
        self.engine: OrderEngine
        self.broker: KISBrokerClient
        self.wire: WatchedWire

    def fall(self, why: str) -> None:
        """Die: from this instant nothing of this life counts."""
        if not self.is_dead:
            self.is_dead = True
            self.died.set_result(why)


class Machine:
    """Supervises the lives. `run` ends after `switch_off`."""

    def __init__(self, scenario: KisScenario, kis: SimulatedKis, checks: Checks, cache: Path | None) -> None:
        self.scenario = scenario
        self.kis = kis
        self.checks = checks
        self.clock = VirtualClock()
        self.oracle = Oracle(checks, kis)
        self.books = KisBooks(checks, self.oracle)
        self.disk = WatchedDisk()
        self.disk.on_durable = self._on_durable
        self.access = access_to(kis, rate_per_s=scenario.rate_per_s)
        self.meter = Meter(checks, self.access.calls_per_s)
        traits = kis_traits(
            scenario.environment,
            scenario.days[0],
            world="sim",
            visible_after_s=VISIBLE_AFTER_S,
            polls=scenario.polls,
        )
        self.traits = msgspec.structs.replace(traits, settles_after_ns=SETTLES_AFTER_S * NS)
        self.policy = policy_of(
            kis.house.market.world,
            self.traits,
            scenario.unknown_order_policy,
            exclusive=not scenario.strangers,
        )
        self.life: Life | None = None
        self.lives = 0
        self.is_calm = False
        self.crashed: dict[str, int] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._cache = cache
        self._graves = Graves()
        self._random = Random(f"kis machine {scenario.seed}")
        self._ids = SeededIds(Random(f"kis ids {scenario.seed}"))
        self._crashes = list(scenario.crashes)
        self._storm_ns = 0
        self._off = False
        self._farewells: set[asyncio.Task[None]] = set()
        checks.on_violation = self.broken

    # ---- supervision --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """One life after another."""
        self._off = False
        while not self._off:
            life = self._new_life()
            why = await self._live(life)
            life.fall(why)
            self.checks.step(f"life {life.number} ended: {why}")
            await self._bury(life)
            if not self._off:
                await asyncio.sleep(round(self._random.uniform(*RESTART_S), 3))

    async def switch_off(self) -> None:
        """End the life in order, as an operator does at night; the caller awaits `run`."""
        self._off = True
        life = self.life
        if life is not None and not life.is_dead:
            if life.ready.done():
                await life.engine.stop()
            life.fall("switched off")

    def storm(self) -> None:
        """A new day: faults from now on."""
        self.is_calm = False
        self._storm_ns = self.clock.monotonic_ns()
        self._crashes = list(self.scenario.crashes)
        self.kis.weather.add(self.scenario.rules)

    def calm(self) -> None:
        """No more faults of any kind."""
        self.is_calm = True
        self.kis.weather.clear()

    def broken(self, error: BaseException) -> None:
        """A check does not hold, or the world itself failed: end the day with it."""
        if not self.failed.done():
            self.failed.set_exception(error)

    async def ready(self) -> Life:
        """Wait for a life that takes orders; raises Violation when none comes."""
        for _ in range(round(READY_WITHIN_S / READY_LOOK_S)):
            life = self.life
            if life is not None and not life.is_dead and life.ready.done():
                return life
            await asyncio.sleep(READY_LOOK_S)
        self.checks.fail("I-58", f"life {self.lives} takes no orders after {READY_WITHIN_S:g} s")
        raise AssertionError("fail raises")

    async def ask(self, life: Life, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await the engine's answer; raises Crashed when the desk dies first."""
        task = asyncio.get_running_loop().create_task(work, name=f"caller of life {life.number}")
        life.calls[task] = None
        try:
            return await task
        except asyncio.CancelledError:
            if life.is_dead:
                raise Crashed("the desk died before it answered; ask again with the same key") from None
            raise
        finally:
            life.calls.pop(task, None)

    async def _live(self, life: Life) -> str:
        starting = asyncio.get_running_loop().create_task(
            life.engine.start(), name=f"start of life {life.number}"
        )
        ends: list[asyncio.Future[Any]] = [starting, life.died]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
            return life.died.result()
        failure = starting.exception()
        if failure is not None:
            return _expected(failure)
        if life.is_dead:
            return life.died.result()
        life.ready.set_result(None)
        stopped = life.engine.stopped
        assert stopped is not None, "set by start"
        ends = [stopped, life.died]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return _expected(stopped.exception()) if stopped.done() else life.died.result()

    async def _bury(self, life: Life) -> None:
        if self.disk.has_unsynced and self._random.random() < 0.5:
            self.disk.keep_unsynced()
        self.disk.lose_unsynced()
        await life.engine.abandon()
        for task in list(life.calls):
            task.cancel()
        if life.engine.stopped is not None and life.engine.stopped.done():
            life.engine.stopped.exception()
        farewell = asyncio.get_running_loop().create_task(life.broker.leave(), name="hang up")
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    # ---- a life -------------------------------------------------------------------------------------------

    def _new_life(self) -> Life:
        self.lives += 1
        life = self.life = Life(self.lives)
        clock = SteadyClock(self.clock)
        watch = Watch(
            may_die=lambda point: self._may_die(life, point),
            is_alive=lambda: not life.is_dead,
            on_write=lambda call: self._on_write(life, call),
            graves=self._graves,
        )
        life.wire = WatchedWire(KisWire(self.kis, self.clock), watch)
        life.broker = self._broker(life, clock)
        life.engine = OrderEngine(
            broker_client=life.broker,
            journal=MemoryJournal(
                self.disk, label=f"life {life.number}", sync_delay=lambda: self._sync(life)
            ),
            policy=self.policy,
            clock=clock,
            ids=self._ids,
            prices=life.broker,
            price_feed=life.broker,
            openings=(opening(),),
            snapshot_every=SNAPSHOT_EVERY,
        )
        return life

    def _broker(self, life: Life, clock: SteadyClock) -> KISBrokerClient:
        access, wire, world = self.access, life.wire, self.kis.house.market.world
        budget = Budget(access.calls_per_s, clock)
        tokens = Tokens(access, wire, clock, budget, cache=self._cache)
        client = KisClient(access, wire, clock, tokens, budget)
        instruments = self.policy.instruments
        watched = tuple(issue.symbol for issue in world.instruments)
        chance = Random(f"kis stream {self.scenario.seed} {life.number}")
        stream = KisStream(access, wire, tokens, clock, chance, watched=watched)
        venues = frozenset(issue.venue for issue in world.instruments)
        return KISBrokerClient(
            access,
            self.traits,
            wire,
            client,
            None if self.scenario.polls else stream,
            Inquiries(access, client, clock, venues, world.overrides, DEFAULTS),
            Quotes(access, client, clock, instruments),
            instruments,
            clock,
            DEFAULTS,
        )

    # ---- dying --------------------------------------------------------------------------------------------

    async def _may_die(self, life: Life, point: str) -> None:
        self._may_fall(life, point)
        if life.is_dead:
            await self._graves.never()

    def _may_fall(self, life: Life, point: str) -> None:
        if life.is_dead or self.is_calm or not self._crashes:
            return
        at_s, where = self._crashes[0]
        if where != point or self.clock.monotonic_ns() < self._storm_ns + at_s * NS:
            return
        self._crashes.pop(0)
        self.crashed[point] = self.crashed.get(point, 0) + 1
        self.checks.step(f"crash at {point}")
        life.fall(f"crash at {point}")

    async def _sync(self, life: Life) -> None:
        await self._may_die(life, "commit begun")
        await self._may_die(life, "commit written")

    # ---- what is watched ----------------------------------------------------------------------------------

    def _on_write(self, life: Life, call: HttpCall) -> None:
        self.checks.that("I-27", life is self.life, "life {} writes beside life {}", life.number, self.lives)
        self.meter.count(self.clock.monotonic_ns())
        if point_of(call) == "send":
            desk = life.engine.desk
            halted = desk.book.halt is not None or desk.failure is not None
            self.checks.that("I-45", not halted, "{} leaves although trading is halted", call.tag)
        self._may_fall(life, f"{point_of(call)} written")  # what is written arrives, whoever dies

    def _on_durable(self, stored: Sequence[StoredRecord]) -> None:
        for one in stored:
            self.books.take(one)


def _expected(failure: BaseException | None) -> str:
    """Return how a life ended; what nobody expected ends the day instead."""
    if isinstance(failure, OmsError):
        return f"{type(failure).__name__}: {failure}"
    assert failure is not None, "a life ends by an error or by a fall"
    raise failure
