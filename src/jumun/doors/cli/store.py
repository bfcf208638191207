"""db info, upgrade, verify, rebuild."""

from pathlib import Path

from jumun.doors.cli.options import AsJson


def info(*, as_json: AsJson = False) -> int:
    """Say where the store is, whose books it holds and how much."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing

    settings = load().settings
    path = settings.oms_store_path
    with app.open_books(settings) as books:
        home = books.home()
        seq, ts_ns = books.newest()
        counts, statuses = books.counts(), books.orders_by_status()
    told: dict[str, object] = {
        "path": str(path),
        "environment": None if home is None else home.environment,
        "broker": None if home is None else home.broker,
        "bytes": sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.exists()),
        "newest_record": seq,
        "newest_at": None if ts_ns is None else printing.when(ts_ns),
        **counts,
        "orders_by_status": statuses,
    }
    if as_json:
        printing.as_json(told)
        return 0
    table = printing.table("", "")
    table.show_header = False
    for name, value in told.items():
        shown = (
            ", ".join(f"{key} {count:,}" for key, count in value.items())
            if isinstance(value, dict)
            else value
        )
        table.add_row(name.replace("_", " "), f"{shown:,}" if isinstance(shown, int) else str(shown))
    printing.out().print(table)
    return 0


def upgrade(*, as_json: AsJson = False) -> int:
    """Bring the store to the newest schema; makes a fresh one where there is none. Back it up first."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing

    settings = load().settings
    done = [migration.name for migration in app.db_upgrade(settings)]
    if as_json:
        printing.as_json({"path": str(settings.oms_store_path), "applied": done})
    else:
        printing.out().print(f"Applied {', '.join(done)}." if done else "The store is up to date.")
    return 0


def verify(*, as_json: AsJson = False) -> int:
    """Check every record against the one before it. Reads only; the service may be running."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.model.words import counted

    settings = load().settings
    with app.open_books(settings) as books:
        newest = books.newest_seq()
    if as_json:
        count = app.db_verify(settings, None)
        printing.as_json({"path": str(settings.oms_store_path), "records": count, "verified": "ok"})
        return 0
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("checking records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=newest)
        count = app.db_verify(settings, lambda done: progress.update(task, completed=done))
    printing.out().print(f"{counted(count, 'record')} checked; each follows from the one before it.")
    return 0


def rebuild(*, as_json: AsJson = False) -> int:
    """Make the tables again from the journal. The service must not be running."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.model.words import counted

    settings = load().settings
    if as_json:
        printing.as_json({"path": str(settings.oms_store_path), "records": app.db_rebuild(settings)})
        return 0
    from rich.console import Console

    with Console(stderr=True).status("folding the journal into new tables"):
        count = app.db_rebuild(settings)
    printing.out().print(f"{counted(count, 'record')} folded; the tables are new.")
    return 0
