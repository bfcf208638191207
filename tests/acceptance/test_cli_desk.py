"""Changing and closing orders, breaks, documented entries and figures, as a person types them."""

import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import wait_ready, wait_status
from tests.acceptance.processes import READY_S, Program, Rig

TODAY = datetime.now(UTC).date().isoformat()
PAPER = ("--date", TODAY, "--by", "김철수", "--why", "from the paper")


def told(rig: Rig, *arguments: str, code: int = 0) -> Any:
    """Run a command with --json and return what it said, whatever its exit code should be."""
    done = rig.jumun(*arguments, "--json")
    assert done.returncode == code, f"{arguments}: {done.stderr}\n{done.stdout}"
    return json.loads(done.stdout)


def wait_order(rig: Rig, name: str, field: str, value: object) -> dict[str, Any]:
    """Wait until a field of an order has a value."""
    deadline = time.monotonic() + READY_S
    order: dict[str, Any] = {}
    while time.monotonic() < deadline:
        order = told(rig, "trace", name)["order"]
        if order[field] == value:
            return order
        time.sleep(0.1)
    raise AssertionError(f"{name}: {field} is {order[field]}, waited for {value}")


@pytest.mark.req("OMS-04", "S002-37", "S000-105", "S002-40")
def test_an_order_is_changed_and_its_symbol_is_cancelled_from_the_command_line(service: Rig) -> None:
    assert service.jumun("buy", "005930", "20", "--price", "50000", "--id", "rest").returncode == 0
    wait_status(service, "rest", "ACCEPTED")
    changed = service.jumun("modify", "rest", "--price", "50100", "--quantity", "15")
    assert changed.returncode == 0, changed.stderr
    order = wait_order(service, "rest", "price", "50100")
    assert (order["quantity"], order["modify_to"]) == ("15", None)
    events = [chapter["what"] for chapter in told(service, "trace", "rest")["story"]]
    assert events.index("modify_intended") < events.index("order_modified"), "written before it left"

    enlarged = service.jumun("modify", "rest", "--quantity", "16")
    assert enlarged.returncode == 1
    assert len(enlarged.stderr.splitlines()) == 1
    nothing = service.jumun("modify", "rest")
    assert nothing.stderr.startswith("BAD_INPUT: neither --price nor --quantity")

    service.jumun("buy", "000660", "1", "--price", "180000", "--id", "other")
    wait_status(service, "other", "ACCEPTED")
    assert "1 order" in service.jumun("cancel-all", "--symbol", "005930").stdout
    wait_status(service, "rest", "CANCELLED")
    assert [order["client_order_id"] for order in told(service, "orders")["orders"]] == ["other"]
    assert told(service, "cancel-all")["asked"] == 1
    wait_status(service, "other", "CANCELLED")
    assert service.jumun("cancel-all").stdout.startswith("No open order")


@pytest.mark.req("S000-21")
def test_a_position_is_closed_by_one_order_however_often_it_is_asked_for(service: Rig) -> None:
    service.jumun("buy", "005930", "10", "--price", "70000", "--id", "in")
    wait_status(service, "in", "FILLED")
    first = service.jumun("close", "005930")
    assert first.returncode == 0, first.stderr
    again = service.jumun("close", "005930")
    orders = [order for order in told(service, "orders", "--all")["orders"] if order["side"] == "SELL"]
    [sell] = orders
    assert sell["quantity"] == "10"
    assert again.returncode in (0, 1), "either the same order or nothing left to close"
    wait_status(service, sell["order_id"], "FILLED")
    [held] = told(service, "book")["positions"]
    assert held["qty"] == "0"


@pytest.mark.req("S000-21", "I-34")
def test_closing_says_how_many_shares_another_open_order_keeps(service: Rig) -> None:
    service.jumun("buy", "005930", "10", "--price", "70000", "--id", "in")
    wait_status(service, "in", "FILLED")
    service.jumun("sell", "005930", "4", "--price", "75000", "--id", "high")
    wait_status(service, "high", "ACCEPTED")
    closed = service.jumun("close", "005930")
    assert closed.returncode == 0, closed.stderr
    assert "4 shares of 005930 are left out: an open order has them" in closed.stdout


