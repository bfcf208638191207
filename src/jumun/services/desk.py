"""The desk: the one place where the books change (DESIGN, The picture).

A command is decided on the book in memory, the batch so far included, with no await between the look and
the act. Answers and effects wait until the batch is durable. One commit is in flight; everything decided
meanwhile goes into the next one. A failed commit discards the book: the desk stops and says why.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from jumun.model.commands import Command, ConcludeSubmit, SendNext, SubmitOrder, Tick
from jumun.model.errors import OmsError, OrderDenied, StoreBusy, StoreUnavailable
from jumun.model.events import CancelIntended, Event, ModifyIntended, OrderEvent, SendIntended
from jumun.model.ids import CommandId, OrderId
from jumun.model.journal import Entry, Record
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.ports.journal import Journal, Snapshot
from jumun.ports.outside import Clock, IdSource, Prices
from jumun.rules.book import Book, BookImage, PositionKey, Shape, is_waiting, shape_of
from jumun.rules.decide import decide
from jumun.rules.decide_submit import obstacle_to
from jumun.rules.decide_time import next_deadline_ns
from jumun.rules.draft import Decision
from jumun.rules.entries import entry_of
from jumun.rules.policy import Facts, Policy
from jumun.services.deadlines import Deadlines
from jumun.services.order_queue import OrderQueue
from jumun.services.steady_clock import SteadyClock

CLOCK_BACK_MAX_NS: Final = 1_000_000_000  # a larger step back stops new orders until time catches up (F-90)
PENDING_MAX: Final = 20_000  # decided but not yet durable; above it new orders are refused (F-86, I-61)
BUSY_TRIES: Final = 10  # each waits two seconds itself: half a minute in all, then the desk stops
BUSY_PAUSE_S: Final = 1.0
SNAPSHOT_EVERY: Final = 10_000  # records between snapshots: start-up reads at most this many, and a little

log = structlog.get_logger()

_image_encoder = msgspec.json.Encoder(order="deterministic")
_image_decoder = msgspec.json.Decoder(BookImage)

Effect = SendIntended | CancelIntended | ModifyIntended


class Ticket(NamedTuple):
    """A decision, and the moment it is durable. What it says must not be told to anyone before."""

    decision: Decision
    durable: "asyncio.Future[Decision]"


class Batch:
    """What the next transaction will hold, and what waits for it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.answers: list[tuple[asyncio.Future[Decision], Decision]] = []
        self.effects: list[Effect] = []

    def __bool__(self) -> bool:
        return bool(self.entries or self.answers)


