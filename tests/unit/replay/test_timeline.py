"""Bars become prints on the tick, inside the session, with the day's base price in front of them."""

from datetime import date
from decimal import Decimal

import pytest

from jumun.exchange.prices import Bar
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.instruments import Instrument, Venue
from jumun.replay.timeline import Timeline, instants_of, lay_bars
from jumun.rules.sessions import Phase, phase_at, session_on
from jumun.rules.ticks import is_on_tick

D = Decimal
MONDAY, TUESDAY = date(2025, 6, 16), date(2025, 6, 17)


def the(symbol: str) -> Instrument:
    return next(instrument for instrument in INSTRUMENTS if instrument.symbol == symbol)


def a_bar(day: date, *prices: str, symbol: str = "005930", traded: bool = True) -> Bar:
    open_, high, low, close = (D(price) for price in prices)
    return Bar(
        symbol=symbol, day=day, open=open_, high=high, low=low, close=close, volume=D(600), traded=traded
    )


@pytest.mark.req("I-57")
def test_a_bar_is_printed_on_the_tick_in_session_and_ends_with_its_close() -> None:
    timeline = Timeline()
    laid = lay_bars(
        the("SPMO"), [a_bar(MONDAY, "108.1234", "109", "107.5", "108.87", symbol="SPMO")], 6, timeline
    )
    moments = timeline.moments()
    prints = [one for moment in moments for one in moment.prints]
    assert len(prints) == 6
    assert prints[-1].price == D("108.87")
    assert sum(one.volume for one in prints) == 600
    assert all(is_on_tick(the("SPMO"), one.price, MONDAY) for one in prints)
    assert all(phase_at(Venue.US, m.ts_ns)[0] is Phase.CONTINUOUS for m in moments if m.prints)
    assert [close.day for moment in moments for close in moment.closes] == [MONDAY]
    assert (laid.bars, laid.snapped) == (1, 1)


def test_the_base_is_the_close_before_unless_the_bar_leaves_its_limits() -> None:
    days = [
        a_bar(MONDAY, "58000", "58500", "57500", "58400"),
        a_bar(TUESDAY, "29200", "29300", "29100", "29250"),  # a split: half the price
    ]
    timeline = Timeline()
    laid = lay_bars(the("005930"), days, 6, timeline)
    bases = [base.price for moment in timeline.moments() for base in moment.bases]
    assert laid.based == 2  # the first day has no close before it
    assert bases == [D(58_000), D(29_200)]


def test_a_day_without_trading_is_skipped_and_counted() -> None:
    timeline = Timeline()
    laid = lay_bars(the("005930"), [a_bar(MONDAY, "0", "0", "0", "58000", traded=False)], 6, timeline)
    assert laid.untraded == 1
    assert timeline.moments() == []


@pytest.mark.parametrize("day", [MONDAY, date(2025, 1, 2), date(2025, 11, 13)])
def test_the_last_print_of_seoul_is_in_the_closing_auction(day: date) -> None:
    plan = session_on(Venue.KRX, day)
    assert plan is not None
    instants = instants_of(plan, 8)
    assert instants == sorted(instants)
    assert [plan.phase_at(ts_ns) for ts_ns in instants[-2:]] == [Phase.CONTINUOUS, Phase.CLOSING_AUCTION]
    assert instants[0] == next(w.start_ns for w in plan.windows if w.phase is Phase.CONTINUOUS)
