"""A simulated day on KIS: the whole desk with its broker, a seeded bad KIS, a market that knows better.

A storm of orders and faults, then calm: open questions must be decided, the sessions end, and the books must
equal the market's. One integer replays it all: `python -m jumun.testing.kis_day SEED` (I-63).
"""

import asyncio
import sys
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from jumun.model.orders import Flag, Order
from jumun.simulators.kis.faults import FAULTS
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.weather import Weather
from jumun.testing.day import _silence
from jumun.testing.invariants import Checks, Violation
from jumun.testing.kis_account import OPENING_CASH, OPENING_SHARES
from jumun.testing.kis_machine import Machine
from jumun.testing.kis_people import People
from jumun.testing.kis_scenario import (
    EVENING_END,
    NS,
    PHASES,
    VISIBLE_AFTER_S,
    KisScenario,
    at_seoul_ns,
    draw_scenario,
    market_world,
)
from jumun.testing.kis_stack import a_kis
from jumun.testing.trace import Trace
from jumun.testing.virtual_loop import VirtualClock, run_virtual

ORDERS: Final = 32  # some of them while the session is closed
TWO_DAYS_EVERY: Final = 5
DECIDED_WITHIN_S: Final = 60.0  # after the faults stop, beyond the visibility delays (I-58)
ANSWER_NS: Final = 20 * NS
# What every day must have checked at least once, whatever its seed drew.
ALWAYS: Final = (
    *("I-07", "I-08", "I-09", "I-11", "I-13", "I-15", "I-21", "I-24", "I-26", "I-27", "I-38", "I-40"),
    *("I-43", "I-45", "I-49", "I-52", "I-58"),
)


class KisDayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a day came to. Equal hashes mean the same day, step by step."""

    seed: int
    hash: str
    steps: int
    environment: str
    days: int
    orders: int  # intents
    sent: int  # new orders of ours that reached the market
    fills: int
    lives: int
    calls: int  # that reached KIS
    calls_most: int  # in any second, at the transport
    rate_per_s: int
    classes: tuple[str, ...]
    struck: dict[str, int]
    checked: dict[str, int]
    reached: dict[str, int]
    for_a_person: list[str]


def simulate_kis_day(
    seed: int,
    orders: int = ORDERS,
    *,
    faults: tuple[str, ...] | None = None,
    days: int = 0,
) -> KisDayResult:
    """Run one day, or two, the second with the order numbers of the first; raises Violation.

    `faults` names the fault classes instead of drawing them; `days` 0: every fifth seed has two.
    """
    count = days or (2 if seed % TWO_DAYS_EVERY == 0 else 1)
    scenario = draw_scenario(seed, orders=orders, days=count, faults=faults)
    start_ns = at_seoul_ns(scenario.days[0], PHASES[scenario.phase]) - 15 * NS
    with _silence(), TemporaryDirectory() as folder:
        cache = Path(folder) / "token" if scenario.keeps_token else None
        return run_virtual(_Day(scenario, cache).run(), start_ns)


def outcome_of(seed: int) -> tuple[KisDayResult | None, str]:
    """Run one day for a caller in another process: what came of it, or what did not hold."""
    try:
        return simulate_kis_day(seed), ""
    except Violation as violation:
        return None, str(violation)


class _Day:
    def __init__(self, scenario: KisScenario, cache: Path | None) -> None:
        self._scenario = scenario
        self._cache = cache
        self._trace = Trace()

    async def run(self) -> KisDayResult:
        scenario, self._clock = self._scenario, VirtualClock()
        replay = f"python -m jumun.testing.kis_day {scenario.seed}"
        checks = self._checks = Checks(scenario.seed, self._trace, self._clock.monotonic_ns, replay)
        self._kis = self._new_kis()
        self._machine = Machine(scenario, self._kis, checks, self._cache)
        self._people = People(scenario, self._machine)
        checks.step(f"{scenario}")
        self._listed: list[str] = []
        for index, day in enumerate(scenario.days):
            if index:
                await self._sleep_until(at_seoul_ns(day, PHASES[scenario.phase]) - 15 * NS)
            await self._one_day(day)
        numbered = {order.trade_date for order in self._kis.house.market.orders.values()}
        if len(numbered) > 1:
            checks.reach("numbers of the day before were used again")
        return self._result()

    def _new_kis(self) -> SimulatedKis:
        scenario = self._scenario
        return a_kis(
            self._clock,
            world=market_world(scenario),
            environment=scenario.environment,
            house=scenario.house,
            stream=scenario.stream,
            weather=Weather((), Random(f"kis weather {scenario.seed}")),
            cash=dict(OPENING_CASH),
            holdings={symbol: qty for symbol, (qty, _) in OPENING_SHARES.items()},
            seed=scenario.seed,
        )

    async def _one_day(self, day: date) -> None:
        loop, machine, people = asyncio.get_running_loop(), self._machine, self._people
        people.is_calm = False
        machine.storm()
        works = {
            "prices": people.prints(day),
            "time": people.time_passes(),
            "machine": machine.run(),
            "the day": self._storm_and_calm(day),
        }
        tasks = {name: loop.create_task(work, name=name) for name, work in works.items()}
        await asyncio.wait([*tasks.values(), machine.failed], return_when=asyncio.FIRST_COMPLETED)
        for ended in (machine.failed, *tasks.values()):
            if ended.done():
                ended.result()
        await tasks["the day"]
        await tasks["machine"]
        for name in ("prices", "time"):
            tasks[name].cancel()
            await asyncio.wait([tasks[name]])

    async def _storm_and_calm(self, day: date) -> None:
        machine, people, scenario = self._machine, self._people, self._scenario
        await machine.ready()
        await people.storm(scenario.orders // len(scenario.days))
        machine.calm()
        people.is_calm = True
        self._checks.step("calm")
        await machine.ready()
        await asyncio.gather(people.afterwards(), asyncio.sleep(DECIDED_WITHIN_S + 2 * VISIBLE_AFTER_S))
        await people.resume()
        await self._decided("while the session goes on")
        over_ns = at_seoul_ns(day, EVENING_END) + machine.policy.settles_after_ns
        await self._sleep_until(over_ns + (3 * VISIBLE_AFTER_S + 60) * NS)
        self._listed = await self._decided("after the sessions", is_over=True)
        await self._agree()

    async def _decided(self, when: str, is_over: bool = False) -> list[str]:
        """Every unknown order is decided, or is listed with why it needs a person (I-58)."""
        life = await self._machine.ready()
        book, listed = life.engine.desk.book, []
        for order_id in book.unknown:
            order = book.open[order_id]
            why = self._why(order, is_over)
            self._checks.that("I-58", bool(why), "{} is still unknown {}: {}", order_id, when, order)
            listed.append(f"{order_id}: {why}")
        for order in book.open.values():
            sent_ns = order.attempt_ts_ns or 0
            young = life.engine.clock.now_ns() - sent_ns < ANSWER_NS
            hangs = order.attempt_open and not order.is_unknown and not young
            self._checks.that("I-58", not hangs, "{} is still in flight {}", order.order_id, when)
            if is_over:
                waits = order.is_carried and (order.resting or (order.account_id, order.symbol) in book.held)
                decided = order.is_unknown or Flag.DISPUTED in order.flags or waits
                self._checks.that("I-58", decided, "{} is {} {}", order.order_id, order.status, when)
        self._checks.that("I-58", True, "")
        return listed

    def _why(self, order: Order, is_over: bool) -> str:
        """Why a person must decide; empty where the desk should have."""
        if Flag.DISPUTED in order.flags:
            return "KIS lists an order that may be it or somebody else's"
        if not order.attempt_open and order.is_carried:
            return "its attempt never arrived, and it goes out again when the next session opens"
        if is_over or order.absent_ns is None:
            return ""
        if self._scenario.unknown_order_policy == "hold":
            return "absent, and the policy holds it until the day is over"
        return "absent a second time, and it was sent again once already" if order.resends else ""

    async def _agree(self) -> None:
        """The books are the market's; a second look, and a second start, change nothing (I-40, I-13)."""
        machine, that = self._machine, self._checks.that
        life = await machine.ready()
        await life.engine.desk.quiet()
        machine.books.same_as(life.engine.desk.book, "I-24")
        machine.books.agree()
        await life.engine.reconciler.study()
        before = life.engine.desk.book.seq
        await life.engine.reconciler.study()
        after = life.engine.desk.book.seq
        that("I-40", before == after, "a second study wrote {} records", after - before)
        image = life.engine.desk.book.image()
        life.fall("a restart in the evening")
        life = await machine.ready()
        again = life.engine.desk.book.image()
        same = (image.orders, image.positions, image.cash) == (again.orders, again.positions, again.cash)
        that("I-13", same, "a second recovery changed the book")
        await life.engine.journal.verify()
        await machine.switch_off()

    async def _sleep_until(self, ts_ns: int) -> None:
        wait_ns = ts_ns - self._clock.now_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / NS)

    def _result(self) -> KisDayResult:
        machine, market, checks = self._machine, self._kis.house.market, self._checks
        struck = {name: self._kis.weather.struck[name] for name in FAULTS if self._kis.weather.struck[name]}
        struck |= {f"crash at {point}": count for point, count in machine.crashed.items()}
        return KisDayResult(
            seed=self._scenario.seed,
            hash=self._trace.hash,
            steps=self._trace.steps,
            environment=self._scenario.environment.value,
            days=len(self._scenario.days),
            orders=self._people.asked,
            sent=sum(arrival.order.client == machine.oracle.client for arrival in market.arrivals),
            fills=len(market.executions),
            lives=machine.lives,
            calls=self._kis.calls,
            calls_most=machine.meter.most,
            rate_per_s=self._scenario.rate_per_s,
            classes=self._scenario.classes,
            struck=dict(sorted(struck.items())),
            checked=dict(sorted(checks.counts.items())),
            reached=dict(sorted(checks.reached.items())),
            for_a_person=self._listed,
        )


def main(words: list[str]) -> int:
    """Replay one seed and print what came of it; 1 when something did not hold."""
    if len(words) != 1 or not words[0].isdigit():
        print("usage: python -m jumun.testing.kis_day SEED", file=sys.stderr)
        return 2
    try:
        result = simulate_kis_day(int(words[0]))
    except Violation as violation:
        print(violation, file=sys.stderr)
        return 1
    for name in result.__struct_fields__:
        print(f"{name}: {getattr(result, name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
