"""The words of the program and where each leads. Light: `jumun --help` imports no driver and no server."""

from collections.abc import Callable
from typing import Final

from cyclopts import App

from jumun.doors.cli import look, run, settings, simulate, store, trade

HELP = "Orders and executions: a signal becomes one order, its fills become books."
EPILOGUE = "Exit codes: 0 done, 1 refused or failed (one sentence on stderr), 2 usage."

COMMANDS: Final[dict[str, tuple[Callable[..., int], ...]]] = {
    "Run": (run.serve, run.demo, run.replay),
    "Ask the running service": (
        trade.submit,
        trade.cancel,
        trade.status,
        trade.reconcile,
        trade.settle,
        trade.halt,
        trade.resume,
    ),
    "Read the books": (look.orders, look.trace, look.book),
}


def _version() -> str:
    from jumun import app

    return app.VERSION


def program() -> App:
    """Return the command tree."""
    app = App(name="jumun", help=HELP, help_epilogue=EPILOGUE, version=_version)
    for group, commands in COMMANDS.items():
        for command in commands:
            app.command(command, group=group)
    config = App(name="config", help="Settings.", group="Keep and check")
    config.command(settings.show)
    db = App(name="db", help="Keep the store.", group="Keep and check")
    for word in (store.info, store.upgrade, store.verify, store.rebuild):
        db.command(word)
    simulated = App(
        name="simulate", help="Simulated days and the simulated exchange.", group="Keep and check"
    )
    simulated.command(simulate.day)
    simulated.command(simulate.exchange)
    for words in (config, db, simulated):
        app.command(words)
    return app
