"""The trace of a simulated day: one line per step, hashed as it goes (I-63)."""

import hashlib
from collections import deque
from typing import Final

TAIL_LINES: Final = 30  # shown when an invariant breaks


class Trace:
    """Equal hashes mean equal days. Only the newest lines are kept."""

    def __init__(self) -> None:
        self.steps = 0
        self._hash = hashlib.sha256()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    def add(self, elapsed_ns: int, what: str) -> None:
        """Add a step at a virtual instant."""
        self.steps += 1
        line = f"{elapsed_ns} {what}"
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self._tail.append(line)

    @property
    def hash(self) -> str:
        """SHA-256 over every line so far."""
        return self._hash.hexdigest()

    def tail(self) -> list[str]:
        """The newest lines, oldest first."""
        return list(self._tail)
