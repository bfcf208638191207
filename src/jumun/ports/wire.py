"""Bytes to and from a broker that speaks HTTP and WebSocket.

An adapter that speaks such a protocol sits on this port: a real network behind it in the service, a
simulator in the same process and on virtual time in the simulated day.
"""

from typing import Protocol

import msgspec

from jumun.model.errors import BrokerUnavailable
from jumun.ports.broker import SendPermit


class NothingSent(BrokerUnavailable):
    """Provably not one byte of the request was written (F-01)."""


class AnswerLost(BrokerUnavailable):
    """The request was written and no answer came (F-02, F-03, F-06): it may have been carried out."""


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `query` goes behind the path, `body` is sent as it is.

    `tag` is never written to a network: it names the request to the oracle of a simulated day.
    """

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str] = {}
    body: bytes = b""
    tag: str = ""


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer, whatever its status. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Frames(Protocol):
    """One WebSocket session: text frames both ways, in order."""

    async def send(self, text: str) -> None:
        """Write one frame; raises AnswerLost when the session is over."""
        ...

    async def receive(self) -> str | None:
        """Return the next frame; None once the session is over, whoever ended it."""
        ...

    async def ping(self) -> None:
        """Return once the other side has answered a ping; raises AnswerLost when the session is over."""
        ...

    async def close(self) -> None:
        """End the session; safe to call again."""
        ...


class Wire(Protocol):
    """The way to one broker's REST and WebSocket addresses."""

    async def call(self, call: HttpCall, permit: SendPermit, *, timeout_s: float) -> HttpReply:
        """Ask `permit` in the last step before the first byte, write once, and wait for the whole answer.

        Never follows a redirect and never writes twice (F-15). Raises NothingSent when provably no byte left,
        AnswerLost for everything else that is no complete answer within `timeout_s`.
        """
        ...

    async def open_frames(self, path: str) -> Frames:
        """Begin a WebSocket session; raises NothingSent when it cannot be begun."""
        ...

    async def close(self) -> None:
        """Hang up; calls in flight raise AnswerLost and sessions end. Safe to call again."""
        ...
