"""What the days of other people's clients wait for. Runs in their environments, on the standard library."""

import time
from collections.abc import Callable
from typing import Any

HEARD_S = 10.0  # a notice comes within a second (kis.md 6.6); room for a busy machine
PACE_S = 0.12  # between calls of a client that keeps no pace of its own: KIS takes 18 a second (kis.md 7.1)


def until(look: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + HEARD_S
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"never: {what}")
        time.sleep(0.05)


def paced(answer: Any) -> Any:
    """Return an answer after a pause, so that the next call comes in its turn."""
    time.sleep(PACE_S)
    return answer
