"""A link that misbehaves on purpose, by a plan and a seed: the same seed strikes the same calls.

A written request travels in a task of its own: a caller that gives up, or dies, does not stop it from
arriving. Travel and invisibility are bounded by the plan (`FaultPlan.worst_case_ns`), and the broker refuses
a plan that is slower than its traits promise: resending after absence rests on that bound.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from random import Random
from typing import Any, Final, TypeVar

import msgspec

from jumun.brokers.paper.link import Gap, Garbled, Inbox, Link, LinkNotice, always
from jumun.brokers.paper.wire import (
    PAGE_SIZE,
    Answer,
    AskBalance,
    AskHistory,
    BalanceTold,
    Cancel,
    Command,
    HistoryPage,
    Modify,
    OrderRecord,
    Printed,
    Refused,
    Submit,
)
from jumun.model.errors import ConfigError, UnreadableReply
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import AnswerLost, NothingSent

_Told = TypeVar("_Told")
MS: Final = 1_000_000
REFUSED_CODE: Final = "REFUSED_BY_FAULT"


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How often (0 to 1) and how badly the line misbehaves. Everything is off by default."""

    # Every call
    stall_ms_max: int = 0  # waiting before the permit is asked, as for a rate limiter (I-45)
    latency_ms_min: int = 0  # each way
    latency_ms_max: int = 0
    # Orders, modifies and cancels
    not_sent: float = 0.0  # F-01 refused before a byte was written
    request_lost: float = 0.0  # F-02 written, never arrives, the connection is reset
    request_vanishes: float = 0.0  # F-04 written, never arrives, silence
    reply_lost: float = 0.0  # F-03 carried out, silence
    reply_reset: float = 0.0  # F-02 carried out, the connection is reset
    reset_early: float = 0.0  # F-02 the connection is reset at once, and the request still arrives
    server_error: float = 0.0  # F-06 carried out, answered with a 5xx
    reply_garbled: float = 0.0  # F-08 carried out, answered with half a body
    reply_late: float = 0.0  # F-05 carried out, answered late, perhaps after the caller gave up
    reply_late_ms_max: int = 0
    reply_swapped: float = 0.0  # F-17 carried out, answered with the answer to an earlier call of its kind
    refused: float = 0.0  # F-07 a valid new order is refused
    modify_refused: float = 0.0  # a valid modify is refused
    # Stream
    notice_lost: float = 0.0  # F-24
    notice_doubled: float = 0.0  # F-20
    notice_late: float = 0.0  # F-21, F-22: overtaken by others, or by the answer
    notice_late_ms_max: int = 0
    notice_garbled: float = 0.0  # F-28
    disconnect: float = 0.0  # F-19, at a notice: it and all others of the outage are lost, then a gap
    outage_ms_max: int = 0
    # Questions
    history_lag: float = 0.0  # F-35 an order is missing from the history for a while
    history_lag_ms_max: int = 0
    history_stale: float = 0.0  # F-38, F-44 the list as it was when it was asked for before
    balance_stale: float = 0.0  # F-44
    stale_ms_max: int = 0  # how old such an answer may be
    history_empty: float = 0.0  # F-40 a total, and no rows
    balance_empty: float = 0.0  # F-40
    history_page_lost: float = 0.0  # F-36
    history_fails: float = 0.0  # F-37
    balance_fails: float = 0.0  # F-37

    @property
    def worst_case_ns(self) -> int:
        """The longest between writing an order and seeing it in the history, if it arrives at all."""
        return (self.latency_ms_max + self.history_lag_ms_max + self.stale_ms_max) * MS


_RATES: Final = tuple(name for name, kind in FaultPlan.__annotations__.items() if kind in (float, "float"))
REPLY_FAULTS: Final = ("reply_lost", "reply_reset", "server_error", "reply_garbled", "reply_late")


