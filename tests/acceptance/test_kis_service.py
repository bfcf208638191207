"""jumun at a local KIS, as processes: the same commands as on paper, and books that equal the oracle's."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jumun.simulators.kis.customers import demo_customers
from tests.acceptance.conftest import http_get, wait_ready, wait_status
from tests.acceptance.kis_processes import ACCOUNT, PRICE, SYMBOL, KisRig
from tests.acceptance.processes import READY_S

TICK = 100
BUY = ("buy", SYMBOL, "3", "--price", str(PRICE))


@pytest.fixture
def kis(tmp_path: Path) -> Iterator[KisRig]:
    """A simulated KIS that runs, with a price; the service is not started."""
    made = KisRig(tmp_path)
    try:
        made.start_kis()
        made.step(PRICE)
        yield made
    finally:
        made.stop()


@pytest.fixture
def desk(kis: KisRig) -> KisRig:
    """A service at the simulated KIS that takes orders."""
    kis.start_service()
    wait_ready(kis)
    return kis


def agreed(rig: KisRig) -> None:
    """Wait until positions and cash are the oracle's."""
    deadline = time.monotonic() + READY_S
    while found := rig.differences():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


# ---- a day ----------------------------------------------------------------------------------------------


@pytest.mark.req("S000-8", "S000-9", "S000-10", "S002-45", "S004-3", "S004-48", "S004-71", "I-07", "I-33")
def test_an_order_at_kis_is_sent_modified_filled_and_sold_with_the_same_commands_as_on_paper(
    desk: KisRig,
) -> None:
    low = str(PRICE - 10 * TICK)
    order = desk.jumun_json("buy", SYMBOL, "10", "--price", low, "--id", "first")
    assert order["status"] == "NEW"  # type: ignore[index]
    wait_status(desk, "first", "ACCEPTED")
    done = desk.jumun("modify", "first", "--price", str(PRICE - 9 * TICK))
    assert done.returncode == 0, done.stderr
    _wait_for_price(desk, "first", PRICE - 9 * TICK)
    assert len(desk.oracle().orders) == 2, "a revise has a number of its own (kis.md 3.1.3)"
    desk.step(PRICE - 9 * TICK)
    desk.step(PRICE - 10 * TICK)
    wait_status(desk, "first", "FILLED")
    desk.jumun_json("sell", SYMBOL, "4", "--price", str(PRICE - 15 * TICK), "--id", "second")
    wait_status(desk, "second", "FILLED")
    agreed(desk)
    positions = desk.jumun("positions")
    assert SYMBOL in positions.stdout
    assert " 6 " in positions.stdout
    account = desk.jumun("account")
    assert account.returncode == 0, account.stderr
    assert f"Account {ACCOUNT}" in account.stdout
    [balance] = desk.oracle().balances
    assert f"{balance.cash['KRW']:,f}" in account.stdout


@pytest.mark.req("S002-47", "I-47", "I-25")
def test_a_cancel_at_kis_ends_the_order_once_the_exchange_says_so(desk: KisRig) -> None:
    desk.jumun_json("buy", SYMBOL, "5", "--price", str(PRICE - 20 * TICK), "--id", "away")
    wait_status(desk, "away", "ACCEPTED")
    done = desk.jumun("cancel", "away")
    assert done.returncode == 0, done.stderr
    wait_status(desk, "away", "CANCELLED")
    assert desk.jumun("cancel", "away").stderr.startswith("ALREADY_FINAL: ")
    assert not [order for order in desk.oracle().orders if order.is_open]


@pytest.mark.req("F-03", "F-06", "I-15", "I-07", "S002-46")
def test_an_order_whose_answer_is_lost_is_found_in_the_list_and_never_sent_again(desk: KisRig) -> None:
    desk.fault("reply_lost", path="order-cash", nth=1)
    desk.jumun_json(*BUY, "--id", "lost")
    told = wait_status(desk, "lost", "FILLED", "ACCEPTED")
    assert desk.struck("reply_lost") == 1
    assert len(desk.oracle().arrivals) == 1, "sent once, whatever became of the answer"
    assert "order_unknown" in {entry["what"] for entry in told["story"]}


