"""The machine the desk runs on in a simulated day on KIS: one life after another; disk and KIS go on.

Every life has an engine, a journal handle, a broker and a wire of its own. A dead one writes nothing more.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from jumun.brokers.kis.broker import KISBrokerClient, kis_traits
from jumun.brokers.kis.budget import Budget
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.inquiries import Inquiries
from jumun.brokers.kis.quotes import Quotes
from jumun.brokers.kis.stream import KisStream
from jumun.brokers.kis.tokens import Tokens
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
from jumun.testing.lives import Life, Supervisor, WatchedDisk
from jumun.testing.virtual_loop import SeededIds, VirtualClock

SNAPSHOT_EVERY: Final = 200


class KisLife(Life):
    """A life at KIS: a broker and a wire of its own."""

    broker: KISBrokerClient
    wire: WatchedWire


class Machine(Supervisor[KisLife]):
    """Supervises the lives. `run` ends after `switch_off`."""

    restart_s = (1.1, 4.0)  # a process takes over a second; KIS counts the calls of both lives
    ready_within_s = 900.0
    ready_look_s = 0.1

    def __init__(self, scenario: KisScenario, kis: SimulatedKis, checks: Checks, cache: Path | None) -> None:
        super().__init__(checks, WatchedDisk(), Random(f"kis machine {scenario.seed}"))
        self.scenario = scenario
        self.kis = kis
        self.clock = VirtualClock()
        self.oracle = Oracle(checks, kis)
        self.books = KisBooks(checks, self.oracle)
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
        self.crashed: dict[str, int] = {}
        self._cache = cache
        self._graves = Graves()
        self._ids = SeededIds(Random(f"kis ids {scenario.seed}"))
        self._crashes = list(scenario.crashes)
        self._storm_ns = 0

    def storm(self) -> None:
        """A new day: the machine is on, and there are faults from now on."""
        self.is_calm = self._off = False
        self._storm_ns = self.clock.monotonic_ns()
        self._crashes = list(self.scenario.crashes)
        self.kis.weather.add(self.scenario.rules)

    def calm(self) -> None:
        """No more faults of any kind."""
        self.is_calm = True
        self.kis.weather.clear()

    # ---- a life -------------------------------------------------------------------------------------------

    def _new_life(self) -> KisLife:
        self.lives += 1
        life = self.life = KisLife(self.lives)
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

    async def _hang_up(self, life: KisLife) -> None:
        await life.broker.leave()

    def _broker(self, life: KisLife, clock: SteadyClock) -> KISBrokerClient:
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
            Inquiries(access, client, clock, venues, world.overrides, self.scenario.switches),
            Quotes(access, client, clock, instruments),
            instruments,
            clock,
            self.scenario.switches,
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
