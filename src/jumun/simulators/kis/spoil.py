"""Answers that weather gives: the gateway's own in place of the house's, and the house's spoiled on the way.

Pure: a fate and an answer in, an answer out. Codes and statuses are those of kis.md part 6.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from jumun.ports.wire import HttpReply
from jumun.simulators.kis import envelope
from jumun.simulators.kis.fates import Fate
from jumun.simulators.kis.figures import SEOUL, korean
from jumun.simulators.kis.messages import NO_CASH, ORDER_SENT, STATUS, TEXTS

FAILED: Final = 500
# Codes the house itself never gives. Where kis.md 6.1 knows no status, 500 is sent (inferred).
_GATEWAY_TEXT: Final = {
    "EGW00001": "일시적 오류가 발생했습니다.",
    "EGW00002": "서버 에러가 발생했습니다.",
    "EGW00003": "접근이 거부되었습니다.",
    "EGW00004": "권한을 부여받지 않은 고객입니다.",
    "EGW00123": "기간이 만료된 token 입니다.",
    "EGW00202": "GW 라우팅 중 오류가 발생했습니다.",
    "EGW00203": "OPS 라우팅 중 오류가 발생했습니다.",
    "EGW00204": "Internal Gateway 오류가 발생했습니다.",
    "EGW00300": "Gateway 라우팅 오류가 발생했습니다.",
    "EGW00301": "연결 시간이 초과되었습니다. 직전 거래를 반드시 확인하세요.",
    "EGW00302": "거래시간이 초과되었습니다. 직전 거래를 반드시 확인하세요.",
    "EGW00303": "Gateway 내부 오류가 발생했습니다.",
    "EGW00304": "유효하지 않은 AppSecret입니다.",
    "IGW00009": "Internal Gateway 오류가 발생했습니다.",
}
GATEWAY_TEXT: Final = {code: text for code, text in TEXTS.items() if code.startswith("EGW")} | _GATEWAY_TEXT
GATEWAY_STATUS: Final = {code: STATUS.get(code, FAILED) for code in GATEWAY_TEXT} | {
    "EGW00003": 403,
    "EGW00004": 403,
}
SERVICE_TEXT: Final = {
    code: text for code, text in TEXTS.items() if code.startswith(("APBK0", "APBK1", "APBK3", "OPSQ", "401"))
} | {
    "APBK1234": "잔고가 부족합니다.",
    "OPSQ0003": "서비스 호출 중 오류가 발생했습니다.",
    "OPSQ0009": "서비스 호출 중 오류가 발생했습니다.",
}
SERVICE_TEXT.pop(ORDER_SENT)
ORDER_FAULTS: Final = ("gateway_refusal", "gateway_timeout", "token_expired")
PAGES_END: Final = "D"
_HTML: Final = "text/html; charset=utf-8"


def gateway_answer(fate: Fate) -> HttpReply | None:
    """Return the answer that hides the house's, or comes before the house; None where there is none."""
    if fate.has("error_before", "error_after"):
        return _page(fate.status, "Bad Gateway")
    if fate.has("login_page"):
        return _page(200, "Sign in to the network")
    if fate.has("token_limit"):
        said = {"error_description": GATEWAY_TEXT[fate.code], "error_code": fate.code}
        return envelope.reply(GATEWAY_STATUS[fate.code], said)
    if fate.has(*ORDER_FAULTS):
        status = fate.status or GATEWAY_STATUS[fate.code]
        text = GATEWAY_TEXT[fate.code]
        return envelope.reply(status, {"rt_cd": "1", "msg_cd": fate.code, "msg1": text})
    if fate.has("refused"):
        rt_cd = "7" if fate.code == NO_CASH else "1"
        return envelope.reply(200, {"rt_cd": rt_cd, "msg_cd": fate.code, "msg1": SERVICE_TEXT[fate.code]})
    return None


def spoiled(fate: Fate, reply: HttpReply, now_ns: int) -> HttpReply:
    """Return the house's answer as it arrives."""
    if fate.has("garbled"):
        return msgspec.structs.replace(reply, body=b'{"rt_cd":\x00\xff' + reply.body[::-1])
    if fate.has("truncated"):
        return msgspec.structs.replace(reply, body=reply.body[: len(reply.body) // 2])
    if fate.has("empty_page"):
        return _with_rows(reply, lambda row: False, ends=True)
    if fate.lag_s:
        return _with_rows(reply, lambda row: _age_s(row, now_ns) >= fate.lag_s, ends=False)
    return reply


def _with_rows(reply: HttpReply, keeps: Any, *, ends: bool) -> HttpReply:
    """Keep the rows that `keeps` says.

    Totals stay where a page `ends` too early: that is how an inconsistency shows (F-40). Rows that lag are
    not counted yet.
    """
    try:
        said = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return reply  # nothing to leave out of it
    if not isinstance(said, dict):
        return reply
    block = next((name for name in ("output1", "output") if isinstance(said.get(name), list)), None)
    if block is None:
        return reply
    every, said[block] = said[block], [row for row in said[block] if keeps(row)]
    if not ends:
        _count_less(said.get("output2"), [row for row in every if row not in said[block]])
    headers = dict(reply.headers)
    if ends and headers.get("tr_cont"):
        headers["tr_cont"] = PAGES_END
    return HttpReply(status=reply.status, headers=headers, body=msgspec.json.encode(said))


def _count_less(totals: Any, missing: list[dict[str, str]]) -> None:
    if not isinstance(totals, dict) or "tot_ord_qty" not in totals:
        return
    for total, name in (("tot_ord_qty", "ord_qty"), ("tot_ccld_qty", "tot_ccld_qty")):
        totals[total] = str(int(totals[total]) - sum(int(row[name]) for row in missing))


def _age_s(row: dict[str, str], now_ns: int) -> float:
    """Return how old the order of a row is; infinitely old where the row does not say."""
    day = row.get("dmst_ord_dt") or row.get("ord_dt")
    clock = row.get("thco_ord_tmd") or row.get("ord_tmd")
    if not clock:
        return float("inf")
    now = korean(now_ns)
    day = day or f"{now:%Y%m%d}"
    at = time(int(clock[:2]), int(clock[2:4]), int(clock[4:6]))
    age = now - datetime.combine(date.fromisoformat(day), at, tzinfo=SEOUL)
    if "ovrs_excg_cd" in row and not row.get("dmst_ord_dt"):
        age %= timedelta(days=1)  # the date is New York's and the time Korea's (kis.md 3.3.3)
    return age.total_seconds()


def _page(status: int, title: str) -> HttpReply:
    text = f"<html><head><title>{title}</title></head><body>{title}</body></html>"
    return HttpReply(status=status, headers={"Content-Type": _HTML}, body=text.encode())
