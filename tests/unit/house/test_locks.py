"""The locks install the same bytes everywhere, and do not say where the bytes come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.unit.house.repository import ROOT

LOCKS: Final = sorted((ROOT / "requirements").glob("*.txt"))
PIN: Final = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9-]*)(\[[a-z,]+\])?==(?P<version>[^\s;]+)( ; (?P<marker>[^\\]+?))? \\$"
)
HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# Anything that points somewhere: a URL, a host, an index option, a path.
POINTER: Final = re.compile(r"://|--(?:extra-)?index|--find-links|--trusted-host|(?<!\w)(?:file|git\+)|/")


def faults_of(lock: str) -> list[str]:
    """Return a sentence for each line that is neither a comment, an exact pin nor a hash of the pin above."""
    faults: list[str] = []
    hashes_missing = ""
    for number, line in enumerate(lock.splitlines(), start=1):
        if line.startswith("#") or not line:
            continue
        if POINTER.search(line):
            faults.append(f"line {number} points somewhere: {line}")
        if HASH.match(line):
            hashes_missing = ""
            continue
        if hashes_missing:
            faults.append(f"{hashes_missing} has no hash")
        pin = PIN.match(line)
        hashes_missing = pin["name"] if pin else ""
        if not pin:
            faults.append(f"line {number} is not an exact pin: {line}")
    return [*faults, *([f"{hashes_missing} has no hash"] if hashes_missing else [])]


def pins_of(path: Path) -> dict[tuple[str, str], str]:
    """Return the version of each (package, marker)."""
    pins = (PIN.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {(pin["name"], pin["marker"] or ""): pin["version"] for pin in pins if pin}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_is_exact_hashed_and_points_nowhere(path: Path) -> None:
    faults = faults_of(path.read_text(encoding="utf-8"))
    assert not faults, f"run `make lock`; {path.name}: " + "; ".join(faults)


def test_the_locks_agree_with_each_other() -> None:
    run, test = pins_of(ROOT / "requirements/run.txt"), pins_of(ROOT / "requirements/test.txt")
    assert run, "requirements/run.txt holds no pin"
    assert run.items() <= test.items(), "the tests must run on what the program runs on; run `make lock`"


def test_every_dependency_of_the_program_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {re.split(r"[<>=\[; ]", one)[0] for one in project["project"]["dependencies"]}
    wanted |= {re.split(r"[<>=\[; ]", one)[0] for one in project["build-system"]["requires"]}
    missing = wanted - {name for name, _ in pins_of(ROOT / "requirements/run.txt")}
    assert not missing, f"run `make lock`: {', '.join(sorted(missing))} not in requirements/run.txt"


@pytest.mark.parametrize(
    "lock",
    [
        "apsw==3.54.1.0\n",
        "apsw==3.54.1.0 \\\n    --hash=md5:00\n",
        "apsw>=3.5 \\\n    --hash=sha256:" + "0" * 64 + "\n",
        "apsw==1 \\\n",
        "apsw @ https://example.test/apsw.whl\n",
        "--index-url example\n",
        "./wheels/apsw.whl\n",
    ],
)
def test_a_lock_that_could_install_something_else_is_refused(lock: str) -> None:
    assert faults_of(lock)
