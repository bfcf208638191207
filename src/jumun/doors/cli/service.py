"""The command line's line to the running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import grpc

from jumun.config import Settings
from jumun.doors.grpc.gen import desk_pb2_grpc
from jumun.doors.grpc.status import CODE_OF, REASON_KEY
from jumun.limits import DEADLINE_S, REPLY_BYTES_MAX
from jumun.model.errors import OmsError, OrderDenied
from jumun.model.reasons import Reason

OPTIONS: Final = (
    ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
    ("grpc.enable_http_proxy", 0),  # a proxy of the surroundings must not see orders
    ("grpc.enable_retries", 0),  # a repeat is our decision, with the same id
)
_Answer = TypeVar("_Answer")


class Connection:
    """One line to the service, for one question after the other."""

    def __init__(self, channel: grpc.Channel, where: str) -> None:
        self._stub = desk_pb2_grpc.DeskStub(channel)  # type: ignore[no-untyped-call]
        self._where = where

    def ask(self, method: str, request: object, kind: type[_Answer]) -> _Answer:
        """Ask; raises OmsError with the service's sentence, or one that says that it does not run."""
        try:
            told = getattr(self._stub, method)(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            raise _as_ours(error, self._where) from error
        assert isinstance(told, kind), f"{method} answered {type(told).__name__}"
        return told


@contextmanager
def connect(settings: Settings) -> Iterator[Connection]:
    """Open a line to the service that the settings name."""
    where = f"{settings.oms_host}:{settings.oms_grpc_port}"
    with grpc.insecure_channel(where, options=OPTIONS) as channel:
        yield Connection(channel, where)


def ask(settings: Settings, method: str, request: object, kind: type[_Answer]) -> _Answer:
    """Ask the running service one question; raises as `Connection.ask` does."""
    with connect(settings) as connection:
        return connection.ask(method, request, kind)


def _as_ours(error: Any, where: str) -> OmsError:  # an RpcError that is also a Call, which the stubs deny
    code, text = error.code(), error.details() or ""
    reasons = dict(error.trailing_metadata() or ())
    named = str(reasons.get(REASON_KEY, ""))
    if named in Reason.__members__ and CODE_OF[Reason[named]] is code:
        return OmsError(text.removeprefix(f"{named}: "), reason=Reason[named])
    if code is grpc.StatusCode.UNAVAILABLE and any(word in text.lower() for word in ("connect", "resol")):
        return OrderDenied(
            f"no service answers at {where}; start it with `jumun serve`, or set OMS_HOST and OMS_GRPC_PORT",
            reason=Reason.NOT_READY,
        )
    if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
        return OmsError(
            f"the service at {where} did not answer ({code.name}) and may have done it: look with "
            "`jumun orders`, and repeat a submit only with the same --id",
            reason=Reason.NO_REPLY,
        )
    return OmsError(f"the service at {where} failed ({code.name}: {text}); its log says more")
