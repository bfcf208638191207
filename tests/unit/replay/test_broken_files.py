"""What people really hand to `jumun replay`: nothing is traded on a guess, and nothing is lost uncounted."""

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jumun.replay import ReplayOptions, run_replay
from jumun.replay.summary import ROWS_NAMED_MAX, shown

HEADER = "symbol,side,quantity,order_type,price,strategy_id,strategy_version,account_id,signal_ts"
GOOD = "005930,BUY,1,LIMIT,56700,s,{},SIM-001,2025-12-18T10:30:00+09:00"
BARS = "date,symbol,open,high,low,close,volume"
DAYS = (
    "2025-12-17,005930,56500,57500,56300,56700,5170",
    "2025-12-18,005930,56700,57900,56700,57600,5376",
    "2025-12-19,005930,57600,58100,57400,57500,5945",
)
TWO_ACCOUNTS = """
[[accounts]]
account_id = "SIM-001"
may_buy = true
may_sell = true
opening_cash = { KRW = "5000000" }
[[accounts]]
account_id = "SIM-002"
may_buy = true
may_sell = true
opening_cash = { KRW = "7000000" }
"""


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OMS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def file(name: str, *lines: str) -> Path:
    path = Path(name)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(
    capsys: pytest.CaptureFixture[str],
    signals: Path,
    *prices: Path,
    as_json: bool = True,
    store: str = "replay.db",
) -> tuple[int, Any, str]:
    given = prices or (file("bars.csv", BARS, *DAYS),)
    code = run_replay(ReplayOptions(prices=given, signals=signals, store=Path(store), json=as_json))
    out, err = capsys.readouterr()
    return code, json.loads(out) if as_json and out else out, err


def starts(rows: list[str]) -> list[str]:
    """Code, file and line of each named row."""
    return [":".join(row.split(":")[:2]) for row in rows]


@pytest.mark.req("F-93", "F-96", "I-53")
def test_a_signal_of_a_year_without_a_calendar_is_refused_and_the_others_trade(
    capsys: pytest.CaptureFixture[str],
) -> None:
    far, late = GOOD.format("far").replace("2025", "2030"), GOOD.format("late").replace("2025", "2026")
    early = GOOD.format("early").replace("12-18", "12-01")
    code, told, _ = run(capsys, file("s.csv", HEADER, GOOD.format("a"), far, late, early, GOOD.format("b")))
    assert code == 0
    assert told["run"]["new_orders"] == 2
    assert starts(told["rows_named"]) == [
        *("NO_TABLE: s.csv line 3", "BAD_TIME: s.csv line 4", "BAD_TIME: s.csv line 5")
    ]


@pytest.mark.req("F-96")
@pytest.mark.parametrize(("hours", "taken"), [(23, True), (25, False)])
def test_a_signal_may_lie_a_day_beyond_the_last_bar_and_no_more(
    capsys: pytest.CaptureFixture[str], hours: int, taken: bool
) -> None:
    when = f"2025-12-20T{15 + hours - 24}:30:00+09:00"  # the last bar's session ends on the 19th at 15:30
    row = GOOD.format("a").replace("2025-12-18T10:30:00+09:00", when)
    _, told, _ = run(capsys, file("s.csv", HEADER, row))
    assert (told["signals"], told["rows_refused"]) == ((1, 0) if taken else (0, 1))


@pytest.mark.req("F-93", "I-53")
def test_a_bar_of_a_day_without_a_calendar_or_without_a_known_settlement_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = file("bars.csv", BARS, *DAYS, "2027-12-30,005930,1,1,1,1,1", "2030-01-02,005930,1,1,1,1,1")
    code, told, _ = run(capsys, file("s.csv", HEADER, GOOD.format("a")), bars)
    assert code == 0
    assert starts(told["rows_named"]) == ["NO_TABLE: bars.csv line 5", "NO_TABLE: bars.csv line 6"]


@pytest.mark.req("F-96")
def test_a_column_that_is_named_twice_refuses_the_file_of_signals_or_prices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    twice = file(
        "dup.csv",
        HEADER.replace("quantity,", "quantity,quantity,"),
        GOOD.format("a").replace(",1,", ",1,50,"),
    )
    code, out, err = run(capsys, twice)
    assert (code, out) == (1, "")
    assert err.startswith("BAD_INPUT: dup.csv names the column quantity twice")
    bars = file("b.csv", BARS.replace("close", "close,close"), DAYS[0].replace("56700", "56700,1"))
    code, out, err = run(capsys, file("s.csv", HEADER, GOOD.format("a")), bars)
    assert (code, out) == (1, "")
    assert err.startswith("BAD_INPUT: b.csv names the column close twice")


