"""`jumun demo`: the whole path on generated prices, once, twice, and after a kill in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from jumun.model.errors import OmsError
from jumun.replay import DemoOptions, ReplayOptions, run_demo, run_replay
from jumun.replay import books as books_module
from jumun.rules.audit import ExchangeFacts
from jumun.store.sqlite.reader import open_reader

ROOT: Final = Path(__file__).resolve().parents[2]
WAIT_S: Final = 120.0  # for a process on a busy machine; nothing asserts on it
RUN: Final = """
import sys
from pathlib import Path
from jumun.replay import DemoOptions, run_demo
sys.exit(run_demo(DemoOptions(store=Path(sys.argv[1]), sessions=6, signals=300, json=True)))
"""


def told(
    run: Any, options: DemoOptions | ReplayOptions, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    code = run(options)
    out, err = capsys.readouterr()
    assert code == 0, err or out
    lines = out.splitlines()
    assert len(lines) == 1, "stdout holds one JSON object and nothing else"
    result: dict[str, Any] = json.loads(lines[0])
    return result


@pytest.mark.req(
    "I-01",
    "I-04",
    "I-05",
    "I-07",
    "I-08",
    "I-09",
    "I-11",
    "I-15",
    "I-16",
    "I-21",
    "I-24",
    "I-26",
    "I-29",
    "I-30",
    "I-32",
    "I-33",
    "I-34",
    "I-35",
    "I-36",
    "I-37",
    "I-38",
    "I-43",
    "I-49",
    "I-57",
)
def test_twenty_sessions_and_a_thousand_signals_keep_every_invariant_and_a_second_run_makes_no_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = DemoOptions(store=tmp_path / "demo.db", json=True)
    first = told(run_demo, options, capsys)
    second = told(run_demo, options, capsys)

    assert first["invariants"] == second["invariants"] == "ok"
    assert first["title"].startswith("GENERATED")
    assert first["signals"] == 1_000
    assert first["sessions"] >= 20
    assert first["symbols"] >= 5
    books = first["books"]
    assert {"FILLED", "CANCELLED", "REJECTED"} <= set(books["orders"])
    assert books["part_filled"] > 0
    assert {row.split(": ")[1] for row in books["refusals"]} >= {
        *("SHARES", "MAX_ORDER_VALUE", "SESSION_CLOSED", "QTY_NOT_LOT"),
        *("PRICE_OUTSIDE_BAND", "EXPIRED", "ORDER_TIMEOUT"),
    }
    assert first["refused_without_order"] == {"UNKNOWN_SYMBOL": 12}
    assert {"BROKERAGE", "RURAL_TAX", "TRANSACTION_TAX"} <= set(books["costs"]["KRW"])
    assert (
        first["run"]["sends"]
        == books["sends"]
        == sum(count for kind, count in sends_by_order(tmp_path / "demo.db").items() if kind)
    )
    assert min(first["checks"].values()) > 0
    assert second["run"]["new_orders"] == second["run"]["sends"] == 0
    assert second["run"]["existing_orders"] == first["run"]["new_orders"]
    assert second["books"]["sends"] == books["sends"]
    assert any("0 new orders" in note for note in second["notes"])
    assert {key: second["books"][key] for key in ("cash", "positions", "orders")} == {
        key: books[key] for key in ("cash", "positions", "orders")
    }


def sends_by_order(store: Path) -> dict[str, int]:
    """One attempt for each order that was sent: nothing was lost, so nothing was sent again."""
    with open_reader(store) as reader:
        return {order.order_id: order.attempt for order in reader.orders(limit=10_000) if order.attempt}


@pytest.mark.req("I-07", "I-13", "I-21", "I-22", "I-23", "I-38", "F-67", "F-68", "F-69")
def test_a_demo_that_is_killed_twice_goes_on_where_it_stopped_and_agrees_with_the_exchange(
    tmp_path: Path,
) -> None:
    store = tmp_path / "demo.db"
    for records in (300, 800):
        process = started(store)
        wait_for_records(store, records, process)
        process.kill()
        process.communicate(timeout=WAIT_S)
    last = started(store)
    out, _ = last.communicate(timeout=WAIT_S)
    result = json.loads(out)
    assert last.returncode == 0
    assert result["invariants"] == "ok"
    assert result["resumed"]
    assert 0 < result["run"]["new_orders"] < 300
    assert result["books"]["cash"] == result["books"]["cash_at_exchange"]
    assert result["checks"]["I-58"] == 1


def started(store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(store)],
        env={"PYTHONPATH": str(ROOT / "src"), "HOME": str(store.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_records(store: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        if records_in(store) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{store} did not reach {count} records within {WAIT_S} s")


def records_in(store: Path) -> int:
    try:
        with open_reader(store) as reader:
            return reader.newest()[0]
    except OmsError:  # not made yet
        return 0


def test_books_that_differ_end_with_exit_code_1_and_every_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = books_module.exchange_facts

    def a_won_more(market: Any) -> ExchangeFacts:
        facts = honest(market)
        return replace(facts, cash={place: amount + 1 for place, amount in facts.cash.items()})

    monkeypatch.setattr(books_module, "exchange_facts", a_won_more)
    options = DemoOptions(store=tmp_path / "demo.db", sessions=1, signals=10, json=True)
    assert run_demo(options) == 1
    result = json.loads(capsys.readouterr().out)
    assert [text.split(":")[0] for text in result["invariants"]] == ["I-38", "I-38"]


def test_a_store_of_another_demo_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = DemoOptions(store=tmp_path / "demo.db", sessions=1, signals=10, json=True)
    assert run_demo(small) == 0
    capsys.readouterr()
    assert run_demo(replace(small, seed=2)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("BAD_SETTING: ")
    assert len(err.splitlines()) == 1


def test_a_store_that_cannot_be_made_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run_demo(DemoOptions(store=tmp_path / "file" / "demo.db", sessions=1, signals=1)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("STORE_UNAVAILABLE: the folder")


def test_prices_without_a_usable_signal_are_replayed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = tmp_path / "none.csv"
    signals.write_text((ROOT / "examples" / "signals.csv").read_text().splitlines()[0] + "\n")
    prices = (ROOT / "examples" / "generated_prices.csv",)
    options = ReplayOptions(prices=prices, signals=signals, store=tmp_path / "replay.db", json=True)
    assert run_replay(options) == 0
    assert json.loads(capsys.readouterr().out)["run"]["prints"] == 240


def test_the_tables_for_people_fit_in_eighty_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_demo(DemoOptions(store=tmp_path / "demo.db", sessions=2, signals=60)) == 0
    out = capsys.readouterr().out
    for title in ("What happened", "Orders by status", "Costs", "Positions in KRW", "Cash, and profit"):
        assert title in out
    assert "Invariants: ok" in out
    assert "GENERATED" in out.splitlines()[0]
    assert "\u2026" not in out, "a figure was cut off"
    assert max(len(line) for line in out.splitlines()) <= 80


def test_the_examples_replay_and_their_broken_rows_are_refused_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ReplayOptions(
        prices=(ROOT / "examples" / "generated_prices.csv",),
        signals=ROOT / "examples" / "signals.csv",
        store=tmp_path / "replay.db",
        json=True,
    )
    result = told(run_replay, options, capsys)
    assert result["invariants"] == "ok"
    assert result["rows_refused"] == 3
    assert all(".csv line " in row for row in result["rows_named"])
    assert result["books"]["fills"] > 0
    assert told(run_replay, options, capsys)["run"]["new_orders"] == 0
