"""Full, read-only, failing and foreign disks; a killed process; a second writer."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from jumun.model.errors import StoreLocked, StoreUnavailable, TornJournal
from jumun.model.events import TradingHalted
from jumun.model.journal import Entry
from jumun.model.reasons import Reason
from jumun.ports.journal import Snapshot
from jumun.store.sqlite import SqliteJournal, open_reader, verify_store
from jumun.store.sqlite.lock import WriterLock, lock_path
from jumun.testing.builders import START_NS, a_record, an_entry, an_order
from tests.unit.store.stocked import stock

LARGE = "x" * 200_000


class _FailingFile(apsw.VFSFile):
    """A file of a disk whose syncs can be made to fail."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], disk: "FailingDisk") -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:
        if self._disk.failing:
            raise apsw.IOError("the device reported an error")
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """A disk whose syncs can be made to fail."""

    def __init__(self) -> None:
        self.failing = False
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FailingFile(name, flags, self)


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    """A disk that can fail, for every store that the test opens."""
    disk = FailingDisk()
    yield disk
    disk.unregister()


async def started(path: Path, label: str = "a test") -> SqliteJournal:
    journal = SqliteJournal(path, label=label)
    await journal.start()
    return journal


@pytest.mark.req("F-82", "I-22")
async def test_a_failed_sync_ends_the_journal_and_loses_nothing_acknowledged(
    tmp_path: Path, disk: FailingDisk
) -> None:
    path = tmp_path / "store.db"
    journal = await started(path)
    await journal.append([an_entry(1)])
    disk.failing = True
    with pytest.raises(StoreUnavailable, match="the disk failed; check the disk"):
        await journal.append([an_entry(2)])
    disk.failing = False
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        await journal.append([an_entry(2)])
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        await journal.save_snapshot(Snapshot(seq=1, body=b"x"))
    await journal.close()
    journal = await started(path)
    assert await journal.order(an_order(1).order_id) == an_order(1)
    await journal.close()


@pytest.mark.req("F-81")
async def test_a_full_disk_is_said_in_one_sentence_and_what_was_accepted_stays(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = await started(path)
    await journal.append([an_entry(1)])
    await journal.limit_pages(100)
    large = [an_entry(seq, an_order(seq, reason_text=LARGE)) for seq in range(2, 20)]
    with pytest.raises(
        StoreUnavailable, match=r"store\.db .* the disk is full; free space, then start again"
    ):
        await journal.append(large)
    await journal.close()
    assert verify_store(path) == 1


@pytest.mark.req("F-81")
async def test_a_disk_that_turned_read_only_is_said_in_one_sentence(tmp_path: Path) -> None:
    # Not by chmod: tests may run as root, whom file modes do not stop. The engine's own refusal is real.
    journal = await started(tmp_path / "store.db")
    assert journal._writer is not None
    journal._writer._connection.execute("PRAGMA query_only=ON").fetchall()
    with pytest.raises(StoreUnavailable, match="it is read-only; make the file and its folder writable"):
        await journal.append([an_entry(1)])
    await journal.close()


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere.*make the folder exist and writable"):
        await started(tmp_path / "nowhere" / "store.db")


@pytest.mark.req("F-88")
async def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are my notes, not a database\n" * 100)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="the file is not a store"):
            await started(path)
    assert path.read_bytes().startswith(b"these are my notes")


@pytest.mark.req("F-88")
async def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    apsw.Connection(str(path)).execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, diary TEXT)")
    with pytest.raises(StoreUnavailable, match="not a store of jumun"):
        await started(path)


@pytest.mark.req("F-84", "I-26")
def test_a_torn_page_is_found_and_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    halts = [TradingHalted(reason=Reason.OPERATOR, text=f"{seq:05d}" + "y" * 2_000) for seq in range(1, 30)]
    stock(path, [Entry(record=a_record(seq, halt)) for seq, halt in enumerate(halts, 1)])
    assert not path.with_name("store.db-wal").exists(), "closing moved everything into the file"
    content = path.read_bytes()
    assert b"00017yyyy" in content
    path.write_bytes(content.replace(b"00017yyyy", b"00017yzyy"))
    with pytest.raises(TornJournal) as caught:
        verify_store(path)
    assert caught.value.record == 17
    assert "record 17" in str(caught.value)
    with pytest.raises(TornJournal):
        asyncio.run(started(path))


@pytest.mark.req("I-26", "F-84")
def test_a_record_missing_from_the_middle_is_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stock(path, [an_entry(seq) for seq in range(1, 6)])
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER journal_is_never_deleted")
    connection.execute("DELETE FROM journal WHERE seq = 3")
    connection.close()
    with pytest.raises(TornJournal, match=r"record 3 .* is missing") as caught:
        verify_store(path)
    assert caught.value.record == 3


def test_a_full_check_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jumun.store.sqlite.verify.ROWS_A_STEP", 2)
    path = tmp_path / "store.db"
    stock(path, [an_entry(seq) for seq in range(1, 6)])
    told: list[int] = []
    assert verify_store(path, told.append) == 5
    assert told == [2, 4, 5]


