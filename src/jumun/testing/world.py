"""What one seed draws: the day, the broker's habits, the weather. A value, so that it can be printed.

Swarm testing: a seed has no fault at all, or three to eight classes of them with rates of its own.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.brokers.paper.faults import FaultPlan
from jumun.brokers.paper.parse import FillIdentity
from jumun.exchange.world import World
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.rules.sessions import ZONE
from jumun.rules.trading_days import DayOverride, Overrides

NS: Final = 1_000_000_000
MS: Final = 1_000_000
# Sessions are moved together and shortened by the operator's override file, so that one hour of virtual time
# holds both markets. Nothing of a Korean day is left after 18:00 then.
OPEN: Final = time(16, 30)
CLOSE: Final = time(17, 30)
EVENING_END: Final = time(18, 0)
STORM_S: Final = 600  # how long orders keep coming
# When the storm begins: it meets the opening auction, continuous trading, the closing auction, or the end.
PHASES: Final = {"open": time(16, 24), "middle": time(17, 5), "close": time(17, 14), "end": time(17, 22)}
OFTEN: Final = ("open", "middle", "middle", "close", "close", "end")  # an early storm makes a long calm
# A day and the session after it. Those of December are the last of the year at KRX: their trades settle in
# the next year, under its tax rates. In March that year's rates are in force.
DAYS: Final = (
    (date(2025, 6, 10), date(2025, 6, 11)),
    (date(2025, 12, 29), date(2025, 12, 30)),
    (date(2026, 3, 4), date(2026, 3, 5)),
)
CRASH_POINTS: Final = (
    *("send begun", "send written", "send answered", "cancel begun", "cancel written", "cancel answered"),
    *("commit begun", "commit written", "fill", "query begun", "query answered"),
)

MODIFY_POINTS: Final = ("modify begun", "modify written", "modify answered", "query begun", "fill")
ALL_POINTS: Final = tuple(dict.fromkeys((*CRASH_POINTS, *MODIFY_POINTS)))


def _krx(symbol: str, market: Market = Market.KOSPI, product: Product = Product.SHARE) -> Instrument:
    return Instrument(
        symbol=symbol, market=market, product=product, currency=Currency.KRW, venue=Venue.KRX, name=symbol
    )


def _us(symbol: str, product: Product) -> Instrument:
    return Instrument(
        symbol=symbol, market=Market.US, product=product, currency=Currency.USD, venue=Venue.US, name=symbol
    )


INSTRUMENTS: Final = (
    _krx("005930"),
    _krx("035420"),
    _krx("247540", Market.KOSDAQ),
    _krx("005935", product=Product.PREFERRED),
    _krx("069500", product=Product.ETF),
    _krx("0197X0", product=Product.ETF),
    _us("AAPL", Product.SHARE),
    _us("SPMO", Product.ETF),
)
BASES: Final = {
    "005930": Decimal(58_000),
    "035420": Decimal(205_000),
    "247540": Decimal(49_950),  # the tick changes at 50,000
    "005935": Decimal(19_990),  # … and at 20,000
    "069500": Decimal(38_500),
    "0197X0": Decimal(2_004),  # a fund's tick changes at 2,000
    "AAPL": Decimal("196.50"),
    "SPMO": Decimal("108.20"),
}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn before the day begins. Rates are chances per occasion, 0 to 1."""

    seed: int
    orders: int
    days: tuple[date, ...]
    phase: str  # which part of the session the storm meets
    identity: FillIdentity
    carries_reference: bool
    unknown_order_policy: str
    exclusive: bool
    cancel_proves: bool
    visible_after_ns: int
    snapshot_every: int
    classes: tuple[str, ...]  # the fault classes of this seed
    plan: FaultPlan
    sync_ms_max: int = 0
    append_fails: float = 0.0  # F-81, F-82: per commit
    crashes: tuple[tuple[int, str], ...] = ()  # (second of the day, crash point), in order
    later_crashes: tuple[tuple[int, str], ...] = ()  # the same, at points that came later
    more_crashes: tuple[tuple[int, str], ...] = ()  # the same, many of them
    crash_in_recovery: float = 0.0  # chance to die at once when the next crash finds a recovery
    clock_step_s: tuple[int, ...] = ()  # F-90
    task_raises: float = 0.0  # F-75: per notice
    halts: float = 0.0  # per send, between the check and the act
    foreign: float = 0.0  # share of orders that somebody else sends
    early_cancel: float = 0.0  # F-47: per cancel of an order with fills
    crossed: float = 0.0  # F-51: per cancel or modify, that the exchange refuses the order just before
    old_notices: float = 0.0  # F-31: chance per notice that one of the day before comes again
    modify_renumbers: bool = True  # False: a modified order keeps its number, as at IBKR
    habits: tuple[str, ...] = ()  # what the traders of this seed do beside plain orders


