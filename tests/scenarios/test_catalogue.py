"""The page of faults says what the scenarios show, for every fault of the catalogue."""

import re

from tests.scenarios.catalogue import OWNERS, PAGE, ROOT, ROW, shown_by, written
from tools.requirements_map import citations_in

IDS = [f"F-{number:02d}" for number in range(1, 110)]
NAMED = re.compile(r"_f(\d{2,3})(?=_)")


def test_every_fault_has_one_row_and_every_row_its_tests_or_an_owner() -> None:
    rows = list(ROW.finditer(PAGE.read_text(encoding="utf-8")))
    assert [row["id"] for row in rows] == IDS
    bare = [row["id"] for row in rows if not row["shown"].startswith(("`", *OWNERS))]
    assert not bare, f"{', '.join(bare)}: write a scenario, or say whose they are ({', '.join(OWNERS)})"


def test_the_page_names_the_tests_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == written(text), "docs/reference/faults.md is stale: python -m tests.scenarios.catalogue"


def test_a_scenario_cites_the_faults_of_its_name() -> None:
    for path in sorted((ROOT / "tests" / "scenarios").rglob("test_*.py")):
        cited, _ = citations_in(path.read_text(encoding="utf-8"), path.name)
        for one in cited:
            named = {f"F-{number}" for number in NAMED.findall(one.test)}
            assert named <= set(one.ids), (
                f"{one.test} does not cite {', '.join(sorted(named - set(one.ids)))}"
            )


def test_a_fault_without_scenario_or_owner_would_be_seen() -> None:
    row = "| F-999 | a fault | what must happen |  |"
    assert "F-999" not in shown_by()
    assert written(row) == row
    assert written(row.replace("|  |", "| Somebody else |")) == row
    assert written(row.replace("|  |", "| KIS: its wire |")) == row.replace("|  |", "| KIS: its wire |")
