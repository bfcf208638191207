"""GENERATED prices and signals for the demonstration: invented, seeded, and labelled so wherever they print.

The strategies look only at prices of the past. One of them is careless on purpose, so that every kind of
refusal can be seen.
"""

from collections import deque
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from jumun.exchange.prices import PathPoint, generated_prices
from jumun.exchange.sample_world import BASES, INSTRUMENTS
from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.signals import TradingSignal
from jumun.replay.options import DemoOptions
from jumun.replay.timeline import SECOND_NS, Print, Timeline, instants_of
from jumun.rules.sessions import SessionPlan, session_on
from jumun.rules.ticks import ceil_to_tick, floor_to_tick, tick_size

ACCOUNT: Final = AccountId("SIM-001")
FIRST_DAY: Final = date(2025, 12, 15)  # twenty sessions from here cross a change of the sale taxes
STEPS: Final = 27  # a print each quarter of an hour, and one at the close
LOOK_BACK: Final = 8
SESSIONS_MAX: Final = 120
SIGNALS_MAX: Final = 100_000
QUOTE_MIN, QUOTE_MAX = 20, 200  # shares on each side: small enough that orders fill in parts
# What is traded first when only some are wanted: every kind of product is among the first six.
ORDER_OF_SYMBOLS: Final = (
    *("005930", "0197X0", "247540", "SPMO", "005935", "AAPL"),
    *("069500", "000660", "035420", "IAU", "SMH"),
)
TARGET: Final = {Currency.KRW: Decimal(2_400_000), Currency.USD: Decimal(2_400)}
HELD_MAX: Final = {Currency.KRW: Decimal(14_000_000), Currency.USD: Decimal(14_000)}


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol at one print: what a strategy may look at."""

    instrument: Instrument
    plan: SessionPlan
    ts_ns: int
    prices: tuple[Decimal, ...]  # newest last


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy wants."""

    side: Side
    qty: Decimal
    price: Decimal | None = None
    tif: TimeInForce | None = TimeInForce.DAY
    ts_ns: int | None = None
    symbol: str | None = None


def demo_instruments(count: int) -> tuple[Instrument, ...]:
    """Return the first `count` instruments of the demonstration; raises ConfigError."""
    if not 1 <= count <= len(ORDER_OF_SYMBOLS):
        raise ConfigError(f"symbols is {count}; give 1 to {len(ORDER_OF_SYMBOLS)}")
    known = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    return tuple(known[symbol] for symbol in ORDER_OF_SYMBOLS[:count])


def demo_timeline(options: DemoOptions) -> Timeline:
    """Return the whole demonstration; the same options give the same one. Raises ConfigError."""
    if not 1 <= options.sessions <= SESSIONS_MAX:
        raise ConfigError(f"sessions is {options.sessions}; give 1 to {SESSIONS_MAX}")
    if not 0 <= options.signals <= SIGNALS_MAX:
        raise ConfigError(f"signals is {options.signals}; give 0 to {SIGNALS_MAX}")
    timeline = Timeline()
    slots: list[Slot] = []
    for instrument in demo_instruments(options.symbols):
        slots += _lay_prices(instrument, options, timeline)
    slots.sort(key=lambda slot: (slot.ts_ns, slot.instrument.symbol))
    timeline.add_signals(_signals(slots, options))
    return timeline


def _lay_prices(instrument: Instrument, options: DemoOptions, timeline: Timeline) -> Iterator[Slot]:
    random = Random(f"{options.seed}/{instrument.symbol}")  # another symbol more changes none of the others
    base = BASES[instrument.symbol]
    seen: deque[Decimal] = deque(maxlen=LOOK_BACK)
    for plan in _sessions(instrument.venue, options.sessions):
        walk = generated_prices(instrument, base, plan.trade_date, random)
        for ts_ns, point in zip(instants_of(plan, STEPS), walk, strict=False):
            timeline.print_at(ts_ns, _print_of(instrument, point, random))
            seen.append(point.price)
            base = point.price
            yield Slot(instrument=instrument, plan=plan, ts_ns=ts_ns, prices=tuple(seen))
        timeline.close(plan)


def _sessions(venue: Venue, count: int) -> Iterator[SessionPlan]:
    day = FIRST_DAY
    while count:
        plan = session_on(venue, day)
        if plan is not None:
            count -= 1
            yield plan
        day += timedelta(days=1)


def _print_of(instrument: Instrument, point: PathPoint, random: Random) -> Print:
    quote_qty = Decimal(random.randint(QUOTE_MIN, QUOTE_MAX))
    return Print(symbol=instrument.symbol, price=point.price, volume=point.volume, quote_qty=quote_qty)


class _Hopes:
    """What the strategies would hold if every order had filled; they know no better."""

    def __init__(self) -> None:
        self._qty: dict[str, Decimal] = {}

    def of(self, symbol: str) -> Decimal:
        return self._qty.get(symbol, Decimal(0))

    def add(self, symbol: str, wish: Wish) -> None:
        signed = wish.qty if wish.side is Side.BUY else -wish.qty
        self._qty[symbol] = max(self.of(symbol) + signed, Decimal(0))


