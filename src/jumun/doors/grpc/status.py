"""Reason codes as gRPC status codes. Total: a reason without a code stops a test, not a caller."""

from typing import Final, NoReturn

import grpc

from jumun.model.errors import OmsError
from jumun.model.reasons import Reason
from jumun.services.event_feed import EventsGone

REASON_KEY: Final = "reason-code"  # in the trailing metadata of every refusal
OLDEST_KEY: Final = "oldest-seq"  # … and where events are gone, the first number that can be asked for

_CODES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: (
        Reason.BAD_INPUT,
        Reason.BAD_NUMBER,
        Reason.BAD_SIGNAL,
        Reason.BAD_TIME,
        Reason.UNKNOWN_SIDE,
        Reason.UNKNOWN_SYMBOL,
        Reason.UNKNOWN_ACCOUNT,
        Reason.CURRENCY_MISMATCH,
        Reason.QTY_NOT_POSITIVE,
        Reason.QTY_NOT_LOT,
        Reason.QTY_TOO_LARGE,
        Reason.PRICE_MISSING,
        Reason.PRICE_NOT_ALLOWED,
        Reason.PRICE_NOT_POSITIVE,
        Reason.PRICE_OFF_TICK,
        Reason.KIND_NOT_SUPPORTED,
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        Reason.BAD_SETTING,
        Reason.NO_TABLE,
        Reason.PRICE_OUTSIDE_BAND,
        Reason.NO_BASE_PRICE,
        Reason.NO_REFERENCE_PRICE,
        Reason.SESSION_CLOSED,
        Reason.CASH,
        Reason.SHARES,
        Reason.MAX_ORDER_VALUE,
        Reason.MAX_POSITION_COUNT,
        Reason.RISK_DENIED,
        Reason.RISK_ERROR,
        Reason.DENIED,
        Reason.HALTED,
        Reason.SYMBOL_HELD,
        Reason.BROKER_REJECTED,
        Reason.CANCELLED_BY_USER,
        Reason.CANCELLED_BY_BROKER,
        Reason.EXPIRED,
        Reason.ORDER_TIMEOUT,
        Reason.NOT_SENT,
        Reason.NOT_RECEIVED,
        Reason.ALREADY_FINAL,
        Reason.NOT_MODIFIABLE,
        Reason.NOTHING_TO_CHANGE,
        Reason.PARTIAL_FILLS_OFF,
        Reason.UNSETTLED_BREAK,
        Reason.AMBIGUOUS,
        Reason.WRONG_NUMBER,
        Reason.BREAK,
        Reason.CLOCK_JUMPED,
        Reason.CRASH_LOOP,
        Reason.STALE_DECISION,
        Reason.TOO_MANY_UNKNOWN,
        Reason.OPERATOR,
        Reason.OPENING_UNKNOWN,
    ),
    grpc.StatusCode.NOT_FOUND: (Reason.UNKNOWN_ORDER, Reason.UNKNOWN_BREAK),
    grpc.StatusCode.ALREADY_EXISTS: (Reason.KEY_CONFLICT,),
    grpc.StatusCode.PERMISSION_DENIED: (Reason.PERMISSION,),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Reason.QUEUE_FULL, Reason.OVERLOADED),
    grpc.StatusCode.UNAVAILABLE: (
        Reason.NOT_READY,
        Reason.NO_REPLY,
        Reason.BROKER_UNAVAILABLE,
        Reason.STORE_UNAVAILABLE,
        Reason.STORE_LOCKED,
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (Reason.DEADLINE,),
    grpc.StatusCode.OUT_OF_RANGE: (Reason.EVENTS_GONE,),
    grpc.StatusCode.DATA_LOSS: (Reason.TORN_JOURNAL, Reason.UNREADABLE_REPLY, Reason.CRASHED_IN_FLIGHT),
    grpc.StatusCode.INTERNAL: (Reason.INTERNAL,),
}
CODE_OF: Final = {reason: code for code, reasons in _CODES.items() for reason in reasons}


def sentence(error: OmsError) -> str:
    """Return what a person is told: the reason code first."""
    return f"{error.code}: {error}"


async def refuse(context: "grpc.aio.ServicerContext[object, object]", error: OmsError) -> NoReturn:
    """End a call with the status, the sentence and the reason code of an error."""
    metadata = [(REASON_KEY, error.code)]
    if isinstance(error, EventsGone):
        metadata.append((OLDEST_KEY, str(error.oldest)))
    await context.abort(CODE_OF[error.reason], sentence(error), tuple(metadata))
    raise AssertionError("abort raises")
