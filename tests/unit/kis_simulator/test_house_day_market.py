"""The US day market at the simulated KIS: its hours, its calls, its end, and how its orders are listed."""

from typing import Any

import pytest

from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.model.instruments import Venue
from jumun.model.orders import TradingSession
from jumun.model.reports import BrokerState
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.kis.acts import next_phase_ns
from tests.unit.kis_simulator.house_calls import (
    PAPER,
    Caller,
    D,
    a_house,
    number_of,
    refusal_of,
    seoul_ns,
    trade,
)

EVENING = seoul_ns("2026-11-20 10:30")  # 20:30 on Thursday in New York, before Friday's session
AFTERNOON = seoul_ns("2026-11-20 15:00")  # 01:00 on Friday there
ISSUE = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL"}


class DayCaller(Caller):
    """A client who trades Apple while it is day in Korea."""

    def daytime(self, side: str = "buy", qty: int = 10, price: str = "190", **fields: Any) -> Any:
        asked = ISSUE | {"ORD_QTY": str(qty), "OVRS_ORD_UNPR": price, "ORD_DVSN": "00"} | fields
        return self.ask(f"overseas-daytime-order-{side}", asked)

    def change_daytime(
        self,
        number: str,
        action: str,
        qty: int = 10,
        price: str = "0",
        *,
        name: str = "daytime-order-rvsecncl",
    ) -> Any:
        asked = ISSUE | {"ORGN_ODNO": number, "RVSE_CNCL_DVSN_CD": action}
        return self.ask(f"overseas-{name}", asked | {"ORD_QTY": str(qty), "OVRS_ORD_UNPR": price})

    def listed(self, first: str, last: str = "") -> dict[str, dict[str, str]]:
        asked = {"PDNO": "%", "ORD_STRT_DT": first, "ORD_END_DT": last or first, "SLL_BUY_DVSN": "00"}
        asked |= {"CCLD_NCCS_DVSN": "00", "OVRS_EXCG_CD": "NASD", "SORT_SQN": "DS"}
        return {row["odno"]: row for row in self.pages("overseas-inquire-ccnl", asked, "output")}

    def state(self, number: str) -> BrokerState:
        (order,) = (one for one in self.house.market.orders.values() if one.number == number)
        return order.state


def a_client(now_ns: int = EVENING, **more: Any) -> DayCaller:
    return DayCaller(a_house(world=whole_day_world(NO_OVERRIDES), now_ns=now_ns, **more), now_ns=now_ns)


@pytest.mark.req("S002-44")
@pytest.mark.parametrize("now_ns", [EVENING, AFTERNOON])
def test_an_order_of_the_day_market_is_taken_and_trades_there(now_ns: int) -> None:
    client = a_client(now_ns)
    number = number_of(client.daytime(price="197"))
    (order,) = client.house.market.orders.values()
    assert (order.trade_date, order.session) == ("2026-11-20", TradingSession.DAY_MARKET)
    trade(client, "196.00", 100, "AAPL")
    assert client.state(number) is BrokerState.FILLED
    market = client.house.market
    assert market.close_of("AAPL", "2026-11-20") == D("196.50"), "nobody's close: the base stands"
    assert len(market.book_of("AAPL")) == 0, "the book of the regular session is another one"


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    "time", ["2026-11-20 09:59:50", "2026-11-20 18:00", "2026-11-26 12:00", "2026-11-21 11:00"]
)
def test_outside_its_hours_everything_about_it_is_refused(time: str) -> None:
    client = a_client(seoul_ns(time))
    for side in ("buy", "sell"):
        assert refusal_of(client.daytime(side)) == "APBK1664"
    assert refusal_of(client.change_daytime("1", "02")) == "APBK1664"


