"""Bad days on KIS, one integer each: nothing goes twice, nothing is lost, and what is left says why."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from jumun.testing.kis_day import ALWAYS, simulate_kis_day

MUTANT_SEEDS: Final = 50
ROOT: Final = Path(__file__).resolve().parents[2]
BUGS: Final = (
    *("resend unknown at once", "count a fill notice twice", "ignore LookAgain"),
    "believe every end",
)

SHOWN: Final = pytest.mark.req(
    *("S000-8", "S000-9", "S000-10", "S000-11", "S000-12", "S002-46", "S002-47", "S002-48", "S002-49"),
    *("S002-50", "S002-52", "S002-53", "S004-52"),
    *("I-07", "I-08", "I-09", "I-11", "I-13", "I-15", "I-21", "I-24", "I-26", "I-27", "I-38", "I-40"),
    *("I-42", "I-43", "I-45", "I-47", "I-49", "I-52", "I-58", "I-64"),
    *("F-01", "F-02", "F-03", "F-04", "F-05", "F-06", "F-07", "F-08", "F-09", "F-10", "F-11", "F-12"),
    *("F-17", "F-18", "F-19", "F-20", "F-21", "F-22", "F-24", "F-25", "F-26", "F-27", "F-28", "F-29"),
    *("F-32", "F-35", "F-36", "F-38", "F-40", "F-44", "F-52", "F-106"),
)


# The close came before anything filled; in 188 a halt did, which could not be ended before the close.
THIN: Final = (146, 188)
SEEDS: Final = tuple(seed for seed in range(202) if seed not in THIN)


@SHOWN
@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_day_on_kis_ends_with_the_books_of_the_exchange(seed: int) -> None:
    day = simulate_kis_day(seed)
    unchecked = [invariant for invariant in ALWAYS if not day.checked.get(invariant)]
    assert not unchecked, f"seed {seed} never checked {unchecked}"
    assert day.sent, f"seed {seed} sent nothing, so it shows nothing"
    assert day.calls_most <= day.rate_per_s
    assert all(": " in line for line in day.for_a_person), "each says why"


# Seeds that a soak once failed on. The draw has grown since, so a day is no longer quite the one it was. What
# each showed has a test of its own: a revise refused after it took over (unit/rules/test_modify_lists.py),
# the late word of a cut (unit/kis/test_changes.py), one old list (unit/services/test_engine_trouble.py),
# cancels that were repeated until no list could be read (unit/kis/test_budget.py, 5129).
PINNED: Final = (5129, 100354, 100475, 100513, 100590, 100899, 101145, 101451)


@SHOWN
@pytest.mark.parametrize("seed", PINNED)
def test_a_day_that_once_failed_holds(seed: int) -> None:
    assert simulate_kis_day(seed).sent


@pytest.mark.req("I-63")
def test_a_day_on_kis_is_the_same_day_again() -> None:
    assert simulate_kis_day(7) == simulate_kis_day(7)


@pytest.mark.req("I-38", "I-40")
def test_a_day_on_kis_without_faults_leaves_nothing_for_a_person() -> None:
    day = simulate_kis_day(1, faults=())
    assert not day.struck
    assert day.fills
    assert day.for_a_person == []


@pytest.mark.req("I-64", "F-92", "F-94")
def test_a_second_day_on_kis_uses_the_numbers_of_the_first_again() -> None:
    day = simulate_kis_day(2, days=2)
    assert day.reached.get("numbers of the day before were used again")


@pytest.mark.req("I-07", "I-09", "I-43", "I-49")
@pytest.mark.parametrize("bug", BUGS)
def test_a_known_bug_of_a_kis_client_is_caught(bug: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.kis_mutants", bug, str(MUTANT_SEEDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{bug} broke the day itself, which no check saw:\n{done.stderr}"
    kill = json.loads(done.stdout)
    assert kill["invariant"], f"{bug}: {MUTANT_SEEDS} days went by and no check saw it"
