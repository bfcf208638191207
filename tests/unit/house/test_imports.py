"""Imports point down. A pure core that reaches out cannot be replayed, and then a day cannot be explained."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

SRC: Final = Path(__file__).resolve().parents[3] / "src" / "jumun"

OUTSIDE: Final = frozenset({"model", "rules", "ports", "limits"})  # what a folder for one outside thing needs
# The arrows. A folder may also import from itself; anything absent here is forbidden.
ALLOWED: Final[dict[str, frozenset[str]]] = {
    "model": frozenset(),
    "limits": frozenset(),
    "config_values": frozenset({"model"}),
    "config_words": frozenset(),
    "config": frozenset({"model", "limits", "config_values", "config_words"}),
    "system": frozenset({"model"}),  # the real clock and real chance
    "rules": frozenset({"model"}),
    "ports": frozenset({"model"}),
    "services": frozenset({"rules", "ports", "model", "limits"}),
    "exchange": OUTSIDE,
    "brokers": OUTSIDE,
    "store": OUTSIDE,
    "bus": OUTSIDE,
    "reports": OUTSIDE,
    "notify": OUTSIDE,
    "simulators": OUTSIDE | {"exchange"},
    "doors": frozenset({"services", "model", "config", "limits"}),
    # Ships the simulated day, which is a whole desk on a virtual clock, and a KIS in the same process.
    "testing": OUTSIDE | {"services", "exchange", "brokers", "simulators", "store", "bus"},
    # Days of prices and signals through the whole system: it puts the parts together and drives their clock.
    "replay": OUTSIDE | {"services", "exchange", "brokers", "store", "bus", "config", "system"},
}
# Narrower than a folder: (path prefix, what it may also import, why).
EXTRA: Final[tuple[tuple[str, frozenset[str], str], ...]] = (
    ("brokers/paper/", frozenset({"exchange"}), "the paper broker is one face of the simulated market"),
    ("doors/cli/", frozenset({"app"}), "`jumun serve` starts the program, and only app builds it"),
    ("doors/cli/", frozenset({"runs"}), "`jumun simulate …` starts programs of their own"),
    ("doors/cli/", frozenset({"replay"}), "`jumun demo` and `jumun replay` are commands of their own"),
)
ANYTHING: Final = frozenset({"app", "daemon", "runs", "__init__", "__main__"})  # they put the parts together

FIX: Final = {
    "model": "model imports nothing of ours: move the noun into model, or the verb into rules",
    "rules": "rules import only model: take the value as an argument instead",
    "ports": "ports import only model: state the need in our own types",
    "services": "services speak to ports: let app pass the real thing in",
    "doors": "a door sends a command: move the rule below it and let app wire it",
}

# The pure core computes from values. This is everything it may use, not a list of what is bad.
PURE_STDLIB: Final = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "string",
        "types",
        "typing",
        "zoneinfo",
    }
)
PURE_LIBRARIES: Final = frozenset({"msgspec"})
# The shell waits and talks, but its clock, ids and chance still come through ports (I-63).
AMBIENT: Final = frozenset({"random", "secrets", "time", "uuid"})
SEEDED: Final = "random.Random"  # chance as a value: whoever makes one must give it a seed


def sources() -> list[Path]:
    return sorted(path for path in SRC.rglob("*.py") if "/grpc/gen/" not in path.as_posix())


def name_of(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) for every import anywhere in the file, `TYPE_CHECKING` blocks included.

    `package` is the file's own package, for relative imports. `from jumun import rules` counts as
    `jumun.rules`, and `import_module("jumun.x")` counts too: a lazy arrow is still an arrow.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "jumun" or module in AMBIENT:
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def layer_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def broken_arrows(path: str, source: str) -> list[str]:
    """Return a sentence for each import of ours that points the wrong way."""
    layer = layer_of(path)
    if layer in ANYTHING:
        return []
    if layer not in ALLOWED:
        return [f"src/jumun/{path}: '{layer}' is not in the tree; add its arrows to ALLOWED in this test"]
    may = ALLOWED[layer] | {layer}
    for prefix, extra, _ in EXTRA:
        may |= extra if path.startswith(prefix) else frozenset()
    package = ".".join(["jumun", *path.split("/")[:-1]])
    problems = []
    for line, module in imported(source, package):
        parts = module.split(".")
        if parts[0] == "jumun" and (len(parts) == 1 or parts[1] not in may):
            fix = FIX.get(layer, f"{layer} may import {', '.join(sorted(may))}: let app pass the thing in")
            problems.append(f"src/jumun/{path}:{line} imports {module}; {fix}")
    return problems


def worldly_imports(path: str, source: str) -> list[str]:
    """Return a sentence for each import that lets clock, chance or the outside world into a pure place."""
    layer = layer_of(path)
    problems = []
    for line, module in imported(source, ".".join(["jumun", *path.split("/")[:-1]])):
        top = module.split(".")[0]
        if layer in {"model", "rules"} and top not in PURE_STDLIB | PURE_LIBRARIES | {"jumun"}:
            problems.append(
                f"src/jumun/{path}:{line} imports {module}; take the value as an argument instead"
            )
        if layer in {"services", "exchange"} and top in AMBIENT and module != SEEDED:
            problems.append(
                f"src/jumun/{path}:{line} imports {module}; ask a port for it, so one seed replays a day"
            )
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and not node.args)
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id == "Random":
            problems.append(f"src/jumun/{path}:{call.lineno} makes a Random without a seed; give it one")
    return problems


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    problems = broken_arrows(name_of(path), path.read_text(encoding="utf-8"))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_the_core_is_given_its_clock_ids_and_chance(path: Path) -> None:
    problems = worldly_imports(name_of(path), path.read_text(encoding="utf-8"))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("rules/ticks.py", "from jumun.services import order_engine"),
        (
            "rules/ticks.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from jumun.ports import broker",
        ),
        ("rules/ticks.py", "from ..store import sqlite"),
        ("rules/ticks.py", "from jumun import config"),
        ("model/money.py", "def f() -> None:\n    import jumun.rules.ticks"),
        ("services/desk.py", "from jumun.brokers.paper import broker"),
        ("brokers/kis/client.py", "import jumun.exchange.book"),
        ("store/sqlite/journal.py", "from jumun.bus import memory"),
        ("doors/http/app.py", "from jumun.app import build"),
        ("doors/grpc/server.py", "from jumun.replay import run_demo"),
        ("services/desk.py", "from jumun.replay.clock import ReplayClock"),
        ("doors/cli/serve.py", 'import importlib\nimportlib.import_module("jumun.store.sqlite")'),
        ("helpers/things.py", ""),
    ],
)
def test_an_arrow_that_points_up_is_named_with_its_fix(path: str, source: str) -> None:
    (problem,) = broken_arrows(path, source)
    assert problem.startswith(f"src/jumun/{path}")
    assert ";" in problem, "the failure must say what to do"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("brokers/paper/broker.py", "from jumun.exchange.book import Book"),
        ("simulators/kis/server.py", "from jumun.exchange.book import Book"),
        ("doors/cli/serve.py", "from jumun.app import build"),
        ("doors/cli/serve.py", "from ..grpc.gen import order_pb2"),
        ("doors/cli/run.py", "from jumun.replay import run_demo"),
        ("app.py", "import jumun.store.sqlite"),
        ("__init__.py", "from jumun.services.order_engine import OrderEngine"),
    ],
)
def test_the_arrows_of_the_design_are_free(path: str, source: str) -> None:
    assert broken_arrows(path, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("rules/costs.py", "import time"),
        ("rules/costs.py", "from os import environ"),
        ("model/ids.py", "import uuid"),
        ("model/orders.py", "import structlog"),
        ("services/desk.py", "from random import choice"),
        ("exchange/book.py", "import time"),
        ("exchange/prices.py", "from random import Random\nrandom = Random()"),
    ],
)
def test_a_worldly_import_is_named(path: str, source: str) -> None:
    assert len(worldly_imports(path, source)) == 1


def test_seeded_chance_may_be_handed_in() -> None:
    assert worldly_imports("exchange/prices.py", "from random import Random\nrandom = Random(7)") == []
