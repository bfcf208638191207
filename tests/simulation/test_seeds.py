"""Bad days, one integer each: whatever happens, the books end as the exchange's and nothing goes twice."""

from pathlib import Path
from typing import Final

import pytest

from jumun.testing.day import simulate_day
from jumun.testing.invariants import ALWAYS

SEEDS: Final = range(1_000, 1_200)
PINNED: Final = Path(__file__).with_name("pinned.txt")


def pinned() -> list[tuple[int, int, int, tuple[str, ...] | None, tuple[str, ...]]]:
    """Return (seed, days, orders, faults, habits) of every line that is no comment."""
    lines = [line.split() for line in PINNED.read_text(encoding="utf-8").splitlines()]
    return [
        (
            int(seed),
            int(days),
            int(orders),
            None if faults == "-" else tuple(faults.split(",")),
            () if habits == "none" else tuple(habits.replace("_", " ").split(",")),
        )
        for seed, days, orders, faults, habits, *_ in (words for words in lines if words and words[0] != "#")
    ]


SHOWN: Final = pytest.mark.req(
    *("S002-31", "S002-49", "S002-50", "S002-53", "S002-56", "S002-59", "S002-61", "S002-70", "S002-71"),
    *("I-01", "I-02", "I-04", "I-05", "I-06", "I-07", "I-08", "I-09", "I-10", "I-11", "I-12", "I-13"),
    *("I-15", "I-16", "I-17", "I-18", "I-20", "I-21", "I-22", "I-23", "I-24", "I-25", "I-26", "I-28"),
    *("I-29", "I-30", "I-32", "I-33", "I-34", "I-35", "I-38", "I-40", "I-41", "I-43", "I-45", "I-47"),
    *("I-48", "I-49", "I-57", "I-58", "I-62"),
    *("I-03", "I-19", "I-36", "I-37", "I-39", "I-44", "I-50", "I-52", "I-59", "I-60", "I-61"),
    *("F-01", "F-02", "F-03", "F-04", "F-05", "F-06", "F-07", "F-08", "F-13", "F-19", "F-20", "F-21"),
    *("F-22", "F-24", "F-28", "F-35", "F-36", "F-37", "F-46", "F-47", "F-66", "F-67", "F-68", "F-69"),
    *("F-70", "F-71", "F-75", "F-81", "F-82", "F-83", "F-86", "F-90", "F-106"),
    *("F-38", "F-40", "F-44", "F-49", "F-51", "F-52", "F-53", "F-54"),
)


@SHOWN
@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_day_ends_with_the_books_of_the_exchange(seed: int) -> None:
    day = simulate_day(seed)
    unchecked = [invariant for invariant in ALWAYS if not day.checked.get(invariant)]
    assert not unchecked, f"seed {seed} never checked {unchecked}"
    assert day.fills, f"seed {seed} traded nothing, so it shows nothing"


@pytest.mark.req("I-07", "I-23", "I-43", "I-57", "I-62", "F-90")
@pytest.mark.parametrize(("seed", "days", "orders", "faults", "habits"), pinned())
def test_a_day_that_once_went_wrong_goes_right(
    seed: int, days: int, orders: int, faults: tuple[str, ...] | None, habits: tuple[str, ...]
) -> None:
    simulate_day(seed, orders, days=days, faults=faults, habits=habits)


@pytest.mark.req("I-11", "I-64", "F-31", "F-92", "F-94")
@pytest.mark.parametrize("seed", range(2_000, 2_010))
def test_numbers_of_yesterday_mean_nothing_today(seed: int) -> None:
    two = simulate_day(seed, orders=200, days=2, faults=("old_notices", "reply_lost", "crash", "notice_late"))
    assert two.reached["a number of the day before is used again"]
    assert two.struck.get("old notice")


@pytest.mark.req("I-38", "I-40")
def test_a_day_without_faults_leaves_nothing_for_a_person() -> None:
    day = simulate_day(1, faults=())
    assert not day.struck
    assert day.for_a_person == []
    assert day.lives == 2, "the one of the day, and the one that shows a second recovery changes nothing"
