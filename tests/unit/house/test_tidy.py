"""What any file of the repository promises: it works on another machine, and a person can read it."""

from __future__ import annotations

import ast
import re
import stat
import tomllib
from typing import Final

import pytest

from tests.unit.house.repository import ROOT, our_files, texts

LINES_MAX: Final = 600
MACHINE_PATH: Final = re.compile(r"(?<![\w.~$}])/(?:home|root|Users|work)/[\w.-]+|[A-Z]:\\Users")
# Written in pieces, so that this file does not name what no file may name.
REGISTRIES: Final = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js", "proxy.go" + "lang.org")
REGISTRY_HOST: Final = re.compile("|".join([*map(re.escape, REGISTRIES), r"index-url[ =]+http"]))
WRITTEN_BY_A_PROGRAM: Final = re.compile(r"\b[Gg]enerated by\b|Generated protocol buffer|DO NOT EDIT")


def is_generated(text: str) -> bool:
    return WRITTEN_BY_A_PROGRAM.search("\n".join(text.splitlines()[:6])) is not None


def too_long(text: str) -> bool:
    return len(text.splitlines()) > LINES_MAX and "# two ideas:" not in text and not is_generated(text)


def undocumented(source: str) -> list[str]:
    """Return the public top-level names, and the module, that say nothing about themselves."""
    tree = ast.parse(source)
    named = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    ]
    missing = [f"{node.name} (line {node.lineno})" for node in named if ast.get_docstring(node) is None]
    return missing if not tree.body or ast.get_docstring(tree) is not None else ["the module", *missing]


def broad_handlers(source: str) -> list[int]:
    """Return the lines of `except:`, `except Exception` and handlers that only pass.

    One that cleans up and raises the same error again swallows nothing.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and not _raises_again(node):
            names = (
                {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)}
                if node.type
                else {"Exception"}
            )
            if names & {"Exception", "BaseException"} or all(
                isinstance(step, ast.Pass) for step in node.body
            ):
                found.append(node.lineno)
    return found


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_file_names_a_machine() -> None:
    bad = [f"{path}: {found[0]}" for path, text in texts() if (found := MACHINE_PATH.search(text))]
    assert not bad, (
        "a path of one machine; make it relative to the file or take it as an argument:\n" + "\n".join(bad)
    )


def test_no_file_names_a_package_registry() -> None:
    bad = [f"{path}: {found[0]}" for path, text in texts() if (found := REGISTRY_HOST.search(text))]
    assert not bad, "where packages come from is pip's setting, not ours; take it out:\n" + "\n".join(bad)


def test_a_file_holds_one_idea() -> None:
    bad = [path for path, text in texts(".py", ".sql", ".proto", ".sh") if too_long(text)]
    assert not bad, (
        f"past {LINES_MAX} lines: split it, or write `# two ideas: …` and the reason: {', '.join(bad)}"
    )


@pytest.mark.req("S004-79")
def test_public_things_say_what_they_are() -> None:
    bad = [
        f"{path}: {', '.join(missing)}"
        for path, text in texts(".py")
        if path.startswith("src/")
        and not is_generated(text)
        and "/gen/" not in path
        and (missing := undocumented(text))
    ]
    assert not bad, "add a docstring (units, edge cases, errors) or make it private:\n" + "\n".join(bad)


@pytest.mark.req("S004-79")
def test_no_error_is_swallowed() -> None:
    bad = [
        f"{path}:{line}"
        for path, text in texts(".py")
        if path.startswith("src/")
        for line in broad_handlers(text)
        if "# supervisor: " not in text.splitlines()[line - 1]
    ]
    assert not bad, (
        "catch the error you expect and do something with it; the one supervisor that may catch all says so "
        f"with `# supervisor: why` on the line: {', '.join(bad)}"
    )


@pytest.mark.req("S003-12")
def test_the_program_asks_for_python_3_11() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"


def test_continuous_integration_runs_the_promise_to_newcomers() -> None:
    run = ROOT / ".ci" / "run"
    assert run.stat().st_mode & stat.S_IXUSR, ".ci/run must be executable"
    steps = [
        line for line in run.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert steps[-1] == "make test"
    assert not any("install" in step for step in steps), "set-up belongs to `make setup`"


def test_the_checks_above_can_fail() -> None:
    somebody = "/" + "home/somebody/x"
    assert MACHINE_PATH.search(f'open("{somebody}")')
    assert not MACHINE_PATH.search("src/work/main and https://example.test/root/x and ~/root/x")
    assert REGISTRY_HOST.search("https://" + "pypi" + ".org/simple")
    assert too_long("x = 1\n" * 601)
    assert not too_long("# two ideas: the table and its reader stay together\n" + "x = 1\n" * 601)
    assert not too_long('"""Generated by tools/x.py."""\n' + "x = 1\n" * 601)
    assert undocumented("def f(): ...\ndef _g(): ...\n") == ["the module", "f (line 1)"]
    assert broad_handlers("try:\n    f()\nexcept Exception:\n    g()\n") == [3]
    assert broad_handlers("try:\n    f()\nexcept (OSError, BaseException) as e:\n    g(e)\n") == [3]
    assert broad_handlers("try:\n    f()\nexcept KeyError:\n    pass\n") == [3]
    assert broad_handlers("try:\n    f()\nexcept KeyError:\n    g()\n") == []
    assert ROOT / "Makefile" in our_files()