async def test_what_every_sink_has_is_deleted_a_bounded_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jumun.store.sqlite.writer.PRUNED_AT_ONCE", 3)
    path = tmp_path / "store.db"
    journal = await started(path)
    await journal.append([an_entry(seq) for seq in range(1, 9)])
    published = (await journal.outbox_after(0, 100))[6][0]
    await journal.outbox_done("redis", published)
    assert len(await journal.outbox_after(0, 100)) == 5
    await journal.append([an_entry(9)])
    assert len(await journal.outbox_after(0, 100)) == 3
    await journal.close()
    journal = await started(path)
    await journal.append([an_entry(10)])
    assert len(await journal.outbox_after(0, 100)) == 3, "8, 9 and 10"
    await journal.close()


@pytest.mark.req("I-27")
async def test_records_of_another_program_end_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = await started(path)
    await journal.append([an_entry(1)])
    stranger = apsw.Connection(str(path))
    stranger.execute(
        "INSERT INTO journal (seq, ts_ns, type, causation_id, correlation_id, body, hash)"
        " VALUES (2, 1, 'x', 'x', 'x', x'00', x'00')"
    )
    stranger.close()
    with pytest.raises(StoreUnavailable, match="did not write"):
        await journal.append([an_entry(2)])
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        await journal.append([an_entry(3)])
    await journal.close()


@pytest.mark.req("F-85")
async def test_a_store_held_by_a_shell_is_a_bounded_wait_and_then_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jumun.store.sqlite.connect.BUSY_TIMEOUT_MS", 10)
    path = tmp_path / "store.db"
    journal = await started(path)
    holder = apsw.Connection(str(path))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="held by another program"):
        await journal.append([an_entry(1)])
    holder.execute("ROLLBACK")
    holder.close()
    await journal.append([an_entry(1)])
    await journal.close()


@pytest.mark.req("I-27", "F-72")
def test_the_lock_names_its_holder_and_links_share_it(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    store.touch()
    link = tmp_path / "link.db"
    link.symlink_to(store)
    lock = WriterLock.take(store, "jumun serve", START_NS)
    sentence = rf"jumun serve \(process {os.getpid()}, since 2025-05-26T00:00:00\+00:00\); stop that first"
    with pytest.raises(StoreLocked, match=sentence):
        WriterLock.take(link, "jumun replay", START_NS)
    lock.release()
    lock.release()
    WriterLock.take(link, "jumun replay", START_NS).release()


async def test_a_process_that_died_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    lock_path(path).write_text("jumun serve (process 1, since long ago)\n")
    journal = await started(path)
    await journal.close()


async def test_a_caller_that_gives_up_does_not_tear_the_batch(tmp_path: Path) -> None:
    journal = await started(tmp_path / "store.db")
    append = asyncio.create_task(journal.append([an_entry(1), an_entry(2)]))
    await asyncio.sleep(0)
    append.cancel()
    with pytest.raises(asyncio.CancelledError):
        await append
    assert await journal.verify() in (0, 2)
    await journal.close()


WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from jumun.store.sqlite import SqliteJournal
from jumun.testing.builders import an_entry

async def main():
    journal = SqliteJournal(Path(sys.argv[1]), label="the child")
    await journal.start()
    seq = 1
    while True:
        size = seq % 7 + 1
        await journal.append([an_entry(number) for number in range(seq, seq + size)])
        seq += size
        print(seq - 1, flush=True)

asyncio.run(main())
"""


async def one_more(path: Path) -> int:
    """Start after the crash, verify everything, go on; return how many records there were."""
    journal = await started(path)
    records = await journal.verify()
    await journal.append([an_entry(records + 1)])
    await journal.close()
    return records


@pytest.mark.req("I-22", "I-26", "I-28", "S002-9")
@pytest.mark.parametrize("lines", [1, 40, 200])
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "store.db"
    source = Path(sys.modules["jumun.store.sqlite"].__file__ or "").parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", WRITES_UNTIL_KILLED, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert child.stdout is not None
    with child.stdout as told:
        acknowledged = [told.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        acknowledged += told.readlines()
    assert child.wait() == -signal.SIGKILL
    last = int([line for line in acknowledged if line.endswith("\n")][-1])
    records = asyncio.run(one_more(path))
    assert records >= last
    with open_reader(path) as reader:
        assert reader.counts()["orders"] == records + 1, "every record's rows came with it"
        for seq in range(1, records + 1):
            assert reader.order(an_order(seq).order_id) == an_order(seq)


@pytest.mark.req("F-88", "I-22", "I-27")
async def test_a_store_that_was_moved_away_takes_no_more_records(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = await started(path)
    await journal.append([an_entry(1)])
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable, match="moved, deleted or exchanged"):
        await journal.append([an_entry(2)])
    await journal.close()


@pytest.mark.req("I-26", "F-84")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("ts_ns", 1),
        ("type", "fill_booked"),
        ("order_id", "another"),
        ("order_id", None),
        ("causation_id", "c"),
        ("correlation_id", ""),
    ],
)
def test_a_column_that_says_something_else_than_its_record_is_named(
    column: str, value: object, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    stock(path, [an_entry(seq) for seq in range(1, 6)])
    assert verify_store(path) == 5
    connection = apsw.Connection(str(path))
    triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(f"UPDATE journal SET {column} = ? WHERE seq = 3", (value,))
    connection.close()
    with pytest.raises(TornJournal, match=f"record 3 .* is altered: its column {column}") as caught:
        verify_store(path)
    assert caught.value.record == 3
