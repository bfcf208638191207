"""Authorised, paced and paged calls to KIS (kis.md 1.2 to 1.5). I/O only: nothing here knows an order.

What changes something is written once and its answer handed on, whatever it says. Questions are asked again
where KIS says that they were not looked at; a question of many pages is answered whole or not at all (I-39).
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisAccess, Secret
from jumun.brokers.kis.budget import Budget, Lane
from jumun.brokers.kis.replies import Envelope, InquiryRefused, judge, read_inquiry, rows_in
from jumun.brokers.kis.tokens import JSON_TYPE, Tokens
from jumun.brokers.kis.verdicts import NOTHING_FOUND, Verdict
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.ports.wire import HttpCall, HttpReply, NothingSent, Wire

WAIT_S: Final = Decimal(3)  # for the budget, before a request is given up unsent
QUESTION_WAIT_S: Final = Decimal(30)
QUESTION_TIMEOUT_S: Final = 10.0
THROTTLED_TRIES: Final = 5
THROTTLED_PAUSE_S: Final = 0.15  # kis.md 7.1
LEDGER_PAUSE_S: Final = Decimal("0.5")
LEDGER_LIMIT: Final = "EGW00215"  # of all customers together: only this question waits (kis.md 3.1.8)
PAGES_MAX: Final = 1_000  # 100,000 orders of one account on one day; 15,000 on paper
MORE: Final = frozenset({"F", "M"})  # tr_cont
LAST: Final = frozenset({"D", "E"})
MORE_CODE: Final = "KIOK0500"
NEXT_PAGE: Final = "N"
CONTINUATION: Final = "CTX_AREA_"
# Part of the text of such a refusal; its code is not known (kis.md 3.1.5).
CHANGED_MEANWHILE: Final = "자료가변경되었습니다"

_Keys = tuple[str, ...]


class _Restart(Exception):
    """The list changed while it was read: what has come so far is no list."""


class KisClient:
    """Calls over `wire`, with the keys of `tokens` and in the turns of `budget`.

    `blank_ends`: an answer without tr_cont is the last page, unless its code says that more follow. The
    reference leaves open whether that header is always there (kis.md 1.5).
    """

    def __init__(
        self,
        access: KisAccess,
        wire: Wire,
        clock: Clock,
        tokens: Tokens,
        budget: Budget,
        *,
        wait_s: Decimal = WAIT_S,
        blank_ends: bool = True,
    ) -> None:
        self._access = access
        self._wire = wire
        self._clock = clock
        self._tokens = tokens
        self._budget = budget
        self._wait_s = wait_s
        self._blank_ends = blank_ends

    async def log_in(self) -> None:
        """See to it that there is an access token; raises BrokerUnavailable."""
        await self._tokens.access_token()

    # ---- what changes something -------------------------------------------------------------------

    async def post(
        self,
        lane: Lane,
        path: str,
        tr_id: str,
        body: Mapping[str, str],
        permit: SendPermit,
        tag: str = "",
        timeout_s: float = 5.0,
    ) -> HttpReply:
        """Write once and return the answer, whatever it says; never again by itself (F-10, F-15).

        Raises NothingSent when no token, no place in the budget or no permit was there, or the network took
        nothing; AnswerLost when it may have been written.
        """
        content = msgspec.json.encode(body)
        try:
            # Whoever asked gives up after a while and must know then that nothing was written.
            async with asyncio.timeout(float(self._wait_s)):
                token = await self._tokens.access_token()
                headers = self._headers(token, tr_id)
                if self._access.use_hashkey:
                    headers["hashkey"] = await self._tokens.hashkey(content, lane)
        except BrokerUnavailable as error:
            raise NothingSent(f"nothing was sent, for want of a key: {error}") from error
        except TimeoutError:
            raise NothingSent(f"nothing was sent: no key came within {self._wait_s} s") from None
        call = HttpCall(method="POST", path=path, headers=headers, body=content, tag=tag)
        async with self._budget.turn(lane, wait_s=self._wait_s) as turn:
            reply = await self._wire.call(call, turn.permit(permit), timeout_s=timeout_s)
        return self._heed(reply, token)

    # ---- questions ----------------------------------------------------------------------------------

    async def get(self, path: str, tr_id: str, params: Mapping[str, str]) -> Envelope:
        """Return the answer of a question without pages; one that found nothing is a success.

        Raises InquiryRefused for a refusal, and BrokerUnavailable for everything else that is no answer.
        """
        envelope, _ = await self._ask(path, tr_id, params, "")
        return envelope

    async def pages(
        self,
        path: str,
        tr_id: str,
        params: Mapping[str, str],
        rows: Sequence[str] = ("output1",),
        max_pages: int = PAGES_MAX,
    ) -> list[Envelope]:
        """Return every page, or raise BrokerUnavailable when one is lost or contradicts itself (F-36, F-37).

        `params` holds the CTX_AREA_ names of this question, `rows` the names of its lists. A list that
        changed while it was read, or that leads back to a page already seen, is read once more from the
        beginning.
        """
        try:
            return await self._all(path, tr_id, params, rows, max_pages)
        except _Restart:
            try:
                return await self._all(path, tr_id, params, rows, max_pages)
            except _Restart as again:
                raise BrokerUnavailable(
                    f"{tr_id}: {again}, twice; nothing is concluded, ask again later"
                ) from None

    async def _all(
        self, path: str, tr_id: str, params: Mapping[str, str], rows: Sequence[str], max_pages: int
    ) -> list[Envelope]:
        names = [name for name in params if name.upper().startswith(CONTINUATION)]
        assert names, f"{tr_id} is asked for page by page, and no {CONTINUATION} parameter is given"
        asked = dict(params) | dict.fromkeys(names, "")
        seen: set[_Keys] = {("",) * len(names)}
        pages: list[Envelope] = []
        while len(pages) < max_pages:
            envelope, tr_cont = await self._page(path, tr_id, asked, NEXT_PAGE if pages else "")
            pages.append(envelope)
            if not self._goes_on(envelope, tr_cont, tr_id, rows):
                return pages
            following = tuple(_continuation(envelope, name, tr_id) for name in names)
            place = tuple(key.strip(" ") for key in following)
            if place in seen:
                raise _Restart(f"page {len(pages)} leads back to one that was read")
            seen.add(place)
            asked |= dict(zip(names, following, strict=True))  # exactly as received, blanks and all
        raise BrokerUnavailable(f"{tr_id} goes on after {max_pages} pages; nothing is concluded")

    async def _page(
        self, path: str, tr_id: str, params: Mapping[str, str], tr_cont: str
    ) -> tuple[Envelope, str]:
        try:
            return await self._ask(path, tr_id, params, tr_cont)
        except InquiryRefused as error:
            if CHANGED_MEANWHILE in str(error).replace(" ", ""):
                raise _Restart("the list changed while it was read") from None
            raise

    def _goes_on(self, envelope: Envelope, tr_cont: str, tr_id: str, rows: Sequence[str]) -> bool:
        """Whether another page follows. A page that contradicts itself makes the whole list void (F-40)."""
        try:
            count = sum(len(rows_in(envelope, name)) for name in rows)
        except UnreadableReply as error:
            raise BrokerUnavailable(f"{tr_id}: {error}") from error
        found_nothing = envelope.msg_cd == NOTHING_FOUND
        if found_nothing and count:
            raise _contradiction(tr_id, f"says that nothing was found and lists {count} rows")
        if tr_cont in MORE:
            if count == 0:
                raise _contradiction(tr_id, "has no rows and says that more follow")
            return True
        if tr_cont in LAST:
            return False
        if tr_cont or not self._blank_ends:
            raise _contradiction(tr_id, f"says tr_cont {tr_cont[:8]!r}, which is no end and no middle")
        if envelope.msg_cd == MORE_CODE:
            raise _contradiction(tr_id, f"says {MORE_CODE}, more follows, and has lost where")
        return False

    async def _ask(
        self, path: str, tr_id: str, params: Mapping[str, str], tr_cont: str
    ) -> tuple[Envelope, str]:
        """Ask; again where KIS did not look at it: a few times for its limits, once for the token."""
        throttled, had_new_token = 0, False
        while True:
            reply = await self._get(path, tr_id, params, tr_cont)
            _require_echo(reply, tr_id)
            try:
                return read_inquiry(reply, self._access), reply.headers.get("tr_cont", "").strip(" ")
            except UnreadableReply as error:
                raise BrokerUnavailable(f"{tr_id}: {error}; ask again") from error
            except InquiryRefused as error:
                if error.verdict is Verdict.REAUTH and not had_new_token:
                    had_new_token = True
                    continue
                if error.verdict is not Verdict.THROTTLED or throttled == THROTTLED_TRIES:
                    raise
                throttled += 1
            await self._clock.sleep(THROTTLED_PAUSE_S)

    async def _get(self, path: str, tr_id: str, params: Mapping[str, str], tr_cont: str) -> HttpReply:
        token = await self._tokens.access_token()
        headers = self._headers(token, tr_id) | {"tr_cont": tr_cont}
        call = HttpCall(method="GET", path=path, headers=headers, query=dict(params))
        async with self._budget.turn(Lane.QUERY, wait_s=QUESTION_WAIT_S, pause=tr_id) as turn:
            reply = await self._wire.call(call, turn.permit(_always), timeout_s=QUESTION_TIMEOUT_S)
        return self._heed(reply, token, question=tr_id)

    # ---- both ---------------------------------------------------------------------------------------

    def _headers(self, token: Secret, tr_id: str) -> dict[str, str]:
        return {
            "content-type": JSON_TYPE,
            "authorization": f"Bearer {token.reveal()}",
            "appkey": self._access.app_key.reveal(),
            "appsecret": self._access.app_secret.reveal(),
            "tr_id": tr_id,
            "custtype": self._access.custtype,
        }

    def _heed(self, reply: HttpReply, token: Secret, *, question: str = "") -> HttpReply:
        """Slow down or drop the token where the answer says so; return it without our secrets (I-66)."""
        judged = judge(reply)
        if judged.verdict is Verdict.REAUTH:
            self._tokens.refused(token)
        elif judged.verdict is Verdict.THROTTLED and judged.code == LEDGER_LIMIT and question:
            self._budget.pause(question, LEDGER_PAUSE_S)
        elif judged.verdict is Verdict.THROTTLED:
            self._budget.slow_down()
        return HttpReply(status=reply.status, headers=reply.headers, body=self._tokens.mask.body(reply.body))


def _require_echo(reply: HttpReply, tr_id: str) -> None:
    """An answer that names another question is not ours (F-17)."""
    echoed = reply.headers.get("tr_id", "").strip()
    if echoed and echoed != tr_id:
        raise BrokerUnavailable(
            f"asked {tr_id} and was answered {echoed[:16]}; nothing is concluded, ask again"
        )


def _continuation(envelope: Envelope, name: str, tr_id: str) -> str:
    value = envelope.body.get(name.lower())
    if not isinstance(value, str):
        raise _contradiction(tr_id, f"says that more follow and has no {name.lower()}")
    return value


def _contradiction(tr_id: str, what: str) -> BrokerUnavailable:
    return BrokerUnavailable(f"a page of {tr_id} {what}; nothing is concluded, ask again")


def _always() -> bool:
    """A question needs no permit: it changes nothing."""
    return True