def draw_scenario(
    seed: int,
    *,
    orders: int,
    faults: tuple[str, ...] | None = None,
    habits: tuple[str, ...] | None = None,
    days: int = 1,
    day: date | None = None,
    stormy: bool = False,
) -> Scenario:
    """Draw a scenario; `faults` and `habits` name what is drawn otherwise, `day` the first day.

    A `stormy` day is never quiet: it has at least one class that strikes all the time, and often those that
    bring orders into standings that are rare otherwise.
    """
    random, later, rare = Random(f"scenario {seed}"), Random(f"later {seed}"), Random(f"rare {seed}")
    chosen = random.choice(DAYS)
    picked = (*_pick(random), *_pick_later(later, stormy), *(_pick_rare(rare) if stormy else ()))
    classes = tuple(name for name in ALL_CLASSES if name in (picked if faults is None else faults))
    plan: dict[str, Any] = {}
    more: dict[str, Any] = {}
    for name, draw in ALL_CLASSES.items():
        # Drawn also when unused: a class less leaves the others as they are.
        drawn = draw(random if name in CLASSES else rare if name in RARE_CLASSES else later)
        if name in classes:
            for key, value in drawn.items():
                (plan if key in FaultPlan.__struct_fields__ else more)[key] = value
    fault_plan = FaultPlan(**plan)
    drawn_habits, renumbers = (*_habits(later), *_newest_habits(seed)), later.random() < 0.7
    if stormy:
        drawn_habits = tuple(dict.fromkeys((*drawn_habits, *_rare_habits(rare, days))))
    pair = next((pair for pair in DAYS if pair[0] == day), chosen)
    return Scenario(
        seed=seed,
        orders=orders,
        days=pair[:days],
        phase=random.choice(OFTEN),
        identity=random.choice(tuple(FillIdentity)),
        carries_reference=random.random() < 0.35,
        unknown_order_policy=random.choice(("hold", "resend_once")),
        exclusive="foreign" not in classes,  # a stranger in an account that is ours alone stops it (F-107)
        cancel_proves=random.random() < 0.5 or "early_cancel" in classes,
        visible_after_ns=max(3 * NS, fault_plan.worst_case_ns),
        snapshot_every=random.choice((60, 400, 100_000)),
        classes=classes,
        plan=fault_plan,
        habits=drawn_habits if habits is None else habits,
        modify_renumbers=renumbers,
        **more,
    )


def _pick(random: Random) -> tuple[str, ...]:
    if random.random() < 0.08:
        return ()
    return tuple(random.sample(tuple(CLASSES), random.randint(3, 8)))


def _pick_later(random: Random, stormy: bool) -> tuple[str, ...]:
    """Classes that came later have a stream of their own: what older seeds draw stays as it was."""
    picked = tuple(name for name in LATER_CLASSES if random.random() < LATER_CHANCE)
    return (*picked, *STEADY) if stormy else picked


