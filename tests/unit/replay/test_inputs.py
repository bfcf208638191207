"""Broken rows are refused with file, line, reason and one sentence; the rest goes on."""

from pathlib import Path

import pytest

from jumun.model.errors import ConfigError
from jumun.model.instruments import Market, Product
from jumun.model.reasons import Reason
from jumun.replay.inputs import read_master, read_prices, read_signals

HEADER = "symbol,side,quantity,order_type,price,strategy_id,strategy_version,account_id,signal_ts"
GOOD = "005930,BUY,10,LIMIT,58000,ma,ma-1,SIM-001,2025-06-02T10:00:00+09:00"


def written(tmp_path: Path, name: str, *lines: str) -> Path:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("BUY", "HOLD"), Reason.UNKNOWN_SIDE),
        (GOOD.replace(",10,", ",NaN,"), Reason.BAD_NUMBER),
        (GOOD.replace(",10,", ",,"), Reason.BAD_NUMBER),
        (GOOD.replace(",10,", ",1e3,"), Reason.BAD_NUMBER),
        (GOOD.replace("58000", "inf"), Reason.BAD_NUMBER),
        (GOOD.replace("LIMIT", "ICEBERG"), Reason.BAD_SIGNAL),
        (GOOD.replace("+09:00", ""), Reason.BAD_TIME),
        (GOOD.replace("2025-06-02T10:00:00+09:00", "soon"), Reason.BAD_TIME),
        (GOOD.replace("2025-06-02T10:00:00+09:00", "\u00b2\u00b2"), Reason.BAD_SIGNAL),
        (GOOD.replace("SIM-001", ""), Reason.BAD_SIGNAL),
        (GOOD.replace("ma-1", "ma|1"), Reason.BAD_SIGNAL),
        (GOOD + ",extra", Reason.BAD_INPUT),
        ("005930,BUY", Reason.BAD_INPUT),
    ],
)
def test_a_bad_signal_row_is_refused_with_its_place_and_the_rest_goes_on(
    tmp_path: Path, row: str, reason: Reason
) -> None:
    path = written(tmp_path, "signals.csv", HEADER, GOOD, row, GOOD.replace("BUY", "SELL"))
    signals = read_signals(path)
    assert [signal.side.value for signal in signals.good] == ["BUY", "SELL"]
    (refused,) = signals.refused
    assert (refused.file, refused.line, refused.reason) == ("signals.csv", 3, reason)
    assert refused.text.startswith("signals.csv line 3: ")


def test_time_in_force_and_leg_may_be_given(tmp_path: Path) -> None:
    header = f"{HEADER},time_in_force,leg"
    path = written(tmp_path, "signals.csv", header, f"{GOOD},IOC,2", f"{GOOD},,")
    first, second = read_signals(path).good
    assert (first.time_in_force, first.leg) == ("IOC", "2")
    assert (second.time_in_force, second.leg) == (None, "")


@pytest.mark.req("F-96")
def test_a_leg_with_a_bar_could_make_two_signals_one_and_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "signals.csv", f"{HEADER},leg", f"{GOOD},a|b")
    assert [row.reason for row in read_signals(path).refused] == [Reason.BAD_SIGNAL]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((HEADER.replace("side,", ""), GOOD), "lacks side"),
        ((f"{HEADER},mood", GOOD), "does not know mood"),
        (("",), "names none of its columns"),
    ],
)
def test_a_file_without_its_columns_is_refused_whole(
    tmp_path: Path, lines: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        read_signals(written(tmp_path, "signals.csv", *lines))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signals(tmp_path / "nothing.csv")


def test_bars_of_unknown_symbols_closed_days_and_second_files_are_refused(tmp_path: Path) -> None:
    header = "date,open,high,low,close,volume"
    known = written(
        tmp_path,
        "005930_daily.csv",
        header,
        "2025-06-02,100,110,90,105,1000",
        "2025-06-03,100,110,90,105,1000",  # an election: KRX was closed
        "2025-06-04,100,90,110,105,1000",  # high below low
    )
    unknown = written(tmp_path, "123456_daily.csv", header, "2025-06-02,100,110,90,105,1000")
    again = written(tmp_path, "005930_more.csv", header, "2025-06-05,100,110,90,105,1000")
    bars = read_prices((known, unknown, again), read_master(None))
    assert [bar.day.isoformat() for bar in bars.by_symbol["005930"]] == ["2025-06-02"]
    assert [(row.file, row.line, row.reason) for row in bars.refused] == [
        ("005930_daily.csv", 3, Reason.SESSION_CLOSED),
        ("005930_daily.csv", 4, Reason.BAD_NUMBER),
        ("123456_daily.csv", 2, Reason.UNKNOWN_SYMBOL),
        ("005930_more.csv", 2, Reason.BAD_INPUT),
    ]


def test_instruments_come_from_a_file_beside_the_sample_ones(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "master.csv",
        "symbol,market,product,name",
        "068270,KOSPI,SHARE,a share",
        "QQQ,US,ETF,a fund",
    )
    master = read_master(path)
    assert master.get("068270").market is Market.KOSPI
    assert master.get("QQQ").product is Product.ETF
    assert "005930" in master


@pytest.mark.parametrize("row", ["068270,MARS,SHARE,x", "068270,KOSPI,WARRANT,x", "68270,KOSPI,SHARE,x", "a"])
def test_one_broken_instrument_refuses_the_file_because_it_decides_ticks_and_taxes(
    tmp_path: Path, row: str
) -> None:
    path = written(tmp_path, "master.csv", "symbol,market,product,name", row)
    with pytest.raises(ConfigError, match=r"master\.csv line 2: "):
        read_master(path)