@pytest.mark.req("I-15", "I-42", "I-58", "F-45", "S002-61")
def test_where_others_trade_a_person_says_which_number_the_lost_order_is_and_its_kept_cancel_leaves(
    kis: KisRig,
) -> None:
    toml = kis.folder / "shared.toml"
    toml.write_text(
        f'[[accounts]]\naccount_id = "{ACCOUNT}"\nusers = ["demo"]\nmay_buy = true\nmay_sell = true\n'
        'exclusive = false\ncost_plans = { KRX = "kis-bankis", NXT = "kis-bankis", US = "kis-us" }\n'
        "opening_cash = { KRW = 100000000, USD = 100000 }\n"
    )
    kis.settings["OMS_CONFIG"] = str(toml)
    kis.start_service()
    wait_ready(kis)
    kis.fault("reply_lost", path="order-cash", nth=1)
    kis.jumun_json("buy", SYMBOL, "3", "--price", str(PRICE - 20 * TICK), "--id", "lost")
    wait_status(kis, "lost", "ERROR")
    [listed] = kis.oracle().orders
    assert kis.jumun("cancel", "lost").returncode == 0
    decide = ("settle", "lost", "--by", "demo", "--because", "its time is ours", "--number")
    wrong = kis.jumun(*decide, "99999")
    assert (wrong.returncode, wrong.stderr.startswith("WRONG_NUMBER: 99999 is not in")) == (1, True)
    assert listed.number in wrong.stderr, "it names what could be meant"
    done = kis.jumun(*decide, listed.number)
    assert done.returncode == 0, done.stderr
    told = wait_status(kis, "lost", "CANCELLED")
    assert "decided by demo: its time is ours" in json.dumps(told["story"])
    assert len(kis.oracle().orders) == 1
    assert kis.jumun(*decide, listed.number).returncode == 0, "said twice, it is the same decision"


@pytest.mark.req("S004-28", "F-19", "F-24")
def test_a_session_that_kis_ends_is_begun_again_and_what_it_missed_is_found_in_the_list(desk: KisRig) -> None:
    desk.jumun_json("buy", SYMBOL, "2", "--price", str(PRICE - 5 * TICK), "--id", "unheard")
    wait_status(desk, "unheard", "ACCEPTED")
    desk.act("cut_sessions", seconds=1)
    desk.step(PRICE - 5 * TICK)
    desk.step(PRICE - 6 * TICK)
    wait_status(desk, "unheard", "FILLED")
    agreed(desk)


@pytest.mark.req("S004-29", "F-79", "I-22", "S002-48")
def test_a_restart_at_kis_keeps_its_orders_and_opens_the_books_once(desk: KisRig) -> None:
    desk.jumun_json("buy", SYMBOL, "2", "--price", str(PRICE - 5 * TICK), "--id", "stays")
    wait_status(desk, "stays", "ACCEPTED")
    assert desk.service is not None
    assert desk.service.terminate() == 0, desk.service.text()
    desk.step(PRICE - 5 * TICK)  # while nobody listens
    desk.step(PRICE - 6 * TICK)
    desk.start_service()
    wait_ready(desk)
    wait_status(desk, "stays", "FILLED")
    agreed(desk)
    assert len(desk.oracle().arrivals) == 1


@pytest.mark.req("I-29", "F-80", "S002-73")
def test_a_first_start_at_an_account_that_traded_today_says_that_its_opening_is_not_known(
    desk: KisRig,
) -> None:
    desk.jumun_json("buy", SYMBOL, "2", "--price", str(PRICE + TICK), "--id", "today")
    wait_status(desk, "today", "FILLED")
    assert desk.service is not None
    assert desk.service.terminate() == 0, desk.service.text()
    desk.settings["OMS_STORE_PATH"] = str(desk.folder / "second.db")
    refused = desk.jumun("serve")
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr.startswith(f"OPENING_UNKNOWN: {ACCOUNT} has traded on "), refused.stderr
    assert "name an opening_file for it, or start before the next session" in refused.stderr


