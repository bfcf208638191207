"""The exchange's durable memory: one JSON line for each call that changed something, chained by SHA-256.

A line is `<chain> <entry>\n`, where chain = SHA-256(chain before, entry). Lines are written and synced before
the answers they belong to go out, so a torn last line was never acknowledged and is cut off at the start. A
start carries out the calls again and compares what came of them with what was written down. A long ledger is
then compacted: one record holds all that the market remembers, so that the next start need not begin at the
beginning.
"""

import fcntl
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.protocol import Answer, Change, Done, Entry, Genesis, SetBase, Snapshot, Step
from jumun.exchange.records import MarketEvent
from jumun.exchange.scripted import IgnoreCancels, Offer
from jumun.exchange.service import answer
from jumun.exchange.world import World
from jumun.model.errors import ConfigError, OmsError, StoreLocked, StoreUnavailable, TornJournal

COMPACT_AFTER: Final = 20_000  # records since the last snapshot: about five seconds of a start
FIRST_CHAIN: Final = "0" * 64
SILENT: Final = (SetBase, IgnoreCancels, Offer, Step)  # a step in an auction is interest, not a trade
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODER: Final = msgspec.json.Decoder(Entry)


class LedgerFile:
    """An open ledger. `record` collects, `take` and `write` make durable; one process at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.chain = FIRST_CHAIN
        self.count = 0
        self.bytes_cut = 0  # of a torn last line
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._size = 0  # bytes that are whole and synced
        self._failed = False
        self._compacted = 0  # records that a start reads without carrying out anything

    @classmethod
    def open(
        cls,
        path: Path,
        world: World,
        *,
        compact_after: int = COMPACT_AFTER,
        keep_days: int | None = None,
    ) -> tuple[Self, Market]:
        """Open or create the ledger and return it with the market it rebuilds.

        More than `compact_after` records since the last snapshot are replaced by a new one; ended orders from
        more than `keep_days` before the market's newest day are forgotten then (None: none ever).
        Raises StoreLocked when another process has it, TornJournal when a complete line was altered or does
        not lead to what it says, ConfigError when it belongs to another world, StoreUnavailable otherwise.
        """
        try:
            fresh = not path.exists()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"exchange ledger {path} cannot be opened: {error.strerror}") from error
        ledger = cls(path, descriptor)
        try:
            ledger._lock()
            if fresh:
                _sync_folder(path.parent)
            market = ledger._rebuild(world)
            if ledger.count - ledger._compacted > compact_after:
                market = ledger.compact(market, keep_days)
        except OmsError:
            ledger.close()
            raise
        return ledger, market

    def record(
        self, command: Genesis | Snapshot | Change, ts_ns: int, events: tuple[MarketEvent, ...]
    ) -> None:
        """Collect one entry; it is durable after the next `write`."""
        entry = Entry(number=self.count, ts_ns=ts_ns, command=command, events=events)
        body = _ENCODER.encode(entry)
        self.chain = _next_chain(self.chain, body)
        self.count += 1
        self._pending.append(self.chain.encode() + b" " + body + b"\n")

    def take(self) -> bytes:
        """Return everything collected and not yet written, and forget it."""
        data, self._pending = b"".join(self._pending), []
        return data

    def write(self, data: bytes) -> None:
        """Append and sync; blocks. Raises StoreUnavailable, after which nothing more is written, ever.

        What was written in part is cut off again: entries behind a gap would make the ledger unreadable.
        """
        if self._failed:
            raise StoreUnavailable(f"exchange ledger {self.path} has failed before; start the exchange again")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
            self._size += len(data)
        except OSError as error:
            self._failed = True
            left = self._cut_off()
            raise StoreUnavailable(
                f"exchange ledger {self.path} cannot be written: {error.strerror}{left}; "
                "free the disk, start again"
            ) from error

    def _cut_off(self) -> str:
        """Cut off what was written in part; where even that fails, the next start cuts a torn last line."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            return f", nor its end cut off ({error.strerror})"
        return ""

    def sync(self) -> None:
        """Make everything collected durable, here and now."""
        data = self.take()
        if data and not self._failed:
            self.write(data)

    def compact(self, market: Market, keep_days: int | None = None) -> Market:
        """Replace the file by a snapshot of `market`, and return the market to go on with.

        Everything collected must have been written. The new file is written, synced and read back before it
        takes the old one's name: a kill at any point leaves one whole ledger. Raises StoreUnavailable.
        """
        assert not self._pending, "a ledger is compacted between two writes"
        if keep_days is not None:
            market.forget_before(_days_before(market.now_ns, keep_days))
        digest = market.digest()
        aside = self.path.with_name(self.path.name + ".compacting")
        try:
            descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"exchange ledger {aside} cannot be made: {error.strerror}") from error
        fresh = type(self)(aside, descriptor)
        try:
            fresh._lock()
            fresh.record(Genesis(world=market.world), 0, ())
            state = Snapshot(
                state=market.dump(), digest=digest, chain_before=self.chain, records_before=self.count
            )
            fresh.record(state, market.now_ns, ())
            fresh.sync()
            reread = type(self)(aside, descriptor)._rebuild(market.world)
            if reread.digest() != digest:
                raise TornJournal(f"exchange ledger {aside} does not read back as it was written", record=1)
            self._become(fresh)
        except OmsError:
            fresh.close()
            raise
        return reread

    def _become(self, fresh: Self) -> None:
        try:
            os.rename(fresh.path, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise StoreUnavailable(
                f"exchange ledger {self.path} cannot be replaced: {error.strerror}"
            ) from error
        os.close(self._descriptor)  # its lock goes with it; the new file's is held already
        self._descriptor, self._size = fresh._descriptor, fresh._size
        self.chain, self.count = fresh.chain, fresh.count
        self._compacted = fresh.count

    def close(self) -> None:
        """Release the file. What was collected and not written is lost: it was never acknowledged."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> None:
        in_use = f"exchange ledger {self.path} is in use by another exchange; stop it or name another file"
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held, named = os.fstat(self._descriptor).st_ino, os.stat(self.path).st_ino
        except OSError as error:
            raise StoreLocked(in_use) from error
        if held != named:  # another exchange has put a compacted file in its place since we opened it
            raise StoreLocked(in_use)

    def _rebuild(self, world: World) -> Market:
        lines = self._complete_lines()
        if not lines:
            self.record(Genesis(world=world), 0, ())
            self.sync()
            return Market(world)
        first = self._read(lines[0])
        if not isinstance(first.command, Genesis):
            raise TornJournal(f"exchange ledger {self.path} record 0 is not its genesis", record=0)
        if first.command.world != world:
            raise ConfigError(
                f"exchange ledger {self.path} belongs to another world ({first.command.world.name!r}); "
                "start with the settings it was made with or name another file"
            )
        market = Market(world)
        for line in lines[1:]:
            entry = self._read(line)
            if isinstance(entry.command, Snapshot):
                self._go_on_from(market, entry.command)
            else:
                _carry_out(market, entry, self.path)
        return market

    def _go_on_from(self, market: Market, snapshot: Snapshot) -> None:
        market.load(snapshot.state)
        self._compacted = self.count
        if market.digest() != snapshot.digest:
            raise TornJournal(
                f"exchange ledger {self.path} record {self.count - 1} is a snapshot of another market than "
                "it says; it was made by another version: name a new file",
                record=self.count - 1,
            )

    def _complete_lines(self) -> list[bytes]:
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        self.bytes_cut = len(data) - end
        if self.bytes_cut:
            os.ftruncate(self._descriptor, end)
            os.fsync(self._descriptor)
        self._size = end
        return data[:end].splitlines()

    def _read(self, line: bytes) -> Entry:
        number, (chain, _, body) = self.count, line.partition(b" ")
        expected = _next_chain(self.chain, body)
        if chain.decode(errors="replace") != expected:
            raise TornJournal(
                f"exchange ledger {self.path} record {number} was altered: its hash does not follow from "
                "the one before; restore the file",
                record=number,
            )
        entry = _DECODER.decode(body)
        if entry.number != number:
            raise TornJournal(
                f"exchange ledger {self.path} record {number} says it is {entry.number}", record=number
            )
        self.chain = expected
        self.count += 1
        return entry


def perform(
    market: Market, ledger: LedgerFile | None, command: Change, ts_ns: int
) -> tuple[Answer, tuple[MarketEvent, ...]]:
    """Carry out a change, collect it in the ledger when it changed something, and return what came of it.

    The answer and the events may go out only after the ledger was written.
    """
    heard: list[MarketEvent] = []
    stop = market.listen(heard.extend)
    try:
        told = answer(market, command, ts_ns)
    finally:
        stop()
    events = tuple(heard)
    # These make no event and still change what happens next.
    silent = isinstance(command, SILENT) and isinstance(told, Done)
    if ledger is not None and (events or silent):
        ledger.record(command, ts_ns, events)
    return told, events


def _carry_out(market: Market, entry: Entry, path: Path) -> None:
    assert not isinstance(entry.command, Genesis | Snapshot), "a genesis or snapshot in the middle"
    _, events = perform(market, None, entry.command, entry.ts_ns)
    if events != entry.events:
        raise TornJournal(
            f"exchange ledger {path} record {entry.number} leads elsewhere than it says; it was made by "
            "another version of the market: name a new file",
            record=entry.number,
        )


def _days_before(now_ns: int, days: int) -> str:
    return (datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC).date() - timedelta(days=days)).isoformat()


def _next_chain(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
