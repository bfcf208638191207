"""Known bugs, put in on purpose, break an invariant within a few days: the checks can fail."""

from typing import Final

import pytest

from tools.mutants import MUTANTS, hunt_apart

SEEDS: Final = 20


@pytest.mark.req("I-01", "I-07", "I-30", "I-33", "I-45", "I-47", "I-49", "I-57", "I-64", "I-65")
@pytest.mark.parametrize("number", sorted(MUTANTS))
def test_the_known_bug_is_caught(number: int) -> None:
    kill = hunt_apart(number, SEEDS)
    assert kill.invariant, f"{MUTANTS[number].what}: {SEEDS} days went by and no check saw it"
