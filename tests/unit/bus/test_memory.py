"""Events inside one process: in order, to everybody who asked, and one bad reader stops nobody."""

import pytest

from jumun.bus.memory import MemoryBus
from jumun.model.errors import BadInput
from jumun.model.journal import Message
from jumun.testing.builders import a_message


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
