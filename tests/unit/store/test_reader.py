"""What a command can read without a service."""

from decimal import Decimal
from pathlib import Path

import pytest

from jumun.model.errors import BadInput, StoreUnavailable, UnknownOrder
from jumun.model.ids import IdempotencyKey
from jumun.model.orders import OrderStatus
from jumun.store.sqlite import open_reader
from jumun.testing.builders import (
    ACCOUNT,
    START_NS,
    a_fill,
    a_fill_entry,
    a_message,
    a_position,
    an_entry,
    an_order,
)
from tests.unit.store.stocked import one_of_everything, raw, stock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    stock(path)
    return path


@pytest.mark.req("S002-7", "S000-31")
def test_orders_are_listed_newest_first_and_filtered(path: Path) -> None:
    with open_reader(path) as reader:
        numbers = [order.order_id for order in reader.orders()]
        assert numbers == [an_order(number).order_id for number in (5, 4, 3, 2, 1)]
        assert [order.order_id for order in reader.orders(limit=2)] == numbers[:2]
        (unknown,) = reader.orders(status=OrderStatus.ERROR)
        assert unknown.order_id == an_order(3).order_id
        assert len(reader.orders(account_id=ACCOUNT, symbol="005930")) == 5
        assert reader.orders(account_id="nobody") == []
        assert reader.orders(symbol="000660") == []
        assert reader.orders_by_status() == {"ACCEPTED": 1, "ERROR": 1, "FILLED": 1, "NEW": 1, "REJECTED": 1}


@pytest.mark.req("I-08")
def test_many_keys_are_asked_for_at_once_and_each_finds_its_own_order(path: Path) -> None:
    with open_reader(path) as reader:
        stored = [reader.order(an_order(number).order_id) for number in (1, 4)]
        first, second = (order for order in stored if order is not None)
        odd = IdempotencyKey("client|a\"b|주문, ',")
        found = reader.orders_by_keys((second.idempotency_key, odd, first.idempotency_key))
        assert found == {first.idempotency_key: first, second.idempotency_key: second}
        assert reader.orders_by_keys(()) == {}


def test_an_order_is_found_by_the_beginning_of_its_id(path: Path) -> None:
    with open_reader(path) as reader:
        order_id = an_order(5).order_id
        assert reader.order_by_prefix(order_id).order_id == order_id
        assert reader.order_by_prefix(order_id[:13]).order_id == order_id
        with pytest.raises(BadInput, match="several order ids begin with"):
            reader.order_by_prefix(order_id[:4])
        for nobody in ("ffff", ""):
            with pytest.raises(UnknownOrder, match="no order id begins with"):
                reader.order_by_prefix(nobody)


@pytest.mark.req("S002-73")
def test_an_orders_story_and_fills_can_be_read(path: Path) -> None:
    entries = one_of_everything()
    order_id = an_order(1).order_id
    with open_reader(path) as reader:
        assert reader.story_of(order_id) == [entries[index].record for index in (0, 1, 2, 4)]
        assert reader.fills_of(order_id) == [entries[2].fill, entries[4].fill]
        assert reader.fills(limit=1) == [entries[4].fill]
        assert reader.fills(symbol="000660") == []


@pytest.mark.req("C-6", "S000-107", "I-32")
def test_positions_and_cash_are_exact(path: Path) -> None:
    with open_reader(path) as reader:
        assert reader.positions() == [a_position(cost_basis=Decimal("699303.5"))]
        assert reader.positions("nobody") == []
        assert reader.cash() == {(ACCOUNT, "KRW"): Decimal("-699303.5")}
        first, second = reader.ledger()
        assert (first[0], first[1]) == (3, one_of_everything()[2].ledger[0])
        assert reader.ledger(after_seq=3) == [second]
        assert reader.ledger(account_id="nobody") == []
        assert [reader.has_account(name) for name in (ACCOUNT, "nobody")] == [True, False]


@pytest.mark.req("C-6")
def test_cash_is_added_without_floating_point(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    order = an_order(1)
    entries = [an_entry(1, order)]
    for seq, amount in enumerate(("0.1", "0.2", "123456789012345678.00000001"), 2):
        fill = a_fill(order, seq, qty=Decimal(1), price=Decimal(1), amount=Decimal(amount))
        entries.append(a_fill_entry(seq, order, fill))
    stock(path, entries)
    with open_reader(path) as reader:
        assert reader.cash() == {(ACCOUNT, "KRW"): Decimal("-123456789012345678.30000001")}


def test_the_newest_record_the_counts_and_the_outbox_can_be_read(path: Path) -> None:
    with open_reader(path) as reader:
        assert reader.newest() == (12, START_NS + 12_000_000)
        assert reader.newest_seq() == 12
        assert reader.counts() == {
            "records": 12, "orders": 5, "fills": 2, "ledger_rows": 2, "positions": 1, "outbox": 5
        }  # fmt: skip
        waiting = reader.outbox_after(0, 2)
        assert [message for _, message in waiting] == [a_message(1), a_message(4)]
        assert [len(step) for step in reader.records(2)] == [10]


@pytest.mark.req("F-84")
def test_a_damaged_order_row_is_a_sentence_that_says_what_to_do(path: Path) -> None:
    raw(path).execute("UPDATE orders SET body = x'7b7d' WHERE status = 'NEW'")
    with open_reader(path) as reader, pytest.raises(StoreUnavailable, match="run `jumun db rebuild`"):
        reader.order(an_order(5).order_id)


def test_an_empty_store_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stock(path, [])
    with open_reader(path) as reader:
        assert reader.newest() == (0, None)
        assert reader.orders() == []
        assert reader.cash() == {}
        assert list(reader.records(0)) == []


def test_a_store_that_does_not_exist_is_named_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.db"
    with pytest.raises(StoreUnavailable, match=r"no store at .*nowhere\.db"):
        open_reader(path)
    assert not path.exists()
