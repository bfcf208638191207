"""What a scenario or a person at the control address can make happen, beside the rules of the weather.

The market's own acts (halt, refuse_later, mass_cancel, over_fill, bust_trade, …) keep their names from
jumun.exchange.scripted; the others are those of a broker: its tokens, its sessions, its clock.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal
from difflib import get_close_matches
from typing import Final, get_args

import msgspec

from jumun.exchange import service
from jumun.exchange.market import Market
from jumun.exchange.protocol import OpenAccount, SetBase, Step
from jumun.exchange.records import OrderRecord
from jumun.exchange.scripted import (
    Adjust,
    BlockCash,
    BreakCircuit,
    BustTrade,
    Halt,
    IgnoreCancels,
    Interrupt,
    MassCancel,
    Offer,
    OverFill,
    RefuseLater,
    Resume,
)
from jumun.model.errors import BadInput
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.rules.sessions import Phase, session_on
from jumun.simulators.kis.figures import NS, SEOUL, korean
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.streams import KisStreams

DAY_NS: Final = 86_400 * NS
DAY_START: Final = time(8, 0)  # before every venue's first window of the day
SEARCH_DAYS: Final = 31  # the longest closure looked across

Skip = Callable[[int], None]
ALIASES: Final = {"vi": "interrupt", "bust": "bust_trade", "circuit_breaker": "break_circuit"}


class PartialThenCancel(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="partial_then_cancel"
):
    """Fill half of an open order at its price, then cancel the rest ex officio (F-52)."""

    key: str


class ExpireTokens(msgspec.Struct, frozen=True, tag_field="method", tag="expire_tokens"):
    """Let every access token be expired now (F-10)."""


class CutSessions(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="cut_sessions"):
    """End every WebSocket session and take none for so many seconds (F-19)."""

    seconds: float = 0.0


class SilenceSessions(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="silence_sessions"):
    """Let every open session say and hear nothing for so many seconds (F-25)."""

    seconds: float = 60.0


class SkipTime(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="skip_time"):
    """Move the simulator's clock forward."""

    seconds: float


class DayRoll(msgspec.Struct, frozen=True, tag_field="method", tag="day_roll"):
    """Move the clock to 08:00 of the next Korean day: order numbers begin again, orders of today are over."""


class SessionChange(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="session_change"):
    """Move the clock to the next phase of a venue."""

    venue: Venue = Venue.KRX


HouseAct = (
    PartialThenCancel | ExpireTokens | CutSessions | SilenceSessions | SkipTime | DayRoll | SessionChange
)
MarketAct = (
    Step
    | SetBase
    | OpenAccount
    | Offer
    | Halt
    | Resume
    | Interrupt
    | BreakCircuit
    | MassCancel
    | RefuseLater
    | IgnoreCancels
    | OverFill
    | BustTrade
    | Adjust
    | BlockCash
)
Act = HouseAct | MarketAct
KINDS: Final[dict[str, type[msgspec.Struct]]] = {kind.__struct_config__.tag: kind for kind in get_args(Act)}
NAMES: Final = tuple(sorted({*KINDS, *ALIASES}))


def read_act(said: Mapping[str, object]) -> Act:
    """Return the act a mapping names under `act`; raises BadInput with what may be written."""
    name = said.get("act")
    if not isinstance(name, str) or name not in NAMES:
        close = get_close_matches(str(name), NAMES, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise BadInput(f"act {name!r} is unknown; {meant}known are {', '.join(NAMES)}")
    method = ALIASES.get(name, name)
    rest = {key: value for key, value in said.items() if key != "act"}
    fields = [field.name for field in msgspec.structs.fields(KINDS[method])]
    strangers = sorted(set(rest) - set(fields))
    if strangers:
        known = ", ".join(fields) or "none"
        raise BadInput(f"act {name} has no {strangers[0]!r}; its arguments are: {known}")
    try:
        act: Act = msgspec.convert({"method": method, **rest}, Act, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"act {name} cannot be read: {error}") from error
    return act


def perform(act: Act, house: KisHouse, streams: KisStreams, now_ns: int, skip: Skip | None = None) -> None:
    """Make it happen; raises OmsError where it cannot be. `skip` moves the clock; None: nobody can."""
    match act:
        case PartialThenCancel():
            partial_then_cancel(house.market, act.key, now_ns)
        case ExpireTokens():
            house.tokens.expire_all(now_ns)
        case CutSessions():
            streams.cut(now_ns, outage_ns=int(act.seconds * NS))
        case SilenceSessions():
            streams.silence(now_ns + int(act.seconds * NS))
        case SkipTime():
            _skip(skip, int(act.seconds * NS))
        case DayRoll():
            _skip(skip, next_day_ns(now_ns) - now_ns)
        case SessionChange():
            _skip(skip, next_phase_ns(house.market, act.venue, now_ns) - now_ns)
        case _:
            service.change(house.market, act, now_ns)


def partial_then_cancel(market: Market, key: str, now_ns: int) -> None:
    """Fill half of an open order (rounded down) at its price, then let the exchange cancel the rest."""
    record = market.orders.get(key)
    if record is None or not record.is_open:
        raise BadInput(f"order {key} is unknown or has ended; name one that is open")
    half = (record.qty_left / 2).to_integral_value(rounding=ROUND_DOWN)
    if half > 0:
        market.over_fill(key, half, _price_of(market, record), now_ns)
    # Nobody asked for it through the house, so it is told as what an exchange does (notices.py).
    market.cancel(record.account_id, record.trade_date, record.branch, record.number, now_ns)


def _price_of(market: Market, record: OrderRecord) -> Decimal:
    quote = market.quote(record.symbol)
    price = record.price or (None if quote is None else quote.last or quote.base)
    if price is None:
        raise BadInput(
            f"order {record.key} has no price and {record.symbol} never traded; step a price first"
        )
    return price


def next_day_ns(now_ns: int) -> int:
    """Return 08:00 of the next Korean day."""
    tomorrow = korean(now_ns).date() + timedelta(days=1)
    return int(datetime.combine(tomorrow, DAY_START, tzinfo=SEOUL).timestamp()) * NS


def next_phase_ns(market: Market, venue: Venue, now_ns: int) -> int:
    """Return when the next phase of a venue begins or ends; raises BadInput where it has none.

    The day market counts in a world that runs it.
    """
    idle = () if TradingSession.DAY_MARKET in market.world.sessions else (Phase.DAY_MARKET,)
    day = korean(now_ns).date() - timedelta(days=1)
    for number in range(SEARCH_DAYS):
        plan = session_on(venue, day + timedelta(days=number), market.world.overrides)
        windows = () if plan is None else [one for one in plan.windows if one.phase not in idle]
        edges = sorted({edge for window in windows for edge in (window.start_ns, window.end_ns)})
        later = next((edge for edge in edges if edge > now_ns), None)
        if later is not None:
            return later
    raise BadInput(f"{venue} has no session in the next {SEARCH_DAYS} days; check the calendar")


def _skip(skip: Skip | None, by_ns: int) -> None:
    if skip is None:
        raise BadInput("this simulator has no clock of its own; move the one it was given")
    if by_ns < 0:
        raise BadInput("time cannot go back; give a number above zero")
    skip(by_ns)
