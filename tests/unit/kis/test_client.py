"""Calls to KIS: written once, paced and authorised; questions asked again only where that is safe."""

import asyncio
import json
import traceback
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from jumun.brokers.kis.access import Secret
from jumun.brokers.kis.budget import Lane
from jumun.brokers.kis.masks import Mask
from jumun.brokers.kis.replies import InquiryRefused
from jumun.model.errors import BrokerUnavailable, OmsError
from jumun.ports.wire import AnswerLost, HttpReply, NothingSent
from tests.unit.kis.call_desk import BODY, EXPIRED, LEDGER_FULL, ORDER, TAKEN, THROTTLED, CallDesk, page, play
from tests.unit.kis.wires import APP_KEY, APP_SECRET, SECRETS, TOKEN, an_access, told

# ---- orders -----------------------------------------------------------------------------------------


@pytest.mark.req("S002-44", "S002-46")
def test_an_order_carries_the_headers_that_kis_asks_for_and_its_exact_body() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN))
        reply = await desk.post()
        assert json.loads(reply.body) == TAKEN
        (call,) = desk.asked
        assert (call.method, call.path, call.tag, call.query) == ("POST", ORDER, "C-1/1", {})
        assert json.loads(call.body) == BODY
        assert call.headers == {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {TOKEN}",
            "appkey": APP_KEY,
            "appsecret": APP_SECRET,
            "tr_id": "VTTC0012U",
            "custtype": "P",
        }

    play(script)


@pytest.mark.req("S002-45")
def test_a_hashkey_is_added_where_it_is_switched_on() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), access=an_access(use_hashkey=True))
        await desk.post()
        digest, order = desk.asked
        assert digest.body == order.body
        assert order.headers["hashkey"] == "ab" * 32

    play(script)


@pytest.mark.req("F-09", "F-10", "F-15", "I-07", "S002-53")
@pytest.mark.parametrize(
    "answer",
    [
        THROTTLED,
        LEDGER_FULL,
        EXPIRED,
        told("", status=502),
        told("<html>", status=503),
        AnswerLost("reset"),
        NothingSent("refused"),
    ],
)
def test_an_order_is_never_written_twice_whatever_the_answer(answer: HttpReply | Exception) -> None:
    async def script() -> None:
        desk = CallDesk(answer)
        if isinstance(answer, HttpReply):
            assert await desk.post() == answer
        else:
            with pytest.raises(type(answer)):
                await desk.post()
        assert len(desk.asked) == 1

    play(script)


@pytest.mark.req("F-10", "F-11")
def test_without_a_token_nothing_is_sent_and_the_reason_is_told() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), tokens=())
        with pytest.raises(NothingSent, match="EGW00133"):
            await desk.post()
        assert desk.asked == []

    play(script)


@pytest.mark.req("F-10")
def test_an_order_whose_key_is_slow_is_given_up_unsent_before_its_caller_gives_up() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), takes_s=4.5)
        with pytest.raises(NothingSent, match="no key came"):
            await desk.post()
        assert desk.asked == []
        assert desk.clock.monotonic_ns() == 3_000_000_000

    play(script)


@pytest.mark.req("F-10", "I-07")
def test_an_order_refused_for_its_token_gets_the_next_order_a_new_one() -> None:
    async def script() -> None:
        desk = CallDesk(EXPIRED, told(TAKEN))
        await desk.post()
        await desk.clock.sleep(61)
        await desk.post()
        assert [call.headers["authorization"] for call in desk.asked] == [
            f"Bearer {TOKEN}",
            "Bearer second.token",
        ]

    play(script)


@pytest.mark.req("I-45")
def test_an_order_that_is_not_permitted_leaves_no_trace_and_no_gap() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), rate=1)
        await desk.client.log_in()
        await desk.clock.sleep(2)
        with pytest.raises(NothingSent):
            await desk.post(permit=lambda: False)
        before = desk.clock.monotonic_ns()
        await desk.post()
        assert desk.clock.monotonic_ns() == before, "the place in the budget was given back"
        assert len(desk.asked) == 1

    play(script)


@pytest.mark.req("F-18")
def test_an_order_waits_three_seconds_for_the_budget_and_then_has_not_been_sent() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), rate=1)
        await desk.client.log_in()
        outcomes = await asyncio.gather(*(desk.post() for _ in range(6)), return_exceptions=True)
        assert [isinstance(outcome, NothingSent) for outcome in outcomes] == [False] * 2 + [True] * 4
        assert desk.times_s == [1.02, 2.04]

    play(script)


