"""The link to an exchange in another process: one TCP connection, kept up, one line of JSON a message.

A request is written only while the connection stands, in one step with its permit. When the connection ends,
calls without an answer raise AnswerLost, the link dials again with growing, jittered pauses, and the stream
goes on behind a Gap.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Final

import msgspec

from jumun.brokers.paper.link import NOT_CONNECTED, Gap, Garbled, Inbox, LinkNotice
from jumun.brokers.paper.wire import LINE_MAX, Answer, Call, Command, Hello, Notice, Reply, Subscribe
from jumun.ports.broker import SendPermit
from jumun.ports.wire import AnswerLost, NothingSent

PAUSE_FIRST_S: Final = 0.05
PAUSE_MAX_S: Final = 2.0
DIAL_TIMEOUT_S: Final = 5.0
# What was written is in the kernel; on loopback it arrives or is thrown away with the connection. The rest is
# room for an exchange that is busy with its disk.
WORST_CASE_NS: Final = 2_000_000_000

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Reply | Notice)


class SocketLink:
    """See `Link`. `random` jitters the pauses between two attempts to connect."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        random: Random,
        client: str = "jumun",
        accounts: tuple[str, ...] = (),
        worst_case_ns: int = WORST_CASE_NS,
    ) -> None:
        self.connections = 0  # how often it connected, for people and tests
        self._host = host
        self._port = port
        self._random = random
        self._client = client
        self._accounts = accounts
        self._worst_case_ns = worst_case_ns
        self._inbox = Inbox()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last_id = 0
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    @property
    def worst_case_ns(self) -> int:
        """The longest a written request may travel."""
        return self._worst_case_ns

    async def open(self) -> None:
        """Connect and keep connected; raises NothingSent when the exchange does not answer now."""
        if self._keeper is not None:
            if not self._up.is_set():
                raise NothingSent(f"{self._host}:{self._port} is not reachable; the link keeps trying")
            return
        reader = await self._dial()
        self._inbox = Inbox()
        if self.connections > 1:
            self._inbox.put(Gap("connected again"))
        self._keeper = asyncio.create_task(self._keep(reader), name="paper-link")
        self._keeper.add_done_callback(self._ended)

    async def close(self) -> None:
        """Hang up for good."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        self._hang_up("the link was closed")
        self._inbox.close()

    @property
    def is_up(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Wait until the connection stands."""
        await self._up.wait()

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        """Write once and wait for the answer; see `Link.call`."""
        if not self._up.is_set():
            raise NothingSent(f"{self._host}:{self._port}: {NOT_CONNECTED}")
        return await self._exchange(command, permit)

    def notices(self) -> AsyncIterator[LinkNotice]:
        """Yield what happened, until closed."""
        return self._inbox.read()

    async def _exchange(self, command: Command, permit: SendPermit) -> Answer:
        self._last_id += 1
        number = self._last_id
        line = _ENCODER.encode(Call(number, command)) + b"\n"
        writer = self._writer
        if writer is None or writer.transport.is_closing():
            raise NothingSent(f"the connection to {self._host}:{self._port} is going down")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # From here to the write nothing else runs: the permit is the last word (I-45).
        if not permit():
            raise NothingSent("sending was not permitted in the last step")
        self._waiting[number] = answered
        writer.write(line)
        try:
            return await answered
        finally:
            self._waiting.pop(number, None)

    async def _keep(self, reader: asyncio.StreamReader) -> None:
        while True:
            why = await self._read(reader)
            self._hang_up(why)
            reader = await self._dial_until_up()
            self._inbox.put(Gap(f"connected again after: {why}"))

    async def _dial_until_up(self) -> asyncio.StreamReader:
        pause_s = PAUSE_FIRST_S
        while True:
            # Jitter, so that a hundred links do not knock at a restarted exchange in the same instant.
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            try:
                return await self._dial()
            except NothingSent:
                pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _dial(self) -> asyncio.StreamReader:
        where = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=LINE_MAX)
        except (OSError, TimeoutError) as error:
            raise NothingSent(f"no exchange answers at {where} ({error}); start it or correct it") from error
        self._writer = writer
        self.connections += 1
        # Subscribed before anything else is asked, so that no notice falls between an answer and the stream.
        self._last_id += 2
        hello = Call(self._last_id - 1, Hello(client=self._client))
        subscribe = Call(self._last_id, Subscribe(accounts=self._accounts))
        writer.write(_ENCODER.encode(hello) + b"\n" + _ENCODER.encode(subscribe) + b"\n")
        self._up.set()
        return reader

    async def _read(self, reader: asyncio.StreamReader) -> str:
        """Read until the connection ends; return why it did."""
        try:
            while line := await reader.readline():
                self._take(line)
        except ConnectionError as error:
            return f"the connection broke ({error})"
        except ValueError:
            return "the exchange sent a line beyond the limit"
        return "the exchange hung up"

    def _take(self, line: bytes) -> None:
        try:
            message = _DECODER.decode(line)
        except msgspec.MsgspecError as error:
            garbled = Garbled(line.decode(errors="replace"), f"a line cannot be read: {error}")
            self._inbox.put(garbled, len(line))
            return
        if isinstance(message, Notice):
            self._inbox.put(message.event, len(line))
            return
        answered = self._waiting.get(message.id)
        if answered is not None and not answered.done():  # else nobody waits any more: a query settles it
            answered.set_result(message.answer)

    def _hang_up(self, why: str) -> None:
        self._up.clear()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            if not answered.done():
                answered.set_exception(AnswerLost(f"{why} before the answer came"))

    def _ended(self, keeper: asyncio.Task[None]) -> None:
        # A bug in the keeper must reach whoever reads the stream, not the garbage collector (I-65).
        if not keeper.cancelled() and (failure := keeper.exception()) is not None:
            self._hang_up("the link failed")
            self._inbox.close(failure)
