"""What KIS says: codes, their texts and the HTTP status they come with (kis.md part 6)."""

from typing import Final

from jumun.exchange.records import Refusal, RejectCode
from jumun.model.errors import OmsError

ORDER_SENT: Final = "APBK0013"
MORE: Final = "KIOK0500"
COMPLETE: Final = "KIOK0510"
LAST: Final = "KIOK0460"
NOTHING: Final = "KIOK0560"
QUOTED: Final = "MCA00000"
NO_SYMBOL: Final = "APBK0656"
NO_CASH: Final = "APBK0952"
NO_SHARES: Final = "APBK0400"
SHARED: Final = "APBK0918"  # one source: a shared code, read msg1
NOT_NOW: Final = "APBK1943"  # this kind is not allowed here or now
US_CLOSED: Final = "APBK1664"
EVENING_KINDS: Final = "APBK3013"
BAD_FIELD: Final = "OPSQ2001"
BAD_ACCOUNT: Final = "OPSQ2000"
UNKNOWN_SERVICE: Final = "OPSQ0002"
INTERNAL: Final = "OPSQ3001"
QUOTE_UNKNOWN: Final = "MCA05918"
PAPER_HOLIDAY: Final = "40100000"
TOO_FAST: Final = "EGW00201"
BALANCE_TOO_FAST: Final = "EGW00215"
NO_PERMISSION: Final = "EGW00206"
NOT_ON_PAPER: Final = "EGW00213"

TEXTS: Final = {
    ORDER_SENT: "주문 전송 완료 되었습니다.",
    MORE: "조회가 계속됩니다.",
    COMPLETE: "조회가 완료되었습니다.",
    LAST: "조회가 완료되었습니다. (마지막 자료)",
    NOTHING: "조회할 자료가 없습니다.",
    QUOTED: "정상처리 되었습니다.",
    NO_SYMBOL: "해당종목정보가 없습니다.",
    NO_CASH: "주문가능금액을 초과 했습니다.",
    NO_SHARES: "주문가능수량을 초과 했습니다.",
    NOT_NOW: "주문이 불가능한 주문구분입니다.",
    US_CLOSED: "해외시장 주문가능시간이 아닙니다.",
    EVENING_KINDS: "KRX 애프터마켓은 지정가, 최유리, 최우선 호가만 가능합니다.",
    BAD_FIELD: "입력값을 확인하십시오.",
    BAD_ACCOUNT: "계좌번호 확인에 실패하였습니다.",
    UNKNOWN_SERVICE: "없는 서비스 코드 입니다.",
    INTERNAL: "내부 처리 오류입니다.",
    QUOTE_UNKNOWN: "종목코드 오류입니다.",
    PAPER_HOLIDAY: "모의투자 영업일이 아닙니다.",
    "APBK0919": "장운영시간이 아닙니다.",
    SHARED: "주문을 처리할 수 없습니다.",
    "EGW00101": "유효하지 않은 요청입니다.",
    "EGW00102": "AppKey는 필수입니다.",
    "EGW00103": "유효하지 않은 AppKey입니다.",
    "EGW00104": "AppSecret은 필수입니다.",
    "EGW00105": "유효하지 않은 AppSecret입니다.",
    "EGW00115": "grant_type은 필수입니다.",
    "EGW00116": "유효하지 않은 grant_type입니다.",
    "EGW00121": "유효하지 않은 token 입니다.",
    "EGW00122": "token을 찾을 수 없습니다.",
    "EGW00123": "기간이 만료된 token 입니다.",
    "EGW00131": "유효하지 않은 hashkey입니다.",
    "EGW00132": "Content-Type이 유효하지 않습니다.",
    "EGW00133": "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)",
    TOO_FAST: "초당 거래건수를 초과하였습니다.",
    "EGW00205": "token 유형이 유효하지 않습니다.",
    NO_PERMISSION: "해당 API의 사용 권한이 없습니다.",
    "EGW00207": "ip_addr는 필수입니다.",
    "EGW00208": "유효하지 않은 custtype입니다.",
    "EGW00209": "seq_no는 필수입니다.",
    "EGW00210": "법인(개인) 고객은 모의투자를 이용할 수 없습니다.",
    NOT_ON_PAPER: "모의투자에서 제공하지 않는 TR 입니다.",
    BALANCE_TOO_FAST: "원장 초당 거래건수를 초과하였습니다.",
}

