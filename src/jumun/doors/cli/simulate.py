"""simulate day, simulate exchange, simulate kis."""

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
    from jumun import runs

    return runs.simulate_day(seed, orders, as_json, days=days, stormy=stormy)


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
    from jumun import runs
    from jumun.config import load
    from jumun.doors import logs
    from jumun.model.errors import BadInput
    from jumun.model.money import to_decimal

    settings = load().settings
    prices_a_second = to_decimal(pace, field="--pace")
    if prices_a_second < 0:
        raise BadInput(f"--pace {pace} is negative; give prices a second, or 0 for none")
    logs.configure(settings.log_level, settings.log_format, "stderr")
    return runs.run_exchange(settings, host=host, port=port, ledger=ledger, pace=prices_a_second, seed=seed)


def kis(
    *,
    host: Annotated[str, Parameter(help="Where to listen; its keys are known to everybody.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The REST port; 0 takes a free one.")] = 9443,
    ws_port: Annotated[int, Parameter(help="The WebSocket port; 0 takes a free one.")] = 21000,
    paper: Annotated[bool, Parameter(negative=(), help="Be KIS's paper service.")] = False,
    scenario: Annotated[
        Path | None, Parameter(help="A YAML file: accounts, prices, faults and acts at their times.")
    ] = None,
    preset: Annotated[str, Parameter(help="Switches for one client: mojito2 or python-kis.")] = "",
    pace: Annotated[str, Parameter(help="GENERATED prices a second; 0 for none.")] = "1",
    seed: Annotated[int, Parameter(help="Which generated prices, keys and chances of faults.")] = 1,
    cash: Annotated[str, Parameter(help="What each account opens with.")] = "KRW=100000000,USD=100000",
) -> int:
    """Run a local KIS: REST and WebSocket of the Open API on the simulated market."""
    from jumun import runs
    from jumun.config import load
    from jumun.doors import logs
    from jumun.model.errors import BadInput
    from jumun.model.money import to_decimal

    settings = load().settings
    prices_a_second = to_decimal(pace, field="--pace")
    if prices_a_second < 0:
        raise BadInput(f"--pace {pace} is negative; give prices a second, or 0 for none")
    amounts = {}
    for part in cash.split(","):
        currency, _, amount = part.strip().partition("=")
        if currency not in ("KRW", "USD"):
            raise BadInput(f"--cash {part!r} names no currency; write KRW=100000000,USD=100000")
        amounts[currency] = to_decimal(amount, field=f"--cash {currency}")
    logs.configure(settings.log_level, settings.log_format, "stderr")
    return runs.run_kis_simulator(
        settings,
        host=host,
        port=port,
        ws_port=ws_port,
        paper=paper,
        scenario=scenario,
        preset=preset,
        pace=prices_a_second,
        seed=seed,
        cash=amounts,
    )