def test_screens_name_what_is_not_there_and_a_resume_that_fails_exits_1(service: Rig) -> None:
    empty = service.jumun("stats")
    assert (empty.returncode, empty.stdout) == (1, "")
    assert "no order on trading day" in empty.stderr
    nobody = service.jumun("alarms", "--account", "NOPE")
    assert (nobody.returncode, nobody.stderr.startswith("UNKNOWN_ACCOUNT: ")) == (1, True)
    assert service.jumun("breaks").stdout.splitlines()[0] == "No open break."
    service.jumun("buy", "005930", "10", "--price", "70000", "--id", "mine")
    order = wait_status(service, "mine", "FILLED")["order"]
    for meant in ("mine", order["order_id"][:-1]):
        known = service.jumun("settle", meant, "--by", "demo", "--because", "looked")
        assert known.returncode == 1
        assert not known.stderr.startswith("UNKNOWN_ORDER"), known.stderr


def test_a_stop_waits_at_the_desk_until_the_market_trades_at_its_price(rig: Rig) -> None:
    rig.settings |= {"OMS_EXCHANGE": "", "OMS_SIM_PACE": "500"}
    rig.start_service()
    wait_ready(rig)
    service = rig
    service.jumun("buy", "005930", "10", "--price", "70000", "--id", "in")
    wait_status(service, "in", "FILLED")
    done = service.jumun("sell", "005930", "5", "--stop-price", "45000", "--tif", "DAY", "--id", "stop")
    assert done.returncode == 0, done.stderr
    order = wait_order(service, "stop", "status", "NEW")
    assert (order["order_type"], order["stop_price"]) == ("STOP", "45000")
    assert "stop held" in service.jumun("orders").stdout

    service.jumun("sell", "005930", "5", "--stop-price", "75000", "--tif", "DAY", "--id", "near")
    # The market trades below 75,000, so the next price is through that stop, and none reaches the other.
    told_of = wait_status(service, "near", "FILLED")
    events = [chapter["what"] for chapter in told_of["story"]]
    assert events.index("stop_triggered") < events.index("send_intended")
    assert wait_order(service, "stop", "status", "NEW")["order_type"] == "STOP"


@pytest.mark.req("F-54", "I-46")
def test_a_documented_entry_is_booked_once_and_a_difference_with_the_broker_is_a_break_with_an_end(
    service: Rig,
) -> None:
    service.jumun("buy", "005930", "10", "--price", "70000", "--id", "in")
    wait_status(service, "in", "FILLED")
    dividend = ("entry", "dividend", "005930", "--gross", "3610", "--tax", "550", "--net", "3060")
    before = {
        line["currency"]: int(line["cash"])
        for line in told(service, "book")["cash"]
        if line["currency"] == "KRW"
    }
    booked = told(service, *dividend, "--document", "DIV-1", *PAPER)
    assert (booked["existing"], [row["kind"] for row in booked["rows"]]) == (False, ["DIVIDEND", "TAX"])
    assert told(service, *dividend, "--document", "DIV-1", *PAPER)["existing"], "the same paper, once"
    wrong = service.jumun(*dividend[:-1], "3000", "--document", "DIV-2", *PAPER)
    assert wrong.stderr.startswith("BAD_INPUT: DIV-2: gross 3610 less tax 550 is not net 3000")
    after = {
        line["currency"]: int(line["cash"])
        for line in told(service, "book")["cash"]
        if line["currency"] == "KRW"
    }
    assert after["KRW"] - before["KRW"] == 3060

    service.jumun("buy", "000660", "1", "--price", "180000", "--id", "rest")
    moving = service.jumun("entry", "split", "000660", "--ratio", "2:1", "--document", "S-1", *PAPER)
    assert moving.stderr.startswith("DENIED: S-1: 1 order of 000660 can still execute")

    deadline = time.monotonic() + READY_S  # two complete looks at the broker, who paid no dividend
    while not (found := json.loads(service.jumun("breaks", "--json").stdout)["breaks"]):
        assert time.monotonic() < deadline
        service.jumun("reconcile")
    [difference] = found
    assert (difference["subject"], difference["difference"], difference["owner"]) == ("CASH:KRW", "-3060", "")
    assert service.jumun("breaks").returncode == 1
    refused = service.jumun("resume", "it will be fine", "--by", "kim")
    assert (refused.returncode, refused.stderr.startswith("UNSETTLED_BREAK: ")) == (1, True)
    assert service.jumun("buy", "005930", "1", "--price", "70000").stderr.startswith("HALTED: ")
    name = difference["break_id"]
    assigned = told(service, "breaks", "assign", name, "--to", "홍길동", "--why", "asked the broker")[
        "breaks"
    ]
    assert [row["owner"] for row in assigned] == ["홍길동"]
    assert "홍길동" in service.jumun("breaks").stdout
    settled = told(service, "breaks", "settle", name, "--by", "kim", "--why", "not paid yet", "--correct")
    assert settled == {"breaks": []}
    assert service.jumun("breaks", "settle", name, "--by", "kim", "--why", "again").returncode == 1
    corrected = {
        line["currency"]: int(line["cash"])
        for line in told(service, "book")["cash"]
        if line["currency"] == "KRW"
    }
    assert corrected["KRW"] == before["KRW"]
    assert service.jumun("resume", "compared", "--by", "kim").returncode == 0
    assert told(service, "status")["accepting"]


