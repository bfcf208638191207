"""The order streams: bounded, in order, and a deadline stops no order."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from jumun.doors.grpc.gen import order_pb2 as pb
from jumun.doors.grpc.order_service import OrderService, in_time
from jumun.doors.grpc.streams import Pipeline
from jumun.model.errors import OmsError, OrderDenied, StoreUnavailable
from jumun.model.reasons import Reason
from jumun.rules.draft import Decision
from jumun.services.desk import Ticket
from jumun.testing.builders import an_order
from jumun.testing.virtual_loop import run_virtual


def numbers(*sizes: int) -> tuple[AsyncIterator[int], list[int]]:
    """A stream of messages, and those that were read of it so far."""
    read: list[int] = []

    async def stream() -> AsyncIterator[int]:
        for size in sizes:
            read.append(size)
            yield size

    return stream(), read


async def offered(message: int) -> str:
    return f"offered {message}"


@pytest.mark.req("I-61")
def test_a_full_stream_stops_reading_until_an_answer_is_taken_and_drops_nothing() -> None:
    async def play() -> None:
        messages, read = numbers(*[1] * 20)
        pipeline = Pipeline[int, str](5, lambda _: 1, offered)
        answers = pipeline.run(messages)
        await anext(answers)
        await asyncio.sleep(10)
        assert len(read) == 6, "five places, and one message in hand that has none yet"
        await anext(answers)
        await asyncio.sleep(10)
        assert len(read) == 7
        assert len([pair async for pair in answers]) == 18

    run_virtual(play(), 0)


def test_messages_of_many_sizes_share_the_places_and_come_out_in_order() -> None:
    async def play() -> None:
        sizes = (3, 5, 1, 1, 4, 2, 5, 1)
        messages, read = numbers(*sizes)
        answers = Pipeline[int, str](5, lambda size: size, offered).run(messages)
        got = [await anext(answers)]
        await asyncio.sleep(10)
        assert read == [3, 5], "five more places are not free"
        got += [pair async for pair in answers]
        assert got == [(size, f"offered {size}") for size in sizes]

    run_virtual(play(), 0)


@pytest.mark.req("C-29")
def test_a_caller_that_goes_away_ends_the_reading_and_what_was_read_had_been_offered() -> None:
    async def play() -> None:
        messages, read = numbers(*[1] * 20)
        taken: list[int] = []

        async def take(message: int) -> str:
            taken.append(message)
            return ""

        answers = Pipeline[int, str](5, lambda _: 1, take).run(messages)
        await anext(answers)
        await asyncio.sleep(1)
        await answers.aclose()
        await asyncio.sleep(10)
        assert (len(read), len(taken)) == (6, 5)
        assert len(asyncio.all_tasks()) == 1, "nothing is left running"

    run_virtual(play(), 0)


def test_an_error_of_the_connection_is_not_taken_for_the_end_of_the_stream() -> None:
    async def play() -> None:
        async def broken() -> AsyncIterator[int]:
            yield 1
            raise ConnectionError("the line broke")

        answers = Pipeline[int, str](5, lambda _: 1, offered).run(broken())
        assert await anext(answers) == (1, "offered 1")
        with pytest.raises(ConnectionError):
            await anext(answers)

    run_virtual(play(), 0)


def context(left_s: float | None) -> Any:
    return SimpleNamespace(time_remaining=lambda: left_s)


@pytest.mark.parametrize("left_s", [0.0, 0.001, 1.0])
def test_a_deadline_that_passes_says_how_to_ask_again_and_the_order_goes_on(left_s: float) -> None:
    async def play() -> None:
        done: list[str] = []

        async def order() -> None:
            done.append("begun")
            await asyncio.sleep(2)
            done.append("made")

        inside = asyncio.ensure_future(order())
        with pytest.raises(OrderDenied, match="same id") as late:
            await in_time(context(left_s), asyncio.shield(inside))
        assert late.value.reason is Reason.DEADLINE
        await inside
        assert done == ["begun", "made"]

    run_virtual(play(), 0)


@pytest.mark.parametrize("left_s", [None, 3.0])
def test_an_answer_in_time_is_the_answer(left_s: float | None) -> None:
    async def play() -> None:
        assert await in_time(context(left_s), asyncio.sleep(1, "made")) == "made"

    run_virtual(play(), 0)


def a_service() -> OrderService:
    engine = SimpleNamespace(journal=None, listeners=[], desk=SimpleNamespace(stored_seq=0))
    gate: Any = SimpleNamespace(engine=engine, on_close=[])
    return OrderService(gate)


@pytest.mark.req("I-15", "F-82")
@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (StoreUnavailable("the disk failed"), pb.PENDING, "UNKNOWN"),
        (OrderDenied("the queue is full", reason=Reason.QUEUE_FULL), pb.REJECTED, "QUEUE_FULL"),
    ],
)
def test_an_order_that_may_have_been_written_is_in_doubt_and_one_that_was_not_is_refused(
    error: OmsError, status: int, word: str
) -> None:
    async def play() -> None:
        durable: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        durable.set_exception(error)
        posted = Ticket(Decision(order=an_order()), durable)
        service, request = a_service(), pb.OrderRequest(id="mine")
        for told in (await service._answer(request, posted), await service._outcome(request, posted)):
            assert (told.request_id, told.status) == ("mine", status)
            assert told.message.startswith(f"{word}: ")
        refused = await service._answer(request, StoreUnavailable("nothing is taken now"))
        assert refused.status == pb.REJECTED, "refused before it was decided: nothing was made"

    run_virtual(play(), 0)
