"""Events inside one process: in order, to everybody who asked, and one bad reader stops nobody."""

import pytest

from jumun.bus.memory import MemoryBus
from jumun.model.errors import BadInput
from jumun.model.journal import Message
from jumun.testing.builders import a_message
from jumun.testing.virtual_loop import VirtualClock, run_virtual

START_NS = 1_748_217_600_000_000_000


@pytest.mark.req("C-16")
async def test_events_reach_their_subscribers_in_order_and_nobody_else() -> None:
    bus, placed, every = MemoryBus(), list[str](), list[str]()

    async def hear_placed(message: Message) -> None:
        placed.append(message.event_id)

    async def hear_all(message: Message) -> None:
        every.append(message.event_id)

    bus.subscribe("order_placed", hear_placed)
    stop = bus.subscribe("*", hear_all)
    await bus.publish([a_message(1), a_message(2, event_type="order_failed"), a_message(3)])
    assert placed == ["0.1.0", "0.3.0"]
    assert every == ["0.1.0", "0.2.0", "0.3.0"]
    stop()
    await bus.publish([a_message(4)])
    assert len(every) == 3
    assert bus.published == 4


async def test_a_subscriber_that_refuses_an_event_is_counted_and_the_others_have_it() -> None:
    bus, heard = MemoryBus(), list[str]()

    async def refuse(message: Message) -> None:
        raise BadInput(f"{message.event_id} is not for me")

    async def hear(message: Message) -> None:
        heard.append(message.event_id)

    bus.subscribe("*", refuse)
    bus.subscribe("*", hear)
    await bus.publish([a_message(1)])
    assert (heard, bus.failed) == (["0.1.0"], 1)


@pytest.mark.req("I-65")
async def test_a_bug_in_a_subscriber_is_not_swallowed() -> None:
    bus = MemoryBus()

    async def broken(message: Message) -> None:
        raise KeyError(message.event_id)

    bus.subscribe("*", broken)
    with pytest.raises(KeyError):
        await bus.publish([a_message(1)])


@pytest.mark.req("S000-34", "S000-64", "S000-91")
async def test_an_event_of_another_program_is_published_by_its_name_with_a_mapping() -> None:
    bus, heard = MemoryBus(), list[Message]()

    async def hear(message: Message) -> None:
        heard.append(message)

    bus.subscribe("trading_signal", hear)
    given = {"signal": {"symbol": "005930"}}
    await bus.publish("trading_signal", given)
    await bus.publish("market_data_received", {"symbol": "005930"})
    [message] = heard
    assert (message.event_type, message.payload) == ("trading_signal", given)
    assert message.event_ts_ns == 0, "no clock, no time: never a guessed one"
    given["later"] = {}
    assert "later" not in message.payload


def test_a_bus_with_a_clock_stamps_what_it_receives() -> None:
    heard = list[Message]()

    async def play() -> None:
        async def hear(message: Message) -> None:
            heard.append(message)

        bus = MemoryBus(VirtualClock())
        bus.subscribe("*", hear)
        await bus.publish("trading_signal", {})
        await bus.publish("trading_signal", {})

    run_virtual(play(), START_NS)
    assert {message.event_ts_ns for message in heard} == {START_NS}
    assert len({message.event_id for message in heard}) == 2


@pytest.mark.parametrize(
    ("event_type", "event_data"),
    [("", {}), ("trading signal", {}), ("x" * 101, {}), ("trading_signal", None), ("trading_signal", [])],
)
async def test_what_is_no_event_is_refused_by_the_bus(event_type: str, event_data: object) -> None:
    bus = MemoryBus()
    with pytest.raises(BadInput):
        await bus.publish(event_type, event_data)  # type: ignore[call-overload]
    assert bus.published == 0
