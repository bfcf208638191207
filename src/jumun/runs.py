"""Programs of their own that are no desk: the simulated exchange, the local KIS and the simulated day.

Built from the settings as `app` builds the service.
"""

from decimal import Decimal
from pathlib import Path

from jumun.app import exchange_accounts, world_of
from jumun.config import Settings


def run_exchange(
    settings: Settings, *, host: str, port: int, ledger: Path | None, pace: Decimal, seed: int
) -> int:
    """Run the simulated exchange as a program of its own until it is told to stop."""
    import asyncio

    from jumun.simulators.exchange_process import ExchangeConfig
    from jumun.simulators.exchange_process import run_exchange as run

    accounts = exchange_accounts(settings)
    config = ExchangeConfig(world=world_of(settings), pace=float(pace), seed=seed, accounts=accounts)
    asyncio.run(run(host, port, ledger, config, announce=lambda line: print(line, flush=True)))
    return 0


def run_kis_simulator(
    settings: Settings,
    *,
    host: str,
    port: int,
    ws_port: int,
    paper: bool,
    scenario: Path | None,
    preset: str,
    pace: Decimal,
    seed: int,
    cash: dict[str, Decimal],
) -> int:
    """Run the simulated KIS until it is told to stop. What a scenario says goes before the command line."""
    import asyncio

    from jumun.simulators.kis.run import configured, run_kis

    config = configured(
        world_of(settings),
        host=host,
        port=port,
        ws_port=ws_port,
        environment="paper" if paper else "real",
        scenario=scenario,
        preset_name=preset,
        pace=float(pace),
        seed=seed,
        cash=cash,
    )
    asyncio.run(run_kis(config, announce=lambda line: print(line, flush=True)))
    return 0


def simulate_day(seed: int, orders: int, as_json: bool, *, days: int, stormy: bool) -> int:
    """Run one simulated day; return the exit code."""
    from jumun.testing.day import run_command

    return run_command(seed, orders, as_json, days=days, stormy=stormy)
