"""Keys to KIS over a scripted wire, on virtual time."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jumun.brokers.kis.access import KisAccess
from jumun.brokers.kis.budget import Budget
from jumun.brokers.kis.tokens import Tokens
from jumun.ports.wire import HttpCall, HttpReply
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.unit.kis.wires import TOKEN, ScriptedWire, an_access, told

NS = 1_000_000_000
START = int(datetime(2026, 11, 20, 0, 0, tzinfo=UTC).timestamp()) * NS  # 09:00 in Seoul
SEOUL = ZoneInfo("Asia/Seoul")
DAY_S = 86_400


class KeyDesk:
    """Tokens over a wire that issues `names` one after another, each for a day from `START`."""

    def __init__(
        self,
        cache: Path | None = None,
        *,
        names: tuple[str, ...] = (TOKEN, "second.token", "third.token"),
        takes_s: float = 0.0,
        access: KisAccess | None = None,
        rate: int = 18,
    ) -> None:
        self.clock = VirtualClock()
        self.names = list(names)
        self.wire = ScriptedWire(self.clock, self.answer, takes_s)
        self.budget = Budget(rate, self.clock, is_spent=False)
        self.tokens = Tokens(access or an_access(), self.wire, self.clock, self.budget, cache)
        self.error: HttpReply | Exception | None = None

    def answer(self, call: HttpCall) -> HttpReply:
        if isinstance(self.error, Exception):
            raise self.error
        if self.error is not None:
            return self.error
        match call.path:
            case "/oauth2/tokenP":
                return told(self.a_token(self.names.pop(0) if len(self.names) > 1 else self.names[0]))
            case "/oauth2/Approval":
                return told({"approval_key": f"approval-{self.asked('/oauth2/Approval')}"})
            case "/oauth2/revokeP":
                return told({"code": 200, "message": "revoked"})
            case "/uapi/hashkey":
                return told({"BODY": json.loads(call.body), "HASH": "ab" * 32})
        raise AssertionError(call.path)

    def a_token(self, name: str, life_s: int = DAY_S) -> dict[str, Any]:
        ends = datetime.fromtimestamp(self.clock.now_ns() // NS + life_s, tz=SEOUL)
        return {
            "access_token": name,
            "token_type": "Bearer",
            "expires_in": 86_400,
            "access_token_token_expired": f"{ends:%Y-%m-%d %H:%M:%S}",
        }

    def asked(self, path: str = "/oauth2/tokenP") -> int:
        return sum(1 for call in self.wire.calls if call.path == path)

    async def token(self) -> str:
        return (await self.tokens.access_token()).reveal()


def play(script: Callable[[], Awaitable[object]], start_ns: int = START) -> None:
    async def main() -> None:
        await script()

    run_virtual(main(), start_ns)
