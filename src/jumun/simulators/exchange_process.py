"""The exchange as a program of its own: newline-delimited JSON over TCP, with a durable ledger.

Nothing is answered before the ledger is on disk, so whatever a client was told survives `kill -9`. Answers
and notices leave in the order in which things happened; calls that arrive while the disk is busy share its
next sync.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from jumun.exchange.ledger_file import LedgerFile, perform
from jumun.exchange.line import PHASE_SESSION, Mode
from jumun.exchange.market import Market
from jumun.exchange.prices import GENERATED, PathPoint, generated_prices
from jumun.exchange.protocol import (
    LINE_MAX,
    Advance,
    Answer,
    Call,
    Change,
    Command,
    Hello,
    Notice,
    OpenAccount,
    Refused,
    Reply,
    Step,
    Subscribe,
)
from jumun.exchange.records import MarketEvent
from jumun.exchange.sample_world import sample_world
from jumun.exchange.service import CHANGES, answer, public_events
from jumun.exchange.world import World
from jumun.model.errors import ConfigError
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import TradingSession
from jumun.model.reasons import Reason
from jumun.model.words import counted
from jumun.rules.sessions import Phase, phase_at

HOST: Final = "127.0.0.1"  # loopback: this exchange believes everybody who can reach it
OUTBOX_MAX: Final = 10_000  # messages waiting for the disk; above it no connection is read
UNSENT_MAX: Final = 64 * 1024 * 1024  # bytes a slow client may leave unread before it is cut off
TICK_S: Final = 0.5  # how late an expiry may be noticed
HANG_UP_S: Final = 1.0  # for connections to end by themselves at the stop
NowNs = Callable[[], int]

_CALLS: Final = msgspec.json.Decoder(Call)
_ENCODER: Final = msgspec.json.Encoder()


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `pace` is generated prints a second over all symbols; 0 leaves prices to control calls.

    `accounts` are opened when they do not exist yet. `keep_days`: how long ended orders are remembered when a
    long ledger is compacted at the start; None: for ever.
    """

    world: World
    pace: float = 0.0
    seed: int = 1
    accounts: tuple[OpenAccount, ...] = ()
    keep_days: int | None = 30


class _Client:
    """One connection: where to write, and which notices it wants (None: none)."""

    __slots__ = ("accounts", "name", "writer")

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.name = ""
        self.accounts: frozenset[str] | None = None


