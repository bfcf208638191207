"""What one seed draws for a day on KIS: service, rates, switches of the simulator, weather, crashes. A value.

Every fault of simulators/kis/faults.py is in a class here. What a list may be late by stays, all faults
together, below the delay the desk was told (`visible_after_s`): beyond it absence proves nothing.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.switches import KisSwitches
from jumun.brokers.kis.verdicts import NOTHING_FOUND
from jumun.exchange.world import World
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.rules.sessions import ZONE
from jumun.rules.trading_days import DayOverride, Overrides
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Match, Rule

NS: Final = 1_000_000_000
OPEN: Final = time(16, 50)
CLOSE: Final = time(17, 50)
EVENING_END: Final = time(18, 20)  # half an hour after the close: nothing of a Korean day is left after it
STORM_S: Final = 180
PHASES: Final = {"open": time(16, 49), "middle": time(17, 40), "close": time(17, 46), "end": time(17, 48)}
DAYS: Final = (
    (date(2025, 6, 10), date(2025, 6, 11)),
    (date(2025, 12, 29), date(2025, 12, 30)),
    (date(2026, 3, 4), date(2026, 3, 5)),
)
ORDER_PATHS: Final = ("order-cash", "order-rvsecncl", "overseas-stock/v1/trading/order")
QUESTION_PATHS: Final = ("inquire-daily-ccld", "inquire-ccnl", "inquire-balance", "inquire-present-balance")
POINTS: Final = (
    *("send begun", "send written", "send answered", "cancel begun", "cancel written", "cancel answered"),
    *("modify begun", "modify written", "modify answered", "query written", "query answered", "notice"),
    *("commit begun", "commit written", "key answered"),
)
VISIBLE_AFTER_S: Final = 60
SETTLES_AFTER_S: Final = 60
LIST_LAG_S: Final = 12  # … each of the three ways in which a list can be behind
REQUEST_LATE_MS: Final = 8_000


def _krx(symbol: str, product: Product = Product.SHARE) -> Instrument:
    return Instrument(
        symbol=symbol,
        market=Market.KOSPI,
        product=product,
        currency=Currency.KRW,
        venue=Venue.KRX,
        name=symbol,
    )


def _us(symbol: str, product: Product, exchange: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        market=Market.US,
        product=product,
        currency=Currency.USD,
        venue=Venue.US,
        name=symbol,
        exchange=exchange,
    )


INSTRUMENTS: Final = (
    _krx("005930"),
    _krx("035420"),
    _krx("0197X0", Product.ETF),
    _us("AAPL", Product.SHARE, "NASD"),
    _us("SPMO", Product.ETF, "AMEX"),
)
BASES: Final = {
    "005930": Decimal(58_000),
    "035420": Decimal(205_000),
    "0197X0": Decimal(2_004),  # a fund's tick changes at 2,000
    "AAPL": Decimal("196.50"),
    "SPMO": Decimal("108.20"),
}


class KisScenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn before the day begins."""

    seed: int
    orders: int
    days: tuple[date, ...]
    phase: str
    environment: KisEnvironment
    rate_per_s: int
    house: HouseSwitches
    stream: StreamSwitches
    classes: tuple[str, ...]
    rules: tuple[Rule, ...]
    crashes: tuple[tuple[int, str], ...]  # (second of the storm, point), in order
    unknown_order_policy: str
    strangers: float  # share of orders that somebody else sends by hand
    polls: bool  # KIS_NOTICES=poll
    keeps_token: bool  # on disk, across lives
    acts: tuple[str, ...]  # what the exchange and KIS do by themselves
    kills: bool

    @property
    def switches(self) -> KisSwitches:
        """The desk knows how this KIS writes an empty list."""
        return KisSwitches(empty_is_marked=self.house.nothing_found == NOTHING_FOUND)


