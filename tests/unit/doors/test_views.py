"""The portfolio, breaks and entries on a screen: names of any script align, and no figure is cut."""

import io
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from jumun.doors.cli import account, breaks, control, figures, holdings, printing, service, signals
from jumun.doors.grpc.gen import desk_pb2
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.services.signal_files import Line, Sent
from jumun.services.views import BookView, StrategyView

FIGURES: dict[str, Any] = {
    "positions": 2,
    "market_value": "123456789.4",
    "cash": "9876543210",
    "equity": "10000000000",
    "unrealised": "-1234567",
    "realised_gross": "12460",
    "costs": "1147",
    "realised_net": "11313",
    "total_pnl": None,
    "long": "123456789",
    "short": "0",
    "gross": "123456789",
    "net": "123456789",
    "leverage": "0.0123",
    "hhi": "0.5051",
    "largest_symbol": "005930",
    "largest_share": "0.55",
}
NAMES = {"005930": "삼성전자", "035420": "NAVER", "247540": "에코프로비엠", "0197X0": "가나다 ETF"}
SUMMARY: dict[str, Any] = {
    "by_currency": {"KRW": FIGURES},
    "by_strategy": {"모멘텀": {"KRW": FIGURES}, "carry": {"KRW": FIGURES}, "": {"KRW": FIGURES}},
    "by_symbol": {f"계좌/{symbol}": "1E+4" for symbol in NAMES} | {"A-1/GONE": None},
    "reason": "",
    "rates": [],
}
RISK: dict[str, Any] = {
    "value_at_risk_95": "12345.6",
    "value_at_risk_95_parametric": None,
    "volatility_annual": None,
    "max_drawdown": "0.1234",
    "current_drawdown": "0",
    "currency": "KRW",
    "missing": {"value_at_risk_95_parametric": "no history", "volatility_annual": "no history"},
    "drawdown_by_currency": {},
}
SUMS = {"bought": "1", "sold": "2", "realised_gross": "3", "total_costs": "4", "realised_net": "-1"}
DAY = {"trade_date": "2026-11-20", "total_fills": 3, "by_currency": {"KRW": SUMS}}


