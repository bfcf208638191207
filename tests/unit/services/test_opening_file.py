"""What an account opens with: whole and documented, or not at all."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jumun import app
from jumun.brokers.kis.inquiries import Held
from jumun.config import load
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.errors import ConfigError
from jumun.model.fills import LedgerAccount, LedgerKind
from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster
from jumun.model.money import Currency
from jumun.rules.ledger import apply_rows, cash_change
from jumun.services.opening_file import read_opening, rows_of_opening
from jumun.store.sqlite import SqliteJournal
from jumun.testing.builders import ACCOUNT, a_position
from tests.unit.store.stocked import stock

MASTER = InstrumentMaster(INSTRUMENTS)
GOOD = "kind,name,quantity,cost\nCASH,KRW,10000000,\n\nSHARES,005930,100,5800000.5\nSHARES,SPMO,7,700\n"


def opening_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "opening.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.req("I-29", "I-30")
def test_an_opening_brings_cash_and_shares_at_what_they_cost(tmp_path: Path) -> None:
    opening = read_opening(opening_of(tmp_path, GOOD), MASTER)
    assert opening.cash == {Currency.KRW: Decimal(10_000_000)}
    rows = rows_of_opening(AccountId("A"), opening, "2025-05-26", "opening:A")
    assert {row.kind for row in rows} == {LedgerKind.OPENING}
    assert {row.credit for row in rows} == {LedgerAccount.OUTSIDE}
    assert cash_change(rows) == Decimal(10_000_000)
    held = apply_rows(a_position(qty=Decimal(0), cost_basis=Decimal(0)), [rows[1]])
    assert (held.qty, held.cost_basis) == (Decimal(100), Decimal("5800000.5"))
    assert rows[2].currency is Currency.USD


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("kind,name\nCASH,KRW\n", "first line"),
        ("kind,name,quantity,cost\nCASH,EUR,5,\n", "line 2"),
        ("kind,name,quantity,cost\nCASH,KRW,5,5\n", "leave cost empty"),
        ("kind,name,quantity,cost\nCASH,KRW,5,\nCASH,KRW,6,\n", "line 3: cash in KRW is given twice"),
        ("kind,name,quantity,cost\nCASH,KRW,-5,\n", "not above zero"),
        ("kind,name,quantity,cost\nCASH,KRW,1e9,\n", "no"),
        ("kind,name,quantity,cost\nSHARES,999999,5,5\n", "999999"),
        ("kind,name,quantity,cost\nSHARES,005930,5,\n", "cost"),
        ("kind,name,quantity,cost\nSHARES,005930,5,-1\n", "cost"),
        ("kind,name,quantity,cost\nSHARES,005930,1.5,5\n", "whole lots"),
        ("kind,name,quantity,cost\nSHARES,005930,5,5\nSHARES,005930,5,5\n", "given twice"),
        ("kind,name,quantity,cost\nGOLD,005930,5,5\n", "CASH or SHARES"),
        ("kind,name,quantity,cost\nCASH,KRW,5\n", "3 fields"),
        ('kind,name,quantity,cost\n"CASH,KRW,5,\n', "cannot be read"),
    ],
)
def test_one_broken_row_refuses_the_whole_opening(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_opening(opening_of(tmp_path, text), MASTER)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_books_and_the_simulated_exchange_open_with_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opening_of(tmp_path, GOOD)
    Path("jumun.toml").write_text('[[accounts]]\naccount_id = "A"\nopening_file = "opening.csv"\n')
    settings = load().settings
    [entry] = app.openings_of(settings, 1_748_217_600_000_000_000)
    [account] = app.exchange_accounts(settings)
    assert entry.document == "opening:A"
    assert account.cash == {"KRW": Decimal(10_000_000)}
    assert account.holdings == {row.symbol: row.qty for row in entry.rows if row.symbol}


def test_an_opening_file_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="opening_file"):
        read_opening(tmp_path / "gone.csv", MASTER)


class TellingBroker:
    """KIS, as far as an opening goes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def opening(self, account_id: AccountId) -> Held:
        self.asked.append(account_id)
        return Held(shares={"005930": (Decimal(3), Decimal(174_000))}, cash={"KRW": Decimal(5)})


async def _begun(journal: SqliteJournal) -> None:
    await journal.start()
    await journal.close()


@pytest.mark.req("F-80", "I-29")
def test_kis_is_asked_what_an_account_holds_until_its_opening_is_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jumun.toml").write_text(f'oms_broker = "kis"\n[[accounts]]\naccount_id = "{ACCOUNT}"\n')
    Path("var").mkdir()
    settings, broker = load().settings, TellingBroker()
    told: Any = broker
    now_ns = 1_748_217_600_000_000_000
    journal = SqliteJournal(settings.oms_store_path, label="a first start")
    for _ in range(2):  # no store yet; then one whose first start was killed before it booked
        [opening] = asyncio.run(app.kis_openings(settings, told, now_ns))
        assert (opening.account_id, {row.symbol for row in opening.rows}) == (ACCOUNT, {"", "005930"})
        asyncio.run(_begun(journal))
    settings.oms_store_path.unlink()
    stock(settings.oms_store_path)
    assert asyncio.run(app.kis_openings(settings, told, now_ns)) == ()
    assert broker.asked == [ACCOUNT, ACCOUNT]