def draw_scenario(
    seed: int,
    *,
    orders: int,
    days: int,
    faults: tuple[str, ...] | None = None,
) -> KisScenario:
    """Draw a scenario; `faults` names the classes that are drawn otherwise."""
    random = Random(f"kis {seed}")
    environment = random.choice(tuple(KisEnvironment))
    true_rate = random.random() < 0.15
    rate = {KisEnvironment.LIVE: 18, KisEnvironment.PAPER: 1}[environment] if true_rate else 30
    quiet = random.random() < 0.05
    drawn = () if quiet else tuple(random.sample(tuple(CLASSES), random.randint(3, 8)))
    classes = tuple(name for name in CLASSES if name in (drawn if faults is None else faults))
    rules = {name: draw(random) for name, draw in CLASSES.items()}  # all are drawn: names change no others
    crashes = tuple(
        sorted((random.randint(3, STORM_S), random.choice(POINTS)) for _ in range(random.randint(2, 6)))
    )
    pair = random.choice(DAYS)
    house = _house(random, None if true_rate else rate)
    return KisScenario(
        seed=seed,
        orders=orders,
        days=pair[:days],
        phase=random.choice(("open", *("middle",) * 4, "close", "close", "end")),
        environment=environment,
        rate_per_s=rate,
        house=house,
        stream=_stream(random),
        classes=classes,
        rules=tuple(rule for name in classes for rule in rules[name]),
        crashes=crashes if "crash" in classes else (),
        unknown_order_policy=random.choice(("hold", "resend_once")),
        strangers=random.choice((0.0, 0.05, 0.15)),
        polls=random.random() < 0.1,
        keeps_token=random.random() < 0.7,
        acts=tuple(act for act in ACTS if random.random() < 0.3) if "acts" in classes else (),
        kills=random.random() < 0.3,
    )


def _house(random: Random, rate_limit: int | None) -> HouseSwitches:
    return HouseSwitches(
        rate_limit=rate_limit,
        expired_status=random.choice((200, 500)),
        refusals=random.choice(("reply", "notice")),
        history_lag_s=Decimal(random.choice((0, 0, 1, LIST_LAG_S))),
        expired_rows=random.choice(("cancelled", "remaining")),
        replaced_rows=random.choice(("zero", "confirmed")),
        cancel_rows=random.random() < 0.6,
        both_spellings=random.random() < 0.5,
        nothing_found=random.choice(("KIOK0560", "KIOK0510")),
        closed_code=random.choice(("APBK0919", "APBK0918")),
    )


def _stream(random: Random) -> StreamSwitches:
    return StreamSwitches(
        notice_layout=random.choice((26, 23)),
        overseas_layout=random.choice((25, 21)),
        trade_layout=random.choice((47, 46)),
        zero_kind_on_fills=random.random() < 0.5,
        keys=random.choice(("session", "tr")),
        keys_on_every_ack=random.random() < 0.5,
        release_s=random.choice((0, 0, 2)),
        notes_ex_officio=random.random() < 0.7,
        notes_expiry=random.random() < 0.3,
        records_per_frame=random.choice((1, 4)),
    )


def market_world(scenario: KisScenario) -> World:
    """The market of these days: both venues open together."""
    entries = []
    for day in scenario.days:
        entries.append(DayOverride(venue=Venue.KRX, day=day, open=OPEN, close=CLOSE, note="simulated"))
        entries.append(DayOverride(venue=Venue.NXT, day=day, closed=True, note="simulated"))
        opens, closes = (_at_seoul(day, at).astimezone(ZONE[Venue.US]) for at in (OPEN, CLOSE))
        entries.append(
            DayOverride(venue=Venue.US, day=day, open=opens.time(), close=closes.time(), note="simulated")
        )
    return World(
        name="simulated day on KIS",
        instruments=INSTRUMENTS,
        bases=BASES,
        overrides=Overrides(days=tuple(entries)),
    )


def at_seoul_ns(day: date, at: time) -> int:
    """UTC nanoseconds of a wall clock time in Seoul."""
    return int(_at_seoul(day, at).astimezone(UTC).timestamp()) * NS


def _at_seoul(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=ZONE[Venue.KRX])


# ---- the weather ------------------------------------------------------------------------------------------


def _on_paths(
    paths: tuple[str, ...], fault: str, low: float, high: float, **given: object
) -> Callable[[Random], tuple[Rule, ...]]:
    def draw(random: Random) -> tuple[Rule, ...]:
        rate = round(random.uniform(low, high), 4)
        return tuple(_rule(fault, Match(path=path, probability=rate), given) for path in paths)

    return draw


def _on_orders(fault: str, low: float, high: float, **given: object) -> Callable[[Random], tuple[Rule, ...]]:
    """A fault of requests that change something."""
    return _on_paths(ORDER_PATHS, fault, low, high, **given)


