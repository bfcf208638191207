"""What is held is worth what plain sums say, and nothing is made up where a price or a rate is missing."""

from collections.abc import Iterable
from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.errors import BadInput
from jumun.model.events import FillBooked
from jumun.model.money import Currency
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.rules.ledger import apply_rows, rows_of_fill
from jumun.rules.portfolio import FxRate, concentration, factors, figures, marked, total_result, with_fill
from jumun.rules.sub_ledger import StrategyKey, sub_positions_after
from jumun.testing.builders import START_NS, a_fill, a_position, an_order

WON = {Currency.KRW: D(1)}


def a_rate(rate: str = "1380.5") -> FxRate:
    return FxRate(currency=Currency.USD, base=Currency.KRW, rate=D(rate), ts_ns=START_NS, source="a test")


@pytest.mark.req("S000-20", "S000-107")
def test_a_portfolio_adds_up_to_its_value_its_cash_and_its_profit() -> None:
    held = [
        a_position(mark=D(71_000), realised_gross=D(5_000), costs=D(1_000)),
        a_position(symbol="000660", qty=D(2), cost_basis=D(400_000), mark=D(190_000)),
        a_position(symbol="035420", qty=D(0), cost_basis=D(0), realised_gross=D(-300)),
    ]
    told = figures(held, {Currency.KRW: D(1_000_000)}, WON)
    assert told is not None
    assert (told.positions, told.market_value, told.equity) == (2, 1_090_000, 2_090_000)
    assert (told.unrealised, told.realised_net, told.total_pnl) == (-10_000, 3_700, -6_300)
    assert (told.long, told.short, told.gross, told.net) == (1_090_000, 0, 1_090_000, 1_090_000)
    assert told.largest_symbol == "005930"
    assert told.largest_share is not None
    assert round(told.largest_share, 12) == round(D(710_000) / D(1_090_000), 12)


@pytest.mark.req("S000-80")
def test_a_short_position_is_gross_exposure_and_concentrates_like_a_long_one() -> None:
    held = [
        a_position(mark=D(75_000)),
        a_position(symbol="000660", qty=D(-1), cost_basis=D(-260_000), mark=D(250_000)),
    ]
    told = figures(held, {Currency.KRW: D(500_000)}, WON)
    assert told is not None
    assert (told.long, told.short, told.gross, told.net) == (750_000, 250_000, 1_000_000, 500_000)
    assert (told.leverage, told.unrealised) == (1, 60_000)
    assert told.hhi == D("0.75") ** 2 + D("0.25") ** 2


@pytest.mark.req("I-53")
def test_a_position_without_a_price_makes_every_sum_that_holds_it_unknown_and_is_named() -> None:
    told = figures([a_position(), a_position(symbol="000660", mark=D(1))], {}, WON)
    assert told is not None
    assert (told.market_value, told.equity, told.total_pnl, told.gross, told.hhi) == (None,) * 5
    assert (told.unpriced, told.positions) == (("005930",), 2)
    assert total_result(a_position()) is None


@pytest.mark.req("C-19")
def test_dollars_join_won_only_at_a_rate_that_somebody_gave() -> None:
    held = [a_position(mark=D(71_000)), a_position(symbol="SPMO", currency=Currency.USD, mark=D(100))]
    assert figures(held, {}, factors(Currency.KRW, [])) is None
    assert figures([], {Currency.USD: D(5)}, WON) is None
    told = figures(held, {Currency.USD: D(10)}, factors(Currency.KRW, [a_rate()]))
    assert told is not None
    assert told.equity == 710_000 + D("1380.5") * (1_000 + 10)
    for rates in (
        [a_rate(), a_rate()],
        [FxRate(currency=Currency.KRW, base=Currency.USD, rate=D(1), ts_ns=1, source="")],
    ):
        with pytest.raises(BadInput):
            factors(Currency.KRW, rates)
    for bad in ("0", "-1", "NaN"):
        with pytest.raises(BadInput):
            a_rate(bad)
    with pytest.raises(BadInput):
        FxRate(currency=Currency.KRW, base=Currency.KRW, rate=D(1), ts_ns=1, source="")


