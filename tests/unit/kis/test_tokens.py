"""Keys to KIS: one token for all, never asked for more often than allowed, never to be seen."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from jumun.brokers.kis.access import KisAccess, KisEnvironment
from jumun.brokers.kis.budget import Lane
from jumun.model.errors import BrokerUnavailable
from jumun.ports.wire import AnswerLost, HttpReply, NothingSent
from tests.unit.kis.key_desk import DAY_S, KeyDesk, play
from tests.unit.kis.wires import APP_KEY, APP_SECRET, SECRETS, TOKEN, an_access, told

# ---- one token ------------------------------------------------------------------------------------


@pytest.mark.req("F-10")
def test_a_hundred_calls_wait_for_one_token() -> None:
    async def script() -> None:
        desk = KeyDesk(takes_s=0.4)
        tokens = await asyncio.gather(*(desk.token() for _ in range(100)))
        assert set(tokens) == {TOKEN}
        assert desk.asked() == 1
        (call,) = desk.wire.calls
        assert json.loads(call.body) == {
            "grant_type": "client_credentials",
            "appkey": APP_KEY,
            "appsecret": APP_SECRET,
        }
        assert call.headers == {"content-type": "application/json; charset=utf-8"}

    play(script)


def test_a_caller_that_leaves_takes_the_token_of_the_others_not_with_it() -> None:
    async def script() -> None:
        desk = KeyDesk(takes_s=0.4)
        first = asyncio.create_task(desk.token())
        second = asyncio.create_task(desk.token())
        await desk.clock.sleep(0.1)
        first.cancel()
        assert await second == TOKEN
        assert desk.asked() == 1

    play(script)


def test_a_token_is_renewed_half_an_hour_before_its_end() -> None:
    async def script() -> None:
        desk = KeyDesk()
        assert await desk.token() == TOKEN
        await desk.clock.sleep(DAY_S - 1_801)
        assert await desk.token() == TOKEN
        await desk.clock.sleep(2)
        assert await desk.token() == "second.token"
        assert desk.asked() == 2

    play(script)


def test_the_korean_end_counts_and_not_the_seconds() -> None:
    """KIS gives the same token again within six hours, and its seconds then are those of a new one."""

    async def script() -> None:
        desk = KeyDesk()
        desk.error = told(desk.a_token(TOKEN, life_s=3_600))
        assert await desk.token() == TOKEN
        await desk.clock.sleep(3_601)
        desk.error = None
        desk.names = ["second.token"]
        assert await desk.token() == "second.token"

    play(script)


def test_without_a_korean_end_the_seconds_count() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = told({"access_token": TOKEN, "expires_in": 7_200})
        assert await desk.token() == TOKEN
        await desk.clock.sleep(7_201)
        desk.error = told("", status=500)
        with pytest.raises(BrokerUnavailable):
            await desk.token()

    play(script)


def test_a_token_that_cannot_be_renewed_is_used_to_its_end() -> None:
    async def script() -> None:
        desk = KeyDesk()
        await desk.token()
        desk.error = told("busy", status=503)
        await desk.clock.sleep(DAY_S - 1_000)
        assert await desk.token() == TOKEN
        assert await desk.token() == TOKEN
        assert desk.asked() == 2, "and KIS is not asked again within the minute"
        await desk.clock.sleep(1_000)
        with pytest.raises(BrokerUnavailable):
            await desk.token()

    play(script)


@pytest.mark.req("F-101", "I-55")
@pytest.mark.parametrize(
    ("access", "words"),
    [
        (an_access(), "these keys are not of the paper service; those of a real account do not work there"),
        (
            an_access(environment=KisEnvironment.LIVE),
            "these keys are not of the live service; those of KIS's paper service need OMS_ENVIRONMENT=paper",
        ),
        (
            an_access(environment=KisEnvironment.LIVE, rest_base="http://127.0.0.1:9443"),
            "if the local KIS was started with --paper, set KIS_SIM_AS=paper",
        ),
        (
            an_access(rest_base="http://127.0.0.1:9443"),
            "if the local KIS was started without --paper, leave KIS_SIM_AS out",
        ),
    ],
)
def test_keys_of_the_other_environment_are_named_as_what_they_are(access: KisAccess, words: str) -> None:
    async def script() -> None:
        desk = KeyDesk(access=access)
        desk.error = told({"error_code": "EGW00103", "error_description": "유효하지 않은 AppKey"}, status=403)
        with pytest.raises(BrokerUnavailable, match="EGW00103") as refused:
            await desk.token()
        assert words in str(refused.value)
        assert "KIS_APP_KEY" in str(refused.value)
        assert "asked" not in str(refused.value), "to ask again helps nobody"

    play(script)


@pytest.mark.req("F-11")
def test_after_a_failure_the_next_request_waits_61_seconds_and_says_so() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = told({"error_code": "EGW00133", "error_description": "wait a minute"}, status=403)
        with pytest.raises(BrokerUnavailable, match="EGW00133 wait a minute"):
            await desk.token()
        desk.error = None
        await desk.clock.sleep(10)
        with pytest.raises(BrokerUnavailable, match="in 51 s"):
            await desk.token()
        await desk.clock.sleep(50.5)
        with pytest.raises(BrokerUnavailable, match="in 1 s"):
            await desk.token()
        await desk.clock.sleep(0.5)
        assert await desk.token() == TOKEN
        assert desk.wire.times_s == [0, 61]

    play(script)


def test_a_request_that_never_left_costs_no_minute() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = NothingSent("refused")
        with pytest.raises(BrokerUnavailable):
            await desk.token()
        desk.error = None
        assert await desk.token() == TOKEN

    play(script)


@pytest.mark.req("F-10")
def test_a_refused_token_is_replaced_once_however_many_calls_were_refused() -> None:
    async def script() -> None:
        desk = KeyDesk(takes_s=0.1)
        old = await desk.tokens.access_token()
        await desk.clock.sleep(120)
        for _ in range(5):
            desk.tokens.refused(old)
        tokens = await asyncio.gather(*(desk.token() for _ in range(5)))
        desk.tokens.refused(old)  # one that was on its way comes late
        assert {*tokens, await desk.token()} == {"second.token"}
        assert desk.asked() == 2

    play(script)


@pytest.mark.req("F-11")
def test_a_token_refused_within_the_minute_waits() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.tokens.refused(await desk.tokens.access_token())
        with pytest.raises(BrokerUnavailable, match="in 61 s"):
            await desk.token()
        await desk.clock.sleep(61)
        assert await desk.token() == "second.token"

    play(script)


def test_the_same_token_again_is_used_and_told() -> None:
    async def script() -> None:
        desk = KeyDesk(names=(TOKEN,))
        desk.tokens.refused(await desk.tokens.access_token())
        await desk.clock.sleep(61)
        with capture_logs() as logs:
            assert await desk.token() == TOKEN
        assert "kis_token_same_again" in [entry["event"] for entry in logs]

    play(script)


@pytest.mark.parametrize(
    "reply",
    [
        told("<html>login</html>"),
        told("[]"),
        told({"access_token": ""}),
        told({"access_token": 7, "expires_in": 1}),
        told({"access_token": "two words", "expires_in": 86_400}),
        told({"access_token": "line\nend", "expires_in": 86_400}),
        told({"access_token": TOKEN}),
        told({"access_token": TOKEN, "expires_in": "86400"}),
        told({"access_token": TOKEN, "expires_in": True}),
        told({"access_token": TOKEN, "access_token_token_expired": "tomorrow"}),
        told({"access_token": TOKEN, "access_token_token_expired": "2026-11-20 08:59:59"}),
        told({"access_token": TOKEN, "expires_in": 86_400}, status=500),
        told({"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "too many"}, status=500),
        told({"error_code": "EGW00105", "error_description": f"secret {APP_SECRET} is wrong"}, status=403),
        told({"error_code": TOKEN, "error_description": {"appkey": APP_KEY}}, status=403),
    ],
)
@pytest.mark.req("F-12")
def test_an_answer_that_is_no_token_leaves_us_without_one(reply: HttpReply) -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = reply
        with pytest.raises(BrokerUnavailable) as caught, capture_logs() as logs:
            await desk.token()
        text = f"{caught.value!r} {caught.value} {logs}"
        assert not [secret for secret in SECRETS[:3] if secret in text]

    play(script)


def test_a_lost_answer_counts_as_asked() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = AnswerLost("reset")
        with pytest.raises(AnswerLost):
            await desk.token()
        desk.error = None
        with pytest.raises(BrokerUnavailable, match="in 61 s"):
            await desk.token()

    play(script)


def test_key_calls_take_their_turn_in_the_query_lane() -> None:
    async def script() -> None:
        desk = KeyDesk(rate=1)
        await desk.budget.acquire(Lane.SEND)
        sends = [asyncio.create_task(desk.budget.acquire(Lane.SEND)) for _ in range(2)]
        assert await desk.token() == TOKEN
        assert desk.wire.times_s == [3.06]
        await asyncio.gather(*sends)

    play(script)


# ---- the approval key and the hashkey -----------------------------------------------------------------


def test_one_approval_key_serves_all_streams_of_a_day() -> None:
    async def script() -> None:
        desk = KeyDesk(takes_s=0.2)
        keys = await asyncio.gather(*(desk.tokens.approval_key() for _ in range(10)))
        assert {key.reveal() for key in keys} == {"approval-1"}
        (call,) = desk.wire.calls
        assert json.loads(call.body) == {
            "grant_type": "client_credentials",
            "appkey": APP_KEY,
            "secretkey": APP_SECRET,
        }
        await desk.clock.sleep(DAY_S)
        assert (await desk.tokens.approval_key()).reveal() == "approval-2"

    play(script)


def test_approval_keys_are_asked_for_once_a_second_at_most() -> None:
    async def script() -> None:
        desk = KeyDesk()
        for _ in range(3):
            await desk.tokens.approval_key()
            desk.tokens.drop_approval_key()
        assert desk.wire.times_s == [0, 1, 2]

    play(script)


def test_a_refused_approval_key_says_why_and_is_asked_for_again() -> None:
    async def script() -> None:
        desk = KeyDesk()
        desk.error = told({"error_code": "EGW00103", "error_description": APP_KEY}, status=403)
        with pytest.raises(BrokerUnavailable, match=r"EGW00103 \*\*\* .* check KIS_APP_KEY"):
            await desk.tokens.approval_key()
        desk.error = None
        assert (await desk.tokens.approval_key()).reveal() == "approval-2"

    play(script)


def test_a_hashkey_is_of_the_exact_body() -> None:
    async def script() -> None:
        desk = KeyDesk()
        body = b'{"CANO":"12345678","ORD_QTY":"10"}'
        assert await desk.tokens.hashkey(body, Lane.SEND) == "ab" * 32
        (call,) = desk.wire.calls
        assert call.body == body
        assert call.headers["appkey"] == APP_KEY
        assert call.headers["appsecret"] == APP_SECRET
        desk.error = told({"HASH": "two words"})
        with pytest.raises(BrokerUnavailable):
            await desk.tokens.hashkey(body, Lane.SEND)

    play(script)
