"""Specification 002's function ids can be followed from the docs to the code and to the tests (S002-11)."""

import re
from typing import Final

import pytest

from tests.unit.house.repository import texts

IDS: Final = [f"OMS-0{number}" for number in range(1, 6)] + [f"EMS-0{number}" for number in range(1, 5)]
ID: Final = re.compile(r"\b[OE]MS-0\d\b")


def cited_in(suffix: str, folder: str) -> set[str]:
    """The ids that a folder's files of one kind name; the generated map and its source do not count."""
    found: set[str] = set()
    for path, text in texts(suffix):
        if (
            path.startswith(folder)
            and "requirements" not in path
            and not path.endswith("test_function_ids.py")
        ):
            found.update(ID.findall(text))
    return found


@pytest.mark.req("S002-11")
@pytest.mark.parametrize(
    ("suffix", "folder"), [(".py", "src/jumun/rules/"), (".py", "tests/"), (".md", "docs/")]
)
def test_each_function_of_specification_002_is_named_where_it_is_built_shown_and_told(
    suffix: str, folder: str
) -> None:
    assert cited_in(suffix, folder) >= set(IDS), folder