class ExchangeServer:
    """The server without the process around it: tests run it on their own loop and with their own clock."""

    def __init__(self, market: Market, ledger: LedgerFile | None, now_ns: NowNs) -> None:
        self.market = market
        self._ledger = ledger
        self._now_ns = now_ns
        self._clients: dict[int, _Client] = {}
        self._outbox: list[tuple[_Client, bytes]] = []
        self._handlers: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._roomy = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._failure: BaseException | None = None
        self.address = ("", 0)

    async def start(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one. `address` is then known."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=LINE_MAX)
        except OSError as error:
            raise ConfigError(
                f"the exchange cannot listen on {host}:{port} ({error.strerror}); use another port, or 0"
            ) from error
        self.address = self._server.sockets[0].getsockname()[:2]
        self._roomy.set()

    async def run(self) -> None:
        """Write, sync and send until cancelled. A ledger that cannot be written ends the exchange."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._failure is not None:
                raise self._failure
            outbox, self._outbox = self._outbox, []
            data = self._ledger.take() if self._ledger is not None else b""
            if data:
                await self._write(data)
            for client, line in outbox:
                self._send(client, line)
            self._roomy.set()

    async def _write(self, data: bytes) -> None:
        assert self._ledger is not None
        writing = asyncio.ensure_future(asyncio.to_thread(self._ledger.write, data))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing  # the thread still appends; a second write beside it would break the chain
            raise

    def change(self, command: Change) -> Answer:
        """Carry out a call of our own, such as a generated print."""
        return self._perform(command)

    def pass_time(self) -> None:
        """Let orders of ended sessions expire."""
        self._perform(Advance())

    async def stop(self) -> None:
        """Take no more calls, make durable what was collected, and hang up."""
        if self._server is not None:
            self._server.close()
        if self._ledger is not None:
            self._ledger.sync()
        outbox, self._outbox = self._outbox, []
        for client, line in outbox:
            self._send(client, line)
        for client in list(self._clients.values()):
            client.writer.close()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=HANG_UP_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(writer)
        task = asyncio.current_task()
        assert task is not None
        self._clients[id(client)] = client
        self._handlers.add(task)
        task.add_done_callback(self._connection_ended)
        try:
            while line := await reader.readline():
                await self._roomy.wait()
                self._take_line(client, line)
        except (ConnectionError, ValueError):
            # The client went away, or sent a line beyond LINE_MAX: either way this connection is over.
            writer.transport.abort()
        finally:
            self._clients.pop(id(client), None)
            self._handlers.discard(task)
            writer.close()

    def _connection_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure  # a bug: an oracle that is wrong once must not go on (I-65)
            self._wake.set()

    def _take_line(self, client: _Client, line: bytes) -> None:
        try:
            call = _CALLS.decode(line)
        except msgspec.MsgspecError as error:
            number = _id_of(line)
            text = f"the call cannot be read: {error}; see jumun.exchange.protocol"
            self._queue(
                client, _ENCODER.encode(Reply(number, Refused(code=Reason.BAD_INPUT.value, text=text)))
            )
            return
        told = self._answer(client, call.call, call.id)
        if told is not None:
            self._queue(client, _ENCODER.encode(Reply(call.id, told)))

    def _answer(self, client: _Client, command: Command, number: int) -> Answer | None:
        if isinstance(command, CHANGES):
            self._perform(command, (client, number))
            return None  # already queued, in front of the notices it caused
        self.pass_time()
        if isinstance(command, Subscribe):
            client.accounts = frozenset(command.accounts)
        elif isinstance(command, Hello):
            client.name = command.client
        return answer(self.market, command, self.market.now_ns)

    def _perform(self, command: Change, caller: tuple[_Client, int] | None = None) -> Answer:
        # The market's clock never goes back; the ledger must say the time the market acted on.
        ts_ns = max(self._now_ns(), self.market.now_ns)
        before: tuple[MarketEvent, ...] = ()
        if not isinstance(command, Advance):
            _, before = perform(self.market, self._ledger, Advance(), ts_ns)
        told, events = perform(self.market, self._ledger, command, ts_ns)
        self._announce(before)
        if caller is not None:
            client, number = caller
            self._queue(client, _ENCODER.encode(Reply(number, told)))
        self._announce(events)
        return told

    def _announce(self, events: tuple[MarketEvent, ...]) -> None:
        if not events:
            return
        self._wake.set()
        for client in self._clients.values():
            if client.accounts is not None:
                for event in public_events(events, client.accounts):
                    self._queue(client, _ENCODER.encode(Notice(event)))

    def _queue(self, client: _Client, line: bytes) -> None:
        self._outbox.append((client, line + b"\n"))
        self._wake.set()
        if len(self._outbox) > OUTBOX_MAX:
            self._roomy.clear()

    def _send(self, client: _Client, line: bytes) -> None:
        transport = client.writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > UNSENT_MAX:
            transport.abort()  # it does not read; after its reconnect it knows of the gap and asks
            return
        client.writer.write(line)


class PriceDriver:
    """Prints GENERATED prices, one symbol after the other, wherever and in whatever session it trades."""

    def __init__(self, server: ExchangeServer, seed: int) -> None:
        self._server = server
        self._seed = seed
        self._walks: dict[tuple[str, str], Iterator[PathPoint]] = {}
        self._turn = 0

    def step(self) -> None:
        """Print the next price of the next symbol that is trading; nothing when all venues are closed."""
        market = self._server.market
        instruments = market.world.instruments
        for _ in instruments:
            instrument = instruments[self._turn % len(instruments)]
            self._turn += 1
            if self._print(market, instrument):
                return

    def _print(self, market: Market, instrument: Instrument) -> bool:
        places = open_places(market, instrument)
        symbol = instrument.symbol
        trade_date = phase_at(instrument.venue, market.now_ns, market.world.overrides)[1].isoformat()
        base = market.base_of(symbol, trade_date)
        if not places or base is None:
            return False
        point = next(self._walk(market, instrument, trade_date, base))
        for venue, session in places:
            price = {
                TradingSession.CLOSE_BEFORE: base,
                TradingSession.CLOSE_AFTER: market.close_of(symbol, trade_date) or base,
            }.get(session, point.price)
            elsewhere = None if venue is instrument.venue else venue
            asked = session if session is TradingSession.CLOSE_BEFORE else None  # else the one under way
            printed = Step(symbol=symbol, price=price, volume=point.volume, venue=elsewhere, session=asked)
            self._server.change(printed)
        return True

    def _walk(
        self, market: Market, instrument: Instrument, trade_date: str, base: Decimal
    ) -> Iterator[PathPoint]:
        symbol = instrument.symbol
        if (symbol, trade_date) not in self._walks:
            self._walks = {key: walk for key, walk in self._walks.items() if key[1] >= trade_date}
            random = Random(f"{self._seed}/{symbol}/{trade_date}/{len(market.executions)}")
            newest = market.quote(symbol)
            start = newest.last if newest is not None else None
            day = date.fromisoformat(trade_date)
            self._walks[symbol, trade_date] = generated_prices(instrument, base, day, random, start=start)
        return self._walks[symbol, trade_date]


def open_places(market: Market, instrument: Instrument) -> list[tuple[Venue, TradingSession]]:
    """Return where an issue trades now, and in which session; call auctions only where orders collect."""
    home = instrument.venue
    phase, _ = phase_at(home, market.now_ns, market.world.overrides)
    asked = [(home, PHASE_SESSION.get(phase, TradingSession.REGULAR))]
    if phase is Phase.PRE_OPEN_AUCTION and TradingSession.CLOSE_BEFORE in market.world.sessions:
        asked.append((home, TradingSession.CLOSE_BEFORE))
    if instrument.nxt:
        asked.append((Venue.NXT, TradingSession.REGULAR))  # the whole day there is one book
    return [(venue, session) for venue, session in asked if _is_open(market, instrument, venue, session)]


def _is_open(market: Market, instrument: Instrument, venue: Venue, session: TradingSession) -> bool:
    mode = market.mode_of(instrument.symbol, venue, session)
    collects = market.world.call_auctions or session is TradingSession.SINGLE_PRICE
    return mode in (Mode.CONTINUOUS, Mode.FIXED) or (mode is Mode.AUCTION and collects)


async def run_exchange(
    host: str = HOST,
    port: int = 0,
    ledger_path: Path | None = None,
    config: ExchangeConfig | None = None,
    *,
    now_ns: NowNs = time.time_ns,
    announce: Callable[[str], None] = print,
) -> None:
    """Run until SIGTERM or SIGINT. Announces one line with the address once calls are taken.

    Raises ConfigError, StoreLocked, StoreUnavailable or TornJournal with a sentence for a person.
    """
    config = config or ExchangeConfig(world=sample_world())
    if ledger_path is None:
        ledger, market = None, Market(config.world)
    else:
        ledger, market = LedgerFile.open(ledger_path, config.world, keep_days=config.keep_days)
    server = ExchangeServer(market, ledger, now_ns)
    try:
        for account in config.accounts:
            server.change(account)
        if ledger is not None:
            ledger.sync()
        await server.start(host, port)
        # Before the announcement: whoever reads it may send the signal in the next instant.
        stopped = _stop_signal()
        announce(_ready_line(server, ledger, config))
        try:
            await _until(stopped, server, config)
        except ExceptionGroup as failures:
            # One child fails and the others are cancelled; a person wants its sentence, not the group's.
            raise failures.exceptions[0] from failures
        await server.stop()
    finally:
        if ledger is not None:
            ledger.close()


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    return stopped


async def _until(stopped: asyncio.Event, server: ExchangeServer, config: ExchangeConfig) -> None:
    async with asyncio.TaskGroup() as tasks:
        children = [
            tasks.create_task(server.run(), name="exchange-commit"),
            tasks.create_task(_tick(server), name="exchange-time"),
        ]
        if config.pace > 0:
            driver = PriceDriver(server, config.seed)
            children.append(tasks.create_task(_drive(driver, config.pace), name="exchange-prices"))
        await stopped.wait()
        for child in children:
            child.cancel()


async def _tick(server: ExchangeServer) -> None:
    while True:
        server.pass_time()
        await asyncio.sleep(TICK_S)


async def _drive(driver: PriceDriver, pace: float) -> None:
    while True:
        driver.step()
        await asyncio.sleep(1 / pace)


def _ready_line(server: ExchangeServer, ledger: LedgerFile | None, config: ExchangeConfig) -> str:
    host, port = server.address
    prices = f"{GENERATED} prices, {config.pace:g} a second" if config.pace > 0 else "prices by control calls"
    kept = "no ledger" if ledger is None else f"ledger {ledger.path}, {counted(ledger.count, 'record')}"
    cut = f", {ledger.bytes_cut} torn bytes cut off" if ledger is not None and ledger.bytes_cut else ""
    return f"exchange ready on {host}:{port} pid {os.getpid()} ({config.world.name}; {prices}; {kept}{cut})"


class _IdOnly(msgspec.Struct):
    id: int = -1


def _id_of(line: bytes) -> int:
    """Return the id of a call whose rest cannot be read, -1 when not even that can."""
    try:
        return msgspec.json.decode(line, type=_IdOnly).id
    except msgspec.MsgspecError:
        return -1
