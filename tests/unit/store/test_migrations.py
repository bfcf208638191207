"""The schema goes forward: fresh, step by step, interrupted, edited, newer."""

import asyncio
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from jumun.model.errors import ConfigError, StoreLocked, StoreUnavailable
from jumun.model.ids import AccountId
from jumun.ports.journal import Home
from jumun.store.sqlite import Migration, SqliteJournal, look_at_home, open_reader, upgrade
from jumun.store.sqlite.connect import open_readonly
from jumun.store.sqlite.schema import shipped_migrations
from jumun.testing.builders import ACCOUNT, START_NS, an_entry
from tests.unit.store.stocked import raw, stock

SHIPPED = shipped_migrations()
NEXT = Migration(
    version=SHIPPED[-1].version + 1,
    name="9999_next",
    sql="CREATE TABLE later (id INTEGER); SELECT 1; CREATE TABLE last (id INTEGER);",
)


def schema_of(path: Path) -> set[tuple[object, ...]]:
    return set(raw(path).execute("SELECT type, name, sql FROM sqlite_master"))


def test_migrations_are_numbered_without_gaps_and_hold_no_transactions() -> None:
    assert [migration.version for migration in SHIPPED] == list(range(1, len(SHIPPED) + 1))
    for migration in SHIPPED:
        words = migration.sql.upper().replace(";", " ;").split()
        assert "COMMIT" not in words, migration.name
        assert "ROLLBACK" not in words, migration.name
        assert "CASCADE" not in words, "requirements 3.2: no cascade deletes"


@pytest.mark.req("F-89")
def test_a_fresh_store_is_made_by_the_same_path_as_an_upgraded_one(tmp_path: Path) -> None:
    applied = upgrade(tmp_path / "upgraded.db", now_ns=lambda: START_NS)
    assert applied == SHIPPED
    stock(tmp_path / "started.db", [])
    assert schema_of(tmp_path / "upgraded.db") == schema_of(tmp_path / "started.db")
    recorded = raw(tmp_path / "upgraded.db").execute("SELECT * FROM schema_migrations").fetchall()
    assert recorded[0] == (1, "0001_first", "2025-05-26T00:00:00Z", SHIPPED[0].sha256)
    assert upgrade(tmp_path / "upgraded.db") == []


def test_a_store_from_the_first_version_comes_to_the_newest_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    upgrade(path, migrations=SHIPPED[:1])
    upgrade(path)
    stock(path)
    assert upgrade(path, migrations=[*SHIPPED, NEXT]) == [NEXT]
    assert {"later", "last"} <= {name for _, name, _ in schema_of(path)}, "the whole file ran"
    with open_reader(path) as reader:
        assert reader.counts()["orders"] == 5