def test_no_holdings_have_no_concentration() -> None:
    assert concentration({}) == (None, "", None)
    assert concentration({"A": D(0)}) == (None, "", None)
    assert concentration({"B": D(-5), "A": D(5)}) == (D("0.5"), "A", D("0.5"))


@pytest.mark.req("S000-80")
@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(-(10**9), 10**9), min_size=1))
def test_concentration_is_the_sum_of_squared_shares(values: dict[str, int]) -> None:
    hhi, largest, share = concentration({name: D(value) for name, value in values.items()})
    gross = sum(abs(value) for value in values.values())
    if not gross:
        assert hhi is None
        return
    exact = sum(Fraction(abs(value), gross) ** 2 for value in values.values())
    assert hhi is not None
    assert share is not None
    assert abs(Fraction(hhi) - exact) < Fraction(1, 10**30)
    assert abs(values[largest]) == max(abs(value) for value in values.values())


def test_a_newer_mark_replaces_and_an_older_one_stays() -> None:
    held = [a_position(mark=D(1)), a_position(symbol="000660", mark=D(2))]
    assert [position.mark for position in marked(held, {"005930": D(9)})] == [9, 2]


@pytest.mark.req("S000-43")
def test_a_fill_without_a_desk_follows_the_desks_own_ledger_rules() -> None:
    held = with_fill(a_position(qty=D(0), cost_basis=D(0)), Side.BUY, D(10), D(70_000), D(98))
    sold = with_fill(held, Side.SELL, D(4), D(71_000), D(50))
    assert (sold.qty, sold.cost_basis, sold.average_price) == (6, 420_000, 70_000)
    assert (sold.realised_gross, sold.costs, sold.realised_net) == (4_000, 148, 3_852)
    for qty, price in ((D(0), D(1)), (D(1), D(0)), (D(-1), D(1))):
        with pytest.raises(BadInput):
            with_fill(held, Side.BUY, qty, price)


TRADES = st.lists(
    st.tuples(
        st.sampled_from(["", "alpha", "beta", "gamma"]),
        st.sampled_from(["005930", "000660"]),
        st.sampled_from(list(Side)),
        st.integers(1, 60),
        st.integers(1_000, 90_000),
        st.integers(0, 900),
    ),
    max_size=30,
)


@pytest.mark.req("S000-20", "I-36")
@given(TRADES, st.integers(1_000, 90_000))
def test_the_strategies_sub_ledgers_sum_to_the_account_to_the_won(
    trades: list[tuple[str, str, Side, int, int, int]], mark: int
) -> None:
    account: dict[str, Position] = {}
    subs: dict[StrategyKey, Position] = {}
    shares: dict[str, int] = {}
    paid = {"005930": 0, "000660": 0}
    for number, (strategy, symbol, side, qty, price, cost) in enumerate(trades):
        order = an_order(number, symbol=symbol, side=side, strategy_id=strategy)
        fill = a_fill(order, 1, qty=D(qty), price=D(price), strategy_id=strategy)
        before = account.get(symbol, a_position(symbol=symbol, qty=D(0), cost_basis=D(0)))
        ledger = rows_of_fill(fill, before, [("BROKERAGE", D(cost))])
        account[symbol] = apply_rows(before, ledger)
        event = FillBooked(order_id=order.order_id, fill=fill, ledger=ledger, notice_qty=fill.qty, raw="")
        subs.update(sub_positions_after(subs, event))
        sign = 1 if side is Side.BUY else -1
        shares[symbol] = shares.get(symbol, 0) + sign * qty
        paid[symbol] += sign * qty * price + cost
    for symbol, position in account.items():
        own = [sub for (_, _, name), sub in subs.items() if name == symbol]
        assert sum(sub.qty for sub in own) == position.qty == shares[symbol]
        # Money spent so far, whoever counts it: cost of what is held, less what was realised net.
        for group in ([position], own):
            assert sum(held.cost_basis - held.realised_net for held in group) == paid[symbol]
        results = [total_result(held) for held in marked(own, {symbol: D(mark)})]
        assert sum_known(results) == shares[symbol] * mark - paid[symbol]
        assert total_result(marked([position], {symbol: D(mark)})[0]) == sum_known(results)


def sum_known(results: Iterable[D | None]) -> D:
    total = D(0)
    for result in results:
        assert result is not None
        total += result
    return total
