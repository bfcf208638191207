"""The error tree: every error has a reason code and one sentence."""

import inspect

import pytest

from jumun.model import errors
from jumun.model.errors import OmsError, OrderDenied, TornJournal, UnreadableReply
from jumun.model.reasons import Reason

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OmsError)]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_in_the_drawing_at_the_top_of_the_file(kind: type[OmsError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert isinstance(kind.default_reason, Reason)


@pytest.mark.req("S004-79")
def test_an_error_carries_its_own_reason_unless_a_nearer_one_is_given() -> None:
    assert OrderDenied("no").code == "DENIED"
    nearer = OrderDenied("no", reason=Reason.CASH)
    assert (nearer.reason, nearer.code, str(nearer)) == (Reason.CASH, "CASH", "no")


@pytest.mark.req("I-26", "F-84", "F-08")
def test_an_unreadable_reply_keeps_its_bytes_and_a_torn_journal_its_record() -> None:
    assert UnreadableReply("what?", raw="<html>").raw == "<html>"
    torn = TornJournal("record 7 is torn", record=7)
    assert (torn.record, torn.code) == (7, "TORN_JOURNAL")


def test_every_reason_is_spelled_as_it_is_printed() -> None:
    assert all(reason.name == reason.value for reason in Reason)
