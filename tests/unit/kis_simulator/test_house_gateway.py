"""The gateway of the simulated KIS: keys, tokens, limits, TR ids, and the shape of everything it says."""

from typing import Any

import msgspec
import pytest

from jumun.ports.wire import HttpCall
from jumun.simulators.kis.contract import Endpoint, contract
from jumun.simulators.kis.customers import APP_KEY_LENGTH, APP_SECRET_LENGTH
from tests.unit.kis_simulator.house_calls import (
    PAPER,
    REAL,
    SAMSUNG,
    Caller,
    a_client,
    a_house,
    number_of,
    refusal_of,
    trade,
)

SECOND = 10**9
HOUR = 3_600 * SECOND
PRICE_PATH = "/uapi/domestic-stock/v1/quotations/inquire-price"
ENDPOINTS = [endpoint for endpoint in contract().endpoints if endpoint.market != "auth"]
# One good question for every endpoint: what none of them asks for is left out of its request.
GOOD = {
    "PDNO": SAMSUNG,
    "ORD_DVSN": "00",
    "ORD_QTY": "1",
    "ORD_UNPR": "50000",
    "INQR_STRT_DT": "20261101",
    "INQR_END_DT": "20261120",
    "INQR_DVSN": "00",
    "INQR_DVSN_2": "0",
    "EXCG_ID_DVSN_CD": "KRX",
    "FID_COND_MRKT_DIV_CODE": "J",
    "FID_INPUT_ISCD": SAMSUNG,
    "PRDT_TYPE_CD": "300",
    "BASS_DT": "20261120",
    "OVRS_EXCG_CD": "NASD",
    "EXCD": "NAS",
    "SYMB": "AAPL",
    "ITEM_CD": "AAPL",
    "CRDT_TYPE": "21",
    "ORD_STRT_DT": "20261101",
    "ORD_END_DT": "20261120",
    "SLL_BUY_DVSN": "00",
    "CCLD_NCCS_DVSN": "00",
    "NATN_CD": "000",
    "TR_MKET_CD": "00",
    "RVSE_CNCL_DVSN_CD": "02",
    "QTY_ALL_ORD_YN": "Y",
    "OVRS_ORD_UNPR": "190",
}


def question(endpoint: Endpoint, *, is_paper: bool) -> dict[str, str]:
    """A good question for an endpoint."""
    fields = dict(GOOD)
    fields["INQR_DVSN_1"] = "0" if endpoint.name == "inquire-psbl-rvsecncl" else ""
    if endpoint.market == "overseas":
        fields["PDNO"] = "AAPL"
    if endpoint.name == "overseas-inquire-ccnl" and is_paper:
        fields |= {"PDNO": "", "OVRS_EXCG_CD": ""}
    return fields


def prepared(client: Caller, endpoint: Endpoint, fields: dict[str, str]) -> dict[str, str]:
    """What a change needs: an order that is there."""
    if endpoint.name == "order-rvsecncl":
        return fields | {"ORGN_ODNO": number_of(client.buy(price=50_000))}
    if endpoint.name == "overseas-order-rvsecncl-us":
        order = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_DVSN": "00", "ORD_QTY": "1"}
        sent = client.ask("overseas-order-us-buy", order | {"OVRS_ORD_UNPR": "150"})
        return fields | {"ORGN_ODNO": number_of(sent)}
    return fields


def tr_ids(environment: str) -> list[tuple[Endpoint, str]]:
    """Every endpoint of an environment with each of its TR ids, old ones included."""
    found = []
    for endpoint in ENDPOINTS:
        ids = msgspec.structs.asdict(endpoint.tr_id)
        for name in (environment, f"old_{environment}"):
            if ids[name]:
                found.append((endpoint, ids[name]))
    return found


def check_shape(endpoint: Endpoint, body: dict[str, Any]) -> None:
    """Every declared field is there, in its order and shape, as text."""
    for name, fields in endpoint.response.items():
        block = body[name]
        is_array = endpoint.response_kind[name] == "array"
        assert isinstance(block, list) is is_array, (endpoint.name, name)
        for row in block if is_array else [block]:
            assert tuple(row)[: len(fields)] == fields, (endpoint.name, name)
            assert all(isinstance(text, str) for text in row.values()), (endpoint.name, name)
    for key in endpoint.paging.keys if endpoint.paging else ():
        width = {"00": int(key[-3:])} if key[-3:].isdigit() else {}
        assert len(body[key]) == width.get(key[-2:], len(body[key])), (endpoint.name, key)


