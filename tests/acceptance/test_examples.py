"""The examples run as they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import READY_S, SOURCE

EXAMPLES = SOURCE.parent / "examples"


def ran(name: str, folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.req("S000-34", "S000-64", "S000-65", "S000-102", "S000-103", "S000-104", "S000-105")
@pytest.mark.req("S000-106", "S000-107", "S000-108", "S000-109")
def test_a_strategy_written_as_specification_000_shows_it_trades_and_is_told_everything(
    tmp_path: Path,
) -> None:
    lines = ran("strategy.py", tmp_path)
    assert sum(line.startswith("executed: BUY 10 at ") for line in lines) == 1, "the repeat made no order"
    told = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert told["Active orders"] == "0"
    assert told["refused"].startswith("UNKNOWN_SIDE")
    assert "Cancelled 1 orders" in lines
    assert (told["Quantity"], told["Total positions"]) == ("10", "1")
    assert (told["Fill ratio"], told["Total fills today"]) == ("100.0%", "1")
    assert "Unrealized P&L" in told
    assert "Total P&L in KRW" in told


def test_a_moving_average_trades_and_ends_flat(tmp_path: Path) -> None:
    lines = ran("moving_average.py", tmp_path, "150")
    assert lines[0].startswith("150 GENERATED prices, ")
    assert int(lines[0].split()[3]) > 0, "it found a crossing"
    assert lines[-1] == "shares left: 0"


def test_an_example_refuses_what_is_no_number_of_prices_with_one_sentence(tmp_path: Path) -> None:
    for wrong in ("many", "0", "-5", "1e3", "9" * 30):
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "moving_average.py"), wrong],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
        )
        assert done.returncode == 1, wrong
        [sentence] = done.stderr.splitlines()
        assert "give one between 1 and" in sentence


def test_every_example_is_named_in_the_readme_and_run_here() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    this = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.iterdir():
        if path.is_file() and path.name != "README.md":
            assert f"`{path.name}`" in page, path.name
            assert path.suffix != ".py" or path.name == "simulated_market.py" or f'"{path.name}"' in this
