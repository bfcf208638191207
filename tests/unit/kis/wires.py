"""A wire that answers from a function, and the access of an account that does not exist."""

import json
from collections.abc import Callable
from typing import Any

from jumun.brokers.kis.access import KisAccess, KisEnvironment, Secret, parse_account
from jumun.ports.broker import SendPermit
from jumun.ports.wire import Frames, HttpCall, HttpReply, NothingSent
from jumun.testing.virtual_loop import VirtualClock

APP_KEY = "PSkey0123456789abcdefghijklmnopqrstu"
APP_SECRET = "s/ecret+" + "x" * 171 + "="
TOKEN = "eyJ0eXAi.first.token"
SECRETS = (APP_KEY, APP_SECRET, APP_SECRET.replace("/", "\\/"), TOKEN, "second.token", "approval-1")


def an_access(**changes: Any) -> KisAccess:
    """An access to KIS's paper service."""
    known: dict[str, Any] = {
        "environment": KisEnvironment.PAPER,
        "app_key": Secret(APP_KEY),
        "app_secret": Secret(APP_SECRET),
        "accounts": (parse_account("12345678-01"),),
        "hts_id": "myhtsid",
        "rate_per_s": 1,
    }
    return KisAccess(**known | changes)


def told(body: object, *, status: int = 200, **headers: str) -> HttpReply:
    """An answer; text goes out as it is, everything else as JSON."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return HttpReply(status=status, headers=headers, body=text.encode())


Answer = Callable[[HttpCall], HttpReply]


class ScriptedWire:
    """ports.Wire. `answer` may raise; each call takes `takes_s`, half of it before the first byte."""

    def __init__(self, clock: VirtualClock, answer: Answer, takes_s: float = 0.0) -> None:
        self.clock = clock
        self.answer = answer
        self.takes_s = takes_s
        self.calls: list[HttpCall] = []
        self.times_s: list[float] = []

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        await self.clock.sleep(self.takes_s / 2)
        if not permit():
            raise NothingSent("not permitted")
        self.calls.append(call)
        self.times_s.append(self.clock.monotonic_ns() / 1e9)
        await self.clock.sleep(self.takes_s / 2)
        return self.answer(call)

    async def open_frames(self, path: str) -> Frames:
        raise NothingSent("there is no stream here")

    async def close(self) -> None:
        """Nothing to hang up."""