REFUSED_PRODUCTS = ("credit-", "resv", "daytime", "-jp", "-hk", "-shanghai", "-shenzhen", "-vietnam")


@pytest.mark.parametrize("environment", ["real", "paper"])
@pytest.mark.req("S002-46", "S000-112")
def test_every_endpoint_answers_its_tr_ids_with_every_declared_field_in_order(environment: str) -> None:
    client = a_client(customer=REAL if environment == "real" else PAPER)
    trade(client, 58_000, 100)
    answered: set[str] = set()
    for endpoint, tr_id in tr_ids(environment):
        fields = prepared(client, endpoint, question(endpoint, is_paper=environment == "paper"))
        reply = client.reply(endpoint.name, fields, tr_id=tr_id)
        body = msgspec.json.decode(reply.body)
        if body["rt_cd"] == "0":
            check_shape(endpoint, body)
            answered.add(endpoint.name)
        else:
            assert any(word in endpoint.name for word in REFUSED_PRODUCTS), (endpoint.name, body)
        if endpoint.method == "GET":
            assert len(body["msg1"]) == 80, endpoint.name
        assert {"rt_cd", "msg_cd", "msg1"} <= set(body)
    refused = [endpoint for endpoint, _ in tr_ids(environment) if endpoint.name not in answered]
    assert all(endpoint.method == "POST" for endpoint in refused), "every inquiry is answered"


def test_the_two_sell_ids_of_the_us_and_the_unlisted_list_of_open_orders_are_taken_on_paper() -> None:
    client = a_client(customer=PAPER)
    order = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_DVSN": "00", "ORD_QTY": "1", "OVRS_ORD_UNPR": "300"}
    for tr_id in ("VTTT1001U", "VTTT1006U"):
        number_of(client.ask("overseas-order-us-sell", order, tr_id=tr_id))
    asked = {"OVRS_EXCG_CD": "NASD", "SORT_SQN": "DS"}
    assert len(client.ask("overseas-inquire-nccs", asked, tr_id="VTTS3018R")["output"]) == 2
    strict = a_client(a_house(paper_nccs=False), PAPER)
    assert refusal_of(strict.ask("overseas-inquire-nccs", tr_id="VTTS3018R")) == "EGW00213"


def test_reply_headers_are_spelt_as_the_independent_clients_need_them() -> None:
    reply = a_client().reply("inquire-price", GOOD, gt_uid="G1")
    assert reply.headers == {
        "Content-Type": "application/json; charset=utf-8",
        "tr_id": "FHKST01010100",
        "tr_cont": "",
        "gt_uid": "G1",
    }


