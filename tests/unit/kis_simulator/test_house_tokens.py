"""Tokens, approval keys, hashkeys and the limits per second of the simulated KIS."""

from typing import Any

import msgspec
import pytest

from jumun.simulators.kis.contract import contract
from tests.unit.kis_simulator.house_calls import (
    MORNING,
    PAPER,
    REAL,
    SAMSUNG,
    Caller,
    a_client,
    a_house,
    number_of,
    refusal_of,
)

SECOND = 10**9
HOUR = 3_600 * SECOND
GOOD = {
    "PDNO": SAMSUNG,
    "FID_COND_MRKT_DIV_CODE": "J",
    "FID_INPUT_ISCD": SAMSUNG,
    "INQR_DVSN": "00",
}


def grant(client: Caller, at_ns: int) -> dict[str, Any]:
    client.now_ns = at_ns - client.step_ns
    reply = client.send("POST", "/oauth2/tokenP", body=client.keys("appsecret"))
    body: dict[str, Any] = msgspec.json.decode(reply.body)
    return body | {"status": reply.status}


@pytest.mark.req("S002-45")
def test_a_token_is_the_same_one_for_six_hours_and_lives_a_day() -> None:
    client = a_client()
    first, began = client.token, client.now_ns
    again = grant(client, began + 5 * HOUR)
    assert again["access_token"] == first
    assert again["expires_in"] == 86_400
    assert again["access_token_token_expired"] == "2026-11-21 10:00:01"
    assert grant(client, began + 7 * HOUR)["access_token"] != first
    client.now_ns = began + 24 * HOUR - 2 * SECOND
    assert client.ask("inquire-price", GOOD)["rt_cd"] == "0", "the older token lives to its end"
    assert refusal_of(client.ask("inquire-price", GOOD)) == "EGW00123"


def test_a_second_token_within_a_minute_is_refused_unless_switched_off() -> None:
    client = a_client()
    refused = grant(client, client.now_ns + 59 * SECOND)
    assert (refused["status"], refused["error_code"]) == (403, "EGW00133")
    assert grant(client, client.now_ns + SECOND)["status"] == 200
    loose = a_client(a_house(token_limit=False))
    assert grant(loose, loose.now_ns + SECOND)["status"] == 200


@pytest.mark.parametrize(("switch", "status"), [(500, 500), (200, 200)])
def test_an_expired_token_says_so_with_either_status(switch: int, status: int) -> None:
    client = a_client(a_house(expired_status=switch))
    client.house.tokens.expire_all(client.now_ns)
    reply = client.reply("inquire-price", GOOD)
    assert (reply.status, refusal_of(msgspec.json.decode(reply.body))) == (status, "EGW00123")
    client.token = grant(client, client.now_ns + 61 * SECOND)["access_token"]
    assert client.ask("inquire-price", GOOD)["rt_cd"] == "0"


def test_a_revoked_token_is_no_token() -> None:
    client = a_client()
    told = client.send("POST", "/oauth2/revokeP", body=client.keys("appsecret") | {"token": client.token})
    assert msgspec.json.decode(told.body)["code"] == 200
    assert refusal_of(client.ask("inquire-price", GOOD)) == "EGW00121"
    assert grant(client, client.now_ns + 61 * SECOND)["access_token"] != client.token


def test_a_token_of_one_key_is_worth_nothing_with_another() -> None:
    house = a_house()
    real, paper = a_client(house), a_client(house, PAPER)
    real.token = paper.token
    assert refusal_of(real.ask("inquire-price", GOOD)) == "EGW00121"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "EGW00115"),
        ({"grant_type": "password"}, "EGW00116"),
        ({"grant_type": "client_credentials"}, "EGW00102"),
        ({"grant_type": "client_credentials", "appkey": REAL.app_key}, "EGW00104"),
    ],
)
def test_a_grant_that_lacks_something_is_refused(body: dict[str, str], code: str) -> None:
    reply = a_client().send("POST", "/oauth2/tokenP", body=body)
    assert (reply.status, msgspec.json.decode(reply.body)["error_code"]) == (403, code)


