"""What the order streams share: requests are read while earlier ones commit, bounded, answered in order.

A full stream stops reading: the caller's messages wait in its own buffers, none is dropped. A caller that
goes away stops nothing that was read.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

_Message = TypeVar("_Message")
_Offered = TypeVar("_Offered")


class Room:
    """A number of places, taken and given back several at a time. One task takes, one gives."""

    def __init__(self, places: int) -> None:
        self._left = places
        self._places = places
        self._given = asyncio.Event()

    async def take(self, count: int) -> None:
        """Wait until `count` places are free, and take them."""
        assert 0 <= count <= self._places, "more than there is would wait for ever"
        while count > self._left:
            self._given.clear()
            await self._given.wait()
        self._left -= count

    def give(self, count: int) -> None:
        """Give places back."""
        self._left += count
        self._given.set()


class Pipeline(Generic[_Message, _Offered]):
    """Takes messages in and yields each with what was offered for it, in order."""

    def __init__(
        self,
        places: int,
        size_of: Callable[[_Message], int],
        offer: Callable[[_Message], Awaitable[_Offered]],
    ) -> None:
        self._room = Room(places)
        self._size_of = size_of
        self._offer = offer
        self._offered: asyncio.Queue[tuple[_Message, _Offered] | None] = (
            asyncio.Queue()
        )  # bounded by the room

    async def run(self, messages: AsyncIterator[_Message]) -> AsyncGenerator[tuple[_Message, _Offered], None]:
        """Yield until the caller has closed its half and everything is answered."""
        taking = asyncio.create_task(self._take(messages), name="order-stream")
        try:
            while (pair := await self._offered.get()) is not None:
                yield pair
                self._room.give(self._size_of(pair[0]))
            await taking
        finally:
            taking.cancel()

    async def _take(self, messages: AsyncIterator[_Message]) -> None:
        try:
            async for message in messages:
                await self._room.take(self._size_of(message))
                self._offered.put_nowait((message, await self._offer(message)))
        finally:
            self._offered.put_nowait(None)
