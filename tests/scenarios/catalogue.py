"""The page of faults: its sentences are written by hand, its last column comes from the tests.

    python -m tests.scenarios.catalogue     write the last column again

A fault is shown by the scenarios that cite its id, those of one broker's link (scenarios/kis) behind the
others; where there is none, by other tests that cite it. A row
that no test shows says to whom it belongs, and only the milestones below may be named.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from tools.requirements_map import citations_in

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "faults.md"
ROW: Final = re.compile(
    r"^\| (?P<id>F-\d+) \| (?P<what>[^|]+) \| (?P<must>[^|]+) \| (?P<shown>[^|]*) \|$", re.MULTILINE
)
OWNERS: Final = ("KIS", "Controls", "Later")
OTHERS_MAX: Final = 2  # names of tests that are no scenarios


@lru_cache(maxsize=1)  # it reads every test file
def shown_by() -> dict[str, list[str]]:
    """Return the tests of each fault id: its scenarios, else a few others that cite it."""
    scenarios: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py"), key=_place):
        name = path.relative_to(ROOT / "tests").as_posix()
        cited, _ = citations_in(path.read_text(encoding="utf-8"), name)
        group = scenarios if name.startswith("scenarios/") else others
        for one in cited:
            for fault in (told for told in one.ids if told.startswith("F-")):
                group.setdefault(fault, []).append(one.test)
    few = {fault: tests[:OTHERS_MAX] for fault, tests in others.items()}
    return {**few, **scenarios}


def _place(path: Path) -> tuple[bool, Path]:
    """The same fault on the paper broker first, then on one broker's own link."""
    return path.parent.parent.name == "scenarios", path


def written(text: str) -> str:
    """Return the page with its last column as the tests have it."""
    known = shown_by()

    def row(match: re.Match[str]) -> str:
        tests = known.get(match["id"], [])
        shown = "<br>".join(f"`{test}`" for test in tests) if tests else _owner(match["shown"])
        return f"| {match['id']} | {match['what']} | {match['must']} | {shown} |"

    return ROW.sub(row, text)


def _owner(shown: str) -> str:
    return shown if shown.startswith(OWNERS) else ""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