def _habits(random: Random) -> tuple[str, ...]:
    usual = [habit for habit in HABITS if random.random() < HABIT_CHANCE]
    return (*usual, *(habit for habit in LATER_HABITS if random.random() < LATER_HABIT_CHANCE))


def _pick_rare(random: Random) -> tuple[str, ...]:
    return tuple(name for name in RARE_CLASSES if random.random() < RARE_CHANCE)


def _newest_habits(seed: int) -> tuple[str, ...]:
    """What came last has chance of its own, for the same reason."""
    return ("twins",) if Random(f"newest habits {seed}").random() < TWINS_CHANCE else ()


def _rare_habits(random: Random, days: int) -> tuple[str, ...]:
    """A second day shows what the first cannot, orders that go out again: then many live so long."""
    restless = ("modifies", "restless") if random.random() < RESTLESS_CHANCE else ()
    return (*restless, *(("carried", "patient") if days > 1 else ()))


def _rate(random: Random, low: float, high: float) -> float:
    return round(random.uniform(low, high), 4)


# Each class draws what it adds to the plan. Names are printed with a failing seed.
CLASSES: Final[dict[str, Callable[[Random], dict[str, Any]]]] = {
    "latency": lambda r: {"latency_ms_min": r.randint(0, 40), "latency_ms_max": r.randint(50, 900)},
    "stall": lambda r: {"stall_ms_max": r.randint(50, 400)},
    "not_sent": lambda r: {"not_sent": _rate(r, 0.02, 0.2)},
    "request_lost": lambda r: {
        "request_lost": _rate(r, 0.0, 0.06),
        "request_vanishes": _rate(r, 0.01, 0.06),
    },
    "reply_lost": lambda r: {"reply_lost": _rate(r, 0.01, 0.08), "reply_late": _rate(r, 0.0, 0.04)},
    "reply_broken": lambda r: {
        "reply_reset": _rate(r, 0.0, 0.06),
        "server_error": _rate(r, 0.0, 0.06),
        "reply_garbled": _rate(r, 0.01, 0.06),
    },
    "refused": lambda r: {"refused": _rate(r, 0.02, 0.1)},
    "notice_lost": lambda r: {"notice_lost": _rate(r, 0.02, 0.2)},
    "notice_doubled": lambda r: {"notice_doubled": _rate(r, 0.05, 0.4)},
    "notice_late": lambda r: {
        "notice_late": _rate(r, 0.05, 0.4),
        "notice_late_ms_max": r.randint(200, 4000),
    },
    "notice_garbled": lambda r: {"notice_garbled": _rate(r, 0.01, 0.05)},
    "disconnect": lambda r: {"disconnect": _rate(r, 0.002, 0.02), "outage_ms_max": r.randint(500, 8000)},
    "history_lag": lambda r: {
        "history_lag": _rate(r, 0.1, 0.5),
        "history_lag_ms_max": r.randint(300, 4000),
    },
    "history_broken": lambda r: {
        "history_page_lost": _rate(r, 0.05, 0.4),
        "history_fails": _rate(r, 0.05, 0.3),
        "balance_fails": _rate(r, 0.05, 0.3),
    },
    "slow_disk": lambda r: {"sync_ms_max": r.choice((20, 200, 1500, 6000))},
    "failed_append": lambda r: {"append_fails": _rate(r, 0.001, 0.004)},
    "crash": lambda r: {
        "crashes": tuple(
            sorted((r.randint(5, STORM_S), r.choice(CRASH_POINTS)) for _ in range(r.randint(2, 8)))
        ),
        "crash_in_recovery": _rate(r, 0.0, 0.3),
    },
    "clock_step": lambda r: {"clock_step_s": tuple(r.choice((-3600, -5, -1, 1, 5, 3600)) for _ in range(3))},
    "task_raises": lambda r: {"task_raises": _rate(r, 0.0005, 0.003)},
    "halts": lambda r: {"halts": _rate(r, 0.01, 0.05)},
    "foreign": lambda r: {"foreign": _rate(r, 0.02, 0.1)},
    "early_cancel": lambda r: {
        "early_cancel": _rate(r, 0.3, 1.0),
        "notice_late": _rate(r, 0.6, 1.0),
        "notice_late_ms_max": r.randint(2000, 6000),
    },
    "old_notices": lambda r: {"old_notices": _rate(r, 0.01, 0.1)},
}


