"""The desk: the one place where the books change (DESIGN, The picture).

A command is decided on the book in memory, the batch so far included, with no await between the look and
the act. Answers and effects wait until the batch is durable. One commit is in flight; everything decided
meanwhile goes into the next one. A failed commit discards the book (I-22): it is made anew from what is
durable, and what waited is decided again, one by one. On a full store only what makes things safer goes on,
in the space kept aside for that (emergency.py). Where nobody can say what the store holds, the desk stops.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from jumun.model.commands import (
    CancelOrder,
    Command,
    ConcludeSubmit,
    HaltTrading,
    SendNext,
    SubmitOrder,
    Tick,
)
from jumun.model.errors import BatchRefused, OmsError, OrderDenied, StoreBusy, StoreFull, StoreUnavailable
from jumun.model.events import CancelIntended, Event, ModifyIntended, SendIntended
from jumun.model.ids import CommandId, OrderId, UserId
from jumun.model.journal import Entry, Record
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.ports.journal import Home, Journal, Snapshot
from jumun.ports.outside import Clock, IdSource, Prices
from jumun.rules.book import Book, BookImage, Drafted, PositionKey, Shape, shape_of
from jumun.rules.decide import decide
from jumun.rules.decide_submit import obstacle_to
from jumun.rules.decide_time import next_deadline_ns
from jumun.rules.draft import Decision
from jumun.rules.entries import entry_of
from jumun.rules.policy import Facts, Policy
from jumun.rules.told_days import NO_DISPUTES, Day
from jumun.services import emergency
from jumun.services.batch import Batch, Effect, Ticket, Waiting
from jumun.services.deadlines import Deadlines
from jumun.services.nearby import Nearby
from jumun.services.order_queue import OrderQueue
from jumun.services.pauses import Pauses
from jumun.services.steady_clock import SteadyClock

CLOCK_BACK_MAX_NS: Final = 1_000_000_000  # a larger step back stops new orders until time catches up (F-90)
PENDING_MAX: Final = 20_000  # decided but not yet durable; above it new orders are refused (F-86, I-61)
BUSY_TRIES: Final = 10  # each waits two seconds itself: half a minute in all, then the desk stops
BUSY_PAUSE_S: Final = 1.0
TOO_MANY_UNKNOWN: Final = ("unknown_max",)  # the name of an obstacle in the queue
EFFECTS: Final = (SendIntended, CancelIntended, ModifyIntended)
SNAPSHOT_EVERY: Final = 10_000  # records between snapshots: start-up reads at most this many, and a little

log = structlog.get_logger()

_image_encoder = msgspec.json.Encoder(order="deterministic")
_image_decoder = msgspec.json.Decoder(BookImage)

__all__ = ["PENDING_MAX", "SNAPSHOT_EVERY", "Batch", "Desk", "Effect", "Ticket"]


class Desk:
    """Owns the book. `on_effect` starts a send or a cancel; `on_commit` hears what is durable."""

    def __init__(
        self,
        *,
        journal: Journal,
        broker: str,
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
        self.failure: OmsError | None = None
        self.halt_first: HaltTrading | None = None  # before the first order of this life can leave (F-80)
        self.emergency: str | None = None  # why records go to the space kept aside, where they do
        self.catching_up = False  # notices may be missing: orders are taken, and none leaves (F-19)
        self.deaf = ""  # why the broker is not heard: new orders are refused (F-23)
        self.deaf_since_ns: int | None = None  # monotonic
        self.disputed: Mapping[Day, str] = NO_DISPUTES  # on these days no new order leaves (F-93)
        self.on_effect: Callable[[Effect], None] = _nobody
        self.on_commit: Callable[[Sequence[Entry]], None] = _nobody
        self.on_ask: Callable[[], None] = lambda: None
        self._journal = journal
        self._home = Home(environment=policy.environment, broker=broker)
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
        self.stored_seq = 0  # … and is in the journal's own tables, not in the space kept aside
        self._accepting = False
        self._pauses = Pauses(clock)
        self._nearby = Nearby(journal)
        self._sound = asyncio.Event()  # the book is what the records say, and nothing is decided again
        self._sound.set()
        self._reading = False  # the book is being made anew at this moment
        self._remade = 0  # how often the book was made anew

    # ---- starting -----------------------------------------------------------------------------

    async def load(self) -> int:
        """Fold the newest snapshot and the records after it; return how many records were folded."""
        snapshot = await self._journal.start(self._home, tuple(self.policy.accounts))
        self.book = await self._folded(snapshot)
        count = self.book.seq - self._snapshot_seq
        self.stored_seq = self.book.seq
        await self._take_in_reserve()
        self.durable_seq = self.book.seq
        for order in self.book.open.values():
            self._follow(order)
        return count

    async def _folded(self, snapshot: Snapshot | None) -> Book:
        book = Book()
        if snapshot is not None:
            book = Book.from_image(_image_decoder.decode(snapshot.body))
            self._snapshot_seq = snapshot.seq
        async for record in self._journal.tail(book.seq):
            book.apply(record)
        return book

    async def _take_in_reserve(self) -> None:
        """What an emergency wrote comes first, into the journal. Done twice it is done once (I-13)."""
        entries = []
        async for record in self._journal.reserved():
            await self._nearby.bring_for(record.event, self.book)
            entries.append(entry_of(record, self.book.apply(record), self.policy.environment))
        if entries:
            log.warning("reserve_taken_in", records=len(entries), first=entries[0].record.seq)
            try:
                await self._append(entries)
            except StoreFull as error:  # still no room: go on as the last life did
                await self._begin_emergency(error)
                await self._journal.append(entries)
                return
            self.stored_seq = self.book.seq
        await self._journal.clear_reserve()

    # ---- deciding -----------------------------------------------------------------------------

    async def execute(self, command: Command) -> Decision:
        """Decide now; return when what was decided is durable. Raises StoreUnavailable, OrderDenied."""
        return await (await self.offer(command)).durable

    async def offer(self, command: Command) -> "Ticket":
        """As `post`; after the book was made anew it fetches again what the command is about."""
        while self._remade and self.failure is None:
            await self._sound.wait()
            made = self._remade
            command = await self._nearby.bring(command, self.book)
            if made == self._remade and self._sound.is_set():
                break
        return self.post(command)

    def post(self, command: Command) -> "Ticket":
        """Decide now, and do not wait: the ticket holds the decision, and a future for when it is durable."""
        return self._post(command, asyncio.get_running_loop().create_future())

    def _post(self, command: Command, answer: "asyncio.Future[Decision]") -> "Ticket":
        self._require_fit(command)
        if isinstance(command, ConcludeSubmit):
            self._sending.pop(command.order_id, None)
        decision = self._decide(command)
        if not self._batch.answers:  # whoever came first in this batch has woken the writer already
            self._wake.set()
            self._idle.clear()
        self._batch.answers.append(Waiting(command, decision, answer))
        self._pump()
        if decision.ask:
            self.on_ask()
        return Ticket(decision, answer)

    def accept(self) -> None:
        """Take new orders from now on, and send what waited for the recovery to end."""
        if self.emergency is not None:
            return
        if self.halt_first is not None:
            self.post(self.halt_first)
        self._pauses.watch()
        self.accepting = True
        self._pump()
        self._wake.set()

    @property
    def accepting(self) -> bool:
        """Whether new orders are taken: only after recovery, and not while we catch up after a pause."""
        return self._accepting and not self._pauses.is_behind and not self._reading

    @accepting.setter
    def accepting(self, accepting: bool) -> None:
        self._accepting = accepting

    def may_write(self) -> bool:
        """The permit: asked in the last step before the first byte of a new order (I-45).

        Whoever checked long ago, or in a life that has failed since, does not send (I-65, F-73, F-74).
        """
        self._pauses.notice(self.on_ask)
        heard = not self.catching_up and not self.deaf
        return self.failure is None and self.accepting and heard and self.book.halt is None

    def caught_up(self) -> None:
        """The broker is heard, and what it said meanwhile is in the books: send what waited for that."""
        self.catching_up, self.deaf, self.deaf_since_ns = False, "", None
        self._pump()
        self._wake.set()

    def study_done(self, began_ns: int) -> None:
        """A complete study that began at `began_ns` (monotonic) is in the books: a pause is over (F-74)."""
        if self._sound.is_set() and self._pauses.ends_with(began_ns):
            self._pump()
            self._wake.set()

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
        self._pauses.notice(self.on_ask)
        if isinstance(self.clock, SteadyClock):
            self.clock.follow()
        if self.failure is not None or not self._sound.is_set():
            return None
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
        if self._reading:
            raise StoreUnavailable("the books are being read again; try again in a moment")
        if self.emergency is not None and emergency.must_wait(command):
            raise emergency.refusal(command, self.emergency)
        self._pauses.notice(self.on_ask)
        if not isinstance(command, SubmitOrder):
            return
        if not self.accepting:
            text = "the desk is catching up with the broker; try again shortly"
            raise OrderDenied(text, reason=Reason.NOT_READY)
        if self.deaf:
            text = f"the broker is not heard: {self.deaf}; cancels work, send new orders when it is back"
            raise OrderDenied(text, reason=Reason.BROKER_UNAVAILABLE)
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
        facts = Facts(
            now_ns=now_ns,
            new_id=lambda: self._ids.new_id(now_ns),
            quote=self.prices.quote,
            disputed=self.disputed,
        )
        if self.emergency is not None and emergency.is_moot(command):
            return Decision()
        decision = decide(self.book, command, facts, self.policy)
        cause = CommandId(f"{type(command).__name__}@{self.book.seq + 1}")
        for event, drafted in zip(decision.events, decision.drafted, strict=True):
            self._take(event, drafted, now_ns, cause)
        return decision

    def _take(self, event: Event, drafted: Drafted | None, now_ns: int, cause: CommandId) -> None:
        record = Record(
            seq=self.book.seq + 1,
            ts_ns=now_ns,
            causation_id=cause,
            correlation_id=cause if drafted is None else drafted.after.correlation_id,
            event=event,
        )
        applied = self.book.apply(record, drafted)
        self._batch.entries.append(entry_of(record, applied, self.policy.environment))
        if isinstance(event, EFFECTS):
            self._batch.effects.append(event)
            if isinstance(event, SendIntended):
                self._sending[event.order_id] = None
        if applied.after is not None:
            self._follow(applied.after, before=applied.before)

    def _follow(self, order: Order, *, before: Order | None = None, passed: bool = False) -> None:
        """Keep the queue and the deadlines in step with an order that changed."""
        order_id = order.order_id
        deadline = next_deadline_ns(order, self.policy.limits)
        if passed and deadline is not None and deadline <= (now_ns := self.clock.now_ns()):
            deadline = now_ns + 1_000_000_000  # looked at already and still waiting: again in a second
        self._deadlines.set(order_id, deadline)
        may_go = order_id in self.book.waiting
        if may_go and (order.retry_at_ns is None or order.retry_at_ns <= self.clock.now_ns()):
            self.queue.add_order(order)
        else:
            self.queue.discard(order_id)
        if self.queue.has_aside:
            self._clear_the_way(order, before)

    def _pump(self) -> None:
        """Intend sends while there are free slots: best priority first, each decided on its own.

        Nothing leaves before the broker's answers are in the books (DESIGN, Never twice 7).
        """
        if not self.queue or not self.accepting:
            return
        while len(self._sending) < self.queue.max_concurrent_orders and self.may_write():
            order_id = self.queue.take(self._obstacle)
            if order_id is None:
                return
            if self._pauses.is_stale(self.book.open[order_id]):
                stale = CancelOrder(order_id=order_id, by=UserId("the desk"), reason=Reason.STALE_DECISION)
                self._decide(stale)
            else:
                self._decide(SendNext(order_id=order_id))

    def _obstacle(self, order_id: OrderId) -> "Shape | PositionKey | None":
        """What stops an order now: its symbol has an unknown one, or a look-alike is in flight (F-03).

        Too many unknown ones stop every order that is not one of them itself (F-18).
        """
        order = self.book.open[order_id]
        if len(self.book.unknown) >= self.policy.limits.unknown_max and not order.is_unknown:
            return TOO_MANY_UNKNOWN
        return obstacle_to(order, self.book)

    def _clear_the_way(self, order: Order, before: Order | None) -> None:
        """Let those behind this order go on, once it is no longer in their way.

        Also those behind the look that it had before: one that was let out first and has changed since will
        never pass under that look, so the next one has to follow now.
        """
        if len(self.book.unknown) < self.policy.limits.unknown_max:
            self.queue.release_all(TOO_MANY_UNKNOWN)
        shape, place = shape_of(order), (order.account_id, order.symbol)
        looks = {shape: None} if before is None else {shape: None, shape_of(before): None}
        for look in looks:
            if look not in self.book.shapes:
                self.queue.release(look)
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
            return await self._survive(error, batch)
        self._tell(batch)
        await self._maybe_snapshot()
        return True

    def _tell(self, batch: Batch) -> None:
        """It is durable: let it have its effects, and tell whoever waits."""
        if batch.entries:
            self.durable_seq = batch.entries[-1].record.seq
            if self.emergency is None:
                self.stored_seq = self.durable_seq
        for effect in batch.effects:
            self.on_effect(effect)
        for waiting in batch.answers:
            waiting.tell()
        self.on_commit(batch.entries)

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

    # ---- when a commit fails ------------------------------------------------------------------

    async def _survive(self, error: OmsError, batch: Batch) -> bool:
        """The book holds facts that are not durable: it is worthless now (I-22).

        Make it anew and decide again what waited, where the store is known to hold what it held before;
        else stop, and say why.
        """
        again = deque(batch.answers)
        try:
            if not isinstance(error, BatchRefused):
                if self.emergency is not None or not emergency.can_go_on_after(error):
                    raise error
                await self._begin_emergency(error)
                halt = HaltTrading(reason=Reason.STORE_UNAVAILABLE, text=str(error))
                again.appendleft(Waiting(halt, Decision(), asyncio.get_running_loop().create_future()))
            log.warning("batch_decided_again", commands=len(again), error=str(error))
            await self._remake(batch, again)
            await self._decide_again(again)
        except OmsError as failure:
            self._fail(failure, [*again, *batch.answers])
            return False
        return True

    async def _begin_emergency(self, error: OmsError) -> None:
        self.accepting = False
        await self._journal.begin_emergency()
        self.emergency = str(error)
        log.error(
            "store_full",
            error=str(error),
            next_step="make room, then start again: cancels and reports go on, new orders do not",
        )

    async def _remake(self, lost: Batch, again: "deque[Waiting]") -> None:
        """Fold the book anew from what is durable. What waits beside `lost` joins `again`, in order."""
        self._sound.clear()
        self._remade += 1
        self._reading = True
        try:
            fresh = await self._folded(await self._journal.snapshot())
        finally:
            self._reading = False
        beside, self._batch = self._batch, Batch()
        again.extend(beside.answers)
        for order_id in self.book.open:
            self.queue.discard(order_id)
        self._deadlines = Deadlines()
        for entry in [*lost.entries, *beside.entries]:
            if isinstance(entry.record.event, SendIntended):  # it was not durable, so it never left
                self._sending.pop(entry.record.event.order_id, None)
        vars(self.book).update(vars(fresh))  # the same book: whoever holds it must not hold a dead one
        for order in self.book.open.values():
            self._follow(order)

    async def _decide_again(self, again: "deque[Waiting]") -> None:
        """Decide and write one command after the other, so that a refused one is known by name."""
        while again or self._batch:
            if not self._batch:
                await self._once_more(again.popleft())
            batch, self._batch = self._batch, Batch()
            try:
                if batch.entries:
                    await self._append(batch.entries)
            except BatchRefused as error:
                alone = len(batch.answers) == 1
                if not alone:
                    again.extendleft(reversed(batch.answers))
                await self._remake(batch, again)
                if alone:
                    self._refuse(batch.answers[0], error)
                continue
            except OmsError:
                again.extendleft(reversed(batch.answers))
                raise
            self._tell(batch)
        self._sound.set()
        self._pump()
        self._wake.set()

    async def _once_more(self, item: Waiting) -> None:
        try:
            command = await self._nearby.bring(item.command, self.book)
            self._post(command, item.durable)
        except OmsError as error:
            item.give_up(error)

    def _refuse(self, item: Waiting, error: BatchRefused) -> None:
        """Alone, and refused again: an order's caller is told. Anything else is a defect, and stops us."""
        item.give_up(error)
        if not isinstance(item.command, SubmitOrder):
            raise StoreUnavailable(
                f"{type(item.command).__name__} contradicts what is stored: {error}"
            ) from error

    def _fail(self, error: OmsError, waiting: Sequence[Waiting]) -> None:
        """Stop, and say why: to whoever waits now, and to whoever comes."""
        self.failure = error
        self.accepting = False
        for item in [*waiting, *self._batch.answers]:
            item.give_up(StoreUnavailable(str(error)))
        self._batch = Batch()
        self._idle.set()
        self._sound.set()

    async def _maybe_snapshot(self) -> None:
        if (
            self._batch
            or self.emergency is not None
            or self.book.seq - self._snapshot_seq < self._snapshot_every
        ):
            return  # the book must be exactly what is durable
        await self.snapshot()

    async def snapshot(self) -> None:
        """Keep a snapshot of the book as it is durable now, so that the next start is short.

        When it cannot be written, no record is harmed: the next start only takes longer.
        """
        assert not self._batch.entries, "a snapshot must hold only what is durable"
        seq = self.book.seq
        if seq == self._snapshot_seq or self.emergency is not None:
            return
        self._snapshot_seq = seq
        try:
            body = _image_encoder.encode(self.book.image())
            await self._journal.save_snapshot(Snapshot(seq=seq, body=body))
        except OmsError as error:
            log.warning("snapshot_not_kept", error=str(error), next_step="look at the disk")


def _nobody(_: object) -> None:
    """Hears nothing, before somebody is put in its place."""
