"""One integer replays one day: in this process, in another one, under another hash seed (I-63)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import jumun
from jumun.testing.day import command_of, run_command, simulate_day
from jumun.testing.invariants import Violation
from jumun.testing.world_desk import Machine

ASK: Final = "from jumun.testing.day import simulate_day; print(simulate_day({seed}, 150).hash)"


@pytest.mark.req("I-63")
def test_the_same_seed_is_the_same_day() -> None:
    assert simulate_day(5, 150).hash == simulate_day(5, 150).hash
    assert simulate_day(5, 150).hash != simulate_day(6, 150).hash


@pytest.mark.req("I-63")
@pytest.mark.parametrize("seed", [16, 39])
def test_another_process_with_another_hash_seed_replays_the_day(seed: int) -> None:
    source = str(Path(jumun.__file__).resolve().parents[1])
    hashes = set()
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", ASK.format(seed=seed)],
            env={**os.environ, "PYTHONPATH": source, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout.strip())
    assert hashes == {simulate_day(seed, 150).hash}


def test_a_broken_invariant_says_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never_decides(self: Machine, seconds: int) -> None:
        self.checks.fail("I-00", "a break on purpose")

    monkeypatch.setattr(Machine, "step_clock", never_decides)
    seed = next(seed for seed in range(100) if "clock_step" in _classes(seed))
    with pytest.raises(Violation) as caught:
        simulate_day(seed, 60)
    assert caught.value.invariant == "I-00"
    assert run_command(seed, 60, False) == 1
    told = capsys.readouterr().err
    assert "I-00 does not hold: a break on purpose" in told
    assert f"replay it: jumun simulate day --seed {seed} --orders 60\n" in told
    assert " print " in told, "the last steps are shown"


def test_the_command_of_a_day_names_all_that_was_not_the_default() -> None:
    assert command_of(7, 300, days=1, stormy=False) == "jumun simulate day --seed 7"
    told = command_of(7, 600, days=2, stormy=True)
    assert told == "jumun simulate day --seed 7 --orders 600 --days 2 --stormy"


def test_the_command_tells_counts_and_the_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(1, 60, False) == 0
    told = capsys.readouterr().out
    assert "invariants ok" in told
    assert "trace " in told
    assert run_command(1, 60, True) == 0
    assert '"invariants": "ok"' in capsys.readouterr().out


def _classes(seed: int) -> tuple[str, ...]:
    from jumun.testing.world import draw_scenario

    return draw_scenario(seed, orders=60).classes