# Where part 6.1 leaves the status open, refusals of who is asking come with 403 and all others with 500.
STATUS: Final = {
    "EGW00101": 500,
    "EGW00102": 403,
    "EGW00103": 403,
    "EGW00104": 403,
    "EGW00105": 403,
    "EGW00115": 403,
    "EGW00116": 403,
    "EGW00121": 500,
    "EGW00122": 500,
    "EGW00131": 500,
    "EGW00132": 500,
    "EGW00133": 403,
    TOO_FAST: 500,
    "EGW00205": 500,
    NO_PERMISSION: 403,
    "EGW00207": 500,
    "EGW00208": 500,
    "EGW00209": 500,
    "EGW00210": 403,
    NOT_ON_PAPER: 500,
    BALANCE_TOO_FAST: 500,
}

# Why the market said no, in Korean; the market's own word stands behind it for whoever looks.
REASONS: Final = {
    RejectCode.ACCOUNT: "계좌번호 확인에 실패하였습니다.",
    RejectCode.SYMBOL: "해당종목정보가 없습니다.",
    RejectCode.VENUE: "해당 거래소에서 거래되지 않는 종목입니다.",
    RejectCode.CURRENCY: "거래통화가 맞지 않습니다.",
    RejectCode.KIND: "주문이 불가능한 주문구분입니다.",
    RejectCode.QTY: "주문수량을 확인하십시오.",
    RejectCode.PRICE: "주문단가를 확인하십시오.",
    RejectCode.TICK: "호가단위를 확인하십시오.",
    RejectCode.BAND: "상하한가를 벗어난 가격입니다.",
    RejectCode.BASE: "기준가가 없는 종목입니다.",
    RejectCode.TABLE: "거래기준 정보가 없습니다.",
    RejectCode.CLOSED: "장운영시간이 아닙니다.",
    RejectCode.CASH: "주문가능금액을 초과 했습니다.",
    RejectCode.SHARES: "주문가능수량을 초과 했습니다.",
    RejectCode.NOT_FOUND: "원주문 내역이 없습니다.",
    RejectCode.FINISHED: "정정/취소 가능수량이 없습니다.",
    RejectCode.HALTED: "거래정지 종목입니다.",
    RejectCode.SESSION: "해당 시간대 주문이 불가능합니다.",
    RejectCode.TOO_LATE: "정정/취소 가능시간이 아닙니다.",
    RejectCode.UNCHANGED: "정정할 내용이 없습니다.",
}
# What the exchange says, rather than the house in front of it: told later under `refusals = notice`.
EXCHANGE_SAYS: Final = frozenset(
    {
        RejectCode.PRICE,
        RejectCode.TICK,
        RejectCode.BAND,
        RejectCode.HALTED,
        RejectCode.TOO_LATE,
        RejectCode.FINISHED,
        RejectCode.UNCHANGED,
    }
)


class KisRefused(OmsError):
    """KIS says no: a code with its HTTP status, `rt_cd` and text. Nothing was done."""

    def __init__(self, msg_cd: str, text: str = "", *, rt_cd: str = "1", status: int | None = None) -> None:
        super().__init__(text or TEXTS[msg_cd])
        self.msg_cd = msg_cd
        self.rt_cd = rt_cd
        self.status = status if status is not None else STATUS.get(msg_cd, 200)


def bad_field(name: str, text: str = "") -> KisRefused:
    """Return the refusal of one request field."""
    return KisRefused(BAD_FIELD, f"ERROR : INPUT FIELD [{name}] {text}".rstrip())


def refused_by_market(refusal: Refusal, *, overseas: bool, closed_code: str) -> KisRefused:
    """Return KIS's words for a refusal of the market (table in README.md)."""
    code = refusal.code
    text = f"{REASONS[code]} ({code.value})"
    if code is RejectCode.CASH:
        return KisRefused(NO_CASH, text, rt_cd="7")
    if code is RejectCode.CLOSED or (overseas and code in (RejectCode.TOO_LATE, RejectCode.SESSION)):
        return KisRefused(US_CLOSED if overseas else closed_code, text)
    return KisRefused(MARKET_CODES.get(code, SHARED), text)


MARKET_CODES: Final = {
    RejectCode.ACCOUNT: BAD_ACCOUNT,
    RejectCode.SYMBOL: NO_SYMBOL,
    RejectCode.VENUE: NO_SYMBOL,
    RejectCode.SHARES: NO_SHARES,
    RejectCode.KIND: NOT_NOW,
    RejectCode.SESSION: NOT_NOW,
    RejectCode.QTY: BAD_FIELD,
}