@pytest.mark.req("S004-28", "S002-44")
def test_test_connection_says_step_by_step_that_kis_lets_us_in_and_sends_no_order(kis: KisRig) -> None:
    done = kis.jumun("test-connection", "--broker", "kis", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {step["name"]: step for step in json.loads(done.stdout)["steps"]}
    assert all(step["good"] for step in steps.values()), steps
    assert steps["notices"]["text"] == "the stream answers"
    assert "KIS and the calendar agree on 24 days" in steps["trading days"]["text"]
    assert "100,000,000 KRW" in steps[f"balance of {ACCOUNT}"]["text"]
    assert not kis.oracle().arrivals


def test_test_connection_says_what_is_wrong_with_a_key_that_kis_does_not_know(kis: KisRig) -> None:
    kis.settings["KIS_APP_SECRET"] = "x" * 180
    done = kis.jumun("test-connection", "--broker", "kis", "--json")
    assert done.returncode == 1
    [step] = json.loads(done.stdout)["steps"]
    assert step["good"] is False
    assert "EGW00105" in step["text"], step["text"]
    assert "if the local KIS was started with --paper, set KIS_SIM_AS=paper" in step["text"]
    assert "x" * 20 not in done.stdout + done.stderr


def test_a_service_that_kis_lets_in_no_more_says_so_and_is_ready_again_when_it_does(desk: KisRig) -> None:
    assert desk.jumun_json("status")["broker"] == "answers"  # type: ignore[index]
    desk.act("cut_sessions", seconds=3)
    desk.fault("error_before")
    _wait_for_readyz(desk, 503)
    assert "BROKER_UNAVAILABLE" in http_get(desk.http_port, "/readyz")[1]
    desk.fair()
    _wait_for_readyz(desk, 200)


@pytest.mark.req("F-101", "S002-44")
def test_a_start_that_waits_because_the_hts_id_is_wrong_says_which_setting_to_check(kis: KisRig) -> None:
    kis.settings["KIS_HTS_ID"] = "somebody"
    kis.start_service()
    words = "the HTS id does not go with these keys; check KIS_HTS_ID"
    deadline = time.monotonic() + READY_S
    while words not in http_get(kis.http_port, "/readyz")[1]:
        assert time.monotonic() < deadline, http_get(kis.http_port, "/readyz")
        time.sleep(0.1)
    status = kis.jumun("status", "--json")
    told = json.loads(status.stdout)
    assert status.returncode == 1
    assert (told["accepting"], told["broker"]) == (False, "unavailable")
    assert told["failure"].startswith("BROKER_UNAVAILABLE: "), told
    assert "OPSP8992" in told["failure"]
    assert words in told["failure"]
    refused = kis.jumun(*BUY)
    assert refused.stderr.startswith("NOT_READY: "), refused.stderr
    assert words in refused.stderr


# ---- environments cannot be mixed -----------------------------------------------------------------------

CALENDAR = {"OMS_SIM_SESSIONS": "calendar"}


@pytest.mark.req("I-55", "F-101", "S000-112", "S002-53")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"OMS_ENVIRONMENT": "paper", **CALENDAR}, "does not go with KIS at http://127.0.0.1"),
        (
            {"KIS_BASE_URL": "https://openapi.koreainvestment.com:9443"},
            "sim reaches a KIS on this machine only; set it to what `jumun simulate kis` prints",
        ),
        (
            {"KIS_WS_URL": "ws://ops.koreainvestment.com:21000"},
            "sim reaches a KIS on this machine only; set it to what `jumun simulate kis` prints",
        ),
        (
            {
                "KIS_BASE_URL": "https://openapi.koreainvestment.com:9443",
                "KIS_WS_URL": "ws://ops.koreainvestment.com:21000",
            },
            "sim reaches a KIS on this machine only; set it to what `jumun simulate kis` prints",
        ),
        ({"KIS_BASE_URL": "", "KIS_WS_URL": ""}, "OMS_ENVIRONMENT=sim reaches a local KIS only"),
        ({"KIS_SIM_AS": "paper", "KIS_ROUTE": "sor"}, "not offered by KIS's paper service"),
        ({"KIS_SWITCHES": "send_brunch=false"}, "did you mean send_branch?"),
        (
            {
                "OMS_ENVIRONMENT": "paper",
                **CALENDAR,
                "KIS_BASE_URL": "https://openapi.koreainvestment.com:9443",
                "KIS_WS_URL": "ws://ops.koreainvestment.com:21000",
            },
            "paper",
        ),
        ({"OMS_ENVIRONMENT": "live", **CALENDAR}, "needs [[accounts]]"),
        ({"OMS_ENVIRONMENT": "paper"}, "OMS_SIM_SESSIONS=calendar"),
        ({"OMS_BROKER": "paper", "OMS_ENVIRONMENT": "paper"}, "the broker paper runs in sim only"),
        ({"KIS_APP_SECRET": ""}, "needs KIS_APP_SECRET"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "test-connection"])
def test_a_mixture_of_environments_is_refused_before_anything_is_sent(
    tmp_path: Path, settings: dict[str, str], words: str, command: str
) -> None:
    rig = KisRig(tmp_path, rest="http://127.0.0.1:9", stream="ws://127.0.0.1:9")
    rig.settings |= settings
    refused = rig.jumun(command)
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr.startswith("BAD_SETTING: "), refused.stderr
    assert words in refused.stderr
    assert not rig.store.exists()


