"""The machine the desk runs on: it starts a life of the desk, watches it, and starts the next when it ends.

Every life has a link and a journal handle of its own; a dead one's are dead too (I-27). The disk and the
exchange go on.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.paper.broker import PaperBroker, paper_traits
from jumun.brokers.paper.faults import FaultPlan
from jumun.brokers.paper.link import LinkNotice, LocalLink
from jumun.brokers.paper.wire import Cancel, Command, Executed, Modify, OrderCancelled, OrderChanged, Submit
from jumun.exchange.market import Market
from jumun.model.commands import HaltTrading
from jumun.model.errors import OmsError, StoreUnavailable
from jumun.model.ids import OrderId
from jumun.model.reasons import Reason
from jumun.rules.book import Book
from jumun.services.desk import PENDING_MAX
from jumun.services.order_engine import BACKLOG_MAX, OrderEngine
from jumun.services.parking import PARKED_MAX
from jumun.services.steady_clock import SteadyClock
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import StoredRecord
from jumun.testing.cells import EARLY, EVERYWHERE, OLD_NOTICE
from jumun.testing.day_books import BookChecks
from jumun.testing.day_records import RecordChecks
from jumun.testing.day_witness import EquityWitness, HaltWitness, IntentWitness, StudyWitness
from jumun.testing.invariants import Checks
from jumun.testing.lives import Life, Supervisor, WatchedDisk
from jumun.testing.virtual_loop import SeededIds, VirtualClock
from jumun.testing.world import MS, NS, Scenario
from jumun.testing.world_account import ACCOUNT, LIMITS, opening, policy_of
from jumun.testing.world_broker import Questions, WatchedBroker
from jumun.testing.world_faults import Struck, ToldLink
from jumun.testing.world_link import BrokenTask, OldNotices, Watch, WatchedLink, never

LOOK_S: Final = 1.0  # how often somebody looks whether the store still works
CALM_LOOK_S: Final = 10.0
COMPARE_EVERY: Final = 40  # commits between comparisons of whole books
SHARED: Final = "foreign"  # the fault class in which others trade the account


class DeskLife(Life):
    """A life at the paper broker: a clock and a line of its own."""

    clock: SteadyClock
    faulty: ToldLink
    watched: WatchedLink


class Machine(Supervisor[DeskLife]):
    """Supervises the lives. `run` ends when `switch_off` was called."""

    restart_s = (0.2, 4.0)
    ready_within_s = 1_200.0  # a start may wait for the broker through a storm, but not for ever
    ready_look_s = 0.05
    ends = (OmsError, BrokenTask)

    def __init__(
        self, scenario: Scenario, market: Market, disk: WatchedDisk, clock: VirtualClock, checks: Checks
    ) -> None:
        super().__init__(checks, disk, Random(f"machine {scenario.seed}"))
        self.scenario = scenario
        self.market = market
        self.clock = clock  # ours, which a fault may step
        self.true_clock = VirtualClock()  # the exchange's
        self.records = RecordChecks(
            checks,
            market,
            self.true_clock.monotonic_ns,
            timeout_s=LIMITS.order_timeout_s,
            queue_timeout_s=LIMITS.priority_timeout_s,
            slack_ns=NS + 2 * scenario.sync_ms_max * MS,  # between deciding and being durable
            visible_after_ns=scenario.visible_after_ns,
        )
        self.questions = Questions(checks, self.true_clock.monotonic_ns)
        self.studies = StudyWitness(checks, lambda order: bool(self.records.oracle_orders(order.order_id)))
        self.records.witnesses += (
            EquityWitness(checks, self.records.book),
            IntentWitness(checks),
            self.studies,
            HaltWitness(
                checks,
                self.true_clock.monotonic_ns,
                lambda: self.questions.balance_ns,
                self.records.slack_ns,
            ),
        )
        self.shared = SHARED in scenario.classes
        self.books = BookChecks(checks, market, self.records, disk, shared=self.shared)
        self.policy = policy_of(scenario, market)
        self.traits = paper_traits(
            carries_reference=scenario.carries_reference, visible_after_ns=scenario.visible_after_ns
        )
        self.old = OldNotices()
        self.struck: dict[str, int] = {}
        self._plan = scenario.plan
        self._ids = SeededIds(Random(f"ids {scenario.seed}"))
        self._planned = sorted((*scenario.crashes, *scenario.later_crashes, *scenario.more_crashes))
        self._crashes = 0
        self._commits = 0
        self._compare_now = False
        disk.on_durable = self._on_durable

    # ---- supervision -------------------------------------------------------------------------------------

    def calm(self) -> None:
        """No more faults of any kind."""
        self.is_calm = True
        self.clock.offset_ns = 0
        self._plan = FaultPlan(latency_ms_max=min(50, self._plan.latency_ms_max))
        life = self.life
        if life is None or life.is_dead:
            return
        life.faulty.become(self._plan)
        life.watched.calm()
        if life.clock.is_stepped:
            life.fall("restarted, as its refusals ask for: the clock is right again")

    def storm_again(self) -> None:
        """A new day, as bad as the one before."""
        self.is_calm = self._off = False
        self._plan = self.scenario.plan

    def step_clock(self, seconds: int) -> None:
        """Our wall clock jumps; nothing else does."""
        if not self.is_calm:
            self._strike("clock step")
            self.clock.offset_ns += seconds * NS
            self.checks.step(f"our clock jumps {seconds} s")

    def _half_waited(self) -> None:
        """Weather so bad that no start gets its answers: once it clears, a start must be done (I-58)."""
        if not self.is_calm:
            self.checks.reach("the weather had to clear before a start was done")
            self.calm()

    def _recovered(self, life: DeskLife) -> None:
        """A halt outlives whoever made it (I-50)."""
        halted = self.records.book.halt is not None
        stands = life.engine.desk.book.halt is not None or not halted
        self.checks.that("I-50", stands, "the halt did not survive the start of life {}", life.number)
        if halted:
            self.checks.reach("a halt survived a restart")

    async def _watch(self, life: DeskLife, other: asyncio.Future[None]) -> str:
        """Wait for `other`, for the end of the life, or for its store to fail: then a person restarts it."""
        while not life.is_dead and not other.done():
            look_s = CALM_LOOK_S if self.is_calm else LOOK_S
            ends: list[asyncio.Future[Any]] = [other, life.died]
            await asyncio.wait(ends, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
            if life.engine.desk.failure is not None and not life.is_dead:
                return "its store failed"
        return life.died.result() if life.is_dead else ""

    async def _bury(self, life: DeskLife) -> None:
        await super()._bury(life)
        for name, count in life.faulty.struck.items():
            self.struck[name] = self.struck.get(name, 0) + count

    async def _hang_up(self, life: DeskLife) -> None:
        await life.faulty.close()

    def _new_life(self) -> DeskLife:
        self.lives += 1
        life = self.life = DeskLife(self.lives)
        scenario, name = self.scenario, f"{self.scenario.seed} {self.lives}"
        local = LocalLink(self.market, self.true_clock, accounts=frozenset({ACCOUNT}))
        # The first plan sets the bound that the broker was promised, also for a life that begins in calm.
        life.faulty = ToldLink(
            local, scenario.plan, Random(f"faults {name}"), self.true_clock, self._on_strike
        )
        life.faulty.become(self._plan)
        watch = Watch(
            may_die=lambda point: self._may_die(life, point),
            is_alive=lambda: not life.is_dead,
            may_fall=lambda point: self._may_fall(life, point),
            on_write=lambda command: self._on_write(life, command),
            before_send=lambda: self._before_send(life),
            before_change=self._before_change,
            on_notice=self._on_notice,
            on_old_notice=self._on_old_notice,
            on_raise=lambda: self._on_raise(life),
            before_last_fill=self._before_last_fill,
        )
        life.watched = WatchedLink(
            life.faulty,
            watch,
            Random(f"watch {name}"),
            old=self.old,
            task_raises=0.0 if self.is_calm else scenario.task_raises,
            old_notices=0.0 if self.is_calm else scenario.old_notices,
            early_cancel=0.0 if self.is_calm else scenario.early_cancel,
            crossed=0.0 if self.is_calm else scenario.crossed,
        )
        clock = life.clock = SteadyClock(self.clock)  # a start trusts the wall clock once
        if self.clock.offset_ns:
            self.records.ages_hold = self.studies.ages_hold = False
            self.checks.reach("a start on a wrong clock")
        broker = PaperBroker(
            life.watched,
            self.traits,
            clock,
            identity=scenario.identity,
            cancel_proves=scenario.cancel_proves,
        )
        self.disk.fail_next = None
        self.questions.asks_at_once()
        watched = WatchedBroker(
            broker,
            self.questions,
            self.checks,
            is_alive=lambda: _is_well(life),
            order_of=lambda notice: life.engine.desk.book.order_by_ref(notice.account_id, notice.ref),
            visible_after_ns=scenario.visible_after_ns,
            patience_s=6 * scenario.sync_ms_max / 1_000,
        )
        life.engine = OrderEngine(
            broker_client=watched,
            journal=MemoryJournal(
                self.disk, label=f"life {life.number}", sync_delay=lambda: self._sync(life)
            ),
            policy=self.policy,
            clock=clock,
            ids=self._ids,
            prices=watched,
            openings=(opening(),),
            snapshot_every=scenario.snapshot_every,
        )
        self._compare_now = True
        return life

    # ---- dying -------------------------------------------------------------------------------------------

    async def _may_die(self, life: Life, point: str) -> None:
        """Die here, or go on; whoever comes here after the death waits for ever."""
        self._may_fall(life, point)
        if life.is_dead:
            await never()

    def _may_fall(self, life: Life, point: str) -> None:
        recovering = not life.ready.done()
        if life.is_dead or self.is_calm or not self._is_due(point, recovering):
            return
        self._strike(f"crash at {point}")
        self.checks.reach("crash during recovery" if recovering else f"crash at {point}")
        self._lose_or_keep_unsynced()
        life.fall(f"crash at {point}")

    def _is_due(self, point: str, recovering: bool) -> bool:
        """Whether the next crash that was drawn is for here and now."""
        crashes = self._planned
        if self._crashes >= len(crashes):
            return False
        at_s, where = crashes[self._crashes]
        if recovering and self._random.random() < self.scenario.crash_in_recovery:
            where = point
        if where != point or self.true_clock.monotonic_ns() < at_s * NS:
            return False
        self._crashes += 1
        return True

    def _lose_or_keep_unsynced(self) -> None:
        """What was on its way to the disk may be on it or not; nobody was told (I-22)."""
        if self.disk.has_unsynced and self._random.random() < 0.5:
            self.checks.reach("crash after the sync, before the answer")
            self.disk.keep_unsynced()
            return
        if self.disk.has_unsynced:
            self.checks.reach("power loss dropped a batch")
            self.records.cells.strike_all("power loss")
        self.disk.lose_unsynced()

    async def _sync(self, life: Life) -> None:
        await self._may_die(life, "commit begun")
        if self.scenario.sync_ms_max and not self.is_calm:
            await asyncio.sleep(self._random.randint(0, self.scenario.sync_ms_max) / 1_000)
        await self._may_die(life, "commit written")

    # ---- what is watched ---------------------------------------------------------------------------------

    def _before_send(self, life: Life) -> None:
        """Sometimes trading is halted between the check and the act (I-45)."""
        if self.is_calm or self._random.random() >= self.scenario.halts:
            return
        desk = life.engine.desk
        if desk.failure is None and desk.book.halt is None:
            self._strike("halt between check and act")
            desk.post(HaltTrading(reason=Reason.OPERATOR, text="a drill in the middle of a send"))

    def _before_change(self, command: Cancel | Modify) -> None:
        """The exchange refuses an order that the broker had taken, while we are about to change it (F-51)."""
        order = self.market.orders.get(f"{command.trade_date}/{command.branch}/{command.number}")
        if order is not None and order.is_open and not order.qty_filled:
            self.market.refuse_later(order.key, self.true_clock.now_ns())
            self.checks.reach("an accepted order was refused just before it was changed")

    def _on_write(self, life: Life, command: Command) -> None:
        """The last step before the first byte."""
        that = self.checks.that
        that("I-27", life is self.life, "life {} writes beside life {}", life.number, self.lives)
        if not isinstance(command, Submit):
            return
        order, desk = command.order, life.engine.desk
        halted = desk.book.halt is not None or desk.failure is not None
        that("I-45", not halted, "{} leaves although trading is halted", order.tag)
        order_id, attempt = order.tag.split("/")
        durable = (order_id, int(attempt)) in self.records.intended
        that("I-21", durable, "{} leaves before its intent is durable", order.tag)

    def _on_notice(self, notice: LinkNotice) -> None:
        """Count what comes in an order nobody would choose."""
        if not isinstance(notice, Executed):
            return
        key = f"{notice.execution.trade_date}/{notice.execution.branch}/{notice.execution.number}"
        order = self.records.book.order(OrderId(self.market.orders[key].tag.split("/")[0]))
        if order is not None and not order.refs:
            self.checks.reach("fill before the acknowledgement")

    def _before_last_fill(self, told: OrderCancelled) -> OrderCancelled:
        """A broker that answers a cancel before it has counted the last fill (F-47)."""
        last = self.market.executions_of(told.order.key)[-1]
        self._strike(EARLY)
        self._on_strike(Struck(EARLY, key=told.order.key))
        order = msgspec.structs.replace(
            told.order,
            qty_filled=told.order.qty_filled - last.qty,
            amount_filled=told.order.amount_filled - last.qty * last.price,
        )
        return OrderCancelled(order=order)

    def _on_raise(self, life: Life) -> None:
        self._strike("a task raises")
        self.checks.reach("a task raised")
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, self._was_noticed, life)

    def _was_noticed(self, life: Life) -> None:
        """A task's failure reaches the supervisor and stops new orders (I-65, F-75)."""
        stopped = life.engine.stopped
        noticed = life.is_dead or (stopped is not None and stopped.done())
        self.checks.that("I-65", noticed, "a task of life {} failed and nobody noticed", life.number)

    def _on_durable(self, stored: Sequence[StoredRecord]) -> None:
        names = []
        for one in stored:
            record = self.records.take(one)
            names.append(f"{record.seq}:{type(record.event).__name__}:{one.hash.hex()[:12]}")
        self.checks.step("commit " + " ".join(names))
        life = self.life
        assert life is not None, "somebody wrote"
        self._commits += 1
        rate = 0.0 if self.is_calm else self.scenario.append_fails
        if rate and self._random.random() < rate:
            self._strike("failed append")
            self.disk.fail_next = StoreUnavailable("the disk is full; free some space and start again")
        book = life.engine.desk.book
        if life.is_dead or book.seq != self.records.book.seq:
            return
        self.books.reservations(book)
        self._bounds(life)
        self._compare(book)

    def _compare(self, book: Book) -> None:
        if self._compare_now and book.seq:
            self._compare_now = False
            self.books.same_as_disk(book, "I-25" if self.disk.snapshots else "I-24")
            self.books.rows_match_records()
        elif self._commits % COMPARE_EVERY == 0:
            self.books.same_as_disk(book)

    def _strike(self, what: str) -> None:
        self.struck[what] = self.struck.get(what, 0) + 1
        if what in EVERYWHERE:
            self.records.cells.strike_all(what)

    def _on_strike(self, struck: Struck) -> None:
        """Visit the cells of the order that was struck, as the desk sees it in this instant."""
        if not struck.order_id and not struck.key:
            self.records.cells.strike_all(struck.fault)
            return
        order_id = OrderId(struck.order_id or self.market.orders[struck.key].tag.split("/")[0])
        life = self.life
        assert life is not None, "a link belongs to a life"
        order = life.engine.desk.book.order(order_id) or self.records.book.order(order_id)
        self.records.cells.strike(struck.fault, order)

    def _on_old_notice(self, notice: OrderChanged | Executed) -> None:
        self._strike(OLD_NOTICE)

    def _bounds(self, life: Life) -> None:
        """Nothing grows without end, whatever comes in (I-61)."""
        engine, limits, that = life.engine, self.policy.limits, self.checks.that
        desk = engine.desk
        that("I-61", desk.sending <= limits.max_concurrent_orders, "{} sends at once", desk.sending)
        that("I-61", len(desk.book.waiting) <= limits.max_queue_size, "{} wait", len(desk.book.waiting))
        that("I-61", desk.backlog <= PENDING_MAX + BACKLOG_MAX, "{} records wait", desk.backlog)
        that("I-61", len(engine.parking) <= PARKED_MAX, "{} notices are parked", len(engine.parking))


def _is_well(life: Life) -> bool:
    """Whether a life takes part in the world: not dead, its store works, its tasks run."""
    stopped = life.engine.stopped
    return not (life.is_dead or life.engine.desk.failure or (stopped is not None and stopped.done()))
