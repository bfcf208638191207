"""KIS's tables: what we hold is what the contract says, and a code proves only what it is listed for."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from jumun.brokers.kis import codes, verdicts
from jumun.brokers.kis.codes import ENDPOINTS, Function, NotOffered, is_offered, tr_id
from jumun.brokers.kis.verdicts import Verdict, verdict_of
from jumun.model.instruments import Venue
from jumun.model.orders import Side
from tests.unit.kis.pure_values import LIVE, PAPER

CONTRACT: Final = (
    Path(__file__).resolve().parents[3] / "src" / "jumun" / "simulators" / "kis" / "contract.json"
)


def contract() -> Any:
    return json.loads(CONTRACT.read_text(encoding="utf-8"))


@pytest.mark.req("S000-112", "S002-46")
@pytest.mark.parametrize("function", list(Function))
def test_every_function_is_where_the_contract_says(function: Function) -> None:
    ours = ENDPOINTS[function]
    (row,) = [row for row in contract()["endpoints"] if row["tr_id"]["real"] == ours.live]
    pages = (row["paging"] or {}).get("page_size") or {}
    theirs = row["tr_id"]
    assert ours.path == row["path"]
    assert ours.paper == theirs["paper"]
    assert (ours.old_live or None, ours.old_paper or None) == (theirs["old_real"], theirs["old_paper"])
    assert (ours.rows_live or None, ours.rows_paper or None) == (pages.get("real"), pages.get("paper"))


@pytest.mark.req("S000-112", "I-55")
@pytest.mark.parametrize("function", list(Function))
def test_an_id_of_one_environment_is_never_one_of_the_other(function: Function) -> None:
    live = tr_id(function, LIVE)
    if not is_offered(function, PAPER):
        with pytest.raises(NotOffered, match="live"):
            tr_id(function, PAPER)
        return
    paper = tr_id(function, PAPER)
    quotes = live.startswith(("FH", "HH", "CTPF"))
    assert paper == live if quotes else paper.startswith("V") and not live.startswith("V")


def test_a_us_sell_on_paper_has_an_id_that_no_rule_gives() -> None:
    assert (tr_id(Function.US_SELL, LIVE), tr_id(Function.US_SELL, PAPER)) == ("TTTT1006U", "VTTT1001U")


def test_the_order_kinds_are_those_of_the_contract() -> None:
    listed = contract()["enums"]["ORD_DVSN"]
    ours = {
        route: {code for code, row in codes.ORDER_KINDS.items() if route in row.routes.split()}
        for route in ("KRX", "NXT", "SOR")
    }
    assert ours == {"KRX": set(listed["KRX"]), "NXT": set(listed["NXT"]), "SOR": set(listed["SOR"])}
    us_listed = set(contract()["enums"]["overseas_ORD_DVSN"])
    assert set(codes.US_ORDER_KINDS) == us_listed - {"50"}  # odd lots of Hong Kong


def test_the_small_tables_are_those_of_the_contract() -> None:
    enums = contract()["enums"]
    assert {row["order"]: row["quote"] for row in enums["overseas_exchange"]} == {
        name: row.quote for name, row in codes.EXCHANGES.items()
    }
    assert codes.US_EXCHANGES == ("NASD", "NYSE", "AMEX")
    assert enums["SLL_BUY_DVSN_CD"] == {"00": "all (filter)", "01": "sell", "02": "buy"}
    assert codes.SIDE_OF_CODE == {"01": Side.SELL, "02": Side.BUY}
    assert {code: side for side, code in codes.CODE_OF_SIDE.items()} == codes.SIDE_OF_CODE
    assert set(codes.VENUE_OF_ROUTE) == {"KRX", "NXT", "SOR"}
    assert {Venue.KRX: "KRX", Venue.NXT: "NXT"} == codes.ROUTE_OF_VENUE


@pytest.mark.req("F-09", "F-10", "F-06")
def test_every_code_of_the_contract_proves_what_the_contract_says() -> None:
    for row in contract()["errors"]:
        code, said = row["msg_cd"], row["class"]
        if said == "unknown_if_order":
            assert all(verdict_of(status, "1", code) is Verdict.UNKNOWN for status in (200, 403, 500)), code
        elif said == "retry":
            assert verdict_of(500, "1", code) is Verdict.THROTTLED
        elif said == "reauth":
            assert {verdict_of(200, "1", code), verdict_of(500, "1", code)} == {Verdict.REAUTH}
        elif said == "success":
            assert verdict_of(200, "0", code) is Verdict.DONE
        elif not code.startswith("EGW"):
            assert verdict_of(200, "7", code) is Verdict.REFUSED


@pytest.mark.req("F-09")
def test_only_a_listed_gateway_code_proves_that_an_order_was_not_executed() -> None:
    proven = {"101", "102", "103", "104", "105", "115", "116", "131", "132", "205", "206", "207"}
    proven |= {"208", "209", "210", "213"}
    assert {f"EGW00{code}" for code in proven} | {"EGW2004"} == verdicts.NOT_EXECUTED
    for code in verdicts.NOT_EXECUTED:
        assert verdict_of(403, "1", code) is Verdict.NOT_EXECUTED
        assert verdict_of(200, "1", code) is Verdict.NOT_EXECUTED
    # Fatal by the table and yet no proof: the list of kis.md 6.4 does not hold them.
    for code in ("EGW00003", "EGW00004", "EGW00304", "EGW00133"):
        assert verdict_of(403, "1", code) is Verdict.UNKNOWN


@pytest.mark.req("F-06", "F-07", "I-15")
@pytest.mark.parametrize(
    ("status", "rt_cd", "code", "verdict"),
    [
        (200, "1", "APBK9999", Verdict.REFUSED),  # nobody knows it, but the service said no
        (200, "7", "", Verdict.REFUSED),
        (400, "1", "APBK9999", Verdict.UNKNOWN),
        (404, "1", "", Verdict.UNKNOWN),
        (500, "1", "APBK0952", Verdict.UNKNOWN),
        (502, "1", "EGW99999", Verdict.UNKNOWN),
        (200, "1", "EGW99999", Verdict.UNKNOWN),  # of the gateway: not the service's word
        (200, "1", "IGW00009", Verdict.UNKNOWN),
        (200, "1", "OPSQ0003", Verdict.UNKNOWN),
        (200, "0", "APBK0013", Verdict.DONE),
        (500, "0", "APBK0013", Verdict.UNKNOWN),
        (201, "0", "APBK0013", Verdict.UNKNOWN),
        (200, "0", "EGW00201", Verdict.UNKNOWN),  # contradicts itself
        (200, "0", "EGW00301", Verdict.UNKNOWN),
    ],
)
def test_a_code_proves_no_more_than_it_says(status: int, rt_cd: str, code: str, verdict: Verdict) -> None:
    assert verdict_of(status, rt_cd, code) is verdict


@pytest.mark.req("F-06", "I-15")
@pytest.mark.parametrize("number", ["0003", "0009", "3001", "3002", "3004", *map(str, range(9995, 10_000))])
def test_an_internal_fault_of_the_service_proves_nothing(number: str) -> None:
    assert verdict_of(200, "1", f"OPSQ{number}") is Verdict.UNKNOWN
    assert verdict_of(200, "0", f"OPSQ{number}") is Verdict.UNKNOWN


@pytest.mark.req("F-60")
def test_a_function_that_kis_withdrew_is_known_by_its_code() -> None:
    assert {"EGW00206", "EGW00213", "EGW2004", "OPSQ0002"} == verdicts.CONTRACT_BROKEN
    for code in verdicts.CONTRACT_BROKEN:
        assert verdict_of(200, "1", code) in (Verdict.REFUSED, Verdict.NOT_EXECUTED)


def test_no_code_is_on_two_lists() -> None:
    lists = (verdicts.THROTTLED, verdicts.REAUTH, verdicts.NOT_EXECUTED, verdicts.UNKNOWN)
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert not verdicts.UNKNOWN & verdicts.CONTRACT_BROKEN