LATER_CLASSES: Final[dict[str, Callable[[Random], dict[str, Any]]]] = {
    "reset_early": lambda r: {"reset_early": _rate(r, 0.01, 0.08)},
    "modify_crash": lambda r: {
        "later_crashes": tuple(
            sorted((r.randint(5, STORM_S), r.choice(MODIFY_POINTS)) for _ in range(r.randint(2, 6)))
        )
    },
    "stale": lambda r: {
        "history_stale": _rate(r, 0.02, 0.2),
        "balance_stale": _rate(r, 0.02, 0.2),
        "stale_ms_max": r.randint(500, 3_000),
    },
    "empty": lambda r: {"history_empty": _rate(r, 0.02, 0.2), "balance_empty": _rate(r, 0.02, 0.2)},
    "slow_reply": lambda r: {"reply_late": _rate(r, 0.02, 0.1), "reply_late_ms_max": r.randint(500, 7_000)},
}
# Only on stormy days: they bring orders into standings that are rare otherwise.
RARE_CLASSES: Final[dict[str, Callable[[Random], dict[str, Any]]]] = {
    "crossed": lambda r: {"crossed": _rate(r, 0.05, 0.3), "stall_ms_max": r.randint(100, 600)},
    "many_crashes": lambda r: {
        "more_crashes": tuple(
            sorted((r.randint(5, STORM_S), r.choice(ALL_POINTS)) for _ in range(r.randint(6, 14)))
        )
    },
    "unsure": lambda r: {
        name: _rate(r, 0.01, 0.05)
        for name in (
            *("not_sent", "request_lost", "request_vanishes", "reset_early", "reply_lost", "reply_late"),
            *("reply_reset", "server_error", "reply_garbled", "refused"),
        )
    },
}
ALL_CLASSES: Final = {**CLASSES, **LATER_CLASSES, **RARE_CLASSES}
RARE_CHANCE: Final = 0.35
RESTLESS_CHANCE: Final = 0.5
LATER_CHANCE: Final = 0.12
STEADY: Final = ("notice_doubled", "notice_late")  # each strikes some thirty times a day, however it is drawn
HABITS: Final = ("modifies", "stops", "carried", "immediate", "mass cancel", "kill")
LATER_HABITS: Final = ("ex officio", "refused later", "busts", "entries", "jumps")
HABIT_CHANCE: Final = 0.4
LATER_HABIT_CHANCE: Final = 0.2
TWINS_CHANCE: Final = 0.4


def market_world(scenario: Scenario) -> World:
    """The market of these days: both venues open together for one hour."""
    entries = []
    for day in scenario.days:
        entries.append(DayOverride(venue=Venue.KRX, day=day, open=OPEN, close=CLOSE, note="simulated"))
        local = [_at_seoul(day, at).astimezone(ZONE[Venue.US]) for at in (OPEN, CLOSE)]
        assert local[0].date() == day, "the shortened session must stay on its own date in New York"
        entries.append(
            DayOverride(
                venue=Venue.US, day=day, open=local[0].time(), close=local[1].time(), note="simulated"
            )
        )
    return World(
        name="simulated day",
        instruments=INSTRUMENTS,
        bases=BASES,
        overrides=Overrides(days=tuple(entries)),
        modify_renumbers=scenario.modify_renumbers,
    )


def at_seoul_ns(day: date, at: time) -> int:
    """UTC nanoseconds of a wall clock time in Seoul."""
    return int(_at_seoul(day, at).astimezone(UTC).timestamp()) * NS


def _at_seoul(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=ZONE[Venue.KRX])
