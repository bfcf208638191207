"""The embedded store: one file, one writer, synced at every commit. Public names below."""

from jumun.store.sqlite.home import look_at_home
from jumun.store.sqlite.journal import SqliteJournal
from jumun.store.sqlite.reader import Reader, open_reader
from jumun.store.sqlite.rebuild import rebuild
from jumun.store.sqlite.schema import Migration, upgrade
from jumun.store.sqlite.verify import verify_store

__all__ = [
    "Migration",
    "Reader",
    "SqliteJournal",
    "look_at_home",
    "open_reader",
    "rebuild",
    "upgrade",
    "verify_store",
]
