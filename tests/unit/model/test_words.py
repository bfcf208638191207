"""Sentences count as people do."""

from decimal import Decimal

import pytest

from jumun.model.words import counted, enumerated


@pytest.mark.parametrize(
    ("count", "noun", "plural", "said"),
    [
        (0, "order", "", "0 orders"),
        (1, "order", "", "1 order"),
        (2, "order", "", "2 orders"),
        (12_345, "record", "", "12,345 records"),
        (1, "study", "studies", "1 study"),
        (2, "study", "studies", "2 studies"),
        (Decimal("1"), "share", "", "1 share"),
        (Decimal("1.0"), "share", "", "1.0 share"),
        (Decimal("0.5"), "share", "", "0.5 shares"),
        (Decimal("1E+2"), "share", "", "100 shares"),
    ],
)
def test_a_count_is_told_with_its_noun(count: int | Decimal, noun: str, plural: str, said: str) -> None:
    assert counted(count, noun, plural) == said


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["A"], "A"), (["A", "B"], "A or B"), (["A", "B", "C"], "A, B or C")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], said: str) -> None:
    assert enumerated(names, "or") == said
