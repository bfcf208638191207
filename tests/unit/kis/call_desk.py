"""A client of KIS over a scripted wire, on virtual time."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from jumun.brokers.kis.access import KisAccess
from jumun.brokers.kis.budget import Budget, Lane
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.replies import Envelope, rows_in
from jumun.brokers.kis.tokens import Tokens
from jumun.ports.wire import HttpCall, HttpReply
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.unit.kis.wires import APP_KEY, TOKEN, ScriptedWire, an_access, told

NS = 1_000_000_000
START = int(datetime(2026, 11, 20, 0, 0, tzinfo=UTC).timestamp()) * NS
ORDER = "/uapi/domestic-stock/v1/trading/order-cash"
DAILY = "/uapi/domestic-stock/v1/trading/inquire-daily-ccld"
BODY = {"CANO": "12345678", "ACNT_PRDT_CD": "01", "PDNO": "005930", "ORD_QTY": "10"}
PARAMS = {"CANO": "12345678", "CTX_AREA_FK100": "", "CTX_AREA_NK100": ""}
TAKEN = {"rt_cd": "0", "msg_cd": "APBK0013", "msg1": "주문 전송 완료", "output": {"ODNO": "0000012345"}}
THROTTLED = told({"rt_cd": "1", "msg_cd": "EGW00201", "msg1": "초당 거래건수를 초과"}, status=500)
LEDGER_FULL = told({"rt_cd": "1", "msg_cd": "EGW00215", "msg1": "원장 제한"}, status=500)
EXPIRED = told({"rt_cd": "1", "msg_cd": "EGW00123", "msg1": "기간이 만료된 token"}, status=500)
CHANGED = told({"rt_cd": "1", "msg_cd": "XXXX", "msg1": "조회이후에 자료가 변경되었습니다.(다시 조회하세요)"})


def yes() -> bool:
    return True


def page(
    *rows: str, tr_cont: str = "D", fk: str = "f", nk: str = "", code: str = "KIOK0510", **more: Any
) -> HttpReply:
    body = {
        "rt_cd": "0",
        "msg_cd": code,
        "msg1": "조회",
        "output1": [{"odno": row} for row in rows],
        "ctx_area_fk100": fk.ljust(100),
        "ctx_area_nk100": nk.ljust(100),
    }
    return told(body | more, tr_cont=tr_cont)


class CallDesk:
    """A client whose trading calls get `answers`, the last one for ever."""

    def __init__(
        self,
        *answers: HttpReply | Exception,
        rate: int = 18,
        access: KisAccess | None = None,
        tokens: Iterable[str] = (TOKEN, "second.token"),
        takes_s: float = 0.0,
        **switches: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.answers = list(answers)
        self.issued = list(tokens)
        self.wire = ScriptedWire(self.clock, self.answer, takes_s)
        self.budget = Budget(rate, self.clock, is_spent=False)
        access = access or an_access()
        self.tokens = Tokens(access, self.wire, self.clock, self.budget)
        self.client = KisClient(access, self.wire, self.clock, self.tokens, self.budget, **switches)

    def answer(self, call: HttpCall) -> HttpReply:
        if call.path == "/oauth2/tokenP":
            if not self.issued:
                return told({"error_code": "EGW00133", "error_description": APP_KEY}, status=403)
            return told({"access_token": self.issued.pop(0), "expires_in": 86_400})
        if call.path == "/uapi/hashkey":
            return told({"HASH": "ab" * 32})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def asked(self) -> list[HttpCall]:
        """What went out beside the keys."""
        return [call for call in self.wire.calls if not call.path.startswith("/oauth2")]

    @property
    def times_s(self) -> list[float]:
        """When it did."""
        calls = zip(self.wire.calls, self.wire.times_s, strict=True)
        return [at for call, at in calls if not call.path.startswith("/oauth2")]

    async def post(self, lane: Lane = Lane.SEND, permit: Callable[[], bool] = yes) -> HttpReply:
        return await self.client.post(lane, ORDER, "VTTC0012U", BODY, permit, tag="C-1/1")

    async def get(self) -> Envelope:
        return await self.client.get(DAILY, "VTTC0081R", {"PDNO": "005930"})

    async def pages(self, **more: Any) -> list[str]:
        """The order numbers on all pages."""
        pages = await self.client.pages(DAILY, "VTTC0081R", PARAMS, **more)
        return [row.order_number("odno").lstrip("0") for found in pages for row in rows_in(found, "output1")]


def play(script: Callable[[], Awaitable[object]]) -> None:
    async def main() -> None:
        await script()

    run_virtual(main(), START)