def test_how_long_an_order_waits_is_a_switch() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), rate=1, wait_s=Decimal("0.5"))
        await desk.client.log_in()
        with pytest.raises(NothingSent):
            await desk.post()

    play(script)


@pytest.mark.req("F-09")
def test_a_throttle_reply_slows_what_follows() -> None:
    async def script() -> None:
        desk = CallDesk(THROTTLED, told(TAKEN), rate=4)
        await desk.client.log_in()
        await desk.clock.sleep(2)
        for _ in range(4):
            await desk.post(Lane.CANCEL)
        assert desk.times_s == [2, 2, 3, 3], "half of four a second, for a second"

    play(script)


@pytest.mark.req("I-47")
def test_a_cancel_goes_before_waiting_orders_and_questions() -> None:
    async def script() -> None:
        desk = CallDesk(told(TAKEN), rate=1, wait_s=Decimal(20))
        await desk.client.log_in()
        calls = [desk.post(), desk.post(), desk.get(), desk.post(Lane.CANCEL)]
        await asyncio.gather(*calls, return_exceptions=True)
        assert [call.method for call in desk.asked] == ["POST", "POST", "POST", "GET"]
        assert desk.times_s[0] == 1.02

    play(script)


# ---- questions ----------------------------------------------------------------------------------------


def test_a_question_carries_its_parameters_and_an_empty_continuation() -> None:
    async def script() -> None:
        desk = CallDesk(page("1"))
        envelope = await desk.get()
        assert envelope.msg_cd == "KIOK0510"
        (call,) = desk.asked
        assert (call.method, call.query, call.body) == ("GET", {"PDNO": "005930"}, b"")
        assert call.headers["tr_cont"] == ""

    play(script)


@pytest.mark.req("F-09")
def test_a_throttled_question_is_asked_again_a_bounded_number_of_times() -> None:
    async def script() -> None:
        desk = CallDesk(THROTTLED, THROTTLED, page("1"))
        await desk.get()
        assert len(desk.asked) == 3
        assert desk.times_s == sorted(desk.times_s)
        assert desk.times_s[1] - desk.times_s[0] >= 0.15
        desk.answers = [THROTTLED]
        with pytest.raises(InquiryRefused, match="EGW00201"):
            await desk.get()
        assert len(desk.asked) == 3 + 6

    play(script)


def test_the_balance_limit_of_all_customers_holds_back_that_question_only() -> None:
    async def script() -> None:
        desk = CallDesk(LEDGER_FULL, page("1"), rate=18)
        await desk.client.log_in()
        balance = asyncio.create_task(desk.client.get("/balance", "VTTC8434R", {}))
        await asyncio.sleep(0)
        await desk.clock.sleep(0.01)
        await asyncio.gather(*(desk.post() for _ in range(15)))
        assert desk.times_s == [0] + [0.01] * 15, "orders go on at the full rate"
        await balance
        assert desk.asked[-1].path == "/balance"
        assert 0.5 <= desk.times_s[-1] <= 1.1

    play(script)


@pytest.mark.req("F-101", "I-55")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("EGW00213", "not how the paper service answers: the keys or the address may be of live"),
        ("OPSQ0002", "not how the paper service answers: the keys or the address may be of live"),
        ("OPSQ2000", "the account does not go with these keys in the paper service"),
        ("OPSQ2001", "ask again later"),
    ],
)
def test_a_question_that_the_other_environment_answers_says_what_to_check(code: str, words: str) -> None:
    async def script() -> None:
        desk = CallDesk(told({"rt_cd": "1", "msg_cd": code, "msg1": "?"}))
        with pytest.raises(InquiryRefused, match=code) as refused:
            await desk.get()
        assert words in str(refused.value)
        assert ("KIS_ACCOUNT_NO" in str(refused.value)) is (code != "OPSQ2001")

    play(script)


