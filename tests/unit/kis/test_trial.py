"""test-connection, step by step, at a simulated KIS: what it says of the trading days."""

import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.trial import Step, try_connection
from jumun.exchange.sample_world import sample_world
from jumun.model.instruments import Venue
from jumun.rules.trading_days import NO_OVERRIDES, DayOverride, Overrides
from jumun.testing.kis_stack import a_broker, a_kis, access_to
from jumun.testing.virtual_loop import VirtualClock, run_virtual
from tests.scenarios.any_stage import MONDAY, START_NS, TODAY

HOLIDAY = Overrides(days=(DayOverride(venue=Venue.KRX, day=MONDAY, closed=True),))


def tried(kis_has: Overrides, environment: KisEnvironment = KisEnvironment.LIVE) -> tuple[Step, int]:
    """The step about trading days, and how often KIS was asked."""
    found: list[Step] = []
    asked: list[str] = []

    async def script() -> None:
        clock = VirtualClock()
        kis = a_kis(clock, environment=environment, world=sample_world(kis_has))
        broker = a_broker(kis, clock, polls=True)
        wire = broker._wire
        wire.on_write = lambda call: asked.append(call.path)  # type: ignore[attr-defined]
        steps = try_connection(access_to(kis), broker, NO_OVERRIDES, START_NS)
        found.extend([step async for step in steps])

    run_virtual(script(), START_NS)
    [step] = [one for one in found if one.name == "trading days"]
    return step, sum(path.endswith("chk-holiday") for path in asked)


@pytest.mark.req("F-93")
def test_days_that_agree_are_said_to() -> None:
    step, asked = tried(NO_OVERRIDES)
    assert (step.is_good, asked) == (True, 1)
    assert step.text == f"KIS and the calendar agree on 24 days from {TODAY} on"


@pytest.mark.req("F-93", "I-53")
def test_a_day_that_kis_calls_closed_fails_the_step_and_says_what_to_write() -> None:
    step, _ = tried(HOLIDAY)
    assert not step.is_good
    assert f"KRX is closed on {TODAY}" in step.text
    assert "closed = true" in step.text


@pytest.mark.req("F-93")
def test_paper_tells_no_days_and_is_not_asked() -> None:
    step, asked = tried(NO_OVERRIDES, KisEnvironment.PAPER)
    assert (step.is_good, asked) == (True, 0)
    assert "paper service tells none" in step.text