def _signals(slots: list[Slot], options: DemoOptions) -> Iterator[TradingSignal]:
    """Yield exactly the number of signals that was asked for, spread evenly over the slots."""
    hopes, count = _Hopes(), 0
    for index, slot in enumerate(slots, start=1):
        due = options.signals * index // len(slots) - count
        for nth in range(due):
            count += 1
            yield _signal(count, slot, str(nth) if nth else "", hopes)


def _signal(number: int, slot: Slot, leg: str, hopes: _Hopes) -> TradingSignal:
    if number % 10 == 0:
        name, wish = "careless", _careless(number // 10, slot, hopes)
    elif number % 2:
        name, wish = "momentum", _momentum(number, slot, hopes)
    else:
        name, wish = "reversion", _reversion(number, slot, hopes)
    if name != "careless":
        hopes.add(slot.instrument.symbol, wish)
    return TradingSignal(
        symbol=wish.symbol or slot.instrument.symbol,
        side=wish.side,
        quantity=wish.qty,
        order_type=OrderType.MARKET if wish.price is None else OrderType.LIMIT,
        price=wish.price,
        strategy_id=name,
        strategy_version=f"{name}-1",
        account_id=ACCOUNT,
        signal_ts_ns=slot.ts_ns if wish.ts_ns is None else wish.ts_ns,
        time_in_force=wish.tif,
        leg=leg,
    )


def _momentum(number: int, slot: Slot, hopes: _Hopes) -> Wish:
    """Buy what rose over the last prints, sell what fell: at the market, or at the newest price."""
    newest = slot.prices[-1]
    side = _possible(Side.BUY if newest >= slot.prices[0] else Side.SELL, slot, hopes)
    price = None if number % 4 == 1 else newest
    return Wish(side=side, qty=_size(side, slot, hopes), price=price)


def _reversion(number: int, slot: Slot, hopes: _Hopes) -> Wish:
    """Buy below and sell above the newest price, in the hope that it comes back."""
    newest, day = slot.prices[-1], slot.plan.trade_date
    side = _possible(Side.SELL if newest > slot.prices[0] else Side.BUY, slot, hopes)
    ticks = tick_size(slot.instrument, newest, day) * (1 + number % 3)
    if side is Side.BUY:
        price = floor_to_tick(slot.instrument, max(newest - ticks, ticks), day)
    else:
        price = ceil_to_tick(slot.instrument, newest + ticks, day)
    tifs = (TimeInForce.DAY, TimeInForce.DAY, TimeInForce.DAY, None, TimeInForce.IOC)
    tif = tifs[number // 2 % len(tifs)]
    if tif is TimeInForce.IOC and slot.ts_ns + 600_000_000_000 > slot.plan.close_ns:
        tif = TimeInForce.DAY  # immediate orders need continuous trading
    return Wish(side=side, qty=_size(side, slot, hopes), price=price, tif=tif)


def _careless(number: int, slot: Slot, hopes: _Hopes) -> Wish:
    """One mistake after another; each is refused with its reason, or corrected toward safety."""
    newest, qty = slot.prices[-1], _size(Side.BUY, slot, hopes)
    tick = tick_size(slot.instrument, newest, slot.plan.trade_date)
    mistakes = (
        Wish(side=Side.BUY, qty=qty, price=newest * 2),  # outside the band; in New York too large by value
        Wish(side=Side.BUY, qty=qty * 40, price=newest),  # too large
        Wish(side=Side.SELL, qty=hopes.of(slot.instrument.symbol) + 50, price=newest),  # more than is held
        Wish(side=Side.BUY, qty=qty, price=newest, ts_ns=slot.plan.last_ns + number * SECOND_NS),  # closed
        Wish(side=Side.BUY, qty=qty, price=newest - tick / 2),  # off the tick: corrected, not refused
        Wish(side=Side.BUY, qty=qty + Decimal("0.5"), price=newest),  # half a share
        Wish(
            side=Side.BUY, qty=qty, price=newest, tif=TimeInForce.GTC
        ),  # the desk carries it from session to session
        Wish(side=Side.BUY, qty=qty, price=newest, symbol="999999"),  # no such symbol
    )
    return mistakes[number % len(mistakes)]


def _possible(side: Side, slot: Slot, hopes: _Hopes) -> Side:
    """Sell only what may be there; stop buying what is already large."""
    symbol, currency = slot.instrument.symbol, slot.instrument.currency
    held = hopes.of(symbol)
    if not held:
        return Side.BUY
    return Side.SELL if held * slot.prices[-1] > HELD_MAX[currency] else side


def _size(side: Side, slot: Slot, hopes: _Hopes) -> Decimal:
    wanted = max(TARGET[slot.instrument.currency] // slot.prices[-1], Decimal(1))
    held = hopes.of(slot.instrument.symbol)
    return min(wanted, held) if side is Side.SELL and held else wanted