@pytest.mark.req("F-96")
def test_an_open_quote_costs_its_own_line_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    broken = GOOD.format("b").replace("BUY", '"BUY')
    rows = (GOOD.format("a"), broken, "", GOOD.format("c"), GOOD.format("d"), "x" * 200_000, GOOD.format("e"))
    code, told, _ = run(capsys, file("s.csv", HEADER, *rows))
    assert code == 0
    assert starts(told["rows_named"]) == ["BAD_INPUT: s.csv line 3", "BAD_INPUT: s.csv line 7"]
    assert told["run"]["new_orders"] == 4


@pytest.mark.req("F-96")
def test_a_refused_bar_says_nothing_about_those_after_it_and_lines_are_counted_as_an_editor_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = file(
        "b.csv", BARS, DAYS[0], "", "2031-01-02,005930,1,1,1,1,1", "2025-12-25,005930,1,1,1,1,1", *DAYS[1:]
    )
    code, told, _ = run(capsys, file("s.csv", HEADER, GOOD.format("a")), bars)
    assert code == 0
    assert starts(told["rows_named"]) == ["NO_TABLE: b.csv line 4", "SESSION_CLOSED: b.csv line 5"]
    assert told["sessions"] == 3


@pytest.mark.req("I-53", "F-96")
def test_a_misspelt_account_opens_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (GOOD.format("a"), GOOD.format("b").replace("SIM-001", "SIM-0O1"))
    code, told, _ = run(capsys, file("s.csv", HEADER, *rows))
    assert code == 0
    assert starts(told["rows_named"]) == ["UNKNOWN_ACCOUNT: s.csv line 3"]
    assert "SIM-001" in told["rows_named"][0]
    assert list(told["books"]["cash_by_account"]) == ["SIM-001"]


@pytest.mark.req("I-30", "I-53")
def test_declared_accounts_have_their_own_cash_and_the_summary_never_only_sums_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("jumun.toml", TWO_ACCOUNTS)
    row = GOOD.format("a").replace("LIMIT,56700", "MARKET,")
    signals = file("s.csv", HEADER, row, row.replace("SIM-001", "SIM-002"))
    code, told, _ = run(capsys, signals)
    assert (code, told["invariants"], told["rows_refused"]) == (0, "ok", 0)
    by_account = {name: Decimal(cash["KRW"]) for name, cash in told["books"]["cash_by_account"].items()}
    assert 4_900_000 < by_account["SIM-001"] < 5_000_000
    assert 6_900_000 < by_account["SIM-002"] < 7_000_000
    assert told["books"]["cash_by_account"] == told["books"]["cash_at_exchange_by_account"]
    assert Decimal(told["books"]["cash"]["KRW"]) == sum(by_account.values())
    _, text, _ = run(capsys, signals, as_json=False)
    for words in (
        "cash of SIM-001",
        "cash of SIM-002",
        "cash of all accounts",
        "Positions of SIM-002 in KRW",
    ):
        assert words in text


@pytest.mark.req("I-53")
def test_a_store_with_an_account_that_is_no_longer_declared_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = file("jumun.toml", TWO_ACCOUNTS)
    signals = file("s.csv", HEADER, GOOD.format("a"))
    assert run(capsys, signals)[0] == 0
    settings.unlink()
    code, out, err = run(capsys, signals)
    assert (code, out) == (1, "")
    assert "holds account SIM-002, which is not declared" in err


@pytest.mark.req("F-96")
def test_bars_that_came_already_are_not_traded_twice(capsys: pytest.CaptureFixture[str]) -> None:
    signals = file("s.csv", HEADER, GOOD.format("a"))
    bars = file("b.csv", BARS, *DAYS)
    code, out, err = run(capsys, signals, bars, Path("..") / bars.resolve().parent.name / bars.name)
    assert (code, out) == (1, "")
    assert err.startswith("BAD_INPUT: ")
    assert "was given twice" in err
    code, told, _ = run(capsys, signals, bars, file("copy.csv", BARS, *DAYS))
    assert code == 0
    assert starts(told["rows_named"]) == [f"BAD_INPUT: copy.csv line {line}" for line in (2, 3, 4)]
    assert "2025-12-17 came already in b.csv line 2" in told["rows_named"][0]
    assert told["prints"] == 24


