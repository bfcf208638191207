"""The map of requirements says what is shown, and cannot be talked into saying more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.unit.house.repository import ROOT
from tools.requirements_map import CATALOGUE, Citation, citations_in, complaints, page, read_catalogue

SMALL: Final = """
done = ["now"]
[milestones]
now = "this"
later = "that"
[[row]]
id = "S000-1"
text = "one order"
milestone = "now"
[[row]]
id = "S000-2"
text = "one | two"
milestone = "later"
[[invariant]]
id = "I-01"
text = "fills never exceed the order"
"""


def cited(source: str) -> list[Citation]:
    return citations_in(dedent(source), "tests/test_x.py")[0]


def test_the_whole_catalogue_is_there() -> None:
    catalogue = read_catalogue(CATALOGUE.read_text(encoding="utf-8"))
    seeds = {"S000": 117, "S002": 73, "S003": 91, "S004": 79}
    assert [row.id for row in catalogue.rows] == [
        f"{s}-{n}" for s, last in seeds.items() for n in range(1, last + 1)
    ]
    assert list(catalogue.others["invariant"]) == [f"I-{n:02d}" for n in range(1, 67)]
    assert list(catalogue.others["fault"]) == [f"F-{n:02d}" for n in range(1, 110)]
    assert list(catalogue.others["conflict"]) == [f"C-{n}" for n in range(1, 45)]


def test_marks_are_read_from_functions_classes_modules_and_parameters() -> None:
    found = cited(
        """
        import pytest
        pytestmark = [pytest.mark.req("S000-1"), pytest.mark.slow]
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.req("F-01"))])
        def test_a(x): ...
        class TestB:
            @pytest.mark.req("I-01", "I-02")
            async def test_c(self): ...
        def helper(): ...
        """
    )
    assert {one.test: one.ids for one in found} == {
        "tests/test_x.py::test_a": ("S000-1", "F-01"),
        "tests/test_x.py::TestB::test_c": ("S000-1", "I-01", "I-02"),
    }


@pytest.mark.parametrize("mark", ["skip", "skip(reason='later')", "xfail"])
def test_a_test_that_never_runs_shows_nothing(mark: str) -> None:
    catalogue = read_catalogue(SMALL)
    found = cited(f'import pytest\n@pytest.mark.{mark}\n@pytest.mark.req("S000-1")\ndef test_a(): ...\n')
    assert any("S000-1" in problem for problem in complaints(catalogue, found))


@pytest.mark.parametrize("mark", ["req", "req()", "req(ID)", "req(['S000-1'])", "req(id='S000-1')"])
def test_a_mark_that_cannot_be_read_is_refused_not_ignored(mark: str) -> None:
    _, unreadable = citations_in(
        f"import pytest\n@pytest.mark.{mark}\ndef test_a(): ...\n", "tests/test_x.py"
    )
    assert len(unreadable) == 1


def test_a_finished_milestone_owes_a_test_for_each_row() -> None:
    catalogue = read_catalogue(SMALL)
    (problem,) = complaints(catalogue, [])
    assert "S000-1" in problem
    assert complaints(catalogue, [Citation(test="t", line=1, ids=("S000-1",))]) == []


def test_a_test_cannot_cite_an_id_that_does_not_exist() -> None:
    (problem,) = complaints(read_catalogue(SMALL), [Citation(test="t", line=1, ids=("S000-1", "I-99"))])
    assert "I-99" in problem


@pytest.mark.parametrize(
    "spoiled", [SMALL.replace("S000-2", "S000-1"), SMALL.replace('done = ["now"]', 'done = ["never"]')]
)
def test_a_catalogue_that_contradicts_itself_is_refused(spoiled: str) -> None:
    with pytest.raises(ValueError, match=r"requirements\.toml"):
        read_catalogue(spoiled)


def test_the_page_names_the_test_or_the_milestone() -> None:
    text = page(
        read_catalogue(SMALL), [Citation(test="tests/unit/test_x.py::test_a", line=1, ids=("S000-1", "I-01"))]
    )
    assert "| S000-1 | one order | `unit/test_x.py::test_a` |" in text
    assert "| S000-2 | one \\| two | milestone: later |" in text
    assert "| I-01 | fills never exceed the order |" in text
    assert "1 of 2 rows" in text


def test_a_skipped_test_is_named_at_the_end_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        (ROOT / "tests/conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "test_day.py").write_text(
        dedent(
            """
            import asyncio
            import pytest
            @pytest.mark.req("S002-1", "I-01")
            async def test_needs_data(): pytest.skip("no data here")
            @pytest.mark.req("S002-2")
            async def test_runs(): await asyncio.sleep(0)
            """
        ),
        encoding="utf-8",
    )
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers = req(*ids): ids\naddopts = -p no:asyncio\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "WARNING test_day.py::test_needs_data: S002-1, I-01" in ended.stdout
    assert "S002-2" not in ended.stdout
