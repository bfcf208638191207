"""Who may be at KIS, and where: paper and live cannot be mixed, and secrets do not show."""

import pickle

import msgspec
import pytest

from jumun.brokers.kis.access import (
    REST_BASE,
    WS_BASE,
    KisAccess,
    KisAccount,
    KisEnvironment,
    Secret,
    parse_account,
)
from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId
from tests.unit.kis.pure_values import ACCOUNT, LIVE, PAPER, an_access


@pytest.mark.req("S004-51")
@pytest.mark.parametrize("text", ["12345678-01", "1234567801", " 12345678-01\n"])
def test_both_spellings_of_an_account_are_the_same_account(text: str) -> None:
    assert parse_account(text) == KisAccount(
        account_id=AccountId("12345678-01"), cano="12345678", product="01"
    )


@pytest.mark.req("I-66", "S004-51")
@pytest.mark.parametrize(
    "text", ["", "12345678", "12345678-1", "1234567-801", "12345678_01", "１２３４５６７８01"]
)
def test_what_is_no_account_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="12345678-01") as caught:
        parse_account(text)
    assert not text or text not in str(caught.value).replace("12345678-01", "").replace("1234567801", "")


@pytest.mark.parametrize("text", ["12345678-03", "1234567829"])
def test_an_account_for_other_products_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="shares cannot be"):
        parse_account(text)


@pytest.mark.req("I-55", "S000-112", "S004-48")
@pytest.mark.parametrize("environment", list(KisEnvironment))
def test_without_an_address_each_environment_has_its_own_hosts(environment: KisEnvironment) -> None:
    access = an_access(environment)
    assert (access.rest_url, access.ws_url) == (REST_BASE[environment], WS_BASE[environment])


@pytest.mark.req("I-55", "F-101", "S000-112")
@pytest.mark.parametrize(("environment", "other"), [(PAPER, LIVE), (LIVE, PAPER)])
def test_one_environment_cannot_reach_the_other(environment: KisEnvironment, other: KisEnvironment) -> None:
    with pytest.raises(
        ConfigError, match=f"{other.value} address and the environment is {environment.value}"
    ):
        an_access(environment, rest=REST_BASE[other])
    with pytest.raises(ConfigError, match=f"{other.value} address"):
        an_access(environment, ws=WS_BASE[other])


@pytest.mark.req("I-55", "F-101")
@pytest.mark.parametrize(
    "base",
    [
        "https://example.test:9443",
        "https://openapi.koreainvestment.com.example.test:9443",
        "https://127.0.0.1:9443@example.test:9443",
        "https://openapi.koreainvestment.com:9444",
        "http://openapi.koreainvestment.com:9443",
        "https://0.0.0.0:9443",
        "https://10.0.0.1:9443",
        "https://openapi.koreainvestment.com",
        "https://127.0.0.1:9443/uapi",
        "https://127.0.0.1:9443?x=1",
        "https://127.0.0.1:99999",
        "ftp://127.0.0.1:9443",
        "127.0.0.1:9443",
        "https://[::1",
        "https://user@127.0.0.1:9443",
        "https://127.0.0.1:9443#x",
    ],
)
def test_any_other_host_is_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="KIS_BASE_URL"):
        an_access(LIVE, rest=base)


@pytest.mark.parametrize("environment", list(KisEnvironment))
@pytest.mark.parametrize("base", ["http://127.0.0.1:9443", "https://localhost:8080/", "http://[::1]:9443"])
def test_a_simulator_on_this_machine_may_stand_in_for_either(environment: KisEnvironment, base: str) -> None:
    access = an_access(environment, rest=base)
    assert access.rest_url == base.rstrip("/")
    assert access.ws_url == access.rest_url.replace("http", "ws")
    assert an_access(environment, rest=base, ws="wss://localhost:31000").ws_url == "wss://localhost:31000"


