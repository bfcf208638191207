"""A refusal has a gRPC code, whatever the reason."""

import grpc
import pytest

from jumun.doors.grpc.status import _CODES, CODE_OF
from jumun.model.reasons import Reason


def test_every_reason_has_exactly_one_grpc_code() -> None:
    assert set(CODE_OF) == set(Reason)
    assert sum(len(reasons) for reasons in _CODES.values()) == len(Reason)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.UNKNOWN_ORDER, grpc.StatusCode.NOT_FOUND),
        (Reason.KEY_CONFLICT, grpc.StatusCode.ALREADY_EXISTS),
        (Reason.NOT_READY, grpc.StatusCode.UNAVAILABLE),
        (Reason.QUEUE_FULL, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Reason.BAD_NUMBER, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_client_can_tell_try_again_from_correct_it(reason: Reason, code: grpc.StatusCode) -> None:
    assert CODE_OF[reason] is code