@pytest.mark.req("I-55")
async def test_a_store_from_before_stores_said_whose_they_are_is_taken_over_by_whom_it_does_not_contradict(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    await asyncio.to_thread(stock, path, [an_entry(1)])
    _as_of_the_first_version(path)
    sim, live = (Home(environment=name, broker="kis") for name in ("sim", "live"))
    with pytest.raises(ConfigError, match="has messages of OMS_ENVIRONMENT=sim"):
        look_at_home(path, live, [ACCOUNT])
    look_at_home(path, sim, [ACCOUNT])
    with open_reader(path) as reader:
        assert reader.home() is None
    assert [migration.name for migration in upgrade(path)] == ["0002_home"]
    for home, account in ((live, ACCOUNT), (sim, AccountId("87654321-01"))):
        with pytest.raises(ConfigError):
            await SqliteJournal(path, label="a test").start(home, [account])
    journal = SqliteJournal(path, label="a test")
    await journal.start(sim, [ACCOUNT])
    await journal.close()
    with open_reader(path) as reader:
        assert reader.home() == sim


def _as_of_the_first_version(path: Path) -> None:
    connection = raw(path)
    connection.execute("DROP TABLE home; DELETE FROM schema_migrations WHERE version > 1").fetchall()
    connection.close()
    assert upgrade(path, migrations=SHIPPED[:1]) == []


@pytest.mark.req("I-55")
def test_a_look_at_a_store_that_is_not_there_or_empty_refuses_nothing_and_makes_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    look_at_home(path, Home(environment="live", broker="kis"), [])
    assert not path.exists()
    path.touch()
    look_at_home(path, Home(environment="live", broker="kis"), [])
    assert path.read_bytes() == b""


DIES_BEFORE_ITS_COMMIT = """
import os, sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("PRAGMA cache_size=1; BEGIN; CREATE TABLE half (a)").fetchall()
for _ in range(50):
    connection.execute("INSERT INTO half VALUES (zeroblob(4000))")
connection.cache_flush()
os._exit(9)
"""


@pytest.mark.req("I-55", "F-80")
async def test_what_only_the_writer_can_mend_is_left_to_the_start(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await asyncio.to_thread(_dies, DIES_BEFORE_ITS_COMMIT, path)
    with pytest.raises(apsw.ReadOnlyError), closing(open_readonly(path)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    home = Home(environment="sim", broker="paper")
    look_at_home(path, home, [])
    journal = SqliteJournal(path, label="a test")
    await journal.start(home)
    await journal.close()


DIES_BETWEEN_TWO_STEPS = """
import asyncio, os, sys
from pathlib import Path
import apsw
from jumun.store.sqlite import Migration, SqliteJournal, schema

apsw.connection_hooks.append(lambda connection: connection.create_scalar_function("die", lambda: os._exit(9)))
dying = Migration(version=2, name="0002_dies", sql="SELECT die();")
schema.shipped_migrations = lambda shipped=schema.shipped_migrations(): [shipped[0], dying]
asyncio.run(SqliteJournal(Path(sys.argv[1]), label="a test").start())
"""


@pytest.mark.req("F-89", "F-80")
async def test_a_first_start_that_dies_between_two_steps_leaves_a_store_that_starts(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await asyncio.to_thread(_dies, DIES_BETWEEN_TWO_STEPS, path)
    journal = SqliteJournal(path, label="a test")
    await journal.start()
    await journal.close()


def _dies(code: str, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, env=_with_source())
    assert done.returncode == 9


async def test_a_service_does_not_upgrade_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    upgrade(path)
    monkeypatch.setattr("jumun.store.sqlite.schema.shipped_migrations", lambda: [*SHIPPED, NEXT])
    with pytest.raises(StoreUnavailable, match="lacks migration 9999_next; run `jumun db upgrade`"):
        await SqliteJournal(path, label="a test").start()


@pytest.mark.req("F-102")
async def test_a_store_newer_than_the_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    upgrade(path, migrations=[*SHIPPED, NEXT])
    sentence = f"has schema {NEXT.version}, this program knows {SHIPPED[-1].version}; install the newer"
    with pytest.raises(StoreUnavailable, match=sentence):
        upgrade(path)
    with pytest.raises(StoreUnavailable, match=sentence):
        await SqliteJournal(path, label="a test").start()


async def test_an_edited_migration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    edited = msgspec.structs.replace(SHIPPED[0], sql=SHIPPED[0].sql + "\n-- a small correction")
    upgrade(path, migrations=[edited])
    with pytest.raises(StoreUnavailable, match="0001_first was edited"):
        upgrade(path)
    with pytest.raises(StoreUnavailable, match="0001_first was edited"):
        await SqliteJournal(path, label="a test").start()


@pytest.mark.req("F-89")
def test_a_step_that_fails_is_undone_and_the_steps_before_it_stay(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    broken = msgspec.structs.replace(NEXT, sql="CREATE TABLE later (id INTEGER); CREATE TABEL last (id);")
    with pytest.raises(StoreUnavailable, match=r"9999_next failed .* and was undone"):
        upgrade(path, migrations=[*SHIPPED, broken])
    assert "later" not in {name for _, name, _ in schema_of(path)}
    assert upgrade(path, migrations=[*SHIPPED, NEXT]) == [NEXT]


DIES_IN_A_MIGRATION = """
import os, sys
from pathlib import Path
import apsw
from jumun.store.sqlite import Migration, upgrade
from jumun.store.sqlite.schema import shipped_migrations

apsw.connection_hooks.append(lambda connection: connection.create_scalar_function("die", lambda: os._exit(9)))
shipped = shipped_migrations()
sql = "CREATE TABLE later (id INTEGER); SELECT die();"
dying = Migration(version=shipped[-1].version + 1, name="9999_next", sql=sql)
upgrade(Path(sys.argv[1]), migrations=[*shipped, dying])
"""


@pytest.mark.req("F-89")
def test_a_process_that_dies_inside_a_step_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stock(path)
    done = subprocess.run(
        [sys.executable, "-c", DIES_IN_A_MIGRATION, str(path)], check=False, env=_with_source()
    )
    assert done.returncode == 9
    assert "later" not in {name for _, name, _ in schema_of(path)}
    assert upgrade(path, migrations=[*SHIPPED, NEXT]) == [NEXT]


async def test_an_upgrade_under_a_running_service_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    journal = SqliteJournal(path, label="jumun serve")
    await journal.start()
    with pytest.raises(StoreLocked, match="jumun serve"):
        upgrade(path)
    await journal.append([an_entry(1)])
    await journal.close()


def test_a_migration_that_is_not_sql_of_ours_leaves_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnavailable, match="not a store"):
        upgrade(path)
    with pytest.raises(apsw.NotADBError):
        raw(path).execute("SELECT 1 FROM sqlite_master")


def _with_source() -> dict[str, str]:
    source = Path(sys.modules["jumun.store.sqlite"].__file__ or "").parents[3]
    return {**os.environ, "PYTHONPATH": str(source)}
