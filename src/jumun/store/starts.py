"""Counts the starts that never came to an orderly end, in a small file beside the store (F-80, F-77).

A supervisor that starts a dying service again and again must not let it trade in between: after a few such
starts it stays halted until a person resumes.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

STARTS_MAX: Final = 5  # so many within the window are no accident
WINDOW_NS: Final = 600_000_000_000  # ten minutes: a start with a day's records takes seconds
KEPT: Final = 16  # lines; more tell nothing new
_STARTED: Final = "started"
_NO_MEMORY: Final = "memory"


class Starts:
    """The file `<store>.starts`: one line a start, `<UTC nanoseconds> <word>`; empty after an orderly end."""

    def __init__(self, store: Path) -> None:
        real = store.resolve()
        self.path = real.with_name(real.name + ".starts")

    def note(self, now_ns: int) -> str | None:
        """Note a start; return why trading must stay halted, or None. Raises OSError where it can't write."""
        lines = self._lines()
        recent = [line for line in lines if _is_recent(line, now_ns)]
        self._write([*lines, f"{now_ns} {_STARTED}"])
        if any(line.endswith(_NO_MEMORY) for line in lines):
            return "the service ran out of memory; find out why, then resume"
        if len(recent) + 1 >= STARTS_MAX:
            minutes = WINDOW_NS // 60_000_000_000
            return (
                f"this is start {len(recent) + 1} within {minutes} minutes, and none before it ended "
                "in order; read the log, then resume"
            )
        return None

    def ended(self, *, out_of_memory: bool = False) -> None:
        """This start came to an orderly end, or ran out of memory. Raises OSError where it cannot write."""
        lines = self._lines()
        if not out_of_memory:
            self._write([])
        elif lines:
            self._write([*lines[:-1], f"{lines[-1].split(' ')[0]} {_NO_MEMORY}"])

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _write(self, lines: list[str]) -> None:
        unfinished = self.path.with_name(self.path.name + ".new")
        try:
            unfinished.write_text("".join(f"{line}\n" for line in lines[-KEPT:]), encoding="utf-8")
            os.replace(unfinished, self.path)
        except OSError:
            with contextlib.suppress(OSError):  # the reason counts, not what is left of the attempt
                unfinished.unlink()
            raise


def _is_recent(line: str, now_ns: int) -> bool:
    """A line that cannot be read counts: better halted once too often."""
    text = line.split(" ")[0]
    return not text.isdigit() or abs(now_ns - int(text)) <= WINDOW_NS