def test_an_approval_key_names_its_customer_for_a_day() -> None:
    client = a_client(a_house(approval_limit=1), step_ns=0)
    body = client.keys("secretkey")
    key = msgspec.json.decode(client.send("POST", "/oauth2/Approval", body=body).body)["approval_key"]
    again = msgspec.json.decode(client.send("POST", "/oauth2/Approval", body=body).body)
    assert again["error_code"] == "EGW00201"
    assert client.house.approve(key, client.now_ns) is REAL
    assert client.house.approve(key, client.now_ns + 24 * HOUR) is None
    assert client.house.approve("another", client.now_ns) is None


@pytest.mark.req("S002-45")
def test_a_hashkey_that_is_sent_must_fit_the_body_however_it_was_written() -> None:
    client = a_client()
    body = {"CANO": "12345678", "ACNT_PRDT_CD": "01", "PDNO": SAMSUNG, "ORD_DVSN": "00", "ORD_QTY": "1"}
    body |= {"ORD_UNPR": "50000"}
    told = client.send("POST", "/uapi/hashkey", headers=client.headers(""), body=body)
    answer = msgspec.json.decode(told.body)
    assert answer["BODY"] == body
    path = contract().named("order-cash-buy").path
    turned = dict(reversed(body.items()))
    headers = client.headers("TTTC0012U", hashkey=answer["HASH"])
    number_of(msgspec.json.decode(client.send("POST", path, headers=headers, body=turned).body))
    other = msgspec.json.decode(client.send("POST", path, headers=headers, body=body | {"ORD_QTY": "2"}).body)
    assert refusal_of(other) == "EGW00131"


# ---- limits ----


def burst(client: Caller, count: int) -> list[str]:
    """Ask for a price so often in one second; return the codes."""
    client.step_ns = 0
    client.now_ns = (client.now_ns // SECOND + 1) * SECOND
    return [client.ask("inquire-price", GOOD)["msg_cd"] for _ in range(count)]


@pytest.mark.req("S004-9")
@pytest.mark.parametrize(
    ("customer", "limit", "switches"),
    [(REAL, 18, {}), (PAPER, 1, {}), (REAL, 3, {"rate_limit": 3}), (PAPER, 3, {"rate_limit": 3})],
)
def test_one_call_too_many_in_a_second_of_the_clock_is_refused(
    customer: Any, limit: int, switches: dict[str, Any]
) -> None:
    client = a_client(a_house(**switches), customer)
    codes = burst(client, limit + 1)
    assert codes == ["MCA00000"] * limit + ["EGW00201"]
    assert client.reply("inquire-price", GOOD).status == 500
    assert burst(client, 1) == ["MCA00000"], "the next second begins anew"


def test_the_limit_can_be_switched_off() -> None:
    client = a_client(a_house(rate_limit=0))
    assert set(burst(client, 50)) == {"MCA00000"}


def test_balance_inquiries_of_all_customers_together_have_a_limit_of_their_own() -> None:
    house = a_house(balance_limit=2, rate_limit=0)
    one, other = a_client(house, step_ns=0), a_client(house, PAPER, step_ns=0)
    for client in (one, other):
        client.now_ns = MORNING + 60 * SECOND
        client.step_ns = 0
    assert one.ask("inquire-balance", GOOD)["rt_cd"] == "0"
    assert other.ask("inquire-balance", GOOD)["rt_cd"] == "0"
    reply = one.reply("inquire-balance", GOOD)
    assert (reply.status, refusal_of(msgspec.json.decode(reply.body))) == (500, "EGW00215")
    assert one.ask("inquire-psbl-sell", GOOD)["rt_cd"] == "0", "only balances are counted"


def test_no_secret_is_in_the_names_of_things() -> None:
    client = a_client()
    shown = repr(client.house.customers) + repr(client.house.tokens._tokens) + repr(client.told)
    assert REAL.app_key not in shown
    assert REAL.app_secret not in shown
    assert client.token in client.house.tokens._tokens
    assert client.token not in repr(list(client.house.tokens._tokens.values()))
