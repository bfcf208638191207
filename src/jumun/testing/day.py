"""The simulated day: a whole desk, a seeded bad world, and an exchange that knows what really happened.

A storm of orders and faults, then calm: faults stop, open questions must be decided, the sessions end, and
the books must equal the exchange's. One integer replays it all (I-63).
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec
import structlog

from jumun.exchange.market import Market
from jumun.model.orders import Flag, Order
from jumun.rules.book import Book
from jumun.testing.day_market import MarketChecks
from jumun.testing.invariants import Checks, Violation
from jumun.testing.lives import WatchedDisk
from jumun.testing.trace import Trace
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from jumun.testing.world import (
    EVENING_END,
    NS,
    PHASES,
    STORM_S,
    Scenario,
    at_seoul_ns,
    draw_scenario,
    market_world,
)
from jumun.testing.world_account import ACCOUNT, OPENING_CASH, OPENING_SHARES
from jumun.testing.world_desk import Machine
from jumun.testing.world_prices import PriceWalk
from jumun.testing.world_traders import Traders

ORDERS: Final = 300
ANSWER_NS: Final = 20 * NS  # a send ends within ten seconds: one that has just left is no open question
DECIDED_WITHIN_S: Final = 60.0  # after the faults stop, beyond the visibility lag (I-58)
CRITICAL: Final = 50


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a day came to. Equal hashes mean the same day, step by step."""

    seed: int
    hash: str
    steps: int
    orders: int  # intents, repeats not counted
    sent: int  # new orders that reached the exchange
    fills: int
    lives: int  # of the desk
    classes: tuple[str, ...]
    struck: dict[str, int]  # how often each fault struck
    checked: dict[str, int]  # how often each invariant was checked
    reached: dict[str, int]  # rare states
    cells: dict[str, int]  # where orders stood when faults struck
    for_a_person: list[str]  # what is left to decide by hand, and why


def simulate_day(
    seed: int,
    orders: int = ORDERS,
    *,
    faults: tuple[str, ...] | None = None,
    habits: tuple[str, ...] | None = None,
    days: int = 1,
    day: date | None = None,
    stormy: bool = False,
) -> DayResult:
    """Run one day (or two, the second reusing the first's order numbers); raises Violation.

    `faults` and `habits` name the fault classes of the day, and what its traders do beside plain orders,
    instead of drawing them; `day` is the first day; a `stormy` one is never quiet.
    """
    scenario = draw_scenario(
        seed, orders=orders, faults=faults, habits=habits, days=days, day=day, stormy=stormy
    )
    first = scenario.days[0]
    start_ns = at_seoul_ns(first, PHASES[scenario.phase]) - 10 * NS
    replay = command_of(seed, orders, days=days, stormy=stormy)
    with _silence():
        return run_virtual(_Day(scenario, replay).run(), start_ns)


def command_of(seed: int, orders: int, *, days: int, stormy: bool) -> str:
    """The command that runs this very day; what a test names instead of drawing it has no option."""
    words = ["jumun simulate day --seed", str(seed)]
    words += [] if orders == ORDERS else ["--orders", str(orders)]
    words += [] if days == 1 else ["--days", str(days)]
    return " ".join([*words, *(["--stormy"] if stormy else [])])


def run_command(
    seed: int, orders: int = ORDERS, as_json: bool = False, *, days: int = 1, stormy: bool = False
) -> int:
    """`jumun simulate day`: print what came of it; 0, or 1 when an invariant broke."""
    try:
        result = simulate_day(seed, orders, days=days, stormy=stormy)
    except Violation as violation:
        print(violation, file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps({"invariants": "ok", **msgspec.to_builtins(result)}, sort_keys=True))
        return 0
    print(_told(result))
    return 0


