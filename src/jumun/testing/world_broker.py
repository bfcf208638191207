"""What the desk may conclude from its questions: a Broker that holds each answer against the exchange.

It sits between the desk and its adapter, so that an adapter which passes half an answer as a whole one is
caught, too (I-39), and it counts how often the desk asks (I-52) and how soon after a gap (I-60).
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from jumun.brokers.paper.broker import PaperBroker
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.orders import Order
from jumun.model.reports import (
    Balance,
    BrokerReport,
    CancelOutcome,
    CancelRequest,
    FillNotice,
    ModifyOutcome,
    ModifyRequest,
    OrderHistory,
    StreamGap,
    SubmitOutcome,
    SubmitRequest,
)
from jumun.ports.broker import BrokerTraits, SendPermit
from jumun.ports.outside import PriceListener, Quote
from jumun.testing.invariants import Checks

NS: Final = 1_000_000_000
WINDOW_NS: Final = 10 * NS
STUDIES_MAX: Final = 12  # in any ten seconds: one a second, one at each end; a start adds one of its own
PATIENCE_NS: Final = 16 * NS  # the longest back-off after a failure is over
ASKED_WITHIN_S: Final = 10.0  # after a gap, while questions are answered; less than the longest back-off


class Questions:
    """What was asked and answered, over all lives of the desk. Instants are virtual."""

    def __init__(self, checks: Checks, elapsed_ns: Callable[[], int]) -> None:
        self.arrived: dict[
            tuple[str, str], list[int]
        ] = {}  # account and day: when orders came to the exchange
        self.heard: set[str] = set()  # executions that the desk was told of when it knew their order
        self.answered: set[int] = set()  # our clocks before the histories that were answered in whole
        self.balance_ns = -1  # when the newest balance that was answered was asked for
        self.failed_ns = -PATIENCE_NS  # when a question was last left without an answer
        self.begun_ns = -1  # when the newest question began
        self._checks = checks
        self._elapsed_ns = elapsed_ns
        self._studies: deque[int] = deque()
        self._starts: deque[int] = deque()

    def now_ns(self) -> int:
        """The virtual instant."""
        return self._elapsed_ns()

    def asks_at_once(self) -> None:
        """A start, or a person who resumes trading, asks at once, whatever was asked before."""
        self._starts.append(self._elapsed_ns())

    def failed(self) -> None:
        """A question was not answered: for a while the desk asks less often."""
        self.failed_ns = self._elapsed_ns()

    @property
    def is_answered(self) -> bool:
        """Whether nothing that was asked lately was left without an answer."""
        return self._elapsed_ns() - self.failed_ns > PATIENCE_NS

    def arrival(self, account_id: str, trade_date: str) -> None:
        """The exchange has a new order."""
        self.arrived.setdefault((account_id, trade_date), []).append(self._elapsed_ns())

    def begin(self) -> int:
        """A question leaves."""
        self.begun_ns = self._elapsed_ns()
        return self.begun_ns

    def balance_begins(self) -> int:
        """One study of an account ends with one balance: that is what is rationed (I-52)."""
        now_ns = self.begin()
        self._studies.append(now_ns)
        for line in (self._studies, self._starts):
            while line and line[0] <= now_ns - WINDOW_NS:
                line.popleft()
        most = STUDIES_MAX + 2 * len(self._starts)
        self._checks.that("I-52", len(self._studies) <= most, "{} studies in ten seconds", len(self._studies))
        return now_ns


class WatchedBroker:
    """ports.Broker and ports.Prices, for one life of the desk."""

    def __init__(
        self,
        inner: PaperBroker,
        questions: Questions,
        checks: Checks,
        *,
        is_alive: Callable[[], bool],
        order_of: Callable[[FillNotice], Order | None],
        visible_after_ns: int,
        patience_s: float,
    ) -> None:
        """`patience_s` is what a slow disk may add to the time between two questions."""
        self._inner = inner
        self._questions = questions
        self._checks = checks
        self._is_alive = is_alive
        self._order_of = order_of
        self._visible_after_ns = visible_after_ns
        self._patience_s = patience_s

    @property
    def traits(self) -> BrokerTraits:
        """The adapter's."""
        return self._inner.traits

    async def connect(self) -> None:
        """Connect."""
        await self._inner.connect()

    async def close(self) -> None:
        """Hang up."""
        await self._inner.close()

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """Send once."""
        return await self._inner.submit(request, permit)

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """Ask to cancel."""
        return await self._inner.cancel(request)

    async def modify(self, request: ModifyRequest, permit: SendPermit) -> ModifyOutcome:
        """Ask to modify."""
        return await self._inner.modify(request, permit)

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._inner.ping()

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """Ask, and check that what comes back is whole: no order that must be visible is missing (I-39)."""
        began_ns = self._questions.begin()
        try:
            told = await self._inner.history(account_id, trade_date)
        except BrokerUnavailable:
            self._questions.failed()
            self._checks.reach("a question was not answered")
            raise
        self._questions.answered.add(told.asked_ns)
        arrived = self._questions.arrived.get((account_id, trade_date), [])
        least = bisect_right(arrived, began_ns - self._visible_after_ns)
        whole = len(told.orders) >= least
        self._checks.that(
            "I-39", whole, "a history of {} orders passes for whole, there are {}", len(told.orders), least
        )
        return told

    async def balance(self, account_id: AccountId) -> Balance:
        """Ask for holdings and cash; never is a balance without its cash a balance (I-39, F-40)."""
        began_ns = self._questions.balance_begins()
        try:
            told = await self._inner.balance(account_id)
        except BrokerUnavailable:
            self._questions.failed()
            self._checks.reach("a question was not answered")
            raise
        self._questions.balance_ns = max(self._questions.balance_ns, began_ns)
        self._checks.that("I-39", bool(told.cash), "an empty balance passes for a whole one")
        return told

    async def reports(self) -> AsyncIterator[BrokerReport]:
        """Yield what the stream says."""
        async for report in self._inner.reports():
            if isinstance(report, StreamGap) and self._questions.is_answered and self._is_alive():
                now_ns = self._questions.now_ns()
                loop = asyncio.get_running_loop()
                loop.call_later(ASKED_WITHIN_S + self._patience_s, self._was_asked, now_ns)
            if not isinstance(report, FillNotice):
                yield report
                continue
            is_counted = self._must_count(report)
            yield report
            if is_counted is not None and self._is_alive():
                self._was_counted(report, is_counted)

    def _must_count(self, notice: FillNotice) -> Callable[[Order], bool] | None:
        """A fill that nobody heard of before counts at once, whatever it looks like (I-12, F-30).

        Return what has to be true of its order then. Left out: what nobody can tell apart, that is, fills
        without a name of their own, and those that a history may have counted before them.
        """
        order = self._order_of(notice)
        if notice.execution_id is not None:
            return self._must_add(notice, notice.execution_id, order)
        due = notice.qty_cumulative
        if order is None or due is None or notice.amount_cumulative is None:
            return None
        if order.bust_ns is not None:
            return None  # a figure of before the bust does not count any more (I-19)
        return lambda after: after.tally(notice.ref).qty >= due

    def _must_add(
        self, notice: FillNotice, execution_id: str, order: Order | None
    ) -> Callable[[Order], bool] | None:
        if execution_id in self._questions.heard:
            return None
        self._questions.heard.add(execution_id)
        if order is None:
            return None  # it waits until its number is known
        tally = order.tally(notice.ref)
        due = order.qty_filled + notice.qty
        return (lambda after: after.qty_filled >= due) if tally.qty == tally.qty_noticed else None

    def _was_counted(self, notice: FillNotice, is_counted: Callable[[Order], bool]) -> None:
        order = self._order_of(notice)
        counted = order is not None and is_counted(order)
        self._checks.that("I-12", counted, "{} was heard and did not count", notice)

    def _was_asked(self, gap_ns: int) -> None:
        """After a gap the broker is asked soon: what was lost in it nobody else will tell (F-19, I-60)."""
        asked = self._questions.begun_ns >= gap_ns or not self._is_alive()
        text = "the stream had a gap at {} ns, and {} s later nobody had asked what was lost"
        self._checks.that("I-60", asked, text, gap_ns, ASKED_WITHIN_S)

    def quote(self, symbol: str) -> Quote | None:
        """The adapter's."""
        return self._inner.quote(symbol)

    def on_price(self, listener: PriceListener) -> None:
        """The adapter's."""
        self._inner.on_price(listener)
