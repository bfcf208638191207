"""A long ledger becomes a short one that leads to the same market, whatever happens in between."""

import hashlib
import os
import shutil
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumun.exchange.ledger_file import FIRST_CHAIN, LedgerFile, perform
from jumun.exchange.market import Market
from jumun.exchange.protocol import Advance, Cancel, Change, Modify, OpenAccount, Step, Submit
from jumun.exchange.records import Bust, Execution
from jumun.exchange.sample_world import sample_world
from jumun.exchange.scripted import (
    Adjust,
    BlockCash,
    BreakCircuit,
    BustTrade,
    Halt,
    IgnoreCancels,
    Interrupt,
    MassCancel,
    Offer,
    OverFill,
    RefuseLater,
    Resume,
)
from jumun.model.errors import StoreLocked, TornJournal
from jumun.model.instruments import Venue
from jumun.model.orders import Side, TradingSession
from jumun.rules.trading_days import NO_OVERRIDES
from tests.unit.exchange.builders import ACCOUNT, PRICE, SYMBOL, order, seoul_ns

D = Decimal
MINUTE = 60 * 10**9
START = seoul_ns("2025-06-16 08:30")
EVERYTHING = tuple(session for session in TradingSession if session is not TradingSession.REGULAR)
_SAMPLE = sample_world(NO_OVERRIDES)
WORLD = msgspec.structs.replace(
    _SAMPLE,
    instruments=tuple(msgspec.structs.replace(row, nxt=row.symbol == SYMBOL) for row in _SAMPLE.instruments),
    sessions=EVERYTHING,
    call_auctions=True,
    random_end_s=30,
    vi=True,
    carries_orders=True,
)
OPEN = OpenAccount(account_id=ACCOUNT, cash={"KRW": D(10**8)}, holdings={SYMBOL: D(5_000)})
KEY = f"2025-06-16/{WORLD.branch}"


def a_number(make: type, **fixed: object) -> st.SearchStrategy[object]:
    return st.builds(
        lambda n: make(
            account_id=ACCOUNT, trade_date="2025-06-16", branch=WORLD.branch, number=f"{n:010d}", **fixed
        ),
        st.integers(1, 12),
    )


COMMANDS = st.lists(
    st.tuples(
        st.one_of(
            st.builds(
                lambda side, ticks, qty, venue, session: Submit(
                    order=order(side, price=PRICE + 100 * ticks, qty=qty, venue=venue, session=session)
                ),
                st.sampled_from(Side),
                st.integers(-8, 8),
                st.integers(1, 30),
                st.sampled_from([Venue.KRX, Venue.KRX, Venue.NXT]),
                st.sampled_from([TradingSession.REGULAR, TradingSession.REGULAR, *EVERYTHING]),
            ),
            st.builds(
                lambda ticks, volume, venue: Step(
                    symbol=SYMBOL, price=PRICE + 100 * ticks, volume=D(volume), venue=venue
                ),
                st.integers(-40, 40),
                st.integers(0, 60),
                st.sampled_from([None, None, Venue.NXT]),
            ),
            a_number(Cancel),
            a_number(Modify, qty_cut=D(1)),
            a_number(Modify, price=PRICE - 300),
            st.just(Offer(symbol=SYMBOL, price=PRICE, volume=D(20))),
            st.just(Halt(symbol=SYMBOL)),
            st.just(Resume(symbol=SYMBOL)),
            st.just(Interrupt(symbol=SYMBOL)),
            st.just(BreakCircuit(venue=Venue.KRX)),
            st.just(MassCancel(symbol=SYMBOL)),
            st.just(IgnoreCancels(count=1)),
            st.builds(lambda n: RefuseLater(key=f"{KEY}/{n:010d}"), st.integers(1, 12)),
            st.builds(lambda n: OverFill(key=f"{KEY}/{n:010d}", qty=D(31), price=PRICE), st.integers(1, 12)),
            st.builds(lambda n: BustTrade(execution_id=f"20250616-{n:09d}"), st.integers(1, 6)),
            st.just(Adjust(account_id=ACCOUNT, holdings={SYMBOL: D(7)})),
            st.just(BlockCash(account_id=ACCOUNT, currency="KRW", amount=D(1_000))),
            st.just(Advance()),
        ),
        st.sampled_from([0, 1, 10, 45, 120]),
    ),
    max_size=40,
)


def timed(commands: list[tuple[Change, int]]) -> list[tuple[Change, int]]:
    now_ns = START
    played: list[tuple[Change, int]] = [(OPEN, START)]
    for command, minutes in commands:
        now_ns += minutes * MINUTE + 1
        played.append((command, now_ns))
    return played


def play(path: Path, commands: list[tuple[Change, int]], *, compact_after: int = 10**9) -> Market:
    ledger, market = LedgerFile.open(path, WORLD, compact_after=compact_after)
    for command, now_ns in commands:
        perform(market, ledger, command, now_ns)
        ledger.sync()
    ledger.close()
    return market


