"""The invariants a simulated day checks, how often it did, and how a break is told.

The ids and sentences are those of trading_controls.md section 5, in our own words.
"""

from collections.abc import Callable
from typing import Final

from jumun.testing.trace import Trace

NS: Final = 1_000_000_000

# What every day must have checked at least once, whatever its seed drew. What comes late (I-17)
# comes on some days only; the rare states show it.
ALWAYS: Final = tuple(
    f"I-{number:02d}"
    for number in (
        *(1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 20, 21, 22, 23, 24, 26, 28, 29, 30, 32, 33, 34),
        *(35, 36, 37, 38, 39, 40, 41, 43, 44, 45, 47, 49, 52, 57, 58, 61, 64),
    )
)


class Violation(AssertionError):
    """An invariant does not hold. The message is all a person needs to see it happen again."""

    def __init__(
        self,
        *,
        seed: int,
        step: int,
        elapsed_ns: int,
        invariant: str,
        text: str,
        tail: list[str],
        replay: str,
    ) -> None:
        self.seed = seed
        self.invariant = invariant
        self.text = text
        lines = "\n  ".join(tail)
        super().__init__(
            f"{invariant} does not hold: {text}\n"
            f"seed {seed}, step {step}, {elapsed_ns / NS:.6f} s into the day; "
            f"replay it: {replay}\n"
            f"the last steps:\n  {lines}"
        )


class Checks:
    """Counts each check, so that a check that never ran is seen, and the rare states that were reached."""

    def __init__(self, seed: int, trace: Trace, elapsed_ns: Callable[[], int], replay: str) -> None:
        self.seed = seed
        self._replay = replay  # the command that shows it again
        self.trace = trace
        self.counts: dict[str, int] = {}
        self.reached: dict[str, int] = {}
        self.on_violation: Callable[[Violation], None] = lambda _: None  # hears it wherever it is raised
        self._elapsed_ns = elapsed_ns

    def that(self, invariant: str, holds: bool, text: str, *details: object) -> None:
        """Count a check; raise Violation when it does not hold. `text` is formatted only then."""
        self.counts[invariant] = self.counts.get(invariant, 0) + 1
        if not holds:
            self.fail(invariant, text.format(*details))

    def fail(self, invariant: str, text: str) -> None:
        """Raise Violation. A check may run inside the desk's own tasks, so it is also told to the day."""
        violation = Violation(
            seed=self.seed,
            step=self.trace.steps,
            elapsed_ns=self._elapsed_ns(),
            invariant=invariant,
            text=text,
            tail=self.trace.tail(),
            replay=self._replay,
        )
        self.on_violation(violation)
        raise violation

    def reach(self, state: str) -> None:
        """Count a rare state."""
        self.reached[state] = self.reached.get(state, 0) + 1

    def step(self, what: str) -> None:
        """Add a line to the trace."""
        self.trace.add(self._elapsed_ns(), what)
