"""Prices, limits, halts and trading days as KIS tells them (kis.md 3.2.1, 3.2.2, 3.2.4, 3.3.8). Pure."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from jumun.brokers.kis.fields import Fields
from jumun.brokers.kis.replies import Envelope, record_in, rows_in
from jumun.model.errors import OrderDenied, UnreadableReply
from jumun.model.instruments import Instrument, Venue
from jumun.model.reports import ToldDay
from jumun.rules.bands import price_band
from jumun.rules.ticks import tick_size

HALTED: Final = "58"  # iscd_stat_cls_code
FEED_CODE_LENGTH: Final = 4  # DNAS, RBAQ (kis.md 4.7)
STATUS_CODES: Final = frozenset({"00", "51", "52", "53", "54", "55", "57", HALTED, "59"})


class KisPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a symbol's price; None where an inquiry does not tell, never a guess (I-53).

    `upper` and `lower` are the day's limits, counted from `base`; `tick` is the step at `last`.
    """

    symbol: str
    last: Decimal | None = None
    base: Decimal | None = None
    upper: Decimal | None = None
    lower: Decimal | None = None
    tick: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    expected: Decimal | None = None  # the price that an auction under way would give
    is_halted: bool = False
    is_interrupted: bool = False  # a volatility interruption is on


class KisDay(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar day at KRX."""

    day: date
    is_open: bool  # the one to go by for orders
    is_settlement: bool


def price_of(envelope: Envelope, symbol: str) -> KisPrice:
    """Return inquire-price for the symbol that was asked for."""
    output = record_in(envelope, "output")
    status = output.optional("iscd_stat_cls_code")
    if status and status not in STATUS_CODES:
        raise output.unreadable(f"iscd_stat_cls_code is {status!r}, which nobody knows")
    return KisPrice(
        symbol=symbol,
        last=_price(output, "stck_prpr"),
        base=_price(output, "stck_sdpr"),
        upper=_price(output, "stck_mxpr"),
        lower=_price(output, "stck_llam"),
        tick=_price(output, "aspr_unit"),
        is_halted=status == HALTED or output.yes("temp_stop_yn"),
        is_interrupted=output.yes("vi_cls_code"),
    )


def limits_dispute(price: KisPrice, instrument: Instrument, day: date) -> str:
    """Return where KIS's limits and tick differ from our tables; empty where they agree or are not told.

    A difference means that one of us has a wrong base price, or a table of another date.
    """
    try:
        band = None if price.base is None else price_band(instrument, price.base, day)
        step = None if price.last is None else tick_size(instrument, price.last, day)
    except OrderDenied:
        return ""  # we have no table for it, and no order is taken without one
    pairs = (
        ("upper limit", price.upper, None if band is None else band.upper),
        ("lower limit", price.lower, None if band is None else band.lower),
        ("tick", price.tick, step),
    )
    told = [
        f"{name} {theirs} and not {ours}"
        for name, theirs, ours in pairs
        if theirs is not None and ours is not None and theirs != ours
    ]
    return f"KIS says {', '.join(told)} of {price.symbol} on {day}" if told else ""


def book_of(envelope: Envelope, symbol: str) -> KisPrice:
    """Return the best quotes of inquire-asking-price-exp-ccn; one about another symbol is unreadable."""
    quotes, state = record_in(envelope, "output1"), record_in(envelope, "output2")
    told = state.optional("stck_shrn_iscd")
    if told and told != symbol:
        raise state.unreadable(f"asked for {symbol} and told of {told}")
    return KisPrice(
        symbol=symbol,
        last=_price(state, "stck_prpr"),
        base=_price(state, "stck_sdpr") if state.optional("stck_sdpr") else None,
        bid=_price(quotes, "bidp1"),
        ask=_price(quotes, "askp1"),
        expected=_price(state, "antc_cnpr"),
        is_interrupted=state.yes("vi_cls_code"),
    )


def us_price_of(envelope: Envelope, symbol: str) -> KisPrice:
    """Return the overseas price; `rsym` is a feed, a quote code and the symbol that was asked for."""
    output = record_in(envelope, "output")
    told = output.text("rsym")
    if told[FEED_CODE_LENGTH:] != symbol:
        raise output.unreadable(f"asked for {symbol} and told of {told}")
    return KisPrice(symbol=symbol, last=_price(output, "last"), base=_price(output, "base"))


def days_of(envelope: Envelope) -> tuple[KisDay, ...]:
    """Return the days of chk-holiday; documented as one object, a list in practice."""
    return tuple(
        KisDay(day=row.day("bass_dt"), is_open=row.yes("opnd_yn"), is_settlement=row.yes("sttl_day_yn"))
        for row in rows_in(envelope, "output")
    )


def told_days(envelope: Envelope, first: date) -> tuple[ToldDay, ...]:
    """Return the days from `first` on; raises UnreadableReply for a list with a hole or about other days."""
    rows, days = rows_in(envelope, "output"), days_of(envelope)
    wanted = tuple(first + timedelta(days=count) for count in range(len(days)))
    if not days or tuple(one.day for one in days) != wanted:
        told = f"{days[0].day} to {days[-1].day}" if days else "no day"
        raise UnreadableReply(
            f"asked for the days from {first} on and told {len(days)}, {told}: not one after another",
            raw=envelope.raw,
        )
    for row in rows:
        row.text("opnd_yn")  # a blank is no word about a day
    return tuple(ToldDay(venue=Venue.KRX, day=one.day, is_open=one.is_open) for one in days)


def _price(fields: Fields, name: str) -> Decimal | None:
    """Zero means that there is none yet: no trade, no order on that side, no auction."""
    return fields.number(name) or None
