"""OrderEngine: the running desk. Starts in a fixed order, supervises its tasks, answers what doors ask.

Start: journal, verify, fold, connect, ask the broker, then accept new orders (DESIGN, Never twice 7). A
task that fails in a way nobody expected stops the engine, loudly (I-65, F-75): the next start recovers.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Final

import structlog

from jumun.model.breaks import Break
from jumun.model.commands import (
    AssignBreak,
    BeginRecovery,
    BookEntry,
    BookOpening,
    CancelOrder,
    FinishRecovery,
    HaltTrading,
    HearPrice,
    HearReport,
    ModifyOrder,
    RecordMarks,
    ResumeTrading,
    SettleBreak,
    SettleOrder,
    SubmitOrder,
)
from jumun.model.documents import Document
from jumun.model.errors import BadInput, BrokerUnavailable, ConfigError, StoreUnavailable, UnknownOrder
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.journal import Entry
from jumun.model.orders import Order
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerReport, CostReport, FillNotice, OrderReport, TradeBust
from jumun.model.signals import ApprovedOrderIntent
from jumun.ports.broker import Broker
from jumun.ports.journal import Journal
from jumun.ports.outside import Bus, Clock, DaySource, IdSource, PriceFeed, Prices, Quote
from jumun.rules.commission import CommissionCalculator
from jumun.rules.decide_submit import key_of
from jumun.rules.draft import Decision
from jumun.rules.policy import Policy
from jumun.rules.signals import intent_of, market_data_from, signal_from
from jumun.services.desk import SNAPSHOT_EVERY, Desk
from jumun.services.dispatcher import SUBMIT_TIMEOUT_S, Dispatcher
from jumun.services.execution_manager import ExecutionManager
from jumun.services.facade import Surroundings, surroundings
from jumun.services.key_lookup import KeyLookup
from jumun.services.liveness import Liveness
from jumun.services.order_queue import OrderQueue
from jumun.services.parking import Parked, Parking
from jumun.services.position_manager import PositionManager
from jumun.services.publisher import Publisher
from jumun.services.reconciler import BACKOFF_S, Reconciler
from jumun.services.signal_intake import listening
from jumun.services.told_calendar import ToldCalendar
from jumun.services.verifier import Verifier

BACKLOG_MAX: Final = 5_000  # records that may wait for the disk before the stream is read on
OF_AN_ORDER: Final = (FillNotice, OrderReport, TradeBust, CostReport)  # they name a broker's number
TICK_S: Final = 1.0  # the longest time between two looks at the clock
TICK_MIN_S: Final = 0.005  # and the shortest
NS: Final = 1_000_000_000
LOOK_NEW_NS: Final = 2 * NS  # a look at the broker this young need not be repeated: questions are rationed

log = structlog.get_logger()


class OrderEngine:
    """The service that users of the specifications know by this name (S000-3)."""

    def __init__(
        self,
        *,
        broker_client: Broker,
        order_queue: OrderQueue | None = None,
        position_manager: PositionManager | None = None,
        commission_calculator: CommissionCalculator | None = None,
        event_bus: Bus | None = None,
        redis_manager: Surroundings | None = None,
        journal: Journal | None = None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        prices: Prices | None = None,
        openings: Sequence[BookOpening] = (),
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
        snapshot_every: int = SNAPSHOT_EVERY,
        verify_behind: bool = True,
        price_feed: PriceFeed | None = None,
        days: DaySource | None = None,
    ) -> None:
        """Take specification 000's keywords (S000-102), or the parts one by one; see services/facade.py.

        `days` is asked which days are trading days; without it the calendar of the policy decides alone.
        Raises ConfigError naming a part that nobody gave.
        """
        parts = surroundings(
            redis_manager,
            journal=journal,
            policy=policy,
            clock=clock,
            ids=ids,
            prices=prices,
            openings=openings,
            calculator=commission_calculator,
        )
        journal, policy, clock = parts.journal, parts.policy, parts.clock
        limits = policy.limits
        if order_queue is None:  # not `or`: a queue that is empty, as a new one is, counts as false
            order_queue = OrderQueue(
                limits.max_queue_size, limits.max_concurrent_orders, limits.priority_timeout_s
            )
        self.queue = order_queue
        self.broker = broker_client
        self.journal = journal
        self.clock = clock
        self.desk = Desk(
            journal=journal,
            broker=broker_client.traits.name,
            policy=policy,
            queue=self.queue,
            clock=clock,
            ids=parts.ids,
            prices=parts.prices,
            snapshot_every=snapshot_every,
        )
        self.dispatcher = Dispatcher(self.desk, broker_client, self._bring_back, submit_timeout_s)
        self.reconciler = Reconciler(self.desk, broker_client, journal)
        self.liveness = Liveness(self.desk, broker_client, self.reconciler, self._take_in)
        self.publisher = Publisher(journal, event_bus, clock)
        self.verifier = Verifier(self.desk, journal) if verify_behind else None
        # They hear what is durable, after each commit.
        self.listeners: list[Callable[[Sequence[Entry]], None]] = []
        self._openings = tuple(parts.openings)
        self._price_feed = price_feed
        self.told_calendar = None if days is None else ToldCalendar(self.desk, days)
        self.parking = Parking()
        self.lookup = KeyLookup(journal)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.stopped: asyncio.Future[None] | None = None
        self._refusal = ""  # what the broker said last, while the start waits for it
        self.portfolio = PositionManager() if position_manager is None else position_manager
        self.portfolio.attach(self)
        self.executions = ExecutionManager(self)
        self.signals = listening(self, event_bus)  # None: this bus carries nothing to us (S000-4)

    # ---- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, then accept new orders. Raises TornJournal, StoreLocked, StoreUnavailable.

        Raises too what ended one of its tasks meanwhile: nobody would answer the rest of the recovery (I-65).
        """
        self.stopped = asyncio.get_running_loop().create_future()
        self.dispatcher.crash = self.stopped
        recovery = asyncio.get_running_loop().create_task(self._recover(), name="recovery")
        try:
            await asyncio.wait([recovery, self.stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not recovery.done():
                recovery.cancel()
                await asyncio.wait([recovery])
            # Here, so that it is heard of also when the start itself is given up in this very instant.
            failure = None if recovery.cancelled() else recovery.exception()
        if self.stopped.done():
            self.stopped.result()
        if failure is not None:
            raise failure
        self.desk.accept()
        log.info("engine_started", open_orders=len(self.desk.book.open), unknown=len(self.desk.book.unknown))

    async def _recover(self) -> None:
        folded = await self.desk.load()
        log.info("journal_loaded", records=self.desk.book.seq, folded=folded)
        self._require_accounts()
        self.desk.on_effect = self.dispatcher.start
        self.desk.on_commit = self._on_commit
        self.desk.on_ask = self.reconciler.ask
        self._spawn("commits", self.desk.run())
        for opening in self._openings:
            await self.desk.execute(opening)
        await self._connect()
        if self.told_calendar is not None:
            await self.told_calendar.compare()
        await self.desk.execute(BeginRecovery())
        self._spawn("reports", self.liveness.listen())
        await self.reconciler.study_until_done()
        await self.desk.execute(FinishRecovery(text=f"{len(self.desk.book.open)} orders open"))
        self._spawn("studies", self.reconciler.run())
        self._spawn("liveness", self.liveness.watch())
        if self._price_feed is not None:
            self._price_feed.on_price(self._hear_quote)
        self._spawn("time", self._watch_time())
        self._spawn("outbox", self.publisher.run())
        if self.told_calendar is not None:
            self._spawn("calendar", self.told_calendar.run())
        if self.verifier is not None:
            self._spawn("verifier", self.verifier.run())

    def _require_accounts(self) -> None:
        """Refuse a store with orders or shares of an account that nobody asks the broker about (I-55)."""
        book, known = self.desk.book, self.desk.policy.accounts
        held = {account_id for (account_id, _), position in book.positions.items() if position.qty}
        strange = sorted({*held, *(order.account_id for order in book.open.values())} - known.keys())
        if strange:
            raise ConfigError(
                f"the store has open orders or shares of account {', '.join(strange)}, which is not "
                "configured; configure it as before, or name another store"
            )

    async def stop(self) -> None:
        """Refuse new orders, let requests in flight end, keep a snapshot, give the store back (F-79)."""
        self.desk.accepting = False
        healthy = self.desk.failure is None and not self._failed()
        if healthy:
            # A report may come between the last send's end and its commit, so look again.
            while self.desk.failure is None and not self.desk.is_quiet:
                await self.dispatcher.drained()
                await self.desk.quiet()
        await self.abandon()
        if healthy and self.desk.failure is None:
            await self.desk.snapshot()
        await self.broker.close()
        await self.journal.close()

    async def abandon(self) -> None:
        """End every task where it stands: what a crash does, without the process dying."""
        await self.dispatcher.stop()
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            await asyncio.wait([task])

    def _failed(self) -> bool:
        return self.stopped is not None and self.stopped.done()

    def _spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """A task that ends by itself is a failure of the whole (I-65)."""
        if task.cancelled() or self.stopped is None or self.stopped.done():
            return
        self.desk.accepting = False
        error = task.exception()
        if self.desk.failure is not None and (error is None or isinstance(error, StoreUnavailable)):
            self._stand_still()
            return
        if error is None:
            error = AssertionError(f"the task {task.get_name()} ended by itself")
        log.error("task_failed", task=task.get_name(), error=str(error))
        self.stopped.set_exception(error)

    def _stand_still(self) -> None:
        """The store has failed: do nothing more, and go on telling everyone why (S002-72, F-81, F-82)."""
        log.error(
            "store_failed",
            error=str(self.desk.failure),
            next_step="free or mend the disk, then start again; nothing acknowledged is lost",
        )
        for task in self._tasks.values():
            task.cancel()

    @property
    def start_waits_for(self) -> str:
        """Why the broker lets no start end, in its newest words; empty while nothing is known to be wrong."""
        return self._refusal or self.reconciler.refusal

    async def _connect(self) -> None:
        failures = 0
        while True:
            try:
                await self.broker.connect()
                self._refusal = ""
                return
            except BrokerUnavailable as error:
                delay_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
                failures += 1
                self._refusal = str(error)
                log.warning("broker_unavailable", error=str(error), retry_in_s=delay_s)
                await self.clock.sleep(delay_s)

    # ---- what doors ask -----------------------------------------------------------------------

    async def submit(self, intent: ApprovedOrderIntent) -> Decision:
        """Make an order of an intent, once; the same key returns the same order (OMS-01, I-08)."""
        existing: Order | None = None
        key = key_of(intent)
        if self.desk.book.order_by_key(key) is None:
            existing = await self.lookup.find(key)
            if existing is not None and existing.status.is_final:
                self.desk.book.admit(existing)
        return await self.desk.execute(SubmitOrder(intent=intent, existing=existing))

    async def cancel(self, order_id: OrderId, by: UserId) -> Decision:
        """Cancel what is left of an order (OMS-05); raises UnknownOrder."""
        order = await self.find(order_id)
        return await self.desk.execute(CancelOrder(order_id=order.order_id, by=by, closed=order))

    async def modify(
        self, order_id: OrderId, by: UserId, qty: Decimal | None = None, price: Decimal | None = None
    ) -> Decision:
        """Change the price, or lower the quantity, of an unfilled order (OMS-04); raises UnknownOrder.

        The decision says whether the modify is on its way; `order.modify_to` is None again at its end.
        """
        order = await self.find(order_id)
        command = ModifyOrder(order_id=order.order_id, by=by, qty=qty, price=price, closed=order)
        return await self.desk.execute(command)

    async def cancel_all_orders_for_symbol(
        self, symbol: str, account_id: AccountId | None = None, by: str = "operator"
    ) -> int:
        """Ask to cancel every open order of a symbol; return how many were asked for (S000-105)."""
        return await self.cancel_all(UserId(by), symbol=symbol, account_id=account_id)

    async def cancel_all(
        self, by: UserId, symbol: str | None = None, account_id: AccountId | None = None
    ) -> int:
        """Ask to cancel open orders, all or those of a symbol or an account; return how many."""
        chosen = [
            order
            for place, order_ids in self.desk.book.open_by_symbol.items()
            if symbol in (None, place[1]) and account_id in (None, place[0])
            for order_id in order_ids
            if (order := self.desk.book.order(order_id)) is not None and order.cancel_requested_ns is None
        ]
        tickets = [
            self.desk.post(CancelOrder(order_id=order.order_id, by=by, closed=order)) for order in chosen
        ]
        decisions = [await ticket.durable for ticket in tickets]
        return sum(decision.denial is None for decision in decisions)

    async def settle(self, order_id: OrderId, by: UserId, text: str, number: str | None = None) -> Decision:
        """Record a person's decision about an UNKNOWN order; raises UnknownOrder.

        Without `number`: it is not at the broker. With it: it is that number of a list that is asked for
        now; raises BrokerUnavailable where the list is not complete, and nothing changes.
        """
        order = await self.find(order_id)
        await self._bring_back(order.order_id)
        look = None
        if number is not None and order.is_unknown:
            look = await self.reconciler.look_for(order.account_id, order.trade_date, number)
            await self._bring_back(order.order_id)
        command = SettleOrder(order_id=order.order_id, by=by, text=text, number=number, look=look)
        return await self.desk.execute(command)

    def breaks(self) -> tuple[Break, ...]:
        """Return the open differences between our books and the broker's, oldest first."""
        return tuple(sorted(self.desk.book.breaks.values(), key=lambda found: found.found_ns))

    async def assign_break(self, break_id: str, owner: UserId, text: str) -> Decision:
        """Name who takes care of a break."""
        return await self.desk.execute(AssignBreak(break_id=break_id, owner=owner, text=text))

    async def settle_break(self, break_id: str, by: UserId, text: str, correct: bool) -> Decision:
        """End a break by a documented correction, or by an explanation of why it stands.

        A correction books only what still differs: the broker is looked at first, because the fill that was
        missing may have come since. Raises BrokerUnavailable where that is not possible.
        """
        studied_ns = self.reconciler.studied_ns
        if correct and (studied_ns is None or self.clock.monotonic_ns() - studied_ns > LOOK_NEW_NS):
            await self.reconciler.study()
        return await self.desk.execute(SettleBreak(break_id=break_id, by=by, text=text, correct=correct))

    async def book_entry(self, account_id: AccountId, document: Document, by: UserId, text: str) -> Decision:
        """Book what a paper says and is no trade, once per document (I-29, I-30).

        The desk counts the rows from its books as they stand then; a denial says why there are none.
        """
        command = BookEntry(account_id=account_id, document=document, by=by, text=text)
        return await self.desk.execute(command)

    async def find(self, order_id: str, user_id: str | None = None) -> Order:
        """Return an order by our id, or by the id its user gave it; raises UnknownOrder."""
        book = self.desk.book
        order = book.order(OrderId(order_id)) or await self.journal.order(OrderId(order_id))
        if order is None and user_id is not None:
            named = book.client_ids.get((user_id, order_id))
            order = book.order(named) if named is not None else None
            order = order or await self.journal.order_by_client_id(UserId(user_id), order_id)
        if order is None:
            raise UnknownOrder(f"no order {order_id!r}; list what there is with `jumun orders`")
        return order

    async def handle_signal(self, event_data: dict[str, object], user_id: str) -> Decision:
        """Take a `trading_signal` event of specification 000 (S000-34); raises BadInput for a bad one."""
        signal = signal_from(event_data.get("signal"))
        return await self.submit(intent_of(signal, UserId(user_id)))

    async def halt(self, text: str, reason: Reason = Reason.OPERATOR) -> Decision:
        """Stop new orders, durably."""
        return await self.desk.execute(HaltTrading(reason=reason, text=text))

    async def resume(self, by: UserId, text: str) -> Decision:
        """Allow new orders again: a person's decision, after a look at the broker newer than the halt (I-50).

        Raises BrokerUnavailable where the broker cannot be compared with, TornJournal where the journal that
        halted it still does not check. Breaks that are not settled refuse it.
        """
        halt = self.desk.book.halt
        if halt is None:
            return Decision()
        if halt.reason is Reason.TORN_JOURNAL:
            await self.journal.verify()
        await self.reconciler.study()
        return await self.desk.execute(ResumeTrading(by=by, text=text, halt_seq=halt.seq))

    async def hear_price(self, symbol: str, price: Decimal, source: str, ts_ns: int | None = None) -> None:
        """Let held stops look at a price. Most prices touch none, and cost nothing.

        A price of `ts_ns` triggers no stop that is younger; without an instant it is taken as of now.
        """
        if not price.is_finite() or price <= 0:
            raise BadInput(f"the price {price} of {symbol} from {source} is no price; give one above zero")
        if self.desk.book.stops.touched(symbol, price):
            await self.desk.execute(HearPrice(symbol=symbol, price=price, source=source, ts_ns=ts_ns))

    async def handle_market_data(self, event_data: Mapping[str, object]) -> Decision:
        """Take a `market_data_received` event of specification 000: stops look, positions are valued.

        Raises BadInput for a payload without `symbol` and `price` (or `close`), or with an odd number.
        """
        symbol, price, ts_ns = market_data_from(event_data)
        await self.hear_price(symbol, price, "market_data_received", ts_ns)
        return await self.record_marks({symbol: price}, "market_data_received")

    async def record_marks(self, marks: dict[str, object], source: str) -> Decision:
        """Value positions at these prices."""
        return await self.desk.execute(RecordMarks(marks=marks, source=source))  # type: ignore[arg-type]

    def get_position(self, symbol: str, account_id: AccountId) -> Position | None:
        """Return a position, or None where nothing was ever held."""
        return self.desk.book.positions.get((account_id, symbol))

    async def get_engine_status(self) -> dict[str, object]:
        """Figures for people and monitors (S000-104)."""
        book = self.desk.book
        return {
            "active_orders_count": len(book.open),
            "waiting": len(book.waiting),
            "sending": self.desk.sending,
            "unknown": len(book.unknown),
            "records": book.seq,
            "accepting": self.desk.accepting,
            "deaf": self.desk.deaf or None,
            "disputed_days": [f"{venue} {day}" for venue, day in sorted(self.desk.disputed)],
            "halted": None if book.halt is None else f"{book.halt.reason}: {book.halt.text}",
            "failure": None if self.desk.failure is None else str(self.desk.failure),
            "studies": self.reconciler.rounds,
            "breaks": len(book.breaks),
            "held_stops": len(book.stops),
        }

    # ---- what the broker says -----------------------------------------------------------------

    async def _take_in(self, report: BrokerReport) -> None:
        await self.hear(report)

    async def hear(self, report: BrokerReport) -> None:
        """Take in one notice (EMS-03). A number nobody knows yet is parked, bounded, until it is mapped."""
        if isinstance(report, OF_AN_ORDER):
            if report.account_id not in self.desk.policy.accounts:
                log.warning("foreign_account_notice", account_id=report.account_id)  # F-34: not ours to book
                return
            await self._fetch_closed(report)
        ticket = await self.desk.offer(HearReport(report=report))
        if ticket.decision.park and isinstance(report, OF_AN_ORDER):
            self._park(report)
        if self.desk.backlog > BACKLOG_MAX:  # the disk is behind: the stream waits, nothing is dropped (F-32)
            await ticket.durable

    async def _fetch_closed(self, report: Parked) -> None:
        book = self.desk.book
        refs = [report.ref]
        if isinstance(report, OrderReport) and report.replaces is not None:
            refs.append(report.replaces)
        for ref in refs:
            if book.order_by_ref(report.account_id, ref) is None:
                order = await self.journal.order_by_ref(report.account_id, ref)
                if order is not None and order.status.is_final:
                    book.admit(order)

    async def _bring_back(self, order_id: OrderId) -> None:
        if self.desk.book.order(order_id) is None:
            order = await self.journal.order(order_id)
            if order is not None:
                self.desk.book.admit(order)

    def _park(self, report: Parked) -> None:
        self.reconciler.ask()  # the reply may come; if not, the history knows
        dropped = self.parking.park(report, self.clock.now_ns())
        if dropped:
            log.warning("parked_notices_dropped", count=dropped, next_step="a history is asked for")

    def _on_commit(self, entries: Sequence[Entry]) -> None:
        """A number that has become known, and a fill that a bust came before, let parked notices go on."""
        self.publisher.wake()
        for listener in self.listeners:
            listener(entries)
        for entry in entries:
            ref = entry.new_ref if entry.fill is None else entry.fill.ref
            if entry.order is not None and ref is not None and self.parking:
                for report in self.parking.take(entry.order.account_id, ref):
                    self.desk.post(HearReport(report=report))

    # ---- time ---------------------------------------------------------------------------------

    def _look_at_stops(self) -> None:
        """Hold the newest price of each symbol against its stops: a feed that pushes nothing misses none."""
        for symbol in self.desk.book.stops.symbols:
            quote = self.desk.prices.quote(symbol)
            if quote is not None and quote.last is not None:
                self._hear_quote(quote)

    def _hear_quote(self, quote: Quote) -> None:
        """A price older than the order that waits for it triggers nothing."""
        if quote.last is None or not self.desk.accepting:
            return
        touched = self.desk.book.stops.touched(quote.symbol, quote.last)
        orders = [order for order_id in touched if (order := self.desk.book.order(order_id)) is not None]
        if any(order.created_ns <= quote.ts_ns for order in orders):
            seen = HearPrice(symbol=quote.symbol, price=quote.last, source="quote", ts_ns=quote.ts_ns)
            self.desk.post(seen)

    async def _watch_time(self) -> None:
        """Look when something is due, and once a second: every delay of ours is a second at least."""
        while True:
            self._look_at_stops()
            self.desk.tick()
            now_ns = self.clock.now_ns()
            self.parking.forget(now_ns)
            due_ns = self.desk.next_deadline_ns()
            wait_s = TICK_S if due_ns is None else (due_ns - now_ns) / NS
            await self.clock.sleep(min(max(wait_s, TICK_MIN_S), TICK_S))