@pytest.mark.req("F-10")
def test_a_question_with_an_expired_token_is_asked_once_more_with_a_new_one() -> None:
    async def script() -> None:
        desk = CallDesk(page("1"))
        await desk.get()
        await desk.clock.sleep(61)
        desk.answers = [EXPIRED, page("1")]
        await desk.get()
        assert [call.headers["authorization"] for call in desk.asked][-2:] == [
            f"Bearer {TOKEN}",
            "Bearer second.token",
        ]
        desk.answers, desk.issued = [EXPIRED], ["third.token", "fourth.token"]
        await desk.clock.sleep(61)
        with pytest.raises(InquiryRefused, match="EGW00123"):
            await desk.get()
        assert len(desk.asked) == 5

    play(script)


@pytest.mark.parametrize(
    "answer",
    [
        told("", status=502),
        told("<html>login</html>"),
        told("[]"),
        told({"msg_cd": "KIOK0510"}),
        told({"rt_cd": "0", "msg_cd": "KIOK0510"}, status=500),
        told({"rt_cd": "1", "msg_cd": "40100000", "msg1": "영업일이 아닙니다"}),
        told({"rt_cd": "1", "msg_cd": "EGW00301", "msg1": "timeout"}, status=500),
        told({"rt_cd": "0", "msg_cd": "KIOK0510"}, tr_id="TTTC8434R"),
        AnswerLost("reset"),
        NothingSent("refused"),
    ],
)
@pytest.mark.req("F-08", "F-12", "F-17", "F-37", "I-39")
def test_everything_else_is_no_answer_and_is_not_asked_again(answer: HttpReply | Exception) -> None:
    async def script() -> None:
        desk = CallDesk(answer)
        with pytest.raises(BrokerUnavailable):
            await desk.get()
        assert len(desk.asked) == 1

    play(script)


def test_nothing_found_is_an_empty_success() -> None:
    async def script() -> None:
        nothing = told({"rt_cd": "1", "msg_cd": "KIOK0560", "msg1": "조회할 내용이 없습니다"})
        desk = CallDesk(nothing)
        assert (await desk.get()).msg_cd == "KIOK0560"
        assert await desk.pages() == []

    play(script)


# ---- secrets --------------------------------------------------------------------------------------------


@pytest.mark.req("I-66")
@pytest.mark.parametrize(
    "answer",
    [
        told(f"<html>{APP_SECRET} {TOKEN}</html>", status=502),
        told({"rt_cd": "1", "msg_cd": "APBK0952", "msg1": f"{APP_KEY} {APP_SECRET}"}),
        told({"rt_cd": "1", "msg_cd": "EGW00103", "msg1": f"appkey {APP_KEY} Bearer {TOKEN}"}, status=403),
        told(json.dumps({"rt_cd": "1", "msg_cd": "X", "msg1": APP_SECRET}).replace("/", "\\/")),
        told({"rt_cd": 1, "msg_cd": TOKEN}),
        EXPIRED,
        AnswerLost("reset"),
        NothingSent("refused"),
    ],
)
def test_no_failure_shows_a_secret(answer: HttpReply | Exception) -> None:
    """Neither in what is raised, nor in what it was raised from, nor in a log, nor in a kept answer."""
    shown: list[str] = []

    async def script() -> None:
        for tokens in ((TOKEN,), ()):
            desk = CallDesk(answer, tokens=tokens)
            desk.tokens.mask.add(Secret(TOKEN))  # the second desk had it before
            for call in (desk.post, desk.get, desk.pages, desk.tokens.approval_key, desk.client.log_in):
                try:
                    shown.append(repr(await call()))
                except OmsError as error:
                    shown.extend(traceback.format_exception(error))
                    shown.append(repr(error))
                    raw = getattr(error.__cause__, "raw", "")
                    shown.append(raw)
            shown.extend(repr(part) for part in (desk.client, desk.tokens, desk.budget))
            shown.append(str(await asyncio.gather(desk.tokens.access_token(), return_exceptions=True)))

    with capture_logs() as logs:
        play(script)
    text = "\n".join([*shown, str(logs)])
    assert [secret for secret in SECRETS if secret in text] == []


def test_the_newest_tokens_are_masked_and_short_words_of_a_simulator_are_not() -> None:
    mask = Mask(an_access(app_key=Secret("rt_cd")))
    mask.add(Secret("token-of-today"))
    assert mask.body(b'{"rt_cd":"0","x":"token-of-today"}') == b'{"rt_cd":"0","x":"***"}'
    for number in range(40):
        mask.add(Secret(f"token-number-{number}"))
    assert mask.text("token-number-39 " + "x" * 300) == "*** " + "x" * 196
