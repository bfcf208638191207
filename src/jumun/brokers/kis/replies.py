"""What KIS answered: the envelope that every reply has, and what becomes of a request because of it.

Source: kis.md 1.4 and 6.4. Four ends of an order, no fifth: accepted, refused, provably not executed, unknown
(DESIGN, Never twice 2). A reply that is not understood is unknown, with its text (F-08).
"""

from typing import Final, assert_never

import msgspec

from jumun.brokers.kis.access import KisAccess
from jumun.brokers.kis.advice import who_asks
from jumun.brokers.kis.bodies import KisPost
from jumun.brokers.kis.fields import Fields, clipped
from jumun.brokers.kis.verdicts import BUSINESS, CONTRACT_BROKEN, HTTP_OK, NOTHING_FOUND, Verdict, verdict_of
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.model.orders import BrokerRef
from jumun.model.reports import (
    Accepted,
    CancelRefused,
    CancelRequest,
    ModifyRefused,
    ModifyRequest,
    NotSent,
    Rejected,
    SubmitOutcome,
    SubmitRequest,
    Unknown,
)
from jumun.ports.wire import HttpReply

BODY_MAX: Final = 4_000_000  # bytes; the largest page is a hundred rows of some 1,500


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that could be read: its codes, its Korean text without padding, and everything in it."""

    status: int
    rt_cd: str
    msg_cd: str
    text: str
    body: dict[str, object]
    raw: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A reply and what it proves. `envelope` is None when it could not be read; `text` says why then."""

    verdict: Verdict
    code: str
    text: str
    raw: str
    envelope: Envelope | None = None


class KisTaken(msgspec.Struct, frozen=True, kw_only=True):
    """KIS took a revise or a cancel; the exchange has not confirmed it yet.

    `ref` is the number of the request itself. Once confirmed, the rest lives under it, except after a cancel
    and where `keeps_number`: then the order keeps its own.
    """

    ref: BrokerRef
    keeps_number: bool
    raw: str


CancelAnswer = KisTaken | CancelRefused | NotSent | Unknown
ChangeAnswer = KisTaken | ModifyRefused | NotSent | Unknown


class InquiryRefused(BrokerUnavailable):
    """KIS answered an inquiry with a refusal: nothing is known, and nothing changed."""

    def __init__(self, message: str, *, verdict: Verdict, msg_cd: str) -> None:
        """Keep what a caller needs to decide whether to ask again."""
        super().__init__(message)
        self.verdict = verdict
        self.msg_cd = msg_cd


def read_envelope(reply: HttpReply) -> Envelope:
    """Return the envelope of a reply; raises UnreadableReply unless it has rt_cd and msg_cd."""
    raw = clipped(reply.body)
    if len(reply.body) > BODY_MAX:
        raise UnreadableReply(f"KIS answered {len(reply.body)} bytes, over {BODY_MAX}", raw=raw)
    try:
        body = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReply(f"KIS answered HTTP {reply.status} without JSON: {error}", raw=raw) from None
    if not isinstance(body, dict):
        raise UnreadableReply(f"KIS answered HTTP {reply.status} with JSON that is no object", raw=raw)
    fields = Fields(body, f"the answer with HTTP {reply.status}")
    rt_cd = fields.text("rt_cd")
    if len(rt_cd) > 1 or not rt_cd.isascii() or not rt_cd.isdigit():
        raise fields.unreadable(f"rt_cd is {rt_cd!r}, which is no digit")
    return Envelope(
        status=reply.status,
        rt_cd=rt_cd,
        msg_cd=fields.text("msg_cd"),
        text=fields.optional("msg1"),
        body=body,
        raw=raw,
    )


def judge(reply: HttpReply) -> Judged:
    """Return what a reply proves; never raises."""
    try:
        envelope = read_envelope(reply)
    except UnreadableReply as error:
        return Judged(verdict=Verdict.UNKNOWN, code="", text=str(error), raw=error.raw)
    return Judged(
        verdict=verdict_of(envelope.status, envelope.rt_cd, envelope.msg_cd),
        code=envelope.msg_cd,
        text=envelope.text or BUSINESS.get(envelope.msg_cd, ""),
        raw=envelope.raw,
        envelope=envelope,
    )


# ---- orders -------------------------------------------------------------------------------------


def outcome_of_submit(reply: HttpReply, request: SubmitRequest, post: KisPost) -> SubmitOutcome:
    """Return what became of a new order that was sent as `post`."""
    judged = judge(reply)
    crossed = _crossed(reply, post, judged.raw)
    if crossed is not None:
        return crossed
    match judged.verdict:
        case Verdict.DONE:
            number = _number_in(judged, request.trade_date)
            return number if isinstance(number, Unknown) else Accepted(ref=number, raw=judged.raw)
        case Verdict.REFUSED | Verdict.NOT_EXECUTED:
            withdrawn = judged.code in CONTRACT_BROKEN
            return Rejected(code=judged.code, text=judged.text, raw=judged.raw, withdrawn=withdrawn)
        case Verdict.THROTTLED | Verdict.REAUTH:
            return _not_executed(judged)
        case Verdict.UNKNOWN:
            return _unknown(reply, judged)
        case _:
            assert_never(judged.verdict)


