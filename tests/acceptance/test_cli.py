"""The commands a person types, as processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import wait_status
from tests.acceptance.processes import SOURCE, Rig

HEAVY = {
    "grpc",
    "google",
    "pydantic",
    "pydantic_settings",
    "starlette",
    "uvicorn",
    "apsw",
    "structlog",
    "prometheus_client",
}
BUY = ("submit", "--symbol", "005930", "--side", "BUY", "--quantity")


def test_help_imports_no_driver_no_server_and_no_settings() -> None:
    code = (
        "import sys; from jumun.doors.cli import main; main(['--help']); "
        "print('\\n'.join(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SOURCE), "PATH": "", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stderr.split())
    assert not loaded & HEAVY
    assert "cyclopts" in loaded, "the check must see what is loaded"
    for word in (
        "serve",
        "demo",
        "replay",
        "submit",
        "cancel",
        "orders",
        "trace",
        "book",
        "reconcile",
        "db",
        "simulate",
    ):
        assert word in done.stdout


@pytest.mark.req(
    "OMS-05", "S002-39", "S002-40", "S002-41", "S002-43", "S002-73", "S002-31", "S002-64", "I-30", "I-32"
)
def test_a_day_at_the_command_line(service: Rig) -> None:
    filled = service.jumun(*BUY, "10", "--price", "70001", "--id", "filled")
    assert filled.returncode == 0, filled.stderr
    assert "005930 at 70000 (asked 70001)" in filled.stdout
    resting = service.jumun_json(*BUY, "10", "--price", "50000", "--id", "resting")
    told = wait_status(service, "filled", "FILLED")
    wait_status(service, "resting", "ACCEPTED")
    events = [chapter["what"] for chapter in told["story"]]
    assert events[:2] == ["order_created", "send_intended"], "the intent is written before the send"
    assert events.count("send_intended") == 1
    sent = next(chapter for chapter in told["story"] if chapter["what"] == "order_sent")
    assert json.loads(sent["evidence"])["order"]["symbol"] == "005930", "the broker's own words are kept"
    assert sum(int(fill["qty"]) for fill in told["fills"]) == 10

    open_now = service.jumun_json("orders")["orders"]  # type: ignore[index]
    assert [order["client_order_id"] for order in open_now] == ["resting"]
    assert len(service.jumun_json("orders", "--all")["orders"]) == 2  # type: ignore[index]
    table = service.jumun("orders", "--all").stdout
    assert "ACCEPTED" in table
    assert "FILLED" in table

    book = service.jumun_json("book")
    [position] = book["positions"]  # type: ignore[index]
    [won] = [line for line in book["cash"] if line["currency"] == "KRW"]  # type: ignore[index]
    assert position["qty"] == "10"
    assert int(won["cash"]) == 100_000_000 - int(position["cost_basis"]) - int(position["costs"])
    assert int(won["reserved"]) >= 500_000, "an open buy holds its money back"

    prefix = str(resting["order_id"])  # type: ignore[index]
    assert service.jumun("cancel", prefix).returncode == 0
    wait_status(service, prefix, "CANCELLED")
    again = service.jumun("cancel", prefix)
    assert again.returncode == 1
    assert again.stderr.startswith("ALREADY_FINAL: ")
    freed = [line for line in service.jumun_json("book")["cash"] if line["currency"] == "KRW"]  # type: ignore[index]
    assert freed[0]["reserved"] == "0"
    assert service.jumun_json("reconcile")["differences"] == []  # type: ignore[index]
    assert service.jumun_json("status")["accepting"] is True  # type: ignore[index]


@pytest.mark.req("S002-29", "F-96")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*BUY, "0", "--price", "58000"), "QTY_NOT_POSITIVE"),
        ((*BUY, "1.5", "--price", "58000"), "QTY_NOT_LOT"),
        ((*BUY, "NaN", "--price", "58000"), "BAD_NUMBER"),
        ((*BUY, "1"), "BAD_INPUT"),
        ((*BUY, "1", "--price", "999000"), "PRICE_OUTSIDE_BAND"),
        ((*BUY, "1000", "--price", "58000"), "MAX_ORDER_VALUE"),
        (("submit", "--symbol", "005930", "--side", "SELL", "--quantity", "1", "--price", "58000"), "SHARES"),
        (
            ("submit", "--symbol", "XXXXXX", "--side", "BUY", "--quantity", "1", "--price", "1"),
            "UNKNOWN_SYMBOL",
        ),
        (("trace", "no-such-order"), "UNKNOWN_ORDER"),
        (("cancel", "no-such-order"), "UNKNOWN_ORDER"),
        (("orders", "--status", "LOST"), "BAD_INPUT"),
        (("orders", "--limit", "0"), "BAD_INPUT"),
        (("orders", "--account", "NOPE"), "UNKNOWN_ACCOUNT"),
        (("book", "--account", "NOPE"), "UNKNOWN_ACCOUNT"),
        (("replay", "--prices", "p.csv", "--signals", "s.csv", "--store", "."), "BAD_SETTING"),
        (("demo", "--store", ""), "BAD_SETTING"),
        (("simulate", "exchange", "--port", "0", "--pace", "-1"), "BAD_INPUT"),
    ],
)
def test_a_refused_command_exits_1_with_one_sentence_that_begins_with_its_code(
    shared: Rig, arguments: tuple[str, ...], code: str
) -> None:
    refused = shared.jumun(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{code}: "), refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_rejected_order_that_is_sent_again_is_refused_again_and_makes_no_second_order(shared: Rig) -> None:
    order = (*BUY, "1000", "--price", "58000", "--id", "too-big")
    first, again = shared.jumun(*order), shared.jumun(*order)
    assert first.returncode == again.returncode == 1
    assert first.stderr == again.stderr
    assert first.stderr.startswith("MAX_ORDER_VALUE: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit",),
        ("simulate", "day", "--seed", "x"),
        ("simulate", "day", "--seed", "1", "--orders", "0"),
        ("simulate", "day", "--seed", "1", "--orders", "-5"),
        ("no-such-command",),
        ("trace",),
    ],
)
def test_a_command_that_cannot_be_understood_exits_2(rig: Rig, arguments: tuple[str, ...]) -> None:
    assert rig.jumun(*arguments).returncode == 2


def test_the_books_can_be_read_after_the_service_and_trading_says_that_it_does_not_run(service: Rig) -> None:
    service.jumun_json(*BUY, "1", "--price", "50000", "--id", "a")
    wait_status(service, "a", "ACCEPTED")
    assert service.service is not None
    assert service.service.terminate() == 0
    assert service.jumun_json("orders")["orders"][0]["client_order_id"] == "a"  # type: ignore[index]
    reading = (("orders",), ("trace", "a"), ("book",), ("db", "info"), ("db", "verify"))
    for command in reading:
        done = service.jumun(*command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout
    asking = (("status",), ("reconcile",), ("cancel", "a"), (*BUY, "1", "--price", "50000"))
    for words in asking:
        refused = service.jumun(*words)
        assert refused.returncode == 1
        assert refused.stderr.startswith("NOT_READY: no service answers at 127.0.0.1:")


@pytest.mark.req("I-26", "I-24")
def test_the_store_is_checked_rebuilt_and_upgraded_from_the_command_line(service: Rig) -> None:
    service.jumun_json(*BUY, "1", "--price", "70000", "--id", "a")
    before = wait_status(service, "a", "FILLED")
    assert service.jumun("db", "rebuild").stderr.startswith("STORE_LOCKED: "), "not beside the service"
    assert service.service is not None
    assert service.service.terminate() == 0
    records = service.jumun_json("db", "verify")["records"]  # type: ignore[index]
    assert service.jumun_json("db", "rebuild")["records"] == records  # type: ignore[index]
    assert service.jumun_json("db", "upgrade")["applied"] == []  # type: ignore[index]
    assert service.jumun_json("trace", "a") == before


def test_without_a_store_reading_says_what_to_do(rig: Rig) -> None:
    done = rig.jumun("book")
    assert done.returncode == 1
    assert done.stderr.startswith("STORE_UNAVAILABLE: there is no store at ")


@pytest.mark.req("F-103")
@pytest.mark.parametrize(
    "command", [("serve",), ("orders",), ("book",), ("status",), ("db", "info"), ("db", "upgrade")]
)
def test_an_empty_store_path_is_one_sentence_in_every_command(rig: Rig, command: tuple[str, ...]) -> None:
    rig.settings["OMS_STORE_PATH"] = ""
    refused = rig.jumun(*command)
    assert refused.returncode == 1
    assert refused.stderr.startswith("BAD_SETTING: OMS_STORE_PATH cannot be ''")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.req("S004-27", "S004-28", "S004-59", "S000-92", "S000-93", "S000-96", "S000-97", "S000-98")
def test_config_show_names_each_setting_its_value_and_its_source(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "jumun.toml").write_text("max_queue_size = 20\nlog_level = 'warn'\n")
    rig.settings["MAX_POSITION_COUNT"] = "7"
    rows = {row["name"]: row for row in rig.jumun_json("config", "show")["settings"]}  # type: ignore[index]
    assert rows["MAX_QUEUE_SIZE"] == {"name": "MAX_QUEUE_SIZE", "value": 20, "source": "file jumun.toml"}
    assert rows["MAX_POSITION_COUNT"]["source"] == "environment"
    assert rows["OMS_HOST"]["source"] == "default"
    assert rows["MAX_ORDER_VALUE"]["value"] == {"KRW": "10000000", "USD": "10000"}
    assert rows["LOG_LEVEL"]["value"] == "warn"
    assert "MAX_POSITION_COUNT" in rig.jumun("config", "show").stdout
