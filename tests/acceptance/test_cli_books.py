"""What is held, whose it is, what the broker counts and what may be lost, as a person asks for it."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from jumun.exchange.protocol import Step
from jumun.exchange.scripted import Adjust
from tests.acceptance.conftest import wait_ready, wait_status
from tests.acceptance.processes import Rig, ask
from tests.acceptance.test_cli_desk import told

D = Decimal
CLOSES = 90


@pytest.fixture
def holding(rig: Rig, tmp_path: Path) -> Rig:
    """A running service whose strategies hold 7 and 3 shares of 005930, and 2 of SPMO."""
    rig.settings["OMS_PRICE_HISTORY"] = str(tmp_path / "closes")
    rig.start_exchange()
    rig.start_service()
    wait_ready(rig)
    for symbol, price in (("005930", "58000"), ("SPMO", "108.20")):
        ask(rig.exchange_port, Step(symbol=symbol, price=D(price), volume=D(1000)))
    buy(rig, "005930", 7, "70000", "value")
    buy(rig, "005930", 3, "70000", "carry")
    buy(rig, "SPMO", 2, "130", "carry")
    return rig


def buy(rig: Rig, symbol: str, quantity: int, price: str, strategy: str) -> None:
    name = f"{strategy}-{symbol}"
    done = rig.jumun("buy", symbol, str(quantity), "--price", price, "--strategy", strategy, "--id", name)
    assert done.returncode == 0, done.stderr
    wait_status(rig, name, "FILLED")


def write_closes(folder: Path, symbol: str) -> None:
    """GENERATED closes that fall by 2 % on every second day, and come back."""
    folder.mkdir(exist_ok=True)
    first = date(2026, 1, 1)
    days = [f"{first + timedelta(days=number)},{98 if number % 2 else 100}" for number in range(CLOSES)]
    (folder / f"{symbol}.csv").write_text("\n".join(["date,close", *days]) + "\n")


@pytest.mark.req("S000-44", "S000-107", "S000-22", "S000-82", "S000-87")
def test_what_is_held_is_told_by_strategy_beside_the_broker_and_in_one_currency(
    holding: Rig, tmp_path: Path
) -> None:
    rig = holding
    held = told(rig, "positions")
    parts = {(row["symbol"], row["strategy_id"]): D(row["qty"]) for row in held["strategies"]}
    assert parts == {("005930", "value"): 7, ("005930", "carry"): 3, ("SPMO", "carry"): 2}
    sums = {row["symbol"]: D(row["qty"]) for row in held["positions"]}
    assert sums == {"005930": 10, "SPMO": 2}
    shown = rig.jumun("positions", "--by-strategy").stdout
    assert [line.split()[:3] for line in shown.splitlines() if line.split()[:1] == ["005930"]] == [
        ["005930", "carry", "3"],
        ["005930", "value", "7"],
        ["005930", "all", "10"],
    ]

    account = told(rig, "account")
    assert account["agrees"]
    counts = {row["subject"]: (D(row["ours"]), D(row["theirs"])) for row in account["lines"]}
    assert counts["005930"] == (D(10), D(10))
    adjusted = Adjust(account_id="SIM-001", holdings={"000660": D(3)}, text="a gift")
    ask(rig.exchange_port, adjusted)
    buy(rig, "005930", 1, "70000", "again")  # something traded: the kept answer is of before
    differs = rig.jumun("account")
    assert differs.returncode == 1, differs.stdout
    assert "DIFFERS" in differs.stdout
    assert told(rig, "account", "--account", "SIM-001", code=1)["agrees"] is False

    unknown = told(rig, "portfolio")
    assert unknown["equity"] is None
    assert "no rate" in unknown["reason"]
    at = "2025-11-20T15:30+09:00"
    known = told(rig, "portfolio", "--rate", f"USD=1390.5@{at}")
    won, dollars = known["by_currency"]["KRW"], known["by_currency"]["USD"]
    assert D(known["equity"]) == D(won["equity"]) + D(dollars["equity"]) * D("1390.5")
    assert known["rates"] == [
        {
            "currency": "USD",
            "base": "KRW",
            "rate": "1390.5",
            "ts_ns": 1_763_620_200_000_000_000,
            "source": "--rate",
        }
    ]
    assert "1 USD is 1390.5 KRW, at 2025-11-20 06:30:00 UTC" in (
        rig.jumun("portfolio", "--rate", f"USD=1390.5@{at}").stdout
    )
    for wrong in (
        "USD",
        "USD=",
        "USD=0",
        "USD=1390.5@",
        "USD=1390.5@soon",
        "USD=1@2999-01-01T00:00Z",
        "EUR=5",
        "KRW=1",
    ):
        refused = rig.jumun("portfolio", "--rate", wrong)
        assert refused.returncode == 1, wrong
        assert len(refused.stderr.splitlines()) == 1

    for symbol in ("005930", "SPMO"):
        write_closes(tmp_path / "closes", symbol)
    risk = told(rig, "portfolio", "--rate", "USD=1390.5")["risk"]
    value = D(risk["exposure"]["net"])  # at the prices of that moment
    assert D(risk["value_at_risk_95"]) == value * D("0.02"), "both fall by 2 % on the same days"
    assert "value at risk (95 %, one day)" in rig.jumun("portfolio", "--rate", "USD=1390.5").stdout


@pytest.mark.req("S000-21", "S000-44")
def test_one_strategys_shares_are_closed_and_a_closing_order_tells_of_no_signal(holding: Rig) -> None:
    rig = holding
    closed = told(rig, "close", "005930", "--strategy", "value")
    story = wait_status(rig, closed["order_id"], "FILLED")
    assert (story["order"]["quantity"], story["order"]["strategy_id"]) == ("7", "value")
    shown = rig.jumun("trace", closed["order_id"], "--raw").stdout
    assert "created as NEW to close what was held" in shown
    assert "1970" not in shown
    rows = told(rig, "positions")["strategies"]
    held = {row["strategy_id"]: D(row["qty"]) for row in rows if row["symbol"] == "005930"}
    assert held == {"value": 0, "carry": 3}
    nothing = rig.jumun("close", "005930", "--strategy", "value")
    assert nothing.stderr.startswith("SHARES: no shares of 005930 of SIM-001 are held by value")


@pytest.mark.req("F-103")
def test_the_market_inside_the_service_has_the_switches_of_its_settings(rig: Rig) -> None:
    rig.settings |= {"OMS_EXCHANGE": "", "OMS_SIM_SWITCHES": "holds_stops,modify_renumbers=false"}
    shown = rig.jumun("config", "show").stdout
    assert "holds_stops=true, modify_renumbers=false" in shown
    rig.start_service()
    wait_ready(rig)
    rig.jumun("buy", "005930", "10", "--price", "70000", "--id", "in")
    wait_status(rig, "in", "FILLED")
    rig.jumun("sell", "005930", "5", "--stop-price", "45000", "--tif", "DAY", "--id", "stop")
    wait_status(rig, "stop", "ACCEPTED")  # it waits at the exchange, not at the desk
    assert "stop held" not in rig.jumun("orders").stdout
    assert rig.service is not None
    assert rig.service.terminate() == 0
    rig.settings["OMS_SIM_SWITCHES"] = "hold_stops"
    wrong = rig.jumun("serve")
    assert wrong.returncode == 1
    assert "'hold_stops' is no switch; did you mean holds_stops?" in wrong.stderr
    rig.settings["OMS_SIM_SWITCHES"] = "vi"
    other = rig.jumun("serve")
    assert other.returncode == 1
    assert other.stderr.startswith("BAD_SETTING: the exchange inside the service keeps ")
    assert len(other.stderr.splitlines()) == 1
