"""Write docs/reference/requirements.md from the ids that tests cite, and refuse a row nobody answers for.

    python tools/requirements_map.py           write the page (`make docs`)
    python tools/requirements_map.py --check   change nothing; exit 1 with a reason per line (`make test`)

Tests cite ids with `@pytest.mark.req("S002-25", "I-57")`, on a function, a class or a module's
`pytestmark`. They are read from the source, so nothing has to be imported. `make test` then runs every
test: a row that is mapped here and green there is shown. A test that is always skipped, or expected to
fail, shows nothing and is not counted.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CATALOGUE: Final = ROOT / "docs" / "requirements.toml"
PAGE: Final = ROOT / "docs" / "reference" / "requirements.md"

SEED_TITLES: Final = {
    "S000": "000: event-driven order management of a KIS trading system",
    "S002": "002: KIS order and execution management, functional specification",
    "S003": "003: IBKR portfolio and rebalancing platform",
    "S004": "004: order management service with gRPC, PostgreSQL, Redis and Kafka",
}
# The other families of ids: key in the catalogue, title of its section.
FAMILIES: Final = {
    "function": "Functions of specification 002",
    "conflict": "Where the specifications disagree: what we do",
    "invariant": "Invariants",
    "fault": "Faults",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One requirement and the milestone that brings it."""

    id: str
    text: str
    milestone: str


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything a test may cite, as docs/requirements.toml lists it."""

    rows: tuple[Row, ...]
    others: Mapping[str, Mapping[str, str]]  # family, then id, then text
    milestones: Mapping[str, str]
    done: frozenset[str]

    def ids(self) -> frozenset[str]:
        """Return every id that exists."""
        rows = {row.id for row in self.rows}
        return frozenset(rows.union(*(family.keys() for family in self.others.values())))


@dataclass(frozen=True, kw_only=True)
class Citation:
    """One test and the ids it cites. `counts` is False when the test never runs or must fail."""

    test: str
    line: int
    ids: tuple[str, ...]
    counts: bool = True


@dataclass(kw_only=True)
class _Found:
    """What one test file cites, while it is being read."""

    path: str
    citations: list[Citation] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def read_catalogue(text: str) -> Catalogue:
    """Read docs/requirements.toml; raise ValueError for a repeated id or an unknown milestone."""
    raw = tomllib.loads(text)
    rows = tuple(Row(id=row["id"], text=row["text"], milestone=row["milestone"]) for row in raw["row"])
    others = {family: {item["id"]: item["text"] for item in raw.get(family, [])} for family in FAMILIES}
    listed = [row.id for row in rows] + [item["id"] for family in FAMILIES for item in raw.get(family, [])]
    repeated = sorted({one for one in listed if listed.count(one) > 1})
    if repeated:
        raise ValueError(
            f"docs/requirements.toml lists {', '.join(repeated)} more than once; keep one entry each"
        )
    milestones: dict[str, str] = raw["milestones"]
    unknown = sorted(({row.milestone for row in rows} | set(raw["done"])) - milestones.keys())
    if unknown:
        raise ValueError(
            f"docs/requirements.toml names milestone {', '.join(unknown)}; add it under [milestones]"
        )
    return Catalogue(rows=rows, others=others, milestones=milestones, done=frozenset(raw["done"]))


# --- reading the tests ------------------------------------------------------------------------------


def _marks(expression: ast.expr) -> Iterator[tuple[str, ast.Call | None]]:
    """Yield (mark name, its call) for `pytest.mark.x`, lists of them, and `marks=` of parameters."""
    if isinstance(expression, ast.List | ast.Tuple):
        for element in expression.elts:
            yield from _marks(element)
        return
    call = expression if isinstance(expression, ast.Call) else None
    target = call.func if call is not None else expression
    if (
        isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Attribute)
        and target.value.attr == "mark"
    ):
        yield target.attr, call
        if call is not None and target.attr == "parametrize":
            for inner in ast.walk(call):
                if isinstance(inner, ast.keyword) and inner.arg == "marks":
                    # one skipped parameter does not silence the others: only ids are taken from here
                    yield from ((name, mark) for name, mark in _marks(inner.value) if name == "req")


def _read_marks(expressions: Sequence[ast.expr], found: _Found) -> tuple[tuple[str, ...], bool]:
    """Return the ids cited by these decorators and whether the test can show them at all."""
    ids: list[str] = []
    counts = True
    for expression in expressions:
        for name, call in _marks(expression):
            if name in {"skip", "xfail"}:
                counts = False
            if name != "req":
                continue
            arguments = call.args if call is not None else []
            plain = [
                one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            if call is None or len(plain) != len(arguments) or not plain or call.keywords:
                found.unreadable.append(
                    f"{found.path}:{expression.lineno}: @pytest.mark.req takes ids as plain strings, "
                    'such as @pytest.mark.req("S002-25", "I-57")'
                )
            ids.extend(plain)
    return tuple(ids), counts


def _read_body(
    body: Sequence[ast.stmt], prefix: str, outer: tuple[tuple[str, ...], bool], found: _Found
) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            ids, counts = _read_marks(node.decorator_list, found)
            inner = (*outer[0], *ids), outer[1] and counts
            _read_body(node.body, f"{prefix}::{node.name}", inner, found)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            ids, counts = _read_marks(node.decorator_list, found)
            cited = tuple(dict.fromkeys((*outer[0], *ids)))
            if cited:
                name = f"{prefix}::{node.name}"
                found.citations.append(
                    Citation(test=name, line=node.lineno, ids=cited, counts=outer[1] and counts)
                )


def citations_in(source: str, path: str) -> tuple[list[Citation], list[str]]:
    """Return what one test file cites, and a sentence for each marker that cannot be read."""
    tree = ast.parse(source, filename=path)
    found = _Found(path=path)
    module_marks: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            module_marks.append(node.value)
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == "pytestmark"
        ):
            module_marks.extend([node.value] if node.value is not None else [])
    _read_body(tree.body, path, _read_marks(module_marks, found), found)
    return found.citations, found.unreadable


def citations_under(tests: Path, root: Path) -> tuple[list[Citation], list[str]]:
    """Return the citations of every test file below `tests`, in path order."""
    citations: list[Citation] = []
    unreadable: list[str] = []
    for path in sorted(tests.rglob("test_*.py")):
        cited, bad = citations_in(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
        citations += cited
        unreadable += bad
    return citations, unreadable


# --- judging and writing ----------------------------------------------------------------------------


def by_id(citations: Sequence[Citation]) -> dict[str, list[str]]:
    """Return the tests that show each id; a test that never runs shows nothing."""
    shown: dict[str, list[str]] = {}
    for citation in citations:
        if citation.counts:
            for one in citation.ids:
                shown.setdefault(one, []).append(citation.test)
    return shown


def complaints(catalogue: Catalogue, citations: Sequence[Citation]) -> list[str]:
    """Return one sentence per broken promise; empty when every row is shown or still to come."""
    known = catalogue.ids()
    shown = by_id(citations)
    problems = [
        f"{citation.test} (line {citation.line}) cites {one}, which docs/requirements.toml does not list; "
        "correct the id or add the entry"
        for citation in citations
        for one in citation.ids
        if one not in known
    ]
    for row in catalogue.rows:
        if row.id not in shown and row.milestone in catalogue.done:
            problems.append(
                f"{row.id} ({row.text}) belongs to milestone '{row.milestone}', which is done, and no "
                f'running test cites it; mark the test that shows it with @pytest.mark.req("{row.id}")'
            )
    return problems


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _tests_cell(tests: Sequence[str]) -> str:
    return "<br>".join(f"`{test.removeprefix('tests/')}`" for test in tests)


def page(catalogue: Catalogue, citations: Sequence[Citation]) -> str:
    """Return docs/reference/requirements.md."""
    shown = by_id(citations)
    mapped = sum(row.id in shown for row in catalogue.rows)
    lines = [
        "# Requirements and the tests that show them",
        "",
        "Generated by `make docs` from `docs/requirements.toml` and the markers in `tests/`; do not edit.",
        "A row names the tests that show it, or the milestone that will bring it.",
        "`make test` runs every test named here and fails when this page is stale.",
        "",
        f"{mapped} of {len(catalogue.rows)} rows are shown by a test.",
        "",
        "| milestone | what it brings | rows | shown |",
        "|---|---|---|---|",
    ]
    for name, text in catalogue.milestones.items():
        rows = [row for row in catalogue.rows if row.milestone == name]
        state = f"{name} (done)" if name in catalogue.done else name
        lines.append(f"| {state} | {_cell(text)} | {len(rows)} | {sum(row.id in shown for row in rows)} |")
    for seed, title in SEED_TITLES.items():
        lines += ["", f"## {title}", "", "| id | requirement | shown by |", "|---|---|---|"]
        for row in catalogue.rows:
            if row.id.startswith(f"{seed}-"):
                answer = _tests_cell(shown[row.id]) if row.id in shown else f"milestone: {row.milestone}"
                lines.append(f"| {row.id} | {_cell(row.text)} | {answer} |")
    for family, title in FAMILIES.items():
        entries = catalogue.others[family]
        cited = [one for one in entries if one in shown]
        lines += ["", f"## {title}", "", f"Cited by tests: {len(cited)} of {len(entries)}.", ""]
        if cited:
            lines += ["| id | what | tests |", "|---|---|---|"]
            lines += [f"| {one} | {_cell(entries[one])} | {_tests_cell(shown[one])} |" for one in cited]
        missing = [one for one in entries if one not in shown]
        if missing:
            lines += (
                ["", f"Not cited yet: {', '.join(missing)}."]
                if cited
                else [f"Not cited yet: {', '.join(missing)}."]
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check compare it; print every complaint. Return the exit code."""
    if set(arguments) - {"--check"}:
        print("requirements map: the only option is --check", file=sys.stderr)
        return 2
    catalogue = read_catalogue(CATALOGUE.read_text(encoding="utf-8"))
    citations, problems = citations_under(ROOT / "tests", ROOT)
    problems += complaints(catalogue, citations)
    text = page(catalogue, citations)
    if "--check" not in arguments:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        problems.append("docs/reference/requirements.md is stale; run `make docs` and commit what it changed")
    for problem in problems:
        print(f"requirements map: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
