"""test-connection: whether a broker lets us in, and what it says. Sends no order."""

from typing import Annotated, Literal

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson


def trial(
    *,
    broker: Annotated[
        Literal["kis", "paper"] | None, Parameter(help="Which one; by default that of OMS_BROKER.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Log in at the broker, register its notices, ask for orders and balances. Sends no order.

    Exits with 1 when a step fails; each says what to do.
    """
    from jumun.config import load_to_trade
    from jumun.doors import logs

    logs.configure("error")
    from jumun import app
    from jumun.doors.cli import printing

    settings = load_to_trade(broker).settings
    steps = app.connection_trial(settings)
    if as_json:
        printing.as_json(
            {"steps": [{"name": step.name, "good": step.is_good, "text": step.text} for step in steps]}
        )
    else:
        table = printing.table("step", "", "what came of it")
        for step in steps:
            table.add_row(step.name, "ok" if step.is_good else "FAILED", step.text)
        printing.out().print(table)
    return 0 if all(step.is_good for step in steps) else 1