def _on_all(fault: str, low: float, high: float, **given: object) -> Callable[[Random], tuple[Rule, ...]]:
    def draw(random: Random) -> tuple[Rule, ...]:
        return (_rule(fault, Match(probability=round(random.uniform(low, high), 4)), given),)

    return draw


def _rule(fault: str, match: Match, given: dict[str, object]) -> Rule:
    return msgspec.convert({"fault": fault, "match": match, **given}, Rule)


def _together(*draws: Callable[[Random], tuple[Rule, ...]]) -> Callable[[Random], tuple[Rule, ...]]:
    return lambda random: tuple(rule for draw in draws for rule in draw(random))


def _nothing(random: Random) -> tuple[Rule, ...]:
    return ()


CLASSES: Final[dict[str, Callable[[Random], tuple[Rule, ...]]]] = {
    # The way of a request
    "connection_refused": _on_all("connection_refused", 0.01, 0.08),
    "request_lost": _on_orders("request_lost", 0.02, 0.1),
    "reply_lost": _on_orders("reply_lost", 0.02, 0.15),
    "resets": _together(
        _on_orders("reset_before", 0.0, 0.06),
        _on_orders("reset_after", 0.01, 0.06),
        _on_orders("reset_midway", 0.01, 0.06),
        _on_all("reset_midway", 0.0, 0.03),
    ),
    "slow": _together(
        _on_all("slow", 0.02, 0.2, ms=50, ms_max=3_000),
        _on_orders("slow", 0.0, 0.1, ms=3_000, ms_max=9_000),
    ),
    "slow_request": _on_all("slow_request", 0.02, 0.15, ms=50, ms_max=REQUEST_LATE_MS),
    "errors": _together(
        _on_all("error_before", 0.0, 0.06, status=503), _on_orders("error_after", 0.02, 0.1, status=502)
    ),
    "gateway": _together(
        _on_all("gateway_refusal", 0.02, 0.1),
        _on_orders("gateway_timeout", 0.02, 0.08),
        _on_orders("gateway_timeout", 0.0, 0.04, code="EGW00302"),
    ),
    "token": _together(
        _on_all("token_expired", 0.002, 0.01),
        _on_all("token_expired", 0.0, 0.004, code="EGW00121", status=200),
        _on_all("token_limit", 0.2, 0.5),
    ),
    "refused": _on_orders("refused", 0.02, 0.1),
    "garbled": _together(
        _on_all("garbled", 0.01, 0.05), _on_orders("truncated", 0.01, 0.06), _on_all("login_page", 0.0, 0.03)
    ),
    # Of an order's answer nothing says whose it is: until the other number is known, nobody can tell.
    "swapped": _on_paths(QUESTION_PATHS, "swapped", 0.02, 0.1),
    # Questions
    "pages": _together(_on_all("page_lost", 0.1, 0.5), _on_all("empty_page", 0.02, 0.15)),
    "stale": _on_all("stale", 0.05, 0.3, seconds=LIST_LAG_S),
    "history_lag": _on_all("history_lag", 0.1, 0.5, seconds=LIST_LAG_S),
    # Orders that behave
    "partial_then_cancel": _on_all("partial_then_cancel", 0.05, 0.2),
    # Notices
    "notice_lost": _on_all("notice_lost", 0.02, 0.25),
    "notice_late": _on_all("notice_late", 0.05, 0.4, ms=50, ms_max=5_000),
    "notice_doubled": _on_all("notice_doubled", 0.05, 0.4, ms=0, ms_max=2_000),
    "notice_reordered": _on_all("notice_reordered", 0.05, 0.3),
    "notice_broken": _together(
        _on_all("notice_undecryptable", 0.01, 0.06),
        _on_all("notice_garbled", 0.01, 0.06),
        _on_all("notice_layout", 0.0, 0.06),
    ),
    "sessions": _together(
        _on_all("session_cut", 0.01, 0.04, seconds=5),
        _on_all("session_silent", 0.005, 0.02, seconds=20),
        _on_all("session_refused", 0.05, 0.3),
        _on_all("registration_refused", 0.0, 0.2),
    ),
    "prices": _together(_on_all("trade_lost", 0.05, 0.3), _on_all("trade_layout", 0.01, 0.2)),
    # Ours and theirs
    "crash": _nothing,
    "acts": _nothing,
}
ACTS: Final = ("ex officio", "refused later", "tokens expire", "sessions cut", "sessions silent", "halt")
