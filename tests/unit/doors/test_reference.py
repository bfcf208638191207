"""The pages that people look things up in say what the program does."""

import re
from pathlib import Path

import apsw
import pytest
from cyclopts import App

from jumun.doors.cli.program import program
from jumun.store.sqlite import upgrade

DOCS = Path(__file__).resolve().parents[3] / "docs"
SQL = re.compile(r"```sql\n(.*?)```", re.DOTALL)


def words() -> dict[str, App]:
    """Every command of the program by its words."""
    found: dict[str, App] = {}

    def walk(app: App, before: str) -> None:
        for name in app:
            if name.startswith("-"):
                continue
            child = app[name]
            walk(child, f"{before} {name}")
            if child.default_command is not None:
                found[f"{before} {name}"] = child

    walk(program(), "jumun")
    return found


def row_of(command: str) -> str:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    others = [other.removeprefix(command) for other in words() if other.startswith(f"{command} ")]
    rows = [
        line
        for line in page.splitlines()
        if re.match(rf"\| `{command}[ `]", line)
        and not any(line.startswith(f"| `{command}{other}") for other in others)
    ]
    assert len(rows) == 1, f"docs/reference/cli.md has {len(rows)} rows for {command}"
    return rows[0]


def test_the_program_has_the_commands_that_were_promised() -> None:
    assert {
        "jumun serve",
        "jumun demo",
        "jumun replay",
        "jumun submit",
        "jumun buy",
        "jumun sell",
        "jumun modify",
        "jumun cancel",
        "jumun cancel-all",
        "jumun close",
        "jumun signals run",
        "jumun breaks",
        "jumun breaks assign",
        "jumun breaks settle",
        "jumun account",
        "jumun positions",
        "jumun stats",
        "jumun portfolio",
        "jumun alarms",
        "jumun entry dividend",
        "jumun entry split",
        "jumun entry transfer",
        "jumun entry correction",
        "jumun orders",
        "jumun trace",
        "jumun book",
        "jumun reconcile",
        "jumun settle",
        "jumun status",
        "jumun halt",
        "jumun resume",
        "jumun config show",
        "jumun db upgrade",
        "jumun db verify",
        "jumun db rebuild",
        "jumun db info",
        "jumun simulate day",
        "jumun simulate exchange",
        "jumun simulate kis",
        "jumun test-connection",
    } == set(words())


@pytest.mark.parametrize("command", sorted(words()))
def test_every_command_is_documented_with_every_option(command: str) -> None:
    row = row_of(command)
    options = {
        name
        for argument in words()[command].assemble_argument_collection()
        for name in argument.names
        if name.startswith("--")
    }
    listed = set(re.findall(r"`(--[a-z-]+)", row))
    assert listed == options, f"docs/reference/cli.md: {command} has {sorted(options)}"


@pytest.mark.parametrize("page", ["howto/read-the-books-with-sql.md"])
def test_every_query_in_the_docs_runs_on_a_store(tmp_path: Path, page: str) -> None:
    upgrade(tmp_path / "store.db")
    connection = apsw.Connection(str(tmp_path / "store.db"), flags=apsw.SQLITE_OPEN_READONLY)
    queries = SQL.findall((DOCS / page).read_text(encoding="utf-8"))
    assert queries
    for query in queries:
        named = dict.fromkeys(re.findall(r":([a-z_]+)", query), "x")
        connection.execute(query, named).fetchall()
    connection.close()
