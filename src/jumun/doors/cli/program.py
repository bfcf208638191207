"""The words of the program and where each leads. Light: `jumun --help` imports no driver and no server."""

from collections.abc import Callable
from typing import Final

from cyclopts import App, Parameter

from jumun.doors.cli import (
    account,
    breaks,
    connection,
    control,
    entry,
    figures,
    look,
    run,
    settings,
    signals,
    simulate,
    store,
    trade,
)

HELP = "Orders and executions: a signal becomes one order, its fills become books."
EPILOGUE = "Exit codes: 0 done, 1 refused or failed (one sentence on stderr), 2 usage."

COMMANDS: Final[dict[str, tuple[Callable[..., int], ...]]] = {
    "Run": (run.serve, run.demo, run.replay),
    "Trade": (
        trade.submit,
        trade.buy,
        trade.sell,
        trade.modify,
        trade.cancel,
        trade.cancel_all,
        trade.close,
    ),
    "Ask the running service": (
        control.status,
        control.reconcile,
        control.settle,
        control.halt,
        control.resume,
        account.account,
        account.positions,
        figures.stats,
        figures.portfolio,
    ),
    "Read the books": (
        look.orders,
        look.trace,
        look.book,
        figures.alarms,
    ),
}


def _version() -> str:
    from jumun import app

    return app.VERSION


def _default(value: object) -> str | None:
    """What help says of a default; nothing where it says nothing."""
    return None if value in ("", ()) or value is False else str(value)


def program() -> App:
    """Return the command tree."""
    app = App(
        name="jumun",
        help=HELP,
        help_epilogue=EPILOGUE,
        version=_version,
        default_parameter=Parameter(show_default=_default),
    )
    for group, commands in COMMANDS.items():
        for command in commands:
            app.command(command, group=group)
    app.command(connection.trial, name="test-connection", group="Run")
    differences = App(name="breaks", group="Ask the running service")
    differences.default(breaks.listed)
    differences.command(breaks.assign)
    differences.command(breaks.settle)
    entries = App(name="entry", help="Book from a paper what is no trade, once.", group="Keep and check")
    for booked in (entry.dividend, entry.split, entry.transfer, entry.correction):
        entries.command(booked)
    from_files = App(name="signals", help="Signals from files.", group="Trade")
    from_files.command(signals.run)
    config = App(name="config", help="Settings.", group="Keep and check")
    config.command(settings.show)
    db = App(name="db", help="Keep the store.", group="Keep and check")
    for word in (store.info, store.upgrade, store.verify, store.rebuild):
        db.command(word)
    simulated = App(
        name="simulate", help="Simulated days, the simulated exchange, a local KIS.", group="Keep and check"
    )
    simulated.command(simulate.day)
    simulated.command(simulate.exchange)
    simulated.command(simulate.kis)
    for words in (differences, from_files, entries, config, db, simulated):
        app.command(words)
    return app
