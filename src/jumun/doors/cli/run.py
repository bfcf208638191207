"""serve, demo, replay."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson


def serve(
    *,
    broker: Annotated[
        Literal["kis", "paper"] | None, Parameter(help="Which one; by default that of OMS_BROKER.")
    ] = None,
) -> int:
    """Run the service: gRPC, /healthz, /readyz and /metrics, until it is told to stop.

    Settings come from the environment and the TOML file; `jumun config show` lists them. Ctrl-C or SIGTERM
    stops it within SERVER_SHUTDOWN_TIMEOUT; a second one ends it at once.
    """
    from jumun.config import load_to_trade
    from jumun.doors import logs

    settings = load_to_trade(broker).settings
    logs.configure(settings.log_level, settings.log_format, settings.log_output)
    from jumun import app

    return app.serve(settings)


def demo(
    *,
    store: Annotated[
        Path, Parameter(help="The store to use; a second run on it makes no second order.")
    ] = Path("var/demo.db"),
    seed: Annotated[int, Parameter(help="Which generated prices and signals.")] = 1,
    sessions: Annotated[int, Parameter(help="How many trading sessions.")] = 20,
    symbols: Annotated[int, Parameter(help="How many symbols.")] = 8,
    signals: Annotated[int, Parameter(help="How many signals.")] = 1000,
    as_json: AsJson = False,
) -> int:
    """Replay GENERATED prices and signals through the whole system and print the books."""
    from jumun.doors import logs

    logs.configure()
    _require_file(store)
    from jumun.replay import DemoOptions, run_demo

    options = DemoOptions(
        store=store, seed=seed, sessions=sessions, symbols=symbols, signals=signals, json=as_json
    )
    return run_demo(options)


def replay(
    *,
    prices: Annotated[
        list[Path],
        Parameter(consume_multiple=True, negative=(), help="CSV files of daily bars, plain or gzip."),
    ],
    signals: Annotated[Path, Parameter(help="A CSV file of signals.")],
    instruments: Annotated[
        Path | None, Parameter(help="A CSV file of symbol, market, product, name; else the sample market.")
    ] = None,
    store: Annotated[
        Path, Parameter(help="The store to use; a second run on it makes no second order.")
    ] = Path("var/replay.db"),
    as_json: AsJson = False,
) -> int:
    """Run your own bars and signals through the whole system and print the books."""
    from jumun.doors import logs

    logs.configure()
    _require_file(store)
    from jumun.replay import ReplayOptions, run_replay

    return run_replay(
        ReplayOptions(
            prices=tuple(prices), signals=signals, store=store, instruments=instruments, json=as_json
        )
    )


def _require_file(store: Path) -> None:
    """Refuse a store that is a folder: what lies beside the store would be made beside the folder."""
    from jumun.model.errors import ConfigError

    if store.name in ("", "..") or store.is_dir():
        raise ConfigError(f"--store {str(store)!r} names no file; give one, e.g. var/replay.db")
