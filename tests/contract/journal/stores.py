"""The stores under test, and what can go wrong with each: the hands that the contract suite needs."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol

import apsw

from jumun.model.errors import StoreFull, StoreUnavailable
from jumun.model.journal import Message
from jumun.ports.journal import Journal
from jumun.store.memory import MemoryDisk, MemoryJournal
from jumun.store.sqlite import SqliteJournal

RESERVE_BYTES = 128 * 1024


class FullJournal(Journal, Protocol):
    """A journal with its outbox, as both stores have it."""

    async def outbox_after(self, seq: int, limit: int) -> list[tuple[int, Message]]: ...

    async def outbox_cursor(self, sink: str) -> int: ...

    async def outbox_done(self, sink: str, seq: int) -> None: ...

    async def verify_range(self, low: int, high: int) -> int: ...


class Store(ABC):
    """One place where records stay, whatever happens to the journals opened on it."""

    @abstractmethod
    def journal(self, label: str = "the first writer") -> FullJournal:
        """A journal that is not started yet."""

    @abstractmethod
    def alter_record(self, seq: int) -> None:
        """Change one byte of a stored record."""

    @abstractmethod
    def remove_newest_record(self) -> None:
        """Lose the newest record, as a mixed-up backup would."""

    @abstractmethod
    def alter_snapshot(self, seq: int) -> None:
        """Change one byte of a stored snapshot."""

    @abstractmethod
    def alter_reserve(self) -> None:
        """Change one byte of the first record in the space kept aside."""

    @abstractmethod
    async def fill_disk(self, journal: FullJournal) -> None:
        """Let the next append find no room."""

    @abstractmethod
    async def break_disk(self, journal: FullJournal) -> None:
        """Make the next append of a large batch fail."""


class MemoryStore(Store):
    """A MemoryDisk."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()

    def journal(self, label: str = "the first writer") -> FullJournal:
        return MemoryJournal(self.disk, label=label)

    def alter_record(self, seq: int) -> None:
        stored = self.disk.records[seq - 1]
        stored.body = stored.body.replace(b"signal", b"sIgnal", 1)

    def remove_newest_record(self) -> None:
        self.disk.records.pop()

    def alter_snapshot(self, seq: int) -> None:
        for stored in self.disk.snapshots:
            if stored.seq == seq:
                stored.body = b"X" + stored.body[1:]

    def alter_reserve(self) -> None:
        stored = self.disk.reserve[0]
        stored.body = stored.body.replace(b"signal", b"sIgnal", 1)

    async def fill_disk(self, journal: FullJournal) -> None:
        self.disk.fail_next = StoreFull("the disk is full; free space, then start again")

    async def break_disk(self, journal: FullJournal) -> None:
        self.disk.fail_next = StoreUnavailable("the disk is full; free space, then start again")


class SqliteStore(Store):
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"

    def journal(self, label: str = "the first writer") -> FullJournal:
        return SqliteJournal(self.path, label=label, reserve_bytes=RESERVE_BYTES)

    def _past_the_triggers(self, *statements: str) -> None:
        connection = apsw.Connection(str(self.path))
        for kind in ("edited", "deleted"):
            connection.execute(f"DROP TRIGGER IF EXISTS journal_is_never_{kind}")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def alter_record(self, seq: int) -> None:
        self._past_the_triggers(
            "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'signal', 'sIgnal') AS BLOB)"
            f" WHERE seq = {seq}"
        )

    def remove_newest_record(self) -> None:
        self._past_the_triggers("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")

    def alter_snapshot(self, seq: int) -> None:
        self._past_the_triggers(
            f"UPDATE snapshots SET body = CAST('X' || substr(body, 2) AS BLOB) WHERE seq = {seq}"
        )

    def alter_reserve(self) -> None:
        path = self.path.with_name(self.path.name + ".reserve")
        path.write_bytes(path.read_bytes().replace(b"signal", b"sIgnal", 1))

    async def fill_disk(self, journal: FullJournal) -> None:
        await self.break_disk(journal)

    async def break_disk(self, journal: FullJournal) -> None:
        assert isinstance(journal, SqliteJournal)
        await journal.limit_pages(1)