class _Day:
    def __init__(self, scenario: Scenario, replay: str) -> None:
        self.scenario = scenario
        self._replay = replay
        self.trace = Trace()

    async def run(self) -> DayResult:
        scenario = self.scenario
        true_clock, our_clock = VirtualClock(), VirtualClock()
        checks = self.checks = Checks(scenario.seed, self.trace, true_clock.monotonic_ns, self._replay)
        self.clock = true_clock
        market = self.market = Market(market_world(scenario))
        market.open_account(
            ACCOUNT,
            cash=dict(OPENING_CASH),
            holdings={symbol: qty for symbol, (qty, _) in OPENING_SHARES.items()},
            now_ns=true_clock.now_ns(),
        )
        disk = WatchedDisk()
        machine = self.machine = Machine(scenario, market, disk, our_clock, checks)
        market.listen(self._market_checks(machine).hear)
        self.traders = Traders(scenario, machine, market)
        self.walk = PriceWalk(scenario, market, true_clock)
        checks.step(f"scenario {scenario.classes} {scenario.phase} {scenario.days}")
        self.for_a_person: list[str] = []
        for index, day in enumerate(scenario.days):
            if index:
                await self._sleep_until(at_seoul_ns(day, PHASES[scenario.phase]) - 10 * NS)
                machine.old.next_day()
                machine.storm_again()
                self.walk.is_calm = False
            await self._one_day(day)
        self._counts()
        return self._result(machine)

    def _market_checks(self, machine: Machine) -> MarketChecks:
        return MarketChecks(
            self.checks,
            self.market,
            machine.records,
            self.clock.monotonic_ns,
            machine.questions,
            shared=machine.shared,
        )

    async def _one_day(self, day: date) -> None:
        machine, loop = self.machine, asyncio.get_running_loop()
        self.walk.open_day(day)
        prices = loop.create_task(self.walk.run(), name="prices")
        lives = loop.create_task(machine.run(), name="machine")
        storm = loop.create_task(self._storm_and_calm(day), name="the day")
        await asyncio.wait([prices, lives, storm, machine.failed], return_when=asyncio.FIRST_COMPLETED)
        for ended in (machine.failed, prices, lives, storm):
            if ended.done():
                ended.result()
        prices.cancel()
        await asyncio.wait([prices])

    async def _storm_and_calm(self, day: date) -> None:
        machine = self.machine
        steps = asyncio.get_running_loop().create_task(self._step_clock(), name="clock steps")
        await machine.ready()
        await self.traders.storm(self.scenario.orders // len(self.scenario.days))
        steps.cancel()
        await asyncio.wait([steps])
        machine.calm()
        self.walk.is_calm = True
        self.checks.step("calm")
        await machine.ready()
        await self.traders.resume()
        await self.traders.habits.kill()
        await asyncio.sleep(DECIDED_WITHIN_S + 2 * self.scenario.visible_after_ns / NS)
        await self.traders.registrar.settle_all()
        await self.traders.resume()
        await self._decided("while the session goes on")
        over_ns = at_seoul_ns(day, EVENING_END) + machine.policy.settles_after_ns
        await self._sleep_until(over_ns + 3 * self.scenario.visible_after_ns + 60 * NS)
        await self.traders.registrar.settle_all()  # an order of unknown outcome may have hidden a jump
        await self.traders.resume()
        self.for_a_person = await self._decided("after the sessions", is_over=True)
        await self._agree()
        await self._again()

    async def _step_clock(self) -> None:
        """The wall clock of our machine jumps (F-90); the exchange's does not."""
        for seconds in self.scenario.clock_step_s:
            await asyncio.sleep(STORM_S / 5)
            self.machine.step_clock(seconds)
            await asyncio.sleep(STORM_S / 20)
            self.machine.step_clock(-seconds)

    # ---- after the storm --------------------------------------------------------------------------------

    async def _decided(self, when: str, is_over: bool = False) -> list[str]:
        """Every unknown order is decided, or is listed with why it needs a person (I-58)."""
        life = await self.machine.ready()
        listed = []
        for order_id in life.engine.desk.book.unknown:
            order = life.engine.desk.book.open[order_id]
            why = self._why_open(order, is_over)
            self.checks.that("I-58", bool(why), "{} is still unknown {}: {}", order_id, when, order)
            listed.append(f"{order_id}: {why}")
        for order in life.engine.desk.book.open.values():
            waits = order.attempt_open and not order.is_unknown
            hangs = waits and not _just_sent(order, life.engine.clock.now_ns())
            self.checks.that("I-58", not hangs, "{} is still in flight {}", order.order_id, when)
            if is_over:
                decided = (
                    order.is_unknown or Flag.DISPUTED in order.flags or _waits(order, life.engine.desk.book)
                )
                text = "{} is {} after its session"
                self.checks.that("I-58", decided, text, order.order_id, order.status)
        self.checks.that("I-58", True, "")
        return listed

    def _why_open(self, order: Order, is_over: bool) -> str:
        if Flag.DISPUTED in order.flags:
            return "the broker lists an order that may be it or somebody else's"
        if not order.attempt_open and order.is_carried:
            return "its attempt never arrived, and it goes out again when the next session opens"
        if is_over or order.absent_ns is None:
            return ""
        if self.scenario.unknown_order_policy == "hold":
            return "absent, and the policy holds it until the day is over"
        return "absent a second time, and it was sent again once already" if order.resends else ""

    async def _agree(self) -> None:
        machine = self.machine
        life = await machine.ready()
        await life.engine.desk.quiet()
        machine.books.same_as_disk(life.engine.desk.book)
        machine.books.reservations(life.engine.desk.book)
        machine.books.rows_match_records()
        machine.books.agrees_with_exchange(ACCOUNT)
        await self.traders.answered_survive()

    async def _again(self) -> None:
        """Studying again changes nothing (I-40); neither does recovering again (I-13)."""
        machine = self.machine
        life = await machine.ready()
        await life.engine.reconciler.study()
        before = life.engine.desk.book.seq
        await life.engine.reconciler.study()
        after = life.engine.desk.book.seq
        self.checks.that("I-40", before == after, "a second study wrote {} records", after - before)
        image = _facts(life.engine.desk.book)
        life.fall("a restart in the evening")
        life = await machine.ready()
        same = _facts(life.engine.desk.book) == image
        self.checks.that("I-13", same, "a second recovery changed the book")
        machine.books.same_as_disk(life.engine.desk.book, "I-25")
        await life.engine.journal.verify()
        await machine.switch_off()

    # ---- the end ----------------------------------------------------------------------------------------

    def _counts(self) -> None:
        """What holds by being reached: days whose numbers were reused, steps of the clock survived."""
        # On a clock that was wrong from the start no order of the second day may have left at all.
        numbered = {order.trade_date for order in self.market.orders.values()}
        reused = not all(
            day.isoformat() in numbered for day in self.scenario.days
        ) or self.checks.reached.get("a number of the day before is used again")
        several = len(self.scenario.days) > 1
        self.checks.that("I-64", bool(reused) or not several, "no number was used again on the second day")

    async def _sleep_until(self, ts_ns: int) -> None:
        wait_ns = ts_ns - self.clock.now_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / NS)

    def _result(self, machine: Machine) -> DayResult:
        return DayResult(
            seed=self.scenario.seed,
            hash=self.trace.hash,
            steps=self.trace.steps,
            orders=self.traders.asked,
            sent=len(self.market.arrivals),
            fills=len(self.market.executions),
            lives=machine.lives,
            classes=self.scenario.classes,
            struck={name: count for name, count in sorted(machine.struck.items()) if count},
            checked=dict(sorted(self.checks.counts.items())),
            reached=dict(sorted(self.checks.reached.items())),
            cells=dict(sorted(machine.records.cells.visited.items())),
            for_a_person=self.for_a_person,
        )


def _waits(order: Order, book: Book) -> bool:
    """A multi-day order rests until the next session, is a held stop, or stands behind an unknown one."""
    behind = (order.account_id, order.symbol) in book.held
    return order.is_carried and (order.resting or order.stop_held or behind)


def _facts(book: Book) -> object:
    image = book.image()
    return (image.orders, image.positions, image.cash, image.halt, image.breaks)


def _told(result: DayResult) -> str:
    lines = [
        f"seed {result.seed}: {result.orders} intents, {result.sent} orders sent, {result.fills} fills, "
        f"{result.lives} lives of the desk, {result.steps} steps",
        f"faults drawn: {', '.join(result.classes) or 'none'}",
        f"faults struck: {sum(result.struck.values())} ({_listed(result.struck)})",
        f"invariants ok: {len(result.checked)}, checked {sum(result.checked.values())} times",
        f"rare states: {_listed(result.reached)}",
        *(f"for a person: {line}" for line in result.for_a_person),
        f"trace {result.hash}",
    ]
    return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Thousands of expected warnings would bury the one line that matters."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _just_sent(order: Order, now_ns: int) -> bool:
    return order.attempt_ts_ns is not None and now_ns - order.attempt_ts_ns < ANSWER_NS
