"""Who may come in, and what a client that goes away cannot stop."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jumun import app
from jumun.config import Environment, load
from jumun.doors.gate import STOPPING, Gate
from jumun.model.errors import BrokerUnavailable, OrderDenied, StoreUnavailable
from jumun.model.reasons import Reason
from jumun.rules.book import Halt
from jumun.services.intake import Intake

NS = 1_000_000_000


def a_gate(
    *,
    accepting: bool = True,
    failure: object = None,
    halt: object = None,
    silent_since_ns: int | None = None,
    deaf_since_ns: int | None = None,
    start_waits_for: str = "",
) -> Gate:
    """A gate before a desk of which only the facts that a door reads exist."""
    book = SimpleNamespace(halt=halt)
    engine: Any = SimpleNamespace(
        desk=SimpleNamespace(
            accepting=accepting,
            failure=failure,
            book=book,
            deaf="the stream is silent" if deaf_since_ns is not None else "",
            deaf_since_ns=deaf_since_ns,
        ),
        clock=SimpleNamespace(now_ns=lambda: 1_763_600_100 * NS, monotonic_ns=lambda: 100 * NS),
        reconciler=SimpleNamespace(failing_since_ns=silent_since_ns),
        start_waits_for=start_waits_for,
    )
    return Gate(engine, Intake({}), environment="sim", prices="none")


async def test_a_client_that_goes_away_does_not_stop_its_order() -> None:
    gate = a_gate()
    may_end, done = asyncio.Event(), []

    async def making_an_order() -> None:
        await may_end.wait()
        done.append("made")

    call = asyncio.create_task(gate.whole(making_an_order()))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    may_end.set()
    await gate.drained()
    assert done == ["made"]


def test_nothing_comes_in_before_recovery_is_done_and_nothing_after_the_stop_began() -> None:
    gate = a_gate()
    with pytest.raises(OrderDenied) as early:
        gate.require_open()
    assert early.value.reason is Reason.NOT_READY
    gate.open()
    gate.require_open()
    gate.close()
    with pytest.raises(OrderDenied, match="stopping"):
        gate.require_open()


@pytest.mark.req("F-24", "F-101")
def test_while_the_broker_lets_the_start_not_end_everyone_who_asks_hears_its_words() -> None:
    gate = a_gate(accepting=False, start_waits_for="OPSP8992 refused; check KIS_HTS_ID")
    with pytest.raises(OrderDenied, match=r"has not finished its start.*; check KIS_HTS_ID"):
        gate.require_open()
    assert (gate.unready() or "").endswith("OPSP8992 refused; check KIS_HTS_ID")
    assert gate.failing() == "BROKER_UNAVAILABLE: OPSP8992 refused; check KIS_HTS_ID"
    gate.open()
    assert gate.failing() is None
    gate.close()
    assert gate.unready() == STOPPING


@pytest.mark.req("S002-72", "I-50")
def test_readiness_names_the_failed_store_the_halt_and_a_desk_that_does_not_take_orders() -> None:
    ready = a_gate()
    ready.open()
    assert ready.unready() is None
    for gate, words in (
        (a_gate(failure=StoreUnavailable("the disk is full")), "STORE_UNAVAILABLE: the disk is full"),
        (a_gate(halt=Halt(Reason.BREAK, "books differ")), "HALTED: BREAK: books differ"),
        (a_gate(accepting=False), "does not take new orders"),
    ):
        gate.open()
        assert words in (gate.unready() or "")


@pytest.mark.req("C-36", "F-24")
@pytest.mark.parametrize(("silent_s", "ready"), [(None, True), (9, True), (10, True), (11, False)])
def test_a_broker_that_is_silent_for_more_than_ten_seconds_makes_the_service_unready(
    silent_s: int | None, ready: bool
) -> None:
    gate = a_gate(silent_since_ns=None if silent_s is None else (100 - silent_s) * NS)
    gate.exchange = "127.0.0.1:7600"
    gate.open()
    if ready:
        assert gate.unready() is None
    else:
        why = gate.unready() or ""
        assert why.startswith("BROKER_UNAVAILABLE: the broker at 127.0.0.1:7600 has not answered since ")
        assert gate.broker_silent_since() == "2025-11-20T00:54:49+00:00"


@pytest.mark.req("C-36", "F-37")
def test_what_to_do_about_a_broker_that_does_not_answer_depends_on_which_it_is() -> None:
    lost = BrokerUnavailable("no route")
    gate = a_gate(silent_since_ns=1)
    gate.open()
    assert "start it or correct OMS_EXCHANGE" in str(gate.unanswered(lost))
    gate.remedy = app.kis_remedy(load().settings)
    assert "jumun simulate kis" in str(gate.unanswered(lost))
    assert (gate.unready() or "").endswith(gate.remedy)
    gate.remedy = app.kis_remedy(load().settings.model_copy(update={"oms_environment": Environment.LIVE}))
    assert "simulate" not in str(gate.unanswered(lost))
    for told in (str(gate.unanswered(lost)), gate.unready() or ""):
        assert "start it" not in told, "nobody here can start KIS"
    said = BrokerUnavailable("KIS refused; check the keys")
    assert str(gate.unanswered(said)) == "KIS refused; check the keys"


@pytest.mark.req("F-23", "F-25", "I-60")
def test_a_broker_whose_stream_is_silent_makes_the_service_unready_at_once() -> None:
    gate = a_gate(deaf_since_ns=100 * NS)
    gate.open()
    assert "has not answered since 2025-11-20T00:55:00+00:00 (the stream is silent)" in (gate.unready() or "")
