"""What an answer of KIS makes of a request: accepted, refused, provably not executed, or unknown."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.bodies import KisPost
from jumun.brokers.kis.replies import (
    InquiryRefused,
    KisTaken,
    judge,
    outcome_of_cancel,
    outcome_of_change,
    outcome_of_submit,
    read_envelope,
    read_inquiry,
    record_in,
    rows_in,
)
from jumun.brokers.kis.verdicts import NOT_EXECUTED, REAUTH, THROTTLED, Verdict
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.model.orders import BrokerRef
from jumun.model.reports import (
    Accepted,
    CancelRefused,
    ModifyRefused,
    NotSent,
    Rejected,
    SubmitOutcome,
    Unknown,
)
from jumun.ports.wire import HttpReply
from tests.unit.kis.pure_values import REF, a_cancel, a_modify, a_reply, a_request, body_of, recorded

POST = KisPost(path="/x", tr_id="TTTC0012U", body={})
CHANGE = KisPost(path="/x", tr_id="TTTC0013U", body={})
TAKEN = body_of("order_taken")


def submitted(reply: HttpReply) -> SubmitOutcome:
    return outcome_of_submit(reply, a_request(), POST)


@pytest.mark.req("S002-47", "S002-48", "S000-9")
def test_an_order_that_kis_took_has_its_number_of_that_day() -> None:
    outcome = submitted(recorded("order_taken"))
    assert outcome == Accepted(ref=REF, raw=recorded("order_taken").body.decode())
    us = outcome_of_submit(recorded("us_order_taken"), a_request(), POST)
    assert isinstance(us, Accepted)
    assert (us.ref.branch, us.ref.number) == ("01790", "0030138112")


@pytest.mark.req("I-64", "F-41")
def test_the_number_has_one_spelling_however_it_is_written() -> None:
    for output in (
        {"KRX_FWDG_ORD_ORGNO": "6010", "ODNO": "12345", "ORD_TMD": ""},
        {"krx_fwdg_ord_orgno": "06010 ", "odno": " 0000012345"},
    ):
        outcome = submitted(a_reply(TAKEN | {"output": output}))
        assert isinstance(outcome, Accepted)
        assert outcome.ref == REF


@pytest.mark.req("F-07", "I-49")
def test_a_business_refusal_is_final_and_keeps_kiss_own_words() -> None:
    outcome = submitted(recorded("refused_no_cash"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.text) == ("APBK0952", "주문가능금액을 초과 했습니다")
    silent = submitted(a_reply({"rt_cd": "7", "msg_cd": "APBK0952", "msg1": "   "}))
    assert isinstance(silent, Rejected)
    assert silent.text == "the amount exceeds the buying power"


@pytest.mark.req("F-09", "F-10", "I-07")
@pytest.mark.parametrize("code", sorted(THROTTLED | REAUTH))
@pytest.mark.parametrize("status", [200, 403, 500])
def test_the_limit_and_the_token_prove_that_nothing_was_executed(code: str, status: int) -> None:
    outcome = submitted(a_reply({"rt_cd": "1", "msg_cd": code, "msg1": "잠시 후"}, status=status))
    assert isinstance(outcome, NotSent)
    assert code in outcome.text


@pytest.mark.req("F-09", "F-60")
@pytest.mark.parametrize("code", sorted(NOT_EXECUTED))
def test_a_request_the_gateway_will_never_pass_is_refused_and_not_repeated(code: str) -> None:
    outcome = submitted(a_reply({"rt_cd": "1", "msg_cd": code, "msg1": ""}, status=403))
    assert isinstance(outcome, Rejected)
    assert outcome.code == code


@pytest.mark.req("F-03", "F-06", "F-08", "F-12", "I-15")
@pytest.mark.parametrize(
    "reply",
    [
        recorded("back_end_timeout", status=500),
        recorded("back_end_timeout"),
        recorded("order_taken", status=500),
        recorded("order_taken", status=302),
        recorded("refused_no_cash", status=502),
        a_reply(b"<html>502 Bad Gateway</html>", status=502),
        a_reply(b"<html>Please log in</html>"),
        a_reply(b""),
        a_reply(b"null"),
        a_reply(b"[]"),
        a_reply(b'"0"'),
        a_reply(b"\xff\xfe\x00"),
        a_reply(b'{"rt_cd":"0","msg_cd":"APBK0013","msg1":"\xff"}'),
        a_reply({"msg_cd": "APBK0013", "output": TAKEN["output"]}),
        a_reply({"rt_cd": "0", "output": TAKEN["output"]}),
        a_reply({"rt_cd": "1", "msg_cd": "  ", "msg1": "?"}),
        a_reply({"rt_cd": 0, "msg_cd": "APBK0013", "output": TAKEN["output"]}),
        a_reply({"rt_cd": "00", "msg_cd": "APBK0013", "output": TAKEN["output"]}),
        a_reply({"rt_cd": "x", "msg_cd": "APBK0952"}),
        a_reply(TAKEN | {"output": None}),
        a_reply(TAKEN | {"output": []}),
        a_reply(TAKEN | {"output": [TAKEN["output"], TAKEN["output"]]}),
        a_reply(TAKEN | {"output": {"KRX_FWDG_ORD_ORGNO": "06010", "ODNO": ""}}),
        a_reply(TAKEN | {"output": {"KRX_FWDG_ORD_ORGNO": "06010", "ODNO": "0000000000"}}),
        a_reply(TAKEN | {"output": {"KRX_FWDG_ORD_ORGNO": "06010", "ODNO": 12345}}),
        a_reply(TAKEN | {"output": {"KRX_FWDG_ORD_ORGNO": "", "ODNO": "12345"}}),
        a_reply({"error_code": "EGW00133", "error_description": "?"}, status=403),
        a_reply(json.dumps(TAKEN).encode()[:-20]),
    ],
)
def test_whatever_cannot_be_read_is_unknown_for_every_request(reply: HttpReply) -> None:
    for outcome in (
        submitted(reply),
        outcome_of_cancel(reply, a_cancel(), CHANGE),
        outcome_of_change(reply, a_modify(), CHANGE),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.text
        assert not outcome.crossed


@pytest.mark.req("F-08", "I-15")
@given(cut=st.integers(0, 400))
def test_a_truncated_answer_is_never_taken_for_a_whole_one(cut: int) -> None:
    whole = recorded("order_taken").body
    body = whole[: min(cut, len(whole) - 3)]
    assert isinstance(submitted(a_reply(body)), Unknown)


@pytest.mark.req("F-08", "I-15", "I-61")
@given(
    status=st.sampled_from([200, 201, 302, 400, 403, 404, 429, 500, 502, 503]), body=st.binary(max_size=60)
)
def test_no_bytes_and_no_status_ever_raise(status: int, body: bytes) -> None:
    reply = a_reply(body, status=status)
    assert isinstance(submitted(reply), get_args(SubmitOutcome))
    assert judge(reply).verdict in Verdict
    assert len(judge(a_reply(b"x" * 10_000)).raw) <= 4_000


def test_an_answer_of_an_impossible_size_is_not_read() -> None:
    huge = a_reply(b'{"rt_cd":"0","msg_cd":"A","x":"' + b"x" * 4_000_001 + b'"}')
    with pytest.raises(UnreadableReply, match="over 4000000"):
        read_envelope(huge)


@pytest.mark.req("F-17", "I-11")
def test_an_answer_to_another_request_is_known_to_be_crossed() -> None:
    for reply in (recorded("order_taken", tr_id="TTTC8434R"), recorded("throttled", tr_id="TTTC0011U")):
        outcome = submitted(reply)
        assert isinstance(outcome, Unknown)
        assert outcome.crossed
    assert isinstance(submitted(recorded("order_taken", tr_id="TTTC0012U ")), Accepted)
    crossed = outcome_of_cancel(recorded("change_taken", tr_id="TTTC0012U"), a_cancel(), CHANGE)
    assert isinstance(crossed, Unknown)
    assert crossed.crossed


@pytest.mark.req("F-17", "I-11")
def test_a_change_that_comes_back_with_the_number_it_changes_is_not_believed() -> None:
    for outcome in (
        outcome_of_cancel(recorded("order_taken"), a_cancel(), CHANGE),
        outcome_of_change(recorded("order_taken"), a_modify(price="69000"), CHANGE),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.crossed


@pytest.mark.req("S000-9", "I-11")
def test_a_change_that_kis_took_has_a_number_of_its_own() -> None:
    ref = BrokerRef(trade_date=REF.trade_date, branch="06010", number=REF.number)
    taken = outcome_of_cancel(recorded("change_taken"), a_cancel(), CHANGE)
    assert isinstance(taken, KisTaken)
    assert (taken.ref.number, taken.ref.trade_date, taken.keeps_number) == (
        "0000012399",
        ref.trade_date,
        False,
    )
    part = KisPost(path="/x", tr_id="TTTC0013U", body={}, keeps_number=True)
    cut = outcome_of_change(recorded("change_taken"), a_modify(left="6"), part)
    assert isinstance(cut, KisTaken)
    assert cut.keeps_number


@pytest.mark.req("F-46", "I-18", "F-09")
def test_a_refused_change_is_a_refusal_and_a_throttled_one_was_not_sent() -> None:
    refused = recorded("refused_no_cash")
    assert isinstance(outcome_of_cancel(refused, a_cancel(), CHANGE), CancelRefused)
    assert isinstance(outcome_of_change(refused, a_modify(), CHANGE), ModifyRefused)
    for name in ("throttled", "token_expired"):
        reply = recorded(name, status=500)
        assert isinstance(outcome_of_cancel(reply, a_cancel(), CHANGE), NotSent)
        assert isinstance(outcome_of_change(reply, a_modify(), CHANGE), NotSent)


def test_the_padding_of_the_text_is_taken_off() -> None:
    envelope = read_envelope(recorded("balance"))
    assert (envelope.rt_cd, envelope.msg_cd, envelope.text) == ("0", "KIOK0510", "조회가 완료되었습니다")


# ---- inquiries ----------------------------------------------------------------------------------


@pytest.mark.req("F-37", "I-39")
def test_a_refused_inquiry_says_why_and_proves_nothing() -> None:
    for name, status, verdict in (
        ("throttled", 500, Verdict.THROTTLED),
        ("token_expired", 200, Verdict.REAUTH),
        ("refused_no_cash", 200, Verdict.REFUSED),
        ("back_end_timeout", 500, Verdict.UNKNOWN),
    ):
        with pytest.raises(InquiryRefused) as caught:
            read_inquiry(recorded(name, status=status))
        assert caught.value.verdict is verdict
        assert isinstance(caught.value, BrokerUnavailable)
        assert caught.value.msg_cd in str(caught.value)


@pytest.mark.req("I-39", "F-36")
def test_nothing_found_is_a_complete_answer_and_an_empty_answer_is_not() -> None:
    for rt_cd in ("0", "1"):
        found = read_inquiry(
            a_reply({"rt_cd": rt_cd, "msg_cd": "KIOK0560", "msg1": "조회할 내용이 없습니다"})
        )
        assert rows_in(found, "output1") == []
    empty = read_inquiry(a_reply({"rt_cd": "0", "msg_cd": "KIOK0510", "msg1": ""}))
    with pytest.raises(UnreadableReply, match="missing"):
        rows_in(empty, "output1")
    assert rows_in(read_inquiry(a_reply(body_of("balance") | {"output1": []})), "output1") == []
    with pytest.raises(InquiryRefused):
        read_inquiry(a_reply({"rt_cd": "1", "msg_cd": "KIOK0560", "msg1": ""}, status=500))


@pytest.mark.parametrize("block", ["", "text", 7, [1], [None], [["x"]]])
def test_rows_that_are_no_objects_are_unreadable(block: object) -> None:
    envelope = read_inquiry(a_reply(body_of("balance") | {"output1": block}))
    with pytest.raises(UnreadableReply):
        rows_in(envelope, "output1")


def test_one_object_counts_as_one_row_and_a_list_of_one_as_an_object() -> None:
    envelope = read_inquiry(a_reply(body_of("balance") | {"output1": {"pdno": "005930"}}))
    (row,) = rows_in(envelope, "output1")
    assert row.text("pdno") == "005930"
    assert record_in(envelope, "output2").text("dnca_tot_amt") == "5210000"
    blocks: tuple[object, ...] = ([], [{}, {}], "x", None)
    for block in blocks:
        with pytest.raises(UnreadableReply):
            record_in(read_inquiry(a_reply(body_of("balance") | {"output2": block})), "output2")
