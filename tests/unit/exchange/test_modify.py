"""What a modify changes, what it keeps, and what it must never do."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.exchange.market import Market
from jumun.exchange.records import Execution, OrderChanged, OrderRecord, Refusal
from jumun.exchange.sample_world import sample_world
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reports import BrokerState
from jumun.rules.trading_days import NO_OVERRIDES
from tests.unit.exchange.builders import (
    ACCOUNT,
    NOON_NS,
    PRICE,
    SYMBOL,
    a_market,
    order,
    refused,
    seoul_ns,
    taken,
)

D = Decimal


def modified(market: Market, record: OrderRecord, *, cut: int = 0, price: int | None = None) -> OrderRecord:
    """Insist on acceptance."""
    answer = change(market, record, cut=cut, price=price)
    assert isinstance(answer, OrderRecord), answer
    return answer


def change(
    market: Market, record: OrderRecord, *, cut: int | Decimal = 0, price: int | None = None
) -> OrderRecord | Refusal:
    return market.modify(
        record.account_id,
        record.trade_date,
        record.branch,
        record.number,
        NOON_NS,
        qty_cut=D(cut),
        price=None if price is None else D(price),
    )


def a_house_that_keeps_numbers() -> Market:
    world = msgspec.structs.replace(sample_world(), modify_renumbers=False)
    market = Market(world)
    market.open_account(ACCOUNT, cash={"KRW": D(10**10)}, holdings={SYMBOL: D(10_000)}, now_ns=NOON_NS)
    return market


@pytest.mark.req("I-11", "F-49")
def test_the_rest_of_a_modified_order_lives_under_a_new_number_whose_figures_start_at_zero() -> None:
    market = a_market()
    first = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    market.step(SYMBOL, D(57_000), D(3), NOON_NS)
    told: list[OrderRecord] = []
    market.listen(lambda events: told.extend(e.order for e in events if isinstance(e, OrderChanged)))
    second = modified(market, first, price=56_900)
    old = market.orders[first.key]
    assert (old.state, old.qty, old.qty_filled) == (BrokerState.REPLACED, 10, 3)
    assert (second.qty, second.qty_filled, second.price, second.replaces) == (7, 0, 56_900, first.key)
    assert [(o.key, o.state) for o in told] == [(first.key, "REPLACED"), (second.key, "WORKING")]
    market.step(SYMBOL, D(56_900), D(100), NOON_NS)
    assert market.orders[second.key].qty_filled == 7
    assert market.orders[first.key].qty_filled == 3
    assert market.modifies[0].made == second.key


@pytest.mark.req("F-49")
def test_a_house_that_keeps_numbers_changes_the_order_in_place() -> None:
    market = a_house_that_keeps_numbers()
    first = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    market.step(SYMBOL, D(57_000), D(3), NOON_NS)
    after = modified(market, first, cut=2, price=56_900)
    assert (after.key, after.qty, after.qty_filled, after.price) == (first.key, 8, 3, 56_900)
    assert after.replaces == ""
    market.step(SYMBOL, D(56_900), D(100), NOON_NS)
    assert (market.orders[first.key].state, market.orders[first.key].qty_filled) == (BrokerState.FILLED, 8)


@pytest.mark.req("I-03")
@pytest.mark.parametrize(
    ("code", "cut", "price"),
    [
        ("QTY", -1, None),
        ("QTY", 10, None),
        ("QTY", D("0.5"), None),
        ("QTY", D("NaN"), None),
        ("UNCHANGED", 0, None),
        ("UNCHANGED", 0, 57_000),
        ("TICK", 0, 57_050),
        ("BAND", 0, 75_500),
        ("PRICE", 0, -100),
        ("CASH", 0, 75_000),
    ],
)
def test_a_modify_that_enlarges_ends_or_changes_nothing_is_refused_and_the_old_terms_stay(
    code: str, cut: int | Decimal, price: int | None
) -> None:
    market = a_market()
    market.open_account("B", cash={"KRW": D(600_000)}, now_ns=NOON_NS)
    record = taken(market.submit(order(qty=10, price=57_000, account_id="B"), NOON_NS))
    before = market.digest()
    assert refused(change(market, record, cut=cut, price=price)) == code
    assert market.orders[record.key] == record
    assert [(m.refused, m.made) for m in market.modifies] == [(code, "")]
    market.modifies.clear()
    assert market.digest() == before, "nothing but the record of the request is left"


@pytest.mark.req("F-46", "I-03")
def test_an_order_that_has_ended_or_that_nobody_has_cannot_be_modified() -> None:
    market = a_market()
    filled = taken(market.submit(order(price=57_000), NOON_NS))
    market.step(SYMBOL, D(57_000), D(100), NOON_NS)
    assert refused(change(market, filled, cut=1)) == "FINISHED"
    replaced = taken(market.submit(order(price=56_000), NOON_NS))
    modified(market, replaced, price=56_100)
    assert refused(change(market, replaced, price=56_200)) == "FINISHED", "its rest has another number"
    assert refused(market.modify("B", replaced.trade_date, replaced.branch, replaced.number, NOON_NS)) == (
        "NOT_FOUND"
    )


@pytest.mark.req("I-03", "F-49")
def test_a_fill_that_crosses_the_modify_counts_against_the_rest() -> None:
    market = a_market()
    record = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    market.step(SYMBOL, D(57_000), D(4), NOON_NS)  # the client does not know of it yet and wants 7 in all
    after = modified(market, record, cut=3)
    assert after.qty == 3
    assert market.orders[record.key].qty_filled + after.qty == 7
    assert refused(change(market, after, cut=3)) == "QTY", "there is nothing to keep: that would be a cancel"


def test_a_reduction_keeps_the_place_in_the_queue_and_a_new_price_loses_it() -> None:
    market = a_market()
    first = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    second = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    smaller = modified(market, first, cut=4)
    market.step(SYMBOL, D(57_000), D(6), NOON_NS)
    assert (market.orders[smaller.key].qty_filled, market.orders[second.key].qty_filled) == (6, 0)
    third = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    away = modified(market, second, price=56_900)
    back = modified(market, away, price=57_000)
    market.step(SYMBOL, D(57_000), D(10), NOON_NS)
    assert (market.orders[third.key].qty_filled, market.orders[back.key].qty_filled) == (10, 0)


def test_a_price_that_crosses_the_market_trades_at_once() -> None:
    market = a_market()
    market.step(SYMBOL, PRICE, D(0), NOON_NS, quote_qty=D(4))
    record = taken(market.submit(order(qty=10, price=57_000), NOON_NS))
    after = modified(market, record, price=58_100)
    assert (after.state, after.qty, after.qty_filled) == (BrokerState.WORKING, 10, 4)


@pytest.mark.req("I-33")
@pytest.mark.parametrize("make", [a_market, a_house_that_keeps_numbers])
def test_cash_held_back_follows_the_new_terms_and_is_free_again_at_the_end(make: object) -> None:
    market = make()  # type: ignore[operator]
    market.open_account("B", cash={"KRW": D(580_100)}, now_ns=NOON_NS)
    record = taken(market.submit(order(qty=10, price=57_000, account_id="B"), NOON_NS))
    assert refused(market.submit(order(qty=1, price=57_000, account_id="B"), NOON_NS)) == "CASH"
    dearer = modified(market, record, price=58_000)
    smaller = modified(market, dearer, cut=5)
    other = taken(market.submit(order(qty=4, price=57_000, account_id="B"), NOON_NS))
    for open_order in (smaller, other):
        market.cancel("B", open_order.trade_date, open_order.branch, open_order.number, NOON_NS)
    assert taken(market.submit(order(qty=10, price=58_000, account_id="B"), NOON_NS)).is_open


@pytest.mark.req("I-34")
def test_shares_held_back_follow_a_smaller_sell() -> None:
    market = a_market()
    record = taken(market.submit(order(Side.SELL, qty=10_000, price=60_000), NOON_NS))
    after = modified(market, record, cut=1_000, price=61_000)
    assert refused(market.submit(order(Side.SELL, qty=1_001, price=60_000), NOON_NS)) == "SHARES"
    assert taken(market.submit(order(Side.SELL, qty=1_000, price=60_000), NOON_NS)).is_open
    market.step(SYMBOL, D(61_000), D(100_000), NOON_NS)
    assert market.orders[after.key].qty_filled == 9_000


@pytest.mark.req("I-30")
def test_costs_are_rounded_over_the_whole_chain_unless_the_house_counts_each_number_alone() -> None:
    def paid(alone: bool) -> Decimal:
        market = Market(msgspec.structs.replace(sample_world(), costs_per_number=alone))
        market.open_account(ACCOUNT, cash={}, holdings={SYMBOL: D(100)}, now_ns=NOON_NS)
        first = taken(market.submit(order(Side.SELL, qty=2, price=60_000), NOON_NS))
        market.step(SYMBOL, D(60_000), D(1), NOON_NS, quote_qty=D(0))
        modified(market, first, price=60_100)
        market.step(SYMBOL, D(60_100), D(1), NOON_NS, quote_qty=D(0))
        return sum((cost for e in market.executions for cost in e.costs.values()), D(0))

    # 120,100 won: brokerage 16.88 -> 17, rural tax 180.15 -> 180. Alone: 8.43 and 8.45 -> 8 + 8, 90 + 90.
    assert (paid(alone=False), paid(alone=True)) == (197, 196)


def test_a_market_order_that_waits_may_shrink_and_has_no_price_to_change() -> None:
    market = a_market()
    record = taken(market.submit(order(qty=10, price=None), NOON_NS))
    assert refused(change(market, record, price=57_000)) == "PRICE"
    assert modified(market, record, cut=4).qty == 6


@pytest.mark.req("I-01", "I-03", "I-05", "I-33")
@given(
    renumbers=st.booleans(),
    acts=st.lists(
        st.tuples(st.sampled_from(["price", "cut", "fill"]), st.integers(1, 6)), min_size=1, max_size=12
    ),
)
def test_a_chain_never_executes_more_than_was_first_asked_for(
    renumbers: bool, acts: list[tuple[str, int]]
) -> None:
    market = Market(msgspec.structs.replace(sample_world(), modify_renumbers=renumbers))
    market.open_account(ACCOUNT, cash={"KRW": D(10**9)}, now_ns=NOON_NS)
    newest = taken(market.submit(order(qty=20, price=57_000), NOON_NS))
    authorised = D(20)
    for act, size in acts:
        newest = market.orders[newest.key]
        if not newest.is_open:
            break
        if act == "fill":
            assert newest.price is not None
            market.step(SYMBOL, newest.price, D(size), NOON_NS)
        else:
            answer = change(
                market,
                newest,
                cut=size if act == "cut" else 0,
                price=57_000 + 100 * size if act == "price" else None,
            )
            if isinstance(answer, OrderRecord):
                authorised -= size if act == "cut" else 0
                newest = answer
        newest = market.orders[newest.key]
        filled = sum((e.qty for e in market.executions), D(0))
        open_qty = sum((o.qty_left for o in market.orders.values() if o.is_open), D(0))
        assert filled + open_qty == authorised
    spent = sum((_spent(e) for e in market.executions), D(0))
    assert market.balance_of(ACCOUNT).cash["KRW"] == D(10**9) - spent


def _spent(execution: Execution) -> Decimal:
    return execution.qty * execution.price + sum(execution.costs.values(), start=D(0))


@pytest.mark.req("I-03")
def test_a_modify_in_the_auction_waits_for_its_print() -> None:
    market = a_market(NO_OVERRIDES, now_ns=seoul_ns("2025-06-16 08:00"))
    record = taken(
        market.submit(order(order_type=OrderType.LIMIT, tif=TimeInForce.DAY), seoul_ns("2025-06-16 08:45"))
    )
    assert record.venue is Venue.KRX
    after = taken(
        market.modify(
            ACCOUNT,
            record.trade_date,
            record.branch,
            record.number,
            seoul_ns("2025-06-16 08:50"),
            price=D(59_000),
        )
    )
    assert after.qty_filled == 0
    market.step(SYMBOL, D(58_200), D(100), seoul_ns("2025-06-16 09:00"))
    assert market.orders[after.key].amount_filled == 10 * 58_200