@pytest.mark.req("S000-107", "S000-109", "S000-33", "S000-82")
def test_the_day_and_the_portfolio_are_told_with_every_digit(service: Rig) -> None:
    service.jumun("buy", "005930", "10", "--price", "70000", "--strategy", "momentum", "--id", "a")
    wait_status(service, "a", "FILLED")
    service.jumun("sell", "005930", "4", "--price", "45000", "--strategy", "momentum", "--id", "b")
    wait_status(service, "b", "FILLED")
    day = told(service, "stats")
    assert (day["total_orders"], day["buy_fills"], day["sell_fills"]) == (2, 1, 1)
    assert day["total_fills"] == 2
    portfolio = told(service, "portfolio", "--days", "2")
    assert portfolio["total_positions"] == 1
    won = portfolio["by_currency"]["KRW"]
    assert portfolio["by_strategy"]["momentum"]["KRW"]["realised_net"] == won["realised_net"]
    assert portfolio["by_day"][0]["by_currency"]["KRW"]["realised_net"] == won["realised_net"]
    assert portfolio["risk"]["value_at_risk_95"] is None, (
        "no history is connected, and 0 would read as no risk"
    )
    assert portfolio["risk"]["missing"]["value_at_risk_95"]
    for command in (("stats",), ("portfolio",), ("portfolio", "--account", "SIM-001")):
        done = service.jumun(*command)
        assert done.returncode == 0, done.stderr
        assert "KRW" in done.stdout
    assert service.jumun("portfolio", "--days", "11").stderr.startswith("BAD_INPUT: ")
    assert service.jumun("portfolio", "--account", "NOPE").stderr.startswith("UNKNOWN_ACCOUNT: ")
    assert service.jumun("stats", "--date", "soon").stderr.startswith("BAD_TIME: ")
    service.service.terminate()  # type: ignore[union-attr]
    service.start_service()
    wait_ready(service)
    again = told(service, "stats")
    assert {key: again[key] for key in ("total_fills", "by_currency")} == {
        key: day[key] for key in ("total_fills", "by_currency")
    }, "a restart forgets nothing of the day"


