"""Random days through the simulated KIS: whatever happens, its lists say what the market did."""

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from jumun.exchange.sample_world import sample_world
from jumun.model.instruments import Venue
from jumun.rules.trading_days import ALWAYS_OPEN
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.switches import KisSwitches
from tests.unit.kis_simulator.house_calls import (
    ACCOUNT,
    SAMSUNG,
    Caller,
    a_client,
    a_house,
    trade,
    with_nxt,
)

STEPS = 120
PRICES = range(57_500, 58_600, 100)
ANSWERS = ("APBK0013", "APBK0918", "APBK0400", "APBK0952", "APBK1943", "OPSQ2001")
COLUMNS = ("tot_ccld_qty", "rmn_qty", "rjct_qty", "cncl_cfrm_qty")


def a_random_day(seed: int, refusals: str) -> Caller:
    """Send, change, cancel and print at random; every answer of KIS is a yes or a no."""
    chance = Random(seed)
    world = replace(sample_world(ALWAYS_OPEN), instruments=with_nxt(SAMSUNG))
    client = a_client(a_house(world=world, rate_limit=0, refusals=refusals))
    numbers: list[str] = []
    for _ in range(STEPS):
        qty, price = chance.randint(1, 60), chance.choice(PRICES)
        what = chance.choice(("buy", "sell", "buy", "sell", "cancel", "cut", "revise", "print", "print nxt"))
        number = chance.choice(numbers) if numbers else "0000000001"
        if what in ("buy", "sell"):
            kind = chance.choice(("00", "00", "00", "01", "03", "04", "11", "12"))
            place = chance.choice(("KRX", "NXT", "SOR"))
            send = client.buy if what == "buy" else client.sell
            body = send(qty, price, ORD_DVSN=kind, EXCG_ID_DVSN_CD=place)
        elif what == "cancel":
            body = client.cancel(number)
        elif what == "cut":
            body = client.cancel(number, QTY_ALL_ORD_YN="N", ORD_QTY=str(qty))
        elif what == "revise":
            body = client.revise(number, price)
        else:
            venue = Venue.NXT if what == "print nxt" else Venue.KRX
            trade(client, price, chance.randint(0, 80), venue=venue, quote_qty=Decimal(chance.randint(0, 40)))
            continue
        assert body["msg_cd"] in ("APBK0013", "APBK0918", "APBK0400", "APBK0952", "APBK1943", "OPSQ2001"), (
            body
        )
        if body["rt_cd"] == "0":
            numbers.append(body["output"]["ODNO"])
    return client


@pytest.mark.parametrize("refusals", ["reply", "notice"])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.req("I-03", "F-41", "F-49")
def test_the_history_of_any_day_adds_up_to_what_the_market_did(seed: int, refusals: str) -> None:
    client = a_random_day(seed, refusals)
    market = client.house.market
    rows = {row["odno"]: row for row in client.history()}
    orders = market.orders.values()
    assert sum(int(row["tot_ccld_qty"]) for row in rows.values()) == sum(e.qty for e in market.executions)
    assert sum(int(row["tot_ccld_amt"]) for row in rows.values()) == sum(
        e.qty * e.price for e in market.executions
    )
    own = {number for number in rows if number.startswith("09")}
    left = sum(int(row["rmn_qty"]) for number, row in rows.items() if number not in own)
    assert left == sum(order.qty_left for order in orders if order.is_open)
    opened = {order.key for order in orders if order.is_open}
    assert {order.key for order in client.house.office.records.open_orders(ACCOUNT)} == opened
    taken_over = {
        row["orgn_odno"]: row for row in rows.values() if row["orgn_odno"] and row["odno"] not in own
    }
    for number, row in rows.items():
        parts = sum(int(row[name]) for name in COLUMNS)
        moved = int(taken_over[number]["ord_qty"]) if number in taken_over else 0
        assert int(row["ord_qty"]) == parts + moved, row
    assert set(taken_over) <= set(rows)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.req("I-30", "S000-11")
def test_the_balance_of_any_day_is_the_markets(seed: int) -> None:
    client = a_random_day(seed, "reply")
    held = client.house.market.balance_of(ACCOUNT)
    (line,) = client.pages("inquire-balance", {"INQR_DVSN": "02"}, "output1")
    (sums,) = client.ask("inquire-balance", {"INQR_DVSN": "02"})["output2"]
    assert line["hldg_qty"] == str(held.holdings[SAMSUNG])
    assert sums["prvs_rcdl_excc_amt"] == str(held.cash["KRW"])
    open_sells = sum(
        o.qty_left for o in client.house.market.orders.values() if o.is_open and o.side == "SELL"
    )
    assert int(line["ord_psbl_qty"]) == held.holdings[SAMSUNG] - open_sells
    # A house that opens on this market now counts the same from its records.
    other = Caller(KisHouse(client.house.market, KisSwitches(), client.house.customers), now_ns=client.now_ns)
    (again,) = other.pages("inquire-balance", {"INQR_DVSN": "02"}, "output1")
    same = ("hldg_qty", "ord_psbl_qty", "pchs_amt", "thdt_buyqty", "thdt_sll_qty")
    assert {name: again[name] for name in same} == {name: line[name] for name in same}


@pytest.mark.req("I-63")
def test_the_same_day_is_the_same_day() -> None:
    one, other = a_random_day(3, "reply"), a_random_day(3, "reply")
    assert one.history() == other.history()
    assert one.token == other.token
    assert one.house.market.digest() == other.house.market.digest()