def test_query_names_are_read_in_any_case_and_body_names_in_upper_case_only() -> None:
    client = a_client()
    quiet = client.send(
        "GET",
        "//" + PRICE_PATH.strip("/"),
        headers=client.headers("FHKST01010100"),
        query={"fid_cond_mrkt_div_code": "J", "fid_input_iscd": SAMSUNG},
    )
    assert msgspec.json.decode(quiet.body)["output"]["stck_shrn_iscd"] == SAMSUNG
    order = {"cano": "12345678", "ACNT_PRDT_CD": "01", "PDNO": SAMSUNG}
    path = contract().named("order-cash-buy").path
    loud = client.send("POST", path, headers=client.headers("TTTC0012U"), body=order)
    body = msgspec.json.decode(loud.body)
    assert refusal_of(body) == "OPSQ2001"
    assert "CANO" in body["msg1"]


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"appkey": ""}, "EGW00102", 403),
        ({"appkey": "x" * APP_KEY_LENGTH}, "EGW00103", 403),
        ({"appsecret": ""}, "EGW00104", 403),
        ({"appsecret": "x" * APP_SECRET_LENGTH}, "EGW00105", 403),
        ({"authorization": ""}, "EGW00122", 500),
        ({"authorization": "Bearer nothing"}, "EGW00121", 500),
        ({"authorization": "Basic x"}, "EGW00205", 500),
        ({"tr_id": ""}, "EGW00101", 500),
        ({"tr_id": "TTTC0000U"}, "OPSQ0002", 200),
        ({"tr_id": "VTTC0012U"}, "OPSQ0002", 200),
        ({"custtype": "X"}, "EGW00208", 500),
        ({"custtype": "B"}, "EGW00209", 500),
        ({"custtype": "B", "seq_no": "001"}, "EGW00207", 500),
        ({"content-type": "text/plain"}, "EGW00132", 500),
        ({"content-type": ""}, "EGW00132", 500),
        ({"hashkey": "0" * 64}, "EGW00131", 500),
    ],
)
@pytest.mark.req("S002-45", "S002-46")
def test_a_call_with_a_wrong_header_is_refused_before_the_ledger(
    changed: dict[str, str], code: str, status: int
) -> None:
    client = a_client()
    path = contract().named("order-cash-buy").path
    body = {"CANO": "12345678", "ACNT_PRDT_CD": "01", "PDNO": SAMSUNG, "ORD_DVSN": "00", "ORD_QTY": "1"}
    headers = client.headers("TTTC0012U") | changed
    reply = client.send("POST", path, headers=headers, body=body | {"ORD_UNPR": "58000"})
    assert (refusal_of(msgspec.json.decode(reply.body)), reply.status) == (code, status)
    assert not client.house.market.orders


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"CANO": "99999999"}, "OPSQ2000"),
        ({"CANO": "50012345"}, "OPSQ2000"),  # somebody else's
        ({"ORD_QTY": "ten"}, "OPSQ2001"),
        ({"ORD_QTY": "1.5"}, "OPSQ2001"),
        ({"ORD_QTY": "0"}, "OPSQ2001"),
        ({"ORD_QTY": "-1"}, "OPSQ2001"),
        ({"ORD_QTY": "12345678901"}, "OPSQ2001"),
        ({"ORD_QTY": 10}, "OPSQ2001"),
        ({"ORD_DVSN": "99"}, "OPSQ2001"),
        ({"EXCG_ID_DVSN_CD": "BATS"}, "OPSQ2001"),
    ],
)
def test_an_order_body_that_kis_cannot_read_is_refused(changed: dict[str, Any], code: str) -> None:
    client = a_client()
    assert refusal_of(client.buy(**changed)) == code
    assert not client.house.market.orders


def test_addresses_that_do_not_exist_and_bodies_that_are_no_json_are_refused() -> None:
    client = a_client()
    assert client.send("GET", "/uapi/nowhere", headers=client.headers("X")).status == 404
    path = contract().named("order-cash-buy").path
    for bad in (b"{", b"[]", b"\xff", b"x" * 70_000):
        call = HttpCall(method="POST", path=path, headers=client.headers("TTTC0012U"), body=bad)
        client.now_ns += SECOND
        reply = client.house.handle(call, client.now_ns)
        assert refusal_of(msgspec.json.decode(reply.body)) == "EGW00101"


def test_old_tr_ids_know_krx_only_and_can_be_switched_off() -> None:
    client = a_client()
    old = client.ask("order-cash-buy", GOOD | {"EXCG_ID_DVSN_CD": "NXT"}, tr_id="TTTC0802U")
    assert client.row(number_of(old))["excg_id_dvsn_cd"] == "KRX"
    strict = a_client(a_house(old_trs=False))
    assert refusal_of(strict.ask("order-cash-buy", GOOD, tr_id="TTTC0802U")) == "OPSQ0002"


@pytest.mark.req("S000-112")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("inquire-psbl-rvsecncl", "EGW00213"),
        ("inquire-psbl-sell", "EGW00213"),
        ("inquire-balance-rlz-pl", "EGW00213"),
        ("intgr-margin", "EGW00213"),
        ("order-credit-buy", "EGW00213"),
        ("order-resv", "EGW00213"),
        ("overseas-daytime-order-buy", "EGW00213"),
        ("overseas-foreign-margin", "EGW00213"),
        ("chk-holiday", "OPSQ0002"),
    ],
)
def test_paper_refuses_what_only_the_real_service_has(name: str, code: str) -> None:
    assert refusal_of(a_client(customer=PAPER).ask(name, GOOD)) == code


def test_paper_answers_quotations_unless_switched_to_the_letter_of_the_contract() -> None:
    assert a_client(customer=PAPER).ask("search-stock-info", GOOD)["rt_cd"] == "0"
    strict = a_client(a_house(paper_quotes=False), PAPER)
    assert refusal_of(strict.ask("search-stock-info", GOOD)) == "EGW00213"
