"""Real bars through the whole system: `jumun replay` ends with books that a second calculation confirms."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from jumun.exchange.bars import BadRow, read_bars
from jumun.exchange.prices import Bar
from jumun.model.instruments import Venue
from jumun.model.orders import Side
from jumun.replay import ReplayOptions, run_replay
from jumun.rules.sessions import session_on
from jumun.store.sqlite.reader import open_reader

DATA: Final = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
KRX: Final = ("000660", "005930", "035420", "247540")
US: Final = ("IAU", "SMH", "SPMO")
TARGET: Final = {Venue.KRX: Decimal(5_000_000), Venue.US: Decimal(5_000)}
FAST, SLOW = 3, 12
HEADER: Final = (
    *("symbol", "side", "quantity", "order_type", "price"),
    *("strategy_id", "strategy_version", "account_id", "signal_ts"),
)


def bars_of(symbol: str) -> list[Bar]:
    path = DATA / f"{symbol}_daily.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository; it is not part of the product")
    return [row for row in read_bars(path) if not isinstance(row, BadRow) and row.traded]


def crosses(symbol: str, bars: list[Bar], venue: Venue) -> Iterator[dict[str, str]]:
    """Moving averages that cross, on the next day: buys at a limit above the close, sells at the market."""
    closes = [bar.close for bar in bars]
    held = Decimal(0)
    for index in range(SLOW, len(bars) - 1):
        fast = sum(closes[index - FAST + 1 : index + 1]) / FAST
        slow = sum(closes[index - SLOW + 1 : index + 1]) / SLOW
        side = Side.BUY if fast > slow and not held else Side.SELL if fast < slow and held else None
        if side is None:
            continue
        qty = held if side is Side.SELL else max(TARGET[venue] // closes[index], Decimal(1))
        held = qty if side is Side.BUY else Decimal(0)
        plan = session_on(venue, bars[index + 1].day)
        assert plan is not None
        at = datetime.fromtimestamp(plan.open_ns // 1_000_000_000 + 3_600, tz=UTC)
        limit = closes[index] * Decimal("1.015") if side is Side.BUY else None
        kind, price = ("MARKET", "") if limit is None else ("LIMIT", f"{limit:f}")
        row = (symbol, side.value, f"{qty:f}", kind, price, "cross", "cross-1", "SIM-001", at.isoformat())
        yield dict(zip(HEADER, row, strict=True))


def write_signals(path: Path, symbols: tuple[str, ...], venue: Venue) -> int:
    rows = [row for symbol in symbols for row in crosses(symbol, bars_of(symbol), venue)]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, HEADER)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def replayed(options: ReplayOptions, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = run_replay(options)
    out, err = capsys.readouterr()
    assert code == 0, err or out
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.req("I-01", "I-07", "I-29", "I-30", "I-32", "I-36", "I-37", "I-38", "I-43", "I-57")
def test_years_of_real_bars_end_in_books_that_are_right_to_the_won_and_the_cent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = tmp_path / "signals.csv"
    count = write_signals(signals, KRX, Venue.KRX)
    us_signals = tmp_path / "us.csv"
    count += write_signals(us_signals, US, Venue.US)
    signals.write_text(signals.read_text() + "".join(us_signals.read_text().splitlines(keepends=True)[1:]))
    assert count >= 200, "too few signals to show anything"
    options = ReplayOptions(
        prices=tuple(DATA / f"{symbol}_daily.csv" for symbol in (*KRX, *US)),
        signals=signals,
        store=tmp_path / "books.db",
        steps=6,
        json=True,
    )

    told = replayed(options, capsys)
    again = replayed(options, capsys)

    assert told["invariants"] == "ok"
    assert told["run"]["new_orders"] == count
    assert told["books"]["cash"] == told["books"]["cash_at_exchange"]
    assert told["books"]["orders"]["FILLED"] >= 200
    assert_confirmed_by_hand(tmp_path / "books.db", told)
    assert again["run"]["new_orders"] == again["run"]["sends"] == 0
    assert again["books"]["cash"] == told["books"]["cash"]


def assert_confirmed_by_hand(store: Path, told: dict[str, Any]) -> None:
    """The shortest way from fills to cash: what was paid and received, and the costs of each order."""
    cash = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
    held: dict[str, Decimal] = {}
    with open_reader(store) as reader:
        fills = reader.fills(limit=1_000_000)
        orders = reader.orders(limit=1_000_000)
    for fill in fills:
        sign = 1 if fill.side is Side.BUY else -1
        cash[fill.currency.value] -= sign * fill.price * fill.qty
        held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + sign * fill.qty
    for order in orders:
        cash[order.currency.value] -= sum(order.costs.values())
    assert {code: Decimal(amount) for code, amount in told["books"]["cash"].items()} == cash
    positions = {row["symbol"]: Decimal(row["qty"]) for row in told["books"]["positions"]}
    assert positions == held