@pytest.fixture
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of the given width."""
    shown = io.StringIO()
    console = Console(file=shown, width=request.param, force_terminal=True, no_color=True, highlight=False)
    monkeypatch.setattr(printing, "out", lambda: console)
    return shown


def instruments() -> dict[str, Instrument]:
    return {
        symbol: Instrument(
            symbol=symbol,
            market=Market.KOSPI,
            product=Product.SHARE,
            currency=Currency.KRW,
            venue=Venue.KRX,
            name=name,
        )
        for symbol, name in NAMES.items()
    }


def lines_of(shown: io.StringIO) -> list[str]:
    return [
        line.rstrip() for line in shown.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    ]


@pytest.mark.parametrize("screen", [60, 80, 160], indirect=True)
def test_korean_names_take_two_cells_and_the_amounts_behind_them_still_align(screen: io.StringIO) -> None:
    holdings.show(printing.out(), SUMMARY, RISK, [DAY], instruments())
    shown = lines_of(screen)
    rows = [line for line in shown if line.strip().startswith("계좌")]
    assert len(rows) == len(NAMES)
    assert len({cell_len(row) for row in rows}) == 1, "\n".join(rows)
    assert len({cell_len(row.partition("10,000")[0]) for row in rows}) == 1
    strategies = [line for line in shown if line.split()[:1] in (["모멘텀"], ["carry"], ["(entries)"])]
    assert len({cell_len(line) for line in strategies}) == 1


@pytest.mark.parametrize("screen", [40, 60, 80, 160], indirect=True)
def test_no_figure_of_the_portfolio_is_cut_however_narrow_the_screen(screen: io.StringIO) -> None:
    holdings.show(printing.out(), SUMMARY, RISK, [DAY], instruments())
    text = "\n".join(lines_of(screen))
    for figure in ("9,876,543,210", "10,000,000,000", "-1,234,567", "12,346", "12.34 %", "55.00 %", "0.505"):
        assert figure in text, text
    assert "…" not in text
    assert text.count("no history") == 1, "a reason is told once"


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_a_result_that_is_not_known_is_a_question_mark(screen: io.StringIO) -> None:
    holdings.show(printing.out(), SUMMARY, RISK, [], instruments())
    gone = next(line for line in lines_of(screen) if "GONE" in line)
    assert gone.split()[-1] == "?"


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_an_empty_portfolio_says_so(screen: io.StringIO) -> None:
    empty = {"by_currency": {}, "by_strategy": {}, "by_symbol": {}, "reason": "", "rates": []}
    holdings.show(printing.out(), empty, RISK, [], {})
    assert lines_of(screen) == ["Nothing is held and there is no cash."]


@pytest.mark.parametrize("screen", [80, 120], indirect=True)
def test_a_total_over_currencies_is_told_with_the_rate_its_time_and_who_says_so(screen: io.StringIO) -> None:
    rate = {"currency": "USD", "base": "KRW", "rate": "1390.5", "ts_ns": 1_795_156_200_000_000_000}
    total = FIGURES | {"equity": "11390500000", "total_pnl": "7"}
    summary = {**SUMMARY, **total, "currency": "KRW", "total_positions": 4}
    summary["rates"] = [rate | {"source": "--rate"}]
    summary["by_currency"] = {"KRW": FIGURES, "USD": FIGURES}
    holdings.show(printing.out(), summary, RISK, [], instruments())
    shown = lines_of(screen)
    assert any(line.split()[:3] == ["all", "in", "KRW"] and "11,390,500,000" in line for line in shown)
    assert "1 USD is 1390.5 KRW, at 2026-11-20 06:30:00 UTC (--rate)." in shown


@pytest.mark.req("S000-82")
@pytest.mark.parametrize("screen", [80], indirect=True)
def test_with_several_currencies_the_fall_of_each_is_told_or_why_it_is_not_known(screen: io.StringIO) -> None:
    known, gap = {"value": "0.1234", "why": ""}, {"value": None, "why": "2 days are needed"}
    falls = {"USD": {"worst": gap, "now": gap}, "KRW": {"worst": known, "now": known}}
    holdings.show(printing.out(), SUMMARY, RISK | {"drawdown_by_currency": falls}, [], instruments())
    shown = "\n".join(lines_of(screen))
    assert "worst drawdown in KRW" in shown
    assert "There is no worst drawdown in USD or drawdown now in USD: 2 days are needed." in shown


@pytest.mark.req("S000-44")
@pytest.mark.parametrize("screen", [120], indirect=True)
def test_the_strategies_are_told_with_their_sum_and_one_unknown_part_makes_it_unknown(
    screen: io.StringIO,
) -> None:
    parts = {"a": {"KRW": FIGURES}, "b": {"KRW": FIGURES | {"total_pnl": "5"}}}
    holdings.show(printing.out(), SUMMARY | {"by_strategy": parts}, RISK, [], instruments())
    [row] = [line.split() for line in lines_of(screen) if line.split()[:2] == ["all", "KRW"]]
    assert row == ["all", "KRW", "246,913,579", "-2,469,134", "24,920", "2,294", "22,626", "?"]


def a_part(strategy_id: str, qty: int, total: int | None) -> StrategyView:
    return StrategyView(
        account_id="A-1",
        strategy_id=strategy_id,
        symbol="005930",
        currency="KRW",
        qty=Decimal(qty),
        cost_basis=Decimal(qty * 70_000),
        unrealised=None if total is None else Decimal(total),
        realised_net=Decimal(0),
        total=None if total is None else Decimal(total),
    )


@pytest.mark.req("S000-44")
@pytest.mark.parametrize("screen", [80, 120], indirect=True)
def test_a_position_is_told_by_strategy_and_the_parts_sum_to_it(screen: io.StringIO) -> None:
    parts = (a_part("", 5, 10), a_part("모멘텀", 30, 100), a_part("carry", -5, -20))
    view = BookView(
        records=1, marks_source="", marks_ts_ns=None, positions=(), cash=(), results=(), strategies=parts
    )
    account.show_strategies(printing.out(), view)
    rows = [line.split() for line in lines_of(screen) if line.split()[:1] == ["005930"]]
    assert [row[1] for row in rows] == ["(entries)", "모멘텀", "carry", "all"]
    assert rows[-1] == ["005930", "all", "30", "2,100,000", "90", "0", "90"]
    account.show_strategies(printing.out(), replace(view, strategies=(*parts[:2], a_part("carry", -5, None))))
    last = [line.split() for line in lines_of(screen) if line.split()[:1] == ["005930"]][-1]
    assert last[-3:] == ["?", "0", "?"]


@pytest.mark.parametrize("screen", [80, 120], indirect=True)
def test_an_account_is_told_beside_the_brokers_count_with_its_age(screen: io.StringIO) -> None:
    lines: list[dict[str, Any]] = [
        {"subject": "CASH:KRW", "ours": "99300000.5", "theirs": "99300000.5", "difference": "0"},
        {"subject": "005930", "ours": "10.000000", "theirs": "7", "difference": "-3"},
        {"subject": "SPMO", "ours": "0", "theirs": "2", "difference": "2", "open": True},
    ]
    told = {
        "account_id": "A-1",
        "agrees": False,
        "age_s": "3.2",
        "lines": [{"open": False} | row for row in lines],
    }
    account.show_account(printing.out(), told)
    shown = lines_of(screen)
    [cash] = [line.split() for line in shown if line.split()[:1] == ["KRW"]]
    assert cash == ["KRW", "99,300,000.5", "99,300,000.5"]
    [held] = [line.split() for line in shown if line.split()[:1] == ["005930"]]
    assert held == ["005930", "10", "7", "-3", "DIFFERS"]
    assert any(line.endswith("an order is on its way") for line in shown)
    assert "The broker was asked 3.200 s ago; `jumun reconcile`" in "\n".join(shown)


@pytest.mark.parametrize("screen", [60, 80, 160], indirect=True)
def test_a_break_shows_its_age_its_owner_and_grouped_figures(screen: io.StringIO) -> None:
    reply = desk_pb2.BreaksReply(
        breaks=[
            desk_pb2.BreakRow(
                break_id="B7",
                account_id="A-1",
                subject="CASH:KRW",
                ours="94668113",
                theirs="99665013.5",
                difference="4996900.5",
                age_s="7380",
                owner="홍길동",
                text="what the desk found",
                note="결제원에 확인 중",
            ),
            desk_pb2.BreakRow(
                break_id="B8",
                account_id="A-1",
                subject="SPMO",
                ours="7",
                theirs="5",
                difference="-2",
                age_s="5",
                text="what the desk found",
            ),
        ]
    )
    breaks._tell(reply, as_json=False)
    shown = "\n".join(lines_of(screen))
    for word in ("94,668,113", "99,665,013.5", "4,996,900.5", "2 h 3 min", "홍길동", "nobody", "-2"):
        assert word in shown, shown
    assert "B7: 결제원에 확인 중" in shown
    assert "what the desk found" not in shown, "the table says it already"


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_what_became_of_a_file_of_signals_is_said_line_by_line(screen: io.StringIO) -> None:
    lines = [
        Line(line=1, signal="BUY 1 005930", sent=Sent(order_id="a", status="NEW")),
        Line(line=2, signal="BUY 1 005930", sent=Sent(order_id="a", status="NEW", existing=True)),
        Line(line=3, signal="", sent=Sent(reason="BAD_SIGNAL", text="no")),
        Line(line=4, signal="SELL 2 000660", sent=Sent(order_id="b", reason="SHARES", text="none are free")),
    ]
    signals._tell("a.jsonl", lines)
    assert lines_of(screen) == [
        "a.jsonl: 1 order made, 1 there before, 2 refused.",
        "  line 3: BAD_SIGNAL: no",
        "  line 4: SELL 2 000660: SHARES: none are free",
    ]


def test_a_signal_that_came_before_with_other_content_counts_as_refused() -> None:
    reply = desk_pb2.OrderReply(status="NEW", mismatch=True, order_id="a")
    assert signals._sent(reply).reason == "KEY_CONFLICT", (
        "a signal with other content did not do what it says"
    )


@pytest.mark.parametrize("screen", [160], indirect=True)
def test_no_open_break_is_no_claim_that_the_books_agree(screen: io.StringIO) -> None:
    line = {
        "account_id": "A-1",
        "subject": "CASH:KRW",
        "ours": "94668113",
        "theirs": "94667113",
        "open": False,
    }
    breaks._tell_none([line, {**line, "subject": "005930", "ours": "7", "theirs": "5", "open": True}])
    breaks._tell_none("A-1 cannot be compared with the broker now: it does not answer")
    shown = "\n".join(lines_of(screen))
    assert "agree with" not in shown
    assert "A-1 CASH:KRW: ours 94,668,113, the broker's 94,667,113; not confirmed yet" in shown
    assert "A-1 005930: ours 7, the broker's 5; an order on its way may explain it" in shown
    assert "Whether the books agree is not known: A-1 cannot be compared" in shown


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_where_nothing_is_held_nothing_is_at_risk_in_no_currency(screen: io.StringIO) -> None:
    nothing = {**RISK, "currency": None, "value_at_risk_95": "0", "value_at_risk_95_parametric": "0"}
    holdings.show(printing.out(), SUMMARY, nothing, [DAY], {})
    shown = lines_of(screen)
    assert "None" not in "\n".join(shown)
    assert any(row.split()[-2:] == ["day)", "0"] for row in shown), shown
    assert any("without dividends" in row for row in shown), "a day of fills is not a day's whole result"


def test_a_day_without_figures_is_said_to_have_none_and_the_newest_that_has_is_named() -> None:
    assert figures._no_figures("2026-11-21", "", [DAY]) == (
        "no order on trading day 2026-11-21; the newest are of 2026-11-20: `jumun stats --date 2026-11-20`"
    )
    assert "of account A-1 on trading day 2026-11-21, and on none" in figures._no_figures(
        "2026-11-21", "A-1", []
    )


@pytest.mark.parametrize(("halted", "code"), [("", 0), ("BOOKS_DIFFER: 005930 differs again", 1)])
def test_a_resume_after_which_trading_is_halted_again_is_no_success(
    halted: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = desk_pb2.StatusReply(halted=halted, accepting=not halted)
    monkeypatch.setattr(service, "ask", lambda *_: answer)
    assert control.resume("compared", by="kim") == code
    assert ("trading is halted: BOOKS_DIFFER" in capsys.readouterr().err) is bool(halted)