class FaultyLink:
    """Wraps a link. `struck` counts how often each fault struck; `clock` is the exchange's, not ours."""

    def __init__(self, link: Link, plan: FaultPlan, random: Random, clock: Clock) -> None:
        for name in _RATES:
            if not 0 <= getattr(plan, name) <= 1:
                raise ConfigError(f"fault rate {name} is {getattr(plan, name)}; give 0 to 1")
        if plan.latency_ms_min > plan.latency_ms_max:
            raise ConfigError("latency_ms_min is above latency_ms_max; swap them")
        self.struck: dict[str, int] = dict.fromkeys(_RATES, 0)
        self.plan = plan
        self._link = link
        self._random = random
        self._clock = clock
        self._inbox = Inbox()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pump: asyncio.Task[None] | None = None
        self._is_down = False
        self._seen_from_ns: dict[str, int] = {}  # when an order becomes visible, by key
        self._snapshots: dict[tuple[str, str], list[OrderRecord]] = {}
        self._told: dict[tuple[str, ...], tuple[int, Any]] = {}  # when and what a question was last told
        self._answers: dict[type[Command], Answer] = {}  # the newest to each kind of order call
        self._open = False

    @property
    def worst_case_ns(self) -> int:
        """The inner link's and the plan's together."""
        return self._link.worst_case_ns + self.plan.worst_case_ns

    @property
    def on_the_way(self) -> int:
        """How many requests and notices have not arrived yet."""
        return len(self._tasks)

    def become(self, plan: FaultPlan) -> None:
        """Go on with another plan, for example the empty one when the faults stop (I-58).

        Raises ConfigError for a plan slower than the first: the broker was promised that bound.
        """
        if plan.worst_case_ns > self.plan.worst_case_ns:
            raise ConfigError("the new fault plan is slower than the first; start with the slowest")
        self.plan = plan

    async def open(self) -> None:
        """Connect; raises NothingSent during an outage."""
        if self._is_down:
            raise NothingSent("the line is down; try again")
        if self._open:
            await self._link.open()
        else:
            # What the inner stream collected while nobody listened is lost; its reopening says so with a Gap.
            await self._link.close()
            await self._link.open()
            self._open = True
            self._inbox = Inbox()
            self._pump = asyncio.create_task(self._carry_notices(), name="faulty-link-notices")
            self._pump.add_done_callback(self._pump_ended)

    async def close(self) -> None:
        """Hang up at once; then wait until what was written has arrived, and close the inner link too.

        Who must not wait, because it plays a crash, runs this in a task of its own.
        """
        self._open = False
        self._inbox.close()
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
        await self.arrive()
        if not self._open:  # else somebody connected again meanwhile
            await self._link.close()

    async def arrive(self) -> None:
        """Wait until everything on its way has arrived."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Carry a call through the plan's weather."""
        await self._pause_ms(0, self.plan.stall_ms_max)
        if not self._open or self._is_down:
            raise NothingSent("the line is down; nothing was sent")
        if isinstance(command, (Submit, Modify, Cancel)):
            return await self._order_call(command, permit)
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        if isinstance(command, AskHistory):
            return await self._history(command)
        if isinstance(command, AskBalance):
            return await self._balance(command)
        return await self._on_its_way(command)

    def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what gets through."""
        return self._inbox.read()

    # ---- orders, modifies and cancels --------------------------------------------------------------------

    async def _order_call(self, command: Submit | Modify | Cancel, permit: SendPermit) -> Answer:
        if self._strikes("not_sent"):
            raise NothingSent("connection refused")
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        # Chance is drawn here, in the order of the calls, never inside a task whose turn may vary.
        if self._strikes("request_lost"):
            await self._latency()
            raise AnswerLost("the connection was reset")
        if self._strikes("request_vanishes"):
            return await _silence()
        if self._strikes("reset_early"):
            self._set_off(command)
            raise AnswerLost("the connection was reset while the request was under way")
        if isinstance(command, Submit) and self._strikes("refused"):
            await self._latency()
            return Refused(code=REFUSED_CODE, text="refused by the fault plan; nothing was entered")
        if isinstance(command, Modify) and self._strikes("modify_refused"):
            await self._latency()
            return Refused(code=REFUSED_CODE, text="refused by the fault plan; the old terms stay in force")
        fault = next((name for name in REPLY_FAULTS if self._strikes(name)), "")
        late_ms = self._random.randint(0, self.plan.reply_late_ms_max) if fault == "reply_late" else 0
        told = await self._on_its_way(command)
        await asyncio.sleep(late_ms / 1_000)
        if self.plan.reply_swapped:
            earlier = self._answers.get(type(command))
            self._answers[type(command)] = told
            if earlier is not None and self._strikes("reply_swapped"):
                return earlier
        return await _spoil(fault, told)

    async def _travel(self, command: Command, there: float, back: float) -> Answer:
        await asyncio.sleep(there)
        told = await self._link.call(command, always)
        await asyncio.sleep(back)
        return told

    async def _on_its_way(self, command: Command) -> Answer:
        # The shield lets the request arrive although its sender stopped waiting.
        told: Answer = await asyncio.shield(self._set_off(command))
        return told

    def _set_off(self, command: Command) -> asyncio.Task[Any]:
        return self._start(self._travel(command, self._draw_latency(), self._draw_latency()))

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name="faulty-link-transit")
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return task

    def _landed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None and not isinstance(failure, (NothingSent, AnswerLost, UnreadableReply)):
            self._inbox.close(failure)

    # ---- questions ---------------------------------------------------------------------------------------

    async def _history(self, command: AskHistory) -> Answer:
        if self._strikes("history_fails"):
            raise AnswerLost("the history was not answered")
        if command.start and self._strikes("history_page_lost"):
            raise AnswerLost(f"the page at {command.start} was lost")
        if self._strikes("history_empty"):
            told = await self._on_its_way(command)
            return msgspec.structs.replace(told, orders=()) if isinstance(told, HistoryPage) else told
        if not self.plan.history_lag and not self.plan.history_stale:
            return await self._on_its_way(command)
        key = (command.account_id, command.trade_date)
        if command.start == 0 or key not in self._snapshots:
            visible = await self._visible(command)
            self._snapshots[key] = self._perhaps_stale("history_stale", key, visible)
        orders = self._snapshots[key]
        page = tuple(orders[command.start : command.start + PAGE_SIZE])
        return HistoryPage(total=len(orders), start=command.start, orders=page)

    async def _balance(self, command: AskBalance) -> Answer:
        if self._strikes("balance_fails"):
            raise AnswerLost("the balance was not answered")
        told = await self._on_its_way(command)
        if not isinstance(told, BalanceTold):
            return told
        told = self._perhaps_stale("balance_stale", (command.account_id,), told)
        if self._strikes("balance_empty"):
            bare = msgspec.structs.replace(told.balance, holdings={})
            return msgspec.structs.replace(told, balance=bare)
        return told

    def _perhaps_stale(self, fault: str, key: tuple[str, ...], told: _Told) -> _Told:
        """Return what was told before, where that is young enough: a resend rests on the bound."""
        if not getattr(self.plan, fault):
            return told
        now_ns = self._clock.now_ns()
        earlier = self._told.get(key)
        if earlier is None or now_ns - earlier[0] > self.plan.stale_ms_max * MS or not self._strikes(fault):
            self._told[key] = (now_ns, told)
            return told
        stale: _Told = earlier[1]
        return stale

    async def _visible(self, command: AskHistory) -> list[OrderRecord]:
        """Fetch the whole list and leave out what the broker's own history does not show yet."""
        orders: list[OrderRecord] = []
        while True:
            asked = msgspec.structs.replace(command, start=len(orders))
            page = await self._on_its_way(asked)
            if not isinstance(page, HistoryPage):
                raise AnswerLost("the history was not answered")
            orders += page.orders
            if len(orders) >= page.total or not page.orders:
                break
        return [order for order in orders if self._is_visible(order)]

    def _is_visible(self, order: OrderRecord) -> bool:
        if order.key not in self._seen_from_ns:
            lag_ms = 0
            if self._strikes("history_lag"):
                lag_ms = self._random.randint(0, self.plan.history_lag_ms_max)
            self._seen_from_ns[order.key] = order.ts_accepted_ns + lag_ms * MS
        return self._clock.now_ns() >= self._seen_from_ns[order.key]

    # ---- stream ------------------------------------------------------------------------------------------

    async def _carry_notices(self) -> None:
        async for notice in self._link.notices():
            if isinstance(notice, (Printed, Gap)):
                self._inbox.put(notice)
            elif not self._is_down:
                self._weather(notice)

    def _weather(self, notice: LinkNotice) -> None:
        if self._strikes("disconnect"):
            self._is_down = True
            self._start(self._outage(self._random.randint(0, self.plan.outage_ms_max)))
        elif self._strikes("notice_lost"):
            return
        elif self._strikes("notice_garbled"):
            self._inbox.put(Garbled("\x00\x01garbled", "a notice could not be decrypted"))
        elif self._strikes("notice_late"):
            self._start(self._late(notice, self._random.randint(0, self.plan.notice_late_ms_max)))
        else:
            self._inbox.put(notice)
            if self._strikes("notice_doubled"):
                self._inbox.put(notice)

    async def _late(self, notice: LinkNotice, late_ms: int) -> None:
        await asyncio.sleep(late_ms / 1_000)
        if not self._is_down:
            self._inbox.put(notice)

    async def _outage(self, outage_ms: int) -> None:
        await asyncio.sleep(outage_ms / 1_000)
        self._is_down = False
        self._inbox.put(Gap("the line was down"))

    def _pump_ended(self, pump: asyncio.Task[None]) -> None:
        if not pump.cancelled():
            self._inbox.close(pump.exception())

    # ---- chance ------------------------------------------------------------------------------------------

    def _strikes(self, name: str) -> bool:
        rate: float = getattr(self.plan, name)
        if rate <= 0 or self._random.random() >= rate:
            return False
        self.struck[name] += 1
        return True

    def _draw_latency(self) -> float:
        low, high = self.plan.latency_ms_min, self.plan.latency_ms_max
        return self._random.randint(low, high) / 1_000 if high else 0.0

    async def _latency(self) -> None:
        await asyncio.sleep(self._draw_latency())

    async def _pause_ms(self, low: int, high: int) -> None:
        if high:
            await asyncio.sleep(self._random.randint(low, high) / 1_000)


async def _silence() -> Answer:
    """Never answer; the caller's own time bound ends the wait."""
    never: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    return await never


async def _spoil(fault: str, told: Answer) -> Answer:
    if fault == "reply_reset":
        raise AnswerLost("the connection was reset after the request was carried out")
    if fault == "server_error":
        raise AnswerLost("500 internal server error")
    if fault == "reply_garbled":
        raw = msgspec.json.encode(told)[:40].decode(errors="replace")
        raise UnreadableReply("the answer breaks off in the middle", raw=raw)
    if fault == "reply_lost":
        return await _silence()
    return told
