"""Drives the days: moves time, prints prices, submits what is due, and waits for quiet in between."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.protocol import Advance, Change, SetBase, Step
from jumun.model.commands import RecordMarks
from jumun.model.errors import OmsError, StoreUnavailable
from jumun.model.ids import UserId
from jumun.model.instruments import Venue
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.replay.rig import Rig
from jumun.replay.timeline import SECOND_NS, Base, Close, Moment, Print
from jumun.rules.audit import AuditReport, Checks, check_reserved
from jumun.rules.audit_facts import Place
from jumun.rules.signals import intent_of

MISMATCHES_NAMED_MAX: Final = 10_000  # all are counted
AT_ONCE: Final = 200  # signals in the air together; well under max_queue_size, so none is shed
SLEEPERS: Final = 2  # the engine's own tasks that wait for time: its watch and its studies
RESOLVE_S_MAX: Final = 120  # how long unknown outcomes of an earlier run may take, in replayed seconds
STUDY_GAP_S: Final = 3  # between two studies that must agree before a difference counts

Progress = Callable[[int, int], None]


class Outcome(msgspec.Struct, kw_only=True):
    """What one run did; what an earlier run of the same store did is not in it."""

    submitted: int = 0
    created: int = 0
    existing: int = 0
    mismatched: int = 0
    mismatches: list[str] = msgspec.field(default_factory=list)  # the first of them, each in one sentence
    refused: Counter[str] = msgspec.field(default_factory=Counter)  # without an order, by reason
    sends: int = 0
    prints: int = 0
    prints_before: int = 0  # skipped: an earlier run had printed them
    prints_refused: list[str] = msgspec.field(default_factory=list)
    live: AuditReport = AuditReport(checks={}, violations=[])  # checked on the way
    unresolved: list[str] = msgspec.field(default_factory=list)


async def drive(rig: Rig, moments: Sequence[Moment], user: UserId, progress: Progress) -> Outcome:
    """Run every moment and end with a last study. Raises what stops the engine."""
    driver = _Driver(rig, user)
    await driver.settle()
    await driver.resolve()
    for number, moment in enumerate(moments, start=1):
        await driver.live(moment)
        progress(number, len(moments))
    await driver.finish()
    driver.outcome.sends = rig.sends
    driver.outcome.live = driver.checks.report()
    return driver.outcome


class _Driver:
    def __init__(self, rig: Rig, user: UserId) -> None:
        self.rig = rig
        self.user = user
        self.outcome = Outcome()
        self.checks = Checks()
        # Prints of an earlier run: what is not after the newest one of its symbol has happened.
        quotes = (rig.market.quote(instrument.symbol) for instrument in rig.market.master)
        self._printed = {quote.symbol: quote.ts_ns for quote in quotes if quote is not None and quote.ts_ns}

    # ---- one moment ---------------------------------------------------------------------------

    async def live(self, moment: Moment) -> None:
        """Everything of one instant, in order."""
        await self._pass_time(moment.ts_ns)
        changes = [*self._closing(moment), *self._bases(moment.bases), *self._prints(moment)]
        if changes:
            for refused in await self.rig.link.control(changes):
                self.outcome.prints_refused.append(refused.text)
            await self.settle()
        await self._submit(list(zip(moment.signals, moment.places, strict=True)))
        if moment.closes and moment.ts_ns > self.rig.resumed_ns:
            await self._end_session(moment.closes)

    async def finish(self) -> None:
        """Two last studies, far enough apart that a difference would count."""
        for _ in range(2):
            await self._pass_time(self.rig.clock.now_ns() + STUDY_GAP_S * SECOND_NS)
            await self.rig.engine.reconciler.study()
            await self.settle()
        await self.resolve()
        await self._mark(set(Venue))
        await self.settle()

    async def resolve(self) -> None:
        """Let time pass, second by second, until what an earlier run left unknown is known (EMS-04)."""
        book = self.rig.engine.desk.book
        for _ in range(RESOLVE_S_MAX):
            if not book.unknown:
                return
            await self._pass_time(self.rig.clock.now_ns() + SECOND_NS)
        self.outcome.unresolved = list(book.unknown)

    async def _pass_time(self, ts_ns: int) -> None:
        """Move time, stopping wherever an order is due on the way."""
        clock, desk = self.rig.clock, self.rig.engine.desk
        while (due := desk.next_deadline_ns()) is not None and due < ts_ns:
            clock.advance_to(min(max(due, clock.now_ns() + SECOND_NS), ts_ns))
            desk.tick()
            await self.settle()
        clock.advance_to(ts_ns)
        await self.settle()

    def _closing(self, moment: Moment) -> Iterator[Change]:
        if moment.closes:
            yield Advance()  # the exchange lets the day's orders expire

    def _bases(self, bases: Sequence[Base]) -> Iterator[Change]:
        for base in bases:
            if self.rig.market.base_of(base.symbol, base.trade_date) != base.price:
                yield SetBase(symbol=base.symbol, trade_date=base.trade_date, price=base.price)

    def _prints(self, moment: Moment) -> Iterator[Change]:
        for one in moment.prints:
            if moment.ts_ns <= self._printed.get(one.symbol, 0):
                self.outcome.prints_before += 1
                continue
            self.outcome.prints += 1
            yield _step(one)

    # ---- signals ------------------------------------------------------------------------------

    async def _submit(self, signals: Sequence[tuple[TradingSignal, str]]) -> None:
        """Submit what is due, together, as strategies would."""
        for start in range(0, len(signals), AT_ONCE):
            part = signals[start : start + AT_ONCE]
            try:
                async with asyncio.TaskGroup() as tasks:
                    for signal, place in part:
                        tasks.create_task(self._submit_one(signal, place), name=f"signal {signal.symbol}")
            except ExceptionGroup as group:
                raise group.exceptions[0] from group  # the first failure of the store is the story
            await self.settle()
            self._check_reserved()

    def _check_reserved(self) -> None:
        """While orders are open: what they tie up, recomputed (I-33, I-34)."""
        book = self.rig.engine.desk.book
        held: dict[Place, Decimal] = {place: one.qty for place, one in book.positions.items()}
        cash: dict[Place, Decimal] = dict(book.cash_reserved.items())
        shares: dict[Place, Decimal] = dict(book.shares_reserved.items())
        check_reserved(book.open.values(), held, cash, shares, self.checks)

    async def _submit_one(self, signal: TradingSignal, place: str) -> None:
        outcome = self.outcome
        outcome.submitted += 1
        try:
            decision = await self.rig.engine.submit(intent_of(signal, self.user))
        except StoreUnavailable:
            raise
        except OmsError as error:
            outcome.refused[error.code] += 1
            return
        if decision.order is None:
            assert decision.denial is not None, "no order and no reason"
            outcome.refused[decision.denial.reason.value] += 1
        elif decision.existing:
            outcome.existing += 1
            if decision.mismatch:
                outcome.mismatched += 1
                if len(outcome.mismatches) < MISMATCHES_NAMED_MAX:
                    outcome.mismatches.append(_mismatch(signal, place, decision.order))
        else:
            outcome.created += 1

    # ---- the end of a session ---------------------------------------------------------------------

    async def _end_session(self, closes: Sequence[Close]) -> None:
        await self.rig.engine.reconciler.study()
        await self._mark({close.venue for close in closes})
        await self.settle()

    async def _mark(self, venues: set[Venue]) -> None:
        """Value what is held at the newest prices, where they are not its marks already."""
        desk, marks = self.rig.engine.desk, dict[str, Decimal]()
        for position in desk.book.positions.values():
            venue = self.rig.market.master.get(position.symbol).venue
            quote = self.rig.market.quote(position.symbol)
            if venue in venues and quote is not None and quote.last not in (None, position.mark):
                assert quote.last is not None
                marks[position.symbol] = quote.last
        if marks:
            await desk.execute(RecordMarks(marks=marks, source="close"))

    # ---- quiet --------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until nothing is on its way: no commit, no send, no notice, no study. Time stands still."""
        rig, desk = self.rig, self.rig.engine.desk
        while True:
            self._require_health()
            if desk.is_quiet and rig.link.is_idle and rig.clock.sleeping >= SLEEPERS:
                return
            await desk.quiet()
            await asyncio.sleep(0)

    def _require_health(self) -> None:
        if self.rig.link.failure is not None:
            raise self.rig.link.failure
        stopped = self.rig.engine.stopped
        if stopped is not None and stopped.done():
            stopped.result()


def _mismatch(signal: TradingSignal, place: str, order: Order) -> str:
    where = place or f"{signal.strategy_id} {signal.symbol} at {signal.signal_ts_ns}"
    price = "the market" if signal.price is None else f"{signal.price:f}"
    return (
        f"{Reason.KEY_CONFLICT}: {where}: {signal.side} {signal.quantity:f} {signal.symbol} at {price} has "
        f"the key of order {order.order_id} with other content; that order stands, give this one a leg"
    )


def _step(one: Print) -> Step:
    return Step(symbol=one.symbol, price=one.price, volume=one.volume, quote_qty=one.quote_qty)