@pytest.mark.req("F-96")
def test_a_terminal_names_twenty_refused_rows_and_counts_the_rest_and_json_names_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signals = file("s.csv", HEADER, *[GOOD.format(f"v{n}").replace("BUY", "HOLD") for n in range(34)])
    _, told, _ = run(capsys, signals)
    assert len(told["rows_named"]) == told["rows_refused"] == 34
    assert told["rows_not_named"] == 0
    _, text, _ = run(capsys, signals, as_json=False)
    assert sum(line.startswith("UNKNOWN_SIDE: s.csv line ") for line in text.splitlines()) == 20
    assert "… and 14 more; --json names all\n" in text


def test_beyond_ten_thousand_rows_the_sentence_promises_no_more_than_json_holds() -> None:
    lines = ["row"] * ROWS_NAMED_MAX
    assert shown(lines, 12_000)[-1] == "… and 11,980 more; --json names the first 10,000"
    assert shown(lines[:20], 20) == lines[:20]


@pytest.mark.req("F-96")
def test_where_every_row_is_refused_the_error_shows_the_first_reasons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = file("b.csv", BARS, "2025-12-18,005930,NaN,1,1,1,1")
    rows = [GOOD.format(f"v{n}").replace("BUY", "HOLD") for n in range(9)]
    code, out, err = run(capsys, file("s.csv", HEADER, *rows), bars)
    assert (code, out) == (1, "")
    assert err.startswith("BAD_INPUT: there is nothing to replay: no bar is usable and 10 rows were refused")
    assert "BAD_NUMBER: b.csv line 2" in err
    assert "UNKNOWN_SIDE: s.csv line 5" in err
    assert "s.csv line 6" not in err
    assert err.endswith("… and 5 more\n")


@pytest.mark.req("F-14")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_signal_with_the_key_of_another_and_other_content_is_named(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    same = GOOD.format("a")
    signals = file("s.csv", HEADER, same, same.replace(",1,", ",2,"), same)
    _, told, _ = run(capsys, signals, as_json=as_json)
    if as_json:
        assert told["run"]["mismatched"] == 1
        assert starts(told["mismatches"]) == ["KEY_CONFLICT: s.csv line 3"]
    else:
        assert "KEY_CONFLICT: s.csv line 3" in told


def test_the_books_are_for_their_owner_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.umask(0o022)
    try:
        run(capsys, file("s.csv", HEADER, GOOD.format("a")), store="new/var/replay.db")
    finally:
        os.umask(before)
    modes = {name: Path(name).stat().st_mode & 0o777 for name in ("new", "new/var")}
    assert modes == {"new": 0o700, "new/var": 0o700}
    for name in ("replay.db", "replay.db.exchange"):
        assert Path("new/var", name).stat().st_mode & 0o777 == 0o600, name


@pytest.mark.req("F-96")
def test_a_file_without_its_columns_is_bad_input_and_the_list_is_for_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signals = file("s.csv", HEADER, GOOD.format("a"))
    _, _, err = run(capsys, signals, file("b.csv", "date,open,close", "2025-12-18,1,1"))
    assert err == (
        "BAD_INPUT: b.csv lacks high, low, volume in its first line; "
        "name date, open, high, low, close, volume there\n"
    )
    _, _, err = run(capsys, file("semi.csv", HEADER.replace(",", ";")))
    assert err.startswith(
        "BAD_INPUT: semi.csv names none of its columns; its first line must hold symbol, side"
    )


def test_a_file_that_is_no_text_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    signals = Path("s.csv")
    signals.write_bytes((HEADER + "\n" + GOOD.format("\ud55c\uae00")).encode("cp949"))
    assert run(capsys, signals)[2].startswith("BAD_INPUT: s.csv cannot be read")
    torn = Path("b.csv.gz")
    torn.write_bytes(gzip.compress("\n".join((BARS, *DAYS)).encode())[:-12])
    _, _, err = run(capsys, file("t.csv", HEADER), torn)
    assert err.startswith("BAD_INPUT: b.csv.gz cannot be read")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_any_system_ends_them(capsys: pytest.CaptureFixture[str], end: str) -> None:
    path = Path("s.csv")
    rows = (HEADER, GOOD.format("a"), GOOD.format("b").replace("BUY", "HOLD"))
    path.write_bytes(("\ufeff" + end.join(rows)).encode())
    _, told, _ = run(capsys, path)
    assert told["run"]["new_orders"] == 1
    assert starts(told["rows_named"]) == ["UNKNOWN_SIDE: s.csv line 3"]
