"""What the two commands take. Values only; the command line fills them in."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

DEMO_STORE: Final = Path("var/demo.db")
REPLAY_STORE: Final = Path("var/replay.db")
OPENING_CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
STEPS: Final = 8  # prints a bar is turned into: open, both extremes, close, and some between


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`jumun demo`: GENERATED prices and signals. The same values give the same prices and signals.

    A store remembers the demo it was made by; other values need another store.
    """

    store: Path = DEMO_STORE
    seed: int = 1
    sessions: int = 20
    symbols: int = 8
    signals: int = 1_000
    json: bool = False


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`jumun replay`: daily bars and a signals file.

    `instruments` is a CSV with symbol, market, product and name; symbols it does not hold are looked up in
    the sample market, and without either a symbol is refused. `accounts` are the only ones there are, by name
    with their opening cash by currency; None takes those of the settings (`[[accounts]]` in the TOML file,
    SIM-001 without). A signal of another account is refused. `user` owns the orders.
    """

    prices: tuple[Path, ...]
    signals: Path
    store: Path = REPLAY_STORE
    instruments: Path | None = None
    accounts: dict[str, dict[str, Decimal]] | None = None
    user: str = "demo"
    steps: int = STEPS
    json: bool = False