@pytest.mark.req("I-55", "F-101")
@pytest.mark.parametrize("rest", ["https://example.test:9443", REST_BASE[PAPER], REST_BASE[LIVE]])
def test_where_only_a_local_kis_is_meant_no_message_recommends_kis_itself(rest: str) -> None:
    local = an_access(LIVE, rest="http://127.0.0.1:9443")
    with pytest.raises(ConfigError, match="reaches a KIS on this machine only") as refused:
        msgspec.structs.replace(local, rest_base=rest, is_sim=True)
    assert "koreainvestment" not in str(refused.value).partition(";")[2]
    with pytest.raises(ConfigError, match=r"KIS_WS_URL names ops\.koreainvestment\.com"):
        msgspec.structs.replace(local, ws_base=WS_BASE[LIVE], is_sim=True)
    with pytest.raises(ConfigError, match="KIS_BASE_URL"):
        msgspec.structs.replace(local, rest_base="", is_sim=True)


@pytest.mark.req("I-55")
def test_a_simulator_beside_the_real_stream_is_refused() -> None:
    with pytest.raises(ConfigError, match="set both bases, or neither"):
        an_access(PAPER, rest="http://127.0.0.1:9443", ws=WS_BASE[PAPER])
    with pytest.raises(ConfigError, match="set both bases, or neither"):
        an_access(PAPER, ws="ws://127.0.0.1:31000")
    both = an_access(PAPER, rest="http://127.0.0.1:9443", ws="ws://127.0.0.1:31000")
    assert both.ws_url == "ws://127.0.0.1:31000"


@pytest.mark.req("S004-52", "I-52")
def test_the_rate_can_be_lowered_and_not_raised() -> None:
    assert an_access(LIVE, rate=20).calls_per_s == 18
    assert an_access(LIVE, rate=5).calls_per_s == 5
    assert an_access(PAPER, rate=20).calls_per_s == 1
    assert an_access(PAPER, rate=500, rest="http://127.0.0.1:9443").calls_per_s == 500
    for rate in (0, -1, 1_000_000):
        with pytest.raises(ConfigError, match="KIS_RATE_LIMIT_RPS"):
            an_access(LIVE, rate=rate)


@pytest.mark.req("I-66", "S004-49", "S004-50")
def test_a_secret_shows_only_when_it_is_asked_for() -> None:
    secret = Secret("hidden-in-here")
    shown = f"{secret} {secret!r} {secret!s} {secret:>20} {[secret]} {an_access()!r} {an_access()}"
    assert "hidden" not in shown
    assert "kkkk" not in shown
    assert "12345678" not in shown
    assert (str(secret), repr(secret), f"{secret:>9}") == ("***", "Secret(***)", "***")
    assert secret.reveal() == "hidden-in-here"
    assert secret
    assert not Secret("")
    assert secret == Secret("hidden-in-here")
    assert secret != Secret("other")
    assert secret != "hidden-in-here"
    assert len({secret, Secret("hidden-in-here")}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


@pytest.mark.parametrize("text", ["", " ", "key with blank", "line\nend", "ключ", "k" * 513])
def test_a_key_that_no_header_could_carry_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ConfigError, match="KIS_APP_KEY"):
        msgspec.structs.replace(an_access(), app_key=Secret(text))
    with pytest.raises(ConfigError, match="KIS_APP_SECRET"):
        msgspec.structs.replace(an_access(), app_secret=Secret(text))


def test_only_accounts_of_this_process_are_found() -> None:
    access = an_access()
    assert access.account(ACCOUNT.account_id) is ACCOUNT
    with pytest.raises(ConfigError, match="KIS_ACCOUNT_NO"):
        access.account(AccountId("87654321-01"))
    with pytest.raises(ConfigError, match="named twice"):
        msgspec.structs.replace(access, accounts=(ACCOUNT, ACCOUNT))


def test_the_kind_of_customer_is_one_that_kis_knows() -> None:
    with pytest.raises(ConfigError, match="custtype"):
        msgspec.structs.replace(an_access(), custtype="X")
    access: KisAccess = msgspec.structs.replace(an_access(), custtype="B")
    assert access.custtype == "B"
