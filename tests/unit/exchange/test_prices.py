"""Generated prices and bars: on the tick, inside the limits and the bar, with the volume there was."""

from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.exchange.bars import BadRow, read_bars, symbol_of_file
from jumun.exchange.prices import Bar, base_for_day, generated_prices, path_of_bar, snap, snapped_bar
from jumun.exchange.sample_world import BASES, INSTRUMENTS
from jumun.model.errors import ConfigError
from jumun.model.instruments import Instrument
from jumun.model.reasons import Reason
from jumun.rules.bands import price_band
from jumun.rules.ticks import is_on_tick

DAY = date(2025, 6, 16)
BY_SYMBOL = {instrument.symbol: instrument for instrument in INSTRUMENTS}
SAMSUNG = BY_SYMBOL["005930"]
DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
HEADER = "date,open,high,low,close,volume\n"


@pytest.mark.req("I-57")
@given(st.sampled_from(INSTRUMENTS), st.integers(0, 10_000))
def test_generated_prices_stay_on_the_tick_and_inside_the_limits(instrument: Instrument, seed: int) -> None:
    base = BASES[instrument.symbol]
    band = price_band(instrument, base, DAY)
    for point in islice(generated_prices(instrument, base, DAY, Random(seed)), 200):
        assert is_on_tick(instrument, point.price, DAY)
        assert band is None or band.contains(point.price)
        assert point.volume >= 0


def test_a_walk_stays_inside_the_limits_even_when_it_starts_at_the_edge() -> None:
    band = price_band(SAMSUNG, Decimal(58_000), DAY)
    assert band is not None
    walk = generated_prices(SAMSUNG, Decimal(58_000), DAY, Random(1), start=band.upper)
    prices = [point.price for point in islice(walk, 500)]
    assert prices[0] == band.upper
    assert all(band.contains(price) for price in prices)


@pytest.mark.req("I-63")
def test_the_same_seed_walks_the_same_way_and_another_does_not() -> None:
    def walk(seed: int) -> list[Decimal]:
        prices = generated_prices(SAMSUNG, Decimal(58_000), DAY, Random(seed))
        return [point.price for point in islice(prices, 100)]

    assert walk(1) == walk(1)
    assert walk(1) != walk(2)


def a_bar(open_: str, high: str, low: str, close: str, volume: int = 100) -> Bar:
    prices = [Decimal(text) for text in (open_, high, low, close)]
    return Bar(
        symbol="005930",
        day=DAY,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=Decimal(volume),
    )


@given(
    st.sampled_from(INSTRUMENTS),
    st.lists(st.integers(-2_900, 2_900), min_size=4, max_size=4),
    st.integers(4, 60),
    st.integers(0, 10**7),
)
def test_the_path_of_a_bar_visits_its_corners_on_the_tick_with_its_volume(
    instrument: Instrument, moves: list[int], steps: int, volume: int
) -> None:
    base = BASES[instrument.symbol]
    low, a, b, high = sorted(snap(instrument, base * (10_000 + move) / 10_000, DAY) for move in moves)
    bar = Bar(symbol=instrument.symbol, day=DAY, open=a, high=high, low=low, close=b, volume=Decimal(volume))
    path = path_of_bar(instrument, bar, steps)
    prices = [point.price for point in path]
    assert len(path) == steps
    assert (prices[0], prices[-1], min(prices), max(prices)) == (a, b, low, high)
    assert all(is_on_tick(instrument, price, DAY) for price in prices)
    assert sum(point.volume for point in path) == volume
    assert all(point.volume >= 0 for point in path)


def test_a_rising_day_visits_the_low_first_and_a_falling_one_the_high() -> None:
    rising = [p.price for p in path_of_bar(SAMSUNG, a_bar("58000", "60000", "57000", "59000"), 30)]
    falling = [p.price for p in path_of_bar(SAMSUNG, a_bar("58000", "60000", "57000", "57500"), 30)]
    assert rising.index(Decimal(57_000)) < rising.index(Decimal(60_000))
    assert falling.index(Decimal(60_000)) < falling.index(Decimal(57_000))


def test_adjusted_prices_are_moved_to_the_tick_and_counted() -> None:
    spmo = BY_SYMBOL["SPMO"]
    bar = snapped_bar(spmo, a_bar("63.9646", "64.0400", "63.4291", "63.7681"))
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(
        Decimal(text) for text in ("63.96", "64.04", "63.43", "63.77")
    )
    assert bar.snapped == 3


def test_a_day_beyond_the_limits_of_the_close_before_takes_its_base_from_the_bar() -> None:
    bar = a_bar("58000", "60000", "57000", "59000")
    assert base_for_day(SAMSUNG, Decimal(58_500), bar) == (Decimal(58_500), False)
    assert base_for_day(SAMSUNG, Decimal(580_000), bar) == (Decimal(58_500), True)
    assert base_for_day(SAMSUNG, None, bar) == (Decimal(58_500), True)


def test_a_broken_row_is_refused_with_its_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "005930_daily.csv"
    path.write_text(
        HEADER
        + "2025-06-02,100,110,90,105,1000\n"
        + "2025-06-03,100,110,90,abc,1000\n"
        + "2025-13-04,100,110,90,105,1000\n"
        + "2025-06-05,100,110,90,105\n"
        + "2025-06-06,100,99,90,105,1000\n"
        + "2025-06-07,100,110,90,105,-5\n"
        + "2025-06-08,1e3,110,90,105,5\n"
        + "2025-06-02,100,110,90,105,1000\n"
        + "2025-06-09,NaN,110,90,105,5\n"
        + "2025-06-10,-1,110,-1,105,5\n"
        + "2025-06-11,0,0,0,105,0\n"
        + "2025-06-12,100,110,90,105,7\n"
    )
    rows = list(read_bars(path))
    bad = [row for row in rows if isinstance(row, BadRow)]
    good = [row for row in rows if isinstance(row, Bar)]
    assert [row.line for row in bad] == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert all(row.file == path.name and f"line {row.line}:" in row.text for row in bad)
    assert {row.reason for row in bad} <= set(Reason)
    assert [(bar.day.day, bar.traded) for bar in good] == [(2, True), (11, False), (12, True)]
    assert {bar.symbol for bar in good} == {"005930"}
    assert path_of_bar(SAMSUNG, good[1], 10) == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [("gone.csv", None), ("a.csv", b"date,open\n"), ("b.csv.gz", b"no gzip"), ("c.csv", b"\xff\xfe\x00")],
)
def test_a_file_that_is_no_table_of_bars_is_refused_whole(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        list(read_bars(path))


def test_a_file_is_named_for_its_symbol() -> None:
    assert symbol_of_file(Path("x/005930_daily.csv.gz")) == "005930"
    assert symbol_of_file(Path("SPMO.csv")) == "SPMO"


@pytest.mark.parametrize(
    ("name", "rows", "symbols", "refused"),
    [
        ("005930_daily.csv", 300, 1, []),
        ("SPMO_daily.csv", 500, 1, []),
        # One close stands a won above its high: adjusted after the fact, and rightly refused.
        ("krx_daily_2025-05_06.csv.gz", 79_000, 2_700, [3255]),
    ],
)
def test_real_bars_are_read(name: str, rows: int, symbols: int, refused: list[int]) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the repository; real bars are checked where it is")
    bars = list(read_bars(path))
    assert [row.line for row in bars if isinstance(row, BadRow)] == refused
    assert len(bars) >= rows
    assert len({bar.symbol for bar in bars if isinstance(bar, Bar)}) >= symbols
