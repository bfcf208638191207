"""Costs against every worked example of the market reference that our model claims, to the last won."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.errors import ConfigError
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import BadNumber, Currency, CurrencyMismatch
from jumun.model.orders import Side
from jumun.model.reasons import Reason
from jumun.rules.cost_tables import (
    KIS_BANKIS,
    KIS_EVENT,
    KIS_US,
    KIWOOM,
    PLANS,
    SEC_FEE,
    TAF,
    TAXES,
    CostPlan,
    NoCostTable,
    Rounding,
    round_amount,
    sec_fee_on,
    taf_on,
    taxes_on,
)
from jumun.rules.costs import CostItem, CostKind, cost_delta, order_costs, total_of
from jumun.rules.settlement import settlement_date

BRANCH = CostPlan(
    name="branch account, under half a million won",
    currency=Currency.KRW,
    share_rate=Decimal("0.004971487"),
    etp_rate=Decimal("0.004971487"),
    rounding=Rounding.NEAREST_WON,
)
IN_2026 = date(2026, 6, 10)


def korean(market: Market = Market.KOSPI, product: Product = Product.SHARE) -> Instrument:
    return Instrument(symbol="005930", market=market, product=product, currency=Currency.KRW, venue=Venue.KRX)


AAPL = Instrument(
    symbol="AAPL", market=Market.US, product=Product.SHARE, currency=Currency.USD, venue=Venue.US
)
KOSPI, KOSDAQ, KONEX = korean(), korean(Market.KOSDAQ), korean(Market.KONEX)
ETF, ETN = korean(product=Product.ETF), korean(product=Product.ETN)


def costs(
    plan: CostPlan,
    instrument: Instrument,
    side: Side,
    value: str,
    *,
    qty: str = "10",
    traded: date = IN_2026,
    settled: date | None = None,
) -> list[CostItem]:
    settles = settled if settled is not None else settlement_date(instrument.market, traded)
    return order_costs(plan, instrument, side, Decimal(value), Decimal(qty), traded, settles)


def paid(items: list[CostItem]) -> dict[str, Decimal]:
    return {item.kind.value: item.amount for item in items}


@pytest.mark.req("S000-24", "S000-25", "S000-26", "S000-113", "C-20", "C-44")
@pytest.mark.parametrize(
    ("case", "plan", "instrument", "side", "settled", "value", "fee", "tax", "rural", "cash"),
    [
        (1, KIS_BANKIS, KOSPI, "BUY", "2026-06-12", 700_000, 98, None, None, -700_098),
        (2, KIS_BANKIS, KOSPI, "SELL", "2026-06-12", 700_000, 98, 350, 1_050, 698_502),
        (3, KIS_BANKIS, KOSDAQ, "SELL", "2026-06-12", 700_000, 98, 1_400, None, 698_502),
        (4, KIS_BANKIS, KONEX, "SELL", "2026-06-12", 700_000, 98, 700, None, 699_202),
        (5, KIS_BANKIS, ETF, "SELL", "2026-06-12", 700_000, 103, None, None, 699_897),
        (6, KIS_BANKIS, KOSPI, "SELL", "2025-06-12", 700_000, 98, 0, 1_050, 698_852),
        (7, KIS_BANKIS, KOSDAQ, "SELL", "2025-06-12", 700_000, 98, 1_050, None, 698_852),
        (8, KIS_BANKIS, KOSPI, "SELL", "2024-06-12", 700_000, 98, 210, 1_050, 698_642),
        (9, KIS_BANKIS, KOSPI, "SELL", "2023-06-12", 700_000, 98, 350, 1_050, 698_502),
        (10, KIS_BANKIS, KOSPI, "SELL", "2022-06-13", 700_000, 98, 560, 1_050, 698_292),
        (11, KIS_BANKIS, KOSPI, "SELL", "2020-06-12", 700_000, 98, 700, 1_050, 698_152),
        (12, KIS_BANKIS, KOSPI, "SELL", "2019-05-13", 700_000, 98, 1_050, 1_050, 697_802),
        (13, KIWOOM, KOSPI, "SELL", "2026-09-10", 447_500, 60, 223, 671, 446_546),
        (14, KIWOOM, KOSPI, "SELL", "2026-09-10", 846_000, 120, 423, 1_269, 844_188),
        (15, KIWOOM, KOSPI, "SELL", "2026-09-10", 802_800, 120, 401, 1_204, 801_075),
        (16, KIS_EVENT, ETF, "BUY", "2026-09-21", 104_375, 4, None, None, -104_379),
        (17, KIS_EVENT, ETF, "SELL", "2026-09-21", 106_100, 4, None, None, 106_096),
        (18, KIS_BANKIS, KOSPI, "BUY", "2026-08-27", 498_000, 70, None, None, -498_070),
        (19, KIS_BANKIS, KOSPI, "SELL", "2026-06-12", 1_999_999, 281, 999, 2_999, 1_995_720),
        (
            20,
            KIS_BANKIS,
            KOSDAQ,
            "SELL",
            "2026-06-12",
            1_234_567_890,
            173_490,
            2_469_135,
            None,
            1_231_925_265,
        ),
        (21, KIS_BANKIS, KOSPI, "SELL", "2026-06-12", 333, 0, 0, 0, 333),
        (22, BRANCH, KOSDAQ, "SELL", "2026-06-12", 400_000, 1_989, 800, None, 397_211),
        (24, KIS_EVENT, KOSPI, "SELL", "2026-06-12", 10_000_000, 364, 5_000, 15_000, 9_979_636),
    ],
)
def test_a_korean_order_costs_what_the_reference_says(
    case: int,
    plan: CostPlan,
    instrument: Instrument,
    side: str,
    settled: str,
    value: int,
    fee: int,
    tax: int | None,
    rural: int | None,
    cash: int,
) -> None:
    settles = date.fromisoformat(settled)
    items = costs(plan, instrument, Side(side), str(value), traded=settles, settled=settles)
    wanted = {"BROKERAGE": fee, "TRANSACTION_TAX": tax, "RURAL_TAX": rural}
    assert paid(items) == {kind: amount for kind, amount in wanted.items() if amount is not None}, case
    signed = -value if side == "BUY" else value
    assert signed - total_of(items) == cash


@pytest.mark.req("C-20", "S000-113", "I-37")
def test_the_settlement_date_picks_the_tax_even_across_the_turn_of_the_year() -> None:
    cases = ((date(2025, 12, 26), 150_000, 99_835_947), (date(2025, 12, 29), 200_000, 99_785_947))
    for traded, tax, cash in cases:
        items = costs(KIS_BANKIS, KOSDAQ, Side.SELL, "100000000", traded=traded)
        assert paid(items) == {"BROKERAGE": 14_053, "TRANSACTION_TAX": tax}
        assert 100_000_000 - total_of(items) == cash


@pytest.mark.req("S000-27", "C-44")
@pytest.mark.parametrize(
    ("value", "qty", "traded", "commission", "sec", "taf"),
    [
        ("2301.50", "10", "2025-05-13", "5.75", "0.07", "0.01"),
        ("2301.50", "10", "2025-05-14", "5.75", "0", "0.01"),
        ("2301.50", "10", "2026-06-10", "5.75", "0.05", "0.01"),
        ("2301.50", "10", "2026-11-16", "5.75", "0.05", "0"),
        ("740400.00", "60000", "2026-06-10", "1851.00", "15.26", "9.79"),
        ("4.90", "1", "2026-06-10", "0.01", "0.01", "0.01"),
    ],
)
def test_a_us_sale_pays_commission_and_two_regulatory_fees(
    value: str, qty: str, traded: str, commission: str, sec: str, taf: str
) -> None:
    items = costs(KIS_US, AAPL, Side.SELL, value, qty=qty, traded=date.fromisoformat(traded))
    assert paid(items) == {"BROKERAGE": Decimal(commission), "SEC_FEE": Decimal(sec), "TAF": Decimal(taf)}
    assert not any(item.kind.is_tax for item in items)


@pytest.mark.req("S000-27")
def test_a_us_buy_pays_commission_only() -> None:
    assert paid(costs(KIS_US, AAPL, Side.BUY, "2301.50")) == {"BROKERAGE": Decimal("5.75")}


@pytest.mark.req("S000-25")
@pytest.mark.parametrize("instrument", [KOSPI, KOSDAQ, KONEX, ETF, ETN])
def test_a_korean_buy_pays_no_tax(instrument: Instrument) -> None:
    assert [item.kind for item in costs(KIS_BANKIS, instrument, Side.BUY, "700000")] == [CostKind.BROKERAGE]


@pytest.mark.req("S000-26")
def test_funds_and_notes_pay_their_own_fee_and_no_sale_tax() -> None:
    for issue in (ETF, ETN):
        assert paid(costs(KIS_BANKIS, issue, Side.SELL, "700000")) == {"BROKERAGE": 103}


@pytest.mark.req("C-20")
def test_the_rural_tax_is_on_the_sale_value_and_only_at_kospi() -> None:
    rates = taxes_on(Market.KOSPI, date(2026, 6, 12))
    assert (rates.transaction, rates.rural) == (Decimal("0.0005"), Decimal("0.0015"))
    assert taxes_on(Market.KOSDAQ, date(2026, 6, 12)).rural is None
    assert taxes_on(Market.KONEX, date(2026, 6, 12)).rural is None


@pytest.mark.req("S000-28")
@pytest.mark.parametrize(("discount", "fee"), [("0", 98), ("0.3", 69), ("0.5", 49), ("1", 0)])
def test_a_discount_lowers_brokerage_and_never_touches_tax(discount: str, fee: int) -> None:
    plan = CostPlan(
        name="discounted",
        currency=Currency.KRW,
        share_rate=KIS_BANKIS.share_rate,
        etp_rate=KIS_BANKIS.etp_rate,
        rounding=Rounding.NEAREST_WON,
        discount_rate=Decimal(discount),
    )
    items = costs(plan, KOSPI, Side.SELL, "700000")
    assert paid(items) == {"BROKERAGE": fee, "TRANSACTION_TAX": 350, "RURAL_TAX": 1_050}


MINIMUM = CostPlan(
    name="with a minimum",
    currency=Currency.KRW,
    share_rate=KIS_BANKIS.share_rate,
    etp_rate=KIS_BANKIS.etp_rate,
    rounding=Rounding.NEAREST_WON,
    order_minimum=Decimal(500),
    discount_rate=Decimal("0.5"),
)


@pytest.mark.req("S000-47")
def test_the_minimum_is_charged_once_for_an_order_that_fills_at_all() -> None:
    assert paid(costs(MINIMUM, KOSPI, Side.BUY, "0", qty="0")) == {"BROKERAGE": 0}
    assert paid(costs(MINIMUM, KOSPI, Side.BUY, "70000", qty="1")) == {"BROKERAGE": 500}
    assert paid(costs(MINIMUM, KOSPI, Side.BUY, "70000000", qty="1000")) == {"BROKERAGE": 4_918}
    assert [total_of(step) for step in increments(MINIMUM, KOSPI, Side.BUY, [(1, 70_000)] * 3)] == [500, 0, 0]


def increments(
    plan: CostPlan, instrument: Instrument, side: Side, fills: list[tuple[int, int]]
) -> list[list[CostItem]]:
    steps, value, qty = [], Decimal(0), Decimal(0)
    for fill_qty, price in fills:
        steps.append(
            cost_delta(
                plan,
                instrument,
                side,
                value_before=value,
                qty_before=qty,
                value_after=value + fill_qty * price,
                qty_after=qty + fill_qty,
                trade_date=IN_2026,
                settlement_date=settlement_date(instrument.market, IN_2026),
            )
        )
        value, qty = value + fill_qty * price, qty + fill_qty
    return steps


@pytest.mark.req("S000-113", "I-37")
def test_ten_small_fills_cost_what_one_order_costs() -> None:
    steps = increments(KIS_BANKIS, KOSDAQ, Side.SELL, [(1, 1_700)] * 10)
    summed = {
        kind: sum(item.amount for step in steps for item in step if item.kind is kind)
        for kind in (CostKind.BROKERAGE, CostKind.TRANSACTION_TAX)
    }
    assert summed == {CostKind.BROKERAGE: 2, CostKind.TRANSACTION_TAX: 34}
    one_by_one = [costs(KIS_BANKIS, KOSDAQ, Side.SELL, "1700", qty="1") for _ in range(10)]
    assert sum(paid(items)["TRANSACTION_TAX"] for items in one_by_one) == 30, (
        "each cut by itself loses four won"
    )


FILLS = st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 2_000_000)), min_size=1, max_size=12)


@pytest.mark.req("S000-113", "I-37", "I-14")
@given(
    fills=FILLS,
    side=st.sampled_from(list(Side)),
    case=st.sampled_from(
        [(KIS_BANKIS, KOSPI), (KIWOOM, KOSDAQ), (MINIMUM, KONEX), (KIS_EVENT, ETF), (KIS_US, AAPL)]
    ),
)
def test_the_increments_of_any_fills_add_up_to_the_cost_of_the_order(
    fills: list[tuple[int, int]], side: Side, case: tuple[CostPlan, Instrument]
) -> None:
    plan, instrument = case
    steps = increments(plan, instrument, side, fills)
    value = Decimal(sum(qty * price for qty, price in fills))
    qty = Decimal(sum(qty for qty, _ in fills))
    settles = settlement_date(instrument.market, IN_2026)
    whole = order_costs(plan, instrument, side, value, qty, IN_2026, settles)
    for position, item in enumerate(whole):
        assert sum(step[position].amount for step in steps) == item.amount
        assert all(step[position].kind is item.kind for step in steps)
        assert all(step[position].amount >= 0 for step in steps), "a fill never gives costs back"


@pytest.mark.req("I-37")
def test_a_corrected_fill_gives_its_costs_back() -> None:
    settles = settlement_date(Market.KOSPI, IN_2026)
    back = cost_delta(
        KIS_BANKIS,
        KOSPI,
        Side.SELL,
        value_before=Decimal(700_000),
        qty_before=Decimal(10),
        value_after=Decimal(0),
        qty_after=Decimal(0),
        trade_date=IN_2026,
        settlement_date=settles,
    )
    assert total_of(back) == -1_498


@pytest.mark.req("S000-113")
def test_the_first_profitable_exit_is_two_ticks_above_a_kospi_purchase() -> None:
    for plan, profit in ((KIS_BANKIS, 399), (KIS_EVENT, 545)):
        bought = 700_000 + total_of(costs(plan, KOSPI, Side.BUY, "700000"))
        gains = {}
        for price in (70_000, 70_100, 70_200):
            sold = price * 10 - total_of(costs(plan, KOSPI, Side.SELL, str(price * 10)))
            gains[price] = sold - bought
        assert gains[70_100] < 0 < gains[70_200] == profit


@pytest.mark.req("I-53")
@pytest.mark.parametrize("market", [Market.KOSPI, Market.KOSDAQ, Market.KONEX])
@pytest.mark.parametrize("settled", [date(2018, 12, 31), date(2027, 1, 1)])
def test_a_tax_nobody_has_published_is_refused(market: Market, settled: date) -> None:
    with pytest.raises(NoCostTable, match=f"{market} sale taxes") as refusal:
        taxes_on(market, settled)
    assert refusal.value.reason is Reason.NO_TABLE


@pytest.mark.req("I-53")
def test_us_fees_outside_their_tables_are_refused() -> None:
    for day in (date(2020, 2, 17), date(2027, 1, 1)):
        with pytest.raises(NoCostTable, match="the SEC fee"):
            sec_fee_on(day)
    for day in (date(2022, 12, 31), date(2027, 1, 1)):
        with pytest.raises(NoCostTable, match="trading activity fee"):
            taf_on(day)
    with pytest.raises(NoCostTable, match="US sale taxes"):
        taxes_on(Market.US, IN_2026)


@pytest.mark.req("I-53")
def test_a_plan_charges_only_on_the_dates_it_covers() -> None:
    with pytest.raises(NoCostTable, match="configure the plan of that date"):
        costs(KIS_BANKIS, KOSPI, Side.BUY, "700000", traded=date(2018, 12, 28), settled=date(2019, 1, 2))


def test_the_dated_tables_have_no_gap_and_no_overlap() -> None:
    tables = [[(row.valid_from, row.valid_to) for row in rows] for rows in TAXES.values()]
    tables += [[(row.valid_from, row.valid_to) for row in rows] for rows in (SEC_FEE, TAF)]
    for spans in tables:
        assert all(start <= end for start, end in spans)
        for (_, end), (start, _) in pairwise(spans):
            assert end.toordinal() + 1 == start.toordinal()


def test_a_plan_of_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch, match="AAPL trades in USD"):
        costs(KIS_BANKIS, AAPL, Side.BUY, "2301.50")
    with pytest.raises(CurrencyMismatch):
        costs(KIS_US, KOSPI, Side.SELL, "700000")


@pytest.mark.req("F-96")
@pytest.mark.parametrize(("value", "qty"), [("-1", "1"), ("NaN", "1"), ("1", "-1"), ("1", "Infinity")])
def test_costs_of_a_nonsensical_total_are_refused(value: str, qty: str) -> None:
    with pytest.raises(BadNumber, match="zero or more"):
        costs(KIS_BANKIS, KOSPI, Side.BUY, value, qty=qty)


@pytest.mark.parametrize(
    ("share_rate", "discount", "minimum", "message"),
    [
        ("1.5", "0", "0", "not percent"),
        ("-0.1", "0", "0", "not percent"),
        ("0.01", "1.1", "0", "give 0 to 1"),
        ("0.01", "0", "-1", "give 0 or more"),
    ],
)
def test_an_impossible_plan_is_refused(share_rate: str, discount: str, minimum: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CostPlan(
            name="impossible",
            currency=Currency.KRW,
            share_rate=Decimal(share_rate),
            etp_rate=Decimal(0),
            rounding=Rounding.NEAREST_WON,
            discount_rate=Decimal(discount),
            order_minimum=Decimal(minimum),
        )


@pytest.mark.parametrize(
    ("rounding", "amount", "booked"),
    [
        (Rounding.NEAREST_WON, "0.5", "1"),
        (Rounding.NEAREST_WON, "2.5", "3"),
        (Rounding.NEAREST_WON, "2.49", "2"),
        (Rounding.FLOOR_WON, "671.999", "671"),
        (Rounding.FLOOR_TEN_WON, "69.99", "60"),
        (Rounding.CENT_HALF_UP, "5.755", "5.76"),
        (Rounding.CENT_HALF_UP, "5.754", "5.75"),
        (Rounding.CENT_UP, "0.0001", "0.01"),
        (Rounding.CENT_UP, "0", "0"),
    ],
)
def test_each_rounding_does_what_its_name_says(rounding: Rounding, amount: str, booked: str) -> None:
    assert round_amount(Decimal(amount), rounding) == Decimal(booked)


def test_every_offered_plan_can_be_found_by_its_name() -> None:
    assert PLANS["kis-bankis"] is KIS_BANKIS
    assert len({plan.name for plan in PLANS.values()}) == len(PLANS)


def test_taxes_are_booked_as_tax_and_everything_else_as_fee() -> None:
    assert {kind for kind in CostKind if kind.is_tax} == {CostKind.TRANSACTION_TAX, CostKind.RURAL_TAX}