@pytest.mark.req("S000-83")
def test_an_order_that_nobody_fills_raises_an_alarm_that_a_person_can_list(rig: Rig) -> None:
    rig.settings |= {"OMS_EXCHANGE": "", "FILL_ALERT_S": "1s"}
    rig.start_service()
    wait_ready(rig)
    assert rig.jumun("alarms").stdout.startswith("No alarm")
    rig.jumun("buy", "005930", "1", "--price", "50000", "--id", "slow")
    wait_order(rig, "slow", "alarms", ["FILL_DELAY"])
    listed = rig.jumun("alarms")
    assert listed.returncode == 1
    assert "FILL_DELAY" in listed.stdout
    [alarm] = told(rig, "alarms", code=1)["alarms"]
    assert (alarm["alarm"], alarm["symbol"]) == ("FILL_DELAY", "005930")
    rig.jumun("cancel", "slow")
    wait_status(rig, "slow", "CANCELLED")
    assert told(rig, "alarms")["alarms"] == []
    assert len(told(rig, "alarms", "--all")["alarms"]) == 1


@pytest.mark.req("S000-83", "I-50")
def test_a_halt_that_stands_is_what_a_person_must_look_at_until_trading_is_resumed(service: Rig) -> None:
    assert told(service, "alarms")["halted"] is None
    service.jumun("halt", "a drill")
    assert told(service, "alarms", code=1)["halted"] == "OPERATOR: a drill"
    listed = service.jumun("alarms")
    assert listed.returncode == 1
    assert "Trading is halted: OPERATOR: a drill; look at that, then `jumun resume" in listed.stdout
    service.jumun("resume", "the drill is over", "--by", "kim")
    assert told(service, "alarms")["halted"] is None


def a_signal(**changes: object) -> str:
    values = {
        "symbol": "005930",
        "side": "BUY",
        "quantity": 3,
        "order_type": "LIMIT",
        "price": 70000,
        "strategy_id": "momentum",
        "strategy_version": "momentum-3",
        "account_id": "SIM-001",
        "signal_ts": datetime.now(UTC).isoformat(),
    }
    return json.dumps({**values, **changes})


@pytest.mark.req("S000-34", "S000-64", "I-08")
def test_a_file_of_signals_is_run_once_however_often_it_is_sent(service: Rig, tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    path.write_text("\n".join([a_signal(), a_signal(side="HOLD"), a_signal(leg="b")]) + "\n")
    first, again = (told(service, "signals", "run", str(path), code=1)["lines"] for _ in range(2))
    assert [line["reason"] for line in first] == ["", "UNKNOWN_SIDE", ""]
    assert [line["order_id"] for line in first] == [line["order_id"] for line in again]
    assert len(told(service, "orders", "--all")["orders"]) == 2
    for arguments in ((), (str(path), "--watch", str(tmp_path)), (str(tmp_path / "gone.csv"),)):
        assert service.jumun("signals", "run", *arguments).stderr.startswith("BAD_INPUT: ")
    assert service.service is not None
    service.service.terminate()
    stopped = service.jumun("signals", "run", str(path))
    assert stopped.stderr.startswith("NOT_READY: signals.jsonl stopped at line 1: no service answers")


@pytest.mark.req("S000-64", "I-08")
def test_a_folder_is_watched_over_a_kill_and_makes_no_second_order(service: Rig, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.jsonl").write_text(a_signal() + "\n")
    arguments = ["signals", "run", "--watch", str(drop)]
    watching = Program(arguments, service.environment, tmp_path / "watch.log").start()
    try:
        _wait_for(drop / "done" / "a.jsonl", watching)
        watching.kill()
        (drop / "done" / "a.jsonl").rename(drop / "a.jsonl")  # as if it was killed before it could mark it
        (drop / "b.jsonl").write_text(a_signal(leg="b") + "\n")
        watching.start()
        _wait_for(drop / "done" / "b.jsonl", watching)
        _wait_for(drop / "done" / "a.jsonl", watching)
        assert watching.process is not None
        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait(READY_S) == 0
    finally:
        watching.kill()
    assert len(told(service, "orders", "--all")["orders"]) == 2


def _wait_for(path: Path, program: Program) -> None:
    deadline = time.monotonic() + READY_S
    while not path.exists():
        assert time.monotonic() < deadline, program.text()
        time.sleep(0.05)
