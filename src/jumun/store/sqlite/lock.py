"""The writer's place: one process per store, held by an advisory file lock (I-27, F-72).

The lock belongs to the open file, so the system frees it when a process dies, however it dies. The
text inside only names the holder for people.
"""

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from jumun.model.errors import StoreLocked, StoreUnavailable

_LABEL_MAX: Final = 200  # a command line can be long; the sentence that names it should not be


class WriterLock:
    """Holds `<store>.lock` until released."""

    def __init__(self, handle: int) -> None:
        """Wrap an open, locked file; use `take`."""
        self._handle: int | None = handle

    @classmethod
    def take(cls, store: Path, label: str, now_ns: int) -> Self:
        """Take the writer's place of `store` for `label`; raises StoreLocked naming the holder."""
        path = lock_path(store)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailable(
                f"{path} cannot be opened ({error.strerror}); make the folder exist and writable"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _refuse_replaced(handle, path)
        except BlockingIOError as error:
            holder = os.pread(handle, 1_000, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise StoreLocked(
                f"{store} is being written by {holder}; stop that first, or use a command that only reads"
            ) from error
        except (OSError, StoreLocked) as error:
            os.close(handle)
            if isinstance(error, StoreLocked):
                raise
            raise StoreUnavailable(
                f"{path} cannot be locked ({error.strerror}); keep the store on a local disk"
            ) from error
        started = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).isoformat()
        with contextlib.suppress(OSError):  # on a full disk the place is taken all the same, only unnamed
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{label[:_LABEL_MAX]} (process {os.getpid()}, since {started})\n".encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Give the place back; safe to call twice. The file stays: deleting it would race with a taker."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None


def lock_path(store: Path) -> Path:
    """Return the lock file of a store; links to one store share one lock."""
    real = store.resolve()
    return real.with_name(real.name + ".lock")


def _refuse_replaced(handle: int, path: Path) -> None:
    """Somebody deleted the file between our open and lock: two locks could then exist."""
    try:
        same = os.fstat(handle).st_ino == os.stat(path).st_ino
    except FileNotFoundError:
        same = False
    if not same:
        raise StoreLocked(f"{path} was replaced while it was being locked; try again")