@pytest.mark.req("I-24", "I-25", "I-26")
@settings(max_examples=60, deadline=None)
@given(COMMANDS, st.integers(1, 40))
def test_a_compacted_ledger_leads_to_the_same_market(commands: list[tuple[Change, int]], cut: int) -> None:
    everything = timed(commands)
    straight = Market(WORLD)
    for command, now_ns in everything:
        perform(straight, None, command, now_ns)
    _require_sound(straight)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        play(path, everything[:cut])
        play(path, everything[cut:], compact_after=0)
        ledger, again = LedgerFile.open(path, WORLD)
        ledger.close()
        assert again.digest() == straight.digest()
        assert not path.with_name("ledger.compacting").exists()


def _require_sound(market: Market) -> None:
    """Cash and shares are what fills, busts and adjustments say; an order has its fills less its busts."""
    balance = market.balance_of(ACCOUNT)
    moves: list[Execution | Bust] = [*market.executions, *market.busts]
    assert balance.cash["KRW"] == D(10**8) + sum(move.cash_change for move in moves)
    adjusted = balance.holdings.get(SYMBOL, D(0)) - 5_000 - sum(move.qty_change for move in moves)
    assert adjusted >= 0
    assert adjusted % 7 == 0
    for record in market.orders.values():
        filled = sum(fill.qty for fill in market.executions_of(record.key))
        assert record.qty_filled == filled - record.qty_busted
        if record.price is not None and not any(bust.number == record.number for bust in market.busts):
            sign = 1 if record.side is Side.BUY else -1
            limits = [sign * fill.price <= sign * record.price for fill in market.executions_of(record.key)]
            assert all(limits) or record.qty_filled > record.qty


DAY = timed([(Submit(order=order(price=57_000, qty=n)), 1) for n in range(1, 9)])


def test_a_start_compacts_a_long_ledger_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    play(path, DAY)
    long = len(path.read_bytes().splitlines())
    play(path, [], compact_after=5)
    assert len(path.read_bytes().splitlines()) == 2 < long
    before = path.stat().st_ino
    play(path, [], compact_after=5)
    assert path.stat().st_ino == before, "nothing was added since"


@pytest.mark.req("I-22", "F-83")
def test_a_kill_while_compacting_leaves_the_old_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    play(path, DAY)
    before = path.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        LedgerFile.open(path, WORLD, compact_after=5)
    assert path.read_bytes() == before
    monkeypatch.undo()
    after = tmp_path / "after"  # the dead process's locks end with it; this one's do not
    after.mkdir()
    for name in ("ledger", "ledger.compacting"):
        shutil.copy(tmp_path / name, after / name)
    again = play(after / "ledger", [], compact_after=5)
    assert len(again.orders) == 8
    assert len((after / "ledger").read_bytes().splitlines()) == 2


@pytest.mark.req("I-26", "F-84")
def test_an_altered_snapshot_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    play(path, DAY)
    play(path, [], compact_after=5)
    path.write_bytes(path.read_bytes().replace(b'"57000"', b'"57100"', 1))
    with pytest.raises(TornJournal, match="record 1 was altered"):
        LedgerFile.open(path, WORLD)


@pytest.mark.req("I-26")
def test_a_snapshot_of_another_market_than_it_says_is_refused_even_with_a_valid_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    play(path, DAY)
    play(path, [], compact_after=5)
    chain, lines = FIRST_CHAIN, list[bytes]()
    for line in path.read_bytes().splitlines():
        body = line.partition(b" ")[2].replace(b'"cash":{"KRW":"1', b'"cash":{"KRW":"2')
        chain = hashlib.sha256(chain.encode() + body).hexdigest()
        lines.append(chain.encode() + b" " + body + b"\n")
    path.write_bytes(b"".join(lines))
    with pytest.raises(TornJournal, match="another market than it says"):
        LedgerFile.open(path, WORLD)


@pytest.mark.req("I-27")
def test_a_ledger_that_was_replaced_while_it_was_opened_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    play(path, DAY)
    real = os.open

    def replaced_meanwhile(name: object, *rest: object) -> int:
        descriptor = real(name, *rest)  # type: ignore[arg-type]
        if str(name) == str(path):
            path.rename(tmp_path / "old")
            path.write_bytes(b"")
        return descriptor

    monkeypatch.setattr(os, "open", replaced_meanwhile)
    with pytest.raises(StoreLocked):
        LedgerFile.open(path, WORLD)


def test_old_days_are_forgotten_and_the_accounts_are_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    play(path, [*DAY, (Step(symbol=SYMBOL, price=D(57_000), volume=D(3)), seoul_ns("2025-06-16 14:00"))])
    later = seoul_ns("2025-06-20 10:00")
    market = play(path, [(Submit(order=order(price=57_000, qty=1)), later)])
    balance = market.balance_of(ACCOUNT)
    ledger, young = LedgerFile.open(path, WORLD, compact_after=5, keep_days=2)
    assert (len(young.orders), young.executions) == (1, [])
    assert young.balance_of(ACCOUNT) == balance
    perform(young, ledger, Step(symbol=SYMBOL, price=D(57_000), volume=D(3)), later)
    ledger.sync()
    ledger.close()
    ids = [execution.execution_id for execution in young.executions]
    assert ids == [f"20250620-{len(market.executions) + 1:09d}"], "no execution id comes twice"
    again = play(path, [])
    assert again.digest() == young.digest()