@pytest.mark.req("I-57")
def test_a_market_without_it_and_the_paper_service_refuse_it() -> None:
    house = a_house(world=sample_world(NO_OVERRIDES), now_ns=EVENING)
    assert refusal_of(DayCaller(house, now_ns=EVENING).daytime()) == "APBK1664"
    paper = a_house(world=whole_day_world(NO_OVERRIDES), now_ns=EVENING)
    assert refusal_of(DayCaller(paper, PAPER, now_ns=EVENING).daytime()) == "EGW00213"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ORD_DVSN": "34"}, "APBK1943"),
        ({"ORD_DVSN": "01"}, "APBK1943"),
        ({"OVRS_EXCG_CD": "SEHK"}, "OPSQ2001"),
        ({"OVRS_ORD_UNPR": "0"}, "APBK0918"),
        ({"ORD_QTY": "9999"}, "APBK0952"),
    ],
)
def test_a_daytime_order_that_cannot_be_is_refused(fields: dict[str, Any], code: str) -> None:
    client = a_client()
    assert refusal_of(client.daytime(**fields)) == code
    assert not client.house.market.orders


def test_only_the_selected_symbols_are_taken_where_some_are_selected() -> None:
    client = a_client(daytime_symbols="SMH, IAU")
    assert refusal_of(client.daytime()) == "APBK1943"
    number_of(client.daytime(PDNO="SMH", OVRS_ORD_UNPR="250"))


@pytest.mark.req("F-55")
def test_its_orders_expire_at_its_end_and_the_regular_session_never_sees_them() -> None:
    client = a_client()
    number = number_of(client.daytime())
    client.now_ns = seoul_ns("2026-11-20 18:00")
    row = client.listed("20261119")[number]
    assert (client.state(number), row["nccs_qty"], row["prcs_stat_name"]) == (
        BrokerState.EXPIRED,
        "0",
        "완료",
    )


@pytest.mark.req("F-49")
def test_it_is_revised_and_cancelled_by_a_call_of_its_own_alone() -> None:
    client = a_client(AFTERNOON)
    old = number_of(client.daytime())
    for action in ("01", "02"):
        assert (
            refusal_of(client.change_daytime(old, action, price="191", name="order-rvsecncl-us"))
            == "APBK0918"
        )
    new = number_of(client.change_daytime(old, "01", price="191"))
    number_of(client.change_daytime(new, "02"))
    assert (client.state(old), client.state(new)) == (BrokerState.REPLACED, BrokerState.CANCELLED)


def test_its_call_changes_no_regular_order() -> None:
    client = a_client(seoul_ns("2026-11-20 23:40"))
    asked = ISSUE | {"ORD_DVSN": "00", "ORD_QTY": "10", "OVRS_ORD_UNPR": "190"}
    number = number_of(client.ask("overseas-order-us-buy", asked))
    assert refusal_of(client.change_daytime(number, "02")) == "APBK1664"
    assert client.state(number) is BrokerState.WORKING


@pytest.mark.req("F-94", "S000-10")
@pytest.mark.parametrize(("dates", "evening"), [("local", "20261119"), ("session", "20261120")])
def test_the_evening_before_is_listed_under_one_date_or_the_other(dates: str, evening: str) -> None:
    client = a_client(daytime_dates=dates)
    first = number_of(client.daytime())
    client.now_ns = AFTERNOON
    second = number_of(client.daytime())
    both = client.listed("20261119", "20261120")
    assert [both[number]["ord_dt"] for number in (first, second)] == [evening, "20261120"]
    assert (both[first]["dmst_ord_dt"], both[first]["thco_ord_tmd"]) == ("20261120", "103002")
    assert list(client.listed("20261119")) == ([first] if dates == "local" else [])
    unfilled = client.pages("overseas-inquire-nccs", {"OVRS_EXCG_CD": "NASD", "SORT_SQN": "DS"}, "output")
    assert [row["ord_dt"] for row in unfilled] == [evening, "20261120"]


def test_time_is_skipped_to_its_beginning_in_a_world_that_runs_it() -> None:
    whole, plain = (Market(world(NO_OVERRIDES)) for world in (whole_day_world, sample_world))
    morning = seoul_ns("2026-11-20 08:00")
    assert next_phase_ns(whole, Venue.US, morning) == seoul_ns("2026-11-20 10:00")
    assert next_phase_ns(plain, Venue.US, morning) == seoul_ns("2026-11-20 23:30")
