"""EMS-04: asks the broker what is true, at the start and ever after. Sends no orders (I-41).

A query that fails or is incomplete is no information (I-39): it is asked again, and nothing changes.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

import structlog

from jumun.model.commands import StudyBalance, StudyHistory
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.reports import OrderHistory
from jumun.ports.broker import Broker
from jumun.ports.journal import Journal
from jumun.rules.decide_breaks import is_known
from jumun.rules.draft import Decision
from jumun.rules.sessions import NoCalendar, is_session, local_date, trade_date_of
from jumun.services.desk import Desk
from jumun.services.listed import news_of

QUIET_INTERVAL_S: Final = 30.0  # nothing is open to question: look anyway (F-24)
BUSY_INTERVAL_S: Final = 1.0  # something is: look again soon, never in a tight loop
BUSY_INTERVAL_MAX_S: Final = 15.0  # … and less often while nothing new is learnt: queries are rationed too
START_ROUNDS_MAX: Final = 20  # a market that moves all the time never holds still to be compared
BACKOFF_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)

SUSPECT_MIN_NS: Final = 2_000_000_000  # a notice on its way explains a younger difference (I-43)

Difference = tuple[str, Decimal, Decimal]  # subject, ours, theirs
Traded = tuple[Decimal, Decimal, Decimal] | None


class Suspicion(NamedTuple):
    """A difference that has been seen and is no break yet."""

    since_ns: int
    traded: Traded  # what our books had traded in its subject by then
    is_old: bool  # it stood, at the newest look, longer than the broker may be behind itself


log = structlog.get_logger()


class Reconciler:
    """Repeats the study of every account; `ask` brings the next one forward."""

    def __init__(self, desk: Desk, broker: Broker, journal: Journal) -> None:
        self._desk = desk
        self._broker = broker
        self._journal = journal
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()
        self.on_study: Callable[[int], None] = lambda _: None  # told when a complete study began (monotonic)
        self._patience_s = BUSY_INTERVAL_S
        self._suspects: dict[AccountId, dict[Difference, Suspicion]] = {}
        self._unsettled: set[AccountId] = set()  # with differences that are neither a break nor explained
        self.rounds = 0  # complete studies so far
        self.studied_ns: int | None = None  # monotonic, at the end of the newest complete study
        self.failing_since_ns: int | None = None  # monotonic, since when no study has been complete
        self.refusal = ""  # what the broker said to the newest study, where that was not complete

    def ask(self) -> None:
        """Something is open to question: study soon."""
        self._asked.set()

    async def run(self) -> None:
        """Study for ever, with patience while the broker does not answer."""
        failures = 0
        while True:
            await self._wait(failures)
            try:
                decisions = await self.study()
                failures = 0
                learnt = any(decision.events for decision in decisions)
                longer_s = min(2 * self._patience_s, BUSY_INTERVAL_MAX_S)
                self._patience_s = BUSY_INTERVAL_S if learnt else longer_s
            except BrokerUnavailable as error:
                failures += 1
                self._note_failure(error)
                log.warning("study_failed", error=str(error), failures=failures)

    async def study_until_done(self) -> None:
        """At the start: study until our books and the broker's agree, or their difference is a break.

        However long the broker takes: no order leaves before (DESIGN, Never twice 7).
        """
        failures = rounds = 0
        while True:
            try:
                await self.study()
                rounds += 1
                settled = self._desk.book.halt is not None or not self._unsettled
                if settled or rounds >= START_ROUNDS_MAX:
                    return
                await self._desk.clock.sleep(BUSY_INTERVAL_S)
            except BrokerUnavailable as error:
                self._note_failure(error)
                delay_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
                failures += 1
                log.warning("study_failed", error=str(error), retry_in_s=delay_s)
                await self._desk.clock.sleep(delay_s)

    async def study(self) -> list[Decision]:
        """One complete look at every account: histories first, then the balance. Raises BrokerUnavailable."""
        began_ns = self._desk.clock.monotonic_ns()
        decisions = []
        for account_id in self._desk.policy.accounts:
            for day in self._days(account_id):
                history = await self._news_of(await self._broker.history(account_id, day))
                command = StudyHistory(history=history, visible_after_ns=self._broker.traits.visible_after_ns)
                decisions.append(await self._desk.execute(command))
            decisions.append(await self._study_balance(account_id))
        self.rounds += 1
        self.studied_ns = self._desk.clock.monotonic_ns()
        self.failing_since_ns, self.refusal = None, ""
        self._answered.set()
        self._desk.study_done(began_ns)
        self.on_study(began_ns)
        return decisions

    async def look_for(self, account_id: AccountId, day: str, number: str) -> StudyHistory:
        """Ask for the complete list of a day, of which a person names a number; raises BrokerUnavailable.

        The order behind that number is brought back into memory, however long ago it ended.
        """
        history = await self._broker.history(account_id, day)
        named = [report.ref for report in history.orders if report.ref.number == number]
        for order in (await self._journal.orders_by_refs(account_id, named)).values():
            if order.status.is_final:
                self._desk.book.admit(order)
        history = await self._news_of(history)
        return StudyHistory(history=history, visible_after_ns=self._broker.traits.visible_after_ns)

    def _note_failure(self, error: BrokerUnavailable) -> None:
        self.refusal = str(error)
        if self.failing_since_ns is None:
            self.failing_since_ns = self._desk.clock.monotonic_ns()

    async def _study_balance(self, account_id: AccountId) -> Decision:
        """Compare; a difference counts only when it has stood longer than the broker may be behind itself.

        Then one more list must leave it standing: a single one that is older than it says, or answers another
        question, halts nobody (F-17, F-44). A difference that was there before and is there again after a
        trade of ours in between is another one: equal figures by chance are no break (I-43).
        """
        balance = await self._broker.balance(account_id)
        known = self._suspects.get(account_id, {})
        still = {row: seen for row, seen in known.items() if seen.traded == self._traded(account_id, row[0])}
        suspects = tuple(row for row, seen in still.items() if seen.is_old)
        decision = await self._desk.execute(StudyBalance(balance=balance, suspects=suspects))
        self._suspects[account_id] = {
            row: self._suspicion(account_id, row, still.get(row), balance.asked_ns)
            for row in decision.differences
        }
        self._unsettled.discard(account_id)
        if not all(is_known(account_id, row, self._desk.book) for row in decision.differences):
            # A known break waits for a person: to ask every second would only use up the queries (I-52).
            log.debug("books_differ", account_id=account_id, differences=len(decision.differences))
            self._unsettled.add(account_id)
            self.ask()
        return decision

    def _suspicion(
        self, account_id: AccountId, row: Difference, seen: Suspicion | None, asked_ns: int
    ) -> Suspicion:
        if seen is None:
            return Suspicion(asked_ns, self._traded(account_id, row[0]), is_old=False)
        age_ns = asked_ns - seen.since_ns
        return seen._replace(is_old=age_ns >= max(self._broker.traits.visible_after_ns, SUSPECT_MIN_NS))

    def _traded(self, account_id: AccountId, subject: str) -> Traded:
        """What changes with every trade of a symbol; nothing for cash, whose sums hardly repeat."""
        held = self._desk.book.positions.get((account_id, subject))
        return None if held is None else (held.cost_basis, held.realised_gross, held.costs)

    def _days(self, account_id: AccountId) -> list[str]:
        """Today at each venue, and every day of which an order is still open.

        In the evening the trading day is the next one already; what became of today's orders is asked as
        well, of foreign ones too, or their shares would look like a break.
        """
        policy, now_ns = self._desk.policy, self._desk.clock.now_ns()
        days: dict[str, None] = {}
        for venue in sorted({instrument.venue for instrument in policy.instruments}):
            try:
                near = (local_date(venue, now_ns), trade_date_of(venue, now_ns, policy.sessions))
                days |= {day.isoformat(): None for day in near if is_session(venue, day, policy.sessions)}
            except NoCalendar as error:
                # No new order can be sent there; the days of open orders are asked for all the same.
                log.error("no_calendar", venue=venue.value, error=str(error))
        for order in self._desk.book.open.values():
            if order.account_id == account_id and order.trade_date and (order.attempt or order.refs):
                days[order.trade_date] = None
        return sorted(days)

    async def _news_of(self, history: OrderHistory) -> OrderHistory:
        news, more = await news_of(history, self._desk.book, self._journal)
        if more:
            self.ask()
        return news

    async def _wait(self, failures: int) -> None:
        clock = self._desk.clock
        if failures:
            self._answered.clear()  # a person's study that got its answers ends the back-off
            await self._rest(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1], self._answered)
            return
        if self._asked.is_set():
            self._patience_s = BUSY_INTERVAL_S
        else:
            await self._rest(self._patience_s if self._is_busy() else self._quiet_s(), self._asked)
        self._asked.clear()
        await clock.sleep(BUSY_INTERVAL_S)

    def _quiet_s(self) -> float:
        """Where no notice comes, a working order is asked for as often as its broker can bear (F-24)."""
        polls = self._broker.traits.poll_s if self._desk.book.open else 0.0
        return polls or QUIET_INTERVAL_S

    def _is_busy(self) -> bool:
        """Whether the outcome of anything is open: a send, or a modify (I-58)."""
        book = self._desk.book
        return bool(book.unknown or book.in_flight or book.modifies_unknown)

    async def _rest(self, seconds: float, unless: asyncio.Event) -> None:
        """Wait, unless something happens first."""
        asked = asyncio.ensure_future(unless.wait())
        rest = asyncio.ensure_future(self._desk.clock.sleep(seconds))
        try:
            await asyncio.wait([asked, rest], return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            rest.cancel()
