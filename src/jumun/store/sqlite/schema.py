"""Migrations: forward only, plain SQL, each in one transaction, recorded with its hash (F-89)."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec

from jumun.model.errors import StoreUnavailable
from jumun.store.sqlite.connect import open_writer, translated
from jumun.store.sqlite.lock import WriterLock

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ts TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT
"""
_RECORDED = "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"
_RECORD = """
INSERT INTO schema_migrations (version, name, applied_ts, sha256)
VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', ?, 'unixepoch'), ?)
"""


class Migration(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step of the schema. `sql` holds no BEGIN or COMMIT: the step and its record are one transaction."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The hash that shows that a released file was not edited."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """Return the migrations of this version of the program, oldest first."""
    folder = files("jumun.store") / "migrations" / "sqlite"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(
            version=int(name.split("_", 1)[0]),
            name=name.removesuffix(".sql"),
            sql=(folder / name).read_text(encoding="utf-8"),
        )
        for name in names
    ]


def upgrade(
    path: Path,
    *,
    migrations: Sequence[Migration] | None = None,
    label: str = "jumun db upgrade",
    now_ns: Callable[[], int] = time.time_ns,
) -> list[Migration]:
    """Bring the store at `path` to the newest schema and return what was applied; creates a fresh store.

    Takes the writer's place (StoreLocked). Raises StoreUnavailable for a store newer than the program,
    an edited migration, or a failed step; steps done before it stay done, so a second run goes on.
    """
    lock = WriterLock.take(path, label, now_ns())
    try:
        with translated(path, "upgrading the schema"):
            connection = open_writer(path)
            try:
                return apply(connection, path, migrations or shipped_migrations(), now_ns)
            finally:
                connection.close()
    finally:
        lock.release()


def apply(
    connection: apsw.Connection, path: Path, migrations: Sequence[Migration], now_ns: Callable[[], int]
) -> list[Migration]:
    """Apply what is missing, on the writer's own connection."""
    missing = pending(connection, path, migrations)
    for migration in missing:
        _apply_one(connection, path, migration, now_ns())
    _sync_folder(path)
    return missing


def pending(connection: apsw.Connection, path: Path, migrations: Sequence[Migration]) -> list[Migration]:
    """Return the migrations that the store lacks; refuse a newer store and an edited file."""
    recorded: dict[int, tuple[str, str]] = {}
    if has_table(connection, "schema_migrations"):
        recorded = {version: (name, sha256) for version, name, sha256 in connection.execute(_RECORDED)}
    elif has_table(connection, "journal"):
        raise StoreUnavailable(f"{path} has tables but no schema_migrations; it is not a store of jumun")
    newest = max((migration.version for migration in migrations), default=0)
    if recorded and max(recorded) > newest:
        raise StoreUnavailable(
            f"{path} has schema {max(recorded)}, this program knows {newest}; install the newer program"
        )
    for migration in migrations:
        if migration.version in recorded and recorded[migration.version][1] != migration.sha256:
            raise StoreUnavailable(
                f"migration {migration.name} was edited after {path} was made with it; "
                "restore the file and put the change into a new one"
            )
    return [migration for migration in migrations if migration.version not in recorded]


def is_fresh(connection: apsw.Connection) -> bool:
    """Whether no migration has ever been applied."""
    return not has_table(connection, "schema_migrations")


def _apply_one(connection: apsw.Connection, path: Path, migration: Migration, now_ns: int) -> None:
    try:
        with connection:  # one transaction: the step, and the record that it was done
            connection.execute(_TABLE)
            connection.execute(migration.sql).fetchall()  # read to the end, or the rest would not run
            connection.execute(
                _RECORD, (migration.version, migration.name, now_ns // 1_000_000_000, migration.sha256)
            )
    except apsw.SQLError as error:
        raise StoreUnavailable(
            f"migration {migration.name} failed on {path} ({error}) and was undone; correct it and run again"
        ) from error


def has_table(connection: apsw.Connection, name: str) -> bool:
    """Whether the store has a table of this name."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _sync_folder(path: Path) -> None:
    """A file whose name is not synced in its folder can vanish in a power loss."""
    handle = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