@pytest.mark.req("I-53", "I-55", "F-101")
@pytest.mark.parametrize(
    ("environment", "account_no", "may", "words"),
    [
        (
            "sim",
            "99999999-01",
            "may_buy = true\nmay_sell = true",
            "KIS_ACCOUNT_NO is none of the [[accounts]]",
        ),
        ("live", ACCOUNT, "may_buy = true", "does not say may_sell"),
    ],
)
def test_accounts_that_leave_a_doubt_are_refused(
    tmp_path: Path, environment: str, account_no: str, may: str, words: str
) -> None:
    toml = tmp_path / "oms.toml"
    toml.write_text(f'[[accounts]]\naccount_id = "{ACCOUNT}"\n{may}\n')
    rig = KisRig(tmp_path, rest="http://127.0.0.1:9", stream="ws://127.0.0.1:9")
    rig.settings |= {"OMS_CONFIG": str(toml), "OMS_ENVIRONMENT": environment, "KIS_ACCOUNT_NO": account_no}
    rig.settings |= CALENDAR
    refused = rig.jumun("serve")
    assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr


@pytest.mark.req("S002-57", "I-45", "I-47")
def test_a_halt_and_what_only_reads_need_no_keys(desk: KisRig) -> None:
    for name in ("KIS_APP_KEY", "KIS_APP_SECRET", "KIS_ACCOUNT_NO", "KIS_HTS_ID"):
        desk.settings[name] = ""
    for command in (("orders",), ("status",), ("db", "info"), ("halt", "a drill"), ("cancel-all",)):
        done = desk.jumun(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.req("I-55", "F-101")
def test_live_with_its_accounts_named_still_refuses_a_local_kis(tmp_path: Path) -> None:
    toml = tmp_path / "oms.toml"
    toml.write_text(f'[[accounts]]\naccount_id = "{ACCOUNT}"\nmay_buy = true\nmay_sell = true\n')
    rig = KisRig(tmp_path, rest="http://127.0.0.1:9", stream="ws://127.0.0.1:9")
    rig.settings |= {"OMS_ENVIRONMENT": "live", "OMS_CONFIG": str(toml), **CALENDAR}
    refused = rig.jumun("serve")
    assert refused.returncode == 1
    assert "does not go with KIS at http://127.0.0.1" in refused.stderr


@pytest.mark.req("I-55", "F-101")
def test_the_store_of_a_service_at_kis_starts_at_no_other_broker_and_in_no_replay(desk: KisRig) -> None:
    assert desk.service is not None
    assert desk.service.terminate() == 0, desk.service.text()
    desk.settings["OMS_BROKER"] = "paper"
    for command in (("serve",), ("demo", "--store", str(desk.store))):
        refused = desk.jumun(*command)
        assert refused.returncode == 1, refused.stdout
        assert refused.stderr.startswith(
            f"BAD_SETTING: the store {desk.store} belongs to OMS_ENVIRONMENT=sim"
        )
        assert "with OMS_BROKER=kis, and this start has" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    del desk.settings["OMS_BROKER"]
    desk.start_service()
    wait_ready(desk)


# ---- secrets --------------------------------------------------------------------------------------------


@pytest.mark.req("I-66", "S004-52", "F-12")
def test_keys_and_tokens_reach_no_log_no_screen_and_no_store(desk: KisRig) -> None:
    desk.settings["LOG_LEVEL"] = "debug"
    desk.fault("garbled", path="order-cash", nth=2)
    for number in range(3):
        desk.jumun_json("buy", SYMBOL, str(number + 1), "--price", str(PRICE + TICK), "--id", f"n{number}")
        wait_status(desk, f"n{number}", "FILLED")
    shown = desk.jumun("config", "show").stdout + desk.jumun("config", "show", "--json").stdout
    shown += "".join(desk.jumun("trace", f"n{number}", "--json").stdout for number in range(3))
    shown += desk.jumun("test-connection", "--broker", "kis").stdout
    assert desk.service is not None
    assert desk.service.terminate() == 0
    token_file = desk.folder / "kis-token.json"
    assert token_file.stat().st_mode & 0o777 == 0o600
    token = json.loads(token_file.read_text())["token"]
    customer = next(one for one in demo_customers() if one.environment == "real")
    secrets = {"app key": customer.app_key, "app secret": customer.app_secret, "token": token}
    assert len(token) > 30
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert desk.store in files
    for what, secret in secrets.items():
        assert secret not in shown, what
        for path in files:
            if path.name == "kis.log" or (what, path) == ("token", token_file):
                continue  # the simulator shows its demo keys; the token has one file of its own
            assert secret.encode() not in path.read_bytes(), f"{what} is in {path.name}"


def _wait_for_price(rig: KisRig, order: str, price: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        told = json.loads(rig.jumun("trace", order, "--json").stdout)["order"]
        if told["price"] and int(float(told["price"])) == price and told["status"] != "NEW":
            return
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def _wait_for_readyz(rig: KisRig, wanted: int) -> None:
    deadline = time.monotonic() + 2 * READY_S
    while (answer := http_get(rig.http_port, "/readyz"))[0] != wanted:
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
