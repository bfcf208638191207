"""Liveness: hears the broker's stream, and knows when it does not (F-19, F-23, F-25, I-60).

What we cannot hear we cannot count, so no new order leaves while notices may be missing. Two degrees:

- Catching up: the stream had a gap, or said something nobody could read. Orders are taken and wait; they
  leave once a complete study that began after the gap has told us what the gap held (F-19, F-27).
- Deaf: the stream gives no sign of life, says nothing readable, or catching up takes too long. New orders are
  refused, an error is logged once, and the connection is made anew (F-23, F-25). Cancels are always possible.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from jumun.model.errors import BrokerUnavailable
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.model.reports import BrokerReport, StreamGap, UnreadableNotice
from jumun.ports.broker import Broker
from jumun.rules.sessions import NoCalendar, Phase, phase_at
from jumun.services.desk import Desk
from jumun.services.reconciler import Reconciler

PING_EVERY_S: Final = 2.0
PING_TIMEOUT_S: Final = 2.0
IDLE_EVERY_S: Final = 30.0  # while every venue is closed nothing can fill and nothing can leave
RECONNECT_AFTER: Final = 2  # pings: one without an answer is weather, and hanging up costs what is in flight
RECONNECT_TIMEOUT_S: Final = 10.0
CATCH_UP_MAX_S: Final = 15.0  # longer, and whoever sends orders must know that none leaves
UNREADABLE_MAX: Final = 3  # in a row: then it is the layout that changed, not a notice that broke (F-27)

ALERT_MAX_S: Final = 5.0  # from the silence to the alert (I-60)
assert PING_EVERY_S + PING_TIMEOUT_S < ALERT_MAX_S, "silence must be noticed in time"
NS: Final = 1_000_000_000

log = structlog.get_logger()


class Liveness:
    """Two tasks: `listen` reads the stream through all its connections, `watch` asks whether it is alive."""

    def __init__(
        self,
        desk: Desk,
        broker: Broker,
        reconciler: Reconciler,
        hear: Callable[[BrokerReport], Awaitable[None]],
    ) -> None:
        """`hear` takes in each report."""
        self._desk = desk
        self._broker = broker
        self._reconciler = reconciler
        self._hear = hear
        self._venues = sorted({instrument.venue for instrument in desk.policy.instruments})
        self._lost_ns: int | None = None  # monotonic: what was said before this instant may be missing
        self._why = ""
        self._misses = 0  # pings in a row without an answer
        self._unreadable = 0  # notices in a row that nobody could read
        self._connections = 0  # how often we hung up to dial again
        self._connected = asyncio.Event()
        self._connected.set()
        reconciler.on_study = self._studied

    async def listen(self) -> None:
        """Hear the stream for ever; it ends only to begin again after `watch` has connected anew."""
        while True:
            await self._connected.wait()
            connection = self._connections
            async for report in self._broker.reports():
                self._note(report)
                await self._hear(report)
            if connection == self._connections:
                # Nobody here closed it: the client gave up, and `watch` connects again (F-23).
                self._connected.clear()
                self._lose("the broker's stream ended by itself", deaf=True)

    async def watch(self) -> None:
        """Ask for a sign of life, often enough that silence is known within ALERT_MAX_S."""
        while True:
            await self._desk.clock.sleep(PING_EVERY_S if self._may_trade() else IDLE_EVERY_S)
            await self._ping()
            if self._misses >= RECONNECT_AFTER or not self._connected.is_set():
                await self._connect_anew()
            self._look_at_age()

    # ---- what is known about the stream -----------------------------------------------------------

    def _note(self, report: BrokerReport) -> None:
        """A gap, or words nobody can read, leave us behind until a study has caught up."""
        if isinstance(report, StreamGap):
            self._lose(f"the stream had a gap ({report.text})")
        elif isinstance(report, UnreadableNotice):
            self._unreadable += 1
            changed = self._unreadable >= UNREADABLE_MAX
            self._lose(f"{self._unreadable} notices in a row could not be read ({report.text})", deaf=changed)
        else:
            self._unreadable = 0

    async def _ping(self) -> None:
        """Only a sign of life itself ends a silence; a new connection that says nothing does not."""
        if not self._connected.is_set():
            return
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._broker.ping()
        except TimeoutError:
            self._miss(f"no sign of life within {PING_TIMEOUT_S:g} s")
        except BrokerUnavailable as error:
            self._miss(str(error))
        else:
            if self._misses:
                self._reconciler.ask()  # alive again: what was missed meanwhile is asked for now
            self._misses = 0

    def _miss(self, why: str) -> None:
        self._misses += 1
        self._lose(f"the stream is silent ({why})", deaf=True)

    def _lose(self, why: str, *, deaf: bool = False) -> None:
        """From now on notices may be missing: no new order leaves, and a study is asked for."""
        self._lost_ns = self._desk.clock.monotonic_ns()
        self._why = why
        self._desk.catching_up = True
        self._reconciler.ask()
        if deaf:
            self._go_deaf()

    def _go_deaf(self) -> None:
        """Refuse new orders, and say so once."""
        if not self._desk.deaf:
            log.error(
                "broker_not_heard",
                why=self._why,
                next_step="cancels work; new orders are taken again when the stream is back and caught up",
            )
            self._desk.deaf = self._why
            self._desk.deaf_since_ns = self._desk.clock.monotonic_ns()

    def _look_at_age(self) -> None:
        if self._lost_ns is None or self._desk.deaf:
            return
        if self._desk.clock.monotonic_ns() - self._lost_ns > CATCH_UP_MAX_S * NS:
            self._go_deaf()

    def _studied(self, began_ns: int) -> None:
        """A study is complete. One that began after the loss, on a living stream, has caught up."""
        if self._lost_ns is None or began_ns < self._lost_ns or not self._hears():
            return
        if self._desk.deaf:
            log.info("broker_heard_again", was=self._why)
        self._lost_ns = None
        self._desk.caught_up()

    def _hears(self) -> bool:
        return self._connected.is_set() and not self._misses and self._unreadable < UNREADABLE_MAX

    def _may_trade(self) -> bool:
        """Whether any venue is in a session; a day without a calendar counts as one that may."""
        policy, now_ns = self._desk.policy, self._desk.clock.now_ns()
        try:
            phases = [phase_at(venue, now_ns, policy.sessions)[0] for venue in self._venues]
        except NoCalendar:
            return True
        closed = {Phase.CLOSED}
        if (Venue.US, TradingSession.DAY_MARKET) not in policy.session_kinds:
            closed.add(Phase.DAY_MARKET)  # it runs, and this broker takes no order for it
        return any(phase not in closed for phase in phases)

    # ---- connecting -------------------------------------------------------------------------------

    async def _connect_anew(self) -> None:
        """Hang up, whatever the connection thinks of itself, and dial; the next round tries again (F-25)."""
        self._connected.clear()
        self._connections += 1
        try:
            async with asyncio.timeout(RECONNECT_TIMEOUT_S):
                await self._broker.close()
                await self._broker.connect()
        except TimeoutError:
            log.warning("reconnect_failed", error=f"it took longer than {RECONNECT_TIMEOUT_S:g} s")
            return
        except BrokerUnavailable as error:
            log.warning("reconnect_failed", error=str(error))
            return
        self._connected.set()
        self._lose("the stream was connected again", deaf=True)
        await self._ping()
