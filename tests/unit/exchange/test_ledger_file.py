"""The exchange's ledger: what was written leads to the same market again, and nothing altered is believed."""

import hashlib
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumun.exchange.ledger_file import FIRST_CHAIN, LedgerFile, perform
from jumun.exchange.market import Market
from jumun.exchange.protocol import Advance, Cancel, Change, OpenAccount, SetBase, Step, Submit
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import ConfigError, StoreUnavailable, TornJournal
from jumun.model.orders import Side
from tests.unit.exchange.builders import ACCOUNT, NOON_NS, PRICE, SYMBOL, order

WORLD = sample_world()
SECOND = 10**9
OPEN = OpenAccount(account_id=ACCOUNT, cash={"KRW": Decimal(10**8)}, holdings={SYMBOL: Decimal(50)})


def play(path: Path, commands: list[Change], start: int = 0) -> Market:
    """Carry out commands on the ledger's market, one sync each, and let go of the file."""
    ledger, market = LedgerFile.open(path, WORLD)
    for index, command in enumerate(commands):
        perform(market, ledger, command, NOON_NS + (start + index) * SECOND)
        ledger.sync()
    ledger.close()
    return market


def reopened(path: Path) -> Market:
    ledger, market = LedgerFile.open(path, WORLD)
    ledger.close()
    return market


SOME_DAY: list[Change] = [
    OPEN,
    Step(symbol=SYMBOL, price=PRICE, volume=Decimal(10)),
    Submit(order=order(price=PRICE + 100, qty=20)),
    Submit(order=order(Side.SELL, price=PRICE + 200, qty=5)),
    Submit(order=order(qty=100_000)),
    Step(symbol=SYMBOL, price=PRICE + 100, volume=Decimal(7)),
]

COMMANDS = st.lists(
    st.one_of(
        st.builds(
            lambda side, ticks, qty: Submit(order=order(side, price=PRICE + 100 * ticks, qty=qty)),
            st.sampled_from(Side),
            st.integers(-5, 5),
            st.integers(1, 30),
        ),
        st.builds(
            lambda side, qty: Submit(order=order(side, price=None, qty=qty)),
            st.sampled_from(Side),
            st.integers(1, 30),
        ),
        st.builds(
            lambda ticks, volume, quote: Step(
                symbol=SYMBOL, price=PRICE + 100 * ticks, volume=Decimal(volume), quote_qty=Decimal(quote)
            ),
            st.integers(-5, 5),
            st.integers(0, 40),
            st.integers(0, 20),
        ),
        st.builds(
            lambda number: Cancel(
                account_id=ACCOUNT, trade_date="2025-06-16", branch=WORLD.branch, number=f"{number:010d}"
            ),
            st.integers(1, 15),
        ),
        st.just(SetBase(symbol=SYMBOL, trade_date="2025-06-17", price=Decimal(60_000))),
        st.just(Advance()),
    ),
    max_size=30,
)


@pytest.mark.req("I-24", "I-25", "I-33", "I-34")
@settings(max_examples=60)
@given(COMMANDS, st.integers(0, 30))
def test_a_restart_at_any_point_leads_to_the_same_market(commands: list[Change], cut: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        straight = Market(WORLD)
        for index, command in enumerate([OPEN, *commands]):
            perform(straight, None, command, NOON_NS + index * SECOND)
        play(path, [OPEN, *commands[:cut]])
        play(path, commands[cut:], start=1 + min(cut, len(commands)))
        again = reopened(path)
    assert again.digest() == straight.digest()
    _require_sound(straight)


def _require_sound(market: Market) -> None:
    """The oracle's own books: cash and shares are what the executions say, and no order is over-filled."""
    balance = market.balance_of(ACCOUNT)
    assert balance.cash["KRW"] == Decimal(10**8) + sum(e.cash_change for e in market.executions)
    assert balance.holdings.get(SYMBOL, 0) == 50 + sum(e.qty_change for e in market.executions)
    for record in market.orders.values():
        fills = market.executions_of(record.key)
        assert record.qty_filled == sum(fill.qty for fill in fills) <= record.qty
        assert record.amount_filled == sum(fill.qty * fill.price for fill in fills)
        if record.price is not None:
            sign = 1 if record.side is Side.BUY else -1
            assert all(sign * fill.price <= sign * record.price for fill in fills)


@pytest.mark.req("I-22", "F-83")
@pytest.mark.parametrize("keep", [0.01, 0.5, 0.99])
def test_a_torn_last_line_was_never_acknowledged_and_is_cut_off(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "ledger"
    play(path, SOME_DAY[:-1])
    whole = path.read_bytes()
    complete = reopened(path).digest()
    play(path, SOME_DAY[-1:], start=len(SOME_DAY) - 1)
    last = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + last[: max(1, int(len(last) * keep))])
    ledger, market = LedgerFile.open(path, WORLD)
    ledger.close()
    assert market.digest() == complete
    assert ledger.bytes_cut > 0
    assert path.read_bytes() == whole


@pytest.mark.req("I-26", "F-84")
@pytest.mark.parametrize("record", range(len(SOME_DAY) + 1))
def test_an_altered_record_is_named_and_stops_the_start(tmp_path: Path, record: int) -> None:
    path = tmp_path / "ledger"
    play(path, SOME_DAY)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[record] = lines[record].replace(b"005930", b"000660", 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(TornJournal, match=f"record {record} was altered") as caught:
        LedgerFile.open(path, WORLD)
    assert caught.value.record == record


@pytest.mark.req("I-26")
def test_a_ledger_that_leads_elsewhere_than_it_says_is_refused_even_with_a_valid_chain(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger"
    play(path, SOME_DAY)
    chain, lines = FIRST_CHAIN, list[bytes]()
    for line in path.read_bytes().splitlines():
        body = line.partition(b" ")[2].replace(b'"qty_cumulative":"20"', b'"qty_cumulative":"21"')
        chain = hashlib.sha256(chain.encode() + body).hexdigest()
        lines.append(chain.encode() + b" " + body + b"\n")
    path.write_bytes(b"".join(lines))
    with pytest.raises(TornJournal, match="record 3 leads elsewhere"):
        LedgerFile.open(path, WORLD)


@pytest.mark.req("F-88")
def test_a_ledger_of_another_world_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    play(path, SOME_DAY)
    other = msgspec.structs.replace(WORLD, branch="00001")
    with pytest.raises(ConfigError, match="another world"):
        LedgerFile.open(path, other)


def test_a_ledger_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        LedgerFile.open(tmp_path / "nowhere" / "ledger", WORLD)


def test_what_was_not_synced_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger, market = LedgerFile.open(path, WORLD)
    perform(market, ledger, OPEN, NOON_NS)
    ledger.sync()
    perform(market, ledger, SOME_DAY[1], NOON_NS)
    ledger.close()
    assert reopened(path).quote(SYMBOL) == Market(WORLD).quote(SYMBOL)
