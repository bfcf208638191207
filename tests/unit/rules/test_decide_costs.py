"""The broker's own costs: they replace our estimate, once, whatever comes first (I-37, F-63)."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.model.events import CostsCorrected
from jumun.model.fills import LedgerAccount, LedgerKind
from jumun.model.instruments import InstrumentMaster
from jumun.model.orders import Alarm, BrokerRef, Flag, Order
from jumun.model.reports import BrokerState, CostReport, ModifyAccepted, OrderReport
from jumun.rules.audit import audit
from jumun.rules.draft import Decision
from tests.unit.rules.desk_values import (
    ACCOUNT,
    OPEN_NS,
    SAMSUNG,
    SECOND,
    TODAY,
    Bench,
    D,
    a_notice,
    a_policy,
    a_ref,
    a_report,
    a_sale,
    limits,
    names,
    refold,
)
from tests.unit.rules.test_audit import facts_of
from tests.unit.rules.test_bust import a_bust

CASH: Final = D(100_000_000)
OUR_FEE: Final = D(98)  # 700,000 won at 0.0140527 %, to the nearest won


def charged(
    order: Order, fee: int | str = 120, qty: int = 10, ref: BrokerRef | None = None, **changes: Any
) -> CostReport:
    """The broker charged `fee` for `qty` shares at 70,000."""
    values: dict[str, Any] = {
        "account_id": order.account_id,
        "ref": ref or order.newest_ref or a_ref(),
        "costs": {"BROKERAGE": D(fee)},
        "qty_filled": D(qty),
        "amount_filled": D(qty) * 70_000,
        "ts_event_ns": OPEN_NS + SECOND,
        "identity": "costs-1",
        "raw": "charged",
    }
    return CostReport(**(values | changes))


def assert_right(bench: Bench, order: Order, **costs: int) -> None:
    """Order, position, strategy, day and cash say the same, and so do the audit and a second fold."""
    due = {kind: D(amount) for kind, amount in costs.items()}
    total = sum(due.values(), D(0))
    now = bench.order(order)
    assert {kind: amount for kind, amount in now.costs.items() if amount} == due
    position = bench.book.positions[ACCOUNT, SAMSUNG]
    assert position.costs == total
    assert bench.book.strategies[ACCOUNT, "momentum", SAMSUNG].costs == total
    days = [stats.money["KRW"].costs_total for stats in bench.book.days.values() if stats.money]
    assert sum(days) == total
    assert bench.book.cash[ACCOUNT, "KRW"] == CASH - now.amount_filled - total
    assert refold(bench.records).image() == bench.book.image()
    report = audit(facts_of(bench))
    assert report.violations == []


def alarms(bench: Bench, order: Order) -> tuple[Alarm, ...]:
    return bench.order(order).alarms


@pytest.mark.req("I-37", "F-63", "I-30", "I-32")
def test_a_fee_above_our_estimate_is_booked_and_raises_an_alarm() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    assert_right(bench, order, BROKERAGE=98)
    decision = bench.hear(charged(order, 120))
    assert names(decision) == ["CostsCorrected", "OrderAlarmed"]
    [row] = bench.entries[-2].ledger
    assert (row.kind, row.amount, row.debit, row.credit) == (
        LedgerKind.FEE,
        22,
        LedgerAccount.FEES,
        LedgerAccount.CASH,
    )
    assert (row.order_id, row.trade_date, row.settlement_date) == (order.order_id, TODAY, "2025-05-29")
    assert_right(bench, order, BROKERAGE=120)
    assert alarms(bench, order) == (Alarm.COST_DIFFERS,)
    [told] = bench.entries[-2].messages[:1]
    assert (told.event_type, told.payload["broker_costs"]) == ("costs_corrected", {"BROKERAGE": "120"})


@pytest.mark.req("I-37", "I-32")
def test_a_fee_below_our_estimate_gives_the_money_back() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 90))
    [row] = bench.entries[-2].ledger
    assert (row.amount, row.debit, row.credit) == (8, LedgerAccount.CASH, LedgerAccount.FEES)
    assert_right(bench, order, BROKERAGE=90)


@pytest.mark.req("I-37")
def test_a_tax_is_booked_as_a_tax_and_a_kind_that_we_did_not_expect_is_booked_too() -> None:
    bench = Bench(shares={SAMSUNG: 10})
    order = bench.fill(bench.working(a_sale()), 10)
    before = bench.order(order).costs
    told = {"BROKERAGE": D(98), "TRANSACTION_TAX": D(2), "CLEARING": D(3)}
    bench.hear(charged(order, costs=told))
    entry = next(entry for entry in bench.entries if isinstance(entry.record.event, CostsCorrected))
    rows = {row.cost_kind: (row.kind, row.amount, row.credit) for row in entry.ledger}
    rural = before["RURAL_TAX"]
    assert rows == {
        "TRANSACTION_TAX": (LedgerKind.TAX, 2, LedgerAccount.CASH),
        "CLEARING": (LedgerKind.FEE, 3, LedgerAccount.CASH),
        "RURAL_TAX": (LedgerKind.TAX, rural, LedgerAccount.TAXES),
    }
    assert audit(facts_of(bench)).violations == []


@pytest.mark.req("I-37")
def test_a_fee_that_is_as_estimated_moves_nothing_and_is_remembered_as_the_brokers() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    decision = bench.hear(charged(order, 98))
    assert names(decision) == ["CostsCorrected"]
    assert bench.entries[-1].ledger == ()
    assert not decision.ask
    assert_right(bench, order, BROKERAGE=98)


@pytest.mark.req("I-37", "F-63")
@pytest.mark.parametrize(
    ("fee", "tolerance", "is_told"),
    [
        ("99", "0.01", False),
        ("97", "0.01", False),
        ("100", "0.01", True),
        ("107", "0.1", False),
        ("88.1", "0.1", True),
    ],
)
def test_one_unit_of_rounding_is_forgiven_and_more_than_the_tolerance_is_not(
    fee: str, tolerance: str, is_told: bool
) -> None:
    bench = Bench(a_policy(limits=limits(cost_tolerance=D(tolerance))))
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, fee))
    assert (alarms(bench, order) == (Alarm.COST_DIFFERS,)) is is_told
    assert bench.order(order).costs["BROKERAGE"] == D(fee), "tolerated or not, the broker's figure is booked"


@pytest.mark.req("I-09", "I-12", "F-20")
def test_a_repeated_or_older_figure_changes_nothing() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    assert bench.hear(charged(order, 120)).events == ()
    assert bench.hear(charged(order, 120, identity="costs-2")).events == ()
    assert bench.hear(charged(order, 110, ts_event_ns=OPEN_NS)).events == ()
    assert_right(bench, order, BROKERAGE=120)


@pytest.mark.req("I-37", "F-63")
def test_a_later_figure_replaces_an_earlier_one() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    bench.hear(charged(order, 118, ts_event_ns=OPEN_NS + 2 * SECOND))
    assert_right(bench, order, BROKERAGE=118)
    assert len(bench.order(order).cost_figures) == 1, "one for each number: nothing grows"


@pytest.mark.req("I-37", "I-44")
def test_two_figures_of_one_instant_are_left_to_a_person() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    assert names(bench.hear(charged(order, 121))) == ["OrderFlagged"]
    assert bench.hear(charged(order, 122)).events == (), "flagged once"
    assert Flag.DISPUTED in bench.order(order).flags
    assert bench.order(order).costs["BROKERAGE"] == 120


@pytest.mark.req("I-31", "I-53", "F-28")
@pytest.mark.parametrize(
    "changes",
    [
        {"costs": {"BROKERAGE": D("NaN")}},
        {"costs": {"BROKERAGE": D("Infinity")}},
        {"qty_filled": D(-1)},
        {"amount_filled": D(-1)},
        {"qty_filled": D("NaN")},
    ],
)
def test_a_figure_that_cannot_be_is_not_booked(changes: dict[str, Any]) -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    assert names(bench.hear(charged(order, **changes))) == ["OrderFlagged"]
    assert bench.hear(charged(order, **changes)).events == ()
    assert bench.order(order).costs == {"BROKERAGE": OUR_FEE}


@pytest.mark.req("F-21", "I-37")
def test_a_report_that_overtakes_its_fill_waits_for_it_and_asks() -> None:
    bench = Bench()
    order = bench.working()
    decision = bench.hear(charged(order, 120))
    assert decision.ask
    assert bench.order(order).costs == {}, "nothing has filled that we know of"
    bench.fill(order, 4, number=1)
    assert bench.order(order).costs == {"BROKERAGE": D(39)}, "our estimate: the figure is for ten shares"
    assert alarms(bench, order) == ()
    bench.fill(order, 6, number=2)
    assert_right(bench, order, BROKERAGE=120)
    assert alarms(bench, order) == (Alarm.COST_DIFFERS,)


@pytest.mark.req("F-22", "F-21")
def test_a_cost_of_a_number_nobody_knows_is_parked() -> None:
    bench = Bench()
    order = bench.working()
    assert bench.hear(charged(order, ref=a_ref(9))).park


@pytest.mark.req("I-37", "I-19", "F-24")
def test_a_lost_report_is_healed_by_the_list() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.wait(60)
    listed = a_report(
        order,
        state=BrokerState.FILLED,
        qty_filled=D(10),
        amount_filled=D(700_000),
        costs={"BROKERAGE": D(120)},
        costs_ts_ns=OPEN_NS + SECOND,
    )
    decision = bench.study(listed)
    assert "CostsCorrected" in names(decision)
    assert_right(bench, order, BROKERAGE=120)
    assert bench.study(listed).events == ()
    assert bench.hear(charged(order, 120)).events == (), "the report itself, late"


@pytest.mark.req("I-37")
def test_a_list_that_names_no_costs_and_a_cost_of_nothing_change_nothing() -> None:
    bench = Bench()
    order = bench.working()
    nothing = a_report(order, costs={}, costs_ts_ns=OPEN_NS)
    assert "CostsCorrected" not in names(bench.study(nothing))
    assert bench.hear(charged(order, 0, qty=0)).events == ()


@pytest.mark.req("F-47", "I-17", "I-37")
def test_a_late_fill_after_the_report_is_estimated_on_top_until_the_broker_says_more() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4)
    bench.study(a_report(order, state=BrokerState.CANCELLED, qty_filled=D(4), amount_filled=D(280_000)))
    bench.hear(charged(order, 50, qty=4))
    assert_right(bench, order, BROKERAGE=50)
    bench.fill(order, 6, number=2)
    assert_right(bench, order, BROKERAGE=98)
    bench.hear(charged(order, 120, ts_event_ns=OPEN_NS + 2 * SECOND))
    assert_right(bench, order, BROKERAGE=120)


@pytest.mark.req("F-53", "I-37", "I-30")
def test_after_a_bust_the_figure_before_it_does_not_count_and_the_next_one_does() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 4, number=1)
    order = bench.fill(order, 6, number=2)
    bench.hear(charged(order, 120))
    bench.hear(a_bust(bench.order(order), qty=6))
    assert bench.order(order).costs["BROKERAGE"] == 39, "estimated anew for what is left"
    bench.hear(charged(order, 120))
    assert bench.order(order).costs["BROKERAGE"] == 39, "what was said before the bust, once more"
    bench.hear(charged(order, 48, qty=4, ts_event_ns=OPEN_NS + 5 * SECOND))
    assert_right(bench, order, BROKERAGE=48)


@pytest.mark.req("F-53", "I-37")
def test_after_a_price_correction_the_figure_for_the_old_amount_does_not_count() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    bench.hear(a_bust(bench.order(order), price_new=D(60_000)))
    assert bench.order(order).costs["BROKERAGE"] == 84, "our estimate of 600,000 won"
    bench.hear(charged(order, 103, amount_filled=D(600_000), ts_event_ns=OPEN_NS + 5 * SECOND))
    assert_right(bench, order, BROKERAGE=103)


@pytest.mark.req("F-53", "I-37")
def test_a_bust_of_everything_leaves_what_the_broker_keeps() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(a_bust(order))
    bench.hear(charged(order, 5, qty=0, ts_event_ns=OPEN_NS + 5 * SECOND))
    assert_right(bench, order, BROKERAGE=5)


@pytest.mark.req("I-37", "I-53", "I-44")
def test_where_we_have_no_table_the_brokers_figure_stands_alone() -> None:
    bench = Bench(a_policy())
    order = bench.working()
    bench.policy = a_policy(cost_plans={})
    bench.fill(order, 10)
    assert Flag.DISPUTED in bench.order(order).flags
    assert bench.order(order).costs == {}
    bench.hear(charged(order, 120))
    assert bench.order(order).costs == {"BROKERAGE": 120}
    assert alarms(bench, order) == (Alarm.COST_DIFFERS,), "nothing to compare it with"


@pytest.mark.req("I-37", "I-53", "F-59")
def test_the_cost_of_an_issue_that_we_no_longer_list_is_booked_on_its_trade_date() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.policy = a_policy(instruments=InstrumentMaster([]))
    bench.hear(charged(order, 120))
    assert bench.order(order).costs == {"BROKERAGE": 120}
    [row] = next(entry for entry in bench.entries if isinstance(entry.record.event, CostsCorrected)).ledger
    assert (row.amount, row.trade_date, row.settlement_date) == (22, TODAY, TODAY)


# ---- several numbers ------------------------------------------------------------------------------


def a_chain(policy: Any = None) -> tuple[Bench, Order]:
    """Four shares filled under the first number, six under the second."""
    bench = Bench(policy or a_policy(modifies=True))
    order = bench.fill(bench.working(), 4, number=1)
    bench.modify(order, price=69_900)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw="taken 2"))
    return bench, bench.fill(order, 6, number=2, ref=a_ref(2), price=D(70_000))


@pytest.mark.req("I-37", "F-49", "S002-37")
def test_each_number_of_a_modified_order_has_its_own_figure() -> None:
    bench, order = a_chain()
    assert_right(bench, order, BROKERAGE=98)
    bench.hear(charged(order, 45, qty=4, ref=a_ref(1)))
    rest = 98 - 39  # what the second number adds to the first by our table
    assert_right(bench, order, BROKERAGE=45 + rest)
    bench.hear(charged(order, 70, qty=6, ref=a_ref(2)))
    assert_right(bench, order, BROKERAGE=115)
    assert len(bench.order(order).cost_figures) == 2


@pytest.mark.req("I-37", "F-49")
def test_a_broker_that_rounds_each_number_alone_is_no_alarm() -> None:
    bench, order = a_chain(a_policy(modifies=True, limits=limits(cost_tolerance=D(0))))
    bench.hear(charged(order, 40, qty=4, ref=a_ref(1)))
    bench.hear(charged(order, 60, qty=6, ref=a_ref(2)))
    assert_right(bench, order, BROKERAGE=100)
    assert alarms(bench, order) == (), "a won for each of two numbers"


@pytest.mark.req("I-37", "I-53")
def test_without_a_table_a_chain_is_right_when_all_its_numbers_are_named() -> None:
    bench, order = a_chain()
    bench.policy = a_policy(cost_plans={}, modifies=True)
    bench.hear(charged(order, 45, qty=4, ref=a_ref(1)))
    now = bench.order(order)
    assert (now.costs["BROKERAGE"], Flag.DISPUTED in now.flags) == (98, True), "the rest cannot be estimated"
    bench.hear(charged(order, 70, qty=6, ref=a_ref(2)))
    assert bench.order(order).costs["BROKERAGE"] == 115


Step = Callable[[Bench, Order], Decision]


def _fill(qty: int, cumulative: int, number: int) -> Step:
    def step(bench: Bench, order: Order) -> Decision:
        notice = a_notice(
            bench.order(order),
            qty,
            number=None,
            ref=a_ref(number),
            price=D(70_000),
            qty_cumulative=D(cumulative),
            amount_cumulative=D(cumulative) * 70_000,
        )
        return bench.hear(notice)

    return step


def _cost(fee: int, qty: int, number: int, second: int) -> Step:
    def step(bench: Bench, order: Order) -> Decision:
        return bench.hear(
            charged(order, fee, qty=qty, ref=a_ref(number), ts_event_ns=OPEN_NS + second * SECOND)
        )

    return step


NEWS: Final = (
    _fill(1, 1, 1),
    _fill(3, 4, 1),
    _fill(2, 2, 2),
    _fill(4, 6, 2),
    _cost(11, 1, 1, 1),
    _cost(41, 4, 1, 3),
    _cost(44, 4, 1, 4),  # corrected later
    _cost(25, 2, 2, 5),
    _cost(71, 6, 2, 6),
)


def _listed(order: Order, number: int, qty: int, fee: int, second: int) -> OrderReport:
    return a_report(
        order,
        ref=a_ref(number),
        state=BrokerState.FILLED if number == 2 else BrokerState.REPLACED,
        qty=D(qty),
        qty_filled=D(qty),
        amount_filled=D(qty) * 70_000,
        replaces=a_ref(1) if number == 2 else None,
        costs={"BROKERAGE": D(fee)},
        costs_ts_ns=OPEN_NS + second * SECOND,
    )


@pytest.mark.req("I-37", "I-09", "I-12", "I-13", "F-20", "F-21", "F-24", "F-63")
@given(
    steps=st.lists(st.integers(0, len(NEWS) - 1), max_size=18),
    also_after=st.lists(st.integers(0, 8), max_size=6),
)
def test_any_order_repetition_and_loss_of_news_ends_at_the_brokers_figures(
    steps: list[int], also_after: list[int]
) -> None:
    """Fills and costs of two numbers come in any order; a final list makes up for what was lost."""
    bench = Bench(a_policy(modifies=True))
    order = bench.working()
    bench.modify(order, price=69_900)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw="taken 2"))
    for step in steps:
        NEWS[step](bench, order)
    bench.wait(60)
    bench.study(_listed(order, 1, 4, 44, 4), _listed(order, 2, 6, 71, 6))
    assert_right(bench, order, BROKERAGE=115)
    for step in also_after:  # stragglers
        NEWS[step](bench, order)
    assert_right(bench, order, BROKERAGE=115)
    settled = len(bench.records)
    bench.study(_listed(order, 1, 4, 44, 4), _listed(order, 2, 6, 71, 6))
    assert len(bench.records) == settled, "the same list again writes nothing"


@pytest.mark.req("I-37", "I-25")
@given(order_of=st.permutations(range(len(NEWS))))
def test_all_news_in_any_order_ends_at_the_brokers_figures_without_a_list(order_of: list[int]) -> None:
    bench = Bench(a_policy(modifies=True))
    order = bench.working()
    bench.modify(order, price=69_900)
    bench.conclude_modify(order, ModifyAccepted(ref=a_ref(2), raw="taken 2"))
    for step in order_of:
        NEWS[step](bench, order)
    assert_right(bench, order, BROKERAGE=115)


@pytest.mark.req("I-37", "I-25")
def test_the_cost_of_an_order_that_left_memory_still_moves_cash_position_and_day() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    corrected = next(r for r in bench.records if isinstance(r.event, CostsCorrected))
    later = refold(bench.records[: corrected.seq - 1])
    later.recent.clear()
    later.apply(corrected)
    for name in ("cash", "positions", "strategies"):
        assert getattr(later, name) == getattr(bench.book, name), name
    [day] = [stats for stats in later.days.values() if stats.money]
    assert day.money["KRW"].costs == {"BROKERAGE": 120}


@pytest.mark.req("I-09", "I-37", "I-11")
def test_the_audit_finds_a_cost_that_was_taken_twice_or_for_a_number_of_another() -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 98))
    [record] = [record for record in bench.records if isinstance(record.event, CostsCorrected)]
    event = record.event
    assert isinstance(event, CostsCorrected)
    stranger = replace(event.figure, ref=a_ref(9), qty=D(0), amount=D(0), costs={})
    older = replace(event.figure, ts_event_ns=1)
    for figure, invariant in ((event.figure, "I-09"), (older, "I-09"), (stranger, "I-11")):
        again = replace(record, seq=len(bench.records) + 1, event=replace(event, figure=figure))
        report = audit(facts_of(bench, records=[*bench.records, again]))
        assert [str(found).split()[0].strip(":") for found in report.violations][:1] == [invariant]


@pytest.mark.req("I-37", "I-32")
@pytest.mark.parametrize(
    ("field", "value", "invariant"),
    [
        ("amount", D(23), "I-37"),
        ("credit", LedgerAccount.PNL, "I-32"),
        ("order_id", "other", "I-32"),
        ("kind", LedgerKind.CORRECTION, "I-32"),
    ],
)
def test_the_audit_finds_a_cost_that_is_not_the_brokers(field: str, value: object, invariant: str) -> None:
    bench = Bench()
    order = bench.fill(bench.working(), 10)
    bench.hear(charged(order, 120))
    records = list(bench.records)
    index = next(i for i, record in enumerate(records) if isinstance(record.event, CostsCorrected))
    event = records[index].event
    assert isinstance(event, CostsCorrected)
    bent = tuple(replace(row, **{field: value}) for row in event.ledger)
    records[index] = replace(records[index], event=replace(event, ledger=bent))
    report = audit(facts_of(bench, records=records))
    assert any(violation.startswith(invariant) for violation in map(str, report.violations))
