"""B-50 to B-62: what a modify looks like from outside, and what becomes of it when its answer is lost."""

from decimal import Decimal

import pytest

from jumun.model.orders import OrderType, TimeInForce
from jumun.model.reports import (
    Accepted,
    BrokerState,
    ModifyAccepted,
    ModifyRefused,
    NotSent,
    OrderReport,
    Unknown,
)
from tests.contract.broker.houses import (
    ACCOUNT,
    NO_FAULTS,
    PRICE,
    TODAY,
    House,
    a_cancel,
    a_modify,
    a_request,
    accepted,
    modify_of,
    no,
    only,
    yes,
)
from tests.contract.broker.running import running

LOW = PRICE - 1_000


@pytest.mark.req("S002-37", "I-11")
@pytest.mark.parametrize("price", [LOW - 100, LOW + 100])
async def test_b50_a_new_price_moves_the_order_to_a_new_number_that_names_the_old(
    house: House, price: Decimal
) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=price), yes)
        assert isinstance(outcome, ModifyAccepted)
        assert outcome.raw
        old, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (old.ref, old.state, old.qty_filled) == (order.ref, BrokerState.REPLACED, 0)
        assert (new.ref, new.replaces) == (outcome.ref, order.ref)
        assert (new.state, new.qty, new.qty_filled, new.price) == (BrokerState.WORKING, 10, 0, price)
        reports = await house.heard.until(lambda all_: len(all_) == 3)
        announced = [r for r in reports if isinstance(r, OrderReport)]
        assert [(r.ref, r.state) for r in announced[1:]] == [(old.ref, "REPLACED"), (new.ref, "WORKING")]
        assert announced[2].replaces == order.ref


async def test_b51_a_modify_can_take_shares_off(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        outcome = await house.broker.modify(a_modify(order, qty=6, price=LOW), yes)
        assert isinstance(outcome, ModifyAccepted)
        _, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (new.qty, new.price) == (6, LOW)
        house.print_price(LOW, volume=Decimal(100))
        _, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (new.state, new.qty_filled) == (BrokerState.FILLED, 6)


@pytest.mark.req("I-03")
async def test_b52_a_modify_never_enlarges(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        outcome = await house.broker.modify(a_modify(order, qty=11, price=LOW), yes)
        assert isinstance(outcome, ModifyRefused)
        assert outcome.code == "QTY"
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.state, listed.qty) == (BrokerState.WORKING, 10)


async def test_b53_a_filled_order_cannot_be_modified(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(order_type=OrderType.MARKET))
        outcome = await house.broker.modify(a_modify(order, qty=6, price=None), yes)
        assert isinstance(outcome, ModifyRefused)
        assert outcome.code == "FINISHED"


async def test_b54_the_old_number_is_dead_and_the_new_one_can_be_cancelled(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        assert isinstance(outcome, ModifyAccepted)
        again = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW + 200), yes)
        assert isinstance(again, ModifyRefused)
        assert not isinstance(await house.broker.cancel(a_cancel(order)), Unknown)
        await house.broker.cancel(a_cancel(Accepted(ref=outcome.ref, raw="")))
        old, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (old.state, new.state) == (BrokerState.REPLACED, BrokerState.CANCELLED)


@pytest.mark.req("F-49", "I-03")
async def test_b55_a_fill_that_crosses_the_modify_is_not_counted_twice(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.print_price(LOW, volume=Decimal(4))  # the modify below was written before anybody heard of it
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW - 100), yes)
        assert isinstance(outcome, ModifyAccepted)
        old, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (old.qty_filled, old.state, new.qty, new.qty_filled) == (4, BrokerState.REPLACED, 6, 0)


@pytest.mark.req("F-49", "I-03")
async def test_b56_a_reduction_that_crosses_its_last_fill_is_refused(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.print_price(LOW, volume=Decimal(7))
        outcome = await house.broker.modify(a_modify(order, qty=6, price=LOW), yes)
        assert isinstance(outcome, ModifyRefused)
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.state, listed.qty_filled) == (BrokerState.WORKING, 7)


@pytest.mark.req("F-49", "I-15", "I-21")
@pytest.mark.parametrize("fault", ["reply_reset", "server_error", "reply_garbled", "reset_early"])
async def test_b57_a_modify_whose_answer_is_lost_is_unknown_and_the_history_names_what_it_replaced(
    house: House, fault: str
) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.faults.become(only(fault))
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        house.faults.become(NO_FAULTS)
        await house.faults.arrive()
        assert isinstance(outcome, Unknown)
        _, new = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (new.replaces, new.price) == (order.ref, LOW + 100)
        assert len(house.market.modifies) == 1


@pytest.mark.req("F-02", "F-04", "I-15")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("not_sent", NotSent), ("request_lost", Unknown), ("modify_refused", ModifyRefused)],
)
async def test_b58_a_modify_that_never_arrived_leaves_the_old_terms(
    house: House, fault: str, kind: type[object]
) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.faults.become(only(fault))
        outcome = await house.broker.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        house.faults.become(NO_FAULTS)
        assert isinstance(outcome, kind)
        (listed,) = (await house.broker.history(ACCOUNT, TODAY)).orders
        assert (listed.ref, listed.state, listed.price) == (order.ref, BrokerState.WORKING, LOW)
        assert house.market.modifies == []


@pytest.mark.req("I-45")
async def test_b59_a_modify_without_permit_never_leaves(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        for broker in (house.broker, house.a_broker(house.bare)):
            outcome = await broker.modify(a_modify(order, price_before=LOW, price=LOW + 100), no)
            assert isinstance(outcome, NotSent)
        assert house.market.modifies == []


async def test_b60_silence_after_a_modify_ends_as_unknown_after_the_bound(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        impatient = house.a_broker(house.faults, answer_timeout_s=0.02)
        house.faults.become(only("reply_lost"))
        outcome = await impatient.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        assert isinstance(outcome, Unknown)
        assert len(house.market.modifies) == 1


async def test_b61_a_modify_by_hand_is_announced(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        house.control(modify_of(order, price=LOW + 100))
        reports = await house.heard.until(lambda all_: len(all_) == 3)
        assert getattr(reports[-1], "replaces", None) == order.ref


async def test_b62_a_broker_that_changes_no_orders_says_so_and_sends_nothing(house: House) -> None:
    async with running(house):
        order = await accepted(house, a_request(price=LOW))
        fixed = house.a_broker(house.faults, modifies=False)
        outcome = await fixed.modify(a_modify(order, price_before=LOW, price=LOW + 100), yes)
        assert isinstance(outcome, ModifyRefused)
        assert outcome.code == "KIND_NOT_SUPPORTED"
        kinds = fixed.traits.kinds
        assert all(tif in (TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK) for _, _, tif in kinds)
        assert house.market.modifies == []
