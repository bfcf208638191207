"""The docs point at things that exist: files, headings and commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.house.repository import ROOT, texts

# The generated map quotes the specifications, whose paths are not all ours.
PAGES: Final = [(path, text) for path, text in texts(".md") if path != "docs/reference/requirements.md"]
LINK: Final = re.compile(r"(?<!\!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
# A path in backticks that starts in one of our folders. `<…>`, `*` and `…` mark a pattern, not a file.
CITED_PATH: Final = re.compile(
    r"`((?:\.ci|bench|changes|docs|migrations|proto|requirements|src|tests|tools)/[\w./-]*\w)`"
)
MAKE: Final = re.compile(r"`make ([a-z-]+)")
FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the heading anchors of a page, as the usual renderers build them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(path: str, text: str) -> list[str]:
    """Return the links of one page that lead to no file or heading of ours."""
    bad = []
    for link in LINK.finditer(FENCE.sub("", text)):
        target, _, anchor = link["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (ROOT / path).parent / target if target else ROOT / path
        if not file.exists() or (
            anchor and file.is_file() and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            bad.append(link["target"])
    return bad


@pytest.mark.parametrize(("path", "text"), PAGES, ids=[path for path, _ in PAGES])
def test_every_link_leads_somewhere(path: str, text: str) -> None:
    bad = broken_links(path, text)
    assert not bad, f"{path} links to {', '.join(bad)}; correct the link or write the page"


@pytest.mark.parametrize(("path", "text"), PAGES, ids=[path for path, _ in PAGES])
def test_every_file_that_a_page_names_exists(path: str, text: str) -> None:
    bad = sorted({name for name in CITED_PATH.findall(text) if not (ROOT / name).exists()})
    assert not bad, f"{path} names {', '.join(bad)}; correct the name"


def test_every_make_command_in_the_docs_exists() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    bad = sorted(
        {f"{path}: make {name}" for path, text in PAGES for name in MAKE.findall(text) if name not in known}
    )
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("kind", ["tutorial", "howto", "reference", "why", "decisions"])
def test_every_page_is_listed_in_its_index(kind: str) -> None:
    folder = ROOT / "docs" / kind
    index = (folder / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name
        for page in sorted(folder.glob("*.md"))
        if page.name != "README.md" and page.name not in index
    ]
    assert not missing, f"docs/{kind}/README.md does not list {', '.join(missing)}"


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs/decisions").glob("[0-9]*.md")), ids=lambda page: page.name
)
def test_a_decision_says_when_why_and_what_it_costs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^Date: \d{4}-\d{2}-\d{2}\.?$", text, re.MULTILINE), "a decision is dated"
    assert {"context", "choice", "price-paid"} <= anchors(text)


def test_a_dead_link_is_found() -> None:
    assert broken_links(
        "README.md", "[gone](docs/nowhere.md) [odd](Makefile) [up](#no-such-heading)\n# Here\n"
    ) == [
        "docs/nowhere.md",
        "#no-such-heading",
    ]
