"""Access token, approval key and hashkey (kis.md part 2): asked for once, shared by all, never printed.

KIS gives an access token a day's life, at most one a minute, and the same one again within six hours. So
there is one request at a time however many calls wait for it (F-10), and none within 61 seconds of the last,
also across restarts (F-11). Until then whoever needs it is told how long to wait.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from jumun.brokers.kis.access import KisAccess, Secret
from jumun.brokers.kis.advice import who_asks
from jumun.brokers.kis.budget import Budget, Lane
from jumun.brokers.kis.codes import APPROVAL_PATH, HASHKEY_PATH, REVOKE_PATH, TOKEN_PATH
from jumun.brokers.kis.fields import KOREA
from jumun.brokers.kis.masks import Mask
from jumun.brokers.kis.token_file import TokenFile, TokenNote
from jumun.brokers.kis.verdicts import HTTP_OK
from jumun.model.errors import BrokerUnavailable
from jumun.ports.outside import Clock
from jumun.ports.wire import HttpCall, HttpReply, NothingSent, Wire

NS: Final = 1_000_000_000
JSON_TYPE: Final = "application/json; charset=utf-8"
GRANT: Final = "client_credentials"
ISSUE_EVERY_S: Final = 61  # EGW00133 within a minute (kis.md 2.1)
RENEW_BEFORE_S: Final = 30 * 60
APPROVAL_LIFE_S: Final = 23 * 3_600 + 1_800  # of 24 hours; it is looked at only when a stream is registered
APPROVAL_EVERY_S: Final = 1
CALL_TIMEOUT_S: Final = 5.0
CALL_WAIT_S: Final = Decimal(5)
ISSUE: Final = "issue an access token"
LATER: Final = f"the next can be asked for in {ISSUE_EVERY_S} s"

_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)  # what a header can carry
_CODE = re.compile(r"[0-9A-Z]{1,12}", re.ASCII)

log = structlog.get_logger()


class _Held(msgspec.Struct, frozen=True):
    token: Secret
    expires_ns: int  # by the wall clock, as KIS says it


class _Shared:
    """One run of `work` at a time; who comes meanwhile waits for the same run, and may leave without harm."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)
            self._task.add_done_callback(self._ended)
        await asyncio.shield(self._task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may be left


class Tokens:
    """The keys to KIS of one app key. `cache` keeps the access token across restarts."""

    def __init__(
        self, access: KisAccess, wire: Wire, clock: Clock, budget: Budget, cache: Path | None = None
    ) -> None:
        self.mask = Mask(access)
        self._access = access
        self._wire = wire
        self._clock = clock
        self._budget = budget
        self._file = TokenFile(cache, access)
        self._held: _Held | None = None
        self._refused: Secret | None = None
        self._asked_ns: int | None = None  # monotonic
        self._renewal = _Shared(self._renew, "kis-token")
        self._approval: Secret | None = None
        self._approved_ns: int | None = None  # monotonic
        self._approving = _Shared(self._approve, "kis-approval")

    # ---- the access token -----------------------------------------------------------------------

    async def access_token(self) -> Secret:
        """Return a token that KIS should take; raises BrokerUnavailable, saying how long to wait.

        One that ends within half an hour is renewed; while that fails it is used to its end.
        """
        if (held := self._held) is not None and self._left_s(held) > RENEW_BEFORE_S:
            return held.token
        try:
            await self._renewal.run()
        except BrokerUnavailable:
            if self._held is None or self._left_s(self._held) <= 0:
                raise
        assert self._held is not None, "a renewal that ended well holds a token"
        return self._held.token

    def refused(self, token: Secret) -> None:
        """KIS refused this token (EGW00121 to 123): the next call asks for another, unless one came since."""
        if self._held is not None and self._held.token == token:
            self._refused, self._held = token, None

    async def revoke(self) -> None:
        """Give the token back to KIS and forget it, also the one on file; raises BrokerUnavailable."""
        note = self._file.read()
        token = self._held.token if self._held is not None else note and note.token
        if not token:
            return
        body = {**self._keys("appsecret"), "token": token.reveal()}
        self._answer(await self._post(REVOKE_PATH, body), "revoke the token")
        self._held = None
        self._file.remove()

    async def _renew(self) -> None:
        note = self._file.read()
        if note is not None and self._adopt(note):
            return
        wait_s = self._wait_s(note)
        if wait_s > 0:
            raise BrokerUnavailable(
                f"KIS gives one access token a minute; the next can be asked for in {wait_s} s"
            )
        asked_before = self._asked_ns
        self._asked_ns = self._clock.monotonic_ns()
        self._remember(self._clock.now_ns(), note)
        try:
            reply = await self._post(TOKEN_PATH, {"grant_type": GRANT, **self._keys("appsecret")})
        except NothingSent:
            self._asked_ns = asked_before
            self._remember(0 if note is None else note.asked_ns, note)
            raise
        self._take(self._answer(reply, ISSUE))

    def _adopt(self, note: TokenNote) -> bool:
        """Use the token on file: ours of an earlier run, or that of another process. True if it will do."""
        held = _Held(note.token, note.expires_ns)
        if not _TOKEN.fullmatch(note.token.reveal()) or note.token == self._refused:
            return False
        if self._left_s(held) <= 0 or (self._held is not None and self._held.expires_ns >= note.expires_ns):
            return False
        self.mask.add(held.token)
        self._held = held
        return self._left_s(held) > RENEW_BEFORE_S

    def _take(self, body: dict[str, object]) -> None:
        token = Secret(_text(body, "access_token"))
        if not _TOKEN.fullmatch(token.reveal()):
            raise BrokerUnavailable("KIS issued an access token that no header can carry; ask KIS")
        self.mask.add(token)
        if token == self._refused:
            log.warning("kis_token_same_again", next_step="if KIS refuses it again, revoke it")
        expires_ns = self._expiry_ns(body)
        held = _Held(token, expires_ns)
        if self._left_s(held) <= 0:
            raise BrokerUnavailable("KIS issued an access token that has expired; set this machine's clock")
        self._held, self._refused = held, None
        self._remember(self._clock.now_ns(), None)
        log.info("kis_token_issued", left_s=self._left_s(held))

    def _expiry_ns(self, body: dict[str, object]) -> int:
        """Trust the Korean time; `expires_in` is wrong when KIS gives the same token again (kis.md 2.1)."""
        stated = body.get("access_token_token_expired")
        if isinstance(stated, str):
            try:
                ends = datetime.strptime(stated.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=KOREA)
            except ValueError:
                raise BrokerUnavailable("the end of KIS's access token is no time; ask again") from None
            return int(ends.timestamp()) * NS
        life = body.get("expires_in")
        if not isinstance(life, int) or isinstance(life, bool):
            raise BrokerUnavailable("KIS issued an access token without saying when it ends; ask again")
        return self._clock.now_ns() + life * NS

    def _wait_s(self, note: TokenNote | None) -> int:
        """Whole seconds until another token may be asked for."""
        waits = [0]
        if self._asked_ns is not None:
            waits.append(self._asked_ns + ISSUE_EVERY_S * NS - self._clock.monotonic_ns())
        if note is not None and (since_ns := self._clock.now_ns() - note.asked_ns) >= 0:
            waits.append(ISSUE_EVERY_S * NS - since_ns)  # below zero, the clock was set back
        return -(-max(waits) // NS)

    def _remember(self, asked_ns: int, note: TokenNote | None) -> None:
        token, expires_ns = Secret(""), 0
        if self._held is not None:
            token, expires_ns = self._held.token, self._held.expires_ns
        elif note is not None:
            token, expires_ns = note.token, note.expires_ns
        self._file.write(TokenNote(asked_ns=asked_ns, token=token, expires_ns=expires_ns))

    def _left_s(self, held: _Held) -> int:
        return (held.expires_ns - self._clock.now_ns()) // NS

    # ---- the approval key and the hashkey ---------------------------------------------------------

    async def approval_key(self) -> Secret:
        """Return the key that registers streams; raises BrokerUnavailable."""
        if not self._is_approved():
            await self._approving.run()
        assert self._approval is not None, "an approval that ended well holds a key"
        return self._approval

    def drop_approval_key(self) -> None:
        """KIS does not know the key (OPSP0011): the next session asks for another."""
        self._approval = None

    def _is_approved(self) -> bool:
        if self._approval is None or self._approved_ns is None:
            return False
        return self._clock.monotonic_ns() - self._approved_ns < APPROVAL_LIFE_S * NS

    async def _approve(self) -> None:
        if self._approved_ns is not None:
            since_ns = self._clock.monotonic_ns() - self._approved_ns
            await self._clock.sleep(max(0.0, APPROVAL_EVERY_S - since_ns / NS))
        self._approved_ns = self._clock.monotonic_ns()
        reply = await self._post(APPROVAL_PATH, {"grant_type": GRANT, **self._keys("secretkey")})
        key = Secret(_text(self._answer(reply, "issue an approval key"), "approval_key"))
        self.mask.add(key)
        self._approval = key

    async def hashkey(self, body: bytes, lane: Lane) -> str:
        """Return KIS's digest of an order body, where that is switched on; raises BrokerUnavailable."""
        headers = self._keys("appsecret")
        answer = self._answer(await self._post(HASHKEY_PATH, body, headers, lane), "digest a body")
        digest = _text(answer, "HASH")
        if not _TOKEN.fullmatch(digest):
            raise BrokerUnavailable("KIS gave a hashkey that no header can carry; switch hashkeys off")
        return digest

    # ---- calls ------------------------------------------------------------------------------------

    def _keys(self, secret_name: str) -> dict[str, str]:
        return {
            "appkey": self._access.app_key.reveal(),
            secret_name: self._access.app_secret.reveal(),
        }

    async def _post(
        self,
        path: str,
        body: dict[str, str] | bytes,
        headers: dict[str, str] | None = None,
        lane: Lane = Lane.QUERY,
    ) -> HttpReply:
        call = HttpCall(
            method="POST",
            path=path,
            headers={"content-type": JSON_TYPE, **(headers or {})},
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        )
        async with self._budget.turn(lane, wait_s=CALL_WAIT_S) as turn:
            return await self._wire.call(call, turn.permit(_always), timeout_s=CALL_TIMEOUT_S)

    def _answer(self, reply: HttpReply, what: str) -> dict[str, object]:
        """Return the object that KIS answered; a refusal raises, with its code and its text masked."""
        try:
            body = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = None
        if not isinstance(body, dict):
            raise BrokerUnavailable(f"KIS answered HTTP {reply.status} and no JSON when asked to {what}")
        code = body.get("error_code", body.get("msg_cd", ""))
        if reply.status != HTTP_OK or code:
            told = code if isinstance(code, str) and _CODE.fullmatch(code) else "no code"
            why = self.mask.text(str(body.get("error_description", body.get("msg1", ""))))
            step = who_asks(told, self._access) or (LATER if what == ISSUE else "try again later")
            raise BrokerUnavailable(f"KIS did not {what}: {told} {why} (HTTP {reply.status}); {step}")
        return body


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BrokerUnavailable(f"KIS's answer holds no {name}; ask again")
    return value


def _always() -> bool:
    """A key is no order: nobody needs to permit it."""
    return True