class Desk:
    """Owns the book. `on_effect` starts a send or a cancel; `on_commit` hears what is durable."""

    def __init__(
        self,
        *,
        journal: Journal,
        policy: Policy,
        queue: OrderQueue,
        clock: Clock,
        ids: IdSource,
        prices: Prices,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        self.book = Book()
        self.policy = policy
        self.queue = queue
        self.clock = clock
        self.prices = prices
        self.accepting = False  # new orders: only after recovery
        self.failure: OmsError | None = None
        self.on_effect: Callable[[Effect], None] = _nobody
        self.on_commit: Callable[[Sequence[Entry]], None] = _nobody
        self.on_ask: Callable[[], None] = lambda: None
        self._journal = journal
        self._ids = ids
        self._deadlines = Deadlines()
        self._sending: dict[OrderId, None] = {}
        self._batch = Batch()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._snapshot_every = snapshot_every
        self._snapshot_seq = 0
        self.durable_seq = 0  # the newest record that survives a power loss

    # ---- starting -----------------------------------------------------------------------------

    async def load(self) -> int:
        """Fold the newest snapshot and the records after it; return how many records were folded."""
        snapshot = await self._journal.start()
        if snapshot is not None:
            self.book = Book.from_image(_image_decoder.decode(snapshot.body))
            self._snapshot_seq = snapshot.seq
        count = 0
        async for record in self._journal.tail(self.book.seq):
            self.book.apply(record)
            count += 1
        self.durable_seq = self.book.seq
        for order in self.book.open.values():
            self._follow(order)
        return count

    # ---- deciding -----------------------------------------------------------------------------

    async def execute(self, command: Command) -> Decision:
        """Decide now; return when what was decided is durable. Raises StoreUnavailable, OrderDenied."""
        return await self.post(command).durable

    def post(self, command: Command) -> "Ticket":
        """Decide now, and do not wait: the ticket holds the decision, and a future for when it is durable."""
        self._require_fit(command)
        if isinstance(command, ConcludeSubmit):
            self._sending.pop(command.order_id, None)
        decision = self._decide(command)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._batch.answers.append((answer, decision))
        self._pump()
        self._wake.set()
        self._idle.clear()
        if decision.ask:
            self.on_ask()
        return Ticket(decision, answer)

    def accept(self) -> None:
        """Take new orders from now on, and send what waited for the recovery to end."""
        self.accepting = True
        self._pump()
        self._wake.set()

    def may_write(self) -> bool:
        """The permit: asked in the last step before the first byte of a new order (I-45)."""
        return self.failure is None and self.book.halt is None

    @property
    def backlog(self) -> int:
        """How many records are decided and not yet on their way to the disk."""
        return len(self._batch.entries)

    @property
    def sending(self) -> int:
        """How many sends have no outcome yet."""
        return len(self._sending)

    @property
    def is_quiet(self) -> bool:
        """Nothing decided waits for its commit, and no send is in flight."""
        return not self._batch and self._idle.is_set() and not self._sending

    def next_deadline_ns(self) -> int | None:
        """When a Tick is due."""
        return self._deadlines.next_ns()

    def tick(self) -> "Ticket | None":
        """Decide what is due by now; None when nothing is."""
        if isinstance(self.clock, SteadyClock):
            self.clock.follow()
        due = tuple(self._deadlines.due(self.clock.now_ns()))
        if not due:
            return None
        for order_id in due:
            order = self.book.open.get(order_id)
            if order is not None:
                self._follow(order, passed=True)
        return self.post(Tick(due=due))

    def _require_fit(self, command: Command) -> None:
        if self.failure is not None:
            raise StoreUnavailable(str(self.failure))  # whatever broke, the caller may only come again
        if not isinstance(command, SubmitOrder):
            return
        if not self.accepting:
            raise OrderDenied("the desk is still recovering; try again shortly", reason=Reason.NOT_READY)
        if self.clock.now_ns() < self.book.ts_ns - CLOCK_BACK_MAX_NS:
            text = (
                "the clock is behind the newest record; set it right, and orders go on when it has caught up"
            )
            raise OrderDenied(text, reason=Reason.CLOCK_JUMPED)
        if isinstance(self.clock, SteadyClock) and self.clock.is_stepped:
            step_s = self.clock.step_ns / 1_000_000_000
            text = f"the wall clock jumped by {step_s:.1f} s; check it, then start the service again"
            raise OrderDenied(text, reason=Reason.CLOCK_JUMPED)
        if len(self._batch.entries) >= PENDING_MAX:
            raise OrderDenied("the store is behind; try again later", reason=Reason.OVERLOADED)

    def _decide(self, command: Command) -> Decision:
        now_ns = max(self.clock.now_ns(), self.book.ts_ns)  # records never go back in time
        facts = Facts(now_ns=now_ns, new_id=lambda: self._ids.new_id(now_ns), quote=self.prices.quote)
        decision = decide(self.book, command, facts, self.policy)
        cause = CommandId(f"{type(command).__name__}@{self.book.seq + 1}")
        for event in decision.events:
            self._take(event, now_ns, cause)
        return decision

    def _take(self, event: Event, now_ns: int, cause: CommandId) -> None:
        record = Record(
            seq=self.book.seq + 1,
            ts_ns=now_ns,
            causation_id=cause,
            correlation_id=self._correlation(event, cause),
            event=event,
        )
        applied = self.book.apply(record)
        self._batch.entries.append(entry_of(record, applied, self.policy.environment))
        if isinstance(event, SendIntended):
            self._sending[event.order_id] = None
        if isinstance(event, SendIntended | CancelIntended | ModifyIntended):
            self._batch.effects.append(event)
        if applied.after is not None:
            self._follow(applied.after)

    def _correlation(self, event: Event, cause: CommandId) -> str:
        if isinstance(event, OrderEvent):
            created = getattr(event, "order", None)
            order = created if isinstance(created, Order) else self.book.order(event.order_id)
            if order is not None:
                return order.correlation_id
        return cause

    def _follow(self, order: Order, *, passed: bool = False) -> None:
        """Keep the queue and the deadlines in step with an order that changed."""
        now_ns = self.clock.now_ns()
        deadline = next_deadline_ns(order, self.policy.limits)
        if passed and deadline is not None and deadline <= now_ns:
            deadline = now_ns + 1_000_000_000  # looked at already and still waiting: again in a second
        self._deadlines.set(order.order_id, deadline)
        if is_waiting(order) and (order.retry_at_ns is None or order.retry_at_ns <= now_ns):
            self.queue.add_order(order)
        else:
            self.queue.discard(order.order_id)
        self._clear_the_way(order)

    def _pump(self) -> None:
        """Intend sends while there are free slots: best priority first, each decided on its own.

        Nothing leaves before the broker's answers are in the books (DESIGN, Never twice 7).
        """
        if not self.accepting:
            return
        while len(self._sending) < self.queue.max_concurrent_orders and self.may_write():
            order_id = self.queue.take(self._obstacle)
            if order_id is None:
                return
            self._decide(SendNext(order_id=order_id))

    def _obstacle(self, order_id: OrderId) -> "Shape | PositionKey | None":
        """What stops an order now: its symbol has an unknown one, or a look-alike is in flight (F-03)."""
        return obstacle_to(self.book.open[order_id], self.book)

    def _clear_the_way(self, order: Order) -> None:
        """Let those behind this order go on, once it is no longer in their way."""
        if not self.queue.has_aside:
            return
        shape, place = shape_of(order), (order.account_id, order.symbol)
        if shape not in self.book.shapes:
            self.queue.release(shape)
        if place not in self.book.held:
            self.queue.release_all(place)

    # ---- committing ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Commit what is decided, batch after batch, until the store fails or the task is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._batch:
                batch, self._batch = self._batch, Batch()
                if not await self._commit(batch):
                    return
            self._idle.set()

    async def quiet(self) -> None:
        """Wait until everything decided so far is durable."""
        await self._idle.wait()

    async def _commit(self, batch: Batch) -> bool:
        try:
            if batch.entries:
                await self._append(batch.entries)
        except OmsError as error:
            self._fail(error, batch)
            return False
        if batch.entries:
            self.durable_seq = batch.entries[-1].record.seq
        for effect in batch.effects:
            self.on_effect(effect)
        for answer, decision in batch.answers:
            if not answer.done():  # a caller that left does not stop its order
                answer.set_result(decision)
        self.on_commit(batch.entries)
        await self._maybe_snapshot()
        return True

    async def _append(self, entries: list[Entry]) -> None:
        """Write. While another program holds the store, try again, within bounds (F-85)."""
        for attempt in range(1, BUSY_TRIES + 1):
            try:
                await self._journal.append(entries)
                return
            except StoreBusy as error:
                if attempt == BUSY_TRIES:
                    raise
                log.warning("store_busy", error=str(error), attempt=attempt)
                await self.clock.sleep(BUSY_PAUSE_S)

    def _fail(self, error: OmsError, batch: Batch) -> None:
        """The book holds facts that are not durable: it is worthless now (I-22). Stop, and say why."""
        self.failure = error
        self.accepting = False
        for answer, _ in [*batch.answers, *self._batch.answers]:
            if not answer.done():
                answer.set_exception(StoreUnavailable(str(error)))
                answer.exception()  # whoever does not wait for it must not be warned about it later
        self._batch = Batch()
        self._idle.set()

    async def _maybe_snapshot(self) -> None:
        if self._batch or self.book.seq - self._snapshot_seq < self._snapshot_every:
            return  # the book must be exactly what is durable
        await self.snapshot()

    async def snapshot(self) -> None:
        """Keep a snapshot of the book as it is durable now, so that the next start is short.

        When it cannot be written, no record is harmed: the next start only takes longer.
        """
        assert not self._batch.entries, "a snapshot must hold only what is durable"
        seq = self.book.seq
        if seq == self._snapshot_seq:
            return
        self._snapshot_seq = seq
        try:
            body = _image_encoder.encode(self.book.image())
            await self._journal.save_snapshot(Snapshot(seq=seq, body=body))
        except OmsError as error:
            log.warning("snapshot_not_kept", error=str(error), next_step="look at the disk")


def _nobody(_: object) -> None:
    """Hears nothing, before somebody is put in its place."""