def outcome_of_cancel(reply: HttpReply, request: CancelRequest, post: KisPost) -> CancelAnswer:
    """Return what became of a cancel that was sent as `post`."""
    answer = _answer_to_change(reply, request.ref, post)
    if isinstance(answer, Rejected):
        return CancelRefused(code=answer.code, text=answer.text, raw=answer.raw)
    return answer


def outcome_of_change(reply: HttpReply, request: ModifyRequest, post: KisPost) -> ChangeAnswer:
    """Return what became of a modify that was sent as `post`."""
    answer = _answer_to_change(reply, request.ref, post)
    if isinstance(answer, Rejected):
        return ModifyRefused(code=answer.code, text=answer.text, raw=answer.raw)
    return answer


def _answer_to_change(
    reply: HttpReply, ref: BrokerRef, post: KisPost
) -> KisTaken | Rejected | NotSent | Unknown:
    judged = judge(reply)
    crossed = _crossed(reply, post, judged.raw)
    if crossed is not None:
        return crossed
    match judged.verdict:
        case Verdict.DONE:
            number = _number_in(judged, ref.trade_date)
            if isinstance(number, Unknown):
                return number
            if number == ref:
                # A request has a number of its own (kis.md 3.1.3): this answer is not about our request.
                text = f"the answer gives the change of {ref.number} that same number; asking what is true"
                return Unknown(text=text, raw=judged.raw, crossed=True)
            return KisTaken(ref=number, keeps_number=post.keeps_number, raw=judged.raw)
        case Verdict.REFUSED | Verdict.NOT_EXECUTED:
            return Rejected(code=judged.code, text=judged.text, raw=judged.raw)
        case Verdict.THROTTLED | Verdict.REAUTH:
            return _not_executed(judged)
        case Verdict.UNKNOWN:
            return _unknown(reply, judged)
        case _:
            assert_never(judged.verdict)


def _crossed(reply: HttpReply, post: KisPost, raw: str) -> Unknown | None:
    """An answer that names another function is not ours (F-17). Order replies need not name any (1.3)."""
    echoed = reply.headers.get("tr_id", "").strip()
    if not echoed or echoed == post.tr_id:
        return None
    text = f"asked {post.tr_id} and the answer is to {echoed}: whose answers are whose is not known"
    return Unknown(text=text, raw=raw, crossed=True)


def _number_in(judged: Judged, trade_date: str) -> BrokerRef | Unknown:
    assert judged.envelope is not None, "a success was read"
    try:
        output = record_in(judged.envelope, "output")
        return BrokerRef(
            trade_date=trade_date,
            # Tables print these names in small letters, examples and clients in capitals (kis.md 3.1.3).
            branch=output.branch("KRX_FWDG_ORD_ORGNO", "krx_fwdg_ord_orgno"),
            number=output.order_number("ODNO", "odno"),
        )
    except UnreadableReply as error:
        return Unknown(text=f"KIS took it and its number cannot be read: {error}", raw=judged.raw)


def _not_executed(judged: Judged) -> NotSent:
    return NotSent(text=f"KIS's gateway did not pass it on: {judged.code} {judged.text}".strip())


def _unknown(reply: HttpReply, judged: Judged) -> Unknown:
    text = f"HTTP {reply.status} {judged.code} {judged.text}".strip()
    return Unknown(text=f"{text}: it may have been carried out", raw=judged.raw)


# ---- inquiries ----------------------------------------------------------------------------------


def read_inquiry(reply: HttpReply, access: KisAccess | None = None) -> Envelope:
    """Return the envelope of an answered inquiry, also one that found nothing.

    `access` is who asked, for the advice where the refusal is about that. Raises InquiryRefused for a
    refusal and UnreadableReply for anything that cannot be read.
    """
    envelope = read_envelope(reply)
    if envelope.status == HTTP_OK and envelope.msg_cd == NOTHING_FOUND:
        return envelope
    verdict = verdict_of(envelope.status, envelope.rt_cd, envelope.msg_cd)
    if verdict is Verdict.DONE:
        return envelope
    advice = who_asks(envelope.msg_cd, access) if access is not None else ""
    raise InquiryRefused(
        f"KIS refused an inquiry: {envelope.msg_cd} {envelope.text}; {advice or 'ask again later'}",
        verdict=verdict,
        msg_cd=envelope.msg_cd,
    )


def rows_in(envelope: Envelope, block: str) -> list[Fields]:
    """Return the rows of an inquiry. An empty list must be there, or KIS must say "nothing found" (I-39).

    A single object counts as one row: some inquiries are documented so and answer with a list.
    """
    value = envelope.body.get(block)
    if value is None and envelope.msg_cd == NOTHING_FOUND:
        return []
    found = [value] if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise UnreadableReply(
            f"{block} is missing in an answer that says {envelope.msg_cd}; nothing is concluded from it",
            raw=envelope.raw,
        )
    rows = []
    for index, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise UnreadableReply(f"row {index} of {block} is no object", raw=envelope.raw)
        rows.append(Fields(row, f"row {index} of {block}"))
    return rows


def record_in(envelope: Envelope, *blocks: str) -> Fields:
    """Return the one object of a reply, whichever of `blocks` it is called; a list must hold exactly one."""
    for block in blocks:
        value = envelope.body.get(block)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            return Fields(value, block)
    raise UnreadableReply(f"{blocks[0]} is not one object in the answer {envelope.msg_cd}", raw=envelope.raw)
