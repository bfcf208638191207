"""simulate day, simulate exchange."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from jumun.doors.cli.options import AsJson

ORDERS_MAX: Final = 100_000  # a day of more than that takes hours


def day(
    *,
    seed: Annotated[int, Parameter(help="Decides everything: the same seed gives the same day.")],
    orders: Annotated[int, Parameter(validator=Number(gte=1, lte=ORDERS_MAX), help="How many orders.")] = 300,
    days: Annotated[
        int, Parameter(validator=Number(gte=1, lte=2), help="1, or 2 for the day after too.")
    ] = 1,
    stormy: Annotated[
        bool, Parameter(negative=(), help="Never quiet, and with standings that are rare otherwise.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Run one day with a bad network, disk and clock on virtual time; print the trace hash."""
    from jumun.doors import logs

    logs.configure("error")
    from jumun import app

    return app.simulate_day(seed, orders, as_json, days=days, stormy=stormy)


def exchange(
    *,
    host: Annotated[
        str, Parameter(help="Where to listen; it believes everybody who can reach it.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The port; 0 takes a free one.")] = 7600,
    ledger: Annotated[Path | None, Parameter(help="Its durable ledger; without one it forgets.")] = None,
    pace: Annotated[str, Parameter(help="GENERATED prices a second; 0 for none.")] = "1",
    seed: Annotated[int, Parameter(help="Which generated prices.")] = 1,
) -> int:
    """Run the simulated exchange as a process of its own; point OMS_EXCHANGE at it."""
    from jumun import app
    from jumun.config import load
    from jumun.doors import logs
    from jumun.model.errors import BadInput
    from jumun.model.money import to_decimal

    settings = load().settings
    prices_a_second = to_decimal(pace, field="--pace")
    if prices_a_second < 0:
        raise BadInput(f"--pace {pace} is negative; give prices a second, or 0 for none")
    logs.configure(settings.log_level, settings.log_format, "stderr")
    return app.run_exchange(settings, host=host, port=port, ledger=ledger, pace=prices_a_second, seed=seed)
