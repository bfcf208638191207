"""Where a SQLite store says whose it is. A store of an older schema says nothing."""

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import apsw

from jumun.ports.journal import Home
from jumun.store import home as rule
from jumun.store.sqlite.connect import open_readonly
from jumun.store.sqlite.schema import has_table


def look_at_home(path: Path, home: Home, accounts: Iterable[str]) -> None:
    """Raise ConfigError where the store at `path` is another's, before a start begins; writes nothing.

    A store that cannot be read so says nothing here: what a crash left half made only its writer can mend,
    and the journal's start tells what is wrong, and whose it is.
    """
    if not path.is_file():
        return
    with suppress(apsw.Error), closing(open_readonly(path)) as connection:
        require_home(connection, path, home, accounts)


def require_home(connection: apsw.Connection, path: Path, home: Home, accounts: Iterable[str]) -> bool:
    """Raise ConfigError where the store is another's; return whether it says already whose it is."""
    stored = stored_home(connection)
    rule.require_home(str(path), stored, home, accounts, lambda: _traces(connection))
    return stored is not None


def stored_home(connection: apsw.Connection) -> Home | None:
    """Return what the store says; None for a store of an older schema or one that was never started."""
    if not has_table(connection, "home"):
        return None
    found = connection.execute("SELECT environment, broker FROM home").fetchone()
    return None if found is None else Home(environment=found[0], broker=found[1])


def write_home(connection: apsw.Connection, home: Home) -> None:
    """Say it, once and for all; inside the caller's transaction."""
    connection.execute(
        "INSERT INTO home (only_row, environment, broker) VALUES (1, ?, ?)", (home.environment, home.broker)
    )


def _traces(connection: apsw.Connection) -> rule.Traces:
    if not has_table(connection, "journal"):  # an empty file
        return rule.Traces(environments=frozenset(), accounts=frozenset())
    told = connection.execute("SELECT DISTINCT CAST(envelope AS TEXT) ->> '$.environment' FROM outbox")
    trading = connection.execute("SELECT DISTINCT account_id FROM orders")
    return rule.Traces(
        environments=frozenset(environment for (environment,) in told),
        accounts=frozenset(account for (account,) in trading),
    )
