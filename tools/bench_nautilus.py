"""NautilusTrader's backtest engine on the order stream of `make bench`, in an environment of its own.

Limit buys of one share issue, each of which trades at once, submitted one after the other by a strategy:
order, risk check, simulated exchange, fill, position, account. Everything is in memory, nothing is durable.
The stream is that of tools/bench_stage.py (quantity 1 to 50, forty prices), and like ours it builds one
position of one account. The environment lives in .bench/ and is made anew where it is missing.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
HOME: Final = ROOT / ".bench" / "nautilus"
LOCK: Final = ROOT / "requirements" / "bench-nautilus.txt"
INSTALL_S: Final = 900
RUN_S: Final = 1_800
START_NS: Final = 1_767_312_000_000_000_000  # 2026-01-02: it fails on instants near 1970


def main(orders: int = 10_000) -> dict[str, Any] | str:
    """Return the figures of a run of `orders` orders, or a sentence that says why there are none."""
    python = HOME / "bin" / "python"
    if not (HOME / ".done").exists():
        problem = _install(python)
        if problem:
            return problem
    command = [str(python), str(Path(__file__).resolve()), "--inside", "--orders", str(orders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    if done.returncode:
        return f"NautilusTrader was installed but did not run: {done.stderr.strip().splitlines()[-1:]}"
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _newest_python() -> str:
    """Return the newest Python that its newest version runs on; a name on PATH may be an empty promise."""
    for name in ("python3.13", "python3.12"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return found
    return sys.executable


def _install(python: Path) -> str:
    """Make the environment; return what went wrong, or an empty text."""
    print("bench: installing NautilusTrader into .bench/nautilus (some 300 MB)", flush=True)
    made = subprocess.run(
        [_newest_python(), "-m", "venv", "--clear", str(HOME)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        return f"no environment can be made for NautilusTrader ({made.stderr.strip()[-200:]})"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"NautilusTrader was not installed within {INSTALL_S} s; look at pip's index and try again"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"NautilusTrader cannot be installed here ({last}); the comparison is left out"
    (HOME / ".done").touch()
    return ""


def inside(orders: int) -> dict[str, Any]:
    """Run in NautilusTrader's own environment; only there can its packages be imported."""
    import time
    from decimal import Decimal

    import nautilus_trader  # type: ignore[import-not-found]
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # type: ignore[import-not-found]
    from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig  # type: ignore[import-not-found]
    from nautilus_trader.model.currencies import KRW  # type: ignore[import-not-found]
    from nautilus_trader.model.data import QuoteTick  # type: ignore[import-not-found]
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide  # type: ignore[import-not-found]
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue  # type: ignore[import-not-found]
    from nautilus_trader.model.instruments import Equity  # type: ignore[import-not-found]
    from nautilus_trader.model.objects import Money, Price, Quantity  # type: ignore[import-not-found]
    from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]

    venue = Venue("KRX")
    issue = Equity(
        instrument_id=InstrumentId(Symbol("005930"), venue),
        raw_symbol=Symbol("005930"),
        currency=KRW,
        price_precision=0,
        price_increment=Price.from_str("100"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal("0.00014"),
        taker_fee=Decimal("0.00014"),
    )

    class Stream(Strategy):  # type: ignore[misc]
        """Sends one order a quote; counts what filled."""

        def __init__(self) -> None:
            super().__init__(StrategyConfig())
            self.sent = 0
            self.filled = 0

        def on_start(self) -> None:
            self.subscribe_quote_ticks(issue.id)

        def on_quote_tick(self, tick: QuoteTick) -> None:
            if self.sent == orders:
                return
            number = self.sent
            self.sent += 1
            price = Price(58_100 + 100 * (number // 50 % 40), 0)
            qty = Quantity.from_int(1 + number % 50)
            self.submit_order(self.order_factory.limit(issue.id, OrderSide.BUY, qty, price))

        def on_order_filled(self, event: Any) -> None:
            self.filled += 1

    config = BacktestEngineConfig(
        trader_id=TraderId("BENCH-001"),
        logging=LoggingConfig(bypass_logging=True),
        risk_engine=RiskEngineConfig(max_order_submit_rate="1000000/00:00:01"),  # else 100 a second
    )
    engine = BacktestEngine(config)
    engine.add_venue(
        venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=KRW,
        starting_balances=[Money(10**13, KRW)],
    )
    engine.add_instrument(issue)
    bid, ask = Price(58_000, 0), Price(58_100, 0)
    deep = Quantity.from_int(10**9)
    instants = range(START_NS, START_NS + (orders + 1) * 1_000_000, 1_000_000)
    engine.add_data([QuoteTick(issue.id, bid, ask, deep, deep, ts_ns, ts_ns) for ts_ns in instants])
    stream = Stream()
    engine.add_strategy(stream)
    began = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - began
    position = engine.portfolio.net_position(issue.id)
    figures = {
        "version": nautilus_trader.__version__,
        "python": platform.python_version(),
        "orders": stream.sent,
        "filled": stream.filled,
        "position": str(position),
        "seconds": seconds,
        "orders_per_s": stream.filled / seconds,
    }
    engine.dispose()
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--orders", type=int, default=10_000)
    options = parser.parse_args()
    found = inside(options.orders) if options.inside else main(options.orders)
    print(json.dumps(found) if isinstance(found, dict) else found)
    sys.exit(isinstance(found, str))
